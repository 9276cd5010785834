"""The engine of every maker's devices: their memory, the link to the host, and the ways between them. See `Engine`."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from bandwidth.engines.devices.passes import Chase, DeviceCycle, MemoryCopy, MemorySet, Pass, Tuning, tune
from bandwidth.engines.devices.requirements import MEMCPY, MEMSET, PATHS, bytes_each, layout, peer_of, refusal
from bandwidth.engines.devices.surface import Device, Driver, Peers, Timing, Work
from bandwidth.engines.devices.transfers import (
    LOOK_COPIES,
    POISON,
    WINDOWS,
    DeviceToHost,
    HostBuffer,
    HostToDevice,
    PeerCopy,
    beside,
    fill_host,
)
from bandwidth.engines.devices.verification import PIECE_BYTES
from bandwidth.engines.interface import Block, Site
from bandwidth.errors import BandwidthError
from bandwidth.kernels import KERNELS
from bandwidth.results import Case
from bandwidth.units import format_size
from bandwidth.vocabulary import BIDIRECTIONAL, BY_HOST_CLOCK, D2H, DEVICE, H2D, PAGE_BYTES, PCIE, PINNED

# A GPU's clocks rise within this time, and fall again when it has had nothing to do for a while.
WARM_UP_S = 0.3
IDLE_S = 1.0
# A triad's product with a power of two is exact, so that rounding once or twice gives the same.
EXPONENTS = (-8, 8)
SEEDS = 2**62
# What is seen of a link begins with this; all else is the state of the device.
LINK = "link_"


def device_engine(driver: Driver, site: Site) -> DeviceEngine:
    """Return the engine for the GPUs of a site, with the CPUs beside each and who sees its state."""
    cpus = {node.number: node.cpus for node in site.topology.numa_nodes}
    near = {gpu.number: cpus.get(gpu.numa_node, ()) for gpu in site.gpus if gpu.numa_node is not None}
    addresses = {gpu.number: gpu.address for gpu in site.gpus if gpu.address is not None}
    telemetry = site.telemetry
    if telemetry is None:
        return DeviceEngine(driver, near)

    def look(number: int) -> Mapping[str, float]:
        return telemetry(addresses[number]) if number in addresses else {}

    return DeviceEngine(driver, near, look)


class DeviceEngine:
    """Measures devices. See `Engine`.

    `near` are the CPUs beside each device, from which host memory is taken; `telemetry` is asked for the state of a
    device and its link while copies or kernels are under way, and its answer stands among what is observed. `clock` and
    `seed` are seams.
    """

    def __init__(
        self,
        driver: Driver,
        near: Mapping[int, Collection[int]] | None = None,
        telemetry: Callable[[int], Mapping[str, float]] | None = None,
        clock: Callable[[], float] = time.perf_counter,
        seed: int | None = None,
    ) -> None:
        self.compile_s = 0.0
        self._driver, self._near, self._telemetry, self._clock = driver, near or {}, telemetry, clock
        self._random = np.random.default_rng(seed)
        self._devices: dict[int, Device] = {}
        self._host: dict[tuple[int, str, str], HostBuffer] = {}
        self._cycles: dict[str, DeviceCycle] = {}
        self._tunings: dict[str, Tuning] = {}
        self._links: dict[int, Mapping[str, float]] = {}
        self._states: dict[str, Mapping[str, float]] = {}
        self._busy_until: dict[int, float] = {}
        self._host_seed = self._new_seed()
        self._blocks = 0
        self._last: tuple[str, Sequence[Work]] = ("", ())

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
                refused[case.id] = "preparing the GPU takes longer than the budget; use a longer --budget"
                continue
            try:
                refused |= self._prepare_case(case)
            except MemoryError:
                refused[case.id] = "the system refused the host memory; use a smaller --size"
            except BandwidthError as error:
                refused[case.id] = str(error)
        return refused

    def _open(self, cases: Sequence[Case]) -> dict[str, str]:
        """Open every device with the memory for the largest of its cases; return the cases of those that cannot be."""
        failed: dict[int, str] = {}
        refused: dict[str, str] = {}
        for number in sorted({number for case in cases for number in _devices_of(case)}):
            own = [case for case in cases if number in _devices_of(case)]
            try:
                refused |= self._open_one(number, own)
            except BandwidthError as error:
                failed[number] = str(error)
        return refused | {case.id: failed[number] for case in cases for number in _devices_of(case) if number in failed}

    def _open_one(self, number: int, cases: Sequence[Case]) -> dict[str, str]:
        device = self._driver.open(number)
        most = device.abilities.largest_bytes
        large = {} if most is None else {case.id: max(layout(case)) for case in cases if max(layout(case)) > most}
        cases = [case for case in cases if case.id not in large]
        begin = self._clock()
        device.compile(tuple(dict.fromkeys(case.path for case in cases if case.path in PATHS)))
        self.compile_s += self._clock() - begin
        device.reserve([*map(layout, cases)])
        self._devices[number] = device
        return {
            case_id: f"device {number} allows arrays of at most {format_size(most or 0)}, not {format_size(size)};"
            " use a smaller --size"
            for case_id, size in large.items()
        }

    def _prepare_case(self, case: Case) -> dict[str, str]:
        """Make what a case needs beside the devices' memory; return why it cannot be had."""
        devices = self._of(case)
        reasons = [device.why_not(case.path) for device in devices] if case.is_latency or case.path in PATHS else []
        if any(reasons):
            return {case.id: next(filter(None, reasons))}
        if case.is_latency:
            with devices[0].active():
                self._cycles[case.id] = DeviceCycle(
                    devices[0], case.working_set_bytes, int(self._random.integers(2**32))
                )
        reason = ""
        if "peer" in case.variant:
            reason = self._no_way(case, devices[0], self._devices[peer_of(case)])
        elif case.kind == PCIE:
            kind = str(case.variant["host_memory"])
            lacking = [device.number for device in devices if kind not in device.abilities.host_memory]
            reason = f"device {lacking[0]} cannot copy from {kind.replace('_', '-')} memory" if lacking else ""
            for device in () if reason else devices:
                self._prepare_host(case, device)
        return {case.id: reason} if reason else {}

    def _no_way(self, case: Case, device: Device, peer: Device) -> str:
        """Return why nothing can be copied from one device to another, or ""."""
        if self._driver.peers is None:
            return "this engine does not copy between devices; it measures the link of each to the host"
        if case.variant.get("peer_access") == "on" and not self._driver.peers.can_access(device, peer):
            return f"the driver offers no direct access between devices {device.number} and {peer.number}"
        return ""

    def _prepare_host(self, case: Case, device: Device) -> None:
        kind, size_bytes = str(case.variant["host_memory"]), bytes_each(case) + WINDOWS * PAGE_BYTES
        for role in (H2D, D2H) if case.path == BIDIRECTIONAL else (case.path,):
            memory = self._host.get((device.number, kind, role))
            if memory is None or memory.size_bytes < size_bytes:
                self._host.pop((device.number, kind, role), None)
                memory = HostBuffer(device, kind, size_bytes, self._near.get(device.number, ()))
                self._host[device.number, kind, role] = memory
                if role == H2D:
                    with device.active():
                        fill_host(device, memory.span, self._host_seed)

    # --- the blocks

    def run_block(self, case: Case, calls: int) -> Block:
        """Run `calls` passes, copies or chains of loads. See `Engine`."""
        self._blocks += 1
        devices = self._of(case)
        self._wake(devices)
        if "peer" in case.variant:
            self._peers.set_access(devices[0], self._devices[peer_of(case)], on=case.variant.get("peer_access") == "on")
        if case.path in PATHS and case.id not in self._tunings:
            self._tunings[case.id] = tune(devices, case.path, bytes_each(case), self._timed)
        works = self._works(case, devices, calls)
        with beside(self._near.get(devices[0].number, ()) if works[0].by_host else ()):
            timing = self._driver.timed(works, self._clock, self._watch(case, devices))
        observed = self._observed(case, devices, works, timing, calls) | (
            {BY_HOST_CLOCK: 1.0} if timing.by_host else {}
        )
        self._last = (case.id, works)
        self._busy_until |= dict.fromkeys((device.number for device in devices), self._clock())
        tuning = self._tunings[case.id].as_record() if case.id in self._tunings else {}
        return Block(timing.seconds, timing.start_skew_s, observed=observed, tuning=tuning)

    @property
    def _peers(self) -> Peers:
        if self._driver.peers is None:
            raise AssertionError("copies between devices were refused")
        return self._driver.peers

    def _timed(self, works: Sequence[Work]) -> Timing:
        return self._driver.timed(works, self._clock)

    def _works(self, case: Case, devices: Sequence[Device], calls: int) -> list[Work]:
        if "peer" in case.variant:
            return self._peer_works(case, devices[0], calls)
        make = self._link_works if case.kind == PCIE else self._device_works
        return [work for device in devices for work in make(case, device, calls)]

    def _device_works(self, case: Case, device: Device, calls: int) -> list[Work]:
        size_bytes, seed = bytes_each(case), self._new_seed()
        if case.is_latency:
            return [Chase(device, self._cycles[case.id], calls)]
        if case.path == MEMCPY:
            return [MemoryCopy(device, size_bytes, calls, seed)]
        if case.path == MEMSET:
            return [MemorySet(device, size_bytes, calls, seed)]
        kernel, shape = KERNELS[case.path], self._tunings[case.id].shape
        power = float(2.0 ** self._random.integers(*EXPONENTS))
        scalar = power if kernel.fused else 1.0 + float(self._random.random())
        return [Pass(device, kernel, size_bytes, calls, seed, scalar, shape)]

    def _link_works(self, case: Case, device: Device, calls: int) -> list[Work]:
        size_bytes, kind = bytes_each(case), str(case.variant["host_memory"])
        works: list[Work] = []
        if case.path in {H2D, BIDIRECTIONAL}:
            host = self._host[device.number, kind, H2D]
            works.append(HostToDevice(device, host, size_bytes, calls, self._blocks, self._host_seed, device.queue))
        if case.path in {D2H, BIDIRECTIONAL}:
            on = device.second_queue if works else device.queue
            works.append(
                DeviceToHost(device, self._host[device.number, kind, D2H], size_bytes, calls, self._new_seed(), on)
            )
        return works

    def _peer_works(self, case: Case, device: Device, calls: int) -> list[Work]:
        peer, size_bytes = self._devices[peer_of(case)], bytes_each(case)
        works: list[Work] = [PeerCopy(self._peers, device, peer, size_bytes, calls, self._new_seed())]
        if case.path == BIDIRECTIONAL:
            works.append(PeerCopy(self._peers, peer, device, size_bytes, calls, self._new_seed()))
        return works

    def _observed(
        self, case: Case, devices: Sequence[Device], works: Sequence[Work], timing: Timing, calls: int
    ) -> dict[str, float]:
        """Return what else the block showed: a clock, each direction's own rate, the link under load."""
        if isinstance(works[0], Chase):
            with devices[0].active():
                works[0].read()
            ticks = works[0].cycles  # none where the device has no clock to read
            clock = {"clock_hz": ticks / timing.seconds} if ticks and timing.seconds > 0 else {}
            return {**self._states.get(case.id, {}), **clock}
        if case.kind != PCIE or len(devices) > 1:
            return dict(self._states.get(case.id, {}))
        observed = dict(self._link_under_load(case, devices[0]))
        if len(timing.own_seconds) == len(works) > 1 and all(seconds > 0 for seconds in timing.own_seconds):
            moved = bytes_each(case) * calls
            observed |= {
                f"{role}_bytes_per_s": moved / s for role, s in zip((H2D, D2H), timing.own_seconds, strict=True)
            }
        return observed

    def _watch(self, case: Case, devices: Sequence[Device]) -> Callable[[], None] | None:
        """Return what looks at a device while its first block is under way, which is not counted; None afterwards.

        Of the answer only the state of the device is kept: nothing goes over the link just then.
        """
        telemetry, number = self._telemetry, devices[0].number
        is_memory = case.kind == DEVICE and "peer" not in case.variant
        if telemetry is None or case.id in self._states or not is_memory or len(devices) > 1:
            return None

        def watch() -> None:
            seen = telemetry(number)
            self._states[case.id] = {name: value for name, value in seen.items() if not name.startswith(LINK)}

        return watch

    def _wake(self, devices: Sequence[Device]) -> None:
        """Keep devices busy until their clocks have risen, unless they just were: all at once, so that none idles."""
        begin = self._clock()
        asleep = [
            device for device in devices if begin - self._busy_until.get(device.number, begin - 2 * IDLE_S) >= IDLE_S
        ]
        while asleep and self._clock() - begin < WARM_UP_S:
            for device in asleep:
                with device.active():
                    room = device.memory
                    device.queue.set_bytes(room.part(0, min(room.size_bytes, PIECE_BYTES)), POISON)
            for device in asleep:
                with device.active():
                    device.queue.finish()

    def _link_under_load(self, case: Case, device: Device) -> Mapping[str, float]:
        """Return the state of the link as it is while copies are under way; looked at once for each device.

        It goes after the block, over memory that the check does not look at: what is sent is read, not written.
        """
        if self._telemetry is None:
            return {}
        if device.number not in self._links:
            self._links[device.number] = self._looked(device, min(bytes_each(case), PIECE_BYTES))
        return self._links[device.number]

    def _looked(self, device: Device, size_bytes: int) -> Mapping[str, float]:
        with device.active():
            # A buffer of its own: the check of the block comes after.
            pinned = HostBuffer(device, PINNED, size_bytes, self._near.get(device.number, ()))
            for _ in range(LOOK_COPIES):
                device.queue.copy(pinned.span, device.memory.part(0, size_bytes))
            found = {} if self._telemetry is None else dict(self._telemetry(device.number))
            device.queue.finish()
        return found

    # --- after them

    def verify(self, case: Case, *, whole: bool) -> str:
        """Return what is wrong with what the last block left, or "". On a device all of it is always checked."""
        case_id, works = self._last
        if case_id != case.id:
            raise AssertionError("verify() speaks of the last block, and that was another case's")
        for work in works:
            try:
                with work.device.active():
                    wrong = work.check(whole=whole)
            except BandwidthError as error:
                return f"it could not be checked: {error}"
            if wrong:
                return f"device {work.device.number}: {wrong}" if len(works) > 1 else wrong
        return ""

    def close(self) -> None:
        """Give the memory back."""
        self._last = ("", ())
        self._host.clear()
        self._cycles.clear()
        for device in self._devices.values():
            device.release()
        self._devices.clear()

    def _of(self, case: Case) -> list[Device]:
        return [self._devices[number] for number in case.devices]

    def _new_seed(self) -> int:
        return int(self._random.integers(SEEDS))


def _devices_of(case: Case) -> tuple[int, ...]:
    others = (peer_of(case),) if "peer" in case.variant else ()
    return (*case.devices, *others)
