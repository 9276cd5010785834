"""Matrices from scripted results: between NUMA nodes, with where their pages were found, and between GPUs."""

from __future__ import annotations

import pytest
from curves_support import STREAMING, nodes

from bandwidth.analysis.matrices import is_between_gpus, node_matrices, peer_matrices, placement
from bandwidth.analysis.plain_results import alone_results, plain_results
from bandwidth.results import Observed

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
