# SPDX-License-Identifier: MIT
"""make bench: one guest binary, build/bench, on Parador (its release build) and on stock Xen, row by row beside each other.

The unit is guest instructions: under -icount shift=0 one tick of the TSC is one instruction, the same from run to run; the
guest refuses to print figures where 1000 nops do not cost 1000. It prints a JSON line a row. tests/bench/main.c names its roles
as a guest test does: dom0 rows are measured in a domain 0 that is alone, pair rows between two other domains.

In the same run QEMU's plugin build/count.so (toolchain/plugin/) counts the expensive instructions of each row; it changes no figure.
Two more runs follow: one of a few rows on machines of other sizes, and one without -icount for the rough column of
nanoseconds. All goes into build/bench.SYSTEM.jsonl. Read next: runner/benchtable.py, which prints it, runner/plot.py.
"""
import json
import os
import re
import subprocess

from . import benchtable, boot, build, domu, packages, plot, stockbench, stockxen
from .axes import Trouble
from .machine import ICOUNT, Guard, Machine, arguments, module

PATIENCE = {"cpu": 600, "idle": 300}
MEM = 512
SIZES = {128: 32, 512: 128, 4096: 128}  # MB of the machines whose hypervisor_memory is asked, and of their domain 0


def roles():
    with open("tests/bench/main.c", encoding="utf-8") as f:
        found = re.search(r"^ROLE\(([^)]*)\)", f.read(), re.MULTILINE)
    return [r.strip() for r in found[1].split(",")] if found else ["dom0"]


class Rows:
    """Collects the JSON lines of one run, in order; passes each line to `end`, which knows when the machine is done."""

    def __init__(self, end=None):
        self.rows, self.end, self.last, self.refusal = [], end, "", None

    def __call__(self, line):
        found = re.search(r'\{"bench":.*\}', line)
        if found:
            try:
                self.rows.append(json.loads(found[0]))
            except ValueError:
                print(f"bench: not a row: {line}")
        elif line.strip():
            self.last = line.strip()
        if "bench: 1000 nops" in line:
            self.refusal = line.strip()
        return self.end(line) if self.end else False


def watch(command, rows, system, say, grace=0.0):
    machine = Machine(command, watch=rows, guard=Guard(**PATIENCE), grace=grace)
    machine.run()
    if machine.hang or not rows.rows:
        say(rows.refusal or f"bench: on {system}: {machine.hang or 'no row came'}; the last line was: {rows.last}")
    return rows.rows


def on_parador(axes, role, words, extra, megabytes, say=print):
    image = f"{axes.build}/bench"
    plans = {"dom0": [module(image, f"name=d0 mem={SIZES.get(megabytes, 128)} -- {words}")],
             "pair": [module(f"{axes.build}/tests/guest/idle0", "name=d0 mem=16 --"),
                      module(image, f"name=d1 mem=64 -- peer=2 role=a {words}"),
                      module(image, f"name=d2 mem=64 -- peer=1 role=b {words}")]}
    command = arguments(axes, megabytes, f"{axes.build}/parador", axes.append, plans[role], extra)
    return watch(command, Rows(boot.parador_watcher()), "Parador", say, grace=10.0)


def on_xen(axes, role, words, extra, megabytes, say=print):
    image = f"{axes.build}/bench"
    if role == "dom0":
        options = f"dom0_mem={SIZES.get(megabytes, 128)}M bootscrub=off"
        command = stockxen.command(axes, megabytes, image, words, options=options, extra=extra)
        return watch(command, Rows(stockxen.Watcher()), "Xen", say)
    job = domu.Job("bench.pair", [domu.Guest("d1", image, f"peer={{d2}} role=a {words}"),
                                  domu.Guest("d2", image, f"peer={{d1}} role=b {words}")], limit=600)
    domu.run(axes, [job], extra=extra)
    rows = Rows()
    for _, text in job.lines:
        rows(text)
    if not rows.rows:
        say(rows.refusal or f"bench: on Xen, the pair: {job.result}")
    return rows.rows


RUN = {"parador": on_parador, "xen": on_xen}


def has_plugins():
    """Whether this QEMU was built with TCG plugins (Debian's is)."""
    done = subprocess.run(["qemu-system-x86_64", "-help"], capture_output=True, text=True, check=False)
    return "-plugin" in done.stdout


def add_counts(rows, path):
    """Gives each measured row its line of the plugin's file: both are in the order of the guest's rows."""
    with open(path, encoding="utf-8") as f:
        counts = [json.loads(line) for line in f]
    measured = [row for row in rows if "per" in row]
    if [row["n"] for row in measured] != [count.pop("n") for count in counts]:
        print("bench: the trace does not fit the rows, so no expensive instructions are shown")
        return
    for row, count in zip(measured, counts):
        row["expensive"] = count


def in_instructions(axes, system, role, megabytes):
    """The rows of one role, with their expensive instructions where QEMU can count them."""
    if not has_plugins():
        print("bench: this QEMU loads no plugins: no expensive instructions are shown")
        return RUN[system](axes, role, axes.args, ICOUNT, megabytes)
    with boot.Folder(axes) as folder:
        trace = folder.write("trace", b"")
        rows = RUN[system](axes, role, axes.args, [*ICOUNT, "-plugin", f"file={axes.build}/count.so,out={trace}"], megabytes)
        add_counts(rows, trace)
        return rows


def memory(axes, system, megabytes):
    """hypervisor_memory on one machine, named after the machine's size."""
    rows = RUN[system](axes, "dom0", "rows=hypervisor_memory", ICOUNT, megabytes)
    return [dict(row, bench=f"hypervisor_memory_{megabytes}") for row in rows]


def measure(axes, system):
    """{row: what is known of it} on one system."""
    size, wanted = axes.mem or MEM, roles()
    found = [row for role in wanted for row in in_instructions(axes, system, role, size)]
    rows = {row["bench"]: row for row in found}
    own = rows.pop("hypervisor_memory", None)
    if own:
        rows[f"hypervisor_memory_{size}"] = dict(own, bench=f"hypervisor_memory_{size}")
        rows.update((row["bench"], row) for megabytes in SIZES if megabytes != size for row in memory(axes, system, megabytes))
    for row in (row for role in wanted for row in RUN[system](axes, role, f"unit=ns {axes.args}", [], size)):
        if row["unit"] == "ns" and row["bench"] in rows:
            rows[row["bench"]]["ns"] = row["median"]
    return rows


def main(axes):
    if axes.stock:
        return stockbench.main(axes)
    if not os.path.exists("tests/bench/main.c"):
        raise Trouble("tests/bench/main.c is not there yet")
    if axes.accel == "kvm":
        raise Trouble("ACCEL=kvm: the bench counts instructions, which only ACCEL=tcg does")
    systems = axes.on or ["parador", "xen"]
    packages.ensure(packages.needs(axes, systems))
    hypervisor = [f"{axes.build}/parador", f"{axes.build}/tests/guest/idle0"] if "parador" in systems else []
    build.make(axes, "bench-guest", f"{axes.build}/count.so", *hypervisor)
    results = {}
    for system in systems:
        print(f"bench: measuring on {system}", flush=True)
        results[system] = measure(axes, system)
        with open(f"{axes.build}/bench.{system}.jsonl", "w", encoding="utf-8") as f:
            f.writelines(json.dumps(row) + "\n" for row in results[system].values())
    benchtable.show(axes, results)
    if axes.plot:
        plot.draw(axes, results)
    return 0 if all(results.values()) else 1
