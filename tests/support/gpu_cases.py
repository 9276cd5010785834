"""Cases of every path of the engine of GPUs, of small and odd sizes, on two devices."""

from __future__ import annotations

from bandwidth.engines.devices.requirements import PATHS
from bandwidth.kernels import KERNELS
from bandwidth.results import Case

ARRAY = 96 * 1024 + 48  # no whole number of tiles, of lines or of pages
PAYLOAD = 40 * 4096 + 16
MEMORY_PATHS = [*PATHS, "memcpy", "memset", "latency"]
LINKS = [
    *((path, "pinned") for path in ("h2d", "d2h", "bidirectional")),
    *((path, "pageable") for path in ("h2d", "d2h")),
    ("h2d", "write_combined"),
]
PEERS = [(path, access) for path in ("peer", "bidirectional") for access in ("on", "off")]


def device_case(path="copy", array_bytes=ARRAY, target="device:0", **variant):
    arrays = KERNELS[path].arrays if path in KERNELS else {"memcpy": 2}.get(path, 1)
    count = target.count(",") + 1
    if path == "latency":
        return Case(target, path, "cuda", 1, 128 * 64, 512, 512, None, variant=variant)
    total = array_bytes * arrays * count
    return Case(target, path, "cuda", 1, total, total, total // arrays, total, variant=variant)


def link_case(path="h2d", host_memory="pinned", size=PAYLOAD, target="pcie:0", **variant):
    total = size * (2 if path == "bidirectional" else 1) * (target.count(",") + 1)
    return Case(target, path, "cuda", 1, total, total, total, None, variant={"host_memory": host_memory, **variant})


def peer_case(path="peer", access="on", size=PAYLOAD):
    total = size * (2 if path == "bidirectional" else 1)
    return Case("device:0", path, "cuda", 1, total, total, total, None, variant={"peer": 1, "peer_access": access})


EVERY = [
    *(device_case(path) for path in MEMORY_PATHS),
    *(link_case(*link) for link in LINKS),
    *(peer_case(*peer) for peer in PEERS),
    device_case("triad", target="device:0,1"),
    device_case("read", target="device:0,1"),
    link_case("bidirectional", target="pcie:0,1"),
]
