"""What was measured with zeros, beside the same with other data."""

from __future__ import annotations

from bandwidth.analysis.groups import ZerosPair
from bandwidth.report.document import Column, Table
from bandwidth.report.labels import UNKNOWN, place, rate_cell, stores_of
from bandwidth.report.views.shown import Shown
from bandwidth.results import summarise


def tables(shown: Shown) -> list[Table]:
    """Return the one table, none where nothing was measured with zeros."""
    pairs = sorted(shown.zeros_pairs, key=lambda pair: (-pair.zeros.case.threads, place(pair.zeros.case)))
    if not pairs:
        return []
    left = (Column("path"), Column("engine"), Column("stores"), Column("threads", "right"))
    headers = (f"zeros {shown.unit}", f"other data {shown.unit}", "ratio")
    columns = (*left, *(Column(header, "right") for header in headers))
    return [Table(columns, tuple(_row(pair, shown.unit) for pair in pairs), "Zeros beside other data")]


def _row(pair: ZerosPair, unit: str) -> tuple[str, ...]:
    case = pair.zeros.case
    other = UNKNOWN if pair.other is None else rate_cell(summarise(pair.other), unit)
    ratio = UNKNOWN if pair.ratio is None else f"{pair.ratio:.2f}"
    start = (case.path, case.engine, stores_of(case), str(case.threads))
    return (*start, rate_cell(summarise(pair.zeros), unit), other, ratio)
