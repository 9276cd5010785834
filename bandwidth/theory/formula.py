"""The one formula, rate x width x units x coding / 8, and its written-out working.

Arithmetic is exact (fractions) until a figure leaves this module as a float of bytes per second.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from bandwidth.catalog import Memory
from bandwidth.units import format_decimal, format_rate

if TYPE_CHECKING:
    from bandwidth.theory.link_peak import PayloadRange  # of links; a memory's peak does without

BITS_PER_BYTE = 8
MODULE_BITS = 64
TRANSFERS_PER_MT = 10**6
MT_PER_GT = 1000

# JEDEC's speeds are multiples of 33 1/3 MT/s, and the marketed name is a whole number near one: 2933 is 2933 1/3.
_BIN_MT_S = Fraction(100, 3)
_BIN_TOLERANCE_MT_S = 1


@dataclass(frozen=True)
class Peak:
    """The theoretical peak of a memory, or of a link in one direction, with how it came about.

    `width_bits` is of one unit, `units` how many there are (channels, stacks, lanes; all sockets together).
    `vendor_bytes_per_s` is the maker's own figure where there is one, `bidirectional_bytes_per_s` a link's both ways,
    `payload` what packets leave of a direction where that is known. `device` is the catalog's name of the device that
    it belongs to, "" for a notation. `working`, `notes` and `warnings`, those of the notes that a reader of the figure
    must not miss, are for people.
    """

    query: str
    name: str
    kind: Literal["memory", "link"]
    family: str
    bytes_per_s: float
    rate_mt_s: float
    width_bits: int
    units: int
    unit: str
    coding: str
    working: str
    short_working: str
    source: str
    notes: tuple[str, ...] = ()
    vendor_bytes_per_s: float | None = None
    capacity_bytes: int | None = None
    direction: str | None = None
    bidirectional_bytes_per_s: float | None = None
    payload: PayloadRange | None = None
    rate_text: str = ""
    device: str = ""
    warnings: tuple[str, ...] = ()

    def seconds_to_move(self, size_bytes: int) -> float:
        """Return the time in seconds to move `size_bytes` once at the peak."""
        return size_bytes / self.bytes_per_s

    def ratio_to(self, reference: Peak) -> float:
        """Return how many times the reference's peak this one is."""
        return self.bytes_per_s / reference.bytes_per_s


def peak_bytes_per_s(rate_mt_s: Fraction, width_bits: int, units: int, coding: Fraction = Fraction(1)) -> Fraction:
    """Return the exact peak in bytes per second: transfers/s x data bits / 8 x coding (THE formula)."""
    return rate_mt_s * TRANSFERS_PER_MT * width_bits * units * coding / BITS_PER_BYTE


def exact_bin_mt_s(nominal_mt_s: Fraction) -> Fraction:
    """Return the speed bin that a marketed rate stands for: 2933 for 2933 1/3, 3200 for itself.

    The nearest multiple of 33 1/3 is taken where it lies within 1 MT/s; other rates stand as they are.
    """
    nearest = round(nominal_mt_s / _BIN_MT_S) * _BIN_MT_S
    return nearest if abs(nearest - nominal_mt_s) < _BIN_TOLERANCE_MT_S else nominal_mt_s


def memory_peak(
    memory: Memory,
    query: str,
    name: str,
    notes: tuple[str, ...] = (),
    clock: str = "",
    warnings: tuple[str, ...] = (),
) -> Peak:
    """Return the peak of a configured memory. `clock` is the rate as the user wrote it, where it was a clock."""
    exact = peak_bytes_per_s(memory.rate_mt_s, memory.width_bits, memory.units, Fraction(memory.coding))
    factors = f"{_rate_working(memory, clock)} x {_width_working(memory)}{_count_working(memory)}"
    return Peak(
        query=query,
        name=name,
        kind="memory",
        family=memory.family,
        bytes_per_s=float(exact),
        rate_mt_s=float(memory.rate_mt_s),
        width_bits=memory.width_bits,
        units=memory.units,
        unit=memory.unit,
        coding=memory.coding,
        working=f"{factors} = {result_working(exact)}",
        short_working=f"{_short_working(memory)} = {format_rate(exact)} GB/s",
        source=memory.source,
        notes=notes,
        rate_text=_rate_text(memory.rate_mt_s, memory.rate_unit),
        warnings=warnings,
    )


def coding_working(coding: str) -> str:
    """Return the coding as a factor of a working, nothing where all bits are data."""
    return "" if coding == "1/1" else f" x {coding}"


def result_working(exact: Fraction) -> str:
    """Return an exact figure of bytes per second as a working ends: in MB/s and in GB/s."""
    return f"{format_rate(exact, 'MB/s')} MB/s = {format_rate(exact)} GB/s"


def _rate_working(memory: Memory, clock: str) -> str:
    if clock:
        return clock
    if memory.clock_transfers is not None:
        return f"({format_decimal(memory.rate_mt_s / memory.clock_transfers)} MHz x {memory.clock_transfers})"
    return _rate_text(memory.rate_mt_s, memory.rate_unit)


def _rate_text(rate_mt_s: Fraction, rate_unit: str) -> str:
    if rate_unit == "Gbps":
        return f"{format_decimal(rate_mt_s / 1000, 4)} Gbps"
    return f"{format_decimal(rate_mt_s)} MT/s"


def _width_working(memory: Memory) -> str:
    """Return the width in bytes where a unit has few of them, as for a DIMM, else as the bits of the bus."""
    coding = coding_working(memory.coding)
    if memory.width_bits % BITS_PER_BYTE == 0 and memory.width_bits <= MODULE_BITS:
        return f"{memory.width_bits // BITS_PER_BYTE} bytes{coding}"
    return f"{memory.width_bits} bits / 8{coding}"


def _count_working(memory: Memory) -> str:
    if memory.units == 1:
        return ""
    unit = memory.unit or "channel"
    each = memory.units // memory.sockets
    if memory.sockets == 1:
        return f" x {each} {plural(unit, each)}"
    return f" x {each} {plural(unit, each)} x {memory.sockets} sockets"


def _short_working(memory: Memory) -> str:
    width = f"{format_decimal(Fraction(memory.width_bits, BITS_PER_BYTE), 3)} B"
    units = "" if memory.units == 1 else f" x {memory.units}"
    coding = coding_working(memory.coding)
    return f"{_rate_text(memory.rate_mt_s, memory.rate_unit)} x {width}{units}{coding}"


def plural(word: str, count: int) -> str:
    """Return a word in the singular for one, in the plural for more."""
    return word if count == 1 else f"{word}s"
