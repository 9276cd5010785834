"""What a maker of devices gives to the common engine: memory, queues, kernels by what they do, and the time of work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bandwidth.kernels import ELEMENT_BYTES, Kernel
from bandwidth.vocabulary import HOST_MEMORY

# Arrays begin at multiples of this: no less than what any maker's allocations and parts of them are aligned to.
ARRAY_ALIGNMENT = 512
PAIR_BYTES = 16
LOADS_PER_CALL = 64
NODE_WORDS = 16  # a node of a latency's cycle fills a line of 128 bytes
NODE_BYTES = NODE_WORDS * ELEMENT_BYTES
# Of the free memory a plan leaves this much: code, local memory and the driver's own want some. By the time that the
# rest is taken, streams and code have had a part of it already, and a desktop may have taken some too.
KEPT_FREE_BYTES = 256 * 1024**2
LEAST_FREE_BYTES = KEPT_FREE_BYTES // 4
# How the words of an array are dealt out: in tiles that groups of threads do at once, or a stretch to each thread,
# which a processor wants, with ordinary stores or with those past the caches.
TILES, STRETCH, STREAM = "tiles", "stretch", "stream"


@dataclass(frozen=True)
class Span:
    """A part of some memory: who holds it, in the maker's own terms, from which byte on, and how many."""

    holder: Any
    offset: int
    size_bytes: int

    def part(self, offset: int, size_bytes: int) -> Span:
        """Return a part of it."""
        if offset < 0 or size_bytes < 0 or offset + size_bytes > self.size_bytes:
            raise AssertionError(f"{size_bytes} bytes from {offset} on are not within {self.size_bytes}")
        return Span(self.holder, self.offset + offset, size_bytes)


@dataclass(frozen=True)
class Shape:
    """How a pass is spread: threads a group, 16-byte words of each array a thread has under way, and how many groups
    for each multiprocessor, 0 for as many as there are tiles: each group then does one.

    In the other forms than TILES `unroll` has no meaning.
    """

    threads: int
    unroll: int
    blocks_per_sm: int
    form: str = TILES

    @property
    def name(self) -> str:
        """The shape in a record: `256/4/0`, `1/stretch/4`."""
        return f"{self.threads}/{self.ending}/{self.blocks_per_sm}"

    @property
    def ending(self) -> str:
        """How the name of its kernel ends: `4`, `stretch`."""
        return str(self.unroll) if self.form == TILES else self.form

    def blocks(self, pairs: int, multiprocessors: int) -> int:
        """Return how many groups a pass over so many pairs is launched with: never more than there are tiles."""
        tiles = -(-pairs // (self.threads * (self.unroll if self.form == TILES else 1)))
        return max(min(tiles, self.blocks_per_sm * multiprocessors or tiles), 1)


@dataclass(frozen=True)
class Abilities:
    """What a device can: the bytes of an element (8, or 4 without double precision), the largest single allocation,
    the kinds of host memory that it copies from, its multiprocessors, and the shapes that are tried of a kernel.

    `largest_bytes` is None where one allocation may take all that is free.
    """

    multiprocessors: int
    shapes: Callable[[Kernel], tuple[Shape, ...]]
    element_bytes: int = ELEMENT_BYTES
    largest_bytes: int | None = None
    host_memory: tuple[str, ...] = HOST_MEMORY


@dataclass(frozen=True)
class Timing:
    """Seconds from the first start to the last end, how far apart the host started the queues, and each one's own
    seconds where all are on one device. `by_host`: the device's own times were not to be believed."""

    seconds: float
    start_skew_s: float
    own_seconds: tuple[float, ...] = ()
    by_host: bool = False


@dataclass(frozen=True)
class Checked:
    """Words in memory and what must stand there: the check's name and module, and what it takes.

    `first` is the index of the first word in the array that the seed makes.
    """

    span: Span
    seed: int
    first: int = 0
    scalar: float = 0.0
    name: str = "copy"
    path: str = ""

    @property
    def size_bytes(self) -> int:
        """How many bytes are looked at."""
        return self.span.size_bytes


class Queue(Protocol):
    """Work of a device in its order. Copies from and to pageable memory of the host return when they are done."""

    def copy(self, target: Span, source: Span) -> None:
        """Queue a copy of all of `source`: within the device, or between it and the host."""

    def set_bytes(self, span: Span, value: int) -> None:
        """Queue the setting of all bytes to one value."""

    def finish(self) -> None:
        """Wait for all of it."""


class Work(Protocol):
    """What one queue does in a block.

    `ready` queues what is not timed, `queue` one call, `calls` times in all; `check` returns what is wrong with what
    the block left, or "": of all of it, or of parts. `by_host`: the host moves the data, and the call returns after.
    The device is active in each.
    """

    device: Device
    on: Queue
    calls: int
    by_host: bool

    def ready(self) -> None:
        """Queue what goes before the clock starts."""

    def queue(self) -> None:
        """Queue one call."""

    def check(self, *, whole: bool) -> str:
        """Return what is wrong with what was left."""


class Device(Protocol):
    """A device that is measured. All cases share its memory, so that each fills what it reads before every block.

    Work that no queue is named for goes to `queue`.
    """

    number: int
    abilities: Abilities
    queue: Any
    second_queue: Any

    def active(self) -> AbstractContextManager[None]:
        """Make it the current device; what the maker's library raises inside leaves as one of our errors."""

    def compile(self, paths: tuple[str, ...]) -> None:
        """Make the code of some kernels, and of what fills and checks."""

    def why_not(self, path: str) -> str:
        """Return why the code of a path, "" for what all need, could not be made; "" if it was."""

    def reserve(self, layouts: Sequence[Sequence[int]]) -> None:
        """Take the memory for the arrays of each layout, in bytes. Raises BandwidthError where there is not enough."""

    def spans(self, sizes: Sequence[int]) -> list[Span]:
        """Return arrays of these sizes in the shared memory."""

    @property
    def memory(self) -> Span:
        """The shared memory, or as much of it as is in one piece."""

    def take(self, size_bytes: int) -> Span:
        """Return memory of its own; it is freed when nothing refers to it. Active."""

    def take_host(self, kind: str, size_bytes: int) -> Span:
        """Return memory of the host of a kind, every page of it written. Active."""

    def fill(self, span: Span, seed: int, first: int = 0) -> None:
        """Queue the filling of some memory with the numbers of a seed, from word `first` of its array on."""

    def wrong_words(self, checked: Checked, *, whole: bool) -> str:
        """Wait, and return what is wrong with words in memory, of which not all are looked at if not `whole`; or ""."""

    def run(self, kernel: Kernel, shape: Shape, sources: Sequence[Span], target: Span | None, scalar: float) -> None:
        """Queue a pass; one that reduces has no target, and adds its number to those of the passes before."""

    def clear_result(self) -> None:
        """Queue the clearing of what passes have made, and of where loads have arrived."""

    def made(self, kernel: Kernel, count: int, seed: int, calls: int) -> tuple[int | float, int | float]:
        """Wait; return what the passes made of `count` words, and what so many calls come to: integers are exact."""

    def link(self, nodes: Span, order: Span, count: int) -> None:
        """Queue the writing of a cycle that leads through `count` nodes in an order."""

    def chase(self, nodes: Span, offset: int, calls: int) -> None:
        """Queue the loads of so many calls, each from where the one before says; the first from a byte on."""

    def arrival(self) -> tuple[int, int]:
        """Wait; return the byte where the loads arrived, and the cycles they took, 0 where no clock tells."""

    def copy_in(self, span: Span, array: NDArray[Any]) -> None:
        """Wait for the work before, copy an array into memory of the device, and wait."""

    def copy_out(self, array: NDArray[Any], span: Span) -> None:
        """Wait for the work before, and copy memory of the device into an array."""

    def release(self) -> None:
        """Give the memory back."""


class Peers(Protocol):
    """Copies between two devices."""

    def can_access(self, device: Device, peer: Device) -> bool:
        """Return whether two devices can read each other's memory."""

    def set_access(self, device: Device, peer: Device, *, on: bool) -> None:
        """Switch the direct way between two devices on or off, both ways; without it the host stands between."""

    def copy(self, device: Device, source: Span, peer: Device, target: Span) -> None:
        """Queue a copy to another device, on the one that sends."""


class Driver(Protocol):
    """A maker's devices; `peers` is None where it copies nothing between them."""

    peers: Peers | None

    def open(self, number: int) -> Device:
        """Open a device. Raises HardwareError where it does not exist or cannot be used."""

    def timed(
        self, works: Sequence[Work], clock: Callable[[], float], meanwhile: Callable[[], None] | None = None
    ) -> Timing:
        """Run a block and return its times; several works run at once, on one device or on many.

        `meanwhile` is called once all is queued. Raises BandwidthError where a device fails.
        """


def aligned(size_bytes: int) -> int:
    """Return where the next array begins after one of this size."""
    return -(-size_bytes // ARRAY_ALIGNMENT) * ARRAY_ALIGNMENT


def needed_by(sizes: Sequence[int]) -> int:
    """Return the bytes that arrays of these sizes take one after the other."""
    return sum(map(aligned, sizes))


class Pool:
    """The memory that all cases of a device share: one piece, or where that may not be so large, one for each array.

    `take` takes a piece; `check` raises where so much cannot be had.
    """

    def __init__(self, take: Callable[[int], Any], check: Callable[[int], None], largest_bytes: int | None) -> None:
        self._take, self._check, self._largest_bytes = take, check, largest_bytes
        self._pieces: list[Span] = []

    def reserve(self, layouts: Sequence[Sequence[int]]) -> None:
        """Take the pieces, unless they are there. What was there before is given back first."""
        wanted = self._wanted(layouts) if layouts else []
        if len(wanted) == len(self._pieces) and all(
            piece.size_bytes >= size for piece, size in zip(self._pieces, wanted, strict=True)
        ):
            return
        self._pieces = []
        self._check(sum(wanted))
        self._pieces = [Span(self._take(size), 0, size) for size in wanted]

    def _wanted(self, layouts: Sequence[Sequence[int]]) -> list[int]:
        whole = max(map(needed_by, layouts))
        if self._largest_bytes is None or whole <= self._largest_bytes:
            return [whole]
        count = max(map(len, layouts))
        return [max(aligned(sizes[index]) for sizes in layouts if index < len(sizes)) for index in range(count)]

    def spans(self, sizes: Sequence[int]) -> list[Span]:
        """Return arrays of these sizes, which were among those that were reserved."""
        if len(self._pieces) > 1:
            return [piece.part(0, size) for piece, size in zip(self._pieces, sizes, strict=False)]
        begins = [needed_by(sizes[:index]) for index in range(len(sizes))]
        return [self._pieces[0].part(begin, size) for begin, size in zip(begins, sizes, strict=True)]

    @property
    def first(self) -> Span:
        """The only piece, or the first."""
        return self._pieces[0]

    def release(self) -> None:
        """Give it back."""
        self._pieces = []


def repeated_byte(value: int, element_bytes: int) -> float:
    """Return the number whose bytes are all of one value."""
    kind = np.float64 if element_bytes == ELEMENT_BYTES else np.float32
    return float(np.frombuffer(bytes([value]) * element_bytes, kind)[0])
