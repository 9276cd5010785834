"""Two things timed in turn, A B A B: the ratio of each pair, its median and its 95 % interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bandwidth.statistics import Interval, median, median_interval

LEAST_PAIRS = 6


@dataclass(frozen=True)
class Ratio:
    """The median of the pairs' ratios, how many there were, their spread, and the median's interval."""

    median: float
    count: int
    lowest: float
    highest: float
    interval: Interval | None

    def __str__(self) -> str:
        interval = (
            "" if self.interval is None else f", 95 % interval {self.interval.low:.3f} to {self.interval.high:.3f}"
        )
        return f"{self.median:.3f} (n {self.count}{interval}, range {self.lowest:.3f} to {self.highest:.3f})"


def ratio_of_pairs(one: Callable[[], float], other: Callable[[], float], pairs: int) -> Ratio:
    """Return the ratios one / other of what the two give, taken in turn after one uncounted pair."""
    return ratios_of_pairs(lambda: {"": one()}, lambda: {"": other()}, pairs)[""]


def ratios_of_pairs(
    one: Callable[[], Mapping[str, float]], other: Callable[[], Mapping[str, float]], pairs: int
) -> dict[str, Ratio]:
    """Return the same for each of several figures, by its name, of which each call gives all."""
    one(), other()
    taken = [(one(), other()) for _ in range(max(pairs, LEAST_PAIRS))]
    return {name: _ratio([first[name] / second[name] for first, second in taken]) for name in taken[0][0]}


def _ratio(ratios: list[float]) -> Ratio:
    return Ratio(median(ratios), len(ratios), min(ratios), max(ratios), median_interval(ratios))
