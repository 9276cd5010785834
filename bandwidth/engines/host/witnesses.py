"""What some threads' CPUs are to each other just now: how far apart, whether each is a core, whether they run at all.

A hypervisor moves virtual CPUs, neighbours work on the other hardware thread of a core, quotas and other processes take
a CPU away: the rate of the memory goes with it, and the rate alone does not tell why. So the threads of a case are
asked before and behind each block, for a few milliseconds, with work that does not touch the memory.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

from bandwidth.engines.host.native_code.kernel_arguments import (
    ADDITION_CHAINS,
    CHAIN_ADDITIONS,
    Barrier,
    KernelArguments,
    Status,
)
from bandwidth.engines.host.native_code.processor import ADDITIONS, HOPS
from bandwidth.engines.host.ring import Ring, fastest_ns
from bandwidth.engines.host.runners import FunctionOf
from bandwidth.engines.host.workers import Team
from bandwidth.machine.topology import Topology

# How long one core adds alone, and all of them together: some hundred passes.
ALONE_NS = 300_000
TOGETHER_NS = 500_000
# Passes of a ring, and how many hops make one: long beside a look at the time. They take 0.4 ms at 100 ns a hop.
HOP_PASSES = 40
HOPS_PER_PASS = 64
HOPS_LIMIT_NS = 2_000_000
# With more threads than these not each pair of them is tried, but one ring of all.
MOST_IN_PAIRS = 4
# What was seen behind a block stands for what is before the next, where so little time lies between: less than a block.
FRESH_S = 0.010
# Shares and latencies are kept to so many digits: they are no more certain.
DIGITS = 4
_FIRST, _ADDEND = 3, 0x9E37_79B9_7F4A_7C15
_WORDS = 2**64


@dataclass(frozen=True)
class Witness:
    """What one look at some threads told.

    `core_to_core_ns` is how long a word takes from one core to another, over a ring of all threads or over each pair.
    `effective_cores` is what all add together over what one of them adds alone when nothing else is on its core, the
    best so far; `core_share` what one adds alone just now over that best: less than 1 where another works on the same
    core. `running_share` is the part of the time of all threads in which they had a CPU.
    """

    core_to_core_ns: float
    effective_cores: float
    core_share: float
    running_share: float


class Witnesses:
    """Looks at the threads of teams. `function_of` gives compiled functions by name: a seam for tests."""

    def __init__(self, topology: Topology, function_of: FunctionOf) -> None:
        self._function_of = function_of
        self._kinds = {cpu: core.kind for core in topology.cores for cpu in core.cpus}
        self._alone, self._together = Barrier(), Barrier()
        self._rings: dict[int, list[Ring]] = {}
        self._best_alone: dict[str, float] = {}
        self._last: tuple[Team, float, Witness] | None = None

    def before(self, team: Team, cpus: Sequence[int]) -> Witness | None:
        """Return what is seen now, or what was just now."""
        if self._last is not None and self._last[0] is team and time.monotonic() - self._last[1] < FRESH_S:
            return self._last[2]
        return self.behind(team, cpus)

    def behind(self, team: Team, cpus: Sequence[int]) -> Witness | None:
        """Return what is seen now, None where the threads do not come together or the code does not do its work."""
        kinds = [self._kinds.get(cpu, "") for cpu in cpus]
        alone = {kind: self._added_alone(team, kinds.index(kind)) for kind in dict.fromkeys(kinds)}
        rings = self._rings.setdefault(len(cpus), [_ring(threads) for threads in _rings_of(len(cpus))])
        added, hopped = self._ask_all(team, rings, len(cpus))
        is_wrong = any(ring.fault(told) for ring, told in zip(rings, hopped, strict=True))
        if is_wrong or not all(map(_is_right, added)) or not all(alone.values()):
            self._last = None
            return None
        # Where no pass came to its end the threads did not run side by side: it took longer than the limit.
        hops = [fastest_ns(told, ring.rounds) or HOPS_LIMIT_NS for ring, told in zip(rings, hopped, strict=True)]
        for kind, speed in alone.items():
            self._best_alone[kind] = max(self._best_alone.get(kind, 0.0), speed)
        witness = self._told(kinds, alone, added, sum(hops) / len(hops))
        self._last = (team, time.monotonic(), witness)
        return witness

    def _told(
        self, kinds: Sequence[str], alone: Mapping[str, float], added: Sequence[KernelArguments], hop_ns: float
    ) -> Witness:
        whole_ns = max(one.end_ns for one in added) - min(one.start_ns for one in added)
        ran_ns = sum(one.end_ns - one.start_ns - one.lost_ns for one in added)
        cores = sum(one.made / self._best_alone[kind] for one, kind in zip(added, kinds, strict=True)) / whole_ns
        share = sum(alone[kind] / self._best_alone[kind] for kind in kinds) / len(kinds)
        return Witness(
            core_to_core_ns=round(hop_ns, 1),
            effective_cores=round(cores, DIGITS),
            core_share=round(share, DIGITS),
            running_share=round(ran_ns / (len(added) * whole_ns), DIGITS),
        )

    def stop(self) -> None:
        """End the work that is under way."""
        for barrier in (
            self._alone,
            self._together,
            *(ring.barrier for rings in self._rings.values() for ring in rings),
        ):
            barrier.stop()

    def _added_alone(self, team: Team, thread: int) -> float:
        """Return the passes a nanosecond that one thread makes while the others sleep, 0 where that was not seen."""
        self._alone.open()
        arguments = self._alone.arguments(threads=1, **_operands(ALONE_NS))
        team.each([partial(self._function_of(ADDITIONS), arguments)], workers=[thread])
        ran_ns = arguments.end_ns - arguments.start_ns - arguments.lost_ns
        return float(arguments.made / ran_ns) if _is_right(arguments) and ran_ns > 0 else 0.0

    def _ask_all(
        self, team: Team, rings: Sequence[Ring], threads: int
    ) -> tuple[list[KernelArguments], list[list[KernelArguments]]]:
        """Let all threads add together, and then the word go round each ring."""
        self._together.open()
        added = [self._together.arguments(threads=threads, **_operands(TOGETHER_NS)) for _ in range(threads)]
        hopped = [ring.arguments(HOP_PASSES, HOPS_LIMIT_NS) for ring in rings]
        own: list[list[KernelArguments]] = [[] for _ in range(threads)]
        for ring, argument_sets in zip(rings, hopped, strict=True):
            for thread, arguments in zip(ring.threads, argument_sets, strict=True):
                own[thread].append(arguments)
        team.each([partial(self._add_and_hop, adding, hops) for adding, hops in zip(added, own, strict=True)])
        return added, hopped

    def _add_and_hop(self, adding: KernelArguments, hops: Sequence[KernelArguments]) -> None:
        self._function_of(ADDITIONS)(adding)
        if adding.status != Status.DONE:
            return
        for arguments in hops:
            self._function_of(HOPS)(arguments)


def observed(before: Witness, behind: Witness) -> Mapping[str, float]:
    """Return what stands in a record of the looks before and behind a block."""
    return {
        "core_to_core_ns": before.core_to_core_ns,
        "core_to_core_behind_ns": behind.core_to_core_ns,
        "effective_cores": before.effective_cores,
        "effective_cores_behind": behind.effective_cores,
        "core_share": min(before.core_share, behind.core_share),
        "running_share": round((before.running_share + behind.running_share) / 2, DIGITS),
    }


def _operands(interval_ns: int) -> dict[str, int]:
    return {"source_0": _FIRST, "source_1": _ADDEND, "interval_ns": interval_ns}


def _is_right(arguments: KernelArguments) -> bool:
    """Return whether the chains hold the sums that so many passes make."""
    firsts = ADDITION_CHAINS * _FIRST + math.comb(ADDITION_CHAINS, 2)
    added = arguments.made * CHAIN_ADDITIONS * ADDITION_CHAINS * _ADDEND
    is_done = arguments.status == Status.DONE and arguments.made > 0
    return is_done and bool(arguments.result == (firsts + added) % _WORDS)


def _ring(threads: Sequence[int]) -> Ring:
    return Ring(threads, max(HOPS_PER_PASS // len(threads), 1))


def _rings_of(threads: int) -> list[tuple[int, ...]]:
    """Return the rings that some threads are asked in: each pair where they are few, else one of all.

    Neighbouring pairs share a thread as seldom as may be: all have work at once.
    """
    if threads > MOST_IN_PAIRS:
        return [tuple(range(threads))]
    return sorted(combinations(range(threads), 2), key=lambda pair: (pair[0] ^ pair[1], pair))
