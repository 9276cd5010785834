"""NVIDIA GPUs through CuPy: their memory, the link to the host, and the ways between them. See `Engine`.

`cuda_engine` here and `devices` of device.py are all that others need.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from bandwidth.engines.cuda import device
from bandwidth.engines.cuda.device import Gpu, count_devices
from bandwidth.engines.cuda.passes import (
    MEMCPY,
    MEMSET,
    Chase,
    DeviceCycle,
    MemoryCopy,
    MemorySet,
    Pass,
    Tuning,
    tune,
)
from bandwidth.engines.cuda.requirements import bytes_each, needed_bytes, peer_of, refusal
from bandwidth.engines.cuda.source import PATHS
from bandwidth.engines.cuda.timing import GpuWork, Timing, timed
from bandwidth.engines.cuda.transfers import (
    LOOK_COPIES,
    POISON,
    WINDOWS,
    DeviceToHost,
    HostBuffer,
    HostToDevice,
    PeerCopy,
    beside,
    can_access,
    fill_host,
    set_peer_access,
)
from bandwidth.engines.cuda.verification import PIECE_BYTES
from bandwidth.engines.interface import Block
from bandwidth.errors import BandwidthError
from bandwidth.kernels import KERNELS
from bandwidth.machine.gpu_attributes import GpuFacts
from bandwidth.machine.topology import Topology
from bandwidth.results import Case
from bandwidth.vocabulary import DEVICE, PAGE_BYTES, PCIE, PINNED

# A GPU's clocks rise within this time, and fall again when it has had nothing to do for a while.
WARM_UP_S = 0.3
IDLE_S = 1.0
# A triad's product with a power of two is exact, so that rounding once or twice gives the same.
EXPONENTS = (-8, 8)
SEEDS = 2**62
H2D, D2H, BIDIRECTIONAL = "h2d", "d2h", "bidirectional"
# What is seen of a link begins with this; all else is the state of the device.
LINK = "link_"


def cuda_engine(
    topology: Topology,
    telemetry: Callable[[str], Mapping[str, float]] | None = None,
    module: Any = None,
    found: Sequence[GpuFacts] = (),
) -> CudaEngine:
    """Return the engine for GPUs that `devices` found, or for all; see `CudaEngine` for `telemetry`.

    Raises HardwareError without one.
    """
    module = module or device.load_cupy()
    cpus = {node.number: node.cpus for node in topology.numa_nodes}
    found = found or device.devices(module)
    near = {gpu.number: cpus.get(gpu.numa_node, ()) for gpu in found if gpu.numa_node is not None}
    addresses = {gpu.number: gpu.address for gpu in found}
    return CudaEngine(module, near, None if telemetry is None else lambda number: telemetry(addresses[number]))


class CudaEngine:
    """Measures GPUs. See `Engine`.

    `near` are the CPUs beside each device, from which host memory is taken; `telemetry` is asked for the state of a
    device and its link while copies or kernels are under way, and its answer stands among what is observed. `clock` and
    `seed` are seams.
    """

    def __init__(
        self,
        module: Any,
        near: Mapping[int, Collection[int]] | None = None,
        telemetry: Callable[[int], Mapping[str, float]] | None = None,
        clock: Callable[[], float] = time.perf_counter,
        seed: int | None = None,
    ) -> None:
        self.compile_s = 0.0
        self._module, self._near, self._telemetry, self._clock = module, near or {}, telemetry, clock
        self._random = np.random.default_rng(seed)
        self._gpus: dict[int, Gpu] = {}
        self._host: dict[tuple[int, str, str], HostBuffer] = {}
        self._cycles: dict[str, DeviceCycle] = {}
        self._tunings: dict[str, Tuning] = {}
        self._links: dict[int, Mapping[str, float]] = {}
        self._states: dict[str, Mapping[str, float]] = {}
        self._busy_until: dict[int, float] = {}
        self._host_seed = self._new_seed()
        self._blocks = 0
        self._last: tuple[str, Sequence[GpuWork]] = ("", ())

    # --- before the blocks

    def prepare(self, cases: Sequence[Case], limit_s: float) -> dict[str, str]:
        """Open the devices, compile, and take the memory. What cannot be measured is refused case by case."""
        deadline = self._clock() + limit_s
        refused = {case.id: reason for case in cases if (reason := refusal(case))}
        left = [case for case in cases if case.id not in refused]
        refused |= self._open(left)
        for case in left:
            if case.id in refused:
                continue
            if self._clock() > deadline + self.compile_s:
                refused[case.id] = "preparing the GPU takes longer than the budget; give a longer --budget"
                continue
            try:
                refused |= self._prepare_case(case)
            except MemoryError:
                refused[case.id] = "the system refused the host's memory; give a smaller --size"
            except BandwidthError as error:
                refused[case.id] = str(error)
        return refused

    def _open(self, cases: Sequence[Case]) -> dict[str, str]:
        """Open every device with the memory for the largest of its cases; return the cases of those that cannot be."""
        failed: dict[int, str] = {}
        for number in sorted({number for case in cases for number in _devices_of(case)}):
            own = [case for case in cases if number in _devices_of(case)]
            try:
                self._open_one(number, own)
            except BandwidthError as error:
                failed[number] = str(error)
        return {case.id: failed[number] for case in cases for number in _devices_of(case) if number in failed}

    def _open_one(self, number: int, cases: Sequence[Case]) -> None:
        gpu = Gpu(self._module, number, count_devices(self._module))
        begin = self._clock()
        gpu.compile(tuple(dict.fromkeys(case.path for case in cases if case.path in PATHS)))
        self.compile_s += self._clock() - begin
        gpu.reserve(max(map(needed_bytes, cases)))
        self._gpus[number] = gpu

    def _prepare_case(self, case: Case) -> dict[str, str]:
        """Make what a case needs beside the devices' memory; return why it cannot be had."""
        gpus = self._of(case)
        reasons = [gpu.why_not(case.path) for gpu in gpus] if case.is_latency or case.path in PATHS else []
        if any(reasons):
            return {case.id: next(filter(None, reasons))}
        if case.is_latency:
            with gpus[0].active():
                self._cycles[case.id] = DeviceCycle(gpus[0], case.working_set_bytes, int(self._random.integers(2**32)))
        if "peer" in case.variant:
            peer = self._gpus[peer_of(case)]
            if case.variant.get("peer_access") == "on" and not can_access(gpus[0], peer):
                return {
                    case.id: f"the driver gives no direct access between devices {gpus[0].number} and {peer.number}"
                }
        elif case.kind == PCIE:
            for gpu in gpus:
                self._prepare_host(case, gpu)
        return {}

    def _prepare_host(self, case: Case, gpu: Gpu) -> None:
        kind, size_bytes = str(case.variant["host_memory"]), bytes_each(case) + WINDOWS * PAGE_BYTES
        for role in (H2D, D2H) if case.path == BIDIRECTIONAL else (case.path,):
            memory = self._host.get((gpu.number, kind, role))
            if memory is None or memory.size_bytes < size_bytes:
                self._host.pop((gpu.number, kind, role), None)
                memory = HostBuffer(gpu, kind, size_bytes, self._near.get(gpu.number, ()))
                self._host[gpu.number, kind, role] = memory
                if role == H2D:
                    with gpu.active():
                        fill_host(gpu, memory, self._host_seed)

    # --- the blocks

    def run_block(self, case: Case, calls: int) -> Block:
        """Run `calls` passes, copies or chains of loads. See `Engine`."""
        self._blocks += 1
        gpus = self._of(case)
        self._wake(gpus)
        if "peer" in case.variant:
            set_peer_access(gpus[0], self._gpus[peer_of(case)], on=case.variant.get("peer_access") == "on")
        if case.path in PATHS and case.id not in self._tunings:
            self._tunings[case.id] = tune(gpus, case.path, bytes_each(case))
        works = self._works(case, gpus, calls)
        with beside(self._near.get(gpus[0].number, ()) if works[0].by_host else ()):
            timing = timed(works, self._clock, self._watch(case, gpus))
        observed = self._observed(case, gpus, works, timing, calls)
        self._last = (case.id, works)
        self._busy_until |= dict.fromkeys((gpu.number for gpu in gpus), self._clock())
        tuning = self._tunings[case.id].as_record() if case.id in self._tunings else {}
        return Block(timing.seconds, timing.start_skew_s, observed=observed, tuning=tuning)

    def _works(self, case: Case, gpus: Sequence[Gpu], calls: int) -> list[GpuWork]:
        if "peer" in case.variant:
            return self._peer_works(case, gpus[0], calls)
        make = self._link_works if case.kind == PCIE else self._device_works
        return [work for gpu in gpus for work in make(case, gpu, calls)]

    def _device_works(self, case: Case, gpu: Gpu, calls: int) -> list[GpuWork]:
        size_bytes, seed = bytes_each(case), self._new_seed()
        if case.is_latency:
            return [Chase(gpu, self._cycles[case.id], calls)]
        if case.path == MEMCPY:
            return [MemoryCopy(gpu, size_bytes, calls, seed)]
        if case.path == MEMSET:
            return [MemorySet(gpu, size_bytes, calls, seed)]
        kernel, shape = KERNELS[case.path], self._tunings[case.id].shape
        power = float(2.0 ** self._random.integers(*EXPONENTS))
        scalar = power if kernel.fused else 1.0 + float(self._random.random())
        return [Pass(gpu, kernel, size_bytes, calls, seed, scalar, shape)]

    def _link_works(self, case: Case, gpu: Gpu, calls: int) -> list[GpuWork]:
        size_bytes, kind = bytes_each(case), str(case.variant["host_memory"])
        works: list[GpuWork] = []
        if case.path in {H2D, BIDIRECTIONAL}:
            host = self._host[gpu.number, kind, H2D]
            works.append(HostToDevice(gpu, host, size_bytes, calls, self._blocks, self._host_seed, gpu.stream))
        if case.path in {D2H, BIDIRECTIONAL}:
            stream = gpu.second_stream if works else gpu.stream
            works.append(
                DeviceToHost(gpu, self._host[gpu.number, kind, D2H], size_bytes, calls, self._new_seed(), stream)
            )
        return works

    def _peer_works(self, case: Case, gpu: Gpu, calls: int) -> list[GpuWork]:
        peer, size_bytes = self._gpus[peer_of(case)], bytes_each(case)
        works: list[GpuWork] = [PeerCopy(gpu, peer, size_bytes, calls, self._new_seed())]
        if case.path == BIDIRECTIONAL:
            works.append(PeerCopy(peer, gpu, size_bytes, calls, self._new_seed()))
        return works

    def _observed(
        self, case: Case, gpus: Sequence[Gpu], works: Sequence[GpuWork], timing: Timing, calls: int
    ) -> dict[str, float]:
        """Return what else the block showed: a clock, each direction's own rate, the link under load."""
        if isinstance(works[0], Chase):
            with gpus[0].active():
                works[0].read()
            clock = {"clock_hz": works[0].cycles / timing.seconds} if timing.seconds > 0 else {}
            return {**self._states.get(case.id, {}), **clock}
        if case.kind != PCIE or len(gpus) > 1:
            return dict(self._states.get(case.id, {}))
        observed = dict(self._link_under_load(case, gpus[0]))
        if len(works) > 1 and all(seconds > 0 for seconds in timing.own_seconds):
            moved = bytes_each(case) * calls
            observed |= {
                f"{role}_bytes_per_s": moved / s for role, s in zip((H2D, D2H), timing.own_seconds, strict=True)
            }
        return observed

    def _watch(self, case: Case, gpus: Sequence[Gpu]) -> Callable[[], None] | None:
        """Return what looks at a device while its first block is under way, which is not counted; None afterwards.

        Of the answer only the state of the device is kept: nothing goes over the link just then.
        """
        telemetry, number = self._telemetry, gpus[0].number
        is_memory = case.kind == DEVICE and "peer" not in case.variant
        if telemetry is None or case.id in self._states or not is_memory or len(gpus) > 1:
            return None

        def watch() -> None:
            seen = telemetry(number)
            self._states[case.id] = {name: value for name, value in seen.items() if not name.startswith(LINK)}

        return watch

    def _wake(self, gpus: Sequence[Gpu]) -> None:
        """Keep devices busy until their clocks have risen, unless they just were: all at once, so that none idles."""
        begin = self._clock()
        asleep = [gpu for gpu in gpus if begin - self._busy_until.get(gpu.number, begin - 2 * IDLE_S) >= IDLE_S]
        while asleep and self._clock() - begin < WARM_UP_S:
            for gpu in asleep:
                with gpu.active():
                    gpu.runtime.memsetAsync(gpu.address, POISON, min(gpu.size_bytes, PIECE_BYTES), gpu.stream.ptr)
            for gpu in asleep:
                with gpu.active():
                    gpu.stream.synchronize()

    def _link_under_load(self, case: Case, gpu: Gpu) -> Mapping[str, float]:
        """Return the state of the link as it is while copies are under way; looked at once for each device.

        It goes after the block, over memory that the check does not look at: what is sent is read, not written.
        """
        if self._telemetry is None:
            return {}
        if gpu.number not in self._links:
            self._links[gpu.number] = self._looked(gpu, min(bytes_each(case), PIECE_BYTES))
        return self._links[gpu.number]

    def _looked(self, gpu: Gpu, size_bytes: int) -> Mapping[str, float]:
        with gpu.active():
            # A buffer of its own: the check of the block comes after.
            pinned = HostBuffer(gpu, PINNED, size_bytes, self._near.get(gpu.number, ()))
            for _ in range(LOOK_COPIES):
                kind = gpu.runtime.memcpyDeviceToHost
                gpu.runtime.memcpyAsync(pinned.address, gpu.address, size_bytes, kind, gpu.stream.ptr)
            found = {} if self._telemetry is None else dict(self._telemetry(gpu.number))
            gpu.stream.synchronize()
        return found

    # --- after them

    def verify(self, case: Case, *, whole: bool) -> str:
        """Return what is wrong with what the last block left, or "". On a device all of it is always checked."""
        case_id, works = self._last
        if case_id != case.id:
            raise AssertionError("verify() speaks of the last block, and that was another case's")
        for work in works:
            try:
                with work.gpu.active():
                    wrong = work.check(whole=whole)
            except BandwidthError as error:
                return f"it could not be checked: {error}"
            if wrong:
                return f"device {work.gpu.number}: {wrong}" if len(works) > 1 else wrong
        return ""

    def close(self) -> None:
        """Give the memory back."""
        self._last = ("", ())
        self._host.clear()
        self._cycles.clear()
        for gpu in self._gpus.values():
            gpu.release()
        self._gpus.clear()

    def _of(self, case: Case) -> list[Gpu]:
        return [self._gpus[number] for number in case.devices]

    def _new_seed(self) -> int:
        return int(self._random.integers(SEEDS))


def _devices_of(case: Case) -> tuple[int, ...]:
    others = (peer_of(case),) if "peer" in case.variant else ()
    return (*case.devices, *others)
