# SPDX-License-Identifier: MIT
"""make docs: docs/hypercalls.md from the hypercall table, docs/refusals.md from the table of rules, the list of
mutants in docs/safety.md from theirs.

All are made of nothing but the sources, so `make check` can make them again and compare.
"""
import glob
import os
import re

from . import mutanttable

TABLE = "hypervisor/hypercall/hypercall.h"
RULES = "hypervisor/domain/refuse.h"
SAFETY, MUTANTS = "docs/safety.md", "toolchain/runner/mutanttable.py"
NUMBERS = ("/usr/include/xen/xen.h", "/usr/include/xen/arch-x86/xen.h")
# The prefix of each call's sub-operations in the public headers.
FAMILIES = {
    "memory_op": "XENMEM", "xen_version": "XENVER", "console_io": "CONSOLEIO", "sched_op": "SCHEDOP", "event_channel_op": "EVTCHNOP",
    "grant_table_op": "GNTTABOP", "vcpu_op": "VCPUOP", "physdev_op": "PHYSDEVOP", "callback_op": "CALLBACK(?:OP|TYPE)",
    "mmuext_op": "MMUEXT", "mmu_update": "MMU", "vm_assist": "VMASST_TYPE", "platform_op": "XENPF", "domctl": "XEN_DOMCTL", "arch_0": "PARADOR",
    "update_va_mapping": "UVMF",
}


def text(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def sources():
    """{path: text} of the hypervisor's C files."""
    return {path: text(path) for path in sorted(glob.glob("hypervisor/**/*.[ch]", recursive=True))}


def numbers():
    """{name: hypercall number} out of Xen's public header."""
    found = {}
    for path in NUMBERS:
        if os.path.exists(path):
            found.update((n, int(v)) for n, v in re.findall(r"#define __HYPERVISOR_(\w+)\s+(\d+)\b", text(path)))
    for arch, number in re.findall(r"#define __HYPERVISOR_(arch_\d)\s+(\d+)", "".join(text(p) for p in NUMBERS if os.path.exists(p))):
        found[arch] = int(number)
    return found


def table_rows():
    """[(name, number of arguments)] of the table's rows CALL(name, arguments)."""
    return [(name, int(n)) for name, n in re.findall(r"^\s*(?:/\*.*?\*/\s*)?CALL\((\w+),\s*(\d+)\)", text(TABLE), re.MULTILINE)]


def comment_above(code, position):
    """The comment that ends right above a position, as plain text; empty where there is none."""
    before = code[:position].rstrip()
    if not before.endswith("*/"):
        return ""
    lines = before[before.rfind("/*") + 2:-2].splitlines()
    return " ".join(line.strip().lstrip("*").strip() for line in lines).strip()


def handler(name, files):
    """Where do_NAME is defined and what the comment above it says."""
    for path, code in files.items():
        found = re.search(rf"^long do_{name}\([^;{{]*\{{", code, re.MULTILINE)
        if found:
            return path, comment_above(code, found.start())
    return "", ""


def sub_operations(name, files):
    """The ABI's names of the sub-operations that are served: rows of tables, cases of switches, comparisons."""
    if name not in FAMILIES:
        return []
    names = re.findall(rf"(?:\[|case |== )({FAMILIES[name]}_\w+)", "".join(files.values()))
    return sorted(set(names), key=names.index)


def hypercalls():
    """The text of docs/hypercalls.md."""
    number, files = numbers(), sources()
    lines = ["# Hypercalls", "", "Generated from `%s` by `make docs`; `make check` sees that it is up to date." % TABLE,
             "Arguments travel in rdi, rsi, rdx, r10, r8, the number in rax, as in Xen's public headers.", "",
             "| number | name | arguments | handler |", "|---|---|---|---|"]
    details = []
    for name, arguments in sorted(table_rows(), key=lambda row: number.get(row[0], 99)):
        path, comment = handler(name, files)
        lines.append(f"| {number.get(name, '')} | [`{name}`](#{name}) | {arguments} | {f'`{path}`' if path else ''} |")
        details += ["", f"## {name}", *(["", comment] if comment else [])]
        operations = sub_operations(name, files)
        if operations:
            details += ["", "Sub-operations: " + ", ".join(f"`{o}`" for o in operations) + "."]
    return "\n".join(lines + ["", "Every other number gives -ENOSYS."] + details) + "\n"


def rules():
    """[(name, sentence, test, reason)] of the table of rules, in its order. The third column of a row is the test that breaks
    the rule (NAME, or host/NAME); several words are the reason why no test can."""
    joined = text(RULES).replace("\\\n", " ")
    rows = [(n, "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', s)), t) for n, s, t in
            re.findall(r'\bX\((\w+),\s*((?:"(?:[^"\\]|\\.)*"\s*)+),\s*"([^"]*)"\)', joined)]
    return [(n, s, "", t) if " " in t else (n, s, t, "") for n, s, t in rows]


def test_path(test):
    """The source of a test that stands in the table."""
    return f"tests/{test}.c" if test.startswith("host/") else f"tests/guest/{test}/main.c"


def refusals():
    """The text of docs/refusals.md."""
    files = sources()
    lines = ["# Refusals", "", f"Generated from `{RULES}` by `make docs`; `make check` sees that it is up to date.",
             "A guest gets the error alone. The sentence is what `why` in the kernel's shell and Parador's key Ctrl-T w print;",
             "{a} and {b} are the refusal's arguments, {frame} tells what frame a was. The test breaks the rule on purpose.", "",
             "| rule | number | sentence | errors | refused in | test |", "|---|---|---|---|---|---|"]
    for number, (name, sentence, test, reason) in enumerate(rules()):
        found = [(path, error) for path, code in files.items()
                 for errors in re.findall(rf"refuse\(((?:(?!refuse\()[^;])*?),\s*R_{name}\b", code)
                 for error in re.findall(r"(?<!== )(?:-E[A-Z]+\b|GNTST_\w+)", errors) or [""]]
        errors = sorted({e for _, e in found if e})
        places = sorted({path.removeprefix("hypervisor/") for path, _ in found})
        cells = (name, number, sentence.replace("|", "\\|"), ", ".join(errors), ", ".join(places), f"`{test}`" if test else reason)
        lines.append("| " + " | ".join(str(c) for c in cells) + " |")
    return "\n".join(lines) + "\n"


def safety():
    """The text of docs/safety.md, whose last part is the table of mutants."""
    lines = [text(SAFETY).partition("\n## Mutants\n")[0], "## Mutants", "",
             "`make mutants` builds Parador with each of these faults, one at a time, and runs the tests behind it until one fails (generated",
             f"from `{MUTANTS}` by `make docs`).", "", "| mutant | fault | tests |", "|---|---|---|"]
    for m in mutanttable.MUTANTS:
        settings = "".join(f" {name}={value}" for name, value in m.settings.items())
        lines.append(f"| {m.name} | {m.fault} | {' '.join(f'`{t}`' for t in m.tests)}{settings} |")
    return "\n".join(lines) + "\n"


DOCUMENTS = {"docs/hypercalls.md": (TABLE, hypercalls), "docs/refusals.md": (RULES, refusals), SAFETY: (MUTANTS, safety)}


def main(axes):
    os.makedirs("docs", exist_ok=True)
    for path, (source, make) in DOCUMENTS.items():
        if os.path.exists(source):
            made = make()  # of what is there, perhaps
            with open(path, "w", encoding="utf-8") as f:
                f.write(made)
            print(f"docs: {path}")
    return 0
