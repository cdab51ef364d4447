# SPDX-License-Identifier: MIT
"""The tests of a kernel that misbehaves: each kind of the shell's `crash` in a domain of its own, on Parador.

In each boot one domain after the other crashes. Of each must come: its report (why, registers, where by symbol, the last
hypercalls), the same sentence by `why` in domain 0 afterwards, and its free frames before and after, equal. The next
domain answers each time, one lives to the end, and the script's status is that of commands that failed. The kinds are
compared with the table in pvkernel/arch/pv/crash.c, so a new one without a test fails.
"""
import re
from dataclasses import dataclass

from .endtoend import call
from .verdict import Result

SOURCE = "pvkernel/arch/pv/crash.c"
FAULT = r"page fault \(exception 14, error code {}\) and no handler for it: "
PROTECTION = r"general protection fault \(exception 13, error code {}\) and no handler for it: "
TABLE = r"frame 0x[0-9a-f]+ is an L4 page table of domain {n}, pinned, so it cannot be mapped writable"
NO_HANDLERS, SHUTDOWN, WATCHDOG = r"set_trap_table\(0, ", r"sched_op\(0x2, ", r"sched_op\(0x6, "


@dataclass
class Kind:
    why: str  # the sentence; {n} is the domain's number
    where: str  # the line of the report that says it by symbol
    last: str = NO_HANDLERS  # a hypercall near the end; an event may have come behind it
    end: str = "crash"  # what Parador calls its end
    seconds: int = 0  # how long it lives on


def at(symbol, mode="kernel"):
    return rf"^  vcpu 0, guest {mode}, at [0-9a-f]+ {symbol}\+0x[0-9a-f]+$"


def on_stack(symbol):
    return rf"^    [0-9a-f]+: [0-9a-f]+ {symbol}\+0x[0-9a-f]+$"


GAVE_UP = r"its kernel gave up \(SHUTDOWN_crash\)"
KINDS = {
    "null": Kind(FAULT.format("0x10") + "it jumped to 0, where nothing is mapped", on_stack("null_call")),
    "write": Kind(FAULT.format("0x2") + "it wrote to dead0000, where nothing is mapped", at("wild_write")),
    "hypervisor": Kind(FAULT.format("0x1") + "it read from ffff828000000000, which is the hypervisor's", at("read_hypervisor")),
    "table": Kind(FAULT.format("0x3") + "it wrote to [0-9a-f]+: " + TABLE, at("write_table")),
    "overflow": Kind(FAULT.format("0x2") + "it wrote to [0-9a-f]+, where nothing is mapped", at("overflow_deep")),
    "mapping": Kind(GAVE_UP + "; last refusal: " + TABLE, on_stack("map_table_writable"), SHUTDOWN),
    "foreign": Kind(GAVE_UP + "; last refusal: frame 0x100 is Parador's own memory, so domain {n} cannot use it", on_stack("map_hypervisor"), SHUTDOWN),
    "iret": Kind(PROTECTION.format("0x1234") + "selector 0x1234 cannot be loaded", at(r"leave_\w+")),
    "selectors": Kind(PROTECTION.format("0x8") + "selector 0x8 cannot be loaded", at("wrong_selectors")),
    "stack": Kind(r"(exception|event upcall): its kernel stack is not mapped writable \(1000\)", r"^  vcpu 0, guest user, at 400000 $", r"iret\(0, 0\) at [0-9a-f]+ leave_to_user\+"),
    "halt": Kind(PROTECTION.format("0") + "a privileged instruction, or an address that is not canonical", at("privileged")),
    "loop": Kind("it did not feed its watchdog in time", at("loop"), WATCHDOG, "watchdog", 3),
    "panic": Kind(GAVE_UP, on_stack("panic_call"), SHUTDOWN),
}
BOOTS = {
    "crashes_by_pointers": ("null", "write", "hypervisor", "table", "overflow"),
    "crashes_by_refusals": ("mapping", "foreign", "iret", "selectors", "stack"),
    "crashes_by_choice": ("halt", "loop", "panic"),
}


def script(kinds, patience):
    """Domain n crashes by the n-th kind, domain 0 asks why, domain n + 1 answers. At last all had some seconds to be freed."""
    for n, kind in enumerate(kinds, 1):
        yield f"d{n}: crash {kind}; d0: sleep {KINDS[kind].seconds}; d0: why {n}; d{n + 1}: echo after {kind}"
    yield f"d0: sleep {patience}; d0: domains"


def report_of(n, lines):
    """The lines of domain n's report, from its first on; [] without one."""
    starts = [i for i, line in enumerate(lines) if line.startswith(f"parador: domain {n} (d{n}) crashed: ")]
    if len(starts) != 1:
        return []
    told = [line for line in lines[starts[0]:] if not re.match(r"\[d\d+\]", line)]  # others go on meanwhile, on other CPUs
    end = next((i for i in range(1, len(told)) if not told[i].startswith("  ")), len(told))
    return told[:end]


def check_report(kind, n, report):
    """What is wrong with a report, one line each."""
    if not report:
        yield "not one report"
        return
    sentence = report[0].partition(" crashed: ")[2]
    if not re.fullmatch(kind.why.replace("{n}", str(n)), sentence):
        yield f"its report says: {sentence}"
    for pattern in (kind.where, r"^  rax [0-9a-f]{16}  rbx ", r"^  rip [0-9a-f]{16}  cs [0-9a-f]{4}  ss [0-9a-f]{4}  rflags "):
        if not any(re.search(pattern, line) for line in report):
            yield f"no line of its report matches {pattern}"
    heads = [i for i, line in enumerate(report) if re.match(r"  last hypercalls of \d+", line)]
    calls = [line for line in report[heads[0] + 1:] if re.match(r"    \w+\(.*\)", line)] if heads else []
    if len(calls) != 20 or not any(re.search(kind.last, line) for line in calls):
        yield f"its report has {len(calls)} hypercalls, the last {calls[-1:]}"


def check_end(kind, n, lines):
    """What is wrong with what came after domain n's report."""
    why = [line for line in lines if line.startswith(f"[d0] domain {n} crashed: ")]
    if [line[5:] for line in why] != [f"domain {n} crashed: " + line.partition(" crashed: ")[2] for line in report_of(n, lines)[:1]]:
        yield f"why {n} says {why}"
    ended = [re.fullmatch(rf"parador: d{n} ended \((.*)\): free frames: (\d+) before it, (\d+) after it", line) for line in lines]
    ended = [m for m in ended if m]
    if len(ended) != 1 or ended[0][1] != kind.end:
        yield "no one line tells its end"
    elif ended[0][2] != ended[0][3]:
        yield f"it left frames behind: {ended[0][0]}"
    elif lines.index(ended[0][0]) > lines.index(next(line for line in lines if line.startswith("[d0] script: exit"))):
        yield "it was not freed before the others ended"


def check_others(kinds, status, lines, debug):
    """What is wrong with the machine and the domains that did nothing."""
    last = len(kinds) + 1
    crashed = [line for line in lines if re.match(r"parador: domain \d+ .*crashed", line)]
    if len(crashed) != len(kinds):
        yield f"{len(crashed)} domains crashed"
    after = next((i for i in reversed(range(len(lines))) if lines[i].endswith("d0> domains")), 0)
    rows = [m[1] for m in (re.match(r"\[d0\] +(\d+) d\d+ +lives ", line) for line in lines[after:]) if m]
    if rows != ["0", str(last)] or any(re.match(r"\[d0\] +\d+ d\d+ +(crashed|ended)", line) for line in lines[after:]):
        yield f"domains that live at the end: {rows}"
    checks = [line for line in lines if line.startswith("parador: check: ")]
    if debug and (len(checks) != last + 1 or set(checks) != {"parador: check: ok"}):
        yield f"the invariant checker said {checks}"
    if status != 1 or lines[-1:] != ["parador: exit 1"]:
        yield f"exit status {status}, not 1 as of a script with commands that failed"


def complaints(axes, kinds, lines):
    """Boots and checks it all; the console goes into `lines`."""
    status, output = call(axes, "run", {"DOMAINS": str(len(kinds) + 2), "VCPUS": "1", "DEBUG": "1" if axes.debug else "", "SCRIPT": "; ".join(script(kinds, 1 if axes.smp == 1 else 10))})
    lines += output
    if not any(line.startswith("[d0] script: exit") for line in lines):
        yield "the script did not come to its end"
        return
    for n, name in enumerate(kinds, 1):
        found = [*check_report(KINDS[name], n, report_of(n, lines)), *check_end(KINDS[name], n, lines)]
        if f"[d{n + 1}] after {name}" not in lines:
            found.append(f"domain {n + 1} did not answer afterwards")
        yield from (f"crash {name}: {complaint}" for complaint in found)
    yield from check_others(kinds, status, lines, axes.debug)
    with open(SOURCE, encoding="utf-8") as f:
        offered = set(re.findall(r'^    \{ "(\w+)", ".*", \w+, (?:true|false) \},$', f.read(), re.MULTILINE))
    if offered != set(KINDS) or offered != {kind for boot in BOOTS.values() for kind in boot}:
        yield f"{SOURCE} and the tests do not have the same kinds: {sorted(offered ^ set(KINDS))}"


def wanted(axes):
    return [name for name in BOOTS if not axes.tests or any(t in name for t in axes.tests)]


def run(axes, name):
    """Runs one boot; its Result and the lines that came."""
    lines = []
    found = list(complaints(axes, BOOTS[name], lines))
    return Result(name, "parador", "run", "fail" if found else "pass", "; ".join(found[:3])), lines
