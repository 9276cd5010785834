"""What may stand behind a family's name in a notation: a rate, a bus width, a number of units, in any order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from bandwidth.errors import BandwidthError, UsageError

# Far beyond anything built (a wafer-scale part has some 10^5 bits), and small enough that no figure is absurd.
MAX_UNITS = 65_536
MAX_WIDTH_BITS = 1_048_576
MAX_RATE_MT_S = 1_000_000
MAX_TRANSFERS_PER_CLOCK = 64

_TOKEN = re.compile(
    r"""
      (?P<separator>[\s,@:-]+)
    | (?P<width>[0-9]{1,7})\s*-?\s*bits?(?![a-z/])
    | (?P<count>[0-9]{1,6})\s*-?\s*(?P<unit>channel|ch|stack|lane|link|port)s?(?![a-z])
    | (?P<word>single|dual|triple|quad|hexa|octa)[\s-]*channel(?![a-z])
    | x\s*(?P<units>[0-9]{1,6})(?![0-9.])
    | (?P<times>[0-9]{1,2})x(?![a-z0-9.])
    | (?P<rate>[0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(?P<rate_unit>MT/s|MTs|GT/s|GTs|Gbps|Gb/s|Gbit/s|Mbps|MHz)?(?![a-wyz0-9.])
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
MT_S_PER_RATE_UNIT = {
    "mt/s": 1, "mts": 1, "mbps": 1, "mhz": 1, "gt/s": 1000, "gts": 1000, "gbps": 1000, "gb/s": 1000, "gbit/s": 1000,
}  # fmt: skip
CHANNELS_BY_WORD = {"single": 1, "dual": 2, "triple": 3, "quad": 4, "hexa": 6, "octa": 8}
EXAMPLES = "write it as DDR4-2933 x4, GDDR6 14Gbps 256-bit, HBM3 6.4Gbps x5 or PCIe 4.0 x16"


@dataclass(frozen=True)
class Counts:
    """What the options say beside the SPEC: units (channels, stacks, lanes), bits of one unit, sockets; None: not said.

    Raises UsageError for a number that is zero, negative or absurd.
    """

    channels: int | None = None
    width_bits: int | None = None
    sockets: int | None = None

    def __post_init__(self) -> None:
        check_count("--channels", self.channels, MAX_UNITS)
        check_count("--width", self.width_bits, MAX_WIDTH_BITS)
        check_count("--sockets", self.sockets, MAX_UNITS)


@dataclass
class Parts:
    """What stood after the family's name."""

    rate: Fraction | None = None
    rate_unit: str = ""
    total_width_bits: int | None = None
    units: int | None = None
    unit: str = ""


def read_parts(rest: str, text: str) -> Parts:
    """Read what stands behind the family's name. Raises BandwidthError for anything left over or said twice."""
    parts, position = Parts(), 0
    while position < len(rest):
        match = _TOKEN.match(rest, position)
        if match is None:
            raise BandwidthError(f"{text!r}: {rest[position:].strip()!r} is not understood", EXAMPLES)
        if match["separator"] is None:
            _take(parts, match, text)
        position = match.end()
    return parts


def _take(parts: Parts, match: re.Match[str], text: str) -> None:
    if match["width"] is not None:
        _refuse_twice(parts.total_width_bits, "widths", text)
        parts.total_width_bits = _bounded(int(match["width"]), MAX_WIDTH_BITS, "bits wide", text)
    elif (number := match["count"] or match["units"] or match["times"]) is not None:
        _refuse_twice(parts.units, "numbers of units", text)
        parts.units = _bounded(int(number), MAX_UNITS, "units", text)
        unit = (match["unit"] or "").lower()
        parts.unit = "channel" if unit == "ch" else unit
    elif match["word"] is not None:
        _refuse_twice(parts.units, "numbers of units", text)
        parts.units, parts.unit = CHANNELS_BY_WORD[match["word"].lower()], "channel"
    else:
        _refuse_twice(parts.rate, "rates", text)
        unit = match["rate_unit"] or ""
        if unit.endswith(("B/s", "B/S", "Bps")):
            raise BandwidthError(f"{text!r}: {match[0].strip()!r} is a bandwidth, not a pin's rate", "write Gbps")
        parts.rate, parts.rate_unit = Fraction(match["rate"]), unit.lower()


def _refuse_twice(earlier: object, what: str, text: str) -> None:
    if earlier is not None:
        raise BandwidthError(f"{text!r} states two {what}", "give one")


def _bounded(number: int, most: int, what: str, text: str) -> int:
    if not 1 <= number <= most:
        raise BandwidthError(f"{text!r}: {number:,} {what} is not possible", f"give 1 to {most:,}")
    return number


def check_count(option: str, number: int | None, most: int) -> None:
    """Raise UsageError where an option's number is not in 1 to `most`."""
    if number is not None and not 1 <= number <= most:
        raise UsageError(f"{option} {number} is not possible", f"give 1 to {most:,}")


def count_units(text: str, parts: Parts, counts: Counts, unit: str) -> int | None:
    """Return the number of units that the text or the options state, or None; `unit` is what the family counts.

    Raises UsageError where both state it, BandwidthError where the text counts something else.
    """
    if parts.units is not None and counts.channels is not None:
        raise UsageError(f"{text!r} states the number of units, and so does --channels", "give one of the two")
    if parts.unit and parts.unit != unit:
        known = f"its units are {unit}s" if unit else "give its bus width, such as 128-bit"
        raise BandwidthError(f"{text!r} has no {parts.unit}s", known)
    return parts.units if parts.units is not None else counts.channels
