"""Curves from scripted results: what belongs together, and every figure worked out by hand."""

from __future__ import annotations

import pytest
from curves_support import KIB, MIB, ORDINARY, STREAMING, point
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.analysis.curves import KNEE_SHARE, knee, loaded_latency, size_curves, thread_curves
from bandwidth.analysis.plain_results import alone_results, plain_results
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


@pytest.mark.parametrize("load", ["much", "40", "", "1000%", 40])
def test_a_load_that_is_no_share_makes_no_curve(latency, make_record, load):
    record = make_record(latency(90, variant={"load": load}))
    assert loaded_latency(record) == ()
    assert alone_results(record) == record.results
