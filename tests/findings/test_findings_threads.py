"""What is said of numbers of threads: one, the knee, too many, siblings and kinds of cores."""

from __future__ import annotations

import pytest

STREAMING = {"stores": "streaming"}
CORES = {"physical_cores": 8, "logical_cpus": 16, "cpus_allowed": "0-15"}


@pytest.fixture
def curve(steady):
    """Return the rows of compiled code's copy by thread counts."""

    def build(rates, **fields):
        more = {"engine": "native", "variant": STREAMING} | fields
        return [steady(rate, threads=threads, **more) for threads, rate in rates.items()]

    return build


# --- BW021


@pytest.mark.parametrize(("one", "expected"), [(8.99, 1), (9.01, 0), (1.0, 1), (12.0, 0)])
def test_bw021_by_the_share_of_all_threads(curve, found, one, expected):
    assert len(found(*curve({1: one, 8: 10.0}), code="BW021", machine=CORES)) == expected


def test_bw021_says_what_was_seen_and_which_rows(curve, found):
    ((case_id, text),) = found(*curve({1: 12.8, 8: 64.0}), code="BW021", machine=CORES)
    assert case_id == "host/copy/native/1/streaming"
    assert text == "one thread reaches 12.80 GB/s, 20.0 % of 8 threads (copy): one core cannot saturate the memory"


def test_bw021_counts_lines_in_flight_by_littles_law(curve, latency, found):
    alone = latency(100.0, variant={"sweep_point": 2**28})
    rows = curve({1: 12.8, 8: 64.0}, path="read", variant={})
    ((_, text),) = found(*rows, alone, code="BW021", machine=CORES)
    assert text.endswith("; with a latency of 100 ns that is 20 lines of 64 bytes in flight")


@pytest.mark.parametrize(
    "fields",
    [
        {"variant": {"load": "40%"}},
        {"variant": {"cpu_node": 0, "memory_node": 1}},
        {"working_set_bytes": 65536, "variant": {"sweep_point": 65536}},
    ],
)
def test_bw021_takes_no_latency_but_the_memorys_own(curve, latency, found, fields):
    ((_, text),) = found(*curve({1: 12.8, 8: 64.0}), latency(100.0, **fields), code="BW021", machine=CORES)
    assert "in flight" not in text


def test_bw021_takes_numpy_where_nothing_else_is_and_the_read_first(steady, curve, found):
    numpy = [steady(5.0), steady(50.0, threads=8)]
    ((case_id, _),) = found(*numpy, code="BW021", machine=CORES)
    assert case_id == "host/copy/numpy/1"
    rows = [*numpy, *curve({1: 12.8, 8: 64.0}), *curve({1: 10.0, 8: 80.0}, path="read", variant={})]
    ((case_id, _),) = found(*rows, code="BW021", machine=CORES)
    assert case_id == "host/read/native/1"


def test_bw021_is_silent_with_one_number_of_threads(curve, found):
    assert found(*curve({1: 10.0})) == []
    assert found(*curve({8: 10.0}), machine=CORES) == []


# --- BW022, BW023


@pytest.mark.parametrize(
    ("rates", "knee"),
    [
        ({1: 10.0, 2: 20.0, 4: 38.1, 8: 40.0}, "from 4 of 8 threads on"),
        ({1: 10.0, 2: 20.0, 4: 37.9, 8: 40.0}, None),  # the last gains more than 5 %
        ({1: 40.0, 2: 40.0, 4: 40.0}, "from 1 of 4 threads on"),
        ({1: 10.0, 8: 10.0}, None),  # two points are no curve
    ],
)
def test_bw022_by_the_knee(curve, found, rates, knee):
    texts = [text for _, text in found(*curve(rates), code="BW022", machine=CORES)]
    assert texts == ([] if knee is None else [f"more threads gain less than 5.0 %: native copy streaming {knee}"])


def test_bw022_names_all_curves_in_one_line(curve, found):
    rows = [*curve({1: 10.0, 4: 40.0, 8: 40.0}), *curve({1: 40.0, 4: 40.0, 8: 40.0}, path="read", variant={})]
    ((case_id, text),) = found(*rows, code="BW022", machine=CORES)
    assert case_id is None
    assert "native copy streaming from 4 of 8, native read from 1 of 8 threads on" in text


@pytest.mark.parametrize(("last", "expected"), [(37.9, 1), (38.1, 0), (50.0, 0)])
def test_bw023_by_the_share_of_the_best(curve, found, last, expected):
    rows = found(*curve({1: 10.0, 4: 40.0, 8: last}), code="BW023", machine=CORES)
    assert [case_id for case_id, _ in rows] == ["host/copy/native/8/streaming"] * expected


def test_bw023_says_which_number_is_best(curve, found):
    ((_, text),) = found(*curve({1: 10.0, 4: 40.0, 8: 30.0}), code="BW023", machine=CORES)
    assert text == "8 threads reach 75.0 % of the rate of 4 (40.00 GB/s), less than 95.0 %: more threads are slower"


def test_bw023_needs_intervals_apart(make_case, rated, curve, found):
    case = make_case(engine="native", variant=STREAMING, threads=8)
    wide = rated(30.0, 41.0, 30.0, 30.0, 30.0, 30.0, case=case)
    assert found(*curve({4: 40.0}), wide, code="BW023", machine=CORES) == []


def test_bw023_compares_the_same_kernel_alone(curve, found):
    assert found(*curve({4: 40.0}), *curve({8: 20.0}, path="scale"), code="BW023", machine=CORES) == []


# --- BW024


@pytest.mark.parametrize(("threads", "expected"), [(8, 0), (9, 1), (16, 1)])
def test_bw024_by_the_physical_cores(curve, found, threads, expected):
    assert len(found(*curve({threads: 10.0}), code="BW024", machine=CORES)) == expected


def test_bw024_compares_with_one_thread_a_core_where_it_was_measured(curve, found):
    ((_, text),) = found(*curve({8: 40.0, 16: 42.0}), code="BW024", machine=CORES)
    assert text == (
        "16 threads ran on 8 physical cores, so two threads shared a core's line fill buffers: "
        "105.0 % of the rate with one thread per core"
    )


@pytest.mark.parametrize("cores", [None, "8", 0, -1, True, 10**400])
def test_bw024_is_silent_where_the_cores_are_not_known(curve, found, cores):
    assert found(*curve({16: 40.0}), code="BW024", machine={"physical_cores": cores}) == []


# --- BW033


@pytest.mark.parametrize(
    ("kinds", "threads", "expected"),
    [
        ({"performance": 4, "efficiency": 4}, 8, 1),
        ({"performance": 4, "efficiency": 4}, 4, 0),  # on the fast ones alone
        ({"performance": 8}, 8, 0),
        ({"performance": "x", "efficiency": 4}, 8, 0),
        ([4, 4], 8, 0),
        (None, 8, 0),
    ],
)
def test_bw033_by_the_kinds_of_cores(curve, found, kinds, threads, expected):
    machine = CORES | {"core_kinds": kinds}
    assert len(found(*curve({threads: 40.0}), code="BW033", machine=machine)) == expected


def test_bw033_is_not_about_the_rows_of_one_kind(curve, found):
    rows = curve({8: 40.0}, variant=STREAMING | {"cores": "performance"})
    assert found(*rows, code="BW033", machine=CORES | {"core_kinds": {"performance": 4, "efficiency": 4}}) == []


# --- a machine that none of ours is


def test_a_large_server_has_few_lines(curve, latency, found):
    """Two sockets of 64 cores each: one line for one thread, one for the knee, none for what is as it should be."""
    machine = {"physical_cores": 128, "logical_cpus": 256, "cpus_allowed": "0-255", "sockets": 2, "numa_nodes": 8}
    rates = {1: 20.0, 8: 150.0, 32: 400.0, 64: 560.0, 128: 580.0}
    rows = curve(rates, theory=750e9)
    assert found(*rows, latency(110.0), machine=machine) == ["BW021", "BW022", "BW047", "BW050"]
