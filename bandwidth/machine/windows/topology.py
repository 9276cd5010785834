"""The layout of a Windows machine, from its table of processors."""

from __future__ import annotations

from collections.abc import Sequence

from bandwidth.machine.numa import NumaNode, sockets_of
from bandwidth.machine.processor import EFFICIENCY, KINDS, PERFORMANCE, count_kinds
from bandwidth.machine.reader import Reader
from bandwidth.machine.topology import Cache, Core, Topology, core_order, restricted
from bandwidth.machine.windows import TABLE_SOURCE
from bandwidth.machine.windows.processors import ProcessorsFound, processors_of


def windows_topology(table: bytes, reader: Reader) -> Topology | None:
    """Return the layout by the records of a table (see `WindowsCalls.processor_table`), None where it has no core."""
    found = processors_of(table)
    if not found.cores:
        return None
    nodes = _nodes(found)
    node_of = {cpu: node.number for node in nodes for cpu in node.cpus}
    told = {cpu: number for number, cpus in enumerate(found.packages) for cpu in cpus}
    packages = {cpu: told.get(cpu, 0) for cpu in found.cpus}
    sockets = sockets_of(reader, packages, nodes, TABLE_SOURCE, TABLE_SOURCE)
    kinds = _kinds([core.efficiency_class for core in found.cores])
    cores = sorted(
        (
            Core(core.cpus, sockets.of_cpu[core.cpus[0]], node_of.get(core.cpus[0], 0), kind)
            for core, kind in zip(found.cores, kinds, strict=True)
        ),
        key=core_order,
    )
    affinity = reader.allowed_cpus()
    allowed = tuple(cpu for cpu in found.cpus if affinity is None or cpu in affinity) or found.cpus
    return Topology(
        cores=restricted(cores, set(allowed)),
        caches=tuple(Cache(cache.level, cache.size_bytes, cache.cpus) for cache in found.caches),
        cpus_present=len(found.cpus),
        cpus_allowed=allowed,
        sockets=sockets.count,
        nodes=tuple(node.number for node in nodes) or (0,),
        can_pin=affinity is not None,
        cpus_online=len(found.cpus),
        cores_online=len(cores),
        threads_per_core=max(len(core.cpus) for core in cores),
        numa_nodes=nodes,
        memory_nodes_allowed=tuple(node.number for node in nodes if node.has_memory),
        cores_by_kind=tuple(count_kinds([core.kind for core in cores]).items()),
        sockets_taken=sockets,
    )


def _nodes(found: ProcessorsFound) -> tuple[NumaNode, ...]:
    """Return the nodes; the table does not say how much memory each has, and one with CPUs is taken to have some."""
    return tuple(NumaNode(number, cpus, has_memory=bool(cpus)) for number, cpus in found.nodes.items())


def _kinds(classes: Sequence[int]) -> list[str]:
    """Return the kind of each core by its class: the highest is the fastest. Nothing where all are alike."""
    ranked = sorted(set(classes), reverse=True)
    if len(ranked) < 2:
        return [""] * len(classes)
    names = KINDS if len(ranked) == len(KINDS) else (PERFORMANCE, *[EFFICIENCY] * (len(ranked) - 1))
    kinds = dict(zip(ranked, names, strict=True))
    return [kinds[one] for one in classes]
