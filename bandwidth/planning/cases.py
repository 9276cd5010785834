"""How a case is made: a kernel, an engine, a cpu_set and a size become plain data, with the bytes that it counts.

Cases in an order are a plan; a planner for each kind of target makes one, and preparing and measuring walk over the
list of planners.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from bandwidth.ceilings.memory import HostTheory
from bandwidth.engines.interface import EngineEntry
from bandwidth.errors import UsageError
from bandwidth.kernels import Kernel
from bandwidth.machine.facts import Facts
from bandwidth.machine.gpu_attributes import GpuFacts
from bandwidth.machine.nvml import Nvml
from bandwidth.machine.reader import Reader
from bandwidth.machine.topology import Topology
from bandwidth.planning.options import ALL_THREADS
from bandwidth.planning.pairs import CpuPair
from bandwidth.planning.selection import CpuSet, choose_cpu_sets
from bandwidth.planning.sizing import Sizing
from bandwidth.results import Case, NotRun
from bandwidth.results.model import ADDRESS_BYTES
from bandwidth.vocabulary import BETWEEN_CORES, LATENCY, LINE_BYTES, PAGE_BYTES, PAIR

# Loads in one call of a latency: the length of the chain that is compiled (CHAIN_LENGTH of kernel_arguments.py).
LOADS_PER_CALL = 64
# Times that a line is handed over in one call: long beside a look at the time, which each thread takes after a call.
HOPS_PER_CALL = 1000
# Arrays of at least this much are whole pages, rounded up, so that the rule for memory stays met; smaller ones are
# whole lines, rounded down: a point of a sweep must not spill over the size that it stands for.
LEAST_PAGED_BYTES = 64 * 1024


@dataclass(frozen=True)
class PlannedCase:
    """A case, why it has its size, and the theory and the maker's figure that may stand beside it, None where none."""

    case: Case
    why: str
    theory_bytes_per_s: float | None = None
    theory_source: str | None = None
    vendor_bytes_per_s: float | None = None


@dataclass(frozen=True)
class Plan:
    """What is to run, the most important first; what is not, with reasons; and the memory's theory.

    `memory_bytes` is what all arrays take together; `notes` are lines for the reader; `gpus` are those that are
    measured, none in a plan for the host.
    """

    cases: tuple[PlannedCase, ...]
    not_run: tuple[NotRun, ...]
    theory: HostTheory
    budget_s: float
    memory_bytes: int = 0
    notes: tuple[str, ...] = ()
    gpus: tuple[GpuFacts, ...] = ()


@dataclass(frozen=True)
class Bench:
    """What all cases of a plan are made from: what was chosen of a machine and its engines.

    `kernels` are those that the engines have and that were asked for; `stores` and `threads` are as asked, None where
    all are meant, and `has_named_kernels` and `has_named_cpus` tell whether these were asked for at all.
    """

    topology: Topology
    engines: tuple[EngineEntry, ...]
    kernels: tuple[str, ...]
    stores: tuple[str, ...] | None = None
    threads: tuple[str, ...] | None = None
    has_named_kernels: bool = False
    has_named_cpus: bool = False

    @cached_property
    def cpu_sets(self) -> tuple[CpuSet, ...]:
        """Who works, the most threads first. Raises UsageError for more threads than CPUs are allowed."""
        return choose_cpu_sets(self.threads, self.topology)

    def largest_cpu_set_of(self, part: Topology) -> CpuSet:
        """Return the most threads asked for on a part of the machine, else one a core. Raises as `cpu_sets` does."""
        return choose_cpu_sets(self.threads or (ALL_THREADS,), part)[0]

    def swept(self, default: Sequence[str]) -> tuple[EngineEntry, tuple[str, ...]]:
        """Return the engine and the kernels of a sweep: the first that is there, and what it has of the kernels.

        Raises UsageError where it has none.
        """
        engine = self.engines[0]
        asked = self.kernels if self.has_named_kernels else default
        kernels = tuple(name for name in asked if name in engine.kernels)
        if not kernels:
            raise UsageError(
                f"the engine {engine.name} has none of these kernels", f"choose from {', '.join(engine.kernels)}"
            )
        return engine, kernels

    def engine(self, name: str) -> EngineEntry | None:
        """Return one of the engines, None where it was not chosen or is not installed."""
        return next((entry for entry in self.engines if entry.name == name), None)

    def stores_of(self, engine: EngineEntry, kernel: Kernel) -> tuple[str | None, ...]:
        """Return the kinds of store to measure a kernel with: None for one that has no choice."""
        if not (engine.has_stores and kernel.stores):
            return (None,)
        return tuple(kind for kind in kernel.stores if self.stores is None or kind in self.stores)

    def case(
        self,
        engine: EngineEntry,
        kernel: Kernel,
        cpu_set: CpuSet,
        sizing: Sizing,
        stores: str | None = None,
        variant: Mapping[str, str | int] | None = None,
    ) -> Case:
        """Return the case of a kernel at a size, with what tells it apart."""
        threads = len(cpu_set.cpus)
        array_bytes = _array_bytes(sizing.wanted_bytes, threads * kernel.arrays) * threads
        named = {**({} if stores is None else {"stores": stores}), **({"mix": kernel.mix} if kernel.mix else {})}
        # Whether NumPy's stores first read the line depends on the C library and the size: not known.
        traffic = kernel.traffic_bytes(array_bytes, stores) if engine.has_stores or not kernel.writes else None
        return Case(
            target="host",
            path="mix" if kernel.mix else kernel.name,
            engine=engine.name,
            threads=threads,
            working_set_bytes=array_bytes * kernel.arrays,
            bytes_per_call=kernel.stream_bytes(array_bytes),
            payload_bytes_per_call=kernel.payload_bytes(array_bytes),
            traffic_bytes_per_call=traffic,
            cpus=cpu_set.cpus,
            variant={**named, **cpu_set.variant, **(variant or {})},
            dram_rule_bytes=sizing.dram_rule_bytes,
            caches_known=sizing.caches_known,
            caches=self.topology.reachable_cache_bytes(cpu_set.cpus),
        )

    def latency_case(self, cpu_set: CpuSet, sizing: Sizing, variant: Mapping[str, str | int]) -> Case:
        """Return the case of dependent loads over a working set; the cpu_set's first CPU makes them.

        With several chains in its variant a call makes as many loads of each.
        """
        chains = Case("host", LATENCY, "native", 1, 1, 1, 1, variant=variant).chains
        return Case(
            target="host",
            path=LATENCY,
            engine="native",
            threads=len(cpu_set.cpus),
            working_set_bytes=max(sizing.wanted_bytes // LINE_BYTES, 2) * LINE_BYTES,
            bytes_per_call=LOADS_PER_CALL * ADDRESS_BYTES * chains,
            payload_bytes_per_call=LOADS_PER_CALL * ADDRESS_BYTES * chains,
            traffic_bytes_per_call=None,
            cpus=cpu_set.cpus,
            variant={**cpu_set.variant, **variant},
            dram_rule_bytes=sizing.dram_rule_bytes,
            caches_known=sizing.caches_known,
            caches=self.topology.reachable_cache_bytes(cpu_set.cpus[:1]),
        )

    def core_to_core_case(self, pair: CpuPair) -> Case:
        """Return the case of one cache line that two CPUs hand back and forth: a word of it each time."""
        one, other = pair.cpus
        return Case(
            target="host",
            path=BETWEEN_CORES,
            engine="native",
            threads=2,
            working_set_bytes=LINE_BYTES,
            bytes_per_call=HOPS_PER_CALL * ADDRESS_BYTES,
            payload_bytes_per_call=HOPS_PER_CALL * ADDRESS_BYTES,
            cpus=pair.cpus,
            variant={PAIR: f"cpu{one}-cpu{other}"},
            shared=pair.shared,
        )


def _array_bytes(wanted_bytes: int, arrays: int) -> int:
    """Return the bytes of one thread's array."""
    if wanted_bytes >= arrays * LEAST_PAGED_BYTES:
        return -(-wanted_bytes // (arrays * PAGE_BYTES)) * PAGE_BYTES
    return max(wanted_bytes // (arrays * LINE_BYTES), 1) * LINE_BYTES


# --- the contract of planners ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Surroundings:
    """Where a measurement runs: the machine's facts and layout, and who reads them; `nvml` where GPUs may be there."""

    reader: Reader
    facts: Facts
    topology: Topology
    nvml: Nvml | None = None


@dataclass(frozen=True)
class Proposal:
    """What a planner says: its plan, None where it takes no part, and a note where the reader would wonder why not."""

    plan: Plan | None = None
    note: str = ""


class Planner(Protocol):
    """Plans for one kind of target. It is made of what was asked and where, and keeps both."""

    def propose(self, others: Sequence[Plan]) -> Proposal:
        """Return the plan beside those of other planners, if this kind of target takes part.

        What was not asked for by name becomes a note where it cannot be measured. Raises as `plan` does for the rest.
        """

    def plan(self) -> Plan:
        """Return the plan where nothing else is measured.

        Raises UsageError for options that do not fit the machine, HardwareError without what is to be measured, and
        BandwidthError without the memory for it.
        """

    def opened(self, plan: Plan) -> Plan:
        """Return an own plan as it can run, now that its turn has come; empty, with a note, where it no longer can."""


@dataclass(frozen=True)
class Stage:
    """A plan and who made it. What one stage measures has the machine to itself."""

    planner: Planner
    plan: Plan

    def opened(self) -> Plan:
        """Return the plan as it can run, now that its turn has come."""
        return self.planner.opened(self.plan)
