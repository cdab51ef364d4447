# SPDX-License-Identifier: MIT
"""Guests as ordinary domains of stock Xen: the oracle for what a domain other than 0 sees.

Domain 0 is Debian's Linux with our small builder (toolchain/xen-domu/mkdomu.c) and Debian's xenstored. Booting it takes
many seconds, so all jobs of a test run go through one boot, one after the other. Everything made on the way is kept
under build/xen-domu (PARADOR_CACHE names another folder): Xen's packages are unpacked once.
"""
import glob
import gzip
import os
import re
import subprocess
from dataclasses import dataclass, field

from . import stock, stockxen
from .archive import archive, read
from .axes import Trouble
from .boot import Folder
from .machine import Guard, Machine, arguments, module
from .packages import XENSTORED

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCE = f"{HERE}/xen-domu/mkdomu.c"
LIBRARIES = "-lxenguest -lxenctrl -lxenstore -lxenevtchn -lxentoollog".split()
MODULES = "xen-privcmd xenfs xen-evtchn xen-gntdev".split()
DOM0_MB = 320

INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin; export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev 2>/dev/null
for m in %s; do insmod /lib/modules/$m.ko; done
mount -t xenfs xenfs /proc/xen
mkdir -p /var/run/xen /run/xen /var/run/xenstored /var/lib/xenstored /var/log/xen /tmp
xenstored --pid-file /tmp/xs.pid
n=0; while [ ! -S /var/run/xenstored/socket ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n + 1)); done
mkdomu /plan; echo "dom0: status $?"; poweroff -f
""" % " ".join(MODULES)


@dataclass
class Guest:
    """One domain of a job. In `words`, {LABEL} stands for the number of the job's domain with that label."""
    label: str
    kernel: str
    words: str = ""
    ramdisk: str = ""
    mb: int = 64
    vcpus: int = 1
    flags: str = "csx"


@dataclass
class Job:
    """Domains that run at once; `limit` seconds without any output end it. What it gave is filled in by run()."""
    name: str
    guests: list
    limit: float = 60
    lines: list = field(default_factory=list)  # (label, text) of the guests' consoles, ("", text) of builder and Xen
    stops: dict = field(default_factory=dict)  # label: (shutdown reason, crashed)
    result: str = "did not run"  # ok, stuck, or why it could not be built


def cache(axes):
    return os.environ.get("PARADOR_CACHE") or f"{axes.build}/xen-domu"


def libraries(program):
    """The shared libraries of a program, as ldd finds them."""
    text = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(/\S+) \(0x", text)


def base_ramdisk(folder, builder):
    """Domain 0's ramdisk without plan and guests, packed."""
    files = {f"{d}/": b"" for d in "bin dev proc sys tmp etc g lib lib64 lib/modules usr usr/lib".split()}
    files["dev/console"] = (0o20600, b"", 5, 1)
    files["init"] = (0o100755, INIT.encode(), 0, 0)
    files["bin/busybox"], files["bin/mkdomu"], files["bin/xenstored"] = read("/bin/busybox"), read(builder), read(XENSTORED)
    for library in sorted(set(libraries(builder) + libraries(XENSTORED))):
        for parent in range(2, library.count("/") + 1):
            files.setdefault("/".join(library.split("/")[1:parent]) + "/", b"")
        files[library[1:]] = (0o100755, read(os.path.realpath(library)), 0, 0)
    for name in MODULES:
        files[f"lib/modules/{name}.ko"] = read(glob.glob(f"{folder}/linux/lib/modules/**/{name}.ko", recursive=True)[0])
    return gzip.compress(archive(files), 1)


def prepare(axes):
    """Makes what is not there yet; the folder that holds vmlinux and dom0.gz."""
    folder = cache(axes)
    os.makedirs(folder, exist_ok=True)
    stock.fetch(folder, "linux")
    vmlinux, dom0, builder = f"{folder}/vmlinux", f"{folder}/dom0.gz", f"{folder}/mkdomu"
    sources = (SOURCE, os.path.abspath(__file__))
    if os.path.exists(dom0) and os.path.getmtime(dom0) > max(os.path.getmtime(f) for f in sources):
        return folder
    with open(vmlinux, "wb") as f:
        f.write(stock.unpack(read(glob.glob(f"{folder}/linux/boot/vmlinuz-*")[0])))
    done = subprocess.run(["gcc", "-O2", "-Wall", "-o", builder, SOURCE, *LIBRARIES], check=False)
    if done.returncode:
        raise Trouble(f"could not build {SOURCE}")
    with open(dom0 + ".new", "wb") as f:
        f.write(base_ramdisk(folder, builder))
    os.replace(dom0 + ".new", dom0)
    return folder


def write_plan(jobs):
    """The plan's text and the guests' files {name in the ramdisk: path on the host}."""
    files, lines = {}, []

    def place(path):
        if not path:
            return "-"
        for name, known in files.items():
            if known == path:
                return f"/{name}"
        files[f"g/{len(files)}"] = path
        return f"/g/{len(files) - 1}"

    for job in jobs:
        lines.append(f"job\t{job.name}\t{job.limit}")
        for g in job.guests:
            fields = ("dom", g.label, place(g.kernel), place(g.ramdisk), str(g.mb), str(g.vcpus), g.flags, g.words)
            lines.append("\t".join(fields))
    return "\n".join(lines) + "\n", files


class Reader:
    """Gives each console line to its job; `tell(job)` is called when a job is done."""

    def __init__(self, jobs, tell, verbose, hear):
        self.jobs = {job.name: job for job in jobs}
        self.current, self.tell, self.verbose, self.hear, self.status = None, tell, verbose, hear, None

    def __call__(self, line):
        line = line.rstrip()
        if self.verbose:
            print(line, flush=True)
        begin, done = re.match(r"job (\S+)$", line), re.match(r"done (\S+): (.*)$", line)
        ended = re.match(r"dom0: status (\d+)", line)
        if begin and begin[1] in self.jobs:
            self.current = self.jobs[begin[1]]
        elif done and self.current:
            self.current.result = done[2]
            self.tell(self.current)
            self.current = None
        elif self.current:
            self.take(line)
        if ended:
            self.status = int(ended[1])
        return bool(ended)

    def take(self, line):
        labels = [g.label for g in self.current.guests]
        label, _, text = line.partition("| ") if "| " in line else line.partition("|")
        stop = re.match(r"(\S+): stopped: reason (\d+), crashed (\d+)", line)
        if stop and stop[1] in labels:
            self.current.stops[stop[1]] = (int(stop[2]), int(stop[3]))
        elif label in labels:
            self.current.lines.append((label, text))
            self.hear(text)
        elif line.startswith("(XEN)") or line.split(":")[0] in labels:
            self.current.lines.append(("", line))


def run(axes, jobs, tell=lambda job: None, verbose=False, extra=(), hear=lambda text: None, options=""):
    """Runs the jobs in one boot of stock Xen, QEMU getting the words `extra` too; fills them in. `hear` gets the guests' lines as
    they come, Xen the words `options`. True when domain 0 came to its end."""
    folder = prepare(axes)
    plan, files = write_plan(jobs)
    contents = {"g/": b"", "plan": plan.encode(), **{name: read(path) for name, path in files.items()}}
    largest = max(sum(g.mb for g in job.guests) for job in jobs)
    reader = Reader(jobs, tell, verbose, hear)
    with Folder(axes) as work:
        packed = read(f"{folder}/dom0.gz")
        initrd = work.write("initrd", packed + bytes(-len(packed) % 4) + archive(contents))  # Linux wants it aligned
        command = arguments(axes, DOM0_MB + largest + 192, stockxen.image(axes),
                            f"com1=115200 console=com1 loglvl=error guest_loglvl=all noreboot dom0_mem={DOM0_MB}M,max:{DOM0_MB}M {options}",
                            [module(work.link("vmlinux", f"{folder}/vmlinux"), "console=hvc0 quiet ipv6.disable=1 audit=0 apparmor=0 rodata=off cryptomgr.notests"), module(initrd)], extra)
        Machine(command, watch=reader, guard=Guard(cpu=300, idle=180)).run()
    if reader.current:
        reader.current.result = "QEMU ended"
        tell(reader.current)
    return reader.status == 0
