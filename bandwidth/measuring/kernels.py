"""The kernels: one row each. What a row declares to read and write is what an engine's code does, no more and no less.

The engines take from here how many arrays to lay out, and the check takes from here what must stand in the destination.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bandwidth.units import KIBI

ELEMENT_BYTES = 8  # double precision, as in STREAM
# METHOD: data counts as in memory at 4 times what the caches hold, and at least this.
CACHE_MULTIPLE = 4
LEAST_DRAM_BYTES = 256 * KIBI**2


@dataclass(frozen=True)
class Kernel:
    """One kernel: arrays read and written per element, where it can run, and what it leaves.

    `expected(sources, scalar)` returns what the destination must hold, from arrays of the sources (any library's that
    has operators); None for a kernel that only reads, whose result is a checksum of its source.
    `counted` says in words which bytes its rate counts.
    """

    name: str
    reads: int
    writes: int
    places: tuple[str, ...]
    formula: str
    counted: str
    expected: Callable[[Sequence[Any], float], Any] | None

    @property
    def arrays(self) -> int:
        """How many arrays it works on."""
        return self.reads + self.writes

    def stream_bytes(self, array_bytes: int) -> int:
        """Return the bytes of a pass by the stream convention: all that is read plus all that is written."""
        return self.arrays * array_bytes

    def payload_bytes(self, array_bytes: int) -> int:
        """Return the bytes of a pass that arrive somewhere: what is written, or what is read where nothing is."""
        return (self.writes or self.reads) * array_bytes


KERNELS: dict[str, Kernel] = {
    kernel.name: kernel
    for kernel in (
        Kernel("read", 1, 0, ("host",), "sum of a[i]", "8 read", None),
        Kernel("write", 0, 1, ("host",), "c[i] = s", "8 written", lambda _, scalar: scalar),
        Kernel("copy", 1, 1, ("host",), "c[i] = a[i]", "8 read + 8 written", lambda sources, _: sources[0]),
        Kernel("scale", 1, 1, ("host",), "c[i] = s * a[i]", "8 read + 8 written", lambda sources, s: s * sources[0]),
        Kernel(
            "add",
            2,
            1,
            ("host",),
            "c[i] = a[i] + b[i]",
            "16 read + 8 written",
            lambda sources, _: sources[0] + sources[1],
        ),
    )
}
