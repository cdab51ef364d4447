# SPDX-License-Identifier: MIT
"""The tests of make bench, on Parador: its figures repeat, its counts of expensive instructions are what they must be, no row uses
more of them than Xen was recorded with, none is over 1.25 of its goal, and without -icount there are no figures.

Goals are for the default compiler, gcc, whose build is what is measured. clang's needs up to an eighth more in some rows, so there
all is checked but the goals.
"""
import copy

from . import bench, benchtable
from .machine import ICOUNT
from .verdict import Result

# What a row's path must contain, whatever else changes: the hardware's own price of the operation.
NOTHING = {kind: 0 for kind in ("cr3", "cr4", "wrmsr", "invlpg", "lock", "iret", "ipi")}
MUST = {
    "null_hypercall": NOTHING, "multicall_null_32": NOTHING, "nops_1000": NOTHING, "entry_store_512": NOTHING,
    "new_baseptr": {"cr3": 1, "invlpg": 0}, "tlb_flush_local": {"cr3": 1}, "invlpg_local": {"cr3": 0, "invlpg": 1},
    "iret_hypercall": {"iret": 1}, "emulate_cli": {"iret": 1}, "entry_trap_512": {"iret": 512}, "entry_batch_512": {"iret": 0},
    "user_syscall": {"cr3": 2}, "event_ping_pong": {"cr3": 2, "ipi": 0},
}


def once(axes):
    """All rows of both roles, one after the other."""
    return [row for role in bench.roles() for row in bench.in_instructions(axes, "parador", role, bench.MEM)]


def bench_rows(axes):
    """Two runs are the same in every figure, and the figures are good."""
    first, second = once(axes), once(axes)
    rows = {row["bench"]: row for row in first}
    for one, other in zip(first, second):
        if one != other:
            yield f"{one['bench']}: two runs differ: {one}, {other}"
    if len(first) != len(second) or len(first) < 100:
        yield f"{len(first)} rows, then {len(second)}"
    if bench.has_plugins():
        for name, kinds in MUST.items():
            found = rows.get(name, {}).get("expensive", {})
            if any(found.get(kind) != n for kind, n in kinds.items()):
                yield f"{name}: expensive instructions {found}, expected {kinds}"
    for line in benchtable.lines({"parador": rows}):
        if line.verdict == benchtable.OVER and not axes.clang:
            yield f"{line.name}: {line.ours['median']} is over {benchtable.NEAR} of its goal {line.goal}"
        for kind in line.more:
            yield f"{line.name}: more {kind} than Xen"


def bench_needs_icount(axes):
    """Where a tick is no instruction, 1000 nops say so, and there is no figure; in nanoseconds there is."""
    said = []
    if bench.on_parador(axes, "dom0", "rows=null_hypercall", [], bench.MEM, said.append):
        yield "figures came without -icount"
    if not any("1000 nops cost" in line for line in said):
        yield f"nobody said that 1000 nops cost something else: {said}"
    rows = bench.on_parador(axes, "dom0", "rows=null_hypercall unit=ns", [], bench.MEM)
    if [row["unit"] for row in rows] != ["ns"]:
        yield f"no row in nanoseconds: {rows}"
    rows = bench.on_parador(axes, "dom0", "rows=nops_1000", ICOUNT, bench.MEM)
    if [(row["min"], row["p99"]) for row in rows] != [(1000, 1000)]:
        yield f"1000 nops: {rows}"


TESTS = (bench_rows, bench_needs_icount)


def wanted(axes):
    return [t for t in TESTS if not axes.tests or any(name in t.__name__ for name in axes.tests)]


def run(axes, test):
    """Runs one test, on one CPU; its Result and the complaints."""
    axes = copy.copy(axes)
    axes.smp = 1
    complaints = list(test(axes))
    return Result(test.__name__, "parador", "bench", "fail" if complaints else "pass", "; ".join(complaints[:3])), complaints
