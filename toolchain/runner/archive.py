# SPDX-License-Identifier: MIT
"""Ramdisks: archives in the "newc" form of cpio, which pvkernel (and Linux) unpack. No cpio program is needed."""
import os


def entry(number, name, mode, data=b"", major=0, minor=0):
    """One file: a header of thirteen 8-digit hexadecimal fields, the name, the bytes, each padded to 4."""
    encoded = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(encoded), 0)
    header = b"070701" + b"".join(b"%08X" % f for f in fields) + encoded
    return header + bytes(-len(header) % 4) + data + bytes(-len(data) % 4)


def archive(files):
    """The archive of {name: bytes}: a name that ends in / is a folder, names under bin/ are executable.

    Where the name does not say enough, the value is a tuple (mode, bytes, major, minor).
    """
    parts = []
    for number, (name, value) in enumerate(files.items(), 1):
        if isinstance(value, tuple):
            parts.append(entry(number, name, *value))
        elif name.endswith("/"):
            parts.append(entry(number, name.rstrip("/"), 0o40755))
        else:
            parts.append(entry(number, name, 0o100755 if name.startswith("bin/") else 0o100644, value))
    return b"".join(parts) + entry(0, "TRAILER!!!", 0)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def programs(folder):
    """{bin/NAME: bytes} of the programs in a folder; nothing where there is none."""
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return {f"bin/{n}": read(f"{folder}/{n}") for n in names if os.path.isfile(f"{folder}/{n}")}
