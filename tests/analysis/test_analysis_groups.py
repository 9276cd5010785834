"""Pairs of results: a whole and its half, zeros and other data."""

from __future__ import annotations

import pytest
from curves_support import MIB, ORDINARY, STREAMING, point

from bandwidth.analysis.curves import size_curves
from bandwidth.analysis.groups import is_size_check, size_check_of, size_checks, zeros_pairs
from bandwidth.analysis.plain_results import alone_results, plain_results

# --- half the size --------------------------------------------------------------------------------------------------


def test_a_check_at_half_the_size_belongs_to_its_whole(rate, make_record):
    whole = rate(100.0, variant=STREAMING, working_set_bytes=512 * MIB)
    half = rate(110.0, **point(256 * MIB, **STREAMING))
    record = make_record(rate(90.0, variant=ORDINARY, working_set_bytes=512 * MIB), whole, half)
    assert size_check_of(record, whole) is half
    assert [is_size_check(record, result) for result in record.results] == [False, False, True]
    (check,) = size_checks(record)
    assert (check.whole, check.half) == (whole, half)
    assert check.ratio == pytest.approx(1.1)
    assert size_curves(record) == ()
    assert half not in (*plain_results(record), *alone_results(record))


@pytest.mark.parametrize(
    "other",
    [
        {"variant": ORDINARY, "working_set_bytes": 512 * MIB},
        {"variant": STREAMING, "working_set_bytes": 512 * MIB, "threads": 2},
        {"variant": STREAMING, "working_set_bytes": 512 * MIB, "engine": "numpy"},
        {"variant": STREAMING, "working_set_bytes": 512 * MIB, "path": "read"},
        {"variant": STREAMING, "working_set_bytes": 440 * MIB},
    ],
)
def test_a_point_is_no_check_of_what_is_not_its_whole(rate, make_record, other):
    half = rate(110.0, **point(256 * MIB, **STREAMING))
    record = make_record(rate(100.0, **other), half)
    assert not is_size_check(record, half)
    assert size_checks(record) == ()
    assert alone_results(record) == (half,)


def test_half_may_be_a_little_more_than_half(rate, make_record):
    whole = rate(1.0, working_set_bytes=100 * MIB)
    assert size_check_of(make_record(whole, rate(1.0, **point(54 * MIB))), whole) is not None
    assert size_check_of(make_record(whole, rate(1.0, **point(56 * MIB))), whole) is None


def test_a_check_that_failed_has_no_ratio(rate, make_record):
    half = rate(110.0, **point(256 * MIB), failure="element 7 is wrong")
    (check,) = size_checks(make_record(rate(100.0, working_set_bytes=512 * MIB), half))
    assert check.ratio is None


# --- zeros ----------------------------------------------------------------------------------------------------------


def test_zeros_stand_beside_the_same_case_with_other_data(rate, make_record):
    zeros = rate(60.0, path="write", variant=STREAMING | {"data": "zeros"})
    other = rate(24.0, path="write", variant=STREAMING)
    record = make_record(rate(20.0, path="write", variant=ORDINARY), zeros, other)
    (pair,) = zeros_pairs(record)
    assert (pair.zeros, pair.other) == (zeros, other)
    assert pair.ratio == pytest.approx(2.5)
    assert zeros not in plain_results(record)
    (lone,) = zeros_pairs(make_record(zeros))
    assert (lone.other, lone.ratio) == (None, None)
