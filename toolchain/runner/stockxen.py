# SPDX-License-Identifier: MIT
"""Stock Xen 4.17 out of Debian's package: as the machine's hypervisor with our kernel as its domain 0 (make run ON=xen,
tests of the role dom0). Guests as its other domains are started by xen-domu (see toolchain/xen-domu)."""
import gzip
import os
import re

from . import boot
from .axes import Trouble
from .machine import Output, arguments, module
from .packages import XEN

# domain 0's console_io output comes out at all log levels; noreboot: a crash ends in a halt that we can see.
OPTIONS = "com1=115200 console=com1 loglvl=warning guest_loglvl=all noreboot"
MEM = 512
MEM_WITH_STOCK = 1024
OTHERS = 128  # MB that domain 0 leaves where there are enough
SPARE = 24  # MB that Xen and our kernel want at least beside the disk, which stays where the boot loader put it
# What Xen says once its domain 0 has ended, and the exit status where no script gave one.
ENDINGS = [(r"Hardware Dom0 halted", 0), (r"Hardware Dom0 (crashed|shutdown)", 1), (r"Panic on CPU|Manual reset required", 1)]


def image(axes):
    """build/xen, unpacked from the package when that is newer."""
    path = f"{axes.build}/xen"
    if not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(XEN):
        os.makedirs(axes.build, exist_ok=True)
        with gzip.open(XEN) as packed, open(path + ".new", "wb") as f:
            f.write(packed.read())
        os.replace(path + ".new", path)
    return path


class Watcher:
    """The exit status of a boot on Xen: the script's line, else how domain 0 ended. True once domain 0 has ended."""

    def __init__(self):
        self.status, self.ended = None, False

    def __call__(self, line):
        script = re.search(r"\bscript: exit (\d+)\s*$", line)
        if script:
            self.status = int(script[1])
        for pattern, status in ENDINGS:
            if re.search(pattern, line):
                self.status = status if self.status is None or status else self.status
                self.ended = True
        return self.ended


class Quiet:
    """A show function that leaves out Xen's own lines until domain 0 speaks: the first screen is the guest's. What was
    left out is in `hidden`. Bytes pass at once otherwise, so that a prompt is seen."""

    MARK = b"(XEN)"

    def __init__(self, show):
        self.show, self.hidden, self.held, self.on = show, [], b"", True

    def __call__(self, data):
        if not self.on:
            return self.show(data)
        self.held += data
        while b"\n" in self.held and self.held.startswith((self.MARK, b"\r", b"\n", b"\x1b")):
            line, _, self.held = self.held.partition(b"\n")
            self.hidden.append(line.decode("latin1").strip())
        if self.held and not self.MARK.startswith(self.held[:5]) and self.held[:1] not in b"\r\x1b":
            self.on = False
            self.show(self.held)


def command(axes, megabytes, kernel, words, ramdisk=None, options="", extra=()):
    """QEMU's command line for Xen with `kernel` (a path without spaces) as its domain 0."""
    modules = [module(kernel, words)] + ([module(ramdisk)] if ramdisk else [])
    return arguments(axes, megabytes, image(axes), f"{OPTIONS} {options} {axes.append}", modules, extra)


def fits(axes, disk):
    """A Trouble where the machine can't hold a disk of so many bytes: Xen would panic, or the loader never end."""
    disk_mb = -(-disk // boot.MIB)
    need = SPARE + disk_mb + disk_mb // 64
    if boot.machine_memory(axes, MEM, MEM_WITH_STOCK) < need:
        what = f"DISK is {disk_mb} MiB" if disk_mb > 1 else f"MEM={axes.mem} is too little for Xen and its domain 0"
        raise Trouble(f"{what}: MEM={-(-need // 16) * 16} at least")


def run_command(axes, folder, extra=()):
    """QEMU's command line for make run ON=xen: our kernel as domain 0, with its ramdisk."""
    kernel = folder.link("guest", axes.guest) if axes.guest else f"{axes.build}/pvkernel"
    disk, _ = boot.ramdisks(axes)
    script = " script" if axes.script is not None else ""
    words = f"role=driver domains=1{script} {'' if axes.stock else axes.args}"
    megabytes = boot.machine_memory(axes, MEM, MEM_WITH_STOCK)
    # Memory for the domains that xl makes there; without the word Xen gives domain 0 all that there is.
    others = OTHERS + (boot.STOCK_MB if axes.stock else 0)
    room = megabytes - others - len(disk) // boot.MIB * 2  # what domain 0 would have beside its ramdisk
    options = f"dom0_mem=-{others}M" if room >= (128 if axes.stock else others * 2) and "dom0_mem" not in axes.append else ""
    vcpus = 1 if axes.stock else axes.vcpus
    return command(axes, megabytes, kernel, words, folder.write("ramdisk0", disk), f"{options} dom0_max_vcpus={vcpus}", extra)


def run(axes):
    """make run ON=xen: the same kernel file, alone, with domain 0's ramdisk."""
    if axes.guest and boot.read(axes.guest)[:4] != b"\x7fELF":
        raise Trouble(f"GUEST={axes.guest}: it is no ELF file")
    if axes.given("DOMAINS") and axes.domains > 1:
        raise Trouble(f"DOMAINS={axes.domains}: on Xen our kernel runs alone, as domain 0; toolchain/xen-domu starts others")
    with boot.Folder(axes) as folder:
        line = run_command(axes, folder)
        quiet = Quiet(Output())
        watcher = boot.watch_for(axes, Watcher())
        shown = "loglvl=" in axes.append
        status = boot.converse(axes, line, watcher, 0.0, show=None if shown else quiet, awake=None if shown else lambda: not quiet.on)
        if quiet.on and quiet.hidden:  # domain 0 never spoke: what Xen said last
            print("\n".join(quiet.hidden[-12:]))
        return status
