"""What binds, what is above a ceiling of ours, what is normal, and what the set-up of memory and caches costs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bound_guest import GUEST, MIB, bound_results, ceiling, sweep

PEAK = 100e9


def test_the_lowest_ceiling_binds_where_the_rate_comes_near_to_it(steady, found):
    row = replace(steady(27.0, engine="native", path="read"), ceilings=(ceiling(28.8), ceiling(460.8, "memory")))
    ((case_id, text),) = found(row, code="BW048", machine=GUEST)
    assert case_id == "host/read/native/1"
    assert text == "bound by the chiplets' links to the memory: 27.00 GB/s is 93.8 % of 28.80 GB/s"


@pytest.mark.parametrize(
    ("ceilings", "expected"),
    [
        ((ceiling(460.8, "memory"),), []),  # the memory binds: nothing that its share does not say
        ((ceiling(28.8, confidence="low"), ceiling(460.8, "memory")), []),  # nothing is concluded from low confidence
        ((ceiling(128.0),), ["the lowest known ceiling is the chi"]),  # far off: it explains nothing
        ((), []),
    ],
)
def test_what_is_no_reason_is_not_called_one(steady, found, ceilings, expected):
    row = replace(steady(27.0, engine="native", path="read"), ceilings=ceilings)
    assert [text[:35] for _, text in found(row, code="BW048", machine=GUEST)] == expected


def test_a_rate_above_a_ceiling_of_ours_doubts_the_figure_and_is_no_error(steady, found):
    row = replace(steady(40.0, engine="native", path="write"), ceilings=(ceiling(30.0, confidence="low"),))
    ((_, text),) = found(row, code="BW049", machine=GUEST)
    assert text == "40.00 GB/s exceeds the tabulated limit of the chiplets' links to the memory, 30.00 GB/s"
    assert "BW002" not in found(row, machine=GUEST)


def test_a_rate_above_the_memory_is_an_error_and_doubts_no_figure_of_ours(steady, found):
    row = replace(steady(40.0, engine="native", theory=30e9), ceilings=(ceiling(30.0, "memory"),))
    codes = found(row, machine=GUEST)
    assert "BW002" in codes
    assert "BW049" not in codes


@pytest.mark.parametrize(
    ("gb_s", "expected"), [(74.0, []), (80.0, ["80.0 % of peak is normal"]), (95.0, ["95.0 % of peak is more"])]
)
def test_inside_its_band_a_rate_is_called_normal(steady, found, gb_s, expected):
    row = steady(gb_s, engine="native", path="read", threads=8, theory=PEAK)
    texts = [text for _, text in found(row, code="BW047", machine=GUEST)]
    assert [text[: len(start)] for text, start in zip(texts, expected, strict=True)] == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"sockets": 2, "numa_nodes": 8, "cpu_vendor": "GenuineIntel"}, ["4 NUMA nodes (SNC4)"]),
        ({"sockets": 1, "numa_nodes": 2, "cpu_vendor": "AuthenticAMD"}, ["2 NUMA nodes (NPS2)"]),
        ({"sockets": 2, "numa_nodes": 4, "cpu_vendor": "ARM"}, ["2 NUMA nodes: one"]),
        ({"sockets": 2, "numa_nodes": 2}, []),
        ({"sockets": 1, "numa_nodes": 2, "numa_memory_only_nodes": [1]}, []),  # CXL
        ({"sockets": 2, "numa_nodes": 3}, []),  # no equal parts
        ({"numa_nodes": 4}, []),
    ],
)
def test_a_split_socket_is_named_by_what_its_maker_calls_it(steady, found, facts, expected):
    texts = [text for _, text in found(steady(10.0), code="BW050", machine=facts)]
    assert len(texts) == len(expected)
    assert all(words in text for text, words in zip(texts, expected, strict=True))


@pytest.mark.parametrize(
    ("ranks", "channels", "expected"), [([1, 1], 2, 1), ([1, 2], 2, 0), ([1, 1], 1, 0), ([None, 1], 2, 0)]
)
def test_single_rank_modules_are_named_where_each_has_its_channel(steady, found, ranks, channels, expected):
    machine = {"memory_modules": [{"ranks": rank} for rank in ranks], "memory_channels": channels}
    assert len(found(steady(10.0), code="BW051", machine=machine)) == expected


@pytest.mark.parametrize(("held", "expected"), [(8, 1), (16, 1), (32, 0), (64, 0)])
def test_a_cache_that_holds_less_than_half_of_what_it_says_is_found_in_a_virtual_machine(steady, found, held, expected):
    points = sweep(steady, held * MIB)
    texts = [text for _, text in found(*points, code="BW052", machine=GUEST)]
    assert texts == [f"the L3 is reported as 64 MiB but holds about {held} MiB"] * expected
    assert found(*points, code="BW052", machine=GUEST | {"virtualization": "none"}) == []


@pytest.mark.parametrize("sizes", [(2, 8), (2, 8, 64), (2, 4, 8, 64)], ids=str)
def test_of_few_sizes_nothing_is_concluded_on_how_much_a_cache_holds(steady, found, sizes):
    """A short budget leaves gaps: whatever lies between 8 and 64 MiB may be in the cache."""
    points = [one for one in sweep(steady, 8 * MIB) if one.case.working_set_bytes >> 20 in (*sizes, 256, 512)]
    assert found(*points, code="BW052", machine=GUEST) == []


def test_a_sound_guest_has_all_of_these(steady, found):
    assert {"BW047", "BW048", "BW049", "BW050", "BW051", "BW052"} <= set(found(*bound_results(steady), machine=GUEST))
