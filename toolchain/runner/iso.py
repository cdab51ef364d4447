# SPDX-License-Identifier: MIT
"""make iso: build/parador.iso, which GRUB boots by Multiboot 2 from a CD or a USB stick with the BIOS.

On it are the files that QEMU's -kernel and -initrd load in `make run`, and a grub.cfg with the same command lines. GRUB,
other than QEMU, hands over no file name, so each line begins with one: its first word is a label. GRUB's own words go to the
screen; the serial line is Parador's, unless GRUB can't load something. Read next: docs/boot.md, section 5.
"""
import os
import re
import shutil
import subprocess

from . import boot
from .axes import Trouble

TROUBLE = """if [ -z "$trouble" ]; then boot; fi
serial --unit=0 --speed=115200
terminal_output serial console
echo "GRUB could not load all that grub.cfg names: is there too little memory?"
halt
"""


def line(command, file, words):
    """A line of grub.cfg that loads a file; each word quoted, so that GRUB hands it on as it is."""
    quoted = " ".join(f"'{word}'" for word in words.split())
    return f"if ! {command} /boot/{file} /boot/{file} {quoted}; then set trouble=1; fi\n"


def make(axes, folder, path):
    """Writes the ISO image of the axes; its path. `folder`: a boot.Folder for what goes into it."""
    if re.search(r"[\\'\"]", axes.append + axes.args):
        raise Trouble("GRUB changes quotes and backslashes in APPEND= and ARGS=")
    image, modules = boot.parador_files(axes, folder)
    root = f"{folder.path}/iso"
    os.makedirs(f"{root}/boot/grub")
    shutil.copy(image, f"{root}/boot/parador")
    config = line("multiboot2", "parador", axes.append)
    for file, words in modules:
        name = os.path.basename(file)
        if not os.path.exists(f"{root}/boot/{name}"):
            shutil.copy(file, f"{root}/boot/{name}")
        config += line("module2", name, words)
    with open(f"{root}/boot/grub/grub.cfg", "w", encoding="utf-8") as f:
        f.write(config + TROUBLE)
    done = subprocess.run(["grub-mkrescue", "-o", path + ".new", root], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False)
    if done.returncode or not os.path.exists(path + ".new"):
        raise Trouble("grub-mkrescue failed: " + (done.stdout.strip().splitlines() or ["no reason given"])[-1])
    os.replace(path + ".new", path)
    return path


def main(axes):
    machine = boot.machine_memory(axes)
    boot.shares(axes, machine, os.path.getsize(axes.disk) if axes.disk else 0)  # before anything is built
    boot.prepare(axes, "parador")
    with boot.Folder(axes) as folder:
        path = make(axes, folder, f"{axes.build}/parador.iso")
    print(f"iso: {path}: qemu-system-x86_64 -m {machine} -smp {axes.smp} -cdrom {path} -nographic; `make run BOOT=iso` does the same")
    return 0
