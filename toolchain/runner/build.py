# SPDX-License-Identifier: MIT
"""Calls make for what a command needs. Its lines go to stderr: stdout belongs to what the guests print."""
import os
import subprocess
import sys

from .axes import Trouble

# The build's own settings, passed on to the make below us; the axes of a run do not concern it.
PASSED = ("B", "CC", "CROSS", "HOSTCC", "XENHDRS", "V", "CI")


def command(axes, *words):
    """A make with the build's settings, and its environment."""
    given = [f"{name}={axes.environment[name]}" for name in PASSED if axes.environment.get(name)]
    environment = {k: v for k, v in axes.environment.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return {"args": ["make", "-s", *given, *words], "env": environment, "check": False}


def try_to_make(axes, *targets, going_on=("-k",)):
    """Builds as many of the targets as it can; whether that were all. A failed build has said why on stderr."""
    sys.stdout.flush()
    return subprocess.run(**command(axes, f"-j{os.cpu_count() or 1}", *going_on, *targets), stdout=sys.stderr).returncode == 0


def builds(axes, target):
    """Whether one target can be built; without a word."""
    return subprocess.run(**command(axes, target), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def make(axes, *targets):
    """Builds the targets (nothing where none is named)."""
    if targets and not try_to_make(axes, *targets, going_on=()):
        raise Trouble("the build failed, its messages stand above")
