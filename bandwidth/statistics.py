"""Order statistics of plain sequences: the median, its interval, its spread and what lies far from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

TAIL = 40  # a 95 % interval leaves one fortieth of the probability on either side
# Below six values even the smallest and the largest do not enclose the median with 95 % confidence: 1 - 2/2^5 = 0.9375.
FEWEST_FOR_INTERVAL = 6
# Iglewicz and Hoaglin, "How to Detect and Handle Outliers" (1993): a modified z-score above 3.5 marks an outlier.
OUTLIER_SCORE = 3.5
# The MAD of a normal distribution is 0.6745 of its standard deviation.
MAD_TO_SIGMA = 1.4826
# Where the MAD is 0 (more than half of the values alike) the mean absolute deviation takes its place (same source).
MEAN_DEVIATION_TO_SIGMA = 1.253314


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
    allowed = 2**count // TAIL  # in whole numbers: a float overflows from 1,024 values on
    below, ways, rank = 0, 1, 0  # ways: how many of the 2^count outcomes have `rank` values on one side
    while (below := below + ways) <= allowed:
        ways = ways * (count - rank) // (rank + 1)
        rank += 1
    return rank


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
    sigma = (
        median_absolute_deviation(values) * MAD_TO_SIGMA or sum(deviations) / len(deviations) * MEAN_DEVIATION_TO_SIGMA
    )
    if sigma == 0:
        return ()
    return tuple(index for index, deviation in enumerate(deviations) if deviation / sigma > OUTLIER_SCORE)
