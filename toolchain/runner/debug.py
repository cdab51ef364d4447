# SPDX-License-Identifier: MIT
"""make gdb: gdb with the symbols of Parador and its guests, on the machine of a running `make run` of this tree, or, where
none runs, on a fresh machine that waits at its reset (its console goes into build/run/console.log).

QEMU's gdb stub listens on a socket file under build/, so that users and trees don't meet. GDB='break x; continue' runs
commands instead of a dialogue. The helpers `domains`, `frames` and `pt` are in toolchain/gdb/parador.py.
"""
import glob
import os
import subprocess
import time

from . import boot
from .axes import Trouble


SOCKET, PID = "gdb.sock", "qemu.pid"


def stub(folder):
    """QEMU's options for a gdb stub, in a run's own folder, that nobody need use."""
    return ["-gdb", f"unix:{folder}/{SOCKET},server=on,wait=off", "-pidfile", f"{folder}/{PID}"]


def running(axes):
    """The folder of the youngest `make run` of this tree whose QEMU is alive; None where none is."""
    for path in sorted(glob.glob(f"{axes.build}/run/*/{PID}"), key=os.path.getmtime, reverse=True):
        try:
            with open(path, encoding="ascii") as f:
                pid = int(f.read())
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if path.encode() in f.read():
                    return os.path.dirname(path)
        except (OSError, ValueError):
            continue
    return None


def write_init(axes, folder, hypervisor=None, guest=None):
    """The generated init file: symbols, helpers, connection to the stub in `folder`. Its path."""
    name = "parador-debug" if axes.debug else "parador"
    guest = guest or axes.guest or f"{axes.build}/pvkernel"
    lines = ["set pagination off", "set confirm off", "set architecture i386:x86-64", "set print pretty on",
             f"file {hypervisor or f'{axes.build}/{name}.syms'}"]
    if os.path.exists(guest):
        lines.append(f"add-symbol-file {guest}")
    lines += ["source toolchain/gdb/parador.py", f"target remote {folder}/{SOCKET}"]
    path = f"{axes.build}/gdbinit"
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    return path


def dialogue(axes, init):
    """Runs gdb; with GDB= its commands in turn. gdb's exit status."""
    commands = [c.strip() for c in axes.text("GDB").split(";") if c.strip()]
    batch = ["-batch"] + [word for c in commands for word in ("-ex", c)] if commands else []
    return subprocess.run(["gdb", "-q", "-nx", "-x", init, *batch], check=False).returncode


def beside(axes, folder, command, *symbols):
    """gdb on a machine of its own, whose stub is in `folder` and whose console goes into a file; `symbols` as write_init
    takes them. gdb's exit status."""
    console = f"{axes.build}/run/console.log"
    with open(console, "wb") as log:
        qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            for _ in range(100):
                if os.path.exists(f"{folder}/{SOCKET}") or qemu.poll() is not None:
                    break
                time.sleep(0.1)
            if qemu.poll() is not None:
                with open(console, encoding="latin1") as f:
                    raise Trouble("QEMU ended at once: " + (f.read().strip().splitlines() or ["no reason given"])[-1])
            print(f"gdb: the machine's console goes into {console}", flush=True)
            return dialogue(axes, write_init(axes, folder, *symbols))
        finally:
            qemu.kill()
            qemu.wait()


def main(axes):
    boot.prepare(axes, "parador")
    folder = running(axes)
    if folder:
        return dialogue(axes, write_init(axes, folder))
    with boot.Folder(axes) as folder:
        return beside(axes, folder.path, boot.parador_command(axes, folder, [*stub(folder.path), "-S"]))
