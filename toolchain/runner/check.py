# SPDX-License-Identifier: MIT
"""make check: what needs no machine to run on. Each check is a function that yields complaints, one line each; none
means that it passed. A check whose tool is missing is skipped. TEST=lint,headers runs only those. The last line counts."""
import ast
import glob
import os
import re
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

from . import build, documents, mutanttable, packages, prove
from .axes import Trouble, counted

# What the hypervisor has today. The aim is 9,000 source lines; what every rise was for stands in docs/decisions.md.
BUDGET = 13791
CODE = ("hypervisor", "libpv", "drivers", "ring", "pvkernel", "tests", "toolchain")

TOP = {*CODE, "docs", "Makefile", "README.md", "LICENSE", ".clang-format", ".clang-tidy", ".editorconfig", ".gitignore", ".ci"}


class Skip(Exception):
    """This check can't be made here; the text says why."""


def files(*suffixes, folders=CODE):
    """Source files of the tree (what lies in build/ is none), sorted."""
    found = (p for folder in folders for p in glob.glob(f"{folder}/**/*", recursive=True))
    return sorted(p for p in found if p.endswith(suffixes) and os.path.isfile(p))


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False, **options)


def each(function, items):
    """The complaints of function(item) for all items, as many at once as there are processors."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for complaints in pool.map(function, items):
            yield from complaints


def flags(axes, name):
    """A variable of the Makefile, as words."""
    made = subprocess.run(**build.command(axes, f"print-{name}"), stdout=subprocess.PIPE, text=True)
    return shlex.split(made.stdout)


def all_flags(axes):
    return {name: flags(axes, name) for name in ("HVFLAGS", "PVFLAGS", "HOSTFLAGS", "USERFLAGS")}


def flags_for(path, table):
    """The flags that a file is compiled with."""
    if path.startswith("pvkernel/user/"):
        return table["USERFLAGS"]
    if path.startswith("hypervisor/"):
        return table["HVFLAGS"] + ["-DDEBUG"]
    return table["HOSTFLAGS"] if path.startswith(("tests/host/", "tests/fuzz/")) else table["PVFLAGS"]


def tool(name):
    if not shutil.which(name):
        raise Skip(f"{name} is not installed")
    return name


def check_format(axes):
    """clang-format would change nothing."""
    done = run([tool("clang-format"), "--dry-run", *files(".c", ".h")])
    for path in sorted(set(re.findall(r"^(\S+?):\d+:\d+: warning", done.stdout, re.MULTILINE))):
        yield f"{path}: clang-format -i {path}"


def check_headers(axes):
    """Every header compiles by itself."""
    table = all_flags(axes)
    compiler = axes.text("CC", "gcc")

    def alone(path):
        options = [f for f in flags_for(path, table) if f not in ("-MMD", "-MP")]
        done = run([compiler, *options, "-Werror", "-fsyntax-only", "-x", "c", "-"], input=f'#include "{path}"\n')
        return [f"{path}: {done.stdout.strip().splitlines()[0]}"] if done.returncode else []

    yield from each(alone, [p for p in files(".h") if not p.startswith("toolchain/")])


def check_lint(axes, analyzer=False):
    """clang-tidy finds nothing (its checks: .clang-tidy; the analyzer's are TEST=analyze)."""
    tool("clang-tidy")
    table = all_flags(axes)
    checks = "-*,clang-analyzer-core.*,clang-analyzer-unix.*,clang-analyzer-deadcode.*" if analyzer else "-clang-analyzer-*"
    drop = ("-MMD", "-MP", "-fcf-protection=none")

    def tidy(path):
        options = [f for f in flags_for(path, table) if f not in drop and not f.startswith("-fsanitize")]
        done = run(["clang-tidy", "--quiet", f"--checks={checks}", path, "--", *options])
        return sorted(set(re.findall(r"^\S+?:\d+:\d+: (?:warning|error): .*$", done.stdout.replace(os.getcwd() + "/", ""), re.MULTILINE)))

    yield from each(tidy, [p for p in files(".c") if not p.startswith(("toolchain/", "tests/host/"))])


def check_analyze(axes):
    """clang's analyzer finds nothing. It takes many minutes, so it runs only by TEST=analyze."""
    yield from check_lint(axes, analyzer=True)


def check_reading(axes):
    """docs/READING.md names every source file of the hypervisor exactly once; no text names one that is gone."""
    if not os.path.exists("docs/READING.md"):
        raise Skip("docs/READING.md is not there")
    with open("docs/READING.md", encoding="utf-8") as f:
        named = re.findall(r"`hypervisor/([a-z0-9_/]+\.(?:c|h|S|lds))`", f.read())
    there = [p[len("hypervisor/"):] for p in files(".c", ".h", ".S", ".lds", folders=("hypervisor",))]
    folders = {p.split("/")[0] for p in there}
    for path in there:
        if named.count(path) != 1:
            yield f"hypervisor/{path} stands {named.count(path)} times in docs/READING.md"
    for path in sorted({n for n in named if n.split("/")[0] in folders} - set(there)):
        yield f"docs/READING.md names hypervisor/{path}, which is not there"
    inside = r"(?<![\w/.-])((?:" + "|".join(sorted(folders)) + r")/[a-z0-9_]+\.[chS])\b"
    for path in files(".c", ".h", ".S", ".py") + sorted(glob.glob("docs/*.md")) + ["README.md"]:
        for name in sorted(set(re.findall(inside, documents.text(path))) - set(there)):
            yield f"{path} names hypervisor/{name}, which is not there"


def check_documents(axes):
    """The generated documents are up to date."""
    for path, (source, make) in documents.DOCUMENTS.items():
        if not os.path.exists(source):
            continue
        if not os.path.exists(path) or documents.text(path) != make():
            yield f"{path} is not what {source} gives: make docs"


def check_rules(axes):
    """Every rule of a refusal has a guest test that breaks it (or a host test that expects it), and is used."""
    code = "".join(documents.text(p) for p in files(".c", ".h", folders=("hypervisor",)) if p != documents.RULES)
    for name, _, test, reason in documents.rules() if os.path.exists(documents.RULES) else []:
        if name == "NONE":
            continue
        path = documents.test_path(test)
        if not reason and not os.path.exists(path):
            yield f"rule {name}: its test {path} is not there"
        elif test.startswith("host/") and not re.search(rf"\bcr_assert_eq\(fake_rule, R_{name}\b", documents.text(path)):
            yield f"rule {name}: {path} does not assert that it refused"
        if not re.search(rf"\bR_{name}\b", code):
            yield f"rule {name}: nothing refuses by it"


def check_safety(axes):
    """Every test that docs/safety.md names is there, and every rule and promise of its tables names one."""
    for row in re.findall(r"^\| (?!advisories|promise)(.*) \|$", documents.text("docs/safety.md").partition("\n## Mutants")[0], re.MULTILINE):
        names = re.findall(r"`([^`]+)`", row.rsplit(" | ", 1)[-1])
        if not names:
            yield f"docs/safety.md: no test stands behind: {row}"
        for name in names:
            path = f"tests/{name}.pml" if name.startswith("model/") else documents.test_path(name)
            if not os.path.exists(path):
                yield f"docs/safety.md: {path} is not there"


def check_mutants(axes):
    """Every seeded fault of make mutants still applies, and its tests are there."""
    names = [m.name for m in mutanttable.MUTANTS]
    yield from (f"mutant {name} stands twice in the table" for name in sorted({n for n in names if names.count(n) > 1}))
    for mutant in mutanttable.MUTANTS:
        yield from mutant.wrong()
        yield from (f"mutant {mutant.name}: {documents.test_path(t)} is not there" for t in mutant.tests if not os.path.exists(documents.test_path(t)))


def check_model(axes):
    """The Spin models hold, and their broken variants do not."""
    if not os.path.exists("tests/model/check"):
        raise Skip("no model is there")
    done = run(["tests/model/check", os.path.abspath(axes.build)])
    if done.returncode == 77:
        raise Skip(done.stdout.strip())
    wrong = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    yield from wrong or ([f"tests/model/check ended with status {done.returncode}"] if done.returncode else [])


def check_proof(axes):
    """Nothing undefined can happen in ring/, and in broken copies of it it can (make prove)."""
    tool("frama-c")
    yield from prove.complaints(axes)


def check_multiboot(axes):
    """GRUB takes the image by both protocols."""
    tool("grub-file")
    image = f"{axes.build}/parador"
    if not glob.glob("hypervisor/boot/*.S"):
        raise Skip("there is no image yet")
    build.make(axes, image)
    for protocol in ("multiboot", "multiboot2"):
        if run(["grub-file", f"--is-x86-{protocol}", image]).returncode:
            yield f"grub-file does not take {image} as --is-x86-{protocol}"


def source_lines(path):
    """Lines that hold more than a comment or nothing."""
    with open(path, encoding="utf-8") as f:
        code = re.sub(r'"(?:[^"\\\n]|\\.)*"|/\*.*?\*/|//[^\n]*',
                      lambda m: m[0] if m[0].startswith('"') else "\n" * m[0].count("\n"), f.read(), flags=re.DOTALL)
    return sum(bool(line.strip()) for line in code.splitlines())


def check_size(axes):
    """The hypervisor stays small enough to read."""
    counts = {p: source_lines(p) for p in files(".c", ".h", ".S", ".lds", folders=("hypervisor",))}
    print(f"      hypervisor: {sum(counts.values())} source lines in {len(counts)} files (at most {BUDGET})")
    if sum(counts.values()) > BUDGET:
        yield f"the hypervisor has {sum(counts.values())} source lines, the budget is {BUDGET}"


# What GNU make 3.81 does not know: the sign of it in a logical line of a makefile without comments, and its name.
NEWER_MAKE = [
    (r"^(?!\t)[^:#=]*!=", "!="), (r"^(?!\t)[^#=]*::?:=", "::="), (r"^(?!\t)[^#=]*&:", "grouped targets (&:)"),
    (r"^ *define +[^ =]+ *[:+?!]*=", "define with ="), (r"^ *undefine\b", "undefine"), (r"^(?!\t)(.*: *)?private +", "private"),
    (r"^ *-?load +", "load"), (r"^(?!\t).*\.(?:ONESHELL|RECIPEPREFIX|SHELLFLAGS|SHELLSTATUS|EXTRA_PREREQS|NOTINTERMEDIATE|WAIT)\b", "a special name"),
    (r"\$[({](?:file|guile|let|intcmp) ", "a function"), (r"\$\(MAKE\).* (?:-O\w*|--output-sync|--trace|--shuffle)\b", "an option"),
    (r"\bMAKE_(?:TERMOUT|TERMERR|HOST)\b", "a variable"),
]


def newer_make(text):
    """(line number, what) of each use in a makefile of what came after GNU make 3.81."""
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        number, line = at + 1, lines[at]
        while line.endswith("\\") and at + 1 < len(lines):
            at += 1
            line = line[:-1] + lines[at]
        at += 1
        code = line if line.startswith("\t") else re.sub(r"(?<!\\)#.*", "", line)
        yield from ((number, what) for sign, what in NEWER_MAKE if re.search(sign, code))


def check_make(axes):
    """The makefiles need no GNU make newer than 3.81."""
    for path in ["Makefile"] + files(".mk"):
        with open(path, encoding="utf-8") as f:
            for number, what in newer_make(f.read()):
                yield f"{path}:{number}: {what} is not in GNU make 3.81"


def check_sources(axes):
    """Every source names its licence and holds no note to self; the Python parses; makefiles are for GNU make 3.81; the top level has its names."""
    listed = run(["git", "ls-files"])
    for name in sorted({p.split("/")[0] for p in listed.stdout.splitlines()} - TOP) if listed.returncode == 0 else []:
        yield f"{name}: nothing else belongs into the top level"
    yield from check_make(axes)
    for path in files(".c", ".h", ".S", ".lds", ".py", ".mk", ".pml") + ["Makefile", "toolchain/run", "toolchain/start"]:
        with open(path, encoding="utf-8") as f:
            code = f.read()
        if code.strip() and "SPDX-License-Identifier: MIT" not in code[:300]:
            yield f"{path}: no SPDX line at its head"
        if path.endswith((".c", ".h", ".S")) and re.search(r"\b(TODO|FIXME|XXX)\b", code):
            yield f"{path}: a note to self is left in it"
        if path.endswith(".py") or path == "toolchain/run":
            try:
                ast.parse(code)
            except SyntaxError as error:
                yield f"{path}: {error}"


CHECKS = {"format": check_format, "sources": check_sources, "size": check_size, "reading": check_reading, "documents": check_documents,
          "rules": check_rules, "safety": check_safety, "mutants": check_mutants, "headers": check_headers, "multiboot": check_multiboot, "model": check_model, "proof": check_proof,
          "lint": check_lint, "analyze": check_analyze}
ONLY_BY_NAME = ("analyze",)


def main(axes):
    unknown = [name for name in axes.tests if name not in CHECKS]
    if unknown:
        raise Trouble(f"TEST={unknown[0]}: one of {', '.join(CHECKS)} expected")
    try:
        packages.ensure(packages.needs(axes, []))
    except Trouble as trouble:
        print(f"check: {trouble}")
    build.make(axes, f"{axes.build}/flags")
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    for name, check in CHECKS.items():
        if name not in axes.tests if axes.tests else name in ONLY_BY_NAME:
            continue
        try:
            complaints = list(check(axes))
            word, detail = ("FAIL" if complaints else "ok"), counted(len(complaints), "complaint", "complaints") if complaints else check.__doc__.strip()
        except Skip as reason:
            complaints, word, detail = [], "skip", str(reason)
        except Trouble as trouble:
            complaints, word, detail = [], "FAIL", str(trouble)
        counts[word] += 1
        print(f"{word:5} {name}: {detail}", flush=True)
        for line in complaints[:40]:
            print(f"      {line}")
    print(f"{counts['ok']} passed, {counts['FAIL']} failed" + (f", {counts['skip']} skipped" if counts["skip"] else ""))
    return 1 if counts["FAIL"] else 0
