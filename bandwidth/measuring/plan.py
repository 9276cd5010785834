"""Options and a machine become cases: which kernels, how many threads on which CPUs, how much data, in which order.

Nothing is measured here. What cannot run is named with its reason; why a size was chosen is kept for `--plan`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bandwidth.errors import BandwidthError, HardwareError, UsageError
from bandwidth.machine.cpu_list import format_cpu_list
from bandwidth.machine.facts import Facts
from bandwidth.machine.memory import usable_memory_bytes
from bandwidth.machine.topology import Topology
from bandwidth.measuring.engines import ENGINES, EngineEntry
from bandwidth.measuring.kernels import CACHE_MULTIPLE, KERNELS, LEAST_DRAM_BYTES, Kernel
from bandwidth.measuring.memory_theory import HostTheory, host_theory
from bandwidth.measuring.options import ALL_TARGETS, ALL_THREADS, TARGETS, MeasureOptions
from bandwidth.results import Case, NotRun
from bandwidth.units import KIBI, format_size

# Where the caches are not known: larger than four times any cache of a laptop or desktop processor.
UNKNOWN_CACHES_BYTES = 1 * KIBI**3
# What is left for everything else: a measurement that makes a machine swap measures the disk.
MEMORY_SHARE = 0.8
PAGE_BYTES = 4096
# With less there is no working set that says anything.
LEAST_ROOM_BYTES = 16 * KIBI**2
# The kernels that go first when the budget cannot hold all, by their place in an engine's list.
FIRST_KERNELS = 2


@dataclass(frozen=True)
class Sizing:
    """How much data the cases of one set of CPUs use, the least that counts as memory for them, and why."""

    wanted_bytes: int
    dram_rule_bytes: int
    why: str
    caches_known: bool = True


@dataclass(frozen=True)
class PlannedCase:
    """A case, why it has its size, and the theory and the maker's figure that may stand beside it, None where none."""

    case: Case
    why: str
    theory_bytes_per_s: float | None = None
    theory_source: str | None = None
    vendor_bytes_per_s: float | None = None


@dataclass(frozen=True)
class Plan:
    """What is to run, the most important first; what is not, with reasons; and the memory's theory.

    `memory_bytes` is what all arrays take together.
    """

    cases: tuple[PlannedCase, ...]
    not_run: tuple[NotRun, ...]
    theory: HostTheory
    budget_s: float
    memory_bytes: int = 0


def make_plan(options: MeasureOptions, facts: Facts, topology: Topology) -> Plan:
    """Return the plan. Raises UsageError for options that do not fit the machine, HardwareError where a part lacks."""
    _check_target(options.target)
    engines = _engines(options.engines)
    allowed = _restricted(topology, options.cpus)
    theory = host_theory(options, facts, topology)
    thread_counts = _thread_counts(options.threads, allowed)
    kernels = _kernels(options.kernels, engines)
    cpus_by_threads = {count: _cpus(allowed, count) for count in thread_counts}
    sizings = _sizings(options, facts, topology, cpus_by_threads.values(), kernels)
    cases = [
        _planned(case, sizings[case.cpus].why, theory, topology)
        for case in _cases_by_priority(engines, kernels, cpus_by_threads, sizings)
    ]
    return Plan(tuple(cases), (), theory, options.budget_s, _memory_needed(topology, sizings, kernels))


def dram_rule_bytes(topology: Topology, cpus: Iterable[int]) -> int:
    """Return the least working set that counts as memory for some CPUs: 4 x their last-level caches, 256 MiB at least.

    Where the caches are not known it is 1 GiB, and the check at half of it has to show that no cache took part.
    """
    caches = topology.last_level_cache_bytes(cpus)
    return UNKNOWN_CACHES_BYTES if caches is None else max(CACHE_MULTIPLE * caches, LEAST_DRAM_BYTES)


def _check_target(target: str) -> None:
    if target not in (*TARGETS, ALL_TARGETS):
        raise UsageError(
            f"{target!a} is nothing that can be measured", f"choose from {', '.join((*TARGETS, ALL_TARGETS))}"
        )
    if target != ALL_TARGETS and not any(target in entry.targets for entry in ENGINES.values()):
        raise HardwareError(
            f"{target} cannot be measured: no engine for it is installed", "`bandwidth measure host` can"
        )


def _engines(names: Sequence[str] | None) -> tuple[EngineEntry, ...]:
    unknown = [name for name in names or () if name not in ENGINES]
    if unknown:
        raise UsageError(f"--engine {unknown[0]!a} is not known", f"choose from {', '.join(ENGINES)}")
    return tuple(ENGINES[name] for name in names or ENGINES)


def _kernels(names: Sequence[str] | None, engines: Sequence[EngineEntry]) -> tuple[str, ...]:
    """Return the kernels asked for, or all that the engines have, in the engines' order of importance."""
    known = tuple(dict.fromkeys(kernel for engine in engines for kernel in engine.kernels))
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise UsageError(f"--kernel {unknown[0]!a} is not known", f"choose from {', '.join(sorted(known))}")
    return known if names is None else tuple(kernel for kernel in known if kernel in names)


def _restricted(topology: Topology, cpus: Sequence[int] | None) -> Topology:
    """Return the topology with only the CPUs of --cpus allowed. Raises UsageError for one that is not there."""
    if cpus is None:
        return topology
    cpus = tuple(dict.fromkeys(cpus))
    refused = sorted(set(cpus) - set(topology.cpus_allowed))
    if refused:
        allowed = format_cpu_list(topology.cpus_allowed)
        raise UsageError(f"--cpus: CPU {refused[0]} may not be used here", f"choose from {allowed}")
    kept = [replace(core, cpus=tuple(cpu for cpu in core.cpus if cpu in cpus)) for core in topology.cores]
    return replace(topology, cores=tuple(core for core in kept if core.cpus), cpus_allowed=tuple(sorted(cpus)))


def _thread_counts(asked: Sequence[str] | None, topology: Topology) -> tuple[int, ...]:
    """Return the thread counts, the largest first, each once. Raises UsageError above the CPUs allowed."""
    most = len(topology.cpus_allowed)
    counts = {_thread_count(text, topology) for text in asked or ("1", ALL_THREADS)}
    for count in counts:
        if not 1 <= count <= most:
            cpus = "1 CPU" if most == 1 else f"{most} CPUs"
            raise UsageError(f"--threads {count}: {cpus} may be used here", f"give 1 to {most}, or all")
    return tuple(sorted(counts, reverse=True))


def _thread_count(text: str, topology: Topology) -> int:
    if text.lower() == ALL_THREADS:
        return len(topology.cores)
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise UsageError(f"--threads {text!a} is not a number of threads", "give numbers or all, such as 1,4,all")
    return int(text)


def _cpus(topology: Topology, threads: int) -> tuple[int, ...]:
    """Return the CPUs of some threads: one of each core first, their siblings only when there are more threads."""
    first = topology.physical_core_cpus()
    siblings = tuple(cpu for core in topology.cores for cpu in core.cpus[1:])
    return (first + siblings)[:threads]


# --- how much data --------------------------------------------------------------------------------------------------


def _sizings(
    options: MeasureOptions,
    facts: Facts,
    topology: Topology,
    cpu_sets: Iterable[tuple[int, ...]],
    kernels: Sequence[str],
) -> dict[tuple[int, ...], Sizing]:
    """Return the size for each set of CPUs. Raises UsageError where --size does not fit into memory."""
    sizings = {cpus: _sizing(options.size_bytes, topology, cpus) for cpus in cpu_sets}
    usable = usable_memory_bytes(facts)
    if usable is None:
        return sizings
    room, needed = int(usable * MEMORY_SHARE), _memory_needed(topology, sizings, kernels)
    if needed <= room:
        return sizings
    if room < LEAST_ROOM_BYTES:
        raise BandwidthError(
            f"only {format_size(usable)} of memory may be used here", "free some: nothing can be measured"
        )
    share = room / needed
    if options.size_bytes is not None:
        most = int(options.size_bytes * share) // KIBI**2
        raise UsageError(
            f"--size {format_size(options.size_bytes)} needs {format_size(needed)} of memory in all, "
            f"{format_size(usable)} may be used",
            f"give at most {most}MiB, or fewer kernels",
        )
    return {cpus: _capped(sizing, share, usable) for cpus, sizing in sizings.items()}


def _sizing(size_bytes: int | None, topology: Topology, cpus: tuple[int, ...]) -> Sizing:
    rule, caches = dram_rule_bytes(topology, cpus), topology.last_level_caches(cpus)
    if size_bytes is not None:
        return Sizing(size_bytes, rule, "--size", bool(caches))
    if not caches:
        return Sizing(rule, rule, "the caches are not known here", caches_known=False)
    total = sum(cache.size_bytes for cache in caches)
    number = "" if len(caches) == 1 else f" in {len(caches)} caches"
    if rule > LEAST_DRAM_BYTES:
        return Sizing(rule, rule, f"{CACHE_MULTIPLE} x {format_size(total)} of last-level cache{number}")
    return Sizing(rule, rule, f"the least for memory; last-level cache {format_size(total)}{number}")


def _capped(sizing: Sizing, share: float, usable: int) -> Sizing:
    why = f"{format_size(usable)} of free memory allow no more; {sizing.why}"
    return replace(sizing, wanted_bytes=int(sizing.wanted_bytes * share), why=why)


def _memory_needed(topology: Topology, sizings: Mapping[tuple[int, ...], Sizing], kernels: Sequence[str]) -> int:
    """Return the bytes of all sources and destinations: they lie apart, and each set of CPUs on its own NUMA nodes."""
    rows = [KERNELS[name] for name in kernels]
    share = max(row.reads / row.arrays for row in rows) + max(row.writes / row.arrays for row in rows)
    sizes = [sizing.wanted_bytes for sizing in sizings.values()]
    has_one_node = len(topology.nodes_of(cpu for cpus in sizings for cpu in cpus)) <= 1
    return int((max(sizes) if has_one_node else sum(sizes)) * share)


# --- the cases ------------------------------------------------------------------------------------------------------


def _cases_by_priority(
    engines: Sequence[EngineEntry],
    kernels: Sequence[str],
    cpus_by_threads: Mapping[int, tuple[int, ...]],
    sizings: Mapping[tuple[int, ...], Sizing],
) -> list[Case]:
    """Return the cases, the most important first: the first kernels with all threads, then with fewer, then the rest.

    Behind the first kernel stands the same at half the size, once for each size and set of caches: it proves that the
    data is in memory.
    """
    cases: list[Case] = []
    proven: set[Sizing] = set()
    for stage in (kernels[:FIRST_KERNELS], kernels[FIRST_KERNELS:]):
        for cpus in cpus_by_threads.values():
            for engine in engines:
                names = [name for name in stage if name in engine.kernels]
                cases += [_case(engine.name, KERNELS[name], cpus, sizings[cpus]) for name in names]
                if names and names[0] == kernels[0] and sizings[cpus] not in proven:
                    cases += _size_check(engine.name, KERNELS[names[0]], cpus, sizings[cpus])
                    proven.add(sizings[cpus])
    return cases


def _case(engine: str, kernel: Kernel, cpus: tuple[int, ...], sizing: Sizing, *, is_size_check: bool = False) -> Case:
    array_bytes = _array_bytes(sizing.wanted_bytes, len(cpus) * kernel.arrays) * len(cpus)
    working_set = array_bytes * kernel.arrays
    stream = kernel.stream_bytes(array_bytes)
    return Case(
        target="host",
        path=kernel.name,
        engine=engine,
        threads=len(cpus),
        working_set_bytes=working_set,
        bytes_per_call=stream,
        payload_bytes_per_call=kernel.payload_bytes(array_bytes),
        # Whether NumPy's stores first read the line depends on the C library and the size: not known.
        traffic_bytes_per_call=None if kernel.writes else stream,
        cpus=cpus,
        variant={"sweep_point": working_set} if is_size_check else {},
        dram_rule_bytes=sizing.dram_rule_bytes,
        caches_known=sizing.caches_known,
    )


def _size_check(engine: str, kernel: Kernel, cpus: tuple[int, ...], sizing: Sizing) -> list[Case]:
    """Return the case at half the size, unless the whole is too small for memory: then there is nothing to prove."""
    if sizing.wanted_bytes < sizing.dram_rule_bytes:
        return []
    half = replace(sizing, wanted_bytes=sizing.wanted_bytes // 2)
    return [_case(engine, kernel, cpus, half, is_size_check=True)]


def _array_bytes(wanted_bytes: int, arrays: int) -> int:
    """Return the bytes of one thread's array: whole pages, rounded up, so that the rule for memory stays met."""
    pages = -(-wanted_bytes // (arrays * PAGE_BYTES))
    return max(pages, 1) * PAGE_BYTES


def _planned(case: Case, why: str, theory: HostTheory, topology: Topology) -> PlannedCase:
    if "sweep_point" in case.variant:
        return PlannedCase(case, "half of it, to show that the whole is in memory")
    if not case.meets_dram_rule:
        return PlannedCase(case, why)
    sockets = topology.sockets_of(case.cpus)
    figure = theory.bytes_per_s(sockets)
    source = None if figure is None else theory.source
    return PlannedCase(case, why, figure, source, theory.vendor_bytes_per_s(sockets))
