"""A machine that is not here: 2 sockets, 128 cores, 8 NUMA nodes, with rates that follow from a few known numbers.

A block of the scripted engine takes the time that these rates give, with a little noise that is the same in every run.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from measuring_support import MIB, ScriptedEngine, two_socket_topology

from bandwidth.findings import examine
from bandwidth.machine.facts import Facts
from bandwidth.machine.topology import Topology
from bandwidth.measuring.run import Measurement, Outcome
from bandwidth.planning.cases import Plan
from bandwidth.planning.host import make_plan
from bandwidth.planning.options import MeasureOptions
from bandwidth.planning.saved import options_to_json
from bandwidth.report import render
from bandwidth.report.measurement import measurement_document
from bandwidth.results import Case, Conditions, Record

# In bytes per second: what one core draws, and what the memory of a socket and of a node gives at most.
CORE = 12e9
SOCKET = 390e9
NODE = SOCKET / 4
REMOTE_SHARE = 0.6
# What is left of the reading rate: streaming stores and ordinary ones (which read each line first), and NumPy.
STREAMING_SHARE = 0.95
ORDINARY_SHARE = {"copy": 2 / 3, "scale": 2 / 3, "add": 3 / 4, "triad": 3 / 4, "write": 1 / 2}
NUMPY_SHARE = 0.97
LOCAL_NS, REMOTE_NS = 110.0, 180.0
# Of a cache line from core to core, by what the two CPUs share.
HOP_NS = {"core": 21.0, "L3": 38.0, "node": 94.0, "socket": 110.0, "machine": 190.0}
NOISE = (1.0, 1.002, 0.998, 1.001, 0.999)
QUIET = {"load_average_1min": 0.0, "cpu_pressure_percent": 0.0}


@dataclass
class Machine:
    """The machine with its memory, what its engine says, and what is recorded of it."""

    topology: Topology = field(default_factory=two_socket_topology)
    facts: Facts = field(default_factory=lambda: Facts({}))
    skew_s: Callable[[Case], float] = lambda _: 1e-6
    machine: dict[str, Any] = field(default_factory=dict)
    hop_ns: Callable[[Case], float] = lambda case: HOP_NS[case.shared]

    def plan(self, **options: Any) -> Plan:
        return make_plan(self.asked(**options), self.facts, self.topology)

    def asked(self, **options: Any) -> MeasureOptions:
        return MeasureOptions(**{"memory": "DDR5-4800 x12", **options})

    def rate(self, case: Case) -> float:
        """Return the bytes per second of a case."""
        share = NUMPY_SHARE if case.engine == "numpy" else 1.0
        stores = case.variant.get("stores", "ordinary" if case.engine == "numpy" else None)
        if stores == "ordinary" and case.path in ORDINARY_SHARE:
            share *= STREAMING_SHARE * ORDINARY_SHARE[case.path]
        elif stores == "streaming":
            share *= STREAMING_SHARE
        return share * self._drawn(case)

    def latency_ns(self, case: Case) -> float:
        if case.pair is not None:
            return self.hop_ns(case)
        if case.variant.get("cpu_node") != case.variant.get("memory_node"):
            return REMOTE_NS
        load = int(str(case.variant.get("load", "0%")).rstrip("%"))
        return LOCAL_NS * (1 + (load / 100) ** 4)

    def _drawn(self, case: Case) -> float:
        node = case.variant.get("memory_node")
        if node is not None:
            remote = 1.0 if node == case.variant["cpu_node"] else REMOTE_SHARE
            return remote * min(len(case.cpus) * CORE, NODE)
        cores = [core for core in self.topology.cores if set(core.cpus) & set(case.cpus)]
        sockets = [sum(core.socket == socket for core in cores) for socket in (0, 1)]
        return sum(min(count * CORE, SOCKET) for count in sockets)

    def engine(self) -> ScriptedEngine:
        noise: dict[str, Any] = {}

        def seconds_of(case: Case, calls: int) -> float:
            factor = next(noise.setdefault(case.id, itertools.cycle(NOISE)))
            if case.is_latency:
                return calls * case.bytes_per_call / 8 * self.latency_ns(case) * 1e-9 * factor
            return calls * case.bytes_per_call / self.rate(case) * factor

        placed = lambda case: {"placed_share": 1.0} if "memory_node" in case.variant else {}  # noqa: E731
        return ScriptedEngine(seconds_of, skew_s=self.skew_s, observed=placed)

    def run(self, plan: Plan) -> Outcome:
        engine = self.engine()
        engines = {"native": engine, "numpy": engine}
        return Measurement(plan, engines, clock=engine.clock, shuffle=lambda turns: None).run()

    def record(self, **options: Any) -> Record:
        plan = self.plan(**options)
        outcome = self.run(plan)
        cpus = self.topology.cpus_allowed
        machine = {
            "cpu_model": "Simulated 64-Core Processor",
            "physical_cores": self.topology.cores_online,
            "logical_cpus": self.topology.cpus_online,
            "cpus_allowed": f"{cpus[0]}-{cpus[-1]}",
            "operating_system": "Linux",
            "last_level_cache_instances": self.topology.last_level_cache_instances,
            "numa_memory_only_nodes": list(self.topology.memory_only_nodes),
        }
        return Record(
            tool_version="0.1.0",
            taken_at="2026-01-02T03:04:05+00:00",
            command=("bandwidth", "measure"),
            machine=machine | self.machine,
            conditions=Conditions(QUIET, QUIET),
            results=outcome.results,
            not_run=outcome.not_run,
            memory=plan.theory.to_json(),
            notes=plan.notes,
            options=options_to_json(self.asked(**options)),
        )


def text_of(record: Record) -> str:
    """Return what a terminal of 80 columns shows of a record."""
    return render(measurement_document(record, examine(record)), "table")


def lines_of(record: Record) -> str:
    """Return the same as one line, so that where it wraps does not matter."""
    return " ".join(text_of(record).split())


__all__ = ["LOCAL_NS", "MIB", "REMOTE_NS", "Machine", "lines_of", "text_of"]
