# SPDX-License-Identifier: MIT
"""A hostile guest (tests/hostile) beside a well-behaved one, both started by domain 0's `xl create`, as cases of runner/endtoend.py.

Domain 1 sums its disk again and again while the others attack domain 0's services: `disk` its block backend and console, `store` its
xenstore, each by a printed list. A command to a hostile domain (`d2: round`) is over when it has gone through the list, and
fails if something was not met as it should be. So what is asserted is progress, not seconds: the attackers get on and the
others do too; the sums are the host's; domain 0's shell answers; and what was destroyed leaves nothing.

The long form, HOSTILE=1: a million requests and events in each flood, on two CPUs.
"""
import os
import re

from .xltests import same_figures, script

ENDS = 7  # ways of xenstore attackers to end their connection (store_end in tests/hostile/store.c)
GONE = "xl list disk"  # the one command that shall fail
HOARD = 1200  # pages of domain 0, at most, that one domain can make its xenstore hold
LONG = os.environ.get("HOSTILE") == "1"
FLOOD = 1000000 if LONG else 2000


def evil(name, words):
    return f"xl create {name} hostile mem=8 -- flood={FLOOD} {words}"


def commands(parador):
    """Two attack at once; then one after the other ends its connection to xenstore. On Xen a domain's lines are seen at its console."""
    watch = [] if parador else ["xl console web &"]
    figures = ["check", "domains"] if parador else []
    yield from ("xl create web", *watch, evil("warm1", "disk"), evil("warm2", "store"), "d2: round", "d3: round", "xl destroy warm1", "xl destroy warm2", *figures)
    yield from (evil("disk", "disk"), evil("store", "store"), "d1: sum xvda", "ps", "d4: round", "d1: sum xvda", "d5: round", "xl list",
                "d1: sum xvda", "d4: round", "ring", "xl destroy store", "xl destroy disk")
    for i in range(ENDS):
        if i == ENDS - 1:
            yield "mem"
        yield from (evil(f"end{i}", f"store end={i}"), f"d{6 + i}: now", "sleep 1", f"d1: sum xvda", f"xl list end{i}", *(["mem"] if i == ENDS - 1 else []), f"xl destroy end{i}")
    yield from ("mem", "d1: sum xvda", *figures, "xl list", GONE)


def check_of(summed, parador):
    def check(lines):
        sums = [m[1] for m in (re.search(r"(?:^| )(\d+ \d+) xvda$", line) for line in lines) if m]
        wrong = [line for line in lines if re.search(r"hostile: fail|a watch event for|no memory for|panic|script: (domain|there|status)", line) and not line.endswith(GONE)]
        if wrong:
            return wrong[0]
        if sums != [summed] * (4 + ENDS):
            return f"sums {sums}, not {4 + ENDS} of {summed}"
        used = [int(m[1]) for m in (re.match(r"(?:\[d0\] )?\d+ pages of 4 kB, \d+ free, (\d+) used", line) for line in lines) if m]
        if len(used) != 3 or not used[0] + 50 < used[1] < used[0] + HOARD or used[2] > used[0] + 50:
            return f"pages that domain 0 used before, while and after one domain hoarded: {used}"
        return same_figures(4 + ENDS)(lines) if parador else ""
    return check


def cases(case, files, cksum):
    """The cases; `case` is endtoend.Case, `files` its Files."""
    disk = files.noise("hostile disk", 1 << 20)
    common = [r"^(\[d0\] )?disk +4 +8 ", r"^(\[d0\] )?store +5 +8 ", r"^(\[d0\] )?end5 +11 +8 ", r"xenstore: domain \d+ broke the protocol", r"xl: disk: there is no such domain"]
    told = [r"hostile: \d+ attacks on disk and console", r"hostile: \d+ attacks on xenstore", *(rf"hostile: xenstore: {what}" for what in (
        "req_prod is wild", "rsp_cons is wild", "a message of 4097", "a message of 2", "half a message", "random contents", "all that is allowed"))]
    for system, boot in (("parador", {"DOMAINS": "1", "DEBUG": "1"}), ("xen", {"ON": "xen"})):
        parador = system == "parador"
        settings = {"DISK": disk, "FILES": files.hostile, "SMP": "2" if LONG else "1", "SCRIPT": script(*commands(parador)), **boot}
        yield case(f"hostile_on_{system}", settings, 1, common + told if parador else common, system=system, check=check_of(cksum(disk), parador))
    yield case("hostile_console", {"FILES": files.hostile, "DOMAINS": "1"}, 0, [r"deaf +1 +8 "],
               keys=(b"more: cat motd", b"xl create deaf hostile mem=8 -- deaf\rxl console deaf\r", b"(console of deaf", b"a key, or two\x1d", b"deaf goes on", b"xl list\rpoweroff\r"))
