"""A virtual machine whose rates come up against chiplets' links, and whose last cache is smaller than it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bandwidth.results import Ceiling, Result

KIB, MIB = 1024, 1024**2
CACHES = {"L1": 32 * KIB, "L2": MIB, "L3": 64 * MIB}
GUEST = {
    "physical_cores": 8,
    "logical_cpus": 8,
    "cpus_allowed": "0-7",
    "virtualization": "KVM",
    "cpu_vendor": "AuthenticAMD",
    "sockets": 1,
    "numa_nodes": 4,
    "memory_channels": 2,
    "memory_modules": [{"ranks": 1}, {"ranks": 1}],
}


def ceiling(gb_s: float, kind: str = "fabric", confidence: Any = "medium") -> Ceiling:
    """Return a ceiling of so many GB/s."""
    return Ceiling(kind, gb_s * 1e9, "a working", "a source", confidence)


def sweep(steady: Callable[..., Result], held_bytes: int) -> list[Result]:
    """Return reads over sizes whose last cache holds no more than so many bytes."""
    points = []
    for size in (16 * KIB, 512 * KIB, 2 * MIB, 4 * MIB, 8 * MIB, 16 * MIB, 32 * MIB, 64 * MIB, 256 * MIB, 512 * MIB):
        rate = 200.0 if size <= 32 * KIB else 100.0 if size <= MIB else 50.0 if size <= held_bytes else 10.0
        fields = {"working_set_bytes": size, "variant": {"sweep_point": size}, "caches": CACHES}
        points.append(steady(rate, engine="native", path="read", **fields))
    return points


def bound_results(steady: Callable[..., Result]) -> list[Result]:
    """Return reads of all and of one, one that is above a ceiling of ours, and the sweep."""
    most = steady(80.0, engine="native", path="read", threads=8, theory=100e9)
    one = replace(steady(27.0, engine="native", path="read"), ceilings=(ceiling(28.8),))
    above = replace(steady(40.0, engine="native", path="write"), ceilings=(ceiling(30.0, confidence="low"),))
    return [most, one, above, *sweep(steady, 8 * MIB)]
