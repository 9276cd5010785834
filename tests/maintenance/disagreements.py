"""What two sources say differently of a processor in the table, each with the reason for our choice."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache

from bandwidth.theory import peak
from tests.maintenance.facts import Fact, key_of

_CUT = 0.016  # makers cut 21.33 to 21
_BINARY = 1.024  # Intel divides by it once, for no stated reason
_WITHOUT_SPEEDS = ("shop", "cores")
HEAD = ("kind", "name", "ours", "other", "reason")
# (kind, name, reason), the first that matches holds; THEORY.md's words for the kinds of fault.
_REASONS: tuple[tuple[str, str, str], ...] = (
    ("stated", r"E7-", "buffered memory: the page counts the links to the buffers, the types are those behind them"),
    ("stated", r"E5-24\d8L v3", "the figure of four channels; the page and the family have three"),
    ("stated", r"E5-4627 v4", "the figure of DDR4-2133; the same page names DDR4-2400"),
    ("stated", r"Pentium 1405", "the figure of three channels; the page and the family have two"),
    ("stated", r"Celeron 725C", "the figure of two channels; the page and the family have one"),
    ("stated", r"Celeron G470", "the figure of DDR3-1066; the same page names DDR3-1333"),
    ("stated", r"Pentium G2030", "the figure of DDR3-1333; the same page names DDR3-1600"),
    ("stated", r"Celeron 4[23]05U|Pentium Gold 5405U", "the figure of DDR4-2400; the same page names DDR4-2133"),
    ("stated", r"i3-710|i5-7442EQ|E3-150\d[LM] v6", "the figure of DDR4-2133; the same page names DDR4-2400"),
    ("stated", r"i\d-5\d{3}(?:HQ|H|U)", "the figure of 1600 MT/s; the same page names LPDDR3-1866"),
    ("stated", r"\d00Y", "the figure of LPDDR3-2133; the same page names LPDDR3-1866"),
    ("stated", r"Pentium J6426", "the figure of 3733 MT/s; the same page names 3200"),
    ("stated", r"Atom D2[57]\d0", "the figure of DDR3-800; the same page names DDR3-1066"),
    ("stated", r"Atom x3-C3", "the figure of LPDDR3-1066; two modules of 16 bits take DDR3-1333"),
    ("stated", r"i5-13600T?$", "the figure of DDR5-5600; this page and that of 2023 name DDR5-4800"),
    ("memory", r"i5-13600T?$", "two pages of Intel name DDR5-4800, of 2023 and of 2025"),
    ("memory", r"Atom D2[57]\d0", "the set keeps the slower of the two speeds on the page"),
    ("memory", r"Ultra 5 125H", "7647 for 7467: a slip of digits"),
    ("memory", r"i5-13500H", "two pages of one product: the one that names all types"),
    ("memory", r"i7-10510U", "the set leaves out the LPDDR4 of the page"),
    ("memory", r"E5-2699[AR] v4", "the row of another processor: this socket takes DDR4 alone"),
    ("memory", r"UL$|7305L|1315U?R?E|U300E|5418N|6428N|8558[PU]|8562Y", "the newer page holds; Intel changed it"),
    ("memory", r"CPU Max", "the page lists the HBM2e in a field of its own, beside the memory types"),
    ("channels", r"Athlon X4 970", "AMD's page and the socket have two channels"),
)


def disagreements(rows: Iterable[Fact], read: Iterable[Fact]) -> str:
    """Return the list of disagreements as a table."""
    others: dict[str, list[Fact]] = defaultdict(list)
    for fact in read:
        others[key_of(fact.name)].append(fact)
    found = sorted({line for row in rows for line in _of_row(row, others[key_of(row.name)])})
    return "\n".join(["\t".join(HEAD), *("\t".join(line) for line in found)]) + "\n"


def _of_row(row: Fact, others: Iterable[Fact]) -> Iterator[tuple[str, ...]]:
    ours = gb_s(first(row.memory))
    for other in others:
        for kind, said in _differences(row, ours, other):
            yield kind, row.name, row.memory, said, reason_of(kind, row.name)


def _differences(row: Fact, ours: float, other: Fact) -> Iterator[tuple[str, str]]:
    if other.vendor_gb_s and not _agree(ours, float(other.vendor_gb_s)):
        yield "stated", f"{other.source}: {other.vendor_gb_s} GB/s"
    if other.source in _WITHOUT_SPEEDS:
        if other.memory and "None" not in other.memory and not _same_channels(row.memory, other.memory):
            yield "channels", f"{other.source}: {other.memory}"
    elif other.memory and not _agree(ours, gb_s(first(other.memory))):
        yield "memory", f"{other.source}: {other.memory}"


def is_consistent(row: Fact) -> bool:
    """Return whether the maker's figure is that of the fastest memory, or of the links to buffers (E7)."""
    return not row.vendor_gb_s or "E7-" in row.name or _agree(gb_s(first(row.memory)), float(row.vendor_gb_s))


def _agree(ours: float, other: float) -> bool:
    return any(abs(ours - other * scale) <= _CUT * ours for scale in (1, _BINARY))


def _same_channels(ours: str, shops: str) -> bool:
    said = set(re.findall(r"x(\d+)", shops))
    return not (counted := set(re.findall(r" x(\d+)", ours))) or said == counted


def reason_of(kind: str, name: str) -> str:
    """Return why our figure stands, `unexplained` where nobody has looked."""
    return next((why for which, words, why in _REASONS if which == kind and re.search(words, name)), "unexplained")


def first(memory: str) -> str:
    """Return the fastest of a cell's memories."""
    return memory.split(";")[0].strip()


@cache
def gb_s(spec: str) -> float:
    """Return the peak of a memory in GB/s."""
    return peak(spec).bytes_per_s / 1e9
