"""Fleets that are not here: machines of one make with a known spread, and faults planted in some of them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bandwidth.fleet.machines import Group, Machine, measured_name, moment
from bandwidth.results import Case, Conditions, Examination, Observed, Record, Result, Samples
from bandwidth.results.files import record_to_json

GIB = 1024**3
THREADS = 96
SAMPLES = 25
MODULES = 12
BLOCK_S = 0.02
BUSIEST = (THREADS, 1)


def all_paths(case: Case, target: str = "host") -> bool:
    return case.target == target


def full_machine(case: Case) -> bool:
    """What a fault of the memory slows: one thread cannot fill it, and sees nothing of the fault."""
    return case.target == "host" and case.threads == THREADS


@dataclass(frozen=True)
class Fault:
    """What is wrong with a machine: what it does to the speed of which cases, and what shows in the facts."""

    name: str
    speed: float
    hits: Callable[[Case], bool] = all_paths
    facts: Mapping[str, Any] = field(default_factory=dict)
    link_generation: float = 5.0


def modules(count: int, mt_s: int) -> dict[str, Any]:
    return {
        "memory_modules": [{"size_bytes": 32 * GIB, "configured_mt_s": mt_s} for _ in range(count)],
        "memory_total_bytes": count * 32 * GIB,
        "memory_configured_mt_s": mt_s,
    }


FAULTS = (
    Fault("one DIMM missing", (MODULES - 1) / MODULES, full_machine, modules(MODULES - 1, 4800)),
    Fault("half speed", 0.5, full_machine, modules(MODULES, 2400)),
    Fault("Gen1 link", 0.0625, lambda case: all_paths(case, "pcie:0"), link_generation=1.0),
    Fault("noisy neighbour", 0.85),
)


def cases() -> list[Case]:
    """Return 34 cases, as many as `measure all` makes of a node with a GPU."""
    host = [_case("host", path, "native", count) for path in _KERNELS for count in (1, THREADS)]
    host += [
        _case("host", path, "native", count, stores="ordinary") for path in _KERNELS[2:5] for count in (1, THREADS)
    ]
    host += [_case("host", path, "numpy", THREADS) for path in _KERNELS[:5]]
    link = [
        _case("pcie:0", path, "cuda", 1, host_memory=kind)
        for path in ("h2d", "d2h", "bidirectional")
        for kind in ("pinned", "pageable")
    ]
    return [*host, *link, *(_case("device:0", path, "cuda", 1) for path in ("read", "copy", "triad"))]


_KERNELS = ("read", "write", "copy", "scale", "add", "triad", "dot")


def _case(target: str, path: str, engine: str, threads: int, **variant: str) -> Case:
    size = 2 * GIB
    caches = {"L1": 98304, "L2": 2097152, "L3": 402653184}
    return Case(
        target, path, engine, threads, size, size, size // 2, size, tuple(range(threads)), variant, size, True, caches
    )


@dataclass
class Spread:
    """How machines differ that are all well: one standard deviation, of each path by itself or of all together."""

    sigma: float = 0.015
    is_common: bool = False

    def factors(self, generator: random.Random, count: int) -> list[float]:
        if self.is_common:
            return [generator.gauss(1, self.sigma)] * count
        return [generator.gauss(1, self.sigma) for _ in range(count)]


def planted(number: int, share: float = 0.01, faults: tuple[Fault, ...] = FAULTS) -> Fault | None:
    """Return the fault of a machine by its number: every hundredth has one, of each kind in turn."""
    step = round(1 / share)
    return faults[number // step % len(faults)] if number % step == step // 2 else None


def simulated_machines(
    count: int, seed: int, spread: Spread, fault_of: Callable[[int], Fault | None] = planted
) -> Iterator[Machine]:
    """Yield machines as judging takes them, with no file in between."""
    generator = random.Random(seed)
    known = [(case, measured_name(case)) for case in cases()]
    group, taken_at = Group("Example", 1, ("Example GPU",), "all"), moment("2026-01-02T03:04:05+00:00")
    for number in range(count):
        fault = fault_of(number)
        factors = spread.factors(generator, len(known))
        figures = {
            name: 1e11 * factor * (fault.speed if fault is not None and fault.hits(case) else 1.0)
            for (case, name), factor in zip(known, factors, strict=True)
        }
        yield Machine(name_of(number), "", "", taken_at, group, figures, (), {})


def name_of(number: int) -> str:
    return f"n{number:05d}"


# --- as files -------------------------------------------------------------------------------------------------------


def write_fleet(
    folder: Path, count: int, seed: int, spread: Spread, fault_of: Callable[[int], Fault | None] = planted
) -> None:
    """Write a record of the usual size (50 kB) for each machine."""
    generator = random.Random(seed)
    templates: dict[str, list[str]] = {}
    for number in range(count):
        fault = fault_of(number)
        key = fault.name if fault is not None else ""
        if key not in templates:
            templates[key] = _template(fault)
        text = _filled(templates[key], generator, spread, fault)
        (folder / f"{name_of(number)}.json").write_text(text.replace("@HOST@", name_of(number)), "utf-8")


def simulated_record(fault: Fault | None = None, seconds: float = BLOCK_S) -> Record:
    machine = {
        "hostname": "@HOST@",
        "cpu_model": "Example 96-Core Processor",
        "sockets": 1,
        "physical_cores": THREADS,
        "kernel": "6.8.0-45-generic",
        "numpy_version": "2.4.6",
        "gpus": [{"name": "Example GPU", "driver_version": "580.1"}],
        **modules(MODULES, 4800),
        **(fault.facts if fault is not None else {}),
    }
    generation = fault.link_generation if fault is not None else 5.0
    results = tuple(_result(case, seconds, generation) for case in cases())
    before = {"governors": ["performance"], "load_average_1min": 0.1}
    return Record(
        tool_version="0.1.0",
        taken_at="2026-01-02T03:04:05+00:00",
        command=("bandwidth", "measure", "all", "--json", "-o", "runs/%h-%j.json"),
        machine=machine,
        conditions=Conditions(before, before),
        results=results,
        not_run=(),
    )


def _result(case: Case, seconds: float, generation: float) -> Result:
    is_link = case.target.startswith("pcie")
    observed = {"link_generation": Observed(generation, 1.0, generation)} if is_link else {}
    samples = Samples((seconds,) * SAMPLES, 4, 1.5e-5, "precision")
    return Result(case, samples, theory_bytes_per_s=4.608e11, theory_source="dmidecode", observed=observed)


_MARK_S = 77.125


def _template(fault: Fault | None) -> list[str]:
    """Return a record's text in pieces, between which the samples go."""
    record = record_to_json(simulated_record(fault, _MARK_S), Examination({}, ()))
    return json.dumps(record, indent=1).split(f"{_MARK_S}")


def _filled(pieces: list[str], generator: random.Random, spread: Spread, fault: Fault | None) -> str:
    known = cases()
    factors = spread.factors(generator, len(known))
    texts = [pieces[0]]
    for index, piece in enumerate(pieces[1:]):
        case = known[index // SAMPLES]
        speed = factors[index // SAMPLES] * (fault.speed if fault is not None and fault.hits(case) else 1.0)
        texts += [repr(BLOCK_S / speed * generator.gauss(1, 0.004)), piece]
    return "".join(texts)
