# SPDX-License-Identifier: MIT
"""gdb's reverse-continue for QEMU's replay. `make rewind` loads this file beside parador.py.

Going back, QEMU 7.2 stops behind an instruction that wrote what a watchpoint watches, doesn't say that it was one, and stops
behind unaligned stores further up in the same page too (it takes them for longer than they are). gdb's own command
would stop at all of these. This one takes one more step back at each: where no watched value changes by that it goes on.
So it ends before the instruction that changes a value, at a breakpoint, or at the beginning of the recording.
"""
import contextlib
import re

import gdb

WATCHPOINTS = (gdb.BP_WATCHPOINT, gdb.BP_HARDWARE_WATCHPOINT)


def watched():
    """{watchpoint's number: (what it watches, the value now)}; a value that can't be read here is None."""
    values = {}
    for b in gdb.breakpoints():
        if b.type not in WATCHPOINTS or not b.enabled:
            continue
        name = b.expression.replace("-location ", "")
        try:
            values[b.number] = (name, gdb.parse_and_eval(name).format_string())
        except gdb.error:
            values[b.number] = (name, None)
    return values


def monitor(words):
    return gdb.execute(f"monitor {words}", to_string=True)


def at_beginning():
    return bool(re.search(r"count = 0\b", monitor("info replay")))


@contextlib.contextmanager
def silence():
    """gdb does not tell of the stops on the way. (The setting is new in gdb 13; an older one is more talkative.)"""
    with contextlib.suppress(gdb.error):
        gdb.execute("set suppress-cli-notifications on")
    try:
        yield
    finally:
        with contextlib.suppress(gdb.error):
            gdb.execute("set suppress-cli-notifications off")


def back():
    """To QEMU's next stop on the way back; gdb's event of it."""
    stops = []
    note = stops.append
    gdb.events.stop.connect(note)
    gdb.execute("set exec-direction reverse")
    try:
        with silence():
            gdb.execute("continue")
    finally:
        gdb.execute("set exec-direction forward")
        gdb.events.stop.disconnect(note)
    return stops[-1] if stops else None


def changed():
    """Takes one step back; what to say where that changes a watched value."""
    after = watched()
    with silence():
        gdb.execute("reverse-stepi")
    before = watched()
    return [f"Watchpoint {n}: {name}\n\nbefore this instruction: {before[n][1]}\nafter it: {value}"
            for n, (name, value) in after.items() if before[n][1] != value]


class ReverseContinue(gdb.Command):
    """reverse-continue: back to the last change of a watched value, to a breakpoint, or to the beginning."""

    def __init__(self):
        super().__init__("reverse-continue", gdb.COMMAND_RUNNING)

    def invoke(self, argument, from_tty):
        if "shutdown" in monitor("info status"):
            raise gdb.GdbError("the machine is off, and QEMU can't go back from there: make rewind again, and stop earlier")
        if at_beginning():
            raise gdb.GdbError("this is the beginning of the recording")
        told = []
        while not told:
            stop = back()
            if isinstance(stop, gdb.BreakpointEvent):
                told = [f"Breakpoint {', '.join(str(b.number) for b in stop.breakpoints)}"]
            elif at_beginning():
                told = ["The beginning of the recording."]
            elif not watched():
                told = ["Stopped."]
            else:
                told = changed()
        print("\n".join(told))
        gdb.execute("frame")


ReverseContinue()
