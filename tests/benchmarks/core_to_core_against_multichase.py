"""Our core-to-core latency against pingpong of google/multichase, in turn, on the same two CPUs.

    python tests/benchmarks/core_to_core_against_multichase.py PATH-OF-PINGPONG [--cpus A,B] [--pairs 8]

Both let two threads hand one cache line back and forth and give the time of one hand-over: one way. pingpong is told
to load and store the line's word plainly (-u), as ours does, and not by a locked instruction, and to make no pauses
between its looks (-r 0): of its own accord it makes ten, as long as a line from another core takes. It prints the best
of five samples of 250 ms, so ours is the best of five blocks as long. One process of pingpong has one line, and how
long that takes depends on where its home is in the caches (36 to 46 ns on a Zen 5, by its address; ours goes over eight
lines a block): so the middle of several processes stands beside ours. The bar: 5 %. Exit 1 beyond it.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys

from our_engine import our_case
from pairs import ratio_of_pairs

from bandwidth.statistics import median

BAR = 0.05
BLOCKS, BLOCK_S = 5, 0.25
PROCESSES = 5
# A row of its matrix: the CPU, and the times to those after it.
ROW = re.compile(r"^ *[0-9]+: +([0-9.]+)$", re.MULTILINE)


def main() -> int:
    """Print the ratio; return 1 where it misses the bar, 2 without two CPUs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pingpong")
    parser.add_argument("--cpus", default=",".join(map(str, sorted(os.sched_getaffinity(0))[:2])))
    parser.add_argument("--pairs", type=int, default=8)
    asked = parser.parse_args()
    cpus = tuple(map(int, asked.cpus.split(",")))
    if len(cpus) != 2:
        print("two CPUs are needed: --cpus A,B", file=sys.stderr)
        return 2
    seen = []
    with our_case(None, core_to_core=True, cpus=cpus) as ours:
        ours.nanoseconds(10)
        calls = max(round(BLOCK_S / (ours.nanoseconds(100) * ours.case.bytes_per_call / 8 * 1e-9)), 1)

        def best():
            seen.append(min(ours.nanoseconds(calls) for _ in range(BLOCKS)))
            return seen[-1]

        ratio = ratio_of_pairs(
            best, lambda: median([pingpong(asked.pingpong, cpus) for _ in range(PROCESSES)]), asked.pairs
        )
    print(f"CPUs {asked.cpus}: {median(seen):.1f} ns a hop; ours / pingpong = {ratio}", flush=True)
    return int(not 1 - BAR <= ratio.median <= 1 + BAR)


def pingpong(path, cpus):
    """Return pingpong's time of one hand-over in ns."""
    command = ["taskset", "-c", ",".join(map(str, cpus)), path, "-u", "-r", "0"]
    return hop_ns(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def hop_ns(text):
    """Return the one time in what pingpong prints of two CPUs."""
    (time_ns,) = ROW.findall(text)
    return float(time_ns)


if __name__ == "__main__":
    sys.exit(main())
