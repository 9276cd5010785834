"""The time of a load over the size of the data and under load: tables with bars, each level's plateau, and curves."""

from __future__ import annotations

from collections.abc import Sequence

from bandwidth.analysis.curves import LoadCurve, LoadPoint, SizeCurve, SizePoint
from bandwidth.analysis.plateaus import Plateau, plateaus
from bandwidth.report.document import Column, Table
from bandwidth.report.figures.data import Curves, Figure, Series, caption, latency_point, line_figures, whiskers
from bandwidth.report.labels import case_words, format_cycles, format_ns, known_rate, latency_cells, setting_words
from bandwidth.report.views.shown import Shown
from bandwidth.report.views.sweeps import cache_marks, level_words
from bandwidth.results import Observed
from bandwidth.results.summary import ChainCurve
from bandwidth.units import format_percent, format_size, rate_unit_factor
from bandwidth.vocabulary import HOST

_HZ_PER_GHZ = 1e9


def latency_blocks(shown: Shown) -> list[Table | str]:
    """Return for each curve its table, its plateaus, and what is to be known of its pages."""
    return [block for curve in _curves(shown) for block in (_table(curve), _plateau_table(curve), _lines(curve))]


def latency_figures(shown: Shown) -> list[Figure]:
    """Return each curve on two scales of powers: from a cache to memory a latency grows 100 times."""
    return [figure for curve in _curves(shown) for figure in _curve_figures(curve, shown)]


def latency_words(curve: SizeCurve | LoadCurve) -> str:
    """Return what a curve of latencies is of, without the path that all have: `native, 1 thread`."""
    return case_words(curve.case, "sweep_point", "load", "writes").removeprefix(f"{curve.case.path}, ")


def latency_bars(points: Sequence[SizePoint | LoadPoint]) -> tuple[float | None, ...]:
    """Return the latencies in ns for the bars of a table, None where the data was wrong."""
    latencies = [point.summary.latency for point in points]
    return tuple(None if latency is None else latency.median_ns for latency in latencies)


def _curves(shown: Shown) -> list[SizeCurve]:
    return [curve for curve in shown.size_curves if curve.case.is_latency]


def _table(curve: SizeCurve) -> Table:
    columns = (
        Column("size", "right"),
        Column("level"),
        Column("ns", "right"),
        Column("cycles", "right"),
        Column("95 % interval, ns", "right"),
    )
    rows = tuple(
        (format_size(point.size_bytes), level_words(point), *latency_cells(point.summary.latency))
        for point in curve.points
    )
    title = f"Latency by size: {latency_words(curve)}"
    return Table(columns, rows, title, latency_bars(curve.points))


def _plateau_table(curve: SizeCurve) -> Table:
    columns = (Column("level"), *(Column(header, "right") for header in ("holds", "ns", "cycles", "points")))
    return Table(columns, tuple(map(_plateau_row, plateaus(curve))), f"Plateaus of latency: {latency_words(curve)}")


def _plateau_row(plateau: Plateau) -> tuple[str, ...]:
    holds = "" if plateau.size_bytes is None else format_size(plateau.size_bytes)
    return (plateau.level, holds, format_ns(plateau.ns), format_cycles(plateau.cycles), str(plateau.points))


def _lines(curve: SizeCurve) -> str:
    lines = ["Each load depends on the previous one, in a random cycle over all of the data."]
    clock = curve.clock_hz
    if curve.case.target != HOST:
        if clock is not None:
            lines.append(f"Cycles of the GPU's clock in the same run, {clock.median / _HZ_PER_GHZ:.2f} GHz.")
        return "\n".join(lines)
    if clock is not None:
        speed = f"{clock.median / _HZ_PER_GHZ:.2f} GHz"
        lines.append(f"Cycles of the core's clock in the same run, {speed}, measured with dependent adds.")
    lines.append(_huge_pages(curve.huge_page_share))
    return "\n".join(lines)


def _huge_pages(share: Observed | None) -> str:
    if share is None:
        return "Huge pages were requested; this system does not report whether they were used."
    least, most = format_percent(share.least), format_percent(share.most)
    if least == most:
        return f"Huge pages were requested and hold {least} of the data."
    middle = format_percent(share.median)
    return f"Huge pages were requested and hold {least} to {most} of the data, depending on size; median {middle}."


def _curve_figures(curve: SizeCurve, shown: Shown) -> list[Figure]:
    """Return the figure of a curve, none where no point of it is right."""
    series = [one] if (one := _series(curve)).points else []
    axes = Curves("data", "ns per load", (), cache_marks(curve), x_sizes=True, y_log=True)
    results = [point.result for point in curve.points]
    text = caption(shown.record, results, "Time of one load that depends on the previous one.", whiskers(results))
    return line_figures(series, axes, f"Latency by size, {setting_words([curve.case])}", text, format_size)


def _series(curve: SizeCurve) -> Series:
    points = [point for one in curve.points if (point := latency_point(one.size_bytes, one.summary)) is not None]
    return Series(case_words(curve.case, "sweep_point", threads=False), tuple(points))


# --- under load -----------------------------------------------------------------------------------------------------


def load_tables(shown: Shown) -> list[Table]:
    """Return for each latency under load its table."""
    return [_load_table(curve, shown.unit) for curve in shown.load_curves]


def load_figures(shown: Shown) -> list[Figure]:
    """Return one thread's latency over what the others read at the same time."""
    curves, unit = shown.load_curves, shown.unit
    series = [one for curve in curves if (one := _load_series(curve, unit)).points]
    results = [point.result for curve in curves for point in curve.points]
    writes = any(curve.write_share for curve in curves)
    axes = Curves(f"{unit} {'moved' if writes else 'read'} by the other threads", "ns per load", ())
    doing = "read, or read and write," if writes else "read"
    what = f"One thread's latency while the others {doing} at a share of their maximum rate."
    text = caption(shown.record, results, what, whiskers(results))
    return line_figures(
        series, axes, "Latency under load", text, lambda x: f"{x:,.2f} {unit} of load", "loaded-latency"
    )


def _load_table(curve: LoadCurve, unit: str) -> Table:
    columns = (
        Column("load", "right"),
        Column(f"others move {unit}" if curve.write_share else f"others read {unit}", "right"),
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
    what = (
        f"{others} of them moving data, {curve.write_share} written"
        if curve.write_share
        else f"{others} of them reading"
    )
    title = f"Latency under load: {latency_words(curve)}, {what}"
    return Table(columns, rows, title, latency_bars(curve.points))


def _load_series(curve: LoadCurve, unit: str) -> Series:
    factor = rate_unit_factor(unit)
    points = [
        point
        for one in curve.points
        if one.load_bytes_per_s is not None
        and (point := latency_point(one.load_bytes_per_s / factor, one.summary)) is not None
    ]
    words = case_words(curve.case, "load", "writes")
    return Series(f"{words}, {curve.write_share} written" if curve.write_share else words, tuple(points))


# --- several chains at once -----------------------------------------------------------------------------------------


def chain_blocks(shown: Shown) -> list[Table | str]:
    """Return for each core on which several chains of loads were followed its table, and what it can wait for."""
    return [block for curve in shown.chain_curves for block in (_chain_table(curve), _chain_words(curve))]


def _chain_table(curve: ChainCurve) -> Table:
    headers = ("chains", "ns per load", "cycles", "95 % interval, ns", "lines in flight")
    rows = tuple(
        (str(point.result.case.chains), *latency_cells(point.latency), f"{point.lines:.1f}") for point in curve.points
    )
    title = f"Loads at once: {case_words(curve.case, 'chains').removeprefix(f'{curve.case.path}, ')}"
    return Table(tuple(Column(header, "right") for header in headers), rows, title)


def _chain_words(curve: ChainCurve) -> str:
    return (
        "Lines in flight: latency of a single load over the time per load with all chains (Little's law): "
        f"at most {curve.most_lines:.1f}."
    )
