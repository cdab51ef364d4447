# SPDX-License-Identifier: MIT
"""make fuzz-host, and the short form of it in make test: the libFuzzer targets of tests/fuzz/ (tests/fuzz/fuzz.h says what they are).

make test gives each target its corpus and RUNS inputs made of it: always the same ones, as far as the addresses of a process may be held
still here (libFuzzer learns from compared values, and some are addresses). make fuzz-host MINUTES=n gives all together n
minutes, as many at once as there are processors; what they learn is kept in build/fuzz/corpus/ for the next time, and an input that
fails in build/fuzz/.
"""
import glob
import os
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

from . import build, packages
from .axes import Trouble, counted
from .verdict import Result

RUNS = 20000
HANG = 60  # seconds of one input, for make fuzz-host alone: make test has no limits of time


def targets(filters):
    """The names of tests/fuzz, those that contain one of the filters."""
    names = [os.path.basename(p)[:-len("_fuzz.c")] for p in sorted(glob.glob("tests/fuzz/*_fuzz.c"))]
    return [n for n in names if not filters or any(f in f"{n}_fuzz" for f in filters)]


def wanted(axes):
    """The targets that make test runs: all that were named, or none, with a line, where clang's fuzzer can't be had."""
    names = targets(axes.tests)
    missing = packages.missing({"fuzz"})
    if names and missing:
        print(f"test: no fuzzing here: {', '.join(missing)} missing")
        return []
    return names


def steady():
    """What goes before a command whose addresses are to be the same at each run; nothing where that may not be had."""
    prefix = ["setarch", "-R"]
    return prefix if shutil.which("setarch") and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0 else []


class Run:
    """One run of a target: what came of it."""

    processes = []  # to be ended when we are

    def __init__(self, axes, name, *options, prefix=()):
        program, folder = f"{axes.build}/fuzz/{name}", f"{axes.build}/fuzz"
        command = [*prefix, program, f"-artifact_prefix={folder}/{name}-", "-print_final_stats=1", *options, f"tests/fuzz/corpus/{name}"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        self.processes.append(process)
        output = process.communicate()[0]
        self.lines = output.splitlines()
        self.inputs = self.number(r"stat::number_of_executed_units: *(\d+)")
        edges, most = self.number(r" cov: (\d+)"), self.number(r"(\d+) inline 8-bit counters")
        self.edges = f"{edges} of {most} edges"
        self.good = process.returncode == 0 and self.inputs > 0
        file = re.findall(r"Test unit written to (\S+)", output)
        told = re.findall(r"^(\S+:\d+: does not hold: .*|.*runtime error: .*|SUMMARY: .*)$", output, re.MULTILINE)
        self.trouble = None if self.good else (told or [f"ended with status {process.returncode}"])[0]
        if file:
            self.trouble += f"; shown again by: {program} {file[-1]}"

    def number(self, pattern):
        return int((re.findall(pattern, "\n".join(self.lines)) or [0])[-1])


def run(axes, name):
    """For make test: a fixed number of inputs; its Result and what the target printed."""
    with tempfile.TemporaryDirectory(dir=f"{axes.build}/fuzz") as learned:
        done = Run(axes, name, "-seed=1", f"-runs={RUNS}", learned, prefix=steady())
    return Result(f"{name}_fuzz", "host", "", "pass" if done.good else "fail", done.trouble or f"{done.inputs} inputs, {done.edges}"), done.lines


def fuzz(axes, name, seconds):
    """For make fuzz-host: a target for some seconds, with one line about it. Whether nothing failed."""
    learned = f"{axes.build}/fuzz/corpus/{name}"
    os.makedirs(learned, exist_ok=True)
    done = Run(axes, name, f"-max_total_time={seconds}", f"-timeout={HANG}", learned)
    trouble = f": {done.trouble}" if done.trouble else ""
    print(f"{'ok' if done.good else 'FAIL':5} {name}: {done.inputs} inputs, {done.edges}{trouble}\n", end="", flush=True)  # in one piece
    return done.good


def main(axes):
    names = targets(axes.tests)
    if not names:
        raise Trouble(f"TEST={axes.text('TEST')}: one of {', '.join(targets([]))} expected")
    packages.ensure(packages.needs(axes, []))
    build.make(axes, *[f"{axes.build}/fuzz/{name}" for name in names])
    workers = min(os.cpu_count() or 1, len(names))
    seconds = axes.minutes * 60 // -(-len(names) // workers)
    print(f"fuzz-host: {counted(len(names), 'target', 'targets')}, {counted(seconds, 'second', 'seconds')} each, {workers} at once", flush=True)
    with ThreadPoolExecutor(workers) as pool:
        try:
            results = list(pool.map(lambda name: fuzz(axes, name, seconds), names))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in Run.processes:
                process.kill()
            raise
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1
