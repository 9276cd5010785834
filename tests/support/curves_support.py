"""What the tests of curves, plateaus and pairs share: caches, kinds of stores, and points of a sweep."""

from __future__ import annotations

from typing import Any

KIB, MIB = 1024, 1024**2
CACHES = {"L1": 32 * KIB, "L2": 1 * MIB, "L3": 32 * MIB}
STREAMING, ORDINARY = {"stores": "streaming"}, {"stores": "ordinary"}


def point(size: int, **variant: str) -> dict[str, Any]:
    """Return what makes a case a sweep's point of a size."""
    return {"working_set_bytes": size, "variant": variant | {"sweep_point": size}}


def nodes(cpu: int | str, memory: int, **others: str) -> dict[str, Any]:
    """Return the variant of a case between two NUMA nodes."""
    return others | {"cpu_node": cpu, "memory_node": memory}
