"""The whole of `measure`: facts, plan, lock, engines, run, record."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bandwidth.ceilings.link import with_link_theories
from bandwidth.ceilings.of_results import Machine
from bandwidth.collector import without_collector
from bandwidth.engines.host.workers import worker_threads
from bandwidth.engines.interface import Engine, Telemetry
from bandwidth.engines.registry import make_engines
from bandwidth.errors import BandwidthError
from bandwidth.machine.activity import Activity, read_activity
from bandwidth.machine.conditions import read_conditions
from bandwidth.machine.gpus import sysfs_link
from bandwidth.machine.nvml import NvmlLook, gpu_conditions
from bandwidth.machine.topology import Topology
from bandwidth.measuring.lock import HeldLock, machine_lock
from bandwidth.measuring.record import in_order, machine_with
from bandwidth.measuring.run import Measurement, Outcome, Progress
from bandwidth.planning.cases import Plan
from bandwidth.planning.keywords import options_of_call, signature
from bandwidth.planning.options import ALL_TARGETS
from bandwidth.planning.planner import Stage, Surroundings
from bandwidth.planning.preparation import Preparation, prepare
from bandwidth.planning.saved_options import options_to_json
from bandwidth.results import Conditions, NotRun, Record
from bandwidth.version import __version__

__all__ = ["measure", "measure_prepared", "prepare"]


def measure_prepared(
    preparation: Preparation,
    command: Sequence[str],
    *,
    progress: Callable[[Progress], None] = lambda _: None,
    save: Callable[[Record], None] = lambda _: None,
    make_engine: Callable[[str, Topology], Engine] | None = None,
    lock_wait_s: float = 0.0,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[Record, bool]:
    """Measure as planned; return the record and whether it was interrupted. `save` gets the record after each round.

    Raises LockedError where another measurement runs for longer than `lock_wait_s` (`tell` is told that it is waited
    for), and BandwidthError where memory is refused.
    """
    if not any(plan.cases or plan.notes for plan in preparation.plans):
        raise BandwidthError("there is nothing to measure", "choose other kernels or engines")
    whole, plans = Outcome((), (), interrupted=False), list(preparation.plans)
    with machine_lock(wait_s=lock_wait_s, tell=tell) as lock, without_collector():
        record = _recorder(preparation, plans, command, lock)

        def saver(so_far: Outcome) -> Callable[[Outcome], None]:
            return lambda outcome: save(record(_joined(so_far, outcome), {}))

        for number, stage in enumerate(preparation.stages):
            ran, outcome = _run(preparation, stage, make_engine, progress, saver(whole), whole)
            plans[number], whole = ran, _joined(whole, outcome)
    return record(whole, _conditions(preparation)), whole.interrupted


def _recorder(
    preparation: Preparation, plans: Sequence[Plan], command: Sequence[str], lock: HeldLock
) -> Callable[[Outcome, Mapping[str, Any]], Record]:
    """Return what makes the record of an outcome and the conditions after it; those before it are read now.

    `plans` are looked at anew each time: a plan becomes what it ran as.
    """
    taken_at, here = datetime.now(UTC).isoformat(timespec="seconds"), preparation.surroundings
    before = {**_conditions(preparation), "lock": [*lock.paths]}
    lock_notes = (lock.note,) if lock.note else ()
    machine = Machine.read(here.facts, here.topology, preparation.plans[0].theory)

    def record(outcome: Outcome, after: Mapping[str, Any]) -> Record:
        gpus = [gpu for plan in plans for gpu in plan.gpus]
        results = machine.with_ceilings(with_link_theories(outcome.results, gpus), gpus)
        return Record(
            tool_version=__version__,
            taken_at=taken_at,
            command=tuple(command),
            machine=machine_with(here.facts.to_json(), gpus),
            conditions=Conditions(before, after),
            results=in_order(results),
            not_run=outcome.not_run,
            memory=preparation.plans[0].theory.to_json(),
            notes=(*(note for plan in plans for note in plan.notes), *lock_notes),
            options=options_to_json(preparation.options),
        )

    return record


def _run(
    preparation: Preparation,
    stage: Stage,
    make_engine: Callable[[str, Topology], Engine] | None,
    progress: Callable[[Progress], None],
    save: Callable[[Outcome], None],
    so_far: Outcome,
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
        with _engines(preparation, plan, make_engine) as engines:
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
        seen = gpu_conditions(here.nvml, os.getpid())
        own = {gpu.address: seen[gpu.address] for gpu in preparation.gpus if gpu.address in seen}
        found |= {"gpus": own} if own else {}
    return found


def measure(target: str = ALL_TARGETS, **options: Any) -> Record:
    """Measure this machine's memory and return the record; `bandwidth measure` does the same.

    `threads` holds numbers or "all"; `size_bytes` is the whole working set; `memory` is a SPEC of one socket's memory
    ("DDR5-4800 x12"). `sweep` ("size" or "threads", within `sweep_range`), `numa`, `latency`, `mixes` (ratios of reads
    to writes such as "2:1") and `zeros` measure that instead of the table. `devices` are numbers of GPUs or "all",
    which copy from and to the kinds of `host_memory` ("pinned", "pageable", "write_combined"). Raises UsageError,
    HardwareError or BandwidthError, and, when interrupted, KeyboardInterrupt with the record so far as its argument.
    """
    preparation = prepare(options_of_call(target, options))
    record, interrupted = measure_prepared(preparation, ("bandwidth.measure", target))
    if interrupted:
        raise KeyboardInterrupt(record)
    return record


measure.__signature__ = signature("Record")  # type: ignore[attr-defined]  # what help() shows


@contextmanager
def _engines(
    preparation: Preparation, plan: Plan, make_engine: Callable[[str, Topology], Engine] | None
) -> Iterator[dict[str, Engine]]:
    """Make the engines that a plan needs, and close them whatever happens."""
    names = tuple(dict.fromkeys(planned.case.engine for planned in plan.cases))
    here = preparation.surroundings
    with _telemetry(here, plan) as telemetry:
        if make_engine is None:
            engines = make_engines(names, here.topology, plan.gpus, telemetry)
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
