"""Figures of curves: by size, by threads, transfers over size, and latency under load."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from bandwidth.analysis.curves import (
    KNEE_SHARE,
    LoadCurve,
    SizeCurve,
    ThreadCurve,
    knee,
    loaded_latency,
    size_curves,
    thread_curves,
)
from bandwidth.analysis.plateaus import plateaus
from bandwidth.report.figures.data import Curves, Figure, Mark, Point, Series, file_name, parts_of
from bandwidth.report.figures.parts import INTERVALS, caption, series_description
from bandwidth.report.labels import case_words, place, setting_words, target_words, thread_words
from bandwidth.results import Case, Record, Result, Summary
from bandwidth.units import format_percent, format_size, rate_unit_factor

LINK = "pcie:"


def size_figures(record: Record, unit: str) -> list[Figure]:
    """Return the rate over the size, a figure for each target and number of threads: their caches differ."""
    curves = [curve for curve in size_curves(record) if not curve.case.is_latency]
    curves.sort(key=lambda curve: (-curve.case.threads, place(curve.case)))
    groups: dict[Hashable, list[SizeCurve]] = {}
    for curve in curves:
        groups.setdefault((curve.case.target, curve.case.threads), []).append(curve)
    return [figure for group in groups.values() for figure in _size_figures(record, group, unit)]


def latency_figures(record: Record) -> list[Figure]:
    """Return the time of a load over the size, on two scales of powers: from a cache to memory it grows 100 times."""
    figures = []
    for curve in size_curves(record):
        if curve.case.is_latency and (series := _latency_series(curve)).points:
            results = [point.result for point in curve.points]
            text = caption(record, results, "Time of one load whose address comes from the load before.", INTERVALS)
            picture = Curves("data", "ns a load", (series,), _caches(curve), x_sizes=True, y_log=True)
            told = series_description([series], format_size, "ns")
            title = f"Latency by size, {setting_words([curve.case])}"
            figures.append(Figure(file_name(title), title, picture, text, told))
    return figures


def thread_figures(record: Record, unit: str) -> list[Figure]:
    """Return the rate over the number of threads, with the knee of each curve ringed."""
    curves = sorted(thread_curves(record), key=lambda curve: place(curve.case))
    results = [point.result for curve in curves for point in curve.points]
    series = [one for curve in curves if (one := _thread_series(curve, unit)).points]
    figures = []
    for part in parts_of(series):
        ring = f"knee: the fewest threads that reach {format_percent(KNEE_SHARE)} of the curve's best"
        shown_ring = ring if any(one.ringed for one in part) else ""
        levels = _theory(results, unit)
        picture = Curves("threads", unit, part, levels=levels, ring_label=shown_ring)
        text = caption(record, results, "Median rate from memory by number of threads.", INTERVALS)
        told = series_description(part, lambda x: thread_words([int(x)]), unit)
        figures.append(Figure("by-threads", "Rate by threads", picture, text, told))
    return figures


def loaded_figures(record: Record, unit: str) -> list[Figure]:
    """Return one thread's latency over what the others read at the same time."""
    curves = loaded_latency(record)
    series = [one for curve in curves if (one := _load_series(curve, unit)).points]
    results = [point.result for curve in curves for point in curve.points]
    figures = []
    for part in parts_of(series):
        picture = Curves(f"{unit} read by the other threads", "ns a load", part)
        text = caption(
            record, results, "One thread's latency while the others read at a share of their most.", INTERVALS
        )
        told = series_description(part, lambda x: f"{x:,.2f} {unit} of load", "ns")
        figures.append(Figure("loaded-latency", "Latency under load", picture, text, told))
    return figures


# --- by size --------------------------------------------------------------------------------------------------------


def _size_figures(record: Record, curves: Sequence[SizeCurve], unit: str) -> list[Figure]:
    case = curves[0].case
    is_link = case.target.startswith(LINK)
    series = [one for curve in curves if (one := _size_series(curve, unit)).points]
    results = [point.result for curve in curves for point in curve.points]
    title = f"Transfer rate by size, {target_words(case)}" if is_link else _size_title(case)
    what = "Median rate of a transfer by its size." if is_link else "Median rate by the size of all data together."
    figures = []
    for part in parts_of(series):
        across = () if is_link else _caches(curves[0])
        levels = _theory(results, unit)
        picture = Curves("size of a transfer" if is_link else "data", unit, part, across, levels, x_sizes=True)
        told = series_description(part, format_size, unit)
        figures.append(Figure(file_name(title), title, picture, caption(record, results, what, INTERVALS), told))
    return figures


def _size_title(case: Case) -> str:
    return f"Rate by size, {setting_words([case])}"


def _size_series(curve: SizeCurve, unit: str) -> Series:
    points = [point for one in curve.points if (point := _rate_point(one.size_bytes, one.summary, unit)) is not None]
    case = curve.case
    words = case_words(case, "sweep_point", threads=False)
    return Series(words, tuple(points))


def _latency_series(curve: SizeCurve) -> Series:
    points = [_latency_point(one.size_bytes, one.summary) for one in curve.points if one.summary.latency is not None]
    return Series(case_words(curve.case, "sweep_point", threads=False), tuple(points))


def _caches(curve: SizeCurve) -> tuple[Mark, ...]:
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


# --- points ---------------------------------------------------------------------------------------------------------


def _thread_series(curve: ThreadCurve, unit: str) -> Series:
    points = [
        point for one in curve.points if (point := _rate_point(one.result.case.threads, one.summary, unit)) is not None
    ]
    count = knee(curve)
    # Where only the most threads reach it, more might be faster still: no knee was seen.
    ringed = () if count == curve.case.threads else tuple(i for i, point in enumerate(points) if point.x == count)
    return Series(case_words(curve.case, threads=False), tuple(points), ringed)


def _load_series(curve: LoadCurve, unit: str) -> Series:
    factor = rate_unit_factor(unit)
    points = [
        _latency_point(one.load_bytes_per_s / factor, one.summary)
        for one in curve.points
        if one.load_bytes_per_s is not None and one.summary.latency is not None
    ]
    return Series(case_words(curve.case, "load"), tuple(points))


def _rate_point(x: float, summary: Summary, unit: str) -> Point | None:
    factor, interval = rate_unit_factor(unit), summary.ci95
    if summary.median_bytes_per_s is None:
        return None
    if interval is None:
        return Point(x, summary.median_bytes_per_s / factor)
    return Point(x, summary.median_bytes_per_s / factor, interval.low / factor, interval.high / factor)


def _latency_point(x: float, summary: Summary) -> Point:
    latency = summary.latency
    if latency is None:
        raise ValueError("a point of a latency without one")
    interval = latency.ci95_ns
    ends = (None, None) if interval is None else (interval.low, interval.high)
    return Point(x, latency.median_ns, *ends)


def _theory(results: Sequence[Result], unit: str) -> tuple[Mark, ...]:
    """Return a level line for each theory of the results: sockets may give several."""
    known = sorted({result.theory_bytes_per_s for result in results if result.theory_bytes_per_s is not None})
    return tuple(
        Mark(theory / rate_unit_factor(unit), f"theory {theory / rate_unit_factor(unit):,.2f}") for theory in known
    )
