"""One thread's latency under the load of the others: tables with bars, and curves."""

from __future__ import annotations

from bandwidth.analysis.curves import LoadCurve
from bandwidth.report.document import Column, Table
from bandwidth.report.figures.data import Curves, Figure, Series
from bandwidth.report.figures.parts import INTERVALS, caption, latency_point, line_figures
from bandwidth.report.labels import case_words, known_rate, latency_cells
from bandwidth.report.views.latency import latency_bars, latency_words
from bandwidth.report.views.shown import Shown
from bandwidth.units import rate_unit_factor


def tables(shown: Shown) -> list[Table]:
    """Return for each latency under load its table."""
    return [_table(curve, shown.unit) for curve in shown.load_curves]


def figures(shown: Shown) -> list[Figure]:
    """Return one thread's latency over what the others read at the same time."""
    curves, unit = shown.load_curves, shown.unit
    series = [one for curve in curves if (one := _series(curve, unit)).points]
    results = [point.result for curve in curves for point in curve.points]
    axes = Curves(f"{unit} read by the other threads", "ns a load", ())
    what = "One thread's latency while the others read at a share of their most."
    text = caption(shown.record, results, what, INTERVALS)
    return line_figures(
        series, axes, "Latency under load", text, lambda x: f"{x:,.2f} {unit} of load", "loaded-latency"
    )


def _table(curve: LoadCurve, unit: str) -> Table:
    columns = (
        Column("load", "right"),
        Column(f"others read {unit}", "right"),
        Column("ns", "right"),
        Column("cycles", "right"),
        Column("95 % interval, ns", "right"),
    )
    rows = tuple(
        (
            f"{point.load_share * 100:.0f} %",
            known_rate(point.load_bytes_per_s, unit),
            *latency_cells(point.summary.latency),
        )
        for point in curve.points
    )
    others = curve.case.threads - 1
    title = f"Latency under load: {latency_words(curve)}, {others} of them reading"
    return Table(columns, rows, title, latency_bars(curve.points))


def _series(curve: LoadCurve, unit: str) -> Series:
    factor = rate_unit_factor(unit)
    points = [
        point
        for one in curve.points
        if one.load_bytes_per_s is not None
        and (point := latency_point(one.load_bytes_per_s / factor, one.summary)) is not None
    ]
    return Series(case_words(curve.case, "load"), tuple(points))
