# SPDX-License-Identifier: MIT
"""make test's share of make fuzz: some seeds for some steps, on the systems that are tested; that a rerun of an epoch alone gives the
same results as behind all others; and that a difference is found where there is one."""
from . import fuzz
from .verdict import Result

SEEDS, STEPS = (1, 3), 3000


def fuzz_calls(axes, systems):
    """The same results on all systems; enough calls succeed, and the invariant checker is content."""
    for seed in SEEDS:
        complaints, runs = fuzz.compare(axes, systems, "random_calls", seed, STEPS)
        yield from complaints
        for run in runs:
            if run.calls < STEPS or run.good * 100 < run.calls * 30 or not run.counts:
                yield f"seed {seed} on {run.system}: {run.calls} calls, {run.good} succeeded, {len(run.counts)} kinds"


def fuzz_reruns(axes, systems):
    """An epoch alone is as it is behind the others, printed or not, and another seed is another sequence."""
    system = systems[0]
    whole = fuzz.one(axes, system, "random_calls", 1, STEPS)
    alone = fuzz.one(axes, system, "random_calls", 1, 2 * fuzz.epoch_steps(), "only=1 epoch=1")
    other = fuzz.one(axes, system, "random_calls", 2, STEPS)
    if not whole.hashes or alone.hashes != whole.hashes[1:2] or len(alone.steps) < fuzz.epoch_steps():
        yield f"epoch 1 alone: {alone.hashes} and {len(alone.steps)} lines, behind the others {whole.hashes[1:2]}"
    if fuzz.first_difference((whole, other)) != 0:
        yield f"seed 2 is like seed 1: {whole.hashes}, {other.hashes}"


TESTS = (fuzz_calls, fuzz_reruns)


def wanted(axes):
    return [t for t in TESTS if axes.debug and (not axes.tests or any(name in t.__name__ for name in axes.tests))]


def run(axes, test, systems):
    """Runs one test; its Result and the complaints."""
    complaints = list(test(axes, systems))
    first = "; ".join(complaints)[:300].partition("\n")[0]
    return Result(test.__name__, ",".join(systems), "fuzz", "fail" if complaints else "pass", first), "\n".join(complaints).split("\n")
