"""What each level of a curve over sizes gives: the caches and the memory, where enough of the sizes were measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bandwidth.analysis.curves import MEMORY, SizeCurve, SizePoint, caches_of
from bandwidth.analysis.groups import has_figure
from bandwidth.results.model import Case
from bandwidth.statistics import median

# Well inside a cache: the stack, the page tables and other data take a part of it, and replacement is not perfect.
INSIDE_SHARE = 0.8
# Well outside the one before: until the data is half as large again, a part of it is still served from there.
OUTSIDE_MULTIPLE = 1.5
# The first cache's lower end: with less data, what a pass costs to begin is a good part of the time.
LEAST_SHARE_OF_FIRST = 1 / 8
# One size in a cache is no plateau, unless its sizes are less than two octaves: there may be one power of two in them.
FEWEST_IN_CACHE = 2
WIDE_MULTIPLE = 4


@dataclass(frozen=True)
class Plateau:
    """What one level gives: the median over `points` points well inside it, all None where these are too few.

    `size_bytes` is what the level holds for the curve's CPUs in all, None for the memory. A curve of rates has
    `bytes_per_s`, one of latencies `ns` and, where the clock was seen, `cycles`.
    """

    level: str
    size_bytes: int | None
    points: int
    bytes_per_s: float | None
    ns: float | None
    cycles: float | None

    @property
    def is_known(self) -> bool:
        """Whether it was named."""
        return self.bytes_per_s is not None or self.ns is not None


def plateaus(curve: SizeCurve) -> tuple[Plateau, ...]:
    """Return the plateau of each cache that the curve's CPUs reach, and of the memory.

    Its points are those well inside it. One point does not show that the rate stays where it is: a cache has two at
    least, or one where it is so small beside the cache before it that a sweep may have no second. The memory has one
    where its least size alone was measured, as in the table. The median of the points is robust to one that was
    disturbed.
    """
    inside: dict[str | None, list[SizePoint]] = {}
    for point in curve.points:
        inside.setdefault(level_well_inside(point.result.case), []).append(point)
    found = []
    for (level, size), (_, least, most) in zip(caches_of(curve.case), _well_inside(curve.case), strict=True):
        fewest = FEWEST_IN_CACHE if most >= WIDE_MULTIPLE * least else 1
        found.append(_plateau(level, size, inside.get(level, []), fewest))
    return (*found, _plateau(MEMORY, None, inside.get(MEMORY, []), 1))


def level_well_inside(case: Case) -> str | None:
    """Return the level that alone serves a case, by its size: a cache, the memory, or None on the shoulders between.

    A case counts for a cache where its working set is at most 0.8 of it and more than 1.5 times the largest cache
    before it; for the first, more than an eighth of it. So the shoulders, where two levels serve, are left out. A cache
    that is hardly larger than the one before has no such size, and so no plateau. For the memory a case has to meet
    the DRAM rule (4 times the last-level caches).
    """
    if case.meets_dram_rule:
        return MEMORY
    ranges = _well_inside(case)
    return next((level for level, least, most in ranges if least < case.working_set_bytes <= most), None)


def _well_inside(case: Case) -> list[tuple[str, float, float]]:
    """Return each cache with the size that a working set well inside it is above, and the one that it may have."""
    found, before = [], 0
    for level, size in caches_of(case):
        found.append((level, OUTSIDE_MULTIPLE * before or LEAST_SHARE_OF_FIRST * size, INSIDE_SHARE * size))
        before = max(before, size)
    return found


def _plateau(level: str, size_bytes: int | None, points: Iterable[SizePoint], fewest: int) -> Plateau:
    rated = [point.summary for point in points if has_figure(point.summary)]
    shown = rated if len(rated) >= fewest else []
    latencies = [summary.latency for summary in shown if summary.latency is not None]
    return Plateau(
        level,
        size_bytes,
        len(rated),
        _median_of(summary.median_bytes_per_s for summary in shown),
        _median_of(latency.median_ns for latency in latencies),
        _median_of(latency.median_cycles for latency in latencies),
    )


def _median_of(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
