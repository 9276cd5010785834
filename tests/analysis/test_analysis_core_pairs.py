"""Pairs of CPUs as a matrix, by what they share, in groups that only the times show, and with two times."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measuring_support import two_socket_topology
from pairs_of_cpus import between, in_groups
from simulated_machine import HOP_NS, Machine

from bandwidth.analysis.core_pairs import CorePairs, core_pairs, hidden_groups, joined, two_times

SMALL_SERVER = two_socket_topology(4, 2, 1)


@pytest.fixture(scope="module")
def server():
    return core_pairs(Machine(topology=SMALL_SERVER).record(core_to_core=True))


def test_pairs_are_told_apart_by_what_they_share_the_nearest_first(server):
    assert [(kind.shared, len(kind.cases)) for kind in server.neighbours] == [
        ("core", 8),
        ("L3", 16),
        ("socket", 32),
        ("machine", 64),
    ]
    for kind in server.neighbours:
        assert kind.least_ns == pytest.approx(kind.median_ns) == pytest.approx(HOP_NS[kind.shared])


def test_cpus_that_share_most_stand_beside_each_other(server):
    assert server.cpus == (0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15)
    assert server.groups("L3") == ((0, 1, 8, 9), (2, 3, 10, 11), (4, 5, 12, 13), (6, 7, 14, 15))
    assert server.groups("socket") == ((0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15))


def test_a_neighbour_that_was_measured_with_one_other_alone_has_no_row():
    found = core_pairs(Machine().record(core_to_core=True))
    assert found.cpus == tuple(range(0, 128, 8))
    assert (0, 128) in found.cells


def test_two_cpus_have_rows(make_record):
    assert core_pairs(make_record(between(0, 1, 93.0))).cpus == (0, 1)


def test_a_record_without_pairs_has_none(make_record, make_result):
    assert core_pairs(make_record(make_result())) is None


def test_a_pair_whose_data_was_wrong_has_no_time(make_record):
    found = core_pairs(make_record(between(0, 1, 93.0), between(0, 2, 93.0, failure="wrong")))
    assert set(found.cells) == {(0, 1), (0, 2)}
    assert found.times_ns == {(0, 1): pytest.approx(93.0)}


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=20))
def test_joined_groups_are_those_that_pairs_link(pairs):
    groups = joined(pairs)
    of = {cpu: number for number, group in enumerate(groups) for cpu in group}
    assert set(of) == {cpu for pair in pairs for cpu in pair}
    assert sum(map(len, groups)) == len(of)
    assert all(of[one] == of[other] for one, other in pairs)
    for group in groups:  # each is held together by its own pairs
        reached, last = {group[0]}, None
        while reached != last:
            last = set(reached)
            reached |= {cpu for pair in pairs if reached & set(pair) for cpu in pair}
        assert reached == set(group)


# --- groups that the times show


@pytest.mark.parametrize("groups", [((0, 1), (2, 3)), ((0, 2, 4), (1, 3, 5)), ((0, 1, 2), (3, 4), (5, 6, 7))])
@pytest.mark.parametrize("shared", ["L3", "socket", ""])
def test_groups_that_the_system_does_not_show(groups, shared):
    (found,) = hidden_groups(CorePairs(in_groups(*groups, shared=shared)))
    assert (found.shared, found.groups) == (shared, groups)
    assert (found.near_ns, found.far_ns) == (pytest.approx(40.0), pytest.approx(110.0))


def test_one_group_or_little_difference_is_none():
    assert not [*hidden_groups(CorePairs(in_groups((0, 1, 2, 3))))]
    assert not [*hidden_groups(CorePairs(in_groups((0, 1), (2, 3), far=48.0)))]


def test_a_single_slow_pair_makes_no_groups():
    pairs = {pair: between(*pair, 300.0 if pair == (1, 2) else 40.0) for pair in combinations(range(4), 2)}
    assert not [*hidden_groups(CorePairs(pairs))]


def test_siblings_of_busy_cores_make_no_groups():
    pairs = {(at, at + 8): between(at, at + 8, 60.0 if at % 2 else 20.0, shared="core") for at in range(8)}
    assert not [*hidden_groups(CorePairs(pairs))]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(30.0, 300.0), min_size=15, max_size=15))
def test_whatever_groups_are_named_all_pairs_follow_them(times):
    pairs = dict(zip(combinations(range(6), 2), times, strict=True))
    found = CorePairs({pair: between(*pair, time) for pair, time in pairs.items()})
    for groups in hidden_groups(found):
        of = {cpu: number for number, group in enumerate(groups.groups) for cpu in group}
        near = [time for (one, other), time in pairs.items() if one in of and of[one] == of.get(other)]
        far = [time for (one, other), time in pairs.items() if one not in of or of[one] != of.get(other)]
        assert max(near) < min(far)


# --- pairs with two times


def test_a_pair_that_changed_has_two_times():
    moving = between(0, 1, 93.0, 92.0, 291.0, 94.0, 290.0, 293.0, 93.5, 292.0)
    assert two_times(moving) == ((pytest.approx(93.25), 4), (pytest.approx(291.5), 4))


@pytest.mark.parametrize("times", [(93.0,), (93.0, 92.0, 108.0, 94.0, 108.5, 109.0, 93.5, 108.2)])
def test_one_time_or_two_that_are_near_are_none(times):
    assert two_times(between(0, 1, *times)) is None


def test_what_is_no_pair_has_none(make_result):
    assert two_times(make_result(seconds=(0.02, 0.06) * 6)) is None
