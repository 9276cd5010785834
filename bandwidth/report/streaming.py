"""One long table, written piece by piece: what each piece adds, in every format, without the whole in memory.

A piece is a document with the same columns and fields as the first. Plain text keeps the column widths of the first
piece; what is wider later moves its own line only.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from bandwidth.report.document import Column, Document, Table
from bandwidth.report.formats import render
from bandwidth.report.markup import AROUND_ROWS

_GAP = "  "
_text = json.encoder.encode_basestring_ascii
_RULE = re.compile(r"-+(?:  -+)*")


def streamed(pieces: Iterable[Document], format_name: str, width: int, *, blocks: bool = False) -> Iterator[str]:
    """Yield the texts that make one document of many; of a single piece it is what `render` returns.

    A piece with more than its table, such as workings below it, is a document by itself in the formats for people.
    Nothing is yielded of no pieces.
    """
    if format_name == "json":
        yield from _json(pieces)
        return
    split: _Split | None = None
    remarks: dict[str, None] = {}
    for whole in pieces:
        piece = replace(whole, remarks=())  # they stand below the last row, each once
        remarks |= dict.fromkeys(whole.remarks)
        text = render(piece, format_name, width, blocks=blocks)
        if format_name != "csv" and len(piece.blocks) > 1:
            yield text if split is None else f"\n{text}"
            split = _Split("", "", "")
        elif split is None:
            split = _Split.of(text, format_name)
            yield split.head + split.rows
        else:
            rows = _Split.of(text, format_name)
            yield _repadded(rows, split, piece) if format_name == "table" else rows.rows
    if split is not None and split.tail:
        yield split.tail
    if remarks and format_name != "csv":
        yield f"\n{render(Document((), {}, (), tuple(remarks)), format_name, width)}"


class _Split:
    """A rendered table in three parts: what stands above the rows, the rows, and what stands below."""

    def __init__(self, head: str, rows: str, tail: str) -> None:
        self.head, self.rows, self.tail = head, rows, tail

    @classmethod
    def of(cls, text: str, format_name: str) -> _Split:
        if format_name in AROUND_ROWS:
            above, below = AROUND_ROWS[format_name]
            start, end = text.index(above) + len(above), text.rindex(below)
            return cls(text[:start], text[start:end], text[end:])
        lines = text.splitlines(keepends=True)
        count = {"csv": 1, "markdown": 2}.get(format_name) or _rule_at(lines) + 1
        return cls("".join(lines[:count]), "".join(lines[count:]), "")

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Where each column of plain text begins and ends, by the rule below the header."""
        return [found.span() for found in re.finditer("-+", self.head.splitlines()[-1])]


def _rule_at(lines: list[str]) -> int:
    return next(index for index, line in enumerate(lines) if _RULE.fullmatch(line.rstrip("\n")))


def _repadded(rows: _Split, first: _Split, piece: Document) -> str:
    """Return the rows of a later piece in the column widths of the first."""
    columns: tuple[Column, ...] = next(block for block in piece.blocks if isinstance(block, Table)).columns
    widths = [end - start for start, end in first.spans]
    lines = []
    for line in rows.rows.splitlines():
        cells = [line[start:end].strip() for start, end in rows.spans]
        padded = [
            cell.ljust(width) if column.align == "left" else cell.rjust(width)
            for cell, column, width in zip(cells, columns, widths, strict=True)
        ]
        lines.append(_GAP.join(padded).rstrip() + "\n")
    return "".join(lines)


# --- JSON -----------------------------------------------------------------------------------------------------------


def _json(pieces: Iterable[Document]) -> Iterator[str]:
    """Yield the object of the first piece, its last field the list that the records of all pieces are added to."""
    is_first = True
    for piece in pieces:
        items = ",\n".join(_item(record) for record in piece.records)
        if is_first:
            *others, (name, _) = piece.data.items()
            start = json.dumps(dict(others), indent=2, allow_nan=False).removesuffix("\n}")
            yield f"{start},\n  {json.dumps(name)}: [\n{items}"
        else:
            yield f",\n{items}"
        is_first = False
    if not is_first:
        yield "\n  ]\n}\n"


def _item(record: Mapping[str, Any]) -> str:
    """Return a record of the list at the depth where it stands."""
    return "    " + _written(record, "\n    ")


def _written(value: Any, line: str) -> str:
    """Return a value as `json.dumps` writes it with an indent of two: that takes ten times as long, and memory.

    `line` begins a line as deep as the value. Raises ValueError for a number that JSON has not.
    """
    deeper = line + "  "
    if isinstance(value, Mapping) and value:
        fields = (f"{_text(str(name))}: {_written(item, deeper)}" for name, item in value.items())
        return f"{{{deeper}{f',{deeper}'.join(fields)}{line}}}"
    if isinstance(value, (list, tuple)) and value:
        return f"[{deeper}{f',{deeper}'.join(_written(item, deeper) for item in value)}{line}]"
    if isinstance(value, str):
        return _text(value)
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return repr(value)
    return json.dumps(value, allow_nan=False)
