"""Hosts that are not here, for ceilings: a layout of sockets, caches and nodes, facts, and cases on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bandwidth.catalog import Catalog, current_catalog
from bandwidth.ceilings.bounds import Host
from bandwidth.ceilings.memory import GivenMemory, HostTheory, host_theory
from bandwidth.kernels import KERNELS
from bandwidth.machine.facts import Fact, Facts
from bandwidth.machine.topology import Cache, Core, Topology
from bandwidth.results import Case

KIB = 1024
MIB = 1024**2
DRAM_BYTES = 4096 * MIB


def layout(
    sockets: int = 1,
    cores: int = 8,
    l3_cores: int = 8,
    nodes: int = 1,
    sizes: Sequence[int] = (32 * KIB, MIB, 32 * MIB),
    kinds: Mapping[str, int] | None = None,
) -> Topology:
    """Return a machine without siblings: `cores`, `nodes` and L3 caches of `l3_cores` each are of every socket.

    `sizes` are of one L1, L2 and L3; `kinds` says how many cores of each kind there are.
    """
    names = [kind for kind, count in (kinds or {"": cores}).items() for _ in range(count)]
    in_node = cores // nodes
    found = tuple(
        Core((socket * cores + core,), socket, socket * nodes + core // in_node, names[core])
        for socket in range(sockets)
        for core in range(cores)
    )
    groups = {1: 1, 2: 1, 3: l3_cores}
    caches = tuple(
        Cache(level, size, frozenset(range(first, first + groups[level])))
        for level, size in zip((1, 2, 3), sizes, strict=False)
        for first in range(0, sockets * cores, groups[level])
    )
    cpus = tuple(range(sockets * cores))
    numbers = tuple(range(sockets * nodes))
    return Topology(found, caches, len(cpus), cpus, sockets, numbers, True, len(cpus), len(cpus))


def facts_of_host(vendor: str, family: int | None, model: int | None, name: str, **others: Any) -> Facts:
    """Return the facts that tell a processor, and others."""
    values = {"cpu_vendor": vendor, "cpu_family": family, "cpu_model_number": model, "cpu_model": name, **others}
    return Facts({key: Fact(value, "a test", "read") for key, value in values.items() if value is not None})


def host_of(topology: Topology, facts: Facts, catalog: Catalog | None = None) -> Host:
    """Return a host of the catalog of all, or of another."""
    return Host(facts, topology, catalog or current_catalog())


def theory_of(host: Host, memory: str | None = None) -> HostTheory:
    """Return what the host's memory should do: by a SPEC of one socket's, else by its modules."""
    return host_theory(GivenMemory(memory), host.facts, host.topology.sockets)


def case_on(host: Host, path: str, cpus: Sequence[int] = (0,), size: int = DRAM_BYTES, **variant: Any) -> Case:
    """Return the case of a kernel; its size decides whether it is one of the memory or of a cache."""
    kernel = KERNELS[path]
    array = size // kernel.arrays
    return Case(
        target="host",
        path=path,
        engine="native",
        threads=len(cpus),
        working_set_bytes=size,
        bytes_per_call=kernel.stream_bytes(array),
        payload_bytes_per_call=kernel.payload_bytes(array),
        cpus=tuple(cpus),
        variant=variant,
        dram_rule_bytes=DRAM_BYTES,
        caches=host.topology.reachable_cache_bytes(cpus),
    )
