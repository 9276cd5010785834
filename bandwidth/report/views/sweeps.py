"""Rates over the size of the data and over the number of threads: tables with bars, plateaus and knees, and curves."""

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
    knee_gap,
)
from bandwidth.analysis.groups import grouped
from bandwidth.analysis.plateaus import Plateau, plateaus
from bandwidth.report.document import Column, Table
from bandwidth.report.figures.data import (
    Curves,
    Figure,
    Mark,
    Series,
    caption,
    line_figures,
    rate_point,
    theory_marks,
    whiskers,
)
from bandwidth.report.labels import (
    UNKNOWN,
    case_words,
    ceiling_cells,
    known_rate,
    path_of,
    place,
    rate_cell,
    rate_interval,
    setting_words,
    stores_in_words,
    threads_in_words,
    variant_words,
)
from bandwidth.report.views.shown import Shown
from bandwidth.results import Case
from bandwidth.units import format_percent, format_size
from bandwidth.vocabulary import HOST

# What a row of plateaus has a column for, or is made of.
_IN_COLUMNS = ("stores", "sweep_point")
_CEILING_COLUMNS = (Column("ceiling", "right"), Column("of"), Column("share", "right"))


def host_size_blocks(shown: Shown) -> list[Table | str]:
    """Return a table for each curve, the plateaus of all of them, and what the caches hold."""
    curves = _of_the_host(shown)
    if not curves:
        return []
    tables = [size_table(curve, shown.unit) for curve in curves]
    return [*tables, _plateau_table(curves, shown.unit), *_caches(curves)]


def host_size_figures(shown: Shown) -> list[Figure]:
    """Return the rate over the size, a figure for each number of threads: their caches differ."""
    return size_figures(_of_the_host(shown), shown)


def _of_the_host(shown: Shown) -> list[SizeCurve]:
    """Return the curves in the order of the tables."""
    curves = [curve for curve in shown.size_curves if not curve.case.is_latency and curve.case.target == HOST]
    return curves_in_order(curves)


# --- for every curve over sizes -------------------------------------------------------------------------------------


def curves_in_order(curves: Sequence[SizeCurve]) -> list[SizeCurve]:
    """Return curves with the most threads first, then by path, engine and stores."""
    return sorted(curves, key=lambda curve: (-curve.case.threads, place(curve.case)))


def size_figures(curves: Sequence[SizeCurve], shown: Shown) -> list[Figure]:
    """Return the rates of some curves over the size of all data, a figure for each target and number of threads."""
    groups = grouped(curves_in_order(curves), lambda curve: (curve.case.target, curve.case.threads))
    what = "Median rate by working set (all arrays together)."
    return [
        figure
        for group in groups
        for figure in curve_figures(group, shown, _size_title(group[0].case), what, "data", cache_marks(group[0]))
    ]


def curve_figures(
    curves: Sequence[SizeCurve], shown: Shown, title: str, what: str, x_label: str, across: tuple[Mark, ...] = ()
) -> list[Figure]:
    """Return curves of rates in one figure, in several where they are more than one tells apart."""
    series = [one for curve in curves if (one := _size_series(curve, shown.unit)).points]
    results = [point.result for curve in curves for point in curve.points]
    axes = Curves(x_label, shown.unit, (), across, theory_marks(results, shown.unit), x_sizes=True)
    return line_figures(series, axes, title, caption(shown.record, results, what, whiskers(results)), format_size)


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
    """Return the rates of a curve by size, each beside its lowest ceiling where any is known."""
    columns = [Column("size", "right"), Column("level"), Column(unit, "right"), Column("95 % interval", "right")]
    with_ceilings = any(point.result.binding is not None for point in curve.points)
    rows = tuple(
        (
            format_size(point.size_bytes),
            level_words(point),
            rate_cell(point.summary, unit),
            rate_interval(point.summary.reported, unit),
            *(ceiling_cells(point.result, unit) if with_ceilings else ()),
        )
        for point in curve.points
    )
    columns += _CEILING_COLUMNS if with_ceilings else ()
    bars = tuple(point.summary.median_bytes_per_s for point in curve.points)
    return Table(tuple(columns), rows, f"By size: {case_words(curve.case, 'sweep_point')}", bars)


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


def _size_series(curve: SizeCurve, unit: str) -> Series:
    points = [point for one in curve.points if (point := rate_point(one.size_bytes, one.summary, unit)) is not None]
    return Series(case_words(curve.case, "sweep_point", threads=False), tuple(points))


def _size_title(case: Case) -> str:
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
    return (path, case.engine, stores_in_words(case), str(case.threads))


def _plateau_cell(plateau: Plateau | None, unit: str) -> str:
    """Return the rate of a plateau; where a cache has one size alone, that this is none."""
    if plateau is not None and plateau.points and not plateau.is_known:
        return "one size"
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
    whose = ", ".join([threads_in_words([curve.case.threads]), *cores])
    return f"Caches, {whose}: {', '.join(held)} in total." if held else ""


# --- over the number of threads -------------------------------------------------------------------------------------


def thread_blocks(shown: Shown) -> list[Table | str]:
    """Return for each curve its table, and a line that names the knee."""
    return [block for curve in _thread_curves(shown) for block in (_thread_table(curve, shown.unit), _knee_line(curve))]


def knees(shown: Shown) -> list[str]:
    """Return a line for each curve: from how many threads on more gain nothing, which is what a sweep is for."""
    return [_answer(curve, shown.unit) for curve in _thread_curves(shown)]


def _answer(curve: ThreadCurve, unit: str) -> str:
    words, most, count = case_words(curve.case, threads=False), curve.case.threads, _knee_before_the_end(curve)
    if (gap := knee_gap(curve)) is not None:
        return f"{words}: knee between {gap[0]} and {threads_in_words(gap[1:])}; nothing between was measured."
    if count is None:
        return f"{words}: no knee up to {threads_in_words([most])}."
    rate = next(rate_cell(point.summary, unit) for point in curve.points if point.result.case.threads == count)
    gain = format_percent(1 - KNEE_SHARE)
    return f"{words}: {count} of {most} threads reach {rate} {unit}; more gain less than {gain}."


def thread_figures(shown: Shown) -> list[Figure]:
    """Return the rate over the number of threads, with the knee of each curve ringed."""
    curves, unit = _thread_curves(shown), shown.unit
    results = [point.result for curve in curves for point in curve.points]
    series = [one for curve in curves if (one := _thread_series(curve, unit)).points]
    ring = f"knee: the fewest threads that reach {format_percent(KNEE_SHARE)} of the curve's best"
    axes = Curves("threads", unit, (), levels=theory_marks(results, unit), ring_label=ring)
    text = caption(shown.record, results, "Median rate from memory by number of threads.", whiskers(results))
    return line_figures(series, axes, "Rate by threads", text, lambda x: threads_in_words([int(x)]), "by-threads")


def _thread_curves(shown: Shown) -> list[ThreadCurve]:
    return sorted(shown.thread_curves, key=lambda curve: place(curve.case))


def _thread_table(curve: ThreadCurve, unit: str) -> Table:
    headers = ("threads", unit, "of best", "per thread")
    count = _knee_before_the_end(curve)
    marks = () if count is None else (Column(""),)
    with_ceilings = any(point.result.binding is not None for point in curve.points)
    rows = tuple(
        (
            *_thread_cells(point, unit),
            *(ceiling_cells(point.result, unit) if with_ceilings else ()),
            *("knee" if point.result.case.threads == count else "" for _ in marks),
        )
        for point in curve.points
    )
    bars = tuple(point.summary.median_bytes_per_s for point in curve.points)
    ceilings = _CEILING_COLUMNS if with_ceilings else ()
    columns = (*(Column(header, "right") for header in headers), *ceilings, *marks)
    return Table(columns, rows, f"By threads: {case_words(curve.case, threads=False)}", bars)


def _thread_cells(point: ThreadPoint, unit: str) -> tuple[str, ...]:
    share = UNKNOWN if point.share_of_best is None else format_percent(point.share_of_best)
    per_thread = known_rate(point.bytes_per_s_per_thread, unit)
    return (str(point.result.case.threads), rate_cell(point.summary, unit), share, per_thread)


def _knee_line(curve: ThreadCurve) -> str:
    most, count, limit = curve.case.threads, _knee_before_the_end(curve), format_percent(KNEE_SHARE)
    shares = {point.result.case.threads: format_percent(point.share_of_best or 0.0) for point in curve.points}
    gap = knee_gap(curve)
    if gap is not None:
        fewer, more = gap
        ends = f"{threads_in_words([fewer])} ({shares[fewer]} of the best rate) and {threads_in_words([more])}"
        return f"Knee: between {ends} ({shares[more]}); nothing between was measured."
    if count is None:
        return f"No knee: the rate still rises at {threads_in_words([most])}, the largest count measured."
    return f"Knee: {threads_in_words([count])}, the fewest that reach {limit} of the best rate ({shares[count]})."


def _knee_before_the_end(curve: ThreadCurve) -> int | None:
    """Return the knee, None where only the most threads reach it, or where it may lie well below: more or fewer might
    be it."""
    count = knee(curve)
    return None if count == curve.case.threads or knee_gap(curve) is not None else count


def _thread_series(curve: ThreadCurve, unit: str) -> Series:
    points = [
        point for one in curve.points if (point := rate_point(one.result.case.threads, one.summary, unit)) is not None
    ]
    count = _knee_before_the_end(curve)
    ringed = tuple(index for index, point in enumerate(points) if point.x == count)
    return Series(case_words(curve.case, threads=False), tuple(points), ringed)
