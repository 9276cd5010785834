"""Rates of the host over the size of the data: tables with bars, the plateau of each level, and curves."""

from __future__ import annotations

from collections.abc import Sequence

from bandwidth.analysis.curves import MEMORY, Plateau, SizeCurve, SizePoint, plateaus
from bandwidth.analysis.groups import grouped
from bandwidth.report.document import Column, Table
from bandwidth.report.figures.data import Curves, Figure, Mark, Series
from bandwidth.report.figures.parts import INTERVALS, caption, line_figures, rate_point, theory_marks
from bandwidth.report.labels import (
    UNKNOWN,
    case_words,
    known_rate,
    path_of,
    place,
    rate_cell,
    rate_interval,
    setting_words,
    stores_of,
    thread_words,
    variant_words,
)
from bandwidth.report.views.shown import Shown
from bandwidth.results import Case
from bandwidth.units import format_size
from bandwidth.vocabulary import HOST

# What a row of plateaus has a column for, or is made of.
_IN_COLUMNS = ("stores", "sweep_point")


def blocks(shown: Shown) -> list[Table | str]:
    """Return a table for each curve, the plateaus of all of them, and what the caches hold."""
    curves = _of_the_host(shown)
    if not curves:
        return []
    tables = [size_table(curve, shown.unit) for curve in curves]
    return [*tables, _plateau_table(curves, shown.unit), *_caches(curves)]


def figures(shown: Shown) -> list[Figure]:
    """Return the rate over the size, a figure for each number of threads: their caches differ."""
    return size_figures(_of_the_host(shown), shown)


def _of_the_host(shown: Shown) -> list[SizeCurve]:
    """Return the curves in the order of the tables."""
    curves = [curve for curve in shown.size_curves if not curve.case.is_latency and curve.case.target == HOST]
    return in_order(curves)


# --- for every curve over sizes -------------------------------------------------------------------------------------


def in_order(curves: Sequence[SizeCurve]) -> list[SizeCurve]:
    """Return curves with the most threads first, then by path, engine and stores."""
    return sorted(curves, key=lambda curve: (-curve.case.threads, place(curve.case)))


def size_figures(curves: Sequence[SizeCurve], shown: Shown) -> list[Figure]:
    """Return the rates of some curves over the size of all data, a figure for each target and number of threads."""
    groups = grouped(in_order(curves), lambda curve: (curve.case.target, curve.case.threads))
    what = "Median rate by the size of all data together."
    return [
        figure
        for group in groups
        for figure in curve_figures(group, shown, _title(group[0].case), what, "data", cache_marks(group[0]))
    ]


def curve_figures(
    curves: Sequence[SizeCurve], shown: Shown, title: str, what: str, x_label: str, across: tuple[Mark, ...] = ()
) -> list[Figure]:
    """Return curves of rates in one figure, in several where they are more than one tells apart."""
    series = [one for curve in curves if (one := _series(curve, shown.unit)).points]
    results = [point.result for curve in curves for point in curve.points]
    axes = Curves(x_label, shown.unit, (), across, theory_marks(results, shown.unit), x_sizes=True)
    return line_figures(series, axes, title, caption(shown.record, results, what, INTERVALS), format_size)


def cache_marks(curve: SizeCurve) -> tuple[Mark, ...]:
    """Return a mark for what each cache holds, and for the least data that counts as in memory."""
    sizes = [point.result.case.working_set_bytes for point in curve.points]
    marks = [
        Mark(plateau.size_bytes, f"{plateau.level}\n{format_size(plateau.size_bytes)}")
        for plateau in plateaus(curve)
        if plateau.size_bytes is not None
    ]
    rule = curve.case.dram_rule_bytes
    if rule is not None:
        marks.append(Mark(rule, f"memory\n{format_size(rule)}"))
    return tuple(mark for mark in marks if min(sizes) <= mark.value <= max(sizes))


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


def plateau_line(curve: SizeCurve, unit: str) -> str:
    """Return what each level of a curve gives as one line: `L2 (60 MiB): 9000 GB/s; memory: 4500 GB/s`."""
    texts = []
    for plateau in plateaus(curve):
        held = "" if plateau.size_bytes is None else f" ({format_size(plateau.size_bytes)})"
        texts.append(f"{plateau.level}{held}: {_plateau_cell(plateau, unit)}")
    return f"Plateaus, {unit}: {'; '.join(texts)}."


def level_words(point: SizePoint) -> str:
    """Return the level that holds a point's data: a cache, `memory`, or `past L3` where the last cache has a part."""
    if point.level is not None:
        return point.level
    caches = point.result.case.caches
    return f"past {max(caches)}" if caches else UNKNOWN


def _series(curve: SizeCurve, unit: str) -> Series:
    points = [point for one in curve.points if (point := rate_point(one.size_bytes, one.summary, unit)) is not None]
    return Series(case_words(curve.case, "sweep_point", threads=False), tuple(points))


def _title(case: Case) -> str:
    return f"Rate by size, {setting_words([case])}"


# --- of the host ----------------------------------------------------------------------------------------------------


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
    lines = dict.fromkeys(line for line in map(_caches_line, curves) if line)
    return ["\n".join(lines)] if lines else []


def _caches_line(curve: SizeCurve) -> str:
    """Return what the caches of a curve's CPUs hold, empty where that is not known."""
    held = [
        f"{plateau.level} {format_size(plateau.size_bytes)}"
        for plateau in plateaus(curve)
        if plateau.size_bytes is not None
    ]
    cores = variant_words({key: value for key, value in curve.case.variant.items() if key == "cores"})
    whose = ", ".join([thread_words([curve.case.threads]), *cores])
    return f"Caches, {whose}: {', '.join(held)} in all." if held else ""
