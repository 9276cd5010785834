"""What is known before anything runs: the machine, and what is measured in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bandwidth.ceilings.memory import with_saved_modules
from bandwidth.machine.facts import Facts
from bandwidth.machine.gpu_attributes import GpuFacts
from bandwidth.machine.nvml import Nvml, SystemNvml
from bandwidth.machine.probe import collect
from bandwidth.machine.reader import Reader, SystemReader
from bandwidth.machine.topology import read_topology
from bandwidth.planning.cases import Plan
from bandwidth.planning.gpu.planner import GpuPlanner
from bandwidth.planning.host import HostPlanner
from bandwidth.planning.options import MeasureOptions
from bandwidth.planning.planner import Planner, Stage, Surroundings
from bandwidth.planning.selection import check_target


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
        answer = planner.answer([stage.plan for stage in stages])
        if answer.plan is not None:
            stages.insert(0, Stage(planner, answer.plan))
        notes += [answer.note] if answer.note else []
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
