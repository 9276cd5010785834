"""What a record says: the machine with what the engines found of it, and the results in their order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bandwidth.ceilings.gpu import gpu_peak_bytes_per_s
from bandwidth.engines.registry import ENGINES
from bandwidth.kernels import KERNELS, kernel_of
from bandwidth.machine.facts import Json
from bandwidth.machine.gpu_attributes import GpuFacts
from bandwidth.results import Result
from bandwidth.vocabulary import HOST_MEMORY, LINK_PATHS, ORDINARY, TARGETS

# The link between Grace and Hopper or Blackwell.
HOST_LINK = "NVLink-C2C"
# How results stand in a record and a table: by engine, threads, then the kernels as in their table.
_KERNEL_ORDER = {name: place for place, name in enumerate((*KERNELS, "memcpy", "memset", *LINK_PATHS))}
_TARGET_ORDER = {name: place for place, name in enumerate(TARGETS)}
_HOST_MEMORY_ORDER = {name: place for place, name in enumerate(HOST_MEMORY)}
_ENGINE_ORDER = {name: place for place, name in enumerate(ENGINES)}


def in_order(results: Iterable[Result]) -> tuple[Result, ...]:
    """Return the results as they stand in a record and a table."""
    return tuple(sorted(results, key=_place))


def _place(result: Result) -> tuple[Any, ...]:
    """Return where a result stands: by what was asked, threads, kernel, engine, and what else tells it apart."""
    case = result.case
    point = case.variant.get("sweep_point", 0)
    try:
        kernel = "read" if case.is_latency else kernel_of(case.path, case.variant).name
    except KeyError:
        kernel = case.path
    return (
        _TARGET_ORDER.get(case.kind, len(_TARGET_ORDER)),
        "peer" in case.variant,
        len(case.devices),
        case.devices,
        case.is_latency,
        case.threads,
        str(case.variant.get("cores", "")),
        str(case.variant.get("peer_access", "")),
        _HOST_MEMORY_ORDER.get(str(case.variant.get("host_memory", "")), 0),
        _KERNEL_ORDER.get(kernel, len(_KERNEL_ORDER)),
        _ENGINE_ORDER.get(case.engine, len(_ENGINE_ORDER)),
        case.variant.get("stores") == ORDINARY,
        [int(case.variant.get(name, -1)) for name in ("cpu_node", "memory_node")],
        int(str(case.variant.get("load", "-1%")).rstrip("%")),
        int(case.variant.get("peer", -1)),
        int(point),
    )


def machine_with(machine: Mapping[str, Any], gpus: Sequence[GpuFacts]) -> dict[str, Any]:
    """Return a machine's facts with what the engine found of each GPU, by its address; `device` is its number."""
    if not gpus:
        return dict(machine)
    listed = [dict(entry) for entry in _listed(machine.get("gpus"))]
    for gpu in gpus:
        own = next((entry for entry in listed if entry.get("address") == gpu.address), None)
        if own is None:
            own = {"address": gpu.address}
            listed.append(own)
        own |= {name: value for name, value in _facts_of(gpu).items() if value is not None}
    return {**machine, "gpus": listed}


def _facts_of(gpu: GpuFacts) -> dict[str, Json | None]:
    return {
        "device": gpu.number,
        "name": gpu.name,
        "l2_bytes": gpu.l2_bytes or None,
        "multiprocessors": gpu.multiprocessors or None,
        "memory_width_bits": gpu.memory_width_bits or None,
        "attribute_memory_clock_mhz": gpu.memory_clock_khz / 1000 or None,
        "attribute_peak_bytes_per_s": gpu_peak_bytes_per_s(gpu),
        "memory_bytes": gpu.total_bytes or None,
        "memory_free_bytes": gpu.free_bytes if gpu.is_opened else None,
        "ecc_enabled": gpu.has_ecc,
        "compute_capability": gpu.compute_capability,
        "cuda_driver_version": gpu.driver_version,
        "cuda_runtime_version": gpu.runtime_version,
        "numa_node": gpu.numa_node,
        "host_link": HOST_LINK if gpu.has_host_link else None,
    }


def _listed(value: Any) -> list[dict[str, Any]]:
    """Return the entries of a list that are objects: a record may hold anything."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
