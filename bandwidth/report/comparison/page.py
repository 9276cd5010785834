"""A comparison as a write-up: a page of its own, and the part that opens a report of several records."""

from __future__ import annotations

from dataclasses import replace

from bandwidth.comparison.sides import SideBySide
from bandwidth.plain_text import escaped
from bandwidth.report.comparison.overlay import overlay_figures
from bandwidth.report.comparison.side_by_side import METHOD, Parts, comparison_parts
from bandwidth.report.document import Table
from bandwidth.report.figures.data import Figure, distinct
from bandwidth.report.write_up.content import IN_SHORT, Block, Items, Section, WriteUp
from bandwidth.units import DEFAULT_RATE_UNIT

MOST_IN_TITLE = 3


def comparison_write_up(
    sides: SideBySide, unit: str = DEFAULT_RATE_UNIT, *, with_all: bool = False, figures: bool = True
) -> WriteUp:
    """Return columns side by side as a write-up; without `figures` (no matplotlib) there are none."""
    parts = comparison_parts(sides, unit, with_all=with_all, is_page=True)
    picture, *curves = _figures(sides, parts, unit) if figures else [None]
    sections = [
        Section(IN_SHORT, _in_short(parts, picture)),
        *([Section("Over size and threads", tuple(filter(None, curves)))] if curves else []),
        *(
            [Section("Every result" if with_all else "Measured the same way on all machines", parts.tables)]
            if parts.tables
            else []
        ),
        *([Section("Notes", (Items(parts.told),))] if parts.told else []),
        *([Section(parts.differing[0].rstrip(":"), (Items(_lines(parts)),))] if parts.differing else []),
        Section("Method", (Items((METHOD,)),)),
    ]
    return WriteUp(_title(sides), parts.legend, tuple(sections))


def opening_sections(sides: SideBySide, unit: str, *, figures: bool) -> tuple[Section, ...]:
    """Return the part that opens a report of several records: the summary, and the figures that overlay them."""
    write_up = comparison_write_up(sides, unit, figures=figures)
    summary, *others = write_up.sections
    opening = replace(summary, title="Side by side", level=1, blocks=(Items(write_up.lines), *summary.blocks))
    kept = [section for section in others if any(isinstance(block, Figure | Table) for block in section.blocks)]
    return (opening, *kept)


def _title(sides: SideBySide) -> str:
    names = [column.name for column in sides.columns]
    more = len(names) - MOST_IN_TITLE
    shown = [*names[:MOST_IN_TITLE], *([f"{more} more"] if more > 0 else [])]
    return escaped(f"{', '.join(shown[:-1])} and {shown[-1]} side by side")


def _figures(sides: SideBySide, parts: Parts, unit: str) -> list[Figure | None]:
    found = distinct(overlay_figures(sides, parts.summary.rows, unit))
    return [*found] if parts.summary.rows else [None, *found]


def _in_short(parts: Parts, picture: Figure | None) -> tuple[Block, ...]:
    summary = parts.summary
    blocks: list[Block] = list(summary.sentences)
    blocks += [picture] if picture is not None else []
    blocks += [summary.table] if summary.table is not None else []
    return (*blocks, *([Items(summary.notes)] if summary.notes else []))


def _lines(parts: Parts) -> tuple[str, ...]:
    return tuple(line.strip() for line in parts.differing[1:])
