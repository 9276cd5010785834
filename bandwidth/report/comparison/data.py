"""The JSON of `bandwidth compare`, and the flat rows of its CSV: full numbers, every row, details among them."""

from __future__ import annotations

from typing import Any

from bandwidth.comparison.sides import Cell, ComparedRow, Side, SideBySide
from bandwidth.statistics import Interval

SCHEMA = "bandwidth/comparison/1"


def comparison_json(sides: SideBySide, method: str) -> dict[str, Any]:
    """Return the object: `columns`, `rows` with one value a column that has the id, `differences`, the method."""
    return {
        "schema": SCHEMA,
        "reference": sides.columns[sides.reference].name,
        "method": method,
        "columns": [column_json(column) for column in sides.columns],
        "rows": [_row(sides, row) for row in sides.rows],
        "differences": [
            {
                "name": difference.name,
                "values": {
                    column.name: value
                    for column, value in zip(sides.columns, difference.values, strict=True)
                    if value is not None
                },
            }
            for difference in sides.differences
        ],
    }


def comparison_records(sides: SideBySide) -> list[dict[str, Any]]:
    """Return one flat row for each id and column."""
    records = []
    for row in sides.rows:
        start = _start(row)
        for column, cell in zip(sides.columns, row.cells, strict=True):
            if cell is not None:
                records.append({**start, "column": column.name, "source": column.source, **_flat(row, cell)})
    return records


def column_json(column: Side) -> dict[str, Any]:
    """Return what a column is: its file and machine, or its SPEC and peaks; what is unknown is left out."""
    if column.record is None:
        return {
            "name": column.name,
            "kind": "theory",
            "source": column.source,
            "memory_bytes_per_s": None if column.memory is None else column.memory.bytes_per_s,
            "link_bytes_per_s": None if column.link is None else column.link.bytes_per_s,
        }
    record = column.record
    known = {name: record.machine[name] for name in ("hostname", "cpu_model") if name in record.machine}
    told = {"taken_at": record.taken_at, "tool_version": record.tool_version}
    return {"name": column.name, "kind": "record", "source": column.source, **known, **told}


def _row(sides: SideBySide, row: ComparedRow) -> dict[str, Any]:
    values = [
        {"column": column.name, **_value(row, cell)}
        for column, cell in zip(sides.columns, row.cells, strict=True)
        if cell is not None
    ]
    return {**_start(row), "values": values}


def _start(row: ComparedRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "level": row.level or None,
        "kind": "latency" if row.case.is_latency else "rate",
        "counted_per_payload_byte": row.counted,
        "is_detail": row.is_detail,
    }


def _value(row: ComparedRow, cell: Cell) -> dict[str, Any]:
    unit = "ns" if row.case.is_latency else "bytes_per_s"
    return {
        f"median_{unit}": cell.figure,
        f"ci95_{unit}": _ends(cell.interval) if cell.samples is not None else None,
        **({"earlier_runs": cell.earlier_runs} if cell.earlier_runs else {}),
        "samples": cell.samples,
        "working_set_bytes": cell.working_set_bytes,
        "theory_bytes_per_s": cell.theory_bytes_per_s,
        "efficiency": cell.efficiency,
        "ratio": cell.ratio,
        "ratio_range": _ends(cell.ratio_interval),
        "beyond_noise": cell.differs,
    }


def _flat(row: ComparedRow, cell: Cell) -> dict[str, Any]:
    """Return a value's numbers, those of a rate and of a latency in columns of their own."""
    low, high = _ends(cell.interval if cell.samples is not None else None) or (None, None)
    least, most = _ends(cell.ratio_interval) or (None, None)
    is_latency = row.case.is_latency
    return {
        "median_bytes_per_s": None if is_latency else cell.figure,
        "ci95_low_bytes_per_s": None if is_latency else low,
        "ci95_high_bytes_per_s": None if is_latency else high,
        "median_ns": cell.figure if is_latency else None,
        "ci95_low_ns": low if is_latency else None,
        "ci95_high_ns": high if is_latency else None,
        "samples": cell.samples,
        "working_set_bytes": cell.working_set_bytes,
        "theory_bytes_per_s": cell.theory_bytes_per_s,
        "efficiency": cell.efficiency,
        "ratio": cell.ratio,
        "ratio_low": least,
        "ratio_high": most,
        "beyond_noise": cell.differs,
    }


def _ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]
