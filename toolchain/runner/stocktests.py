# SPDX-License-Identifier: MIT
"""The tests of stock guests (runner/stock.py): each boots from domain 0 by `xl create`, on Parador and, by the same command, on stock
Xen, and must do there what it does on any machine."""
import hashlib
import re

from . import packages, stock
from .axes import Trouble

BAD = re.compile(r"\bWARNING\b|\bBUG\b|Call Trace|Oops|\[ cut here \]|Kernel panic|I/O error")


def complaints(lines):
    """What a Linux log must not hold; the first such line."""
    return next((line for line in lines if BAD.search(line)), "")


def linux(Case, files, system, vcpus):
    disk = files.noise("2 MiB", 2 << 20)
    with open(disk, "rb") as f:
        before = f.read()
    after = b"\0" * (1 << 20) + before[1 << 20:]
    script = "dmesg; uptime; sha256sum /dev/xvda; dd if=/dev/zero of=/dev/xvda bs=64k count=16 conv=fsync; echo 3 >/proc/sys/vm/drop_caches; sha256sum </dev/xvda"
    settings = {"GUEST": "linux-cloud", "DISK": disk, "SCRIPT": script, "VCPUS": str(vcpus)}
    if system == "xen":
        settings["ON"] = "xen"
    return Case(f"stock_linux_{vcpus}_vcpus_on_{system}", settings, 0, [
        r"Booting kernel on Xen", r"clocksource: Switched to clocksource xen", rf"init: 6\.\S+, {vcpus} vcpus", rf"^(\[d0\] )?{sha(before)}  /dev/xvda",
        rf"^(\[d0\] )?{sha(after)}  -", r"init: exit 0", r"reboot: System halted", r"linux-cloud has ended"], system=system, check=complaints)


def sha(data):
    return hashlib.sha256(data).hexdigest()


def grub(Case, system):
    keys = (b"grub> ", b"ls\r", b"(xen/xvda)", b"\x1d", b"grub goes on", b"xl destroy grub\rpoweroff\r")
    return Case(f"stock_grub_on_{system}", {"GUEST": "grub", "ON": system}, 0, [r"GNU GRUB +version 2", r"\(memdisk\).*\(xen/xvda\)"], system=system, keys=keys)


def cases(axes, Case, files):
    """Nothing where the guests can't be had."""
    found = [case for system in ("parador", "xen") for case in (grub(Case, system), *(linux(Case, files, system, vcpus) for vcpus in (1, 2)))]
    found = [case for case in found if not axes.tests or any(t in case.name for t in axes.tests)]
    if not found:
        return []
    try:
        packages.ensure({"stock"})
        for name in {case.settings["GUEST"] for case in found}:
            stock.fetch(stock.folder(axes), name)
    except Trouble as trouble:
        print(f"test: no stock guests here: {trouble}")
        return []
    return found
