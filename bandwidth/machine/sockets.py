"""How many sockets a machine has, and which CPUs sit in each.

The kernel's packages are sockets on a real x86 machine. In a virtual machine they are what the hypervisor made up
(often one for each CPU), and on Arm the firmware may number its clusters of cores there. What is given for one socket
would be multiplied by them, so one socket is taken unless something else speaks for more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bandwidth.machine.dmi.binary import dmi_of_table
from bandwidth.machine.facts import ASSUMED, DERIVED, READ
from bandwidth.machine.modules.table import SMBIOS_TABLE
from bandwidth.machine.numa import NumaNode
from bandwidth.machine.processor import NO_VIRTUALIZATION, virtualization_facts
from bandwidth.machine.reader import Reader

_PACKAGES = "/sys/devices/system"
_NODES = "/sys/devices/system/node"
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


def sockets_of(reader: Reader, packages: Mapping[int, int], nodes: Sequence[NumaNode]) -> Sockets:
    """Return the sockets of a Linux machine: `packages` are the kernel's, by CPU, and `nodes` what it says of memory.

    On a real x86 machine the packages are the sockets. Elsewhere the processors that firmware lists count (not in a
    virtual machine, whose firmware repeats the packages), then the NUMA nodes that have CPUs and memory; there are
    never more sockets than packages.
    """
    count = len(set(packages.values()))
    is_virtual = _is_virtual(reader)
    if count == 1 or (not is_virtual and reader.machine.lower() in _X86):
        return Sockets(count, packages, _PACKAGES, READ)
    node_of = {cpu: node.number for node in nodes for cpu in node.cpus if node.has_memory}
    node_count = len({node_of[cpu] for cpu in packages if cpu in node_of})
    listed = None if is_virtual else _listed(reader)
    if listed is not None and 1 <= listed <= count:
        by_node = node_of if node_count == listed else None
        source = f"{SMBIOS_TABLE}, processors; {count} packages may be clusters of cores"
        return _assigned(listed, packages, by_node, source, DERIVED)
    if node_count > 1:
        taken = min(node_count, count)
        by_node = node_of if node_count == taken else None
        return _assigned(taken, packages, by_node, f"{_NODES}: {node_count} nodes, {count} packages", DERIVED)
    what = "a virtual machine" if is_virtual else "one NUMA node"
    return _assigned(1, packages, None, f"one socket for {what}; the kernel counts {count} packages", ASSUMED)


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
