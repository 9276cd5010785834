"""What is left of PCIe's coded rate for data: packets have headers, and the link has traffic of its own.

An expectation and not a ceiling: one way, PCIe 5.0 x16 is measured at 55 to 57 GB/s, above the lower pair. The
factors hold for PCIe 3 to 5 only; earlier generations frame their packets otherwise, later ones send flits.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from bandwidth.units import DEFAULT_RATE_UNIT, format_rate

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
