"""Entries that state a range, `low` to `high` (normal.toml, reference.toml), and what none of them may have."""

from __future__ import annotations

from typing import Protocol

from bandwidth.catalog.entries import Named


class Range(Named, Protocol):
    """What every entry of these files has: NormalBand, PublishedFigure."""

    @property
    def low(self) -> float:
        """The lower end."""

    @property
    def high(self) -> float:
        """The upper end, in the unit of the lower one."""


def fault_of_range(entry: Range) -> str:
    """Return what no entry of these files may have: ends in the wrong order, or no source; "" where it has neither."""
    if entry.low > entry.high:
        return "low is above high"
    return fault_of_source(entry)


def fault_of_source(entry: Named) -> str:
    """Return what is wrong with an entry's source, "" where it states one."""
    return "" if entry.source.strip() else "source: it is empty"
