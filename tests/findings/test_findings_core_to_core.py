"""What times between cores give away: chiplets and sockets, hidden groups, a layout that is not so, CPUs that move."""

from __future__ import annotations

from dataclasses import replace

import pytest
from measuring_support import two_socket_topology
from pairs_of_cpus import between, in_groups
from simulated_machine import HOP_NS, Machine

from bandwidth.findings import examine
from bandwidth.results import Observed

SMALL_SERVER = two_socket_topology(4, 2, 1)
MOVING = (93.0, 92.0, 291.0, 94.0, 290.0, 293.0, 93.5, 292.0)


@pytest.fixture(scope="module")
def told(found):
    """Return the texts of the findings of a code; the pairs are all that was measured."""

    def look(code, *results, **record):
        return [text for _, text in found(*results, code=code, **record)]

    return look


@pytest.fixture(scope="module")
def server():
    """Return the results of 2 sockets of 2 chiplets of 2 cores of 2 threads; a hop as long as told, else as usual."""

    def measure(**others):
        return Machine(topology=SMALL_SERVER, hop_ns=lambda case: others.get(case.shared, HOP_NS[case.shared])).record(
            core_to_core=True
        )

    return measure


# --- BW057


def test_chiplets_and_sockets_are_told_with_what_they_cost(server, told):
    assert told("BW057", *server().results) == [
        "the core-to-core latency is 21 ns on the same core, 38 ns on the same L3, 110 ns on the same socket, 190 ns "
        "on different sockets: the longest is 9.0 times the shortest"
    ]


def test_nothing_is_said_where_all_are_as_near_or_only_one_kind_was_measured(told):
    pair = between(0, 1, 40.0), between(0, 2, 49.0, shared="socket")
    assert told("BW057", *pair) == []
    assert told("BW057", *in_groups((0, 1, 2)).values()) == []
    assert len(told("BW057", pair[0], between(0, 2, 51.0, shared="socket"))) == 1


def test_what_a_busy_machine_measured_is_not_explained(server, told):
    busy = {"others_cpu_share": Observed(0.5, 0.4, 0.6)}
    assert told("BW057", *(replace(one, observed=busy) for one in server().results)) == []


# --- BW058


def test_groups_that_the_system_does_not_show_are_named(told):
    pairs = in_groups((0, 2), (1, 3, 4), shared="socket").values()
    assert told("BW058", *pairs) == [
        "the CPUs on the same socket form 2 groups (0,2; 1,3-4): core-to-core latency is 40 ns within a group, "
        "110 ns between groups"
    ]
    unknown = in_groups((0, 1), (2, 3), (4, 5), (6, 7), shared="").values()
    assert told("BW058", *unknown) == [
        "the CPUs form 4 groups (0-1; 2-3; 4-5 and 1 more): core-to-core latency is 40 ns within a group, "
        "110 ns between groups"
    ]


def test_groups_that_the_system_shows_are_none_of_these(server, told):
    assert told("BW058", *server().results) == []


# --- BW059


def test_a_layout_that_the_times_contradict_is_told(server, told):
    results = server(core=290.0).results
    assert told("BW059", *results) == [
        "the core-to-core latency is 290 ns between CPUs reported on the same core, but 38 ns between CPUs on the same "
        "L3"
    ]
    assert told("BW057", *results) == []  # nothing is concluded from that layout


@pytest.mark.parametrize(("core_ns", "count"), [(38.0 * 1.24, 0), (38.0 * 1.26, 1)])
def test_a_layout_is_contradicted_by_a_quarter(server, told, core_ns, count):
    assert len(told("BW059", *server(core=core_ns).results)) == count


# --- BW060


def test_a_pair_that_moved_has_both_its_times(told, found):
    moving = between(0, 1, *MOVING)
    assert told("BW060", moving, machine={"virtualization": "kvm"}) == [
        "the core-to-core latency has two values, between CPUs 0 and 1 93 ns in 4 and 292 ns in 4 of 8 blocks: the "
        "hypervisor moves the CPUs"
    ]
    assert told("BW060", moving)[0].endswith("of 8 blocks: the CPUs changed cores")
    assert "BW045" not in found(moving)
    assert "BW003" not in found(moving)


def test_of_many_pairs_that_moved_the_first_are_named(told):
    (text,) = told("BW060", *(between(0, cpu, *MOVING) for cpu in range(1, 7)))
    assert text.count("between CPUs") == 3
    assert ", and 3 more pairs: " in text


def test_two_times_that_are_near_are_two_rates(told, found):
    uneven = between(0, 1, 93.0, 92.5, 108.0, 93.2, 108.5, 109.0, 93.5, 108.2)
    assert told("BW060", uneven) == []
    assert "BW045" in found(uneven)


def test_on_a_busy_machine_a_thread_that_waits_does_not_move(told):
    busy = {"cpu_wait_share": Observed(0.5, 0.4, 0.6)}
    assert told("BW060", between(0, 1, *MOVING, observed=busy)) == []


# --- others


def test_two_threads_of_a_pair_are_no_threads_too_many(found):
    assert "BW024" not in found(between(0, 1, 21.0, shared="core"), machine={"physical_cores": 1, "logical_cpus": 2})


def test_a_pair_whose_threads_start_apart_has_no_size_to_be_changed(make_record):
    pair = between(0, 1, 93.0)
    late = replace(pair, samples=replace(pair.samples, start_skew_s=0.001))
    (finding,) = examine(make_record(late)).of(pair.case.id)
    assert (finding.code, finding.hint) == ("BW009", "a busy machine delays threads")


def test_a_quiet_pair_has_no_finding(found):
    assert found(between(0, 1, 93.0)) == []
