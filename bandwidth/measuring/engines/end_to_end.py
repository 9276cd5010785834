"""One expression from end to end, in NumPy on the host and in CuPy on a GPU: `data.sum()`, pass after pass.

The way there and back is inside the time, and taking memory and touching it first is not.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bandwidth.errors import BandwidthError, UsageError
from bandwidth.measuring.engines.cuda_errors import told
from bandwidth.measuring.engines.cuda_finding import devices, load_cupy
from bandwidth.measuring.engines.cuda_transfers import page_locked
from bandwidth.statistics import median

EXPRESSION = "data.sum()"
ELEMENT_BYTES = 8
RESULT_BYTES = ELEMENT_BYTES
TILE_ELEMENTS = 2**17
# Both add the same numbers between 0 and 1 in another order: the relative error grows with the logarithm of the count.
TOLERANCE = 1e-9
# Two runs to warm up (the first compiles CuPy's kernel), then an odd number, so that the median is one of them.
WARM_UPS, RUNS = 2, 5
DEVICE = 0


class EndToEnd:
    """Times the expression on data of up to `most_bytes`, which is laid out once. Close it after use.

    With `pinned` the host's data is page-locked. `resident`: it is on the device before the time begins. `module` and
    `clock` are seams. Raises HardwareError without CuPy or a GPU, BandwidthError without enough memory.
    """

    def __init__(
        self,
        most_bytes: int,
        *,
        pinned: bool = True,
        resident: bool = False,
        module: Any = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if module is None:
            module = load_cupy()
            devices(module, numbers=(DEVICE,))
        self._module, self._clock, self._resident = module, clock, resident
        count = _elements(most_bytes)
        _check_room(most_bytes)
        try:
            with told(module, DEVICE), module.cuda.Device(DEVICE):
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
        with told(self._module, DEVICE), self._module.cuda.Device(DEVICE):
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


def _check_room(most_bytes: int) -> None:
    """Raise UsageError where the host has not so much memory free."""
    names = getattr(os, "sysconf_names", {})
    if "SC_AVPHYS_PAGES" not in names:
        return
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if most_bytes > free:
        raise UsageError(f"{most_bytes:,} bytes do not fit the {free:,} that are free here", "give a smaller --size")


def _fill(data: Any) -> None:
    """Fill with a tile of random numbers, over and over: memory does not see that they come again."""
    tile = np.random.default_rng(1).random(TILE_ELEMENTS)
    for start in range(0, len(data), TILE_ELEMENTS):
        part = data[start : start + TILE_ELEMENTS]
        part[:] = tile[: len(part)]
