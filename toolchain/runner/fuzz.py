# SPDX-License-Identifier: MIT
"""make fuzz: the guest tests/guest/random_calls, or another random_* one (TEST=), with a few seeds on Parador and on stock Xen.

The guest prints a hash of all results after each epoch of its steps. Where two systems have different ones, that epoch is run again
on both with every step printed, and what differs is shown, with the command that does only that. Seeds: SEEDS=1,2,5-8; an epoch of
one: SEEDS=3/57. On Parador (its debug build, in a machine of 32 MB) the invariant checker runs every 256 steps; that it and the
guest lived to the end is all that is asked of a run on one system. Odd seeds run as domain 0, even ones as an ordinary domain.
"""
import difflib
import errno
import re
import sys

from . import boot, build, documents, domu, packages, stockxen
from .axes import Trouble, counted
from .machine import Guard, Machine, arguments, module

DEFAULT_SEEDS, DEFAULT_STEPS = "1-8", 200000
PARADOR_MB, DOMAIN_MB, IDLE_MB, XEN_MB = 32, 8, 4, 160
# Stock Xen as docs/oracle.md wants it compared: without what Parador leaves out by design.
XEN_OPTIONS = f"dom0_mem={DOMAIN_MB}M,max:{DOMAIN_MB}M dom0_max_vcpus=2 pv-linear-pt=false gnttab=max-ver:1 guest_loglvl=none"
PATIENCE = {"cpu": 300, "idle": 60}
SHOWN = 40  # lines of a difference


class Run:
    """One seed on one system: what the guest said."""

    def __init__(self, system, lines, ended):
        self.system, self.lines = system, lines
        self.passed = ended and any(re.search(r"test: random_\w+: pass", line) for line in lines)
        self.hashes = [(int(m[1]), m[2]) for m in (re.match(r"epoch (\d+): hash (\w+)", line) for line in lines) if m]
        self.steps = [line for line in lines if re.match(r"\d+: ", line)]
        self.calls = self.good = 0
        self.counts = {}  # {number of the call: {errno: how often}}
        for line in lines:
            count, total = re.match(r"count (\d+): (.*)", line), re.match(r"calls (\d+), succeeded (\d+)", line)
            if count:
                self.counts[int(count[1])] = {k: int(n) for k, n in (word.split("=") for word in count[2].split())}
            if total:
                self.calls, self.good = int(total[1]), int(total[2])


def role(seed):
    return "dom0" if seed % 2 else "domU"


def on_console(command, watcher, progress):
    """One boot, its lines as they come to `progress`; the lines."""
    lines = []

    def take(line):
        lines.append(line.strip().removeprefix("[d1] "))
        progress(lines[-1])
        return watcher(line)

    machine = Machine(command, watch=take, guard=Guard(**PATIENCE), grace=5.0)
    machine.run()
    if machine.hang:
        lines.append(f"the machine hangs: {machine.hang}")
    return lines, not machine.hang


def on_parador(axes, guest, words, seed, progress):
    domain = module(guest, f"name=d{role(seed) != 'dom0':d} mem={DOMAIN_MB} vcpus=2 -- {words}")
    idle = module(f"{axes.build}/tests/guest/idle0", f"name=d0 mem={IDLE_MB} --")
    modules = [domain] if role(seed) == "dom0" else [idle, domain]
    watcher = boot.parador_watcher()
    lines, ended = on_console(arguments(axes, axes.mem or PARADOR_MB, f"{axes.build}/parador-debug", axes.append, modules), watcher, progress)
    checked = any("parador: check: ok" in line for line in lines) and not any("check: FAILED" in line for line in lines)
    return Run("parador", lines, ended and checked and watcher.status == 0)


def on_xen(axes, guest, words, seed, progress):
    if role(seed) == "domU":
        job = domu.Job("fuzz.domU", [domu.Guest("d1", guest, words, mb=DOMAIN_MB, vcpus=2)], limit=600)
        domu.run(axes, [job], hear=progress, options="pv-linear-pt=false gnttab=max-ver:1 guest_loglvl=none")
        return Run("xen", [text.strip() for _, text in job.lines], job.result == "ok")
    watcher = stockxen.Watcher()
    lines, ended = on_console(stockxen.command(axes, XEN_MB, guest, words, options=XEN_OPTIONS), watcher, progress)
    return Run("xen", lines, ended and watcher.ended)


def one(axes, system, name, seed, steps, more="", progress=lambda line: None):
    guest = f"{axes.build}/tests/guest/{name}"
    words = f"seed={seed} steps={steps} {more}".strip()
    return (on_parador if system == "parador" else on_xen)(axes, guest, words, seed, progress)


def first_difference(runs):
    """The first epoch, of those that ran, that two systems do not have alike; None where there is none."""
    one_run, other = runs
    for n, (left, right) in enumerate(zip(one_run.hashes, other.hashes)):
        if left != right:
            return n
    return None if len(one_run.hashes) == len(other.hashes) else min(len(one_run.hashes), len(other.hashes))


def differences(axes, systems, name, seed, epoch):
    """The lines of that epoch that differ: run alone, or, where that does not show it, behind all others; and how it was run."""
    for how in ("only", "behind all others"):
        steps = (epoch + 1) * epoch_steps()
        runs = [one(axes, system, name, seed, steps, f"epoch={epoch}" + (f" only={epoch}" if how == "only" else "")) for system in systems]
        diff = [line for line in difflib.unified_diff(*(run.steps for run in runs), *systems, lineterm="", n=0) if not line.startswith("@@")]
        if diff:
            return diff, how
    return ["(no line of it does when its steps are printed)"], how


def epoch_steps():
    return int(re.search(r"#define RANDOM_EPOCH (\d+)", documents.text("tests/guest/random.h"))[1])


def compare(axes, systems, name, seed, steps, only=None):
    """One seed on all systems; complaints, and the runs."""
    more = f"only={only}" if only is not None else ""
    runs = [one(axes, system, name, seed, steps, more, Progress(system, seed, steps)) for system in systems]
    complaints = [f"seed {seed} on {run.system}: did not come to its end:\n" + "\n".join(told(run)) for run in runs if not run.passed]
    if len(runs) < 2:
        return complaints, runs
    epoch = first_difference(runs)
    if epoch is not None:
        epoch += only or 0
        diff, how = differences(axes, systems, name, seed, epoch)
        again = f"SEEDS={seed}/{epoch}" if how == "only" else f"SEEDS={seed} STEPS={(epoch + 1) * epoch_steps()}"
        complaints.append(f"seed {seed}: epoch {epoch} differs:\n" + "\n".join(diff[:SHOWN]) +
                          f"\nthat again: make fuzz ON={','.join(systems)} {again}" + (f" TEST={name}" if name != "random_calls" else ""))
    return complaints, runs


def told(run):
    """The last lines of a run that went wrong."""
    wrong = [line for line in run.lines if re.search(r"\b(fail|error|crashed|check:|hangs|panic)\b", line, re.IGNORECASE)]
    return (wrong or run.lines)[-8:]


class Progress:
    """A line on stderr now and then that says how far a run is."""

    def __init__(self, system, seed, steps):
        self.system, self.seed, self.steps, self.said = system, seed, steps, 0

    def __call__(self, line):
        at = re.match(r"epoch \d+: hash \w+ at step (\d+)", line)
        if at and int(at[1]) - self.said >= self.steps / 10 and int(at[1]) >= 10000:
            self.said = int(at[1])
            print(f"      {self.system}: seed {self.seed}, step {self.said} of {self.steps}", file=sys.stderr, flush=True)


def call_names(axes):
    """{number: name} of the ABI's hypercalls."""
    header = documents.text(f"{axes.build}/include/xen/xen.h")
    return {int(m[2]): m[1] for m in re.finditer(r"^#define __HYPERVISOR_(\w+)\s+(\d+)\b", header, re.MULTILINE)}


def histogram(axes, runs):
    """Lines: calls by errno, of all runs together."""
    total = {}
    for run in runs:
        for nr, counts in run.counts.items():
            for what, n in counts.items():
                total.setdefault(nr, {})[what] = total.get(nr, {}).get(what, 0) + n
    names = call_names(axes)
    for nr, counts in sorted(total.items()):
        words = [f"{error_name(what)} {n}" for what, n in sorted(counts.items(), key=lambda item: -item[1])]
        yield f"  {names.get(nr, f'{nr}: no such call'):<30} {sum(counts.values()):>8}: " + ", ".join(words)


def error_name(what):
    if what == "0":
        return "ok"
    if what.startswith("s"):
        return "too few" if what == "s30" else f"status -{what[1:]}"
    return errno.errorcode.get(int(what), what)


def seeds(text):
    """[(seed, epoch or None)]"""
    found = []
    for word in re.split(r"[,\s]+", text):
        match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9})|/(\d{1,9}))?", word)
        if not match or match[2] and not int(match[1]) <= int(match[2]) <= int(match[1]) + 1000:
            raise Trouble(f"SEEDS={text}: numbers expected, such as 1,2,5-8, or an epoch of one, such as 3/57")
        found += [(n, None) for n in range(int(match[1]), int(match[2]) + 1)] if match[2] else [(int(match[1]), int(match[3]) if match[3] else None)]
    return found


def main(axes):
    wanted = seeds(axes.text("SEEDS", DEFAULT_SEEDS))
    steps = axes.number("STEPS", DEFAULT_STEPS, 1, 10 ** 9)
    names = axes.tests or ["random_calls"]
    systems = axes.on or ["parador"]
    packages.ensure(packages.needs(axes, systems))
    if "xen" in systems:
        stockxen.image(axes)
    build.make(axes, f"{axes.build}/parador-debug", f"{axes.build}/tests/guest/idle0", *(f"{axes.build}/tests/guest/{name}" for name in names))
    bad = 0
    for name in names:
        ours = []
        for seed, only in wanted:
            complaints, runs = compare(axes, systems, name, seed, steps if only is None else (only + 1) * epoch_steps(), only)
            share = ", ".join(f"{run.system}: {run.calls} calls, {run.good * 100 // max(run.calls, 1)} % succeeded" for run in runs)
            alike = ", alike" if len(runs) > 1 and not complaints else ""
            print(f"{'fail' if complaints else 'pass'}  seed {seed} ({role(seed)}): {share}{alike}", flush=True)
            for complaint in complaints:
                print("        " + complaint.replace("\n", "\n        "), flush=True)
            bad += bool(complaints)
            ours.append(runs[0])
        if any(run.calls for run in ours):
            print(f"\nOn {ours[0].system}, {counted(len(ours), 'seed', 'seeds')}, by call and errno:")
            print("\n".join(histogram(axes, ours)))
            calls, good = sum(run.calls for run in ours), sum(run.good for run in ours)
            print(f"{calls} calls, {good * 100 // max(calls, 1)} % succeeded")
    return 1 if bad else 0
