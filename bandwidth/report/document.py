"""What a command has to say, apart from how it is written: tables, lines of text, and the data behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Column:
    """One column: its header, with its unit where it has one, how it is aligned, and where plain text wraps it.

    `two_lines`: the header may take several lines where plain text has no room for the table otherwise. `spare`: from 1
    on it is left out where there is no room even so, the highest first.
    """

    header: str
    align: Literal["left", "right"] = "left"
    wrap_at: int | None = None
    two_lines: bool = False
    spare: int = 0


@dataclass(frozen=True)
class Table:
    """A table of finished texts: one row a result, one text a column. `title` stands above it.

    `bars` holds, where a picture helps, a number at least 0 for each row, None for no bar: plain text draws them to one
    scale from zero behind the row. They repeat a column, so other formats leave them out.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    bars: tuple[float | None, ...] = ()


class Verbatim(str):
    """A block of text whose lines stay as they are: an example with its output, a file's content."""

    __slots__ = ()


@dataclass(frozen=True)
class Document:
    """All that a command prints.

    `blocks` are tables and lines in their order, for people (Verbatim ones are never wrapped); `data` is the object
    that JSON prints; `records` are the flat rows that CSV prints; `remarks` are findings and notes: text formats put
    them last, CSV on standard error. `in_blocks` are those that stand among the blocks already, which CSV has not: it
    puts them on standard error too.
    """

    blocks: tuple[Table | str, ...]
    data: Mapping[str, Any]
    records: Sequence[Mapping[str, Any]]
    remarks: tuple[str, ...] = field(default=())
    in_blocks: tuple[str, ...] = field(default=())
