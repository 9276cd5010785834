"""How much data a case works on, the least that counts as memory, and whether all of it fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bandwidth.engines.host.sharing import cycle_key
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.kernels import CACHE_MULTIPLE, LEAST_DRAM_BYTES, kernel_of
from bandwidth.machine.facts import Facts
from bandwidth.machine.system_memory import usable_memory_bytes
from bandwidth.machine.topology import Topology
from bandwidth.results import Case
from bandwidth.units import KIBI, format_size
from bandwidth.vocabulary import LATENCY, SMALL_PAGES

# Where the caches are not known: larger than four times any cache of a laptop or desktop processor.
UNKNOWN_CACHES_BYTES = 1 * KIBI**3
# What is left for everything else: a measurement that makes a machine swap measures the disk.
MEMORY_SHARE = 0.8
# With less there is no working set that says anything.
LEAST_ROOM_BYTES = 16 * KIBI**2
# Each step of making sizes smaller takes this much off at least.
LARGEST_SHRINKING = 0.99
MOST_SHRINKING_STEPS = 400
# A latency's cycle is kept beside its memory: four bytes for each line of 64.
ORDER_PART = 16

Cpus = tuple[int, ...]


@dataclass(frozen=True)
class AskedSizes:
    """Sizes that were asked for, None where the machine decides: a case's working set, the upper end of a sweep."""

    working_set_bytes: int | None = None
    range_end: int | None = None


@dataclass(frozen=True)
class Sizing:
    """How much data the cases of one set of CPUs use, the least that counts as memory for them, and why."""

    wanted_bytes: int
    dram_rule_bytes: int
    why: str
    caches_known: bool = True


Sizings = Mapping[Cpus, Sizing]


def dram_rule_bytes(topology: Topology, cpus: Iterable[int]) -> int:
    """Return the least working set that counts as memory for some CPUs: 4 x their last-level caches, 256 MiB at least.

    Where the caches are not known it is 1 GiB, and the check at half of it has to show that no cache took part.
    """
    caches = topology.last_level_cache_bytes(cpus)
    return UNKNOWN_CACHES_BYTES if caches is None else max(CACHE_MULTIPLE * caches, LEAST_DRAM_BYTES)


def sizings_of(size_bytes: int | None, topology: Topology, cpu_sets: Iterable[Cpus]) -> dict[Cpus, Sizing]:
    """Return the size for each set of CPUs: `size_bytes` where it is given, else the least that counts as memory."""
    return {cpus: _sizing(size_bytes, topology, cpus) for cpus in cpu_sets}


def fitted(
    build: Callable[[Sizings], list[Case]],
    sizings: Sizings,
    asked: AskedSizes,
    facts: Facts,
    topology: Topology,
) -> tuple[list[Case], Sizings]:
    """Return the cases that `build` makes of the sizes, the sizes made smaller where memory does not hold them.

    Raises UsageError where a size that was asked for does not fit, BandwidthError where there is no room at all.
    """
    cases = build(sizings)
    usable, needed = usable_memory_bytes(facts), memory_needed(cases, topology)
    if usable is None or needed <= int(usable * MEMORY_SHARE):
        return cases, sizings
    room = int(usable * MEMORY_SHARE)
    if room < LEAST_ROOM_BYTES:
        raise BandwidthError(
            f"only {format_size(usable)} of memory are available, too little to measure", "free some memory"
        )
    smaller = _shrunk(build, sizings, room, topology)
    short = f"needs {format_size(needed)} of memory in total, {format_size(usable)} are available"
    if smaller is None:  # a range of sizes does not follow the others
        raise UsageError(f"--range up to {format_size(asked.range_end or 0)} {short}", "use a smaller upper end")
    if asked.working_set_bytes is not None:
        share = min(smaller[cpus].wanted_bytes / sizings[cpus].wanted_bytes for cpus in sizings)
        most = int(asked.working_set_bytes * share) // KIBI**2
        raise UsageError(
            f"--size {format_size(asked.working_set_bytes)} {short}", f"use at most {most}MiB, or fewer options at once"
        )
    why = f"limited by the free memory, {format_size(usable)}"
    capped = {cpus: replace(sizing, why=f"{why}; {sizing.why}") for cpus, sizing in smaller.items()}
    return build(capped), capped


def _shrunk(
    build: Callable[[Sizings], list[Case]], sizings: Sizings, room: int, topology: Topology
) -> dict[Cpus, Sizing] | None:
    """Return the sizes made smaller, all by one factor, until their cases fit; None where they never do."""
    least = {cpus: replace(sizing, wanted_bytes=1) for cpus, sizing in sizings.items()}
    if memory_needed(build(least), topology) > room:  # no step on the way to it is below it
        return None
    found = dict(sizings)
    for _ in range(MOST_SHRINKING_STEPS):
        needed = memory_needed(build(found), topology)
        if needed <= room:
            return found
        # The points of a sweep follow the sizes in steps: what the first factor leaves may still be too much.
        share = min(room / needed, LARGEST_SHRINKING)
        found = {
            cpus: replace(sizing, wanted_bytes=max(int(sizing.wanted_bytes * share), 1))
            for cpus, sizing in found.items()
        }
    return None


def memory_needed(cases: Sequence[Case], topology: Topology) -> int:
    """Return the bytes that all arrays take: sources and destinations lie apart, and each latency has its own cycle.

    Cases share memory where nobody's pages are remote: on one NUMA node, or else those of the same CPUs and the same
    memory node.
    """
    rates = [case for case in cases if not case.is_latency]
    is_one = len(topology.nodes_of(cpu for case in rates for cpu in case.cpus)) <= 1
    is_one = is_one and not any("memory_node" in case.variant for case in rates)
    groups: dict[object, list[Case]] = {}
    for case in rates:
        place = None if is_one else (case.cpus, case.variant.get("memory_node"))
        groups.setdefault((case.variant.get("pages") == SMALL_PAGES, place), []).append(case)
    arenas = sum(_most(group, "reads") + _most(group, "writes") for group in groups.values())
    return arenas + sum(_latency_regions(cases).values())


def _latency_regions(cases: Iterable[Case]) -> dict[tuple[object, ...], int]:
    """Return the bytes of each region that latencies need: a cycle for each size and place, and what a load reads."""
    regions: dict[tuple[object, ...], int] = {}
    for case in cases:
        if case.path == LATENCY:
            regions[cycle_key(case)] = case.working_set_bytes + case.working_set_bytes // ORDER_PART
            if "load" in case.variant:
                regions["load", case.cpus] = case.working_set_bytes
    return regions


def _most(cases: Iterable[Case], half: str) -> int:
    shares = ((case, kernel_of(case.path, case.variant)) for case in cases)
    return max(case.working_set_bytes * int(getattr(row, half)) // row.arrays for case, row in shares)


def _sizing(size_bytes: int | None, topology: Topology, cpus: Cpus) -> Sizing:
    rule, caches = dram_rule_bytes(topology, cpus), topology.last_level_caches(cpus)
    if size_bytes is not None:
        return Sizing(size_bytes, rule, "--size", bool(caches))
    if not caches:
        return Sizing(rule, rule, "the size of the caches is unknown", caches_known=False)
    total = sum(cache.size_bytes for cache in caches)
    number = "" if len(caches) == 1 else f" in {len(caches)} caches"
    if rule > LEAST_DRAM_BYTES:
        return Sizing(rule, rule, f"{CACHE_MULTIPLE} x {format_size(total)} of last-level cache{number}")
    return Sizing(rule, rule, f"the minimum for memory; last-level cache {format_size(total)}{number}")
