"""Every parse and every format of a unit: bytes, seconds, hertz, transfers, bytes and operations per second, shares.

Inside the package a quantity is a plain number in the unit that its name ends with (`_bytes`, `_s`, `_mt_s`,
`_bytes_per_s`). Text becomes a number here on the way in and text again here on the way out.
Numbers from the user are kept as exact fractions, because 2933 1/3 MT/s has no exact float.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from bandwidth.errors import BandwidthError

# A number's digits and exponent are bounded, so that no text can make the arithmetic hang (1e300000000).
_NUMBER = r"(?P<number>[0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,2})?)"
_QUANTITY = re.compile(rf"\s*{_NUMBER}\s*(?P<unit>[A-Za-z/%]*)\s*", re.ASCII)

KIBI = 1024
LONGEST_SHOWN = 60
BYTES_PER_SIZE_UNIT: dict[str, int] = {
    "B": 1,
    **{f"{prefix}B": 1000**power for power, prefix in enumerate("kMGTP", start=1)},
    **{f"{prefix}iB": KIBI**power for power, prefix in enumerate("KMGTP", start=1)},
}
BITS_PER_BYTE = 8
# In bits, which all are a whole number of: `Gb/s`, as networks and links are sold by, is an eighth of `GB/s`.
BITS_PER_S_PER_RATE_UNIT = {
    **{f"{unit}/s": factor * BITS_PER_BYTE for unit, factor in BYTES_PER_SIZE_UNIT.items()},
    **{f"{unit[:-1]}b/s": factor for unit, factor in BYTES_PER_SIZE_UNIT.items()},
}
DEFAULT_RATE_UNIT = "GB/s"
_COUNTED = r"(?P<counted>b|bits?|bytes?)(?P<end>/s|ps)"
# This and the size in bits below are compiled where they are needed: a table is to appear at once.
_MEANT_AS_RATE = rf"\s*[0-9].*{_COUNTED}\s*"
RATE_UNIT_HINT = "choose from GB/s, GiB/s, MB/s, MiB/s, TB/s; in bits Gb/s, Mb/s, Tb/s"
_RATE_UNIT = re.compile(rf"(?P<prefix>(?:[kmgtp]i?)?){_COUNTED}", re.ASCII | re.IGNORECASE)

_PREFIXES = {unit[:-1].lower(): unit[:-1] for unit in BYTES_PER_SIZE_UNIT}
# `512Mb` and `16Gb` are how memory chips are sold, in bits; all in small letters nobody minded the case.
_SIZE_IN_BITS = r"[KMGTP]i?b"
_SIZE_UNITS = {unit.lower(): factor for unit, factor in BYTES_PER_SIZE_UNIT.items()} | {
    "": 1,
    **{prefix: KIBI**power for power, prefix in enumerate("kmgtp", start=1)},  # dd's and likwid's 512M
}
_SECONDS_PER_UNIT = {
    "": Fraction(1),
    "s": Fraction(1),
    "ms": Fraction(1, 1000),
    "us": Fraction(1, 10**6),
    "ns": Fraction(1, 10**9),
    "min": Fraction(60),
    "h": Fraction(3600),
}
_MHZ_PER_UNIT = {"hz": Fraction(1, 10**6), "khz": Fraction(1, 1000), "mhz": Fraction(1), "ghz": Fraction(1000)}
# A pin moves one bit a transfer, so Gbit/s a pin and GT/s are the same number.
_MT_S_PER_UNIT = {
    "mt/s": Fraction(1),
    "mts": Fraction(1),
    "mbps": Fraction(1),
    "mbit/s": Fraction(1),
    "gt/s": Fraction(1000),
    "gts": Fraction(1000),
    "gbps": Fraction(1000),
    "gbit/s": Fraction(1000),
}
_FLOPS_PER_UNIT = {
    f"{prefix}{name}": 1000**power
    for power, prefix in enumerate(("", "k", "m", "g", "t", "p"))
    for name in ("", "flop", "flops", "flop/s", "flops/s")
}
_PER_PERCENT = Fraction(1, 100)


def parse_size_bytes(text: str) -> int:
    """Return the bytes of a size such as `512MiB`, `1GB`, `4096` or `2G` (a bare letter is binary, as in dd).

    Raises BandwidthError where it is no size, is zero, or is not a whole number of bytes.
    """
    match = _QUANTITY.fullmatch(text)
    if match is not None and re.fullmatch(_SIZE_IN_BITS, match["unit"]):
        raise BandwidthError(f"{_shown(text)} means bits", f"write {match['number']}{match['unit'][:-1]}B for bytes")
    size = _parse(text, _SIZE_UNITS, "a size", "write it as 512MiB, 1GB or 4096")
    if size.denominator != 1 or size <= 0:
        raise BandwidthError(f"{_shown(text)} is not a whole number of bytes above zero", "write it as 512MiB or 1GB")
    return int(size)


def parse_moved_bytes(text: str) -> int:
    """Return the bytes of a size that is to be moved. Raises as `parse_size_bytes`, and for `70B`: a slip for 70GB."""
    size = parse_size_bytes(text)
    if size < BYTES_PER_SIZE_UNIT["kB"] and text.rstrip()[-1:] in "bB":
        number = text.strip().rstrip("bB ")
        raise BandwidthError(f"{_shown(text)} is {size} bytes", f"did you mean {number}GB? Write {size} for bytes")
    return size


def parse_duration_s(text: str) -> float:
    """Return the seconds of a duration such as `15s`, `500ms` or `2min`. Raises BandwidthError, also for zero."""
    return float(_positive(text, _parse(text, _SECONDS_PER_UNIT, "a duration", "write it as 15s, 500ms or 2min")))


def parse_clock_mhz(text: str) -> Fraction:
    """Return the megahertz of a clock such as `1466.67MHz`, its unit included. Raises BandwidthError, also for zero."""
    return _positive(text, _parse(text, _MHZ_PER_UNIT, "a clock", "write it with its unit, such as 1466.67MHz"))


def parse_rate_mt_s(text: str) -> Fraction:
    """Return the mega-transfers per second of a rate such as `2933MT/s`, `16GT/s` or `14Gbps` (a pin).

    The unit is needed. Raises BandwidthError, also for zero and for bytes (`14GBps`): a pin moves bits.
    """
    what, hint = "a data rate", "write it with its unit: 2933MT/s or 14Gbps"
    match = _QUANTITY.fullmatch(text)
    if match is not None and re.fullmatch("[A-Za-z]?B(?:ps|/[sS])", match["unit"]):
        raise BandwidthError(f"{_shown(text)} is in bytes, not {what}", hint)
    return _positive(text, _parse(text, _MT_S_PER_UNIT, what, hint))


def parse_rate_bytes_per_s(text: str) -> float:
    """Return the bytes per second of a rate such as `90GB/s` or `1.5 TiB/s`, its unit included.

    The case counts: `100Gb/s` are bits, 12.5 GB/s. Raises BandwidthError, also for zero.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None or _RATE_UNIT.fullmatch(match["unit"]) is None:
        raise BandwidthError(f"{_shown(text)} is not a rate", "write it with its unit: 90GB/s or 80GiB/s")
    bits = BITS_PER_S_PER_RATE_UNIT[canonical_rate_unit(match["unit"])]
    return float(_positive(text, Fraction(match["number"]) * bits / BITS_PER_BYTE))


def ends_as_rate(text: str) -> bool:
    """Return whether a text is to be read as a rate, good or bad: from a digit to bits or bytes per second."""
    return re.fullmatch(_MEANT_AS_RATE, text, re.ASCII | re.IGNORECASE | re.DOTALL) is not None


def parse_flops(text: str) -> float:
    """Return the operations per second of `500GFLOP/s`, `2.5 TFLOPS` or `1e12`. Raises BandwidthError, also for 0."""
    return float(
        _positive(text, _parse(text, _FLOPS_PER_UNIT, "an arithmetic peak", "write it as 500GFLOP/s or 2.5TFLOP/s"))
    )


def parse_share(text: str) -> float:
    """Return the share in `95%` or `0.95`. Raises BandwidthError where it is none, or not above 0 and at most 1."""
    what, hint = "a share above 0 and at most 100%", "write it as 95% or 0.95"
    share = _parse(text, {"": Fraction(1), "%": _PER_PERCENT}, what, hint)
    if not 0 < share <= 1:
        raise BandwidthError(f"{_shown(text)} is not {what}", hint)
    return float(share)


def parse_percentage(text: str) -> float:
    """Return the share in `50%`, `0%` or `200%`, its sign included. Raises BandwidthError."""
    return float(_parse(text, {"%": _PER_PERCENT}, "a percentage", "write it as 50%"))


def rate_unit_factor(unit: str) -> float:
    """Return how many bytes per second one `unit` is: an eighth for `b/s`. Raises BandwidthError."""
    return BITS_PER_S_PER_RATE_UNIT[canonical_rate_unit(unit)] / BITS_PER_BYTE


@lru_cache(maxsize=64)
def canonical_rate_unit(unit: str) -> str:
    """Return `unit` as it is usually written: `gB/S` as `GB/s`, `Gbit/s` and `Gbps` as `Gb/s`.

    B is bytes and b is bits. Raises BandwidthError for no unit, and for one that does not tell which: `gb/s`, `MBPS`.
    """
    match = _RATE_UNIT.fullmatch(unit)
    if match is None:
        raise BandwidthError(f"{_shown(unit)} is not a unit of bandwidth", RATE_UNIT_HINT)
    prefix = "" if not match["prefix"] else _PREFIXES[match["prefix"].lower()]
    if _tells_bits_from_bytes(match):
        is_bytes = match["counted"].startswith("B") or match["counted"].lower().startswith("byte")
        is_spelled_bits = match["counted"].lower().startswith("bit")
        return f"{prefix}{'B' if is_bytes and not is_spelled_bits else 'b'}/s"
    raise BandwidthError(
        f"{_shown(unit)} can mean bytes or bits per second", f"write {prefix}B/s for bytes or {prefix}b/s for bits"
    )


def _tells_bits_from_bytes(match: re.Match[str]) -> bool:
    """Return whether a unit's upper and lower case can be relied on: in `gb/s` and `MBPS` it was not minded."""
    if len(match["counted"]) > 1:
        return True
    if match["end"].lower() == "ps":  # bits as a rule, with a small b; GBps is written for bytes
        return match["counted"] == "b" or match["end"] == "ps"
    return match["counted"] == "B" or not match["prefix"] or match["prefix"] == "k" or match["prefix"][0].isupper()


def format_rate(bytes_per_s: float | Fraction, unit: str = DEFAULT_RATE_UNIT) -> str:
    """Return the number of `unit`s with two decimals and thousands set apart, without the unit: `93,866.67`."""
    numerator, denominator = bytes_per_s.as_integer_ratio()  # whole numbers are divided without loss, and fast
    bits_per_unit = BITS_PER_S_PER_RATE_UNIT[canonical_rate_unit(unit)]
    return f"{numerator * BITS_PER_BYTE / (denominator * bits_per_unit):,.2f}"


def format_size(size_bytes: int | float) -> str:
    """Return a size in the largest binary unit that leaves at least 1, such as `512 MiB` or `1.5 GiB`."""
    size, units = float(size_bytes), ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
    for unit in units:
        if size < KIBI or unit == units[-1]:
            return f"{_trimmed(size)} {unit}"
        size /= KIBI
    raise AssertionError("unreachable: the last unit always returns")


def format_decimal_size(size_bytes: float) -> str:
    """Return a size in decimal units, as rates are: `47.04 MB`, `140 GB`."""
    rounded = float(f"{size_bytes:.4g}")
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if rounded >= factor:
            return f"{format_decimal(rounded / factor)} {unit}"
    return f"{rounded:.0f} B"


def size_option(size_bytes: int) -> str:
    """Return a size as an option takes it, without loss: `1920MiB` where it is whole MiB, else the bytes."""
    mebibyte = KIBI**2
    return f"{size_bytes // mebibyte}MiB" if size_bytes % mebibyte == 0 else str(size_bytes)


def format_duration(seconds: float) -> str:
    """Return a duration with three significant digits and a fitting unit, such as `1.49 s` or `20.1 ms`."""
    if seconds == 0:
        return "0 s"
    rounded = float(f"{seconds:.3g}")  # before the unit is chosen: 0.9999 is 1 s, not 1e+03 ms
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9)):
        if rounded >= factor or unit == "ns":
            return f"{seconds / factor:,.0f} {unit}" if rounded / factor >= 1000 else f"{rounded / factor:.3g} {unit}"
    raise AssertionError("unreachable: the last unit always returns")


def format_decimal(value: Fraction | float, places: int = 2) -> str:
    """Return a number with at most `places` decimals and no trailing zeros: `2933.33`, `3200`."""
    text = f"{float(value):.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_percent(share: float) -> str:
    """Return a share as a percentage with one decimal, `0.762` as `76.2 %`."""
    return f"{share * 100:.1f} %"


def _parse(text: str, factors: dict[str, int] | dict[str, Fraction], what: str, hint: str) -> Fraction:
    """Return the number times its unit's factor; a unit that `factors` has in lower case may be written in any."""
    match = _QUANTITY.fullmatch(text)
    factor = None if match is None else factors.get(match["unit"], factors.get(match["unit"].lower()))
    if match is None or factor is None:
        raise BandwidthError(f"{_shown(text)} is not {what}", hint)
    return Fraction(match["number"]) * factor


def _positive(text: str, value: Fraction) -> Fraction:
    if value <= 0:
        raise BandwidthError(f"{_shown(text)} is zero", "use a number above zero")
    return value


def _shown(text: str) -> str:
    """Return a user's text fit for a one-line message: control characters escaped, long text cut."""
    return ascii(text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "...")


def _trimmed(value: float) -> str:
    return format_decimal(value, 0 if value >= 100 else 1)
