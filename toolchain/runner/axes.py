# SPDX-License-Identifier: MIT
"""The axes: what the user may vary, read from NAME=VALUE settings and checked before anything is built or started.

A wrong value is a Trouble: one line that says what was given and what is possible. An empty value is as good as none.
"""
import difflib
import os
import re
import shlex


class Trouble(Exception):
    """Something that the user can mend, as one line; exit status 2."""


# Each axis with the one line that `make help` prints for it.
KNOWN = {
    "ON": "parador (default) or xen; for test and bench also parador,xen; for test also host: no guests",
    "BOOT": "kernel (default): QEMU loads Parador; iso: GRUB does, from an ISO image such as make iso writes",
    "GUEST": "the guest's file (default: our kernel, build/pvkernel), or a stock one beside our domain 0: linux, linux-cloud, linux-backports, grub",
    "DISK": "a file that domain 0 exports as a disk (default: a small built-in text)",
    "FILES": "further files of domain 0's ramdisk, such as kernels for xl create (several: separated by commas)",
    "MEM": "the machine's memory in MB (default 256; on Xen 512)",
    "ICOUNT": "0: tests on Parador in real time, its CPUs at once, instead of virtual time",
    "SMP": "the machine's CPUs, 1 to 64 (default 1)",
    "VCPUS": "vcpus of each domain, 1 to 16 (default: as many as SMP, at most 8)",
    "DOMAINS": "how many domains, domain 0 included (default 2, at most 128)",
    "SCRIPT": "shell commands to run unattended, 'd1: sum xvda; d0: mem', or @FILE",
    "SEEDS": "for fuzz: the seeds, such as 1,2,5-8 (default 1-8), or one epoch of a seed, such as 3/57",
    "STEPS": "for fuzz: steps of each seed (default 200000)",
    "RECORD": "record the run into this folder, for make rewind",
    "PLOT": "for bench: draw hypercall against trap into this SVG file",
    "GDB": "for gdb and rewind: commands to run instead of a dialogue, separated by ;",
    "ACCEL": "tcg (default) or kvm",
    "TEST": "only tests whose name contains this (several: separated by commas)",
    "MINUTES": "for fuzz-host: how long all targets together take (default 9)",
    "DEBUG": "1: the debug build of Parador, with assertions and the invariant checker; for test 0: the release build",
    "APPEND": "further words for Parador's (or Xen's) command line",
    "ARGS": "further words for the guests' command lines",
    "CC": "the compiler: gcc (default) or clang",
    "CROSS": "prefix of a cross gcc and its binutils, such as x86_64-linux-gnu-",
    "B": "where everything is built (default build)",
    "V": "1: show the commands of the build",
}
STOCK = ("linux", "linux-cloud", "linux-backports", "grub")  # guests that runner/stock.py fetches
MOST_DOMAINS = 128  # as many as domain 0's block backend serves, and itself
# Settings of make's own that may stand beside ours on its command line.
OTHERS = {"HOSTCC", "XENHDRS", "CI", "SHELL", "MAKE", "LD", "AR", "OBJCOPY"}


def counted(n, one, many):
    """A number with the word that it wants: 1 check, 2 checks."""
    return f"{n} {one if n == 1 else many}"


def reject_unknown(makeflags):
    """make passes unknown variables on without a word; a slip such as DOMAIN=3 gets one here."""
    try:
        words = shlex.split(makeflags)
    except ValueError:
        return
    for word in words[words.index("--") + 1:] if "--" in words else []:
        name = word.partition("=")[0].rstrip(":+?")
        if re.fullmatch(r"[A-Z]+", name) and name not in KNOWN and name not in OTHERS:
            near = difflib.get_close_matches(name, KNOWN, 1)
            raise Trouble(f"unknown setting {name}=" + (f"; did you mean {near[0]}=?" if near else " (make help lists them)"))


def host_memory():
    """Megabytes of memory and swap that this computer has; 0 where that can't be told."""
    try:
        with open("/proc/meminfo", encoding="ascii") as f:
            return sum(int(kb) for kb in re.findall(r"^(?:MemTotal|SwapTotal): +(\d+) kB", f.read(), re.MULTILINE)) >> 10
    except OSError:
        return 0


class Axes:
    """The settings of one call, checked. `command` is the target's name; relative file names are the caller's."""

    def __init__(self, command, environment):
        self.command = command
        self.environment = environment
        reject_unknown(environment.get("MAKEFLAGS", ""))
        several = command in ("test", "fuzz", "bench", "setup", "doctor", "help", "check")
        self.on = self.systems(several)
        self.boot = self.choice("BOOT", "kernel", "iso")
        self.build = self.text("B", "build")
        if re.search(r"[\s,:;$#%*?]", self.build):
            raise Trouble(f"B={self.build}: make can't build in a folder with such a name; letters, digits, / . - and _ are fine")
        self.runs = self.text("RUNS") or f"{self.build}/run"  # a folder for each run; the tests have one of their own each
        self.stock = self.text("GUEST") if self.text("GUEST") in STOCK else None
        self.stock_files = {}  # beside its own in a stock guest's initramfs
        self.guest = None if self.stock else self.file("GUEST", f", nor a stock guest ({', '.join(STOCK)})")
        self.disk = self.file("DISK")
        self.files = [self.existing("FILES", value) for value in self.text("FILES").split(",") if value]
        self.mem = self.megabytes("MEM")
        self.smp = self.number("SMP", 1, 1, 64)
        self.icount = self.choice("ICOUNT", "1", "0") == "1"
        self.vcpus = self.number("VCPUS", min(self.smp, 8), 1, 16)
        self.domains = self.number("DOMAINS", 1 if self.stock else 2, 1, MOST_DOMAINS)
        self.minutes = self.number("MINUTES", 9, 1, 100000)
        self.script = self.read_script()
        if self.stock == "grub" and self.script is not None:
            raise Trouble("GUEST=grub has no shell that takes SCRIPT=; a grub.cfg on its DISK= is what it runs by itself (docs/guests.md)")
        self.record = self.text("RECORD")
        self.plot = self.text("PLOT")
        self.accel = self.choice("ACCEL", "tcg", "kvm")
        self.tests = [t for t in re.split(r"[,\s]+", self.text("TEST")) if t]
        self.debug = self.choice("DEBUG", *("10" if command == "test" else "01")) == "1"
        self.append = self.text("APPEND")
        self.args = self.text("ARGS")
        self.clang = "clang" in self.text("CC")

    def text(self, name, default=""):
        return self.environment.get(name, "") or default

    def given(self, name):
        return bool(self.text(name))

    def choice(self, name, default, *others):
        value = self.text(name, default)
        if value not in (default, *others):
            raise Trouble(f"{name}={value}: {' or '.join((default, *others))} expected")
        return value

    def number(self, name, default, low, high):
        value = self.text(name, str(default))
        if not re.fullmatch(r"[0-9]{1,9}", value) or not low <= int(value) <= high:
            raise Trouble(f"{name}={value} is no number from {low} to {high}; {name}= is {KNOWN[name]}")
        return int(value)

    def megabytes(self, name):
        """256, 256M and 1G are accepted; None where nothing was said."""
        value = self.text(name)
        if not value:
            return None
        match = re.fullmatch(r"([0-9]{1,9})([MG]?)B?", value, re.IGNORECASE)
        size = int(match[1]) * (1024 if match[2].upper() == "G" else 1) if match else 0
        if not size:
            raise Trouble(f"{name}={value} is no number of megabytes, such as {name}=256 or {name}=1G")
        host = host_memory()
        if host and size > host:
            raise Trouble(f"{name}={value} is more than this computer has: {host} MB with its swap space; {name}= is {KNOWN[name]}")
        return size

    def file(self, name, or_what=""):
        return self.existing(name, self.text(name), or_what)

    @staticmethod
    def existing(name, value, or_what=""):
        if value and not os.path.isfile(value):
            raise Trouble(f"{name}={value}: " + ("is no regular file" if os.path.exists(value) else "no such file") + or_what)
        if value and not os.access(value, os.R_OK):
            raise Trouble(f"{name}={value}: may not be read")
        return value

    def systems(self, several):
        """The systems to run on; [] where nothing was said and the command chooses."""
        value = self.text("ON")
        names = [n for n in value.split(",") if n]
        for name in names:
            if name not in ("parador", "xen") and (name, self.command) != ("host", "test"):
                raise Trouble(f"ON={value}: parador or xen expected" + (", or both: parador,xen" if several else ""))
        if len(set(names)) > 1 and not several:
            raise Trouble(f"ON={value}: one of them for {self.command}")
        return sorted(set(names))

    def read_script(self):
        """The script's text; None without one."""
        value = self.text("SCRIPT")
        if value == "@":
            raise Trouble("SCRIPT=@: the name of a file is missing behind the @")
        if not value.startswith("@"):
            return value or None
        try:
            with open(value[1:], encoding="utf-8") as f:
                return f.read()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is no text"
            raise Trouble(f"SCRIPT={value}: {reason}") from None
