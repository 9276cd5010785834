"""Streaming copy and triad against a plain C loop as gcc builds it, in turn, on the same CPUs.

    python tests/benchmarks/native_against_plain_c.py [--pairs 8] [--threads 1,2]

The loop is compiled with `gcc -O3 -march=native -fopenmp` into a temporary folder. Its ordinary stores first read the
lines that they overwrite. The bar on a processor that does that: 1.3 times its rate. Exit 1 below it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from our_engine import our_case
from pairs import ratio_of_pairs

BAR = 1.3
SOURCE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + 1e-9 * t.tv_nsec; }
static double *array(size_t n) {
    double *p = aligned_alloc(2 << 20, (n * 8 / (2 << 20) + 1) * (2 << 20));
    madvise(p, n * 8, MADV_HUGEPAGE);
#pragma omp parallel for
    for (size_t i = 0; i < n; i++) p[i] = 1.0 + i % 7;
    return p;
}
int main(int argc, char **argv) {
    int triad = !strcmp(argv[1], "triad");
    int arrays = triad ? 3 : 2, passes = atoi(argv[3]);
    size_t n = strtoull(argv[2], 0, 10) / 8 / arrays;
    double *a = array(n), *b = triad ? array(n) : a, *c = array(n), s = 3.0;
    double begin = 0;
    for (int pass = -1; pass < passes; pass++) {
        if (pass == 0) begin = now();
        if (triad) {
#pragma omp parallel for
            for (size_t i = 0; i < n; i++) c[i] = a[i] + s * b[i];
        } else {
#pragma omp parallel for
            for (size_t i = 0; i < n; i++) c[i] = a[i];
        }
    }
    printf("%.6f\n", arrays * 8.0 * n * passes / (now() - begin));
    return c[n / 2] == 0;
}
"""


def main() -> int:
    """Print a line for each kernel and thread count; return 1 where one misses the bar."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--threads", default=f"1,{len(os.sched_getaffinity(0))}")
    asked = parser.parse_args()
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "plain"
        (Path(folder) / "plain.c").write_text(SOURCE)
        build = ["gcc", "-O3", "-march=native", "-fopenmp", f"{folder}/plain.c", "-o", str(program)]
        subprocess.run(build, check=True)
        for threads in map(int, asked.threads.split(",")):
            for kernel in ("copy", "triad"):
                ratio = _ratio(program, kernel, threads, asked.pairs)
                print(f"{threads:3} threads  {kernel:6} streaming / plain C = {ratio}", flush=True)
                missed += ratio.median < BAR
    return int(missed > 0)


def _ratio(program, kernel, threads, pairs):
    options = {"kernels": (kernel,), "engines": ("native",), "stores": ("streaming",), "threads": (str(threads),)}
    with our_case(None, **options) as ours:
        calls, size = ours.calls_for(0.4), ours.case.working_set_bytes
        cpus = ",".join(map(str, ours.case.cpus))

        def plain():
            environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OMP_PROC_BIND": "true"}
            command = ["taskset", "-c", cpus, str(program), kernel, str(size), str(calls)]
            return float(subprocess.run(command, capture_output=True, check=True, env=environment).stdout)

        return ratio_of_pairs(lambda: ours.rate(calls), plain, pairs)


if __name__ == "__main__":
    sys.exit(main())
