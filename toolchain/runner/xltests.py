# SPDX-License-Identifier: MIT
"""The tests of xl in domain 0's shell, as cases of runner/endtoend.py: domains made, paused, listed and destroyed while they
run, and what is left of them: nothing. A thousand of them leave the counts of frames, ports and grants as they were."""
import re

THOUSAND = 1000
ENDED = r"parador: d\d+ ended \((.*)\): free frames: (\d+) before it, (\d+) after it"
ROW = r"(?:\[d0\] )? +0 d0 +lives +(\d+) .* (\d+) +(\d+)$"  # of `domains`: pages, ports and grants of domain 0
MACHINE = r"(?:\[d0\] )?machine: \d+ frames, (\d+) free"


def script(*commands):
    """Commands of domain 0, but for those that name another."""
    return "; ".join(c if re.match(r"d\d+: ", c) else f"d0: {c}" for c in commands)


def leaves_nothing(destroyed):
    """A check of a run: so many domains were destroyed, each left as many free frames as there were before it."""
    def check(lines):
        ends = [m for m in (re.match(ENDED, line) for line in lines) if m]
        bad = [m[0] for m in ends if m[2] != m[3]]
        checked = [line for line in lines if line.startswith("parador: check: ") and not line.endswith(": ok")]
        count = sum(m[1] == "destroyed" for m in ends)
        return (bad or checked or [""])[0] or ("" if count == destroyed else f"{count} domains were destroyed, not {destroyed}")
    return check


def same_figures(destroyed):
    """The same, and the first and the last time that `domains` was run it said the same of machine and domain 0."""
    def check(lines):
        figures = [[m.groups() for m in (re.match(pattern, line) for line in lines) if m] for pattern in (ROW, MACHINE)]
        for found in figures:
            if len(found) < 2 or found[0] != found[-1]:
                return f"`domains` said {found[:1]}, and at the end {found[-1:]}"
        return leaves_nothing(destroyed)(lines)
    return check


def cycles(n):
    """A domain is made, paused, let go on and destroyed, n times between two figures. Before them one that is used, because
    domain 0 keeps a page of grant handles that it never gives back. Another CPU may still free the last frames when its number is free."""
    once = ["xl create t mem=8", "xl pause t", "xl list t", "xl unpause t", "xl destroy t"]
    return "\n".join(["d0: xl create t mem=8", "d1: disk", *(f"d0: {c}" for c in ["xl destroy t", "domains", *once * n, "sleep 2", "domains"])]) + "\n"


def cases(case, files):
    """The cases; `case` is endtoend.Case, `files` its Files."""
    yield case("xl_life", {"DEBUG": "1", "SCRIPT": script(
        "domains", "xl create web", "xl list", "d2: sum xvda", "xl pause web", "xl list 2", "xl unpause 2", "d2: run hello", "check", "ring",
        "xl destroy web", "xl list web", "domains")}, 1,
        [r"\[d0\] web: domain 2, 32 MB, 1 vcpu$", r"\[d0\] web +2 +32 +1 +[-rb]{2}---- +0\.\d$", r"\[d2\] \d+ \d+ xvda", r"\[d0\] web +2 +32 +1 +-[-b]p--- +0\.\d$",
         r"\[d2\] hello from user mode", r"\[d0\] domain 2 +connected", r"\[d0\] xl: web: there is no such domain"], check=leaves_nothing(1))
    for system, n in (("parador", 2), ("xen", 1)):
        yield case(f"xl_reboot_on_{system}", {"ON": system, "SCRIPT": script(
            "xl create web mem=16", f"d{n}: mem", "xl reboot web", "sleep 2", f"d{n + 1}: sum xvda", f"xl reboot {n + 1}", "sleep 2", f"d{n + 2}: sum xvda", "xl list",
            f"d{n + 2}: poweroff", "sleep 2", "xl list web")}, 1,
            [rf"web rebooted: domain {n + 1}$", rf"web rebooted: domain {n + 2}$", rf"web +{n + 2} +16 +1 ", r"xl: web: there is no such domain"], system=system)
    yield case("xl_words", {"SCRIPT": script(
        "xl", "xl frobnicate", "xl create", "xl create 7", "xl create d1", "xl create x nowhere", "xl create x README", "xl create x mem=1", "xl create x mem=0",
        "xl create x vcpus=33", "xl create x guest ramdisk=nowhere", "xl create x guest guest", "xl create x mem=1000", "xl destroy nobody", "xl destroy 0",
        "xl pause 0", "xl shutdown 0", "xl vcpu-pin d1 7 0", "xl vcpu-pin d1 0 9", "xl vcpu-pin d1 x 0", "xl vcpu-pin d1 0 all", "xl unpause d1", "xl list nobody", "d1: xl list", "d1: xl", "domains")}, 1,
        [r"\] +xl create NAME \[IMAGE\]", r"xl: frobnicate: no such command", r"xl: 7: a name of 1 to 31", r"xl: d1: domain 1 has that name", r"xl: nowhere: no such file",
         r"xl: README: it is no ELF file", r"xl: x: \d+ MB is too little for its image: mem=\d+, and", r"xl: mem=0: a number from 1 to 1024", r"xl: vcpus=33: a number from 1 to 32",
         r"xl: guest: mem=MB, vcpus=N, ramdisk=FILE or -- expected", r"xl: x: it wants \d+ MB, and \d+ MB of memory are free", r"xl: nobody: there is no such domain",
         r"xl: 0: domain 0 can't do that to itself", r"xl: 7: d1 has vcpus 0 to \d+$", r"xl: 9: the machine has no such CPU$", r"xl: x: the number of a vcpu expected$", r"xl: d1: it is not paused", r"\[d1\] xl: only domain 0 may do that", r"; 2 domains$"])
    yield case("xl_words_of_the_guest", {"DOMAINS": "1", "SCRIPT": script(
        "xl create a guest mem=24 vcpus=4 ramdisk=guest.ramdisk -- debug=0 colour=blue", "d1: cat motd", "xl create b guest", "d2: ls", "xl shutdown a", "sleep 1", "xl list")},
        lines=[r"a: domain 1, 24 MB, 4 vcpus", r"pvkernel: unknown word on the command line: colour=blue", r"\[d1\] Welcome to pvkernel", r"parador: d1 ended \(poweroff\)", r"^\[d0\] b +2 "])
    yield case("xl_destroys_in_the_middle_of_io", {"DEBUG": "1", "DISK": files.noise("8mib", 8 << 20), "SCRIPT": script(
        "xl create a", "xl create b", "d2: sum xvda &", "d3: sum xvda &", "ring", "xl destroy a", "d1: sum xvda", "xl pause b", "xl destroy b", "ring", "check", "xl create c", "d4: sum xvda")},
        lines=[r"\[d4\] \d+ \d+ xvda"], check=leaves_nothing(2))
    yield case("xl_of_a_domain_that_crashes", {"SCRIPT": script(
        "xl create a mem=16", "d2: crash null", "sleep 1", "why 2", "xl create a mem=16", "d3: mem", "xl list")}, 1,
        [r"\[d0\] domain 2 crashed: page fault", r"\[d3\] \d+ pages of 4 kB", r"^\[d0\] a +3 +16 "], check=leaves_nothing(0))
    yield case("xl_a_thousand_domains", {"SCRIPT": "@" + files.write("thousand", cycles(THOUSAND).encode()), "DOMAINS": "1"}, check=same_figures(THOUSAND + 1))
    yield case("xl_checked_domains", {"DEBUG": "1", "SCRIPT": "@" + files.write("twenty", cycles(20).encode()), "DOMAINS": "1"}, check=same_figures(21))
    yield case("xl_on_xen", {"ON": "xen", "SCRIPT": script(
        "xl create web", "d1: sum xvda", "xl list", "xl pause web", "xl list web", "xl unpause web", "d1: run hello", "xl destroy web", "xl list", "xl list web")}, 1,
        [r"web: domain 1, 32 MB, 1 vcpu$", r"web +1 +32 +1 +[-rb]{2}---- ", r"web +1 +32 +1 +-[-b]p--- ", r"xl: web: there is no such domain"], system="xen")
