"""What of very many rows, bars and samples is drawn: as much as an eye can tell apart, and what is left out is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from bandwidth.report.figures.data import StripRow

# A row of samples is a few millimetres high, so that a hundred fill several screens; a bar is half as high.
MOST_ROWS = 100
MOST_BARS, MOST_PANELS = 200, 32
# A row is some hundred dots high and a thousand wide, and most lie near its median: beyond, dots stand on dots.
MOST_SAMPLES = 5000

Item = TypeVar("Item")


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
    fewer = f"Of {len(rows):,} rows the {len(shown):,} whose samples spread furthest are drawn."
    is_thinned = any(len(row.percents) > MOST_SAMPLES for row in shown)
    thinner = f"Of more than {MOST_SAMPLES:,} samples in a row that many, evenly spaced, are drawn, and both ends."
    return " ".join([*([fewer] if len(shown) < len(rows) else []), *([thinner] if is_thinned else [])])


def first_bars(bars: Sequence[Item], panel_of: Callable[[Item], str]) -> tuple[Sequence[Item], str]:
    """Return as many bars as are drawn, in as many panels, and what is said of the others."""
    panels = set(list(dict.fromkeys(map(panel_of, bars)))[:MOST_PANELS])
    shown = [bar for bar in bars if panel_of(bar) in panels][:MOST_BARS]
    said = f"The first {len(shown)} of {len(bars):,} are drawn; all stand in the table."
    return shown, said if len(shown) < len(bars) else ""
