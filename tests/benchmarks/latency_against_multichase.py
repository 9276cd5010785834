"""Our latency against google/multichase, in turn, at the same size, stride and page size, on the same CPU.

    python tests/benchmarks/latency_against_multichase.py PATH-OF-MULTICHASE [--pairs 8]

multichase is told to be random over all of the memory (-T) and to use huge pages (-H), as ours asks for them. Below,
the first level in cycles: of a processor whose load-to-use time is published it must be that. The bar: 5 % at the
second level and in memory. Exit 1 beyond it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from our_engine import our_case
from pairs import ratio_of_pairs

from bandwidth.statistics import median

BAR = 0.05
SIZES = (16 * 1024, 512 * 1024, 1024**3)
BLOCK_S = 0.5


def main() -> int:
    """Print a line for each size; return 1 where one misses the bar."""
    parser = argparse.ArgumentParser()
    parser.add_argument("multichase")
    parser.add_argument("--pairs", type=int, default=8)
    asked = parser.parse_args()
    missed = 0
    for size in SIZES:
        seen = []

        def ours(size=size, seen=seen):
            seen.append(_ours(size))
            return seen[-1][0]

        def theirs(size=size):
            return multichase(asked.multichase, size)

        ratio = ratio_of_pairs(ours, theirs, asked.pairs)
        time_ns, cycles = (median([values[index] for values in seen]) for index in (0, 1))
        print(f"{size / 1024:,.0f} KiB: {time_ns:.2f} ns, {cycles:.2f} cycles; ours / multichase = {ratio}", flush=True)
        missed += size > SIZES[0] and not 1 - BAR <= ratio.median <= 1 + BAR
    return int(missed > 0)


def _ours(size_bytes):
    """Return the time of a load in ns and in cycles: in new memory each time, as multichase's is."""
    with our_case(size_bytes, latency=True, wanted=lambda case: _is_idle(case, size_bytes)) as ours:
        ours.nanoseconds(1000)
        calls = max(round(BLOCK_S / (ours.nanoseconds(1000) * 64e-9)), 1)
        block = ours.engine.run_block(ours.case, calls)
    time_ns = block.seconds / calls / 64 * 1e9
    return time_ns, time_ns * block.observed["clock_hz"] / 1e9


def _is_idle(case, size_bytes):
    """Return whether it is the case of a size with no load beside it."""
    return case.working_set_bytes == size_bytes and "load" not in case.variant


def multichase(path, size_bytes):
    """Return multichase's time of one load in ns, on the first CPU that may be used, which is ours too."""
    cpu = min(os.sched_getaffinity(0))
    command = ["taskset", "-c", str(cpu), path, "-m", str(size_bytes), "-s", "64", "-T", str(size_bytes), "-H"]
    done = subprocess.run([*command, "-n", "1", "-a"], capture_output=True, text=True, check=True)
    return float(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
