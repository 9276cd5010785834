"""Many cores, simulated: plan, run, record, findings and table of machines that are not here, with known answers."""

from __future__ import annotations

import pytest
from measuring_support import GIB, hybrid_topology, small_topology, two_socket_topology
from simulated_machine import LOCAL_NS, REMOTE_NS, Machine, lines_of, text_of

from bandwidth.analysis.curves import knee, thread_curves
from bandwidth.analysis.groups import node_matrices
from bandwidth.findings import examine
from bandwidth.planning.studies import LOADS
from bandwidth.results import summarise

NUMA_OF_128_CORES = 8


@pytest.fixture(scope="module")
def table():
    """The default table, with all the time that it takes."""
    return Machine().record(budget_s=600.0)


def finding(record, code):
    """Return a finding for each result that has one with a code, by its id; None is the id of the whole run."""
    examination = examine(record)
    groups = {**examination.by_id, None: examination.general}
    return {case_id: each for case_id, group in groups.items() for each in group if each.code == code}


# --- the table


def test_rates_and_shares_of_the_table_are_those_of_the_machine(table):
    figures = {result.case.id: summarise(result) for result in table.results}
    for case_id, gb_s, share in (
        ("host/read/native/128", 780.0, 780 / 921.6),
        ("host/copy/native/128/streaming", 741.0, 741 / 921.6),
        ("host/copy/native/128/ordinary", 494.0, 494 / 921.6),
        ("host/copy/numpy/128", 494 * 0.97, 494 * 0.97 / 921.6),
        ("host/triad/native/128/ordinary", 555.75, 555.75 / 921.6),
        ("host/read/native/1", 12.0, 12 / 460.8),
    ):
        assert figures[case_id].median_bytes_per_s == pytest.approx(gb_s * 1e9, rel=1e-3)
        assert figures[case_id].efficiency == pytest.approx(share, rel=1e-3)
    assert table.not_run == ()


def test_table_is_printed_as_it_should_be(table):
    lines = text_of(table).splitlines()
    assert lines[0] == "Host memory of Simulated 64-Core Processor, 128 cores"
    assert "128 threads" in lines
    assert "1 thread" in lines
    assert "copy   native  streaming       741.00  739.52-742.48   921.60  theory  80.4 %  7" in lines
    assert "copy   native  ordinary        494.00  493.01-494.99   921.60  theory  53.6 %  7" in lines
    assert "Working set: 2 GiB with 128 threads." in lines
    assert max(map(len, lines)) <= 80
    assert lines_of(table).count("ran at 1.00 of the rate (memory: at most 1.05)") == 2  # all threads, and one


def test_traffic_of_ordinary_stores_is_half_as_much_again(table):
    by_id = {result.case.id: result.case for result in table.results}
    copy = by_id["host/copy/native/128/ordinary"]
    assert copy.traffic_bytes_per_call == copy.bytes_per_call * 3 // 2
    streaming = by_id["host/copy/native/128/streaming"]
    assert streaming.traffic_bytes_per_call == streaming.bytes_per_call
    assert by_id["host/copy/numpy/128"].traffic_bytes_per_call is None


def test_findings_of_the_table_have_the_right_numbers(table):
    assert set(examine(table).codes()) == {"BW015", "BW016", "BW017", "BW021", "BW047"}
    write_allocate = finding(table, "BW015")["host/copy/native/128/ordinary"]
    assert "494.00 GB/s is 66.7 % of the rate with streaming stores" in write_allocate.text
    assert "50.0 % more traffic than counted" in write_allocate.text
    numpy = finding(table, "BW016")["host/write/numpy/128"]
    assert "NumPy reaches 359.38 GB/s, 48.5 % of the best compiled code" in numpy.text
    copy = finding(table, "BW017")[None]
    assert "with 128 threads, 479.18 GB/s, closest to ordinary stores (494.00 GB/s)" in copy.text
    one = finding(table, "BW021")["host/read/native/1"]
    assert "one thread reaches 12.00 GB/s, 1.5 % of 128 threads" in one.text


def test_default_budget_takes_the_important_cases_and_names_the_others():
    record = Machine().record()
    ids = [result.case.id for result in record.results]
    first = ("copy/native/128/streaming", "read/native/128", "triad/native/128/streaming", "copy/numpy/128")
    assert {f"host/{case_id}" for case_id in first} <= set(ids)
    assert all("budget of 15 s" in skipped.reason for skipped in record.not_run)


def test_start_that_is_slow_is_told_with_its_share():
    record = Machine(skew_s=lambda case: 0.004 if case.threads > 64 else 1e-6).record(kernels=("read",))
    found = finding(record, "BW009")
    assert set(found) == {"host/read/native/128", "host/read/numpy/128"}
    assert "workers started up to 4 ms apart" in found["host/read/native/128"].text


# --- threads


def test_thread_sweep_names_the_knee():
    record = Machine().record(budget_s=600.0, sweep="threads")
    curves = {curve.case.path: curve for curve in thread_curves(record)}
    assert {path: knee(curve) for path, curve in curves.items()} == {"read": 96, "copy": 96}
    counts = [point.result.case.threads for point in curves["read"].points]
    assert counts == [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128]
    assert "native read from 96 of 128" in finding(record, "BW022")[None].text
    assert "Knee: 96 threads, the fewest that reach 95.0 % of the best rate (99.2 %)." in lines_of(record)
    assert max(map(len, text_of(record).splitlines())) <= 80


def test_threads_beyond_the_cores_are_siblings_and_told():
    record = Machine().record(kernels=("read",), engines=("native",), threads=("all", "200", "256"))
    by_threads = {result.case.threads: result.case for result in record.results}
    assert by_threads[128].cpus == tuple(range(128))
    assert by_threads[200].cpus == tuple(range(200))
    assert {"host/read/native/200", "host/read/native/256"}
    assert "256 threads ran on 128 physical cores" in finding(record, "BW024")["host/read/native/256"].text


def test_sweep_of_threads_beyond_128_takes_every_cpu():
    found = Machine().plan(sweep="threads", sweep_range=(96, 256))
    assert sorted({planned.case.threads for planned in found.cases}) == [96, 128, 192, 256]


def test_cpus_that_may_not_be_used_take_no_part():
    """Offline and isolated CPUs are not among the allowed ones: cores without any are left out."""
    found = Machine().plan(cpus=(*range(4, 64), *range(132, 192)), kernels=("read",))
    assert {planned.case.threads for planned in found.cases} == {1, 60}
    assert found.cases[0].case.cpus == tuple(range(4, 64))
    assert found.cases[0].theory_bytes_per_s == 460.8e9  # one socket is left


def test_quota_that_holds_the_cpus_back_is_told():
    record = Machine(machine={"cpu_quota": 16.0}).record(kernels=("read",))
    text = "a CPU quota limits this process to the time of 16 of its 256 CPUs"
    assert finding(record, "BW005")[None].text == text


# --- nodes


@pytest.fixture(scope="module")
def nodes():
    """The matrix of a machine that has one more node, with CXL memory, in the time that it has by default."""
    return Machine(two_socket_topology(memory_only_nodes=1)).record(numa=True, latency=True)


def test_matrix_has_every_pair_of_nodes_and_the_node_without_processors(nodes):
    assert nodes.not_run == ()
    read, copy, latency = node_matrices(nodes)
    for matrix in (read, copy, latency):
        assert (matrix.cpu_nodes, matrix.memory_nodes) == (tuple(range(8)), tuple(range(9)))
        assert len(matrix.cells) == 72
    near, far, cxl = ((0, 0), (0, 1), (0, 8))
    rates = {pair: read.cells[pair].summary.median_bytes_per_s for pair in (near, far, cxl)}
    assert rates[near] == pytest.approx(97.5e9, rel=1e-3)
    assert rates[far] == rates[cxl] == pytest.approx(58.5e9, rel=1e-3)
    nanoseconds = {pair: latency.cells[pair].summary.latency.median_ns for pair in (near, far)}
    assert nanoseconds == pytest.approx({near: LOCAL_NS, far: REMOTE_NS}, rel=1e-3)


def test_far_memory_is_told_and_the_memory_only_node_named(nodes):
    remote = finding(nodes, "BW025")[None].text
    assert "60.0 % of the local bandwidth" in remote
    assert "1.64 times the local latency" in remote
    assert nodes.notes == ("NUMA node 8 has memory but no CPUs (CXL, HBM in flat mode, or a GPU's memory).",)
    text = text_of(nodes)
    assert "   0   97.50   58.50   58.50   58.50   58.50   58.50   58.50   58.50" in text
    assert "NUMA node 8 has memory but no CPUs" in text
    assert "Placement verified" in text
    assert max(map(len, text.splitlines())) <= 80


def test_memory_only_node_has_no_theory_and_a_usual_node_its_share():
    plain = Machine().plan(numa=True, kernels=("read",))
    assert {planned.theory_bytes_per_s for planned in plain.cases} == {460.8e9 / 4}
    assert all("a node's share of its socket" in planned.theory_source for planned in plain.cases)
    with_cxl = Machine(two_socket_topology(memory_only_nodes=1)).plan(numa=True, kernels=("read",))
    assert {planned.theory_bytes_per_s for planned in with_cxl.cases} == {None}


def test_cpu_set_of_a_node_is_its_cores_or_as_many_as_asked():
    found = Machine().plan(numa=True, kernels=("read",))
    by_node = {planned.case.variant["cpu_node"]: planned.case.cpus for planned in found.cases}
    assert by_node == {node: tuple(range(16 * node, 16 * node + 16)) for node in range(NUMA_OF_128_CORES)}
    two = Machine().plan(numa=True, kernels=("read",), threads=("2",))
    assert {planned.case.cpus for planned in two.cases} == {(16 * node, 16 * node + 1) for node in range(8)}


def test_one_node_is_one_line_and_no_case():
    found = Machine(small_topology(4)).plan(numa=True, memory=None)
    assert found.cases == ()
    assert found.notes == ("This machine has one NUMA node, so it has no remote memory.",)


# --- cores of two kinds


def test_kinds_of_cores_stand_apart_in_the_plan():
    found = Machine(hybrid_topology()).plan(kernels=("read",), engines=("native",), memory="DDR5-5600 x2")
    cpus = {planned.case.id: planned.case.cpus for planned in found.cases if "sweep_point" not in planned.case.variant}
    fast, slow = tuple(range(0, 16, 2)), tuple(range(16, 32))
    assert cpus == {
        "host/read/native/24": (*fast, *slow),
        "host/read/native/16/efficiency": slow,
        "host/read/native/8/performance": fast,
        "host/read/native/1": (0,),
        "host/read/native/1/performance": (0,),
        "host/read/native/1/efficiency": (16,),
    }


def test_thread_counts_that_are_asked_for_are_not_split_by_kind():
    found = Machine(hybrid_topology()).plan(kernels=("read",), threads=("all", "1"), memory="DDR5-5600 x2")
    assert all("cores" not in planned.case.variant for planned in found.cases)


def test_latency_is_taken_on_each_kind_of_core():
    found = Machine(hybrid_topology()).plan(latency=True, memory="DDR5-5600 x2")
    kinds = {
        (planned.case.variant.get("cores"), planned.case.cpus) for planned in found.cases if planned.case.threads == 1
    }
    assert kinds == {("performance", (0,)), ("efficiency", (16,))}


def test_record_of_a_hybrid_says_that_kinds_were_mixed():
    machine = Machine(hybrid_topology(), machine={"core_kinds": {"performance": 8, "efficiency": 16}})
    record = machine.record(kernels=("read",), memory="DDR5-5600 x2")
    assert "8 performance and 16 efficiency cores" in finding(record, "BW033")[None].text
    assert "performance" in text_of(record)


# --- latency


def test_loaded_latency_of_128_threads_is_a_curve():
    record = Machine().record(latency=True)
    loads = {
        result.case.variant["load"]: summarise(result).latency.median_ns
        for result in record.results
        if "load" in result.case.variant and "writes" not in result.case.variant
    }
    assert set(loads) == {f"{percent}%" for percent in LOADS}
    assert loads["0%"] == pytest.approx(LOCAL_NS, rel=1e-3)
    assert loads["100%"] == pytest.approx(2 * LOCAL_NS, rel=1e-3)
    assert "Latency under load: native, 128 threads, 127 of them reading" in lines_of(record)


def test_plan_of_every_study_fits_the_memory_of_the_machine():
    for study in ({}, {"sweep": "size"}, {"sweep": "threads"}, {"numa": True, "latency": True}, {"latency": True}):
        assert Machine().plan(**study).memory_bytes < 64 * GIB
