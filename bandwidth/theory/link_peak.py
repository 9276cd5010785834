"""The peak of a configured link, by the one formula, with its working."""

from __future__ import annotations

from fractions import Fraction

from bandwidth.catalog.model import Link
from bandwidth.theory.formula import MT_PER_GT, Peak, coding_working, peak_bytes_per_s, plural, result_working
from bandwidth.theory.payload import PayloadRange
from bandwidth.units import format_decimal, format_rate


def link_peak(
    link: Link, query: str, name: str, notes: tuple[str, ...] = (), payload: PayloadRange | None = None
) -> Peak:
    """Return the peak of a configured link: per direction, and both beside it where they run at the same time."""
    exact = link_bytes_per_s(link)
    rate = link_rate_text(link.rate_mt_s)
    shared = "per direction" if link.direction == "each" else "for both directions together"
    return Peak(
        query=query,
        name=name,
        kind="link",
        family=link.family,
        bytes_per_s=float(exact),
        rate_mt_s=float(link.rate_mt_s),
        width_bits=link.width_bits,
        units=link.units,
        unit=link.unit,
        coding=link.coding,
        working=f"{rate} x {_link_working(link)} / 8 bits = {result_working(exact)} {shared}",
        short_working=f"{rate} x {_link_short_working(link)} / 8 = {format_rate(exact)} GB/s",
        source=link.source,
        notes=notes,
        direction=link.direction,
        bidirectional_bytes_per_s=_both_directions(link),
        payload=payload,
        rate_text=rate,
    )


def link_bytes_per_s(link: Link, units: int | None = None) -> Fraction:
    """Return the exact peak of one direction in bytes per second; `units` in place of the link's own."""
    return peak_bytes_per_s(link.rate_mt_s, link.width_bits, units or link.units, Fraction(link.coding))


def link_rate_text(rate_mt_s: Fraction) -> str:
    """Return a link's rate with its unit: `16 GT/s`, and `33.33 MT/s` where it is below one GT/s."""
    if rate_mt_s < MT_PER_GT:
        return f"{format_decimal(rate_mt_s)} MT/s"
    return f"{format_decimal(rate_mt_s / MT_PER_GT, 4)} GT/s"


def _both_directions(link: Link) -> float | None:
    if link.direction == "half":
        return None
    return float(link_bytes_per_s(link) + link_bytes_per_s(link, link.units_back))


def _link_working(link: Link) -> str:
    width = "" if link.width_bits == 1 else f"{link.width_bits} bits x "
    return f"{width}{link.units} {plural(link.unit, link.units)}{coding_working(link.coding)}"


def _link_short_working(link: Link) -> str:
    width = "" if link.width_bits == 1 else f"{link.width_bits} x "
    return f"{width}{link.units}{coding_working(link.coding)}"
