# SPDX-License-Identifier: MIT
"""Does KVM work here? A device file that opens proves little: in many virtual machines and containers it is there, and the
first guest fails. So this starts QEMU with it, as ACCEL=kvm would, with nothing to boot: the firmware finds that out, resets
the machine, and QEMU ends with status 0."""
import functools
import os
import subprocess

QEMU = ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-nodefaults", "-display", "none", "-serial", "none", "-monitor", "none",
        "-no-reboot", "-boot", "reboot-timeout=1"]
SECONDS = 30


@functools.lru_cache(maxsize=None)
def trouble():
    """Why KVM does not work here, as half a sentence; "" where it does."""
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR))
        done = subprocess.run(QEMU, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=SECONDS,
                              check=False)
    except subprocess.TimeoutExpired:
        return f"/dev/kvm is there, but under it QEMU did not get through its firmware in {SECONDS} s"
    except OSError as error:
        return f"{error.filename or 'QEMU'}: {error.strerror}"
    if done.returncode == 0:
        return ""
    said = done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"]
    return "/dev/kvm is there, but QEMU fails with it (" + said[0].removeprefix("qemu-system-x86_64: ") + ")"
