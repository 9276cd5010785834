"""The whole of `measure`: facts, plan, lock, engines, run, record."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from bandwidth.collector import without_collector
from bandwidth.errors import BandwidthError, HardwareError, UsageError
from bandwidth.machine.activity import Activity, read_activity
from bandwidth.machine.conditions import read_conditions
from bandwidth.machine.facts import Facts
from bandwidth.machine.gpus import has_nvidia, sysfs_link
from bandwidth.machine.memory_theory import with_saved_modules
from bandwidth.machine.nvml import Nvml, NvmlLook, SystemNvml, gpu_conditions
from bandwidth.machine.probe import collect
from bandwidth.machine.reader import Reader, SystemReader
from bandwidth.machine.topology import Topology, read_topology
from bandwidth.measuring.cases import Plan
from bandwidth.measuring.engines import ENGINES, Engine, EngineEntry, Look, engines_of, make_engines
from bandwidth.measuring.gpu_facts import GpuFacts
from bandwidth.measuring.gpu_plan import LINK_PATHS, make_gpu_plan
from bandwidth.measuring.gpu_theory import machine_with, with_link_theories
from bandwidth.measuring.kernels import KERNELS, ORDINARY, kernel_of
from bandwidth.measuring.lock import machine_lock
from bandwidth.measuring.memory_theory import host_theory
from bandwidth.measuring.options import (
    ALL_DEVICES,
    ALL_TARGETS,
    DEVICE,
    HOST,
    HOST_MEMORY,
    TARGETS,
    THREAD_SWEEP,
    MeasureOptions,
)
from bandwidth.measuring.plan import make_plan
from bandwidth.measuring.run import Measurement, Outcome, Progress
from bandwidth.measuring.selection import check_engines, check_target
from bandwidth.measuring.workers import worker_threads
from bandwidth.results import Conditions, NotRun, Record, Result
from bandwidth.version import __version__

# How results stand in a record and a table: by engine, threads, then the kernels as in their table.
_KERNEL_ORDER = {name: place for place, name in enumerate((*KERNELS, "memcpy", "memset", *LINK_PATHS))}
_TARGET_ORDER = {name: place for place, name in enumerate(TARGETS)}
_HOST_MEMORY_ORDER = {name: place for place, name in enumerate(HOST_MEMORY)}
_ENGINE_ORDER = {name: place for place, name in enumerate(ENGINES)}


@dataclass(frozen=True)
class Preparation:
    """What is known before anything runs: the machine, and the plan for it; `more` are plans that follow the first.

    What one plan measures has the machine to itself: a GPU that waits for its turn would lower its clocks.
    """

    reader: Reader
    facts: Facts
    topology: Topology
    plan: Plan
    more: tuple[Plan, ...] = ()
    nvml: Nvml | None = None

    @property
    def plans(self) -> tuple[Plan, ...]:
        """All plans in the order in which they run."""
        return (self.plan, *self.more)

    @property
    def gpus(self) -> tuple[GpuFacts, ...]:
        """Every GPU that is measured."""
        return tuple(gpu for plan in self.plans for gpu in plan.gpus)


def prepare(options: MeasureOptions, reader: Reader | None = None, nvml: Nvml | None = None) -> Preparation:
    """Look at the machine and plan. Raises UsageError and HardwareError as `make_plan` and `make_gpu_plan` do.

    GPUs are looked for where one is asked for, and with `all` where the machine shows a sign of one; then what keeps it
    from being measured is a note.
    """
    check_target(options.target)
    nvml = SystemNvml() if nvml is None and reader is None else nvml
    reader = reader or SystemReader()
    facts, topology = collect(reader, nvml), read_topology(reader)
    if options.saved_facts is not None:
        facts = with_saved_modules(facts, options.saved_facts)
    if options.target == HOST:
        return Preparation(reader, facts, topology, make_plan(options, facts, topology))
    gpu_plan, note = _gpu_plan(options, reader, facts, topology)
    if options.target != ALL_TARGETS and gpu_plan is not None:
        return Preparation(reader, facts, topology, gpu_plan, nvml=nvml)
    if gpu_plan is None or not gpu_plan.cases:
        plan = make_plan(options, facts, topology)
        plan = replace(plan, notes=(*plan.notes, note)) if note else plan
        return Preparation(reader, facts, topology, plan)
    if _is_gpu_only(options):
        return Preparation(reader, facts, topology, gpu_plan, nvml=nvml)
    halved = _halved(options)
    plan = make_plan(_of_host(halved), facts, topology)
    return Preparation(reader, facts, topology, plan, (_of_budget(gpu_plan, halved),), nvml)


def _gpu_plan(options: MeasureOptions, reader: Reader, facts: Facts, topology: Topology) -> tuple[Plan | None, str]:
    """Return the plan for the GPUs, None without one, and why there is none where the machine shows a sign of one.

    Raises HardwareError and UsageError only where a GPU was asked for, and UsageError for a size that does not fit.
    """
    is_asked = options.asks_for_gpu
    target = DEVICE if options.target == ALL_TARGETS else options.target
    if is_asked and options.target != ALL_TARGETS:
        check_engines(options.engines, target)
    is_chosen = options.engines is None or any(name in engines_of(target) for name in options.engines)
    is_meant = is_chosen and not (options.numa or options.mixes or options.zeros or options.sweep == THREAD_SWEEP)
    if not is_asked and not (is_meant and (options.engines is not None or has_nvidia(reader, facts))):
        return None, ""
    names = options.engines or tuple(engines_of(target))
    entry = next(ENGINES[name] for name in engines_of(target) if name in names or is_asked)
    try:
        found = _found(options, entry)
        return make_gpu_plan(options, facts, entry, found, host_theory(options, facts, topology)), ""
    except BandwidthError as error:
        if is_asked or options.engines is not None or isinstance(error, UsageError):
            raise
        return None, f"The GPU is not measured: {error}."


def _found(options: MeasureOptions, entry: EngineEntry) -> tuple[GpuFacts, ...]:
    """Return the GPUs that are meant: those of --device, else the first."""
    if entry.maker is None:
        raise AssertionError(f"{entry.name} is no engine of GPUs")
    chosen = options.devices or ("0",)
    numbers = None if ALL_DEVICES in chosen else sorted({int(number) for number in chosen})
    if lacks := entry.lacks():
        message, _, hint = lacks.partition(": ")
        raise HardwareError(message, hint)
    return entry.maker().find(numbers)


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


def _of_host(options: MeasureOptions) -> MeasureOptions:
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


def measure_prepared(
    preparation: Preparation,
    command: Sequence[str],
    *,
    progress: Callable[[Progress], None] = lambda _: None,
    save: Callable[[Record], None] = lambda _: None,
    make_engine: Callable[[str, Topology], Engine] | None = None,
) -> tuple[Record, bool]:
    """Measure as planned; return the record and whether it was interrupted. `save` gets the record after each round.

    Raises BandwidthError where another measurement runs or memory is refused.
    """
    taken_at = datetime.now(UTC).isoformat(timespec="seconds")
    before = _conditions(preparation)

    def record(outcome: Outcome, after: Mapping[str, Any]) -> Record:
        results = with_link_theories(outcome.results, preparation.gpus)
        return Record(
            tool_version=__version__,
            taken_at=taken_at,
            command=tuple(command),
            machine=machine_with(preparation.facts.to_json(), preparation.gpus),
            conditions=Conditions(before, after),
            results=tuple(sorted(results, key=_place)),
            not_run=outcome.not_run,
            memory=preparation.plan.theory.to_json(),
            notes=tuple(note for plan in preparation.plans for note in plan.notes),
        )

    if not any(plan.cases or plan.notes for plan in preparation.plans):
        raise BandwidthError("there is nothing to measure", "choose other kernels or engines")

    def saver(so_far: Outcome) -> Callable[[Outcome], None]:
        return lambda outcome: save(record(_joined(so_far, outcome), {}))

    whole = Outcome((), (), interrupted=False)
    with machine_lock(), without_collector():
        for plan in preparation.plans:
            whole = _joined(whole, _run(preparation, plan, make_engine, progress, saver(whole), whole))
    return record(whole, _conditions(preparation)), whole.interrupted


def _run(
    preparation: Preparation,
    plan: Plan,
    make_engine: Callable[[str, Topology], Engine] | None,
    progress: Callable[[Progress], None],
    save: Callable[[Outcome], None],
    so_far: Outcome,
) -> Outcome:
    """Run one plan. What keeps a later one from running costs nothing of what the earlier ones measured."""
    if so_far.interrupted:
        return _none_of(plan, "interrupted before its first sample", interrupted=True)

    def activity() -> Activity:
        return read_activity(preparation.reader, worker_threads())

    try:
        with _engines(preparation, plan, make_engine) as engines:
            return Measurement(plan, engines, progress=progress, save=save, activity=activity).run()
    except BandwidthError as error:
        if not so_far.results:
            raise
        return _none_of(plan, str(error), interrupted=False)


def _none_of(plan: Plan, reason: str, *, interrupted: bool) -> Outcome:
    return Outcome((), tuple(NotRun(planned.case.id, reason) for planned in plan.cases), interrupted)


def _joined(one: Outcome, other: Outcome) -> Outcome:
    return Outcome((*one.results, *other.results), (*one.not_run, *other.not_run), one.interrupted or other.interrupted)


def _conditions(preparation: Preparation) -> dict[str, Any]:
    """Return the machine's conditions, and those of the GPUs where one is measured."""
    found: dict[str, Any] = dict(read_conditions(preparation.reader))
    if preparation.gpus and preparation.nvml is not None:
        seen = gpu_conditions(preparation.nvml, os.getpid())
        own = {gpu.address: seen[gpu.address] for gpu in preparation.gpus if gpu.address in seen}
        found |= {"gpus": own} if own else {}
    return found


def measure(
    target: str = "all",
    *,
    kernels: str | Sequence[str] | None = None,
    engines: str | Sequence[str] | None = None,
    stores: str | Sequence[str] | None = None,
    threads: int | str | Sequence[int | str] | None = None,
    cpus: Sequence[int] | None = None,
    size_bytes: int | None = None,
    budget_s: float | None = None,
    memory: str | None = None,
    sockets: int | None = None,
    sweep: str | None = None,
    sweep_range: tuple[int, int] | None = None,
    numa: bool = False,
    latency: bool = False,
    mixes: str | Sequence[str] | None = None,
    zeros: bool = False,
    devices: int | str | Sequence[int | str] | None = None,
    host_memory: str | Sequence[str] | None = None,
) -> Record:
    """Measure this machine's memory and return the record; `bandwidth measure` does the same.

    `threads` holds numbers or "all"; `size_bytes` is the whole working set; `memory` is a SPEC of one socket's memory
    ("DDR5-4800 x12"). `sweep` ("size" or "threads", within `sweep_range`), `numa`, `latency`, `mixes` (ratios of reads
    to writes such as "2:1") and `zeros` measure that instead of the table. `devices` are numbers of GPUs or "all",
    which copy from and to the kinds of `host_memory` ("pinned", "pageable", "write_combined"). Raises UsageError,
    HardwareError or BandwidthError, and, when interrupted, KeyboardInterrupt with the record so far as its argument.
    """
    options = MeasureOptions(
        target=target,
        kernels=_tuple(kernels),
        engines=_tuple(engines),
        stores=_tuple(stores),
        threads=None if threads is None else tuple(str(count) for count in _tuple(threads) or ()),
        cpus=None if cpus is None else tuple(cpus),
        size_bytes=size_bytes,
        memory=memory,
        memory_source="memory",
        sockets=sockets,
        budget_s=budget_s,
        sweep=sweep,
        sweep_range=sweep_range,
        numa=numa,
        latency=latency,
        mixes=_tuple(mixes),
        zeros=zeros,
        devices=None if devices is None else tuple(str(number) for number in _tuple(devices) or ()),
        host_memory=_tuple(host_memory),
    )
    record, interrupted = measure_prepared(prepare(options), ("bandwidth.measure", target))
    if interrupted:
        raise KeyboardInterrupt(record)
    return record


def _tuple(values: Any) -> tuple[Any, ...] | None:
    """Return one value or several as a tuple: a text is one name and not its letters."""
    if values is None:
        return None
    return (values,) if isinstance(values, (str, int)) else tuple(values)


def _place(result: Result) -> tuple[Any, ...]:
    """Return where a result stands: by what was asked, threads, kernel, engine, and what else tells it apart."""
    case = result.case
    point = case.variant.get("sweep_point", 0)
    try:
        kernel = "read" if case.is_latency else kernel_of(case.path, case.variant).name
    except KeyError:
        kernel = case.path
    return (
        _TARGET_ORDER.get(case.target.partition(":")[0], len(_TARGET_ORDER)),
        "peer" in case.variant,
        len(case.devices),
        case.devices,
        case.is_latency,
        case.threads,
        str(case.variant.get("cores", "")),
        str(case.variant.get("peer_access", "")),
        _HOST_MEMORY_ORDER.get(str(case.variant.get("host_memory", "")), 0),
        _KERNEL_ORDER.get(kernel, len(_KERNEL_ORDER)),
        _ENGINE_ORDER.get(case.engine, len(_ENGINE_ORDER)),
        case.variant.get("stores") == ORDINARY,
        [int(case.variant.get(name, -1)) for name in ("cpu_node", "memory_node")],
        int(str(case.variant.get("load", "-1%")).rstrip("%")),
        int(case.variant.get("peer", -1)),
        int(point),
    )


@contextmanager
def _engines(
    preparation: Preparation, plan: Plan, make_engine: Callable[[str, Topology], Engine] | None
) -> Iterator[dict[str, Engine]]:
    """Make the engines that a plan needs, and close them whatever happens."""
    names = tuple(dict.fromkeys(planned.case.engine for planned in plan.cases))
    with _look(preparation, plan) as look:
        if make_engine is None:
            engines = make_engines(names, preparation.topology, plan.gpus, look)
        else:
            engines = {name: make_engine(name, preparation.topology) for name in names}
        try:
            yield engines
        finally:
            for engine in {id(engine): engine for engine in engines.values()}.values():
                engine.close()


@contextmanager
def _look(preparation: Preparation, plan: Plan) -> Iterator[Look | None]:
    """Yield who sees a GPU at work: its driver, and of its link what sysfs tells where the driver does not."""
    if not plan.gpus:
        yield None
        return
    driver = NvmlLook(preparation.nvml) if preparation.nvml is not None else None
    try:
        yield lambda address: {**sysfs_link(preparation.reader, address), **(driver(address) if driver else {})}
    finally:
        if driver is not None:
            driver.close()
