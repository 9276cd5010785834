"""A whole offload, timed from end to end: one expression in NumPy on the host and in CuPy on a GPU.

`data.sum()`, pass after pass. The way there and back is inside the time, and taking memory and touching it first is
not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bandwidth.engines.cuda.device import devices, load_cupy, page_locked
from bandwidth.engines.cuda.errors import told
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.kernels import ELEMENT_BYTES
from bandwidth.machine.facts import Facts
from bandwidth.machine.reader import Reader, SystemReader
from bandwidth.machine.system_memory import memory_facts, usable_memory_bytes
from bandwidth.statistics import median

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
                f"{most_bytes:,} bytes do not fit in the host's memory", "use a smaller --size"
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
            raise BandwidthError(
                f"the GPU's result is wrong: {total} instead of {right}", "see `bandwidth measure device`"
            )
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


def check_gpu() -> None:
    """Raise HardwareError with what to do where no GPU can be used through CuPy."""
    devices(numbers=(FIRST_DEVICE,))


def _elements(size_bytes: int) -> int:
    return max(size_bytes // ELEMENT_BYTES, 1)


def _check_room(most_bytes: int, reader: Reader) -> None:
    """Raise UsageError where this process may not use so much of the host's memory.

    What the page cache gives back counts as free, and a container's limit is not passed: it would end the process.
    """
    usable = usable_memory_bytes(Facts(memory_facts(reader)))
    if usable is not None and most_bytes > usable:
        raise UsageError(f"{most_bytes:,} bytes do not fit in the {usable:,} bytes available", "use a smaller --size")


def _fill(data: Any) -> None:
    """Fill with a tile of random numbers, over and over: memory does not see that they come again."""
    tile = np.random.default_rng(1).random(TILE_ELEMENTS)
    for start in range(0, len(data), TILE_ELEMENTS):
        part = data[start : start + TILE_ELEMENTS]
        part[:] = tile[: len(part)]
