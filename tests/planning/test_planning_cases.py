"""How a case is made: its bytes under each convention, its name, and what tells it apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from measuring_support import MIB, small_topology

from bandwidth.engines.registry import ENGINES
from bandwidth.kernels import KERNELS, kernel_of
from bandwidth.planning.cases import Bench
from bandwidth.planning.selection import CpuSet
from bandwidth.planning.sizing import Sizing

NATIVE, NUMPY = ENGINES["native"], ENGINES["numpy"]
BENCH = Bench(small_topology(8), (NATIVE, NUMPY), NATIVE.kernels)


def case_of(kernel, stores=None, *, engine=NATIVE, threads=1, size=24 * MIB, variant=None):
    sizing = Sizing(size, 256 * MIB, "a test")
    return BENCH.case(engine, KERNELS[kernel], CpuSet(tuple(range(threads))), sizing, stores, variant)


# By the definition of each: what is read, what is written, and the read before an ordinary store. In arrays.
@pytest.mark.parametrize(
    ("kernel", "stores", "arrays", "stream", "payload", "traffic"),
    [
        ("read", None, 1, 1, 1, 1),
        ("dot", None, 2, 2, 2, 2),
        ("write", "streaming", 1, 1, 1, 1),
        ("write", "ordinary", 1, 1, 1, 2),
        ("copy", "streaming", 2, 2, 1, 2),
        ("copy", "ordinary", 2, 2, 1, 3),
        ("scale", "ordinary", 2, 2, 1, 3),
        ("add", "streaming", 3, 3, 1, 3),
        ("add", "ordinary", 3, 3, 1, 4),
        ("triad", "ordinary", 3, 3, 1, 4),
        ("mix 3:1", "ordinary", 3, 4, 1, 4),
        ("mix 2:1", "ordinary", 2, 3, 1, 3),
        ("mix 1:1", "ordinary", 1, 2, 1, 2),
    ],
)
def test_bytes_of_each_convention(kernel, stores, arrays, stream, payload, traffic):
    case = case_of(kernel, stores)
    array = 24 * MIB / arrays
    assert case.working_set_bytes == 24 * MIB
    assert (case.bytes_per_call, case.payload_bytes_per_call) == (stream * array, payload * array)
    assert case.traffic_bytes_per_call == traffic * array


def test_traffic_of_numpys_stores_is_not_known_and_of_its_reads_it_is():
    assert case_of("copy", engine=NUMPY).traffic_bytes_per_call is None
    assert case_of("read", engine=NUMPY).traffic_bytes_per_call == 24 * MIB


@given(
    size=st.integers(1, 2**36),
    threads=st.integers(1, 8),
    kernel=st.sampled_from(sorted(set(NATIVE.kernels) | {"mix 3:1", "mix 1:1"})),
)
def test_every_thread_has_whole_lines_and_large_sizes_are_not_below_what_was_asked(size, threads, kernel):
    case = case_of(kernel, threads=threads, size=size)
    arrays = KERNELS[kernel].arrays
    array, rest = divmod(case.working_set_bytes, threads * arrays)
    assert rest == 0
    assert array % 64 == 0
    assert array >= 64
    if size >= threads * arrays * 64 * 1024:
        assert size <= case.working_set_bytes < size + threads * arrays * 4096
    elif size >= threads * arrays * 64:
        assert size - threads * arrays * 64 < case.working_set_bytes <= size


def test_variant_holds_what_applies_and_nothing_else():
    assert case_of("read").variant == {}
    assert case_of("copy", "ordinary").variant == {"stores": "ordinary"}
    assert case_of("mix 2:1", "ordinary").variant == {"stores": "ordinary", "mix": "2:1"}
    case = case_of("copy", "streaming", variant={"memory_node": 1, "cpu_node": 0})
    assert case.id == "host/copy/native/1/streaming/0/1"
    assert kernel_of(case_of("mix 2:1", "ordinary").path, {"mix": "2:1"}).name == "mix 2:1"


def test_kinds_of_stores_are_those_of_the_kernel_that_are_asked_for():
    assert BENCH.stores_of(NATIVE, KERNELS["copy"]) == ("streaming", "ordinary")
    assert BENCH.stores_of(NATIVE, KERNELS["read"]) == (None,)
    assert BENCH.stores_of(NATIVE, KERNELS["mix 2:1"]) == ("ordinary",)
    assert BENCH.stores_of(NUMPY, KERNELS["copy"]) == (None,)
    ordinary = Bench(small_topology(8), (NATIVE,), NATIVE.kernels, ("ordinary",))
    assert ordinary.stores_of(NATIVE, KERNELS["copy"]) == ("ordinary",)


def test_a_latency_is_of_the_first_cpu_and_counts_addresses():
    case = BENCH.latency_case(CpuSet((3, 4)), Sizing(MIB + 1, 256 * MIB, "a test"), {"load": "50%"})
    assert case.id == "host/latency/native/2/50%"
    assert case.working_set_bytes == MIB
    assert (case.bytes_per_call, case.traffic_bytes_per_call) == (64 * 8, None)
    assert BENCH.latency_case(CpuSet((0,)), Sizing(1, 1, ""), {}).working_set_bytes == 128


def test_caches_are_those_that_the_cpus_reach():
    assert case_of("read", threads=8).caches == {"L3": 8 * MIB}
