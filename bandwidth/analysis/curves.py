"""Results of one case over its sizes, its numbers of threads or its loads, as curves; and what such a curve says.

Of a curve over sizes that is what each cache and the memory give (plateaus.py), and of a link's copies a latency and a
rate; of one over threads its knee. All is worked out from the results each time; nothing here is stored. A result that
failed its check stays in its curve with no figure, so that a table can say so, and takes no part in any statistic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bandwidth.analysis.groups import NODE_KEYS, SIZE_SLACK, divided, group_key, grouped, is_size_check
from bandwidth.results.model import Case, Observed, Record, Result
from bandwidth.results.summary import Summary, once_each, summarise
from bandwidth.statistics import median

# Two points make a line through anything.
FEWEST_POINTS = 3
# What more threads gain beyond this is within the noise of a shared machine (see HALF_SIZE_TOLERANCE in the findings).
KNEE_SHARE = 0.95
# Between neighbours that are further apart than this anything may happen.
WIDEST_STEP = 2
MEMORY = "memory"
# A result with one of these has a view of its own; `mix` and zeros are told apart by the caller.
CURVE_KEYS = ("sweep_point", "load", "writes", *NODE_KEYS)
# The fit settles within a few steps; distances within this are noise.
MOST_FITTING_STEPS = 20
HUBER_MULTIPLE = 1.5
LEAST_DISTANCE = 0.005


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


def knee_gap(curve: ThreadCurve) -> tuple[int, int] | None:
    """Return the numbers of threads between which the knee lies, where they are far apart and none between them ran.

    A sweep that a short budget ended has such gaps. None where the knee is told.
    """
    rated = [point.result.case.threads for point in curve.points if point.share_of_best is not None]
    count = knee(curve)
    fewer = max((threads for threads in rated if count is not None and threads < count), default=None)
    if count is None or fewer is None or count <= WIDEST_STEP * fewer:
        return None
    return fewer, count


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
    """One load: the share of what the other threads can move that was asked for, and what they moved."""

    result: Result
    summary: Summary
    load_share: float
    load_bytes_per_s: float | None


@dataclass(frozen=True)
class LoadCurve:
    """One thread's latency while the others read, or read and write, the smallest load first."""

    points: tuple[LoadPoint, ...]

    @property
    def case(self) -> Case:
        """The case with the largest load."""
        return self.points[-1].result.case

    @property
    def write_share(self) -> str:
        """How much of what the others move is written, such as `33 %`; "" where they read only."""
        found = re.fullmatch(r"([0-9]{1,2})%-writes", str(self.case.variant.get("writes", "")), re.ASCII)
        return "" if found is None else f"{found[1]} %"


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


# --- the line through a link's copies -------------------------------------------------------------------------------


@dataclass(frozen=True)
class TransferFit:
    """What a copy takes: `latency_s` before its first byte and then `bytes_per_s`.

    `worst` is the largest distance of a point from that, as a share of the point's time.
    """

    latency_s: float
    bytes_per_s: float
    worst: float


def transfer_fit(curve: SizeCurve) -> TransferFit | None:
    """Return the line through the times of a curve's copies, None where the points make none."""
    times = [
        (point.result.case.bytes_per_call, point.result.case.bytes_per_call / point.summary.median_bytes_per_s)
        for point in curve.points
        if point.summary.median_bytes_per_s
    ]
    return fit_transfer(times)


def fit_transfer(times: Sequence[tuple[float, float]]) -> TransferFit | None:
    """Return the line time = latency + bytes / rate through pairs of bytes and seconds; None where there is none.

    The squares of relative distances are made least, so that 4 KiB count as much as 1 GiB, and points that lie far
    off count less (Huber's weights, by the median distance): a size at which a driver changes its way moves nothing.
    """
    if len({size for size, _ in times}) < FEWEST_POINTS:
        return None
    weights = [1.0] * len(times)
    latency = slope = 0.0
    for _ in range(MOST_FITTING_STEPS):
        found = _line(times, weights)
        if found is None:
            return None
        latency, slope = found
        off = [abs(latency + slope * size - seconds) / seconds for size, seconds in times]
        limit = max(HUBER_MULTIPLE * median(off), LEAST_DISTANCE)
        weights = [1.0 if distance <= limit else limit / distance for distance in off]
    if slope <= 0 or latency < -LEAST_DISTANCE * min(seconds for _, seconds in times):
        return None
    latency = max(latency, 0.0)
    worst = max(abs(latency + slope * size - seconds) / seconds for size, seconds in times)
    return TransferFit(latency, 1 / slope, worst)


def _line(times: Sequence[tuple[float, float]], weights: Sequence[float]) -> tuple[float, float] | None:
    """Return latency and seconds a byte of the line with the least weighted squares of relative distances."""
    # Each distance is divided by its time: 1 = latency x (1 / t) + slope x (n / t).
    rows = [(weight, 1 / seconds, size / seconds) for weight, (size, seconds) in zip(weights, times, strict=True)]
    uu = sum(w * u * u for w, u, _ in rows)
    uv = sum(w * u * v for w, u, v in rows)
    vv = sum(w * v * v for w, _, v in rows)
    u1, v1 = sum(w * u for w, u, _ in rows), sum(w * v for w, _, v in rows)
    determinant = uu * vv - uv * uv
    if determinant <= 1e-12 * uu * vv:
        return None
    return (u1 * vv - v1 * uv) / determinant, (v1 * uu - u1 * uv) / determinant
