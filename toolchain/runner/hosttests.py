# SPDX-License-Identifier: MIT
"""The tests of what happens before there is a machine: what is asked and printed when packages are missing, and the check
for makefiles that are too new.

The first stands on a PATH of its own: links to what this machine has, without QEMU; `sudo` and `apt-get` are scripts that
only write down how they were called. An ordinary user is made of root by setpriv, a terminal by a pseudo-terminal.
"""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import tempfile

from . import check
from .boot import READY
from .verdict import Result

TOOLS = ("sh", "env", "id", "dirname", "python3", "make", "gcc", "ld", "cc", "uname", "setpriv")
COMMAND = r"apt-get update && (sudo )?apt-get install -y --no-install-recommends qemu-system-x86$"
NOBODY = "65534"
SECONDS = 60


class Desk:
    """A place without QEMU where `make run` is typed: by root or not, with or without a terminal and sudo."""

    def __init__(self, user, sudo=True):
        self.folder = tempfile.mkdtemp()
        os.chmod(self.folder, 0o755)
        self.log = f"{self.folder}/calls"
        for name in TOOLS:
            found = shutil.which(name, path="/usr/bin:/bin") or shutil.which(name)  # where anybody may run it
            if found:
                os.symlink(found, f"{self.folder}/{name}")
        self.top = f"{self.folder}/top"  # the user may not read ours
        shutil.copytree("toolchain", f"{self.top}/toolchain", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy("Makefile", self.top)
        subprocess.run(["chmod", "-R", "a+rX", self.top], check=True)
        self.script("apt-get", 'echo "$(id -u): apt-get $*"')
        if sudo:
            self.script("sudo", 'echo "sudo $*"')
        with open(self.log, "w", encoding="utf-8"):
            os.chmod(self.log, 0o666)
        root = os.geteuid() == 0
        self.prefix = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"] if root and user else []

    def script(self, name, line):
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as f:
            f.write(f"#!/bin/sh\n{line} >> {self.log}\n")
        os.chmod(f.name, 0o755)

    def environment(self):
        return {"PATH": self.folder, "HOME": "/", "B": "/nonexistent", "LC_ALL": "C"}

    def command(self):
        return [*self.prefix, "sh", f"{self.top}/toolchain/start", "run"]

    def calls(self):
        """What sudo and apt-get were called with."""
        with open(self.log, encoding="utf-8") as f:
            return f.read().splitlines()

    def without_terminal(self):
        """Exit status and output of make run with no keyboard."""
        done = subprocess.run(self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=self.environment(), timeout=SECONDS, check=False)
        return done.returncode, done.stdout.splitlines()

    def at_terminal(self, answer):
        """The same on a terminal, where `answer` is typed at the question mark."""
        pid, terminal = pty.fork()
        if pid == 0:
            try:
                os.execvpe(self.command()[0], self.command(), self.environment())
            finally:
                os._exit(127)
        output, asked = b"", False
        while select.select([terminal], [], [], SECONDS)[0]:
            try:
                data = os.read(terminal, 4096)
            except OSError:  # how Linux says that the other side was closed
                data = b""
            if not data:
                break
            output += data
            if b"[y/N]" in output and not asked:
                asked = True
                os.write(terminal, answer)
        else:
            os.kill(pid, signal.SIGKILL)
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), output.decode("utf-8", "replace").splitlines()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)


def asked_for(lines, pattern):
    return any(re.search(pattern, line) for line in lines)


def missing_package_without_a_terminal():
    """An ordinary user gets one line with the one command, and nothing is called."""
    for sudo in (True, False):
        with Desk(user=True, sudo=sudo) as desk:
            status, lines = desk.without_terminal()
            if status != 2 or len(lines) != 1 or not re.search(r"^run: missing: qemu-system-x86 \(the machine\); install it .*" + COMMAND, lines[0]):
                yield f"sudo {sudo}: status {status}, {lines}"
            if desk.calls() or sudo != (" sudo apt-get" in "".join(lines)):
                yield f"sudo {sudo}: called {desk.calls()}, printed {lines}"


def missing_package_on_a_terminal():
    """We ask before sudo; only a yes calls it."""
    for answer in (b"n\n", b"\n", b"\x04"):
        with Desk(user=True) as desk:
            status, lines = desk.at_terminal(answer)
            if status != 2 or desk.calls() or not asked_for(lines, r"^setup: install with 'sudo apt-get .*\? \[y/N\]") or not asked_for(lines, COMMAND):
                yield f"answer {answer}: status {status}, called {desk.calls()}, {lines}"
    with Desk(user=True) as desk:
        status, lines = desk.at_terminal(b"y\n")
        calls = [re.sub("env DEBIAN_FRONTEND=noninteractive ", "", c) for c in desk.calls()]
        if calls != ["sudo apt-get update", "sudo apt-get install -y --no-install-recommends qemu-system-x86"]:
            yield f"yes: called {calls}, {lines}"
        if status != 2 or not asked_for(lines, r"^run: installed, but still missing: qemu-system-x86"):
            yield f"yes: status {status}, {lines}"


def missing_package_for_root():
    """Root is not asked."""
    if os.geteuid() != 0:
        return
    with Desk(user=False) as desk:
        desk.without_terminal()
        if desk.calls() != ["0: apt-get update", "0: apt-get install -y --no-install-recommends qemu-system-x86"]:
            yield f"called {desk.calls()}"


def folder_of_somebody_else():
    """Where nothing may be written, one line says so."""
    if os.geteuid() != 0:
        return
    with Desk(user=True) as desk:
        environment = dict(desk.environment(), B=desk.folder)
        environment[READY] = "1"
        done = subprocess.run([*desk.prefix, "python3", f"{desk.top}/toolchain/run", "run"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, env=environment, timeout=SECONDS, check=False)
        if done.returncode != 2 or done.stdout.count("\n") != 1 or not re.search(r"^run: .*Permission denied \(B= names", done.stdout):
            yield f"status {done.returncode}, {done.stdout!r}"


def makefiles_for_make_3_81():
    """Each newer feature is found where it stands, and older ones that look like it are not."""
    newer = {
        "A != date": "!=", "A ::= b": "::=", "a b &: c": "grouped", ".ONESHELL:": "special", "define x =": "define", "define x :=": "define",
        "undefine A": "undefine", "a: private B = c": "private", "private B = c": "private", "A := $(file < b)": "function",
        "A := $(guile 1)": "function", "\t$(file > $@,$^)": "function", ".RECIPEPREFIX = >": "special", "\t$(MAKE) -Otarget x": "option",
        "\t$(MAKE) --output-sync x": "option", "load x.so": "load", "A := b \\\n  $(let a,b,c)": "function", ".EXTRA_PREREQS := a": "special",
    }
    older = "# A != date\ndefine x\na\nendef\nA := b # $(file x)\n\ttest a != b && c 2>&1\nB ?= $(or $(A),c)\na: export B := c\nelse ifeq (a,b)\na: b | c\n-include d\n"
    for text, name in newer.items():
        if [name in what for _, what in check.newer_make(text)] != [True]:
            yield f"{text!r}: {list(check.newer_make(text))}"
    yield from (f"line {n} of the older ones: {what}" for n, what in check.newer_make(older))


def calls_that_can_not_be():
    """Each is one line and status 2."""
    calls = {
        "frobnicate": r"^frobnicate: usage: toolchain/run run\|", "run DISK": r"^run: DISK: NAME=VALUE expected$", "rewind": r"^rewind: RECORD=f is needed",
        "rewind RECORD=/no/such": r"^rewind: RECORD=/no/such: no recording", "gdb ON=xen": r"^gdb: ON=xen: gdb is for Parador",
        "test ON=windows": r"^test: ON=windows: parador or xen expected", "check TEST=nosuch": r"^check: TEST=nosuch: one of format,",
    }
    for words, pattern in calls.items():
        done = subprocess.run(["toolchain/run", *words.split()], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env={k: v for k, v in os.environ.items() if k not in ("ON", "TEST", "MAKEFLAGS", "MFLAGS")}, timeout=SECONDS, check=False)
        if done.returncode != 2 or not re.search(pattern, done.stdout) or done.stdout.count("\n") != 1:
            yield f"{words}: status {done.returncode}, {done.stdout!r}"


TESTS = (calls_that_can_not_be, missing_package_without_a_terminal, missing_package_on_a_terminal, missing_package_for_root, folder_of_somebody_else, makefiles_for_make_3_81)


def wanted(axes):
    return [t for t in TESTS if not axes.tests or any(name in t.__name__ for name in axes.tests)]


def run(test):
    """Runs one test; its Result and its complaints."""
    complaints = list(test())
    return Result(test.__name__, "host", "run", "fail" if complaints else "pass", "; ".join(complaints[:3])), complaints
