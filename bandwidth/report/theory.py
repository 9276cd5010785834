"""Peaks side by side: the table, its working, and the JSON of `bandwidth theory`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import Any

from bandwidth.report.document import Column, Document, Table
from bandwidth.theory import Peak
from bandwidth.theory.formula import plural
from bandwidth.units import DEFAULT_RATE_UNIT, format_duration, format_rate

SCHEMA = "bandwidth/theory/1"
MEMORY_OR_LINK = "memory or link"
UNVERIFIED = " (unverified)"
# So that a row with its rate, width and units, its peak and how else that is quoted stays within 80 columns.
WIDEST_NAME = 22
LONGEST_QUERY = 70  # characters, so that a line about one that was pasted stays within 80 columns too


@dataclass(frozen=True)
class TheoryRow:
    """A peak, with the time to move some bytes once and its ratio to a reference where they were asked for."""

    peak: Peak
    move_s: float | None = None
    ratio_to_reference: float | None = None


@dataclass(frozen=True)
class TheoryView:
    """What the table is to show beside the peaks. `move_bytes`, its text and `reference`: where asked for.

    `all_columns`: also those that are empty so far, because more rows follow.
    """

    unit: str = DEFAULT_RATE_UNIT
    explain: bool = False
    with_mb_s: bool = False
    move_bytes: int | None = None
    move_text: str = ""
    reference: Peak | None = None
    all_columns: bool = False


def theory_document(
    rows: Sequence[TheoryRow],
    view: TheoryView,
    ambiguous: Mapping[str, Sequence[TheoryRow]] = MappingProxyType({}),
    unlisted: Mapping[str, int] = MappingProxyType({}),
) -> Document:
    """Return the document of some peaks; `ambiguous` has the readings of each query that stands for several.

    `unlisted` is how many more there are of a query.
    """
    tables = [_table(rows, view)] if rows else []
    tables += [_table(readings, view, f"{_shortened(query)} can be:") for query, readings in ambiguous.items()]
    lines = [line for row in rows for line in _explained(row.peak)] if view.explain else []
    records = [_json_row(row, view) for row in rows]
    unsettled = [
        _json_readings(query, readings, view) | ({"unlisted": unlisted[query]} if query in unlisted else {})
        for query, readings in ambiguous.items()
    ]
    data = {"schema": SCHEMA, **({"ambiguous": unsettled} if unsettled else {}), "results": records}
    remarks = () if view.explain else remarks_of([*rows, *chain.from_iterable(ambiguous.values())])
    remarks = (
        *(f"{_shortened(query)}: {more} more readings; write more of the name" for query, more in unlisted.items()),
        *remarks,
    )
    return Document((*tables, *(["\n".join(lines)] if lines else [])), data, records, remarks)


def _shortened(query: str) -> str:
    return query if len(query) <= LONGEST_QUERY else f"{query[: LONGEST_QUERY - 3]}..."


def _table(rows: Sequence[TheoryRow], view: TheoryView, title: str = "") -> Table:
    columns = _columns(rows, view)
    cells = tuple(tuple(row) for row in zip(*columns.values(), strict=True))
    return Table(tuple(_column(header, view) for header in columns), cells, title)


def _column(header: str, view: TheoryView) -> Column:
    if not header:
        return Column(header, wrap_at=None if view.with_mb_s else WIDEST_NAME)
    return Column(header, "left" if header == MEMORY_OR_LINK else "right", two_lines=True)


def _columns(rows: Sequence[TheoryRow], view: TheoryView) -> dict[str, list[str]]:
    """Return each column's cells under its header.

    They fit in 80 columns in all: beside times and ratios there is no room for how a peak comes about, nor for how else
    it is quoted. `--explain` and JSON have both.
    """
    peaks = [row.peak for row in rows]
    columns = {"": [_name(peak) for peak in peaks]}
    if view.with_mb_s:  # the plain formula's name is its width and units
        columns["rate"] = [peak.rate_text for peak in peaks]
    elif view.move_bytes is None:
        columns[MEMORY_OR_LINK] = [_shape(peak) for peak in peaks]
    columns[f"peak {view.unit}"] = [format_rate(peak.bytes_per_s, view.unit) for peak in peaks]
    if view.with_mb_s and view.unit != "MB/s":
        columns["MB/s"] = [format_rate(peak.bytes_per_s, "MB/s") for peak in peaks]
    if view.reference is not None:
        columns[f"of {_short_name(view.reference)}"] = [f"{row.ratio_to_reference or 0:.3f}" for row in rows]
    if view.move_bytes is not None:
        columns |= _moves(rows, view)
    elif view.reference is None and not view.with_mb_s:
        quoted = [_quoted(peak, view.unit) for peak in peaks]
        if view.all_columns or any(quoted):
            columns["quoted as"] = quoted
    return columns


def _moves(rows: Sequence[TheoryRow], view: TheoryView) -> dict[str, list[str]]:
    """Return the columns of `--move`: the time, how often a second, and whether a device's memory holds so much."""
    columns = {
        f"{view.move_text} in": [format_duration(row.move_s or 0) for row in rows],
        "a second": [f"{1 / row.move_s:,.2f}" if row.move_s else "-" for row in rows],
    }
    if view.all_columns or any(row.peak.capacity_bytes is not None for row in rows):
        columns["fits"] = [_fits(row.peak, view.move_bytes or 0) for row in rows]
    return columns


def _fits(peak: Peak, size_bytes: int) -> str:
    if peak.capacity_bytes is None:
        return "-"
    return "yes" if size_bytes <= peak.capacity_bytes else "no"


def _name(peak: Peak) -> str:
    """Return the name of a row: a device's link stands below the device, set in."""
    return f"- {_short_name(peak)}" if _is_link_of_device(peak) else _short_name(peak)


def _short_name(peak: Peak) -> str:
    name = peak.name.removeprefix(f"{peak.device}, ") if _is_link_of_device(peak) else peak.name
    return name.replace(UNVERIFIED, " ?")


def _is_link_of_device(peak: Peak) -> bool:
    return bool(peak.device) and peak.kind == "link"


def _shape(peak: Peak) -> str:
    """Return how a peak comes about, short: `2933.33 MT/s x 64 bit x 4`."""
    width = "" if peak.kind == "link" and peak.width_bits == 1 else f" x {peak.width_bits} bit"  # a lane is one bit
    units = f" x {peak.units}" if peak.units > 1 or not width else ""
    unit = f" {plural(peak.unit, peak.units)}" if not width and peak.unit else ""
    return f"{peak.rate_text}{width}{units}{unit}"


def _quoted(peak: Peak, unit: str) -> str:
    """Return the figure under which it is sold where that is another one: a link's both ways, a maker's own."""
    if peak.bidirectional_bytes_per_s is not None:
        return f"{format_rate(peak.bidirectional_bytes_per_s, unit)} both ways"
    vendor = peak.vendor_bytes_per_s
    if vendor is None or format_rate(vendor, unit) == format_rate(peak.bytes_per_s, unit):
        return ""
    return f"{format_rate(vendor, unit)} by maker"


def remarks_of(rows: Sequence[TheoryRow]) -> tuple[str, ...]:
    """Return what a reader of the figures must not miss, each once."""
    warnings = [f"{_short_name(row.peak)}: {warning}" for row in rows for warning in row.peak.warnings]
    if any(UNVERIFIED in row.peak.name for row in rows):
        warnings.append("?: not every figure was found in a source")
    return tuple(dict.fromkeys(warnings))


def _explained(peak: Peak) -> list[str]:
    notes = [f"  note: {note}" for note in peak.notes]
    return [f"{peak.name}: {peak.working}", *notes, f"  source: {peak.source}"]


def _json_readings(query: str, readings: Sequence[TheoryRow], view: TheoryView) -> dict[str, Any]:
    return {"query": query, "readings": [_json_row(row, view) for row in readings]}


def _json_row(row: TheoryRow, view: TheoryView) -> dict[str, Any]:
    peak = row.peak
    record: dict[str, Any] = {
        "query": peak.query,
        "name": peak.name,
        "kind": peak.kind,
        "family": peak.family,
        "peak_bytes_per_s": peak.bytes_per_s,
        "vendor_bytes_per_s": peak.vendor_bytes_per_s,
        "capacity_bytes": peak.capacity_bytes,
        "rate_mt_s": peak.rate_mt_s,
        "width_bits": peak.width_bits,
        "units": peak.units,
        "coding": peak.coding,
        "direction": peak.direction,
        "bidirectional_bytes_per_s": peak.bidirectional_bytes_per_s,
        "working": peak.working,
        "source": peak.source,
        "notes": list(peak.notes),
    }
    if view.reference is not None:
        record |= {"reference": view.reference.name, "ratio_to_reference": row.ratio_to_reference}
    if view.move_bytes is not None:
        record |= {"move_bytes": view.move_bytes, "move_s": row.move_s}
        record["moves_per_s"] = None if row.move_s is None else 1 / row.move_s
    return record
