# SPDX-License-Identifier: MIT
"""make run: domains out of one kernel file, their ramdisks, and one boot on Parador or on stock Xen.

On Parador the kernel's file becomes domain 0 (role=driver) and DOMAINS-1 further domains (role=guest), each with a ramdisk.
On stock Xen the same file is domain 0, alone. Exit status: what the last line `parador: exit N` says (on Xen the line
`script: exit N`), 3 if it never came.
"""
import os
import re
import shutil
import sys
import tempfile

from . import build, packages
from .archive import archive, programs, read
from .axes import Trouble
from .machine import Alone, Guard, Machine, Output, arguments, hardware, module

NO_STATUS = 3
READY = "PARADOR_READY"  # in the environment: everything is built, as runner/endtoend.py knows
MEM, MEM_WITH_STOCK = 256, 512
MIB = 1 << 20
SPARE = 12  # MB that are Parador's and the firmware's
RAMDISK = 128 << 10  # bytes, about, of a domain without a disk
LEAST, MOST = 16, 32  # MB for a domain beside domain 0
STOCK_MB = 128  # of a stock guest
# An unattended run counts as hung after this many seconds without a line; see machine.Guard.
PATIENCE = {"cpu": 600, "idle": 120}
LONELY = {"cpu": 120, "idle": 10}  # the same when stdin has ended
POWER_OFF = b"\x14q"  # Parador's keys: Ctrl-T q

MOTD = """Welcome to pvkernel, a small Unix that runs unprivileged: in a domain of Parador, or of stock Xen.
Try: help, domains, ps, mem, ls, cat README, run hello, disk, sum xvda, ring, why.
"""
README = """This ramdisk came with the domain: a newc archive that the runner made (toolchain/runner/archive.py).
bin/ holds user programs (static ELF files: run NAME), and in domain 0 the file `disk` is what its block backend
exports to the other domains. There it is the device xvda. The file `guest` is a kernel for more domains: xl create NAME.
"""


def builtin_disk():
    """What domain 0 exports when no DISK= is given: readable text, some 200 KB."""
    lines = (f"{n:6d}  The quick brown fox of sector {n // 8:5d} reads itself through a ring.\n" for n in range(3200))
    return "".join(lines).encode()


class Folder:
    """A folder under build/ for one run's files, with a name without spaces; gone afterwards unless kept."""

    def __init__(self, axes, kept=None):
        self.kept = kept
        os.makedirs(axes.runs, exist_ok=True)
        self.path = kept or tempfile.mkdtemp(dir=axes.runs)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.kept:
            shutil.rmtree(self.path, ignore_errors=True)

    def write(self, name, data):
        with open(f"{self.path}/{name}", "wb") as f:
            f.write(data)
        return f"{self.path}/{name}"

    def link(self, name, source):
        """A name without spaces for the user's file."""
        if self.kept:
            return self.write(name, read(source))
        os.symlink(os.path.abspath(source), f"{self.path}/{name}")
        return f"{self.path}/{name}"


def ramdisks(axes):
    """Domain 0's ramdisk and that of all others, as bytes."""
    common = {"bin/": b"", **programs(f"{axes.build}/user"), "motd": MOTD.encode(), "README": README.encode()}
    driver = dict(common, disk=read(axes.disk) if axes.disk else builtin_disk())
    driver["guest"], driver["guest.ramdisk"] = read(axes.guest or f"{axes.build}/guest"), archive(common)
    driver.update({os.path.basename(name): read(name) for name in axes.files})
    if axes.stock:
        driver.update(stock_files(axes))
    elif axes.script is not None:
        driver["script"] = axes.script.encode() + b"\n"
    return archive(driver), archive(common)


def stock_files(axes):
    """What domain 0 needs to start a stock guest and to show its console. SCRIPT= is for the guest's own shell then."""
    from . import stock
    name, files = axes.stock, axes.stock_files
    if axes.script is not None:
        files = {"script": axes.script.encode() + b"\n", **files}
    image = stock.image(axes, name, files)
    driver = {name: read(image.kernel)}
    words = f"{'console=hvc0' if image.ramdisk else ''} {axes.args}".strip()
    if image.ramdisk:
        driver[f"{name}.ramdisk"] = image.ramdisk
    create = f"xl create {name} {name} mem={STOCK_MB} vcpus={axes.vcpus} {f'ramdisk={name}.ramdisk ' if image.ramdisk else ''}-- {words}"
    driver["script" if "script" in files else "start"] = f"d0: {create}\nd0: xl console {name}\n".encode()
    return driver


def machine_memory(axes, plain=None, with_stock=None):
    return axes.mem or (with_stock or MEM_WITH_STOCK if axes.stock else plain or MEM)


def shares(axes, machine, disk):
    """Megabytes of domain 0 and of each other domain; a Trouble where the machine can't hold domain 0 with its disk.

    The disk counts twice: once as a boot module, once inside domain 0's memory (an eighth more for its bookkeeping). All
    modules, and each domain has a kernel of its own, are in memory when domain 0 is built.
    """
    module_mb = -(-disk // MIB)
    kernel = axes.guest or f"{axes.build}/pvkernel"
    kernels = axes.domains * (os.path.getsize(kernel) + RAMDISK) // MIB if os.path.exists(kernel) else 0
    driver = MOST + module_mb + module_mb // 8
    others = axes.domains - 1
    need = SPARE + module_mb + kernels + driver + (STOCK_MB if axes.stock else 0)
    if module_mb > 1:
        need += LEAST * min(others, 1)
    if machine < need:
        named = "DISK" if axes.disk else "domain 0's ramdisk"
        what = f"{named} is {module_mb} MiB" if module_mb > 1 else f"MEM={machine} is too little for domain 0"
        what += f" beside {kernels} MB of kernels and ramdisks" if kernels > LEAST else ""
        raise Trouble(f"{what}: MEM={-(-need // 16) * 16} at least")
    # A domain costs Parador up to 1 MB beside its memory: structures, and its kernel's symbols for reports.
    return driver, max(LEAST, min(MOST, (machine - SPARE - module_mb - driver - (STOCK_MB if axes.stock else 0)) // others - 1)) if others else 0


def parador_image(axes):
    return f"{axes.build}/parador-debug" if axes.debug else f"{axes.build}/parador"


def parador_files(axes, folder):
    """What a boot loader has to load: Parador's image, and each boot module as (file, words)."""
    image = parador_image(axes)
    kernel = folder.link("guest", axes.guest) if axes.guest else f"{axes.build}/pvkernel"
    if folder.kept:
        image, kernel = folder.link("parador", image), kernel if axes.guest else folder.link("pvkernel", kernel)
    first, other = ramdisks(axes)
    driver_mb, other_mb = shares(axes, machine_memory(axes), len(first))
    script = " script" if axes.script is not None else ""
    modules = []
    for n in range(axes.domains):
        role = f"role=driver domains={axes.domains}{script}" if n == 0 else "role=guest"
        modules.append((kernel, f"name=d{n} mem={other_mb if n else driver_mb} vcpus={axes.vcpus} -- {role} {axes.args}"))
        if n < 2:
            rest = folder.write(f"ramdisk{n}", other if n else first)
        modules.append((rest, "ramdisk"))
    return image, modules


def parador_command(axes, folder, extra=()):
    """QEMU's command line for Parador with its domains, loaded by QEMU or from an ISO image."""
    if axes.boot == "iso":
        from . import iso
        return [*hardware(axes, machine_memory(axes), extra), "-cdrom", iso.make(axes, folder, f"{folder.path}/parador.iso")]
    image, modules = parador_files(axes, folder)
    return arguments(axes, machine_memory(axes), image, axes.append, [module(*m) for m in modules], extra)


class Watcher:
    """Finds the exit status in the console's lines."""

    def __init__(self, pattern):
        self.pattern, self.status = re.compile(pattern), None

    def __call__(self, line):
        found = self.pattern.search(line)
        if found:
            self.status = int(found[1])
        return bool(found)


def parador_watcher():
    return Watcher(r"^parador: exit (\d+)\s*$")


class ScriptOfGuest:
    """With SCRIPT= a stock guest's shell runs it, and its init (runner/stock.py) says how that went, unless the script ends the guest
    itself: the exit status is that one, where the machine ended well."""

    def __init__(self, watcher, name):
        self.watcher, self.script, self.left = watcher, 0, re.compile(rf"\({name} goes on\)\s*$")

    def __call__(self, line):
        found = re.search(r"\binit: exit (\d+)\s*$", line)
        if found:
            self.script = int(found[1])
        elif self.left.search(line):
            self.script = None
        return self.watcher(line)

    @property
    def status(self):
        if self.watcher.status == 0:
            return 1 if self.script is None else self.script
        return self.watcher.status

    def tell(self):
        if self.script is None:
            print("run: the guest's script did not end: its console was left", file=sys.stderr)
        elif self.script and not self.watcher.status:
            print(f"run: the guest's script ended with status {self.script}", file=sys.stderr)


def watch_for(axes, watcher):
    """What finds the exit status of a run on a system where `watcher` finds that of the machine."""
    return ScriptOfGuest(watcher, axes.stock) if axes.stock and axes.script is not None else watcher


def prepare(axes, system):
    """Packages and build products for a run on `system`; nothing to do where our own tests have seen to both."""
    if axes.text(READY):
        return
    packages.ensure(packages.needs(axes, [system]))
    kernel = [] if axes.guest else [f"{axes.build}/pvkernel", f"{axes.build}/guest", "user"]
    hypervisor = [] if system == "xen" else [parador_image(axes)]
    build.make(axes, *kernel, *hypervisor, *([f"{axes.build}/parador.syms"] if hypervisor else []))


def main(axes):
    from . import debug, kvm, replay, stockxen
    system = (axes.on or ["parador"])[0]
    if system == "xen" and axes.record:
        raise Trouble("RECORD= is for ON=parador")
    if axes.boot == "iso" and (system == "xen" or axes.record):
        raise Trouble("BOOT=iso is for ON=parador without RECORD=")
    disk = os.path.getsize(axes.disk) if axes.disk else 0
    if axes.disk and not disk:
        print(f"run: DISK={axes.disk} is empty: xvda has no sectors", file=sys.stderr)
    if system == "parador":  # before anything is built
        shares(axes, machine_memory(axes), disk)
    else:
        stockxen.fits(axes, disk)
    if axes.accel == "kvm" and kvm.trouble():
        raise Trouble(f"ACCEL=kvm: {kvm.trouble()}; without ACCEL= the machine is emulated")
    prepare(axes, system)
    if system == "xen":
        return stockxen.run(axes)
    if axes.record:
        return replay.record(axes)
    with Folder(axes) as folder:
        return converse(axes, parador_command(axes, folder, debug.stub(folder.path)), watch_for(axes, parador_watcher()), 20.0, farewell=POWER_OFF)


def deserted(axes, farewell):
    """What the end of stdin means: nothing to a script; else the machine is ended when it only waits, or polls."""
    if axes.script is not None:
        return None
    return Alone(f"run: stdin has ended, nothing more will be typed: the machine ends when it has been idle for {LONELY['idle']} s "
                 f"or silent for {LONELY['cpu']} s (SCRIPT='help; d0: mem' runs commands and ends)", Guard(**LONELY), farewell)


def converse(axes, command, watcher, grace, show=None, awake=None, farewell=None):
    """Runs a machine with the user's keys; the exit status that the watcher found. `farewell`: keys that power it off."""
    guard = None if sys.stdin.isatty() and axes.script is None else Guard(**PATIENCE)
    machine = Machine(command, show=show or Output(), watch=watcher, keys=True, guard=guard, grace=grace,
                      alone=deserted(axes, farewell), awake=awake)
    status = machine.run()
    if watcher.status is not None:
        if isinstance(watcher, ScriptOfGuest):
            watcher.tell()
        return watcher.status
    if machine.quit:
        print("\nrun: ended by Ctrl-] Ctrl-]", file=sys.stderr)
        return 0
    if machine.hang:
        print(f"\nrun: ended, the machine hangs: {machine.hang}", file=sys.stderr)
    elif machine.left:
        print("\nrun: ended, the machine said nothing more and nobody types", file=sys.stderr)
    elif status and machine.said:
        raise Trouble("QEMU can't run this machine: " + machine.said[-1].removeprefix("qemu-system-x86_64: "))
    else:
        print("\nrun: QEMU ended before the machine said how it went", file=sys.stderr)
    return NO_STATUS
