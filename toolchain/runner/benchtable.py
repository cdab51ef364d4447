# SPDX-License-Identifier: MIT
"""The table that make bench prints: each row on Parador and on Xen, its goal, and the expensive instructions of both.

Goals, and what was recorded of Xen, stand in tests/bench/goals.json: "goal" is a number, or "half" of Xen's median; "expensive"
are Xen's counts of one sample. Where Xen was not measured in this run, the recorded figures stand in brackets. A row that uses more
of any expensive kind than Xen is flagged: an instruction count charges them one each, so it would be cheating.
"""
import json

from .axes import Trouble, counted

GOALS = "tests/bench/goals.json"
NEAR = 1.25
WITHIN, CLOSE, OVER = "within", f"<={NEAR}", "OVER"
WAYS = ("trap", "call", "multicall", "batch", "store")  # of the rows entry_WAY_N, see tests/bench/plot.c


def goals():
    """{row: its entry} in the file's order."""
    with open(GOALS, encoding="utf-8") as f:
        return json.load(f)


def goal_of(entry, theirs):
    """The goal as a number; None where there is none, or where it is half of what is not known."""
    goal = entry.get("goal")
    if goal == "half":
        return theirs // 2 if theirs is not None else None
    return goal


def verdict(ours, goal):
    """How a median stands to its goal; empty where one is not known."""
    if ours is None or goal is None:
        return ""
    return WITHIN if ours <= goal else CLOSE if ours <= goal * NEAR else OVER


def more(ours, theirs):
    """The kinds of expensive instruction of which `ours` has more than `theirs`; none where either is not known. A write of CR3
    flushes what INVLPG does and all the rest: one of Xen's that Parador saved pays for an INVLPG of Parador's."""
    if ours is None or theirs is None:
        return []
    allowed = dict(theirs, invlpg=theirs.get("invlpg", 0) + max(0, theirs.get("cr3", 0) - ours["cr3"]))
    return [kind for kind in ours if ours[kind] > allowed.get(kind, 0)]


def counts(expensive, per):
    """Counts for one entry, as text: "lock 4 invlpg 1"; a dash where there are none."""
    if expensive is None:
        return ""
    return " ".join(f"{kind} {f'{n / per:.2f}'.rstrip('0').rstrip('.')}" for kind, n in expensive.items() if n) or "-"


class Line:
    """One row of both systems: what was measured of it, or was recorded of Xen."""

    def __init__(self, name, entry, results):
        self.name, self.text = name, entry.get("text", "")
        self.ours, xen = (results.get(system, {}).get(name) for system in ("parador", "xen"))
        self.ours = self.ours or {}
        self.measured = xen is not None
        self.xen = xen or {"median": entry.get("xen"), "expensive": entry.get("expensive")}
        self.per = self.ours.get("per") or self.xen.get("per") or 1
        self.goal = goal_of(entry, self.xen.get("median"))
        self.verdict = verdict(self.ours.get("median"), self.goal)
        self.more = more(self.ours.get("expensive"), self.xen.get("expensive"))

    def __str__(self):
        ours, theirs = self.ours.get("median"), self.xen.get("median")
        ratio = f"{ours / theirs:.2f}" if ours is not None and theirs else ""
        median = "" if theirs is None else theirs if self.measured else f"({theirs})"
        cells = [self.ours.get(key, "") for key in ("min", "median", "p99", "n")]
        rough = [r.get("ns", "") for r in (self.ours, self.xen)]
        dear = " | ".join(counts(r.get("expensive"), self.per) for r in (self.ours, self.xen))
        flag = f" MORE {', '.join(self.more)}" if self.more else ""
        numbers = (f"{cells[0]:>9}{cells[1]:>10}{cells[2]:>9}{cells[3]:>5}{median:>13}{ratio:>6}"
                   f"{'' if self.goal is None else self.goal:>10} {self.verdict:<7}{rough[0]:>8}{rough[1]:>8}")
        return f"{numbers}  {dear}{flag}"


HEAD = f"{'min':>9}{'median':>10}{'p99':>9}{'n':>5}{'Xen':>13}{'ratio':>6}{'goal':>10} {'':<7}{'ns':>8}{'Xen ns':>8}  expensive: Parador | Xen"


def lines(results):
    """The Lines of all rows but the plot's, in the order of goals.json."""
    known = goals()
    seen = {name: None for rows in results.values() for name in rows if not name.startswith("entry_")}
    names = [n for n in known if n in seen] + [n for n in seen if n not in known]
    return [Line(name, known.get(name, {}), results) for name in names]


def entries(results):
    """The rows of the plot, as a table of its own: the cost of a page-table entry over the batch size."""
    systems = [s for s in ("parador", "xen") if any(n.startswith("entry_") for n in results.get(s, {}))]
    if not systems:
        return
    print("\none page-table entry, by trap and by hypercall, over the batch size (median, guest instructions; docs/bench.md)")
    print(f"{'entries':>8}" + "".join(f"{way + ' ' + system:>19}" for way in WAYS for system in systems))
    for size in (1 << n for n in range(10)):
        cells = [results[s].get(f"entry_{way}_{size}", {}).get("median", "") for way in WAYS for s in systems]
        print(f"{size:>8}" + "".join(f"{cell:>19}" for cell in cells))


def show(axes, results):
    """Prints the rows (with TEST=, those whose name contains it), and how many stand how to their goals."""
    rows = [line for line in lines(results) if not axes.tests or any(t in line.name for t in axes.tests)]
    if axes.tests and not rows:
        raise Trouble(f"TEST={','.join(axes.tests)}: part of the name of a row expected, such as null_hypercall; make bench alone shows all")
    wide = max([len(line.name) for line in rows] + [3])
    print(f"\nguest instructions; ns: rough, on this machine's TCG; expensive: instructions of one entry\n{'row':<{wide}}{HEAD}")
    for line in rows:
        print(f"{line.name:<{wide}}{line}")
    if not axes.tests:
        entries(results)
    verdicts = [line.verdict for line in rows]
    print(f"\n{counted(verdicts.count(WITHIN), 'row', 'rows')} within their goal, {verdicts.count(CLOSE)} within {NEAR} of it, {verdicts.count(OVER)} over")
    cheats = [line.name for line in rows if line.more]
    known = sum(bool(line.ours.get("expensive") is not None and line.xen.get("expensive") is not None) for line in rows)
    print(f"{len(cheats)} of {known} rows use more of an expensive instruction than Xen" + (": " + ", ".join(cheats) if cheats else ""))
