"""Records and published figures of the same path: rate, share of peak, how near, and where it was read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bandwidth.comparison.sides import Placed, Side
from bandwidth.report import document as parts
from bandwidth.report.comparison.data import column_json
from bandwidth.report.document import Document, Table
from bandwidth.report.labels import UNKNOWN, case_words, known_rate
from bandwidth.units import DEFAULT_RATE_UNIT, format_percent, format_rate
from bandwidth.vocabulary import HOST

SCHEMA = "bandwidth/published/1"
WIDEST_NAME = 20
NOTE = "Your figure is the fastest result of each path. A share is of the peak that the published figure refers to."


def reference_document(found: Sequence[tuple[Side, Sequence[Placed]]], unit: str = DEFAULT_RATE_UNIT) -> Document:
    """Return the document of some records, each with the published figures that are near to it."""
    blocks: list[Table | str] = []
    for column, placed in found:
        blocks += _blocks(column, placed, unit)
    sources = dict.fromkeys(_source_line(one) for _, placed in found for one in placed)
    if sources:
        blocks.append("\n".join(["Published figures:", *sources]))
    records = [_flat(column, one) for column, placed in found for one in placed]
    data = {
        "schema": SCHEMA,
        "columns": [column_json(column) for column, _ in found],
        "published": records,
    }
    return Document(tuple(blocks), data, records, (NOTE,) if sources else ())


def _blocks(column: Side, placed: Sequence[Placed], unit: str) -> list[Table | str]:
    machine = column.record.machine if column.record is not None else {}
    name = " ".join(str(machine.get("cpu_model") or "this machine").split())
    if not placed:
        return [f"{column.name}, {name}: the catalog has no published figure for these results."]
    is_host = any(one.result.case.target == HOST for one in placed)
    figures = (*(["threads"] if is_host else []), f"yours {unit}", "share", f"published {unit}", "share")
    columns = (
        parts.Column("path"),
        *(parts.Column(head, "right", two_lines=True) for head in figures),
        parts.Column("of"),
        parts.Column("whose", wrap_at=WIDEST_NAME),
    )
    rows = tuple(_row(one, unit, with_threads=is_host) for one in placed)
    return [Table(columns, rows, f"{column.name}, {name}, and published figures")]


def _row(one: Placed, unit: str, *, with_threads: bool) -> tuple[str, ...]:
    rates, shares = one.figure.bytes_per_s, one.figure.shares
    of = "-" if shares is None else {"formula": "peak", "vendor": "maker's"}[one.figure.peak]
    kin = {"this part": "", "its family": " (family)", "any": " (any)"}[one.kin]
    return (
        one.result.case.path,
        *([str(one.result.case.threads)] if with_threads else []),
        known_rate(one.summary.median_bytes_per_s, unit),
        UNKNOWN if one.share is None else format_percent(one.share),
        UNKNOWN if rates is None else _ends(*(format_rate(rate, unit) for rate in rates)),
        UNKNOWN if shares is None else _ends(*(f"{share * 100:.1f}" for share in shares)) + " %",
        of,
        f"{one.figure.name}{kin}",
    )


def _ends(low: str, high: str) -> str:
    return low if low == high else f"{low}-{high}"


def _source_line(one: Placed) -> str:
    figure = one.figure
    return f"  {figure.name}: {'; '.join(filter(None, [figure.conditions, f'source: {figure.source}']))}"


def _flat(column: Side, one: Placed) -> dict[str, Any]:
    figure = one.figure
    rates, shares = figure.bytes_per_s or (None, None), figure.shares or (None, None)
    return {
        "column": column.name,
        "source": column.source,
        "id": one.result.case.id,
        "case": case_words(one.result.case),
        "median_bytes_per_s": one.summary.median_bytes_per_s,
        "share": one.share,
        "published": figure.name,
        "match": one.kin,
        "published_low_bytes_per_s": rates[0],
        "published_high_bytes_per_s": rates[1],
        "published_low_share": shares[0],
        "published_high_share": shares[1],
        "share_of": figure.peak,
        "conditions": figure.conditions,
        "published_source": figure.source,
    }
