"""What `bandwidth offload` prints: figures, where host and device are equal, the rows, and both lines, drawn too."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from bandwidth.offload.answer import ByPasses, BySize, Estimate, Line, OffloadAnswer
from bandwidth.offload.figures import SourcedFigure
from bandwidth.report.document import Column, Document, Table
from bandwidth.report.figures.data import MOST_SERIES, Curves, Figure, Mark, Point, Series, series_description
from bandwidth.units import (
    DEFAULT_RATE_UNIT,
    format_decimal,
    format_decimal_size,
    format_duration,
    format_percent,
    format_rate,
)

SCHEMA = "bandwidth/offload/1"
_US_PER_S = 1e6
_MS_PER_S = 1e3
_SOURCE_WIDTH = 46
# A plot of text: with the names of its times it stays within 80 columns.
PLOT_COLUMNS, PLOT_ROWS = 61, 15
_LABEL_COLUMNS = 9
_HOST, _DEVICE, _BOTH, _CROSSING = "o", "#", "*", "X"
# Only the peak of one memory is known.
_UNKNOWN = "When the GPU pays depends on the rate that each of them reaches, which is unknown."
_TO_DO = "Measure both and use --record, or give two rates: --host RATE --device RATE --resident."


def offload_document(
    answer: OffloadAnswer, unit: str = DEFAULT_RATE_UNIT, plotted: Line | None = None, expression: str = ""
) -> Document:
    """Return the document of an answer; `plotted` is drawn with characters, `expression` is what was timed."""
    blocks: list[Table | str] = [
        conclusion(answer),
        _figures(answer, unit),
        _latencies(answer),
        *([_by_size(answer.by_size), _by_passes(answer.by_passes), _rows(answer.rows)] if answer.rows else ()),
        *(_measured(answer, expression) if answer.worst_error is not None else ()),
        *([plot(plotted)] if plotted is not None else []),
        "\n".join(["Assumptions:", *(f"  {text}" for text in answer.assumptions)]),
    ]
    rows = [_json_row(row) for row in answer.rows]
    return Document(tuple(blocks), _data(answer, rows), rows, answer.remarks)


def conclusion(answer: OffloadAnswer) -> str:
    """Return the answer in words: from how many passes over the first size the GPU is faster, and how much at most."""
    if answer.figures.shared:
        return f"{answer.figures.shared} share one memory: nothing is transferred. {_of_shared(answer)}"
    found, size = answer.by_size[0], format_decimal_size(answer.by_size[0].size_bytes)
    if found.break_even_passes is None:
        most = f"even with many passes it reaches {_ratio(found.long_speedup)} of the host's speed"
        return f"The GPU does not pay for {size}: {most}."
    moved = "the data is already on it" if answer.model.work.resident else "transfer included"
    start = f"The GPU pays from {pass_words(found.break_even_passes)} over {size} on, {moved}."
    return f"{start} With many passes it is at most {_ratio(found.long_speedup)} times as fast."


def _of_shared(answer: OffloadAnswer) -> str:
    """Return from which size on a GPU in its processor's memory is faster: the number of passes does not count."""
    if not answer.rows:
        return f"{_UNKNOWN} {_TO_DO}"
    found = answer.by_passes[0]
    if found.break_even_bytes is None:
        return f"The GPU does not pay: it reaches {_ratio(found.large_speedup)} of the host's speed."
    start = f"The GPU pays from {format_decimal_size(found.break_even_bytes)} on, for any number of passes"
    return f"{start}, and is at most {_ratio(found.large_speedup)} times as fast."


# --- tables ---------------------------------------------------------------------------------------------------------


def _figures(answer: OffloadAnswer, unit: str) -> Table:
    shown = [(name, one, format_rate(one.value, unit)) for name, one in _shown_figures(answer)]
    return _of_figures("bandwidth", unit, shown)


def _shown_figures(answer: OffloadAnswer) -> Iterator[tuple[str, SourcedFigure]]:
    figures, work = answer.figures, answer.model.work
    if not figures.tell_apart:
        yield "shared memory", figures.host
        return
    yield "host's memory", figures.host
    if figures.link is not None and not work.resident:
        yield "link", figures.link
    yield "device's memory", figures.device
    if figures.link_back is not None and work.has_result and figures.link_back != figures.link:
        yield "link, back", figures.link_back


def _latencies(answer: OffloadAnswer) -> Table:
    figures = answer.figures
    shown = [("call on the host", figures.host_latency), ("call on the device", figures.launch_latency)]
    shown += [("transfer", figures.link_latency)] if figures.link is not None else []
    return _of_figures("latency", "us", [(name, one, format_decimal(one.value * _US_PER_S)) for name, one in shown])


def _of_figures(what: str, unit: str, shown: Sequence[tuple[str, SourcedFigure, str]]) -> Table:
    columns = (Column(what), Column(unit, "right"), Column("source"), Column("detail", wrap_at=_SOURCE_WIDTH))
    return Table(columns, tuple((name, text, one.kind, one.source) for name, one, text in shown))


def _by_size(found: Sequence[BySize]) -> Table:
    columns = (Column("data"), Column("GPU is faster from", "right"), Column("limit for many passes", "right"))
    return Table(
        columns,
        tuple(
            (
                format_decimal_size(one.size_bytes),
                "never" if one.break_even_passes is None else pass_words(one.break_even_passes),
                _ratio(one.long_speedup),
            )
            for one in found
        ),
    )


def _by_passes(found: Sequence[ByPasses]) -> Table:
    headers = ("passes", "GPU is faster from", "limit for much data")
    columns = tuple(Column(header, "right") for header in headers)
    return Table(
        columns,
        tuple(
            (
                f"{one.passes:,}",
                "never" if one.break_even_bytes is None else format_decimal_size(one.break_even_bytes),
                _ratio(one.large_speedup),
            )
            for one in found
        ),
    )


def _rows(rows: Sequence[Estimate]) -> Table:
    columns = (
        Column("data"),
        Column("passes", "right"),
        Column("host", "right"),
        Column("device", "right"),
        Column("speed-up", "right"),
        Column("faster"),
    )
    return Table(columns, tuple(_cells(row) for row in rows))


def _cells(row: Estimate) -> tuple[str, ...]:
    return (
        format_decimal_size(row.size_bytes) + ("" if row.fits else "*"),
        f"{row.passes:,}",
        format_duration(row.host_s),
        format_duration(row.device_s),
        _ratio(row.speedup),
        "device" if row.speedup > 1 else "host",
    )


def _measured(answer: OffloadAnswer, expression: str) -> tuple[Table, str]:
    columns = (
        Column("data"),
        Column("passes", "right"),
        Column("host", "right"),
        Column("model off by", "right"),
        Column("device", "right"),
        Column("model off by", "right"),
        Column("speed-up", "right"),
    )
    rows = tuple(
        (
            format_decimal_size(row.size_bytes),
            f"{row.passes:,}",
            format_duration(row.timed.host_s),
            _signed(row.host_error),
            format_duration(row.timed.device_s),
            _signed(row.device_error),
            _ratio(row.timed.host_s / row.timed.device_s),
        )
        for row in answer.rows
        if row.timed is not None
    )
    worst = format_percent(answer.worst_error or 0.0)
    return (
        Table(columns, rows, f"Measured, {expression} from end to end"),
        f"The model deviates from the measurement by at most {worst}.",
    )


def _signed(share: float | None) -> str:
    return "-" if share is None else f"{share * 100:+.1f} %"


def _ratio(value: float) -> str:
    """Return a ratio with three significant digits, and all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def pass_words(passes: int) -> str:
    """Return a number of passes in words: `1 pass`, `1,000 passes`."""
    return f"{passes:,} pass{'es' * (passes != 1)}"


# --- the plot -------------------------------------------------------------------------------------------------------


def plot(line: Line) -> str:
    """Return both lines drawn with characters, over size and time on logarithmic scales."""
    sizes = [math.log(size) for size, _, _ in line.points]
    times = [(math.log(host), math.log(device)) for _, host, device in line.points]
    low, high = min(map(min, times)), max(map(max, times))
    grid = [[" "] * PLOT_COLUMNS for _ in range(PLOT_ROWS)]
    for place, (host, device) in zip(sizes, times, strict=True):
        column = _place(place, sizes[0], sizes[-1], PLOT_COLUMNS)
        rows = [_place(value, low, high, PLOT_ROWS) for value in (host, device)]
        for row, mark in zip(rows, (_HOST, _DEVICE), strict=True):
            grid[row][column] = mark if grid[row][column] in (" ", mark) else _BOTH
    legend = f"{_HOST} host, {_DEVICE} device, {_BOTH} both, {pass_words(line.passes)}"
    if line.break_even_bytes is not None and line.points[0][0] <= line.break_even_bytes <= line.points[-1][0]:
        _mark_crossing(grid, line, low, high)
        legend += f"; {_CROSSING} equal, at {format_decimal_size(line.break_even_bytes)}"
    labels = {row: low + (high - low) * row / (PLOT_ROWS - 1) for row in (0, PLOT_ROWS // 2, PLOT_ROWS - 1)}
    texts = [format_duration(math.exp(labels[row])) if row in labels else "" for row in range(PLOT_ROWS)]
    drawn = [
        f"{text:>{_LABEL_COLUMNS}} |{''.join(marks)}".rstrip()
        for text, marks in reversed(list(zip(texts, grid, strict=True)))
    ]
    return "\n".join([legend, *drawn, f"{'':{_LABEL_COLUMNS}} +{'-' * PLOT_COLUMNS}", _size_labels(line)])


def _mark_crossing(grid: list[list[str]], line: Line, low: float, high: float) -> None:
    size, host, device = min(line.points, key=lambda point: abs(math.log(point[0] / (line.break_even_bytes or 1))))
    column = _place(math.log(size), math.log(line.points[0][0]), math.log(line.points[-1][0]), PLOT_COLUMNS)
    grid[_place((math.log(host) + math.log(device)) / 2, low, high, PLOT_ROWS)][column] = _CROSSING


def _place(value: float, low: float, high: float, count: int) -> int:
    """Return where a value stands among `count` places from `low` to `high`."""
    return 0 if high <= low else round((value - low) / (high - low) * (count - 1))


def _size_labels(line: Line) -> str:
    first, last = (format_decimal_size(line.points[index][0]) for index in (0, -1))
    return f"{'':{_LABEL_COLUMNS + 2}}{first}{last:>{PLOT_COLUMNS - len(first)}}"


# --- JSON -----------------------------------------------------------------------------------------------------------


def _data(answer: OffloadAnswer, rows: list[dict[str, Any]]) -> dict[str, Any]:
    figures = answer.figures
    is_moved = figures.link is not None
    named = {
        "host": figures.host,
        "link": figures.link,
        "link_back": figures.link_back,
        "device": figures.device,
        "host_latency": figures.host_latency,
        "launch_latency": figures.launch_latency,
        "link_latency": figures.link_latency if is_moved else None,
    }
    return {
        "schema": SCHEMA,
        "assumptions": list(answer.assumptions),
        "shared_memory": bool(figures.shared),
        **{f"{name}_{'s' if name.endswith('latency') else 'bytes_per_s'}": _value(one) for name, one in named.items()},
        "sources": {name: one and {"kind": one.kind, "text": one.source} for name, one in named.items()},
        **_first(answer),
        "by_bytes": [_json_by_size(one) for one in answer.by_size],
        "by_passes": [_json_by_passes(one) for one in answer.by_passes],
        "rows": rows,
        "worst_error": answer.worst_error,
        "notes": list(answer.remarks),
    }


def _value(one: SourcedFigure | None) -> float | None:
    return None if one is None else one.value


def _first(answer: OffloadAnswer) -> dict[str, Any]:
    """Return what is so of the first size and the first number of passes, nulls where the figures do not tell."""
    if not answer.rows:
        names = ("bytes", "passes", "break_even_passes", "break_even_bytes", "asymptotic_speedup", "bandwidth_ratio")
        return dict.fromkeys(names)
    size, passes = answer.by_size[0], answer.by_passes[0]
    return {
        "bytes": size.size_bytes,
        "passes": passes.passes,
        "break_even_passes": size.break_even_passes,
        "break_even_bytes": passes.break_even_bytes,
        "asymptotic_speedup": passes.large_speedup,
        "bandwidth_ratio": answer.model.ratio,
    }


def _json_by_size(one: BySize) -> dict[str, Any]:
    found = {"break_even_passes": one.break_even_passes, "asymptotic_speedup": one.long_speedup}
    return {"bytes": one.size_bytes} | found


def _json_by_passes(one: ByPasses) -> dict[str, Any]:
    found = {"break_even_bytes": one.break_even_bytes, "asymptotic_speedup": one.large_speedup}
    return {"passes": one.passes} | found


def _json_row(row: Estimate) -> dict[str, Any]:
    flat: dict[str, Any] = {
        "bytes": row.size_bytes,
        "passes": row.passes,
        "host_s": row.host_s,
        "device_s": row.device_s,
        "speedup": row.speedup,
        "fits_device": row.fits,
    }
    if row.timed is not None:
        flat |= {
            "measured_host_s": row.timed.host_s,
            "measured_device_s": row.timed.device_s,
            "host_error": row.host_error,
            "device_error": row.device_error,
        }
    return flat


# --- the figure -----------------------------------------------------------------------------------------------------


def offload_figure(answer: OffloadAnswer, lines: Sequence[Line], unit: str) -> Figure:
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


def _caption(answer: OffloadAnswer, unit: str) -> str:
    figures = answer.figures
    named = (("host", figures.host), ("link", figures.link), ("device", figures.device))
    known = [(name, one) for name, one in named if one is not None]
    rates = "; ".join(f"{name} {format_rate(one.value, unit)} {unit} ({one.kind}: {one.source})" for name, one in known)
    latencies = ", ".join(
        format_duration(one.value) for one in (figures.host_latency, figures.launch_latency, figures.link_latency)
    )
    return (
        f"Bandwidths: {rates}. Latencies of a call on the host, of one on the device and of a transfer: {latencies}."
        f" {' '.join(answer.assumptions)} Vertical lines: the size from which the device is faster."
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
