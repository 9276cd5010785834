"""What a case of a GPU asks for: its bytes on each device, the memory it takes there, and why it cannot be measured."""

from __future__ import annotations

from bandwidth.engines.cuda.device import ARRAY_ALIGNMENT, aligned
from bandwidth.engines.cuda.passes import MEMCPY, MEMSET, NODE_BYTES
from bandwidth.engines.cuda.source import PAIR_BYTES, PATHS
from bandwidth.engines.cuda.transfers import Regions
from bandwidth.kernels import KERNELS
from bandwidth.results import Case
from bandwidth.vocabulary import HOST_MEMORY, PAGE_BYTES, PAGEABLE, PCIE, WRITE_COMBINED

_COPIES = {MEMCPY: 2, MEMSET: 1}
_LINKS = ("h2d", "d2h", "bidirectional")
_WAYS = ("peer", "bidirectional")


def peer_of(case: Case) -> int:
    """Return the device that a case copies to."""
    return int(case.variant["peer"])


def directions(case: Case) -> int:
    """Return how many directions a copy goes at once."""
    return 2 if case.path == "bidirectional" else 1


def arrays(case: Case) -> int:
    """Return how many arrays of the device a case works on: of a latency one."""
    kernel = KERNELS.get(case.path)
    return kernel.arrays if kernel is not None else _COPIES.get(case.path, 1)


def is_transfer(case: Case) -> bool:
    """Return whether a case goes over a link."""
    return case.kind == PCIE or "peer" in case.variant


def bytes_each(case: Case) -> int:
    """Return the bytes of an array on each device, or of a transfer in each direction on each link."""
    count = len(case.devices)
    if is_transfer(case):
        return case.bytes_per_call // (count * directions(case))
    return case.working_set_bytes // (count * arrays(case))


def needed_bytes(case: Case) -> int:
    """Return the memory that a case takes on each of its devices."""
    size_bytes = bytes_each(case)
    if is_transfer(case):
        return Regions.needed_bytes(size_bytes) + PAGE_BYTES
    return arrays(case) * aligned(size_bytes) + ARRAY_ALIGNMENT


def refusal(case: Case) -> str:
    """Return why a case cannot be measured by this engine on any device, or ""."""
    size_bytes, count = bytes_each(case), len(case.devices)
    if is_transfer(case):
        reason = _link_refusal(case) if case.kind == PCIE else _peer_refusal(case)
    elif case.path not in {*PATHS, *_COPIES} and not case.is_latency:
        reason = f"there is no kernel {case.path} for a GPU"
    elif case.is_latency and count > 1:
        reason = "the time of a load is measured on one device at a time"
    else:
        reason = ""
    least = 2 * NODE_BYTES if case.is_latency else PAIR_BYTES
    if not reason and (size_bytes < least or size_bytes % PAIR_BYTES):
        reason = f"{size_bytes} bytes are not {least} or more in whole words of {PAIR_BYTES}"
    return reason


def _link_refusal(case: Case) -> str:
    kind = case.variant.get("host_memory")
    if case.path not in _LINKS:
        return f"there is no transfer {case.path}"
    if kind not in HOST_MEMORY:
        return f"there is no kind of host memory {kind}"
    if kind == WRITE_COMBINED and case.path != "h2d":
        return "write-combined memory is for copies to the device: reading it by the host takes ages"
    if kind == PAGEABLE and (case.path == "bidirectional" or len(case.devices) > 1):
        return "pageable memory is copied by the calling thread, one way and one device at a time"
    return ""


def _peer_refusal(case: Case) -> str:
    if case.path not in _WAYS or case.variant.get("peer_access") not in {"on", "off"}:
        return f"there is no copy {case.path} between devices"
    if case.devices == (peer_of(case),):
        return "a device is no peer of its own"
    return ""
