"""The answer: rows over sizes and passes, where host and device are equal, and under which assumptions.

What it takes can be measured now, and the same expression timed on host and device: the engines are then imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bandwidth.errors import BandwidthError, InterruptError, UsageError
from bandwidth.offload.figures import Asked, Figures, Source
from bandwidth.offload.model import Model, Workload
from bandwidth.offload.records import READING_KERNELS, result_words
from bandwidth.vocabulary import DEVICE, GIGA, HOST, PCIE, PINNED

if TYPE_CHECKING:
    from bandwidth.engines.interface import OffloadMaker
    from bandwidth.planning.options import MeasureOptions

# Points of a line over sizes: enough for a curve that looks like one.
POINTS = 25
# Lines begin and end this factor beyond the sizes and crossings; a single one that crosses, so far around that.
_MARGIN, _AROUND = 4, 64
# What is measured now has so long for each target.
BUDGET_S = 5.0
THIS_MACHINE = "this machine, now"


@dataclass(frozen=True)
class Timed:
    """What one size and number of passes took, in seconds: the median of several runs."""

    host_s: float
    device_s: float


@dataclass(frozen=True)
class Estimate:
    """One size and number of passes by the model; `timed` is the real thing where it was run."""

    size_bytes: int
    passes: int
    host_s: float
    device_s: float
    fits: bool = True
    timed: Timed | None = None

    @property
    def speedup(self) -> float:
        """How many times as fast the device is."""
        return self.host_s / self.device_s

    @property
    def host_error(self) -> float | None:
        """How far the model's time is from the measured one, as a share of that; None where it was not run."""
        return None if self.timed is None else self.host_s / self.timed.host_s - 1

    @property
    def device_error(self) -> float | None:
        """As `host_error`, of the device."""
        return None if self.timed is None else self.device_s / self.timed.device_s - 1


@dataclass(frozen=True)
class BySize:
    """For one size: the fewest passes that pay, and what the speed-up tends to with ever more."""

    size_bytes: int
    break_even_passes: int | None
    long_speedup: float


@dataclass(frozen=True)
class ByPasses:
    """For one number of passes: the size from which on it pays, and what the speed-up tends to for ever larger data.

    `small_only` tells that the device is faster for one byte although it is not for large data.
    """

    passes: int
    break_even_bytes: int | None
    large_speedup: float
    small_only: bool = False


@dataclass(frozen=True)
class OffloadAnswer:
    """All that is to be said. The first of `by_size` and `by_passes` is the one that was asked for first.

    There are none, and no rows, where the figures do not tell host and device apart.
    """

    figures: Figures
    model: Model
    rows: tuple[Estimate, ...]
    by_size: tuple[BySize, ...]
    by_passes: tuple[ByPasses, ...]
    assumptions: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    @property
    def worst_error(self) -> float | None:
        """The largest distance of the model from what was measured, None where nothing was."""
        errors = [abs(e) for row in self.rows for e in (row.host_error, row.device_error) if e is not None]
        return max(errors, default=None)


@dataclass(frozen=True)
class Line:
    """The model's times over sizes for one number of passes: (bytes, host's seconds, device's seconds)."""

    passes: int
    points: tuple[tuple[int, float, float], ...]
    break_even_bytes: int | None


def answer(
    figures: Figures,
    work: Workload,
    sizes: Sequence[int],
    passes: Sequence[int],
    *,
    host_memory: str = PINNED,
    timed: Callable[[int, int], Timed] | None = None,
) -> OffloadAnswer:
    """Return the answer for some sizes in bytes and numbers of passes; `timed` runs one of each in earnest.

    Raises BandwidthError for a size or a number of passes below one, UsageError for several devices in one memory.
    """
    if figures.shared and work.devices > 1:
        raise UsageError(f"--devices {work.devices}: {figures.shared} share one memory", "omit --devices")
    model = figures.model(work)
    if not figures.tell_apart:
        return OffloadAnswer(figures, model, (), (), (), _assumptions(figures, model, host_memory), figures.notes)

    def row(size: int, count: int) -> Estimate:
        fits = figures.capacity_bytes is None or size <= figures.capacity_bytes * work.devices
        run = None if timed is None else timed(size, count)
        return Estimate(size, count, model.host_s(size, count), model.device_s(size, count), fits, run)

    rows = tuple(row(size, count) for size in sizes for count in passes)
    by_passes = tuple(_by_passes(model, count) for count in passes)
    return OffloadAnswer(
        figures,
        model,
        rows,
        tuple(BySize(size, model.break_even_passes(size), model.long_speedup(size)) for size in sizes),
        by_passes,
        _assumptions(figures, model, host_memory),
        tuple(_remarks(figures, model, rows, by_passes)),
    )


def line(model: Model, passes: int, low_bytes: int, high_bytes: int, points: int = POINTS) -> Line:
    """Return the model's lines from one size to another, in steps of one ratio."""
    step = (high_bytes / low_bytes) ** (1 / (points - 1))
    sizes = sorted({round(low_bytes * step**index) for index in range(points)})
    return Line(
        passes,
        tuple((size, model.host_s(size, passes), model.device_s(size, passes)) for size in sizes),
        model.break_even_bytes(passes),
    )


def lines(found: OffloadAnswer) -> list[Line]:
    """Return a line for each number of passes over the same sizes, which hold all crossings; those first that cross."""
    low, high = _ends(found)
    ordered = sorted(found.by_passes, key=lambda one: one.break_even_bytes is None)
    return [line(found.model, one.passes, low, high) for one in ordered]


def telling_line(found: OffloadAnswer, points: int) -> Line:
    """Return the line that shows most: the one of the most passes that crosses, around its crossing; else the first."""
    crossing = [one for one in found.by_passes if one.break_even_bytes is not None]
    if not crossing:
        return line(found.model, found.by_passes[0].passes, *_ends(found), points)
    shown = max(crossing, key=lambda one: one.passes)
    centre = shown.break_even_bytes or 1
    return line(found.model, shown.passes, max(centre // _AROUND, 1), centre * _AROUND, points)


def _ends(found: OffloadAnswer) -> tuple[int, int]:
    sizes = [one.size_bytes for one in found.by_size]
    sizes += [one.break_even_bytes for one in found.by_passes if one.break_even_bytes is not None]
    return max(min(sizes) // _MARGIN, 1), max(sizes) * _MARGIN


def _by_passes(model: Model, passes: int) -> ByPasses:
    break_even = model.break_even_bytes(passes)
    small_only = break_even is None and model.is_faster(1, passes)
    return ByPasses(passes, break_even, model.large_speedup(passes), small_only)


def _assumptions(figures: Figures, model: Model, host_memory: str) -> tuple[str, ...]:
    work = model.work
    return (
        "The work is memory bound: arithmetic is never the limit, on host or device.",
        "Each pass reads all of the data once; the first touch of memory (page faults, allocation) is not counted.",
        *([_SHARED] if figures.shared else [_moved(work, host_memory), _overlapped(work)]),
        *([_divided(work)] if work.devices > 1 else []),
        _cached(figures, model),
    )


def _remarks(figures: Figures, model: Model, rows: Sequence[Estimate], by_passes: Sequence[ByPasses]) -> Iterator[str]:
    """Yield what the model leaves out and these figures touch."""
    work = model.work
    yield from figures.notes
    if not all(row.fits for row in rows) and figures.capacity_bytes is not None:
        held = f"{figures.capacity_bytes * work.devices / GIGA:,.4g} GB"
        where = f"{held} of shared memory" if figures.shared else f"device's {held} of memory"
        again = "" if figures.shared else ": in pieces, the data would cross the link again in every pass"
        yield f"Rows marked * do not fit in the {where}{again}."
    if not model.work.resident and model.is_memory_narrower:
        yield "The link is faster than the host's memory, which limits the transfer: data moves at the memory's rate."
    for one in by_passes:
        if one.small_only:
            yield f"Passes: {one.passes:,}: the device is faster for small data only: its calls are shorter."


_SHARED = "Nothing is transferred: host and GPU access the same data and the same result."


def _moved(work: Workload, host_memory: str) -> str:
    into = (
        "The data is already on the device"
        if work.resident
        else f"The input crosses the link once, from {host_memory} memory"
    )
    if not work.has_result:
        return f"{into}; the result is negligible."
    share = f"{work.result_share:.4g} times the data" if work.result_share else f"{work.result_bytes:,} bytes"
    return f"{into}; the result, {share}, is copied back once."


def _overlapped(work: Workload) -> str:
    if work.overlap:
        return (
            "The first pass starts on data that has arrived, and the result is copied back during the last pass; the"
            " link works in both directions at once."
        )
    return "No overlap: transfers and passes run one after the other."


def _divided(work: Workload) -> str:
    link = "share one link" if work.shared_link else "each have a link, and the host's memory can feed all of them"
    return (
        f"The data is divided evenly among {work.devices} devices that {link}; combining their results is not counted."
    )


def _cached(figures: Figures, model: Model) -> str:
    if model.caches:
        names = ", ".join(cache.name for cache in model.caches)
        return f"Data that fits in the host's cache is read at the rate of the sweep ({names})."
    if figures.cache_bytes is not None:
        return (
            f"Data of up to {figures.cache_bytes:,} bytes fits in the host's cache and is read faster than shown:"
            " the record has no sweep over size."
        )
    return "Data that fits in the host's cache is read faster than shown: no record has a sweep over size."


# --- measured and timed now -----------------------------------------------------------------------------------------


def measured_now(target: str, asked: Asked, command: Sequence[str], budget_s: float = BUDGET_S) -> Source:
    """Measure what the model needs of a target, `host`, `device` or `pcie`.

    Raises HardwareError without what is to be measured, BandwidthError where nothing could be.
    """
    from bandwidth.measuring.measure import measure_prepared, prepare

    record, interrupted = measure_prepared(prepare(_options(target, asked, budget_s)), command)
    if interrupted:
        raise InterruptError("interrupted", "nothing was computed")
    failed = [result_words(result) for result in record.results if not result.is_verified]
    if failed:
        raise BandwidthError(f"verification failed: {'; '.join(failed)}", "see `bandwidth explain BW006`")
    if not record.results:
        reason = record.not_run[0].reason if record.not_run else "use a larger --budget"
        raise BandwidthError(f"{target} could not be measured", reason)
    return Source(THIS_MACHINE, record, "measured")


def _options(target: str, asked: Asked, budget_s: float) -> MeasureOptions:
    from bandwidth.planning.options import MeasureOptions

    if target == PCIE:
        return MeasureOptions(
            target=target, kernels=("h2d", "d2h"), host_memory=(asked.host_memory,), budget_s=budget_s
        )
    kernels = (asked.kernel or READING_KERNELS[0],)
    if target != HOST:
        return MeasureOptions(target=target, kernels=kernels, budget_s=budget_s)
    return MeasureOptions(
        target=target,
        kernels=kernels,
        engines=None if asked.engine is None else (asked.engine,),
        threads=("all",) if asked.threads is None else (str(asked.threads),),
        budget_s=budget_s,
    )


def check_gpu() -> None:
    """Raise HardwareError with what to do where no GPU can be used by an engine that times the expression."""
    _maker().check()


def _maker() -> OffloadMaker:
    """Return the first engine's that times a whole offload and can be used, else that of the first."""
    from bandwidth.engines.registry import engines_of

    found = [entry for entry in engines_of(DEVICE).values() if entry.offload is not None]
    best = next((entry for entry in found if not entry.lacks()), found[0])
    if best.offload is None:
        raise AssertionError(f"{best.name} cannot time a whole offload")
    return best.offload()


@contextmanager
def end_to_end(
    most_bytes: int, *, host_memory: str = PINNED, resident: bool = False
) -> Iterator[Callable[[int, int], Timed]]:
    """Yield what times the expression for a size and a number of passes; until then it holds the machine's lock.

    Raises HardwareError without a GPU, BandwidthError without enough memory or where another measurement runs.
    """
    from bandwidth.measuring.lock import machine_lock

    with machine_lock():
        runner = _maker().make(most_bytes, host_memory == PINNED, resident)
        try:
            yield lambda size, passes: Timed(runner.host_s(size, passes), runner.device_s(size, passes))
        finally:
            runner.close()


def expression() -> str:
    """Return the expression that is timed, as code."""
    return _maker().expression


def with_way_back(work: Workload) -> Workload:
    """Return the work with the result of the expression: one number, whose way back costs a transfer's latency."""
    return replace(work, result_bytes=_maker().result_bytes)
