"""Our latency against google/multichase, in turn, at the same size, stride and page size, on the same CPU.

    python tests/benchmarks/latency_against_multichase.py PATH-OF-MULTICHASE [--pairs 8]

multichase is told to be random over all of the memory (-T) and to use huge pages (-H), as ours asks for them. Below,
the first level in cycles: of a processor whose load-to-use time is published it must be that. The bar: 5 % at the
second level and in memory. Exit 1 beyond it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from our_engine import our_case
from pairs import ratio_of_pairs

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
        with our_case(size, latency=True, wanted=lambda case, size=size: case.working_set_bytes == size) as ours:
            cpu = ours.case.cpus[0]
            calls = max(round(BLOCK_S / (ours.nanoseconds(100) * 64e-9)), 1)
            ratio = ratio_of_pairs(
                lambda ours=ours, calls=calls: ours.nanoseconds(calls),
                lambda size=size, cpu=cpu: multichase(asked.multichase, size, cpu),
                asked.pairs,
            )
            block = ours.engine.run_block(ours.case, calls)
            time_ns = block.seconds / calls / 64 * 1e9
            cycles = time_ns * block.observed["clock_hz"] / 1e9
        print(f"{size / 1024:,.0f} KiB: {time_ns:.2f} ns, {cycles:.2f} cycles; ours / multichase = {ratio}", flush=True)
        missed += size > SIZES[0] and not 1 - BAR <= ratio.median <= 1 + BAR
    return int(missed > 0)


def multichase(path, size_bytes, cpu):
    """Return multichase's time of one load in ns."""
    command = ["taskset", "-c", str(cpu), path, "-m", str(size_bytes), "-s", "64", "-T", str(size_bytes), "-H"]
    done = subprocess.run([*command, "-n", "1", "-a"], capture_output=True, text=True, check=True)
    return float(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
