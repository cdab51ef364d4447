# SPDX-License-Identifier: MIT
"""What a test's console says about its outcome, and what all outcomes say together.

A verdict is pass, skip (what is tested isn't there), fail (the hypervisor is wrong) or error (the test could not do its
work, or the machine came to no proper end). A test whose end is its own crash prints `expect: crash` first: then the
crash is the pass, and a verdict from a survivor is a failure.
"""
import re
from dataclasses import dataclass

from .axes import counted

VERDICT = re.compile(r"(?:^|\s)test: (\S+): (pass|skip|fail|error)\s*$")


@dataclass
class Result:
    name: str
    system: str  # host, parador, xen
    role: str
    verdict: str
    detail: str = ""
    count: tuple = None  # (passed, failed) where it stands for several tests

    @property
    def where(self):
        return f"{self.system} {self.role}".strip()

    @property
    def good(self):
        return self.verdict in ("pass", "skip")


def judge(name, system, role, lines, crashed, trouble):
    """The Result of a guest test's console; `trouble` says what was wrong with the machine itself, or None."""
    verdicts = [m[2] for m in map(VERDICT.search, lines) if m and m[1] == name]
    expected = any(re.search(r"(?:^|\s)expect: crash\s*$", line) for line in lines)
    if trouble:
        return Result(name, system, role, "fail" if re.match("parador: (check|latency):", trouble) else "error", trouble)
    if expected:
        if verdicts and verdicts[-1] in ("fail", "error"):
            return Result(name, system, role, verdicts[-1])
        if crashed:
            return Result(name, system, role, "pass")
        return Result(name, system, role, "fail", "the domain should have crashed and did not")
    if len(set(verdicts)) == 1:
        skip = next((line for line in lines if verdicts[0] == "skip" and "skip: " in line), "")
        return Result(name, system, role, verdicts[0], skip.partition("skip: ")[2])
    if verdicts:
        return Result(name, system, role, "error", "more than one verdict: " + ", ".join(verdicts))
    return Result(name, system, role, "fail" if crashed else "error", "crashed" if crashed else "no verdict")


class Tally:
    """All results; prints the table of differences and the last line."""

    def __init__(self):
        self.results = []

    def differences(self):
        """[(name, role, verdict on Parador, verdict on Xen)] where both ran and differ."""
        seen = {(r.name, r.role, r.system): r.verdict for r in self.results}
        return sorted((name, role, verdict, seen[name, role, "xen"]) for (name, role, system), verdict in seen.items()
                      if system == "parador" and (name, role, "xen") in seen and seen[name, role, "xen"] != verdict)

    def finish(self, systems, allowed):
        """Prints what stands at the end; the exit status."""
        differences = self.differences()
        if len(systems) > 1:
            compared = sum(r.system == "xen" for r in self.results)
            print(f"\n{counted(compared, 'verdict', 'verdicts')} compared between Parador and stock Xen, {counted(len(differences), 'differs', 'differ')}")
            for name, role, ours, theirs in differences:
                word = "listed in docs/oracle.md" if name in allowed else "NOT LISTED in docs/oracle.md"
                print(f"  {name:24} {role:5} parador: {ours:6} xen: {theirs:6} {word}")
        excused = {(name, role) for name, role, _, _ in differences if name in allowed}
        passed = failed = skipped = 0
        for r in self.results:
            if r.count:
                passed, failed = passed + r.count[0], failed + r.count[1]
            elif r.verdict == "skip" or r.system == "xen" and not r.good and (r.name, r.role) in excused:
                skipped += 1
            elif r.verdict == "pass":
                passed += 1
            else:
                failed += 1
        # A difference that nothing excuses fails even where one side skips.
        failed += sum(name not in allowed and {ours, theirs} <= {"pass", "skip"} for name, _, ours, theirs in differences)
        for r in self.results:
            if not r.good and not (r.system == "xen" and (r.name, r.role) in excused):
                print(f"  {r.verdict}: {r.where} {r.name}" + (f": {r.detail}" if r.detail else ""))
        print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
        return 1 if failed or not passed else 0
