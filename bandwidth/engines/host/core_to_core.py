"""How long a cache line takes from one core to another: two threads, each on its CPU, hand it back and forth.

Each waits until the other has written its word of the line, and then writes the other's. So every hop is a line that
one core has changed and the other has to fetch and change: the way of a lock, a queue or a flag between two threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from bandwidth.engines.host.layout import Region
from bandwidth.engines.host.native_code.kernel_arguments import KernelArguments, Status
from bandwidth.engines.host.native_code.processor import HOPS
from bandwidth.engines.host.ring import Ring
from bandwidth.engines.host.runners import FunctionOf
from bandwidth.engines.host.workers import Team
from bandwidth.engines.interface import Block
from bandwidth.errors import BandwidthError
from bandwidth.kernels import ELEMENT_BYTES
from bandwidth.results import Case
from bandwidth.results.model import ADDRESS_BYTES
from bandwidth.vocabulary import LINE_BYTES, NS_PER_S, PAGE_BYTES

# A block goes over so many lines, as the home of each in the caches may be near the pair or far from it.
LINES_PER_BLOCK = 8
# Each line has its part of a block of some 20 ms. Threads that take turns on one CPU would need minutes for it.
LONGEST_NS = 2_000_000_000
LINES = PAGE_BYTES // LINE_BYTES


class CoreToCoreBench:
    """Measures pairs of CPUs; `HostEngine` hands its cases here. `function_of` gives compiled functions by name.

    Each CPU has a page that its thread writes first, so that it lies near it. A pair takes that of its first CPU, and
    of it other lines in every block.
    """

    def __init__(self, function_of: FunctionOf, seed: int) -> None:
        self._function_of = function_of
        self._random = np.random.default_rng(seed)
        self._cpus: tuple[int, ...] = ()
        self._team = Team((), pin=True)
        self._pages: list[Region] = []
        self._rings: list[Ring] = []
        self._last: tuple[str, str] = ("", "")

    def prepare(self, cases: Sequence[Case]) -> None:
        """Start a thread on each CPU and let it write its page. Raises BandwidthError where the system starts none."""
        self._cpus = tuple(sorted({cpu for case in cases for cpu in case.cpus}))
        self._team = Team(self._cpus, pin=True)
        self._pages = [Region(PAGE_BYTES // ELEMENT_BYTES, huge=False) for _ in self._cpus]
        self._team.each([partial(page.doubles.fill, 0.0) for page in self._pages])

    def run_block(self, case: Case, calls: int) -> Block:
        """Hand lines over as often as so many calls say. Raises BandwidthError where the threads do not run at once."""
        numbers = [self._cpus.index(cpu) for cpu in case.cpus]
        lines = min(calls, LINES_PER_BLOCK)
        shares = [calls // lines + (at < calls % lines) for at in range(lines)]
        rounds = case.bytes_per_call // ADDRESS_BYTES // len(numbers)
        self._rings = [Ring(numbers, rounds, line) for line in self._lines(numbers[0], lines)]
        told = [ring.arguments(share, LONGEST_NS) for ring, share in zip(self._rings, shares, strict=True)]
        self._team.each([partial(self._hop, own) for own in zip(*told, strict=True)], workers=numbers)
        if any(one.status != Status.DONE for both in told for one in both):
            raise BandwidthError(
                "the threads did not reach the barrier", "CPUs were taken away, or other processes keep them busy"
            )
        faults = [ring.fault(both) for ring, both in zip(self._rings, told, strict=True)]
        self._last = (case.id, next(filter(None, faults), ""))
        if not any(faults) and any(one.made != one.calls for both in told for one in both):
            raise BandwidthError(
                "the threads did not run at the same time",
                "a CPU quota limits them, or other processes keep the CPUs busy",
            )
        pinned = all(self._team.workers[number].pinned for number in numbers)
        took = [max(one.end_ns for one in both) - min(one.start_ns for one in both) for both in told]
        skew = max(max(one.start_ns for one in both) - min(one.start_ns for one in both) for both in told)
        return Block(sum(took) / NS_PER_S, skew / NS_PER_S, pinned)

    def _hop(self, argument_sets: Sequence[KernelArguments]) -> None:
        """Do a thread's part on each line, up to the first where the threads do not come together."""
        for arguments in argument_sets:
            self._function_of(HOPS)(arguments)
            if arguments.status != Status.DONE:
                return

    def verify(self, case: Case) -> str:
        """Return what is wrong: the lines must hold as many hand-overs as were told. It speaks of the last block."""
        case_id, fault = self._last
        if case_id != case.id:
            raise AssertionError("verify() speaks of the last block, and that was another case's")
        return fault

    def stop(self) -> None:
        """End the work that is under way."""
        for ring in self._rings:
            ring.barrier.stop()

    def close(self) -> None:
        """End the threads and drop the memory."""
        self._team.close()
        self._pages.clear()

    def _lines(self, number: int, count: int) -> list[int]:
        """Return the addresses of some lines of a CPU's page, all different."""
        begin = self._pages[number].address
        return [begin + int(line) * LINE_BYTES for line in self._random.permutation(LINES)[:count]]
