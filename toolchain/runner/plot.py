# SPDX-License-Identifier: MIT
"""make bench PLOT=FILE.svg: the headline plot, hypercall against trap, drawn by gnuplot from the rows entry_WAY_N.

The cost of one page-table entry over the number of entries that change at once. The rows stand in build/bench.*.jsonl too, for any
other tool. What each way is: tests/bench/plot.c.
"""
import re
import subprocess

from .axes import Trouble
from .boot import Folder

TITLES = {"trap": "trapped write", "call": "a hypercall each", "multicall": "one multicall", "batch": "one mmu\\\\_update"}
NAMES = {"parador": "Parador", "xen": "Xen 4.17"}
COLOURS = {"trap": "#c0392b", "call": "#d68910", "multicall": "#2471a3", "batch": "#1e8449"}

SETTINGS = """set terminal svg size 820,560 font 'sans-serif,13' background '#ffffff'
set output '{out}'
set title 'Hypercall against trap: what changing a page-table entry costs'
set xlabel 'entries changed at once'
set ylabel 'guest instructions an entry'
set logscale x 2
set logscale y 10
set xrange [0.9:560]
set yrange [1:3000]
set grid
set key below maxrows 3
"""


def points(rows, way):
    """[(batch size, median)] of one way on one system."""
    found = ((re.fullmatch(rf"entry_{way}_(\d+)", name), row) for name, row in rows.items())
    return sorted((int(match[1]), row["median"]) for match, row in found if match)


def curves(results):
    """(points, gnuplot's words) of each curve."""
    for system, rows in results.items():
        for way, title in TITLES.items():
            dash, point = (1, 7) if system == "parador" else (2, 6)
            yield points(rows, way), f"with linespoints lc rgb '{COLOURS[way]}' dt {dash} pt {point} ps 0.6 title \"{title}, {NAMES[system]}\""
    plain = points(next(iter(results.values())), "store")
    yield plain, "with lines lc rgb '#707070' lw 2 title \"a plain store (floor)\""


def draw(axes, results):
    drawn = [(data, words) for data, words in curves(results) if data]
    if not drawn:
        raise Trouble("PLOT=: the rows entry_* were not measured")
    with Folder(axes) as folder:
        text = SETTINGS.format(out=axes.plot.replace("'", "''"))
        for n, (data, _) in enumerate(drawn):
            folder.write(f"{n}", "".join(f"{x} {y}\n" for x, y in data).encode())
        text += "plot " + ", ".join(f"'{folder.path}/{n}' {words}" for n, (_, words) in enumerate(drawn)) + "\n"
        done = subprocess.run(["gnuplot"], input=text, capture_output=True, text=True, check=False)
    if done.returncode or done.stderr.strip():
        raise Trouble(f"gnuplot could not draw {axes.plot}: {(done.stderr.strip() or 'no reason given').splitlines()[-1].strip()}")
    print(f"bench: drawn into {axes.plot}")
