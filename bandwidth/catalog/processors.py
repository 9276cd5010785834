"""What the processors of one kind have in common: families by name, Arm's cores by number."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bandwidth.catalog.names import bare_name
from bandwidth.errors import BandwidthError

Row = TypeVar("Row")


def read_table(path: Path, columns: tuple[str, ...], what: str, row_of: Callable[[list[str]], Row]) -> tuple[Row, ...]:
    """Return the rows of a table, each what `row_of` makes of its cells; `what` is what errors call one ("a family").

    Raises BandwidthError naming the file, and the line where `row_of` raises ValueError or re.error.
    """
    lines = [line for line in _text(path).splitlines() if line and not line.startswith("#")]
    if not lines or tuple(lines[0].split("\t")) != columns:
        raise BandwidthError(f"{path.name}: its first line does not name the columns", "install membandwidth again")
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
        raise BandwidthError(f"{path.name}: {line[:60]!r} is not {what}: {error}", "correct that line") from error


_COLUMNS = ("pattern", "channels", "lpddr_bits", "lpddr_entry_bits", "ddr3_mt_s", "source")
_UNKNOWN = "-"


@dataclass(frozen=True)
class ProcessorFamily:
    """What the processors of one name pattern have in common; None where the sources do not say.

    `channels` are of 64 data bits, of one socket; `lpddr_bits` is the width of all LPDDR of a socket together, and
    `lpddr_entry_bits` what one LPDDR entry of the firmware's table holds although it states half of that.
    """

    pattern: re.Pattern[str]
    channels: int | None
    lpddr_bits: int | None
    lpddr_entry_bits: int | None
    slowest_ddr3_mt_s: int | None
    fastest_ddr3_mt_s: int | None
    source: str


def family_of(name: str, families: Iterable[ProcessorFamily]) -> ProcessorFamily | None:
    """Return the family of a processor's name, None where none is known."""
    plain = bare_name(name)
    return next((family for family in families if family.pattern.match(plain)), None)


def read_processor_families(path: Path) -> tuple[ProcessorFamily, ...]:
    """Return every family of a table, exceptions before their rule. Raises BandwidthError as `read_table`."""
    return read_table(path, _COLUMNS, "a family", _family)


def _family(cells: list[str]) -> ProcessorFamily:
    pattern, channels, lpddr, entry, ddr3, source = cells
    slowest, fastest = ddr3.split("-") if ddr3 != _UNKNOWN else (_UNKNOWN, _UNKNOWN)
    # "Core i7-2600" is not the start of "Core i7-2600K": a pattern ends where a word does.
    compiled = re.compile(rf"(?:{pattern})(?![\w+])", re.IGNORECASE | re.ASCII)
    return ProcessorFamily(
        compiled, _number(channels), _number(lpddr), _number(entry), _number(slowest), _number(fastest), source
    )


def _number(cell: str) -> int | None:
    return None if cell == _UNKNOWN else int(cell)


_CORE_COLUMNS = ("implementer", "part", "vendor", "name", "source")


@dataclass(frozen=True)
class ArmCore:
    """One design of a core: whose it is, and what they call it."""

    implementer: int
    part: int
    vendor: str
    name: str
    source: str


def read_arm_cores(path: Path) -> dict[tuple[int, int], ArmCore]:
    """Return every core of a table by implementer and part. Raises BandwidthError as `read_table`."""
    return {(core.implementer, core.part): core for core in read_table(path, _CORE_COLUMNS, "a core", _core)}


def _core(cells: list[str]) -> ArmCore:
    implementer, part, vendor, name, source = cells
    return ArmCore(int(implementer, 16), int(part, 16), vendor, name, source)
