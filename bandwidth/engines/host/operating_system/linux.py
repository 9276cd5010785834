"""Linux: threads on their CPUs, memory in huge pages and on a node, and where its pages lie, without a library.

A container may forbid the system calls on pages (its seccomp filter allows them only with CAP_SYS_NICE); then what is
asked is not known.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bandwidth.engines.host.operating_system.interface import TakenMemory, aligned, sampled_pages
from bandwidth.engines.host.operating_system.posix import Posix

# Numbers of the system calls; Linux's generic table (Arm, RISC-V) and that of x86-64.
_SYSTEM_CALLS = {
    "x86_64": {"mbind": 237, "move_pages": 279},
    "aarch64": {"mbind": 235, "move_pages": 239},
    "riscv64": {"mbind": 235, "move_pages": 239},
    "ppc64le": {"mbind": 259, "move_pages": 301},
}
_MPOL_BIND = 2  # linux/mempolicy.h: these nodes and no others
_MOST_NODES = 1024  # as many as the kernel can be built for (NODES_SHIFT 10)
_MAPS = Path("/proc/self/numa_maps")
_SMAPS = Path("/proc/self/smaps")
HUGE_PAGE_BYTES = 2 * 1024**2
NO_HUGE_PAGES = "the system provides no huge pages: see /sys/kernel/mm/transparent_hugepage/enabled"


class Linux(Posix):
    """Linux, which has all that is asked. See `OperatingSystem`."""

    def pin(self, cpu: int) -> None:
        """Bind the calling thread."""
        if not hasattr(os, "sched_setaffinity"):
            return
        try:
            os.sched_setaffinity(0, {cpu})  # 0 is the calling thread
        except OSError:
            return  # the CPU was taken away meanwhile: `is_pinned` stays false, and a finding says so

    def is_pinned(self, cpu: int) -> bool:
        """Return whether the calling thread is bound to a CPU."""
        if not hasattr(os, "sched_getaffinity"):
            return False
        try:
            return os.sched_getaffinity(0) == {cpu}
        except OSError:
            return False  # a sandbox does not let it be seen: not known to be pinned, and a finding says so

    def take(self, size_bytes: int, node: int | None, *, huge: bool) -> TakenMemory:
        """Return a mapping of its own, which begins at a huge page."""
        has_advice = hasattr(mmap, "MADV_HUGEPAGE")  # not where the interpreter was built for a kernel without
        content = _mapped(size_bytes, huge=huge) if has_advice else super().take(size_bytes, None, huge=huge).content
        is_bound = node is not None and bind(content.ctypes.data, size_bytes, node)
        return TakenMemory(content, is_bound, NO_HUGE_PAGES)

    def share_on_node(self, address: int, length_bytes: int, node: int, page_bytes: int) -> float | None:
        """Return the share of some pages; asked of `move_pages` without a wish to move, else read in numa_maps."""
        nodes = _nodes_of(sampled_pages(address, length_bytes, page_bytes))
        if nodes is None:
            return _share_by_maps(address, length_bytes, node)
        return sum(found == node for found in nodes) / len(nodes)

    def huge_page_share(self, address: int, length_bytes: int) -> float | None:
        """Return the share of whole mappings: what lies beside the memory with the same rights may be one with it."""
        try:
            lines = _SMAPS.read_text("ascii", "replace").splitlines()
        except OSError:
            return None
        resident = huge = 0
        inside = False
        for line in lines:
            header = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line)
            if header:
                start, end = int(header[1], 16), int(header[2], 16)
                inside = start < address + length_bytes and end > address
            elif inside and (found := re.match(r"(Rss|AnonHugePages):\s+([0-9]+) kB", line)):
                resident += int(found[2]) if found[1] == "Rss" else 0
                huge += int(found[2]) if found[1] != "Rss" else 0
        return min(huge / resident, 1.0) if resident else None


def _mapped(size_bytes: int, *, huge: bool) -> NDArray[np.uint8]:
    """Return memory of a private mapping: what is mapped shared, Python's default, gets no huge pages."""
    # Whole huge pages, so that the last one can be one too.
    length = -(-max(size_bytes, 1) // HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES
    mapping = None
    try:
        mapping = mmap.mmap(-1, length + HUGE_PAGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        mapping.madvise(mmap.MADV_HUGEPAGE if huge else mmap.MADV_NOHUGEPAGE)
    except OSError as error:
        if mapping is None:
            raise MemoryError(str(error)) from error
        # A kernel without huge pages refuses the advice: ordinary pages serve, and the share shows them.
    return aligned(np.frombuffer(mapping, np.uint8), size_bytes, HUGE_PAGE_BYTES)


def bind(address: int, length_bytes: int, node: int) -> bool:
    """Ask that pages not yet written come from one node, and return whether the system takes the wish.

    `address` must be that of a page.
    """
    words = _MOST_NODES // 64
    mask = (ctypes.c_uint64 * words)()
    mask[node // 64] = 1 << (node % 64)
    # The kernel takes one bit less than it is told (mbind(2), "maxnode").
    result = _system_call("mbind", address, length_bytes, _MPOL_BIND, ctypes.addressof(mask), _MOST_NODES + 1, 0)
    return result == 0


def _nodes_of(addresses: Sequence[int]) -> list[int] | None:
    """Return the node of each page, None where the call is refused or a page has none."""
    count = len(addresses)
    pages = (ctypes.c_uint64 * count)(*addresses)
    status = (ctypes.c_int * count)(*[-1] * count)
    result = _system_call("move_pages", 0, count, ctypes.addressof(pages), 0, ctypes.addressof(status), 0)
    if result != 0 or any(node < 0 for node in status):
        return None
    return list(status)


def _share_by_maps(address: int, length_bytes: int, node: int) -> float | None:
    """Return the share on a node by numa_maps, which counts the pages of whole mappings by node (`N0=123`)."""
    try:
        lines = _MAPS.read_text("ascii", "replace").splitlines()
    except OSError:
        return None
    starts = [(int(line.split(" ", 1)[0], 16), line) for line in lines if re.match(r"[0-9a-f]+ ", line)]
    # A mapping is listed by its start: the last one that begins at or before the address holds it.
    holding = max((entry for entry in starts if entry[0] <= address), default=None)
    inside = [entry for entry in starts if address < entry[0] < address + length_bytes]
    counts: dict[int, int] = {}
    for _, line in [*([holding] if holding else []), *inside]:
        for number, pages in re.findall(r"\bN([0-9]+)=([0-9]+)", line):
            counts[int(number)] = counts.get(int(number), 0) + int(pages)
    total = sum(counts.values())
    return counts.get(node, 0) / total if total else None


def _system_call(name: str, *arguments: int) -> int:
    """Return what a system call returns, -1 where it is refused or its number is not known."""
    number = _SYSTEM_CALLS.get(platform.machine(), {}).get(name)
    if number is None:
        return -1
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    return int(call(ctypes.c_long(number), *[ctypes.c_ulong(argument) for argument in arguments]))
