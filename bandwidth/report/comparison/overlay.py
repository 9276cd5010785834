"""Figures that overlay machines: bars by role; rates and latencies over size, and rates over threads, a line a machine.

A machine has one colour in all of them. A curve is drawn of what most machines have: one path, engine and thread count
class (one core, or as many threads as each was measured with).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bandwidth.analysis.curves import size_curves, thread_curves
from bandwidth.analysis.roles import ONE_CORE, Way, way_of
from bandwidth.comparison.roles import RoleRow
from bandwidth.comparison.sides import Cell, SideBySide
from bandwidth.report.comparison.summary import ratio_text, share_text, way_words
from bandwidth.report.figures.data import (
    OPENING_INCHES,
    Bar,
    Bars,
    Curves,
    Figure,
    Point,
    Series,
    file_name,
    first_bars,
    latency_point,
    line_figures,
    rate_point,
)
from bandwidth.report.labels import counted_bytes, threads_in_words
from bandwidth.results import Case, Record, Result, Summary
from bandwidth.units import format_rate, format_size, rate_unit_factor
from bandwidth.vocabulary import DEVICE, HOST

# A line alone overlays nothing.
FEWEST_LINES = 2
# Of a thousand machines the first are drawn: six of them to a figure.
MOST_LINES = 12
_PLACES = {HOST: "host memory", DEVICE: "GPU memory"}
_OVER_SIZE, _OVER_THREADS = "size", "threads"


def overlay_figures(sides: SideBySide, rows: Sequence[RoleRow], unit: str) -> list[Figure]:
    """Return the figures: bars by role first, then what was swept on two machines or more."""
    return [*role_bars(sides, rows, unit), *_curve_figures(sides, unit)]


# --- bars by role ---------------------------------------------------------------------------------------------------


def role_bars(sides: SideBySide, rows: Sequence[RoleRow], unit: str) -> list[Figure]:
    """Return the bars, a panel a role with a scale of its own: GPU memory and a link are two orders apart."""
    if not rows:
        return []
    panels = [(row, tuple(_bars_of(sides, row, unit))) for row in rows]
    flat = [(row.role, bar) for row, bars in panels for bar in bars]
    shown, left_out = first_bars(flat, lambda one: one[0])
    names = tuple(column.name for column in sides.columns)
    kept = [
        (f"{row.role}: {way_words(row)}", tuple(bar for role, bar in shown if role == row.role)) for row, _ in panels
    ]
    panels_shown = tuple(panel for panel in kept if panel[1])
    picture = Bars(unit, panels_shown, names, own_scales=True, width_inches=OPENING_INCHES)
    reference = sides.columns[sides.reference].name
    text = f"Median rates. %: of the theoretical peak (the tick, except for one core); x: the ratio to {reference}."
    told = "; ".join(f"{row.role}: {', '.join(_told(sides, row, unit))}" for row in rows)
    return [Figure("by-role", "By role", picture, " ".join(filter(None, [text, left_out])), f"{told}.")]


def _bars_of(sides: SideBySide, row: RoleRow, unit: str) -> Iterator[Bar]:
    factor = rate_unit_factor(unit)
    for index, (column, cell) in enumerate(zip(sides.columns, row.cells, strict=True)):
        if cell is None or cell.figure is None:
            continue
        is_peak = cell.samples is None
        theory = cell.figure if is_peak else None if row.role == ONE_CORE else cell.theory_bytes_per_s
        yield Bar(
            label=column.name,
            text=_bar_text(cell, unit, is_reference=index == sides.reference),
            value=None if is_peak else cell.figure / factor,
            low=None if is_peak or cell.interval is None else cell.interval.low / factor,
            high=None if is_peak or cell.interval is None else cell.interval.high / factor,
            theory=None if theory is None else theory / factor,
            group=index,
            hatched=False,
        )


def _bar_text(cell: Cell, unit: str, *, is_reference: bool) -> str:
    shares = [] if cell.samples is None or cell.efficiency is None else [share_text(cell)]
    ratios = [] if is_reference or cell.ratio is None else [f"{ratio_text(cell.ratio)} x"]
    return ", ".join([format_rate(cell.figure or 0.0, unit), *shares, *ratios])


def _told(sides: SideBySide, row: RoleRow, unit: str) -> Iterator[str]:
    for column, cell in zip(sides.columns, row.cells, strict=True):
        if cell is not None and cell.figure is not None:
            yield f"{column.name} {format_rate(cell.figure, unit)} {unit}"


# --- curves ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Family:
    """What lines must have in common to stand in one figure, apart from the way: what is over what, and of what."""

    over: str
    kind: str
    is_latency: bool
    is_one_core: bool


@dataclass(frozen=True)
class _Line:
    """One machine's curve, and the results it is made of."""

    column: int
    name: str
    family: _Family
    case: Case
    points: tuple[Point, ...]
    results: tuple[Result, ...]


def _curve_figures(sides: SideBySide, unit: str) -> list[Figure]:
    lines = [line for index in range(len(sides.columns)) for line in _lines_of(sides, index, unit) if line.points]
    families = sorted(dict.fromkeys(line.family for line in lines), key=_family_place)
    figures: list[Figure] = []
    for family in families:
        alike = _most_common([line for line in lines if line.family == family])
        if len(alike) >= FEWEST_LINES:
            left_out = f"Drawn: the first {MOST_LINES} of {len(alike):,}." if len(alike) > MOST_LINES else ""
            figures += _figures_of(family, alike[:MOST_LINES], unit, left_out)
    return figures


def _family_place(family: _Family) -> tuple[bool, bool, bool, bool]:
    return (family.over == _OVER_THREADS, family.is_latency, family.kind != HOST, family.is_one_core)


def _lines_of(sides: SideBySide, index: int, unit: str) -> Iterator[_Line]:
    column = sides.columns[index]
    if column.record is None:
        return
    for curve in size_curves(column.record):
        case = curve.case
        family = _Family(_OVER_SIZE, case.kind, case.is_latency, case.kind == HOST and case.threads == 1)
        points = [_size_point(point.size_bytes, case, point.summary, unit) for point in curve.points]
        results = tuple(point.result for point in curve.points)
        yield _Line(index, column.name, family, case, tuple(filter(None, points)), results)
    yield from _thread_lines(column.record, index, column.name, unit)


def _thread_lines(record: Record, index: int, name: str, unit: str) -> Iterator[_Line]:
    for curve in thread_curves(record):
        found = [rate_point(point.result.case.threads, point.summary, unit) for point in curve.points]
        family = _Family(_OVER_THREADS, curve.case.kind, is_latency=False, is_one_core=False)
        results = tuple(point.result for point in curve.points)
        yield _Line(index, name, family, curve.case, tuple(filter(None, found)), results)


def _size_point(size: int, case: Case, summary: Summary, unit: str) -> Point | None:
    return latency_point(size, summary) if case.is_latency else rate_point(size, summary, unit)


def _most_common(lines: Sequence[_Line]) -> list[_Line]:
    """Return the lines of the way that most machines have, of each machine the one with the most threads."""
    by_way: dict[Way, dict[int, _Line]] = {}
    for line in lines:
        of_way = by_way.setdefault(way_of(line.case), {})
        known = of_way.get(line.column)
        if known is None or line.case.threads > known.case.threads:
            of_way[line.column] = line
    way = min(by_way, key=lambda one: (-len(by_way[one]), one.place))
    return list(by_way[way].values())


def _figures_of(family: _Family, lines: Sequence[_Line], unit: str, left_out: str) -> list[Figure]:
    y_label = "ns per load" if family.is_latency else unit
    is_size = family.over == _OVER_SIZE
    axes = Curves(
        "working set" if is_size else "threads",
        y_label,
        (),
        x_sizes=is_size,
        x_log=not is_size,
        y_log=True,
        at_lines=True,
    )
    title = _title(family, lines[0].case)
    counts = {line.case.threads for line in lines if line.case.kind == HOST}
    threads = [f"{threads_in_words(sorted(counts))}" if is_size else ""] if counts else []
    counted = counted_bytes(result for line in lines for result in line.results)
    sentences = [
        f"One line per machine: {', '.join(filter(None, [_way(lines[0].case), *threads]))}. Both axes are logarithmic.",
        f"Bytes counted per element: {counted}." if counted else "",
        left_out,
    ]
    series = [Series(line.name, line.points, colour=line.column) for line in lines]
    at = _size_words if is_size else _thread_words
    return line_figures(series, axes, title, " ".join(filter(None, sentences)), at, file_name(f"overlay {title}"))


def _title(family: _Family, case: Case) -> str:
    what = "Latency" if family.is_latency else f"{case.path[:1].upper()}{case.path[1:]} bandwidth"
    where = _PLACES.get(family.kind, "the link")
    cores = f", {'one core' if family.is_one_core else 'all cores'}" if family.kind == HOST else ""
    return f"{what} of {where} over {family.over}{cores if family.over == _OVER_SIZE else ''}"


def _way(case: Case) -> str:
    variant: Iterable[str] = (str(case.variant[key]) for key in ("stores", "host_memory") if key in case.variant)
    return ", ".join([case.path, case.engine, *variant])


def _size_words(size: float) -> str:
    return format_size(round(size))


def _thread_words(threads: float) -> str:
    return f"{threads:.0f} threads"
