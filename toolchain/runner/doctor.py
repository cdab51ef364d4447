# SPDX-License-Identifier: MIT
"""make doctor: looks at this machine and says, line by line, what is there, what is wrong and how to mend it."""
import os
import platform
import re
import shutil
import subprocess

from . import kvm, packages
from .axes import counted

QEMU_LEAST, QEMU_TRIED = (7, 0), (7, 2)


def version(*command):
    """The first dotted number that a program prints, as a tuple of integers; () where it does not run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.search(r"(\d+(?:\.\d+)+)", done.stdout + done.stderr)
    return tuple(int(n) for n in found[1].split(".")) if found and done.returncode == 0 else ()


def dotted(numbers):
    return ".".join(map(str, numbers))


class Findings:
    def __init__(self):
        self.wrong = 0

    def ok(self, what):
        print(f"ok     {what}")

    def note(self, what, how):
        print(f"note   {what}: {how}")

    def bad(self, what, how):
        self.wrong += 1
        print(f"WRONG  {what}: {how}")


def look_at_qemu(findings):
    found = version("qemu-system-x86_64", "--version")
    if not found:
        findings.bad("QEMU", "qemu-system-x86_64 is missing or does not run: make setup")
    elif found < QEMU_LEAST:
        findings.bad(f"QEMU {dotted(found)}", f"{dotted(QEMU_LEAST)} is the oldest that will do; Debian 12 has {dotted(QEMU_TRIED)}")
    elif found[:2] != QEMU_TRIED:
        findings.note(f"QEMU {dotted(found)}", f"should do; what is measured here was measured with {dotted(QEMU_TRIED)}, and with "
                      "10 stock Xen fails under -icount (make bench ON=xen)")
    else:
        findings.ok(f"QEMU {dotted(found)}")


def look_at_compilers(findings, axes):
    gcc, clang = version((axes.text("CROSS") or "") + "gcc", "--version"), version("clang", "--version")
    if platform.machine() != "x86_64" and not axes.text("CROSS"):
        gcc = ()
    for name, found in (("gcc", gcc), ("clang", clang)):
        if found:
            findings.ok(f"{name} {dotted(found)}")
    if not gcc and not clang:
        findings.bad("compiler", "neither gcc nor clang builds x86-64 here: make setup, or make setup CC=clang")
    if clang and not shutil.which("ld.lld"):
        findings.note("lld is missing", "only CC=clang needs it: make setup CC=clang")
    make = version("make", "--version")
    (findings.ok if make >= (3, 81) else lambda w: findings.bad(w, "3.81 is the oldest that will do: make setup"))(f"GNU make {dotted(make)}")
    findings.ok(f"Python {platform.python_version()}")


def look_at_packages(findings, axes):
    words = {word for _, word, _, _ in packages.PACKAGES} - {"gcc", "clang"} | {"clang" if axes.clang else "gcc"}
    found = packages.missing(words)
    essential = packages.missing({"build", "qemu", "host", "clang" if axes.clang else "gcc"})
    for name, purpose in found.items():
        say = findings.bad if name in essential else findings.note
        say(f"{name} is missing ({purpose})", "make setup installs it" if shutil.which("apt-get") else "no apt-get here, so it is yours to install")
    if not found:
        findings.ok("all packages for build, run, test, fuzz-host, bench, gdb, check, prove and stock Xen are there")


def look_at_machine(findings, axes):
    if kvm.trouble():
        findings.note("no KVM", f"{kvm.trouble()}; ACCEL=tcg, the default, emulates, and nothing else is needed")
    else:
        findings.ok("KVM: ACCEL=kvm works")
    free = shutil.disk_usage(".").free >> 20
    (findings.ok if free >= 1024 else lambda w: findings.bad(w, "building and stock Xen's domain 0 want 1 GB"))(f"{free} MB free here")
    try:
        with open("/proc/meminfo", encoding="ascii") as f:
            memory = int(re.search(r"MemAvailable:\s+(\d+)", f.read())[1]) >> 10
        (findings.ok if memory >= 700 else lambda w: findings.bad(w, "the tests on stock Xen want 700 MB"))(f"{memory} MB of memory available")
    except (OSError, TypeError):
        pass
    try:
        os.makedirs(axes.build, exist_ok=True)
        findings.ok(f"{axes.build}/ can be written")
    except OSError as error:
        findings.bad(f"{axes.build}/ can't be written", f"{error.strerror}; B= names another folder")
    root = os.geteuid() == 0
    if not shutil.which("apt-get"):
        findings.note("no apt-get", "make setup can't install packages on this system")
        return
    findings.ok("root: missing packages are installed at once" if root else
                "no root: missing packages are installed with sudo" if shutil.which("sudo") else
                "no root and no sudo: make setup prints what root has to type")


def main(axes):
    findings = Findings()
    look_at_qemu(findings)
    look_at_compilers(findings, axes)
    look_at_packages(findings, axes)
    look_at_machine(findings, axes)
    print("doctor: " + (counted(findings.wrong, "thing is", "things are") + " wrong" if findings.wrong else "this machine is fine"))
    return 1 if findings.wrong else 0
