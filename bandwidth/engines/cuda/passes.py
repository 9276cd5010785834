"""What is measured in a GPU's own memory: passes of the kernels, the driver's copy and set, and the time of a load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandwidth.engines.cuda.device import Gpu, aligned
from bandwidth.engines.cuda.source import LOADS_PER_CALL, NODE_WORDS, PAIR_BYTES, SHAPES, Shape
from bandwidth.engines.cuda.timing import timed
from bandwidth.engines.cuda.verification import Checked
from bandwidth.kernels import ELEMENT_BYTES, KERNELS, XOR, Kernel

MEMCPY, MEMSET = "memcpy", "memset"
NODE_BYTES = NODE_WORDS * ELEMENT_BYTES
WORD_MASK = 2**64 - 1
ROUNDING = 2.0**-52
# Sums that each thread or block adds one after the other beside its elements: warps, parts, and the sums of 2 sources.
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
            "tried_s": self.tried,
        }


class Pass:
    """Passes of a kernel over arrays that stand one after the other in the device's memory."""

    by_host = False

    def __init__(
        self, gpu: Gpu, kernel: Kernel, array_bytes: int, calls: int, seed: int, scalar: float, shape: Shape
    ) -> None:
        self.gpu, self.stream, self.calls = gpu, gpu.stream, calls
        self._kernel, self._bytes, self._seed, self._scalar = kernel, array_bytes, seed, scalar
        pairs = array_bytes // PAIR_BYTES
        arrays = [gpu.address + index * aligned(array_bytes) for index in range(kernel.arrays)]
        self._sources = arrays[: kernel.reads]
        self._target = gpu.result_address if kernel.reduces else arrays[-1]
        self._name, self._shape = f"{kernel.name}_{shape.unroll}", shape
        self._blocks = shape.blocks(pairs, gpu.multiprocessors)
        self._arguments = (*self._sources, self._target, scalar, pairs)

    def ready(self) -> None:
        """Fill the sources anew and clear the result."""
        for index, address in enumerate(self._sources):
            self.gpu.fill(address, self._bytes, self._seed + index)
        self.gpu.clear_result()

    def queue(self) -> None:
        """Queue one pass."""
        path = self._kernel.name
        self.gpu.launch(self._name, self._blocks, self._shape.threads, *self._arguments, path=path)

    def check(self, *, whole: bool) -> str:
        """Return what is wrong with the destination, or with the number that the passes made."""
        if self._kernel.reduces:
            return self._check_number()
        path = self._kernel.name
        checked = Checked(self._target, self._bytes, self._seed, 0, self._scalar, path, path)
        return self.gpu.wrong_words(checked, whole=whole)

    def _check_number(self) -> str:
        seen = int(self.gpu.result()[2])
        once = self.gpu.expected(self._kernel.name, self._bytes // ELEMENT_BYTES, self._seed)
        if self._kernel.reduces == XOR:
            same = seen == once * self.calls & WORD_MASK
        else:
            same = self._is_sum(_real(seen), _real(once) * self.calls)
        return "" if same else "what the passes made of the data is not what it comes to: some was not read"

    def _is_sum(self, seen: float, expected: float) -> bool:
        """Return whether a sum is within its rounding: each addition is off by half a unit in the last place at most.

        A thread adds its elements one after the other, then the blocks their sums, then the calls theirs; what is
        expected is added up likewise. One element that lacks is far more than that.
        """
        threads = min(self._blocks, 2 * self.gpu.multiprocessors) * self._shape.threads
        chain = self._bytes / ELEMENT_BYTES / threads + self._blocks + self.calls + OTHER_SUMS
        return abs(seen - expected) <= chain * ROUNDING * abs(expected)


class MemoryCopy:
    """The driver's copy within the device."""

    by_host = False

    def __init__(self, gpu: Gpu, array_bytes: int, calls: int, seed: int) -> None:
        self.gpu, self.stream, self.calls = gpu, gpu.stream, calls
        self._bytes, self._seed = array_bytes, seed
        self._source, self._target = gpu.address, gpu.address + aligned(array_bytes)

    def ready(self) -> None:
        """Fill the source anew."""
        self.gpu.fill(self._source, self._bytes, self._seed)

    def queue(self) -> None:
        """Queue one copy."""
        kind = self.gpu.runtime.memcpyDeviceToDevice
        self.gpu.runtime.memcpyAsync(self._target, self._source, self._bytes, kind, self.stream.ptr)

    def check(self, *, whole: bool) -> str:
        """Return what is wrong with the copy."""
        return self.gpu.wrong_words(Checked(self._target, self._bytes, self._seed), whole=whole)


class MemorySet:
    """The driver's set of all bytes to one value, another in each block and never zero."""

    by_host = False

    def __init__(self, gpu: Gpu, array_bytes: int, calls: int, seed: int) -> None:
        self.gpu, self.stream, self.calls = gpu, gpu.stream, calls
        self._bytes = array_bytes
        # Of the bytes 1 to 0x7E: eight of them are a finite double.
        self._value = 1 + seed % 0x7E

    def ready(self) -> None:
        """Fill the memory with what the set has to overwrite."""
        self.gpu.fill(self.gpu.address, self._bytes, self._value)

    def queue(self) -> None:
        """Queue one set."""
        self.gpu.runtime.memsetAsync(self.gpu.address, self._value, self._bytes, self.stream.ptr)

    def check(self, *, whole: bool) -> str:
        """Return what is wrong with the memory."""
        value = _real(int.from_bytes(bytes([self._value]) * ELEMENT_BYTES, "little"))
        return self.gpu.wrong_words(Checked(self.gpu.address, self._bytes, 0, 0, value, "write"), whole=whole)


class DeviceCycle:
    """A random cycle through all lines of some memory: which line follows which, on the device."""

    def __init__(self, gpu: Gpu, size_bytes: int, seed: int) -> None:
        # An odd number of lines: else the 64 loads of a call could lead back to where they began, and one call more or
        # less would not show.
        self.nodes = (size_bytes // NODE_BYTES - 1) | 1
        self.order: NDArray[np.uint32] = np.random.default_rng(seed).permutation(self.nodes).astype(np.uint32)
        self._memory = gpu.allocate(self.order.nbytes)
        gpu.copy_in(int(self._memory.ptr), self.order)
        self.at = 0

    @property
    def order_address(self) -> int:
        """Where the order stands on the device."""
        return int(self._memory.ptr)

    def offset(self, steps: int) -> int:
        """Return the bytes from the beginning to the line that so many steps lead to from here."""
        return int(self.order[(self.at + steps) % self.nodes]) * NODE_BYTES


class Chase:
    """Loads that each give the address of the next, by one thread: all calls are one launch."""

    by_host = False
    calls = 1

    def __init__(self, gpu: Gpu, cycle: DeviceCycle, calls: int) -> None:
        self.gpu, self.stream = gpu, gpu.stream
        self._cycle, self._times = cycle, calls
        self._start = gpu.address + cycle.offset(0)
        self._expected = gpu.address + cycle.offset(calls * LOADS_PER_CALL)
        self.cycles = 0
        self._arrived = 0

    def ready(self) -> None:
        """Write the cycle anew: other cases use the memory too."""
        self.gpu.over("link", self._cycle.nodes, self.gpu.address, self._cycle.order_address, self._cycle.nodes)
        self.gpu.clear_result()

    def queue(self) -> None:
        """Queue the loads."""
        self.gpu.launch("chase", 1, 1, self._start, self._times, self.gpu.result_address)

    def read(self) -> None:
        """Wait, and keep where the loads ended and the cycles they took; the next begin there."""
        self._arrived, self.cycles = (int(word) for word in self.gpu.result()[:2])
        self._cycle.at = (self._cycle.at + self._times * LOADS_PER_CALL) % self._cycle.nodes

    def check(self, *, whole: bool) -> str:  # noqa: ARG002 -- where the loads end depends on each of them
        """Return what is wrong: the loads must have arrived at the one address that so many of them lead to."""
        same = self._arrived == self._expected
        return "" if same else "the loads did not end where so many of them lead: some were not made"


def tune(gpus: Sequence[Gpu], path: str, array_bytes: int) -> Tuning:
    """Try the shapes of a pass on the first device, on its own arrays, the best few twice; return the fastest.

    On every device each kernel is launched once before: the first launch brings its code there, which takes its time.
    """
    kernel, calls = KERNELS[path], 1

    def seconds(shape: Shape, gpu: Gpu = gpus[0]) -> float:
        work = Pass(gpu, kernel, array_bytes, calls, 1, 1.0, shape)
        return timed([work]).seconds / calls

    for gpu in gpus:
        for first in {shape.unroll: shape for shape in SHAPES}.values():
            seconds(first, gpu)
    once = seconds(SHAPES[0])
    calls = max(min(round(TRIAL_S / once), MOST_TRIAL_CALLS), 1) if once > 0 else MOST_TRIAL_CALLS
    pairs, sms = array_bytes // PAIR_BYTES, gpus[0].multiprocessors
    # Of a small array several shapes are the same launch.
    launches = {(shape.threads, shape.unroll, shape.blocks(pairs, sms)): shape for shape in reversed(SHAPES)}
    tried = {shape: seconds(shape) for shape in launches.values()}
    for shape in sorted(tried, key=lambda shape: tried[shape])[:FINALISTS]:
        tried[shape] = min(tried[shape], seconds(shape))
    best = min(tried, key=lambda shape: tried[shape])
    return Tuning(best, {shape.name: tried[shape] for shape in tried})


def _real(bits: int) -> float:
    return float(np.uint64(bits).view(np.float64))
