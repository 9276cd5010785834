"""The whole of `measure`: facts, plan, lock, engines, run, record."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bandwidth.ceilings.gpu import gpu_peak_bytes_per_s
from bandwidth.ceilings.link import with_link_theories
from bandwidth.ceilings.of_results import Machine
from bandwidth.engines.host.workers import worker_threads
from bandwidth.engines.interface import Engine, Telemetry
from bandwidth.engines.registry import ENGINES, make_engines
from bandwidth.errors import BandwidthError
from bandwidth.kernels import KERNELS, kernel_of
from bandwidth.machine.conditions import Activity, read_activity, read_conditions
from bandwidth.machine.facts import Json
from bandwidth.machine.gpu_attributes import GpuFacts, sysfs_link
from bandwidth.machine.memory_counters import MemoryCounters, open_counters
from bandwidth.machine.nvml import NvmlLook, read_gpu_conditions
from bandwidth.machine.topology import Topology
from bandwidth.measuring.earlier_runs import EarlierRuns
from bandwidth.measuring.lock import HeldLock, machine_lock
from bandwidth.measuring.run import Measurement, Outcome, Progress
from bandwidth.own_process import without_collector
from bandwidth.planning.cases import Plan, Stage, Surroundings
from bandwidth.planning.options import CallOptions, MeasureOptions
from bandwidth.planning.preparation import Preparation, prepare
from bandwidth.planning.python_call import called_with
from bandwidth.planning.saved import options_to_json
from bandwidth.results import Conditions, NotRun, Record, Result
from bandwidth.version import __version__
from bandwidth.vocabulary import HOST_MEMORY, LINK_PATHS, ORDINARY, TARGETS

__all__ = ["measure", "measure_prepared", "prepare"]


def measure_prepared(
    preparation: Preparation,
    command: Sequence[str],
    *,
    progress: Callable[[Progress], None] = lambda _: None,
    save: Callable[[Record], None] = lambda _: None,
    make_engine: Callable[[str, Topology], Engine] | None = None,
    earlier: EarlierRuns | None = None,
    lock_wait_s: float = 0.0,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[Record, bool]:
    """Measure as planned; return the record and whether it was interrupted. `save` gets the record after each round.

    `earlier` are the runs before this one, which becomes one of them; none where nothing is to be known of others.
    Raises LockedError where another measurement runs for longer than `lock_wait_s` (`tell` is told that it is waited
    for), and BandwidthError where memory is refused.
    """
    if not any(plan.cases or plan.notes for plan in preparation.plans):
        raise BandwidthError("there is nothing to measure", "choose other kernels or engines")
    whole, plans = Outcome((), (), interrupted=False), list(preparation.plans)
    counters = _memory_counters(preparation)
    with machine_lock(wait_s=lock_wait_s, tell=tell) as lock, without_collector():
        record = _recorder(preparation, plans, command, (_counted_by(counters), lock.note), lock, earlier)

        def saver(so_far: Outcome) -> Callable[[Outcome], None]:
            return lambda outcome: save(record(_joined(so_far, outcome), {}))

        for number, stage in enumerate(preparation.stages):
            plan, outcome = _run(preparation, stage, make_engine, progress, saver(whole), whole, counters)
            plans[number], whole = plan, _joined(whole, outcome)
        ran, interrupted = record(whole, _conditions(preparation)), whole.interrupted
        try:
            if earlier is not None and not interrupted:
                earlier.keep(ran)
        except KeyboardInterrupt:  # what was measured stands
            interrupted = True
    notes = () if earlier is None or not earlier.note else (earlier.note,)
    return replace(ran, notes=(*ran.notes, *notes)), interrupted


def _recorder(
    preparation: Preparation,
    plans: Sequence[Plan],
    command: Sequence[str],
    notes: Sequence[str],
    lock: HeldLock,
    earlier: EarlierRuns | None,
) -> Callable[[Outcome, Mapping[str, Any]], Record]:
    """Return what makes the record of an outcome and the conditions after it; those before it are read now.

    `plans` are looked at anew each time: a plan becomes what it ran as.
    """
    taken_at, here = datetime.now(UTC).isoformat(timespec="seconds"), preparation.surroundings
    before = {**_conditions(preparation), "lock": [*lock.paths]}
    own_notes = tuple(filter(None, notes))
    machine = Machine.read(here.facts, here.topology, preparation.plans[0].theory)

    def record(outcome: Outcome, after: Mapping[str, Any]) -> Record:
        gpus = [gpu for plan in plans for gpu in plan.gpus]
        results = machine.with_ceilings(with_link_theories(outcome.results, gpus), gpus)
        found = Record(
            tool_version=__version__,
            taken_at=taken_at,
            command=tuple(command),
            machine=machine_with(here.facts.to_json(), gpus),
            conditions=Conditions(before, after),
            results=in_record_order(results),
            not_run=outcome.not_run,
            memory=preparation.plans[0].theory.to_json(),
            notes=(*(note for plan in plans for note in plan.notes), *own_notes),
            options=options_to_json(preparation.options),
        )
        return found if earlier is None else earlier.into(found)

    return record


def _run(
    preparation: Preparation,
    stage: Stage,
    make_engine: Callable[[str, Topology], Engine] | None,
    progress: Callable[[Progress], None],
    save: Callable[[Outcome], None],
    so_far: Outcome,
    counters: MemoryCounters | None,
) -> tuple[Plan, Outcome]:
    """Run one stage, and return its plan as it ran. What keeps a later one from running costs the earlier nothing."""
    plan = stage.plan
    outcome = _none_of(plan, "interrupted before its first sample", interrupted=True)
    if so_far.interrupted:
        return plan, outcome

    def activity() -> Activity:
        return read_activity(preparation.surroundings.reader, worker_threads())

    try:
        plan = stage.opened()
        with _engines(preparation, plan, make_engine, counters) as engines:
            outcome = Measurement(plan, engines, progress=progress, save=save, activity=activity).run()
    except KeyboardInterrupt:  # while engines were made or closed: what was measured stands
        return plan, replace(outcome, interrupted=True)
    except BandwidthError as error:
        if not so_far.results:
            raise
        return plan, _none_of(plan, str(error), interrupted=False)
    return plan, outcome


def _none_of(plan: Plan, reason: str, *, interrupted: bool) -> Outcome:
    return Outcome((), tuple(NotRun(planned.case.id, reason) for planned in plan.cases), interrupted)


def _joined(one: Outcome, other: Outcome) -> Outcome:
    return Outcome((*one.results, *other.results), (*one.not_run, *other.not_run), one.interrupted or other.interrupted)


def _conditions(preparation: Preparation) -> dict[str, Any]:
    """Return the machine's conditions, and those of the GPUs where one is measured."""
    here = preparation.surroundings
    found: dict[str, Any] = dict(read_conditions(here.reader))
    if preparation.gpus and here.nvml is not None:
        seen = read_gpu_conditions(here.nvml, os.getpid())
        own = {gpu.address: seen[gpu.address] for gpu in preparation.gpus if gpu.address and gpu.address in seen}
        found |= {"gpus": own} if own else {}
    return found


@called_with(CallOptions)
def measure(options: MeasureOptions) -> Record:
    """Measure this machine's memory and return the record; `bandwidth measure` does the same.

    `threads` holds numbers or "all"; `size_bytes` is the whole working set; `memory` is a SPEC of one socket's memory
    ("DDR5-4800 x12"). `sweep` ("size" or "threads", within `sweep_range`), `numa`, `latency`, `chains`, `core_to_core`,
    `mixes` (ratios of reads to writes such as "2:1"), `zeros` and `random` measure that instead of the table; `retune`
    tries the native kernels' shapes anew, `counters` reads what the memory controllers count. `devices` are numbers of
    GPUs or "all", which copy from and to the kinds of `host_memory` ("pinned", "pageable", "write_combined"). Raises
    UsageError, HardwareError or BandwidthError, and, when interrupted, KeyboardInterrupt with the record so far as its
    argument.
    """
    preparation = prepare(options)
    earlier = EarlierRuns.of(preparation.surroundings.facts.to_json())
    record, interrupted = measure_prepared(preparation, ("bandwidth.measure", options.target), earlier=earlier)
    if interrupted:
        raise KeyboardInterrupt(record)
    return record


def _memory_counters(preparation: Preparation) -> MemoryCounters | None:
    """Return the counters of the memory controllers where they are asked for."""
    return open_counters(preparation.surroundings.reader) if preparation.options.counters else None


def _counted_by(counters: MemoryCounters | None) -> str:
    """Return the line that says who counts, or why nobody does; empty where nobody was asked."""
    if counters is None:
        return ""
    if counters.why_not:
        return f"The memory controllers' counters cannot be read: {counters.why_not}."
    return (
        f"The memory controllers count the traffic of the whole machine, not only of this program: {counters.source}."
    )


@contextmanager
def _engines(
    preparation: Preparation,
    plan: Plan,
    make_engine: Callable[[str, Topology], Engine] | None,
    counters: MemoryCounters | None,
) -> Iterator[dict[str, Engine]]:
    """Make the engines that a plan needs, and close them whatever happens."""
    names = tuple(dict.fromkeys(planned.case.engine for planned in plan.cases))
    here = preparation.surroundings
    with _telemetry(here, plan) as telemetry:
        if make_engine is None:
            read = counters.bytes_so_far if counters is not None and counters.source else None
            retunes = preparation.options.retune
            engines = make_engines(names, here.topology, plan.gpus, telemetry, retunes=retunes, counters=read)
        else:
            engines = {name: make_engine(name, here.topology) for name in names}
        try:
            yield engines
        finally:
            for engine in {id(engine): engine for engine in engines.values()}.values():
                engine.close()


@contextmanager
def _telemetry(here: Surroundings, plan: Plan) -> Iterator[Telemetry | None]:
    """Yield who sees a GPU at work: its driver, and of its link what sysfs tells where the driver does not."""
    if not plan.gpus:
        yield None
        return
    driver = NvmlLook(here.nvml) if here.nvml is not None else None
    try:
        yield lambda address: {**sysfs_link(here.reader, address), **(driver(address) if driver else {})}
    finally:
        if driver is not None:
            driver.close()


# --- what a record says ---------------------------------------------------------------------------------------------

# The link between Grace and Hopper or Blackwell.
HOST_LINK = "NVLink-C2C"
# How results stand in a record and a table: by engine, threads, then the kernels as in their table.
_KERNEL_ORDER = {name: place for place, name in enumerate((*KERNELS, "memcpy", "memset", *LINK_PATHS))}
_TARGET_ORDER = {name: place for place, name in enumerate(TARGETS)}
_HOST_MEMORY_ORDER = {name: place for place, name in enumerate(HOST_MEMORY)}
_ENGINE_ORDER = {name: place for place, name in enumerate(ENGINES)}


def in_record_order(results: Iterable[Result]) -> tuple[Result, ...]:
    """Return the results as they stand in a record and a table."""
    return tuple(sorted(results, key=_place))


def _place(result: Result) -> tuple[Any, ...]:
    """Return where a result stands: by what was asked, threads, kernel, engine, and what else tells it apart."""
    case = result.case
    point = case.variant.get("sweep_point", 0)
    try:
        kernel = "read" if case.is_latency else kernel_of(case.path, case.variant).name
    except KeyError:
        kernel = case.path
    return (
        _TARGET_ORDER.get(case.kind, len(_TARGET_ORDER)),
        "peer" in case.variant,
        len(case.devices),
        case.devices,
        case.is_latency,
        case.pair is not None,
        case.threads,
        str(case.variant.get("cores", "")),
        str(case.variant.get("peer_access", "")),
        _HOST_MEMORY_ORDER.get(str(case.variant.get("host_memory", "")), 0),
        _KERNEL_ORDER.get(kernel, len(_KERNEL_ORDER)),
        _ENGINE_ORDER.get(case.engine, len(_ENGINE_ORDER)),
        case.variant.get("stores") == ORDINARY,
        [int(case.variant.get(name, -1)) for name in ("cpu_node", "memory_node")],
        str(case.variant.get("writes", "")),
        int(str(case.variant.get("load", "-1%")).rstrip("%")),
        case.chains,
        int(case.variant.get("peer", -1)),
        case.pair or (),
        int(point),
    )


def machine_with(machine: Mapping[str, Any], gpus: Sequence[GpuFacts]) -> dict[str, Any]:
    """Return a machine's facts with what the engine found of each GPU, by its address; `device` is its number."""
    if not gpus:
        return dict(machine)
    listed = [dict(entry) for entry in _listed(machine.get("gpus"))]
    for gpu in gpus:
        own = next((entry for entry in listed if gpu.address and entry.get("address") == gpu.address), None)
        if own is None:
            own = {"address": gpu.address} if gpu.address else {}
            listed.append(own)
        own |= {name: value for name, value in _facts_of(gpu).items() if value is not None}
    return {**machine, "gpus": listed}


def _facts_of(gpu: GpuFacts) -> dict[str, Json | None]:
    return {
        "device": gpu.number,
        "name": gpu.name,
        "l2_bytes": gpu.l2_bytes or None,
        "multiprocessors": gpu.multiprocessors or None,
        "memory_width_bits": gpu.memory_width_bits or None,
        "attribute_memory_clock_mhz": gpu.memory_clock_khz / 1000 or None,
        "attribute_peak_bytes_per_s": gpu_peak_bytes_per_s(gpu),
        "memory_bytes": gpu.total_bytes or None,
        "memory_free_bytes": gpu.free_bytes if gpu.is_opened else None,
        "ecc_enabled": gpu.has_ecc,
        "api": gpu.api or None,
        **gpu.told,
        "numa_node": gpu.numa_node,
        "host_link": HOST_LINK if gpu.has_host_link else None,
        "largest_array_bytes": gpu.largest_bytes,
        "unified_memory": True if gpu.is_unified else None,
    }


def _listed(value: Any) -> list[dict[str, Any]]:
    """Return the entries of a list that are objects: a record may hold anything."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
