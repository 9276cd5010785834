"""Reads the specs' tables: a file of tab-separated columns, their names in the first line, a comment after `#`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bandwidth.errors import BandwidthError

Row = TypeVar("Row")


def read_table(path: Path, columns: tuple[str, ...], what: str, row_of: Callable[[list[str]], Row]) -> tuple[Row, ...]:
    """Return the rows of a table, each what `row_of` makes of its cells; `what` is what errors call one ("a family").

    Raises BandwidthError naming the file, and the line where `row_of` raises ValueError or re.error.
    """
    lines = [line for line in _text(path).splitlines() if line and not line.startswith("#")]
    if not lines or tuple(lines[0].split("\t")) != columns:
        raise BandwidthError(
            f"{path.name}: its first line is not the names of its columns", "install membandwidth again"
        )
    return tuple(_row(path, line, what, row_of) for line in lines[1:])


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise BandwidthError(f"{path.name} cannot be read: {reason}", "install membandwidth again") from error


def _row(path: Path, line: str, what: str, row_of: Callable[[list[str]], Row]) -> Row:
    try:
        return row_of(line.split("\t"))
    except (ValueError, re.error) as error:
        raise BandwidthError(f"{path.name}: {line[:60]!r} is not {what}: {error}", "mend that line") from error
