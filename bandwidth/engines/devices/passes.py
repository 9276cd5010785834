"""What is measured in a device's own memory: passes of the kernels, the driver's copy and set, a load's time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandwidth.engines.devices.surface import (
    LOADS_PER_CALL,
    NODE_BYTES,
    PAIR_BYTES,
    Checked,
    Device,
    Shape,
    Timing,
    Work,
    repeated_byte,
)
from bandwidth.kernels import ELEMENT_BYTES, KERNELS, Kernel

ROUNDING = 2.0**-52
# Sums that each thread or group adds one after the other beside its elements: warps, parts, and the sums of 2 sources.
OTHER_SUMS = 64
# A shape is tried for so long, twice where it is among the best few.
TRIAL_S = 0.002
MOST_TRIAL_CALLS = 200
FINALISTS = 4


@dataclass(frozen=True)
class Tuning:
    """The shape that was chosen, and the seconds of a call of each that was tried."""

    shape: Shape
    tried: dict[str, float]

    def as_record(self) -> dict[str, Any]:
        """Return it as it stands in a record."""
        shape = self.shape
        return {
            "threads": shape.threads,
            "unroll": shape.unroll,
            "blocks_per_sm": shape.blocks_per_sm,
            **({} if shape.form == Shape.form else {"form": shape.form}),
            "tried_s": self.tried,
        }


class Pass:
    """Passes of a kernel over arrays in the device's memory."""

    by_host = False

    def __init__(
        self, device: Device, kernel: Kernel, array_bytes: int, calls: int, seed: int, scalar: float, shape: Shape
    ) -> None:
        self.device, self.on, self.calls = device, device.queue, calls
        self._kernel, self._bytes, self._seed, self._scalar = kernel, array_bytes, seed, scalar
        arrays = device.spans((array_bytes,) * kernel.arrays)
        self._sources, self._shape = arrays[: kernel.reads], shape
        self._target = None if kernel.reduces else arrays[-1]
        self.is_filled = False

    def ready(self) -> None:
        """Fill the sources anew, unless they are, and clear the result."""
        for index, source in enumerate(() if self.is_filled else self._sources):
            self.device.fill(source, self._seed + index)
        self.device.clear_result()

    def queue(self) -> None:
        """Queue one pass."""
        self.device.run(self._kernel, self._shape, self._sources, self._target, self._scalar)

    def check(self, *, whole: bool) -> str:
        """Return what is wrong with the destination, or with the number that the passes made."""
        if self._target is None:
            return self._check_number()
        path = self._kernel.name
        checked = Checked(self._target, self._seed, 0, self._scalar, path, path)
        return self.device.wrong_words(checked, whole=whole)

    def _check_number(self) -> str:
        count = self._bytes // ELEMENT_BYTES
        seen, expected = self.device.made(self._kernel, count, self._seed, self.calls)
        same = self._is_sum(seen, expected) if isinstance(expected, float) else seen == expected
        return "" if same else "the result of the passes is wrong: some data was not read"

    def _is_sum(self, seen: float, expected: float) -> bool:
        """Return whether a sum is within its rounding: each addition is off by half a unit in the last place at most.

        A thread adds its elements one after the other, then the groups their sums, then the calls theirs; what is
        expected is added up likewise. One element that lacks is far more than that.
        """
        units = self.device.abilities.multiprocessors
        groups = self._shape.blocks(self._bytes // PAIR_BYTES, units)
        threads = min(groups, 2 * units) * self._shape.threads
        chain = self._bytes / ELEMENT_BYTES / threads + groups + self.calls + OTHER_SUMS
        return abs(seen - expected) <= chain * ROUNDING * abs(expected)


class MemoryCopy:
    """The driver's copy within the device."""

    by_host = False

    def __init__(self, device: Device, array_bytes: int, calls: int, seed: int) -> None:
        self.device, self.on, self.calls = device, device.queue, calls
        self._seed = seed
        self._source, self._target = device.spans((array_bytes, array_bytes))

    def ready(self) -> None:
        """Fill the source anew."""
        self.device.fill(self._source, self._seed)

    def queue(self) -> None:
        """Queue one copy."""
        self.on.copy(self._target, self._source)

    def check(self, *, whole: bool) -> str:
        """Return what is wrong with the copy."""
        return self.device.wrong_words(Checked(self._target, self._seed), whole=whole)


class MemorySet:
    """The driver's set of all bytes to one value, another in each block and never zero."""

    by_host = False

    def __init__(self, device: Device, array_bytes: int, calls: int, seed: int) -> None:
        self.device, self.on, self.calls = device, device.queue, calls
        (self._target,) = device.spans((array_bytes,))
        # Of the bytes 1 to 0x7E: four or eight of them are a finite number.
        self._value = 1 + seed % 0x7E

    def ready(self) -> None:
        """Fill the memory with what the set has to overwrite."""
        self.device.fill(self._target, self._value)

    def queue(self) -> None:
        """Queue one set."""
        self.on.set_bytes(self._target, self._value)

    def check(self, *, whole: bool) -> str:
        """Return what is wrong with the memory."""
        value = repeated_byte(self._value, self.device.abilities.element_bytes)
        return self.device.wrong_words(Checked(self._target, 0, 0, value, "write"), whole=whole)


class DeviceCycle:
    """A random cycle through all lines of some memory: which line follows which, on the device."""

    def __init__(self, device: Device, size_bytes: int, seed: int) -> None:
        # An odd number of lines: else the 64 loads of a call could lead back to where they began, and one call more or
        # less would not show.
        self.nodes = (size_bytes // NODE_BYTES - 1) | 1
        self.size_bytes = size_bytes
        self.order: NDArray[np.uint32] = np.random.default_rng(seed).permutation(self.nodes).astype(np.uint32)
        self.order_span = device.take(self.order.nbytes)
        device.copy_in(self.order_span, self.order)
        self.at = 0

    def offset(self, steps: int) -> int:
        """Return the bytes from the beginning to the line that so many steps lead to from here."""
        return int(self.order[(self.at + steps) % self.nodes]) * NODE_BYTES


class Chase:
    """Loads that each give the place of the next, by one thread: all calls are one launch."""

    by_host = False
    calls = 1

    def __init__(self, device: Device, cycle: DeviceCycle, calls: int) -> None:
        self.device, self.on = device, device.queue
        self._cycle, self._times = cycle, calls
        (self._nodes,) = device.spans((cycle.size_bytes,))
        self._start, self._expected = cycle.offset(0), cycle.offset(calls * LOADS_PER_CALL)
        self.cycles = 0
        self._arrived = 0

    def ready(self) -> None:
        """Write the cycle anew: other cases use the memory too."""
        self.device.link(self._nodes, self._cycle.order_span, self._cycle.nodes)
        self.device.clear_result()

    def queue(self) -> None:
        """Queue the loads."""
        self.device.chase(self._nodes, self._start, self._times)

    def read(self) -> None:
        """Wait, and keep where the loads ended and the cycles they took; the next begin there."""
        self._arrived, self.cycles = self.device.arrival()
        self._cycle.at = (self._cycle.at + self._times * LOADS_PER_CALL) % self._cycle.nodes

    def check(self, *, whole: bool) -> str:  # noqa: ARG002 -- where the loads end depends on each of them
        """Return what is wrong: the loads must have arrived at the one place that so many of them lead to."""
        same = self._arrived == self._expected
        return "" if same else "the chain of loads ended at the wrong place: some loads were not executed"


def tune(devices: Sequence[Device], path: str, array_bytes: int, timed: Callable[[Sequence[Work]], Timing]) -> Tuning:
    """Try the shapes of a pass on the first device, on its own arrays, the best few twice; return the fastest.

    On every device each kernel is launched once before: the first launch brings its code there, which takes its time.
    """
    kernel, calls = KERNELS[path], 1
    shapes, filled = devices[0].abilities.shapes(kernel), set[int]()

    def seconds(shape: Shape, device: Device = devices[0]) -> float:
        work = Pass(device, kernel, array_bytes, calls, 1, 1.0, shape)
        work.is_filled = device.number in filled  # nothing but passes of this kernel comes between
        filled.add(device.number)
        return timed([work]).seconds / calls

    for device in devices:
        for first in {shape.ending: shape for shape in shapes}.values():
            seconds(first, device)
    once = seconds(shapes[0])
    calls = max(min(round(TRIAL_S / once), MOST_TRIAL_CALLS), 1) if once > 0 else MOST_TRIAL_CALLS
    pairs, units = array_bytes // PAIR_BYTES, devices[0].abilities.multiprocessors
    # Of a small array several shapes are the same launch.
    launches = {(shape.threads, shape.ending, shape.blocks(pairs, units)): shape for shape in reversed(shapes)}
    tried = {shape: seconds(shape) for shape in launches.values()}
    for shape in sorted(tried, key=lambda shape: tried[shape])[:FINALISTS]:
        tried[shape] = min(tried[shape], seconds(shape))
    best = min(tried, key=lambda shape: tried[shape])
    return Tuning(best, {shape.name: tried[shape] for shape in tried})
