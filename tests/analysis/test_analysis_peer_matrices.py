"""Matrices of copies between GPUs: which cells they have, and in which order they stand."""

from __future__ import annotations

import pytest

from bandwidth.analysis.peer_matrices import is_between_gpus, peer_matrices


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
