"""Our copies between host and GPU against nvbandwidth's, in turn, by the copy engine, pinned, 512 MiB each.

    python tests/benchmarks/gpu_against_nvbandwidth.py PATH-OF-NVBANDWIDTH [--device 0] [--pairs 8]

nvbandwidth gives the median of three samples of 16 copies each, queued behind a kernel that holds the stream; ours is a
block of as many copies. It numbers the GPUs as the driver does for us. The bar: 0.99 of nvbandwidth's. Exit 1 below it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

from our_engine import our_gpu_cases
from pairs import ratios_of_pairs

from bandwidth.planning.device_cases import link_case
from bandwidth.statistics import median

BAR = 0.99
SIZE_MIB = 512
COPIES = 16
TESTS = {"h2d": "host_to_device_memcpy_ce", "d2h": "device_to_host_memcpy_ce"}


def main() -> int:
    """Print a line for each direction; return 1 where one misses the bar."""
    parser = argparse.ArgumentParser()
    parser.add_argument("path")
    parser.add_argument("--device", type=int, default=0)
    parser.add_argument("--pairs", type=int, default=8)
    asked = parser.parse_args()

    def cases(gpu):
        return [link_case("cuda", way, [gpu], SIZE_MIB * 1024**2, "pinned") for way in TESTS]

    with our_gpu_cases(asked.device, cases) as found:
        rates = {way: [] for way in TESTS}

        def ours():
            once = {one.case.path: one.rate(COPIES) for one in found}
            for way, rate in once.items():
                rates[way].append(rate)
            return once

        ratios = ratios_of_pairs(ours, lambda: nvbandwidth(asked.path, asked.device), asked.pairs)
    for way, ratio in ratios.items():
        print(f"{way}: {median(rates[way]) / 1e9:,.2f} GB/s; ours / nvbandwidth = {ratio}", flush=True)
    return int(any(ratio.median < BAR for ratio in ratios.values()))


def nvbandwidth(path, device):
    """Return nvbandwidth's rates in bytes per second, by our name of the direction."""
    command = [path, "--json", "--bufferSize", str(SIZE_MIB), "--testcase", *TESTS.values()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return rates_of(done.stdout, device)


def rates_of(text, device):
    """Return the rates of a device in what nvbandwidth prints: a row of one matrix, as text, a test."""
    tests = {test["name"]: test for test in json.loads(text)["nvbandwidth"]["testcases"]}
    return {way: float(tests[name]["bandwidth_matrix"][0][device]) * 1e9 for way, name in TESTS.items()}


if __name__ == "__main__":
    sys.exit(main())
