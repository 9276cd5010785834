"""The planner of `device` and `pcie`: which GPUs are meant, whether they are there, and what keeps them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bandwidth.ceilings.memory import host_theory
from bandwidth.engines.interface import EngineEntry
from bandwidth.engines.registry import ENGINES, engines_of
from bandwidth.errors import BandwidthError, HardwareError, UsageError
from bandwidth.machine.gpu_attributes import GpuFacts
from bandwidth.machine.gpus import has_nvidia
from bandwidth.planning.cases import Plan
from bandwidth.planning.gpu.plan import make_gpu_plan
from bandwidth.planning.options import ALL_DEVICES, ALL_TARGETS, THREAD_SWEEP, MeasureOptions
from bandwidth.planning.planner import Answer, Surroundings
from bandwidth.planning.selection import check_engines, is_gpu_only
from bandwidth.vocabulary import DEVICE, HOST

# How a note begins that says why no GPU is measured.
NOT_MEASURED = "The GPU is not measured"


@dataclass(frozen=True)
class GpuPlanner:
    """Plans for the memory of GPUs and for their links.

    GPUs are looked for where one is asked for, and with `all` where the machine shows a sign of one. Beside the host
    they are only sighted until their turn: one that waits would lower its clocks, and take memory.
    """

    options: MeasureOptions
    here: Surroundings

    def answer(self, others: Sequence[Plan]) -> Answer:
        """Return the plan. Raises HardwareError only where a GPU was asked for, UsageError for a size too large."""
        options = self.options
        if options.target == HOST:
            return Answer()
        if options.target != ALL_TARGETS:
            check_engines(options.engines, options.target)
            return Answer(self.plan())
        if not self._is_expected:
            return Answer()
        try:
            plan = self._plan(is_opened=not others and is_gpu_only(options.kernels, options.engines))
        except BandwidthError as error:
            if options.asks_for_gpu or options.engines is not None or isinstance(error, UsageError):
                raise
            return Answer(note=_not_measured(error))
        return Answer(plan if plan.cases else None)

    def plan(self) -> Plan:
        """Return the plan for the GPUs that the options mean, whether or not the host is meant too."""
        return self._plan(is_opened=True)

    def opened(self, plan: Plan) -> Plan:
        """Return the plan made anew where its GPUs were only sighted; what ran before it stands."""
        if all(gpu.is_opened for gpu in plan.gpus):
            return plan
        try:
            return replace(self.plan(), budget_s=plan.budget_s)
        except BandwidthError as error:
            return replace(plan, cases=(), gpus=(), notes=(_not_measured(error),))

    @property
    def _target(self) -> str:
        return DEVICE if self.options.target == ALL_TARGETS else self.options.target

    @property
    def _is_expected(self) -> bool:
        """Whether with `all` a GPU is meant, and asked for or seen."""
        options = self.options
        if options.asks_for_gpu:
            return True
        if options.numa or options.mixes or options.zeros or options.sweep == THREAD_SWEEP:
            return False
        if options.engines is not None:
            return any(name in engines_of(self._target) for name in options.engines)
        return has_nvidia(self.here.reader, self.here.facts)

    def _plan(self, *, is_opened: bool) -> Plan:
        """Return the plan; where its GPUs are not opened it is one to look at, for when all of their memory is free."""
        known = engines_of(self._target)
        entry = ENGINES[next((name for name in known if name in (self.options.engines or ())), next(iter(known)))]
        gpus = _found(entry, self.options.devices or ("0",), is_opened=is_opened)
        theory = host_theory(self.options.given_memory, self.here.facts, self.here.topology.sockets)
        return make_gpu_plan(self.options, self.here.facts, entry, gpus, theory)


def _found(entry: EngineEntry, chosen: Sequence[str], *, is_opened: bool) -> tuple[GpuFacts, ...]:
    """Return the GPUs of these numbers. Raises HardwareError where one is not there, or nothing to reach it by."""
    if entry.maker is None:
        raise AssertionError(f"{entry.name} is no engine of GPUs")
    numbers = None if ALL_DEVICES in chosen else sorted({int(number) for number in chosen})
    if lacks := entry.lacks():
        message, _, hint = lacks.partition(": ")
        raise HardwareError(message, hint)
    maker = entry.maker()
    return maker.find(numbers) if is_opened else maker.sight(numbers)


def _not_measured(error: BandwidthError) -> str:
    return f"{NOT_MEASURED}: {error}."
