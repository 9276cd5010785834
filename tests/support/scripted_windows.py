"""A Windows that is not here: kernel32 and advapi32 as C functions, and what a machine of some processors answers.

Prototypes and structures are written out by the documentation (64 bits), apart from the package's own: what ctypes
makes of a call there has to fit what is expected here. Memory is real, so that an engine can work in it.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from bandwidth.machine.windows.calls import WindowsCalls

MIB = 1024**2
LARGE_PAGE = 2 * MIB
GRANULARITY = 64 * 1024
# What GetCurrentProcess and GetCurrentThread return: -1 and -2.
PROCESS, THREAD, TOKEN = 2**64 - 1, 2**64 - 2, 0x5150
LOCK_MEMORY = (4, 7)
DENIED, NO_MEMORY, BAD_PARAMETER, TOO_SMALL, NOT_ALL, NOT_HELD, NO_RESOURCES = 5, 8, 87, 122, 1300, 1314, 1450

_I32, _U32, _SIZE, _PLACE, _TEXT = ctypes.c_int32, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_wchar_p
KERNEL32: Mapping[str, tuple[Any, ...]] = {
    "GetCurrentProcess": (_PLACE,),
    "GetCurrentThread": (_PLACE,),
    "CloseHandle": (_I32, _PLACE),
    "GetProcessAffinityMask": (_I32, _PLACE, _PLACE, _PLACE),
    "GetThreadGroupAffinity": (_I32, _PLACE, _PLACE),
    "SetThreadGroupAffinity": (_I32, _PLACE, _PLACE, _PLACE),
    "GetLogicalProcessorInformationEx": (_I32, _I32, _PLACE, _PLACE),
    "GetNumaHighestNodeNumber": (_I32, _PLACE),
    "GetLargePageMinimum": (_SIZE,),
    "VirtualAlloc": (_PLACE, _PLACE, _SIZE, _U32, _U32),
    "VirtualAllocExNuma": (_PLACE, _PLACE, _PLACE, _SIZE, _U32, _U32, _U32),
    "VirtualFree": (_I32, _PLACE, _SIZE, _U32),
    "K32QueryWorkingSetEx": (_I32, _PLACE, _PLACE, _U32),
    "QueryPerformanceFrequency": (_I32, _PLACE),
    "QueryPerformanceCounter": (_I32, _PLACE),
    "SwitchToThread": (_I32,),
}
ADVAPI32: Mapping[str, tuple[Any, ...]] = {
    "OpenProcessToken": (_I32, _PLACE, _U32, _PLACE),
    "LookupPrivilegeValueW": (_I32, _TEXT, _TEXT, _PLACE),
    "AdjustTokenPrivileges": (_I32, _PLACE, _I32, _PLACE, _U32, _PLACE, _PLACE),
}


# --- tables of processors


def affinity(group: int, mask: int) -> bytes:
    """Return a GROUP_AFFINITY."""
    return struct.pack("<QHHHH", mask, group, 0, 0, 0)


def record(relation: int, body: bytes) -> bytes:
    """Return a SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX."""
    return struct.pack("<II", relation, 8 + len(body)) + body


def core(*masks: bytes, efficiency: int = 0, relation: int = 0) -> bytes:
    """Return the record of a core."""
    return record(relation, struct.pack("<BB20xH", len(masks) > 1, efficiency, len(masks)) + b"".join(masks))


def package(*masks: bytes) -> bytes:
    """Return the record of a package, which may lie in several groups."""
    return core(*masks, relation=3)


def node(number: int, *masks: bytes, relation: int = 1, is_old: bool = False) -> bytes:
    """Return the record of a node; `is_old`: of a Windows that does not count its groups."""
    return record(relation, struct.pack("<I18xH", number, 0 if is_old else len(masks)) + b"".join(masks))


def cache(level: int, size_bytes: int, *masks: bytes, kind: int = 0, is_old: bool = False) -> bytes:
    """Return the record of a cache: 0 is a unified one, 1 one of instructions, 2 one of data."""
    head = struct.pack("<BBHII18xH", level, 8, 64, size_bytes, kind, 0 if is_old else len(masks))
    return record(2, head + b"".join(masks))


def two_groups() -> bytes:
    """Return the table of 2 packages of 32 cores with two threads, each a group and a node, an L3 for 8 cores."""
    table = [b""]
    for group in (0, 1):
        for number in range(32):
            mask = affinity(group, 0b11 << 2 * number)
            table += [core(mask), cache(1, 32 * 1024, mask, kind=2), cache(1, 64 * 1024, mask, kind=1)]
            table += [cache(2, MIB, mask)]
        table += [cache(3, 32 * MIB, affinity(group, 0xFFFF << 16 * number)) for number in range(4)]
        whole = affinity(group, 2**64 - 1)
        table += [package(whole), node(group, whole), record(5, struct.pack("<BB20xH", 0, 0, 1) + whole)]
    return b"".join(table)


def one_group(cpus: int = 2) -> bytes:
    """Return the table of one package of some cores without siblings."""
    masks = [affinity(0, 1 << cpu) for cpu in range(cpus)]
    whole = affinity(0, 2**cpus - 1)
    return b"".join([*map(core, masks), package(whole), node(0, whole), cache(3, 8 * MIB, whole)])


# --- the libraries


@dataclass
class Allocation:
    """Memory that was taken: `is_large` and `node` as asked for."""

    memory: mmap.mmap
    size_bytes: int
    is_large: bool
    node: int | None


@dataclass
class ScriptedWindows:
    """The two libraries of a machine. Functions named in `refused` fail with the error given there.

    `groups` are the masks of active processors; `own` is the affinity that the process was started with, in
    `own_group`. `growth` is how often the table grows just after its length was told. Without `counter` and `switch`
    (addresses of functions that compiled code can call) both are Python's. `faults` are calls as Windows forbids them.
    """

    table: bytes = b""
    nodes_table: bytes | None = None
    groups: Sequence[int] = (0b11,)
    own: int | None = None
    own_group: int = 0
    highest_node: int = 0
    large_page_bytes: int = LARGE_PAGE
    may_lock_memory: bool = True
    refused: dict[str, int] = field(default_factory=dict)
    growth: int = 0
    ticks_per_s: int = 10_000_000
    counter: int = 0
    switch: int = 0
    node_of_first_touch: int = 0

    def __post_init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.faults: list[str] = []
        self.allocations: dict[int, Allocation] = {}
        self.affinities: dict[int, tuple[int, int]] = {}
        self.open_tokens = 0
        self.has_privilege = False
        self._thread = threading.local()
        self.kernel32 = SimpleNamespace(**{name: self._function(name, types) for name, types in KERNEL32.items()})
        self.advapi32 = SimpleNamespace(**{name: self._function(name, types) for name, types in ADVAPI32.items()})
        for name, address in (("QueryPerformanceCounter", self.counter), ("SwitchToThread", self.switch)):
            if address:
                setattr(self.kernel32, name, ctypes.CFUNCTYPE(*KERNEL32[name])(address))

    @property
    def calls(self) -> WindowsCalls:
        """The package's own calls of these libraries."""
        return WindowsCalls(self.kernel32, self.advapi32, self.last_error)

    def last_error(self) -> int:
        """Return the error of this thread's last call, as GetLastError does."""
        return getattr(self._thread, "error", 0)

    def named(self, *names: str) -> list[tuple[Any, ...]]:
        """Return what some functions were asked, in order."""
        return [asked for asked in self.asked if asked[0] in names]

    def _function(self, name: str, types: Sequence[Any]) -> Any:
        answer = getattr(self, f"_{name.lower()}")

        def function(*arguments: Any) -> Any:
            self.asked.append((name, *arguments))
            self._thread.error = self.refused.get(name, 0)
            try:
                return 0 if self._thread.error else answer(*arguments)
            except AssertionError as error:  # ctypes would pass it over, and return what happens to be there
                self.faults.append(f"{name}{arguments}: {error}")
                return self._fail(BAD_PARAMETER)

        return ctypes.CFUNCTYPE(*types)(function)

    def _fail(self, error: int) -> int:
        self._thread.error = error
        return 0

    # --- processors and threads

    def _getcurrentprocess(self) -> int:
        return PROCESS

    def _getcurrentthread(self) -> int:
        return THREAD

    def _closehandle(self, handle: int) -> int:
        assert handle == TOKEN
        self.open_tokens -= 1
        return 1

    def _getprocessaffinitymask(self, process: int, own: int, system: int) -> int:
        assert process == PROCESS
        active = self.groups[self.own_group]
        is_in_all = self.own is None and len(self.groups) > 1
        _write(own, "<Q", 0 if is_in_all else active if self.own is None else self.own)
        _write(system, "<Q", 0 if is_in_all else active)
        return 1

    def _getthreadgroupaffinity(self, thread: int, place: int) -> int:
        assert thread == THREAD
        own = self.groups[self.own_group] if self.own is None else self.own
        group, mask = self.affinities.get(threading.get_ident(), (self.own_group, own))
        _write(place, "<QHHHH", mask, group, 0, 0, 0)
        return 1

    def _setthreadgroupaffinity(self, thread: int, place: int, previous: int | None) -> int:
        assert (thread, previous) == (THREAD, None)
        mask, group, *reserved = _read(place, "<QHHHH")
        if any(reserved) or group >= len(self.groups) or not mask or mask & ~self.groups[group]:
            return self._fail(BAD_PARAMETER)
        self.affinities[threading.get_ident()] = group, mask
        return 1

    def _getlogicalprocessorinformationex(self, relation: int, place: int | None, length: int) -> int:
        tables = {0xFFFF: self.table, 6: self.nodes_table}
        table = tables.get(relation)
        if table is None:
            return self._fail(BAD_PARAMETER)
        (room,) = _read(length, "<I")
        _write(length, "<I", len(table))
        if room < len(table):
            if self.growth:
                self.growth -= 1
                self.table += core(affinity(len(self.groups) - 1, 1 << 63))
            return self._fail(TOO_SMALL)
        ctypes.memmove(place, table, len(table))
        return 1

    # --- memory

    def _getnumahighestnodenumber(self, place: int) -> int:
        _write(place, "<I", self.highest_node)
        return 1

    def _getlargepageminimum(self) -> int:
        return self.large_page_bytes

    def _virtualalloc(self, place: int | None, size: int, kind: int, protection: int) -> int:
        return self._taken(place, size, kind, protection, None)

    def _virtualallocexnuma(
        self, process: int, place: int | None, size: int, kind: int, protection: int, node: int
    ) -> int:
        assert process == PROCESS
        if node > self.highest_node:
            return self._fail(BAD_PARAMETER)
        return self._taken(place, size, kind, protection, node)

    def _taken(self, place: int | None, size: int, kind: int, protection: int, node: int | None) -> int:
        is_large = bool(kind & 0x2000_0000)
        assert (place, kind & 0xFFFF, protection) == (None, 0x3000, 4)
        if is_large and not self.has_privilege:
            return self._fail(NOT_HELD)
        if not size or (is_large and size % self.large_page_bytes):
            return self._fail(BAD_PARAMETER)
        if is_large and "large pages" in self.refused:
            return self._fail(self.refused["large pages"])
        step = self.large_page_bytes if is_large else GRANULARITY
        memory = mmap.mmap(-1, size + step)
        address = -(-ctypes.addressof(ctypes.c_char.from_buffer(memory)) // step) * step
        self.allocations[address] = Allocation(memory, size, is_large, node)
        return address

    def _virtualfree(self, address: int, size: int, kind: int) -> int:
        assert (size, kind) == (0, 0x8000)
        if address not in self.allocations:
            return self._fail(BAD_PARAMETER)
        self.allocations.pop(address).memory.close()
        return 1

    def _k32queryworkingsetex(self, process: int, place: int, length: int) -> int:
        assert process == PROCESS
        assert length % 16 == 0
        for entry in range(place, place + length, 16):
            (address,) = _read(entry, "<Q")
            _write(entry + 8, "<Q", self._flags(address))
        return 1

    def _flags(self, address: int) -> int:
        for start, one in self.allocations.items():
            if start <= address < start + one.size_bytes:
                node = self.node_of_first_touch if one.node is None else one.node
                return 1 | node << 16 | one.is_large << 23
        return 0

    # --- privileges

    def _openprocesstoken(self, process: int, rights: int, place: int) -> int:
        assert (process, rights) == (PROCESS, 0x28)
        _write(place, "<Q", TOKEN)
        self.open_tokens += 1
        return 1

    def _lookupprivilegevaluew(self, system: str | None, name: str, place: int) -> int:
        assert (system, name) == (None, "SeLockMemoryPrivilege")
        _write(place, "<Ii", *LOCK_MEMORY)
        return 1

    def _adjusttokenprivileges(
        self, token: int, disables_all: int, place: int, length: int, before: int | None, before_length: int | None
    ) -> int:
        assert (token, disables_all, length, before, before_length) == (TOKEN, 0, 0, None, None)
        assert _read(place, "<IIiI") == (1, *LOCK_MEMORY, 2)
        self.has_privilege = self.may_lock_memory
        if not self.may_lock_memory:
            self._fail(NOT_ALL)
        return 1

    # --- the clock

    def _queryperformancefrequency(self, place: int) -> int:
        _write(place, "<q", self.ticks_per_s)
        return 1

    def _queryperformancecounter(self, place: int) -> int:
        raise AssertionError("compiled code alone reads the counter")

    def _switchtothread(self) -> int:
        raise AssertionError("compiled code alone gives its time away")


def _read(place: int, layout: str) -> tuple[Any, ...]:
    return struct.unpack(layout, ctypes.string_at(place, struct.calcsize(layout)))


def _write(place: int, layout: str, *values: int) -> None:
    content = struct.pack(layout, *values)
    ctypes.memmove(place, content, len(content))
