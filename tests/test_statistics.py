"""The order statistics, against ranks worked out by hand from the binomial distribution, and against simulation."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import accumulate
from math import comb

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bandwidth.statistics import (
    FEWEST_FOR_INTERVAL,
    Interval,
    groups_differ,
    median,
    median_absolute_deviation,
    median_interval,
    outlier_indices,
    repeat_interval,
)

# For n values the 95 % interval of the median runs from the k-th smallest to the k-th largest: n and k, as tables of
# the sign test print them (the two-sided critical value at 5 %, plus one).
RANKS = {
    6: 1, 7: 1, 8: 1, 9: 2, 10: 2, 11: 2, 12: 3, 13: 3, 14: 3, 15: 4, 16: 4, 17: 5, 18: 5, 19: 5, 20: 6,
    21: 6, 22: 6, 23: 7, 24: 7, 25: 8, 26: 8, 27: 8, 28: 9, 29: 9, 30: 10,
}  # fmt: skip
SAMPLES = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=60)


def chance_of_missing(count, rank):
    """The exact chance that or above fewer than `rank` of `count` values lie below the median, it."""
    return 2 * Fraction(sum(comb(count, below) for below in range(rank)), 2**count)


def test_the_median_is_the_middle_or_the_mean_of_the_two_middle_ones():
    assert median([3, 1, 2]) == 2
    assert median([4, 1, 3, 2]) == 2.5
    assert median([7]) == 7
    with pytest.raises(ValueError, match="the median of nothing"):
        median([])


@pytest.mark.parametrize(("count", "rank"), RANKS.items())
def test_the_table_of_ranks_holds_by_the_exact_binomial(count, rank):
    assert chance_of_missing(count, rank) <= Fraction(1, 20)
    assert chance_of_missing(count, rank + 1) > Fraction(1, 20)


@pytest.mark.parametrize(("count", "rank"), RANKS.items())
def test_the_interval_runs_between_the_order_statistics_of_the_table(count, rank):
    shuffled = random.Random(count).sample(range(1, count + 1), count)
    assert median_interval(shuffled) == Interval(rank, count + 1 - rank)


@pytest.mark.parametrize("count", range(6))
def test_below_six_values_there_is_no_interval(count):
    assert median_interval(list(range(count))) is None
    # Even from the smallest to the largest of them is no 95 %.
    assert chance_of_missing(count, 1) > Fraction(1, 20)


def test_six_is_the_fewest_for_an_interval():
    assert FEWEST_FOR_INTERVAL == 6
    assert chance_of_missing(6, 1) <= Fraction(1, 20)


@pytest.mark.parametrize("count", [6, 11, 30])
def test_the_interval_covers_the_true_median_as_often_as_it_says(count):
    """A skewed distribution, as of timings: the share that covers its median is that of the exact binomial."""
    generator, runs = random.Random(20240607), 4000
    true_median = 2.0**0.5 - 1  # of a Pareto distribution with shape 2, less its lowest value
    covered = 0
    for _ in range(runs):
        interval = median_interval([generator.paretovariate(2) - 1 for _ in range(count)])
        covered += interval.low <= true_median <= interval.high
    expected = 1 - float(chance_of_missing(count, RANKS[count]))
    assert expected >= 0.95
    assert covered / runs == pytest.approx(expected, abs=0.012)  # some four standard errors


@settings(deadline=None)  # the definition's own sum of whole numbers is slow
@given(st.one_of(st.integers(6, 300), st.integers(301, 2000)))
@example(1000)  # the last rank in whole numbers
@example(1001)
def test_the_rank_is_the_largest_that_the_definition_allows(count):
    below = list(accumulate(comb(count, below) for below in range(count // 2 + 1)))  # outcomes with so few or fewer
    rank = sum(40 * ways <= 2**count for ways in below)
    assert median_interval(range(1, count + 1)) == Interval(rank, count + 1 - rank)


def test_a_million_values_have_an_interval():
    """The rank was summed in whole numbers of a million bits: this did not end within the time of a test."""
    # Worked out once in whole numbers: the sum of C(10^6, j) is within 2^(10^6) / 40 up to 499,019, not to 499,020.
    assert median_interval(range(1, 1_000_001)) == Interval(499_020, 500_981)


@pytest.mark.parametrize("count", [1023, 1024, 1025, 5000, 20_000])
def test_thousands_of_values_do_not_overflow(count):
    interval = median_interval(range(1, count + 1))
    # The normal approximation of the rank: n/2 - 1.96 sqrt(n)/2, to the next rank or two.
    assert interval.low == pytest.approx(count / 2 - 0.98 * count**0.5, abs=2)
    assert interval.high == count + 1 - interval.low


@given(SAMPLES)
def test_the_interval_holds_the_median_and_only_measured_values(values):
    interval = median_interval(values)
    if len(values) < 6:
        assert interval is None
    else:
        assert interval.low <= median(values) <= interval.high
        assert {interval.low, interval.high} <= set(values)


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [((1, 2), (2, 3), True), ((1, 2), (3, 4), False), ((1, 9), (3, 4), True), ((3, 4), (1, 2), False)],
)
def test_intervals_overlap_where_they_share_a_value(one, other, overlap):
    assert Interval(*one).overlaps(Interval(*other)) is overlap
    assert Interval(*other).overlaps(Interval(*one)) is overlap


def test_the_interval_of_repeats_is_by_students_t():
    # Logarithms of 0.0, 0.2 and 0.1: a deviation of 0.1, t of two degrees of freedom 4.303.
    found = repeat_interval(math.exp(0.5), [1.0, math.exp(0.2), math.exp(0.1)])
    assert (found.low, found.high) == pytest.approx((math.exp(0.5 - 0.4303), math.exp(0.5 + 0.4303)), rel=1e-9)


def test_fewer_than_three_repeats_have_no_interval_and_equal_ones_no_width():
    assert repeat_interval(5.0, [5.0, 5.1]) is None
    found = repeat_interval(5.0, [5.0] * 3)
    assert (found.low, found.high) == pytest.approx((5.0, 5.0))


@pytest.mark.parametrize("others", [3, 6, 12, 30, 60])
def test_the_interval_of_repeats_holds_their_middle_as_often_as_it_says(others):
    draw, held, tries = random.Random(others), 0, 2000
    for _ in range(tries):
        values = [math.exp(draw.gauss(0.0, 0.03)) for _ in range(others + 1)]
        found = repeat_interval(values[0], values[1:])
        held += found.low <= 1.0 <= found.high
    assert 0.94 <= held / tries <= 0.97


@given(st.floats(1e-3, 1e12), st.lists(st.floats(0.5, 2.0), min_size=3, max_size=40))
def test_the_interval_of_repeats_holds_the_value_and_follows_its_unit(value, shares):
    one, other = (repeat_interval(unit * value, [unit * value * share for share in shares]) for unit in (1.0, 1000.0))
    assert one.low <= value * (1 + 1e-12)
    assert one.high >= value * (1 - 1e-12)
    assert (other.low, other.high) == pytest.approx((1000 * one.low, 1000 * one.high), rel=1e-6)


def test_the_median_absolute_deviation_is_unscaled():
    assert median_absolute_deviation([1, 1, 2, 2, 4, 6, 9]) == 1
    with pytest.raises(ValueError, match="the median of nothing"):
        median_absolute_deviation([])


def test_an_outlier_lies_further_than_three_and_a_half_scaled_deviations():
    # Median 10, deviations 0, 0, 1, 1, 1, 1, 1, 1 and the last: the MAD is 1, the limit 3.5 x 1.4826 = 5.19.
    alike = [10, 10, 9, 9, 9, 11, 11, 11]
    assert outlier_indices([*alike, 15.1]) == ()
    assert outlier_indices([*alike, 15.2]) == (8,)
    assert outlier_indices([4.8, *alike]) == (0,)


def test_where_the_deviation_is_zero_the_mean_deviation_takes_its_place():
    # Nine alike and one apart: mean deviation 1, limit 3.5 x 1.2533 = 4.39 from the median.
    assert outlier_indices([5] * 9 + [15]) == (9,)
    # Six alike: mean deviation 4, limit 17.5; what lies 10 apart is not far for such values.
    assert outlier_indices([5] * 6 + [15] * 4) == ()


@pytest.mark.parametrize("values", [[], [1], [5] * 10, [1, 2]])
def test_values_that_are_alike_or_too_few_have_no_outliers(values):
    assert outlier_indices(values) == ()


@given(SAMPLES)
def test_the_median_itself_is_never_an_outlier(values):
    centre = median(values)
    assert centre not in [values[index] for index in outlier_indices(values)]


def test_groups_differ_as_the_rank_test_of_kruskal_and_wallis_has_it():
    # Hollander, Wolfe and Chicken, example 6.1: half-times of mucociliary clearance, H = 0.771, two degrees of freedom.
    alike = ([2.9, 3.0, 2.5, 2.6, 3.2], [3.8, 2.7, 4.0, 2.4], [2.8, 3.4, 3.7, 2.2, 2.0])
    assert not groups_differ(alike)
    assert groups_differ([[1.0, 1.1, 1.2, 1.3], [2.0, 2.1, 2.2, 2.3], [3.0, 3.1, 3.2, 3.3]])
    assert not groups_differ([[1.0, 1.0], [1.0, 1.0]])
    assert not groups_differ([[1.0, 2.0], []])


@pytest.mark.parametrize(("groups", "size"), [(3, 6), (10, 4), (3, 100)])
def test_groups_of_one_distribution_differ_once_in_a_hundred(groups, size):
    rng = random.Random(4)
    tries = 1000
    found = sum(
        groups_differ([[rng.lognormvariate(0, 0.5) for _ in range(size)] for _ in range(groups)]) for _ in range(tries)
    )
    assert found <= 0.02 * tries
