"""What a command has to say, apart from how it is written: tables, lines of text, and the data behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Column:
    """One column: its header, with its unit where it has one, how it is aligned, and where plain text wraps it."""

    header: str
    align: Literal["left", "right"] = "left"
    wrap_at: int | None = None


@dataclass(frozen=True)
class Table:
    """A table of finished texts: one row a result, one text a column. `title` stands above it."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""


@dataclass(frozen=True)
class Document:
    """All that a command prints.

    `blocks` are tables and lines in their order, for people; `data` is the object that JSON prints; `records` are the
    flat rows that CSV prints; `remarks` are findings and notes: text formats put them last, CSV on standard error.
    """

    blocks: tuple[Table | str, ...]
    data: Mapping[str, Any]
    records: Sequence[Mapping[str, Any]]
    remarks: tuple[str, ...] = field(default=())
