"""Results that belong together: a whole and its half, zeros and other data, every two nodes and every two GPUs."""

from __future__ import annotations

import pytest
from curves_support import MIB, ORDINARY, STREAMING, nodes, point

from bandwidth.analysis.curves import size_curves
from bandwidth.analysis.groups import (
    is_between_gpus,
    is_size_check,
    node_matrices,
    peer_matrices,
    placement,
    size_check_of,
    size_checks,
    zeros_pairs,
)
from bandwidth.analysis.plain_results import alone_results, plain_results
from bandwidth.results import Observed

# --- half the size --------------------------------------------------------------------------------------------------


def test_a_check_at_half_the_size_belongs_to_its_whole(rate, make_record):
    whole = rate(100.0, variant=STREAMING, working_set_bytes=512 * MIB)
    half = rate(110.0, **point(256 * MIB, **STREAMING))
    record = make_record(rate(90.0, variant=ORDINARY, working_set_bytes=512 * MIB), whole, half)
    assert size_check_of(record, whole) is half
    assert [is_size_check(record, result) for result in record.results] == [False, False, True]
    (check,) = size_checks(record)
    assert (check.whole, check.half) == (whole, half)
    assert check.ratio == pytest.approx(1.1)
    assert size_curves(record) == ()
    assert half not in (*plain_results(record), *alone_results(record))


@pytest.mark.parametrize(
    "other",
    [
        {"variant": ORDINARY, "working_set_bytes": 512 * MIB},
        {"variant": STREAMING, "working_set_bytes": 512 * MIB, "threads": 2},
        {"variant": STREAMING, "working_set_bytes": 512 * MIB, "engine": "numpy"},
        {"variant": STREAMING, "working_set_bytes": 512 * MIB, "path": "read"},
        {"variant": STREAMING, "working_set_bytes": 440 * MIB},
    ],
)
def test_a_point_is_no_check_of_what_is_not_its_whole(rate, make_record, other):
    half = rate(110.0, **point(256 * MIB, **STREAMING))
    record = make_record(rate(100.0, **other), half)
    assert not is_size_check(record, half)
    assert size_checks(record) == ()
    assert alone_results(record) == (half,)


def test_half_may_be_a_little_more_than_half(rate, make_record):
    whole = rate(1.0, working_set_bytes=100 * MIB)
    assert size_check_of(make_record(whole, rate(1.0, **point(54 * MIB))), whole) is not None
    assert size_check_of(make_record(whole, rate(1.0, **point(56 * MIB))), whole) is None


def test_a_check_that_failed_has_no_ratio(rate, make_record):
    half = rate(110.0, **point(256 * MIB), failure="element 7 is wrong")
    (check,) = size_checks(make_record(rate(100.0, working_set_bytes=512 * MIB), half))
    assert check.ratio is None


# --- zeros ----------------------------------------------------------------------------------------------------------


def test_zeros_stand_beside_the_same_case_with_other_data(rate, make_record):
    zeros = rate(60.0, path="write", variant=STREAMING | {"data": "zeros"})
    other = rate(24.0, path="write", variant=STREAMING)
    record = make_record(rate(20.0, path="write", variant=ORDINARY), zeros, other)
    (pair,) = zeros_pairs(record)
    assert (pair.zeros, pair.other) == (zeros, other)
    assert pair.ratio == pytest.approx(2.5)
    assert zeros not in plain_results(record)
    (lone,) = zeros_pairs(make_record(zeros))
    assert (lone.other, lone.ratio) == (None, None)


# --- between NUMA nodes ---------------------------------------------------------------------------------------------


def test_a_matrix_has_a_cell_for_each_pair_and_the_nodes_without_processors(rate, make_record):
    record = make_record(
        *(
            rate(10.0 * cpu + memory, threads=8 + cpu, variant=nodes(cpu, memory))
            for cpu in (1, 0)
            for memory in (2, 0, 1)
        ),
        rate(1.0, variant=nodes(0, 0, **STREAMING)),
    )
    matrix, streaming = node_matrices(record)
    assert (matrix.cpu_nodes, matrix.memory_nodes) == ((0, 1), (0, 1, 2))
    assert matrix.cells[1, 2].summary.median_bytes_per_s == pytest.approx(12.0)
    assert matrix.thread_counts == (8, 9)  # nodes differ in size
    assert len(streaming.cells) == 1
    assert plain_results(record) == alone_results(record) == ()


def test_several_numbers_of_threads_between_the_same_nodes_are_several_matrices(rate, make_record):
    record = make_record(*(rate(1.0, threads=threads, variant=nodes(0, 0)) for threads in (1, 8)))
    assert [matrix.thread_counts for matrix in node_matrices(record)] == [(1,), (8,)]


def test_placement_is_the_worst_that_was_seen(rate, make_record):
    def matrices(*shares):
        seen = [{} if share is None else {"placed_share": Observed(1.0, share, 1.0)} for share in shares]
        cells = [rate(1.0, variant=nodes(0, number), observed=one) for number, one in enumerate(seen)]
        return node_matrices(make_record(*cells))

    found = placement(matrices(1.0, 0.99, None))
    assert (found.verified, found.cells, found.least_share, found.is_right) == (2, 3, 0.99, True)
    assert not placement(matrices(1.0, 0.5)).is_right
    unknown = placement(matrices(None, None))
    assert (unknown.verified, unknown.least_share, unknown.is_right) == (0, None, False)


def test_nodes_that_are_no_numbers_make_no_matrix(rate, make_record):
    record = make_record(rate(1.0, variant=nodes("first", 0)))
    assert node_matrices(record) == ()
    assert alone_results(record) == record.results


# --- between GPUs ---------------------------------------------------------------------------------------------------


@pytest.fixture
def copy(make_case, make_result):
    def build(of, to, path="peer", access="on"):
        case = make_case(target=f"device:{of}", path=path, variant={"peer": to, "peer_access": access})
        return make_result(case)

    return build


def test_each_kind_of_copy_is_a_matrix_the_direct_way_first_and_both_ways_last(copy, make_record):
    results = [copy(0, 1, path, access) for path in ("bidirectional", "peer") for access in ("off", "on")]
    found = peer_matrices(make_record(*results))
    assert [matrix.words for matrix in found] == [
        "one way, direct access on",
        "one way, direct access off",
        "both ways, summed, direct access on",
        "both ways, summed, direct access off",
    ]


def test_one_way_has_a_cell_for_each_direction_that_was_measured(copy, make_record):
    there, back, other = copy(0, 2), copy(2, 0), copy(1, 2)
    (matrix,) = peer_matrices(make_record(there, back, other))
    assert matrix.cells == {(0, 2): there, (2, 0): back, (1, 2): other}
    assert (matrix.senders, matrix.receivers) == ((0, 1, 2), (0, 2))


def test_both_ways_stand_at_either_place_of_a_pair(copy, make_record):
    both = copy(0, 1, "bidirectional")
    (matrix,) = peer_matrices(make_record(both))
    assert matrix.cells == {(0, 1): both, (1, 0): both}


@pytest.mark.parametrize(
    ("target", "variant"),
    [("device:0", {}), ("device:0", {"peer": "1"}), ("device:0,1", {"peer": 2}), ("host", {"peer": 1})],
)
def test_what_is_no_copy_between_two_gpus(make_case, make_result, make_record, target, variant):
    result = make_result(make_case(target=target, variant=variant))
    assert not is_between_gpus(result)
    assert peer_matrices(make_record(result)) == ()
