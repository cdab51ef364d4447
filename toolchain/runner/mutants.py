# SPDX-License-Identifier: MIT
"""make mutants: Parador with seeded faults (runner/mutanttable.py), one at a time; each must make a test fail.

Everything happens in a copy of the tree, build/mutants/tree, with a build folder of its own: what one mutant doesn't touch
is built once. Each of the tests runs on the unchanged copy first, for a test that fails anyway proves nothing. A test that hangs is
ended when it has been silent for some seconds of processor time (the unchanged copy's has the same limit). The last line counts; exit status 1 if a
fault went unnoticed, or no longer applies.
"""
import collections
import contextlib
import io
import os
import re
import shutil
import subprocess
import time

from . import build, documents, packages, tests
from .axes import Axes, Trouble, counted
from .mutanttable import MUTANTS

PATIENCE = {"cpu": 20, "idle": 15}  # see tests.PATIENCE
COPIED = ("hypervisor", "libpv", "drivers", "ring", "pvkernel", "tests", "toolchain")
# What of a test's log tells why it failed.
TELLS = re.compile(r"\bfail:|\berror:|\bBUG\b|panic|crash|does not hold|Sanitizer|not ok|^tests/\S+:\d+: |parador: .*trap")
DULL = re.compile(r"expect: crash")


def copy_tree(folder):
    """The tree's sources, where they differ from what a former run has left; whatever is gone there goes."""
    for name in [*COPIED, "Makefile", "docs"]:
        for path in [name] if os.path.isfile(name) else [f"{top}/{f}" for top, _, files in os.walk(name) for f in files]:
            there = f"{folder}/{path}"
            if os.path.exists(there) and same_contents(path, there) or "__pycache__" in path:
                continue
            os.makedirs(os.path.dirname(there), exist_ok=True)
            shutil.copy(path, there)
    for top, _, files in os.walk(folder):
        for path in (os.path.relpath(f"{top}/{f}", folder) for f in files):
            if path.startswith(tuple(f"{c}/" for c in COPIED)) and not os.path.exists(path):
                os.remove(f"{folder}/{path}")


def same_contents(one, other):
    with open(one, "rb") as a, open(other, "rb") as b:
        return a.read() == b.read()


class Listener(tests.Report):
    """The results of a test, without a word, and the consoles."""

    def __init__(self, axes):
        super().__init__(axes)
        self.logs = []

    def add(self, result, log=None):
        with contextlib.redirect_stdout(io.StringIO()):
            super().add(result, log)
        self.logs.append((result, log or []))

    def failed(self):
        """Why a test failed, as one line; None where none did."""
        for result, log in self.logs:
            if not result.good:
                told = [line.strip() for line in log if TELLS.search(line) and not DULL.search(line)]
                return result.detail if result.detail.startswith("parador:") else (told or [result.detail or result.verdict])[0]
        return None


def needed(axes, names):
    """The files that tests are made of."""
    hosts = [f"{axes.build}/host/{n.removeprefix('host/')}" for n in names if n.startswith("host/")]
    guests = [f"{axes.build}/tests/guest/{n}" for n in names if not n.startswith("host/")]
    if guests:
        guests += ["user", f"{axes.build}/pvkernel", f"{axes.build}/guest", f"{axes.build}/tests/guest/idle0", tests.boot.parador_image(axes)]
    return hosts + guests


def made(axes, names):
    """Builds what the tests are made of; says why where that fails."""
    done = subprocess.run(**build.command(axes, f"-j{os.cpu_count() or 1}", *needed(axes, names)), capture_output=True, text=True)
    for line in done.stderr.splitlines()[-10:] if done.returncode else []:
        print(f"        {line}")
    return done.returncode == 0


def axes_for(axes, mutant):
    """The axes of a mutant's tests: in the copy everything lands in build/."""
    return Axes("test", {**axes.environment, "B": "build", "TEST": "", **mutant.settings})


def run_test(axes, name):
    """Runs one test here; why it failed, or None, and whether it passed (and was not skipped)."""
    report = Listener(axes)
    if name.startswith("host/"):
        tests.run_host_tests(axes, [name.removeprefix("host/")], report)
    else:
        for role in tests.guest_tests([name])[name]:
            tests.test_on_parador(axes, name, role, report)
            if report.failed():
                break
    return report.failed(), all(result.verdict == "pass" for result, _ in report.logs)


def unchanged(axes, mutant, test, known):
    """Whether a test passes where nothing is wrong; told once."""
    key = (test, *sorted(mutant.settings.items()))
    if key not in known:
        its = axes_for(axes, mutant)
        if not made(its, [test]):
            raise Trouble(f"{test} does not build without a fault")
        why, known[key] = run_test(its, test)
        if not known[key]:
            print(f"TEST    {test} does not pass without a fault: {why or 'it is skipped'}", flush=True)
    return known[key]


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def try_mutant(axes, mutant, known):
    """(the word, what to say) of one mutant, in the copy."""
    wrong = list(mutant.wrong())
    if wrong:
        return "BROKEN", wrong[0]
    usable = [test for test in mutant.tests if unchanged(axes, mutant, test, known)]
    kept = {path: documents.text(path) for path, _, _ in mutant.edits}
    its = axes_for(axes, mutant)
    try:
        for path, text, instead in mutant.edits:
            write(path, documents.text(path).replace(text, instead))
        if not made(its, usable):
            return "BROKEN", f"mutant {mutant.name} does not build"
        for test in usable:
            why, _ = run_test(its, test)
            if why:
                return "caught", f"{mutant.name} by {test}: {why[:150]}"
    finally:
        for path, text in kept.items():
            write(path, text)
    return "ALIVE", f"{mutant.name} ({', '.join(usable) or 'no test'}): {mutant.fault}"


def main(axes):
    chosen = [m for m in MUTANTS if not axes.tests or any(t in m.name for t in axes.tests)]
    if not chosen:
        raise Trouble(f"TEST={axes.text('TEST')}: part of one of {', '.join(m.name for m in MUTANTS)} expected")
    packages.ensure(packages.needs(axes, ["parador"]))
    folder = f"{axes.build}/mutants/tree"
    copy_tree(folder)
    os.chdir(folder)
    tests.PATIENCE = PATIENCE
    counts, known = collections.Counter(), {}
    for mutant in chosen:
        began = time.monotonic()
        word, line = try_mutant(axes, mutant, known)
        counts[word] += 1
        print(f"{word:7} {line} ({time.monotonic() - began:.0f} s)", flush=True)
    bad = len(chosen) - counts["caught"]
    print(f"{counted(counts['caught'], 'mutant', 'mutants')} caught, {counts['ALIVE']} alive, {counts['BROKEN']} broken")
    print(f"{counts['caught']} passed, {bad} failed")
    return 1 if bad else 0
