# SPDX-License-Identifier: MIT
"""Calls make for what a command needs. Its lines go to stderr: stdout belongs to what the guests print."""
import os
import subprocess
import sys

from .axes import Trouble

# The build's own settings, passed on to the make below us; the axes of a run do not concern it.
PASSED = ("B", "CC", "CROSS", "HOSTCC", "XENHDRS", "V", "CI")


def make(axes, *targets, keep_going=False):
    """Builds the targets (nothing where none is named). A failed build has already said why on stderr."""
    if not targets:
        return
    given = [f"{name}={axes.environment[name]}" for name in PASSED if axes.environment.get(name)]
    environment = {k: v for k, v in axes.environment.items() if not k.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "-s", f"-j{os.cpu_count() or 1}", *(["-k"] if keep_going else []), *given, *targets]
    sys.stdout.flush()
    if subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode:
        raise Trouble("the build failed (its messages stand above)")
