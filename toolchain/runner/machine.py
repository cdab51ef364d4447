# SPDX-License-Identifier: MIT
"""One QEMU process: its arguments, its console, and a guard against hangs that counts progress.

The console is QEMU's stdin and stdout, piped through here: every line is shown to a watcher (that is how the exit status
is found), and on a terminal the keys go through raw, so that Ctrl-C reaches the guest. Ctrl-] twice in a row ends QEMU, whatever it
does; once it is a key like others (`xl console` is left by it).
What is typed before the machine has printed anything is kept until then: its serial port is not set up yet. What QEMU
itself has to say (its stderr) is kept for whoever wants to know why there is no machine.
"""
import os
import queue
import re
import selectors
import shutil
import subprocess
import sys
import termios
import threading
import time

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[c()].?|\r")
QUIT_KEYS = b"\x1d\x1d"  # Ctrl-] Ctrl-]
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


def hardware(axes, megabytes, extra=()):
    """QEMU's command line for the machine of the axes, without what it boots."""
    accel = ["-accel", "kvm", "-cpu", "host"] if axes.accel == "kvm" else ["-accel", "tcg", "-cpu", "max,-smap"]
    return ["qemu-system-x86_64", *accel, "-m", str(megabytes), "-smp", str(axes.smp), "-nodefaults", "-display", "none",
            "-no-reboot", "-nic", "none", "-monitor", "none", "-chardev", "stdio,id=con,signal=off", "-serial", "chardev:con",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4", *extra]


def arguments(axes, megabytes, image, words, modules, extra=()):
    """QEMU's command line: the machine of the axes, `image` with its words, and the boot modules."""
    return [*hardware(axes, megabytes, extra), "-kernel", image, "-append", words, *(["-initrd", ",".join(modules)] if modules else [])]


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


class Alone:
    """What to do when stdin ends: the message that is printed at once; the guard that then holds; and the keys that power
    a machine off which is only idle (None: QEMU is ended)."""

    def __init__(self, message, guard, farewell=None):
        self.message, self.guard, self.farewell = message, guard, farewell


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
    given `grace` seconds to end by itself and is then ended. `keys`: hand stdin on, from when `awake` says that somebody
    hears it (None: from the first output on). `alone`: what stdin's end means, an Alone, or None: nothing. `guard` may be
    None (no limit).
    """

    def __init__(self, command, show=None, watch=None, keys=False, guard=None, grace=0.0, alone=None, awake=None):
        self.command, self.show, self.watch, self.keys, self.guard, self.grace = command, show, watch, keys, guard, grace
        self.alone, self.awake = alone, awake
        self.hang = None  # why the guard ended it
        self.quit = False  # the user ended it with Ctrl-] Ctrl-]
        self.left = False  # stdin had ended and the machine was idle, or silent
        self.said = []  # QEMU's own lines
        self.partial = ""
        self.deadline = None
        self.typed, self.listens, self.deserted = queue.Queue(64), threading.Event(), threading.Event()

    def run(self):
        """Returns QEMU's own exit status once it has ended."""
        # A runner that is killed takes its QEMU along.
        leash = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        self.process = subprocess.Popen([*leash, *self.command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        hearing = self.start(self.hear)
        try:
            with Terminal() as terminal, selectors.DefaultSelector() as ready:
                ready.register(self.process.stdout, selectors.EVENT_READ)
                if self.keys and terminal.ours:
                    self.start(self.read_keys)
                    self.start(self.forward)
                self.pump(ready)
        finally:
            status = self.end()
            self.process.stdout.close()
            hearing.join(2.0)
        return status

    @staticmethod
    def start(function):
        thread = threading.Thread(target=function, daemon=True)
        thread.start()
        return thread

    def hear(self):
        """A thread of its own: QEMU's stderr."""
        for line in self.process.stderr:
            self.said.append(line.decode("utf-8", "replace").strip())

    def end(self):
        """QEMU may put its files in order (a recording, say) before it has to go."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def read_keys(self):
        """A thread of its own: stdin, be it a terminal, a pipe or a file. QUIT_KEYS on a terminal work at any time."""
        last = b""
        try:
            while True:
                data = os.read(0, 4096)
                last = last[-1:] + data
                if QUIT_KEYS in last and sys.stdin.isatty():
                    self.quit = True
                    self.process.terminate()
                    return
                if not data and self.alone:
                    print(self.alone.message, file=sys.stderr, flush=True)
                self.typed.put(data)
                if not data:
                    return
        except (OSError, ValueError):
            pass  # stdin was closed

    def forward(self):
        """A thread of its own: what was typed, into QEMU as fast as the guest takes it."""
        self.listens.wait()
        while data := self.typed.get():
            self.type(data)
        self.deserted.set()

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
            if self.alone and self.deserted.is_set() and not self.left and self.guard is not self.alone.guard:
                self.guard = self.alone.guard
                self.guard.hung(self.process.pid, 0.0)
                self.guard.output()
            if self.guard and now - checked >= 2.0:
                self.hang = self.guard.hung(self.process.pid, now - checked)
                checked = now
                if self.hang and not self.leave():
                    return

    def leave(self):
        """The guard is for ending the machine: where it waits because nobody types any more, that is no hang, and it is
        told to power itself off. False: end QEMU."""
        if not self.alone or self.guard is not self.alone.guard:
            return False
        print("\nrun: nobody types, and the machine said nothing more: it is switched off", file=sys.stderr, flush=True)
        self.hang, self.guard, self.left = None, None, True
        if not self.alone.farewell:
            return False
        self.type(self.alone.farewell)
        self.deadline = time.monotonic() + 20.0
        return True

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
        if not self.awake or self.awake():
            self.listens.set()
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
