"""How long one load takes: each gives the address of the next, along a random cycle through all lines of some memory.

No two loads are under way at once and no prefetcher can guess the next. Beside it other threads may read at a pace, or
read and write, so that the time under load can be seen. Or one thread follows several parts of the cycle at once: the
time of a load falls until the core waits for as many lines as it can.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bandwidth.engines.host.layout import NODE_REFUSED, Region, pieces
from bandwidth.engines.host.native_code.compiled import Library, this_processor
from bandwidth.engines.host.native_code.kernel_arguments import (
    CHAIN_LENGTH,
    CHUNK_BYTES,
    Barrier,
    KernelArguments,
    Status,
)
from bandwidth.engines.host.native_code.processor import CHASE, CLOCK, PACED_MIX, PACED_READ, chases_name
from bandwidth.engines.host.runners import clock_hz
from bandwidth.engines.host.sharing import cycle_key
from bandwidth.engines.host.workers import Team
from bandwidth.engines.interface import TOO_LONG, Block
from bandwidth.errors import BandwidthError
from bandwidth.kernels import ELEMENT_BYTES, TAKEN_BITS
from bandwidth.machine.topology import Topology
from bandwidth.results import Case
from bandwidth.vocabulary import LINE_BYTES, NS_PER_S

LINE_WORDS = LINE_BYTES // ELEMENT_BYTES
# How long the other threads are let run to see what they can read at most.
PACE_TRIAL_S = 0.05
# In one trial a thread may stand still because the system took its CPU away for a moment; not in several.
PACE_TRIALS = 3
# After this part of the time no further memory is begun to be filled: what lies there is to be measured.
FILLING_SHARE = 0.5
NEVER_MET = "the load threads did not run in parallel: a CPU quota or other processes hold them back"
FULL_LOAD = 100
# A chunk that is updated is read and written back. Of three chunks one: a fourth of what moves is written.
CHUNKS_AN_UPDATE = {25: 3, 33: 2, 50: 1}
# The multiples of it have fractions that never come near each other.
GOLDEN_RATIO = 0.618_033_988_749_894_9
# Chunks that are looked at behind a block whose load writes, of each thread's.
LOOKED_AT = 4
NOT_WRITTEN = "the load threads did not write the expected data"
# Addresses are made in pieces, so that they stay small beside what they are written to.
LINES_PER_PIECE = 1 << 20


class Cycle:
    """Addresses in memory, each that of another line, one after the other through all of them in random order."""

    def __init__(self, size_bytes: int, node: int | None, seed: int) -> None:
        self.lines = size_bytes // LINE_BYTES
        self.region = Region(self.lines * LINE_WORDS, node)
        self.order: NDArray[np.uint32] = np.random.default_rng(seed).permutation(self.lines).astype(np.uint32)
        self._at = 0

    def write(self, is_stopping: Callable[[], bool] = lambda: False) -> bool:
        """Write the addresses; it is the first touch of every page, to be made by a thread on the right node.

        A gigabyte takes seconds: it is done in pieces, and left where `is_stopping` between them. Returns whether all
        are written.
        """
        words = self.region.doubles.view(np.uint64)
        for piece in pieces(self.region.doubles):
            if is_stopping():
                return False
            piece.fill(0.0)
        for start in range(0, self.lines, LINES_PER_PIECE):
            if is_stopping():
                return False
            here = self.order[start : start + LINES_PER_PIECE].astype(np.int64)
            places = np.arange(start + 1, start + 1 + len(here))
            following = np.take(self.order, places, mode="wrap").astype(np.uint64)
            words[here * LINE_WORDS] = np.uint64(self.region.address) + following * np.uint64(LINE_BYTES)
        return True

    def addresses(self, chains: int = 1) -> tuple[int, ...]:
        """Return where the next loads begin: where the ones before ended, so that all lines have turns.

        Several chains begin as far apart as may be.
        """
        return tuple(self._address_of(self._at + chain * self.lines // chains) for chain in range(chains))

    def advance(self, loads: int, chains: int = 1) -> tuple[int, ...]:
        """Move on by some loads of each chain, and return the addresses where they must have arrived."""
        self._at = (self._at + loads) % self.lines
        return self.addresses(chains)

    def _address_of(self, place: int) -> int:
        place %= self.lines
        return self.region.address + int(self.order[place]) * LINE_BYTES


@dataclass
class _Load:
    """What the other threads read beside a latency: their memory, how many chunks each has read of it, and the chunks
    a second that one of them can, or why there is no load to be had; `mixed_per_s` are those where a share of what
    moves is written, in percent."""

    region: Region
    read: list[int]
    chunks_per_s: float = 0.0
    why_not: str = ""
    mixed_per_s: dict[int, float] = field(default_factory=dict)


class LatencyBench:
    """Measures latencies; `HostEngine` hands its cases here. `chains` are how many of them its cases follow at once.

    Raises BandwidthError where LLVM makes no code.
    """

    def __init__(self, topology: Topology, seed: int, chains: Iterable[int] = ()) -> None:
        self._topology = topology
        self._seed = seed
        self._library = Library((), this_processor(), sorted({count for count in chains if count > 1}))
        self._barrier, self._abort = Barrier(), Barrier()
        self._teams: dict[tuple[int, ...], Team] = {}
        self._cycles: dict[tuple[object, ...], Cycle] = {}
        self._loads: dict[tuple[int, ...], _Load] = {}
        self._shares: dict[tuple[object, ...], dict[str, float]] = {}
        self._arrived: tuple[str, tuple[int, ...], tuple[int, ...]] = ("", (), ())
        self._unwritten = False
        self._written = 0.0

    def prepare(self, cases: Sequence[Case], deadline: float) -> dict[str, str]:
        """Write the cycles and the memory of the loads. Returns what cannot be had, and why: the others still can.

        The first has all of the time, and what others share is there for all.
        """
        refused: dict[str, str] = {}
        begin = time.monotonic()
        for case in cases:
            limit = begin + (deadline - begin) * (FILLING_SHARE if self._cycles else 1.0)
            try:
                reason = TOO_LONG if time.monotonic() > limit and not self._has(case) else self._made(case, deadline)
            except MemoryError:
                reason = "the system refused the memory; use a smaller --size"
            if reason:
                refused[case.id] = reason
        return refused

    def _has(self, case: Case) -> bool:
        """Return whether all that a case needs has been made for others."""
        if cycle_key(case) not in self._cycles or not _load_percent(case):
            return cycle_key(case) in self._cycles
        load, writes = self._loads.get(case.cpus), write_percent(case)
        return load is not None and (not writes or writes in load.mixed_per_s)

    def _made(self, case: Case, deadline: float) -> str:
        """Make what a case needs; return why it cannot be had, or ""."""
        self.team(case.cpus)
        reason = self._make_cycle(case, deadline)
        if reason or not _load_percent(case):
            return reason
        if case.cpus not in self._loads:
            self._loads[case.cpus] = self._make_load(case, deadline)
        load, writes = self._loads[case.cpus], write_percent(case)
        if writes and not load.why_not and writes not in load.mixed_per_s:
            load.mixed_per_s[writes] = self._pace(load, self.team(case.cpus), len(case.cpus) - 1, writes)
        return load.why_not or ("" if not writes or load.mixed_per_s[writes] else NEVER_MET)

    def run_block(self, case: Case, calls: int) -> Block:
        """Make `calls` x 64 loads on the first CPU, of each chain, while the others read as much as the case says."""
        cycle, team = self._cycles[cycle_key(case)], self.team(case.cpus)
        self._barrier.open()
        loads = self._load_arguments(case)
        # The chase looks at another flag than the load, which ends when the chase does.
        starts = cycle.addresses(case.chains)
        ends = (ctypes.c_uint64 * case.chains)(*starts)
        told = {"source_0": starts[0]}
        if case.chains > 1:
            told = dict.fromkeys(("source_0", "destination"), ctypes.addressof(ends))
        chase = self._barrier.arguments(threads=len(loads) + 1, calls=calls, **told)
        chase.stop = self._abort.stop_address
        load = self._function(_paced_name(case))
        team.each([partial(self._chase, chase, case.chains), *(partial(load, arguments) for arguments in loads)])
        if chase.status != Status.DONE or any(arguments.status != Status.DONE for arguments in loads):
            raise BandwidthError(
                "the threads did not reach the barrier", "CPUs were taken away, or other processes keep them busy"
            )
        arrived = tuple(ends) if case.chains > 1 else (int(chase.result),)
        self._arrived = (case.id, arrived, cycle.advance(calls * CHAIN_LENGTH, case.chains))
        observed = dict(self._shares[cycle_key(case)])
        clock = clock_hz(self._function(CLOCK), self._barrier, team)
        if clock is not None:
            observed["clock_hz"] = clock
        if "load" in case.variant:
            for part, arguments in enumerate(loads):  # none without a load
                self._loads[case.cpus].read[part] += arguments.made
            observed["load_bytes_per_s"] = sum(map(_bytes_per_s, loads))
        self._unwritten = any(not _is_written(arguments) for arguments in loads if write_percent(case))
        begins = [arguments.start_ns for arguments in (chase, *loads)]
        seconds = (chase.end_ns - chase.start_ns) / NS_PER_S
        return Block(seconds, (max(begins) - min(begins)) / NS_PER_S, team.pinned, observed)

    def verify(self, case: Case) -> str:
        """Return what is wrong: the loads must have arrived at the addresses that so many of them lead to."""
        case_id, seen, expected = self._arrived
        if case_id != case.id:
            raise AssertionError("verify() speaks of the last block, and that was another case's")
        if self._unwritten:
            return NOT_WRITTEN
        return "" if seen == expected else "the chain of loads ended at the wrong place: some loads were not executed"

    def stop(self) -> None:
        """End the work that is under way."""
        self._abort.stop()
        self._barrier.stop()

    def close(self) -> None:
        """End the threads and drop the memory."""
        for team in self._teams.values():
            team.close()
        self._teams.clear()
        self._cycles.clear()
        self._loads.clear()

    def _chase(self, arguments: KernelArguments, chains: int) -> None:
        self._function(CHASE if chains == 1 else chases_name(chains))(arguments)
        self._barrier.stop()

    def team(self, cpus: tuple[int, ...]) -> Team:
        """Return the threads of some CPUs."""
        if cpus not in self._teams:
            self._teams[cpus] = Team(cpus, pin=self._topology.can_pin)
        return self._teams[cpus]

    def _function(self, name: str) -> Callable[[KernelArguments], None]:
        return self._library.function(name)

    def _make_cycle(self, case: Case, deadline: float) -> str:
        """Make the cycle of a case, unless another has made it; return why its node cannot be had, or ""."""
        key, node = cycle_key(case), case.variant.get("memory_node")
        if key in self._cycles:
            return ""
        cycle = Cycle(case.working_set_bytes, None if node is None else int(node), self._seed)
        writer = self._writer(case, cycle)
        if writer is None:
            return NODE_REFUSED.format(node=node)
        try:
            (is_whole,) = writer.each([partial(cycle.write, lambda: self._is_late(deadline))])
        finally:
            if writer is not self.team(case.cpus):
                writer.close()
        if not is_whole:
            return TOO_LONG
        self._cycles[key] = cycle
        huge, share = cycle.region.huge_page_share(), self._placed_share(case, cycle)
        found = {"huge_page_share": huge, "placed_share": share}
        self._shares[key] = {name: value for name, value in found.items() if value is not None}
        return ""

    def _is_late(self, deadline: float) -> bool:
        return self._abort.is_stopped or time.monotonic() > deadline

    def _writer(self, case: Case, cycle: Cycle) -> Team | None:
        """Return who writes the cycle: its own thread, or one on the node of its memory where no wish was taken."""
        node = case.variant.get("memory_node")
        if node is None or cycle.region.is_bound:
            return self.team(case.cpus)
        near = [core.cpus[0] for core in self._topology.cores if core.node == node]
        return Team(near[:1], pin=True) if near and self._topology.can_pin else None

    def _placed_share(self, case: Case, cycle: Cycle) -> float | None:
        node = case.variant.get("memory_node")
        return None if node is None else cycle.region.share_on_node(int(node))

    # --- the load

    def _make_load(self, case: Case, deadline: float) -> _Load:
        """Fill what the other threads read, and see how much one of them can while all do."""
        others = len(case.cpus) - 1
        chunk_elements = CHUNK_BYTES // ELEMENT_BYTES
        elements = max(case.working_set_bytes // ELEMENT_BYTES // others // chunk_elements, 1) * chunk_elements
        region, team = Region(elements * others), self.team(case.cpus)

        def fill(part: int) -> bool:
            random = np.random.Generator(np.random.SFC64([self._seed, part]))
            for piece in pieces(region.doubles[part * elements : (part + 1) * elements]):
                if team.is_stopping or self._is_late(deadline):
                    return False
                random.random(out=piece)
            return True

        # The first worker is the one that chases: the load's pages belong to the others.
        _, *filled = team.each([lambda: None, *(partial(fill, part) for part in range(others))])
        load = _Load(region, [0] * others)
        if not all(filled):
            return replace(load, why_not=TOO_LONG)
        pace = self._pace(load, team, others)
        return replace(load, chunks_per_s=pace) if pace else replace(load, why_not=NEVER_MET)

    def _pace(self, load: _Load, team: Team, others: int, writes: int = 0) -> float:
        """Return the chunks a second of the slowest of the other threads while all work, 0 where they never do."""
        return next(filter(None, (self._trial_pace(load, team, others, writes) for _ in range(PACE_TRIALS))), 0.0)

    def _trial_pace(self, load: _Load, team: Team, others: int, writes: int) -> float:
        """Return the same of one trial, 0 where one of them did not work."""
        self._barrier.open()
        argument_sets = self._paced(load, others, 0, threads=others + 1, writes=writes)
        sleeper = self._barrier.arguments(threads=others + 1, calls=1)
        function = self._function(PACED_MIX if writes else PACED_READ)
        team.each([partial(self._sleep, sleeper), *(partial(function, arguments) for arguments in argument_sets)])
        return min(map(_chunks_per_s, argument_sets))

    def _sleep(self, arguments: KernelArguments) -> None:
        """Meet the others, let them read for a while, and end it."""
        self._function(CLOCK)(arguments)
        time.sleep(PACE_TRIAL_S)
        self._barrier.stop()

    def _load_arguments(self, case: Case) -> list[KernelArguments]:
        """Return what the other threads do beside a latency: nothing where no load is asked for."""
        percent = _load_percent(case)
        if not percent:
            return []
        load, others, writes = self._loads[case.cpus], len(case.cpus) - 1, write_percent(case)
        pace = (load.mixed_per_s.get(writes, 0.0) if writes else load.chunks_per_s) * percent / FULL_LOAD
        if not pace:
            raise BandwidthError(NEVER_MET, "measure where the CPUs are free")
        interval_ns = 0 if percent == FULL_LOAD else round(NS_PER_S / pace)
        return self._paced(load, others, interval_ns, threads=others + 1, writes=writes)

    def _paced(
        self, load: _Load, others: int, interval_ns: int, threads: int, writes: int = 0
    ) -> list[KernelArguments]:
        step = load.region.doubles.nbytes // others
        # Another value in every block, in all of its bits: what the one before wrote is not taken for this one's.
        self._written = (self._written + GOLDEN_RATIO) % 1.0
        return [
            self._barrier.arguments(
                threads=threads,
                source_0=load.region.address + part * step,
                source_1=CHUNKS_AN_UPDATE.get(writes, 0),
                destination=load.region.address + part * step,
                elements=step // ELEMENT_BYTES,
                calls=load.read[part],  # where the block before ended: what it read may still be in a cache
                scalar=1.0 + self._written,
                interval_ns=interval_ns,
            )
            for part in range(others)
        ]


def _load_percent(case: Case) -> int:
    """Return how much of what they can the other threads read beside a latency, in percent."""
    return int(str(case.variant.get("load", "0%")).rstrip("%"))


def write_percent(case: Case) -> int:
    """Return how much of what the other threads move beside a latency is written, in percent: 0, 25, 33 or 50."""
    return int(str(case.variant.get("writes", "0")).partition("%")[0])


def _paced_name(case: Case) -> str:
    return PACED_MIX if write_percent(case) else PACED_READ


def _bytes_per_s(arguments: KernelArguments) -> float:
    """Return what a load has moved: chunks that were read, and those that were updated once more."""
    chunks = arguments.made + (len(_updated(arguments)) if arguments.source_1 else 0)
    seconds = (arguments.end_ns - arguments.start_ns) / NS_PER_S
    return float(chunks * CHUNK_BYTES / seconds) if seconds > 0 else 0.0


def _chunks_per_s(arguments: KernelArguments) -> float:
    seconds = (arguments.end_ns - arguments.start_ns) / NS_PER_S
    return float(arguments.made / seconds) if seconds > 0 else 0.0


def _updated(arguments: KernelArguments) -> range:
    """Return the numbers of the chunks that a load has updated."""
    first = -(-arguments.calls // arguments.source_1) * arguments.source_1
    return range(first, arguments.calls + arguments.made, arguments.source_1)


def _is_written(arguments: KernelArguments) -> bool:
    """Return whether the chunks that a load updated last hold its value in all of their words."""
    chunks = arguments.elements * ELEMENT_BYTES // CHUNK_BYTES
    expected = np.float64(arguments.scalar).view(np.uint64) & np.uint64(TAKEN_BITS)
    for number in _updated(arguments)[-LOOKED_AT:]:
        place = arguments.destination + number % chunks * CHUNK_BYTES
        chunk = (ctypes.c_uint64 * (CHUNK_BYTES // ELEMENT_BYTES)).from_address(place)
        words: NDArray[np.uint64] = np.ctypeslib.as_array(chunk)
        if not np.all(words & np.uint64(TAKEN_BITS) == expected):
            return False
    return True
