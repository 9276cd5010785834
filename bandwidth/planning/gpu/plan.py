"""Options and GPUs become cases: the memory of each, its link to the host, and the ways between several.

Nothing is measured here. Of several GPUs each is measured alone, and all at once where they could get in each other's
way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bandwidth.ceilings.gpu import GpuTheory, gpu_theories, gpu_theory
from bandwidth.ceilings.memory import HostTheory
from bandwidth.engines.interface import DeviceMaker, EngineEntry
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.kernels import KERNELS, LEAST_DRAM_BYTES
from bandwidth.machine.facts import Facts
from bandwidth.machine.gpu_attributes import GpuFacts
from bandwidth.machine.memory import usable_memory_bytes
from bandwidth.planning.cases import Plan, PlannedCase
from bandwidth.planning.options import ALL_TARGETS, DEFAULT_BUDGET_S, SIZE_SWEEP, STUDY_BUDGET_S, MeasureOptions
from bandwidth.planning.sizing import MEMORY_SHARE
from bandwidth.planning.studies import points
from bandwidth.results import Case
from bandwidth.results.model import ADDRESS_BYTES
from bandwidth.units import KIBI, format_size
from bandwidth.vocabulary import DEVICE, LATENCY, LINK_PATHS, PAGE_BYTES, PAGEABLE, PCIE, PINNED, WRITE_COMBINED

MIB = KIBI**2
# METHOD: a write leaves dirty lines in the L2, so that an array has to be this many times as large.
L2_MULTIPLE = 64
# Where the driver does not tell the L2: 64 times any of before 2020.
UNKNOWN_L2_BYTES = 1024 * MIB
LEAST_SWEPT_BYTES = MIB
LEAST_LATENCY_BYTES = 32 * KIBI
LINK_BYTES = 512 * MIB
LINK_SWEEP = (4 * KIBI, 1024 * MIB)
PEER_BYTES = 256 * MIB
# With less of a device's memory there is nothing to measure.
LEAST_ARRAY_BYTES = MIB
WORD_BYTES = 16
# What a copy needs on a device beside its two buffers: a part of what arrived is checked elsewhere.
LINK_EXTRA_BYTES = 65 * MIB
# The cases that every pair of GPUs adds take so long.
PEER_CASE_S = 0.4

TOGETHER_PATHS = ("triad", "copy", "read")
SWEPT_PATHS = ("read",)
_COPIES = {"memcpy": (1, 1), "memset": (0, 1)}


@dataclass(frozen=True)
class _Scene:
    """What all cases of a plan are made from."""

    options: MeasureOptions
    entry: EngineEntry
    maker: DeviceMaker
    gpus: tuple[GpuFacts, ...]
    host_bytes: int | None

    @property
    def is_device(self) -> bool:
        return self.options.target in (DEVICE, ALL_TARGETS)

    @property
    def is_pcie(self) -> bool:
        return self.options.target in (PCIE, ALL_TARGETS)

    @property
    def paths(self) -> tuple[str, ...]:
        """The kernels and copies of a device that are asked for, the most important first."""
        asked = self.options.kernels
        return tuple(name for name in self.entry.kernels if asked is None or name in asked) if self.is_device else ()

    @property
    def link_paths(self) -> tuple[str, ...]:
        asked = self.options.kernels
        return tuple(name for name in LINK_PATHS if asked is None or name in asked) if self.is_pcie else ()

    def room(self, gpu: GpuFacts) -> int:
        """Return the memory of a device that cases may take. Raises BandwidthError where there is next to none."""
        room = gpu.free_bytes - self.maker.kept_free_bytes
        if room < 3 * LEAST_ARRAY_BYTES + LINK_EXTRA_BYTES:
            raise BandwidthError(
                f"device {gpu.number} has only {format_size(gpu.free_bytes)} of its memory free",
                "end what uses it (see `nvidia-smi`), or choose another by --device",
            )
        return room


def make_gpu_plan(
    options: MeasureOptions, facts: Facts, entry: EngineEntry, gpus: Sequence[GpuFacts], host: HostTheory
) -> Plan:
    """Return the plan for some GPUs. Raises UsageError for options that do not fit them, BandwidthError without room.

    `host` is the theory of the host's memory, which a record states whatever was measured.
    """
    if entry.maker is None:
        raise AssertionError(f"{entry.name} is no engine of GPUs")
    scene = _Scene(options, entry, entry.maker(), tuple(gpus), usable_memory_bytes(facts))
    _check_kernels(scene)
    theories = gpu_theories(gpus, facts)
    planned = [*(_studies(scene, theories) if options.is_study else _table(scene, theories))]
    cases = list({one.case.id: one for one in planned}.values())
    return Plan(
        cases=tuple(cases),
        not_run=(),
        theory=host,
        budget_s=_budget_s(options, cases, len(gpus)),
        memory_bytes=max((scene.maker.needed_bytes(one.case) for one in cases), default=0),
        notes=tuple(note for theory in theories.values() for note in theory.notes) if scene.is_device else (),
        gpus=tuple(gpus),
    )


def _budget_s(options: MeasureOptions, cases: Sequence[PlannedCase], count: int) -> float:
    if options.budget_s is not None:
        return options.budget_s
    peers = sum("peer" in one.case.variant for one in cases)
    studies = (options.sweep is not None) + options.latency
    return (studies * STUDY_BUDGET_S or DEFAULT_BUDGET_S) * count + peers * PEER_CASE_S


def _check_kernels(scene: _Scene) -> None:
    known = (*(scene.entry.kernels if scene.is_device else ()), *(LINK_PATHS if scene.is_pcie else ()))
    if scene.options.target == ALL_TARGETS:
        return  # the host's plan refuses what neither has
    for name in scene.options.kernels or ():
        if name not in known:
            raise UsageError(
                f"--kernel {name!a} is nothing of {scene.options.target}", f"choose from {', '.join(known)}"
            )


# --- the table ------------------------------------------------------------------------------------------------------


def _table(scene: _Scene, theories: Mapping[int, GpuTheory]) -> Iterator[PlannedCase]:
    for gpu in scene.gpus:
        yield from (_planned_pass(scene, path, [gpu], theories) for path in scene.paths)
    links = [case for gpu in scene.gpus for case in _links(scene, [gpu])]
    why = "large enough that the start of a copy does not count" if scene.options.size_bytes is None else "--size"
    yield from (PlannedCase(case, why) for case in links)
    if len(scene.gpus) < 2:
        return
    yield from (_planned_pass(scene, path, scene.gpus, theories) for path in TOGETHER_PATHS if path in scene.paths)
    pinned = [case for case in _links(scene, scene.gpus) if case.variant["host_memory"] == PINNED]
    yield from (PlannedCase(case, "all links at once: a shared switch or root port shows") for case in pinned)
    if scene.is_pcie and scene.options.kernels is None:
        yield from (PlannedCase(case, "between two devices") for case in _peers(scene))


def _planned_pass(scene: _Scene, path: str, gpus: Sequence[GpuFacts], theories: Mapping[int, GpuTheory]) -> PlannedCase:
    array_bytes, why = _array_bytes(scene, path, gpus)
    case = device_case(scene.entry.name, path, gpus, array_bytes)
    return PlannedCase(case, why, *gpu_theory(case, theories))


def _array_bytes(scene: _Scene, path: str, gpus: Sequence[GpuFacts]) -> tuple[int, str]:
    """Return the bytes of an array on each device, and why. Raises UsageError for a --size that does not fit."""
    arrays = _arrays(path)
    most = min(scene.room(gpu) for gpu in gpus) // arrays // PAGE_BYTES * PAGE_BYTES - PAGE_BYTES
    if scene.options.size_bytes is not None:
        asked = scene.options.size_bytes // (arrays * len(gpus))
        # Whole pages, rounded up: the rule for memory stays met. A small one is whole words.
        asked = -(-asked // PAGE_BYTES) * PAGE_BYTES if asked >= PAGE_BYTES else asked // WORD_BYTES * WORD_BYTES
        if asked > most:
            raise _too_large(scene, gpus, most * arrays * len(gpus))
        return max(asked, WORD_BYTES), "--size"
    wanted = max(_rule_bytes(gpu) for gpu in gpus)
    wanted = max(wanted, LEAST_DRAM_BYTES)
    if wanted > most:
        free = min(gpu.free_bytes for gpu in gpus)
        return most, f"{format_size(free)} of the device's memory are free, which allow no more"
    l2 = max(gpu.l2_bytes for gpu in gpus)
    why = f"arrays of {L2_MULTIPLE} x {format_size(l2)} of L2" if l2 else "the L2 is not known here"
    return wanted, why if wanted > LEAST_DRAM_BYTES else f"arrays of {format_size(wanted)}, the least for memory"


def _too_large(scene: _Scene, gpus: Sequence[GpuFacts], most: int) -> UsageError:
    gpu = min(gpus, key=lambda one: one.free_bytes)
    asked = format_size(scene.options.size_bytes or 0)
    return UsageError(
        f"--size {asked}: device {gpu.number} has {format_size(gpu.free_bytes)} of its memory free",
        f"give at most {most // MIB}MiB",
    )


def _rule_bytes(gpu: GpuFacts) -> int:
    """Return the least working set that counts as memory of a device."""
    return L2_MULTIPLE * gpu.l2_bytes or UNKNOWN_L2_BYTES


# --- the link -------------------------------------------------------------------------------------------------------


def _links(scene: _Scene, gpus: Sequence[GpuFacts]) -> Iterator[Case]:
    """Yield the copies from and to the host: of each kind of memory what it serves."""
    size = _link_bytes(scene, gpus)
    for kind in scene.options.host_memory or (PINNED, PAGEABLE):
        for path in scene.link_paths:
            if _is_possible(path, kind, len(gpus)):
                yield link_case(scene.entry.name, path, gpus, size, kind)


def _is_possible(path: str, kind: str, count: int) -> bool:
    if kind == WRITE_COMBINED:
        return path == "h2d"
    return kind == PINNED or (path != "bidirectional" and count == 1)


def _link_bytes(scene: _Scene, gpus: Sequence[GpuFacts], wanted: int = LINK_BYTES) -> int:
    """Return the bytes of a copy. Raises UsageError for a --size that does not fit."""
    rooms = [(scene.room(gpu) - LINK_EXTRA_BYTES) // 2 for gpu in gpus]
    if scene.host_bytes is not None:
        kinds = scene.options.host_memory or (PINNED, PAGEABLE)
        buffers = sum(1 if kind == WRITE_COMBINED else 2 for kind in kinds) * len(scene.gpus)
        rooms.append(int(scene.host_bytes * MEMORY_SHARE) // buffers - MIB)
    most = max(min(rooms) // PAGE_BYTES * PAGE_BYTES, PAGE_BYTES)
    asked = scene.options.size_bytes
    if asked is not None:
        if asked > most:
            raise UsageError(
                f"--size {format_size(asked)} does not fit the memory that copies need on host and device",
                f"give at most {max(most // MIB, 1)}MiB",
            )
        return max(asked // WORD_BYTES * WORD_BYTES, WORD_BYTES)
    return min(wanted, most)


def _peers(scene: _Scene) -> Iterator[Case]:
    """Yield the copies between all pairs: each way, and both ways at once, with and without direct access."""
    rooms = [(scene.room(gpu) - LINK_EXTRA_BYTES) // 2 // PAGE_BYTES * PAGE_BYTES for gpu in scene.gpus]
    size = min(max((scene.options.size_bytes or PEER_BYTES) // WORD_BYTES * WORD_BYTES, WORD_BYTES), *rooms)
    for access in ("on", "off"):
        for gpu in scene.gpus:
            for peer in scene.gpus:
                if peer.number != gpu.number:
                    yield peer_case(scene.entry.name, "peer", gpu, peer, size, access)
                if peer.number > gpu.number:
                    yield peer_case(scene.entry.name, "bidirectional", gpu, peer, size, access)


# --- studies --------------------------------------------------------------------------------------------------------


def _studies(scene: _Scene, theories: Mapping[int, GpuTheory]) -> Iterator[PlannedCase]:
    for gpu in scene.gpus:
        if scene.options.sweep == SIZE_SWEEP:
            yield from _size_sweep(scene, gpu, theories)
            yield from (PlannedCase(case, "a point of the sweep") for case in _link_sweep(scene, gpu))
        if scene.options.latency and scene.is_device:
            yield from (PlannedCase(case, "a point of the sweep") for case in _latencies(scene, gpu))


def _size_sweep(scene: _Scene, gpu: GpuFacts, theories: Mapping[int, GpuTheory]) -> Iterator[PlannedCase]:
    paths = scene.paths if scene.options.kernels is not None else tuple(p for p in SWEPT_PATHS if p in scene.paths)
    for path in paths:
        low, high = _ends(scene, LEAST_SWEPT_BYTES, gpu)
        most = scene.room(gpu) - _arrays(path) * PAGE_BYTES
        sizes = [size for size in points(low, high) if size <= most]
        for size in sorted(sizes, key=lambda size: size & (size - 1) != 0):
            array = max(size // _arrays(path) // WORD_BYTES, 1) * WORD_BYTES
            case = device_case(scene.entry.name, path, [gpu], array, sweep_point=size)
            yield PlannedCase(case, "a point of the sweep", *gpu_theory(case, theories))


def _ends(scene: _Scene, low: int, gpu: GpuFacts) -> tuple[int, int]:
    """Return the ends of a sweep over a device's memory: to the first point that counts as memory, or as asked."""
    if scene.options.sweep_range is not None:
        return scene.options.sweep_range
    top = scene.options.size_bytes or max(_rule_bytes(gpu), LEAST_DRAM_BYTES)
    return low, next(point for point in points(1, 2 * top) if point >= top)


def _link_sweep(scene: _Scene, gpu: GpuFacts) -> Iterator[Case]:
    if not scene.link_paths:
        return
    low, high = scene.options.sweep_range or LINK_SWEEP
    most = _link_bytes(replace(scene, options=replace(scene.options, size_bytes=None)), [gpu], high)
    sizes = [size for size in points(max(low, WORD_BYTES), min(high, most)) if size & (size - 1) == 0]
    for kind in scene.options.host_memory or (PINNED,):
        for path in scene.link_paths:
            is_asked = path != "bidirectional" or scene.options.kernels is not None
            if is_asked and _is_possible(path, kind, 1):
                for size in sizes:
                    yield link_case(scene.entry.name, path, [gpu], size, kind, sweep_point=size)


def _latencies(scene: _Scene, gpu: GpuFacts) -> Iterator[Case]:
    line = scene.maker.line_bytes
    _, top = _ends(scene, LEAST_LATENCY_BYTES, gpu)
    sizes = [size for size in points(LEAST_LATENCY_BYTES, top) if size & (size - 1) == 0 or size == top]
    for size in (size for size in sizes if size <= scene.room(gpu) * 9 // 10):  # the order of the lines lies beside
        lines = (size // line - 1) | 1  # an odd number: the loads of a call must not lead back to where they began
        bytes_per_call = scene.maker.loads_per_call * ADDRESS_BYTES
        yield Case(
            target=f"device:{gpu.number}",
            path=LATENCY,
            engine=scene.entry.name,
            threads=1,
            working_set_bytes=lines * line,
            bytes_per_call=bytes_per_call,
            payload_bytes_per_call=bytes_per_call,
            traffic_bytes_per_call=None,
            variant={"sweep_point": size},
            dram_rule_bytes=_rule_bytes(gpu) - line,
            caches_known=gpu.l2_bytes > 0,
            caches=_caches([gpu]),
        )


# --- cases ----------------------------------------------------------------------------------------------------------


def _arrays(path: str) -> int:
    return KERNELS[path].arrays if path in KERNELS else sum(_COPIES[path])


def _caches(gpus: Sequence[GpuFacts]) -> dict[str, int]:
    total = sum(gpu.l2_bytes for gpu in gpus)
    return {"L2": total} if total else {}


def _named(gpus: Sequence[GpuFacts]) -> str:
    return ",".join(str(gpu.number) for gpu in gpus)


def device_case(engine: str, path: str, gpus: Sequence[GpuFacts], array_bytes: int, **variant: str | int) -> Case:
    """Return the case of a kernel or of the driver's copy over arrays of this size on each of some devices."""
    count = len(gpus)
    if path in KERNELS:
        stream, payload = KERNELS[path].stream_bytes(array_bytes), KERNELS[path].payload_bytes(array_bytes)
    else:
        stream, payload = sum(_COPIES[path]) * array_bytes, array_bytes
    return Case(
        target=f"device:{_named(gpus)}",
        path=path,
        engine=engine,
        threads=1,
        working_set_bytes=_arrays(path) * array_bytes * count,
        bytes_per_call=stream * count,
        payload_bytes_per_call=payload * count,
        traffic_bytes_per_call=stream * count,
        variant=variant,
        dram_rule_bytes=sum(map(_rule_bytes, gpus)),
        caches_known=all(gpu.l2_bytes > 0 for gpu in gpus),
        caches=_caches(gpus),
    )


def link_case(
    engine: str, path: str, gpus: Sequence[GpuFacts], size_bytes: int, host_memory: str, **variant: str | int
) -> Case:
    """Return the case of copies of this size between the host and each of some devices; both ways count twice."""
    total = size_bytes * len(gpus) * (2 if path == "bidirectional" else 1)
    variant = {"host_memory": host_memory, **variant}
    return Case(f"pcie:{_named(gpus)}", path, engine, 1, total, total, total, None, variant=variant)


def peer_case(engine: str, path: str, gpu: GpuFacts, peer: GpuFacts, size_bytes: int, access: str) -> Case:
    """Return the case of copies of this size from one device to another, or both ways at once."""
    total = size_bytes * (2 if path == "bidirectional" else 1)
    variant: dict[str, str | int] = {"peer": peer.number, "peer_access": access}
    return Case(f"device:{gpu.number}", path, engine, 1, total, total, total, None, variant=variant)
