# SPDX-License-Identifier: MIT
"""gdb commands for Parador's own structures: domains, frames [MFN], pt VADDR. `make gdb` loads this file.

`domains` reads the types in parador.syms; `frames` knows the frame's word by hypervisor/mm/frame.h, and where the table
lies by hypervisor/mm/layout.h. They look and don't touch, and say so where there is nothing to see yet: the machine waits
at its reset, or Parador has not built its frame table. `pt` reads physical memory (an extension of QEMU's stub), so that
it works in every address space and also before Parador has its own. Tests: toolchain/runner/gdbtests.py.
"""
import struct

import gdb

FRAME_TABLE, FRAME_SIZE, CHUNK = 0xFFFF810000000000, 24, 4096
TYPES = ("none", "l1", "l2", "l3", "l4", "descriptor", "writable", "7")
STATES = ((60, "validated"), (59, "partial"), (57, "locked"), (55, "pinned"), (54, "allocated"))
COUNTS = (1 << 27) - 1  # hypervisor/mm/frame.h
OWNERS = {0: "free", 0xFFFFFFFE: "parador", 0xFFFFFFFF: "io"}
SCHEDULING, PAUSE_DOWN = ("blocked", "runnable", "running"), 4  # hypervisor/domain/sched.h
ADDRESS = 0x000FFFFFFFFFF000
FLAGS = ((0, "P"), (1, "W"), (2, "U"), (5, "A"), (6, "D"), (7, "L"), (8, "G"), (63, "NX"))
PG, PAE, LONG = 1 << 31, 1 << 5, 1 << 8


def variable(file, name):
    """A variable of the hypervisor, by its file: a guest may have one of the same name."""
    return gdb.parse_and_eval(f"'{file}'::{name}")


def readable(function):
    """A command that meets memory that is not mapped (yet), or a wrong argument, says so in one line."""
    def invoke(self, argument, from_tty):
        try:
            function(self, argument, from_tty)
        except gdb.MemoryError as error:
            raise gdb.GdbError(f"not there at this point of the boot: {error}") from None
        except gdb.error as error:
            raise gdb.GdbError(str(error)) from None
    invoke.__doc__ = function.__doc__
    return invoke


def owner_name(owner):
    return OWNERS.get(owner, f"d{owner - 1}")


def pointers(array):
    """What the pointers of an array of the guest's memory lead to, without those that are NULL."""
    low, high = array.type.range()
    data = bytes(gdb.selected_inferior().read_memory(int(array.address), array.type.sizeof))
    found = struct.unpack(f"<{high - low + 1}Q", data)
    return [array[n].dereference() for n in range(low, high + 1) if found[n]]


class Domains(gdb.Command):
    """domains: each domain with its state, pages, vcpus and where they are (the vcpu that runs: where it came from)."""

    def __init__(self):
        super().__init__("domains", gdb.COMMAND_DATA)

    @readable
    def invoke(self, argument, from_tty):
        found = pointers(variable("hypervisor/domain/domain.c", "domains")["by_id"])
        if not found:
            print("no domain yet")
            return
        print(f"{'dom':>4} {'name':10} {'state':10} {'pages':>8} {'refs':>5}  vcpus")
        for d in found:
            print(f"{int(d['domid']):4} {d['name'].string():10} {self.state(d):10} {int(d['tot_pages']):8} {int(d['refs']):5}  "
                  + f"\n{'':43}".join(self.vcpu(v) for v in pointers(d["vcpu"])))

    @staticmethod
    def state(d):
        if d["dying"]:
            return ("alive", "dying", "dead")[int(d["dying"]) % 3]
        return "crashed" if d["crashed"] else "shut down" if d["shut_down"] else "alive" if d["started"] else "built"

    @staticmethod
    def vcpu(v):
        state = "down" if int(v["sched"]["pause"]) & PAUSE_DOWN else SCHEDULING[int(v["sched"]["state"])]
        where = gdb.execute(f"info symbol {int(v['regs']['rip']):#x}", to_string=True).split(" in section")[0]
        name = "" if where.startswith("No symbol") else f" {where.replace(' ', '')}"
        state += f" on CPU {int(v['sched']['cpu'])}" if v["sched"]["on_cpu"] else ""
        calls = int(v["history_end"]) // gdb.lookup_type("struct history").sizeof
        return (f"{int(v['id'])}: {state} in {'kernel' if v['kernel_mode'] else 'user'}"
                f" at {int(v['regs']['rip']):#x}{name}, {calls} hypercall{'' if calls == 1 else 's'}")


class Frames(gdb.Command):
    """frames: how many frames there are of each owner and type. frames MFN: one frame, word by word."""

    def __init__(self):
        super().__init__("frames", gdb.COMMAND_DATA)

    @readable
    def invoke(self, argument, from_tty):
        last = int(variable("hypervisor/mm/frame.c", "max_mfn"))
        if not last:
            print("no frame table yet")
        elif argument:
            self.one(int(gdb.parse_and_eval(argument)), last)
        else:
            self.all(last)

    @staticmethod
    def table(first, count):
        """(word, owner, aux) of each of these frames."""
        data = bytes(gdb.selected_inferior().read_memory(FRAME_TABLE + first * FRAME_SIZE, count * FRAME_SIZE))
        return struct.iter_unpack("<QIIII", data)

    def one(self, mfn, last):
        if not 0 <= mfn < last:
            raise gdb.GdbError(f"there is no frame {mfn:#x}, the last is {last - 1:#x}")
        word, owner, aux = next(self.table(mfn, 1))[:3]
        if not owner and not word & COUNTS:
            head = f", the first of 2^{word >> 27 & 63} that are free together" if word >> 56 & 1 else ""
            print(f"frame {mfn:#x}: free{head}")
            return
        states = " ".join(name for bit, name in STATES if word >> bit & 1)
        print(f"frame {mfn:#x}: owner {owner_name(owner)}, type {TYPES[word >> 61]}, type count {word >> 27 & COUNTS}, "
              f"references {word & COUNTS}, {states or 'no state bits'}, aux {aux:#x}")

    def all(self, last):
        counts, there = {}, variable("hypervisor/mm/frame.c", "frame_chunks")
        for chunk in range((last + CHUNK - 1) // CHUNK):
            if not int(there[chunk // 64]) >> chunk % 64 & 1:
                continue  # a hole that the frame table leaves out
            for word, owner, *_ in self.table(chunk * CHUNK, min(CHUNK, last - chunk * CHUNK)):
                key = (owner, word >> 61 if word & COUNTS else 0)  # without a reference the word says other things
                counts[key] = counts.get(key, 0) + 1
        print(f"{'owner':>8} {'type':10} {'frames':>8}")
        for (owner, kind), count in sorted(counts.items()):
            print(f"{owner_name(owner):>8} {TYPES[kind]:10} {count:8}")


class PageTable(gdb.Command):
    """pt VADDR: the page-table entries that lead to an address, in the tables that the processor uses now."""

    def __init__(self):
        super().__init__("pt", gdb.COMMAND_DATA)

    @readable
    def invoke(self, argument, from_tty):
        if not argument:
            raise gdb.GdbError("pt VADDR")
        address = int(gdb.parse_and_eval(argument)) & (1 << 64) - 1
        cr0, cr4, efer = (int(gdb.parse_and_eval(r)) for r in ("$cr0", "$cr4", "$efer"))
        if not (cr0 & PG and cr4 & PAE and efer & LONG):
            print("no 4-level page tables yet: the processor is not in long mode")
            return
        table = int(gdb.parse_and_eval("$cr3")) & ADDRESS
        print(f"L4 table at frame {table >> 12:#x} (cr3)")
        for level in (4, 3, 2, 1):
            slot = address >> (12 + 9 * (level - 1)) & 511
            entry = self.entry(table + slot * 8)
            flags = " ".join(name for bit, name in FLAGS if entry >> bit & 1)
            print(f"  L{level}[{slot:3}] = {entry:016x}  frame {(entry & ADDRESS) >> 12:#x}  {flags or 'not present'}")
            if not entry & 1:
                print(f"{address:#x} is not mapped")
                return
            if level == 1 or (level < 4 and entry & 0x80):
                mask = (1 << (12 + 9 * (level - 1))) - 1
                print(f"{address:#x} is machine address {(entry & ADDRESS & ~mask) | (address & mask):#x}")
                return
            table = entry & ADDRESS

    @staticmethod
    def entry(machine_address):
        """Eight bytes of physical memory."""
        gdb.execute("maintenance packet Qqemu.PhyMemMode:1", to_string=True)
        try:
            return struct.unpack("<Q", bytes(gdb.selected_inferior().read_memory(machine_address, 8)))[0]
        finally:
            gdb.execute("maintenance packet Qqemu.PhyMemMode:0", to_string=True)


Domains()
Frames()
PageTable()
