"""Curves of scripted results, their plateaus and lines: what belongs together, every figure worked out by hand."""

from __future__ import annotations

import pytest
from curves_support import CACHES, KIB, MIB, ORDINARY, STREAMING, point
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.analysis.curves import (
    KNEE_SHARE,
    fit_transfer,
    knee,
    knee_gap,
    loaded_latency,
    size_curves,
    thread_curves,
)
from bandwidth.analysis.plain_results import alone_results, plain_results
from bandwidth.analysis.plateaus import plateaus
from bandwidth.results import Observed

RATES = st.floats(0.01, 1000)


# --- by size --------------------------------------------------------------------------------------------------------


def test_points_stand_by_size_each_case_in_a_curve_of_its_own(rate, make_record):
    sizes = [16 * KIB, 4 * KIB, 8 * KIB]
    record = make_record(
        *(rate(10.0, **point(size, **stores)) for stores in (STREAMING, ORDINARY) for size in sizes),
        *(rate(10.0, threads=2, **point(size, **ORDINARY)) for size in sizes[:2]),
    )
    curves = size_curves(record)
    assert [curve.case.variant["stores"] for curve in curves] == ["streaming", "ordinary"]
    assert [[one.size_bytes for one in curve.points] for curve in curves] == [[4096, 8192, 16384]] * 2
    assert {result.case.threads for result in alone_results(record)} == {2}  # two points are no curve


def test_a_point_names_its_level_and_the_size_asked_for(rate, make_record):
    sizes = {4096: "L1", 32 * KIB: "L1", 48 * KIB: "L2", 32 * MIB: "L3", 48 * MIB: None, 256 * MIB: "memory"}
    record = make_record(
        *(rate(10.0, **point(size)) for size in sizes),
        rate(10.0, working_set_bytes=8192 + 192, variant={"sweep_point": 8192}),  # whole lines: 2 % more
        rate(10.0, working_set_bytes=24 * KIB, variant={"sweep_point": 6 * KIB}),  # whole pages: another size
    )
    (curve,) = size_curves(record)
    assert {one.size_bytes: one.level for one in curve.points} == sizes | {8192: "L1", 24 * KIB: "L1"}


# --- by threads -----------------------------------------------------------------------------------------------------


def test_a_thread_curve_has_shares_parts_and_a_knee(rate, make_record):
    rates = {1: 20.0, 2: 40.0, 16: 99.0, 4: 80.0, 8: 100.0}
    record = make_record(*(rate(each, threads=threads) for threads, each in rates.items()))
    (curve,) = thread_curves(record)
    assert [one.result.case.threads for one in curve.points] == [1, 2, 4, 8, 16]
    assert [one.share_of_best for one in curve.points] == pytest.approx([0.2, 0.4, 0.8, 1.0, 0.99])
    assert [one.bytes_per_s_per_thread for one in curve.points] == pytest.approx([20, 20, 20, 12.5, 6.1875])
    assert knee(curve) == 8
    assert [result.case.threads for result in plain_results(record)] == [1, 16]  # the ends stand for themselves
    assert alone_results(record) == ()


def test_two_numbers_of_threads_or_too_little_data_make_no_curve(rate, make_record):
    two = make_record(rate(10.0, threads=1), rate(20.0, threads=2))
    assert thread_curves(two) == ()
    assert plain_results(two) == two.results
    small = make_record(*(rate(10.0, threads=threads, working_set_bytes=MIB) for threads in (1, 2, 4)))
    assert thread_curves(small) == ()
    assert plain_results(small) == small.results


@pytest.mark.parametrize(
    ("rates", "gap"),
    [
        ({1: 20.0, 16: 99.0, 32: 100.0}, (1, 16)),  # the knee may be anywhere between
        ({1: 20.0, 8: 60.0, 64: 100.0}, (8, 64)),
        ({1: 20.0, 8: 60.0, 16: 99.0, 64: 100.0}, None),
        ({1: 20.0, 2: 40.0, 4: 80.0}, None),
        ({1: 99.0, 16: 99.0, 32: 100.0}, None),  # none is below it
    ],
)
def test_a_knee_with_no_neighbour_lies_in_a_gap(rate, make_record, rates, gap):
    (curve,) = thread_curves(make_record(*(rate(each, threads=threads) for threads, each in rates.items())))
    assert knee_gap(curve) == gap


def test_stores_and_engines_have_curves_of_their_own(rate, make_record):
    record = make_record(
        *(rate(10.0, threads=threads, variant=stores) for threads in (1, 2, 4) for stores in (STREAMING, ORDINARY)),
        *(rate(10.0, threads=threads, engine="numpy") for threads in (1, 2)),
    )
    assert [curve.case.variant["stores"] for curve in thread_curves(record)] == ["streaming", "ordinary"]


def test_a_number_of_threads_that_failed_is_not_the_best(rate, make_record):
    results = [
        rate(10.0 * threads, threads=threads, failure="wrong" if threads == 8 else "") for threads in (1, 2, 4, 8)
    ]
    (curve,) = thread_curves(make_record(*results))
    assert [one.share_of_best for one in curve.points] == [pytest.approx(0.25), pytest.approx(0.5), 1.0, None]
    assert knee(curve) == 4


@given(st.dictionaries(st.integers(1, 512), RATES, min_size=3, max_size=12))
def test_the_knee_is_never_above_the_best_and_reaches_its_share(rate, make_record, rates):
    (curve,) = thread_curves(make_record(*(rate(each, threads=threads) for threads, each in rates.items())))
    found, best = knee(curve), max(curve.points, key=lambda one: one.share_of_best)
    assert found <= best.result.case.threads
    shares = {one.result.case.threads: one.share_of_best for one in curve.points}
    assert shares[found] >= KNEE_SHARE
    assert all(share < KNEE_SHARE for threads, share in shares.items() if threads < found)


# --- by load --------------------------------------------------------------------------------------------------------


def test_loads_stand_by_their_share(latency, make_record):
    def at(load, ns):
        seen = {"load_bytes_per_s": Observed(load * 1e9, 0.0, 1e12)}
        return latency(ns, threads=4, variant={"load": f"{load}%"}, observed=seen)

    record = make_record(at(100, 240), at(0, 90), at(50, 100), latency(91, variant={}))
    (curve,) = loaded_latency(record)
    assert [one.load_share for one in curve.points] == [0.0, 0.5, 1.0]
    assert [one.summary.latency.median_ns for one in curve.points] == pytest.approx([90, 100, 240])
    assert [one.load_bytes_per_s for one in curve.points] == [0.0, 50e9, 100e9]
    assert curve.case.threads == 4
    assert len(alone_results(record)) == 1


def test_loads_that_write_are_curves_of_their_own(latency, make_record):
    def at(load, **writes):
        return latency(load + 90, threads=4, variant={"load": f"{load}%", **writes})

    mixed = [at(load, writes="33%-writes") for load in (50, 100)]
    reading, writing = loaded_latency(make_record(at(0), *mixed, at(100)))
    assert [one.load_share for one in reading.points] == [0.0, 1.0]
    assert [one.load_share for one in writing.points] == [0.5, 1.0]
    assert (reading.write_share, writing.write_share) == ("", "33 %")


@pytest.mark.parametrize("load", ["much", "40", "", "1000%", 40])
def test_a_load_that_is_no_share_makes_no_curve(latency, make_record, load):
    record = make_record(latency(90, variant={"load": load}))
    assert loaded_latency(record) == ()
    assert alone_results(record) == record.results


# --- plateaus -------------------------------------------------------------------------------------------------------

# Two points an octave, from 4 KiB to 384 MiB.
SIZES = [size for power in range(12, 29) for size in (2**power, 3 * 2 ** (power - 1))]


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


def test_one_size_in_a_cache_is_no_plateau_and_two_are(rate, make_record):
    sizes = [16 * KIB, 128 * KIB, 256 * KIB, 8 * MIB, 256 * MIB]
    (curve,) = size_curves(make_record(*(rate(10.0, **point(size)) for size in sizes)))
    found = {plateau.level: (plateau.points, plateau.bytes_per_s, plateau.is_known) for plateau in plateaus(curve)}
    assert found == {
        "L1": (1, None, False),
        "L2": (2, pytest.approx(10.0), True),
        "L3": (1, None, False),
        "memory": (1, pytest.approx(10.0), True),  # the least that counts as memory, as in the table
    }


def test_a_cache_with_room_for_one_power_of_two_has_a_plateau_of_one_size(latency, make_record):
    caches = {"L1": 32 * KIB, "L2": MIB, "L3": 4 * MIB}  # well inside the L3 are 1.5 to 3.2 MiB
    sizes = [2**power for power in range(13, 29)]
    (curve,) = size_curves(make_record(*(latency(10.0, **point(size), caches=caches) for size in sizes)))
    found = {plateau.level: plateau for plateau in plateaus(curve)}
    assert (found["L3"].points, found["L3"].ns) == (1, pytest.approx(10.0))


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


# --- the line through a link's copies -------------------------------------------------------------------------------

LINK_SIZES = [4096 * 2**power for power in range(19)]


@pytest.mark.parametrize(("latency_s", "rate"), [(8e-6, 55e9), (1e-6, 3e9), (0.0, 25e9)])
def test_a_link_is_a_latency_and_a_rate(latency_s, rate):
    fit = fit_transfer([(size, latency_s + size / rate) for size in LINK_SIZES])
    assert fit.latency_s == pytest.approx(latency_s, abs=1e-12)
    assert fit.bytes_per_s == pytest.approx(rate, rel=1e-9)
    assert fit.worst < 1e-6


def test_a_few_points_far_off_move_a_fit_hardly():
    times = [(size, 8e-6 + size / 55e9) for size in LINK_SIZES]
    times[4] = (times[4][0], 3 * times[4][1])
    times[12] = (times[12][0], 2 * times[12][1])
    fit = fit_transfer(times)
    assert fit.latency_s == pytest.approx(8e-6, rel=0.05)
    assert fit.bytes_per_s == pytest.approx(55e9, rel=0.05)
    assert fit.worst > 0.4  # they are not passed over in silence


@pytest.mark.parametrize(
    "times",
    [
        [],
        [(4096, 1e-6)] * 5,
        [(4096, 1e-6), (8192, 2e-6)],
        [(4096, 3e-6), (8192, 2e-6), (16384, 1e-6)],
        [(4096, 1e-9), (8192, 1e-6), (16384, 1e-3), (32768, 1.0)],
    ],
)
def test_what_is_no_line_has_no_fit(times):
    assert fit_transfer(times) is None
