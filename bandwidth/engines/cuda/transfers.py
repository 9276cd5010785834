"""What is measured of the way to a GPU and between GPUs: copies from and to the host, and from device to device.

The host's source is filled once, through the device, and every block begins at another page of it; what a device sends
is made anew before each block. Either way a block that copied nothing leaves data that the check refuses.

One expression is also timed from end to end, in NumPy on the host and in CuPy on a GPU: `data.sum()`, pass after pass.
The way there and back is inside the time, and taking memory and touching it first is not.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandwidth.engines.cuda.device import Gpu, aligned, devices, load_cupy
from bandwidth.engines.cuda.errors import PEER_ALREADY_ON, PEER_NOT_ON, host_refused, lacks_memory, told
from bandwidth.engines.cuda.verification import PIECE_BYTES, Checked, piece_ranges, spots
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.kernels import ELEMENT_BYTES
from bandwidth.machine.facts import Facts
from bandwidth.machine.reader import Reader, SystemReader
from bandwidth.machine.system_memory import memory_facts, usable_memory_bytes
from bandwidth.statistics import median
from bandwidth.vocabulary import PAGE_BYTES, PAGEABLE, WRITE_COMBINED

# Blocks begin at so many different pages of the host's source, one after the other.
WINDOWS = 8
POISON = 0xA5
# Copies that are under way while the state of the link is read: it trains up under load only.
LOOK_COPIES = 40


class HostBuffer:
    """Memory of the host of one kind that a device copies from or to; written by threads near the device."""

    def __init__(self, gpu: Gpu, kind: str, size_bytes: int, near: Collection[int]) -> None:
        self.kind, self.size_bytes = kind, size_bytes
        self._pinned: Any = None
        with gpu.active(), beside(near):
            if kind == PAGEABLE:
                self._array: NDArray[np.uint8] = np.empty(size_bytes, np.uint8)
                self._array.fill(POISON)  # the first touch, which takes the pages
                self.address = int(self._array.ctypes.data)
            else:
                flags = gpu.runtime.hostAllocWriteCombined if kind == WRITE_COMBINED else gpu.runtime.hostAllocDefault
                self._pinned = page_locked(gpu.module, size_bytes, flags | gpu.runtime.hostAllocPortable)
                self.address = int(self._pinned.ptr)

    @property
    def is_pageable(self) -> bool:
        """Whether the host itself has to move the data."""
        return self.kind == PAGEABLE


def page_locked(module: Any, size_bytes: int, flags: int = 0) -> Any:
    """Return page-locked memory of its own: CuPy's pool rounds up to a power of two. Raises BandwidthError."""
    try:
        return module.cuda.PinnedMemory(size_bytes, flags)
    except RuntimeError as error:
        if not lacks_memory(error):
            raise
        raise host_refused(size_bytes) from error


def copied(gpu: Gpu, target: int, source: int, size_bytes: int, kind: int, host: HostBuffer, stream: Any) -> None:
    """Copy between host and device: queued, or, of pageable memory, by the calling thread."""
    if host.is_pageable:
        gpu.runtime.memcpy(target, source, size_bytes, kind)
    else:
        gpu.runtime.memcpyAsync(target, source, size_bytes, kind, stream.ptr)


class Regions:
    """Where things stand in a device's memory: what arrives, what is sent, and what comes back to be checked."""

    def __init__(self, gpu: Gpu, size_bytes: int) -> None:
        self.landing = gpu.address
        self.sending = self.landing + aligned(size_bytes)
        self.checking = self.sending + aligned(size_bytes)

    @staticmethod
    def needed_bytes(size_bytes: int) -> int:
        """Return the memory of a device that copies of a size need."""
        return 2 * aligned(size_bytes) + min(PIECE_BYTES, aligned(size_bytes))


class HostToDevice:
    """Copies to the device."""

    def __init__(
        self, gpu: Gpu, host: HostBuffer, size_bytes: int, calls: int, block: int, seed: int, stream: Any
    ) -> None:
        self.gpu, self.stream, self.calls, self.by_host = gpu, stream, calls, host.is_pageable
        self._host, self._bytes, self._seed = host, size_bytes, seed
        self._offset = block % WINDOWS * PAGE_BYTES
        self._target = Regions(gpu, size_bytes).landing

    def ready(self) -> None:
        """Poison what the copies have to overwrite."""
        self.gpu.runtime.memsetAsync(self._target, POISON, self._bytes, self.gpu.stream.ptr)

    def queue(self) -> None:
        """Queue one copy."""
        source, kind = self._host.address + self._offset, self.gpu.runtime.memcpyHostToDevice
        copied(self.gpu, self._target, source, self._bytes, kind, self._host, self.stream)

    def check(self, *, whole: bool) -> str:
        """Return what is wrong with what arrived."""
        checked = Checked(self._target, self._bytes, self._seed, self._offset // ELEMENT_BYTES)
        return self.gpu.wrong_words(checked, whole=whole)


class DeviceToHost:
    """Copies from the device."""

    def __init__(self, gpu: Gpu, host: HostBuffer, size_bytes: int, calls: int, seed: int, stream: Any) -> None:
        self.gpu, self.stream, self.calls, self.by_host = gpu, stream, calls, host.is_pageable
        self._host, self._bytes, self._seed = host, size_bytes, seed
        self._regions = Regions(gpu, size_bytes)

    def ready(self) -> None:
        """Make what is sent anew."""
        self.gpu.fill(self._regions.sending, self._bytes, self._seed)

    def queue(self) -> None:
        """Queue one copy."""
        kind = self.gpu.runtime.memcpyDeviceToHost
        copied(self.gpu, self._host.address, self._regions.sending, self._bytes, kind, self._host, self.stream)

    def check(self, *, whole: bool) -> str:
        """Return what is wrong with what the host received: it is copied elsewhere on the device and checked there."""
        for offset, length in piece_ranges(self._bytes) if whole else spots(self._bytes):
            wrong = self._check_piece(offset, length)
            if wrong:
                return f"{wrong}, counted from byte {offset:,}" if offset else wrong
        return ""

    def _check_piece(self, offset: int, length: int) -> str:
        gpu, at = self.gpu, self._regions.checking
        gpu.runtime.memsetAsync(at, POISON, length, gpu.stream.ptr)
        gpu.stream.synchronize()
        kind = gpu.runtime.memcpyHostToDevice
        copied(gpu, at, self._host.address + offset, length, kind, self._host, gpu.stream)
        gpu.runtime.deviceSynchronize()
        return gpu.wrong_words(Checked(at, length, self._seed, offset // ELEMENT_BYTES), whole=True)


class PeerCopy:
    """Copies from one device to another, queued on the one that sends."""

    by_host = False

    def __init__(self, gpu: Gpu, peer: Gpu, size_bytes: int, calls: int, seed: int) -> None:
        self.gpu, self.stream, self.calls = gpu, gpu.stream, calls
        self._peer, self._bytes, self._seed = peer, size_bytes, seed
        self._source, self._target = Regions(gpu, size_bytes).sending, Regions(peer, size_bytes).landing

    def ready(self) -> None:
        """Make what is sent anew."""
        self.gpu.fill(self._source, self._bytes, self._seed)

    def queue(self) -> None:
        """Queue one copy."""
        peer, own = self._peer.number, self.gpu.number
        self.gpu.runtime.memcpyPeerAsync(self._target, peer, self._source, own, self._bytes, self.stream.ptr)

    def check(self, *, whole: bool) -> str:
        """Return what is wrong with what arrived; the other device checks it."""
        with self._peer.active():
            return self._peer.wrong_words(Checked(self._target, self._bytes, self._seed), whole=whole)


def fill_host(gpu: Gpu, host: HostBuffer, seed: int) -> None:
    """Write the numbers of a seed into host memory, by the device; nothing of it is read by the host. Active."""
    for offset, length in piece_ranges(host.size_bytes, min(PIECE_BYTES, gpu.size_bytes // PAGE_BYTES * PAGE_BYTES)):
        gpu.fill(gpu.address, length, seed, offset // ELEMENT_BYTES)
        gpu.stream.synchronize()
        kind = gpu.runtime.memcpyDeviceToHost
        copied(gpu, host.address + offset, gpu.address, length, kind, host, gpu.stream)
        gpu.stream.synchronize()


def can_access(gpu: Gpu, peer: Gpu) -> bool:
    """Return whether the two devices can read each other's memory."""
    with told(gpu.module, gpu.number):
        pairs = ((gpu.number, peer.number), (peer.number, gpu.number))
        return all(gpu.runtime.deviceCanAccessPeer(*pair) for pair in pairs)


def set_peer_access(gpu: Gpu, peer: Gpu, *, on: bool) -> None:
    """Switch the direct way between two devices on or off, both ways; without it the host stands between."""
    for one, other in ((gpu, peer), (peer, gpu)):
        with one.active():
            switch = one.runtime.deviceEnablePeerAccess if on else one.runtime.deviceDisablePeerAccess
            try:
                switch(other.number)
            except one.runtime.CUDARuntimeError as error:
                if error.status not in {PEER_ALREADY_ON, PEER_NOT_ON}:
                    raise


@contextmanager
def beside(cpus: Collection[int]) -> Iterator[None]:
    """Run on some CPUs, those near a device, where the system lets itself be told; anywhere where there are none."""
    if not cpus or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    allowed = before & set(cpus)
    if allowed:
        os.sched_setaffinity(0, allowed)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


# --- a whole offload ------------------------------------------------------------------------------------------------

EXPRESSION = "data.sum()"
RESULT_BYTES = ELEMENT_BYTES
TILE_ELEMENTS = 2**17
# Both add the same numbers between 0 and 1 in another order: the relative error grows with the logarithm of the count.
TOLERANCE = 1e-9
# Two runs to warm up (the first compiles CuPy's kernel), then an odd number, so that the median is one of them.
WARM_UPS, RUNS = 2, 5
FIRST_DEVICE = 0


class EndToEnd:
    """Times the expression on data of up to `most_bytes`, which is laid out once. Close it after use.

    With `pinned` the host's data is page-locked. `resident`: it is on the device before the time begins. `module`,
    `clock` and `reader` are seams. Raises HardwareError without CuPy or a GPU, BandwidthError without enough memory.
    """

    def __init__(
        self,
        most_bytes: int,
        *,
        pinned: bool = True,
        resident: bool = False,
        module: Any = None,
        clock: Callable[[], float] = time.perf_counter,
        reader: Reader | None = None,
    ) -> None:
        if module is None:
            module = load_cupy()
            devices(module, numbers=(FIRST_DEVICE,))
        self._module, self._clock, self._resident = module, clock, resident
        count = _elements(most_bytes)
        _check_room(most_bytes, reader or SystemReader())
        try:
            with told(module, FIRST_DEVICE), module.cuda.Device(FIRST_DEVICE):
                self._data = self._pinned(count) if pinned else np.empty(count)
                _fill(self._data)
                self._room = module.empty(count, dtype=np.float64)
                self._room.set(self._data)
        except MemoryError as error:
            raise BandwidthError(
                f"{most_bytes:,} bytes do not fit the host's memory", "give a smaller --size"
            ) from error

    def host_s(self, size_bytes: int, passes: int) -> float:
        """Return the median seconds of so many passes on the host."""
        return self._run(lambda: self._on_host(_elements(size_bytes), passes))[0]

    def device_s(self, size_bytes: int, passes: int) -> float:
        """Return the median seconds on the device, with the way there and the result's way back.

        Raises BandwidthError where its result is not the host's.
        """
        count = _elements(size_bytes)
        with told(self._module, FIRST_DEVICE), self._module.cuda.Device(FIRST_DEVICE):
            seconds, total = self._run(lambda: self._on_device(count, passes))
        right = float(self._data[:count].sum())
        if not math.isclose(total, right, rel_tol=TOLERANCE):
            raise BandwidthError(f"the device's result is wrong: {total} for {right}", "see `bandwidth measure device`")
        return seconds

    def close(self) -> None:
        """Give the memory back."""
        del self._room, self._data

    def _run(self, work: Callable[[], float]) -> tuple[float, float]:
        """Return the median seconds of the work, and its last result."""
        for _ in range(WARM_UPS):
            work()
        times, result = [], 0.0
        for _ in range(RUNS):
            start = self._clock()
            result = work()
            times.append(self._clock() - start)
        return median(times), result

    def _on_host(self, count: int, passes: int) -> float:
        data = self._data[:count]
        for _ in range(passes):
            total = data.sum()
        return float(total)

    def _on_device(self, count: int, passes: int) -> float:
        room = self._room[:count]
        if not self._resident:
            room.set(self._data[:count])
        for _ in range(passes):
            total = room.sum()
        return float(total)  # brings the result back, and so waits for all of it

    def _pinned(self, count: int) -> Any:
        memory = page_locked(self._module, count * ELEMENT_BYTES)
        return np.frombuffer(self._module.cuda.PinnedMemoryPointer(memory, 0), np.float64, count)


def _elements(size_bytes: int) -> int:
    return max(size_bytes // ELEMENT_BYTES, 1)


def _check_room(most_bytes: int, reader: Reader) -> None:
    """Raise UsageError where this process may not use so much of the host's memory.

    What the page cache gives back counts as free, and a container's limit is not passed: it would end the process.
    """
    usable = usable_memory_bytes(Facts(memory_facts(reader)))
    if usable is not None and most_bytes > usable:
        raise UsageError(
            f"{most_bytes:,} bytes do not fit the {usable:,} that may be used here", "give a smaller --size"
        )


def _fill(data: Any) -> None:
    """Fill with a tile of random numbers, over and over: memory does not see that they come again."""
    tile = np.random.default_rng(1).random(TILE_ELEMENTS)
    for start in range(0, len(data), TILE_ELEMENTS):
        part = data[start : start + TILE_ELEMENTS]
        part[:] = tile[: len(part)]
