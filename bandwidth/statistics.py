"""Statistics of plain sequences: the median, its interval, that of repeats, the spread and what lies far from it."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

TAIL = 40  # a 95 % interval leaves one fortieth of the probability on either side
# Below six values even the smallest and the largest do not enclose the median with 95 % confidence: 1 - 2/2^5 = 0.9375.
FEWEST_FOR_INTERVAL = 6
# Up to here the rank is worked out in whole numbers, in a millisecond; beyond, from logarithms.
MOST_EXACT = 1000
# The normal distribution leaves 2.5 % below this many standard deviations under its mean.
TAIL_SIGMAS = 1.959964
LOG_2 = math.log(2)
NEGLIGIBLE = 1e-18  # a term of this share of a sum changes no digit of it
# Iglewicz and Hoaglin, "How to Detect and Handle Outliers" (1993): a modified z-score above 3.5 marks an outlier.
OUTLIER_SCORE = 3.5
# The MAD of a normal distribution is 0.6745 of its standard deviation.
MAD_TO_SIGMA = 1.4826
# Where the MAD is 0 (more than half of the values alike) the mean absolute deviation takes its place (same source).
MEAN_DEVIATION_TO_SIGMA = 1.253314
# Two groups of values: what is empty between them is this many times what either group spans, in logarithms, with three
# values in each. By simulation (seeded, in the tests) fewer than three of a hundred unimodal samples of 6 to 100 values
# (normal, uniform, exponential, Laplace) look so. Ashman, Bird and Zepf (1994, AJ 108, 2348) ask that the groups' means
# lie two of their standard deviations apart; that holds of either half of any normal sample, and is no test by itself.
GROUPS_GAP = 2.5
FEWEST_IN_GROUP = 3
# A group of fewer of the values than this is outliers.
LEAST_GROUP_SHARE = 0.2
# Groups nearer than this are one rate with noise. One value in ten may lie between: a block during which it changed.
GROUPS_RATIO = 1.1
BETWEEN_GROUPS = 10
# Of more values as many quantiles as these are looked at for groups.
MOST_FOR_GROUPS = 100

# Two clusters: between what all but a tenth of either hold, values lie so far apart, and not much nearer than the wider
# one spans, which may be two itself. By simulation (seeded, in the tests) no more than four of a hundred unimodal
# samples (normal, lognormal, uniform, exponential) can be cut so.
CLUSTERS_RATIO = 1.25
CLUSTERS_GAP = 0.75
CLUSTERS_SHARE = 0.05
CLUSTERS_TRIMMED = 0.1


@dataclass(frozen=True)
class Interval:
    """A closed interval, in the unit of the values that it was made from."""

    low: float
    high: float

    def overlaps(self, other: Interval) -> bool:
        """Return whether the two intervals have a value in common."""
        return self.low <= other.high and other.low <= self.high


def median(values: Sequence[float]) -> float:
    """Return the middle value, or the mean of the two middle ones. Raises ValueError for an empty sequence."""
    if not values:
        raise ValueError("the median of nothing")
    ordered, middle = sorted(values), len(values) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def median_interval(values: Sequence[float]) -> Interval | None:
    """Return the 95 % interval of the median by order statistics, None for fewer than six values.

    It assumes nothing of the distribution: the median lies between the k-th smallest and the k-th largest of n
    values unless fewer than k fall on one side of it, which is binomial with p = 1/2
    (Hollander, Wolfe and Chicken, "Nonparametric Statistical Methods", section 3.6).
    """
    rank = _interval_rank(len(values))
    if rank is None:
        return None
    ordered = sorted(values)
    return Interval(ordered[rank - 1], ordered[-rank])


@lru_cache(maxsize=1024)
def _interval_rank(count: int) -> int | None:
    """Return the largest k for which P(fewer than k of `count` values on one side) stays within 2.5 %."""
    if count < FEWEST_FOR_INTERVAL:
        return None
    return _exact_rank(count) if count <= MOST_EXACT else _rank_by_logarithms(count)


def _exact_rank(count: int) -> int:
    """Return the rank in whole numbers, whose length grows with `count`: the time grows with its square."""
    allowed = 2**count // TAIL  # in whole numbers: a float overflows from 1,024 values on
    below, ways, rank = 0, 1, 0  # ways: how many of the 2^count outcomes have `rank` values on one side
    while (below := below + ways) <= allowed:
        ways = ways * (count - rank) // (rank + 1)
        rank += 1
    return rank


def _rank_by_logarithms(count: int) -> int:
    """Return the rank from a start by the normal distribution, in some multiple of the root of `count` steps.

    At a million values each chance is right to 1e-8 of itself, and a rank more adds 1e-4 to the sum: the result is
    that of whole numbers.
    """
    rank = max(int(count / 2 - TAIL_SIGMAS * math.sqrt(count) / 2) - 2, 1)
    chance = math.exp(math.lgamma(count + 1) - math.lgamma(rank + 1) - math.lgamma(count - rank + 1) - count * LOG_2)
    below, term, value = 0.0, chance, rank
    while value > 0 and term > below * NEGLIGIBLE:  # the chances of fewer than `rank`, from the largest down
        term *= value / (count - value + 1)
        below += term
        value -= 1
    while below + chance <= 1 / TAIL:
        below += chance
        chance *= (count - rank) / (rank + 1)
        rank += 1
    while below > 1 / TAIL:  # the start was too high
        rank -= 1
        chance *= (rank + 1) / (count - rank)
        below -= chance
    return rank


# Student's t, two-sided 95 %, for 1 to 30 degrees of freedom (NIST/SEMATECH e-Handbook of Statistical Methods,
# 1.3.6.7.2); for more the last one holds, which is on the safe side.
STUDENT_95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
# Fewer others than these do not tell how far such values lie apart.
FEWEST_REPEATS = 3


def repeat_interval(value: float, others: Sequence[float]) -> Interval | None:
    """Return where the middle of all such values lies with 95 % confidence, seen from one of them; all are above zero.

    `others` are those of earlier runs, whose logarithms have the standard deviation s. Of a normal distribution of the
    logarithms, the distance of one more value to the middle, over s, has Student's t distribution: so the interval is
    value x exp(+-t s), with n - 1 degrees of freedom. `value` has no part in s: one that is unlike the others does not
    excuse itself. None for fewer than three others.
    """
    if len(others) < FEWEST_REPEATS:
        return None
    logs = [math.log(one) for one in others]
    mean, freedom = math.fsum(logs) / len(logs), len(logs) - 1
    deviation = math.sqrt(math.fsum((one - mean) ** 2 for one in logs) / freedom)
    reach = math.exp(STUDENT_95[min(freedom, len(STUDENT_95)) - 1] * deviation)
    return Interval(value / reach, value * reach)


def median_absolute_deviation(values: Sequence[float]) -> float:
    """Return the median distance from the median, unscaled. Raises ValueError for an empty sequence."""
    centre = median(values)
    return median([abs(value - centre) for value in values])


def outlier_indices(values: Sequence[float]) -> tuple[int, ...]:
    """Return the positions whose modified z-score exceeds 3.5; none where all values are alike or there are none."""
    if not values:
        return ()
    centre = median(values)
    deviations = [abs(value - centre) for value in values]
    sigma = median(deviations) * MAD_TO_SIGMA or sum(deviations) / len(deviations) * MEAN_DEVIATION_TO_SIGMA
    if sigma == 0:
        return ()
    return tuple(index for index, deviation in enumerate(deviations) if deviation / sigma > OUTLIER_SCORE)


@dataclass(frozen=True)
class TwoGroups:
    """The positions of the values of two groups that lie apart, those of the lower ones and those of the higher ones.

    What lies between the two is in neither.
    """

    low: tuple[int, ...]
    high: tuple[int, ...]


def two_groups(values: Sequence[float]) -> TwoGroups | None:
    """Return the two groups that positive values fall into, None where they are one group."""
    count = min(len(values), MOST_FOR_GROUPS)
    whole = sorted(values)
    ordered = [math.log(whole[(2 * place + 1) * len(whole) // (2 * count)]) for place in range(count)]
    if len(ordered) < 2 * FEWEST_IN_GROUP or ordered[-1] - ordered[0] < math.log(GROUPS_RATIO):
        return None
    edges = _widest_gap(ordered)
    if edges is None:
        return None
    below, above = (math.exp(edge) * (1 + tiny) for edge, tiny in zip(edges, (1e-9, -1e-9), strict=True))
    low = tuple(place for place, value in enumerate(values) if value <= below)
    high = tuple(place for place, value in enumerate(values) if value >= above)
    is_apart = median([values[place] for place in high]) >= GROUPS_RATIO * median([values[place] for place in low])
    return TwoGroups(low, high) if is_apart else None


def _widest_gap(ordered: Sequence[float]) -> tuple[float, float] | None:
    """Return the ends of the gap that is widest beside what lies on either side of it, with as few values in it as
    may be; None where none is wide enough."""
    count = len(ordered)
    least = max(FEWEST_IN_GROUP, math.ceil(LEAST_GROUP_SHARE * count))
    for between in range(count // BETWEEN_GROUPS + 1):
        starts = range(least, count - between - least + 1)
        gaps = [(_width(ordered, start, start + between), start) for start in starts]
        width, start = max(gaps, default=(0.0, 0))
        if width >= GROUPS_GAP:
            return ordered[start - 1], ordered[start + between]
    return None


def _width(ordered: Sequence[float], start: int, end: int) -> float:
    """Return the gap before `end` and behind the value before `start`, as a multiple of what either side spans."""
    gap, span = ordered[end] - ordered[start - 1], max(ordered[start - 1] - ordered[0], ordered[-1] - ordered[end])
    return gap / span if span > 0 else math.inf if gap > 0 else 0.0


# --- groups that differ ---------------------------------------------------------------------------------------------

# The 99 % quantile of the normal distribution.
RARE_SIGMAS = 2.326348


def groups_differ(groups: Sequence[Sequence[float]]) -> bool:
    """Return whether the values of several groups differ more than chance would have it, once in a hundred.

    The rank test of Kruskal and Wallis, equal values at their middle rank, against the 99 % quantile of chi-squared by
    Wilson and Hilferty's approximation. It assumes nothing of the distribution.
    """
    ordered = sorted(value for group in groups for value in group)
    count, filled = len(ordered), [group for group in groups if group]
    if len(filled) < 2 or ordered[0] == ordered[-1]:
        return False
    spread = 0.0
    for group in filled:
        ranks = sum(bisect_left(ordered, value) + bisect_right(ordered, value) + 1 for value in group) / 2
        spread += len(group) * (ranks / len(group) - (count + 1) / 2) ** 2
    ties = sum(size**3 - size for size in Counter(ordered).values())
    statistic = 12 * spread / (count * (count + 1)) / (1 - ties / (count**3 - count))
    freedom = len(filled) - 1
    limit = freedom * (1 - 2 / (9 * freedom) + RARE_SIGMAS * math.sqrt(2 / (9 * freedom))) ** 3
    return statistic > limit


# --- clusters, and what goes with them ------------------------------------------------------------------------------


def clusters(values: Sequence[float], fewest: int) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return the ways to cut positive values in two clusters, as positions of the lower and the higher ones.

    The widest gap comes first; each cluster has at least `fewest` values, and a twentieth of all. A tenth of either may
    lie in the gap or far outside: what was seen once does not join two clusters, and makes none. What lies in the gap
    is in neither.
    """
    places = sorted(range(len(values)), key=lambda place: values[place])
    ordered = [math.log(values[place]) for place in places]
    least = max(fewest, math.ceil(CLUSTERS_SHARE * len(values)))
    found = []
    for cut in range(least, len(values) - least + 1):
        low, high = _trimmed(ordered[:cut]), _trimmed(ordered[cut:])
        gap, span = high.low - low.high, max(low.high - low.low, high.high - high.low)
        if gap >= math.log(CLUSTERS_RATIO) and gap >= CLUSTERS_GAP * span:
            found.append((ordered[cut] - ordered[cut - 1], low.high, high.low))
    edge = math.log(CLUSTERS_RATIO) / 2
    return [
        (
            tuple(sorted(place for place, value in zip(places, ordered, strict=True) if value <= top + edge)),
            tuple(sorted(place for place, value in zip(places, ordered, strict=True) if value >= bottom - edge)),
        )
        for _, top, bottom in sorted(found, reverse=True)
    ]


def _trimmed(ordered: Sequence[float]) -> Interval:
    left_out = int(CLUSTERS_TRIMMED * len(ordered))
    return Interval(ordered[left_out], ordered[len(ordered) - 1 - left_out])


def above_share(ones: Sequence[float], others: Sequence[float]) -> float:
    """Return in how many of all pairs, one of either sequence, the first is the larger; equal ones count a half.

    It is the statistic of Mann and Whitney over its largest value. Raises ValueError for an empty sequence.
    """
    if not ones or not others:
        raise ValueError("pairs with nothing")
    ordered = sorted(others)
    wins = sum(bisect_left(ordered, one) + bisect_right(ordered, one) for one in ones)
    return wins / (2 * len(ones) * len(others))
