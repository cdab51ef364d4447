# SPDX-License-Identifier: MIT
"""gdb commands for Parador's own structures: domains, frames, pt VADDR. `make gdb` loads this file.

They read what hypervisor/domain/domain.h and hypervisor/mm/frame.h declare, by the types in parador.syms, and constants of
hypervisor/mm/layout.h. Memory is read through Parador's direct map, so the machine must have left its boot code.
"""
import struct

import gdb

FRAME_TABLE = 0xFFFF810000000000
DIRECT = 0xFFFF830000000000
TYPES = ("none", "l1", "l2", "l3", "l4", "descriptor", "writable", "7")
OWNERS = {0: "free", 0xFFFFFFFE: "parador", 0xFFFFFFFF: "io"}
LARGE = 0x80
FLAGS = ((0, "P"), (1, "W"), (2, "U"), (5, "A"), (6, "D"), (7, "L"), (8, "G"), (63, "NX"))


def value(expression):
    return gdb.parse_and_eval(expression)


def memory(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def owner_name(owner):
    return OWNERS.get(owner, f"d{owner - 1}")


def domain_list():
    """All struct domain, through the list that their `node` hangs on, beginning with domain 0."""
    first = value("domain0")
    if int(first) == 0:
        return []
    domain_type = gdb.lookup_type("struct domain")
    offset = next(f.bitpos // 8 for f in domain_type.fields() if f.name == "node")
    found, node, start = [], int(first) + offset, int(first) + offset
    head = gdb.lookup_global_symbol("domain_list") or gdb.lookup_static_symbol("domain_list")
    head_address = int(head.value().address) if head else None
    for _ in range(1024):
        if node != head_address:
            found.append(gdb.Value(node - offset).cast(domain_type.pointer()).dereference())
        node = struct.unpack("<Q", memory(node, 8))[0]
        if node in (0, start):
            break
    return found


class Domains(gdb.Command):
    """domains: each domain with its state, pages, vcpus and where they are."""

    def __init__(self):
        super().__init__("domains", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        print(f"{'dom':>4} {'name':10} {'state':10} {'pages':>8} {'refs':>5}  vcpus (hypercalls, rip)")
        for d in domain_list():
            state = "crashed" if d["crashed"] else "shut down" if d["shut_down"] else ("alive", "dying", "dead")[int(d["dying"]) % 3]
            vcpus = []
            for n in range(int(d["max_vcpus"])):
                pointer = d["vcpu"][n]
                if int(pointer):
                    v = pointer.dereference()
                    mode = "kernel" if v["kernel_mode"] else "user"
                    vcpus.append(f"{n}: {int(v['hypercalls'])}, {mode} {int(v['regs']['rip']):#x}")
            print(f"{int(d['domid']):4} {d['name'].string():10} {state:10} {int(d['tot_pages']):8} {int(d['refs']):5}  " + "; ".join(vcpus))


class Frames(gdb.Command):
    """frames: how many frames there are of each owner and type. frames MFN: one frame, word by word."""

    def __init__(self):
        super().__init__("frames", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        size = gdb.lookup_type("struct frame").sizeof
        if argument:
            mfn = int(value(argument))
            word, owner, aux = struct.unpack_from("<QII", memory(FRAME_TABLE + mfn * size, size))
            print(f"frame {mfn:#x}: " + self.describe(word, owner, aux))
            return
        counts, chunk = {}, 4096
        for first in range(0, int(value("max_mfn")), chunk):
            try:
                table = memory(FRAME_TABLE + first * size, chunk * size)
            except gdb.MemoryError:
                continue  # a hole that no frame table page backs
            for n in range(chunk):
                word, owner = struct.unpack_from("<QI", table, n * size)
                key = (owner, word >> 61)
                counts[key] = counts.get(key, 0) + 1
        print(f"{'owner':>8} {'type':10} {'frames':>8}")
        for (owner, kind), count in sorted(counts.items()):
            print(f"{owner_name(owner):>8} {TYPES[kind]:10} {count:8}")

    @staticmethod
    def describe(word, owner, aux):
        states = [name for bit, name in ((60, "validated"), (59, "partial"), (58, "pinned"), (57, "locked"), (56, "allocated")) if word >> bit & 1]
        return (f"owner {owner_name(owner)}, type {TYPES[word >> 61]}, type count {word >> 28 & (1 << 28) - 1}, "
                f"references {word & (1 << 28) - 1}, {' '.join(states) or 'no state bits'}, aux {aux:#x}")


class PageTable(gdb.Command):
    """pt VADDR: the page-table entries that lead to an address, in the tables that the processor uses now."""

    def __init__(self):
        super().__init__("pt", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        if not argument:
            raise gdb.GdbError("pt VADDR")
        address = int(value(argument)) & (1 << 64) - 1
        table = int(value("$cr3")) & 0x000FFFFFFFFFF000
        print(f"L4 table at frame {table >> 12:#x} (cr3)")
        for level in (4, 3, 2, 1):
            slot = address >> (12 + 9 * (level - 1)) & 511
            entry = struct.unpack("<Q", memory(DIRECT + table + slot * 8, 8))[0]
            flags = " ".join(name for bit, name in FLAGS if entry >> bit & 1)
            print(f"  L{level}[{slot:3}] = {entry:016x}  frame {(entry & 0x000FFFFFFFFFF000) >> 12:#x}  {flags or 'not present'}")
            if not entry & 1:
                return
            if level == 1 or (level < 4 and entry & LARGE):
                mask = (1 << (12 + 9 * (level - 1))) - 1
                print(f"{address:#x} is machine address {(entry & 0x000FFFFFFFFFF000 & ~mask) | (address & mask):#x}")
                return
            table = entry & 0x000FFFFFFFFFF000


Domains()
Frames()
PageTable()
