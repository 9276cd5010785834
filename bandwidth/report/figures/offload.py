"""The figure of `offload`: the time of the work over its size, on the host and on the device."""

from __future__ import annotations

from collections.abc import Sequence

from bandwidth.errors import BandwidthError
from bandwidth.offload.answer import Answer, Line, answer, line
from bandwidth.offload.figures import Asked, Source, find_figures
from bandwidth.offload.model import Work
from bandwidth.report.figures.data import MOST_SERIES, Curves, Figure, Mark, Point, Series
from bandwidth.report.figures.parts import series_description
from bandwidth.report.offload import pass_words
from bandwidth.results import Record
from bandwidth.units import format_decimal_size, format_duration, format_rate

_MS_PER_S = 1e3
# What a record's own figure shows.
RECORD_SIZES, RECORD_PASSES = (10**6, 10**10), (1, 10, 100)


def offload_figures(record: Record, name: str, unit: str) -> list[Figure]:
    """Return the figure of a record that has a host, a link and a device; none for another."""
    try:
        found = find_figures(Asked(sources=(Source(name, record),)))
    except BandwidthError:
        return []
    shown = answer(found, Work(), RECORD_SIZES, RECORD_PASSES)
    return [offload_figure(shown, [line(shown.model, passes, *RECORD_SIZES) for passes in RECORD_PASSES], unit)]


def offload_figure(answer: Answer, lines: Sequence[Line], unit: str) -> Figure:
    """Return both lines for each number of passes, as many as one figure tells apart, with their crossings."""
    shown = lines[: MOST_SERIES // 2]
    series = tuple(one for line in shown for one in _series(line))
    low, high = shown[0].points[0][0], shown[0].points[-1][0]
    marks = sorted(
        (
            Mark(line.break_even_bytes, f"{format_decimal_size(line.break_even_bytes)}")
            for line in shown
            if line.break_even_bytes is not None and low <= line.break_even_bytes <= high
        ),
        key=lambda mark: mark.value,
    )
    picture = Curves("data", "time, ms", series, across=tuple(marks), x_sizes=True, y_log=True)
    described = _described(series, shown)
    return Figure("offload", "Moving the work to the device", picture, _caption(answer, unit), described)


def _series(line: Line) -> tuple[Series, Series]:
    words = pass_words(line.passes)
    host = tuple(Point(size, seconds * _MS_PER_S) for size, seconds, _ in line.points)
    device = tuple(Point(size, seconds * _MS_PER_S) for size, _, seconds in line.points)
    return Series(f"host, {words}", host), Series(f"device, {words}", device)


def _caption(answer: Answer, unit: str) -> str:
    figures = answer.figures
    named = (("host", figures.host), ("link", figures.link), ("device", figures.device))
    rates = "; ".join(f"{name} {format_rate(one.value, unit)} {unit} ({one.kind}: {one.source})" for name, one in named)
    latencies = ", ".join(
        format_duration(one.value) for one in (figures.host_latency, figures.launch_latency, figures.link_latency)
    )
    return (
        f"Bandwidths: {rates}. Latencies of a call on the host, of one on the device and of a transfer: {latencies}."
        f" {' '.join(answer.assumptions)} Upright lines: the size from which on the device is faster."
    )


def _described(series: Sequence[Series], lines: Sequence[Line]) -> str:
    ends = [
        f"With {pass_words(line.passes)} the device is "
        + (
            "never faster."
            if line.break_even_bytes is None
            else f"faster from {format_decimal_size(line.break_even_bytes)} on."
        )
        for line in lines
    ]
    return " ".join([series_description(series, format_decimal_size, "ms"), *ends])
