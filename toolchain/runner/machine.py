# SPDX-License-Identifier: MIT
"""One QEMU process: its arguments, its console, and a guard against hangs that counts progress.

The console is QEMU's stdin and stdout, piped through here: every line is shown to a watcher (that is how the exit status
is found), and on a terminal the keys go through raw, so that Ctrl-C reaches the guest. Ctrl-] ends QEMU, whatever it does.
"""
import os
import re
import selectors
import shutil
import subprocess
import sys
import termios
import threading
import time

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[c()].?|\r")
QUIT_KEY = b"\x1d"  # Ctrl-]
# Virtual time by the count of instructions: one nanosecond (one tick of the TSC) each, the same from run to run however
# busy the host is, and a machine that waits waits for nothing.
ICOUNT = ["-icount", "shift=0,sleep=off", "-rtc", "base=2020-01-01,clock=vm"]
TICKS = os.sysconf("SC_CLK_TCK")


def commas(text):
    """QEMU takes a comma in an option's value for its end, unless it is doubled."""
    return text.replace(",", ",,")


def module(path, words=""):
    """One entry of -initrd. QEMU takes the first space for the end of the file's name, so `path` may have none."""
    return commas(f"{path} {words}".rstrip())


def arguments(axes, megabytes, image, words, modules, extra=()):
    """QEMU's command line: the machine of the axes, `image` with its words, and the boot modules."""
    accel = ["-accel", "kvm", "-cpu", "host"] if axes.accel == "kvm" else ["-accel", "tcg", "-cpu", "max,-smap"]
    return ["qemu-system-x86_64", *accel, "-m", str(megabytes), "-smp", str(axes.smp), "-nodefaults", "-display", "none",
            "-no-reboot", "-nic", "none", "-monitor", "none", "-chardev", "stdio,id=con,signal=off", "-serial", "chardev:con",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4", *extra, "-kernel", image, "-append", words,
            *(["-initrd", ",".join(modules)] if modules else [])]


class Guard:
    """Calls a machine hung when nothing was printed although QEMU burned `cpu` seconds of processor time since, or while
    `idle` seconds passed (a waiting guest burns next to nothing). A slow or busy host makes neither happen sooner:
    processor time is QEMU's own, and seconds count only while QEMU is not waiting for a processor."""

    def __init__(self, cpu, idle):
        self.cpu, self.idle = cpu, idle
        self.spent = self.waited = 0.0
        self.last = (0.0, 0.0)

    @staticmethod
    def sample(pid):
        """Processor seconds of the process, and seconds that its threads stood in line for a processor."""
        used = lined_up = 0.0
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as f:
                fields = f.read().rpartition(")")[2].split()
            used = (int(fields[11]) + int(fields[12])) / TICKS
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                    lined_up += int(f.read().split()[1]) * 1e-9
        except (OSError, IndexError, ValueError):
            pass
        return used, lined_up

    def output(self):
        """Something was printed: everything starts anew."""
        self.spent = self.waited = 0.0

    def hung(self, pid, seconds):
        """Called every few seconds with the time since the last call; says why the machine counts as hung, or None."""
        used, lined_up = self.sample(pid)
        cpu, line = max(0.0, used - self.last[0]), max(0.0, lined_up - self.last[1])
        self.last = (used, lined_up)
        self.spent += cpu
        self.waited += max(0.0, seconds - cpu - line)
        if self.spent > self.cpu:
            return f"no output in {self.spent:.0f} s of processor time"
        if self.waited > self.idle:
            return f"idle without output for {self.waited:.0f} s"
        return None


class Terminal:
    """The user's terminal in raw mode while a machine runs; output keeps its newlines. No terminal: nothing happens."""

    def __enter__(self):
        self.saved = None
        try:
            self.ours = not sys.stdin.isatty() or os.tcgetpgrp(0) == os.getpgrp()  # a background job may not read its terminal
        except OSError:  # a terminal, but of no session: nobody else reads it
            self.ours = True
        if sys.stdin.isatty() and self.ours:
            self.saved = termios.tcgetattr(0)
            raw = termios.tcgetattr(0)
            raw[0] &= ~(termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON | termios.IGNCR | termios.INLCR)
            raw[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
            raw[6][termios.VMIN], raw[6][termios.VTIME] = 1, 0
            termios.tcsetattr(0, termios.TCSANOW, raw)
        return self

    def __exit__(self, *_):
        if self.saved:
            termios.tcsetattr(0, termios.TCSADRAIN, self.saved)


class Machine:
    """Runs one QEMU to its end.

    `show` gets the raw output (or is None), `watch` each finished line without escapes; when watch returns True, QEMU is
    given `grace` seconds to end by itself and is then ended. `keys`: hand stdin on; `lonely`: what to say when it ends.
    `guard` may be None (no limit).
    """

    def __init__(self, command, show=None, watch=None, keys=False, guard=None, grace=0.0, lonely=None):
        self.lonely = lonely
        self.command, self.show, self.watch, self.keys, self.guard, self.grace = command, show, watch, keys, guard, grace
        self.hang = None  # why the guard ended it
        self.quit = False  # the user ended it with Ctrl-]
        self.partial = ""
        self.deadline = None

    def run(self):
        """Returns QEMU's own exit status once it has ended."""
        # A runner that is killed takes its QEMU along.
        leash = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        self.process = subprocess.Popen([*leash, *self.command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            with Terminal() as terminal, selectors.DefaultSelector() as ready:
                ready.register(self.process.stdout, selectors.EVENT_READ)
                if self.keys and terminal.ours:
                    threading.Thread(target=self.forward, daemon=True).start()
                self.pump(ready)
        finally:
            status = self.end()
            self.process.stdout.close()
        return status

    def end(self):
        """QEMU may put its files in order (a recording, say) before it has to go."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def forward(self):
        """A thread of its own: stdin, be it a terminal, a pipe or a file, into QEMU as fast as the guest takes it."""
        try:
            while True:
                data = os.read(0, 4096)
                if not data:
                    if self.lonely:
                        print(self.lonely, file=sys.stderr)
                    return
                if QUIT_KEY in data and sys.stdin.isatty():
                    self.quit = True
                    self.process.terminate()
                    return
                os.write(self.process.stdin.fileno(), data)
        except (OSError, ValueError):
            pass  # QEMU has ended, or stdin was closed

    def type(self, data):
        """Types something, as the user would."""
        try:
            os.write(self.process.stdin.fileno(), data)
        except OSError:
            pass  # QEMU has ended

    def pump(self, ready):
        """Takes QEMU's output until it ends or has to be ended."""
        checked = time.monotonic()
        while True:
            if ready.select(1.0) and not self.printed(os.read(self.process.stdout.fileno(), 65536)):
                return
            now = time.monotonic()
            if self.deadline and now > self.deadline:
                return
            if self.guard and now - checked >= 2.0:
                self.hang = self.guard.hung(self.process.pid, now - checked)
                checked = now
                if self.hang:
                    return

    def printed(self, data):
        """Shows and watches one piece of output; False at its end."""
        if not data:
            if self.partial and self.watch:
                self.watch(self.clean(self.partial))
            return False
        if self.guard:
            self.guard.output()
        if self.show:
            self.show(data)
        *lines, self.partial = (self.partial + data.decode("latin1")).split("\n")
        for line in lines:
            if self.watch and self.watch(self.clean(line)) and not self.deadline:
                self.deadline = time.monotonic() + self.grace
        return True

    @staticmethod
    def clean(line):
        return ESCAPES.sub("", line)


class Output:
    """A show function: the bytes to stdout as they come, but newlines as the host has them (a terminal adds its own \\r)."""

    def __init__(self):
        self.held = b""

    def __call__(self, data):
        data = self.held + data
        self.held = data[-1:] if data.endswith(b"\r") else b""
        sys.stdout.buffer.write(data[:len(data) - len(self.held)].replace(b"\r\n", b"\n"))
        sys.stdout.buffer.flush()
