"""The whole of `measure`: facts, plan, lock, engines, run, record."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bandwidth.errors import BandwidthError
from bandwidth.machine.conditions import read_conditions
from bandwidth.machine.facts import Facts
from bandwidth.machine.memory_theory import with_saved_modules
from bandwidth.machine.probe import collect
from bandwidth.machine.reader import Reader, SystemReader
from bandwidth.machine.topology import Topology, read_topology
from bandwidth.measuring.cases import Plan
from bandwidth.measuring.engines import ENGINES, Engine, make_engines
from bandwidth.measuring.kernels import KERNELS, ORDINARY, kernel_of
from bandwidth.measuring.lock import machine_lock
from bandwidth.measuring.options import MeasureOptions
from bandwidth.measuring.plan import make_plan
from bandwidth.measuring.run import Measurement, Outcome, Progress
from bandwidth.results import Conditions, Record, Result
from bandwidth.version import __version__

# How results stand in a record and a table: by engine, threads, then the kernels as in their table.
_KERNEL_ORDER = {name: place for place, name in enumerate(KERNELS)}
_ENGINE_ORDER = {name: place for place, name in enumerate(ENGINES)}


@dataclass(frozen=True)
class Preparation:
    """What is known before anything runs: the machine, and the plan for it."""

    reader: Reader
    facts: Facts
    topology: Topology
    plan: Plan


def prepare(options: MeasureOptions, reader: Reader | None = None) -> Preparation:
    """Look at the machine and plan. Raises UsageError and HardwareError as `make_plan` does."""
    reader = reader or SystemReader()
    facts, topology = collect(reader), read_topology(reader)
    if options.saved_facts is not None:
        facts = with_saved_modules(facts, options.saved_facts)
    return Preparation(reader, facts, topology, make_plan(options, facts, topology))


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
    before = read_conditions(preparation.reader)

    def record(outcome: Outcome, after: Mapping[str, Any]) -> Record:
        return Record(
            tool_version=__version__,
            taken_at=taken_at,
            command=tuple(command),
            machine=preparation.facts.to_json(),
            conditions=Conditions(before, after),
            results=tuple(sorted(outcome.results, key=_place)),
            not_run=outcome.not_run,
            memory=preparation.plan.theory.to_json(),
            notes=preparation.plan.notes,
        )

    with machine_lock(), _without_collector(), _engines(preparation, make_engine) as engines:
        run = Measurement(preparation.plan, engines, progress=progress, save=lambda outcome: save(record(outcome, {})))
        outcome = run.run()
    return record(outcome, read_conditions(preparation.reader)), outcome.interrupted


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
) -> Record:
    """Measure this machine's memory and return the record; `bandwidth measure` does the same.

    `threads` holds numbers or "all"; `size_bytes` is the whole working set; `memory` is a SPEC of one socket's memory
    ("DDR5-4800 x12"). `sweep` ("size" or "threads", within `sweep_range`), `numa`, `latency`, `mixes` (ratios of reads
    to writes such as "2:1") and `zeros` measure that instead of the table. Raises UsageError, HardwareError or
    BandwidthError, and, when interrupted, KeyboardInterrupt with the record so far as its argument.
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
    kernel = "read" if case.is_latency else kernel_of(case.path, case.variant).name
    return (
        case.is_latency,
        case.threads,
        str(case.variant.get("cores", "")),
        _KERNEL_ORDER.get(kernel, len(_KERNEL_ORDER)),
        _ENGINE_ORDER.get(case.engine, len(_ENGINE_ORDER)),
        case.variant.get("stores") == ORDINARY,
        [int(case.variant.get(name, -1)) for name in ("cpu_node", "memory_node")],
        int(str(case.variant.get("load", "-1%")).rstrip("%")),
        int(point),
    )


@contextmanager
def _engines(
    preparation: Preparation, make_engine: Callable[[str, Topology], Engine] | None
) -> Iterator[dict[str, Engine]]:
    """Make the engines that the plan needs, and close them whatever happens."""
    names = tuple(dict.fromkeys(planned.case.engine for planned in preparation.plan.cases))
    if not names and not preparation.plan.notes:
        raise BandwidthError("there is nothing to measure", "choose other kernels or engines")
    if make_engine is None:
        engines = make_engines(names, preparation.topology)
    else:
        engines = {name: make_engine(name, preparation.topology) for name in names}
    try:
        yield engines
    finally:
        for engine in {id(engine): engine for engine in engines.values()}.values():
            engine.close()


@contextmanager
def _without_collector() -> Iterator[None]:
    """Keep the garbage collector from running inside a block."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
