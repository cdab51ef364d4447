# SPDX-License-Identifier: MIT
"""Debian's packages: which command needs which, what is missing, and how it gets onto the machine.

As root the missing ones are installed at once; otherwise we ask before sudo, and print the one command where nobody
can answer. A package counts as present when the thing we need from it is there, whoever put it there.
"""
import glob
import os
import shutil
import subprocess
import sys

from .axes import Trouble

XEN = "/boot/xen-4.17-amd64.gz"
XENSTORED = "/usr/lib/xen-4.17/bin/xenstored"


def program(*names):
    return lambda: any(shutil.which(n) for n in names)


def path(pattern):
    return lambda: bool(glob.glob(pattern))


# name, what needs it (see needs() for the words), what for, and whether it is there.
PACKAGES = [
    ("make", "build", "the build", program("make")),
    ("gcc", "gcc", "the build", program("gcc")),
    ("binutils", "gcc", "the build", program("ld")),
    ("clang", "clang", "the build with CC=clang", program("clang")),
    ("lld", "clang", "the build with CC=clang", program("ld.lld")),
    ("llvm", "clang", "the build with CC=clang", path("/usr/lib/llvm-*/bin/llvm-objcopy")),
    ("libxen-dev", "build", "Xen's public headers", path("/usr/include/xen/xen.h")),
    ("qemu-system-x86", "qemu", "the machine", program("qemu-system-x86_64")),
    ("qemu-utils", "record", "the recording's disk image", program("qemu-img")),
    ("grub-common", "iso", "the ISO image", program("grub-mkrescue")),
    ("grub-pc-bin", "iso", "the ISO image", path("/usr/lib/grub/i386-pc/multiboot2.mod")),
    ("xorriso", "iso", "the ISO image", program("xorriso")),
    ("mtools", "iso", "the ISO image", program("mformat")),
    ("gdb", "gdb", "make gdb and make rewind", program("gdb")),
    ("libc6-dev", "host", "tests on the host", path("/usr/include/stdio.h")),
    ("libcriterion-dev", "host", "tests on the host", path("/usr/include/criterion/criterion.h")),
    ("gcc", "host", "tests on the host", program("cc", "gcc", "clang")),
    ("xen-hypervisor-4.17-amd64", "xen", "stock Xen, the oracle", path(XEN)),
    ("xen-utils-4.17", "domU", "xenstored beside Xen", path(XENSTORED)),
    ("busybox-static", "domU", "domain 0 beside Xen", path("/bin/busybox")),
    ("gcc", "domU", "the domain builder beside Xen", program("gcc")),
    ("busybox-static", "stock", "the userspace of stock Linux guests", path("/bin/busybox")),
    ("zstd", "stock", "unpacking kernels", program("zstd")),
    ("lz4", "stock", "unpacking kernels", program("lz4")),
    ("e2fsprogs", "stock", "file systems for stock guests", path("/sbin/mke2fs")),
    ("gcc", "plugin", "the plugin that counts", program("cc", "gcc", "clang")),
    ("libc6-dev", "plugin", "the plugin that counts", path("/usr/include/stdio.h")),
    ("gnuplot-nox", "plot", "PLOT=", program("gnuplot")),
    ("clang", "fuzz", "fuzzing on the host", program("clang")),
    ("libclang-rt-dev", "fuzz", "fuzzing on the host", path("/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a")),
    ("frama-c-base", "prove", "the proof of ring/", program("frama-c")),
    ("gcc", "prove", "the proof of ring/", program("gcc")),
    ("clang-format", "check", "make check", program("clang-format")),
    ("clang-tidy", "check", "make check", program("clang-tidy")),
    ("spin", "check", "the model of the ring's protocol", program("spin")),
    ("gcc", "check", "the model of the ring's protocol", program("gcc")),
    ("grub-common", "check", "the Multiboot headers", program("grub-file")),
]


def needs(axes, on):
    """The words of PACKAGES that this call needs on the systems `on`."""
    words = {
        "run": {"build", "qemu"}, "iso": {"build", "iso"}, "gdb": {"build", "qemu", "gdb"}, "rewind": {"build", "qemu", "gdb", "record"},
        "test": {"build", "qemu", "host", "gdb", "record"}, "fuzz": {"build", "qemu"}, "bench": {"build", "qemu", "plugin"}, "check": {"build", "check"},
        "fuzz-host": {"build", "fuzz"}, "mutants": {"build", "qemu", "host"}, "prove": {"prove"},
    }[axes.command]
    if "build" in words:
        words.add("clang" if axes.clang else "gcc")
    if axes.boot == "iso" and axes.command in ("run", "gdb"):
        words.add("iso")
    if axes.record:
        words.add("record")
    if axes.plot:
        words.add("plot")
    if "xen" in on:
        words.add("xen")
        if axes.command in ("test", "fuzz", "bench"):
            words |= {"domU", "host"}
    return words


def missing(words):
    """The names of the packages that are not there, and what for, in the order of the table."""
    found = {}
    for name, word, purpose, there in PACKAGES:
        if word in words and name not in found and not there():
            found[name] = purpose
    return found


def apt(*arguments):
    """apt-get without questions; its last error line, or None where all went well."""
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    command = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    if done.returncode == 0:
        return None
    lines = [line for line in done.stdout.splitlines() if line.startswith("E:")] or done.stdout.splitlines() or ["no reason given"]
    return lines[-1].removeprefix("E: ")


def may_install(listed, command):
    """Whether we may: root may, a user who answers yes may."""
    if os.geteuid() == 0:
        return True
    if not (shutil.which("sudo") and sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(f"setup: missing: {listed}\nsetup: install with '{command}'? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def install(found):
    """Installs the packages in `found`, or raises a Trouble that names the command."""
    names = " ".join(found)
    sudo = "sudo " if os.geteuid() and shutil.which("sudo") else ""
    command = f"{sudo}apt-get update && {sudo}apt-get install -y --no-install-recommends {names}"
    listed = ", ".join(f"{n} ({why})" for n, why in found.items())
    if not shutil.which("apt-get"):
        raise Trouble(f"missing on this machine, which has no apt-get: {listed}; on Debian: apt-get install -y {names}")
    if not may_install(listed, command):
        raise Trouble(f"missing: {listed}; install {'it' if len(found) == 1 else 'them'}{'' if sudo else ' as root'} with: {command}")
    print(f"setup: installing {listed}", file=sys.stderr, flush=True)
    apt("update")
    trouble = apt("install", "-y", "--no-install-recommends", *found)
    if trouble:
        raise Trouble(f"could not install what is missing ({trouble}); the command is: {command}")


def ensure(words):
    """Everything that the words need is there afterwards, or a Trouble says why not."""
    found = missing(words)
    if found:
        install(found)
        left = missing(words)
        if left:
            raise Trouble("installed, but still missing: " + ", ".join(left))


def main(axes):
    """make setup: everything for every command, the compiler by CC=."""
    words = {word for _, word, _, _ in PACKAGES} - {"gcc", "clang"} | {"clang" if axes.clang else "gcc"}
    if not missing(words):
        print("setup: nothing is missing")
        return 0
    ensure(words)
    print("setup: done")
    return 0
