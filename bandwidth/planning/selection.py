"""Which engines, kernels and CPUs the options choose of those that are here; what is not here is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bandwidth.cpu_list import format_cpu_list
from bandwidth.engines.interface import EngineEntry
from bandwidth.engines.registry import ENGINES, engines_of
from bandwidth.errors import UsageError
from bandwidth.machine.topology import Topology
from bandwidth.planning.options import ALL_TARGETS, ALL_THREADS, TARGET_WORDS
from bandwidth.vocabulary import DEVICE, HOST, LINK_PATHS, TARGETS


@dataclass(frozen=True)
class CpuSet:
    """The CPUs of some threads, and what tells their cases apart where it is not their number."""

    cpus: tuple[int, ...]
    variant: dict[str, str | int] = field(default_factory=dict)


def check_target(target: str) -> None:
    """Raise UsageError for a target that is none."""
    if target not in (*TARGETS, ALL_TARGETS):
        import difflib  # an error alone needs it

        near = difflib.get_close_matches(target, TARGET_WORDS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        known = "host (cpu), device (gpu), pcie (link) or all"
        raise UsageError(f"unknown target {target!a}", f"{hint}choose {known}")


def choose_engines(names: Sequence[str] | None) -> tuple[tuple[EngineEntry, ...], tuple[str, ...]]:
    """Return the host's engines asked for, or all that are installed, and a line on each that is not.

    Raises UsageError for one that is asked for and is not known, not the host's or not installed.
    """
    check_engines(names, HOST)
    lacking = {name: ENGINES[name].lacks() for name in names or engines_of(HOST)}
    missing = [name for name, what in lacking.items() if what]
    if missing and names is not None:
        raise UsageError(f"--engine {missing[0]} is not available: {lacking[missing[0]]}", "or choose another engine")
    notes = [f"The {name} kernels ({ENGINES[name].what}) are not measured: {lacking[name]}." for name in missing]
    return tuple(ENGINES[name] for name in lacking if name not in missing), tuple(notes)


def check_engines(names: Sequence[str] | None, target: str) -> None:
    """Raise UsageError for an engine that is not known or does not measure a target."""
    unknown = [name for name in names or () if name not in ENGINES]
    if unknown:
        raise UsageError(f"--engine {unknown[0]!a} is not known", f"choose from {', '.join(ENGINES)}")
    others = [name for name in names or () if target not in ENGINES[name].targets]
    if others:
        raise UsageError(
            f"--engine {others[0]} does not measure {target}", f"choose from {', '.join(engines_of(target))}"
        )


def check_stores(stores: Sequence[str] | None, engines: Sequence[EngineEntry]) -> None:
    """Raise UsageError where a kind of store is asked for and no engine has a choice of them."""
    if stores is not None and not any(engine.has_stores for engine in engines):
        having = next(entry for entry in ENGINES.values() if entry.has_stores)
        raise UsageError(f"--stores needs the engine {_not_used(having)}", "omit --stores")


def choose_kernels(names: Sequence[str] | None, engines: Sequence[EngineEntry]) -> tuple[str, ...]:
    """Return the kernels asked for, or all that the engines have. Raises UsageError for one that none has."""
    known = tuple(dict.fromkeys(kernel for engine in engines for kernel in engine.kernels))
    for name in names or ():
        if name not in known:
            having = next((entry for entry in ENGINES.values() if name in entry.kernels), None)
            what = "is not known" if having is None else f"needs the engine {_not_used(having)}"
            raise UsageError(f"--kernel {name!a} {what}", f"choose from {', '.join(sorted(known))}")
    return known if names is None else tuple(kernel for kernel in known if kernel in names)


def _not_used(engine: EngineEntry) -> str:
    lacks = engine.lacks()
    return f"{engine.name}, which is not in use{f' ({lacks})' if lacks else ''}"


def is_gpu_only(kernels: Sequence[str] | None, engines: Sequence[str] | None) -> bool:
    """Return whether with `all` only GPUs are meant: by the engines, or by kernels that no engine of the host has."""
    if engines is not None and not any(name in engines_of(HOST) for name in engines):
        return True
    return bool(kernels) and set(kernels or ()) <= _gpu_kernels() - _host_kernels(engines)


def kernels_for_host(kernels: Sequence[str] | None, engines: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the kernels without those that only a GPU has, for where a GPU is measured too."""
    if kernels is None:
        return None
    known, others = _host_kernels(engines), _gpu_kernels()
    return tuple(name for name in kernels if name in known or name not in others)


def engines_for_host(engines: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the engines without those of a GPU, for where a GPU is measured too."""
    if engines is None:
        return None
    return tuple(name for name in engines if name in engines_of(HOST) or name not in ENGINES)


def _host_kernels(engines: Sequence[str] | None) -> set[str]:
    """Return the kernels of the host's engines that are meant and here."""
    meant = [entry for name, entry in engines_of(HOST).items() if engines is None or name in engines]
    return {kernel for entry in meant if not entry.lacks() for kernel in entry.kernels}


def _gpu_kernels() -> set[str]:
    return {kernel for entry in engines_of(DEVICE).values() for kernel in entry.kernels} | {*LINK_PATHS}


def restricted(topology: Topology, cpus: Sequence[int] | None) -> Topology:
    """Return the topology with only the CPUs of --cpus allowed. Raises UsageError for one that is not there."""
    if cpus is None:
        return topology
    cpus = tuple(dict.fromkeys(cpus))
    refused = sorted(set(cpus) - set(topology.cpus_allowed))
    if refused:
        allowed = format_cpu_list(topology.cpus_allowed)
        raise UsageError(f"--cpus: this process may not use CPU {refused[0]}", f"choose from {allowed}")
    kept = [replace(core, cpus=tuple(cpu for cpu in core.cpus if cpu in cpus)) for core in topology.cores]
    return replace(topology, cores=tuple(core for core in kept if core.cpus), cpus_allowed=tuple(sorted(cpus)))


def choose_cpu_sets(threads: Sequence[str] | None, topology: Topology) -> tuple[CpuSet, ...]:
    """Return who works, the most threads first: as asked, else all cores and one, and each kind of a hybrid's cores.

    Raises UsageError for more threads than CPUs are allowed.
    """
    counts = thread_counts(threads, topology)
    cpu_sets = [CpuSet(cpus_for(topology, count)) for count in counts]
    kinds = topology.core_kinds if threads is None else ()
    for kind in kinds if len(kinds) > 1 else ():
        first = tuple(core.cpus[0] for core in topology.of_kind(kind))
        cpu_sets += [CpuSet(cpus, {"cores": kind}) for cpus in dict.fromkeys((first, first[:1]))]
    return tuple(sorted(cpu_sets, key=lambda cpu_set: -len(cpu_set.cpus)))


def thread_counts(asked: Sequence[str] | None, topology: Topology) -> tuple[int, ...]:
    """Return the thread counts, the largest first, each once. Raises UsageError above the CPUs allowed."""
    counts = {_thread_count(text, topology) for text in asked or ("1", ALL_THREADS)}
    for count in counts:
        check_thread_count(count, topology, "--threads")
    return tuple(sorted(counts, reverse=True))


def check_thread_count(count: int, topology: Topology, option: str) -> None:
    """Raise UsageError for no thread at all, and for more than CPUs are allowed."""
    most = len(topology.cpus_allowed)
    if not 1 <= count <= most:
        cpus = "1 CPU" if most == 1 else f"{most} CPUs"
        raise UsageError(f"{option} {count}: this process may use {cpus}", f"use 1 to {most}, or all")


def cpus_for(topology: Topology, threads: int) -> tuple[int, ...]:
    """Return the CPUs of some threads: one of each core first, their siblings only when there are more threads."""
    first = topology.physical_core_cpus()
    siblings = tuple(cpu for core in topology.cores for cpu in core.cpus[1:])
    return (first + siblings)[:threads]


def _thread_count(text: str, topology: Topology) -> int:
    if text.lower() == ALL_THREADS:
        return len(topology.cores)
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise UsageError(f"--threads {text!a} is not a thread count", "use numbers or all, such as 1,4,all")
    return int(text)
