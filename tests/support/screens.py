"""Records of machines that are not here, each through planner, run and ceilings as a measurement makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from measuring_support import ScriptedEngine
from simulated_hosts import MACHINES, Simulated

from bandwidth.ceilings.of_results import Machine as CeilingsOf
from bandwidth.kernels import kernel_of, stores_of
from bandwidth.machine.facts import Fact
from bandwidth.measuring.run import Measurement
from bandwidth.planning.host import make_plan
from bandwidth.planning.options import MeasureOptions
from bandwidth.planning.saved import options_to_json
from bandwidth.results import Case, Conditions, Observed, Record

QUIET = {"load_average_1min": 0.0, "cpu_pressure_percent": 0.0}
NOISE = (1.0, 1.002, 0.998, 1.001, 0.999)


def host(name: str, **others: Any) -> Simulated:
    """Return the simulated machine whose name begins so, with other facts in their place."""
    found = next(one for one in MACHINES if one.name.startswith(name))
    return replace(found, others={**found.others, **others})


@dataclass(frozen=True)
class Run:
    """A machine and how fast it is: bytes a second that a core draws, that the memory gives, and noise by block."""

    machine: Simulated
    core: float
    memory: float
    noise: tuple[float, ...] = NOISE
    observed: Mapping[str, Observed] = field(default_factory=dict)

    def seconds(self, case: Case, calls: int, factor: float) -> float:
        """Return what some calls take: stores at a little less than reads, ordinary ones with the reads they cause."""
        rate = min(len(case.cpus) * self.core, self.memory)
        kernel = kernel_of(case.path, case.variant)
        rate *= (0.95 if kernel.writes else 1.0) * (0.97 if case.engine == "numpy" else 1.0)
        if kernel.writes and stores_of(case.variant) != "streaming":
            rate *= kernel.arrays / (kernel.arrays + kernel.writes)
        return calls * case.bytes_per_call / rate * factor

    def record(self, **options: Any) -> Record:
        """Return the record of a run on it."""
        facts, topology = self.machine.facts(), self.machine.topology
        asked = MeasureOptions(**({"target": "host"} | options))
        plan = make_plan(asked, facts, topology)
        turns: dict[str, int] = {}

        def seconds_of(case: Case, calls: int) -> float:
            turns[case.id] = turns.get(case.id, -1) + 1
            return self.seconds(case, calls, self.noise[turns[case.id] % len(self.noise)])

        engine = ScriptedEngine(seconds_of)
        engines = {"native": engine, "numpy": engine}
        outcome = Measurement(plan, engines, clock=engine.clock, shuffle=lambda turns: None).run()
        seen = tuple(replace(one, observed={**one.observed, **self.observed}) for one in outcome.results)
        cores = len(topology.cores)
        layout = {"physical_cores": cores, "logical_cpus": cores, "cpus_allowed": f"0-{cores - 1}"}
        layout |= {"sockets": topology.sockets, "numa_nodes": len(topology.nodes), "operating_system": "Linux"}
        layout |= {"last_level_cache_instances": topology.last_level_cache_instances}
        known = {name: Fact(value, "a test", "read") for name, value in layout.items() if name not in facts}
        return Record(
            tool_version="0.1.0",
            taken_at="2026-01-02T03:04:05+00:00",
            command=("bandwidth", "measure"),
            machine=type(facts)({**facts, **known}).to_json(),
            conditions=Conditions(QUIET, QUIET),
            results=CeilingsOf.read(facts, topology, plan.theory).with_ceilings(seen, ()),
            not_run=outcome.not_run,
            memory=plan.theory.to_json(),
            notes=plan.notes,
            options=options_to_json(asked),
        )
