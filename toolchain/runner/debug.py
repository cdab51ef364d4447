# SPDX-License-Identifier: MIT
"""make gdb: gdb with the symbols of Parador and its guests, on the machine of a running `make run` of this tree (of
several: the newest, and the others are named), or, where none runs, on a fresh machine that waits at its reset (its
console goes into a file).

Each run has a folder of its own under build/run/ (boot.Folder). In it lie the socket of QEMU's gdb stub and QEMU's process
number, so that users, trees and runs never meet. GDB='break x; continue' runs commands instead of a dialogue. The helpers
`domains`, `frames` and `pt` are in toolchain/gdb/parador.py. Read next: docs/debugging.md.
"""
import glob
import os
import subprocess
import sys
import tempfile
import time

from . import boot
from .axes import Trouble

SOCKET_MAX = 100  # characters; the system takes 107


def stub(folder):
    """QEMU's options for a gdb stub that nobody need use, in the run's own folder (its path)."""
    socket = f"{folder}/gdb.sock"
    if len(socket) > SOCKET_MAX:
        return []
    return ["-gdb", f"unix:{socket},server=on,wait=off", "-pidfile", f"{folder}/qemu.pid"]


def words_of(socket):
    """The command line of the QEMU that has this socket; [] where it doesn't run any more."""
    try:
        with open(os.path.join(os.path.dirname(socket), "qemu.pid"), encoding="ascii") as f:
            pid = int(f.read())
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            words = f.read().decode("utf-8", "replace").split("\0")
    except (OSError, ValueError):
        return []
    return words if any(socket in word for word in words) else []


def running(axes):
    """The sockets of all machines of this tree that run, the newest first."""
    return sorted(filter(words_of, glob.glob(f"{axes.runs}/*/gdb.sock")), key=os.path.getmtime, reverse=True)


def write_init(path, socket, hypervisor, guest, *more):
    """The generated init file: symbols, helpers, connection, and more lines."""
    lines = ["set pagination off", "set confirm off", "set architecture i386:x86-64", "set print pretty on", f"file {hypervisor}"]
    if os.path.exists(guest):
        lines.append(f"add-symbol-file {guest}")
    lines += ["source toolchain/gdb/parador.py", f"target remote {socket}", *more]
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    return path


def symbols(axes, words):
    """The files with the symbols of the hypervisor in QEMU's command line and of its guests' kernel."""
    image = words[words.index("-kernel") + 1] if "-kernel" in words else boot.parador_image(axes)
    modules = words[words.index("-initrd") + 1] if "-initrd" in words else ""
    return f"{image}.syms", modules.partition(" ")[0] or f"{axes.build}/pvkernel"


def dialogue(axes, socket, *init):
    """Runs gdb; with GDB= its commands in turn. `init` as write_init() takes it. gdb's exit status."""
    commands = [c.strip() for c in axes.text("GDB").split(";") if c.strip()]
    batch = ["-batch"] + [word for c in commands for word in ("-ex", c)] if commands else []
    with tempfile.NamedTemporaryFile(dir=axes.runs, prefix="gdbinit.") as file:
        write_init(file.name, socket, *init)
        return subprocess.run(["gdb", "-q", "-nx", "-x", file.name, *batch], check=False).returncode


def beside(axes, folder, command, *init):
    """gdb on a machine of its own, whose QEMU has the stub() of `folder`; its console goes into a file that stays. gdb's
    exit status."""
    console, socket = f"{axes.runs}/console.{os.getpid()}.log", f"{folder}/gdb.sock"
    with open(console, "wb") as log:
        qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            for _ in range(100):
                if os.path.exists(socket) or qemu.poll() is not None:
                    break
                time.sleep(0.1)
            if qemu.poll() is not None:
                with open(console, encoding="latin1") as f:
                    raise Trouble("QEMU ended at once: " + (f.read().strip().splitlines() or ["no reason given"])[-1])
            print(f"gdb: the machine's console goes into {console}", flush=True)
            return dialogue(axes, socket, *init)
        finally:
            qemu.kill()
            qemu.wait()


def main(axes):
    if axes.on == ["xen"]:
        raise Trouble("ON=xen: gdb is for Parador and its guests")
    boot.prepare(axes, "parador")
    machines = running(axes)
    if machines:
        others = "".join(f"\ngdb: another one runs: target remote {m}" for m in machines[1:])
        print(f"gdb: on the machine of {machines[0]}{others}", file=sys.stderr, flush=True)
        return dialogue(axes, machines[0], *symbols(axes, words_of(machines[0])))
    with boot.Folder(axes) as work:
        if not stub(work.path):
            raise Trouble(f"{work.path}: too long a name for a socket, set B= to a shorter one")
        command = boot.parador_command(axes, work, [*stub(work.path), "-S"])
        return beside(axes, work.path, command, *symbols(axes, command))
