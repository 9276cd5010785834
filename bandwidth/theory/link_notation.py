"""Links: from a generation's name and a number of lanes, links or ports to a configured link and its peak.

A name is looked up, not matched: from where a word begins, the longest text that is one of the names of
specs/links.toml, where case does not matter, nor do spaces and hyphens, save between two digits ("PCIe 4 16 lanes" is
not PCIe 416). Where a family stands without its generation, a `Gen3`, a bare figure or the rate of a lane says it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import lru_cache

from bandwidth.catalog import Catalog
from bandwidth.catalog.model import Link, LinkGeneration
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.theory.formula import MT_PER_GT, Peak
from bandwidth.theory.link_peak import (
    PAYLOAD_SOURCE,
    PayloadRange,
    link_bytes_per_s,
    link_peak,
    link_rate_text,
    payload_range,
)
from bandwidth.theory.parts import Counts, Parts, count_units, read_parts
from bandwidth.theory.words import LINK_WORDS, Word, read_words
from bandwidth.units import format_decimal, format_rate

_KEPT = re.compile(r"(?<=[0-9])[\s-]+(?=[0-9])|[^\s-]", re.ASCII)
_GENERATION = re.compile(r"[\s-]*(?:gen|v)?[\s-]*(?P<number>[0-9][0-9.]*[a-z]?)", re.IGNORECASE | re.ASCII)
_AFTER_DIGIT = re.compile(r"(?![a-wyz0-9.]|\s*[MG]T/?s)", re.IGNORECASE | re.ASCII)
_AFTER_LETTER = re.compile(r"(?![a-z])|x\s*[0-9]", re.IGNORECASE | re.ASCII)
# QPI's 5.87 GT/s is written 5.86, and no two rates of a family are nearer to each other than this.
_RATE_TOLERANCE_MT_S = 10
_QUOTED_TOLERANCE = Fraction(1, 20)  # 40 for two lanes of 20.625
_SHOWN_UNITS = (1, 4, 8, 16)
_USUAL_LANES = 16
_PCIE = "PCIe"
# lspci prints the state of a link, and what it is capable of, without the name of it.
_LSPCI = re.compile(r"\bSpeed\s+([0-9.]+\s*GT/s).*?Width\s+x([0-9]{1,2})", re.IGNORECASE | re.ASCII)
# Sockets of drives, which have four lanes.
_FOUR_LANES = re.compile(r"[mu]\.?2|nvme|oculink", re.IGNORECASE)
_DRIVE_LANES = 4
_OCULINK = "OCuLink"
_SURE = 3


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
    """Yield `PCIe gen4`, `PCIe v4` and `HDR InfiniBand`, which go without saying."""
    for family in (entry.family, *entry.aliases):
        for generation in entry.generations:
            if generation[:1].isdigit():
                yield from (f"{family} gen{generation}", f"{family} v{generation}")
            if not generation.replace(".", "").isdigit():
                yield f"{generation} {family}"  # "HDR InfiniBand", "6Gb/s SATA"


@lru_cache(maxsize=1)
def _families_by_name(catalog: Catalog) -> dict[str, str]:
    """Return the families by every way to write them, squashed, the longest first: PCI Express before PCI."""
    names = {_key(name): entry.family for entry in catalog.links for name in (entry.family, *entry.aliases)}
    return dict(sorted(names.items(), key=lambda item: len(item[0]), reverse=True))


@lru_cache(maxsize=1)
def _sure_beginnings(catalog: Catalog) -> frozenset[str]:
    """Return how all names of generations begin; the shortest has more letters."""
    return frozenset(name[:_SURE] for name in _generations_by_name(catalog)[0])


def match_link(text: str, catalog: Catalog, position: int = 0) -> tuple[LinkGeneration, int] | None:
    """Return the link's generation that is named at a place of a text and where its name ends, or None."""
    known, longest = _generations_by_name(catalog)
    squashed, ends = _squashed(text[position : position + 2 * longest])
    if squashed[:_SURE] not in _sure_beginnings(catalog):
        return None
    for length in range(min(longest, len(squashed)), 0, -1):
        entry = known.get(squashed[:length])
        if entry is not None and _ends_there(text, position + ends[length - 1]):
            return entry, position + ends[length - 1]
    return None


@lru_cache(maxsize=16)  # a text that is no notation is read again for its refusal
def link_words(text: str, catalog: Catalog) -> tuple[Word, ...]:
    """Return the words of a text, those that name a link among them: its generation, or its family alone."""
    longest, beginnings = _generations_by_name(catalog)[1], _beginnings(catalog)

    def name_at(text: str, position: int) -> Word | None:
        if text[position].lower() not in beginnings:
            return None
        if (found := match_link(text, catalog, position)) is not None:
            return Word("link", text[position : found[1]], position, found[1], entry=found[0])
        squashed, ends = _squashed(text[position : position + 2 * longest])
        for name, family in _families_by_name(catalog).items():
            if squashed.startswith(name) and _is_family(text, end := position + ends[len(name) - 1]):
                return Word("link family", text[position:end], position, end, entry=family)
        return None

    return tuple(read_words(text, name_at, LINK_WORDS))


@lru_cache(maxsize=1)
def _beginnings(catalog: Catalog) -> frozenset[str]:
    """Return the first letters of all names: most words of a text begin with another one."""
    return frozenset(name[0] for name in (*_generations_by_name(catalog)[0], *_families_by_name(catalog)))


def of_lspci(text: str) -> str:
    """Return the notation of the link in a line of lspci, any other text as it is."""
    match = _LSPCI.search(text)
    return text if match is None else f"{_PCIE} {match[1]} x{match[2]}"


def names_link(word: Word) -> bool:
    """Return whether a word names a link, its family, or a generation by itself (`Gen4 x4` is PCIe)."""
    return word.kind in ("link", "link family", "generation")


def _ends_there(text: str, end: int) -> bool:
    """Return whether a name may end there: not within a number, and before no letter but the x of `x16`."""
    after = _AFTER_DIGIT if text[end - 1].isdigit() else _AFTER_LETTER
    return after.match(text, end) is not None


def _is_family(text: str, end: int) -> bool:
    return re.match(r"gen|v[0-9]|x\s*[0-9]|[^a-z]|$", text[end:].lower()) is not None


def _unknown_generation(
    text: str, family: str, number: re.Match[str] | None, names: list[Word], catalog: Catalog
) -> BandwidthError:
    known = "known: " + ", ".join(entry.name for entry in catalog.links if entry.family == family)
    # "USB 3.2" is a generation that needs its second half, and no unknown one.
    if number is None or any(
        key.startswith(_key(text[names[0].start : number.end()])) for key in _generations_by_name(catalog)[0]
    ):
        return BandwidthError(f"{text!r} does not state the generation of {family}", known)
    return BandwidthError(f"{family} has no generation {number['number']}", known)


def link_from_words(text: str, words: Iterable[Word], counts: Counts, catalog: Catalog) -> Peak:
    """Return the peak of a link. Raises BandwidthError, and UsageError where options do not fit a link."""
    if counts.width_bits is not None or counts.sockets is not None:
        raise UsageError(f"{text!r} is a link", "--width and --sockets apply to memories only")
    listed = list(words)
    names = [word for word in listed if word.kind in ("link", "link family")]
    lanes = [word for word in listed if word.kind == "units"]
    # dmidecode's slots say their lanes twice: "x16 PCI Express 4 x16".
    others = [
        word for word in listed if word not in names and not (word in lanes[1:] and word.number == lanes[0].number)
    ]
    parts = read_parts(others, text, names[0].start if names else len(text))
    is_behind = any(word.kind == "rate" and word.start > names[0].start for word in others) if names else False
    if len({word.number for word in lanes}) > 1:
        raise BandwidthError(f"{text!r} states two numbers of units", "state one")
    if parts.modules is not None or parts.sockets is not None:
        raise BandwidthError(f"{text!r}: a link has no modules and no sockets", "omit them")
    generation = _generation(text, names, parts, catalog, is_behind=is_behind)
    rate = _rate_mt_s(text, generation, parts)
    units, copies = _units(text, generation, parts, counts)
    if units not in generation.units:
        raise BandwidthError(
            f"{generation.name} has no x{units}", f"it exists as {', '.join(f'x{count}' for count in generation.units)}"
        )
    link = _link(generation, rate, units * copies)
    payload = _payload(generation, link)
    name = (f"{copies} x " if copies > 1 else "") + _name(generation, rate, units)
    warnings: tuple[str, ...] = () if names else (f"a generation alone is taken as {_PCIE}",)
    if _is_drive(generation, parts) and counts.channels is None:
        warnings += (f"taken as x{units}, as for drives",)
    return link_peak(link, text, name, _notes(generation, payload, parts), payload, warnings)


def _generation(text: str, names: list[Word], parts: Parts, catalog: Catalog, *, is_behind: bool) -> LinkGeneration:
    """Return the one generation that is named, or that goes with the family named. Raises BandwidthError.

    A bare figure says a generation where it stands behind the family (`is_behind`): "1 TB" is not Thunderbolt 1.
    """
    named = {word.entry.name: word.entry for word in names if isinstance(word.entry, LinkGeneration)}
    families = {word.entry for word in names if isinstance(word.entry, str)}
    if _OCULINK in named and (len(named) > 1 or families or parts.generation):  # PCIe's plug: "OCuLink PCIe 3.0"
        del named[_OCULINK]
        parts.dropped.append(_OCULINK)
    families -= {entry.family for entry in named.values()}
    if len(named) + len(families) > 1:
        raise BandwidthError(f"{text!r} names {' and '.join([*named, *families])}", "name one link")
    if named:
        return _confirmed(text, next(iter(named.values())), parts, catalog)
    family = next(iter(families), _PCIE)
    is_stated = is_behind or bool(parts.generation or parts.rate_unit)
    found = _of_family(family, parts, catalog) if is_stated else None
    if found is not None:
        return found
    end = names[0].end if names else len(text)
    raise _unknown_generation(text, family, _GENERATION.match(text, end), names, catalog)


def _confirmed(text: str, entry: LinkGeneration, parts: Parts, catalog: Catalog) -> LinkGeneration:
    """Return the entry, unless the text states another generation of it as well."""
    if parts.generation and (other := _of_family(entry.family, parts, catalog)) is not entry:
        raise BandwidthError(f"{text!r} names {entry.name} and {other.name if other else 'another'}", "state one")
    return entry


def _of_family(family: str, parts: Parts, catalog: Catalog) -> LinkGeneration | None:
    """Return the generation of a family that a `Gen3`, a bare figure (`x4 4.0`) or the rate of a lane names."""
    known = _generations_by_name(catalog)[0]
    if parts.generation:
        return known.get(_key(f"{family} gen{parts.generation}")) or known.get(_key(f"{family} {parts.generation}"))
    if parts.rate is None:
        return None
    if not parts.rate_unit:
        entry = known.get(_key(f"{family} {parts.rate_text}"))
        parts.rate = None
        return entry
    by_rate = [
        entry
        for entry in catalog.links
        if entry.family == family
        and [Fraction(rate) for rate in entry.rates_mt_s] == [parts.mt_s]
        and (parts.rate_unit.startswith("gt") or entry.unit == "port")  # "USB 20Gbps" is of two lanes
    ]
    if len(by_rate) != 1:
        return None
    parts.rate = None
    return by_rate[0]


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
        units_back=None if generation.units_back is None else generation.units_back * units // generation.units[-1],
    )


def _rate_mt_s(text: str, generation: LinkGeneration, parts: Parts) -> Fraction:
    """Return the rate of the generation, or the one of its rates that the text states. Raises BandwidthError."""
    rates = [Fraction(rate) for rate in generation.rates_mt_s]
    if len(rates) == 1 and parts.rate is None:
        return rates[0]
    if len(rates) == 1 and _is_quoted_so(generation, parts, rates[0]):
        return rates[0]
    if len(rates) == 1 and (parts.units is None or not parts.rate_unit or generation.unit != "lane"):
        raise _refused(text, generation)
    if parts.rate is None:
        each = (f"{_gt_s(rate)} {_gb_s(_link(generation, rate, 1))}" for rate in rates)
        raise BandwidthError(f"{text!r} does not state the speed", f"add it: {', '.join(each)}")
    # Rates of links are written in GT/s, so a bare figure is one ("UPI 10.4"), if it is not far too large for that.
    is_bare_gt = not parts.rate_unit and parts.rate < MT_PER_GT
    stated = parts.rate * MT_PER_GT if is_bare_gt else Fraction(parts.mt_s or 0)
    nearest = min(rates, key=lambda rate: abs(rate - stated))
    if abs(nearest - stated) >= _RATE_TOLERANCE_MT_S:
        known = ", ".join(map(_gt_s, rates))
        raise BandwidthError(f"{generation.name} does not run at {link_rate_text(stated)}", f"it runs at {known}")
    return nearest


def _is_quoted_so(generation: LinkGeneration, parts: Parts, rate_mt_s: Fraction) -> bool:
    """Return whether the rate beside a name is the one that the whole link is sold by: `Thunderbolt 3 40Gbps`."""
    if generation.default_units is None or not parts.rate_unit.startswith("gb"):
        return False
    return abs((parts.mt_s or 0) / (rate_mt_s * generation.default_units) - 1) < _QUOTED_TOLERANCE


def _units(text: str, generation: LinkGeneration, parts: Parts, counts: Counts) -> tuple[int, int]:
    """Return the units of one link, and how many of it there are: `2x PCIe 4.0 x16`. Raises BandwidthError."""
    if parts.unit == "channel" and generation.unit in ("port", "link"):
        parts.unit = generation.unit  # "dual 100GbE"
    if parts.part_bits is not None:
        raise _refused(text, generation)
    units, copies = count_units(text, parts, counts, generation.unit), parts.times or 1
    if parts.width_bits is not None:
        if units is not None or generation.unit != "lane":
            raise _refused(text, generation)
        units = parts.width_bits  # "HyperTransport 3.1 16-bit": a lane is one bit
    if units is None and generation.unit != "lane" and parts.times is not None:
        return parts.times, 1
    if units is None and parts.times is None:
        units = generation.default_units
        if _is_drive(generation, parts) and counts.channels is None:
            units = _DRIVE_LANES
    if units is None:
        raise BandwidthError(
            f"{text!r} does not state the number of {generation.unit}s", f"add them: {_readings(generation)}"
        )
    return units, copies


def _is_drive(generation: LinkGeneration, parts: Parts) -> bool:
    """Return whether PCIe's lanes are not stated, but that they go to a drive's socket or through its plug."""
    states_lanes = parts.units is not None or parts.width_bits is not None or parts.times is not None
    return generation.family == _PCIE and not states_lanes and any(map(_FOUR_LANES.match, parts.dropped))


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


def _notes(generation: LinkGeneration, payload: PayloadRange | None, parts: Parts) -> tuple[str, ...]:
    notes = [generation.quoted] if generation.quoted else []
    if payload is not None:
        notes.append(f"after protocol, {payload.words()}; an expectation, not a ceiling ({PAYLOAD_SOURCE})")
    if parts.dropped:
        notes.append(f"ignored, without effect on the bandwidth: {', '.join(parts.dropped)}")
    return tuple(notes)


def _gt_s(rate_mt_s: Fraction) -> str:
    return f"{format_decimal(rate_mt_s / MT_PER_GT)}GT/s"


def _gb_s(link: Link) -> str:
    return f"{format_rate(link_bytes_per_s(link))} GB/s"


def _readings(generation: LinkGeneration) -> str:
    rate = Fraction(generation.rates_mt_s[0])
    shown = [units for units in generation.units if units in _SHOWN_UNITS]
    return ", ".join(f"x{units} {_gb_s(_link(generation, rate, units))}" for units in shown)
