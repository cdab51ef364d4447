# SPDX-License-Identifier: MIT
"""make run RECORD=f and make rewind RECORD=f: QEMU's deterministic record and replay.

The folder f holds all that a replay needs, so that a later build does not disturb it: the log of what came from outside
(replay.bin), copies of image, kernel and ramdisks, symbols, a qcow2 image for QEMU's snapshots, and QEMU's command line.
In gdb, `reverse-continue` from a watchpoint finds who wrote a word (toolchain/gdb/rewind.py).

What QEMU 7.2 wants for that: the snapshot drive; icount with its default sleep; no `vapic`, whose reset waits for the
CPU's thread, while that waits for the main thread (each step back begins with a reset, so about every second one hung);
and, as it cannot go back from a machine that is off, a breakpoint at Parador's last act.
"""
import json
import os
import shutil
import subprocess

from . import boot, debug, packages
from .axes import Trouble
from .machine import commas

RUN = "run.json"
REWIND = ("source toolchain/gdb/rewind.py", "break machine_exit")


def options(folder, mode):
    return ["-global", "apic-common.vapic=off", "-icount", f"shift=auto,rr={mode},rrfile={commas(folder)}/replay.bin,rrsnapshot=init",
            "-drive", f"file={commas(folder)}/snapshots.qcow2,if=none,id=snapshots"]


def record(axes):
    """make run with RECORD=: its exit status."""
    folder = axes.record
    if any(c in folder for c in " ,"):
        raise Trouble(f"RECORD={folder}: a name without spaces and commas is needed")
    if os.path.exists(folder) and not (os.path.isdir(folder) and (not os.listdir(folder) or os.path.exists(f"{folder}/{RUN}"))):
        raise Trouble(f"RECORD={folder}: is there already, and is no recording")
    if axes.smp > 1:
        raise Trouble(f"RECORD={folder}: a recording is of one CPU; leave SMP={axes.smp} away")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        os.makedirs(folder)
    except OSError as error:
        raise Trouble(f"RECORD={folder}: {error.strerror}") from error
    made = subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", f"{folder}/snapshots.qcow2", "1G"], check=False)
    if made.returncode:
        raise Trouble("qemu-img could not make the image for the snapshots")
    name = "parador-debug" if axes.debug else "parador"
    shutil.copy(f"{axes.build}/{name}.syms", f"{folder}/parador.syms")
    shutil.copy(axes.guest or f"{axes.build}/pvkernel", f"{folder}/guest.syms")
    command = boot.parador_command(axes, boot.Folder(axes, kept=folder))
    with open(f"{folder}/{RUN}", "w", encoding="utf-8") as f:
        json.dump(command, f, indent=1)
    status = boot.converse(axes, command[:1] + options(folder, "record") + command[1:], boot.parador_watcher(), 20.0, farewell=boot.POWER_OFF)
    print(f"run: recorded in {folder}; make rewind RECORD={folder} replays it under gdb", flush=True)
    return status


def main(axes):
    """make rewind: gdb on the replay, stopped at its start."""
    folder = axes.record
    if not folder:
        raise Trouble("RECORD=f is needed: the folder that `make run RECORD=f` wrote")
    packages.ensure(packages.needs(axes, ["parador"]))
    try:
        with open(f"{folder}/{RUN}", encoding="utf-8") as f:
            command = json.load(f)
    except (OSError, ValueError):
        raise Trouble(f"RECORD={folder}: no recording (there is no {RUN} in it)") from None
    with boot.Folder(axes) as work:
        command = command[:1] + options(folder, "replay") + [*debug.stub(work.path), "-S", "-no-shutdown"] + command[1:]
        return debug.beside(axes, work.path, command, f"{folder}/parador.syms", f"{folder}/guest.syms", *REWIND)
