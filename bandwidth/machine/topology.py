"""Cores, caches, sockets and NUMA nodes, and which of the CPUs this process may use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from bandwidth.cpu_list import numbers_of
from bandwidth.machine.numa import (
    NumaNode,
    Sockets,
    memory_only,
    processor_only,
    read_allowed_memory_nodes,
    read_numa_nodes,
    sockets_of,
)
from bandwidth.machine.processor import count_kinds, kind_rank, read_core_kinds
from bandwidth.machine.reader import CPU_FOLDER, Reader, read_integer, whole_number
from bandwidth.units import KIBI

_CACHE_SIZE = re.compile(r"([0-9]{1,15})([KMG]?)", re.ASCII)
_CACHE_UNITS = {"": 1, "K": KIBI, "M": KIBI**2, "G": KIBI**3}


@dataclass(frozen=True)
class Core:
    """One physical core: the CPUs of it that this process may use, in order, its socket and NUMA node.

    `kind` is "performance", "efficiency" or "low power efficiency" on a hybrid processor, empty where all cores are
    alike or the system does not tell them apart.
    """

    cpus: tuple[int, ...]
    socket: int
    node: int
    kind: str = ""


@dataclass(frozen=True)
class Cache:
    """One instance of a data or unified cache, and the CPUs that share it."""

    level: int
    size_bytes: int
    cpus: frozenset[int]


@dataclass(frozen=True)
class Topology:
    """The layout of a machine.

    `cores` holds the cores with at least one allowed CPU, ordered by kind (the fastest first), socket, node and
    first CPU; `caches`, `sockets`, `nodes`, `cpus_online`, `cores_online`, `threads_per_core` (the most of any core),
    `numa_nodes` and `cores_by_kind` tell of the whole machine; `cpus_present` counts offline CPUs too. `can_pin` says
    whether a thread can be bound to a CPU here; where it cannot, CPU numbers are ordinals.

    `numa_nodes` is empty where the system describes no node, and `memory_nodes_allowed`, the nodes with memory that
    this process may use, too. `cores_by_kind` is empty unless the processor is a hybrid. `sockets_taken` says what the
    number of sockets rests on, None where it was only counted.
    """

    cores: tuple[Core, ...]
    caches: tuple[Cache, ...]
    cpus_present: int
    cpus_allowed: tuple[int, ...]
    sockets: int
    nodes: tuple[int, ...]
    can_pin: bool
    cpus_online: int = 0
    cores_online: int = 0
    threads_per_core: int = 1
    numa_nodes: tuple[NumaNode, ...] = ()
    memory_nodes_allowed: tuple[int, ...] = ()
    cores_by_kind: tuple[tuple[str, int], ...] = ()
    sockets_taken: Sockets | None = None

    def physical_core_cpus(self) -> tuple[int, ...]:
        """Return the first allowed CPU of each core, ordered by kind (the fastest first), socket, node and CPU."""
        return tuple(core.cpus[0] for core in self.cores)

    @property
    def core_kinds(self) -> tuple[str, ...]:
        """Return the kinds of the cores that this process may use, the fastest first; none unless it is a hybrid."""
        return tuple(count_kinds([core.kind for core in self.cores]))

    def of_kind(self, kind: str) -> tuple[Core, ...]:
        """Return the cores of one kind that this process may use."""
        return tuple(core for core in self.cores if core.kind == kind)

    @property
    def memory_only_nodes(self) -> tuple[int, ...]:
        """Return the numbers of the NUMA nodes with memory but without CPUs: CXL, HBM in flat mode, GPU memory."""
        return memory_only(self.numa_nodes)

    @property
    def processor_only_nodes(self) -> tuple[int, ...]:
        """Return the numbers of the NUMA nodes with CPUs but without memory: a socket whose slots are empty."""
        return processor_only(self.numa_nodes)

    def last_level_caches(self, cpus: Iterable[int]) -> tuple[Cache, ...]:
        """Return the distinct caches that are the highest of any of these CPUs; empty where one CPU's is unknown."""
        highest = self._highest_cache_of_each_cpu()
        wanted = set(cpus)
        if not wanted <= highest.keys():
            return ()
        return tuple(dict.fromkeys(highest[cpu] for cpu in sorted(wanted)))

    def last_level_cache_bytes(self, cpus: Iterable[int]) -> int | None:
        """Return the summed size of the last-level caches that these CPUs can reach, None where unknown."""
        caches = self.last_level_caches(cpus)
        return sum(cache.size_bytes for cache in caches) if caches else None

    @property
    def all_last_level_cache_bytes(self) -> int | None:
        """Return the summed size of all last-level caches of the machine, None where unknown."""
        return self.last_level_cache_bytes(self._highest_cache_of_each_cpu())

    @property
    def last_level_cache_instances(self) -> int:
        """Return how many last-level caches the machine has, 0 where unknown."""
        return len(self.last_level_caches(self._highest_cache_of_each_cpu()))

    def cache_bytes(self, level: int) -> int | None:
        """Return the summed size of all instances of one level, None where there are none."""
        return sum(cache.size_bytes for cache in self.caches if cache.level == level) or None

    def reachable_cache_bytes(self, cpus: Iterable[int]) -> dict[str, int]:
        """Return what the caches that these CPUs can reach hold in all, by level: `{"L1": 98304, "L2": 4194304}`."""
        wanted = set(cpus)
        sizes: dict[str, int] = {}
        for cache in sorted(self.caches, key=lambda cache: cache.level):
            if wanted & cache.cpus:
                sizes[f"L{cache.level}"] = sizes.get(f"L{cache.level}", 0) + cache.size_bytes
        return sizes

    def sockets_of(self, cpus: Iterable[int]) -> frozenset[int]:
        """Return the sockets of the cores that these CPUs belong to, all where they cannot be told apart."""
        if self.sockets_taken is not None and not self.sockets_taken.are_told_apart:
            return frozenset(range(self.sockets))
        wanted = set(cpus)
        return frozenset(core.socket for core in self.cores if wanted.intersection(core.cpus))

    def nodes_of(self, cpus: Iterable[int]) -> frozenset[int]:
        """Return the NUMA nodes of the cores that these CPUs belong to."""
        wanted = set(cpus)
        return frozenset(core.node for core in self.cores if wanted.intersection(core.cpus))

    def _highest_cache_of_each_cpu(self) -> dict[int, Cache]:
        ascending = sorted(self.caches, key=lambda cache: cache.level)
        return {cpu: cache for cache in ascending for cpu in cache.cpus}


def read_topology(reader: Reader) -> Topology:
    """Return the layout from sysfs, from sysctl on macOS, Windows' table, and plain counts elsewhere."""
    if reader.system == "Linux":
        online = _online_cpus(reader)
        return _from_sysfs(reader, online) if online else _from_counts(reader, ())
    table = reader.processor_table() if reader.system == "Windows" else None
    if table:
        from bandwidth.machine.windows.topology import windows_topology

        return windows_topology(table, reader) or _from_counts(reader, ())
    return _from_counts(reader, _darwin_caches(reader) if reader.system == "Darwin" else ())


# Linux


def _online_cpus(reader: Reader) -> tuple[int, ...]:
    """Return the CPUs that sysfs describes; none without sysfs (gVisor) or where it has no topology at all."""
    folders = {int(name[3:]) for name in reader.names(CPU_FOLDER) if re.fullmatch(r"cpu[0-9]{1,6}", name, re.ASCII)}
    listed = numbers_of(reader.text(f"{CPU_FOLDER}/online")) or tuple(sorted(folders))
    return tuple(cpu for cpu in listed if cpu in folders)


def _from_sysfs(reader: Reader, online: tuple[int, ...]) -> Topology:
    nodes = read_numa_nodes(reader)
    node_of = {cpu: node.number for node in nodes for cpu in node.cpus}
    packages = {cpu: _package(reader, cpu) for cpu in online}
    sockets = sockets_of(reader, packages, nodes)
    allowed = _allowed(reader, online)
    cores = _with_kinds(_cores(reader, online, packages, sockets.of_cpu, node_of), read_core_kinds(reader, online))
    present = numbers_of(reader.text(f"{CPU_FOLDER}/present"))
    return Topology(
        cores=restricted(cores, set(allowed)),
        caches=_sysfs_caches(reader, online),
        cpus_present=max(len(present), len(online)),
        cpus_allowed=allowed,
        sockets=sockets.count,
        nodes=tuple(node.number for node in nodes) or (0,),
        can_pin=reader.allowed_cpus() is not None,
        cpus_online=len(online),
        cores_online=len(cores),
        threads_per_core=max(len(core.cpus) for core in cores),
        numa_nodes=nodes,
        memory_nodes_allowed=read_allowed_memory_nodes(reader, nodes),
        cores_by_kind=_cores_by_kind(cores),
        sockets_taken=sockets,
    )


def _allowed(reader: Reader, online: tuple[int, ...]) -> tuple[int, ...]:
    affinity = reader.allowed_cpus()
    if affinity is None:
        return online
    return tuple(sorted(set(online).intersection(affinity) or affinity or online))


def _package(reader: Reader, cpu: int) -> int:
    # Older Arm kernels say -1 where the firmware does not tell.
    return max(read_integer(reader, f"{CPU_FOLDER}/cpu{cpu}/topology/physical_package_id") or 0, 0)


def _cores(
    reader: Reader,
    online: tuple[int, ...],
    packages: Mapping[int, int],
    socket_of: Mapping[int, int],
    node_of: Mapping[int, int],
) -> list[Core]:
    """Return every core of the machine with all its online CPUs."""
    cores: dict[tuple[object, ...], list[int]] = {}
    placed: set[int] = set()
    for cpu in online:
        if cpu in placed:
            continue
        siblings = _siblings(reader, cpu).intersection(online) - placed
        placed |= siblings | {cpu}
        if len(siblings) > 1:
            cores[("siblings", cpu)] = sorted(siblings)
        else:
            cores.setdefault(_core_key(reader, cpu, packages[cpu]), []).append(cpu)
    return [Core(tuple(cpus), socket_of[cpus[0]], node_of.get(cpus[0], 0)) for cpus in cores.values()]


def _with_kinds(cores: Iterable[Core], kinds: Mapping[int, str]) -> list[Core]:
    return sorted((replace(core, kind=kinds.get(core.cpus[0], "")) for core in cores), key=core_order)


def core_order(core: Core) -> tuple[object, ...]:
    """Return what cores are sorted by: the fastest first, then by socket, node and CPU."""
    return kind_rank(core.kind), core.socket, core.node, core.cpus


def _cores_by_kind(cores: Iterable[Core]) -> tuple[tuple[str, int], ...]:
    return tuple(count_kinds([core.kind for core in cores]).items())


def _siblings(reader: Reader, cpu: int) -> set[int]:
    """Return the CPUs of the same core, this one among them; empty where the kernel does not list them."""
    folder = f"{CPU_FOLDER}/cpu{cpu}/topology"
    for name in ("core_cpus_list", "thread_siblings_list"):  # the first since Linux 5.2
        siblings = set(numbers_of(reader.text(f"{folder}/{name}")))
        if cpu in siblings:
            return siblings
    return set()


def _core_key(reader: Reader, cpu: int, package: int) -> tuple[object, ...]:
    """Return what tells cores apart where siblings are not listed: core_id counts anew in each package."""
    folder = f"{CPU_FOLDER}/cpu{cpu}/topology"
    listed = any(reader.text(f"{folder}/{name}") for name in ("core_cpus_list", "thread_siblings_list"))
    core = None if listed else read_integer(reader, f"{folder}/core_id")
    return ("alone", cpu) if core is None or core < 0 else ("core_id", package, core)


def restricted(cores: Iterable[Core], allowed: set[int]) -> tuple[Core, ...]:
    """Return the cores with their allowed CPUs only, ordered anew: a core's first CPU may not be allowed."""
    kept = [replace(core, cpus=tuple(cpu for cpu in core.cpus if cpu in allowed)) for core in cores]
    missing = allowed - {cpu for core in kept for cpu in core.cpus}
    kept += [Core((cpu,), 0, 0) for cpu in missing]
    return tuple(sorted((core for core in kept if core.cpus), key=core_order))


def _sysfs_caches(reader: Reader, online: tuple[int, ...]) -> tuple[Cache, ...]:
    """Return each cache once. With hundreds of CPUs it pays not to open what an earlier CPU's entry covers."""
    caches: dict[Cache, None] = {}
    covered: dict[str, set[int]] = {}
    for cpu in online:
        folder = f"{CPU_FOLDER}/cpu{cpu}/cache"
        for name in reader.names(folder):
            if not name.startswith("index") or cpu in covered.get(name, ()):
                continue
            shared = {*numbers_of(reader.text(f"{folder}/{name}/shared_cpu_list")), cpu}
            covered.setdefault(name, set()).update(shared)
            cache = _sysfs_cache(reader, f"{folder}/{name}", frozenset(shared))
            if cache is not None:
                caches[cache] = None
    return tuple(caches)


def _sysfs_cache(reader: Reader, folder: str, cpus: frozenset[int]) -> Cache | None:
    level = read_integer(reader, f"{folder}/level")
    size = _CACHE_SIZE.fullmatch((reader.text(f"{folder}/size") or "").strip())
    kind = (reader.text(f"{folder}/type") or "").strip()
    if level is None or level < 1 or size is None or int(size[1]) == 0 or kind not in ("Data", "Unified"):
        return None
    return Cache(level, int(size[1]) * _CACHE_UNITS[size[2]], cpus)


# Systems that only count


def _from_counts(reader: Reader, caches: tuple[Cache, ...]) -> Topology:
    affinity = reader.allowed_cpus()
    cpus = tuple(sorted(affinity)) if affinity else tuple(range(max(reader.logical_cpus(), 1)))
    kinds = read_core_kinds(reader, cpus) if reader.system == "Darwin" else {}
    cores = tuple(_with_kinds(_counted_cores(cpus, reader.physical_cores()), kinds))
    sockets = whole_number(reader.run("sysctl", "-n", "hw.packages")) if reader.system == "Darwin" else None
    return Topology(
        cores=cores,
        caches=caches,
        cpus_present=max(len(cpus), reader.logical_cpus()),
        cpus_allowed=cpus,
        sockets=max(sockets or 1, 1),
        nodes=(0,),
        can_pin=reader.system == "Linux" and affinity is not None,
        cpus_online=max(len(cpus), reader.logical_cpus()),
        cores_online=len(cores),
        threads_per_core=max(len(core.cpus) for core in cores),
        cores_by_kind=_cores_by_kind(cores),
    )


def _counted_cores(cpus: tuple[int, ...], physical_cores: int | None) -> tuple[Core, ...]:
    """Return as many cores as were counted, neighbouring CPUs together as Windows and macOS number them.

    Where the CPUs do not divide evenly, the first cores take one more: hybrid processors number P-cores first.
    """
    count = min(max(physical_cores or len(cpus), 1), len(cpus))
    each, extra = divmod(len(cpus), count)
    cores, start = [], 0
    for index in range(count):
        end = start + each + (1 if index < extra else 0)
        cores.append(Core(cpus[start:end], 0, 0))
        start = end
    return tuple(cores)


def _darwin_caches(reader: Reader) -> tuple[Cache, ...]:
    """Return the caches by sysctl: for each performance level of Apple silicon, else for the whole Intel processor."""
    levels = _sysctl(reader, "hw.nperflevels")
    if levels:
        return _apple_caches(reader, min(levels, 8))
    cpus = range(max(reader.logical_cpus(), 1))
    # hw.cacheconfig: how many CPUs share memory, then each cache level from the first on.
    shares = [whole_number(word) or 0 for word in (reader.run("sysctl", "-n", "hw.cacheconfig") or "").split()]
    caches: list[Cache] = []
    for level, name in ((1, "hw.l1dcachesize"), (2, "hw.l2cachesize"), (3, "hw.l3cachesize")):
        share = shares[level] if level < len(shares) and shares[level] > 0 else len(cpus)
        caches += _split(level, _sysctl(reader, name), cpus, share)
    return tuple(caches)


def _apple_caches(reader: Reader, levels: int) -> tuple[Cache, ...]:
    caches: list[Cache] = []
    start = 0
    for index in range(levels):
        prefix = f"hw.perflevel{index}"
        count = min(_sysctl(reader, f"{prefix}.logicalcpu") or 0, max(reader.logical_cpus(), 1) - start)
        cpus = range(start, start + count)
        caches += _split(1, _sysctl(reader, f"{prefix}.l1dcachesize"), cpus, 1)
        caches += _split(2, _sysctl(reader, f"{prefix}.l2cachesize"), cpus, _sysctl(reader, f"{prefix}.cpusperl2"))
        start += count
    return tuple(caches)


def _split(level: int, size_bytes: int | None, cpus: range, share: int | None) -> list[Cache]:
    """Return one cache for every `share` neighbouring CPUs, all CPUs together where it is not known."""
    if not size_bytes or not cpus:
        return []
    step = share if share and share > 0 else len(cpus)
    return [Cache(level, size_bytes, frozenset(cpus[start : start + step])) for start in range(0, len(cpus), step)]


def _sysctl(reader: Reader, name: str) -> int | None:
    return whole_number(reader.run("sysctl", "-n", name))
