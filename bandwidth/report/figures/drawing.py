"""Figures drawn by matplotlib, which this folder alone knows. The same figure gives the same bytes each time."""

from __future__ import annotations

import importlib.util
import io
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bandwidth.errors import BandwidthError
from bandwidth.report.figures.data import (
    STRIP_HIGH,
    STRIP_LOW,
    Bar,
    Bars,
    Curves,
    Figure,
    Heatmap,
    Picture,
    Roofline,
    Strip,
    StripRow,
)
from bandwidth.report.figures.lines import MOST_TICKS, WIDTH_INCHES, draw_curves, legend, short, spread_out
from bandwidth.report.figures.style import COLOURS, DASHES, GRID, INK, MARKERS, METADATA, SETTINGS, undisturbed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

MISSING = "figures are omitted: matplotlib is not installed; pip install 'membandwidth[plot]'"

# Dark to bright in even steps of lightness, for all kinds of colour vision and in grey (Nunez and others, 2018).
COLOUR_MAP = "cividis"
DARK_CELL = 0.5  # below this share of the scale the cell is dark, and its number white

PNG_DOTS_PER_INCH = 160
# Beyond this many dots a picture of them is smaller than the list of their places.
MOST_VECTOR_DOTS = 3000
# A row of a strip, the share of it that dots take, the height of a name beside a dot, and how many of them are written.
ROW_INCHES, STRIP_SHARE, POINT_NAME_INCHES, MOST_POINT_NAMES = 0.42, 0.68, 0.12, 12
# The least that the strip shows on either side of the median: noise of a thousandth is not to fill the picture.
STRIP_LEAST = 2.0
# How much longer an axis is than its longest bar, for the number behind it. Of longer texts it follows from the width
# of a letter, the gaps beside labels and texts, and the most of an axis that they may take.
ROOM_FOR_NUMBERS = 1.16
LETTER_INCHES, GAP_INCHES, MOST_FOR_WORDS = 0.064, 0.12, 0.6


def can_draw() -> bool:
    """Return whether matplotlib is installed; it is not imported."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(figure: Figure, file_format: str, *, transparent: bool = False) -> bytes:
    """Return a figure as `svg`, `pdf` or `png`, on white paper unless `transparent`.

    Raises ImportError without matplotlib, and BandwidthError where it does not load.
    """
    with undisturbed():
        return _drawn(figure, file_format, transparent=transparent)


def _drawn(figure: Figure, file_format: str, *, transparent: bool) -> bytes:
    import warnings

    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure as Canvas
    except ModuleNotFoundError:
        raise
    except Exception as error:  # a matplotlibrc in this folder, no folder for its cache, too little memory
        raise BandwidthError(f"matplotlib does not load: {error}", "check its matplotlibrc and MPLCONFIGDIR") from error
    # Not the user's matplotlibrc: a figure is the same everywhere.
    settings: dict[Any, Any] = {name: value for name, value in mpl.rcParamsDefault.items() if name != "backend"}
    settings |= SETTINGS | {"axes.facecolor": "none" if transparent else "white"}
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a character that its font lacks: SVG has it as text all the same
        canvas = Canvas(layout="constrained", facecolor="none" if transparent else "white")
        _DRAWERS[type(figure.picture)](canvas, figure.picture)
        file = io.BytesIO()
        canvas.savefig(
            file, format=file_format, dpi=PNG_DOTS_PER_INCH, metadata=METADATA[file_format], facecolor="auto"
        )
    return file.getvalue()


# --- bars -----------------------------------------------------------------------------------------------------------


def _draw_bars(canvas: Canvas, picture: Bars) -> None:
    counts = [len(bars) for _, bars in picture.panels]
    canvas.set_size_inches(picture.width_inches or WIDTH_INCHES, 0.8 + 0.27 * sum(counts) + 0.45 * len(counts))
    panels = canvas.subplots(
        len(counts),
        1,
        sharex=not picture.own_scales,
        squeeze=False,
        gridspec_kw={"height_ratios": [count + 0.6 for count in counts]},
    )
    shown = [bar for _, bars in picture.panels for bar in bars]
    for axes, (title, bars) in zip(panels[:, 0], picture.panels, strict=True):
        most = _longest(bars if picture.own_scales else shown)
        room = _room_for_words(picture) if picture.own_scales else ROOM_FOR_NUMBERS
        axes.set_title(short(title))
        for row, bar in enumerate(bars):
            _draw_bar(axes, row, bar, most * (room - 1))
        axes.set_yticks(range(len(bars)), [short(bar.label) for bar in bars])
        axes.set_ylim(len(bars) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, most * room)
    panels[-1, 0].set_xlabel(picture.x_label)
    _bar_legend(canvas, shown)


def _room_for_words(picture: Bars) -> float:
    """Return how much longer an axis is than its longest bar, so that the longest text has room behind it."""
    bars = [bar for _, bars in picture.panels for bar in bars]
    labels, texts = (
        max(map(len, words)) * LETTER_INCHES for words in ([b.label for b in bars], [b.text for b in bars])
    )
    axis = (picture.width_inches or WIDTH_INCHES) - labels - 2 * GAP_INCHES
    return 1 / (1 - min((texts + GAP_INCHES) / axis, MOST_FOR_WORDS))


def _longest(bars: Sequence[Bar]) -> float:
    return max((value for bar in bars for value in (bar.value, bar.high, bar.theory) if value is not None), default=1)


def _draw_bar(axes: Axes, row: int, bar: Bar, text_length: float) -> None:
    """Draw a bar with its text of about this length, which is not to cross the tick of the theory."""
    colour = COLOURS[bar.group % len(COLOURS)]
    value = bar.value or 0.0
    axes.barh(
        row,
        value,
        height=0.66,
        color="none" if bar.hatched else colour,
        edgecolor=colour,
        hatch="/////" if bar.hatched else None,
    )
    end = value
    if bar.low is not None and bar.high is not None and bar.value is not None:
        axes.errorbar(value, row, xerr=[[value - bar.low], [bar.high - value]], color=INK, capsize=2.5, elinewidth=1)
        end = bar.high
    if bar.theory is not None:
        axes.plot([bar.theory] * 2, [row - 0.42, row + 0.42], color=INK, linewidth=2.4, solid_capstyle="butt")
        is_near = end <= bar.theory < end + text_length
        end = bar.theory if is_near else end
    axes.annotate(
        bar.text, (end, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8, annotation_clip=False
    )


def _bar_legend(canvas: Canvas, bars: Sequence[Bar]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    if any(bar.theory is not None for bar in bars):
        handles.append(Line2D([], [], color=INK, marker="|", markersize=10, markeredgewidth=2.4, ls="", label="theory"))
    if any(bar.hatched for bar in bars):
        handles.append(Patch(facecolor="none", edgecolor=COLOURS[0], hatch="/////", label="ordinary stores"))
    if any(bar.low is not None for bar in bars):
        handles.append(Line2D([], [], color=INK, marker="|", markersize=5, label="95 % interval"))
    if handles:
        canvas.legend(handles=handles, loc="outside lower center", ncols=len(handles))


# --- heat maps, strips, rooflines -----------------------------------------------------------------------------------


def _draw_heatmap(canvas: Canvas, picture: Heatmap) -> None:
    height, width = len(picture.rows), len(picture.columns)
    canvas.set_size_inches(min(2.2 + 0.62 * width, 10), min(1.2 + 0.36 * height, 9))
    axes = canvas.add_subplot()
    known = [value for row in picture.values for value in row if value is not None]
    high = max(known, default=1.0)
    values = [[math.nan if value is None else value for value in row] for row in picture.values]
    image = axes.imshow(values, cmap=COLOUR_MAP, vmin=0, vmax=high, aspect="auto")
    axes.set_xticks(range(width), picture.columns)
    axes.set_yticks(range(height), picture.rows)
    axes.set_xlabel(picture.column_label)
    axes.set_ylabel(picture.row_label)
    axes.grid(visible=False)
    for y, (row, texts) in enumerate(zip(picture.values, picture.texts, strict=True)):
        for x, (value, text) in enumerate(zip(row, texts, strict=True)):
            share = None if value is None else value / (high or 1.0)
            ink = INK if share is None else "#ffffff" if share < DARK_CELL else "#000000"
            axes.text(x, y, text, ha="center", va="center", color=ink, fontsize=8 if width <= MOST_TICKS else 6)
    bar = canvas.colorbar(image, ax=axes, label=picture.unit)
    bar.ax.spines[:].set_visible(False)


def _draw_strip(canvas: Canvas, picture: Strip) -> None:
    from matplotlib.ticker import MaxNLocator

    rows = picture.rows
    named = [min(len(row.names), MOST_POINT_NAMES) for row in rows]
    row_inches = max(ROW_INCHES, max(named, default=0) * POINT_NAME_INCHES / STRIP_SHARE)
    canvas.set_size_inches(WIDTH_INCHES, 0.9 + row_inches * len(rows))
    axes = canvas.add_subplot()
    is_large = sum(len(row.percents) for row in rows) > MOST_VECTOR_DOTS
    for number, row in enumerate(rows):
        count = len(row.percents)
        heights = [number + STRIP_SHARE * ((index + 0.5) / count - 0.5) for index in range(count)]
        _draw_dots(axes, row.percents, heights, COLOURS[0], rasterized=is_large)
        _mark_dots(axes, row, heights)
        _name_dots(axes, row, number, heights, row_inches)
    axes.axvline(100, color=INK, linewidth=1)
    if picture.limit is not None:
        axes.axvline(picture.limit, color=INK, linewidth=0.9, linestyle=(0, (1, 2)))
    axes.set_yticks(range(len(rows)), ["\n".join(map(short, row.label.split("\n"))) for row in rows], fontsize=7)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.hlines([number + 0.5 for number in range(len(rows) - 1)], 0, 1, transform=axes.get_yaxis_transform(), **_RULE)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    ends = [min(max(value, STRIP_LOW), STRIP_HIGH) for row in rows for value in row.percents]
    axes.set_xlim(min(*ends, 100 - STRIP_LEAST) - 0.5, max(*ends, 100 + STRIP_LEAST) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(MOST_TICKS - 1, steps=[1, 2, 5, 10]))
    axes.set_xlabel(picture.x_label)


_RULE: dict[str, Any] = {"colors": GRID, "linewidth": 0.6}


def _draw_dots(axes: Axes, values: Sequence[float], heights: Sequence[float], colour: str, *, rasterized: bool) -> None:
    """Draw dots, and triangles at the edge for what lies beyond it."""
    parts: dict[str, list[tuple[float, float]]] = {"o": [], "<": [], ">": []}
    for value, height in zip(values, heights, strict=True):
        marker = "<" if value < STRIP_LOW else ">" if value > STRIP_HIGH else "o"
        parts[marker].append((min(max(value, STRIP_LOW), STRIP_HIGH), height))
    for marker, dots in parts.items():
        if dots:
            xs, ys = zip(*dots, strict=True)
            size = 3.2 if marker == "o" else 5
            look: dict[str, Any] = {"markersize": size, "color": colour, "markeredgewidth": 0}
            axes.plot(xs, ys, marker, clip_on=False, rasterized=rasterized, **look)


def _mark_dots(axes: Axes, row: StripRow, heights: Sequence[float]) -> None:
    """Draw those that stand out once more, each as a larger diamond."""
    xs = [min(max(row.percents[position], STRIP_LOW), STRIP_HIGH) for position in row.marked]
    look: dict[str, Any] = {"markersize": 6, "color": COLOURS[1], "markeredgewidth": 0}
    if xs:
        axes.plot(xs, [heights[position] for position in row.marked], "D", clip_on=False, **look)


def _name_dots(axes: Axes, row: StripRow, number: int, heights: Sequence[float], row_inches: float) -> None:
    """Write the names of the marked dots beside them, the furthest from the median first where they are many."""
    far = sorted(zip(row.marked, row.names, strict=False), key=lambda one: row.percents[one[0]])[:MOST_POINT_NAMES]
    shown = sorted(far)
    wanted = [(heights[position] - number) / STRIP_SHARE + 0.5 for position, _ in shown]
    places = spread_out(wanted, POINT_NAME_INCHES / row_inches / STRIP_SHARE) if shown else []
    for (position, name), place in zip(shown, places, strict=True):
        percent = min(max(row.percents[position], STRIP_LOW), STRIP_HIGH)
        at = (percent, number + STRIP_SHARE * (place - 0.5))
        axes.annotate(short(name), at, xytext=(7, 0), textcoords="offset points", va="center", fontsize=7)


def _draw_roofline(canvas: Canvas, picture: Roofline) -> None:
    canvas.set_size_inches(WIDTH_INCHES, 4.2)
    axes = canvas.add_subplot()
    ridges = [picture.flops / roof.value for roof in picture.roofs]
    low = min([intensity for _, intensity, _ in picture.dots] + [min(ridges) / 4]) / 2
    high = max(ridges) * 8
    for index, (roof, ridge) in enumerate(zip(picture.roofs, ridges, strict=True)):
        ys = [low * roof.value / 1e9, picture.flops / 1e9]
        axes.plot([low, ridge], ys, color=INK, linestyle=DASHES[index], label=f"memory: {roof.label}")
    axes.plot([min(ridges), high], [picture.flops / 1e9] * 2, color=INK, linewidth=2.2)
    axes.annotate(
        f"{picture.flops / 1e9:,.5g} GFLOP/s",
        (high, picture.flops / 1e9),
        xytext=(-2, 4),
        textcoords="offset points",
        ha="right",
    )
    for index, (label, intensity, reached) in enumerate(picture.dots):
        colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
        axes.plot([intensity], [reached / 1e9], marker, color=colour, markersize=7, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("arithmetic intensity, FLOP/byte")
    axes.set_ylabel("GFLOP/s")
    legend(canvas, axes)


_DRAWERS: dict[type[Picture], Callable[[Canvas, Any], None]] = {
    Curves: draw_curves,
    Bars: _draw_bars,
    Heatmap: _draw_heatmap,
    Strip: _draw_strip,
    Roofline: _draw_roofline,
}
