"""Our latency under load against multiload of google/multichase, in turn, on the same CPUs, at the same load.

    python tests/benchmarks/loaded_latency_against_multiload.py PATH-OF-MULTILOAD [--pairs 8]

One thread follows a random cycle through all lines of 512 MiB in huge pages while the others read as fast as they can:
multiload's chaseload beside stream-sum, which sums 64-bit words of a part of memory for each thread. Where our readers
are faster they are slowed down to what multiload's read, in percent of their most: the latency depends on the load, so
both stand in the line. multiload takes the mean over one sample of two seconds behind a warm-up of four; ours is a
block as long, in new memory each time, as multiload's is. The bar: 5 % of the latency. Exit 1 beyond it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import replace

from our_engine import our_case
from pairs import ratio_of_pairs

from bandwidth.statistics import median

BAR = 0.05
SIZE_BYTES = 512 * 1024**2
BLOCK_S, TRIAL_S = 2.0, 0.2
MIB = 1024**2
LATENCY_FIELD, LOAD_FIELD = "ChaseNS", "LdAvgMibs"


def main() -> int:
    """Print the ratio with both loads; return 1 where it misses the bar, 2 without two CPUs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("multiload")
    parser.add_argument("--pairs", type=int, default=8)
    asked = parser.parse_args()
    cpus = tuple(sorted(os.sched_getaffinity(0)))
    if len(cpus) < 2:
        print("a load needs a CPU of its own", file=sys.stderr)
        return 2
    theirs = [multiload(asked.multiload, cpus)]  # what ours is to be slowed down to at first
    ours = []

    def our_ns():
        ours.append(_ours(cpus, theirs[-1][1]))
        return ours[-1][0]

    def their_ns():
        theirs.append(multiload(asked.multiload, cpus))
        return theirs[-1][0]

    ratio = ratio_of_pairs(our_ns, their_ns, asked.pairs)
    time_ns, load, their_load = (median(values) for values in (*zip(*ours, strict=True), [one[1] for one in theirs]))
    loads = f"{load / 1e9:.1f} GB/s of load (multiload's {their_load / 1e9:.1f})"
    print(f"{time_ns:.1f} ns beside {loads}; ours / multiload = {ratio}", flush=True)
    return int(not 1 - BAR <= ratio.median <= 1 + BAR)


def _ours(cpus, load):
    """Return the time of a load in ns, and the bytes per second that the others read: not more than `load`."""
    full = {"latency": True, "threads": (str(len(cpus)),), "cpus": cpus}
    with our_case(SIZE_BYTES, wanted=lambda case: case.variant.get("load") == "100%", **full) as ours:
        calls = max(round(TRIAL_S / (ours.nanoseconds(1000) * 64e-9)), 1)
        most = ours.engine.run_block(ours.case, calls).observed["load_bytes_per_s"]
        percent = min(max(round(100 * load / most), 1), 100)
        case = replace(ours.case, variant={**ours.case.variant, "load": f"{percent}%"})
        calls = round(calls * BLOCK_S / TRIAL_S)
        block = ours.engine.run_block(case, calls)
        assert ours.engine.verify(case, whole=True) == ""
    return block.seconds / calls / 64 * 1e9, block.observed["load_bytes_per_s"]


def multiload(path, cpus):
    """Return multiload's time of a load in ns beside the load of all other CPUs, and their bytes per second."""
    size = str(SIZE_BYTES)
    command = ["taskset", "-c", ",".join(map(str, cpus)), path, "-m", size, "-T", size, "-s", "64", "-H"]
    chase = ["-t", str(len(cpus)), "-c", "chaseload", "-l", "stream-sum", "-n", "1", "-a"]
    return figures_of(subprocess.run([*command, *chase], capture_output=True, text=True, check=True).stdout)


def figures_of(text):
    """Return the time and the load in the two lines that multiload prints: names, and values below them."""
    names, values = ([word.strip() for word in line.split(",")] for line in text.strip().splitlines()[-2:])
    row = dict(zip(names, values, strict=True))
    return float(row[LATENCY_FIELD]), float(row[LOAD_FIELD]) * MIB


if __name__ == "__main__":
    sys.exit(main())
