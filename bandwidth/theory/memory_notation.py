"""Memories: from the words of a notation to a configured memory and its peak."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

from bandwidth.catalog import Catalog, Memory, MemoryFamily
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.theory.formula import Peak, exact_bin_mt_s, memory_peak, peak_bytes_per_s
from bandwidth.theory.memory_names import PartNumber, family_by_name, module_rate, names_memory
from bandwidth.theory.parts import Counts, Parts, ambiguous, count_units, read_parts
from bandwidth.theory.words import Word
from bandwidth.units import format_decimal, format_rate

# A module's bus with its check bits: 8 beside 64, on DDR5 also 8 beside each 32.
ECC_WIDTHS_BITS = (72, 80)
MODULE_WIDTHS_BITS = (32, 64)
# CAMMs carry 128 data lines, two modules' worth; LPCAMM2 and SOCAMM are LPDDR5X where nothing else is said.
_CAMM_BITS = 128
_CAMM_FAMILY = "LPDDR5X"
# Kits of more than two modules are for platforms of two channels too; these kinds of module go where there are more.
_SERVER_MODULES = frozenset({"rdimm", "rdimms", "lrdimm", "registered", "reg"})
_DESKTOP_CHANNELS, _MOST_ON_TWO_CHANNELS = 2, 4
_MOST_IN_A_KIT = 8  # modules that shops sell as one; more are a server's
_SERVER_CHANNELS = defaultdict(lambda: 8, {"DDR5": 12, "MRDIMM": 12})  # a socket's, with one module each
_MOST_CHANNELS = 12  # of a socket
_MOST_CHIPS = 16  # of GDDR on a card: 512 bits


@dataclass
class _Said:
    """What is to be said of an answer; `warnings` are those notes that matter without --explain."""

    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.notes.append(text)
        self.warnings.append(text)


def memory_from_words(text: str, words: Iterable[Word], counts: Counts, catalog: Catalog) -> Peak:
    """Return the peak of the memory that some words name. Raises BandwidthError, UsageError where options clash."""
    said, listed = _Said(), list(words)
    names = [word for word in listed if names_memory(word)]
    parts = read_parts((word for word in listed if word not in names), text, names[0].start)
    if parts.times is not None and parts.units is not None:
        raise BandwidthError(f"{text!r} states two numbers of units", "state one")
    parts.units = parts.units or parts.times
    family, rate = _family_and_rate(text, names, catalog, said)
    if rate is not None:
        _take_rate_of_name(text, parts, rate)
    for word in names:
        _take_name(parts, word, said)
    family = _family_of_rate(family, parts, catalog, said)
    rates = _nominal_rates(text, family, parts, said)
    if len(rates) > 1:
        of_each = (_configured(text, family, rate, parts, counts, _Said()) for rate in rates)
        raise ambiguous(text, f"{parts.rate_text} can be a clock or a data rate", of_each)
    return _configured(text, family, rates[0], parts, counts, said)


def _configured(text: str, family: MemoryFamily, nominal: Fraction, parts: Parts, counts: Counts, said: _Said) -> Peak:
    width_bits, units, unit = _width_and_units(text, family, nominal, parts, counts, said)
    sockets = _sockets(text, parts, counts, said)
    if parts.sockets is not None and family.unit == "channel" and units > _MOST_CHANNELS and units % sockets == 0:
        shapes = ((width_bits, count, unit) for count in (units // sockets, units))
        readings = (_peak(text, family, nominal, shape, _Said(), sockets=sockets) for shape in shapes)
        raise ambiguous(text, f"{units} channels can mean one socket or all {sockets}", readings)
    return _peak(text, family, nominal, (width_bits, units, unit), said, sockets=sockets, dropped=parts.dropped)


def _peak(
    text: str,
    family: MemoryFamily,
    nominal: Fraction,
    shape: tuple[int, int, str],
    said: _Said,
    *,
    sockets: int = 1,
    dropped: Iterable[str] = (),
) -> Peak:
    """Return the peak of a family at a rate, of so many units of so many bits in each of some sockets (`shape`)."""
    width_bits, units, unit = shape
    memory = Memory(
        family=family.name,
        rate_mt_s=_exact(family, nominal),
        width_bits=width_bits,
        units=units * sockets,
        unit=unit,
        sockets=sockets,
        coding=family.coding,
        clock_transfers=family.clock_transfers,
        rate_unit=family.rate_unit,
        source=family.source,
    )
    if memory.rate_mt_s != nominal and nominal.denominator == 1:
        by_name = peak_bytes_per_s(nominal, width_bits, memory.units, Fraction(family.coding))
        said.note(f"with the nominal {format_decimal(nominal)} MT/s it is {format_rate(by_name, 'MB/s')} MB/s")
    if family.note:
        said.note(family.note)
    if words := ", ".join(dropped):
        said.note(f"ignored, without effect on the bandwidth: {words}")
    name = _memory_name(memory, nominal)
    return memory_peak(memory, text, name, tuple(said.notes), warnings=tuple(said.warnings))


def _exact(family: MemoryFamily, nominal: Fraction) -> Fraction:
    return exact_bin_mt_s(nominal) if family.exact_bins else nominal


def _family_and_rate(
    text: str, names: list[Word], catalog: Catalog, said: _Said
) -> tuple[MemoryFamily, Fraction | None]:
    """Return the one family that the names agree on, and the rate that a module's name states."""
    families: dict[str, MemoryFamily] = {}
    rate = None
    for word in names:
        if isinstance(word.entry, MemoryFamily):
            families[word.entry.name] = word.entry
        elif isinstance(word.entry, re.Match):
            family, of_module, note = module_rate(word.entry, catalog.families)
            if rate is not None and exact_bin_mt_s(rate) != exact_bin_mt_s(of_module):
                raise BandwidthError(f"{text!r} states two rates", "state one")
            families[family.name], rate = family, of_module
            said.note(note)
        elif isinstance(word.entry, PartNumber):
            families[word.entry.family], rate = _family_named(word.entry.family, catalog), word.entry.rate_mt_s
    if not families:
        families[_CAMM_FAMILY] = _family_named(_CAMM_FAMILY, catalog)
    for general, special in (("SDR", None), ("DDR5", "MRDIMM")):  # "DDR4 SDRAM", "DDR5-8800 MRDIMM"
        if len(families) > 1 and (special is None or special in families):
            families.pop(general, None)
    if len(families) > 1:
        raise BandwidthError(f"{text!r} names {' and '.join(families)}", "name one memory")
    return next(iter(families.values())), rate


def _family_named(name: str, catalog: Catalog) -> MemoryFamily:
    return family_by_name(catalog)[name.lower()]


def _take_rate_of_name(text: str, parts: Parts, rate: Fraction) -> None:
    if parts.mt_s is not None and exact_bin_mt_s(parts.mt_s) != exact_bin_mt_s(rate):
        raise BandwidthError(f"{text!r} states two rates", "the module name already states one")
    parts.rate, parts.rate_unit = rate, ""


def _take_name(parts: Parts, word: Word, said: _Said) -> None:
    """Take what a name says beside family and rate: a part number's modules, a CAMM's width, a label's kind."""
    if isinstance(word.entry, PartNumber):
        parts.modules = parts.modules or word.entry.modules
        parts.is_kit_of_shop = True
        made = f"{word.entry.family}-{format_decimal(word.entry.rate_mt_s)}, {word.entry.modules} a kit"
        said.warn(f"{word.text} is a part number of {word.entry.maker}: {made}")
    elif word.kind == "camm" and parts.width_bits is None and parts.units is None:
        parts.width_bits = _CAMM_BITS
        said.note(f"a {word.text} has {_CAMM_BITS} data lines")


def _family_of_rate(family: MemoryFamily, parts: Parts, catalog: Catalog, said: _Said) -> MemoryFamily:
    """Return LPDDR5X for LPDDR5 at a speed that only LPDDR5X has: so sellers write it."""
    faster = family_by_name(catalog).get(f"{family.name.lower()}x")
    rate = parts.mt_s
    if faster is None or rate is None or family.rate_unit == "Gbps" or rate <= family.highest_mt_s:
        return family
    if not _is_standard(faster, rate):
        return family
    said.warn(f"{format_decimal(rate)} MT/s is a speed of {faster.name}, not of {family.name}: taken as {faster.name}")
    return faster


def _nominal_rates(text: str, family: MemoryFamily, parts: Parts, said: _Said) -> list[Fraction]:
    """Return the rate in MT/s as marketed, more than one where a clock may be meant. Raises BandwidthError."""
    example = f"{family.name}-{family.speeds_mt_s[-1]}" if family.speeds_mt_s else f"{family.name} 6.4Gbps"
    nominal = parts.mt_s
    if nominal is None or parts.rate is None:
        raise BandwidthError(f"{text!r} has no rate", f"add one, such as {example}{_speeds_hint(family)}")
    if parts.is_clock and family.rate_unit == "Gbps":
        return _rates_of_clock(text, family, parts, nominal, said)
    if not parts.rate_unit and family.rate_unit == "Gbps" and parts.rate < family.lowest_mt_s:
        raise BandwidthError(
            f"{text!r}: the rate {format_decimal(parts.rate, 4)} has no unit",
            "write the unit of the rate, such as 14Gbps",
        )
    if parts.is_clock and not _is_standard(family, nominal) and _speed_of_clock(family, nominal) is not None:
        raise BandwidthError(f"{text!r}: {format_decimal(nominal)} MHz is a clock", _range_hint(family, nominal))
    if not family.lowest_mt_s <= nominal <= family.highest_mt_s:
        raise BandwidthError(f"{family.name} does not exist at {_rate_words(nominal)}", _range_hint(family, nominal))
    if parts.is_clock and family.clock_transfers != 1:
        said.warn(f"{format_decimal(nominal)} MHz is taken as MT/s, as on module labels; the clock is half of that")
    if family.speeds_mt_s and not _is_standard(family, nominal):
        said.note(f"{format_decimal(nominal)} MT/s is not one of {family.name}'s standard speeds")
    return [nominal]


def _rates_of_clock(text: str, family: MemoryFamily, parts: Parts, clock_mhz: Fraction, said: _Said) -> list[Fraction]:
    """Return the family's rates that MHz may stand for: of a graphics memory, programs print several clocks."""
    rates = [
        clock_mhz * transfers
        for transfers in family.mhz_transfers
        if family.lowest_mt_s <= clock_mhz * transfers <= family.highest_mt_s
    ]
    if not rates:
        raise BandwidthError(
            f"{text!r}: a clock in MHz does not give the data rate of {family.name}",
            "state the rate in Gbps per pin, or use --clock F --transfers N",
        )
    if len(rates) == 1 and rates[0] != clock_mhz:
        gbps, times = format_decimal(rates[0] / 1000, 4), format_decimal(rates[0] / clock_mhz)
        said.warn(f"{parts.rate_text} is taken as a clock with {times} transfers: {gbps} Gbps per pin")
    elif len(rates) == 1:
        said.warn(f"{parts.rate_text} is taken as the data rate per pin: the clock is lower")
    return rates


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
    return f"it exists at {lowest} to {highest}{_speeds_hint(family)}"


def _speeds_hint(family: MemoryFamily) -> str:
    return f" (its speeds: {', '.join(map(str, family.speeds_mt_s))})" if family.speeds_mt_s else ""


def _rate_words(rate_mt_s: Fraction) -> str:
    return f"{format_decimal(rate_mt_s)} MT/s"


def _sockets(text: str, parts: Parts, counts: Counts, said: _Said) -> int:
    if parts.sockets is not None and counts.sockets is not None:
        raise UsageError(f"{text!r} and --sockets both state the number of sockets", "use one of the two")
    sockets = parts.sockets or counts.sockets or 1
    if parts.is_socket_guessed:
        said.warn(f"x{parts.units} x{sockets} is taken as {parts.units} units in each of {sockets} sockets")
    if sockets > 1 and parts.modules is not None and parts.units is None and counts.channels is None:
        raise BandwidthError(f"{text!r} does not state the channels per socket", "add them, such as x8")
    return sockets


def _width_and_units(
    text: str, family: MemoryFamily, nominal: Fraction, parts: Parts, counts: Counts, said: _Said
) -> tuple[int, int, str]:
    """Return the bits of one unit, the number of units of one socket, and the unit's name."""
    total_bits = _total_width(text, family, nominal, parts, counts, said)
    if total_bits is not None:
        return _split_width(family, total_bits)
    is_narrow = not family.unit and parts.unit == "channel"  # LPDDR's channels have 16 bits, or what a maker calls one
    units = parts.units if is_narrow else count_units(text, parts, counts, family.unit)
    unit_bits = counts.width_bits
    if unit_bits is not None:
        return unit_bits, units or 1, family.unit or "channel"
    if not family.unit:
        if parts.units is not None and parts.unit == "channel":
            each = _widths(family, nominal, (parts.units * bits for bits in (family.width_bits, *MODULE_WIDTHS_BITS)))
            raise BandwidthError(
                f"{text!r} does not state the width of a channel", f"write the width of the bus: {each}"
            )
        raise BandwidthError(
            f"{text!r} does not state the width of the bus", f"add it: {_widths(family, nominal, family.widths_bits)}"
        )
    if units is None and parts.modules is not None and family.unit == "channel":
        units = _channels_of_modules(text, family, nominal, parts, said)
    return family.width_bits, units or 1, family.unit


def _widths(family: MemoryFamily, nominal: Fraction, widths_bits: Iterable[int]) -> str:
    rate = _exact(family, nominal)
    return ", ".join(
        f"{bits}-bit {format_rate(peak_bytes_per_s(rate, bits, 1, Fraction(family.coding)))} GB/s"
        for bits in widths_bits
    )


def _total_width(
    text: str, family: MemoryFamily, nominal: Fraction, parts: Parts, counts: Counts, said: _Said
) -> int | None:
    """Return the bits of the whole bus where the text states them, by themselves or as so many of each unit."""
    bits, units = parts.width_bits, parts.units
    states_options = counts.channels is not None or counts.width_bits is not None
    if states_options and (parts.part_bits is not None or bits is not None):
        raise BandwidthError(f"{text!r}: the bus width already counts all units", "omit the other figure")
    if parts.part_bits is not None:
        _refuse_check_bits(text, family, parts.part_bits)
        return parts.part_bits * (units or 1)
    if bits is None:
        return None if family.unit or states_options else _width_of_count(family, parts, said)
    _refuse_check_bits(text, family, bits)
    if units in (None, 1):
        return bits
    in_all, of_each = _may_be_total(family, parts, bits, units), _may_be_each(family, parts, bits)
    if in_all and of_each:
        shapes = (_split_width(family, bits), _split_width(family, bits * units))
        both = (_peak(text, family, nominal, shape, _Said()) for shape in shapes)
        raise ambiguous(text, f"{bits} bits can mean the whole bus or each channel", both)
    if not in_all and not of_each:
        raise BandwidthError(f"{text!r}: the bus width already counts all units", "omit the other figure")
    return bits if in_all else bits * units


def _may_be_total(family: MemoryFamily, parts: Parts, bits: int, units: int) -> bool:
    if family.unit or not parts.unit:
        return bits == family.width_bits * units
    return bits % units == 0 and bits // units >= family.width_bits


def _may_be_each(family: MemoryFamily, parts: Parts, bits: int) -> bool:
    if family.unit:
        return bits == family.width_bits or (family.unit == "channel" and bits in MODULE_WIDTHS_BITS)
    return bits == family.width_bits or (bool(parts.unit) and bits <= max(MODULE_WIDTHS_BITS))


def _width_of_count(family: MemoryFamily, parts: Parts, said: _Said) -> int | None:
    """Return the bits of a bus that a count states: chips of GDDR, `x64` of LPDDR, a computer's two channels."""
    units = parts.units
    if units is None:
        return None
    if not parts.unit and units in family.widths_bits and units > max(family.width_bits, MODULE_WIDTHS_BITS[0] - 1):
        said.warn(f"x{units} is taken as the width of the bus in bits")
        return units
    if not parts.unit and family.rate_unit == "Gbps" and units <= _MOST_CHIPS:
        said.warn(f"x{units} is taken as {units} chips of {family.width_bits} bits")
        return units * family.width_bits
    if parts.unit == "channel" and family.rate_unit == "MT/s" and parts.is_dual:
        said.warn("dual channel is taken as two channels of 64 bits")
        return 2 * max(MODULE_WIDTHS_BITS)
    return None


def _refuse_check_bits(text: str, family: MemoryFamily, bits: int) -> None:
    if family.unit == "channel" and bits in ECC_WIDTHS_BITS:
        raise BandwidthError(f"{text!r}: {bits} bits include ECC", "ECC bits carry no data: write 64-bit")


def _channels_of_modules(text: str, family: MemoryFamily, nominal: Fraction, parts: Parts, said: _Said) -> int:
    """Return the channels that a number of modules fills: one each, two at most where nothing says there are more."""
    modules = parts.modules or 1
    channels = max(modules // (parts.modules_per_channel or 1), 1)
    is_server = family.name == "MRDIMM" or any(
        word.lower().replace("-", "") in _SERVER_MODULES for word in parts.dropped
    )
    is_desktop = not is_server and modules <= _MOST_ON_TWO_CHANNELS and not parts.may_be_channels
    is_shop = parts.is_kit_of_shop and family.name != "MRDIMM" and modules <= _MOST_IN_A_KIT
    if channels > _DESKTOP_CHANNELS and parts.modules_per_channel is None and (is_shop or is_desktop):
        said.warn(f"{modules} modules are taken as 2 channels, as on desktops: write x{modules} for {modules}")
        return _DESKTOP_CHANNELS
    is_one_each = is_server and parts.modules_per_channel in (None, 1) and modules <= _SERVER_CHANNELS[family.name]
    if channels <= _DESKTOP_CHANNELS or is_one_each or (parts.modules_per_channel is not None and not is_server):
        if channels > 1:
            said.warn(f"{modules} modules are taken as {channels} channels")
        return channels
    counted = sorted({_DESKTOP_CHANNELS if parts.may_be_channels else modules // 2, channels, modules})
    shapes = ((family.width_bits, count, family.unit) for count in counted)
    readings = (_peak(text, family, nominal, shape, _Said()) for shape in shapes)
    raise ambiguous(text, f"{modules} modules do not give the number of channels", readings)


def _split_width(family: MemoryFamily, total_bits: int) -> tuple[int, int, str]:
    if family.unit and total_bits % family.width_bits == 0:
        return family.width_bits, total_bits // family.width_bits, family.unit
    return total_bits, 1, "bus"


def _memory_name(memory: Memory, nominal: Fraction) -> str:
    in_gbps = memory.rate_unit == "Gbps"
    rate = f" {format_decimal(nominal / 1000, 4)}Gbps" if in_gbps else f"-{format_decimal(nominal)}"
    is_counted = memory.unit in ("channel", "stack")
    width = "" if is_counted else f" {memory.width_bits}-bit"
    return f"{memory.family}{rate}{width}" + (f" x{memory.units}" if memory.units > 1 else "")
