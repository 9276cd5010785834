"""Rates over the number of threads: tables with bars, the knee of each curve, and curves."""

from __future__ import annotations

from bandwidth.analysis.curves import KNEE_SHARE, ThreadCurve, ThreadPoint, knee
from bandwidth.report.document import Column, Table
from bandwidth.report.figures.data import Curves, Figure, Series
from bandwidth.report.figures.parts import INTERVALS, caption, line_figures, rate_point, theory_marks
from bandwidth.report.labels import UNKNOWN, case_words, known_rate, place, rate_cell, thread_words
from bandwidth.report.views.shown import Shown
from bandwidth.units import format_percent


def blocks(shown: Shown) -> list[Table | str]:
    """Return for each curve its table, and a line that names the knee."""
    return [block for curve in _curves(shown) for block in (_table(curve, shown.unit), _knee_line(curve))]


def figures(shown: Shown) -> list[Figure]:
    """Return the rate over the number of threads, with the knee of each curve ringed."""
    curves, unit = _curves(shown), shown.unit
    results = [point.result for curve in curves for point in curve.points]
    series = [one for curve in curves if (one := _series(curve, unit)).points]
    ring = f"knee: the fewest threads that reach {format_percent(KNEE_SHARE)} of the curve's best"
    axes = Curves("threads", unit, (), levels=theory_marks(results, unit), ring_label=ring)
    text = caption(shown.record, results, "Median rate from memory by number of threads.", INTERVALS)
    return line_figures(series, axes, "Rate by threads", text, lambda x: thread_words([int(x)]), "by-threads")


def _curves(shown: Shown) -> list[ThreadCurve]:
    return sorted(shown.thread_curves, key=lambda curve: place(curve.case))


def _table(curve: ThreadCurve, unit: str) -> Table:
    headers = ("threads", unit, "of best", "per thread")
    count = _knee_before_the_end(curve)
    marks = () if count is None else (Column(""),)
    rows = tuple(
        (*_cells(point, unit), *("knee" if point.result.case.threads == count else "" for _ in marks))
        for point in curve.points
    )
    bars = tuple(point.summary.median_bytes_per_s for point in curve.points)
    columns = (*(Column(header, "right") for header in headers), *marks)
    return Table(columns, rows, f"By threads: {case_words(curve.case, threads=False)}", bars)


def _cells(point: ThreadPoint, unit: str) -> tuple[str, ...]:
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


def _series(curve: ThreadCurve, unit: str) -> Series:
    points = [
        point for one in curve.points if (point := rate_point(one.result.case.threads, one.summary, unit)) is not None
    ]
    count = _knee_before_the_end(curve)
    ringed = tuple(index for index, point in enumerate(points) if point.x == count)
    return Series(case_words(curve.case, threads=False), tuple(points), ringed)
