"""What one case should reach: the answer of every ceiling."""

from __future__ import annotations

from typing import NamedTuple


class Expected(NamedTuple):
    """The theory beside a case and the maker's figure, in bytes per second, None where they are not known.

    `source` says where the theory is from, None without one.
    """

    bytes_per_s: float | None = None
    source: str | None = None
    vendor_bytes_per_s: float | None = None


NOT_KNOWN = Expected()
