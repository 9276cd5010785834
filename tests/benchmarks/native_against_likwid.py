"""The native engine against likwid-bench, in turn, on the same CPUs, with the same bytes per thread.

    python tests/benchmarks/native_against_likwid.py [--pairs 8] [--only memory|caches] [--threads 1,2] [--kernels read]
                                                   [--best-of 1] [--block-s 0.4]

Needs `likwid-bench` on the PATH (Debian: likwid). For each kind of kernel all of likwid's that the processor runs are
tried first, and the fastest is the peer; ours takes the shape that it finds the fastest, as in any run. Mean rate
against mean rate: likwid prints the mean over all its passes, ours is that of one block as long. likwid's memory is
given huge pages where glibc can, as ours asks for them. Where others use the machine, `--best-of 5 --block-s 0.02`
takes of both the best of five short blocks: what disturbs a block makes it slower and never faster.
The bar: the interval's lower end at 0.97. Exit 1 below it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys

from our_engine import our_case
from pairs import ratio_of_pairs

from bandwidth.statistics import median

BAR = 0.97
BLOCK_S = 0.4
TRIES = 3
MEMORY = {
    ("read", None): ("load_avx512", "load_avx", "load_sse"),
    ("copy", "streaming"): ("copy_mem_avx512", "copy_mem_avx", "copy_mem_sse"),
    ("triad", "streaming"): ("stream_mem_avx512", "stream_mem_avx_fma", "stream_mem_avx", "stream_mem_sse"),
    ("write", "streaming"): ("store_mem_avx512", "store_mem_avx", "store_mem_sse"),
}
CACHES = {
    ("read", None): ("load_avx512", "load_avx", "load_sse"),
    ("copy", "ordinary"): ("copy_avx512", "copy_avx", "copy_sse"),
    ("triad", "ordinary"): ("stream_avx512_fma", "stream_avx_fma", "stream_avx512", "stream_avx", "stream_sse"),
    ("write", "ordinary"): ("store_avx512", "store_avx", "store_sse"),
}
CACHE_SIZES = (16 * 1024, 512 * 1024, 4 * 1024**2)


def main() -> int:
    """Print a line for each size, thread count and kernel; return 1 where one misses the bar."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--only", choices=("memory", "caches"))
    parser.add_argument("--threads", default=f"1,{len(os.sched_getaffinity(0))}")
    parser.add_argument("--kernels", default="read,copy,triad,write")
    parser.add_argument("--best-of", type=int, default=1)
    parser.add_argument("--block-s", type=float, default=BLOCK_S)
    asked = parser.parse_args()
    names = asked.kernels.split(",")
    memory, caches = ({row: peers for row, peers in table.items() if row[0] in names} for table in (MEMORY, CACHES))
    if shutil.which("likwid-bench") is None:
        print("likwid-bench is not on the PATH", file=sys.stderr)
        return 2
    missed = 0
    for threads in map(int, asked.threads.split(",")):
        if asked.only != "caches":
            missed += sum(_line(row, peers, None, threads, asked) for row, peers in memory.items())
        if asked.only != "memory":
            for size in CACHE_SIZES:
                missed += sum(_line(row, peers, size * threads, threads, asked) for row, peers in caches.items())
    return int(missed > 0)


def _line(row, peers, size_bytes, threads, asked):
    """Compare one kernel; print the ratio and return whether it misses the bar."""
    kernel, stores = row
    options = {"kernels": (kernel,), "engines": ("native",), "threads": (str(threads),)}
    if stores is not None:
        options["stores"] = (stores,)
    with our_case(size_bytes, **options) as ours:
        calls, size, cpus = ours.calls_for(asked.block_s), ours.case.working_set_bytes, ours.case.cpus
    rates = {peer: max(likwid(peer, size, cpus, calls) or 0.0 for _ in range(TRIES)) for peer in peers}
    best = max(rates, key=lambda peer: rates[peer])
    means = []

    def our_rate():
        # New memory each time, as likwid's is: which pages it gets moves a rate by several percent.
        means.append(max(_one_rate(size_bytes, options, calls) for _ in range(asked.best_of)) / 1e9)
        return means[-1]

    def their_rate():
        return max(likwid(best, size, cpus, calls) for _ in range(asked.best_of)) / 1e9

    ratio = ratio_of_pairs(our_rate, their_rate, asked.pairs)
    with our_case(size_bytes, **options) as ours:
        told = ours.engine.run_block(ours.case, calls).tuning.get("shape", {})
    shape = " ".join(f"{key.removesuffix('_bytes')} {value}" for key, value in told.items()) or "default"
    mean = median(means)
    name = f"{kernel}{'' if stores is None else ', ' + stores}"
    where = f"{size / 1024:,.0f} KiB" if size < 2**30 else f"{size / 2**20:,.0f} MiB"
    print(f"{where:>10} {threads:3} threads  {name:17} {mean:8.1f} GB/s  / {best:18} = {ratio}  [{shape}]", flush=True)
    return ratio.interval is None or ratio.interval.low < BAR


def _one_rate(size_bytes, options, calls):
    with our_case(size_bytes, **options) as ours:
        ours.rate(1)
        return ours.rate(calls)


def likwid(kernel, size_bytes, cpus, passes):
    """Return likwid's mean rate in bytes per second, None where this processor has not the kernel's instructions."""
    command = ["taskset", "-c", ",".join(map(str, cpus)), "likwid-bench", "-t", kernel]
    command += ["-W", f"N:{_size(size_bytes)}:{len(cpus)}", "-i", str(passes)]
    # Huge pages by the allocator, where glibc knows the switch.
    environment = {**os.environ, "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    found = re.search(r"^MByte/s:\s*([0-9.]+)", done.stdout, re.MULTILINE)
    if done.returncode or found is None:
        return None
    pinned = sorted({int(cpu) for cpu in re.findall(r"running on hwthread (\d+)", done.stdout)})
    assert pinned == sorted(cpus), f"likwid runs on {pinned}, not {sorted(cpus)}"
    return float(found[1]) * 1e6


def _size(size_bytes):
    # likwid reads the number as 32 bits, so large ones are given in thousands.
    return f"{size_bytes}B" if size_bytes < 2**30 else f"{size_bytes // 1000}kB"


if __name__ == "__main__":
    sys.exit(main())
