"""Machines that are not here, and an engine whose blocks take the time that a test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bandwidth.engines.interface import Block
from bandwidth.machine.facts import Fact, Facts
from bandwidth.machine.numa import NumaNode
from bandwidth.machine.topology import Cache, Core, Topology
from bandwidth.results import Case

MIB = 1024**2
GIB = 1024**3


def two_socket_topology(
    cores_per_socket: int = 64, cores_per_cache: int = 8, nodes_per_socket: int = 4, memory_only_nodes: int = 0
) -> Topology:
    """Return 2 sockets of 64 cores with two threads each, a 32 MiB L3 for every 8 cores, 8 NUMA nodes.

    Nodes with memory and no processor, as CXL makes them, have the numbers after those.
    """
    total, count = 2 * cores_per_socket, 2 * nodes_per_socket
    cores_per_node = cores_per_socket // nodes_per_socket
    cores = tuple(Core((cpu, cpu + total), cpu // cores_per_socket, cpu // cores_per_node) for cpu in range(total))
    caches = tuple(
        Cache(3, 32 * MIB, frozenset(cpu for core in cores[first : first + cores_per_cache] for cpu in core.cpus))
        for first in range(0, total, cores_per_cache)
    )
    cpus = tuple(range(2 * total))
    nodes = [
        NumaNode(number, tuple(cpu for core in cores if core.node == number for cpu in core.cpus), 96 * GIB, (), True)
        for number in range(count + memory_only_nodes)
    ]
    return Topology(
        cores,
        caches,
        len(cpus),
        cpus,
        2,
        tuple(node.number for node in nodes),
        True,
        len(cpus),
        total,
        2,
        tuple(nodes),
        tuple(node.number for node in nodes),
    )


def hybrid_topology(performance: int = 8, efficiency: int = 16) -> Topology:
    """Return one socket of P-cores with two threads each and E-cores with one, all around one 36 MiB L3."""
    fast = [Core((2 * core, 2 * core + 1), 0, 0, "performance") for core in range(performance)]
    slow = [Core((2 * performance + core,), 0, 0, "efficiency") for core in range(efficiency)]
    cores = (*fast, *slow)
    cpus = tuple(cpu for core in cores for cpu in core.cpus)
    kinds = (("performance", performance), ("efficiency", efficiency))
    caches = (Cache(3, 36 * MIB, frozenset(cpus)),)
    return Topology(cores, caches, len(cpus), cpus, 1, (0,), True, len(cpus), len(cores), 2, cores_by_kind=kinds)


def small_topology(cores: int = 2, cache_bytes: int | None = 8 * MIB, *, can_pin: bool = False) -> Topology:
    """Return one socket of some cores without siblings, with one shared cache or none that is known."""
    cpus = tuple(range(cores))
    caches = () if cache_bytes is None else (Cache(3, cache_bytes, frozenset(cpus)),)
    return Topology(tuple(Core((cpu,), 0, 0) for cpu in cpus), caches, cores, cpus, 1, (0,), can_pin, cores, cores)


def facts_with_memory(available_bytes: int) -> Facts:
    """Return the facts of a machine of which only its free memory is known."""
    return Facts({"memory_available_bytes": Fact(available_bytes, "a test", "read")})


@dataclass
class ScriptedEngine:
    """An engine whose blocks last as `seconds_of(case, calls)` says, on a clock that only they and the checks move.

    `wrong` maps a case's id to what its check finds, `refused` to why it cannot be prepared; `interrupt_at` raises
    KeyboardInterrupt at that block. `skew_s` and `observed` are told of every block of a case, `trials_s` go before its
    first.
    """

    seconds_of: Callable[[Case, int], float]
    check_s: float = 0.0
    compile_s: float = 0.0
    fill_s: float = 0.0
    wrong: dict[str, str] = field(default_factory=dict)
    wrong_only_whole: bool = False
    interrupt_at: int | None = None
    refused: dict[str, str] = field(default_factory=dict)
    skew_s: Callable[[Case], float] = lambda _: 1e-6
    observed: Callable[[Case], dict[str, float]] = lambda _: {}
    trials_s: Callable[[Case], float] = lambda _: 0.0
    now: float = 0.0
    log: list[tuple[str, str]] = field(default_factory=list)
    is_closed: bool = False

    def clock(self) -> float:
        return self.now

    def prepare(self, cases: Sequence[Case], limit_s: float) -> dict[str, str]:
        self.now += self.fill_s
        self.log += [("prepare", case.id) for case in cases]
        return self.refused

    def run_block(self, case: Case, calls: int) -> Block:
        trials_s = 0.0 if case.id in self.blocks() else self.trials_s(case)
        self.now += trials_s
        self.log.append(("block", case.id))
        if self.interrupt_at is not None and len(self.blocks()) >= self.interrupt_at:
            raise KeyboardInterrupt
        seconds = self.seconds_of(case, calls)
        self.now += max(seconds, 0.0)
        return Block(seconds, self.skew_s(case), observed=self.observed(case), trials_s=trials_s)

    def verify(self, case: Case, *, whole: bool) -> str:
        self.log.append(("whole check" if whole else "check", case.id))
        self.now += self.check_s if whole else 0.0
        return self.wrong.get(case.id, "") if whole or not self.wrong_only_whole else ""

    def close(self) -> None:
        self.is_closed = True

    def blocks(self) -> list[str]:
        """Return the ids of all blocks run so far, in their order."""
        return [case_id for what, case_id in self.log if what == "block"]
