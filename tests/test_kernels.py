"""What each kernel declares: its bytes, its stores, and the value that it leaves."""

import numpy as np
import pytest

from bandwidth.engines.host.runners import OPERATIONS
from bandwidth.engines.registry import ENGINES
from bandwidth.kernels import KERNELS, MIXES, kernel_of, stores_of
from bandwidth.vocabulary import ORDINARY, STREAMING

# By name: payload, stream, traffic with streaming and with ordinary stores, in arrays.
BYTES = {
    "read": (1, 1, 1, 1),
    "random": (1, 1, 1, 1),
    "write": (1, 1, 1, 2),
    "copy": (1, 2, 2, 3),
    "scale": (1, 2, 2, 3),
    "add": (1, 3, 3, 4),
    "triad": (1, 3, 3, 4),
    "dot": (2, 2, 2, 2),
    "mix 3:1": (1, 4, 4, 4),
    "mix 2:1": (1, 3, 3, 3),
    "mix 1:1": (1, 2, 2, 2),
}


@pytest.mark.parametrize("name", KERNELS)
def test_bytes_of_a_pass(name):
    kernel, (payload, stream, streaming, ordinary) = KERNELS[name], BYTES[name]
    assert kernel.payload_bytes(4096) == payload * 4096
    assert kernel.stream_bytes(4096) == stream * 4096
    assert kernel.traffic_bytes(4096, STREAMING) == streaming * 4096
    assert kernel.traffic_bytes(4096, ORDINARY) == ordinary * 4096
    assert kernel.traffic_bytes(4096, None) == stream * 4096


@pytest.mark.parametrize("name", KERNELS)
def test_what_is_counted_adds_up_to_the_stream_bytes(name):
    numbers = [int(word) for word in KERNELS[name].counted.split() if word.isdigit()]
    assert sum(numbers) == KERNELS[name].stream_bytes(8)


def test_stores_only_where_something_is_written_and_ordinary_ones_for_an_update():
    assert KERNELS["read"].stores == KERNELS["dot"].stores == ()
    assert KERNELS["triad"].stores == (STREAMING, ORDINARY)
    assert KERNELS["mix 1:1"].stores == (ORDINARY,)


@pytest.mark.parametrize("mix", [name for name in MIXES if name != "1:0"])
def test_mix_reads_and_writes_at_its_ratio(mix):
    reads, writes = map(int, mix.split(":"))
    kernel = KERNELS[MIXES[mix]]
    assert (kernel.reads + 1, kernel.writes) == (reads, writes)  # an update reads what it overwrites


def test_mixes_of_one_read_to_none_are_reads():
    assert MIXES["1:0"] == "read"


def test_values_are_what_the_formulas_say():
    a, b = np.array([1.5, 2.0]), np.array([0.25, 4.0])
    expected = {"copy": a, "scale": 3.0 * a, "add": a + b, "triad": a + 3.0 * b, "dot": a * b, "read": a}
    for name, value in expected.items():
        assert np.array_equal(KERNELS[name].value([a, b], np.float64(3.0)), value), name
    assert KERNELS["write"].value([], 3.0) == 3.0


@pytest.mark.parametrize("name", ENGINES)
def test_every_kernel_of_an_engine_is_in_the_table_and_runs_on_its_target(name):
    for kernel in set(ENGINES[name].kernels) - {"memcpy", "memset"}:  # the driver's own
        assert {"host", "device"} & set(ENGINES[name].targets) <= set(KERNELS[kernel].places)


def test_numpy_has_an_operation_for_each_of_its_kernels_and_no_triad():
    assert set(OPERATIONS) == set(ENGINES["numpy"].kernels)
    assert "triad" not in OPERATIONS


def test_kernel_and_stores_of_a_case():
    assert kernel_of("copy", {"stores": "streaming"}) is KERNELS["copy"]
    assert kernel_of("mix", {"mix": "3:1"}) is KERNELS["mix 3:1"]
    assert stores_of({"stores": "ordinary"}) == ORDINARY
    assert stores_of({}) is None
    with pytest.raises(KeyError):
        kernel_of("latency", {})
