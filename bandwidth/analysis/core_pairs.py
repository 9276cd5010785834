"""The time of a cache line between each two CPUs: as a matrix, by what the two share, and in groups that it shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from bandwidth.results.model import ADDRESS_BYTES, Case, Record, Result
from bandwidth.results.summary import once_each, summarise
from bandwidth.statistics import CLUSTERS_RATIO, clusters, median, two_groups
from bandwidth.vocabulary import NS_PER_S, SHARED

# Two groups of a single CPU each are a pair that is slow, and no groups.
FEWEST_IN_GROUPS = 2
Pair = tuple[int, int]
_RANKS = {shared: rank for rank, shared in enumerate(SHARED)}
_UNKNOWN = len(SHARED)


@dataclass(frozen=True)
class Neighbours:
    """All pairs of CPUs that share the same at the nearest: their medians in ns, and their cases in that order."""

    shared: str
    times_ns: Mapping[Pair, float]
    cases: tuple[Case, ...]

    @property
    def median_ns(self) -> float:
        """The median over the pairs."""
        return median(list(self.times_ns.values()))

    @property
    def least_ns(self) -> float:
        """That of the nearest pair."""
        return min(self.times_ns.values())

    @property
    def most_ns(self) -> float:
        """That of the pair that is furthest apart."""
        return max(self.times_ns.values())


@dataclass(frozen=True)
class CorePairs:
    """Every pair of CPUs that was measured, the lower number first; `cells` has those whose data was wrong too."""

    cells: Mapping[Pair, Result]

    @cached_property
    def times_ns(self) -> dict[Pair, float]:
        """The median of each pair, but for those whose data was wrong."""
        found = {pair: summarise(result).latency for pair, result in self.cells.items()}
        return {pair: latency.median_ns for pair, latency in found.items() if latency is not None}

    @cached_property
    def neighbours(self) -> tuple[Neighbours, ...]:
        """The pairs by what they share, the nearest first; those of which it is not known last."""
        kinds: dict[str, dict[Pair, float]] = {}
        for pair, time_ns in self.times_ns.items():
            kinds.setdefault(self.cells[pair].case.shared, {})[pair] = time_ns
        ordered = sorted(kinds, key=lambda shared: _RANKS.get(shared, _UNKNOWN))
        return tuple(
            Neighbours(shared, kinds[shared], tuple(self.cells[pair].case for pair in kinds[shared]))
            for shared in ordered
        )

    @cached_property
    def cpus(self) -> tuple[int, ...]:
        """The CPUs of the matrix, those that share most beside each other.

        One that was measured with a single other, which itself has several, is its neighbour and has no row.
        """
        partners: dict[int, set[int]] = {}
        for one, other in self.cells:
            partners.setdefault(one, set()).add(other)
            partners.setdefault(other, set()).add(one)
        kept = [cpu for cpu, others in partners.items() if len(others) > 1 or len(partners[min(others)]) == 1]
        groups = [self.groups(shared) for shared in reversed(SHARED)]
        first = [{cpu: min(group) for group in of for cpu in group} for of in groups]
        return tuple(sorted(kept, key=lambda cpu: ([of.get(cpu, cpu) for of in first], cpu)))

    def groups(self, shared: str) -> tuple[tuple[int, ...], ...]:
        """Return the CPUs in groups that share this or what is nearer, by the pairs that were measured."""
        rank = _RANKS[shared]
        return joined(pair for pair, result in self.cells.items() if _RANKS.get(result.case.shared, _UNKNOWN) <= rank)


@once_each
def core_pairs(record: Record) -> CorePairs | None:
    """Return the pairs of CPUs that a record has, None where it has none."""
    cells = {pair: result for result in record.results if (pair := result.case.pair) is not None}
    return CorePairs(cells) if cells else None


def joined(pairs: Iterable[Pair]) -> tuple[tuple[int, ...], ...]:
    """Return the CPUs of some pairs in groups that are linked by them, each in order, the lowest number first."""
    groups: list[set[int]] = []
    for pair in pairs:
        touched = [group for group in groups if group.intersection(pair)]
        groups = [group for group in groups if group not in touched] + [set(pair).union(*touched)]
    return tuple(sorted(tuple(sorted(group)) for group in groups))


# --- groups that the times show -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HiddenGroups:
    """CPUs that share the same as all others, and yet are near within groups and further apart between them.

    `near_ns` and `far_ns` are the medians of the pairs within and between.
    """

    shared: str
    groups: tuple[tuple[int, ...], ...]
    near_ns: float
    far_ns: float


def hidden_groups(found: CorePairs) -> Iterator[HiddenGroups]:
    """Yield the groups into which pairs fall that share the same: all within are near, all between are far.

    There are two groups of two CPUs at least; the times are in two clusters (see `statistics.clusters`).
    """
    for kind in found.neighbours:
        pairs, times = list(kind.times_ns), list(kind.times_ns.values())
        for low, high in clusters(times, FEWEST_IN_GROUPS):
            near, far = ([pairs[place] for place in side] for side in (low, high))
            groups = joined(near)
            of = {cpu: number for number, group in enumerate(groups) for cpu in group}
            ends = [(of.get(one), of.get(other)) for one, other in far]
            is_between = all(one != other for one, other in ends) and any(None not in pair for pair in ends)
            if is_between and len(near) + len(far) == len(pairs):
                times_of = [[kind.times_ns[pair] for pair in side] for side in (near, far)]
                yield HiddenGroups(kind.shared, groups, median(times_of[0]), median(times_of[1]))
                break


# --- pairs whose CPUs move ------------------------------------------------------------------------------------------


class TwoTimes(NamedTuple):
    """Two times that the blocks of a pair of CPUs took, each in ns with how many blocks took it."""

    low: tuple[float, int]
    high: tuple[float, int]


def two_times(result: Result) -> TwoTimes | None:
    """Return the two times between which a pair of CPUs changed, None for one time and for what is no pair.

    They lie further apart than the homes of the lines make them: by a quarter.
    """
    groups = two_groups(result.samples.seconds) if result.case.pair is not None else None
    if groups is None:
        return None
    hops = result.case.bytes_per_call / ADDRESS_BYTES * result.samples.calls_per_sample
    sides = [[result.samples.seconds[at] / hops * NS_PER_S for at in side] for side in (groups.low, groups.high)]
    low, high = ((median(side), len(side)) for side in sides)
    return TwoTimes(low, high) if high[0] >= CLUSTERS_RATIO * low[0] else None
