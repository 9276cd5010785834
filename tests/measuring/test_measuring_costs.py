"""What a case is guessed to cost, by what has run of its kind."""

from __future__ import annotations

import pytest

from bandwidth.measuring.costs import guessed_call_s

MIB = 2**20


@pytest.fixture
def case(make_case):
    def case(target="host", path="read", size=64 * MIB, threads=2, **variant):
        counted = 512 if path == "latency" else size
        return make_case(
            target=target,
            path=path,
            engine="native",
            threads=threads,
            working_set_bytes=size,
            bytes_per_call=counted,
            variant=variant,
        )

    return case


def test_nothing_alike_is_no_guess(case):
    assert guessed_call_s(case(), []) is None
    others = [
        case(path="latency"),
        case(threads=1),
        case("device:0", threads=2),
        case("device:0", "peer", threads=2, peer=1),
    ]
    for one in others:
        for other in others:
            if one is not other:
                assert guessed_call_s(one, [(other, 1.0)]) is None, (one.id, other.id)
        assert guessed_call_s(case(), [(one, 1.0)]) is None


def test_the_same_work_on_another_device_counts_before_other_work_on_this_one(case):
    ran = [(case("device:1", "copy"), 5.0), (case("device:0", "read"), 1.0)]
    assert guessed_call_s(case("device:1", "read"), ran) == 1.0
    assert guessed_call_s(case("device:1", "triad"), ran) == 5.0


def test_copies_of_other_host_memory_and_passes_to_a_remote_node_are_other_work(case):
    ran = [(case("pcie:0", "h2d", host_memory="pinned"), 1.0), (case("pcie:0", "h2d", host_memory="pageable"), 4.0)]
    assert guessed_call_s(case("pcie:1", "h2d", host_memory="pageable"), ran) == 4.0
    ran = [(case(cpu_node=0, memory_node=0), 1.0), (case(cpu_node=0, memory_node=1), 3.0)]
    assert guessed_call_s(case(cpu_node=1, memory_node=1), ran) == 1.0
    assert guessed_call_s(case(cpu_node=1, memory_node=0), ran) == 3.0


def test_the_nearest_size_counts_in_proportion_and_a_smaller_one_costs_no_more(case):
    ran = [(case(size=MIB), 0.001), (case(size=64 * MIB), 0.002)]
    assert guessed_call_s(case(size=128 * MIB), ran) == 0.004
    assert guessed_call_s(case(size=32 * MIB), ran) == 0.002
    loads = [(case(path="latency", size=MIB), 1e-6)]
    assert guessed_call_s(case(path="latency", size=1024 * MIB), loads) == 1e-6
