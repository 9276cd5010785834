"""The texts of `bandwidth explain`, wrapped for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from bandwidth.findings import Explanation
from bandwidth.report.document import Column, Document, Table

SCHEMA = "bandwidth/explain/1"


def explanation_document(entries: Sequence[Explanation], width: int) -> Document:
    """Return some explanations, their paragraphs wrapped to `width` columns."""
    blocks: list[str] = []
    for entry in entries:
        paragraphs = [textwrap.fill(" ".join(part.split()), width) for part in entry.text.strip().split("\n\n")]
        blocks += [f"{entry.key}: {entry.title}", "\n\n".join(paragraphs)]
    records = [{"key": entry.key, "title": entry.title, "text": entry.text.strip()} for entry in entries]
    return Document(tuple(blocks), {"schema": SCHEMA, "explanations": records}, records)


def explanations_document(entries: Sequence[Explanation]) -> Document:
    """Return the list of all codes and topics."""
    table = Table(
        (Column("code or topic"), Column("what it is about")), tuple((entry.key, entry.title) for entry in entries)
    )
    records = [{"key": entry.key, "title": entry.title, "text": entry.text.strip()} for entry in entries]
    line = "`bandwidth explain CODE` prints one of them."
    return Document((table, line), {"schema": SCHEMA, "explanations": records}, records)
