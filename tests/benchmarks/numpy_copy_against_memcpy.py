"""The NumPy engine's copy against libc's memcpy on the same buffers, in turn, on one pinned thread.

    python tests/benchmarks/numpy_copy_against_memcpy.py [PAIRS]

The engine's rate is what its own `run_block` reports; memcpy is called by ctypes on the very arrays of the engine, by
the engine's worker, after the same lead-in. The bar: a median ratio of at least 0.97. Exit 1 below it.
"""

from __future__ import annotations

import ctypes
import sys

from pairs import ratio_of_pairs

from bandwidth.engines.host.engine import HostEngine
from bandwidth.engines.host.runners import OPERATIONS, NumpyRunner
from bandwidth.machine.facts import Facts
from bandwidth.machine.reader import SystemReader
from bandwidth.machine.topology import read_topology
from bandwidth.planning.host import make_plan
from bandwidth.planning.options import MeasureOptions

BAR = 0.97


def main() -> int:
    """Print the ratio for some sizes; return 1 where one misses the bar."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    missed = False
    for size_bytes in (None, 64 * 1024**2):
        ratio, working_set = _ratio(size_bytes, pairs)
        missed = missed or ratio.median < BAR
        print(f"working set {working_set / 2**20:,.0f} MiB: NumPy copy / memcpy = {ratio}")
    return int(missed)


def _ratio(size_bytes, pairs):
    memcpy = ctypes.CDLL(None).memcpy
    memcpy.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    memcpy.restype = ctypes.c_void_p

    def memcpy_copy(sources, destination, _):
        memcpy(destination.ctypes.data, sources[0].ctypes.data, destination.nbytes)

    use = {"operation": OPERATIONS["copy"]}
    topology = read_topology(SystemReader())
    options = MeasureOptions(kernels=("copy",), engines=("numpy",), threads=("1",), size_bytes=size_bytes)
    case = make_plan(options, Facts({}), topology).cases[0].case
    engine = HostEngine(topology, {"numpy": NumpyRunner({"copy": lambda *arrays: use["operation"](*arrays)})})
    engine.prepare([case], 120.0)
    calls = max(1, 512 * 1024**2 // case.working_set_bytes)

    def rate(operation):
        use["operation"] = operation
        seconds = engine.run_block(case, calls).seconds
        assert engine.verify(case, whole=True) == ""
        return case.bytes_per_call * calls / seconds

    try:
        return ratio_of_pairs(
            lambda: rate(OPERATIONS["copy"]), lambda: rate(memcpy_copy), pairs
        ), case.working_set_bytes
    finally:
        engine.close()


if __name__ == "__main__":
    sys.exit(main())
