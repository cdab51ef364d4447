# SPDX-License-Identifier: MIT
"""make bench GUEST=linux-cloud: what a stock kernel's own operations cost on Parador and on stock Xen, in instructions.

The same domain 0 (our kernel) makes the same domain on both, with the program tests/linux/bench.c in its initramfs. QEMU counts every
instruction between that program's marks, and apart those that ran at the hypervisor's addresses (slots 256 to 271, on both): the
hypervisor's share; and hypercalls, domain 0's among them. The first row goes from the kernel's entry to its userspace, and in a second run
its seconds are taken, by the guest's own clock and without -icount.
"""
import json
import re
import struct
import subprocess

from . import boot, build, packages, stock, stockxen
from .archive import read
from .axes import Trouble
from .machine import ICOUNT, Guard, Machine

GOAL = 0.35  # Parador's share beside Xen's
PATIENCE = {"cpu": 1200, "idle": 240}


def entry(kernel):
    """The address at which a PV kernel begins: its ELF note XEN_ELFNOTE_ENTRY (xen/elfnote.h)."""
    at = 0
    while (at := kernel.find(b"Xen\0", at)) >= 0:
        name_size, size, kind = struct.unpack_from("<III", kernel, at - 12)
        if (name_size, size, kind) == (4, 8, 1):
            return struct.unpack_from("<Q", kernel, at + 4)[0]
        at += 4
    raise Trouble("the kernel has no note that says where it begins")


def run(axes, system, folder, extra, watch):
    """Boots the guest on one system; its lines go to watch()."""
    def line(text):
        watch(text)
        return bool(re.search(r"^parador: exit|Dom0 halted", text))

    command = boot.parador_command(axes, folder, extra) if system == "parador" else stockxen.run_command(axes, folder, extra)
    Machine(command, watch=line, guard=Guard(**PATIENCE), grace=5.0).run()


def measure(axes, system, program):
    """[(row, operations in a sample, its counts)] on one system."""
    axes.script, axes.stock_files = "bench booted\nbench", {"bin/bench": program}
    kernel = read(stock.image(axes, axes.stock).kernel)
    rows, status = [("boot_to_userspace", 1)], []

    def watch(text):
        found = re.search(r"bench: (\w+) (\d+)", text)
        if found:
            rows.append((found[1], int(found[2])))
        status.extend(re.findall(r"init: exit (\d+)", text))

    with boot.Folder(axes) as folder:
        trace = folder.write("trace", b"")
        run(axes, system, folder, [*ICOUNT, "-plugin", f"file={axes.build}/count.so,out={trace},share=on,entry={entry(kernel):x}"], watch)
        with open(trace, encoding="utf-8") as f:
            counts = [json.loads(text) for text in f]
    if status != ["0"] or len(counts) != len(rows):
        raise Trouble(f"on {system} the guest did not come to its end: {len(counts)} of {len(rows)} rows")
    return [(name, times, count) for (name, times), count in zip(rows, counts)]


def seconds(axes, system):
    """From the kernel's start to its userspace."""
    axes.script, axes.stock_files, found = "true", {}, []
    with boot.Folder(axes) as folder:
        run(axes, system, folder, [], lambda text: found.extend(re.findall(r"init: \S+, \d+ vcpus?, ([\d.]+) s", text)))
    if not found:
        raise Trouble(f"on {system} the guest did not come to its userspace")
    return found[0]


def show(results):
    print("guest instructions of one operation; share: the hypervisor's of them; calls: hypercalls")
    print(f"{'row':18} {'at a time':>9}" + "".join(f" {s + ' share':>14} {s + ' total':>14} {'calls':>8}" for s in results) + "  ratio of shares")
    tables = list(results.values())
    over = 0
    for row in zip(*tables):
        name, times, _ = row[0]
        shares = [count["hypervisor"] / times for _, _, count in row]
        ratio = shares[0] / shares[1] if len(shares) > 1 and shares[1] else None
        over += ratio is not None and ratio > GOAL
        print(f"{name:18} {times:>9}" + "".join(f" {s:>14,.0f} {count['all'] / times:>14,.0f} {count['hypercalls'] / times:>8,.1f}"
                                               for s, (_, _, count) in zip(shares, row)) +
              (f"  {ratio:.2f} {'within' if ratio <= GOAL else 'over'} {GOAL}" if ratio is not None else ""))
    return over


def main(axes):
    if not axes.stock or not axes.stock.startswith("linux"):
        raise Trouble("bench GUEST=: linux, linux-cloud or linux-backports")
    systems = axes.on or ["parador", "xen"]
    packages.ensure(packages.needs(axes, systems) | {"stock"})
    build.make(axes, f"{axes.build}/parador", f"{axes.build}/pvkernel", f"{axes.build}/guest", "user", f"{axes.build}/count.so")
    program = f"{axes.build}/linux-bench"
    subprocess.run(["gcc", "-O2", "-static", "-I.", "-o", program, "tests/linux/bench.c"], check=True)
    results, booted = {}, {}
    for system in systems:
        print(f"bench: {axes.stock} on {system}", flush=True)
        results[system] = measure(axes, system, read(program))
        booted[system] = seconds(axes, system)
    over = show(results)
    print("seconds from the kernel's start to its userspace, rough: " + ", ".join(f"{s} {t}" for s, t in booted.items()))
    return 1 if over else 0
