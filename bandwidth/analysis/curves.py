"""Results of one case over its sizes, its numbers of threads or its loads, as curves.

All is worked out from the results each time; nothing here is stored. A result that failed its check stays in its curve
with no figure, so that a table can say so, and takes no part in any statistic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bandwidth.analysis.groups import NODE_KEYS, SIZE_SLACK, divided, group_key, grouped, is_size_check
from bandwidth.results.model import Case, Observed, Record, Result
from bandwidth.results.summary import Summary, once_each, summarise
from bandwidth.statistics import median

# Two points make a line through anything.
FEWEST_POINTS = 3
# What more threads gain beyond this is within the noise of a shared machine (see HALF_SIZE_TOLERANCE in the findings).
KNEE_SHARE = 0.95
MEMORY = "memory"
# A result with one of these has a view of its own; `mix` and zeros are told apart by the caller.
CURVE_KEYS = ("sweep_point", "load", *NODE_KEYS)


# --- by size --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SizePoint:
    """One size of a sweep.

    `size_bytes` is the size asked for, or the working set where that is more than 5 % off it. `level` is the first
    cache that holds all of the working set, `memory` where that meets the rule, None for what lies between.
    """

    result: Result
    summary: Summary
    size_bytes: int
    level: str | None


@dataclass(frozen=True)
class SizeCurve:
    """Rates or latencies of one case over its sizes, the smallest first."""

    points: tuple[SizePoint, ...]

    @property
    def case(self) -> Case:
        """The largest point's case: what all points have in common can be read from it."""
        return self.points[-1].result.case

    @property
    def huge_page_share(self) -> Observed | None:
        """How much of the data lies in huge pages: the median over the points, and the ends; None where not seen."""
        return _over_points(self.points, "huge_page_share")

    @property
    def clock_hz(self) -> Observed | None:
        """The core's clock over the points; None where not seen."""
        return _over_points(self.points, "clock_hz")


@once_each
def size_curves(record: Record) -> tuple[SizeCurve, ...]:
    """Return a curve for each case that was measured at three sizes or more; checks at half a size make none."""
    swept = [
        result
        for result in record.results
        if "sweep_point" in result.case.variant and not is_size_check(record, result)
    ]
    groups = grouped(swept, lambda result: group_key(result, "sweep_point"))
    curves = [SizeCurve(tuple(_size_point(result) for result in _by_size(group))) for group in groups]
    return tuple(curve for curve in curves if len(curve.points) >= FEWEST_POINTS)


def caches_of(case: Case) -> list[tuple[str, int]]:
    """Return each cache that a case's CPUs reach with its bytes in all, the first level first."""
    return sorted(case.caches.items())  # L1, L2, L3


def _size_point(result: Result) -> SizePoint:
    case = result.case
    asked = case.variant["sweep_point"]
    is_near = isinstance(asked, int) and abs(case.working_set_bytes - asked) <= SIZE_SLACK * asked
    size = asked if is_near and isinstance(asked, int) else case.working_set_bytes
    return SizePoint(result, summarise(result), size, _level(case))


def _level(case: Case) -> str | None:
    for level, size in caches_of(case):
        if case.working_set_bytes <= size:
            return level
    return MEMORY if case.meets_dram_rule else None


def _by_size(results: Iterable[Result]) -> list[Result]:
    return sorted(results, key=lambda result: result.case.working_set_bytes)


def _over_points(points: Iterable[SizePoint], name: str) -> Observed | None:
    seen = [point.result.observed[name] for point in points if name in point.result.observed]
    if not seen:
        return None
    return Observed(median([one.median for one in seen]), min(one.least for one in seen), max(one.most for one in seen))


# --- by threads -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ThreadPoint:
    """One number of threads: its figures, its median as a share of the curve's best, and a thread's part of it."""

    result: Result
    summary: Summary
    share_of_best: float | None
    bytes_per_s_per_thread: float | None


@dataclass(frozen=True)
class ThreadCurve:
    """Rates of one case over its numbers of threads, the fewest first."""

    points: tuple[ThreadPoint, ...]

    @property
    def case(self) -> Case:
        """The case with the most threads."""
        return self.points[-1].result.case


@once_each
def thread_curves(record: Record) -> tuple[ThreadCurve, ...]:
    """Return a curve for each case whose rate from memory was measured with three numbers of threads or more."""
    results = [
        result
        for result in record.results
        if result.case.meets_dram_rule
        and not result.case.is_latency
        and not any(key in result.case.variant for key in CURVE_KEYS)
    ]
    groups = grouped(results, lambda result: group_key(result, threads=False))
    return tuple(_thread_curve(group) for group in groups if sum(map(_is_rated, group)) >= FEWEST_POINTS)


def knee(curve: ThreadCurve) -> int | None:
    """Return the fewest threads whose median reaches 95 % of the best one; None where no point has a rate."""
    reached = (
        point.result.case.threads
        for point in curve.points
        if point.share_of_best is not None and point.share_of_best >= KNEE_SHARE
    )
    return next(reached, None)


def _thread_curve(results: Iterable[Result]) -> ThreadCurve:
    ordered = [(result, summarise(result)) for result in sorted(results, key=lambda result: result.case.threads)]
    best = max(summary.median_bytes_per_s or 0.0 for _, summary in ordered)
    points = [
        ThreadPoint(
            result,
            summary,
            divided(summary.median_bytes_per_s, best),
            divided(summary.median_bytes_per_s, result.case.threads),
        )
        for result, summary in ordered
    ]
    return ThreadCurve(tuple(points))


def _is_rated(result: Result) -> bool:
    return summarise(result).median_bytes_per_s is not None


# --- by load --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LoadPoint:
    """One load: the share of what the other threads can read that was asked for, and what they read."""

    result: Result
    summary: Summary
    load_share: float
    load_bytes_per_s: float | None


@dataclass(frozen=True)
class LoadCurve:
    """One thread's latency while the others read, the smallest load first."""

    points: tuple[LoadPoint, ...]

    @property
    def case(self) -> Case:
        """The case with the largest load."""
        return self.points[-1].result.case


@once_each
def loaded_latency(record: Record) -> tuple[LoadCurve, ...]:
    """Return a curve for each case of a latency under load."""
    loaded = [result for result in record.results if result.case.is_latency and _load_share(result.case) is not None]
    groups = grouped(loaded, lambda result: group_key(result, "load"))
    return tuple(
        LoadCurve(tuple(sorted(map(_load_point, group), key=lambda point: point.load_share))) for group in groups
    )


def _load_point(result: Result) -> LoadPoint:
    seen = result.observed.get("load_bytes_per_s")
    share = _load_share(result.case) or 0.0
    return LoadPoint(result, summarise(result), share, None if seen is None else seen.median)


def _load_share(case: Case) -> float | None:
    found = re.fullmatch(r"([0-9]{1,3})%", str(case.variant.get("load", "")), re.ASCII)
    return None if found is None else int(found[1]) / 100
