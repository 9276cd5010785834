"""What the threads' cores were to each other while blocks ran: CPUs that move, cores that are shared, CPUs taken away.

Each reason that is printed was seen in the same run, by work that knows nothing of the rates (`bandwidth explain
noise`). A rate that fits a reason is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bandwidth.analysis.comparable import told_regimes
from bandwidth.analysis.recorded import number
from bandwidth.analysis.regimes import (
    AGREES,
    CORE_TO_CORE,
    EFFECTIVE_CORES,
    Regime,
    Regimes,
    witness_by_block,
)
from bandwidth.findings.evidence import Raised, shown
from bandwidth.findings.rules import also, in_words, percent, rule
from bandwidth.results import Record, Result
from bandwidth.statistics import CLUSTERS_RATIO, FEWEST_FOR_INTERVAL, GROUPS_RATIO, median
from bandwidth.units import format_percent, format_rate
from bandwidth.vocabulary import HOST

# All threads together add less than this share of what so many cores would: some have no core of their own. Clocks that
# fall with the number of busy cores take less: a fifth, on the servers of 2017 to 2024.
SHARED_CORES = 0.75
# A thread that had a CPU for less of the time than this was kept from it, and its core is not what is shared.
RAN_SHARE = 0.9
# Cores that are slower by this much only together are siblings: two hardware threads of one core add about as much as
# one alone. No clock falls so far.
SIBLINGS_SHARE = 0.65
# In this share of a result's blocks it is said.
LEAST_OF_BLOCKS = 0.2


@rule(
    "BW053",
    "Virtual CPUs moved, and the rate changed with them",
    rank=72,
    of=HOST,
    limits={
        "fewest": in_words(FEWEST_FOR_INTERVAL),
        "ratio": percent(CLUSTERS_RATIO - 1),
        "agrees": percent(AGREES),
        "apart": percent(GROUPS_RATIO - 1),
    },
)
def moving_cpus(record: Record) -> Iterator[Raised]:
    """
    Before and after each block of several threads, a value is passed from core to core around a ring of the threads,
    and the time is recorded (core-to-core latency). Here this latency has several values, and the rate changes with
    it: the hypervisor moves the virtual CPUs, for seconds at a time, between cores that are close together and cores
    that are far apart. On processors with several chiplets, close cores share one link to the memory, and distant
    cores have one each. The median of all blocks mixes these states, so each state gets its own rate, with its own 95
    % interval and its lowest known ceiling.

    Blocks are grouped by the core-to-core latency, not by their rates: at least {fewest} blocks in each state, the
    latencies at least {ratio} apart and further apart than the spread of each state. The rates must then follow: one
    state is faster in {agrees} of all pairs of blocks, and its median by {apart}. A block during which the CPUs moved
    belongs to no state. On a busy machine (BW004) the finding is not raised.

    What to try: the highest rate is the capability of the machine. Compare only rates of the same state, measure
    longer so that each state occurs, or use a machine with pinned CPUs (bare metal, dedicated hosts).
    """
    for result, found in _with_regimes(record, CORE_TO_CORE):
        ordered = sorted(found.regimes, key=lambda one: one.seen)
        words = [_placed_words(one, found, _distance(place, len(ordered))) for place, one in enumerate(ordered)]
        hint = (
            f"the highest rate, {format_rate(found.best.median_bytes_per_s)} GB/s, is the machine's capability; {_LIKE}"
        )
        yield Raised(result.case.id, f"{'; '.join(words)}{_unassigned_words(found)}", hint)


@rule(
    "BW054",
    "Shared cores, or CPUs taken away",
    rank=74,
    of=HOST,
    limits={"share": percent(SHARED_CORES), "ran": percent(RAN_SHARE), "blocks": percent(LEAST_OF_BLOCKS)},
)
def shared_cores(record: Record) -> Iterator[Raised]:
    """
    Before and after each block of several threads, all threads run additions in registers, without memory access, and
    then one thread alone. The total rate of all threads over the best rate of one thread is the number of effective
    cores. Here it was less than {share} of the threads in more than {blocks} of the blocks. If a single thread is
    also slower, although it had its CPU all the time and its clock did not drop, other work runs on the second
    hardware thread of the same core: a neighbour on the host of a virtual machine, or another process. This costs
    arithmetic up to half of its speed, and memory rates little. If threads had a CPU for less than {ran} of the time,
    it was taken away: by other processes, a quota or the hypervisor.

    If the rate changes with the effective cores, both states are reported with their own rates, as in BW053.

    What to try: measure again at another time, on reserved cores (--cpus), or without the quota.
    """
    for result, found in _with_regimes(record, EFFECTIVE_CORES):
        words = [_cores_words(one, found, result) for one in found.regimes]
        hint = (
            f"the highest rate, {format_rate(found.best.median_bytes_per_s)} GB/s, is the machine's capability; {_LIKE}"
        )
        yield Raised(result.case.id, f"{'; '.join(words)}{_unassigned_words(found)}", hint)
    for one in _looked_at(record):
        for reason, hint in _REASONS.items():
            if places := one.shared_because(reason):
                yield Raised(one.result.case.id, f"{one.words(places)}: {reason}", hint)


@rule("BW055", "CPUs are hardware threads of one core", rank=76, of=HOST, limits={"share": percent(SIBLINGS_SHARE)})
def hidden_siblings(record: Record) -> Iterator[Raised]:
    """
    Each thread has its CPU all the time and is fast alone, but together they reach less than {share} of the
    arithmetic of that many cores: some of these CPUs are hardware threads of one core, although the machine reports
    separate cores. A virtual machine often shows each hardware thread as a core. Two threads of a core share its
    caches and its line fill buffers, so more threads gain little (BW024).

    What to try: use one thread per core (--threads with half as many, or --cpus with every second CPU) and compare.
    """
    for one in _looked_at(record):
        if (places := one.siblings) and not _are_known_siblings(record, one.result):
            hops = [ns for at in places if (ns := one.hops_ns[at]) is not None]
            far = f"; core-to-core latency {median(hops):.0f} ns" if hops else ""
            text = f"{one.words(places)}, though each is fast alone{far}: some CPUs are hardware threads of one core"
            yield Raised(
                one.result.case.id, text, "use half as many --threads, or every second CPU with --cpus, and compare"
            )


@also("BW005", rank=195, of=HOST)
def cores_of_a_quota(record: Record) -> Iterator[Raised]:
    """Yield where the threads had no more effective cores than a quota allows."""
    quota = number(record.machine.get("cpu_quota"))
    for one in _looked_at(record):
        places = one.shared_because(_TAKEN)
        if quota is None or not places or quota >= one.result.case.threads:
            continue
        text = f"{one.words(places)}: the CPU quota is {quota:g}"
        yield Raised(one.result.case.id, text, "raise the quota, or use no more --threads than it allows")


# --- the words of regimes -------------------------------------------------------------------------------------------

_LIKE = "compare only rates of the same state"


def _with_regimes(record: Record, witness: str) -> Iterator[tuple[Result, Regimes]]:
    for row in shown(record):
        found = told_regimes(record, row.result)
        if found is not None and found.witness == witness:
            yield row.result, found


def _distance(place: int, count: int) -> str:
    if place == 0:
        return "near each other"
    return "far apart" if place == count - 1 else "further apart"


def _placed_words(one: Regime, found: Regimes, distance: str) -> str:
    state = f"while its CPUs are {distance} ({one.seen:.0f} ns from core to core, {_blocks_words(one, found)})"
    return f"{_rate_words(one)} {state}{_ceiling_words(one)}"


def _cores_words(one: Regime, found: Regimes, result: Result) -> str:
    cores = f"{one.seen:.2f} effective cores of {result.case.threads}"
    return f"{_rate_words(one)} while its threads have {cores} ({_blocks_words(one, found)}){_ceiling_words(one)}"


def _rate_words(one: Regime) -> str:
    low, high = format_rate(one.ci95.low), format_rate(one.ci95.high)
    return f"{format_rate(one.median_bytes_per_s)} GB/s ({low} to {high})"


def _blocks_words(one: Regime, found: Regimes) -> str:
    return f"{len(one.places)} of {found.blocks} blocks"


def _ceiling_words(one: Regime) -> str:
    if one.ceiling is None or one.share is None:
        return ""
    ceiling = f"{format_rate(one.ceiling.bytes_per_s)} GB/s, the {one.ceiling.kind.replace('_', ' ')} ceiling"
    return f", {format_percent(one.share)} of {ceiling}"


def _unassigned_words(found: Regimes) -> str:
    return f"; in {found.unassigned} blocks the state changed or is unknown" if found.unassigned else ""


# --- what shared cores look like ------------------------------------------------------------------------------------

_NEIGHBOUR = "each had its CPU but was slower even alone, so other work runs on the same cores"
_TAKEN = "the CPUs were taken away"
_REASONS = {
    _NEIGHBOUR: "arithmetic loses up to half, memory rates little: measure at another time, or on other --cpus",
    _TAKEN: "stop other work, raise the quota, or measure at another time",
}


@dataclass(frozen=True)
class _Look:
    """What was seen of the threads of one result, block by block; None where it changed during a block.

    `clock_share` is the core's clock behind a block over its highest.
    """

    result: Result
    cores: tuple[float | None, ...]
    hops_ns: tuple[float | None, ...]
    core_share: tuple[float, ...]
    running_share: tuple[float, ...]
    clock_share: tuple[float, ...]

    def words(self, places: Sequence[int]) -> str:
        """Return how many effective cores its threads had in some blocks."""
        cores = median([self.cores[at] or 0.0 for at in places])
        blocks = f"{len(places)} of {len(self.cores)} blocks"
        return f"{self.result.case.threads} threads had {cores:.2f} effective cores in {blocks}"

    def shared_because(self, reason: str) -> list[int]:
        """Return the blocks in which the threads had fewer effective cores for that reason; none where they are few."""
        low = [at for at, cores in enumerate(self.cores) if cores is not None and self._lacks(cores, SHARED_CORES)]
        taken = [at for at in low if self.running_share[at] < RAN_SHARE]
        alone = [at for at in low if at not in taken and self.core_share[at] < SHARED_CORES * self.clock_share[at]]
        return self._if_many(taken if reason == _TAKEN else alone)

    @property
    def siblings(self) -> list[int]:
        """The blocks in which the threads were slower only together; none where they are few."""
        return self._if_many(
            [
                at
                for at, cores in enumerate(self.cores)
                if cores is not None
                and self.running_share[at] >= RAN_SHARE
                and self._lacks(cores / max(self.core_share[at], cores / self.result.case.threads), SIBLINGS_SHARE)
            ]
        )

    def _lacks(self, cores: float, share: float) -> bool:
        return cores < share * self.result.case.threads

    def _if_many(self, places: Sequence[int]) -> list[int]:
        is_many = len(places) >= max(FEWEST_FOR_INTERVAL, LEAST_OF_BLOCKS * len(self.cores))
        return list(places) if is_many else []


def _looked_at(record: Record) -> Iterator[_Look]:
    for row in shown(record):
        result, blocks = row.result, len(row.result.samples.seconds)
        shares = [result.observed[name].values for name in ("core_share", "running_share") if name in result.observed]
        if len(shares) == 2 and all(len(share) == blocks for share in shares):
            cores, hops = (witness_by_block(result, name) for name in (EFFECTIVE_CORES, CORE_TO_CORE))
            yield _Look(result, cores, hops, shares[0], shares[1], _clock_shares(result))


def _clock_shares(result: Result) -> tuple[float, ...]:
    """Return the clock behind each block over the highest: a core whose clock is low is slow by itself."""
    blocks, clock = len(result.samples.seconds), result.observed.get("clock_hz")
    if clock is None or len(clock.values) != blocks or not max(clock.values, default=0.0):
        return (1.0,) * blocks
    return tuple(one / max(clock.values) for one in clock.values)


def _are_known_siblings(record: Record, result: Result) -> bool:
    cores = number(record.machine.get("physical_cores"))
    return cores is not None and result.case.threads > cores
