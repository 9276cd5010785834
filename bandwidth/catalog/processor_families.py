"""Families of processors (specs/processor_families.tsv): their memory channels, and the width of their LPDDR."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bandwidth.catalog.tables import read_table

_COLUMNS = ("pattern", "channels", "lpddr_bits", "lpddr_entry_bits", "ddr3_mt_s", "source")
_UNKNOWN = "-"
_LONGEST_NAME = 120  # a name of CPUID has 48 characters; Arm's device trees and people write longer ones
# What a name holds beside the product: marks, the clock, the generation, words that say nothing, its graphics.
_MARKS = re.compile(r"\((?:R|TM)\)|[®™]", re.IGNORECASE)
_AFTER = re.compile(r"\s*(?:@|\bwith\b|\bw/|\bAPU with\b|\bRadeon\b).*", re.IGNORECASE)
_EMPTY = re.compile(r"\b(?:CPU|Processor|Genuine|[0-9]{1,2}(?:st|nd|rd|th) Gen)(?![\w-])", re.IGNORECASE)


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


def plain_processor_name(name: str) -> str:
    """Return a processor's name without marks, clock, generation and graphics: `Intel Core i5-1135G7`."""
    bare = _AFTER.sub("", _MARKS.sub("", name[:_LONGEST_NAME]))
    return " ".join(_EMPTY.sub(" ", bare).split())


def family_of(name: str, families: Iterable[ProcessorFamily]) -> ProcessorFamily | None:
    """Return the family of a processor's name, None where none is known."""
    plain = plain_processor_name(name)
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
