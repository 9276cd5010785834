"""What is known before anything runs: the machine, and the plans for it.

A plan is for the host or for GPUs. With `all` both are made of the same options, each of its own part of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bandwidth.ceilings.host import host_theory
from bandwidth.ceilings.modules import with_saved_modules
from bandwidth.engines.interface import EngineEntry
from bandwidth.engines.registry import ENGINES, engines_of
from bandwidth.errors import BandwidthError, HardwareError, UsageError
from bandwidth.machine.facts import Facts
from bandwidth.machine.gpu_attributes import GpuFacts
from bandwidth.machine.gpus import has_nvidia
from bandwidth.machine.nvml import Nvml, SystemNvml
from bandwidth.machine.probe import collect
from bandwidth.machine.reader import Reader, SystemReader
from bandwidth.machine.topology import Topology, read_topology
from bandwidth.planning.cases import Plan
from bandwidth.planning.gpu import LINK_PATHS, make_gpu_plan
from bandwidth.planning.host import make_plan
from bandwidth.planning.options import ALL_DEVICES, ALL_TARGETS, DEVICE, HOST, THREAD_SWEEP, MeasureOptions
from bandwidth.planning.selection import check_engines, check_target

# How a note begins that says why no GPU is measured.
NOT_MEASURED = "The GPU is not measured"


@dataclass(frozen=True)
class Surroundings:
    """Where a measurement runs: the machine's facts and layout, and who reads them; `nvml` where GPUs may be there."""

    reader: Reader
    facts: Facts
    topology: Topology
    nvml: Nvml | None = None


@dataclass(frozen=True)
class Preparation:
    """What was asked, where, and the plan for it; `more` are plans that follow the first.

    What one plan measures has the machine to itself: a GPU that waits for its turn would lower its clocks, and those
    of the plans that follow are not even opened before (`opened`).
    """

    options: MeasureOptions
    surroundings: Surroundings
    plan: Plan
    more: tuple[Plan, ...] = ()

    @property
    def plans(self) -> tuple[Plan, ...]:
        """All plans in the order in which they run."""
        return (self.plan, *self.more)

    @property
    def gpus(self) -> tuple[GpuFacts, ...]:
        """Every GPU that is measured."""
        return tuple(gpu for plan in self.plans for gpu in plan.gpus)

    def opened(self, plan: Plan) -> Plan:
        """Return a plan as it can run: made anew where its GPUs were only sighted.

        It is empty, with a note, where they cannot be opened: what ran before stands.
        """
        if all(gpu.is_opened for gpu in plan.gpus):
            return plan
        try:
            return replace(gpu_plan(self.options, self.surroundings), budget_s=plan.budget_s)
        except BandwidthError as error:
            return replace(plan, cases=(), gpus=(), notes=(_not_measured(error),))


def look_around(options: MeasureOptions, reader: Reader | None = None, nvml: Nvml | None = None) -> Surroundings:
    """Return this machine as it is now, with the modules that the options bring along."""
    nvml = SystemNvml() if nvml is None and reader is None else nvml
    reader = reader or SystemReader()
    facts, topology = collect(reader, nvml), read_topology(reader)
    if options.saved_facts is not None:
        facts = with_saved_modules(facts, options.saved_facts)
    return Surroundings(reader, facts, topology, nvml)


def prepare(options: MeasureOptions, reader: Reader | None = None, nvml: Nvml | None = None) -> Preparation:
    """Look at the machine and plan. Raises UsageError and HardwareError as `make_plan` and `make_gpu_plan` do.

    GPUs are looked for where one is asked for, and with `all` where the machine shows a sign of one; then what keeps it
    from being measured is a note.
    """
    check_target(options.target)
    here = look_around(options, reader, nvml)
    if options.target == HOST:
        return Preparation(options, here, make_plan(options, here.facts, here.topology))
    of_gpus, note = _gpu_plan(options, here)
    if options.target != ALL_TARGETS and of_gpus is not None:
        return Preparation(options, here, of_gpus)
    if of_gpus is None or not of_gpus.cases:
        plan = make_plan(options, here.facts, here.topology)
        plan = replace(plan, notes=(*plan.notes, note)) if note else plan
        return Preparation(options, here, plan)
    if _is_gpu_only(options):
        return Preparation(options, here, of_gpus)
    halved = _halved(options)
    plan = make_plan(of_host(halved), here.facts, here.topology)
    return Preparation(options, here, plan, (_of_budget(of_gpus, halved),))


def _gpu_plan(options: MeasureOptions, here: Surroundings) -> tuple[Plan | None, str]:
    """Return the plan for the GPUs, None without one, and why there is none where the machine shows a sign of one.

    Raises HardwareError and UsageError only where a GPU was asked for, and UsageError for a size that does not fit.
    """
    is_asked = options.asks_for_gpu
    target = DEVICE if options.target == ALL_TARGETS else options.target
    if is_asked and options.target != ALL_TARGETS:
        check_engines(options.engines, target)
    is_alone = options.target != ALL_TARGETS or _is_gpu_only(options)
    is_chosen = options.engines is None or any(name in engines_of(target) for name in options.engines)
    is_meant = is_chosen and not (options.numa or options.mixes or options.zeros or options.sweep == THREAD_SWEEP)
    if not is_asked and not (is_meant and (options.engines is not None or has_nvidia(here.reader, here.facts))):
        return None, ""
    try:
        return gpu_plan(options, here, opened=is_alone), ""
    except BandwidthError as error:
        if is_asked or options.engines is not None or isinstance(error, UsageError):
            raise
        return None, _not_measured(error)


def _not_measured(error: BandwidthError) -> str:
    return f"{NOT_MEASURED}: {error}."


def gpu_plan(options: MeasureOptions, here: Surroundings, *, opened: bool = True) -> Plan:
    """Return the plan for the GPUs that the options mean, whether or not the host is meant too.

    Where they are not `opened`, it is a plan to look at, for when all of their memory is free. Raises HardwareError
    without them, and UsageError and BandwidthError as `make_gpu_plan` does.
    """
    target = DEVICE if options.target == ALL_TARGETS else options.target
    known = engines_of(target)
    name = next((name for name in known if name in (options.engines or ())), next(iter(known)))
    found = _found(options, ENGINES[name], opened=opened)
    return make_gpu_plan(
        options, here.facts, ENGINES[name], found, host_theory(options.given_memory, here.facts, here.topology.sockets)
    )


def _found(options: MeasureOptions, entry: EngineEntry, *, opened: bool) -> tuple[GpuFacts, ...]:
    """Return the GPUs that are meant: those of --device, else the first."""
    if entry.maker is None:
        raise AssertionError(f"{entry.name} is no engine of GPUs")
    chosen = options.devices or ("0",)
    numbers = None if ALL_DEVICES in chosen else sorted({int(number) for number in chosen})
    if lacks := entry.lacks():
        message, _, hint = lacks.partition(": ")
        raise HardwareError(message, hint)
    maker = entry.maker()
    return maker.find(numbers) if opened else maker.sight(numbers)


def _host_kernels(options: MeasureOptions) -> set[str]:
    """Return the kernels of the host's engines that are meant and here."""
    engines = [entry for name, entry in engines_of(HOST).items() if options.engines is None or name in options.engines]
    return {kernel for entry in engines if not entry.lacks() for kernel in entry.kernels}


def _gpu_kernels() -> set[str]:
    return {kernel for entry in engines_of(DEVICE).values() for kernel in entry.kernels} | {*LINK_PATHS}


def _is_gpu_only(options: MeasureOptions) -> bool:
    """Return whether with `all` only GPUs are meant: by the engines, or by kernels that no engine of the host has."""
    if options.engines is not None and not any(name in engines_of(HOST) for name in options.engines):
        return True
    kernels = set(options.kernels or ())
    return bool(kernels) and kernels <= _gpu_kernels() - _host_kernels(options)


def _halved(options: MeasureOptions) -> MeasureOptions:
    """Return the options for each of two plans: they share a budget that was given."""
    return options if options.budget_s is None else replace(options, budget_s=options.budget_s / 2)


def of_host(options: MeasureOptions) -> MeasureOptions:
    """Return the host's part of options that are for all: what only a GPU has is taken out."""
    known, others = _host_kernels(options), _gpu_kernels()
    kernels, engines = options.kernels, options.engines
    if kernels is not None:
        kernels = tuple(name for name in kernels if name in known or name not in others)
    if engines is not None:
        engines = tuple(name for name in engines if name in engines_of(HOST) or name not in ENGINES)
    return replace(options, kernels=kernels, engines=engines)


def _of_budget(plan: Plan, options: MeasureOptions) -> Plan:
    return plan if options.budget_s is None else replace(plan, budget_s=options.budget_s)
