"""Two things timed in turn, A B A B A: the ratio of the A on either side to each B, its median and 95 % interval.

Two neighbouring ratios share an A, so that the interval is a little narrower than of independent ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from bandwidth.statistics import Interval, median, median_interval

LEAST_PAIRS = 6
# Where A has changed by more than this from before B to behind it, the machine was another one in between: a hypervisor
# has moved the CPUs, or somebody else has come. The pair says nothing of A and B, and is left out by A alone.
STEADY_RATIO = 1.25
# Of so many times as many pairs as are wanted the steady ones are taken.
MOST_TRIES = 3


@dataclass(frozen=True)
class Ratio:
    """The median of the pairs' ratios, how many there were, their spread, and the median's interval.

    `left_out` is how many other pairs there were, in which A was not steady.
    """

    median: float
    count: int
    lowest: float
    highest: float
    interval: Interval | None
    left_out: int

    def __str__(self) -> str:
        interval = (
            "" if self.interval is None else f", 95 % interval {self.interval.low:.3f} to {self.interval.high:.3f}"
        )
        unsteady = f", {self.left_out} unsteady left out" if self.left_out else ""
        return f"{self.median:.3f} (n {self.count}{interval}, range {self.lowest:.3f} to {self.highest:.3f}{unsteady})"


def ratio_of_pairs(one: Callable[[], float], other: Callable[[], float], pairs: int) -> Ratio:
    """Return the ratios one / other of what the two give, taken in turn after one uncounted pair.

    Exits with a message where fewer than six pairs were steady.
    """
    return ratios_of_pairs(lambda: {"": one()}, lambda: {"": other()}, pairs)[""]


def ratios_of_pairs(
    one: Callable[[], Mapping[str, float]], other: Callable[[], Mapping[str, float]], pairs: int
) -> dict[str, Ratio]:
    """Return the same for each of several figures, by its name, of which each call gives all."""
    one(), other()
    wanted = max(pairs, LEAST_PAIRS)
    firsts, others, steady = [one()], [], []
    while len(steady) < wanted and len(others) < wanted * MOST_TRIES:
        others.append(other())
        firsts.append(one())
        steady = [place for place, (before, behind) in enumerate(pairwise(firsts)) if _is_steady(before, behind)]
    if len(steady) < LEAST_PAIRS:
        raise SystemExit(f"only {len(steady)} of {len(others)} pairs were steady: the machine is too busy")
    means = [{name: (before[name] + behind[name]) / 2 for name in before} for before, behind in pairwise(firsts)]
    return {
        name: _ratio([means[place][name] / others[place][name] for place in steady], len(others) - len(steady))
        for name in firsts[0]
    }


def _is_steady(before: Mapping[str, float], behind: Mapping[str, float]) -> bool:
    return all(1 / STEADY_RATIO <= behind[name] / before[name] <= STEADY_RATIO for name in before)


def _ratio(ratios: list[float], left_out: int) -> Ratio:
    return Ratio(median(ratios), len(ratios), min(ratios), max(ratios), median_interval(ratios), left_out)
