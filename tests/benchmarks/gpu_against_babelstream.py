"""Our kernels on a GPU against BabelStream's CUDA build, in turn, on arrays of the same size, mean against mean.

    python tests/benchmarks/gpu_against_babelstream.py PATH-OF-CUDA-STREAM [--device 0] [--elements N] [--pairs 8]

BabelStream times each call by the host's clock and leaves the first out; ours is a block of as many calls between two
events, all of them checked. The bar: copy, triad and dot at 1.00 of BabelStream's at least. Exit 1 below it.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys

from our_engine import our_gpu_cases
from pairs import ratios_of_pairs

from bandwidth.planning.device_cases import device_case
from bandwidth.statistics import median

BAR = 1.0
CALLS = 100
ELEMENT_BYTES = 8
# BabelStream's names of the kernels, those that the bar is for first.
KERNELS = {"copy": "Copy", "triad": "Triad", "dot": "Dot", "scale": "Mul", "add": "Add"}
BARRED = ("copy", "triad", "dot")


def main() -> int:
    """Print a line for each kernel; return 1 where one misses the bar."""
    parser = argparse.ArgumentParser()
    parser.add_argument("path")
    parser.add_argument("--device", type=int, default=0)
    parser.add_argument("--elements", type=int, default=2**27)
    parser.add_argument("--pairs", type=int, default=8)
    asked = parser.parse_args()

    def cases(gpu):
        return [device_case("cuda", name, [gpu], asked.elements * ELEMENT_BYTES) for name in KERNELS]

    with our_gpu_cases(asked.device, cases) as found:
        rates = {name: [] for name in KERNELS}

        def ours():
            once = {one.case.path: one.rate(CALLS) for one in found}
            for name, rate in once.items():
                rates[name].append(rate)
            return once

        ratios = ratios_of_pairs(ours, lambda: babelstream(asked), asked.pairs)
    for name, ratio in ratios.items():
        print(f"{name}: {median(rates[name]) / 1e9:,.1f} GB/s; ours / BabelStream = {ratio}", flush=True)
    return int(any(ratios[name].median < BAR for name in BARRED))


def babelstream(asked):
    """Return BabelStream's mean rate of each kernel in bytes per second, by our name of it."""
    command = [asked.path, "--csv", "--device", str(asked.device), "--arraysize", str(asked.elements)]
    done = subprocess.run([*command, "--numtimes", str(CALLS + 1)], capture_output=True, text=True, check=True)
    rows = rows_of(done.stdout)
    streams = {"Copy": 2, "Mul": 2, "Add": 3, "Triad": 3, "Dot": 2}
    moved = {
        name: streams[theirs] * int(rows[theirs]["n_elements"]) * int(rows[theirs]["sizeof"])
        for name, theirs in KERNELS.items()
    }
    return {name: moved[name] / float(rows[theirs]["avg_runtime"]) for name, theirs in KERNELS.items()}


def rows_of(text):
    """Return the lines of BabelStream's table by the kernel's name; what stands before its header is left out."""
    lines = text.splitlines()
    begin = next(index for index, line in enumerate(lines) if line.startswith("function,"))
    return {row["function"]: row for row in csv.DictReader(lines[begin:])}


if __name__ == "__main__":
    sys.exit(main())
