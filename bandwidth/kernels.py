"""The kernels: one row each. What a row declares to read and write is what an engine's code does, no more and no less.

The engines take from here how many arrays to lay out and the code of an element; the check takes from here what must
stand in the destination. `value` is written with operators, so the same line is worked out on NumPy arrays by the
check, and turned into instructions by the engines that compile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bandwidth.units import KIBI
from bandwidth.vocabulary import ORDINARY, STORES

ELEMENT_BYTES = 8  # double precision, as in STREAM
# METHOD: data counts as in memory at 4 times what the caches hold, and at least this.
CACHE_MULTIPLE = 4
LEAST_DRAM_BYTES = 256 * KIBI**2

SUM, XOR = "sum", "xor"
# An update keeps every other bit of each word and takes the rest from the value: so it has to read what it overwrites,
# and what it leaves is known all the same. Half of a word would not do: AVX-512 stores that under a mask, unread.
KEPT_BITS = 0x5555_5555_5555_5555
TAKEN_BITS = KEPT_BITS << 1


@dataclass(frozen=True)
class Kernel:
    """One kernel: arrays read and written per element, where it can run, and what it leaves.

    `value(sources, scalar)` is an element's value, from anything that has operators: what the destination must hold,
    or, where the kernel `reduces`, what one number is made of: the SUM, or the exclusive or (XOR). Its operands are
    doubles, or 64-bit words where `words` is true.
    `updates`: the destination is read too, and keeps every other bit of each word (KEPT_BITS); `fused`: a product and a
    sum may be one instruction. `counted` says in words which bytes its rate counts. `mix` is its ratio of reads to
    writes where it is one of the mixes, which are measured on request only, as is one that goes through its lines
    `shuffled`: in random order, each line once. `rank` orders those of the table by how
    much they say, the first is measured first. `numpy` names the one call of NumPy that does it without a temporary:
    a ufunc, `copyto` or `fill`; empty where it has none.
    """

    name: str
    reads: int
    writes: int
    places: tuple[str, ...]
    formula: str
    counted: str
    value: Callable[[Sequence[Any], Any], Any]
    reduces: str = ""
    words: bool = False
    fused: bool = False
    updates: bool = False
    mix: str = ""
    shuffled: bool = False
    rank: int = 99
    numpy: str = ""

    @property
    def arrays(self) -> int:
        """How many arrays it works on."""
        return self.reads + self.writes

    @property
    def stores(self) -> tuple[str, ...]:
        """The kinds of store that it can be built with: none where it writes nothing, ordinary ones for an update."""
        if not self.writes:
            return ()
        return (ORDINARY,) if self.updates else STORES

    def stream_bytes(self, array_bytes: int) -> int:
        """Return the bytes of a pass by the stream convention: all that is read plus all that is written."""
        return (self.arrays + self.updates) * array_bytes

    def payload_bytes(self, array_bytes: int) -> int:
        """Return the bytes of a pass that arrive somewhere: what is written, or what is read where nothing is."""
        return (self.writes or self.reads) * array_bytes

    def traffic_bytes(self, array_bytes: int, stores: str | None) -> int:
        """Return the bytes that a pass moves over the bus: a model.

        An ordinary store to a line that is not in a cache first reads it (write-allocate), an update has read it.
        """
        allocated = self.writes if stores == ORDINARY and not self.updates else 0
        return self.stream_bytes(array_bytes) + allocated * array_bytes


def _mix(ratio: str, reads: int, formula: str, value: Callable[[Sequence[Any], Any], Any]) -> Kernel:
    counted = f"{8 * (reads + 1)} read + 8 written"
    return Kernel(f"mix {ratio}", reads, 1, ("host",), formula, counted, value, words=True, updates=True, mix=ratio)


_EVERYWHERE = ("host", "device")
# fmt: off
KERNELS: dict[str, Kernel] = {
    kernel.name: kernel
    for kernel in (
        Kernel(
            "read", 1, 0, _EVERYWHERE, "xor of all a[i]", "8 read", lambda a, _: a[0],
            reduces=XOR, words=True, rank=2, numpy="bitwise_xor",
        ),
        Kernel("write", 0, 1, _EVERYWHERE, "c[i] = s", "8 written", lambda _, s: s, rank=4, numpy="fill"),
        Kernel(
            "copy", 1, 1, _EVERYWHERE, "c[i] = a[i]", "8 read + 8 written", lambda a, _: a[0],
            rank=1, numpy="copyto",
        ),
        Kernel(
            "scale", 1, 1, _EVERYWHERE, "c[i] = s * a[i]", "8 read + 8 written", lambda a, s: s * a[0],
            rank=5, numpy="multiply",
        ),
        Kernel(
            "add", 2, 1, _EVERYWHERE, "c[i] = a[i] + b[i]", "16 read + 8 written", lambda a, _: a[0] + a[1],
            rank=6, numpy="add",
        ),
        # NumPy has no call that multiplies and adds in one pass, and its dot product is that of another library.
        Kernel(
            "triad", 2, 1, _EVERYWHERE, "c[i] = a[i] + s * b[i]", "16 read + 8 written", lambda a, s: a[0] + s * a[1],
            fused=True, rank=3,
        ),
        Kernel(
            "dot", 2, 0, _EVERYWHERE, "sum of a[i] * b[i]", "16 read", lambda a, _: a[0] * a[1],
            reduces=SUM, fused=True, rank=7,
        ),
        Kernel(
            "random", 1, 0, ("host",), "xor of all a[i], lines in random order", "8 read", lambda a, _: a[0],
            reduces=XOR, words=True, shuffled=True,
        ),
        _mix("3:1", 2, "half the bits of c[i] = those of a[i] + b[i]", lambda a, _: a[0] + a[1]),
        _mix("2:1", 1, "half the bits of c[i] = those of a[i]", lambda a, _: a[0]),
        _mix("1:1", 0, "half the bits of c[i] = those of s", lambda _, s: s),
    )
}
# fmt: on
# What a ratio of Intel MLC's table is measured with; its last line is a triad.
MIXES: dict[str, str] = {"1:0": "read"} | {kernel.mix: kernel.name for kernel in KERNELS.values() if kernel.mix}


def kernels_in(place: str, first: str = "") -> tuple[str, ...]:
    """Return the names of a place's kernels, by rank, the one named `first` before all others: those of the table.

    What is measured on request only is not among them.
    """
    own = [kernel for kernel in KERNELS.values() if place in kernel.places and not (kernel.mix or kernel.shuffled)]
    return tuple(kernel.name for kernel in sorted(own, key=lambda kernel: (kernel.name != first, kernel.rank)))


def kernel_of(path: str, variant: Mapping[str, str | int]) -> Kernel:
    """Return the kernel of a case by its path and variant. Raises KeyError where there is none, as for a latency."""
    return KERNELS[f"{path} {variant['mix']}" if "mix" in variant else path]


def stores_of(variant: Mapping[str, str | int]) -> str | None:
    """Return the kind of store of a case, None where it has no choice of them."""
    stores = variant.get("stores")
    return None if stores is None else str(stores)
