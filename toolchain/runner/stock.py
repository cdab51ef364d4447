# SPDX-License-Identifier: MIT
"""Stock guests, which nobody here wrote: Debian's Linux kernels and PV-GRUB. Fetched as packages, of which nothing is installed;
kernels are unpacked, because who builds a PV domain wants an ELF file.

    image(axes, "linux").kernel     the path of an ELF file
    image(axes, "linux").ramdisk    the bytes of an initramfs: busybox, the modules for our disk, and INIT; None for PV-GRUB

What was fetched and made is kept under build/stock (PARADOR_CACHE names another folder).
"""
import glob
import gzip
import lzma
import os
import re
import struct
import subprocess
import sys
import zlib
from collections import namedtuple

from .archive import archive, read
from .axes import Trouble

BACKPORTS = "bookworm-backports"
# GUEST=, and what our tests want: the package (of a kernel: the one that depends on its package), where it is from if not from the
# machine's own sources, and the file in it.
FETCHED = {"linux": ("linux-image-amd64", None, "boot/vmlinuz-*"),
          "linux-cloud": ("linux-image-cloud-amd64", None, "boot/vmlinuz-*"),
          "linux-backports": ("linux-image-amd64", BACKPORTS, "boot/vmlinuz-*"),
          "grub": ("grub-xen-host", None, "usr/lib/grub-xen/grub-x86_64-xen.bin"),
           "e2fsck": ("e2fsck-static", None, "sbin/e2fsck.static")}
MODULES = ["xen-blkfront", "ext4", "crc32c_generic", "crc32c-intel"]  # those that a kernel has; what they need comes along

INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for m in $(cat /modules); do insmod /lib/$m.ko || echo "init: no module $m"; done
for i in 1 2 3 4 5 6 7 8 9 10; do [ ! -e /sys/bus/xen/devices/vbd-51712 ] || [ -e /dev/xvda ] || sleep 0.2; done
if mount /dev/xvda /mnt 2>/dev/null; then echo "init: /dev/xvda is mounted at /mnt"
elif [ -e /dev/xvda ]; then echo "init: /dev/xvda holds no file system that can be mounted"; fi
echo "init: $(uname -r), $(nproc) vcpus, $(cut -d ' ' -f 1 /proc/uptime) s"
end() { umount -a -r 2>/dev/null; exec "$@" -f; }
trap "end poweroff" USR2; trap "end reboot" TERM; trap "end halt" USR1  # what busybox's commands of these names send
if [ -e /script ]; then sh /script & wait $!; echo "init: exit $?"; else
  # not with &, which would leave Ctrl-C ignored; busybox's poweroff sends the signal
  start-stop-daemon -S -b -p /none -a /bin/setsid -- cttyhack sh -c 'sh; poweroff'
  while :; do sleep 99999 & wait $!; done
fi
end poweroff
"""

Image = namedtuple("Image", "kernel ramdisk")


def folder(axes):
    return os.path.abspath(os.environ.get("PARADOR_CACHE") or f"{axes.build}/stock")  # apt runs inside it


# ---- fetching ----

def apt(place, suite, *words):
    """Runs apt-get, or apt-cache for the word `depends`; with `suite`, on sources of its own beside the machine's."""
    options = ["-o", "APT::Sandbox::User=root"]
    if suite:
        sources = f"{place}/{suite}"
        for part in ("lists/partial", "cache/archives/partial"):
            os.makedirs(f"{sources}/{part}", exist_ok=True)
        with open(f"{sources}/sources.list", "w", encoding="ascii") as f:
            f.write(f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian {suite} main\n")
        options += ["-o", f"Dir::Etc::sourcelist={sources}/sources.list", "-o", "Dir::Etc::sourceparts=/dev/null",
                    "-o", f"Dir::State::lists={sources}/lists", "-o", f"Dir::Cache={sources}/cache"]
    tool = "apt-cache" if words[0] == "depends" else "apt-get"
    return subprocess.run([tool, *options, *words], cwd=place, capture_output=True, text=True, check=False)


def fetch(place, name):
    """A package of FETCHED, unpacked at place/NAME."""
    package, suite, _ = FETCHED[name]
    if os.path.isdir(f"{place}/{name}"):
        return
    os.makedirs(place, exist_ok=True)
    if suite:
        apt(place, suite, "update")
    if name.startswith("linux"):
        found = re.search(r"Depends: (linux-image-\S+)", apt(place, suite, "depends", package).stdout)
        if not found:
            raise Trouble(f"apt-cache knows no {package}{' in ' + suite if suite else ''} (apt-get update?)")
        package = found[1]
    print(f"setup: fetching {package}", file=sys.stderr, flush=True)
    done = apt(place, suite, "download", package)
    packages = glob.glob(f"{place}/{package}_*.deb")
    if done.returncode or not packages:
        raise Trouble(f"could not fetch {package}: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}")
    subprocess.run(["dpkg", "-x", packages[0], f"{place}/{name}.new"], check=True)
    os.replace(f"{place}/{name}.new", f"{place}/{name}")
    os.remove(packages[0])


def fetched(axes, name):
    """The path of the file NAME of FETCHED."""
    place = folder(axes)
    fetch(place, name)
    return glob.glob(f"{place}/{name}/{FETCHED[name][2]}")[0]


# ---- unpacking ----

def by_program(*command):
    def unpack(data):
        try:
            return subprocess.run(command, input=data, capture_output=True, check=False).stdout  # some complain of what follows
        except FileNotFoundError:
            raise Trouble(f"no program {command[0]}, which unpacks this kernel ('make setup' installs what is missing)") from None
    return unpack


# How a payload begins, and what unpacks it.
FORMATS = {b"\xfd7zXZ\0": lambda data: lzma.LZMADecompressor().decompress(data), b"\x1f\x8b": lambda data: zlib.decompressobj(31).decompress(data),
           b"\x28\xb5\x2f\xfd": by_program("zstd", "-dc"), b"\x02\x21\x4c\x18": by_program("lz4", "-dc")}


def unpack(bzimage):
    """The ELF file inside a bzImage (Linux's Documentation/arch/x86/boot.rst: setup_sects, payload_offset, payload_length)."""
    if bzimage[:4] == b"\x7fELF":
        return bzimage
    if bzimage[0x202:0x206] != b"HdrS":
        raise Trouble("neither an ELF file nor a bzImage")
    start = ((bzimage[0x1f1] or 4) + 1) * 512
    offset, length = struct.unpack_from("<II", bzimage, 0x248)
    payload = bzimage[start + offset:start + offset + length]
    for magic, unpacker in FORMATS.items():
        if payload.startswith(magic):
            kernel = unpacker(payload)
            if kernel[:4] == b"\x7fELF":
                return kernel
    raise Trouble(f"a bzImage packed in a way that nobody here knows ({payload[:6].hex()})")


# ---- initramfs ----

def module(place, name):
    """The bytes of a kernel module, or None where the kernel has none of that name."""
    found = glob.glob(f"{place}/**/{name.replace('_', '[-_]')}.ko*", recursive=True)
    data = read(found[0]) if found else None
    return lzma.decompress(data) if found and found[0].endswith(".xz") else data


def modules(place, names):
    """{name: bytes} of the modules and, before each, what it depends on (its own `depends=` says)."""
    found = {}
    for name in names:
        data = module(place, name)
        if data is None:
            continue
        needed = re.search(rb"\0depends=([^\0]*)", data)
        for other, bytes_ in modules(place, needed[1].decode().split(",") if needed and needed[1] else []).items():
            found.setdefault(other, bytes_)
        found.setdefault(name, data)
    return found


def initramfs(place, files=()):
    """Busybox, the modules and INIT, and further files."""
    parts = modules(f"{place}/lib/modules", MODULES)
    tree = {f"{d}/": b"" for d in "bin dev lib mnt proc sys tmp".split()}
    tree["dev/console"] = (0o20600, b"", 5, 1)
    tree["init"] = (0o100755, INIT.encode(), 0, 0)
    tree["sbin"] = (0o120777, b"bin", 0, 0)  # the kernel's own /sbin/poweroff, when domain 0 asks for it
    tree["bin/busybox"] = read("/bin/busybox")
    tree["modules"] = "\n".join(parts).encode()
    tree.update({f"lib/{name}.ko": data for name, data in parts.items()})
    return gzip.compress(archive({**tree, **dict(files)}), 6)


def write(path, data):
    """Several tests may do so at once."""
    with open(f"{path}.{os.getpid()}", "wb") as f:
        f.write(data)
    os.replace(f.name, path)


def image(axes, name, files=()):
    """The guest NAME of FETCHED, ready to boot; files: {path: bytes} beside INIT (script: a shell script that runs and ends it)."""
    place, source = folder(axes), fetched(axes, name)
    kernel = f"{place}/{name}.elf"
    if not os.path.exists(kernel):
        write(kernel, unpack(read(source)))
    if not name.startswith("linux"):
        return Image(kernel, None)
    ramdisk = initramfs(f"{place}/{name}", files)
    if not files:  # for PV-GRUB (docs/guests.md), which should not find the last run's script in it
        write(f"{place}/{name}.initramfs", ramdisk)
    return Image(kernel, ramdisk)
