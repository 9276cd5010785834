"""The NUMA nodes and the sockets: their CPUs, their memory, how far apart they are, and whose memory may be used here.

The kernel's packages are sockets on a real x86 machine. In a virtual machine they are what the hypervisor made up
(often one for each CPU), and on Arm the firmware may number its clusters of cores there. What is given for one socket
would be multiplied by them, so one socket is taken unless something else speaks for more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bandwidth.cpu_list import numbers_of
from bandwidth.machine.dmi.binary import dmi_of_table
from bandwidth.machine.facts import ASSUMED, DERIVED, READ, Fact, Json, known
from bandwidth.machine.modules.table import SMBIOS_TABLE
from bandwidth.machine.processor import NO_VIRTUALIZATION, virtualization_facts
from bandwidth.machine.reader import NODE_FOLDER, Reader
from bandwidth.units import KIBI

_STATUS = "/proc/self/status"
_MOST_DISTANCE = 255  # one byte in ACPI's SLIT; 10 is a node's own memory


@dataclass(frozen=True)
class NumaNode:
    """One NUMA node of the whole machine; CXL memory, HBM in flat mode and GPU memory make nodes without `cpus`.

    `memory_bytes` is None where it cannot be read, 0 where the node has none; a node with CPUs is taken to have
    memory where that is not known. `distances` are ACPI's relative distances to every node in the order of
    `Topology.numa_nodes`, 10 to itself; empty where they are unknown.
    """

    number: int
    cpus: tuple[int, ...]
    memory_bytes: int | None = None
    distances: tuple[int, ...] = ()
    has_memory: bool = False


def read_numa_nodes(reader: Reader) -> tuple[NumaNode, ...]:
    """Return the nodes in the order of their numbers; none where the system describes none."""
    names = [name for name in reader.names(NODE_FOLDER) if re.fullmatch(r"node[0-9]{1,6}", name, re.ASCII)]
    with_memory = numbers_of(reader.text(f"{NODE_FOLDER}/has_memory"))
    nodes = [_node(reader, number, with_memory) for number in sorted(int(name[4:]) for name in names)]
    # A file that counts other nodes than there are cannot be matched with them.
    return tuple(node if len(node.distances) == len(nodes) else replace(node, distances=()) for node in nodes)


def read_allowed_memory_nodes(reader: Reader, nodes: Sequence[NumaNode]) -> tuple[int, ...]:
    """Return the nodes with memory that this process may use, all of them where the system does not say.

    Without a cpuset the kernel allows every node that the machine could have, those without memory among them.
    """
    numbers = tuple(node.number for node in nodes if node.has_memory)
    found = re.search(r"^Mems_allowed_list:\s*(\S+)$", reader.text(_STATUS) or "", re.ASCII | re.MULTILINE)
    allowed = numbers_of(found[1] if found else None)
    return tuple(number for number in numbers if number in allowed) or numbers


def numa_facts(nodes: Sequence[NumaNode], allowed: Iterable[int]) -> dict[str, Fact]:
    """Return what is not the same on every machine: sizes and, with several nodes, distances and lopsided nodes.

    `numa_node_memory_bytes` and `numa_distances` are by the node's number, `numa_memory_only_nodes` and
    `numa_processor_only_nodes` list numbers, as does `memory_nodes_allowed` where it is fewer than have memory.
    """
    sizes: dict[str, Json] = {str(node.number): node.memory_bytes for node in nodes if node.memory_bytes is not None}
    lists = f"{NODE_FOLDER}/node*/cpulist, meminfo"
    facts = {
        **known("numa_node_memory_bytes", sizes or None, f"{NODE_FOLDER}/node*/meminfo"),
        **known("numa_memory_only_nodes", _numbers(memory_only(nodes)), lists, DERIVED),
        **known("numa_processor_only_nodes", _numbers(processor_only(nodes)), lists, DERIVED),
    }
    if len(nodes) > 1:
        distances: dict[str, Json] = {str(node.number): list(node.distances) for node in nodes if node.distances}
        facts |= known("numa_distances", distances or None, f"{NODE_FOLDER}/node*/distance")
    permitted = set(allowed)
    if permitted < {node.number for node in nodes if node.has_memory}:
        facts |= known("memory_nodes_allowed", _numbers(permitted), f"{_STATUS} Mems_allowed_list")
    return facts


def memory_only(nodes: Sequence[NumaNode]) -> tuple[int, ...]:
    """Return the numbers of the nodes that have memory but no CPU."""
    return tuple(node.number for node in nodes if node.has_memory and not node.cpus)


def processor_only(nodes: Sequence[NumaNode]) -> tuple[int, ...]:
    """Return the numbers of the nodes that have CPUs but, as far as is known, no memory."""
    return tuple(node.number for node in nodes if node.cpus and node.memory_bytes == 0)


def _node(reader: Reader, number: int, with_memory: Sequence[int]) -> NumaNode:
    folder = f"{NODE_FOLDER}/node{number}"
    found = re.search(r"MemTotal:\s+([0-9]{1,18}) kB", reader.text(f"{folder}/meminfo") or "", re.ASCII)
    if found is not None:
        size: int | None = int(found[1]) * KIBI
    else:
        size = 0 if with_memory and number not in with_memory else None
    cpus = numbers_of(reader.text(f"{folder}/cpulist"))
    distances = _distances(reader.text(f"{folder}/distance") or "")
    has_memory = size > 0 if size is not None else number in with_memory or bool(cpus)
    return NumaNode(number, cpus, size, distances, has_memory)


def _distances(text: str) -> tuple[int, ...]:
    words = text.split()
    if not all(re.fullmatch(r"[0-9]{1,3}", word, re.ASCII) for word in words):
        return ()
    return tuple(int(word) for word in words) if all(int(word) <= _MOST_DISTANCE for word in words) else ()


def _numbers(numbers: Iterable[int]) -> Json | None:
    return [*sorted(numbers)] or None


# --- sockets --------------------------------------------------------------------------------------------------------

_PACKAGES = "/sys/devices/system"
_X86 = ("x86_64", "amd64", "i386", "i486", "i586", "i686")


@dataclass(frozen=True)
class Sockets:
    """The number of sockets, where it is from, and the socket of each CPU.

    `are_told_apart` is false where there are more sockets than the CPUs could be assigned to.
    """

    count: int
    of_cpu: Mapping[int, int]
    source: str
    confidence: str
    are_told_apart: bool = True


def sockets_of(
    reader: Reader,
    packages: Mapping[int, int],
    nodes: Sequence[NumaNode],
    source: str = _PACKAGES,
    nodes_source: str = NODE_FOLDER,
) -> Sockets:
    """Return the sockets of a machine: `packages` are the kernel's, by CPU, and `nodes` what it says of memory.

    On a real x86 machine the packages are the sockets. Elsewhere the processors that firmware lists count (not in a
    virtual machine, whose firmware repeats the packages), then the NUMA nodes that have CPUs and memory; there are
    never more sockets than packages.
    """
    count = len(set(packages.values()))
    is_virtual = _is_virtual(reader)
    if count == 1 or (not is_virtual and reader.machine.lower() in _X86):
        return Sockets(count, packages, source, READ)
    node_of = {cpu: node.number for node in nodes for cpu in node.cpus if node.has_memory}
    node_count = len({node_of[cpu] for cpu in packages if cpu in node_of})
    listed = None if is_virtual else _listed(reader)
    if listed is not None and 1 <= listed <= count:
        by_node = node_of if node_count == listed else None
        listing = f"{SMBIOS_TABLE}, processors; {count} packages may be clusters of cores"
        return _assigned(listed, packages, by_node, listing, DERIVED)
    if node_count > 1:
        taken = min(node_count, count)
        by_node = node_of if node_count == taken else None
        return _assigned(taken, packages, by_node, f"{nodes_source}: {node_count} nodes, {count} packages", DERIVED)
    what = "a virtual machine" if is_virtual else "one NUMA node"
    return _assigned(1, packages, None, f"one socket assumed for {what}; the kernel counts {count} packages", ASSUMED)


def _assigned(
    count: int, packages: Mapping[int, int], node_of: Mapping[int, int] | None, source: str, confidence: str
) -> Sockets:
    """Return the sockets with each CPU in one: by node, by package where there are as many, else all in the first."""
    if count == len(set(packages.values())):
        return Sockets(count, packages, source, confidence)
    if count == 1:
        return Sockets(1, dict.fromkeys(packages, 0), source, confidence)
    if node_of is None:
        return Sockets(count, dict.fromkeys(packages, 0), source, confidence, are_told_apart=False)
    numbers = {node: index for index, node in enumerate(sorted(set(node_of.values())))}
    return Sockets(count, {cpu: numbers[node_of[cpu]] if cpu in node_of else 0 for cpu in packages}, source, confidence)


def _is_virtual(reader: Reader) -> bool:
    fact = virtualization_facts(reader).get("virtualization")
    return fact is not None and fact.value != NO_VIRTUALIZATION


def _listed(reader: Reader) -> int | None:
    """Return how many sockets hold a processor by the SMBIOS table; None where it cannot be read or lists none."""
    return dmi_of_table(reader.data(SMBIOS_TABLE) or b"").populated_sockets or None
