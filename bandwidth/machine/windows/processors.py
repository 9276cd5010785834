"""The processors that Windows tells of: which make a core, a package, a node, share a cache, and may be used.

Windows numbers at most 64 processors a group, from 0 on in each. Here a CPU's number is 64 times its group plus its
number there, so that no two are alike and each leads back to its group.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from bandwidth.machine.windows.calls import BYTE, DWORD, WORD, GroupAffinity, this_windows

T = TypeVar("T")
S = TypeVar("S", bound=ctypes.Structure)

GROUP_CPUS = 64
# LOGICAL_PROCESSOR_RELATIONSHIP and PROCESSOR_CACHE_TYPE of winnt.h.
CORE, NODE, CACHE, PACKAGE, NODE_EX = 0, 1, 2, 3, 6
UNIFIED_CACHE, DATA_CACHE = 0, 2


class RecordHead(ctypes.Structure):
    """The beginning of each SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX; `size` is that of the whole record in bytes."""

    _fields_ = (("relation", DWORD), ("size", DWORD))


class ProcessorRelation(ctypes.Structure):
    """PROCESSOR_RELATIONSHIP, but for the GROUP_AFFINITY of each group that follow it: a core, or a package."""

    _fields_ = (("flags", BYTE), ("efficiency_class", BYTE), ("reserved", BYTE * 20), ("groups", WORD))


class NodeRelation(ctypes.Structure):
    """NUMA_NODE_RELATIONSHIP in the same way; `groups` is 0 before Windows Server 2022 and means one."""

    _fields_ = (("number", DWORD), ("reserved", BYTE * 18), ("groups", WORD))


class CacheRelation(ctypes.Structure):
    """CACHE_RELATIONSHIP in the same way; before Windows Server 2022 `groups` was reserved too."""

    _fields_ = (
        ("level", BYTE),
        ("associativity", BYTE),
        ("line_bytes", WORD),
        ("size_bytes", DWORD),
        ("kind", DWORD),
        ("reserved", BYTE * 18),
        ("groups", WORD),
    )


@dataclass(frozen=True)
class CoreFound:
    """A core: its CPUs, and its class, of which the highest is the fastest and the least frugal."""

    cpus: tuple[int, ...]
    efficiency_class: int


@dataclass(frozen=True)
class CacheFound:
    """A data or unified cache, and the CPUs that share it."""

    level: int
    size_bytes: int
    cpus: frozenset[int]


@dataclass(frozen=True)
class ProcessorsFound:
    """What a table holds; `nodes` are the CPUs of each NUMA node by its number."""

    cores: tuple[CoreFound, ...]
    caches: tuple[CacheFound, ...]
    packages: tuple[tuple[int, ...], ...]
    nodes: dict[int, tuple[int, ...]]

    @property
    def cpus(self) -> tuple[int, ...]:
        """All CPUs."""
        return tuple(sorted({cpu for core in self.cores for cpu in core.cpus}))


def place_of(cpu: int) -> tuple[int, int]:
    """Return the group of a CPU, and the mask there that stands for it alone."""
    return cpu // GROUP_CPUS, 1 << cpu % GROUP_CPUS


def cpus_of(group: int, mask: int) -> tuple[int, ...]:
    """Return the CPUs of a mask."""
    return tuple(group * GROUP_CPUS + bit for bit in range(GROUP_CPUS) if mask >> bit & 1)


def own_table() -> bytes | None:
    """Return the table of the machine that this process runs on, None where Windows does not give it."""
    try:
        return this_windows().processor_table()
    except OSError:
        return None


def own_cpus() -> tuple[int, ...] | None:
    """Return the CPUs that threads of this process may be bound to, None where Windows does not tell.

    A process that was started with an affinity has that one. Without, threads may be bound to every group, whichever
    the process began in.
    """
    calls = this_windows()
    try:
        own, all_of_group = calls.process_affinity()
        if own and own != all_of_group:
            group, _ = calls.thread_affinity()
            return cpus_of(group, own)
        return processors_of(calls.processor_table()).cpus or None
    except OSError:
        return None


def processors_of(table: bytes) -> ProcessorsFound:
    """Return what a table says. Records of kinds that are not known are passed over, and what is cut off is left."""
    records = tuple(_records(table))
    nodes: dict[int, set[int]] = {}
    for number, cpus in _read(records, (NODE, NODE_EX), _node):
        nodes.setdefault(number, set()).update(cpus)
    return ProcessorsFound(
        cores=_read(records, (CORE,), _core),
        caches=_read(records, (CACHE,), _cache),
        packages=tuple(core.cpus for core in _read(records, (PACKAGE,), _core)),
        nodes={number: tuple(sorted(cpus)) for number, cpus in sorted(nodes.items())},
    )


def _records(table: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the kind of each record, and what stands behind its head."""
    place, head_bytes = 0, ctypes.sizeof(RecordHead)
    while place + head_bytes <= len(table):
        head = RecordHead.from_buffer_copy(table, place)
        if head.size < head_bytes or place + head.size > len(table):
            return
        yield int(head.relation), table[place + head_bytes : place + head.size]
        place += head.size


def _read(
    records: Iterable[tuple[int, bytes]], kinds: Container[int], read: Callable[[bytes], Iterator[T]]
) -> tuple[T, ...]:
    """Return what the records of some kinds hold."""
    return tuple(found for kind, record in records if kind in kinds for found in read(record))


def _core(record: bytes) -> Iterator[CoreFound]:
    for core in _structures(ProcessorRelation, record, 0, 1):
        cpus = _cpus(record, ProcessorRelation, core.groups)
        if cpus:
            yield CoreFound(cpus, int(core.efficiency_class))


def _node(record: bytes) -> Iterator[tuple[int, tuple[int, ...]]]:
    for node in _structures(NodeRelation, record, 0, 1):
        yield int(node.number), _cpus(record, NodeRelation, node.groups or 1)


def _cache(record: bytes) -> Iterator[CacheFound]:
    for cache in _structures(CacheRelation, record, 0, 1):
        cpus = frozenset(_cpus(record, CacheRelation, cache.groups or 1))
        if cache.kind in (UNIFIED_CACHE, DATA_CACHE) and cache.level and cache.size_bytes and cpus:
            yield CacheFound(int(cache.level), int(cache.size_bytes), cpus)


def _cpus(record: bytes, head: type[ctypes.Structure], groups: int) -> tuple[int, ...]:
    """Return the CPUs of the masks that stand behind a record's own structure."""
    masks = _structures(GroupAffinity, record, ctypes.sizeof(head), groups)
    return tuple(sorted(cpu for mask in masks for cpu in cpus_of(mask.group, mask.mask)))


def _structures(kind: type[S], record: bytes, place: int, count: int) -> Iterator[S]:
    """Yield the structures from a place of a record on, as many as are told and are there."""
    size = ctypes.sizeof(kind)
    for start in range(place, min(place + count * size, len(record) - size + 1), size):
        yield kind.from_buffer_copy(record, start)
