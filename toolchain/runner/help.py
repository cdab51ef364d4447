# SPDX-License-Identifier: MIT
"""make help: the targets and the axes."""
from .axes import KNOWN

TARGETS = [
    ("make", "builds build/parador (for qemu -kernel), build/parador.syms (for gdb) and build/pvkernel"),
    ("make run", "boots our kernel in two domains and gives you their consoles; axes: ON GUEST DISK MEM SMP VCPUS DOMAINS SCRIPT ..."),
    ("make iso", "writes build/parador.iso, which GRUB boots (Multiboot 2) to the same domains; axes: DISK MEM DOMAINS SCRIPT ..."),
    ("make test", "host tests, then every guest test on Parador and on stock Xen, verdicts compared; axes: ON TEST CC"),
    ("make fuzz", "random hypercalls from seeds, the results compared with stock Xen's (ON=parador,xen); axes: ON SEEDS STEPS TEST"),
    ("make fuzz-host", "libFuzzer on parsers, rings and the decoder, on this machine; axes: MINUTES TEST"),
    ("make mutants", "Parador with seeded faults, one at a time: each must make a test fail; axes: TEST (names of mutants)"),
    ("make bench", "guest instructions per operation, on Parador and on stock Xen side by side; axes: ON TEST MEM PLOT"),
    ("make gdb", "gdb on the machine of a `make run` in another terminal, or on a fresh one, stopped at its reset"),
    ("make run RECORD=f", "records the run; make rewind RECORD=f replays it under gdb, where reverse-continue works"),
    ("make check", "format, lint, headers, reading list, generated documents, models, proof, size"),
    ("make prove", "Frama-C: nothing undefined can happen in ring/, whatever the peer writes into the page"),
    ("make docs", "generates docs/hypercalls.md and docs/refusals.md from their tables"),
    ("make doctor", "says what is wrong with this machine, and how to mend it"),
    ("make setup", "installs what is missing, and nothing else"),
    ("make clean", "removes build/"),
]


def main(axes):
    print("Parador: a paravirtual microhypervisor and its teaching kernel.\n\nTargets:")
    for name, text in TARGETS:
        print(f"  {name:<18} {text}")
    print("\nSettings (make run DISK='my file' SCRIPT='d1: sum xvda'):")
    for name, text in KNOWN.items():
        print(f"  {name + '=':<18} {text}")
    print("\nWhile a machine runs: Ctrl-T ? shows Parador's keys, Ctrl-] twice ends QEMU.")
    return 0
