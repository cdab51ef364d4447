# SPDX-License-Identifier: MIT
"""make bench: one guest binary, build/bench, on Parador (its release build) and on stock Xen, row by row beside each other.

The unit is guest instructions: under -icount shift=0 one tick of the TSC is one instruction, the same from run to run. The
guest prints a JSON line a row. tests/bench/main.c names its roles as a guest test does: dom0 rows are measured in a domain
0 that is alone, pair rows between two other domains. Goals stand in tests/bench/goals.json.
"""
import json
import os
import re

from . import boot, build, domu, packages, stockxen
from .axes import Trouble, counted
from .machine import ICOUNT, Guard, Machine, arguments, module

GOALS = "tests/bench/goals.json"
NEAR = 1.25
PATIENCE = {"cpu": 600, "idle": 300}
MEM = 512


def goals():
    """{row: (goal as a number, "half" of Xen's, or None; what the row is)} in the file's order."""
    with open(GOALS, encoding="utf-8") as f:
        return {name: (row.get("goal"), row.get("text", "")) for name, row in json.load(f).items()}


def roles():
    with open("tests/bench/main.c", encoding="utf-8") as f:
        found = re.search(r"^ROLE\(([^)]*)\)", f.read(), re.MULTILINE)
    return [r.strip() for r in found[1].split(",")] if found else ["dom0"]


class Rows:
    """Collects the JSON lines of one system; passes each line to `end`, which knows when the machine is done."""

    def __init__(self, end=None):
        self.rows, self.end, self.last = {}, end, ""

    def __call__(self, line):
        found = re.search(r'\{"bench":.*\}', line)
        if found:
            try:
                row = json.loads(found[0])
                self.rows[row["bench"]] = row
            except (ValueError, KeyError):
                print(f"bench: not a row: {line}")
        elif line.strip():
            self.last = line.strip()
        return self.end(line) if self.end else False


def measure(command, rows, system):
    machine = Machine(command, watch=rows, guard=Guard(**PATIENCE), grace=10.0)
    machine.run()
    if machine.hang or not rows.rows:
        print(f"bench: on {system}: {machine.hang or 'no row came'}; the last line was: {rows.last}")


def on_parador(axes, image, wanted):
    found = {}
    plans = {"dom0": [module(image, f"name=d0 mem=128 -- {axes.args}")],
             "pair": [module(f"{axes.build}/tests/guest/idle0", "name=d0 mem=16 --"),
                      module(image, f"name=d1 mem=64 -- peer=2 role=a {axes.args}"),
                      module(image, f"name=d2 mem=64 -- peer=1 role=b {axes.args}")]}
    for role in wanted:
        rows = Rows(boot.parador_watcher())
        measure(arguments(axes, axes.mem or MEM, f"{axes.build}/parador", axes.append, plans[role], ICOUNT), rows, "Parador")
        found.update(rows.rows)
    return found


def on_xen(axes, image, wanted):
    found = {}
    if "dom0" in wanted:
        rows = Rows(stockxen.Watcher())
        measure(stockxen.command(axes, axes.mem or MEM, image, axes.args, options="dom0_mem=128M", extra=ICOUNT), rows, "Xen")
        found.update(rows.rows)
    if "pair" in wanted:
        job = domu.Job("bench.pair", [domu.Guest("d1", image, f"peer={{d2}} role=a {axes.args}"),
                                      domu.Guest("d2", image, f"peer={{d1}} role=b {axes.args}")], limit=600)
        domu.run(axes, [job], icount=True)
        rows = Rows()
        for _, text in job.lines:
            rows(text)
        if not rows.rows:
            print(f"bench: on Xen, the pair: {job.result}")
        found.update(rows.rows)
    return found


def verdict(ours, goal):
    """How a median stands to its goal; empty where one is not known."""
    if ours is None or goal is None:
        return ""
    return "within" if ours <= goal else "near" if ours <= goal * NEAR else "over"


def table(axes, results):
    """Prints the rows of all systems beside each other; counts how they stand to their goals."""
    known, counts = goals(), {"within": 0, "near": 0, "over": 0}
    names = [n for n in known if any(n in r for r in results.values())]
    names += sorted({n for r in results.values() for n in r} - set(known))
    wide = max(map(len, names), default=0) + 1
    print(f"\n{'row':<{wide}}{'parador':>12}{'xen':>12}{'ratio':>8}{'goal':>10}  {'':8}what it is (median, guest instructions)")
    for name in names:
        if axes.tests and not any(t in name for t in axes.tests):
            continue
        ours, theirs = (results.get(s, {}).get(name, {}).get("median") for s in ("parador", "xen"))
        goal, description = known.get(name, (None, ""))
        if goal == "half":
            goal = theirs // 2 if theirs is not None else None
        word = verdict(ours, goal)
        if word:
            counts[word] += 1
        ratio = f"{ours / theirs:.2f}" if ours is not None and theirs else ""
        cells = ["" if c is None else c for c in (ours, theirs)]
        print(f"{name:<{wide}}{cells[0]:>12}{cells[1]:>12}{ratio:>8}{goal if goal is not None else '':>10}  {word:8}{description}")
    print(f"{counted(counts['within'], 'row', 'rows')} within their goal, {counts['near']} within {NEAR} of it, {counts['over']} over")


def main(axes):
    if not os.path.exists("tests/bench/main.c"):
        raise Trouble("tests/bench/main.c is not there yet")
    systems, wanted = axes.on or ["parador", "xen"], roles()
    packages.ensure(packages.needs(axes, systems))
    build.make(axes, "bench-guest", *([f"{axes.build}/parador", f"{axes.build}/tests/guest/idle0"] if "parador" in systems else []))
    results = {}
    for system in systems:
        print(f"bench: measuring on {system}", flush=True)
        results[system] = (on_parador if system == "parador" else on_xen)(axes, f"{axes.build}/bench", wanted)
        with open(f"{axes.build}/bench.{system}.jsonl", "w", encoding="utf-8") as f:
            f.writelines(json.dumps(row) + "\n" for row in results[system].values())
    table(axes, results)
    return 0 if all(results.values()) else 1
