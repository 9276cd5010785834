"""What is worked out of an object that never changes, worked out once."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, TypeVar

from bandwidth.results.model import ADDRESS_BYTES, Case, Result
from bandwidth.statistics import CLUSTERS_RATIO, Interval, groups_differ, median, median_interval, repeat_interval
from bandwidth.vocabulary import NS_PER_S

Owner = TypeVar("Owner")
Value = TypeVar("Value")


def once_each(work: Callable[[Owner], Value]) -> Callable[[Owner], Value]:
    """Return `work` as it is, but done once for each object, as long as that lives.

    A result or a record is frozen and holds mappings, so that it has no hash by which `lru_cache` could know it; it is
    known by its identity instead. What is returned must not hold the object itself: both would live for ever.
    """
    done: dict[int, tuple[weakref.ref[Owner], Value]] = {}

    @wraps(work)
    def found(owner: Owner) -> Value:
        key = id(owner)
        if key not in done:
            done[key] = (weakref.ref(owner, lambda _: done.pop(key, None)), work(owner))
        return done[key][1]

    return found


@dataclass(frozen=True)
class Latency:
    """The time of one load in nanoseconds, and in cycles of the clock that was seen; None where that was not.

    `ci95_ns` is None below six samples; `run_to_run_ns` is as in Summary.
    """

    median_ns: float
    best_ns: float
    ci95_ns: Interval | None
    median_cycles: float | None
    run_to_run_ns: Interval | None = None

    @property
    def reported_ns(self) -> Interval | None:
        """The interval that a reader is given: from run to run where that is known."""
        return self.run_to_run_ns or self.ci95_ns


@dataclass(frozen=True)
class Summary:
    """The figures of one result, in bytes per second; all are None where it is not verified or has no sample.

    `ci95` is None below six samples. `efficiency` is the median over the theory, `vendor_efficiency` over the maker's
    figure, `share` over the lowest ceiling that is not of low confidence, None where that is not known. A latency has
    no rates, and its figures in `latency`. `layouts` is 0 where `ci95` is of blocks; where memory layouts differ by
    more than their blocks do, it is how many there were, and `ci95` is the interval of the median of their medians, or
    from the lowest to the highest of them where they are fewer than six. `ci95` is of this run; `run_to_run` is where
    the median of all runs on this machine lies with 95 % confidence, by `earlier_runs` runs before this one; it holds
    `ci95`, and is None where fewer than three are known.
    """

    median_bytes_per_s: float | None
    best_bytes_per_s: float | None
    ci95: Interval | None
    efficiency: float | None
    vendor_efficiency: float | None
    count: int
    latency: Latency | None = None
    share: float | None = None
    layouts: int = 0
    run_to_run: Interval | None = None
    earlier_runs: int = 0

    @property
    def is_impossible(self) -> bool:
        """Whether the median exceeds its theory, so that one of the two is wrong: it is shown as INVALID."""
        return self.efficiency is not None and self.efficiency > 1

    @property
    def reported(self) -> Interval | None:
        """The interval that a reader is given, of rates or of nanoseconds: from run to run where that is known."""
        return (self.run_to_run or self.ci95) if self.latency is None else self.latency.reported_ns

    @property
    def reported_is_of_runs(self) -> bool:
        """Whether `reported` is from run to run."""
        return (self.run_to_run if self.latency is None else self.latency.run_to_run_ns) is not None

    @property
    def reach(self) -> float | None:
        """The larger distance from the median to an end of `reported`, as a share of the median."""
        centre = self.median_bytes_per_s if self.latency is None else self.latency.median_ns
        return _half_width(centre, self.reported)

    @property
    def half_width(self) -> float | None:
        """The larger distance from the median to an end of the interval of this run, as a share of the median."""
        if self.latency is not None:
            return _half_width(self.latency.median_ns, self.latency.ci95_ns)
        return _half_width(self.median_bytes_per_s, self.ci95)


def rates_bytes_per_s(result: Result) -> tuple[float, ...]:
    """Return the rate of each sample: bytes per call x calls / seconds."""
    bytes_per_block = result.case.bytes_per_call * result.samples.calls_per_sample
    return tuple(bytes_per_block / seconds for seconds in result.samples.seconds)


@once_each
def summarise(result: Result) -> Summary:
    """Return the figures of a result; an unverified one has none."""
    if not result.is_verified or not result.samples.seconds:
        return Summary(None, None, None, None, None, len(result.samples.seconds))
    if result.case.is_latency:
        latency, runs = _latency(result), len(_earlier_s(result))
        return Summary(None, None, None, None, None, len(result.samples.seconds), latency, earlier_runs=runs)
    rates = sorted(rates_bytes_per_s(result))  # once: each of those below would sort them
    centre = median(rates)
    of_layouts = _interval_of_layouts(result)
    ci95 = median_interval(rates) if of_layouts is None else of_layouts
    earlier = [result.case.bytes_per_call / seconds for seconds in _earlier_s(result)]
    return Summary(
        median_bytes_per_s=centre,
        best_bytes_per_s=max(rates),
        ci95=ci95,
        efficiency=_share(centre, result.theory_bytes_per_s),
        vendor_efficiency=_share(centre, result.vendor_bytes_per_s),
        count=len(rates),
        share=_share(centre, None if result.binding is None else result.binding.bytes_per_s),
        layouts=0 if of_layouts is None else len(set(result.samples.layouts)),
        run_to_run=_run_to_run(centre, ci95, earlier),
        earlier_runs=len(earlier),
    )


def _earlier_s(result: Result) -> list[float]:
    """Return the earlier runs' times of a call that are of the state of the machine which this run is of.

    The other states (CPUs near each other or far apart, another memory clock) lie apart by more than clusters do, and
    a run says which it was in: they are no noise of it.
    """
    here = median(result.samples.seconds) / result.samples.calls_per_sample
    return [one for one in result.earlier_s_per_call if 1 / CLUSTERS_RATIO < one / here < CLUSTERS_RATIO]


def _run_to_run(centre: float, of_run: Interval | None, earlier: Sequence[float]) -> Interval | None:
    """Return the interval from run to run, which is no narrower than that of this run."""
    found = None if of_run is None else repeat_interval(centre, earlier)
    if found is None or of_run is None:
        return None
    return Interval(min(found.low, of_run.low), max(found.high, of_run.high))


# Fewer layouts than these, or fewer blocks on one, tell nothing of how layouts differ.
FEWEST_LAYOUTS = 3
FEWEST_ON_A_LAYOUT = 2


def _interval_of_layouts(result: Result) -> Interval | None:
    """Return the interval of the layouts' medians, None where they differ no more than blocks do.

    It holds that of the blocks: these are no surer than the layouts that they are of.
    """
    rates, numbers = rates_bytes_per_s(result), result.samples.layouts
    of_blocks = median_interval(rates) if len(numbers) == len(rates) else None
    if of_blocks is None:
        return None
    groups: dict[int, list[float]] = {}
    for number, rate in zip(numbers, rates, strict=True):
        groups.setdefault(number, []).append(rate)
    layouts = [group for group in groups.values() if len(group) >= FEWEST_ON_A_LAYOUT]
    if len(layouts) < FEWEST_LAYOUTS or not groups_differ(layouts):
        return None
    middles = [median(group) for group in layouts]
    found = median_interval(middles) or Interval(min(middles), max(middles))
    return Interval(min(found.low, of_blocks.low), max(found.high, of_blocks.high))


def derived(result: Result) -> dict[str, Any]:
    """Return what a file says of a result beside its fields: for who reads it, and never believed where it is loaded.

    A new figure in the file is a line here.
    """
    summary = summarise(result)
    return {
        "id": result.case.id,
        "verified": result.is_verified,
        "median_bytes_per_s": summary.median_bytes_per_s,
        "best_bytes_per_s": summary.best_bytes_per_s,
        "ci95_bytes_per_s": _ends(summary.ci95),
        "efficiency": summary.efficiency,
        "vendor_efficiency": summary.vendor_efficiency,
        "bound_by": None if result.binding is None else result.binding.kind,
        "share": summary.share,
        **_derived_times(summary.latency),
        **({} if summary.run_to_run is None else {"run_to_run_bytes_per_s": _ends(summary.run_to_run)}),
    }


def _derived_times(latency: Latency | None) -> dict[str, Any]:
    if latency is None:
        return {}
    return {
        "median_ns": latency.median_ns,
        "best_ns": latency.best_ns,
        "ci95_ns": _ends(latency.ci95_ns),
        "median_cycles": latency.median_cycles,
        **({} if latency.run_to_run_ns is None else {"run_to_run_ns": _ends(latency.run_to_run_ns)}),
    }


def _ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def _latency(result: Result) -> Latency:
    loads = result.case.bytes_per_call / ADDRESS_BYTES * result.samples.calls_per_sample
    times = sorted(seconds / loads * NS_PER_S for seconds in result.samples.seconds)
    clock = result.observed.get("clock_hz")
    centre = median(times)
    cycles = None if clock is None else centre * clock.median / NS_PER_S
    ci95, addresses = median_interval(times), result.case.bytes_per_call / ADDRESS_BYTES
    earlier = [seconds / addresses * NS_PER_S for seconds in _earlier_s(result)]
    return Latency(centre, min(times), ci95, cycles, _run_to_run(centre, ci95, earlier))


def _half_width(centre: float | None, interval: Interval | None) -> float | None:
    if interval is None or not centre:
        return None
    return max(interval.high - centre, centre - interval.low) / centre


def _share(rate: float, whole: float | None) -> float | None:
    return None if whole is None else rate / whole


# --- chains of loads ------------------------------------------------------------------------------------------------

# A curve of chains has no fewer points than these: the single chain, and two others.
FEWEST_CHAIN_POINTS = 3


@dataclass(frozen=True)
class ChainPoint:
    """So many chains of loads at once: their figures, and how many lines were under way."""

    result: Result
    latency: Latency
    lines: float


@dataclass(frozen=True)
class ChainCurve:
    """What one thread has under way over the number of chains of loads that it follows at once, the fewest first.

    By Little's law the lines under way are the latency of one load alone over the time that a load takes on average.
    """

    points: tuple[ChainPoint, ...]

    @property
    def case(self) -> Case:
        """The case with the most chains."""
        return self.points[-1].result.case

    @property
    def most_lines(self) -> float:
        """The most lines that were under way: what the core can wait for at a time."""
        return max(point.lines for point in self.points)


def chain_curves(results: Iterable[Result]) -> tuple[ChainCurve, ...]:
    """Return a curve for each case that was measured with a single chain and two other numbers of them."""
    groups: dict[str, list[tuple[Result, Latency]]] = {}
    for result in results:
        latency = summarise(result).latency
        if latency is not None and "chains" in result.case.variant:
            others = {name: value for name, value in result.case.variant.items() if name != "chains"}
            groups.setdefault(replace(result.case, variant=others).id, []).append((result, latency))
    curves = []
    for group in groups.values():
        group.sort(key=lambda pair: pair[0].case.chains)
        alone = group[0][1] if group[0][0].case.chains == 1 else None
        if alone is not None and len(group) >= FEWEST_CHAIN_POINTS:
            points = (ChainPoint(result, latency, alone.median_ns / latency.median_ns) for result, latency in group)
            curves.append(ChainCurve(tuple(points)))
    return tuple(curves)
