"""The catalog as tables: devices with their peaks, one entry whole, the faults of files, and the schema."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from bandwidth.catalog.model import Device
from bandwidth.report.document import Column, Document, Table
from bandwidth.theory import Peak
from bandwidth.units import DEFAULT_RATE_UNIT, format_rate

SCHEMA = "bandwidth/specs/1"
NAMES_SCHEMA = "bandwidth/specs-names/1"


def devices_document(rows: Sequence[tuple[Device, Peak]], unit: str = DEFAULT_RATE_UNIT) -> Document:
    """Return the document that lists devices with their memory's peak."""
    columns = (Column("device"), Column("maker"), Column("kind"), Column("memory"), Column(f"peak {unit}", "right"))
    table = Table(
        columns,
        tuple(
            (_marked(device), device.maker, device.kind, device.memory, format_rate(peak.bytes_per_s, unit))
            for device, peak in rows
        ),
    )
    records = [_record(device, peak) for device, peak in rows]
    return Document((table, f"{len(rows)} devices"), {"schema": SCHEMA, "devices": records}, records)


def entry_document(device: Device, peaks: Sequence[Peak], unit: str = DEFAULT_RATE_UNIT) -> Document:
    """Return the document of one entry: every field that is set, and the peaks that follow."""
    columns = (Column("field"), Column("value", wrap_at=60))
    rows = [(name, _text(value)) for name, value in _fields(device).items() if value not in (None, "", [], False)]
    rows += [(f"peak {unit}", f"{peak.name}: {format_rate(peak.bytes_per_s, unit)} = {peak.working}") for peak in peaks]
    record = _record(device, peaks[0])
    return Document((Table(columns, tuple(rows)),), {"schema": SCHEMA, "devices": [record]}, [record])


def names_document(names: Sequence[str]) -> Document:
    """Return the document that lists names alone."""
    records = [{"name": name} for name in names]
    return Document(("\n".join(names),), {"schema": NAMES_SCHEMA, "devices": records}, records)


def _marked(device: Device) -> str:
    return f"{device.name} (unverified)" if device.unverified else device.name


def _fields(device: Device) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in ((one.name, getattr(device, one.name)) for one in dataclasses.fields(device))
    }


def _record(device: Device, peak: Peak) -> dict[str, Any]:
    return _fields(device) | {"peak_bytes_per_s": peak.bytes_per_s}


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
