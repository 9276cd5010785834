"""How fast the modules run: the firmware's figures held against the speeds that are sold.

Before SMBIOS 3.1 the fields were in MHz, and some firmware writes the clock to this day; some writes twice the rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bandwidth.catalog import current_catalog
from bandwidth.catalog.processors import ProcessorFamily
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
        return Speed(doubt=f"{speed} is above the fastest {sold.family} that is sold ({sold.fastest} MT/s)")
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
        return Speed(doubt=f"{speed} may be the speed in MT/s, or the clock in MHz of twice that")
    return Speed(speed)


def _twice(speed: int, rated: int | None, sold: _Sold) -> Speed:
    twice = _bin(2 * speed, rated, sold)
    below = f"{speed} is below the slowest {sold.family} that is sold here ({sold.slowest} MT/s)"
    if speed >= sold.slowest:
        below = f"{speed} is half of what the modules are rated for"
    if twice is None:
        return Speed(doubt=f"{below}, and twice that is no standard speed")
    if rated is not None and twice > rated + _ROUNDING_MT_S:
        return Speed(doubt=f"{below}, and twice that is above the rated {rated} MT/s")
    if sold.most is not None and twice > sold.most + _ROUNDING_MT_S:
        return Speed(doubt=f"{below}, and twice that is above the processor's {sold.most} MT/s")
    return Speed(twice, f"{below}: a clock in MHz, taken twice")


def _bin(twice: int, rated: int | None, sold: _Sold) -> int | None:
    """Return the speed that twice a clock is: a standard one (2 x 933 is 1866) or the rated one, None for neither."""
    for speed in (*sold.bins, rated):
        if speed is not None and abs(twice - speed) <= _ROUNDING_MT_S:
            return speed
    return None


def _rated_instead(speed: int, rated: int | None, sold: _Sold) -> Speed:
    above = f"{speed} is above the fastest {sold.family} that is sold ({sold.fastest} MT/s)"
    if rated is None or not sold.slowest <= rated <= sold.fastest:
        return Speed(doubt=f"{above}, and no rated speed is stated that could stand for it")
    return Speed(rated, f"{above}: the rated {rated} MT/s is taken")


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
