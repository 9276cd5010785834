"""Memories: from a family and the parts behind its name to a configured memory and its peak."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from functools import lru_cache

from bandwidth.catalog import Catalog, Memory, MemoryFamily
from bandwidth.errors import BandwidthError
from bandwidth.theory.formula import Peak, exact_bin_mt_s, memory_peak, peak_bytes_per_s
from bandwidth.theory.parts import MT_S_PER_RATE_UNIT, Counts, Parts, count_units
from bandwidth.units import format_decimal, format_rate

# A module's bus with its check bits: 8 beside 64, on DDR5 also 8 beside each 32.
ECC_WIDTHS_BITS = (72, 80)


def match_family(text: str, catalog: Catalog) -> tuple[MemoryFamily, int] | None:
    """Return the memory family that a text begins with, and where its name ends, or None."""
    match = _memory_pattern(catalog).match(text)
    return None if match is None else (_family_by_name(catalog)[match[0].lower()], match.end())


@lru_cache(maxsize=1)
def _family_by_name(catalog: Catalog) -> dict[str, MemoryFamily]:
    return {name.lower(): family for family in catalog.families for name in (family.name, *family.aliases)}


@lru_cache(maxsize=1)
def _memory_pattern(catalog: Catalog) -> re.Pattern[str]:
    # The longest name first, and nothing of a name left over: "HBM3e" is not "HBM3", "DDR45" is not "DDR4".
    names = sorted(_family_by_name(catalog), key=len, reverse=True)
    return re.compile(rf"(?:{'|'.join(map(_name_pattern, names))})(?![a-z])", re.IGNORECASE | re.ASCII)


def _name_pattern(name: str) -> str:
    # "DDR400" is DDR at 400, as it was sold; but one or two digits behind a name make it another name: "DDR6".
    return re.escape(name) + (r"(?![0-9])" if name[-1].isdigit() else r"(?![0-9]{1,2}(?![0-9]))")


def memory_from_parts(
    text: str, family: MemoryFamily, parts: Parts, counts: Counts, notes: tuple[str, ...] = ()
) -> Peak:
    """Return the peak of a memory, `notes` said first. Raises BandwidthError, and UsageError where options clash."""
    nominal, rate_notes = _nominal_rate(text, family, parts)
    rate = exact_bin_mt_s(nominal) if family.exact_bins else nominal
    width_bits, units, unit = _width_and_units(text, family, rate, parts, counts)
    sockets = counts.sockets or 1
    memory = Memory(
        family=family.name,
        rate_mt_s=rate,
        width_bits=width_bits,
        units=units * sockets,
        unit=unit,
        sockets=sockets,
        coding=family.coding,
        clock_transfers=family.clock_transfers,
        rate_unit=family.rate_unit,
        source=family.source,
    )
    if rate != nominal and nominal.denominator == 1:
        by_name = peak_bytes_per_s(nominal, width_bits, units * sockets, Fraction(family.coding))
        rate_notes += (f"with the nominal {format_decimal(nominal)} MT/s it is {format_rate(by_name, 'MB/s')} MB/s",)
    notes = notes + rate_notes + ((family.note,) if family.note else ())
    return memory_peak(memory, text, _memory_name(memory, nominal), notes)


def _nominal_rate(text: str, family: MemoryFamily, parts: Parts) -> tuple[Fraction, tuple[str, ...]]:
    """Return the rate in MT/s as marketed, and what is to be said of it. Raises BandwidthError."""
    example = f"{family.name}-{family.speeds_mt_s[-1]}" if family.speeds_mt_s else f"{family.name} 6.4Gbps"
    if parts.rate is None:
        raise BandwidthError(f"{text!r} has no rate", f"add one, such as {example}{_speeds_hint(family)}")
    if parts.rate_unit == "mhz" and family.rate_unit == "Gbps":
        raise BandwidthError(
            f"{text!r}: MHz does not say how many transfers {family.name} makes",
            "give the rate in Gbps a pin, or --clock F --transfers N",
        )
    if not parts.rate_unit and family.rate_unit == "Gbps" and parts.rate < family.lowest_mt_s:
        raise BandwidthError(
            f"{text!r}: {format_decimal(parts.rate, 4)} of what?", "write the unit of the rate, such as 14Gbps"
        )
    nominal = parts.rate * MT_S_PER_RATE_UNIT[parts.rate_unit or "mt/s"]
    if parts.rate_unit == "mhz" and not _is_standard(family, nominal) and _speed_of_clock(family, nominal) is not None:
        raise BandwidthError(f"{text!r}: {format_decimal(nominal)} MHz is a clock", _range_hint(family, nominal))
    if not family.lowest_mt_s <= nominal <= family.highest_mt_s:
        raise BandwidthError(f"{family.name} does not come at {_rate_words(nominal)}", _range_hint(family, nominal))
    return nominal, _rate_notes(family, parts, nominal)


def _rate_notes(family: MemoryFamily, parts: Parts, nominal: Fraction) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    if parts.rate_unit == "mhz" and family.clock_transfers != 1:
        notes += (f"{format_decimal(nominal)} MHz is taken as MT/s, as modules are sold; the clock is half of it",)
    if family.speeds_mt_s and not _is_standard(family, nominal):
        notes += (f"{format_decimal(nominal)} MT/s is not one of {family.name}'s standard speeds",)
    return notes


def _is_standard(family: MemoryFamily, nominal: Fraction) -> bool:
    return _is_one_of(family.speeds_mt_s, nominal)


@lru_cache(maxsize=4096)
def _is_one_of(speeds_mt_s: tuple[int, ...], nominal: Fraction) -> bool:
    """Return whether a rate is one of some speeds; long lists ask it of the same rates over and over."""
    return any(abs(nominal - speed) < 1 or exact_bin_mt_s(Fraction(speed)) == nominal for speed in speeds_mt_s)


def _speed_of_clock(family: MemoryFamily, clock_mhz: Fraction) -> int | None:
    """Return the standard speed whose clock this is, written in whole MHz too (DDR3-1333: 667), or None."""
    if family.clock_transfers == 1:  # SDR's clock is its speed
        return None
    exact = {speed: exact_bin_mt_s(Fraction(speed)) for speed in family.speeds_mt_s}
    return next((speed for speed in exact if abs(2 * clock_mhz - exact[speed]) < 2), None)


def _range_hint(family: MemoryFamily, nominal: Fraction) -> str:
    is_clock = family.rate_unit == "MT/s" and family.clock_transfers != 1
    if is_clock and family.lowest_mt_s <= 2 * nominal <= family.highest_mt_s:
        speed = _speed_of_clock(family, nominal) or math.floor(2 * nominal)
        return f"if that is the clock, write {family.name}-{speed}{_speeds_hint(family)}"
    lowest, highest = _rate_words(Fraction(family.lowest_mt_s)), _rate_words(Fraction(family.highest_mt_s))
    return f"it comes at {lowest} to {highest}{_speeds_hint(family)}"


def _speeds_hint(family: MemoryFamily) -> str:
    return f" (its speeds: {', '.join(map(str, family.speeds_mt_s))})" if family.speeds_mt_s else ""


def _rate_words(rate_mt_s: Fraction) -> str:
    return f"{format_decimal(rate_mt_s)} MT/s"


def _width_and_units(
    text: str, family: MemoryFamily, rate: Fraction, parts: Parts, counts: Counts
) -> tuple[int, int, str]:
    """Return the bits of one unit, the number of units of one socket, and the unit's name."""
    units, unit_bits = count_units(text, parts, counts, family.unit), counts.width_bits
    if parts.total_width_bits is not None:
        if units is not None or unit_bits is not None:
            raise BandwidthError(f"{text!r}: the bus width counts all units already", "leave out the other figure")
        if family.unit == "channel" and parts.total_width_bits in ECC_WIDTHS_BITS:
            raise BandwidthError(
                f"{text!r}: {parts.total_width_bits} bits count ECC", "its bits carry no data: write 64-bit"
            )
        return _split_width(family, parts.total_width_bits)
    if unit_bits is not None:
        return unit_bits, units or 1, family.unit or "channel"
    if not family.unit:
        readings = ", ".join(
            f"{bits}-bit {format_rate(peak_bytes_per_s(rate, bits, 1, Fraction(family.coding)))} GB/s"
            for bits in family.widths_bits
        )
        raise BandwidthError(f"{text!r} does not say how wide the bus is", f"add it: {readings}")
    return family.width_bits, units or 1, family.unit


def _split_width(family: MemoryFamily, total_bits: int) -> tuple[int, int, str]:
    if family.unit and total_bits % family.width_bits == 0:
        return family.width_bits, total_bits // family.width_bits, family.unit
    return total_bits, 1, "bus"


def _memory_name(memory: Memory, nominal: Fraction) -> str:
    in_gbps = memory.rate_unit == "Gbps"
    rate = f" {format_decimal(nominal / 1000, 4)}Gbps" if in_gbps else f"-{format_decimal(nominal)}"
    is_counted = memory.unit in ("channel", "stack")
    if is_counted:
        return f"{memory.family}{rate}" + (f" x{memory.units}" if memory.units > 1 else "")
    return f"{memory.family}{rate} {memory.width_bits}-bit" + (f" x{memory.units}" if memory.units > 1 else "")
