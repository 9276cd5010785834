"""Latencies as tables with bars: by size with the plateau of each level, and under the load of the other threads."""

from __future__ import annotations

from collections.abc import Sequence

from bandwidth.analysis.curves import LoadCurve, SizeCurve, loaded_latency, size_curves
from bandwidth.analysis.plateaus import Plateau, plateaus
from bandwidth.report.document import Column, Table
from bandwidth.report.labels import (
    HOST,
    case_words,
    format_cycles,
    format_ns,
    known_rate,
    latency_cells,
)
from bandwidth.report.views.sizes import level_words
from bandwidth.results import Observed, Record, Summary
from bandwidth.units import format_percent, format_size

_HZ_PER_GHZ = 1e9


def latency_blocks(record: Record) -> list[Table | str]:
    """Return for each curve of latencies by size its table, its plateaus, and what is to be known of its pages."""
    curves = [curve for curve in size_curves(record) if curve.case.is_latency]
    return [block for curve in curves for block in (_size_table(curve), _plateau_table(curve), _lines(curve))]


def loaded_blocks(record: Record, unit: str) -> list[Table | str]:
    """Return for each latency under load its table."""
    return [_load_table(curve, unit) for curve in loaded_latency(record)]


def _size_table(curve: SizeCurve) -> Table:
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
    title = f"Latency by size: {_words(curve)}"
    return Table(columns, rows, title, _bars([point.summary for point in curve.points]))


def _plateau_table(curve: SizeCurve) -> Table:
    columns = (Column("level"), *(Column(header, "right") for header in ("holds", "ns", "cycles", "points")))
    return Table(columns, tuple(map(_plateau_row, plateaus(curve))), f"Plateaus of latency: {_words(curve)}")


def _plateau_row(plateau: Plateau) -> tuple[str, ...]:
    holds = "" if plateau.size_bytes is None else format_size(plateau.size_bytes)
    return (plateau.level, holds, format_ns(plateau.ns), format_cycles(plateau.cycles), str(plateau.points))


def _lines(curve: SizeCurve) -> str:
    lines = ["Each load's address comes from the load before, in a random cycle over all of the data."]
    clock = curve.clock_hz
    if curve.case.target != HOST:
        if clock is not None:
            lines.append(f"Cycles are of the GPU's clock in the same run, {clock.median / _HZ_PER_GHZ:.2f} GHz.")
        return "\n".join(lines)
    if clock is not None:
        speed = f"{clock.median / _HZ_PER_GHZ:.2f} GHz"
        lines.append(f"Cycles are of the core's clock in the same run, {speed}, seen by a chain of dependent adds.")
    lines.append(_huge_pages(curve.huge_page_share))
    return "\n".join(lines)


def _huge_pages(share: Observed | None) -> str:
    if share is None:
        return "Huge pages were asked for; whether they were given is not known here."
    least, most = format_percent(share.least), format_percent(share.most)
    if least == most:
        return f"Huge pages were asked for and hold {least} of the data."
    middle = format_percent(share.median)
    return f"Huge pages were asked for and hold {least} to {most} of the data, by size; the median is {middle}."


def _load_table(curve: LoadCurve, unit: str) -> Table:
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
    title = f"Latency under load: {_words(curve)}, {others} of them reading"
    return Table(columns, rows, title, _bars([point.summary for point in curve.points]))


def _words(curve: SizeCurve | LoadCurve) -> str:
    return case_words(curve.case, "sweep_point", "load").removeprefix(f"{curve.case.path}, ")


def _bars(summaries: Sequence[Summary]) -> tuple[float | None, ...]:
    return tuple(None if summary.latency is None else summary.latency.median_ns for summary in summaries)
