"""Figures as data: what is to be drawn and said of it, apart from how it is drawn (drawing.py).

All numbers are finished: rates in the unit that the axis names, latencies in nanoseconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from bandwidth.report.labels import counted_bytes, runs_words, setting_words
from bandwidth.results import Record, Result, Summary
from bandwidth.units import format_size, rate_unit_factor

# Okabe and Ito's eight colours less black and yellow tell this many lines apart (style.COLOURS).
MOST_SERIES = 6
# In percent of the median: a sample beyond stands at the strip's edge, as a triangle, so that the others stay apart.
STRIP_LOW, STRIP_HIGH = 60.0, 140.0
# The width of a page's opening picture: what a phone shows without scrolling. A wide page shows it larger.
OPENING_INCHES = 3.75
INTERVALS = "Whiskers: 95 % interval of the median, with six samples or more"
# How many of a figure's values its description names.
MOST_NAMED = 12
# A row of samples is a few millimetres high, so that a hundred fill several screens; a bar is half as high.
MOST_ROWS = 100
MOST_BARS, MOST_PANELS = 200, 32
# A row is some hundred dots high and a thousand wide, and most lie near its median: beyond, dots stand on dots.
MOST_SAMPLES = 5000

Item = TypeVar("Item")


@dataclass(frozen=True)
class Point:
    """One point of a curve with the ends of its interval, None below six samples."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """One curve; `ringed` are the positions of points to be marked, such as a knee.

    `colour` is the number of its colour where that is not its place in the figure.
    """

    label: str
    points: tuple[Point, ...]
    ringed: tuple[int, ...] = ()
    colour: int | None = None


@dataclass(frozen=True)
class Mark:
    """A line across the figure with its name: a cache's size, or a theory."""

    value: float
    label: str


@dataclass(frozen=True)
class Curves:
    """Lines over an axis. `x_sizes`: x is bytes, on a scale of powers of two; `y_log`: else y begins at zero.

    `x_log`: x is a count, on a scale of powers of two. `across` are upright lines at an x, `levels` level ones at a y;
    `ring_label` says what a ring marks. `at_lines`: each line's name stands at its end, and there is no legend.
    """

    x_label: str
    y_label: str
    series: tuple[Series, ...]
    across: tuple[Mark, ...] = ()
    levels: tuple[Mark, ...] = ()
    x_sizes: bool = False
    y_log: bool = False
    ring_label: str = ""
    x_log: bool = False
    at_lines: bool = False


@dataclass(frozen=True)
class Bar:
    """One bar from zero with its text; no `value` where the result is not valid. `group` and `hatched` tell kinds."""

    label: str
    text: str
    value: float | None
    low: float | None
    high: float | None
    theory: float | None
    group: int
    hatched: bool


@dataclass(frozen=True)
class Bars:
    """Bars in panels that share one scale, or have `own_scales`: a title and its bars each; `groups` are the bars'.

    `width_inches` is that of the whole figure where it is not the usual one.
    """

    x_label: str
    panels: tuple[tuple[str, tuple[Bar, ...]], ...]
    groups: tuple[str, ...]
    own_scales: bool = False
    width_inches: float | None = None


@dataclass(frozen=True)
class Heatmap:
    """A matrix with its numbers written in: `values` and `texts` by row, a value None where there is none."""

    row_label: str
    column_label: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    texts: tuple[tuple[str, ...], ...]
    unit: str


@dataclass(frozen=True)
class StripRow:
    """All samples of one result or curve, each in percent of its result's median, in the order they were taken.

    `marked` are the positions of those that stand out, `names` what is written at them.
    """

    label: str
    percents: tuple[float, ...]
    marked: tuple[int, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Strip:
    """Every sample as a dot, a row a result; `limit` is a second upright line, in percent too."""

    rows: tuple[StripRow, ...]
    x_label: str = "% of the result's median"
    limit: float | None = None


@dataclass(frozen=True)
class Roofline:
    """Roofs over the arithmetic intensity, and kernels as dots.

    `roofs` are memories in bytes per second, `flops` the peak in FLOP/s; a dot is (name, FLOP/byte, FLOP/s).
    """

    flops: float
    roofs: tuple[Mark, ...]
    dots: tuple[tuple[str, float, float], ...]


Picture: TypeAlias = Curves | Bars | Heatmap | Strip | Roofline


@dataclass(frozen=True)
class Figure:
    """A picture with its file's name (`a-z0-9-`), title, caption, and the text that stands in for it."""

    name: str
    title: str
    picture: Picture
    caption: str
    description: str


def file_name(text: str) -> str:
    """Return a text as a file's name of `a-z`, `0-9` and `-`, at most 80 characters."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower(), flags=re.ASCII).strip("-")[:80].strip("-") or "figure"


def distinct(figures: Iterable[Figure]) -> tuple[Figure, ...]:
    """Return the figures with names that are all different: a second one of a name gets a number."""
    found: dict[str, Figure] = {}
    for figure in figures:
        name, number = figure.name, 1
        while name in found:
            number += 1
            name = f"{figure.name}-{number}"
        found[name] = replace(figure, name=name)
    return tuple(found.values())


def parts_of(series: Sequence[Series]) -> list[tuple[Series, ...]]:
    """Return the series in parts that one figure can tell apart, as even as can be."""
    count = -(-len(series) // MOST_SERIES)
    size = -(-len(series) // max(count, 1))
    return [tuple(series[start : start + size]) for start in range(0, len(series), size)] if series else []


# --- figures of results: points with their intervals, lines of a theory ---------------------------------------------


def whiskers(results: Sequence[Result]) -> str:
    """Return the sentence of a caption that says what the whiskers of these results are."""
    runs = runs_words(results)
    return f"{INTERVALS}; from run to run, {runs}." if runs else f"{INTERVALS}."


def rate_value(summary: Summary | None, unit: str) -> float | None:
    """Return a median rate in `unit`, None where there is none."""
    rate = None if summary is None else summary.median_bytes_per_s
    return None if rate is None else rate / rate_unit_factor(unit)


def rate_point(x: float, summary: Summary, unit: str) -> Point | None:
    """Return a median rate with its interval at an x, None where the data was wrong."""
    factor, interval = rate_unit_factor(unit), summary.reported
    if summary.median_bytes_per_s is None:
        return None
    if interval is None:
        return Point(x, summary.median_bytes_per_s / factor)
    return Point(x, summary.median_bytes_per_s / factor, interval.low / factor, interval.high / factor)


def latency_point(x: float, summary: Summary) -> Point | None:
    """Return a median latency in ns with its interval at an x, None where the data was wrong."""
    latency = summary.latency
    if latency is None:
        return None
    interval = latency.reported_ns
    ends = (None, None) if interval is None else (interval.low, interval.high)
    return Point(x, latency.median_ns, *ends)


def line_figures(
    series: Sequence[Series], axes: Curves, title: str, text: str, at: Callable[[float], str], name: str = ""
) -> list[Figure]:
    """Return curves over `axes` in one figure, in several where they are more than one tells apart.

    `text` is the caption, `at` writes an x, and the file is named by the title unless it has a `name`.
    """
    y_unit = axes.y_label.split()[0]  # of "ns a load" too
    return [
        Figure(
            name or file_name(title),
            title,
            replace(axes, series=part, ring_label=axes.ring_label if any(one.ringed for one in part) else ""),
            text,
            series_description(part, at, y_unit),
        )
        for part in parts_of(series)
    ]


def theory_marks(results: Sequence[Result], unit: str) -> tuple[Mark, ...]:
    """Return a level line for each theory of the results: sockets may give several."""
    known = sorted({result.theory_bytes_per_s for result in results if result.theory_bytes_per_s is not None})
    return tuple(
        Mark(theory / rate_unit_factor(unit), f"theory {theory / rate_unit_factor(unit):,.2f}") for theory in known
    )


# --- below a figure -------------------------------------------------------------------------------------------------


def caption(record: Record, results: Sequence[Result], *sentences: str) -> str:
    """Return the sentences and what else belongs below a figure of these results."""
    parts = [*sentences, _counted(results), _how(results), _versions(record)]
    return " ".join(part for part in parts if part)


def series_description(series: Iterable[Series], at: Callable[[float], str], y_unit: str) -> str:
    """Return each curve in words: where it begins, ends and is highest; `at` writes an x."""
    return " ".join(_in_words(one, at, y_unit) for one in series)


def _in_words(series: Series, at: Callable[[float], str], y_unit: str) -> str:
    first, last = series.points[0], series.points[-1]
    most = max(series.points, key=lambda point: point.y)
    return (
        f"{series.label}: {first.y:,.2f} {y_unit} at {at(first.x)}, {last.y:,.2f} {y_unit} at {at(last.x)},"
        f" maximum {most.y:,.2f} {y_unit} at {at(most.x)}."
    )


def _counted(results: Sequence[Result]) -> str:
    counted = counted_bytes(results)
    return f"Bytes counted per element: {counted}." if counted else ""


def _how(results: Sequence[Result]) -> str:
    if not results:
        return ""
    counts = [len(result.samples.seconds) for result in results]
    sizes = [result.case.working_set_bytes for result in results]
    sized = _range(min(sizes), max(sizes), format_size)
    setting = setting_words(result.case for result in results)
    return f"{_range(min(counts), max(counts), str)} samples each; {setting}; {sized} of data."


def _range(low: int, high: int, text: Callable[[int], str]) -> str:
    return text(low) if text(low) == text(high) else f"{text(low)} to {text(high)}"


def _versions(record: Record) -> str:
    parts = [f"bandwidth {record.tool_version}"]
    for name, label in (("python_version", "Python"), ("numpy_version", "NumPy"), ("kernel", "kernel")):
        if name in record.machine:
            parts.append(f"{label} {record.machine[name]}")
    return f"{', '.join(parts)}; {record.taken_at[:10]}."


# --- what is drawn of very many: as much as an eye can tell apart, and what is left out is said ---------------------


def widest_rows(rows: Sequence[StripRow]) -> list[StripRow]:
    """Return the rows whose samples lie furthest apart, as many as are drawn, in their order."""
    if len(rows) <= MOST_ROWS:
        return list(rows)
    spread = [max(row.percents) - min(row.percents) for row in rows]
    widest = sorted(range(len(rows)), key=lambda index: -spread[index])[:MOST_ROWS]
    return [rows[index] for index in sorted(widest)]


def thinned(row: StripRow) -> StripRow:
    """Return a row with evenly spaced samples, its lowest and highest and those that are marked among them."""
    count = len(row.percents)
    if count <= MOST_SAMPLES:
        return row
    ends = (row.percents.index(min(row.percents)), row.percents.index(max(row.percents)))
    kept = sorted({index * count // MOST_SAMPLES for index in range(MOST_SAMPLES)} | {*ends, *row.marked})
    at = {index: position for position, index in enumerate(kept)}
    percents = tuple(row.percents[index] for index in kept)
    return replace(row, percents=percents, marked=tuple(at[index] for index in row.marked))


def left_out_words(rows: Sequence[StripRow], shown: Sequence[StripRow]) -> str:
    """Return what of a strip's rows and samples is not drawn, empty where all is."""
    fewer = f"Drawn: the {len(shown):,} of {len(rows):,} rows with the largest spread."
    is_thinned = any(len(row.percents) > MOST_SAMPLES for row in shown)
    thinner = f"Rows with more than {MOST_SAMPLES:,} samples show that many, evenly spaced, and both ends."
    return " ".join([*([fewer] if len(shown) < len(rows) else []), *([thinner] if is_thinned else [])])


def first_bars(bars: Sequence[Item], panel_of: Callable[[Item], str]) -> tuple[Sequence[Item], str]:
    """Return as many bars as are drawn, in as many panels, and what is said of the others."""
    panels = set(list(dict.fromkeys(map(panel_of, bars)))[:MOST_PANELS])
    shown = [bar for bar in bars if panel_of(bar) in panels][:MOST_BARS]
    said = f"Drawn: the first {len(shown)} of {len(bars):,}; the table has all."
    return shown, said if len(shown) < len(bars) else ""
