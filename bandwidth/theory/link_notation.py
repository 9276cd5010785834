"""Links: from a generation's name and a number of lanes to a configured link and its peak."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from bandwidth.catalog import Link, LinkGeneration, link_generations
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.theory.formula import Peak, link_peak, peak_bytes_per_s
from bandwidth.theory.parts import Counts, Parts, count_units
from bandwidth.units import format_rate


@lru_cache(maxsize=1)
def _link_patterns() -> tuple[tuple[re.Pattern[str], dict[str, LinkGeneration], str], ...]:
    """Return for each family of links its pattern, its generations by how they are written, and its name."""
    families: dict[str, list[LinkGeneration]] = {}
    for generation in link_generations():
        families.setdefault(generation.family, []).append(generation)
    return tuple((_link_pattern(members), _by_generation(members), family) for family, members in families.items())


def _link_pattern(members: list[LinkGeneration]) -> re.Pattern[str]:
    names = {name for member in members for name in (member.family, *member.aliases)}
    written = "|".join(
        r"[\s-]*".join(map(re.escape, re.split(r"[\s-]+", name))) for name in sorted(names, reverse=True)
    )
    return re.compile(
        rf"(?:{written})(?=gen|v[0-9]|[^a-z]|$)[\s-]*"
        r"(?:(?:gen\s*|v)?(?P<generation>[0-9]{1,3}(?:\.[0-9x][a-z]?)?)(?![0-9.]))?",
        re.IGNORECASE | re.ASCII,
    )


def _by_generation(members: list[LinkGeneration]) -> dict[str, LinkGeneration]:
    return {written.lower(): member for member in members for written in member.generations}


def match_link(text: str) -> tuple[LinkGeneration, int] | None:
    """Return the link's generation that a text begins with and where that ends. Raises BandwidthError if unknown."""
    for pattern, generations, family in _link_patterns():
        if (match := pattern.match(text)) is None:
            continue
        known = ", ".join(sorted({member.name for member in generations.values()}))
        if match["generation"] is None:
            raise BandwidthError(f"{text!r} does not say which generation of {family}", f"known: {known}")
        generation = generations.get(match["generation"].lower())
        if generation is None:
            raise BandwidthError(f"{family} has no generation {match['generation']}", f"known: {known}")
        return generation, match.end()
    return None


def link_from_parts(text: str, generation: LinkGeneration, parts: Parts, counts: Counts) -> Peak:
    """Return the peak of a link. Raises BandwidthError, and UsageError where options do not fit a link."""
    if parts.rate is not None or parts.total_width_bits is not None:
        raise BandwidthError(f"{text!r}: a link has lanes only", f"write it as {generation.name} x16")
    if counts.width_bits is not None or counts.sockets is not None:
        raise UsageError(f"{text!r} is a link", "--width and --sockets are for memories")
    lanes = count_units(text, parts, counts, "lane")
    rate = Fraction(generation.rate_mt_s)
    if lanes is None:
        raise BandwidthError(f"{text!r} does not say how many lanes", f"add them: {_lane_readings(generation)}")
    if lanes not in generation.lanes:
        raise BandwidthError(
            f"{generation.name} has no x{lanes}", f"it comes as {', '.join(f'x{count}' for count in generation.lanes)}"
        )
    link = Link(generation.family, rate, lanes, generation.coding, generation.source)
    notes = (generation.quoted,) if generation.quoted else ()
    return link_peak(link, text, f"{generation.name} x{lanes}", notes)


def _lane_readings(generation: LinkGeneration) -> str:
    def one(lanes: int) -> str:
        exact = peak_bytes_per_s(Fraction(generation.rate_mt_s), 1, lanes, Fraction(generation.coding))
        return f"x{lanes} {format_rate(exact)} GB/s"

    return ", ".join(one(lanes) for lanes in generation.lanes if lanes in (1, 4, 8, 16))
