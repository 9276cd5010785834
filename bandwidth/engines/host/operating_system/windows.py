"""Windows: threads bound to a CPU of their group, large pages where the account may have them, and its own clock.

Tried on scripted libraries and under Wine, never on a real Windows.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bandwidth.engines.host.operating_system.interface import TakenMemory, sampled_pages
from bandwidth.machine.windows.calls import PageInformation, WindowsCalls
from bandwidth.machine.windows.processors import place_of
from bandwidth.units import format_size
from bandwidth.vocabulary import PAGE_BYTES

PRIVILEGE = "SeLockMemoryPrivilege"
NO_LARGE_PAGES = "this processor does not support large pages"
NOT_TOLD = "Windows does not report whether large pages are available"
NOT_SHOWN = "Windows does not report which pages are large"
NO_PRIVILEGE = (
    "large pages need the right 'Lock pages in memory' (SeLockMemoryPrivilege), which this account lacks: "
    "grant it in secpol.msc, User Rights Assignment, and sign in again"
)
SEVERAL_NODES = "a large-page allocation lies on one NUMA node, but the threads may need memory on several"


class Windows:
    """Windows, by its libraries' calls. See `OperatingSystem`."""

    def __init__(self, calls: WindowsCalls) -> None:
        self._calls = calls

    def pin(self, cpu: int) -> None:
        """Bind the calling thread."""
        try:
            self._calls.bind_thread(*place_of(cpu))
        except OSError:
            return  # a job that forbids it, or a CPU that is not there: `is_pinned` stays false, and a finding says so

    def is_pinned(self, cpu: int) -> bool:
        """Return whether the calling thread is bound to a CPU."""
        try:
            return self._calls.thread_affinity() == place_of(cpu)
        except OSError:
            return False

    # --- memory

    def take(self, size_bytes: int, node: int | None, *, huge: bool) -> TakenMemory:
        """Return memory of its own. Windows takes a node as a wish, and large pages all at once, from one node."""
        length, why_small = max(size_bytes, 1), ""
        if huge:
            why_small = self._why_no_large_pages or self._why_not_on(node)
            if not why_small:
                large = self._large(length, node)
                if large is not None:
                    return TakenMemory(self._content(large, length)[:size_bytes], node is not None, NOT_SHOWN)
                why_small = f"Windows has fewer than {format_size(self._whole(length))} of large pages left"
        address, is_bound = self._ordinary(length, node)
        return TakenMemory(self._content(address, length)[:size_bytes], is_bound, why_small)

    @cached_property
    def _why_no_large_pages(self) -> str:
        """Why no large pages can be had at all, "" where they can."""
        if not self._calls.large_page_bytes():
            return NO_LARGE_PAGES
        try:
            return "" if self._calls.enable_privilege(PRIVILEGE) else NO_PRIVILEGE
        except OSError:
            return NOT_TOLD

    def _why_not_on(self, node: int | None) -> str:
        """Return why there are no large pages for threads that each want their own node's."""
        if node is not None:
            return ""
        try:
            return SEVERAL_NODES if self._calls.highest_node() else ""
        except OSError:
            return NOT_TOLD

    def _whole(self, length: int) -> int:
        page_bytes = self._calls.large_page_bytes()
        return -(-length // page_bytes) * page_bytes

    def _large(self, length: int, node: int | None) -> int | None:
        try:
            return self._calls.allocate(self._whole(length), node, large=True)
        except OSError:
            return None

    def _ordinary(self, length: int, node: int | None) -> tuple[int, bool]:
        """Return the address of memory in ordinary pages, and whether the wish for a node was taken."""
        try:
            return self._calls.allocate(length, node), node is not None
        except OSError as error:
            if node is None:
                raise MemoryError(str(error)) from error
            return self._ordinary(length, None)  # a thread on that node writes it first, or its case is refused

    def _content(self, address: int, length: int) -> NDArray[np.uint8]:
        """Return the bytes at an address, which are given back when nothing refers to them any more."""
        memory = (ctypes.c_uint8 * length).from_address(address)
        # Not at the end of the process, which gives back all: threads may still be at work there.
        weakref.finalize(memory, self._calls.release, address).atexit = False
        content: NDArray[np.uint8] = np.ctypeslib.as_array(memory)
        return content

    # --- pages

    def share_on_node(self, address: int, length_bytes: int, node: int, page_bytes: int) -> float | None:
        """Return the share of some pages, by what the working set tells of each."""
        pages = self._pages(address, length_bytes, page_bytes)
        return sum(page.node == node for page in pages) / len(pages) if pages else None

    def huge_page_share(self, address: int, length_bytes: int) -> float | None:
        """Return the share of some pages that are part of a large one."""
        pages = self._pages(address, length_bytes, PAGE_BYTES)
        return sum(page.is_large for page in pages) / len(pages) if pages else None

    def _pages(self, address: int, length_bytes: int, page_bytes: int) -> list[PageInformation]:
        """Return what is told of some pages, nothing where one of them is not there."""
        try:
            pages = self._calls.pages(sampled_pages(address, length_bytes, page_bytes))
        except OSError:
            return []
        return list(pages) if all(page.is_valid for page in pages) else []

    # --- compiled code

    def calls_of_code(self) -> Mapping[str, int]:
        """Return QueryPerformanceCounter with its ticks a second, and SwitchToThread."""
        return self._calls_of_code

    @cached_property
    def _calls_of_code(self) -> Mapping[str, int]:
        return {
            "clock_function": self._calls.address_of("QueryPerformanceCounter"),
            "yield_function": self._calls.address_of("SwitchToThread"),
            "clock_number": self._calls.ticks_per_s(),
        }
