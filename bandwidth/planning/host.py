"""Options and a machine become cases: which kernels, how many threads on which CPUs, how much data, in which order.

Nothing is measured here. What cannot run is named with its reason; why a size was chosen is kept for `--plan`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bandwidth.ceilings.memory import HostTheory, host_theory
from bandwidth.engines.interface import EngineEntry
from bandwidth.errors import UsageError
from bandwidth.kernels import KERNELS
from bandwidth.machine.facts import Facts
from bandwidth.machine.topology import Topology
from bandwidth.planning.cases import Bench, Plan, PlannedCase, Proposal, Surroundings
from bandwidth.planning.options import ALL_TARGETS, MeasureOptions
from bandwidth.planning.order import apart
from bandwidth.planning.selection import (
    CpuSet,
    check_stores,
    check_target,
    choose_engines,
    choose_kernels,
    engines_for_host,
    is_gpu_only,
    kernels_for_host,
    restricted,
)
from bandwidth.planning.sizing import AskedSizes, Sizing, Sizings, fitted, memory_needed, sizings_of
from bandwidth.planning.studies import Study, studies_of
from bandwidth.results import Case
from bandwidth.vocabulary import HOST, STREAMING, TELLING

# What goes first when the budget cannot hold all: what the memory can do, and what NumPy's copy gets of it.
FIRST = (
    ("native", "copy", STREAMING),
    ("native", "read", None),
    ("native", "triad", STREAMING),
    ("numpy", "copy", None),
)

UNTRIED_SYSTEM = (
    "Windows support was tested under Wine and in simulation only, not on a real system: please report your results "
    "(`bandwidth explain windows`)."
)


@dataclass(frozen=True)
class HostPlanner:
    """Plans for the host's memory, which also says what is wrong with an option that no planner knows."""

    options: MeasureOptions
    here: Surroundings

    def propose(self, others: Sequence[Plan]) -> Proposal:
        """Return the plan: for all that was asked, beside others for the host's part of it."""
        options = self.options
        if options.target not in (HOST, ALL_TARGETS):
            return Proposal()
        if not others:
            return Proposal(self.plan())
        if is_gpu_only(options.kernels, options.engines):
            return Proposal()
        kernels = kernels_for_host(options.kernels, options.engines)
        own = replace(options, kernels=kernels, engines=engines_for_host(options.engines))
        return Proposal(make_plan(own, self.here.facts, self.here.topology))

    def plan(self) -> Plan:
        """Return the plan where nothing else is measured."""
        return make_plan(self.options, self.here.facts, self.here.topology)

    def opened(self, plan: Plan) -> Plan:
        """Return the plan: the host is always there."""
        return plan


def make_plan(options: MeasureOptions, facts: Facts, topology: Topology) -> Plan:
    """Return the plan for the host. Raises UsageError for options that do not fit the machine."""
    check_target(options.target)
    bench, notes = _bench(options, topology)
    untried = (UNTRIED_SYSTEM,) if _is_windows(facts) else ()
    theory = host_theory(options.given_memory, facts, topology.sockets)
    study = studies_of(options.studies, bench, _short_table(bench)) if options.is_study else _table(bench)
    asked = AskedSizes(options.size_bytes, options.sweep_range[1] if options.sweep_range else None)
    wanted = sizings_of(asked.working_set_bytes, bench.topology, study.cpu_sets)
    cases, sizings = fitted(study.build, wanted, asked, facts, bench.topology)
    if options.size_bytes is not None and cases and not study.cpu_sets:
        raise UsageError("--size does not apply to --core-to-core: it moves one cache line", "omit it")
    shortness = _shortness(wanted, sizings) if options.is_study else ()
    return Plan(
        cases=tuple(_planned(case, sizings, theory, bench.topology) for case in cases),
        not_run=(),
        theory=theory,
        budget_s=options.allowed_s,
        memory_bytes=memory_needed(cases, bench.topology),
        notes=(*untried, *notes, *study.notes, *shortness),
    )


def _is_windows(facts: Facts) -> bool:
    return "Windows" in (facts.text("operating_system") or "")


def _bench(options: MeasureOptions, topology: Topology) -> tuple[Bench, tuple[str, ...]]:
    """Return what the options choose of the machine and its engines, and a line on each engine that is not there."""
    engines, notes = choose_engines(options.engines)
    check_stores(options.stores, engines)
    allowed = restricted(topology, options.cpus)
    kernels = choose_kernels(options.kernels, engines)
    named = (options.kernels is not None, options.cpus is not None)
    return Bench(allowed, engines, kernels, options.stores, options.threads, *named), notes


def _shortness(wanted: Sizings, sizings: Sizings) -> tuple[str, ...]:
    """Return a line where a study has smaller sizes than it should; a table says so in its findings."""
    smaller = [sizing for cpus, sizing in sizings.items() if sizing.wanted_bytes < wanted[cpus].wanted_bytes]
    return (f"The largest sizes are below the rule for memory: {smaller[0].why}.",) if smaller else ()


def _table(bench: Bench) -> Study:
    """Return the table of all kernels, in the order of importance."""
    cpu_sets = tuple(cpu_set.cpus for cpu_set in bench.cpu_sets)
    return Study(cpu_sets, lambda sizings: apart(_cases_by_priority(bench, sizings)))


def _short_table(bench: Bench) -> Study:
    """Return the table of the kernels that stand on the screen, for where other studies are measured beside it."""
    return _table(replace(bench, kernels=tuple(name for name in bench.kernels if name in TELLING)))


def _cases_by_priority(bench: Bench, sizings: Sizings) -> list[Case]:
    """Return the cases, the most important first: the FIRST with all threads, then with fewer, then the rest by kernel.

    Behind the first of each size stands the same at half of it, once for each size and set of caches: it proves that
    the data is in memory.
    """
    rows = _rows(bench)
    first = [row for row in FIRST if row in rows]
    rest = [row for row in rows if row not in first]
    cases: list[Case] = []
    proven: set[Sizing] = set()
    for stage in (first, rest):
        for cpu_set in bench.cpu_sets:
            sizing = sizings[cpu_set.cpus]
            for name, kernel, stores in stage:
                engine = bench.engine(name)
                if engine is None:
                    continue
                cases.append(bench.case(engine, KERNELS[kernel], cpu_set, sizing, stores))
                if sizing not in proven:
                    cases += _size_check(bench, engine, kernel, stores, cpu_set, sizing)
                    proven.add(sizing)
    return cases


def _rows(bench: Bench) -> list[tuple[str, str, str | None]]:
    """Return every engine, kernel and kind of store, the kernels in order of importance."""
    return [
        (engine.name, name, stores)
        for name in bench.kernels
        for engine in bench.engines
        if name in engine.kernels
        for stores in bench.stores_of(engine, KERNELS[name])
    ]


def _size_check(
    bench: Bench, engine: EngineEntry, kernel: str, stores: str | None, cpu_set: CpuSet, sizing: Sizing
) -> list[Case]:
    """Return the case at half the size, unless the whole is too small for memory: then there is nothing to prove."""
    if sizing.wanted_bytes < sizing.dram_rule_bytes:
        return []
    half = replace(sizing, wanted_bytes=sizing.wanted_bytes // 2)
    case = bench.case(engine, KERNELS[kernel], cpu_set, half, stores)
    variant = {**case.variant, "sweep_point": case.working_set_bytes}
    return [replace(case, variant=variant, is_size_check=True)]


def _planned(case: Case, sizings: Sizings, theory: HostTheory, topology: Topology) -> PlannedCase:
    if case.is_size_check:
        return PlannedCase(case, "half the size, to show that no cache holds the data")
    if case.pair is not None:
        return PlannedCase(case, "a cache line passed between two CPUs")
    why = sizings[case.cpus].why if "sweep_point" not in case.variant else "a point of the sweep"
    return PlannedCase(case, why, *theory.expected(case, topology))
