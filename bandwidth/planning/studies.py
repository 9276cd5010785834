"""What can be asked for instead of the table: sweeps, the NUMA matrix, latencies, mixes, and zeros."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from bandwidth.engines.interface import EngineEntry
from bandwidth.errors import UsageError
from bandwidth.kernels import KERNELS, MIXES
from bandwidth.planning.cases import Bench
from bandwidth.planning.options import SIZE_SWEEP, StudyOptions
from bandwidth.planning.order import Curve, apart, coarse_first
from bandwidth.planning.pairs import CpuPair, asked_pairs, one_of_each
from bandwidth.planning.selection import CpuSet, check_thread_count, cpus_for
from bandwidth.planning.sizing import Cpus, Sizing, Sizings
from bandwidth.results import Case
from bandwidth.units import format_size
from bandwidth.vocabulary import HUGE_PAGES, ORDINARY, PAGE_BYTES, SMALL_PAGES, STREAMING, SWEEP_POINT

LEAST_LATENCY_BYTES = 8 * 1024
# What the other threads are asked to move while the latency of one is taken, in percent of what they can: closer where
# the latency begins to climb.
LOADS = (0, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 95, 100)
# How much of what they move is written, in percent, beside reading alone; and the loads, fewer of them.
WRITE_SHARES = (25, 33, 50)
MIXED_LOADS = (20, 40, 60, 70, 80, 85, 90, 95, 100)
# Below this nothing can be swept: an array of each thread needs a line.
LEAST_THREAD_BYTES = 4 * 1024

# How many chains of loads one thread follows at once: beyond what most cores can wait for.
CHAINS = (1, 2, 4, 6, 8, 10, 12, 16, 20, 24, 32)

SWEEP_KERNELS = ("read",)
SCALING_KERNELS = ("read", "copy")
NODE_KERNELS = ("read", "copy")

Ends = tuple[int, int]


@dataclass(frozen=True)
class Study:
    """Cases in the making: the sets of CPUs whose sizes they need, the curves that these give, and lines to print."""

    cpu_sets: tuple[Cpus, ...]
    curves: Callable[[Sizings], list[Curve]]
    notes: tuple[str, ...] = ()

    def build(self, sizings: Sizings) -> list[Case]:
        """Return the cases in the order in which they are measured."""
        return coarse_first(self.curves(sizings))


def studies_of(asked: StudyOptions, bench: Bench, table: Study) -> Study:
    """Return all that is asked for, as one; `table` is what stands beside it where that is asked for too.

    Raises UsageError for what this machine cannot serve.
    """
    if asked.sweep is None and not asked.numa:
        _check_meaning(bench, has_stores=asked.zeros)
    studies = list(_asked(asked, bench, table))
    return Study(
        tuple(dict.fromkeys(cpus for study in studies for cpus in study.cpu_sets)),
        lambda sizings: [curve for study in studies for curve in study.curves(sizings)],
        tuple(note for study in studies for note in study.notes),
    )


def _asked(asked: StudyOptions, bench: Bench, table: Study) -> Iterator[Study]:
    if asked.full:
        loaded = _loaded_latency(bench, ())  # its screen has room for reads alone
        yield from (table, _mixes(bench, tuple(MIXES)), loaded, _nodes(bench, with_latency=True))
        yield _core_to_core(bench, one_of_each(bench.topology))
    if asked.sweep is not None:
        sweep = _size_sweep if asked.sweep == SIZE_SWEEP else _thread_sweep
        yield sweep(bench, asked.sweep_range)
    if asked.mixes is not None:
        yield _mixes(bench, asked.mixes)
    if asked.zeros:
        yield _zeros(bench)
    if asked.random:
        yield _random(bench)
    if asked.numa:
        yield _nodes(bench, with_latency=asked.latency)
    elif asked.latency:
        yield _latencies(bench)
        yield _loaded_latency(bench, WRITE_SHARES)
    if asked.chains:
        yield _chains(bench)
    if asked.core_to_core:
        _needs_native(bench, "--core-to-core")
        yield _core_to_core(bench, *asked_pairs(bench.topology, bench.threads, of_all=bench.has_named_cpus))


def _check_meaning(bench: Bench, *, has_stores: bool) -> None:
    """Raise UsageError for what only sweeps and matrices take, where neither is asked for."""
    if bench.has_named_kernels:
        raise UsageError(
            "--kernel does not apply to --latency, --chains, --core-to-core, --mix, --zeros or --random",
            "omit it, or add --sweep",
        )
    if bench.stores is not None and not has_stores:
        raise UsageError(
            "--stores does not apply to --latency, --chains, --core-to-core, --mix or --random",
            "omit it, or add --sweep",
        )


# --- sweeps ---------------------------------------------------------------------------------------------------------


def _size_sweep(bench: Bench, within: Ends | None) -> Study:
    cpu_sets, notes = (bench.cpu_sets, ()) if within is None else _cpu_sets_in_range(bench.cpu_sets, within)
    engine, kernels = bench.swept(SWEEP_KERNELS)
    # In a cache an ordinary store writes where it is; a streaming one would send the data to memory.
    stores = bench.stores or (ORDINARY,)

    def curves(cpu_set: CpuSet, sizing: Sizing) -> list[Curve]:
        points_of = [(size, replace(sizing, wanted_bytes=size)) for size in _sizes(within, sizing, cpu_set)]
        return [
            [bench.case(engine, KERNELS[name], cpu_set, point, kind, {SWEEP_POINT: size}) for size, point in points_of]
            for name, kind in _kinds(bench, engine, kernels, stores)
        ]

    return _of_each(cpu_sets, curves, notes)


def _of_each(
    cpu_sets: Sequence[CpuSet], curves: Callable[[CpuSet, Sizing], list[Curve]], notes: tuple[str, ...] = ()
) -> Study:
    """Return the study of the curves that each set of CPUs gives with its size."""
    return Study(
        tuple(cpu_set.cpus for cpu_set in cpu_sets),
        lambda sizings: [curve for cpu_set in cpu_sets for curve in curves(cpu_set, sizings[cpu_set.cpus])],
        notes,
    )


def _kinds(
    bench: Bench, engine: EngineEntry, kernels: Sequence[str], stores: Sequence[str]
) -> list[tuple[str, str | None]]:
    """Return each kernel with each of some kinds of store, None for one that has no choice."""
    pairs = [(name, kind) for name in kernels for kind in bench.stores_of(engine, KERNELS[name])]
    return [(name, kind) for name, kind in pairs if kind is None or kind in stores]


def _cpu_sets_in_range(cpu_sets: Sequence[CpuSet], within: Ends) -> tuple[tuple[CpuSet, ...], tuple[str, ...]]:
    """Return those for whom the range holds a point, and a line on those who are left out. Raises UsageError for none.

    Many threads need larger sizes than few: a range within one core's cache is none for them.
    """
    low, high = within
    inside = tuple(cpu_set for cpu_set in cpu_sets if points(max(low, _least_bytes(cpu_set)), high))
    least = f"a thread needs at least {format_size(LEAST_THREAD_BYTES)}"
    if not inside:
        raise UsageError(
            f"--range {format_size(low)}-{format_size(high)} contains no point of a sweep for {_counts(cpu_sets)}",
            f"points are powers of two and 1.5 times each of them, and {least}",
        )
    outside = [cpu_set for cpu_set in cpu_sets if cpu_set not in inside]
    return inside, (f"The range contains no size for {_counts(outside)}: {least}.",) if outside else ()


def _counts(cpu_sets: Sequence[CpuSet]) -> str:
    counts = sorted({len(cpu_set.cpus) for cpu_set in cpu_sets})
    return "1 thread" if counts == [1] else f"{' or '.join(map(str, counts))} threads"


def _least_bytes(cpu_set: CpuSet) -> int:
    return LEAST_THREAD_BYTES * len(cpu_set.cpus)


def _thread_sweep(bench: Bench, within: Ends | None) -> Study:
    if bench.threads is not None:
        raise UsageError("--threads does not apply to a sweep over threads", "use --range 1-16")
    low, high = within or (1, len(bench.topology.cores))
    for count in (low, high):
        check_thread_count(count, bench.topology, "--range")
    counts = sorted({count for count in points(1, high) if low <= count} | {low, high})
    cpu_sets = [CpuSet(cpus_for(bench.topology, count)) for count in counts]
    engine, kernels = bench.swept(SCALING_KERNELS)
    stores = bench.stores or (STREAMING,)

    def curves(sizings: Sizings) -> list[Curve]:
        return [
            [bench.case(engine, KERNELS[name], cpu_set, sizings[cpu_set.cpus], kind) for cpu_set in cpu_sets]
            for name, kind in _kinds(bench, engine, kernels, stores)
        ]

    return Study(tuple(cpu_set.cpus for cpu_set in cpu_sets), curves)


def points(low: int, high: int) -> tuple[int, ...]:
    """Return the points of a sweep from `low` to `high`, the ends included: powers of two and one and a half of each.

    So that all machines have the same.
    """
    found, power = [], 1
    while power <= high:
        found += [power, *([power + power // 2] if power > 1 else [])]
        power *= 2
    return tuple(point for point in found if low <= point <= high)


def _sizes(within: Ends | None, sizing: Sizing, cpu_set: CpuSet) -> tuple[int, ...]:
    """Return the points of a sweep over size: to the first at which the data counts as in memory, or as asked."""
    low, high = within or (0, _point_from(sizing.wanted_bytes))
    return points(max(low, _least_bytes(cpu_set)), high)


def _is_power_of_two(number: int) -> bool:
    return number & (number - 1) == 0


def _point_from(size_bytes: int) -> int:
    """Return the least point that is no smaller."""
    return next(point for point in points(1, 2 * size_bytes) if point >= size_bytes)


# --- NUMA -----------------------------------------------------------------------------------------------------------


def _nodes(bench: Bench, *, with_latency: bool) -> Study:
    topology = bench.topology
    with_cpus = sorted({core.node for core in topology.cores})
    with_memory = topology.memory_nodes_allowed or tuple(with_cpus)
    if len(set(with_cpus) | set(with_memory)) < 2:
        return Study((), lambda _: [], ("This machine has one NUMA node, so it has no remote memory.",))
    cpu_sets = {node: _node_cpu_set(bench, node) for node in with_cpus}
    engine, kernels = bench.swept(NODE_KERNELS)
    stores = bench.stores or (STREAMING,)
    notes = tuple(
        f"NUMA node {node} has memory but no CPUs (CXL, HBM in flat mode, or a GPU's memory)."
        for node in topology.memory_only_nodes
    )

    def curves(sizings: Sizings) -> list[Curve]:
        cases = []
        for near, cpu_set in cpu_sets.items():
            sizing = sizings[cpu_set.cpus]
            for far in with_memory:
                variant: dict[str, str | int] = {"cpu_node": near, "memory_node": far}
                for name, kind in _kinds(bench, engine, kernels, stores):
                    cases.append(bench.case(engine, KERNELS[name], cpu_set, sizing, kind, variant))
                if with_latency and bench.engine("native"):
                    one = sizings[cpu_set.cpus[:1]]
                    cases.append(bench.latency_case(CpuSet(cpu_set.cpus[:1]), one, variant))
        return apart(cases)

    sets = [cpus for cpu_set in cpu_sets.values() for cpus in (cpu_set.cpus, cpu_set.cpus[:1])]
    return Study(tuple(dict.fromkeys(sets)), curves, notes)


def _node_cpu_set(bench: Bench, node: int) -> CpuSet:
    """Return the cores of a node, or as many of its CPUs as `--threads` asks for."""
    cores = [core for core in bench.topology.cores if core.node == node]
    own = replace(
        bench.topology, cores=tuple(cores), cpus_allowed=tuple(sorted(cpu for core in cores for cpu in core.cpus))
    )
    return bench.largest_cpu_set_of(own)


# --- latency --------------------------------------------------------------------------------------------------------


def _needs_native(bench: Bench, option: str) -> None:
    if bench.engine("native") is None:
        raise UsageError(f"{option} needs the native engine", "pip install 'membandwidth[native]', or omit --engine")


def _latencies(bench: Bench) -> Study:
    _needs_native(bench, "--latency")

    def curves(cpu_set: CpuSet, sizing: Sizing) -> list[Curve]:
        top = _point_from(sizing.wanted_bytes)
        sizes = [point for point in points(LEAST_LATENCY_BYTES, top) if _is_power_of_two(point) or point == top]
        return [
            [bench.latency_case(cpu_set, replace(sizing, wanted_bytes=size), {SWEEP_POINT: size}) for size in sizes]
        ]

    return _of_each(_one_of_each_kind(bench), curves)


def _chains(bench: Bench) -> Study:
    """Return latencies of one thread of each kind of core that follows several chains at once, all in memory."""
    _needs_native(bench, "--chains")

    def curves(cpu_set: CpuSet, sizing: Sizing) -> list[Curve]:
        point = replace(sizing, wanted_bytes=_point_from(sizing.wanted_bytes))  # --latency's largest, and its cycle
        return [[bench.latency_case(cpu_set, point, {"chains": f"{count}-chains"}) for count in CHAINS]]

    return _of_each(_one_of_each_kind(bench), curves)


def _one_of_each_kind(bench: Bench) -> list[CpuSet]:
    """Return a core, or one of each kind where they are not alike."""
    kinds = bench.topology.core_kinds
    if len(kinds) > 1:
        return [CpuSet(bench.topology.of_kind(kind)[0].cpus[:1], {"cores": kind}) for kind in kinds]
    return [CpuSet(cpus_for(bench.topology, 1))]


def _loaded_latency(bench: Bench, write_shares: Sequence[int]) -> Study:
    cpu_set = bench.largest_cpu_set_of(bench.topology)
    if len(cpu_set.cpus) < 2:
        return Study((), lambda _: [], ("Latency under load was skipped: it needs at least two threads.",))

    def curves(sizings: Sizings) -> list[Curve]:
        sizing = sizings[cpu_set.cpus]
        kinds: list[tuple[Sequence[int], dict[str, str]]] = [(LOADS, {})]
        kinds += [(MIXED_LOADS, {"writes": f"{share}%-writes"}) for share in write_shares]
        return [
            [bench.latency_case(cpu_set, sizing, {"load": f"{percent}%", **kind}) for percent in loads]
            for loads, kind in kinds
        ]

    return Study((cpu_set.cpus,), curves)


def _core_to_core(bench: Bench, pairs: Sequence[CpuPair], left_out: str = "") -> Study:
    """Return the time of a cache line between the two CPUs of each pair."""
    return Study((), lambda _: apart(map(bench.core_to_core_case, pairs)), tuple(filter(None, [left_out])))


# --- mixes and zeros ------------------------------------------------------------------------------------------------


def _mixes(bench: Bench, asked: Sequence[str]) -> Study:
    _needs_native(bench, "--mix")
    engine = next(entry for entry in bench.engines if entry.name == "native")
    rows = [(MIXES[ratio], ORDINARY if KERNELS[MIXES[ratio]].writes else None) for ratio in asked]

    def curves(sizings: Sizings) -> list[Curve]:
        return apart(
            bench.case(engine, KERNELS[name], cpu_set, sizings[cpu_set.cpus], stores)
            for cpu_set in bench.cpu_sets
            for name, stores in [*rows, ("triad", STREAMING)]
        )

    return Study(tuple(cpu_set.cpus for cpu_set in bench.cpu_sets), curves)


def _zeros(bench: Bench) -> Study:

    def curves(sizings: Sizings) -> list[Curve]:
        return apart(
            bench.case(engine, KERNELS["write"], cpu_set, sizings[cpu_set.cpus], stores, variant)
            for cpu_set in bench.cpu_sets
            for engine in bench.engines
            for stores in bench.stores_of(engine, KERNELS["write"])
            for variant in ({}, {"data": "zeros"})
        )

    return Study(tuple(cpu_set.cpus for cpu_set in bench.cpu_sets), curves)


# --- random reads ---------------------------------------------------------------------------------------------------


def _random(bench: Bench) -> Study:
    """Return reads of all lines in random order, each thread's in its own part, in huge pages and in small ones.

    A part is a power of two: its lines are all in one order then.
    """
    _needs_native(bench, "--random")
    engine = next(entry for entry in bench.engines if entry.name == "native")

    def curves(sizings: Sizings) -> list[Curve]:
        return apart(
            bench.case(engine, KERNELS["random"], cpu_set, _in_powers(sizings[cpu_set.cpus], cpu_set), None, variant)
            for cpu_set in bench.cpu_sets
            for variant in ({"pages": HUGE_PAGES}, {"pages": SMALL_PAGES})
        )

    return Study(tuple(cpu_set.cpus for cpu_set in bench.cpu_sets), curves)


def _in_powers(sizing: Sizing, cpu_set: CpuSet) -> Sizing:
    """Return a size of which each thread has a power of two: the next below, or above where it would be no memory's.

    Raises UsageError for less than a page a thread.
    """
    threads = len(cpu_set.cpus)
    if sizing.wanted_bytes < PAGE_BYTES * threads:
        raise UsageError(
            f"--random with {format_size(sizing.wanted_bytes)} gives {_counts([cpu_set])} less than a page each",
            f"use a --size of at least {format_size(PAGE_BYTES * threads)}",
        )
    part_bytes = 1 << ((sizing.wanted_bytes // threads).bit_length() - 1)
    is_memory = sizing.wanted_bytes >= sizing.dram_rule_bytes
    while is_memory and part_bytes * threads < sizing.dram_rule_bytes:
        part_bytes *= 2
    return replace(sizing, wanted_bytes=part_bytes * threads)
