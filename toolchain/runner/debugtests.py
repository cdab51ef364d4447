# SPDX-License-Identifier: MIT
"""The tests of `make gdb` and `make rewind`: what docs/debugging.md promises, each as a user would type it.

Each test is a function that yields what was wrong, one line each; `show` keeps the output. Helpers are compared with what
Parador itself says of the same moment, where there is something to compare.
"""
import os
import re
import shutil

from .endtoend import call
from .verdict import Result

IMAGE_VIRT, DIRECT_VIRT = 0xFFFF828000000000, 0xFFFF830000000000  # hypervisor/mm/layout.h
POWER_OFF = b"\x14q"


class Session:
    """One test's calls, in a folder of its own, so that it meets no other machine; all that was printed, in `lines`."""

    def __init__(self, axes, name):
        self.axes, self.lines = axes, []
        self.folder = f"{axes.build}/test-runs/{name}"
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)

    def __call__(self, target, keys=None, **settings):
        status, lines = call(self.axes, target, {"RUNS": self.folder, "SMP": "1", **settings}, keys)
        self.lines += [f"$ {target} {settings}", *lines]
        return status, lines

    def gdb(self, *commands, target="gdb", **settings):
        return self(target, GDB="; ".join(commands), **settings)[1]


def missing(lines, *patterns):
    """A complaint for each pattern that no line matches."""
    for pattern in patterns:
        if not any(re.search(pattern, line) for line in lines):
            yield f"no line matches {pattern}"


def found(pattern, lines):
    """The number in the first line that matches; None without one."""
    match = next(filter(None, (re.search(pattern, line) for line in lines)), None)
    return int(match[1], 0) if match else None


def helpers(session, **settings):
    """domains, frames and pt in the middle of a hypercall of domain 0, beside what Parador knows of itself."""
    lines = session.gdb("break do_sched_op", "continue", "domains", "frames", "frames $cr3 >> 12", "frames 0x100", "print frames_free()",
                        "pt &do_sched_op", "print &do_sched_op", f"pt {DIRECT_VIRT + 0x123456:#x}", "pt &main", "pt 0x1000", "frames 0x10000000000",
                        "pt nowhere", "backtrace", **settings)
    yield from missing(
        lines, r"(^|hit )Breakpoint 1, do_sched_op \(cmd=\d+,.* hypervisor/\S+:\d+",  # its first line may be inlined
        r"^ +0 d0 +alive +\d+ +\d+  0: (?:blocked|runnable|running)(?: on CPU \d+)? in kernel at 0x[0-9a-f]+ \S+, \d+ hypercalls?$",
        r"^ +1 d1 +alive +\d+ +\d+  0: (?:blocked|runnable|running)(?: on CPU \d+)? in kernel at 0x[0-9a-f]+ \S+, \d+ hypercalls?$",
        r"0: running on CPU 0 in kernel at 0x[0-9a-f]+ pv_hypercall_page\+\d+, [1-9]\d* hypercalls?$", r"^ +d0 l4 +1$", r"^ +d1 l4 +1$", r"^ +d1 writable +\d+$", r"^ +parador none +\d+$",
        r"^frame 0x[0-9a-f]+: owner d\d, type l4, type count [1-9]\d*, references [1-9]\d*, validated (pinned )?allocated",
        r"^frame 0x100: owner parador,", rf"^{DIRECT_VIRT + 0x123456:#x} is machine address 0x123456$",
        r"^0xffffffff80[0-9a-f]+ is machine address 0x[0-9a-f]+$", r"^0x1000 is not mapped$", r"^there is no frame 0x10000000000",
        r'^No symbol "nowhere"', r"^#[12] .* syscall_entry \(\)")
    counted, own = found(r"^ +free none +(\d+)$", lines), found(r"^\$1 = (\d+)$", lines)
    if counted != own:
        yield f"frames counts {counted} free frames, Parador {own}"
    machine, virtual = found(r"^0xffff8280\w+ is machine address (0x[0-9a-f]+)$", lines), found(r"(0xffff8280[0-9a-f]+) <do_sched_op>", lines)
    if machine is None or virtual is None or virtual - IMAGE_VIRT != machine:
        yield "pt and the image's place in memory disagree"


def gdb_helpers(session):
    yield from helpers(session)


def gdb_helpers_debug_build(session):
    yield from helpers(session, DEBUG="1")


def gdb_at_reset(session):
    """Where there is nothing to see yet the helpers say so; guests' symbols are there from the start."""
    lines = session.gdb("domains", "frames", "pt 0x100000", "break boot_main", "continue", "domains", "frames", "pt $rip", "break main", "continue")
    yield from missing(lines, r"no 4-level page tables yet", r"not there at this point of the boot", r"(^|hit )Breakpoint 1, boot_main ", r"^no domain yet$",
                       r"^no frame table yet$", r"^0x[0-9a-f]+ is machine address 0x1[0-9a-f]{5}$", r"(^|hit )Breakpoint 2, main \(si=.* at pvkernel/arch/pv/main\.c")


def gdb_beside_runs(session):
    """make gdb meets the machine of a make run, of two the younger and names the other, and both go on."""
    seen, ends = [], []

    def look():
        seen.extend(session.gdb("domains", "print frames_total()"))
        return POWER_OFF

    def second():
        ends.append(session("run", keys=(b"d0> ", look), DOMAINS="1"))
        return POWER_OFF

    ends.append(session("run", keys=(b"d1> ", second), DOMAINS="2"))
    yield from missing(seen, r"^gdb: on the machine of ", r"^gdb: another one runs: target remote ", r"^ +0 d0 +alive .* in (kernel|user) at", r"^\$1 = \d+")
    if any(re.match(r" +1 d1 ", line) for line in seen):
        yield "gdb was on the older machine"
    if any(status or lines[-1:] != ["parador: exit 0"] for status, lines in ends):
        yield "a run did not end well after gdb had looked"


def rewind(session):
    """A recorded run, backwards: to a breakpoint, to the writer of a guest's variable and of one of Parador's, by a step."""
    folder = f"{session.folder}/recording"
    status, lines = session("run", RECORD=folder, SCRIPT="d0: mem; d1: run hello")
    if status:
        yield f"the recording ended with {status}"
    lines = session.gdb(
        "break do_console_io", "continue", "continue", "reverse-continue", "delete 2", "reverse-continue",  # 1 is machine_exit
        "tbreak cmd_run", "continue", "watch front_state", "reverse-continue", "backtrace 1", "delete 4",
        "continue", "watch exit_status", "reverse-continue", "backtrace 2", "reverse-stepi", "print exit_status", target="rewind", RECORD=folder)
    yield from missing(lines, r"^Breakpoint 2$", r"^The beginning of the recording\.$", r"(^|hit )Temporary breakpoint 3, cmd_run ",
                       r"^Watchpoint 4: front_state$", r"^#0 +store_thread .*drivers\.c", r"(^|hit )Breakpoint 1, machine_exit ",
                       r"^Watchpoint 5: exit_status$", r"^before this instruction: -1$", r"^after it: 0$", r"^#0 +set_exit_status ", r"^#1 .* sub_op ",
                       r"^\$1 = -1$")
    with open(f"{session.folder}/{console_of(lines)}", encoding="latin1") as f:
        yield from missing(f.read().splitlines(), r"pages of 4 kB", r"^\[d0\] script: exit 0", r"^parador: d1 ended")


def console_of(lines):
    """The name of the file that the machine's console went into."""
    return next((os.path.basename(line.rpartition(" ")[2]) for line in lines if "console goes into" in line), "none")


TESTS = (gdb_helpers, gdb_helpers_debug_build, gdb_at_reset, gdb_beside_runs, rewind)


def wanted(axes):
    return [t for t in TESTS if not axes.tests or any(name in t.__name__ for name in axes.tests)]


def run(axes, test):
    """Runs one test; its Result and the lines that came."""
    session = Session(axes, test.__name__)
    complaints = list(test(session))
    return Result(test.__name__, "parador", "gdb", "fail" if complaints else "pass", "; ".join(complaints[:3])), session.lines
