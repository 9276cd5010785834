"""Sweeps as tables with bars: rates by size with the plateau of each level, and rates by threads with the knee."""

from __future__ import annotations

from collections.abc import Sequence

from bandwidth.analysis.curves import (
    KNEE_SHARE,
    MEMORY,
    SizeCurve,
    SizePoint,
    ThreadCurve,
    ThreadPoint,
    knee,
    size_curves,
    thread_curves,
)
from bandwidth.analysis.plateaus import Plateau, plateaus
from bandwidth.report.document import Column, Table
from bandwidth.report.labels import (
    HOST,
    UNKNOWN,
    case_words,
    known_rate,
    path_of,
    place,
    rate_cell,
    rate_interval,
    stores_of,
    thread_words,
    variant_words,
)
from bandwidth.results import Case, Record
from bandwidth.units import format_percent, format_size

# What a row of plateaus has a column for, or is made of.
_IN_COLUMNS = ("stores", "sweep_point")


def size_blocks(record: Record, unit: str) -> list[Table | str]:
    """Return a table for each curve of rates by size, and the plateaus of all of them."""
    curves = [curve for curve in size_curves(record) if not curve.case.is_latency and curve.case.target == HOST]
    curves.sort(key=lambda curve: _curve_place(curve.case))
    if not curves:
        return []
    return [*(size_table(curve, unit) for curve in curves), _plateau_table(curves, unit), *_caches(curves)]


def thread_blocks(record: Record, unit: str) -> list[Table | str]:
    """Return for each curve of rates by threads its table, and a line that names the knee."""
    curves = sorted(thread_curves(record), key=lambda curve: place(curve.case))
    return [block for curve in curves for block in (_thread_table(curve, unit), _knee_line(curve))]


def level_words(point: SizePoint) -> str:
    """Return the level that holds a point's data: a cache, `memory`, or `past L3` where the last cache has a part."""
    if point.level is not None:
        return point.level
    caches = point.result.case.caches
    return f"past {max(caches)}" if caches else UNKNOWN


def caches_line(curve: SizeCurve) -> str:
    """Return what the caches of a curve's CPUs hold, empty where that is not known."""
    held = [
        f"{plateau.level} {format_size(plateau.size_bytes)}"
        for plateau in plateaus(curve)
        if plateau.size_bytes is not None
    ]
    cores = variant_words({key: value for key, value in curve.case.variant.items() if key == "cores"})
    whose = ", ".join([thread_words([curve.case.threads]), *cores])
    return f"Caches, {whose}: {', '.join(held)} in all." if held else ""


def plateau_line(curve: SizeCurve, unit: str) -> str:
    """Return what each level of a curve gives as one line: `L2 (60 MiB): 9000 GB/s; memory: 4500 GB/s`."""
    texts = []
    for plateau in plateaus(curve):
        held = "" if plateau.size_bytes is None else f" ({format_size(plateau.size_bytes)})"
        texts.append(f"{plateau.level}{held}: {_plateau_cell(plateau, unit)}")
    return f"Plateaus, {unit}: {'; '.join(texts)}."


# --- by size --------------------------------------------------------------------------------------------------------


def size_table(curve: SizeCurve, unit: str) -> Table:
    """Return the rates of a curve by size."""
    columns = (Column("size", "right"), Column("level"), Column(unit, "right"), Column("95 % interval", "right"))
    rows = tuple(
        (
            format_size(point.size_bytes),
            level_words(point),
            rate_cell(point.summary, unit),
            rate_interval(point.summary.ci95, unit),
        )
        for point in curve.points
    )
    bars = tuple(point.summary.median_bytes_per_s for point in curve.points)
    return Table(columns, rows, f"By size: {case_words(curve.case, 'sweep_point')}", bars)


def _plateau_table(curves: Sequence[SizeCurve], unit: str) -> Table:
    found = [{plateau.level: plateau for plateau in plateaus(curve)} for curve in curves]
    levels = sorted({level for row in found for level in row} - {MEMORY})
    columns = [Column("path"), Column("engine"), Column("stores"), Column("threads", "right")]
    columns += [Column(level, "right") for level in (*levels, MEMORY)]
    rows = [
        (*_start(curve.case), *(_plateau_cell(row.get(level), unit) for level in (*levels, MEMORY)))
        for curve, row in zip(curves, found, strict=True)
    ]
    return Table(tuple(columns), tuple(rows), f"Plateaus, {unit}")


def _start(case: Case) -> tuple[str, ...]:
    path = ", ".join([path_of(case), *variant_words(case.variant, *_IN_COLUMNS)])
    return (path, case.engine, stores_of(case), str(case.threads))


def _plateau_cell(plateau: Plateau | None, unit: str) -> str:
    return known_rate(None if plateau is None else plateau.bytes_per_s, unit)


def _caches(curves: Sequence[SizeCurve]) -> list[str]:
    """Return what the caches hold, a line for each number of threads, as one block."""
    lines = dict.fromkeys(line for line in map(caches_line, curves) if line)
    return ["\n".join(lines)] if lines else []


def _curve_place(case: Case) -> tuple[int, tuple[int, int, int]]:
    return (-case.threads, place(case))


# --- by threads -----------------------------------------------------------------------------------------------------


def _thread_table(curve: ThreadCurve, unit: str) -> Table:
    headers = ("threads", unit, "of best", "per thread")
    count = _knee_before_the_end(curve)
    marks = () if count is None else (Column(""),)
    rows = tuple(
        (*_thread_cells(point, unit), *("knee" if point.result.case.threads == count else "" for _ in marks))
        for point in curve.points
    )
    bars = tuple(point.summary.median_bytes_per_s for point in curve.points)
    columns = (*(Column(header, "right") for header in headers), *marks)
    return Table(columns, rows, f"By threads: {case_words(curve.case, threads=False)}", bars)


def _thread_cells(point: ThreadPoint, unit: str) -> tuple[str, ...]:
    share = UNKNOWN if point.share_of_best is None else format_percent(point.share_of_best)
    per_thread = known_rate(point.bytes_per_s_per_thread, unit)
    return (str(point.result.case.threads), rate_cell(point.summary, unit), share, per_thread)


def _knee_line(curve: ThreadCurve) -> str:
    count = _knee_before_the_end(curve)
    if count is None:
        return f"No knee: the rate still rises at {thread_words([curve.case.threads])}, the most that ran."
    share = next(point.share_of_best for point in curve.points if point.result.case.threads == count)
    limit, reached = format_percent(KNEE_SHARE), format_percent(share or 0.0)
    return f"Knee: {thread_words([count])}, the fewest that reach {limit} of the best rate: {reached}."


def _knee_before_the_end(curve: ThreadCurve) -> int | None:
    """Return the knee, None where only the most threads reach it: more might be faster still."""
    count = knee(curve)
    return None if count == curve.case.threads else count
