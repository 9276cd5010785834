"""Lines over sizes, threads or loads, drawn; and what the other figures share with them: labels cut short, a legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bandwidth.report.figures.data import Curves, Mark, Series
from bandwidth.report.figures.style import COLOURS, DASHES, INK, MARKERS
from bandwidth.units import format_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

WIDTH_INCHES = 6.8
LONGEST_LABEL = 60
MOST_TICKS = 9
# Cores come in multiples of two: ticks at 4, 8, 16, 32 and ten times these.
_THREAD_TICKS: dict[str, Any] = {"integer": True, "steps": [1, 1.6, 2, 3.2, 4, 8, 10]}
NEAR_MARKS = 0.1  # as a share of the axis: names of marks that are nearer stand at two heights
# The height of a line's name as a share of the axis.
NAME_HEIGHT = 0.055
# They settle within a few steps for each name.
MOST_STEPS = 200


def short(label: str) -> str:
    """Return a label that leaves room for the figure: a foreign record's names may have any length."""
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 3]}..."


def legend(canvas: Canvas, axes: Axes) -> None:
    """Add the legend below a figure, where anything in it has a label."""
    if axes.get_legend_handles_labels()[1]:
        canvas.legend(loc="outside lower center", ncols=1, handlelength=4)


def draw_curves(canvas: Canvas, picture: Curves) -> None:
    """Draw curves with their marks, and a legend or each line's name at its end."""
    from matplotlib.ticker import MaxNLocator

    canvas.set_size_inches(WIDTH_INCHES, 3.4 + 0.2 * len(picture.series))
    axes = canvas.add_subplot()
    for index, series in enumerate(picture.series):
        _draw_series(axes, series, index)
    axes.set_xlabel(picture.x_label)
    axes.set_ylabel(picture.y_label)
    xs = [point.x for series in picture.series for point in series.points]
    if picture.x_sizes:
        _size_axis(axes, min(xs), max(xs))
    elif picture.x_log:
        _count_axis(axes, min(xs), max(xs))
    elif max(xs) > 0:
        axes.set_xlim(0, max(xs) * 1.05)
        axes.xaxis.set_major_locator(MaxNLocator(**_THREAD_TICKS if picture.x_label == "threads" else {}))
    _draw_levels(axes, picture.levels)
    if picture.y_log:
        _log_axis(axes, [point.y for series in picture.series for point in series.points])
    else:
        axes.set_ylim(0, max([*_highest(picture), *(mark.value for mark in picture.levels)]) * 1.1)
    _draw_marks(axes, picture.across)
    _ring(axes, picture)
    if picture.at_lines:
        _name_lines(axes, picture.series)
    else:
        legend(canvas, axes)


def _name_lines(axes: Axes, series: Sequence[Series]) -> None:
    """Write each line's name at its end, beside the axes, the names apart; a thin line leads from one to the other."""
    low, high = (math.log(value) for value in axes.get_ylim())
    ends = sorted((one.points[-1] for one in series), key=lambda point: point.y)
    wanted = [(math.log(point.y) - low) / (high - low) for point in ends]
    heights = dict(zip(ends, spread_out(wanted, NAME_HEIGHT), strict=True))
    for index, one in enumerate(series):
        end = one.points[-1]
        axes.annotate(
            short(one.label),
            (end.x, end.y),
            xytext=(1.02, heights[end]),
            textcoords="axes fraction",
            va="center",
            fontsize=8,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "linewidth": 0.8, "color": _colour(one, index), "shrinkA": 1, "shrinkB": 2},
        )


def spread_out(wanted: Sequence[float], least: float) -> list[float]:
    """Return ascending places at least so far apart, about where they are wanted and between 0 and 1.

    Neighbours that are too near move apart by equal parts, until none are; more than have room stand evenly.
    """
    if len(wanted) < 2:
        return list(wanted)
    if len(wanted) * least > 1:
        return [index / (len(wanted) - 1) for index in range(len(wanted))]
    places = list(wanted)
    for _ in range(MOST_STEPS):
        for index in range(len(places) - 1):
            lack = least - (places[index + 1] - places[index])
            if lack > 0:
                places[index : index + 2] = [places[index] - lack / 2, places[index + 1] + lack / 2]
        places[0], places[-1] = max(places[0], 0.0), min(places[-1], 1.0)
    return places


def _colour(series: Series, index: int) -> str:
    return COLOURS[(index if series.colour is None else series.colour) % len(COLOURS)]


def _draw_series(axes: Axes, series: Series, index: int) -> None:
    xs, ys = [point.x for point in series.points], [point.y for point in series.points]
    below = [point.y - (point.y if point.low is None else point.low) for point in series.points]
    above = [(point.y if point.high is None else point.high) - point.y for point in series.points]
    number = index if series.colour is None else series.colour
    axes.errorbar(
        xs,
        ys,
        yerr=[[max(length, 0.0) for length in below], [max(length, 0.0) for length in above]],
        color=_colour(series, index),
        marker=MARKERS[number % len(MARKERS)],
        linestyle=DASHES[number % len(DASHES)],
        capsize=2,
        elinewidth=1,
        label=short(series.label),
    )


def _draw_levels(axes: Axes, marks: Sequence[Mark]) -> None:
    """Draw level lines, each with its name above its right end."""
    for mark in marks:
        axes.axhline(mark.value, color=INK, linewidth=1, linestyle=(0, (4, 2)))
        axes.annotate(
            mark.label,
            (1, mark.value),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 3),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=8,
        )


def _ring(axes: Axes, picture: Curves) -> None:
    ringed = [series.points[position] for series in picture.series for position in series.ringed]
    if ringed:
        axes.plot(
            [point.x for point in ringed],
            [point.y for point in ringed],
            linestyle="none",
            marker="o",
            markersize=11,
            markerfacecolor="none",
            markeredgecolor=INK,
            label=picture.ring_label,
        )


def _highest(picture: Curves) -> list[float]:
    return [point.y if point.high is None else point.high for series in picture.series for point in series.points]


def _size_axis(axes: Axes, low: float, high: float) -> None:
    """Set a scale of powers of two, with ticks at every second, third ... power as there is room."""
    first, last = math.floor(math.log2(low)), math.ceil(math.log2(high))
    step = max(1, -(-(last - first) // MOST_TICKS))
    axes.set_xscale("log", base=2)
    ticks = [2**power for power in range(first, last + 1, step)]
    axes.set_xticks(ticks, [format_size(tick) for tick in ticks], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_xlim(low / 1.3, high * 1.3)


def _count_axis(axes: Axes, low: float, high: float) -> None:
    """Set a scale of powers of two of counts, from the least to the most."""
    powers = range(math.floor(math.log2(low)), math.ceil(math.log2(high)) + 1)
    axes.set_xscale("log", base=2)
    axes.set_xticks([2**power for power in powers], [str(2**power) for power in powers], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_xlim(low / 1.1, high * 1.1)


def _log_axis(axes: Axes, ys: Sequence[float]) -> None:
    axes.set_yscale("log")
    axes.set_ylim(min(ys) / 1.6, max(ys) * 1.6)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:.0e}"[0] in "25" else "")


def _draw_marks(axes: Axes, marks: Sequence[Mark]) -> None:
    """Draw upright lines with their names above the picture, at two heights where they are near each other."""
    places = [axes.transAxes.inverted().transform(axes.transData.transform((mark.value, 1)))[0] for mark in marks]
    raised = False
    for index, mark in enumerate(marks):
        raised = not raised if index and places[index] - places[index - 1] < NEAR_MARKS else False
        axes.axvline(mark.value, color=INK, linewidth=0.9, linestyle=(0, (1, 2)))
        axes.annotate(
            mark.label,
            (mark.value, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 24 if raised else 2),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=8,
        )
