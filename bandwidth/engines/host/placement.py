"""Where pages of memory lie, and how to ask for another place: system calls of Linux, without a library.

A container may forbid them (its seccomp filter allows them only with CAP_SYS_NICE); then what is asked is not known.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from bandwidth.results import Case

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
_SAMPLED_PAGES = 512


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


def share_on_node(address: int, length_bytes: int, node: int, page_bytes: int) -> float | None:
    """Return the share of some pages, evenly spread, that lie on a node; None where the system does not tell.

    The pages must have been written. Asked of `move_pages` without a wish to move, else read in numa_maps.
    """
    pages = max(length_bytes // page_bytes, 1)
    step = max(pages // _SAMPLED_PAGES, 1)
    addresses = [address + number * page_bytes for number in range(0, pages, step)]
    nodes = _nodes_of(addresses)
    if nodes is None:
        return _share_by_maps(address, length_bytes, node)
    return sum(found == node for found in nodes) / len(nodes)


def huge_page_share(address: int, length_bytes: int) -> float | None:
    """Return the share of the memory in use around some that lies in huge pages, None where the system does not tell.

    It is of whole mappings: what lies beside it with the same rights may be one with it.
    """
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
    """Return the same by numa_maps, which counts the pages of whole mappings by node (`N0=123`)."""
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
    """Return what a system call returns, -1 where it is refused or this system has none."""
    number = _SYSTEM_CALLS.get(platform.machine(), {}).get(name)
    if number is None or not sys.platform.startswith("linux") or os.name != "posix":
        return -1
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    return int(call(ctypes.c_long(number), *[ctypes.c_ulong(argument) for argument in arguments]))


def cycle_key(case: Case) -> tuple[object, ...]:
    """Return what latencies must share to share their cycle of addresses."""
    return case.cpus[:1], case.variant.get("memory_node"), case.working_set_bytes
