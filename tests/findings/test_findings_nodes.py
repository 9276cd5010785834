"""What is said of NUMA nodes: distance, placement, nodes unlike the others and nodes that nobody asked for."""

from __future__ import annotations

import pytest

from bandwidth.results import Observed

RIGHT = {"placed_share": Observed(1.0, 1.0, 1.0)}


@pytest.fixture
def matrix(steady):
    """Return the rows of a read between nodes at some rates."""

    def build(rates, observed=RIGHT, **fields):
        return [
            steady(
                rate,
                **{"engine": "native", "path": "read", "threads": 4} | fields,
                variant={"cpu_node": cpu, "memory_node": memory},
                observed=observed,
            )
            for (cpu, memory), rate in rates.items()
        ]

    return build


def two_nodes(remote, other_local=40.0):
    return {(0, 0): 40.0, (0, 1): remote, (1, 0): 40.0, (1, 1): other_local}


# --- BW025


@pytest.mark.parametrize(("remote", "expected"), [(37.9, 1), (38.1, 0), (20.0, 1), (41.0, 0)])
def test_bw025_by_the_share_that_is_left(matrix, found, remote, expected):
    assert len(found(*matrix(two_nodes(remote)), code="BW025")) == expected


def test_bw025_names_both_ends_and_where_the_lowest_is(matrix, found):
    ((case_id, text),) = found(*matrix(two_nodes(20.0) | {(1, 0): 30.0}), code="BW025")
    assert case_id is None
    assert text == (
        "memory of another node is slower: 50.0 % to 75.0 % of the own node's bandwidth "
        "(lowest: CPUs of node 0, memory of node 1)"
    )


@pytest.mark.parametrize(("remote", "expected"), [(160.0, "1.60 times"), (104.0, None), (106.0, "1.06 times")])
def test_bw025_by_latency(latency, found, remote, expected):
    rows = [
        latency(ns, variant={"cpu_node": 0, "memory_node": node}, observed=RIGHT)
        for node, ns in ((0, 100), (1, remote))
    ]
    texts = [text for _, text in found(*rows, code="BW025")]
    assert [expected in text for text in texts] == [True] * (expected is not None)


def test_eight_nodes_are_one_line(matrix, found):
    rates = {(cpu, memory): 40.0 if cpu == memory else 25.0 for cpu in range(8) for memory in range(8)}
    assert found(*matrix(rates)) == ["BW025"]


# --- BW026, BW027


@pytest.mark.parametrize(("least", "expected"), [(0.951, 0), (0.949, 1), (0.0, 1), (1.0, 0)])
def test_bw026_by_the_least_share_of_pages(matrix, found, least, expected):
    observed = {"placed_share": Observed(1.0, least, 1.0)}
    rows = found(*matrix({(0, 1): 20.0}, observed), code="BW026")
    assert [case_id for case_id, _ in rows] == ["host/read/native/4/0/1"] * expected


def test_bw027_by_what_could_not_be_seen(matrix, found):
    rows = [*matrix({(0, 0): 40.0}), *matrix({(0, 1): 40.0, (1, 0): 40.0}, {})]
    ((case_id, text),) = found(*rows, code="BW027")
    assert case_id is None
    assert text.startswith("for 2 of 3 pairs of nodes")
    assert found(*matrix({(0, 0): 40.0}), code="BW027") == []


def test_bw027_is_not_about_results_that_name_no_node(steady, found):
    assert found(steady(10.0, engine="native", path="read"), code="BW027") == []


# --- BW028


@pytest.mark.parametrize(("other", "expected"), [(36.1, 0), (35.9, 1), (20.0, 1), (44.0, 0), (45.0, 1)])
def test_bw028_by_the_nodes_own_memories(matrix, found, other, expected):
    assert len(found(*matrix(two_nodes(40.0, other)), code="BW028")) == expected


def test_bw028_names_the_slow_node_once_for_all_kernels(matrix, found):
    rows = [*matrix(two_nodes(20.0, 30.0)), *matrix(two_nodes(20.0, 30.0), path="copy")]
    ((_, text),) = found(*rows, code="BW028")
    assert text == "node 1's own memory gives 30.00 GB/s, 75.0 % of node 0's, less than 90.0 %"


def test_bw028_compares_as_many_threads_alone(matrix, found):
    rows = [*matrix({(0, 0): 40.0}), *matrix({(1, 1): 20.0}, threads=2)]
    assert found(*rows, code="BW028") == []


# --- BW029


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([2], "node 2 of memory without a processor (CXL, HBM or a GPU's) was not measured"),
        ([2, 3], "nodes 2, 3 of memory without a processor (CXL, HBM or a GPU's) were not measured"),
        ([], None),
        ("2", None),
        ([None, "2", True], None),
    ],
)
def test_bw029_by_the_fact(steady, found, nodes, expected):
    texts = [text for _, text in found(steady(10.0), code="BW029", machine={"numa_memory_only_nodes": nodes})]
    assert texts == ([] if expected is None else [expected])


def test_bw029_is_silent_about_nodes_that_were_measured(matrix, found):
    rows = matrix({(0, 0): 40.0, (0, 2): 20.0})
    assert found(*rows, code="BW029", machine={"numa_memory_only_nodes": [2]}) == []
