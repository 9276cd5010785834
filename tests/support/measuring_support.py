"""Machines that are not here, and an engine whose blocks take the time that a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from bandwidth.machine.facts import Fact, Facts
from bandwidth.machine.topology import Cache, Core, Topology
from bandwidth.measuring.engines import Block
from bandwidth.results import Case

MIB = 1024**2
GIB = 1024**3


def two_socket_topology(cores_per_socket: int = 64, cores_per_cache: int = 8, nodes_per_socket: int = 4) -> Topology:
    """Return 2 sockets of 64 cores with two threads each, a 32 MiB L3 for every 8 cores, 8 NUMA nodes."""
    total = 2 * cores_per_socket
    cores_per_node = cores_per_socket // nodes_per_socket
    cores = tuple(Core((cpu, cpu + total), cpu // cores_per_socket, cpu // cores_per_node) for cpu in range(total))
    caches = tuple(
        Cache(3, 32 * MIB, frozenset(cpu for core in cores[first : first + cores_per_cache] for cpu in core.cpus))
        for first in range(0, total, cores_per_cache)
    )
    cpus = tuple(range(2 * total))
    return Topology(cores, caches, len(cpus), cpus, 2, tuple(range(2 * nodes_per_socket)), True, len(cpus), total)


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

    `wrong` maps a case's id to what its check finds; `interrupt_at` raises KeyboardInterrupt at that block.
    """

    seconds_of: Callable[[Case, int], float]
    check_s: float = 0.0
    fill_s: float = 0.0
    wrong: dict[str, str] = field(default_factory=dict)
    wrong_only_whole: bool = False
    interrupt_at: int | None = None
    now: float = 0.0
    log: list[tuple[str, str]] = field(default_factory=list)
    is_closed: bool = False

    def clock(self) -> float:
        return self.now

    def prepare(self, cases: Sequence[Case], limit_s: float) -> None:
        self.now += self.fill_s
        self.log += [("prepare", case.id) for case in cases]

    def run_block(self, case: Case, calls: int) -> Block:
        self.log.append(("block", case.id))
        if self.interrupt_at is not None and len(self.blocks()) >= self.interrupt_at:
            raise KeyboardInterrupt
        seconds = self.seconds_of(case, calls)
        self.now += max(seconds, 0.0)
        return Block(seconds, 1e-6)

    def verify(self, case: Case, *, whole: bool) -> str:
        self.log.append(("whole check" if whole else "check", case.id))
        self.now += self.check_s if whole else 0.0
        return self.wrong.get(case.id, "") if whole or not self.wrong_only_whole else ""

    def close(self) -> None:
        self.is_closed = True

    def blocks(self) -> list[str]:
        """Return the ids of all blocks run so far, in their order."""
        return [case_id for what, case_id in self.log if what == "block"]


@pytest.fixture
def lock_folder(tmp_path, monkeypatch) -> Iterator[None]:
    """Give the test a lock of its own: another measurement on this machine must not fail it."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return
