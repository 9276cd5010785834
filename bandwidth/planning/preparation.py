"""What is known before anything runs: the machine, and what is measured in which order.

What a record holds is measured once more by planning the call that made it anew and choosing its cases by their id: a
case is made in one place only, the planner, whatever machine, engine or option it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from bandwidth.analysis.groups import SIZE_SLACK
from bandwidth.analysis.plain_results import plain_results
from bandwidth.ceilings.memory import with_saved_modules
from bandwidth.engines.registry import ENGINES, engines_of
from bandwidth.errors import BandwidthError, HardwareError, UnstableError
from bandwidth.machine.facts import Facts
from bandwidth.machine.gpu_attributes import GpuFacts
from bandwidth.machine.nvml import Nvml, SystemNvml
from bandwidth.machine.probe import collect
from bandwidth.machine.reader import Reader, SystemReader
from bandwidth.machine.topology import Topology, read_topology
from bandwidth.planning.cases import Plan, Planner, Stage, Surroundings
from bandwidth.planning.gpu import GpuPlanner
from bandwidth.planning.host import HostPlanner
from bandwidth.planning.options import ALL_TARGETS, TARGET, MeasureOptions
from bandwidth.planning.saved import options_from_json
from bandwidth.planning.selection import check_target, engines_for_host, kernels_for_host
from bandwidth.results import Case, NotRun, Record
from bandwidth.theory.formula import plural
from bandwidth.vocabulary import HOST, PCIE


@dataclass(frozen=True)
class Preparation:
    """What was asked, where, and the stages of it in the order in which they run; there is one at least."""

    options: MeasureOptions
    surroundings: Surroundings
    stages: tuple[Stage, ...]

    @property
    def plans(self) -> tuple[Plan, ...]:
        """All plans in the order in which they run."""
        return tuple(stage.plan for stage in self.stages)

    @property
    def gpus(self) -> tuple[GpuFacts, ...]:
        """Every GPU that is measured."""
        return tuple(gpu for plan in self.plans for gpu in plan.gpus)


def look_around(
    saved_facts: Facts | None = None, reader: Reader | None = None, nvml: Nvml | None = None
) -> Surroundings:
    """Return this machine as it is now, with the modules that saved facts bring along."""
    nvml = SystemNvml() if nvml is None and reader is None else nvml
    reader = reader or SystemReader()
    facts, topology = collect(reader, nvml), read_topology(reader)
    if saved_facts is not None:
        facts = with_saved_modules(facts, saved_facts)
    return Surroundings(reader, facts, topology, nvml)


def planners_of(options: MeasureOptions, here: Surroundings) -> tuple[Planner, ...]:
    """Return one planner a kind of target, in the order in which what they plan is measured."""
    return (HostPlanner(options, here), GpuPlanner(options, here))


def prepare(options: MeasureOptions, reader: Reader | None = None, nvml: Nvml | None = None) -> Preparation:
    """Look at the machine and plan. Raises UsageError, HardwareError and BandwidthError as the planners do."""
    check_target(options.target)
    here = look_around(options.saved_facts, reader, nvml)
    stages, notes = _stages(planners_of(options, here))
    return Preparation(options, here, _told(_sharing(stages, options.budget_s), notes))


def _stages(planners: Sequence[Planner]) -> tuple[list[Stage], list[str]]:
    """Return the stages of those who take part, and notes on who does not.

    Who runs last is asked first: the host, whose turn comes first, plans all that no other planner has.
    """
    stages: list[Stage] = []
    notes: list[str] = []
    for planner in reversed(planners):
        proposal = planner.propose([stage.plan for stage in stages])
        if proposal.plan is not None:
            stages.insert(0, Stage(planner, proposal.plan))
        notes += [proposal.note] if proposal.note else []
    return stages, notes


def _sharing(stages: Sequence[Stage], budget_s: float | None) -> list[Stage]:
    """Return the stages with equal parts of a budget that was given; without one each has what it needs."""
    if budget_s is None:
        return [*stages]
    return [replace(stage, plan=replace(stage.plan, budget_s=budget_s / len(stages))) for stage in stages]


def _told(stages: Sequence[Stage], notes: Sequence[str]) -> tuple[Stage, ...]:
    """Return the stages, the first of which also says why others are not there."""
    first, *rest = stages
    return (replace(first, plan=replace(first.plan, notes=(*first.plan.notes, *notes))), *rest)


# --- what a record holds, once more ---------------------------------------------------------------------------------

LONGEST_COUNT = 10
LONGEST_NAME = 60
T = TypeVar("T", str, int)


def prepare_again(
    record: Record,
    target: str,
    ids: Collection[str],
    budget_s: float,
    reader: Reader | None = None,
    nvml: Nvml | None = None,
) -> Preparation:
    """Plan as for the record, and keep the cases of these ids, all of one target (`host`, `device` or `pcie`).

    Ids that the plan for this machine does not have stand in its `not_run` with the reason. Raises HardwareError where
    a GPU is not there, and UnstableError where nothing of the record can be measured here.
    """
    cases = [result.case for result in record.results if result.case.id in ids]
    here = look_around(None, reader, nvml)
    options = replace(_options(record, target), budget_s=budget_s)
    options = _served(options, here.topology) if target == HOST else options
    planner: Planner = HostPlanner(options, here) if target == HOST else GpuPlanner(options, here)
    try:
        plan = planner.plan()
    except HardwareError:
        raise
    except BandwidthError as error:  # the usage was the record's, and the memory is too small or taken
        raise UnstableError(
            f"the record's cases cannot be measured on this machine: {error.message}", error.hint
        ) from error
    planned = tuple(one for one in plan.cases if one.case.id in ids)
    known = {one.case.id for one in planned}
    missing = tuple(NotRun(case.id, _why_not(case, plan, here)) for case in cases if case.id not in known)
    if not planned:
        raise UnstableError(
            f"no case of the record can be measured on this machine: {missing[0].reason}", "measure the baseline again"
        )
    again = replace(plan, cases=planned, not_run=missing, budget_s=budget_s)
    return Preparation(options, here, (Stage(planner, again),))


def _options(record: Record, target: str) -> MeasureOptions:
    """Return the options of the record's call, those that its cases of a target tell where it did not keep them.

    The memory's SPEC is left to this machine: it changes no rate.
    """
    if TARGET in record.options:
        return replace(options_from_json(record.options), memory=None, sockets=None)
    cases = [one.case for one in plain_results(record) if one.case.kind == target]
    if target != HOST:
        kinds = dict.fromkeys(str(case.variant["host_memory"]) for case in cases if "host_memory" in case.variant)
        numbers = {number for case in cases for number in _devices(case)}
        return MeasureOptions(
            target=ALL_TARGETS,  # copies between GPUs are of a device, and planned with the links
            devices=tuple(map(str, sorted(numbers))) or None,
            host_memory=tuple(kinds) or None,
            size_bytes=_common_size(cases),
        )
    threads = None
    if not any("cores" in case.variant for case in cases):  # which are planned where no threads are asked for
        threads = tuple(dict.fromkeys(str(case.threads) for case in cases)) or None
    cpus = tuple(sorted({cpu for case in cases for cpu in case.cpus}))
    return MeasureOptions(target=HOST, threads=threads, cpus=cpus or None, size_bytes=_common_size(cases))


def _served(options: MeasureOptions, topology: Topology) -> MeasureOptions:
    """Return the host's part of the options without what is no longer to be had: the rest can still be measured.

    Raises UnstableError where nothing is left.
    """
    most = len(topology.cpus_allowed)
    # What is no number is left for the plan to refuse.
    threads = _left(options.threads, lambda it: not (it.isdecimal() and len(it) < LONGEST_COUNT and int(it) > most))
    engines = _left(engines_for_host(options.engines), lambda name: name in ENGINES and not ENGINES[name].lacks())
    usable = [entry for name, entry in engines_of(HOST).items() if not entry.lacks() and name in (engines or ENGINES)]
    named = kernels_for_host(options.kernels, options.engines)
    kernels = _left(named, lambda name: any(name in entry.kernels for entry in usable))
    cpus = _left(options.cpus, lambda cpu: cpu in topology.cpus_allowed)
    for what, left in (("threads", threads), ("engines", engines), ("kernels", kernels), ("CPUs", cpus)):
        if left == ():
            raise UnstableError(
                f"none of the record's {what} are available on this machine", "measure the baseline again"
            )
    stores = options.stores if any(entry.has_stores for entry in usable) else None
    return replace(options, threads=threads, cpus=cpus, engines=engines, kernels=kernels, stores=stores)


def _left(names: tuple[T, ...] | None, is_here: Callable[[T], bool]) -> tuple[T, ...] | None:
    return None if names is None else tuple(name for name in names if is_here(name))


def _devices(case: Case) -> tuple[int, ...]:
    peer = case.variant.get("peer")
    return (*case.devices, peer) if isinstance(peer, int) else case.devices


def _common_size(cases: Sequence[Case]) -> int | None:
    """Return the size that all cases have but for whole pages, None where each has its own, as without --size."""
    sizes = [_asked_bytes(case) for case in cases]
    return min(sizes) if sizes and min(sizes) >= max(sizes) * (1 - SIZE_SLACK) else None


def _asked_bytes(case: Case) -> int:
    """Return what --size means for a case: all arrays, of copies one copy over one of its links."""
    size = case.working_set_bytes // (2 if case.path == "bidirectional" else 1)
    return size // max(len(case.devices), 1) if case.kind == PCIE else size


def _why_not(case: Case, plan: Plan, here: Surroundings) -> str:
    """Return why the plan for this machine does not have a case."""
    entry = ENGINES.get(case.engine)
    if entry is None:
        return f"the engine {case.engine[:LONGEST_NAME]!a} is unknown"
    if lacks := entry.lacks():
        return f"the engine {case.engine} cannot be used: {lacks}"
    if gone := sorted({*_devices(case)} - {gpu.number for gpu in plan.gpus}):
        return f"device {gone[0]} does not exist"
    kind, most = case.variant.get("cores"), len(here.topology.cpus_allowed)
    if kind is not None and kind not in here.topology.core_kinds:
        return f"this machine reports no {kind!a} cores"
    if not case.devices and case.threads > most:
        return f"it needs {case.threads} threads, and this process may use {most} {plural('CPU', most)}"
    return "the plan for this machine does not include it"
