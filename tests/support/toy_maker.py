"""A maker of devices in some hundred lines: NumPy arrays are the memory, and all work is done at once.

Each call is said to take as long as a block has to last, so that one fills it and the rate is precise at once. It shows
what a maker has to bring, and that nothing outside of its folder has to know it.
"""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np

from bandwidth.engines.devices.engine import device_engine
from bandwidth.engines.devices.surface import (
    KEPT_FREE_BYTES,
    LOADS_PER_CALL,
    NODE_WORDS,
    Abilities,
    Pool,
    Shape,
    Span,
    Timing,
)
from bandwidth.engines.interface import DeviceMaker, EngineEntry
from bandwidth.kernels import KERNELS, XOR
from bandwidth.machine.gpu_attributes import GpuFacts

MIB = 1024**2
CALL_S = 0.02


def numbers(seed, first, count):
    """Doubles in [1, 2) of an index and a seed."""
    index = np.arange(first, first + count, dtype=np.uint64) + np.uint64(seed % 2**40)
    with np.errstate(over="ignore"):
        mixed = index * np.uint64(0x9E3779B97F4A7C15)
    return ((mixed >> np.uint64(12)) | np.uint64(0x3FF0000000000000)).view(np.float64)


def bytes_of(span):
    return span.holder[span.offset : span.offset + span.size_bytes]


def words_of(span):
    return bytes_of(span).view(np.uint64)


class ToyQueue:
    def copy(self, target, source):
        bytes_of(target)[: source.size_bytes] = bytes_of(source)

    def set_bytes(self, span, value):
        bytes_of(span)[:] = value

    def finish(self):
        pass


class ToyDevice:
    def __init__(self, number):
        self.number, self.queue, self.second_queue = number, ToyQueue(), ToyQueue()
        self.abilities = Abilities(1, lambda _: (Shape(1, 1, 1),), host_memory=("pinned", "pageable"))
        self.pool = Pool(lambda size: np.empty(size, np.uint8), lambda size: None, None)
        self.totals, self.at = [], 0

    @contextmanager
    def active(self):
        yield

    def compile(self, paths):
        pass

    def why_not(self, path):
        return ""

    def reserve(self, layouts):
        self.pool.reserve(layouts)

    def spans(self, sizes):
        return self.pool.spans(sizes)

    @property
    def memory(self):
        return self.pool.first

    def take(self, size_bytes):
        return Span(np.empty(size_bytes, np.uint8), 0, size_bytes)

    def take_host(self, kind, size_bytes):
        return self.take(size_bytes)

    def fill(self, span, seed, first=0):
        words_of(span).view(np.float64)[:] = numbers(seed, first, span.size_bytes // 8)

    def wrong_words(self, checked, *, whole):
        row, count = KERNELS[checked.name], checked.size_bytes // 8
        sources = [numbers(checked.seed + index, checked.first, count) for index in range(row.reads)]
        expected = np.broadcast_to(row.value(sources, checked.scalar), count)
        wrong = np.flatnonzero(words_of(checked.span).view(np.float64) != expected)
        return f"{len(wrong)} words are wrong" if len(wrong) else ""

    def run(self, kernel, shape, sources, target, scalar):
        value = self.work(kernel, [words_of(source) for source in sources], scalar)
        if target is None:
            self.totals.append(self.number_of(kernel, value))
        else:
            words_of(target).view(np.float64)[:] = value

    def work(self, kernel, sources, scalar):
        operands = sources if kernel.words else [source.view(np.float64) for source in sources]
        return kernel.value(operands, scalar)

    def number_of(self, kernel, value):
        return int(np.bitwise_xor.reduce(value)) if kernel.reduces == XOR else float(value.sum())

    def clear_result(self):
        self.totals = []

    def made(self, kernel, count, seed, calls):
        sources = [numbers(seed + index, 0, count).view(np.uint64) for index in range(kernel.reads)]
        return sum(self.totals), self.number_of(kernel, self.work(kernel, sources, 0.0)) * calls

    def link(self, nodes, order, count):
        follow = bytes_of(order).view(np.uint32)[:count].astype(np.int64)
        words_of(nodes)[follow * NODE_WORDS] = np.roll(follow, -1) * NODE_WORDS * 8

    def chase(self, nodes, offset, calls):
        words, self.at = words_of(nodes), offset
        for _ in range(calls * LOADS_PER_CALL):
            self.at = int(words[self.at // 8])

    def arrival(self):
        return self.at, 0

    def copy_in(self, span, array):
        bytes_of(span)[:] = array.view(np.uint8)

    def copy_out(self, array, span):
        array.view(np.uint8)[:] = bytes_of(span)

    def release(self):
        self.pool.release()


class ToyDriver:
    peers = None

    def open(self, number):
        return ToyDevice(number)

    def timed(self, works, clock, meanwhile=None):
        for work in works:
            work.ready()
        for work in works:
            for _ in range(work.calls):
                work.queue()
        if meanwhile is not None:
            meanwhile()
        return Timing(CALL_S * sum(work.calls for work in works), 0.0)


def toys(numbers, is_asked):
    free = KEPT_FREE_BYTES + 512 * MIB
    return tuple(
        GpuFacts(number, "Toy", None, 0, 0, 1024, 1, free, free, False, False, api="NumPy")
        for number in numbers or (0,)
    )


ENTRY = EngineEntry(
    "toy",
    ("device", "pcie"),
    ("triad", "copy", "read", "dot", "memcpy", "memset"),
    lambda _, site: device_engine(ToyDriver(), site),
    "arrays of NumPy in the place of a device",
    maker=lambda: DeviceMaker(find=toys, sight=toys, host_memory=("pinned", "pageable"), has_peers=False),
)
