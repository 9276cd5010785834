"""What a case of devices asks for: its arrays on each of them, the memory they take, and why it cannot be measured."""

from __future__ import annotations

from bandwidth.engines.devices.surface import ARRAY_ALIGNMENT, NODE_BYTES, PAIR_BYTES, needed_by
from bandwidth.engines.devices.verification import PIECE_BYTES
from bandwidth.kernels import KERNELS
from bandwidth.results import Case
from bandwidth.vocabulary import BIDIRECTIONAL, HOST_MEMORY, LINK_PATHS, PAGEABLE, PCIE, WRITE_COMBINED

MEMCPY, MEMSET = "memcpy", "memset"
# Kernels on device memory: those of one element at a time. The mixes are for the host's stores.
PATHS = tuple(name for name, kernel in KERNELS.items() if "device" in kernel.places)
_COPIES = {MEMCPY: 2, MEMSET: 1}
_WAYS = ("peer", BIDIRECTIONAL)


def peer_of(case: Case) -> int:
    """Return the device that a case copies to."""
    return int(case.variant["peer"])


def directions(case: Case) -> int:
    """Return how many directions a copy goes at once."""
    return 2 if case.path == BIDIRECTIONAL else 1


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


def layout(case: Case) -> tuple[int, ...]:
    """Return the bytes of each array that a case has on each of its devices.

    Of a transfer: what arrives, what is sent, and what comes back to be checked.
    """
    size_bytes = bytes_each(case)
    if is_transfer(case):
        return transfer_layout(size_bytes)
    return (size_bytes,) * arrays(case)


def transfer_layout(size_bytes: int) -> tuple[int, int, int]:
    """Return the arrays of a device for copies of a size."""
    return size_bytes, size_bytes, min(PIECE_BYTES, size_bytes)


def needed_bytes(case: Case) -> int:
    """Return the memory that a case takes on each of its devices."""
    return needed_by(layout(case)) + ARRAY_ALIGNMENT


def refusal(case: Case) -> str:
    """Return why a case cannot be measured by any device, or ""."""
    size_bytes, count = bytes_each(case), len(case.devices)
    if is_transfer(case):
        reason = _link_refusal(case) if case.kind == PCIE else _peer_refusal(case)
    elif case.path not in {*PATHS, *_COPIES} and not case.is_latency:
        reason = f"GPUs have no kernel {case.path}"
    elif case.is_latency and count > 1:
        reason = "latency is measured on one device at a time"
    else:
        reason = ""
    least = 2 * NODE_BYTES if case.is_latency else PAIR_BYTES
    if not reason and (size_bytes < least or size_bytes % PAIR_BYTES):
        reason = f"{size_bytes} bytes are not a multiple of {PAIR_BYTES} of at least {least}"
    return reason


def _link_refusal(case: Case) -> str:
    kind = case.variant.get("host_memory")
    if case.path not in LINK_PATHS:
        return f"there is no transfer {case.path}"
    if kind not in HOST_MEMORY:
        return f"there is no kind of host memory {kind}"
    if kind == WRITE_COMBINED and case.path != "h2d":
        return "write-combined memory is for copies to the device only: the host reads it very slowly"
    if kind == PAGEABLE and (case.path == BIDIRECTIONAL or len(case.devices) > 1):
        return "pageable memory is copied by the calling thread, one way and one device at a time"
    return ""


def _peer_refusal(case: Case) -> str:
    if case.path not in _WAYS or case.variant.get("peer_access") not in {"on", "off"}:
        return f"there is no copy {case.path} between devices"
    if case.devices == (peer_of(case),):
        return "a device cannot be its own peer"
    return ""
