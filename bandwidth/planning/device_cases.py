"""How a case of a GPU is made: its memory's or a link's, with the bytes that it counts and those that fit.

Of several GPUs each is measured alone, and all at once where they could get in each other's way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bandwidth.engines.devices.surface import KEPT_FREE_BYTES, LOADS_PER_CALL, NODE_BYTES
from bandwidth.engines.interface import DeviceMaker, EngineEntry
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.kernels import CACHE_MULTIPLE, KERNELS, LEAST_DRAM_BYTES
from bandwidth.machine.gpu_attributes import GpuFacts
from bandwidth.planning.options import ALL_TARGETS, MeasureOptions
from bandwidth.planning.sizing import MEMORY_SHARE
from bandwidth.results import Case
from bandwidth.results.model import ADDRESS_BYTES
from bandwidth.units import KIBI, format_size
from bandwidth.vocabulary import DEVICE, LATENCY, LINK_PATHS, PAGE_BYTES, PAGEABLE, PCIE, PINNED, WRITE_COMBINED

MIB = KIBI**2
# METHOD: a write leaves dirty lines in the L2, so that an array has to be this many times as large.
L2_MULTIPLE = 64
# Where the driver does not tell the L2: 64 times any of before 2020.
UNKNOWN_L2_BYTES = 1024 * MIB
LINK_BYTES = 512 * MIB
# With less of a device's memory there is nothing to measure.
LEAST_ARRAY_BYTES = MIB
WORD_BYTES = 16
# What a copy needs on a device beside its two buffers: a part of what arrived is checked elsewhere.
LINK_EXTRA_BYTES = 65 * MIB
_COPIES = {"memcpy": (1, 1), "memset": (0, 1)}


@dataclass(frozen=True)
class GpuBench:
    """What all cases of a plan for GPUs are made from; `host_bytes` is the host's memory, None where it is unknown."""

    options: MeasureOptions
    entry: EngineEntry
    maker: DeviceMaker
    gpus: tuple[GpuFacts, ...]
    host_bytes: int | None

    @property
    def is_device(self) -> bool:
        """Whether the memory of GPUs is measured."""
        return self.options.target in (DEVICE, ALL_TARGETS)

    @property
    def is_pcie(self) -> bool:
        """Whether their links to the host are measured."""
        return self.options.target in (PCIE, ALL_TARGETS)

    @property
    def paths(self) -> tuple[str, ...]:
        """The kernels and copies of a device that are asked for, the most important first."""
        asked = self.options.kernels
        return tuple(name for name in self.entry.kernels if asked is None or name in asked) if self.is_device else ()

    @property
    def link_paths(self) -> tuple[str, ...]:
        """The copies over a link that are asked for."""
        asked = self.options.kernels
        return tuple(name for name in LINK_PATHS if asked is None or name in asked) if self.is_pcie else ()

    def room(self, gpu: GpuFacts) -> int:
        """Return the memory of a device that cases may take. Raises BandwidthError where there is next to none."""
        room = gpu.free_bytes - KEPT_FREE_BYTES
        if room < 3 * LEAST_ARRAY_BYTES + LINK_EXTRA_BYTES:
            see = f" (see `{self.maker.advice}`)" if self.maker.advice else ""
            raise BandwidthError(
                f"device {gpu.number} has only {format_size(gpu.free_bytes)} of free memory",
                f"stop what uses it{see}, or choose another --device",
            )
        return room

    def largest(self, gpu: GpuFacts) -> int:
        """Return the largest array of a device."""
        return gpu.total_bytes if gpu.largest_bytes is None else gpu.largest_bytes

    def copy_room(self, gpu: GpuFacts) -> int:
        """Return the most bytes of a copy over a device's link, by its memory."""
        return min((self.room(gpu) - LINK_EXTRA_BYTES) // 2, self.largest(gpu))

    def host_memory(self, *usual: str) -> tuple[str, ...]:
        """Return the kinds of host memory that are asked for, else the usual: of those that the engine has.

        Raises UsageError for one that it has not.
        """
        for kind in self.options.host_memory or ():
            if kind not in self.maker.host_memory:
                known = ", ".join(self.maker.host_memory)
                raise UsageError(f"the engine {self.entry.name} has no --host-memory {kind}", f"choose from {known}")
        return self.options.host_memory or usual


# --- sizes ----------------------------------------------------------------------------------------------------------


def array_bytes_of(bench: GpuBench, path: str, gpus: Sequence[GpuFacts]) -> tuple[int, str]:
    """Return the bytes of an array on each device, and why. Raises UsageError for a --size that does not fit."""
    arrays = arrays_of(path)
    free = min(bench.room(gpu) for gpu in gpus) // arrays
    largest = min(bench.largest(gpu) for gpu in gpus)
    most = min(free, largest) // PAGE_BYTES * PAGE_BYTES - PAGE_BYTES
    if bench.options.size_bytes is not None:
        asked = bench.options.size_bytes // (arrays * len(gpus))
        # Whole pages, rounded up: the rule for memory stays met. A small one is whole words.
        asked = -(-asked // PAGE_BYTES) * PAGE_BYTES if asked >= PAGE_BYTES else asked // WORD_BYTES * WORD_BYTES
        if asked > most:
            raise _too_large(bench, gpus, most * arrays * len(gpus), None if free < largest else largest)
        return max(asked, WORD_BYTES), "--size"
    wanted = max(least_dram_bytes(gpu) for gpu in gpus)
    wanted = max(wanted, LEAST_DRAM_BYTES)
    if wanted > most and largest <= free:
        return most, f"the device allows arrays of at most {format_size(largest)}"
    if wanted > most:
        free = min(gpu.free_bytes for gpu in gpus)
        return most, f"limited by the device's free memory, {format_size(free)}"
    l2 = max(gpu.l2_bytes for gpu in gpus)
    multiple = max(map(least_dram_bytes, gpus)) // l2 if l2 else 0
    why = f"arrays of {multiple} x {format_size(l2)} of L2" if l2 else "the size of the L2 is unknown"
    return wanted, why if wanted > LEAST_DRAM_BYTES else f"arrays of {format_size(wanted)}, the minimum for memory"


def _too_large(bench: GpuBench, gpus: Sequence[GpuFacts], most: int, largest: int | None) -> UsageError:
    gpu = min(gpus, key=lambda one: one.free_bytes)
    asked = format_size(bench.options.size_bytes or 0)
    free = f"device {gpu.number} has {format_size(gpu.free_bytes)} of free memory"
    why = free if largest is None else f"device {gpu.number} allows arrays of at most {format_size(largest)}"
    return UsageError(f"--size {asked}: {why}", f"use at most {most // MIB}MiB")


def least_dram_bytes(gpu: GpuFacts) -> int:
    """Return the least working set that counts as memory of a device."""
    multiple = CACHE_MULTIPLE if gpu.is_processor else L2_MULTIPLE
    return multiple * gpu.l2_bytes or UNKNOWN_L2_BYTES


def can_copy(path: str, kind: str, count: int) -> bool:
    """Return whether a kind of host memory serves a copy over the links of so many devices."""
    if kind == WRITE_COMBINED:
        return path == "h2d"
    return kind == PINNED or (path != "bidirectional" and count == 1)


def copy_bytes_of(bench: GpuBench, gpus: Sequence[GpuFacts], wanted: int = LINK_BYTES) -> int:
    """Return the bytes of a copy. Raises UsageError for a --size that does not fit."""
    rooms = [bench.copy_room(gpu) for gpu in gpus]
    if bench.host_bytes is not None:
        kinds = bench.host_memory(PINNED, PAGEABLE)
        buffers = sum(1 if kind == WRITE_COMBINED else 2 for kind in kinds) * len(bench.gpus)
        rooms.append(int(bench.host_bytes * MEMORY_SHARE) // buffers - MIB)
    most = max(min(rooms) // PAGE_BYTES * PAGE_BYTES, PAGE_BYTES)
    asked = bench.options.size_bytes
    if asked is not None:
        if asked > most:
            raise UsageError(
                f"--size {format_size(asked)} does not fit: copies need that much memory on host and device",
                f"use at most {max(most // MIB, 1)}MiB",
            )
        return max(asked // WORD_BYTES * WORD_BYTES, WORD_BYTES)
    return min(wanted, most)


# --- cases ----------------------------------------------------------------------------------------------------------


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
        working_set_bytes=arrays_of(path) * array_bytes * count,
        bytes_per_call=stream * count,
        payload_bytes_per_call=payload * count,
        traffic_bytes_per_call=stream * count,
        variant=variant,
        dram_rule_bytes=sum(map(least_dram_bytes, gpus)),
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


def latency_case(bench: GpuBench, gpu: GpuFacts, size_bytes: int) -> Case:
    """Return the case of dependent loads over the lines of a working set of a device."""
    lines = (
        size_bytes // NODE_BYTES - 1
    ) | 1  # an odd number: the loads of a call must not lead back to where they began
    bytes_per_call = LOADS_PER_CALL * ADDRESS_BYTES
    return Case(
        target=f"device:{gpu.number}",
        path=LATENCY,
        engine=bench.entry.name,
        threads=1,
        working_set_bytes=lines * NODE_BYTES,
        bytes_per_call=bytes_per_call,
        payload_bytes_per_call=bytes_per_call,
        traffic_bytes_per_call=None,
        variant={"sweep_point": size_bytes},
        dram_rule_bytes=least_dram_bytes(gpu) - NODE_BYTES,
        caches_known=gpu.l2_bytes > 0,
        caches=_caches([gpu]),
    )


def arrays_of(path: str) -> int:
    """Return how many arrays a kernel or the driver's copy works on."""
    return KERNELS[path].arrays if path in KERNELS else sum(_COPIES[path])


def _caches(gpus: Sequence[GpuFacts]) -> dict[str, int]:
    total = sum(gpu.l2_bytes for gpu in gpus)
    return {"L2": total} if total else {}


def _named(gpus: Sequence[GpuFacts]) -> str:
    return ",".join(str(gpu.number) for gpu in gpus)
