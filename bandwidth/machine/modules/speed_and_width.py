"""How fast the modules run, and how wide the memory is: the firmware's figures held against what is sold.

Before SMBIOS 3.1 the fields of the speed were in MHz, and some firmware writes the clock to this day; some writes twice
the rate. The width is DDR's by its channels and LPDDR's by the stated widths, held against the processor's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bandwidth.catalog import current_catalog
from bandwidth.catalog.processors import ProcessorFamily
from bandwidth.machine.modules.channels import CAMM_FORMS
from bandwidth.machine.smbios import Module

_ROUNDING_MT_S = 2  # 933 MHz is written for 933.33: twice that is 1866, 1867 and 1866.67


@dataclass(frozen=True)
class Speed:
    """A speed of all modules, None where they differ or it is in doubt; what was taken, or why not, in words."""

    mt_s: int | None = None
    note: str = ""
    doubt: str = ""


@dataclass(frozen=True)
class _Sold:
    """The slowest and fastest speed that a family is sold at, in MT/s, and its standard's bins.

    `runs_slowest` says whether the processor is documented to run the slowest; None where that is not known.
    """

    family: str
    slowest: int
    fastest: int
    bins: tuple[int, ...]
    runs_slowest: bool | None
    most: int | None


def rated_speed(modules: Sequence[Module], processor: ProcessorFamily | None) -> Speed:
    """Return the speed that all modules are rated for; a clock in MHz is taken twice."""
    rated = {module.rated_mt_s for module in modules}
    if len(rated) != 1 or (speed := rated.pop()) is None:
        return Speed()
    sold = _sold(modules, processor)
    if sold is None or sold.slowest <= speed <= sold.fastest:
        return Speed(speed)
    if speed > sold.fastest:
        return Speed(doubt=f"{speed} is above the fastest {sold.family} on the market ({sold.fastest} MT/s)")
    return _twice(speed, None, replace(sold, most=None))  # modules may be faster than what the processor runs


def configured_speed(modules: Sequence[Module], processor: ProcessorFamily | None) -> Speed:
    """Return the speed that all modules run at.

    A figure below the slowest speed that is sold is a clock in MHz: twice that is the speed, where it is a standard
    one that neither the rated speed nor the processor contradicts. Instead of a figure above the fastest, the rated
    one is taken.
    """
    configured = {module.configured_mt_s for module in modules}
    if len(configured) != 1 or (speed := configured.pop()) is None:
        return Speed()
    sold = _sold(modules, processor)
    if sold is None:
        return Speed(speed)
    known = [module.rated_mt_s for module in modules if module.rated_mt_s is not None]
    rated = min((one if one >= sold.slowest else 2 * one for one in known), default=None)
    if speed > sold.fastest:
        return _rated_instead(speed, rated, sold)
    if speed < sold.slowest:
        return _twice(speed, rated, sold)
    return _slowest(speed, rated, sold) if speed <= sold.bins[0] + _ROUNDING_MT_S else Speed(speed)


def _slowest(speed: int, rated: int | None, sold: _Sold) -> Speed:
    """Return what the slowest bin means, which a clock may be too: DDR3-800 or the 800 MHz of DDR3-1600.

    On modules rated for twice that it is a setting that nobody chooses, unless the processor goes down to it.
    """
    half = rated is not None and rated >= 2 * speed - _ROUNDING_MT_S
    if half and not sold.runs_slowest:
        return _twice(speed, rated, sold)
    if half or (sold.family == "DDR3" and sold.runs_slowest is None):
        return Speed(doubt=f"{speed} can be the speed in MT/s, or the clock in MHz of twice that speed")
    return Speed(speed)


def _twice(speed: int, rated: int | None, sold: _Sold) -> Speed:
    twice = _bin(2 * speed, rated, sold)
    below = f"{speed} is below the slowest {sold.family} for this processor ({sold.slowest} MT/s)"
    if speed >= sold.slowest:
        below = f"{speed} is half of the modules' rated speed"
    if twice is None:
        return Speed(doubt=f"{below}, and twice that is not a standard speed")
    if rated is not None and twice > rated + _ROUNDING_MT_S:
        return Speed(doubt=f"{below}, and twice that is above the rated {rated} MT/s")
    if sold.most is not None and twice > sold.most + _ROUNDING_MT_S:
        return Speed(doubt=f"{below}, and twice that is above the processor's {sold.most} MT/s")
    return Speed(twice, f"{below}: taken as a clock in MHz, so doubled")


def _bin(twice: int, rated: int | None, sold: _Sold) -> int | None:
    """Return the speed that twice a clock is: a standard one (2 x 933 is 1866) or the rated one, None for neither."""
    for speed in (*sold.bins, rated):
        if speed is not None and abs(twice - speed) <= _ROUNDING_MT_S:
            return speed
    return None


def _rated_instead(speed: int, rated: int | None, sold: _Sold) -> Speed:
    above = f"{speed} is above the fastest {sold.family} on the market ({sold.fastest} MT/s)"
    if rated is None or not sold.slowest <= rated <= sold.fastest:
        return Speed(doubt=f"{above}, and no rated speed is stated to replace it")
    return Speed(rated, f"{above}: the rated {rated} MT/s is used")


def _sold(modules: Sequence[Module], processor: ProcessorFamily | None) -> _Sold | None:
    """Return the speeds at which the modules' family is sold; nothing for LPDDR, HBM and modules of several kinds."""
    kinds = {module.type for module in modules}
    family = next((family for family in current_catalog().families if kinds == {family.name}), None)
    if family is None or family.slowest_sold_mt_s is None or family.fastest_sold_mt_s is None:
        return None
    slowest, most, runs_slowest = family.slowest_sold_mt_s, None, None
    if family.name == "DDR3" and processor is not None and processor.slowest_ddr3_mt_s is not None:
        runs_slowest, most = processor.slowest_ddr3_mt_s <= slowest, processor.fastest_ddr3_mt_s
        slowest = slowest if runs_slowest else family.speeds_mt_s[1]  # no DDR3-800 was sold for it any more
    return _Sold(family.name, slowest, family.fastest_sold_mt_s, family.speeds_mt_s, runs_slowest, most)


# --- width ----------------------------------------------------------------------------------------------------------

DDR_WIDTH_BITS = 64  # a channel of DDR to DDR5, without ECC; DDR5's two halves together
# Some firmware counts the bits of ECC among the data (72; DDR5 80).
_STATED_FOR_A_CHANNEL = {DDR_WIDTH_BITS, 72, 80, None}
# Without a known processor: LPDDR is listed by package; wider sums are a firmware that gives each the width of all,
# narrower ones may be a firmware that states half of it (Ice Lake's, Renoir's).
_WIDEST_LPDDR_BITS = 256
_NARROWEST_SURE_LPDDR_BITS = 128
_LPCAMM2_BITS = 128  # JESD318


@dataclass(frozen=True)
class Width:
    """The data width of all channels together, None in doubt; what was taken, or why there is a doubt, in words."""

    bits: int | None = None
    note: str = ""
    doubt: str = ""


def ddr_width(modules: Sequence[Module], channels: int) -> Width:
    """Return the width of DDR on so many channels; a module of another width than a channel's is a doubt."""
    odd = {module.data_width_bits for module in modules} - _STATED_FOR_A_CHANNEL
    if odd:
        widths = " and ".join(str(width) for width in sorted(width for width in odd if width is not None))
        return Width(doubt=f"the firmware states modules of {widths} bit, which is not the width of a channel")
    return Width(channels * DDR_WIDTH_BITS)


def lpddr_width(modules: Sequence[Module], family: ProcessorFamily | None, sockets: int) -> Width:
    """Return the width of LPDDR: the sum of the stated widths, where it is what the processor has."""
    widths = [module.data_width_bits for module in modules]
    documented = None if family is None or family.lpddr_bits is None else family.lpddr_bits * sockets
    if len(modules) == 1 and modules[0].form_factor in CAMM_FORMS:
        return Width(documented or _LPCAMM2_BITS, "a CAMM carries 128 data lines")
    if None in widths:
        return Width(doubt="the firmware does not state the width of every package")
    total = sum(width for width in widths if width is not None)
    if family is None or documented is None:
        return _by_sum(set(widths), len(modules), total)
    if total == documented:
        return Width(total)
    if _states_half(modules, family, documented):
        return Width(
            documented, f"this processor's firmware states half of each LPDDR4 channel's width: {documented} bit"
        )
    return Width(doubt=f"the stated widths add up to {total} bit, but the processor has {documented}")


def _states_half(modules: Sequence[Module], family: ProcessorFamily, documented: int) -> bool:
    """Return whether every entry is one of those that this family's firmware states half as wide as they are."""
    entry = family.lpddr_entry_bits
    return (
        entry is not None
        and entry * len(modules) == documented
        and all(2 * (module.data_width_bits or 0) == entry for module in modules)
        and all((module.type or "").startswith("LPDDR4") for module in modules)
    )


def _by_sum(widths: set[int | None], modules: int, total: int) -> Width:
    """Return the sum where it can be believed beside an unknown processor."""
    sure = widths <= {16, 32, DDR_WIDTH_BITS} and _NARROWEST_SURE_LPDDR_BITS <= total <= _WIDEST_LPDDR_BITS
    # Four packages of 64 bits may be one 64-bit bus each, or one width written four times.
    doubtful = DDR_WIDTH_BITS in widths and modules > 2
    if sure and not doubtful:
        return Width(total)
    return Width(doubt="the module widths stated by the firmware are unreliable")
