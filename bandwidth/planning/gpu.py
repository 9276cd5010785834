"""The planner of `device` and `pcie`: which GPUs are meant, whether they are there, and what is measured of them.

Options and GPUs become cases: the memory of each, its link to the host, and the ways between several. Nothing is
measured here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bandwidth.ceilings.bounds import NOT_KNOWN
from bandwidth.ceilings.gpu import GpuTheory, gpu_theories, gpu_theory
from bandwidth.ceilings.memory import HostTheory, host_theory
from bandwidth.engines.devices.requirements import needed_bytes
from bandwidth.engines.interface import EngineEntry
from bandwidth.engines.registry import engines_of
from bandwidth.errors import BandwidthError, HardwareError, UsageError
from bandwidth.kernels import LEAST_DRAM_BYTES
from bandwidth.machine.facts import Facts
from bandwidth.machine.gpu_attributes import GpuFacts
from bandwidth.machine.system_memory import usable_memory_bytes
from bandwidth.planning.cases import Plan, PlannedCase, Proposal, Surroundings
from bandwidth.planning.device_cases import (
    MIB,
    WORD_BYTES,
    GpuBench,
    array_bytes_of,
    arrays_of,
    can_copy,
    copy_bytes_of,
    device_case,
    latency_case,
    least_dram_bytes,
    link_case,
    peer_case,
)
from bandwidth.planning.options import (
    ALL_DEVICES,
    ALL_TARGETS,
    DEFAULT_BUDGET_S,
    SIZE_SWEEP,
    STUDY_BUDGET_S,
    THREAD_SWEEP,
    MeasureOptions,
)
from bandwidth.planning.order import Curve, coarse_first
from bandwidth.planning.selection import check_engines, is_gpu_only
from bandwidth.planning.studies import points
from bandwidth.results import Case
from bandwidth.units import KIBI
from bandwidth.vocabulary import DEVICE, HOST, LINK_PATHS, PAGE_BYTES, PAGEABLE, PCIE, PINNED

LEAST_SWEPT_BYTES = MIB
LEAST_LATENCY_BYTES = 32 * KIBI
LINK_SWEEP = (4 * KIBI, 1024 * MIB)
PEER_BYTES = 256 * MIB
# The cases that every pair of GPUs adds take so long.
PEER_CASE_S = 0.4
TOGETHER_PATHS = ("triad", "copy", "read")
SWEPT_PATHS = ("read",)
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

    def propose(self, others: Sequence[Plan]) -> Proposal:
        """Return the plan. Raises HardwareError only where a GPU was asked for, UsageError for a size too large."""
        options = self.options
        if options.target == HOST:
            return Proposal()
        if options.target != ALL_TARGETS:
            check_engines(options.engines, options.target)
            return Proposal(self.plan())
        if not self._is_expected:
            return Proposal()
        try:
            plan = self._plan(is_opened=not others and is_gpu_only(options.kernels, options.engines))
        except BandwidthError as error:
            if options.asks_for_gpu or options.engines is not None or isinstance(error, UsageError):
                raise
            return Proposal(note=_not_measured(error))
        return Proposal(plan if plan.cases else None)

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
        return any(entry.sign(self.here.reader, self.here.facts) for entry in engines_of(self._target).values())

    def _plan(self, *, is_opened: bool) -> Plan:
        """Return the plan; where its GPUs are not opened it is one to look at, for when all of their memory is free."""
        entry, gpus = self._best(is_opened=is_opened)
        theory = host_theory(self.options.given_memory, self.here.facts, self.here.topology.sockets)
        return make_gpu_plan(self.options, self.here.facts, entry, gpus, theory)

    def _best(self, *, is_opened: bool) -> tuple[EngineEntry, tuple[GpuFacts, ...]]:
        """Return the engine that was asked for, else the first that finds GPUs here, and what it found.

        Raises HardwareError where none does: that of the engine of which a sign is here, else of the first.
        """
        known = engines_of(self._target)
        named = [known[name] for name in self.options.engines or () if name in known]
        if len(named) > 1:
            names = ",".join(entry.name for entry in named)
            raise UsageError(f"--engine {names}: each needs the GPU to itself", "measure with one at a time")
        chosen = self.options.devices or ("0",)
        if named:
            return named[0], _found(named[0], chosen, is_opened=is_opened, is_asked=True)
        errors = []
        for entry in sorted(known.values(), key=lambda entry: not entry.sign(self.here.reader, self.here.facts)):
            try:
                return entry, _found(entry, chosen, is_opened=is_opened, is_asked=False)
            except HardwareError as error:
                errors.append(error)
        raise errors[0]


def _found(entry: EngineEntry, chosen: Sequence[str], *, is_opened: bool, is_asked: bool) -> tuple[GpuFacts, ...]:
    """Return the GPUs of these numbers. Raises HardwareError where one is not there, or nothing to reach it by."""
    if entry.maker is None:
        raise AssertionError(f"{entry.name} is not a GPU engine")
    numbers = None if ALL_DEVICES in chosen else sorted({int(number) for number in chosen})
    if lacks := entry.lacks():
        message, _, hint = lacks.partition(": ")
        raise HardwareError(message, hint)
    maker = entry.maker()
    return (maker.find if is_opened else maker.sight)(numbers, is_asked)


def _not_measured(error: BandwidthError) -> str:
    return f"{NOT_MEASURED}: {error}."


# --- the plan -------------------------------------------------------------------------------------------------------


def make_gpu_plan(
    options: MeasureOptions, facts: Facts, entry: EngineEntry, gpus: Sequence[GpuFacts], host: HostTheory
) -> Plan:
    """Return the plan for some GPUs. Raises UsageError for options that do not fit them, BandwidthError without room.

    `host` is the theory of the host's memory, which a record states whatever was measured.
    """
    if entry.maker is None:
        raise AssertionError(f"{entry.name} is not a GPU engine")
    bench = GpuBench(options, entry, entry.maker(), tuple(gpus), usable_memory_bytes(facts))
    _check_kernels(bench)
    _check_links(bench)
    theories = gpu_theories(gpus, facts)
    planned = [*(_studies(bench, theories) if options.is_study and not options.full else _table(bench, theories))]
    cases = list({one.case.id: one for one in planned}.values())
    return Plan(
        cases=tuple(cases),
        not_run=(),
        theory=host,
        budget_s=_budget_s(options, cases, len(gpus)),
        memory_bytes=max((needed_bytes(one.case) for one in cases), default=0),
        notes=tuple(note for theory in theories.values() for note in theory.notes) if bench.is_device else (),
        gpus=tuple(gpus),
    )


def _budget_s(options: MeasureOptions, cases: Sequence[PlannedCase], count: int) -> float:
    if options.budget_s is not None:
        return options.budget_s
    peers = sum("peer" in one.case.variant for one in cases)
    studies = (options.sweep is not None) + options.latency
    return (studies * STUDY_BUDGET_S or DEFAULT_BUDGET_S) * count + peers * PEER_CASE_S


def _check_kernels(bench: GpuBench) -> None:
    known = (*(bench.entry.kernels if bench.is_device else ()), *(LINK_PATHS if bench.is_pcie else ()))
    if bench.options.target == ALL_TARGETS:
        return  # the host's plan refuses what neither has
    for name in bench.options.kernels or ():
        if name not in known:
            raise UsageError(f"{bench.options.target} has no --kernel {name!a}", f"choose from {', '.join(known)}")


def _check_links(bench: GpuBench) -> None:
    """Raise HardwareError where only links are asked for and there is none."""
    if bench.options.target == PCIE and all(gpu.is_unified for gpu in bench.gpus):
        numbers = ", ".join(str(gpu.number) for gpu in bench.gpus)
        raise HardwareError(
            f"device {numbers} shares the host's memory and has no link", "measure its memory with the target device"
        )


# --- the table ------------------------------------------------------------------------------------------------------


def _table(bench: GpuBench, theories: Mapping[int, GpuTheory]) -> Iterator[PlannedCase]:
    for gpu in bench.gpus:
        yield from (_planned_pass(bench, path, [gpu], theories) for path in bench.paths)
    linked = [gpu for gpu in bench.gpus if not gpu.is_unified]
    links = [case for gpu in linked for case in _links(bench, [gpu])]
    why = (
        "large enough that the start-up time of a copy is negligible" if bench.options.size_bytes is None else "--size"
    )
    yield from (PlannedCase(case, why) for case in links)
    if len(bench.gpus) < 2:
        return
    yield from (_planned_pass(bench, path, bench.gpus, theories) for path in TOGETHER_PATHS if path in bench.paths)
    together = _links(bench, linked) if len(linked) > 1 else ()
    pinned = [case for case in together if case.variant["host_memory"] == PINNED]
    yield from (PlannedCase(case, "all links at once: shows a shared switch or root port") for case in pinned)
    if bench.is_pcie and bench.options.kernels is None and bench.maker.has_peers:
        yield from (PlannedCase(case, "between two devices") for case in _peers(bench))


def _planned_pass(
    bench: GpuBench, path: str, gpus: Sequence[GpuFacts], theories: Mapping[int, GpuTheory]
) -> PlannedCase:
    array_bytes, why = array_bytes_of(bench, path, gpus)
    case = device_case(bench.entry.name, path, gpus, array_bytes)
    return PlannedCase(case, why, *gpu_theory(case, theories))


# --- the link -------------------------------------------------------------------------------------------------------


def _links(bench: GpuBench, gpus: Sequence[GpuFacts]) -> Iterator[Case]:
    """Yield the copies from and to the host: of each kind of memory what it serves."""
    size = copy_bytes_of(bench, gpus)
    for kind in bench.host_memory(PINNED, PAGEABLE):
        for path in bench.link_paths:
            if can_copy(path, kind, len(gpus)):
                yield link_case(bench.entry.name, path, gpus, size, kind)


def _peers(bench: GpuBench) -> Iterator[Case]:
    """Yield the copies between all pairs: each way, and both ways at once, with and without direct access."""
    rooms = [bench.copy_room(gpu) // PAGE_BYTES * PAGE_BYTES for gpu in bench.gpus]
    size = min(max((bench.options.size_bytes or PEER_BYTES) // WORD_BYTES * WORD_BYTES, WORD_BYTES), *rooms)
    for access in ("on", "off"):
        for gpu in bench.gpus:
            for peer in bench.gpus:
                if peer.number != gpu.number:
                    yield peer_case(bench.entry.name, "peer", gpu, peer, size, access)
                if peer.number > gpu.number:
                    yield peer_case(bench.entry.name, "bidirectional", gpu, peer, size, access)


# --- studies --------------------------------------------------------------------------------------------------------


def _studies(bench: GpuBench, theories: Mapping[int, GpuTheory]) -> Iterator[PlannedCase]:
    for case in coarse_first(_curves(bench)):
        expected = NOT_KNOWN if case.is_latency else gpu_theory(case, theories)
        yield PlannedCase(case, "a point of the sweep", *expected)


def _curves(bench: GpuBench) -> Iterator[Curve]:
    """Yield what is asked for of each GPU in place of the table."""
    for gpu in bench.gpus:
        if bench.options.sweep == SIZE_SWEEP:
            yield from _size_curves(bench, gpu)
            if not gpu.is_unified:
                yield from _link_curves(bench, gpu)
        if bench.options.latency and bench.is_device:
            yield _latencies(bench, gpu)


def _size_curves(bench: GpuBench, gpu: GpuFacts) -> Iterator[Curve]:
    paths = bench.paths if bench.options.kernels is not None else tuple(p for p in SWEPT_PATHS if p in bench.paths)
    for path in paths:
        low, high = _ends(bench, LEAST_SWEPT_BYTES, gpu)
        most = min(bench.room(gpu), arrays_of(path) * bench.largest(gpu)) - arrays_of(path) * PAGE_BYTES
        arrays = [
            (size, max(size // arrays_of(path) // WORD_BYTES, 1) * WORD_BYTES)
            for size in points(low, high)
            if size <= most
        ]
        yield [device_case(bench.entry.name, path, [gpu], array, sweep_point=size) for size, array in arrays]


def _ends(bench: GpuBench, low: int, gpu: GpuFacts) -> tuple[int, int]:
    """Return the ends of a sweep over a device's memory: to the first point that counts as memory, or as asked."""
    if bench.options.sweep_range is not None:
        return bench.options.sweep_range
    top = bench.options.size_bytes or max(least_dram_bytes(gpu), LEAST_DRAM_BYTES)
    return low, next(point for point in points(1, 2 * top) if point >= top)


def _link_curves(bench: GpuBench, gpu: GpuFacts) -> Iterator[Curve]:
    if not bench.link_paths:
        return
    low, high = bench.options.sweep_range or LINK_SWEEP
    most = copy_bytes_of(replace(bench, options=replace(bench.options, size_bytes=None)), [gpu], high)
    sizes = [size for size in points(max(low, WORD_BYTES), min(high, most)) if size & (size - 1) == 0]
    for kind in bench.host_memory(PINNED):
        for path in bench.link_paths:
            is_asked = path != "bidirectional" or bench.options.kernels is not None
            if is_asked and can_copy(path, kind, 1):
                yield [link_case(bench.entry.name, path, [gpu], size, kind, sweep_point=size) for size in sizes]


def _latencies(bench: GpuBench, gpu: GpuFacts) -> Curve:
    _, top = _ends(bench, LEAST_LATENCY_BYTES, gpu)
    most = min(bench.room(gpu) * 9 // 10, bench.largest(gpu))  # the order of the lines lies beside
    sizes = [size for size in points(LEAST_LATENCY_BYTES, top) if size & (size - 1) == 0 or size == top]
    return [latency_case(bench, gpu, size) for size in sizes if size <= most]
