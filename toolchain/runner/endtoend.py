# SPDX-License-Identifier: MIT
"""The tests of `make run` itself: scripts over disks that real files stand behind, and bad input at every door.

Each case is one call of toolchain/run as a user would make it, unattended. It says what exit status and which lines must
come. A case that is refused by the runner needs no machine; one that Parador refuses must end with status 2, one clear line
and no hang.
"""
import os
import random
import re
import subprocess
import sys
from dataclasses import dataclass, field

from . import hostiletests, packages, stocktests, xltests
from .archive import archive
from .boot import MEM, PATIENCE, READY, parador_watcher
from .machine import Guard, Machine, arguments, module
from .verdict import Result

RUN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "run")
MIB = 1 << 20


@dataclass
class Case:
    name: str
    settings: dict
    status: int = 0  # None: anything but 0
    lines: list = field(default_factory=list)  # regular expressions that must match somewhere in the output
    system: str = "parador"  # what has to run: parador, xen, or host where the runner itself answers
    brief: bool = False  # the output is this one line and nothing else
    keys: tuple = None  # (what must be printed first, the bytes that are typed then, what must come next, ...)
    typed: bytes = None  # what is typed at once; then stdin ends
    modules: list = None  # these boot modules instead of make run's
    target: str = "run"  # of make
    extra: tuple = ()  # and these options of QEMU
    check: object = None  # a function of the output's lines: what is wrong with them, or nothing


class Files:
    """The files that the cases need, made under build/test-disks."""

    def __init__(self, axes):
        self.folder, self.hostile = f"{axes.build}/test-disks", f"{axes.build}/hostile"
        os.makedirs(self.folder, exist_ok=True)

    def write(self, name, data):
        with open(f"{self.folder}/{name}", "wb") as f:
            f.write(data)
        return f"{self.folder}/{name}"

    def noise(self, name, size):
        """A file of random bytes, the same at every run."""
        return self.write(name, random.Random(size).randbytes(size))


def cksum(path):
    """What the host's cksum says of a file: `CRC BYTES`."""
    words = subprocess.run(["cksum", path], capture_output=True, text=True, check=True).stdout.split()
    return f"{words[0]} {words[1]}"


def disk_cases(axes, files):
    def summed(name, path, **settings):
        return Case(name, {"DISK": path, "SCRIPT": "d1: sum xvda; d0: mem", **settings},
                    lines=[rf"\b{cksum(path)} xvda", r"pages of 4 kB"])

    odd = files.noise("1 MiB, and 17 bytes", MIB + 17)
    yield summed("disk_1_byte", files.noise("1byte", 1))
    yield summed("disk_with_space_and_comma_in_its_name", odd)
    yield summed("disk_40_mib", files.noise("40mib", 40 * MIB))
    yield summed("disk_is_an_elf_file", f"{axes.build}/pvkernel")
    yield Case("disk_written_and_read_back", {"DISK": odd, "SCRIPT": "d1: write xvda 1000 parador was here; d0: read disk 1000 16"},
               lines=[r"^(?!.*script).*parador was here"])
    yield Case("disk_of_two_frontends", {"DISK": odd, "DOMAINS": "3", "SCRIPT": "d1: sum xvda; d2: sum xvda"},
               lines=[rf"d1\b.*\b{cksum(odd)} xvda", rf"d2\b.*\b{cksum(odd)} xvda"])
    yield Case("disk_empty", {"DISK": files.write("empty", b""), "SCRIPT": "d1: disk"}, lines=[r"^run: DISK=.* is empty: xvda has no sectors", r"xvda +0 bytes, +0 sectors"])


def iso_cases(files):
    """GRUB loads Parador from an ISO image, by Multiboot 2; nothing where the tools for that are missing."""
    if packages.missing({"iso"}):
        return
    odd = files.noise("1 MiB, and 17 bytes", MIB + 17)
    yield Case("iso_written", {}, 0, [r"^iso: .*/parador.iso: qemu-system-x86_64 -m 256 -smp \d+ -cdrom"], system="host", brief=True, target="iso")
    yield Case("iso_of_three_domains", {"BOOT": "iso", "DISK": odd, "DOMAINS": "3", "SCRIPT": "d1: sum xvda; d2: sum xvda"},
               lines=[r"Booted by Multiboot 2; modules: 6", rf"d1\b.*\b{cksum(odd)} xvda", rf"d2\b.*\b{cksum(odd)} xvda"])
    yield Case("iso_with_a_shell", {"BOOT": "iso"}, lines=[r"Booted by Multiboot 2; modules: 4", r"d1\b.*pages of 4 kB"], typed=b"mem\npoweroff\n")
    yield Case("iso_with_an_unknown_word", {"BOOT": "iso", "APPEND": "colour=$(x);{y}"}, 2, [r"parador: unknown word 'colour=\$\(x\);\{y\}'"])


def vcpu_cases():
    """Our kernel's threads and programs on several vcpus, with fewer CPUs than that and with as many; each did run something."""
    def case(name, where, vcpus, **settings):
        jobs = "; ".join(f"{where}run primes 2000000 &" for _ in range(2 * vcpus))
        script = f"{jobs}; {where}sum {'disk' if 'ON' in settings else 'xvda'}; {where}ps; {where}wait; {where}stress 3; {where}cpus"
        busy = [rf"^(\[d1\])? +{n} +\S+ s +\S+ s +[1-9]\d* " for n in range(vcpus)]
        return Case(name, {"SCRIPT": script, **settings}, 0, [r"\d+ \d+ (disk|xvda)$", r"running on CPU \d$", rf"stress: [1-9].*on {vcpus} CPUs: all as they should be", *busy],
                    system=settings.get("ON", "parador"))

    yield case("vcpus_4_on_one_cpu", "d1: ", 4, VCPUS="4")
    yield case("vcpus_4_on_two_cpus", "d1: ", 4, SMP="2", VCPUS="4")
    yield case("vcpus_2_in_both_domains", "d1: ", 2, SMP="2")
    yield case("vcpus_4_on_xen", "", 4, ON="xen", SMP="2", VCPUS="4")


def script_cases(files):
    yield Case("script_from_a_file", {"SCRIPT": "@" + files.write("a script", b"d0: mem\nd1: run hello\n")}, lines=[r"pages of 4 kB"])
    yield Case("script_for_one_domain", {"DOMAINS": "1", "SCRIPT": "mem"}, lines=[r"pages of 4 kB"])
    yield Case("script_for_four_domains", {"DOMAINS": "4", "SCRIPT": "d1: mem; d2: mem; d3: mem"}, lines=[r"d3\b.*pages of 4 kB"])
    yield Case("script_for_70_domains", {"DOMAINS": "70", "MEM": "1500", "SCRIPT": "d69: sum xvda; d0: domains"}, lines=[r"d69\].* \d+ xvda", r"70 domains$"])
    yield Case("script_that_fails", {"SCRIPT": "d1: sum nosuchdevice; d0: mem"}, status=None)
    yield Case("script_of_an_unknown_command", {"SCRIPT": "d0: frobnicate"}, status=None)
    yield Case("store_of_a_dead_domain", {}, 1, [r"^\[d1\] xs: /local/domain/1: the domain that kept the store has ended", r"^\[d1\] still here"],
               keys=(b"[d1]   more: cat motd", b"\x140", b"keyboard: d0", b"crash panic\r",
                     b"domain 0 (d0) crashed", b"\x141", b"keyboard: d1", b"xs; echo still here; poweroff\r"))
    yield Case("script_with_comments", {"SCRIPT": "@" + files.write("comments", b"# a comment; with this\nd0: mem  # rest; of it\n\nd1: echo a#b '#' c")},
               lines=[r"pages of 4 kB", r"^\[d1\] a#b # c$"])
    yield Case("script_of_wrong_words", {"SCRIPT": "d0: why 7; d1: why 0; d1: crash nosuch; d9: mem"}, 1,
               [r"why: 7: there is no such domain", r"d1\] why: 0: only domain 0 may", r"crash: nosuch: no such kind", r"there is no domain 9 for: mem"])
    yield Case("keys_that_are_none", {}, lines=[r"^no such key; Ctrl-T \? lists them \(c and l: with DEBUG=1\)$", r"^domain 7 does not run; keyboard: d1$"],
               keys=(b"d1> ", b"\x14z\x147\x14q"))
    yield Case("key_of_domains", {"SMP": "2", "SCRIPT": "d0: xl vcpu-pin d1 1 1; d1: sleep 3"}, lines=[r"^ +vcpu 0: .*, CPU [01] of 3, hypercalls", r"^ +vcpu 1: .*, CPU 1 of 2, hypercalls"],
               keys=(b"d1> sleep", b"\x14d"))
    yield Case("script_on_xen", {"ON": "xen", "SCRIPT": "mem; run hello; sum disk"}, lines=[r"pages of 4 kB", r"\d+ \d+ disk"], system="xen")


def bad_boots(axes, files):
    """Each ends with status 2 and a line of Parador's that says why."""
    with open(f"{axes.build}/pvkernel", "rb") as f:
        kernel = f.read()
    user = next(iter(sorted(os.listdir(f"{axes.build}/user"))), "hello")

    def refused(name, line, **settings):
        return Case(name, settings, status=2, lines=[line])

    yield Case("boot_without_a_module", {}, 2, [r"parador: .*module"], modules=[])
    image, ramdisk = f"{axes.build}/pvkernel", files.write("ramdisk", archive({"script": b"d0: mem\n"}))
    driver = [module(image, "name=d0 mem=32 -- role=driver domains=1 script"), module(ramdisk, "ramdisk")]
    yield Case("boot_with_600_modules", {}, 2, [r"parador: module 512 is left out, and all after it: too many", r"parador: d0 .*two ramdisks"],
               modules=driver + [module(ramdisk, "ramdisk")] * 598)
    junk = files.noise("40mib", 40 * MIB)  # memory need not be zero after a reset
    yield Case("boot_with_junk_in_memory", {}, 0, [r"pages of 4 kB"], modules=driver,
               extra=[w for at in range(54, 254, 40) for w in ("-device", f"loader,file={junk},addr={at * MIB:#x},force-raw=on")])
    yield refused("boot_of_a_text_file", r"parador: .*ELF", GUEST=files.write("text", b"This is no kernel.\n" * 100))
    yield refused("boot_of_an_elf_without_notes", r"parador: .*note", GUEST=f"{axes.build}/user/{user}")
    yield refused("boot_of_a_truncated_elf", r"parador: .*(truncated|beyond|ends)", GUEST=files.write("cut", kernel[:6000]))
    yield refused("boot_of_a_cut_header", r"parador: .*ELF", GUEST=files.write("cut40", kernel[:40]))
    yield Case("boot_with_100_domains_on_160_mb", {"DOMAINS": "100", "MEM": "160"}, 2, [r"^parador: d[1-9]\d* is not started, and none after it: not enough memory: \d+ MB asked for, \d+ MB free$"],
               keys=(b"more: cat motd", b"\x14q"))
    yield refused("boot_with_an_unknown_word", r"parador: .*colour", APPEND="colour=blue")


def runner_cases(files):
    """What the runner itself refuses: one line, status 2."""
    def refused(name, line, **settings):
        return Case("runner_" + name, settings, 2, [line], system="host", brief=True)

    yield refused("unknown_system", r"ON=qnx: parador or xen expected", ON="qnx")
    yield refused("missing_disk", r"DISK=/no such/file: no such file", DISK="/no such/file")
    yield refused("missing_guest", r"GUEST=nokernel: no such file, nor a stock guest \(linux, .*grub\)", GUEST="nokernel")
    yield refused("script_of_grub", r"GUEST=grub has no shell that takes SCRIPT=", GUEST="grub", SCRIPT="ls")
    yield refused("domains_on_xen", r"DOMAINS=2: on Xen our kernel runs alone, as domain 0", DOMAINS="2", ON="xen")
    yield refused("recording_nowhere", r"RECORD=README.md/x: Not a directory", RECORD="README.md/x", SMP="1")
    yield refused("recording_of_two_cpus", r"RECORD=build/two: a recording is of one CPU; leave SMP=2 away", RECORD="build/two", SMP="2")
    yield refused("guest_of_text_on_xen", r"GUEST=README.md: it is no ELF file", GUEST="README.md", ON="xen")
    yield refused("script_without_a_name", r"SCRIPT=@: the name of a file is missing", SCRIPT="@")
    yield refused("missing_script", r"SCRIPT=@nowhere: No such file", SCRIPT="@nowhere")
    for value in ("lots", "0", "-1", "9999999999"):
        yield refused(f"memory_{value}", rf"MEM={value} is no number of megabytes", MEM=value)
    yield refused("memory_beyond_this_computer", r"MEM=99999999 is more than this computer has: \d+ MB", MEM="99999999")
    yield refused("memory_too_small", r"MEM=1 is too little for domain 0: MEM=48 at least", MEM="1")
    yield refused("memory_too_small_on_xen", r"MEM=8 is too little for Xen and its domain 0: MEM=32 at least", MEM="8", ON="xen")
    for value in ("two", "0", "-1", "129", "1000000"):
        yield refused(f"domains_{value}", rf"DOMAINS={value} is no number from 1 to 128; DOMAINS= is how many", DOMAINS=value)
    yield refused("kernels_too_large", r"MEM=96 is too little for domain 0 beside \d+ MB of kernels and ramdisks: MEM=\d+ at least", MEM="96", DOMAINS="120")
    for value in ("none", "0", "99"):
        yield refused(f"cpus_{value}", rf"SMP={value} is no number from 1 to 64; SMP= is", SMP=value)
    yield refused("vcpus_17", r"VCPUS=17 is no number from 1 to 16; VCPUS= is vcpus of each domain", VCPUS="17")
    yield refused("bad_loader", r"BOOT=floppy: kernel or iso expected", BOOT="floppy")
    yield refused("iso_of_xen", r"BOOT=iso is for ON=parador", BOOT="iso", ON="xen")
    yield refused("bad_accelerator", r"ACCEL=warp: tcg or kvm expected", ACCEL="warp")
    yield refused("disk_too_large", r"DISK is 40 MiB: MEM=\d+ at least", DISK=files.noise("40mib", 40 * MIB), MEM="100")
    yield refused("disk_too_large_on_xen", r"DISK is 40 MiB: MEM=64 at least", DISK=files.noise("40mib", 40 * MIB), MEM="60", ON="xen")


def typed_cases():
    """Keys that come before the machine is there are kept for it, and it ends when nobody types any more."""
    told = r"^run: stdin has ended, nothing more will be typed"
    yield Case("typed_at_once", {}, lines=[told, r"d1\b.*pages of 4 kB", r"^parador: d1 ended \(poweroff\)"], typed=b"mem\npoweroff\n")
    yield Case("typed_at_once_for_one_domain", {"DOMAINS": "1"}, lines=[told, r"pages of 4 kB", r"^parador: d0 ended"], typed=b"mem\npoweroff\n")
    yield Case("typed_tab", {"DOMAINS": "1"}, lines=[r"^hello from user mode", r"^d0> sum disk *$"], typed=b"run he\t\nru\tbin/he\t\nsum di\t\npoweroff\n")
    yield Case("typed_at_length", {"DOMAINS": "1"}, lines=[r"^d0> echo last$", r"^last$"], typed=b"echo a line of some length\n" * 100 + b"echo last\npoweroff\n")
    yield Case("typed_nothing", {}, lines=[told, r"^\[d1\] d1> $"], typed=b"")
    yield Case("typed_at_once_on_xen", {"ON": "xen"}, lines=[told, r"pages of 4 kB", r"Dom0 halted"], system="xen", typed=b"mem\npoweroff\n")
    yield Case("typed_nothing_on_xen", {"ON": "xen"}, 3, [told, r"^run: ended, the machine said nothing more"], system="xen", typed=b"")


def cases(axes, systems):
    files = Files(axes)
    found = list(disk_cases(axes, files)) if "parador" in systems else []
    for case in (*iso_cases(files), *vcpu_cases(), *script_cases(files), *typed_cases(), *xltests.cases(Case, files), *hostiletests.cases(Case, files, cksum), *stocktests.cases(axes, Case, files), *bad_boots(axes, files), *runner_cases(files)):
        if case.system == "host" and "parador" in systems or case.system in systems:
            found.append(case)
    return [c for c in found if not axes.tests or any(t in c.name for t in axes.tests)]


def talk(command, environment, keys, typed=None):
    """Runs a command to its end; types each of `keys` (or what it returns) once the prompt before it was printed, or `typed`
    at once, and ends its stdin. Its exit status and output."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment) as process:
        output = b""
        if typed is not None:
            process.stdin.write(typed)
            process.stdin.close()
        while True:
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                break
            output += data
            while keys and keys[0] in output:
                process.stdin.write(keys[1]() if callable(keys[1]) else keys[1])
                process.stdin.flush()
                keys = keys[2:]
    return process.returncode, output


def call(axes, target, settings, keys=None, typed=None):
    """What `make TARGET` with these settings does when everything is built: its exit status and the lines that came."""
    settings = {"B": axes.build, "CC": axes.text("CC"), "RUNS": f"{axes.build}/test-runs", **settings}
    environment = {k: v for k, v in os.environ.items() if k not in ("ON", "TEST", "DEBUG", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    environment[READY] = "1"
    command = [sys.executable, RUN, target, *(f"{k}={v}" for k, v in settings.items() if v)]
    status, output = talk(command, environment, keys, typed)
    return status, [line.rstrip("\r") for line in output.decode("utf-8", "replace").splitlines()]


def boot_modules(axes, case):
    """A boot of the case's own modules, without make run: Parador's exit status and the lines that came."""
    lines, watcher = [], parador_watcher()

    def take(line):
        lines.append(line)
        return watcher(line)

    command = arguments(axes, MEM, f"{axes.build}/parador", "", case.modules, case.extra)
    Machine(command, watch=take, guard=Guard(**PATIENCE), grace=5.0).run()
    return watcher.status, lines


def run(axes, case):
    """Runs one case; its Result and the lines that came."""
    if case.modules is None:
        status, lines = call(axes, case.target, case.settings, case.keys, case.typed)
    else:
        status, lines = boot_modules(axes, case)
    trouble = ""
    if status != case.status if case.status is not None else status in (0, 3):
        trouble = f"exit status {status}, not {'some failure' if case.status is None else case.status}"
    for pattern in case.lines:
        if not any(re.search(pattern, line) for line in lines):
            trouble = trouble or f"no line matches {pattern}"
    if case.brief and len(lines) != 1:
        trouble = trouble or f"{len(lines)} lines instead of one"
    if case.check and not trouble:
        trouble = case.check(lines)
    last = lines[-1] if lines else ""
    if case.system == "parador" and not trouble and last not in (f"parador: exit {status}", f"run: the guest's script ended with status {status}"):
        trouble = "the last line is not `parador: exit N`"
    return Result(case.name, case.system, "run", "fail" if trouble else "pass", trouble), lines
