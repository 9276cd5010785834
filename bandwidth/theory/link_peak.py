"""The peak of a configured link, by the one formula, with its working; and what of it is left for data.

Of PCIe's coded rate data get less: packets have headers, and the link has traffic of its own.
An expectation and not a ceiling: one way, PCIe 5.0 x16 is measured at 55 to 57 GB/s, above the lower pair. The
factors hold for PCIe 3 to 5 only; earlier generations frame their packets otherwise, later ones send flits.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from bandwidth.catalog.model import Link
from bandwidth.theory.formula import MT_PER_GT, Peak, coding_working, peak_bytes_per_s, plural, result_working
from bandwidth.units import DEFAULT_RATE_UNIT, format_decimal, format_rate

PAYLOAD_SOURCE = "pcie-bench's model and Intel AN 456"

# pcie-bench/pcie-model: of 168 bytes 8 are acknowledgements and 8 flow control, of 1538 bytes 4 keep the link in step.
_LINK_SHARE = 1 - Fraction(8, 168) - Fraction(8, 168) - Fraction(4, 1538)
# Bytes around a packet's data: framing, sequence number, checksum, and a header of 12 or (64-bit addresses) 16 bytes.
_WRITE_HEADER_BYTES = 24
_COMPLETION_HEADER_BYTES = 20
_LEAST_HEADER_BYTES = 20  # Intel AN 456: 20 to 28


@dataclass(frozen=True)
class PayloadRange:
    """Bytes per second of data, one direction: what writes and reads are expected to reach, and the upper bound."""

    payload_bytes: int
    write_bytes_per_s: Fraction
    read_bytes_per_s: Fraction
    most_bytes_per_s: Fraction

    def words(self, unit: str = DEFAULT_RATE_UNIT) -> str:
        """Return the range with the packets' size, in a unit of rates."""
        rates = (self.write_bytes_per_s, self.read_bytes_per_s, self.most_bytes_per_s)
        low, high, most = (format_rate(rate, unit) for rate in rates)
        packets = f"with {self.payload_bytes}-byte payloads"
        return f"{packets}: about {low} (writes) to {high} {unit} (reads), at most {most}"


def link_peak(
    link: Link,
    query: str,
    name: str,
    notes: tuple[str, ...] = (),
    payload: PayloadRange | None = None,
    warnings: tuple[str, ...] = (),
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
        notes=(*warnings, *notes),
        warnings=warnings,
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


def payload_range(coded_bytes_per_s: Fraction, payload_bytes: int) -> PayloadRange:
    """Return what packets of `payload_bytes` (the link's maximum payload size) leave of a direction's coded rate."""

    def packed(header_bytes: int) -> Fraction:
        return coded_bytes_per_s * Fraction(payload_bytes, payload_bytes + header_bytes)

    return PayloadRange(
        payload_bytes=payload_bytes,
        write_bytes_per_s=_LINK_SHARE * packed(_WRITE_HEADER_BYTES),
        read_bytes_per_s=_LINK_SHARE * packed(_COMPLETION_HEADER_BYTES),
        most_bytes_per_s=packed(_LEAST_HEADER_BYTES),
    )
