"""The calls of Windows that are made here, each with its types, and the structures as its headers declare them.

Whoever makes `WindowsCalls` hands in the libraries: `ctypes.WinDLL` on Windows, and elsewhere what a test has scripted.
Types have their widths written out: those of `ctypes.wintypes` are Windows' on Windows only.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

BYTE, WORD, DWORD, BOOL = ctypes.c_uint8, ctypes.c_uint16, ctypes.c_uint32, ctypes.c_int32
HANDLE = ctypes.c_void_p
# As wide as a pointer: sizes, and masks of a group's processors.
SIZE = ctypes.c_size_t

# winnt.h
RELATION_ALL, RELATION_NUMA_NODE_EX = 0xFFFF, 6
MEM_COMMIT, MEM_RESERVE, MEM_RELEASE, MEM_LARGE_PAGES = 0x1000, 0x2000, 0x8000, 0x2000_0000
PAGE_READWRITE = 0x04
TOKEN_ADJUST_PRIVILEGES, TOKEN_QUERY = 0x20, 0x08
SE_PRIVILEGE_ENABLED = 0x02
# winerror.h
ERROR_INSUFFICIENT_BUFFER, ERROR_NOT_ALL_ASSIGNED = 122, 1300
# A processor may be added between asking how long a table is and asking for the table.
MOST_TRIES = 8


class GroupAffinity(ctypes.Structure):
    """GROUP_AFFINITY: some processors of one group."""

    _fields_ = (("mask", SIZE), ("group", WORD), ("reserved", WORD * 3))


class Luid(ctypes.Structure):
    """LUID: the number of a privilege on this machine."""

    _fields_ = (("low", DWORD), ("high", ctypes.c_int32))


class TokenPrivileges(ctypes.Structure):
    """TOKEN_PRIVILEGES with one entry of LUID_AND_ATTRIBUTES."""

    _fields_ = (("count", DWORD), ("luid", Luid), ("attributes", DWORD))


class PageInformation(ctypes.Structure):
    """PSAPI_WORKING_SET_EX_INFORMATION: an address, and what is told of its page."""

    _fields_ = (("address", ctypes.c_void_p), ("flags", SIZE))

    @property
    def is_valid(self) -> bool:
        """Whether the page is there, and the rest can be believed."""
        return bool(self.flags & 1)

    @property
    def node(self) -> int:
        """The NUMA node that it lies on."""
        return int(self.flags >> 16 & 0x3F)

    @property
    def is_large(self) -> bool:
        """Whether it is a large page."""
        return bool(self.flags >> 23 & 1)


Signature: TypeAlias = tuple[Any, tuple[Any, ...]]
KERNEL32: Mapping[str, Signature] = {
    "GetCurrentProcess": (HANDLE, ()),
    "GetCurrentThread": (HANDLE, ()),
    "CloseHandle": (BOOL, (HANDLE,)),
    "GetProcessAffinityMask": (BOOL, (HANDLE, ctypes.POINTER(SIZE), ctypes.POINTER(SIZE))),
    "GetThreadGroupAffinity": (BOOL, (HANDLE, ctypes.POINTER(GroupAffinity))),
    "SetThreadGroupAffinity": (BOOL, (HANDLE, ctypes.POINTER(GroupAffinity), ctypes.POINTER(GroupAffinity))),
    "GetLogicalProcessorInformationEx": (BOOL, (ctypes.c_int32, ctypes.c_void_p, ctypes.POINTER(DWORD))),
    "GetNumaHighestNodeNumber": (BOOL, (ctypes.POINTER(DWORD),)),
    "GetLargePageMinimum": (SIZE, ()),
    "VirtualAlloc": (ctypes.c_void_p, (ctypes.c_void_p, SIZE, DWORD, DWORD)),
    "VirtualAllocExNuma": (ctypes.c_void_p, (HANDLE, ctypes.c_void_p, SIZE, DWORD, DWORD, DWORD)),
    "VirtualFree": (BOOL, (ctypes.c_void_p, SIZE, DWORD)),
    "K32QueryWorkingSetEx": (BOOL, (HANDLE, ctypes.POINTER(PageInformation), DWORD)),
    "QueryPerformanceFrequency": (BOOL, (ctypes.POINTER(ctypes.c_int64),)),
    "QueryPerformanceCounter": (BOOL, (ctypes.POINTER(ctypes.c_int64),)),
    "SwitchToThread": (BOOL, ()),
}
ADVAPI32: Mapping[str, Signature] = {
    "OpenProcessToken": (BOOL, (HANDLE, DWORD, ctypes.POINTER(HANDLE))),
    "LookupPrivilegeValueW": (BOOL, (ctypes.c_wchar_p, ctypes.c_wchar_p, ctypes.POINTER(Luid))),
    "AdjustTokenPrivileges": (
        BOOL,
        (HANDLE, BOOL, ctypes.POINTER(TokenPrivileges), DWORD, ctypes.c_void_p, ctypes.c_void_p),
    ),
}


class WindowsCalls:
    """The calls, in Python's types. Each raises OSError with the number of Windows' error where it is refused.

    `last_error` returns what GetLastError said after the last call of this thread.
    """

    def __init__(self, kernel32: Any, advapi32: Any, last_error: Callable[[], int]) -> None:
        self._kernel32 = _declared(kernel32, KERNEL32)
        self._advapi32 = _declared(advapi32, ADVAPI32)
        self._last_error = last_error

    # --- processors

    def processor_table(self) -> bytes:
        """Return the records of SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX: all, and the nodes with all their groups.

        The latter came with Windows Server 2022 and Windows 11; what is older has no node in more groups than one.
        """
        table = self._processor_table(RELATION_ALL)
        try:
            return table + self._processor_table(RELATION_NUMA_NODE_EX)
        except OSError:
            return table

    def _processor_table(self, relation: int) -> bytes:
        length = DWORD(0)
        for _ in range(MOST_TRIES):
            table = (BYTE * length.value)()
            place = ctypes.addressof(table) if length.value else None
            if self._kernel32.GetLogicalProcessorInformationEx(relation, place, ctypes.byref(length)):
                return bytes(table[: length.value])
            if self._last_error() != ERROR_INSUFFICIENT_BUFFER:
                break
        raise self._refused("GetLogicalProcessorInformationEx")

    def process_affinity(self) -> tuple[int, int]:
        """Return the masks of the processors that this process may use and of all, both of its group; 0 for several."""
        own, all_of_group = SIZE(0), SIZE(0)
        process = self._kernel32.GetCurrentProcess()
        if not self._kernel32.GetProcessAffinityMask(process, ctypes.byref(own), ctypes.byref(all_of_group)):
            raise self._refused("GetProcessAffinityMask")
        return own.value, all_of_group.value

    def thread_affinity(self) -> tuple[int, int]:
        """Return the group of the calling thread, and the mask of the processors there that it may run on."""
        found = GroupAffinity()
        if not self._kernel32.GetThreadGroupAffinity(self._kernel32.GetCurrentThread(), ctypes.byref(found)):
            raise self._refused("GetThreadGroupAffinity")
        return int(found.group), int(found.mask)

    def bind_thread(self, group: int, mask: int) -> None:
        """Let the calling thread run on some processors of one group alone."""
        wanted = GroupAffinity(mask, group)
        if not self._kernel32.SetThreadGroupAffinity(self._kernel32.GetCurrentThread(), ctypes.byref(wanted), None):
            raise self._refused("SetThreadGroupAffinity")

    # --- memory

    def highest_node(self) -> int:
        """Return the highest number of a NUMA node."""
        number = DWORD(0)
        if not self._kernel32.GetNumaHighestNodeNumber(ctypes.byref(number)):
            raise self._refused("GetNumaHighestNodeNumber")
        return number.value

    def large_page_bytes(self) -> int:
        """Return the size of the smallest large page, 0 where the processor has none."""
        return int(self._kernel32.GetLargePageMinimum())

    def enable_privilege(self, name: str) -> bool:
        """Switch a privilege of this process on, and return whether its account has it at all."""
        kernel32, advapi32 = self._kernel32, self._advapi32
        token, wanted = HANDLE(), TokenPrivileges(1, Luid(), SE_PRIVILEGE_ENABLED)
        rights = TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY
        if not advapi32.OpenProcessToken(kernel32.GetCurrentProcess(), rights, ctypes.byref(token)):
            raise self._refused("OpenProcessToken")
        try:
            if not advapi32.LookupPrivilegeValueW(None, name, ctypes.byref(wanted.luid)):
                raise self._refused("LookupPrivilegeValueW")
            if not advapi32.AdjustTokenPrivileges(token, 0, ctypes.byref(wanted), 0, None, None):
                raise self._refused("AdjustTokenPrivileges")
            # It succeeds for an account without the privilege too, and says so by this error alone.
            return self._last_error() != ERROR_NOT_ALL_ASSIGNED
        finally:
            kernel32.CloseHandle(token)

    def allocate(self, size_bytes: int, node: int | None = None, *, large: bool = False) -> int:
        """Return the address of new memory, zeroed, that `release` gives back; a node is a wish.

        Large pages take a multiple of their size, and the privilege.
        """
        kind = MEM_RESERVE | MEM_COMMIT | (MEM_LARGE_PAGES if large else 0)
        if node is None:
            address, name = self._kernel32.VirtualAlloc(None, size_bytes, kind, PAGE_READWRITE), "VirtualAlloc"
        else:
            process, name = self._kernel32.GetCurrentProcess(), "VirtualAllocExNuma"
            address = self._kernel32.VirtualAllocExNuma(process, None, size_bytes, kind, PAGE_READWRITE, node)
        if not address:
            raise self._refused(name)
        return int(address)

    def release(self, address: int) -> None:
        """Give memory back that `allocate` returned."""
        if not self._kernel32.VirtualFree(address, 0, MEM_RELEASE):
            raise self._refused("VirtualFree")

    def pages(self, addresses: Sequence[int]) -> Sequence[PageInformation]:
        """Return what is told of the pages at some addresses."""
        pages = (PageInformation * len(addresses))(*map(PageInformation, addresses))
        process = self._kernel32.GetCurrentProcess()
        if not self._kernel32.K32QueryWorkingSetEx(process, pages, ctypes.sizeof(pages)):
            raise self._refused("K32QueryWorkingSetEx")
        return list(pages)

    # --- what compiled code calls

    def ticks_per_s(self) -> int:
        """Return how often QueryPerformanceCounter counts in a second."""
        frequency = ctypes.c_int64(0)
        if not self._kernel32.QueryPerformanceFrequency(ctypes.byref(frequency)):
            raise self._refused("QueryPerformanceFrequency")
        return frequency.value

    def address_of(self, name: str) -> int:
        """Return where a function of kernel32 lies, for code that calls it by itself."""
        return ctypes.cast(getattr(self._kernel32, name), ctypes.c_void_p).value or 0

    def _refused(self, name: str) -> OSError:
        return OSError(self._last_error(), name)


@cache
def this_windows() -> WindowsCalls:
    """Return the calls of the Windows that this process runs on. Raises AttributeError elsewhere."""
    kernel32, advapi32 = (
        ctypes.WinDLL(name, use_last_error=True)  # type: ignore[attr-defined]
        for name in ("kernel32", "advapi32")
    )
    return WindowsCalls(kernel32, advapi32, ctypes.get_last_error)  # type: ignore[attr-defined]


def _declared(library: Any, signatures: Mapping[str, Signature]) -> Any:
    """Return a library whose functions know their types: undeclared, ctypes cuts addresses down to 32 bits."""
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
