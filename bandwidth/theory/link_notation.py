"""Links: from a generation's name and a number of lanes, links or ports to a configured link and its peak.

A name is looked up, not matched: the longest beginning of the text that is one of the names of specs/links.toml,
where case does not matter, nor do spaces and hyphens, save between two digits ("PCIe 4 16 lanes" is not PCIe 416).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache

from bandwidth.catalog import Catalog
from bandwidth.catalog.model import Link, LinkGeneration
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.theory.formula import MT_PER_GT, Peak
from bandwidth.theory.link_peak import link_bytes_per_s, link_peak, link_rate_text
from bandwidth.theory.parts import MT_S_PER_RATE_UNIT, Counts, Parts, count_units
from bandwidth.theory.payload import PAYLOAD_SOURCE, PayloadRange, payload_range
from bandwidth.units import format_decimal, format_rate

_KEPT = re.compile(r"(?<=[0-9])[\s-]+(?=[0-9])|[^\s-]", re.ASCII)
_GENERATION = re.compile(r"[\s-]*(?:gen|v)?[\s-]*(?P<number>[0-9][0-9.]*[a-z]?)", re.IGNORECASE | re.ASCII)
_AFTER_DIGIT = re.compile(r"(?![a-wyz0-9.])", re.IGNORECASE | re.ASCII)
_AFTER_LETTER = re.compile(r"(?![a-z])|x\s*[0-9]", re.IGNORECASE | re.ASCII)
# QPI's 5.87 GT/s is written 5.86, and no two rates of a family are nearer to each other than this.
_RATE_TOLERANCE_MT_S = 10
_SHOWN_UNITS = (1, 4, 8, 16)
_USUAL_LANES = 16


def _squashed(text: str) -> tuple[str, list[int]]:
    """Return a text in lower case without its separators, and where in the text each character of that ends."""
    kept = list(_KEPT.finditer(text))
    return "".join(match[0][0].replace("-", " ").lower() for match in kept), [match.end() for match in kept]


def _key(name: str) -> str:
    return _squashed(name)[0]


@lru_cache(maxsize=1)
def _generations_by_name(catalog: Catalog) -> tuple[dict[str, LinkGeneration], int]:
    """Return every way to write a generation, squashed, and the length of the longest."""
    stated = {_key(name): entry for entry in catalog.links for name in _stated_names(entry)}
    implied = {_key(name): entry for entry in catalog.links for name in _implied_names(entry)}
    by_name = implied | stated  # where a file says what "gen 2" is (USB4's is not USB4 v2), that holds
    return by_name, max(map(len, by_name), default=0)


def _stated_names(entry: LinkGeneration) -> Iterator[str]:
    yield from (entry.name, *entry.names)
    for family in (entry.family, *entry.aliases):
        yield from (f"{family} {generation}" for generation in entry.generations)


def _implied_names(entry: LinkGeneration) -> Iterator[str]:
    """Yield `PCIe gen4` and `PCIe v4`, which go without saying."""
    for family in (entry.family, *entry.aliases):
        for generation in entry.generations:
            if generation[:1].isdigit():
                yield from (f"{family} gen{generation}", f"{family} v{generation}")


@lru_cache(maxsize=1)
def _families_by_name(catalog: Catalog) -> dict[str, str]:
    """Return the families by every way to write them, squashed, the longest first: PCI Express before PCI."""
    names = {_key(name): entry.family for entry in catalog.links for name in (entry.family, *entry.aliases)}
    return dict(sorted(names.items(), key=lambda item: len(item[0]), reverse=True))


def match_link(text: str, catalog: Catalog) -> tuple[LinkGeneration, int] | None:
    """Return the link's generation that a text begins with and where that ends. Raises BandwidthError if unknown."""
    known, longest = _generations_by_name(catalog)
    squashed, ends = _squashed(text)
    for length in range(min(longest, len(squashed)), 0, -1):
        entry = known.get(squashed[:length])
        if entry is not None and _ends_there(text, ends[length - 1]):
            return entry, ends[length - 1]
    _refuse_unknown_generation(text, squashed, ends, catalog)
    return None


def _ends_there(text: str, end: int) -> bool:
    """Return whether a name may end there: not within a number, and before no letter but the x of `x16`."""
    after = _AFTER_DIGIT if text[end - 1].isdigit() else _AFTER_LETTER
    return after.match(text, end) is not None


def _refuse_unknown_generation(text: str, squashed: str, ends: list[int], catalog: Catalog) -> None:
    for name, family in _families_by_name(catalog).items():
        if squashed.startswith(name) and _is_family(text, end := ends[len(name) - 1]):
            raise _unknown_generation(text, family, _GENERATION.match(text, end), catalog)


def _is_family(text: str, end: int) -> bool:
    return re.match(r"gen|v[0-9]|x\s*[0-9]|[^a-z]|$", text[end:].lower()) is not None


def _unknown_generation(text: str, family: str, number: re.Match[str] | None, catalog: Catalog) -> BandwidthError:
    known = "known: " + ", ".join(entry.name for entry in catalog.links if entry.family == family)
    # "USB 3.2" is a generation that needs its second half, and no unknown one.
    if number is None or any(key.startswith(_key(text[: number.end()])) for key in _generations_by_name(catalog)[0]):
        return BandwidthError(f"{text!r} does not say which generation of {family}", known)
    return BandwidthError(f"{family} has no generation {number['number']}", known)


def link_from_parts(text: str, generation: LinkGeneration, parts: Parts, counts: Counts) -> Peak:
    """Return the peak of a link. Raises BandwidthError, and UsageError where options do not fit a link."""
    if counts.width_bits is not None or counts.sockets is not None:
        raise UsageError(f"{text!r} is a link", "--width and --sockets are for memories")
    rate, units = _rate_mt_s(text, generation, parts), _units(text, generation, parts, counts)
    if units is None:
        raise BandwidthError(f"{text!r} does not say how many {generation.unit}s", f"add them: {_readings(generation)}")
    if units not in generation.units:
        raise BandwidthError(
            f"{generation.name} has no x{units}", f"it comes as {', '.join(f'x{count}' for count in generation.units)}"
        )
    link = _link(generation, rate, units)
    payload = _payload(generation, link)
    return link_peak(link, text, _name(generation, rate, units), _notes(generation, payload), payload)


def _link(generation: LinkGeneration, rate_mt_s: Fraction, units: int) -> Link:
    return Link(
        family=generation.family,
        rate_mt_s=rate_mt_s,
        units=units,
        coding=generation.coding,
        source=generation.source,
        unit=generation.unit,
        width_bits=generation.width_bits,
        direction=generation.duplex,
        units_back=generation.units_back,
    )


def _rate_mt_s(text: str, generation: LinkGeneration, parts: Parts) -> Fraction:
    """Return the rate of the generation, or the one of its rates that the text states. Raises BandwidthError."""
    rates = [Fraction(rate) for rate in generation.rates_mt_s]
    if len(rates) == 1:
        if parts.rate is not None:
            raise _refused(text, generation)
        return rates[0]
    if parts.rate is None:
        each = (f"{_gt_s(rate)} {_gb_s(_link(generation, rate, 1))}" for rate in rates)
        raise BandwidthError(f"{text!r} does not say how fast it runs", f"add it: {', '.join(each)}")
    # Rates of links are written in GT/s, so a bare figure is one ("UPI 10.4"), if it is not far too large for that.
    unit = parts.rate_unit or ("gt/s" if parts.rate < MT_PER_GT else "mt/s")
    stated = parts.rate * MT_S_PER_RATE_UNIT[unit]
    nearest = min(rates, key=lambda rate: abs(rate - stated))
    if abs(nearest - stated) >= _RATE_TOLERANCE_MT_S:
        known = ", ".join(map(_gt_s, rates))
        raise BandwidthError(f"{generation.name} does not run at {link_rate_text(stated)}", f"it runs at {known}")
    return nearest


def _units(text: str, generation: LinkGeneration, parts: Parts, counts: Counts) -> int | None:
    units = count_units(text, parts, counts, generation.unit)
    if parts.total_width_bits is None:
        return generation.default_units if units is None else units
    if units is not None or generation.unit != "lane":
        raise _refused(text, generation)
    return parts.total_width_bits  # "HyperTransport 3.1 16-bit": a lane is one bit


def _refused(text: str, generation: LinkGeneration) -> BandwidthError:
    count = _USUAL_LANES if _USUAL_LANES in generation.units else generation.units[-1]
    example = generation.name if generation.unit == "bus" else f"{generation.name} x{count}"
    what = "has one width and rate" if generation.unit == "bus" else f"has {generation.unit}s only"
    return BandwidthError(f"{text!r}: a link {what}", f"write it as {example}")


def _name(generation: LinkGeneration, rate_mt_s: Fraction, units: int) -> str:
    rate = f" {_gt_s(rate_mt_s)}" if len(generation.rates_mt_s) > 1 else ""
    count = "" if units == generation.default_units else f" x{units}"
    return f"{generation.name}{rate}{count}"


def _payload(generation: LinkGeneration, link: Link) -> PayloadRange | None:
    if generation.payload_bytes is None:
        return None
    return payload_range(link_bytes_per_s(link), generation.payload_bytes)


def _notes(generation: LinkGeneration, payload: PayloadRange | None) -> tuple[str, ...]:
    quoted = (generation.quoted,) if generation.quoted else ()
    if payload is None:
        return quoted
    return (*quoted, f"after protocol, {payload.words()}; an expectation, not a ceiling ({PAYLOAD_SOURCE})")


def _gt_s(rate_mt_s: Fraction) -> str:
    return f"{format_decimal(rate_mt_s / MT_PER_GT)}GT/s"


def _gb_s(link: Link) -> str:
    return f"{format_rate(link_bytes_per_s(link))} GB/s"


def _readings(generation: LinkGeneration) -> str:
    rate = Fraction(generation.rates_mt_s[0])
    shown = [units for units in generation.units if units in _SHOWN_UNITS]
    return ", ".join(f"x{units} {_gb_s(_link(generation, rate, units))}" for units in shown)
