# SPDX-License-Identifier: MIT
"""The tests of stock guests (runner/stock.py): each boots from domain 0 by `xl create`, on Parador and, by the same command, on stock
Xen, and must do there what it does on any machine.

    grub             typed commands; then it loads a Linux kernel from an ext4 file system on our disk, and starts it
    linux_1_vcpu     mounts, writes and checks that file system, sleeps, reboots, and finds in its second life what it wrote
    linux_4_vcpus    work on all of them
    linux_twice      two beside a pvkernel: typed commands, Ctrl-C, xl list, reboot, shutdown

Each prints its kernel's log: warnings must be among those that both systems give.
"""
import hashlib
import os
import re
import shutil
import subprocess
import time

from . import packages, stock
from .archive import read
from .axes import Trouble

SYSTEMS = ("parador", "xen")
BAD = re.compile(r"\bWARNING\b|\bBUG\b|Call Trace|Oops|\[ cut here \]|Kernel panic|I/O error|EXT4-fs error")
# What the kernels of stock.FETCHED say at level warning or worse on stock Xen, with one vcpu or four; the last two on a busy host.
KNOWN = re.compile(r"Grant table initialized|PMU not available due to virtualization|ACPI: MPS support code is not built-in|amd_pstate: the _CPC object|"
                   r"cpu \d+ spinlock event irq|CPU\d+: APIC id mismatch|hrtimer: interrupt took|"
                   r"xenbus_probe_frontend: Waiting for devices")
WARNINGS = 'dmesg -r | grep "^<[0-4]>"'
SLEEP = 5  # seconds that a guest sleeps, measured from outside too
DRIFT = 0.5  # seconds by which the two may differ on a busy host


def complaints(lines):
    """What a Linux log must not hold; the first such line."""
    return next((line for line in lines if BAD.search(line) or re.search(r"(^|\] )<[0-4]>", line) and not KNOWN.search(line)), "")


def sha(data):
    return hashlib.sha256(data).hexdigest()


def settings(system, guest, **others):
    return {"GUEST": guest, "ARGS": "quiet", **({"ON": "xen"} if system == "xen" else {}), **others}


def file_system(axes, files, name, megabytes, contents):
    """An ext4 image that holds contents {path: bytes}, and the program e2fsck."""
    source, disk = f"{files.folder}/{name}.files", f"{files.folder}/{name}"
    shutil.rmtree(source, ignore_errors=True)
    os.makedirs(source)
    for path, data in {"e2fsck": read(stock.fetched(axes, "e2fsck")), **contents}.items():
        with open(f"{source}/{path}", "wb") as f:
            f.write(data)
    os.chmod(f"{source}/e2fsck", 0o755)
    if os.path.exists(disk):
        os.remove(disk)
    subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", "-d", source, disk, f"{megabytes}M"], stdout=subprocess.DEVNULL, check=True)
    return disk


def noise(files):
    return read(files.noise("2 MiB", 2 << 20))


# ---- PV-GRUB ----

GRUB_LINUX = f"""sha256sum /mnt/noise; cp /mnt/e2fsck /tmp; umount /mnt; /tmp/e2fsck -f -n /dev/xvda; echo fsck: $?; {WARNINGS}"""


def grub(axes, files, system):
    data = noise(files)
    ramdisk = stock.initramfs(f"{stock.folder(axes)}/linux", {"script": GRUB_LINUX.encode()})
    disk = file_system(axes, files, f"grub.{system}.img", 24, {"vmlinuz": read(stock.fetched(axes, "linux")), "initrd": ramdisk, "noise": data})
    keys = (b"grub> ", b"ls\r", b"(xen/xvda)", b"set\r", b"prefix=", b"help\r", b"write_byte ADDR", b"ls (xen/xvda)/\r",
            b"vmlinuz", b"linux (xen/xvda)/vmlinuz console=hvc0 quiet\rinitrd (xen/xvda)/initrd\rboot\r", b"(grub has ended)", b"poweroff\r")
    return settings(system, "grub", DISK=disk, VCPUS="1"), keys, [
        r"GNU GRUB +version 2", r"\(memdisk\).*\(xen/xvda\)", r"lost\+found/ e2fsck.* initrd .*vmlinuz|e2fsck.*noise", r"init: 6\.\S+, 1 vcpus",
        rf"{sha(data)}  /mnt/noise", r"fsck: 0$", r"init: exit 0"], complaints


# ---- Linux ----

FIRST_LIFE = f"""{WARNINGS}
sha256sum /mnt/noise; cat /mnt/noise /mnt/noise >/mnt/twice; dd if=/dev/zero of=/mnt/zeroes bs=64k count=16 conv=fsync
cp /mnt/e2fsck /tmp; umount /mnt; /tmp/e2fsck -f -n /dev/xvda; echo fsck: $?
mount /dev/xvda /mnt; echo 3 >/proc/sys/vm/drop_caches; sha256sum /mnt/twice
read before rest </proc/uptime; echo the clock begins; sleep {SLEEP}; read after rest </proc/uptime; echo the clock ends: $before $after
reboot; sleep 1000"""
SECOND_LIFE = "sha256sum /mnt/zeroes; poweroff; sleep 1000"


def clock(stamps):
    """A check: what the guest's clock and ours say of its sleep; `stamps` are ours of its begin and end."""
    def check(lines):
        found = next((m for m in (re.search(r"the clock ends: ([\d.]+) ([\d.]+)", line) for line in lines) if m), None)
        if not found or len(stamps) != 2:
            return "no clock"
        slept, ours = float(found[2]) - float(found[1]), stamps[1] - stamps[0]
        if not SLEEP <= slept < SLEEP + DRIFT or abs(slept - ours) > DRIFT:
            return f"its clock says {slept:.2f} s of a sleep of {SLEEP} s, ours {ours:.2f} s"
        return complaints(lines)
    return check


def one_vcpu(axes, files, system):
    data, stamps = noise(files), []

    def stamp():
        stamps.append(time.monotonic())
        return b""

    disk = file_system(axes, files, f"linux.{system}.img", 16, {"noise": data})
    script = f"if [ -e /mnt/zeroes ]; then {SECOND_LIFE}; fi\n{FIRST_LIFE}"
    return settings(system, "linux-cloud", DISK=disk, SCRIPT=script, VCPUS="1"), (b"the clock begins", stamp, b"the clock ends", stamp), [
        r"init: 6\.\S+, 1 vcpus", rf"{sha(data)}  /mnt/noise", rf"{sha(data + data)}  /mnt/twice", r"fsck: 0$", r"linux-cloud rebooted: domain 2",
        rf"{sha(bytes(1 << 20))}  /mnt/zeroes", r"linux-cloud has ended"], clock(stamps)


def four_vcpus(axes, files, system):
    disk = files.noise("2 MiB", 2 << 20)
    script = f"""{WARNINGS}; dmesg | grep Booting
for i in 0 1 2 3; do taskset $((1 << i)) sha256sum /dev/xvda & done; wait; grep -c timer[0-3] /proc/interrupts
exit 7"""
    return settings(system, "linux-cloud", DISK=disk, SCRIPT=script, VCPUS="4"), None, [
        r"Booting kernel on Xen", r"init: 6\.\S+, 4 vcpus", rf"{sha(read(disk))}  /dev/xvda", r"^4$", r"init: exit 7", r"linux-cloud has ended", r"^run: the guest's script ended with status 7$"], complaints


def twice(axes, files, system):
    # What Ctrl-C ends is a loop: one that comes before sleep is in the foreground is the shell's, and ends the loop after it.
    create = b"xl create two linux-cloud mem=128 ramdisk=linux-cloud.ramdisk -- console=hvc0 quiet\rxl console two\r"
    keys = (b"/ # ", b"uname -r\r", b"cloud-amd64", b"\x1d", b"linux-cloud goes on", b"xl create pv\r" + create, b"(console of two", b"echo $((6*7)) is two\r",
            b"42 is two", b"for i in $(seq 200); do echo $((5*7)) is seen; sleep 1; done\r", b"35 is seen", b"\x03echo $((6*8)) is two\r", b"48 is two",
            b"\x1d", b"two goes on", b"xl list\rxl reboot two\rxl console two\r", b"two rebooted", b"echo $((7*7)) is two\r",
            b"49 is two", b"poweroff\r", b"(two has ended)", b"xl shutdown linux-cloud\rxl console linux-cloud\r", b"(linux-cloud has ended)", b"xl list\rpoweroff\r")
    room = {"APPEND": "dom0_mem=-400M"} if system == "xen" else {"MEM": "768"}
    return settings(system, "linux-cloud", VCPUS="2", **room), keys, [
        r"two +3 +128 +1", r"pv +2 +32 +1", r"linux-cloud +1 +128 +2", r"init: 6\.\S+, 2 vcpus", r"two rebooted: domain 4"], complaints


TESTS = {"grub": (grub, {"grub", "linux", "e2fsck"}), "linux_1_vcpu": (one_vcpu, {"linux-cloud", "e2fsck"}), "linux_4_vcpus": (four_vcpus, {"linux-cloud"}),
         "linux_twice": (twice, {"linux-cloud"})}
STATUS = {"linux_4_vcpus": 7}  # of make run, where it is not 0


def cases(axes, Case, files):
    """Nothing where the guests can't be had."""
    wanted = [(f"stock_{name}_on_{system}", system, *test) for name, test in TESTS.items() for system in SYSTEMS]
    wanted = [w for w in wanted if not axes.tests or any(t in w[0] for t in axes.tests)]
    if not wanted:
        return []
    try:
        packages.ensure({"stock"})
        for name in sorted(set().union(*(needs for _, _, _, needs in wanted))):
            stock.fetch(stock.folder(axes), name)
    except Trouble as trouble:
        print(f"test: no stock guests here: {trouble}")
        return []
    found = []
    for name, system, make, _ in wanted:
        values, keys, lines, check = make(axes, files, system)
        found.append(Case(name, values, STATUS.get(name.partition("_on_")[0].removeprefix("stock_"), 0), lines, system=system, keys=keys, check=check))
    return found
