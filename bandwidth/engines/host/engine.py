"""Host memory, however its passes are run: lays out data, runs timed blocks, checks what they left.

The window of the sources that a block reads moves from block to block, and the scalar changes, so that every element
of the destination differs from the block before: a block that did nothing leaves data that the check refuses.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bandwidth.engines.host.checks import first_difference, is_result, reduced, wrong_at
from bandwidth.engines.host.core_to_core import CoreToCoreBench
from bandwidth.engines.host.layout import (
    PAGE_ELEMENTS,
    PIECE_ELEMENTS,
    WINDOWS,
    HostMemory,
    Layout,
    array_elements,
)
from bandwidth.engines.host.native_code.shapes import PLAIN
from bandwidth.engines.host.runners import Chosen, FunctionOf, Runner, ThreadWork
from bandwidth.engines.host.witnesses import Witnesses, observed
from bandwidth.engines.host.workers import Stamp, Team
from bandwidth.engines.interface import Block, Counters
from bandwidth.errors import BandwidthError
from bandwidth.kernels import CACHE_MULTIPLE, XOR, Kernel, kernel_of, stores_of
from bandwidth.machine.topology import Topology
from bandwidth.results import Case
from bandwidth.vocabulary import HUGE_PAGES, LATENCY, NS_PER_S, SMALL_PAGES

if TYPE_CHECKING:
    from bandwidth.engines.host.latency import LatencyBench

# Between blocks one element in eight pages is looked at, and the first and last cache lines of every thread's part.
SPOT_STRIDE = 8 * PAGE_ELEMENTS
EDGE_ELEMENTS = 8
# Write-only and scaling kernels take a scalar between 1 and 2: never zero unless asked, and nothing overflows.
LEAST_SCALAR = 1.0
EXPONENTS = (-8, 8)
# Where the system gives huge pages at all it gives nearly all of them.
LEAST_HUGE_SHARE = 0.5


@dataclass(frozen=True)
class _Last:
    """What the last block of the engine was: enough to say what it must have left."""

    case_id: str
    window: int
    scalar: float
    calls: int
    values: tuple[Any, ...]


class HostEngine:
    """Measures host memory in pinned threads, its passes run as each case's engine does. See `Engine`.

    `runners` are by the name of the engine; `clock_ns` and `seed` are seams for the tests.
    """

    def __init__(
        self,
        topology: Topology,
        runners: Mapping[str, Runner],
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        seed: int | None = None,
        counters: Counters | None = None,
    ) -> None:
        self._counters = counters
        self._topology = topology
        self._runners = runners
        self._memory = HostMemory(topology, clock_ns)
        self._small_pages = HostMemory(topology, clock_ns, huge=False)
        self._random = np.random.default_rng(seed)
        self.compile_s = 0.0
        self._latencies: LatencyBench | None = None
        self._pairs: CoreToCoreBench | None = None
        self._witnesses: Witnesses | None = None
        self._placed: dict[str, float] = {}
        self._huge_shares: dict[str, float] = {}
        self._chosen: dict[str, Chosen] = {}
        self._blocks = 0
        self.fill_s = 0.0
        self._layout_number = 1
        self._last: _Last | None = None
        self._laid_out: list[Case] = []
        self._source_sums: dict[str, list[Any]] = {}

    def prepare(self, cases: Sequence[Case], limit_s: float) -> dict[str, str]:
        """Compile, lay out and fill the memory of all cases. See `Engine`."""
        begin = time.monotonic()
        refused: dict[str, str] = {}
        for name, runner in self._runners.items():
            own = [case for case in cases if case.engine == name and case.path != LATENCY]
            try:
                refused |= runner.prepare([case for case in own if case.pair is None], limit_s)
            except BandwidthError as error:
                refused |= dict.fromkeys((case.id for case in own), str(error))
        functions = next((found for runner in self._runners.values() if (found := runner.functions())), None)
        if functions is not None:
            self._witnesses = Witnesses(self._topology, functions)
            refused |= self._start_pairs([case for case in cases if case.pair is not None], functions)
        latencies = [case for case in cases if case.path == LATENCY]
        refused |= self._make_latencies(latencies)
        self.compile_s = time.monotonic() - begin
        deadline = begin + self.compile_s + limit_s
        left = [case for case in cases if case.id not in refused and not case.is_latency]
        if left:
            filling = time.monotonic()
            refused |= self._lay_out(left, deadline)
            self.fill_s = time.monotonic() - filling
            self._look_at_places([case for case in left if case.id not in refused])
            self._laid_out = [case for case in left if case.id not in refused]
        return refused if self._latencies is None else refused | self._latencies.prepare(latencies, deadline)

    def lay_out_anew(self, limit_s: float) -> None:
        """Give all cases but latencies other pages. See `LaysOutAnew`."""
        if not self._laid_out:
            return
        begin = time.monotonic()
        self._last = None
        self._source_sums.clear()
        for memory in dict.fromkeys(map(self._memory_of, self._laid_out)):
            memory.lay_out_anew(int(self._random.integers(2**32)), begin + limit_s)
        self.fill_s = time.monotonic() - begin
        self._look_at_places(self._laid_out)
        self._look_at_pages(self._laid_out)
        self._layout_number += 1

    def _start_pairs(self, cases: Sequence[Case], functions: FunctionOf) -> dict[str, str]:
        """Start the threads that hand lines to each other; return why they cannot be had."""
        if not cases:
            return {}
        self._pairs = CoreToCoreBench(functions, int(self._random.integers(2**32)))
        try:
            self._pairs.prepare(cases)
        except BandwidthError as error:
            return dict.fromkeys((case.id for case in cases), str(error))
        return {}

    def _lay_out(self, cases: Sequence[Case], deadline: float) -> dict[str, str]:
        """Lay out and fill the memory of cases, by their pages; return those that cannot have theirs, and why."""
        refused: dict[str, str] = {}
        for memory in (self._memory, self._small_pages):
            own = [case for case in cases if self._memory_of(case) is memory]
            if own:
                refused |= memory.lay_out(own, int(self._random.integers(2**32)), deadline)
        had = [case for case in cases if case.id not in refused]
        self._look_at_pages(had)
        return refused | {case.id: why for case in had if (why := self._why_not_huge(case))}

    def _memory_of(self, case: Case) -> HostMemory:
        return self._small_pages if case.variant.get("pages") == SMALL_PAGES else self._memory

    def _layout_of(self, case: Case) -> Layout:
        return self._memory_of(case).layout(case)

    def _look_at_pages(self, cases: Sequence[Case]) -> None:
        """See what pages the cases have whose rate is of one kind of pages."""
        for case in cases:
            if "pages" in case.variant:
                share = self._layout_of(case).arena.sources.huge_page_share()
                self._huge_shares |= {} if share is None else {case.id: share}

    def _why_not_huge(self, case: Case) -> str:
        """Return why a case of huge pages lacks them, or ""."""
        lacks = case.variant.get("pages") == HUGE_PAGES and self._huge_shares.get(case.id, 0.0) < LEAST_HUGE_SHARE
        return self._layout_of(case).arena.sources.why_small if lacks else ""

    def _make_latencies(self, cases: Sequence[Case]) -> dict[str, str]:
        """Compile what the latencies need; return why they cannot be had."""
        if not cases:
            return {}
        try:
            from bandwidth.engines.host.latency import LatencyBench

            seed, chains = int(self._random.integers(2**32)), [case.chains for case in cases]
            self._latencies = LatencyBench(self._topology, seed, chains)
        except (BandwidthError, ImportError, OSError) as error:  # no code for this processor, or no LLVM that loads
            return dict.fromkeys((case.id for case in cases), str(error))
        return {}

    def _look_at_places(self, cases: Sequence[Case]) -> None:
        """Read where the pages lie, on a machine where that matters, once for each layout."""
        if len(self._topology.nodes) < 2 and not any("memory_node" in case.variant for case in cases):
            return
        layouts = {id(layout): layout for layout in map(self._layout_of, cases)}
        shares = {key: layout.placed_share(self._topology) for key, layout in layouts.items()}
        for case in cases:
            share = shares[id(self._layout_of(case))]
            if share is not None:
                self._placed[case.id] = share

    def run_block(self, case: Case, calls: int) -> Block:
        """Run `calls` passes of a case on its threads, and look at these before and behind. See `Engine`."""
        if case.pair is not None and self._pairs is not None:
            return self._pairs.run_block(case, calls)  # what it measures is what its threads are to each other
        if case.is_latency and self._latencies is not None:
            return self._witnessed(self._latencies.team(case.cpus), self._latencies.run_block, case, calls)
        if why := self._why_not_huge(case):  # with the memory laid out anew the system gave none
            raise BandwidthError(why)
        team, begin = self._layout_of(case).team, time.monotonic()
        if case.id not in self._chosen:
            works = self._works(case, 0, self._new_scalar(kernel_of(case.path, case.variant)))
            self._chosen[case.id] = self._runners[case.engine].tune(team, case, works)
        trials_s = time.monotonic() - begin
        block = self._witnessed(team, self._run_passes, case, calls)
        return replace(block, layout=self._layout_number, trials_s=trials_s)

    def _witnessed(self, team: Team, run: Callable[[Case, int], Block], case: Case, calls: int) -> Block:
        if self._witnesses is None or case.threads < 2:
            return run(case, calls)
        before = self._witnesses.before(team, case.cpus)
        block = run(case, calls)
        behind = self._witnesses.behind(team, case.cpus)
        if before is None or behind is None:
            return block
        return replace(block, observed={**block.observed, **observed(before, behind)})

    def _run_passes(self, case: Case, calls: int) -> Block:
        layout, runner = self._layout_of(case), self._runners[case.engine]
        self._blocks += 1
        kernel = kernel_of(case.path, case.variant)
        window, scalar = self._blocks % WINDOWS, self._new_scalar(kernel)
        if case.variant.get("data") == "zeros":
            scalar = 0.0
        runner.run(layout.team, self._lead_in(case, window), 1)
        before = self._counters() if self._counters else {}
        stamps = runner.run(layout.team, self._works(case, window, scalar), calls)
        after = self._counters() if self._counters else {}
        self._last = _Last(case.id, window, scalar, calls, tuple(stamp.value for stamp in stamps))
        known = {"placed_share": self._placed, "huge_page_share": self._huge_shares}
        shown = {name: shares[case.id] for name, shares in known.items() if case.id in shares}
        clock = runner.clock_hz(layout.team)
        if clock is not None:
            shown["clock_hz"] = clock
        _, tuning = self._chosen[case.id]
        block = block_of(stamps, layout.team.pinned, shown, tuning)
        if not before or block.seconds <= 0:
            return block
        counted = {
            f"controller_{counts}_bytes_per_s": max(after[counts] - count, 0.0) / block.seconds
            for counts, count in before.items()
        }
        return replace(block, observed={**shown, **counted})

    def _works(self, case: Case, window: int, scalar: float, begin: int = 0) -> list[ThreadWork]:
        """Return each thread's pass over its arrays, from element `begin` on."""
        layout, kernel = self._layout_of(case), kernel_of(case.path, case.variant)
        stores = stores_of(case.variant)
        parts = [layout.part(case, thread, window).cut(begin) for thread in range(case.threads)]
        shape, _ = self._chosen.get(case.id, (PLAIN, {}))
        return [ThreadWork(kernel, stores, part, scalar, shape) for part in parts]

    def _lead_in(self, case: Case, window: int) -> list[ThreadWork]:
        """Return the untimed pass over the end of the arrays that goes before a block.

        The case before left its lines in the cache, and writing those back would be charged to this one: up to a
        fourth more traffic. After the lead-in the cache holds what a pass of this case itself leaves there. It takes
        another window and scalar, so that it leaves nothing that the check would accept.
        """
        elements, kernel = array_elements(case), kernel_of(case.path, case.variant)
        # A whole number of lines, so that the rest begins where vectors of any width may be loaded.
        cached = -(-math.ceil(elements * _cache_share(case)) // EDGE_ELEMENTS) * EDGE_ELEMENTS
        begin = max(elements - cached, 0) // EDGE_ELEMENTS * EDGE_ELEMENTS
        return self._works(case, (window + WINDOWS // 2) % WINDOWS, self._new_scalar(kernel), begin)

    def _new_scalar(self, kernel: Kernel) -> float:
        if kernel.fused:
            # A product with a power of two is exact: rounded once with the sum or twice, the result is the same.
            return float(2.0 ** self._random.integers(*EXPONENTS))
        return LEAST_SCALAR + float(self._random.random())

    def verify(self, case: Case, *, whole: bool) -> str:
        """Return what is wrong with what the last block left, or "". See `Engine`."""
        if case.pair is not None and self._pairs is not None:
            return self._pairs.verify(case)
        if case.is_latency and self._latencies is not None:
            return self._latencies.verify(case)
        last = self._last
        if last is None or last.case_id != case.id:
            raise AssertionError("verify() speaks of the last block, and that was another case's")
        if kernel_of(case.path, case.variant).reduces:
            return self._verify_sums(case, last)
        if whole:
            team = self._memory_of(case).largest_team()  # a case of one thread need not wait for one thread
            shares = range(len(team.workers))
            found: list[str] = team.each(
                [partial(self._check_share, case, last, share, len(shares)) for share in shares]
            )
        else:
            threads = range(case.threads)
            found = self._layout_of(case).team.each([partial(self._check_spots, case, last, part) for part in threads])
        return min((wrong for wrong in found if wrong), default="")

    def close(self) -> None:
        """End the threads, whatever they do, and drop the memory."""
        for runner in self._runners.values():
            runner.stop()
        if self._witnesses is not None:
            self._witnesses.stop()
        for bench in (self._pairs, self._latencies):
            if bench is not None:
                bench.stop()
                bench.close()
        self._memory.close()
        self._small_pages.close()

    # --- the check

    def _verify_sums(self, case: Case, last: _Last) -> str:
        """Compare what a reducing kernel returned with its sum, which moves with the window by what it left and met."""
        kernel, layout = kernel_of(case.path, case.variant), self._layout_of(case)
        sums = self._source_sums.get(case.id)
        if sums is None:
            parts = [layout.part(case, thread, 0) for thread in range(case.threads)]
            sums = self._source_sums[case.id] = layout.team.each(
                [partial(reduced, kernel, part.sources) for part in parts]
            )
        moved = last.window * PAGE_ELEMENTS
        for thread, (first, seen) in enumerate(zip(sums, last.values, strict=True)):
            left = layout.part(case, thread, 0)
            met = layout.part(case, thread, last.window)
            length = array_elements(case)
            kept = length - moved  # negative where the window moved by more than its length
            if kept < 0:
                expected = reduced(kernel, met.sources)
            else:
                out = reduced(kernel, [source[:moved] for source in left.sources])
                new = reduced(kernel, [source[kept:] for source in met.sources])
                expected = first ^ out ^ new if kernel.reduces == XOR else first - out + new
            if kernel.reduces == XOR:
                expected = self._runners[case.engine].joined([int(column) for column in expected])
            if not is_result(kernel, expected, last.calls, seen, length):
                return f"thread {thread} read wrong data: its result differs from the expected one"
        return ""

    def _check_share(self, case: Case, last: _Last, share: int, shares: int) -> str:
        """Check every `shares`-th piece of all threads' destinations, from the `share`-th on."""
        for thread in range(case.threads):
            part = self._layout_of(case).part(case, thread, last.window)
            for start in range(share * PIECE_ELEMENTS, len(part.destination), shares * PIECE_ELEMENTS):
                wrong = first_difference(case, part, slice(start, start + PIECE_ELEMENTS), last.scalar)
                if wrong is not None:
                    return wrong_at(thread, start + wrong, len(part.destination))
        return ""

    def _check_spots(self, case: Case, last: _Last, thread: int) -> str:
        part = self._layout_of(case).part(case, thread, last.window)
        for spots in (slice(None, None, SPOT_STRIDE), slice(0, EDGE_ELEMENTS), slice(-EDGE_ELEMENTS, None)):
            wrong = first_difference(case, part, spots, last.scalar)
            if wrong is not None:
                return wrong_at(thread, range(len(part.destination))[spots][wrong], len(part.destination))
        return ""


def block_of(stamps: Sequence[Stamp], pinned: bool, observed: Mapping[str, float], tuning: Mapping[str, Any]) -> Block:
    """Return the block that some threads' stamps make: from the first start to the last end."""
    starts = [stamp.start_ns for stamp in stamps]
    ends = [stamp.end_ns for stamp in stamps]
    return Block((max(ends) - min(starts)) / NS_PER_S, (max(starts) - min(starts)) / NS_PER_S, pinned, observed, tuning)


def _cache_share(case: Case) -> float:
    """Return the share of the working set that the last-level caches can hold, at most all of it."""
    if case.dram_rule_bytes is None or not case.caches_known:
        return 1.0
    return min(1.0, case.dram_rule_bytes / CACHE_MULTIPLE / case.working_set_bytes)
