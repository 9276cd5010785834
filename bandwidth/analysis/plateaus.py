"""What each cache and the memory give: the plateaus of a curve over sizes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bandwidth.analysis.curves import MEMORY, SizeCurve, SizePoint, caches_of
from bandwidth.analysis.groups import has_figure
from bandwidth.statistics import median

# Well inside a cache: the stack, the page tables and other data take a part of it, and replacement is not perfect.
INSIDE_SHARE = 0.8
# Well outside the one before: until the data is half as large again, a part of it is still served from there.
OUTSIDE_MULTIPLE = 1.5
# The first cache's lower end: with less data, what a pass costs to begin is a good part of the time.
LEAST_SHARE_OF_FIRST = 1 / 8


@dataclass(frozen=True)
class Plateau:
    """What one level gives: the median over `points` points well inside it, all None where there is none.

    `size_bytes` is what the level holds for the curve's CPUs in all, None for the memory. A curve of rates has
    `bytes_per_s`, one of latencies `ns` and, where the clock was seen, `cycles`.
    """

    level: str
    size_bytes: int | None
    points: int
    bytes_per_s: float | None
    ns: float | None
    cycles: float | None


def plateaus(curve: SizeCurve) -> tuple[Plateau, ...]:
    """Return the plateau of each cache that the curve's CPUs reach, and of the memory.

    A point counts for a cache where its working set is at most 0.8 of it and more than 1.5 times the largest cache
    before it; for the first, more than an eighth of it. So the shoulders, where two levels serve, are left out. A cache
    that is hardly larger than the one before has no such size, and so no plateau. For the memory a point has to meet
    the DRAM rule (4 times the last-level caches). The median of the points is robust to one that was disturbed.
    """
    found, before = [], 0
    for level, size in caches_of(curve.case):
        least = OUTSIDE_MULTIPLE * before if before else LEAST_SHARE_OF_FIRST * size
        inside = [point for point in curve.points if least < point.result.case.working_set_bytes <= INSIDE_SHARE * size]
        found.append(_plateau(level, size, inside))
        before = max(before, size)
    in_memory = [point for point in curve.points if point.result.case.meets_dram_rule]
    return (*found, _plateau(MEMORY, None, in_memory))


def _plateau(level: str, size_bytes: int | None, points: Iterable[SizePoint]) -> Plateau:
    rated = [point.summary for point in points if has_figure(point.summary)]
    latencies = [summary.latency for summary in rated if summary.latency is not None]
    return Plateau(
        level,
        size_bytes,
        len(rated),
        _median_of(summary.median_bytes_per_s for summary in rated),
        _median_of(latency.median_ns for latency in latencies),
        _median_of(latency.median_cycles for latency in latencies),
    )


def _median_of(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
