"""Host memory as NumPy code reaches it: each kernel is one NumPy call that makes no temporary.

Sources are random and never written after they are filled. The window of the sources that a block reads moves by a
page from block to block, and the scalar changes, so that every element of the destination differs from the block
before: a block that did nothing leaves data that the check refuses.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bandwidth.errors import BandwidthError
from bandwidth.machine.topology import Topology
from bandwidth.measuring.engines import Block
from bandwidth.measuring.kernels import CACHE_MULTIPLE, ELEMENT_BYTES, KERNELS, Kernel
from bandwidth.measuring.workers import NS_PER_S, Stamp, Team
from bandwidth.results import Case
from bandwidth.units import format_size

Doubles: TypeAlias = NDArray[np.float64]
Operation: TypeAlias = Callable[[Sequence[Doubles], Doubles, float], object]

PAGE_BYTES = 4096
PAGE_ELEMENTS = PAGE_BYTES // ELEMENT_BYTES
# The window of the sources takes this many places, one a page further than the other.
WINDOWS = 16
# The check goes through the data in pieces that stay in a cache, so that it makes one pass over the memory.
PIECE_ELEMENTS = 128 * 1024
# Between blocks one element in eight pages is looked at, and the first and last cache lines of every thread's part.
SPOT_STRIDE = 8 * PAGE_ELEMENTS
EDGE_ELEMENTS = 8
# Write-only and scaling kernels take a scalar between 1 and 2: never zero, and nothing overflows.
LEAST_SCALAR = 1.0


def _read(sources: Sequence[Doubles], _: Doubles, __: float) -> object:
    return np.add.reduce(sources[0].view(np.uint64))


def _write(_: Sequence[Doubles], destination: Doubles, scalar: float) -> None:
    destination.fill(scalar)


def _copy(sources: Sequence[Doubles], destination: Doubles, _: float) -> None:
    np.copyto(destination, sources[0])


def _scale(sources: Sequence[Doubles], destination: Doubles, scalar: float) -> None:
    np.multiply(sources[0], scalar, out=destination)


def _add(sources: Sequence[Doubles], destination: Doubles, _: float) -> None:
    np.add(sources[0], sources[1], out=destination)


# The one NumPy call of each kernel. There is no triad: NumPy has no call that multiplies and adds in one pass.
OPERATIONS: dict[str, Operation] = {"read": _read, "write": _write, "copy": _copy, "scale": _scale, "add": _add}


@dataclass(frozen=True)
class _Part:
    """One thread's share of a case: the elements of each of its arrays, and where its memory begins."""

    array_elements: int
    source_start: int
    destination_start: int


@dataclass(frozen=True)
class _Last:
    """What the last block of the engine was: enough to say what it must have left."""

    case_id: str
    window: int
    scalar: float
    checksums: tuple[int, ...]


class _Arena:
    """Memory for sources and for destinations, apart, because sources are never written after they are filled."""

    def __init__(self, source_elements: int, destination_elements: int) -> None:
        self.sources = _page_aligned(source_elements)
        self.destinations = _page_aligned(destination_elements)

    def fill(self, team: Team, source_step: int, destination_step: int, seed: int, deadline: float) -> None:
        """Write every page, each worker its own steps: random sources, destinations of ones.

        A machine may take seconds for pages that are new to it: it is done piece by piece, so that Ctrl-C ends it, and
        raises BandwidthError past the `deadline` of the monotonic clock.
        """

        def fill_part(part: int) -> bool:
            random = np.random.Generator(np.random.SFC64([seed, part]))
            for piece in _pieces(self.sources[part * source_step : (part + 1) * source_step]):
                if team.is_stopping or time.monotonic() > deadline:
                    return False
                random.random(out=piece)
            for piece in _pieces(self.destinations[part * destination_step : (part + 1) * destination_step]):
                if team.is_stopping or time.monotonic() > deadline:
                    return False
                piece.fill(1.0)
            return True

        if not all(team.each([partial(fill_part, part) for part in range(len(team.workers))])):
            size = format_size(self.sources.nbytes + self.destinations.nbytes)
            raise BandwidthError(
                f"filling {size} of memory takes longer than the budget", "give a longer --budget or a smaller --size"
            )


class _Layout:
    """Where the arrays of one group of CPUs lie in an arena: each thread has a step of its own in both halves."""

    def __init__(self, cpus: Sequence[int], cases: Sequence[Case]) -> None:
        self.cpus = tuple(cpus)
        self.source_step = max(_source_elements(case) for case in cases)
        self.destination_step = max(_destination_elements(case) for case in cases)
        self.source_elements = len(cpus) * self.source_step
        self.destination_elements = len(cpus) * self.destination_step
        self.team: Team
        self.arena: _Arena

    def part(self, case: Case, thread: int) -> _Part:
        """Return where a thread's arrays lie."""
        return _Part(array_elements(case), thread * self.source_step, thread * self.destination_step)

    def source_arrays(self, case: Case, thread: int, window: int) -> list[Doubles]:
        """Return the sources that a thread reads in a block, as they lie under the window's place."""
        part = self.part(case, thread)
        starts = [
            part.source_start + index * part.array_elements + window * PAGE_ELEMENTS
            for index in range(KERNELS[case.path].reads)
        ]
        return [self.arena.sources[start : start + part.array_elements] for start in starts]

    def destination_array(self, case: Case, thread: int) -> Doubles:
        """Return the destination that a thread writes; of no length where the kernel writes nothing."""
        part = self.part(case, thread)
        length = part.array_elements * KERNELS[case.path].writes
        return self.arena.destinations[part.destination_start : part.destination_start + length]


class NumpyHostEngine:
    """Measures host memory with NumPy calls in pinned threads. See `Engine` for the methods.

    `operations` and `clock_ns` are seams: the tests give operations that lie and clocks that stand still.
    """

    def __init__(
        self,
        topology: Topology,
        operations: Mapping[str, Operation] = OPERATIONS,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        seed: int | None = None,
    ) -> None:
        self._topology = topology
        self._operations = operations
        self._clock_ns = clock_ns
        self._random = np.random.default_rng(seed)
        self._layouts: dict[tuple[int, ...], _Layout] = {}
        self._blocks = 0
        self._last: _Last | None = None
        self._source_sums: dict[str, list[int]] = {}

    def prepare(self, cases: Sequence[Case], limit_s: float) -> None:
        """Lay out and fill the memory of all cases. See `Engine`; raises BandwidthError where it is refused."""
        deadline = time.monotonic() + limit_s
        groups: dict[tuple[int, ...], list[Case]] = {}
        for case in cases:
            groups.setdefault(case.cpus, []).append(case)
        layouts = [_Layout(cpus, members) for cpus, members in groups.items()]
        for layout in layouts:
            layout.team = Team(layout.cpus, pin=self._topology.can_pin, clock_ns=self._clock_ns)
            self._layouts[layout.cpus] = layout
        try:
            self._lay_out(layouts, deadline)
        except MemoryError as error:
            raise BandwidthError("the system refused the memory for the arrays", "give a smaller --size") from error

    def _lay_out(self, layouts: Sequence[_Layout], deadline: float) -> None:
        """Give every layout its memory: one arena for all on a single NUMA node, where nobody's pages are remote."""
        seed = int(self._random.integers(2**32))
        if len(self._topology.nodes_of(cpu for layout in layouts for cpu in layout.cpus)) > 1:
            for layout in layouts:
                layout.arena = _Arena(layout.source_elements, layout.destination_elements)
                layout.arena.fill(layout.team, layout.source_step, layout.destination_step, seed, deadline)
            return
        source_most = max(layout.source_elements for layout in layouts)
        destination_most = max(layout.destination_elements for layout in layouts)
        arena = _Arena(source_most, destination_most)
        team = self._largest_team()
        steps = (-(-source_most // len(team.workers)), -(-destination_most // len(team.workers)))
        arena.fill(team, *steps, seed, deadline)
        for layout in layouts:
            layout.arena = arena

    def run_block(self, case: Case, calls: int) -> Block:
        """Run `calls` passes of a case on its threads. See `Engine`."""
        layout, threads = self._layouts[case.cpus], range(case.threads)
        self._blocks += 1
        window, scalar = self._blocks % WINDOWS, self._new_scalar()
        layout.team.each([self._lead_in(case, thread, window) for thread in threads])
        stamps = layout.team.timed([self._pass(case, thread, window, scalar) for thread in threads], calls)
        is_read_only = KERNELS[case.path].expected is None
        checksums = tuple(int(stamp.value) for stamp in stamps) if is_read_only else ()
        self._last = _Last(case.id, window, scalar, checksums)
        return _block(stamps, layout.team.pinned)

    def _pass(self, case: Case, thread: int, window: int, scalar: float, begin: int = 0) -> Callable[[], object]:
        """Return the call that is one thread's pass over its arrays, from element `begin` on."""
        layout = self._layouts[case.cpus]
        sources = [source[begin:] for source in layout.source_arrays(case, thread, window)]
        return partial(self._operations[case.path], sources, layout.destination_array(case, thread)[begin:], scalar)

    def _lead_in(self, case: Case, thread: int, window: int) -> Callable[[], object]:
        """Return the untimed pass over the end of the arrays that goes before a block.

        The case before left its lines in the cache, and writing those back would be charged to this one: up to a
        fourth more traffic. After the lead-in the cache holds what a pass of this case itself leaves there. It takes
        another window and scalar, so that it leaves nothing that the check would accept.
        """
        elements = array_elements(case)
        other_window = (window + WINDOWS // 2) % WINDOWS
        begin = elements - math.ceil(elements * _cache_share(case))
        return self._pass(case, thread, other_window, self._new_scalar(), begin)

    def _new_scalar(self) -> float:
        return LEAST_SCALAR + float(self._random.random())

    def verify(self, case: Case, *, whole: bool) -> str:
        """Return what is wrong with what the last block left, or "". See `Engine`."""
        last = self._last
        if last is None or last.case_id != case.id:
            raise AssertionError("verify() speaks of the last block, and that was another case's")
        if KERNELS[case.path].expected is None:
            return self._verify_checksums(case, last)
        if whole:
            team = self._largest_team()  # a case of one thread need not wait for one thread
            shares = range(len(team.workers))
            found: list[str] = team.each(
                [partial(self._check_share, case, last, share, len(shares)) for share in shares]
            )
        else:
            threads = range(case.threads)
            found = self._layouts[case.cpus].team.each(
                [partial(self._check_spots, case, last, part) for part in threads]
            )
        return min((wrong for wrong in found if wrong), default="")

    def _largest_team(self) -> Team:
        return max((layout.team for layout in self._layouts.values()), key=lambda team: len(team.workers))

    def close(self) -> None:
        """End the threads and drop the memory."""
        for layout in self._layouts.values():
            layout.team.close()
        self._layouts.clear()

    def _verify_checksums(self, case: Case, last: _Last) -> str:
        sums = self._source_sums.get(case.id)
        if sums is None:
            sums = self._source_sums[case.id] = self._sums_of_first_window(case)
        layout = self._layouts[case.cpus]
        for thread, (first, seen) in enumerate(zip(sums, last.checksums, strict=True)):
            if _moved_sum(layout, case, thread, last.window, first) != seen:
                return f"thread {thread} read other data than was there: its checksum differs"
        return ""

    def _sums_of_first_window(self, case: Case) -> list[int]:
        """Return each thread's checksum with the window at its first place, summed piece by piece in exact integers."""
        layout = self._layouts[case.cpus]
        sums: list[int] = layout.team.each(
            [partial(_exact_sum, layout.source_arrays(case, thread, 0)[0]) for thread in range(case.threads)]
        )
        return sums

    def _check_share(self, case: Case, last: _Last, share: int, shares: int) -> str:
        """Check every `shares`-th piece of all threads' destinations, from the `share`-th on."""
        layout, kernel = self._layouts[case.cpus], KERNELS[case.path]
        for thread in range(case.threads):
            sources, destination = (
                layout.source_arrays(case, thread, last.window),
                layout.destination_array(case, thread),
            )
            for start in range(share * PIECE_ELEMENTS, len(destination), shares * PIECE_ELEMENTS):
                piece = slice(start, start + PIECE_ELEMENTS)
                wrong = _first_difference(kernel, [source[piece] for source in sources], destination[piece], last)
                if wrong is not None:
                    return _wrong_at(thread, start + wrong, len(destination))
        return ""

    def _check_spots(self, case: Case, last: _Last, thread: int) -> str:
        layout, kernel = self._layouts[case.cpus], KERNELS[case.path]
        sources, destination = layout.source_arrays(case, thread, last.window), layout.destination_array(case, thread)
        for spots in (slice(None, None, SPOT_STRIDE), slice(0, EDGE_ELEMENTS), slice(-EDGE_ELEMENTS, None)):
            wrong = _first_difference(kernel, [source[spots] for source in sources], destination[spots], last)
            if wrong is not None:
                return _wrong_at(thread, range(len(destination))[spots][wrong], len(destination))
        return ""


def array_elements(case: Case) -> int:
    """Return the elements of one array of one thread: whole pages, so that all arrays start alike."""
    per_thread = case.working_set_bytes // (case.threads * KERNELS[case.path].arrays * ELEMENT_BYTES)
    return max(per_thread // PAGE_ELEMENTS, 1) * PAGE_ELEMENTS


def _cache_share(case: Case) -> float:
    """Return the share of the working set that the last-level caches can hold, at most all of it."""
    if case.dram_rule_bytes is None or not case.caches_known:
        return 1.0
    return min(1.0, case.dram_rule_bytes / CACHE_MULTIPLE / case.working_set_bytes)


def _source_elements(case: Case) -> int:
    return array_elements(case) * KERNELS[case.path].reads + WINDOWS * PAGE_ELEMENTS


def _destination_elements(case: Case) -> int:
    return array_elements(case) * KERNELS[case.path].writes


def _page_aligned(elements: int) -> Doubles:
    """Return uninitialised doubles that begin at a page, so that all threads' parts lie alike."""
    raw = np.empty(elements * ELEMENT_BYTES + PAGE_BYTES, np.uint8)
    offset = -raw.ctypes.data % PAGE_BYTES
    return raw[offset : offset + elements * ELEMENT_BYTES].view(np.float64)


def _pieces(array: Doubles) -> Iterator[Doubles]:
    """Yield an array in pieces that stay in a cache."""
    for start in range(0, len(array), PIECE_ELEMENTS):
        yield array[start : start + PIECE_ELEMENTS]


def _block(stamps: Sequence[Stamp], pinned: bool) -> Block:
    starts = [stamp.start_ns for stamp in stamps]
    ends = [stamp.end_ns for stamp in stamps]
    return Block((max(ends) - min(starts)) / NS_PER_S, (max(starts) - min(starts)) / NS_PER_S, pinned)


def _first_difference(kernel: Kernel, sources: Sequence[Doubles], destination: Doubles, last: _Last) -> int | None:
    """Return the first element that is not exactly what the kernel leaves, or None."""
    if kernel.expected is None:
        raise AssertionError(f"{kernel.name} leaves nothing to compare")
    same = np.equal(destination, kernel.expected(sources, last.scalar))
    return None if bool(same.all()) else int(np.argmin(same))


def _wrong_at(thread: int, element: int, length: int) -> str:
    return f"element {element:,} of {length:,} of thread {thread} is not what the kernel leaves there"


def _exact_sum(array: Doubles) -> int:
    return sum(int(np.add.reduce(piece.view(np.uint64))) for piece in _pieces(array)) % 2**64


def _moved_sum(layout: _Layout, case: Case, thread: int, window: int, first: int) -> int:
    """Return the checksum under a moved window from the one at its first place: less what it left, plus what it met."""
    part = layout.part(case, thread)
    moved = window * PAGE_ELEMENTS
    words = layout.arena.sources.view(np.uint64)
    left = words[part.source_start : part.source_start + moved]
    end = part.source_start + part.array_elements
    met = words[end : end + moved]
    return (first - int(np.add.reduce(left)) + int(np.add.reduce(met))) % 2**64
