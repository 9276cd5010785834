"""Peaks side by side: the table, its working, and the JSON of `bandwidth theory`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bandwidth.report.document import Column, Document, Table
from bandwidth.theory import Peak
from bandwidth.units import DEFAULT_RATE_UNIT, format_duration, format_rate

SCHEMA = "bandwidth/theory/1"


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


def theory_document(rows: Sequence[TheoryRow], view: TheoryView) -> Document:
    """Return the document of some peaks."""
    columns = _columns(rows, view)
    table = Table(
        tuple(Column(header, "left" if index == 0 else "right") for index, header in enumerate(columns)),
        tuple(tuple(cells) for cells in zip(*columns.values(), strict=True)),
    )
    lines = [line for row in rows for line in _explained(row.peak)] if view.explain else []
    records = [_json_row(row, view) for row in rows]
    return Document((table, *(["\n".join(lines)] if lines else [])), {"schema": SCHEMA, "results": records}, records)


def _columns(rows: Sequence[TheoryRow], view: TheoryView) -> dict[str, list[str]]:
    """Return each column's cells under its header; a column that would be empty is left out."""
    peaks = [row.peak for row in rows]
    columns = {
        "": [peak.name for peak in peaks],
        "rate": [peak.rate_text for peak in peaks],
        "width": [_width(peak) for peak in peaks],
        "units": [_units(peak) for peak in peaks],
        f"peak {view.unit}": [format_rate(peak.bytes_per_s, view.unit) for peak in peaks],
    }
    if (view.explain or view.with_mb_s) and view.unit != "MB/s":
        columns["MB/s"] = [format_rate(peak.bytes_per_s, "MB/s") for peak in peaks]
    if view.all_columns or any(peak.bidirectional_bytes_per_s is not None for peak in peaks):
        columns["both ways"] = [_rate_or_dash(peak.bidirectional_bytes_per_s, view.unit) for peak in peaks]
    if view.all_columns or any(peak.vendor_bytes_per_s is not None for peak in peaks):
        columns["vendor's"] = [_rate_or_dash(peak.vendor_bytes_per_s, view.unit) for peak in peaks]
    if view.reference is not None:
        columns[f"of {view.reference.name}"] = [f"{row.ratio_to_reference or 0:.3f}" for row in rows]
    if view.move_bytes is not None:
        columns[f"{view.move_text} in"] = [format_duration(row.move_s or 0) for row in rows]
        columns["a second"] = [f"{1 / row.move_s:,.2f}" if row.move_s else "-" for row in rows]
    return columns


def _width(peak: Peak) -> str:
    is_lane = peak.kind == "link" and peak.width_bits == 1  # its one bit says nothing
    return "-" if is_lane else f"{peak.width_bits} bit"


def _units(peak: Peak) -> str:
    if not peak.unit:
        return "-"
    return f"{peak.units} {peak.unit}{'' if peak.units == 1 else ('es' if peak.unit == 'bus' else 's')}"


def _rate_or_dash(bytes_per_s: float | None, unit: str) -> str:
    return "-" if bytes_per_s is None else format_rate(bytes_per_s, unit)


def _explained(peak: Peak) -> list[str]:
    notes = [f"  note: {note}" for note in peak.notes]
    return [f"{peak.name}: {peak.working}", *notes, f"  source: {peak.source}"]


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
