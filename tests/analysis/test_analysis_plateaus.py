"""The plateaus of scripted curves: which points count for which level, and their medians."""

from __future__ import annotations

import pytest
from curves_support import CACHES, KIB, MIB, point
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.analysis.curves import size_curves
from bandwidth.analysis.plateaus import plateaus
from bandwidth.results import Observed

# Two points an octave, from 4 KiB to 384 MiB.
SIZES = [size for power in range(12, 29) for size in (2**power, 3 * 2 ** (power - 1))]
RATES = st.floats(0.01, 1000)


def test_the_plateaus_of_rates_leave_out_the_shoulders(rate, make_record):
    limits = {4 * KIB: 1.0, 26 * KIB: 200.0, 48 * KIB: 2.0, 819 * KIB: 100.0, 1536 * KIB: 3.0, 25 * MIB: 50.0}

    def at(size):
        return next((rate for limit, rate in limits.items() if size <= limit), 20.0 if size >= 256 * MIB else 4.0)

    (curve,) = size_curves(make_record(*(rate(at(size), **point(size)) for size in SIZES)))
    found = {plateau.level: plateau for plateau in plateaus(curve)}
    assert {level: plateau.bytes_per_s for level, plateau in found.items()} == pytest.approx(
        {"L1": 200.0, "L2": 100.0, "L3": 50.0, "memory": 20.0}
    )
    # L1: 6 to 24 KiB; L2: 64 to 768 KiB; L3: 2 to 24 MiB; memory: 256 and 384 MiB.
    assert [plateau.points for plateau in found.values()] == [5, 8, 8, 2]
    assert [plateau.size_bytes for plateau in found.values()] == [*CACHES.values(), None]
    assert {plateau.ns for plateau in found.values()} == {None}


def test_the_plateaus_of_latency_are_in_nanoseconds_and_cycles(latency, make_record):
    (curve,) = size_curves(make_record(*(latency(2 if size <= 32 * KIB else 90, **point(size)) for size in SIZES)))
    found = {plateau.level: plateau for plateau in plateaus(curve)}
    assert (found["L1"].ns, found["L1"].cycles) == pytest.approx((2.0, 4.0))
    assert (found["memory"].ns, found["memory"].cycles) == pytest.approx((90.0, 180.0))
    assert found["L1"].bytes_per_s is None
    assert curve.clock_hz == Observed(2e9, 1.9e9, 2.1e9)
    assert curve.huge_page_share is None


@pytest.mark.parametrize("size", [1200 * KIB, 1 * MIB, 512 * KIB])
def test_a_cache_hardly_larger_than_the_one_before_has_no_plateau(rate, make_record, size):
    caches = CACHES | {"L3": size}
    (curve,) = size_curves(make_record(*(rate(10.0, **point(each), caches=caches) for each in SIZES)))
    found = {plateau.level: plateau for plateau in plateaus(curve)}
    assert (found["L3"].points, found["L3"].bytes_per_s) == (0, None)
    assert found["L2"].points > 0
    assert found["memory"].points == 2


def test_without_known_caches_only_memory_has_a_plateau(rate, make_record):
    (curve,) = size_curves(make_record(*(rate(10.0, **point(size), caches={}) for size in SIZES)))
    assert [plateau.level for plateau in plateaus(curve)] == ["memory"]
    assert {one.level for one in curve.points} == {None, "memory"}


def test_a_point_that_failed_stays_in_its_curve_and_out_of_its_plateau(rate, make_record):
    points = [rate(10.0, **point(size), failure="wrong" if size == 8192 else "") for size in (6144, 8192, 12288)]
    (curve,) = size_curves(make_record(*points))
    assert len(curve.points) == 3
    assert plateaus(curve)[0].points == 2


@given(st.lists(RATES, min_size=len(SIZES), max_size=len(SIZES)))
def test_plateaus_lie_between_the_least_and_the_greatest_rate(rate, make_record, rates):
    (curve,) = size_curves(make_record(*(rate(each, **point(size)) for each, size in zip(rates, SIZES, strict=True))))
    shown = [one.summary.median_bytes_per_s for one in curve.points]
    for plateau in plateaus(curve):
        assert min(shown) <= plateau.bytes_per_s <= max(shown)
    assert sum(plateau.points for plateau in plateaus(curve)) < len(SIZES)
