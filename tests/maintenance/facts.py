"""One processor's facts, as they are read from a public set and as they stand in a row of specs/processors.tsv."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

COLUMNS = ("name", "aliases", "memory", "year", "class", "vendor_gb_s", "source")
EMPTY = "-"
_AFTER = r" (?:with|w/) .*| ?@.*|,? RADEON .*|,? R\d[A-Z]?,? \d+ Compute Cores.*"


@dataclass(frozen=True)
class Memory:
    """One type of memory at `mt_s` transfers: on `channels` of 64 data bits, or on a bus of `bits` data bits."""

    kind: str
    mt_s: int
    channels: int | None = None
    bits: int | None = None

    def rank(self) -> tuple[int, str]:
        """Return what orders memories: the bandwidth (MT/s x data bits), then the newer type."""
        return self.mt_s * (self.bits or 64 * (self.channels or 0)), self.kind[::-1]

    def __str__(self) -> str:
        return f"{self.kind}-{self.mt_s} " + (f"{self.bits}-bit" if self.bits else f"x{self.channels}")


@dataclass(frozen=True)
class Fact:
    """What a source says of a processor: memory in the notation of a SPEC, fastest first; empty where it is silent."""

    name: str
    memory: str
    year: str
    kind: str
    vendor_gb_s: str
    source: str
    aliases: str = ""

    def line(self) -> str:
        """Return the row of the table."""
        cells = (self.name, self.aliases, self.memory, self.year, self.kind, self.vendor_gb_s, self.source)
        return "\t".join(cell or EMPTY for cell in cells)


def generation(kind: str) -> int:
    """Return the generation of a type: 4 of LPDDR4X, 1 of LPDDR."""
    return int("".join(filter(str.isdigit, kind)) or 1)


def in_notation(memories: Iterable[Memory]) -> str:
    """Return a cell of the column `memory`."""
    return "; ".join(map(str, memories))


def fact_of_line(line: str) -> Fact:
    """Return the fact of a row of the table. Raises ValueError where the cells are not as many as the columns."""
    cells = ["" if cell == EMPTY else cell for cell in line.split("\t")]
    if len(cells) != len(COLUMNS):
        raise ValueError(f"{line[:60]!r} has {len(cells)} cells")
    name, aliases, memory, year, kind, vendor, source = cells
    return Fact(name, memory, year, kind, vendor, source, aliases)


def key_of(name: str) -> str:
    """Return a name without marks, empty words, spaces and hyphens: what two spellings of one product share."""
    bare = re.sub(r"\((?:R|TM)\)|[®™]", "", name, flags=re.IGNORECASE)
    bare = re.sub(_AFTER, "", bare, flags=re.IGNORECASE)
    bare = re.sub(r"\b\d+(?:st|nd|rd|th) Gen\b|\b(?:CPU|Processor|APU|Genuine)\b", "", bare, flags=re.IGNORECASE)
    bare = re.sub(r"\b(?:\d+|Two|Dual|Triple|Quad|Six|Eight|Twelve|Sixteen)[- ]Cores?\b", "", bare, flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9+]", "", bare.lower())


def natural(name: str) -> list[tuple[int, str]]:
    """Return what sorts names as people do: numbers by their value."""
    return [(int(part) if part.isdigit() else -1, part.casefold()) for part in re.split(r"(\d+)", name) if part]
