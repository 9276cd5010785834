"""Figures as data: what is to be drawn and said of it, apart from how it is drawn (drawing.py).

All numbers are finished: rates in the unit that the axis names, latencies in nanoseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

# Okabe and Ito's eight colours less black and yellow tell this many lines apart (style.COLOURS).
MOST_SERIES = 6
# In percent of the median: a sample beyond stands at the strip's edge, as a triangle, so that the others stay apart.
STRIP_LOW, STRIP_HIGH = 60.0, 140.0


@dataclass(frozen=True)
class Point:
    """One point of a curve with the ends of its interval, None below six samples."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """One curve; `ringed` are the positions of points to be marked, such as a knee."""

    label: str
    points: tuple[Point, ...]
    ringed: tuple[int, ...] = ()


@dataclass(frozen=True)
class Mark:
    """A line across the figure with its name: a cache's size, or a theory."""

    value: float
    label: str


@dataclass(frozen=True)
class Curves:
    """Lines over an axis. `x_sizes`: x is bytes, on a scale of powers of two; `y_log`: else y begins at zero.

    `across` are upright lines at an x, `levels` level ones at a y; `ring_label` says what a ring marks.
    """

    x_label: str
    y_label: str
    series: tuple[Series, ...]
    across: tuple[Mark, ...] = ()
    levels: tuple[Mark, ...] = ()
    x_sizes: bool = False
    y_log: bool = False
    ring_label: str = ""


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
    """Bars in panels that share one scale: a title and its bars each. `groups` names the bars' groups."""

    x_label: str
    panels: tuple[tuple[str, tuple[Bar, ...]], ...]
    groups: tuple[str, ...]


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

    `marked` are the positions of those that stand out.
    """

    label: str
    percents: tuple[float, ...]
    marked: tuple[int, ...] = ()


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
