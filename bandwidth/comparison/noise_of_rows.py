"""How far each row of a record may be relied on when it is compared: why not, and what its blocks reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import NamedTuple

from bandwidth.analysis.curves import size_curves
from bandwidth.findings.comparable import disturbance_of, why_not_comparable
from bandwidth.results import Record, Result
from bandwidth.statistics import FEWEST_FOR_INTERVAL, median, median_interval
from bandwidth.vocabulary import SWEEP_POINT

# More than this part of a curve's points are not comparable: what stands for them is not either.
MOST_OF_A_CURVE = 0.5


@dataclass(frozen=True)
class Fitness:
    """Why a row may not be compared (`reason`, empty where it may), whether the machine was busy, and its blocks.

    `speeds` are those of its blocks: rates, and of a latency what is inverse to the time; none of a curve's plateau.
    """

    reason: str = ""
    is_busy: bool = False
    speeds: tuple[float, ...] = ()

    @property
    def is_judged_by_blocks(self) -> bool:
        """Whether there are blocks to judge by."""
        return bool(self.speeds)

    @property
    def is_whole(self) -> bool:
        """Whether there are enough blocks for an interval."""
        return len(self.speeds) >= FEWEST_FOR_INTERVAL

    @property
    def fastest(self) -> float:
        """The speed of the fastest block."""
        return max(self.speeds, default=0.0)

    @property
    def slowest(self) -> float:
        """The speed of the slowest block."""
        return min(self.speeds, default=inf)


class Reach(NamedTuple):
    """The median of speeds, and the ends of their interval: the slowest and the fastest where there are too few."""

    low: float
    middle: float
    high: float


def reach(fitness: Fitness) -> Reach:
    """Return what the blocks of a row reach."""
    interval = median_interval(fitness.speeds)
    ends = (fitness.slowest, fitness.fastest) if interval is None else (interval.low, interval.high)
    return Reach(ends[0], median(fitness.speeds), ends[1])


def fitness_of(record: Record) -> dict[tuple[str, bool], Fitness]:
    """Return how far each row may be relied on, by the id and whether it is a plateau's; that of a curve is for all."""
    found = {(result.case.id, False): _fitness(record, result) for result in record.results}
    if any(SWEEP_POINT in result.case.variant for result in record.results):
        for curve in size_curves(record):
            points = [found[point.result.case.id, False] for point in curve.points]
            variant = {name: value for name, value in curve.case.variant.items() if name != SWEEP_POINT}
            found[replace(curve.case, variant=variant).id, True] = _of_curve(points)
    return found


def _fitness(record: Record, result: Result) -> Fitness:
    speeds = tuple(result.case.bytes_per_call * result.samples.calls_per_sample / s for s in result.samples.seconds)
    is_busy = disturbance_of(record, result) is not None
    return Fitness(why_not_comparable(record, result), is_busy, speeds)


def _of_curve(points: Sequence[Fitness]) -> Fitness:
    unfit = [point for point in points if point.reason]
    if len(unfit) <= MOST_OF_A_CURVE * len(points):
        return Fitness()
    reason = f"{len(unfit)} of the {len(points)} points of its curve: {unfit[0].reason}"
    return Fitness(reason, any(point.is_busy for point in unfit))
