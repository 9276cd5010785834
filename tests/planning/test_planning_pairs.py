"""Pairs of CPUs: what the two share, all of few and some of many, one of each kind in turn."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations

import pytest
from ceiling_hosts import layout
from hypothesis import given, settings
from hypothesis import strategies as st
from measuring_support import MIB, hybrid_topology, small_topology, two_socket_topology

from bandwidth.errors import UsageError
from bandwidth.machine.numa import Sockets
from bandwidth.machine.topology import Cache
from bandwidth.planning.pairs import MOST_CPUS, asked_pairs, one_of_each
from bandwidth.planning.selection import restricted

# 2 sockets of 2 chiplets of 2 cores of 2 threads.
SMALL_SERVER = two_socket_topology(4, 2, 1)


def kinds(pairs):
    return Counter(pair.shared for pair in pairs)


def shared(topology, *cpus):
    pairs, _ = asked_pairs(topology, of_all=True)
    return next(pair.shared for pair in pairs if pair.cpus == cpus)


def test_all_pairs_of_few_cpus_by_what_they_share():
    pairs, left_out = asked_pairs(SMALL_SERVER)
    assert left_out == ""
    assert sorted(pair.cpus for pair in pairs) == list(combinations(range(16), 2))
    # Each L3 has 2 cores of 2 threads: 6 pairs less the 2 of its cores.
    assert kinds(pairs) == {"core": 8, "L3": 4 * 4, "socket": 2 * 16, "machine": 64}
    assert [shared(SMALL_SERVER, *cpus) for cpus in ((0, 8), (0, 1), (0, 9), (0, 2), (3, 4))] == [
        "core",
        "L3",
        "L3",
        "socket",
        "machine",
    ]


def test_one_of_each_kind_goes_first_and_neighbours_before_others():
    pairs, _ = asked_pairs(SMALL_SERVER)
    assert [pair.shared for pair in pairs[:8]] == ["core", "L3", "socket", "machine"] * 2
    assert one_of_each(SMALL_SERVER) == tuple(pairs[:4])


def test_nodes_within_a_socket_are_told_apart():
    pairs, _ = asked_pairs(two_socket_topology(4, 1, 2))
    assert kinds(pairs) == {"core": 8, "node": 4 * 4, "socket": 2 * 16, "machine": 64}


def test_a_cache_that_spans_nodes_is_the_socket():
    """With sub-NUMA clusters Linux lists one L3 for the whole socket."""
    topology = replace(two_socket_topology(4, 1, 2), caches=())
    whole = tuple(Cache(3, 32 * MIB, frozenset(cpus)) for cpus in ((0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13)))
    pairs, _ = asked_pairs(replace(topology, caches=whole))
    assert set(kinds(pairs)) == {"core", "node", "socket", "machine"}


def test_cores_that_share_an_l2_are_nearer():
    topology = hybrid_topology(2, 4)
    cluster = Cache(2, 2 * MIB, frozenset(range(4, 8)))
    pairs, _ = asked_pairs(replace(topology, caches=(*topology.caches, cluster)))
    assert kinds(pairs) == {"core": 2, "L2": 6, "L3": 28 - 8}


def test_where_no_layout_is_known_nothing_is_said_of_it():
    pairs, _ = asked_pairs(replace(small_topology(3, None), can_pin=True))
    assert kinds(pairs) == {"": 3}
    assert [pair.cpus for pair in one_of_each(replace(small_topology(3, None), can_pin=True))] == [(0, 1)]


def test_sockets_that_cannot_be_told_apart_are_none():
    sockets = Sockets(2, dict.fromkeys(range(16), 0), "a test", "", are_told_apart=False)
    pairs, _ = asked_pairs(replace(SMALL_SERVER, sockets_taken=sockets))
    assert set(kinds(pairs)) == {"core", "L3", "node", ""}


def test_cpus_that_are_offline_or_not_allowed_take_no_part():
    pairs, _ = asked_pairs(restricted(SMALL_SERVER, (1, 9, 4)))
    assert {pair.cpus: pair.shared for pair in pairs} == {(1, 9): "core", (1, 4): "machine", (4, 9): "machine"}


def test_of_more_cpus_one_of_each_core():
    topology = two_socket_topology(12, 6, 1)
    pairs, left_out = asked_pairs(topology)
    assert len(topology.cpus_allowed) == 48
    assert kinds(pairs)["core"] == 24
    assert sorted(pair.cpus for pair in pairs if pair.shared != "core") == list(combinations(range(24), 2))
    assert left_out == (
        "48 CPUs have 1,128 pairs; 300 are measured: between one CPU of each core, the two hardware threads of each of "
        "these cores. Use --cpus to measure all pairs of other CPUs, within the --budget."
    )


def test_of_many_cores_some_of_each_cache_with_a_pair_within():
    pairs, left_out = asked_pairs(two_socket_topology())
    assert kinds(pairs) == {"core": 16, "L3": 16, "node": 8, "socket": 48, "machine": 64}
    assert left_out.startswith("256 CPUs have 32,640 pairs; 152 are measured: between one core of each L3 cache, two ")
    whole = layout(cores=72, l3_cores=72)
    pairs, left_out = asked_pairs(whole)
    assert kinds(pairs) == {"L3": 276}
    assert "between 24 cores of each L3 cache. Use --cpus" in left_out
    taken = sorted({cpu for pair in pairs for cpu in pair.cpus})
    assert taken == list(range(0, 72, 3))
    many = layout(sockets=2, cores=160, l3_cores=8)
    _, left_out = asked_pairs(many)
    assert "between one core of 24 of the 40 L3 caches, two cores of each of these. Use --cpus" in left_out


def test_cpus_that_are_named_are_all_taken():
    pairs, left_out = asked_pairs(restricted(two_socket_topology(), range(40)), of_all=True)
    assert (len(pairs), left_out) == (40 * 39 // 2, "")


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 2), st.integers(1, 14), st.integers(1, 9), st.booleans())
def test_any_machine_has_no_more_pairs_than_a_study_measures(sockets, caches, l3_cores, with_siblings):
    topology = layout(sockets=sockets, cores=caches * l3_cores, l3_cores=l3_cores)
    if with_siblings:
        total = sockets * caches * l3_cores
        doubled = tuple(replace(core, cpus=(core.cpus[0], core.cpus[0] + total)) for core in topology.cores)
        topology = replace(topology, cores=doubled, cpus_allowed=tuple(range(2 * total)))
    if len(topology.cpus_allowed) < 2:
        return
    pairs, left_out = asked_pairs(topology)
    cpus = [pair.cpus for pair in pairs]
    assert len(set(cpus)) == len(cpus) <= MOST_CPUS * (MOST_CPUS - 1) // 2 + 2 * MOST_CPUS
    assert all(one < other for one, other in cpus)
    assert {cpu for pair in cpus for cpu in pair} <= set(topology.cpus_allowed)
    assert bool(left_out) == (len(topology.cpus_allowed) > MOST_CPUS)
    if sockets * caches <= MOST_CPUS and l3_cores > 1:  # there is a pair within each cache
        within = [cache.cpus for cache in topology.caches if cache.level == 3]
        assert all(any(cache.issuperset(pair) for pair in cpus) for cache in within)


@pytest.mark.parametrize(
    ("topology", "threads", "message"),
    [
        (small_topology(1, can_pin=True), None, "--core-to-core needs two CPUs; this process may use 1"),
        (small_topology(2), None, "--core-to-core needs pinned threads; this system cannot pin threads"),
        (small_topology(2, can_pin=True), ("2",), "--threads does not apply to --core-to-core; select CPUs with"),
    ],
)
def test_what_a_machine_cannot_serve_is_refused(topology, threads, message):
    with pytest.raises(UsageError) as caught:
        asked_pairs(topology, threads)
    assert str(caught.value).startswith(message)


def test_where_threads_cannot_be_pinned_there_is_no_pair_beside_a_table():
    assert one_of_each(small_topology(2)) == ()
    assert one_of_each(small_topology(1, can_pin=True)) == ()
