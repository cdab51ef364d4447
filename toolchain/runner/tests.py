# SPDX-License-Identifier: MIT
"""make test: host tests (and tests/fuzz/, runner/fuzzhost.py), then each guest test on each system in each of its roles,
the verdicts compared, and at last the tests of `make run` itself (runner/endtoend.py, runner/hosttests.py), of
kernels that misbehave in it (runner/crashtests.py), of gdb (runner/debugtests.py), of make bench
(runner/benchtests.py) and of make fuzz (runner/fuzztests.py).

A guest test names its roles in a line ROLE(...) of its main.c. dom0: alone as domain 0. domU: domain 1 beside the
quiet domain 0 tests/guest/idle0 (on stock Xen: Linux). pair: two domUs, told their roles and each other's numbers.
control: domains 0 and 1 of one image, on Parador alone. On Parador (its debug build) every test has a boot of its
own, and its invariant checker must have said ok when the domains were gone, and no path in it may have run over
30,000 instructions without letting interrupts in. Time there is virtual, a nanosecond an instruction, so that a busy
host changes no verdict (ICOUNT=0: it is real, and several CPUs really run at once). On stock Xen, tests of the role
dom0 have boots of their own, the others share one; only what does not pass is run again in virtual time. A line
`// beside: pvkernel` gives a domU our kernel as its domain 0 instead of idle0, `// vcpus: 2` the test's domains two
vcpus each, and QEMU under stock Xen two CPUs (under Parador: SMP=), `// ramdisk: itself` a domain 0 its own file, to make
domains of. docs/oracle.md lists the differences between the two systems that are meant to be. At its end Parador says
which rules (domain/refuse.h) refused anything: each must have been broken by the test that its row names. Read next:
runner/verdict.py, tests/guest/test.h.
"""
import glob
import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from . import benchtests, boot, build, crashtests, debugtests, documents, domu, endtoend, fuzzhost, fuzztests, hosttests, packages, stockxen
from .axes import Trouble, counted
from .machine import ICOUNT, Guard, Machine, arguments, module
from .verdict import Result, Tally, judge

ROLES = ("dom0", "domU", "pair", "control")
# Limits count progress (see machine.Guard): processor seconds, and idle seconds, without a line of output.
PATIENCE = {"cpu": 90, "idle": 40}
MEM = 192  # MB of a machine under Parador
XEN_SMP = ("-smp", "2")  # where a test wants several vcpus: QEMU takes the last one said
SHARE = {"idle0": 16, "pvkernel": 48, "dom0": 64, "domU": 64, "pair": 32, "control": 32}  # MB of a domain


def guest_tests(filters):
    """{name: [roles]} of tests/guest, those whose name contains one of the filters."""
    found = {}
    for path in sorted(glob.glob("tests/guest/*/main.c")):
        name = path.split("/")[-2]
        roles = re.search(r"^ROLE\(([^)]*)\)", documents.text(path), re.MULTILINE)
        if not roles:
            continue
        words = [r.strip() for r in roles[1].split(",")]
        if not set(words) <= set(ROLES):
            raise Trouble(f"{path}: ROLE({roles[1]}): {', '.join(ROLES)} expected")
        if not filters or any(f in name for f in filters):
            found[name] = words
    return found


def says(name, word):
    """What a test's main.c says in a line `// WORD: ...`, or None."""
    found = re.search(rf"^// {word}: (.*)$", documents.text(f"tests/guest/{name}/main.c"), re.MULTILINE)
    return found and found[1]


def vcpus(name):
    """How many vcpus a test wants."""
    return int(says(name, "vcpus") or 1)


class Report:
    """Prints one line a result, keeps them all, and the consoles of guests in build/test-logs."""

    def __init__(self, axes):
        self.folder = f"{axes.build}/test-logs"
        os.makedirs(self.folder, exist_ok=True)
        self.tally, self.lock = Tally(), threading.Lock()
        self.broken = {}  # {test: set of the rules that it broke on Parador}
        self.longest = (0, "")  # instructions without a window, in what

    def add(self, result, log=None):
        with self.lock:
            self.tally.results.append(result)
            print(f"{result.verdict:5} {result.where:13} {result.name}" + (f": {result.detail}" if result.detail else ""), flush=True)
            if log is not None:
                path = f"{self.folder}/{result.name}.{result.where.replace(' ', '.')}.log"
                with open(path, "w", encoding="utf-8") as f:
                    f.write("\n".join(log) + "\n")
                if not result.good:
                    self.explain(log, path)

    def note_rules(self, name, lines):
        """Takes the names out of Parador's line `parador: rules: ...`; the line's absence is an empty set."""
        found = {word for line in lines if line.startswith("parador: rules:") for word in line.split()[2:]}
        with self.lock:
            self.broken.setdefault(name, set()).update(found)

    def note_longest(self, name, lines):
        """Takes the number out of Parador's line `parador: longest path: ...` (hypervisor/x86/latency.c)."""
        for line in lines:
            found = re.match(r"parador: longest path: (\d+) instructions, (.*)", line)
            if found:
                with self.lock:
                    self.longest = max(self.longest, (int(found[1]), f"{found[2]}, in {name}"))

    @staticmethod
    def explain(log, path):
        """The lines that say what was wrong, the last of all, and where the others are."""
        told = [line for line in log if re.search(r"\b(fail|error|FAILED|BUG|crash|panic)\b", line, re.IGNORECASE)]
        for line in told[-6:] + [line for line in log[-6:] if line.strip() and line not in told]:
            print(f"        {line}")
        print(f"        (all of it: {path})", flush=True)


def host_tests(filters):
    """The names of tests/host, those that contain one of the filters."""
    names = [os.path.basename(p)[:-2] for p in sorted(glob.glob("tests/host/*_test.c"))]
    return [n for n in names if not filters or any(f in n for f in filters)]


def without_broken(axes, tests, hosts, fuzzers, report):
    """Counts what does not build as failed; the tests that are left."""
    def left(names, folder, where, ending=""):
        good = [name for name in names if build.builds(axes, f"{axes.build}/{folder}/{name}")]
        for name in names:
            if name not in good:
                report.add(Result(name + ending, where, "", "fail", "does not build"))
        return good

    return {name: tests[name] for name in left(tests, "tests/guest", "guest")}, left(hosts, "host", "host"), left(fuzzers, "fuzz", "host", "_fuzz")


def run_host_tests(axes, names, report):
    """Each Criterion program of tests/host; every test in it counts."""
    for name in names:
        done = subprocess.run([f"{axes.build}/host/{name}", "--tap=/dev/stdout", "-j1", "--timeout", "300"], capture_output=True,
                              text=True, errors="replace", check=False)
        lines = (done.stdout + done.stderr).splitlines()
        good = [line for line in lines if re.match(r"ok\b", line) and "# SKIP" not in line]
        bad = [line for line in lines if re.match(r"not ok\b", line)]
        bad = bad or re.findall(r"^\[----\] (.*): Assertion Failed", done.stderr, re.MULTILINE)  # in a .fini: to Criterion the test passed
        detail = counted(len(good), "test", "tests") + (f", {len(bad)} failed: " + "; ".join(bad[:3]) if bad else "")
        failed = len(bad) or done.returncode or not good
        if failed and not bad:
            detail += f", ended with status {done.returncode}"
        count = (len(good), max(len(bad), 1 if failed else 0))
        report.add(Result(name, "host", "", "fail" if failed else "pass", detail, count), lines if failed else None)
        if not failed:  # `make check` sees that it asserts them
            report.broken[f"host/{name}"] = {rule for rule, _, test, _ in documents.rules() if test == f"host/{name}"}


def wants_kernel(name):
    """Whether a test asks for our kernel, with its xenstore and its disk, as domain 0."""
    return says(name, "beside") == "pvkernel"


def ramdisk(axes, name):
    """The test's own file, where it asks for it as its ramdisk; else None."""
    return f"{axes.build}/tests/guest/{name}" if says(name, "ramdisk") == "itself" else None


def parador_modules(axes, name, role, folder):
    """The boot modules of a test on Parador."""
    image = f"{axes.build}/tests/guest/{name}"
    if role == "domU" and wants_kernel(name):
        kernel = module(f"{axes.build}/pvkernel", f"name=d0 mem={SHARE['pvkernel']} -- role=driver domains=2")
        return [kernel, module(folder.write("ramdisk0", boot.ramdisks(axes)[0]), "ramdisk"),
                module(image, f"name=d1 mem={SHARE[role]} -- {axes.args}")]
    idle = module(f"{axes.build}/tests/guest/idle0", f"name=d0 mem={SHARE['idle0']} --")
    if role == "dom0":
        own = ramdisk(axes, name)
        return [module(image, f"name=d0 mem={SHARE[role]} vcpus={vcpus(name)} -- {axes.args}"), *([module(own, "ramdisk")] if own else [])]
    if role == "domU":
        return [idle, module(image, f"name=d1 mem={SHARE[role]} vcpus={vcpus(name)} -- {axes.args}")]
    if role == "control":
        return [module(image, f"name=d{n} mem={SHARE[role]} -- {axes.args}") for n in range(2)]
    return [idle, module(image, f"name=d1 mem={SHARE[role]} vcpus={vcpus(name)} -- peer=2 role=a {axes.args}"),
            module(image, f"name=d2 mem={SHARE[role]} vcpus={vcpus(name)} -- peer=1 role=b {axes.args}")]


def on_machine(command, watch, keys=None):
    """One boot; the console's lines and why it had to be ended, if so. keys: (what has to be printed, bytes typed then)."""
    lines = []

    def take(line):
        lines.append(line.rstrip())
        if keys and re.search(keys[0], line):
            machine.type(keys[1])
        return watch(line)

    machine = Machine(command, watch=take, guard=Guard(**PATIENCE), grace=5.0)
    machine.run()
    return lines, machine.hang


def test_on_parador(axes, name, role, report):
    watcher = boot.parador_watcher()
    power_off = (r"^parador: d1 ended", b"\x14q") if role == "domU" and wants_kernel(name) else None  # idle0 ends by itself
    with boot.Folder(axes) as folder:
        modules = parador_modules(axes, name, role, folder)
        command = arguments(axes, axes.mem or MEM, boot.parador_image(axes), axes.append, modules, ICOUNT if axes.icount else ())
        lines, hang = on_machine(command, watcher, power_off)
    checks = [line for line in lines if "parador: check:" in line]
    late = [line for line in lines if line.startswith("parador: latency:")]
    trouble = hang
    if not trouble and watcher.status is None:
        trouble = "Parador never said `parador: exit`"
    if not trouble and not checks and axes.debug:
        trouble = "Parador's invariant checker said nothing"
    if not trouble and any("check: ok" not in line for line in checks):
        trouble = next(line for line in checks if "check: ok" not in line)
    if not trouble and late:
        trouble = late[-1]
    crashed = watcher.status == 1 or any(re.search(r"^parador: d\d+ ended \(crash", line) for line in lines)
    report.note_rules(name, lines)
    report.note_longest(name, lines)
    report.add(judge(name, "parador", role, lines, crashed, trouble), lines)


def check_rules(report, everything):
    """Each rule of domain/refuse.h was broken by its test, as far as the tests ran."""
    rules = [(rule, test) for rule, _, test, _ in documents.rules() if test and (everything or test in report.broken)]
    missing = [f"{rule} ({documents.test_path(test)})" for rule, test in rules if rule not in report.broken.get(test, ())]
    if rules:
        detail = counted(len(rules), "rule", "rules") + " broken by their tests" if not missing else "not broken by their tests: " + ", ".join(missing)
        report.add(Result("rules", "parador", "", "fail" if missing else "pass", detail, (len(rules) - len(missing), len(missing))))


def xen_alone(axes, name, extra=()):
    """One boot of a test in the role dom0 on stock Xen: its Result and lines."""
    watcher = stockxen.Watcher()
    extra = (*extra, *(XEN_SMP if vcpus(name) > 1 else ()))
    command = stockxen.command(axes, axes.mem or 256, f"{axes.build}/tests/guest/{name}", axes.args, ramdisk(axes, name),
                               options=f"dom0_mem={SHARE['dom0']}M dom0_max_vcpus={vcpus(name)}", extra=extra)
    lines, hang = on_machine(command, watcher)
    crashed = any(re.search(r"Dom0 crashed|Domain 0 .*crashed", line) for line in lines)
    return judge(name, "xen", "dom0", lines, crashed, hang or (None if watcher.ended else "domain 0 never ended")), lines


def test_on_xen(axes, name, report):
    """The role dom0 on stock Xen. Under virtual time its boot takes three times as long, so that is the second try."""
    result, lines = xen_alone(axes, name)
    report.add(*((result, lines) if result.good else xen_alone(axes, name, ICOUNT)))


def xen_job(axes, name, role):
    image, mb = f"{axes.build}/tests/guest/{name}", SHARE[role]
    if role == "domU":
        return domu.Job(f"{name}.{role}", [domu.Guest("d1", image, axes.args, mb=mb, vcpus=vcpus(name))])
    return domu.Job(f"{name}.{role}", [domu.Guest("d1", image, f"peer={{d2}} role=a {axes.args}", mb=mb, vcpus=vcpus(name)),
                                       domu.Guest("d2", image, f"peer={{d1}} role=b {axes.args}", mb=mb, vcpus=vcpus(name))])


def judge_job(job):
    name, role = job.name.rsplit(".", 1)
    lines = [f"[{label}] {text}" if label else text for label, text in job.lines]
    crashed = any(c for _, c in job.stops.values())
    return judge(name, "xen", role, lines, crashed, None if job.result == "ok" else job.result), lines


def tests_beside_xen(axes, wanted, report):
    """The roles domU and pair on stock Xen, all in one boot, those with several vcpus in another with two CPUs; where a boot
    died, the rest gets another. What was no pass is run once more under virtual time, which takes longer."""
    again = []

    def tell(job):
        result, lines = judge_job(job)
        if result.good:
            report.add(result, lines)
        else:
            again.append(job)

    run_jobs(axes, [xen_job(axes, name, role) for name, role in wanted if vcpus(name) == 1], tell)
    run_jobs(axes, [xen_job(axes, name, role) for name, role in wanted if vcpus(name) > 1], tell, XEN_SMP)
    if again:
        jobs = [xen_job(axes, *job.name.rsplit(".", 1)) for job in again]
        run_jobs(axes, jobs, lambda job: report.add(*judge_job(job)), (*ICOUNT, *XEN_SMP))


def run_jobs(axes, jobs, tell, extra=()):
    while jobs:
        domu.run(axes, jobs, tell, extra=extra)
        left = [job for job in jobs if job.result == "did not run"]
        if len(left) == len(jobs):
            for job in left:
                job.result = "stock Xen or its domain 0 did not come up"
                tell(job)
            return
        jobs = left


def allowed_differences():
    """The tests that docs/oracle.md names: entries of a list that begin with the name in backquotes."""
    if not os.path.exists("docs/oracle.md"):
        return set()
    return set(re.findall(r"^(?:-|\d+\.) `([a-z0-9_]+)`:", documents.text("docs/oracle.md"), re.MULTILINE))


def choose_systems(axes):
    """ON=, or Parador and, where its packages are there or can be had, stock Xen."""
    if axes.on:
        packages.ensure(packages.needs(axes, axes.on))
        return axes.on
    packages.ensure(packages.needs(axes, ["parador"]))
    try:
        packages.ensure(packages.needs(axes, ["xen"]))
        domu.prepare(axes)
    except Trouble as trouble:
        print(f"test: on Parador alone, stock Xen can't be had here: {trouble}", file=sys.stderr)
        return ["parador"]
    return ["parador", "xen"]


def prepare_iso():
    """What the boots from an ISO image need; where it can't be had, one line says so and they are left out."""
    try:
        packages.ensure({"iso"})
    except Trouble as trouble:
        print(f"test: no boot from an ISO image here: {trouble}", file=sys.stderr)


def run_guests(axes, systems, tests, fuzzers, report):
    """All guest tests, and the fuzz targets, as many at once as there are processors."""
    pairs = [(name, role) for name, roles in tests.items() for role in roles]
    beside = [(name, role) for name, role in pairs if role in ("domU", "pair")]
    with ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1))) as pool:
        work = []
        if "xen" in systems:
            stockxen.image(axes)
            if beside:
                work.append(pool.submit(tests_beside_xen, axes, beside, report))
            work += [pool.submit(test_on_xen, axes, name, report) for name, role in pairs if role == "dom0"]
        if "parador" in systems:
            work += [pool.submit(test_on_parador, axes, name, role, report) for name, role in pairs]
        work += [pool.submit(lambda name=name: report.add(*fuzzhost.run(axes, name))) for name in fuzzers]
        work += [pool.submit(lambda case=case: report.add(*endtoend.run(axes, case))) for case in endtoend.cases(axes, systems)]
        if systems != ["xen"]:
            work += [pool.submit(lambda test=test: report.add(*hosttests.run(test))) for test in hosttests.wanted(axes)]
        if "parador" in systems:
            work += [pool.submit(lambda name=name: report.add(*crashtests.run(axes, name))) for name in crashtests.wanted(axes)]
            work += [pool.submit(lambda test=test, of=of: report.add(*of.run(axes, test)))
                     for of in (debugtests, benchtests) for test in of.wanted(axes)]
            work += [pool.submit(lambda test=test: report.add(*fuzztests.run(axes, test, systems))) for test in fuzztests.wanted(axes)]
        try:
            for future in work:
                future.result()
        except BaseException:
            for future in work:
                future.cancel()
            raise


def files(axes, tests, hosts, fuzzers):
    """What the tests are made of, for make."""
    wanted = [*(["guest-tests"] if tests else []), *(["host-tests"] if hosts else []), *[f"{axes.build}/fuzz/{name}" for name in fuzzers]]
    if benchtests.wanted(axes):
        wanted += ["bench-guest", f"{axes.build}/count.so", f"{axes.build}/tests/guest/idle0"]
    if fuzztests.wanted(axes):
        wanted += [f"{axes.build}/tests/guest/{name}" for name in ("random_calls", "idle0")]
    return wanted


def main(axes):
    systems = choose_systems(axes)
    if "parador" in systems:
        prepare_iso()
    tests = guest_tests(axes.tests) if systems != ["host"] else {}
    kernel = ["user", f"{axes.build}/pvkernel", f"{axes.build}/guest", f"{axes.build}/hostile"] + ([f"{axes.build}/parador", boot.parador_image(axes)] if systems != ["xen"] else [])
    build.make(axes, *([] if axes.tests else ["all"]), *kernel)
    report = Report(axes)
    hosts = host_tests(axes.tests) if systems != ["xen"] else []
    fuzzers = fuzzhost.wanted(axes) if systems != ["xen"] else []
    if not build.try_to_make(axes, *files(axes, tests, hosts, fuzzers)):
        tests, hosts, fuzzers = without_broken(axes, tests, hosts, fuzzers, report)
    run_host_tests(axes, hosts, report)
    run_guests(axes, systems, tests, fuzzers, report)
    if "parador" in systems and axes.debug:
        check_rules(report, everything=not axes.tests)
        if report.longest[0]:
            report.add(Result("longest path", "parador", "", "pass", "%d instructions: %s" % report.longest))
    if not report.tally.results:
        raise Trouble(f"TEST={axes.text('TEST')}: no test's name contains it; names are those of tests/guest, tests/host, tests/fuzz and toolchain/runner")
    return report.tally.finish(systems, allowed_differences())
