"""Families of processors (specs/processor_families.tsv): their memory channels, and the width of their LPDDR."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bandwidth.catalog.files import FAMILIES_FILE, specs_folder
from bandwidth.errors import BandwidthError

_HEADER = ("pattern", "channels", "lpddr_bits", "lpddr_entry_bits", "ddr3_mt_s", "source")
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

    pattern: str
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


def processor_family(name: str) -> ProcessorFamily | None:
    """Return the family of a processor's name, None where none is known. Raises BandwidthError as below."""
    plain = plain_processor_name(name)
    return next((family for pattern, family in _patterns() if pattern.match(plain)), None)


def processor_families() -> tuple[ProcessorFamily, ...]:
    """Return every family, exceptions before their rule. Raises BandwidthError for a file that is missing or broken."""
    return tuple(family for _, family in _patterns())


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[re.Pattern[str], ProcessorFamily], ...]:
    path = specs_folder() / FAMILIES_FILE
    lines = [line for line in _text(path).splitlines() if line and not line.startswith("#")]
    if not lines or tuple(lines[0].split("\t")) != _HEADER:
        raise BandwidthError(
            f"{path.name}: its first line is not the names of its columns", "install membandwidth again"
        )
    return tuple(_row(path, line) for line in lines[1:])


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise BandwidthError(f"{path.name} cannot be read: {reason}", "install membandwidth again") from error


def _row(path: Path, line: str) -> tuple[re.Pattern[str], ProcessorFamily]:
    cells = line.split("\t")
    try:
        pattern, channels, lpddr, entry, ddr3, source = cells
        slowest, fastest = ddr3.split("-") if ddr3 != _UNKNOWN else (_UNKNOWN, _UNKNOWN)
        # "Core i7-2600" is not the start of "Core i7-2600K": a pattern ends where a word does.
        compiled = re.compile(rf"(?:{pattern})(?![\w+])", re.IGNORECASE | re.ASCII)
        family = ProcessorFamily(
            pattern, _number(channels), _number(lpddr), _number(entry), _number(slowest), _number(fastest), source
        )
    except (ValueError, re.error) as error:
        raise BandwidthError(f"{path.name}: {line[:60]!r} is not a family: {error}", "mend that line") from error
    return compiled, family


def _number(cell: str) -> int | None:
    return None if cell == _UNKNOWN else int(cell)
