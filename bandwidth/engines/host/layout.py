"""The memory that the host's cases work on: where each thread's arrays lie, who fills it, and on which NUMA node.

Sources are random and never written after they are filled; destinations lie apart. The window of the sources that a
block reads moves by a page from block to block.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bandwidth.engines.host import operating_system
from bandwidth.engines.host.sharing import layout_key
from bandwidth.engines.host.workers import Team
from bandwidth.errors import BandwidthError
from bandwidth.kernels import ELEMENT_BYTES, Kernel, kernel_of
from bandwidth.machine.topology import Topology
from bandwidth.results import Case
from bandwidth.units import format_size
from bandwidth.vocabulary import PAGE_BYTES

Doubles: TypeAlias = NDArray[np.float64]

PAGE_ELEMENTS = PAGE_BYTES // ELEMENT_BYTES
# The window of the sources takes this many places, one a page further than the other.
WINDOWS = 16
# Why the memory of a node cannot be had.
NODE_REFUSED = "the system refuses to allocate memory on node {node} (mbind or VirtualAllocExNuma failed)"
# Filling and checking go through the data in pieces that stay in a cache: one pass over the memory, and Ctrl-C between.
PIECE_ELEMENTS = 128 * 1024


class Region:
    """Memory of its own, in huge pages where the system gives them, or without, on one NUMA node where that is asked.

    `doubles` is all of it, from a page on. `is_bound` tells whether the system took the wish for a node, `why_small`
    why its pages may be small ones. Raises MemoryError where there is not enough.
    """

    def __init__(self, elements: int, node: int | None = None, *, huge: bool = True) -> None:
        taken = operating_system.here().take(elements * ELEMENT_BYTES, node, huge=huge)
        self.doubles: Doubles = taken.content.view(np.float64)
        self.is_bound, self.why_small = taken.is_bound, taken.why_small

    @property
    def address(self) -> int:
        """The address of its first element."""
        return int(self.doubles.ctypes.data)

    def huge_page_share(self) -> float | None:
        """Return how much of it lies in huge pages, None where that cannot be known."""
        return operating_system.here().huge_page_share(self.address, max(self.doubles.nbytes, 1))

    def share_on_node(self, node: int, begin: int = 0, elements: int | None = None) -> float | None:
        """Return how much of it lies on a node, or of some elements of it; None where that cannot be known."""
        length_bytes = self.doubles[begin:][:elements].nbytes
        address = self.address + begin * ELEMENT_BYTES
        return operating_system.here().share_on_node(address, length_bytes, node, PAGE_BYTES)


@dataclass(frozen=True)
class Part:
    """One thread's share of a case in a block: its arrays as they lie under the window's place."""

    sources: tuple[Doubles, ...]
    destination: Doubles

    @property
    def bytes_per_array(self) -> int:
        """The bytes of each array."""
        return max(array.nbytes for array in (*self.sources, self.destination))

    def cut(self, begin: int) -> Part:
        """Return the same from element `begin` on."""
        return Part(tuple(source[begin:] for source in self.sources), self.destination[begin:])


class Arena:
    """Memory for sources and for destinations, apart, because sources are never written after they are filled."""

    def __init__(
        self, source_elements: int, destination_elements: int, node: int | None = None, *, huge: bool = True
    ) -> None:
        self.sources = Region(source_elements, node, huge=huge)
        self.destinations = Region(destination_elements, node, huge=huge)

    @property
    def is_bound(self) -> bool:
        """Whether the system took the wish for a node."""
        return self.sources.is_bound and self.destinations.is_bound

    def fill(self, team: Team, steps: tuple[int, int], seed: int, deadline: float) -> None:
        """Write every page, each worker its own steps of sources and destinations: random sources, ones.

        A machine may take seconds for pages that are new to it: it is done piece by piece, so that Ctrl-C ends it, and
        raises BandwidthError past the `deadline` of the monotonic clock.
        """
        sources, destinations = self.sources.doubles, self.destinations.doubles

        def fill_part(part: int) -> bool:
            random = np.random.Generator(np.random.SFC64([seed, part]))
            for piece in pieces(sources[part * steps[0] : (part + 1) * steps[0]]):
                if team.is_stopping or time.monotonic() > deadline:
                    return False
                random.random(out=piece)
            for piece in pieces(destinations[part * steps[1] : (part + 1) * steps[1]]):
                if team.is_stopping or time.monotonic() > deadline:
                    return False
                piece.fill(1.0)
            return True

        if not all(team.each([partial(fill_part, part) for part in range(len(team.workers))])):
            size = format_size(sources.nbytes + destinations.nbytes)
            raise BandwidthError(
                f"filling {size} of memory takes longer than the budget", "use a longer --budget or a smaller --size"
            )


class Layout:
    """Where the arrays of one group of CPUs lie in an arena: each thread has a step of its own in both halves.

    `node` is the NUMA node that holds them, None where each thread's lie on its own.
    """

    def __init__(self, cpus: Sequence[int], node: int | None, cases: Sequence[Case]) -> None:
        self.cpus = tuple(cpus)
        self.node = node
        self.source_step = max(source_elements(case) for case in cases)
        self.destination_step = max(destination_elements(case) for case in cases)
        self.team: Team
        self.arena: Arena

    @property
    def elements(self) -> tuple[int, int]:
        """How many elements of sources and of destinations it needs."""
        return len(self.cpus) * self.source_step, len(self.cpus) * self.destination_step

    def part(self, case: Case, thread: int, window: int) -> Part:
        """Return the arrays of a thread in a block whose window is at this place."""
        kernel, length = kernel_of(case.path, case.variant), array_elements(case)
        start = thread * self.source_step + window * PAGE_ELEMENTS
        step = _whole_pages(length)
        sources = [self.arena.sources.doubles[start + n * step :][:length] for n in range(kernel.reads)]
        begin = thread * self.destination_step
        return Part(tuple(sources), self.arena.destinations.doubles[begin : begin + length * kernel.writes])

    def placed_share(self, topology: Topology) -> float | None:
        """Return the share of sampled pages that lie where they should, None where the system does not tell.

        They should lie on `node`, or else each thread's on the node of its CPU.
        """
        node_of = {cpu: core.node for core in topology.cores for cpu in core.cpus}
        shares: list[float | None] = []
        for thread, cpu in enumerate(self.cpus):
            node = node_of[cpu] if self.node is None else self.node
            if node in topology.processor_only_nodes:
                return None  # its memory is another node's, and the system does not say which
            for region, step in zip((self.arena.sources, self.arena.destinations), self._steps, strict=True):
                if step:
                    shares.append(region.share_on_node(node, thread * step, step))
        known = [share for share in shares if share is not None]
        return sum(known) / len(known) if known and len(known) == len(shares) else None

    @property
    def _steps(self) -> tuple[int, int]:
        return self.source_step, self.destination_step


class HostMemory:
    """The layouts of all cases, with their memory and their threads.

    On one NUMA node all share one arena, where nobody's pages are remote; else each group has its own. Without `huge`
    it is all in small pages.
    """

    def __init__(self, topology: Topology, clock_ns: Callable[[], int], *, huge: bool = True) -> None:
        self._topology = topology
        self._is_huge = huge
        self._clock_ns = clock_ns
        self.layouts: dict[tuple[tuple[int, ...], int | None], Layout] = {}

    def layout(self, case: Case) -> Layout:
        """Return where a case's arrays lie."""
        return self.layouts[layout_key(case)]

    def lay_out(self, cases: Sequence[Case], seed: int, deadline: float) -> dict[str, str]:
        """Give all cases their memory, written by the threads that use it; return those that cannot be had, and why.

        Raises BandwidthError where the system refuses memory or filling takes past the `deadline` (monotonic).
        """
        groups: dict[tuple[tuple[int, ...], int | None], list[Case]] = {}
        for case in cases:
            groups.setdefault(layout_key(case), []).append(case)
        for (cpus, node), members in groups.items():
            layout = Layout(cpus, node, members)
            layout.team = Team(cpus, pin=self._topology.can_pin, clock_ns=self._clock_ns)
            self.layouts[cpus, node] = layout
        try:
            refused = self._fill(seed, deadline)
        except MemoryError as error:
            raise BandwidthError("the system refused the memory for the arrays", "use a smaller --size") from error
        return {case.id: refused[layout_key(case)] for case in cases if layout_key(case) in refused}

    def lay_out_anew(self, seed: int, deadline: float) -> None:
        """Give the memory back and fill as much again, by the same threads. Raises as `lay_out` does."""
        for layout in self.layouts.values():
            del layout.arena
        try:
            refused = self._fill(seed, deadline)
        except MemoryError as error:
            raise BandwidthError("the system refused the memory for the arrays", "use a smaller --size") from error
        if refused:
            raise BandwidthError(next(iter(refused.values())), "measure again")

    def largest_team(self) -> Team:
        """Return the team with the most workers."""
        return max((layout.team for layout in self.layouts.values()), key=lambda team: len(team.workers))

    def close(self) -> None:
        """End the threads and drop the memory."""
        for layout in self.layouts.values():
            layout.team.close()
        self.layouts.clear()

    def _fill(self, seed: int, deadline: float) -> dict[tuple[tuple[int, ...], int | None], str]:
        layouts = list(self.layouts.values())
        nodes = self._topology.nodes_of(cpu for layout in layouts for cpu in layout.cpus)
        if len(nodes) <= 1 and all(layout.node is None for layout in layouts):
            self._fill_shared(layouts, seed, deadline)
            return {}
        refused = {}
        for layout in layouts:
            reason = self._fill_own(layout, seed, deadline)
            if reason:
                refused[layout.cpus, layout.node] = reason
        return refused

    def _fill_shared(self, layouts: Sequence[Layout], seed: int, deadline: float) -> None:
        most = [max(layout.elements[half] for layout in layouts) for half in (0, 1)]
        arena, team = Arena(*most, huge=self._is_huge), self.largest_team()
        sources, destinations = (-(-elements // len(team.workers)) for elements in most)
        arena.fill(team, (sources, destinations), seed, deadline)
        for layout in layouts:
            layout.arena = arena

    def _fill_own(self, layout: Layout, seed: int, deadline: float) -> str:
        """Fill an arena of one layout; return why that node cannot be had, or ""."""
        layout.arena = Arena(*layout.elements, layout.node, huge=self._is_huge)
        steps = (layout.source_step, layout.destination_step)
        if layout.node is None or layout.arena.is_bound:
            layout.arena.fill(layout.team, steps, seed, deadline)
            return ""
        # The wish was refused: pages come from the node of the thread that writes them first, if it has a CPU for one.
        near = [core.cpus[0] for core in self._topology.cores if core.node == layout.node]
        if not near or not self._topology.can_pin:
            return NODE_REFUSED.format(node=layout.node)
        cpus = (near * len(layout.cpus))[: len(layout.cpus)]
        fillers = Team(cpus, pin=True, clock_ns=self._clock_ns)
        try:
            layout.arena.fill(fillers, steps, seed, deadline)
        finally:
            fillers.close()
        return ""


def array_elements(case: Case) -> int:
    """Return the elements of one array of one thread."""
    kernel = kernel_of(case.path, case.variant)
    return case.working_set_bytes // (case.threads * kernel.arrays * ELEMENT_BYTES)


def source_elements(case: Case) -> int:
    """Return the elements that one thread's sources take: each array begins at a page, and the window needs room."""
    return _source_elements(kernel_of(case.path, case.variant), array_elements(case))


def destination_elements(case: Case) -> int:
    """Return the elements that one thread's destination takes."""
    return _whole_pages(array_elements(case)) * kernel_of(case.path, case.variant).writes


def pieces(array: Doubles) -> Iterator[Doubles]:
    """Yield an array in pieces that stay in a cache."""
    for start in range(0, len(array), PIECE_ELEMENTS):
        yield array[start : start + PIECE_ELEMENTS]


def _source_elements(kernel: Kernel, length: int) -> int:
    return _whole_pages(length) * kernel.reads + WINDOWS * PAGE_ELEMENTS


def _whole_pages(elements: int) -> int:
    # Arrays that begin at different places within a page hinder each other: a processor takes a load for one of a
    # store just before it where the lower twelve bits of their addresses agree.
    return -(-elements // PAGE_ELEMENTS) * PAGE_ELEMENTS
