"""Which pairs of CPUs a cache line is handed between, and what the two of each have in common at the nearest.

All pairs of a few CPUs; of more one CPU of each core; of yet more some cores of each group that shares a cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, zip_longest
from typing import TypeVar

from bandwidth.errors import UsageError
from bandwidth.machine.topology import Topology
from bandwidth.vocabulary import SHARED

# With the seven blocks of 20 ms that each takes at least, 276 pairs fill the budget of a study.
MOST_CPUS = 24
CORE, NODE, SOCKET, MACHINE = "core", "node", "socket", "machine"
# Of parts of equal size the first of these names what two CPUs share: a node that is a whole socket is the socket.
_NAMED_FIRST = (CORE, "L2", "L3", "L4", SOCKET, NODE, MACHINE)
_GROUP_WORDS = {NODE: "NUMA node", SOCKET: "socket", MACHINE: "machine"}

Cpus = frozenset[int]
Member = TypeVar("Member")


@dataclass(frozen=True)
class CpuPair:
    """Two CPUs, the lower number first, and what they share at the nearest: one of SHARED, "" where it is not known."""

    cpus: tuple[int, int]
    shared: str


def asked_pairs(
    topology: Topology, threads: Sequence[str] | None = None, *, of_all: bool = False
) -> tuple[tuple[CpuPair, ...], str]:
    """Return the pairs that --core-to-core measures, and a line on what was left out, "" where nothing was.

    Of each kind of neighbours one goes first, then another of each: what a short budget leaves out is of all kinds.
    `of_all`: all pairs of the CPUs that may be used, however many they are. Raises UsageError where there are no two
    CPUs, or threads cannot be kept on them, or numbers of threads are asked for.
    """
    count = len(topology.cpus_allowed)
    if count < 2:
        raise UsageError("--core-to-core needs two CPUs", f"this process may use {count}")
    if not topology.can_pin:
        raise UsageError("--core-to-core needs pinned threads", "this system cannot pin threads")
    if threads is not None:
        raise UsageError("--threads does not apply to --core-to-core", "select CPUs with --cpus")
    return _pairs_of(topology, of_all=of_all)


def _pairs_of(topology: Topology, *, of_all: bool = False) -> tuple[tuple[CpuPair, ...], str]:
    cpus = topology.cpus_allowed
    if of_all or len(cpus) <= MOST_CPUS:
        return _in_turns(topology, combinations(cpus, 2)), ""
    cores = topology.physical_core_cpus()
    taken, words = (cores, "one CPU of each core") if len(cores) <= MOST_CPUS else _representatives(topology)
    neighbours, siblings = tuple(_neighbours(topology, taken)), tuple(_siblings(topology, taken))
    pairs = _in_turns(topology, [*combinations(sorted(taken), 2), *neighbours, *siblings])
    between = [f"between {words}"]
    between += ["two cores of each of these"] if neighbours else []
    between += ["the two hardware threads of each of these cores"] if siblings else []
    count = f"{len(cpus)} CPUs have {len(cpus) * (len(cpus) - 1) // 2:,} pairs; {len(pairs)} are measured"
    more = "Use --cpus to measure all pairs of other CPUs, within the --budget."
    return pairs, f"{count}: {', '.join(between)}. {more}"


def one_of_each(topology: Topology) -> tuple[CpuPair, ...]:
    """Return the first pair of each kind of neighbours, the nearest first; none where threads cannot be pinned."""
    found: dict[str, CpuPair] = {}
    for pair in _pairs_of(topology)[0] if topology.can_pin else ():
        found.setdefault(pair.shared, pair)
    return tuple(sorted(found.values(), key=lambda pair: _rank(pair.shared)))


# --- what CPUs share ------------------------------------------------------------------------------------------------


def _parts(topology: Topology) -> Iterator[tuple[str, Cpus]]:
    """Yield every core, cache, node and socket with those of its CPUs that may be used; none where no layout is known.

    A cache that spans nodes (sub-NUMA clusters) tells less than they do, and stands for no more than its socket.
    """
    allowed = frozenset(topology.cpus_allowed)
    if not topology.caches and not topology.numa_nodes:
        return
    nodes = [part for _, part in _of_cores(topology, NODE, [core.node for core in topology.cores])]
    yield from ((CORE, frozenset(core.cpus)) for core in topology.cores)
    for cache in topology.caches:
        part = cache.cpus & allowed
        if cache.level > 1 and any(part <= node for node in nodes):
            yield f"L{cache.level}", part
    yield from ((NODE, part) for part in nodes)
    if topology.sockets_taken is None or topology.sockets_taken.are_told_apart:
        yield from _of_cores(topology, SOCKET, [core.socket for core in topology.cores])
        yield MACHINE, allowed


def _of_cores(topology: Topology, kind: str, numbers: Sequence[int]) -> Iterator[tuple[str, Cpus]]:
    for number in sorted(set(numbers)):
        own = [core.cpus for core, of in zip(topology.cores, numbers, strict=True) if of == number]
        yield kind, frozenset(cpu for cpus in own for cpu in cpus)


def _parts_by_cpu(topology: Topology) -> dict[int, list[tuple[str, Cpus]]]:
    """Return the parts that each CPU belongs to, the smallest first."""
    found: dict[int, list[tuple[str, Cpus]]] = {cpu: [] for cpu in topology.cpus_allowed}
    for kind, cpus in sorted(_parts(topology), key=lambda part: (len(part[1]), _NAMED_FIRST.index(part[0]))):
        for cpu in cpus:
            found[cpu].append((kind, cpus))
    return found


def _rank(shared: str) -> int:
    return list(SHARED).index(shared) if shared in SHARED else len(SHARED)


# --- the order ------------------------------------------------------------------------------------------------------


def _in_turns(topology: Topology, pairs: Iterable[tuple[int, int]]) -> tuple[CpuPair, ...]:
    """Return the pairs with what they share, one of each kind in turn; of a kind neighbours in the layout first."""
    parts, place = _parts_by_cpu(topology), {cpu: at for at, cpu in enumerate(_in_layout(topology))}
    groups: dict[str, list[CpuPair]] = {}
    for one, other in dict.fromkeys(pairs):
        shared = next((kind for kind, cpus in parts[one] if other in cpus), "")
        groups.setdefault(shared, []).append(CpuPair((one, other), shared))
    for group in groups.values():
        group.sort(key=lambda pair: (abs(place[pair.cpus[0]] - place[pair.cpus[1]]), pair.cpus))
    ordered = [groups[shared] for shared in sorted(groups, key=_rank)]
    return tuple(pair for turn in zip_longest(*ordered) for pair in turn if pair is not None)


def _in_layout(topology: Topology) -> Iterator[int]:
    for core in topology.cores:
        yield from core.cpus


# --- some of many ---------------------------------------------------------------------------------------------------


def _representatives(topology: Topology) -> tuple[tuple[int, ...], str]:
    """Return CPUs of some cores of each group that shares a cache, evenly spaced, and what they are in words."""
    kind, groups = _groups(topology)
    chosen = _spaced(groups, min(len(groups), MOST_CPUS))
    each = MOST_CPUS // len(chosen)
    taken = tuple(cpu for group in chosen for cpu in _spaced(group, min(each, len(group))))
    cores = "one core" if each == 1 else f"{each} cores"
    of = f"each {kind}" if len(chosen) == len(groups) else f"{len(chosen)} of the {len(groups)} {kind}s"
    return taken, f"{cores} of {of}"


def _groups(topology: Topology) -> tuple[str, list[tuple[int, ...]]]:
    """Return the first CPUs of the cores by the largest cache that they share, else by their node; and what that is."""
    parts = _parts_by_cpu(topology)
    groups: dict[Cpus, list[int]] = {}
    kind = MACHINE
    for cpu in topology.physical_core_cpus():
        caches = [part for part in parts[cpu] if part[0].startswith("L")]
        others = [part for part in parts[cpu] if part[0] in _GROUP_WORDS]
        kind, cpus = (caches[-1:] or others[:1] or [(MACHINE, frozenset(topology.cpus_allowed))])[0]
        groups.setdefault(cpus, []).append(cpu)
    return _GROUP_WORDS.get(kind, f"{kind} cache"), [tuple(group) for group in groups.values()]


def _spaced(members: Sequence[Member], count: int) -> list[Member]:
    return [members[place * len(members) // count] for place in range(count)]


def _siblings(topology: Topology, taken: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield each of some CPUs with the other hardware thread of its core."""
    for core in topology.cores:
        if core.cpus[0] in taken and len(core.cpus) > 1:
            yield core.cpus[0], core.cpus[1]


def _neighbours(topology: Topology, taken: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield a pair within each group of which only one core was taken."""
    for group in _groups(topology)[1]:
        own = [cpu for cpu in group if cpu in taken]
        if len(own) == 1 and len(group) > 1:
            other = next(cpu for cpu in group if cpu != own[0])
            yield min(own[0], other), max(own[0], other)
