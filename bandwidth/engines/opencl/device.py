"""A device of OpenCL that is measured: its memory, its queues, the launch of kernels, and what is read back."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandwidth.engines.devices.coded import LINEAR_BLOCKS, CodedDevice
from bandwidth.engines.devices.source import names_in
from bandwidth.engines.devices.surface import LEAST_FREE_BYTES, Abilities, Pool, Shape, Span
from bandwidth.engines.opencl import discovery
from bandwidth.engines.opencl.errors import out_of_memory, told
from bandwidth.engines.opencl.source import (
    GROUP_WORDS,
    MOST_GROUPS,
    OPTIONS,
    gpu_shapes,
    joined,
    module_source,
    processor_shapes,
)
from bandwidth.kernels import ELEMENT_BYTES, KERNELS, XOR, Kernel
from bandwidth.machine.reader import SystemReader
from bandwidth.vocabulary import PAGEABLE, PINNED

HOST_KINDS = (PINNED, PAGEABLE)
_TOUCH = 0xA5  # never zero: a page that was not written is one page of zeros for all
# An array of bytes is set by patterns of this length; runtimes are slow with single bytes.
_PATTERN_BYTES = 16


class HostMemory:
    """Memory of the host that a device copies from or to. Page-locked, it is a buffer that the runtime keeps mapped."""

    def __init__(self, kind: str, array: NDArray[np.uint8], buffer: Any = None) -> None:
        self.kind, self.array, self.buffer = kind, array, buffer


class Line:
    """A queue in order, with the events of what was queued. See `Queue`.

    pyopencl's event of a copy from or to the host waits when it is freed: all are kept until the queue is done.
    """

    def __init__(self, device: ClDevice) -> None:
        cl = device.module
        self.device = device
        self.queue = cl.CommandQueue(
            device.context, device.device, properties=cl.command_queue_properties.PROFILING_ENABLE
        )
        self.events: list[Any] = []

    def copy(self, target: Span, source: Span) -> None:
        """Queue a copy, or, from and to pageable memory, wait until it is done."""
        to, of = _place(target), _place(source)
        by_host = any(isinstance(s.holder, HostMemory) and s.holder.kind == PAGEABLE for s in (target, source))
        options: dict[str, Any] = {}
        if isinstance(to, np.ndarray) or isinstance(of, np.ndarray):
            options = {"is_blocking": by_host}
            options |= {"src_offset": source.offset} if isinstance(to, np.ndarray) else {"dst_offset": target.offset}
        else:
            options = {
                "byte_count": source.size_bytes,
                "src_offset": source.offset,
                "dst_offset": target.offset,
            }
        self.events.append(self.device.module.enqueue_copy(self.queue, to, of, **options))

    def set_bytes(self, span: Span, value: int) -> None:
        """Queue the setting of all bytes."""
        for offset, size in _set_parts(span.size_bytes):
            pattern = np.full(_PATTERN_BYTES if size % _PATTERN_BYTES == 0 else 1, value, np.uint8)
            given = (self.queue, span.holder, pattern, span.offset + offset, size)
            self.events.append(self.device.module.enqueue_fill_buffer(*given))

    def finish(self) -> None:
        """Wait for all of it."""
        self.queue.finish()
        self.events.clear()


class ClDevice(CodedDevice):
    """See `Device`."""

    def __init__(self, module: Any, device: Any, number: int) -> None:
        super().__init__(number)
        self.module, self.device = module, device
        self._functions: dict[tuple[str, str], Any] = {}
        # A kernel's arguments do not keep what they name: a part of a buffer has to live until the work is done.
        self._regions: dict[tuple[int, int, int], tuple[Any, Any]] = {}
        with self.active():
            self.facts = discovery.read_facts(module, device, number, SystemReader())
            self.context = module.Context([device])
            self.queue, self.second_queue = Line(self), Line(self)
            units, most = self.facts.multiprocessors, discovery.asked_number(device, "max_work_group_size") or 1
            self.linear_threads = min(self.linear_threads, most)
            shapes = processor_shapes if self.facts.is_processor else gpu_shapes
            self.abilities = Abilities(
                units,
                lambda kernel: shapes(kernel, most),
                discovery.element_bytes(device),
                self.facts.largest_bytes,
                HOST_KINDS,
            )
            self._places = max(MOST_GROUPS, LINEAR_BLOCKS) * units * GROUP_WORDS
            self.result = self.take(2 * self._places * ELEMENT_BYTES)
            self._check = self.result.part(self._places * ELEMENT_BYTES, self._places * ELEMENT_BYTES)
        self.pool = Pool(lambda size_bytes: self.take(size_bytes).holder, self._check_free, self.facts.largest_bytes)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let what the runtime raises inside leave as one of our errors."""
        with told(self.number):
            yield

    # --- memory and code

    def _check_free(self, size_bytes: int) -> None:
        if size_bytes + LEAST_FREE_BYTES > self.facts.free_bytes:
            raise out_of_memory(self.number, size_bytes + LEAST_FREE_BYTES, self.facts.free_bytes)

    def take(self, size_bytes: int) -> Span:
        """Return memory of its own. Active.

        It is written at once: some runtimes take it with the first use only, and fail then.
        """
        size = -(-size_bytes // _PATTERN_BYTES) * _PATTERN_BYTES
        span = Span(self.module.Buffer(self.context, self.module.mem_flags.READ_WRITE, size), 0, size)
        self.queue.set_bytes(span, _TOUCH)
        self.queue.finish()
        return span.part(0, size_bytes)

    def take_host(self, kind: str, size_bytes: int) -> Span:
        """Return memory of the host of a kind, every page of it written. Active.

        ALLOC_HOST_PTR is for the host's side alone: an array of the device in such memory would be the host's on AMD.
        """
        if kind == PAGEABLE:
            return Span(HostMemory(kind, np.full(size_bytes, _TOUCH, np.uint8)), 0, size_bytes)
        cl = self.module
        flags = cl.mem_flags.READ_WRITE | cl.mem_flags.ALLOC_HOST_PTR
        buffer = cl.Buffer(self.context, flags, size_bytes)
        rights = cl.map_flags.READ | cl.map_flags.WRITE
        array, _ = cl.enqueue_map_buffer(self.queue.queue, buffer, rights, 0, (size_bytes,), np.uint8, is_blocking=True)
        array.fill(_TOUCH)
        return Span(HostMemory(kind, array, buffer), 0, size_bytes)

    def load(self, path: str) -> None:
        """Compile the kernels of a path, and run each once with nothing to do.

        Some runtimes compile with the first launch, anew for each size of a group.
        """
        kernel = KERNELS[path] if path else None
        shapes = self.abilities.shapes(kernel or KERNELS["copy"])
        source = module_source(kernel, self.abilities.element_bytes, shapes)
        program = self.module.Program(self.context, source)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pyopencl")  # what the compiler says beside errors
            warnings.filterwarnings("ignore", message=".*compiler output.*")
            program.build(options=[*OPTIONS])
        for name in names_in(source):
            self._functions[path, name] = self.module.Kernel(program, name)
        if kernel is not None:
            self._launch_once(kernel, shapes)

    def _launch_once(self, kernel: Kernel, shapes: tuple[Shape, ...]) -> None:
        for shape in {(one.ending, one.threads): one for one in shapes}.values():
            arrays = (self.result,) * (kernel.arrays + bool(kernel.reduces))
            self.launch(f"{kernel.name}_{shape.ending}", 1, shape.threads, *arrays, 1.0, 0, path=kernel.name)
        self.queue.finish()

    def reserve(self, layouts: Sequence[Sequence[int]]) -> None:
        """Take the memory that all cases share."""
        self._regions.clear()
        super().reserve(layouts)

    def release(self) -> None:
        """Give the memory back."""
        self._regions.clear()
        self._functions.clear()
        self.queue.events.clear()
        self.second_queue.events.clear()
        self.pool.release()
        del self.result, self._check

    # --- work

    def launch(self, name: str, groups: int, threads: int, *arguments: Span | int | float, path: str = "") -> None:
        """Queue a kernel: integers go as 64-bit words, floats as elements, memory as a buffer."""
        function = self._functions[path, name]
        function.set_args(*map(self._argument, arguments))
        event = self.module.enqueue_nd_range_kernel(self.queue.queue, function, (groups * threads,), (threads,))
        self.queue.events.append(event)

    def _argument(self, value: Span | int | float) -> Any:
        if isinstance(value, float):
            return np.float64(value) if self.abilities.element_bytes == ELEMENT_BYTES else np.float32(value)
        if isinstance(value, int):
            return np.uint64(value)
        if value.offset == 0:
            return value.holder
        key = (id(value.holder), value.offset, value.size_bytes)
        if key not in self._regions:
            region = value.holder.get_sub_region(value.offset, value.size_bytes)
            self._regions[key] = (value.holder, region)
        return self._regions[key][1]

    def clear_result(self) -> None:
        """Queue the clearing of what passes have made."""
        self.queue.set_bytes(self.result.part(0, self._places * ELEMENT_BYTES), 0)

    def _words(self, span: Span) -> list[int]:
        words = np.zeros(span.size_bytes // ELEMENT_BYTES, np.uint64)
        self.copy_out(words, span)
        return [int(word) for word in words]

    def copy_out(self, array: NDArray[Any], span: Span) -> None:
        """Wait for the work before, and copy memory of the device into an array."""
        self.queue.finish()
        target = array.view(np.uint8)
        self.module.enqueue_copy(self.queue.queue, target, span.holder, src_offset=span.offset, is_blocking=True)

    def copy_in(self, span: Span, array: NDArray[Any]) -> None:
        """Wait for the work before, copy an array into memory of the device, and wait."""
        self.queue.finish()
        source = np.ascontiguousarray(array).view(np.uint8)
        self.module.enqueue_copy(self.queue.queue, span.holder, source, dst_offset=span.offset, is_blocking=True)

    def made(self, kernel: Kernel, count: int, seed: int, calls: int) -> tuple[int | float, int | float]:
        """Wait; return what the passes made of `count` words, and what so many calls come to."""
        element = self.abilities.element_bytes
        seen = joined(kernel, self._words(self.result.part(0, self._places * ELEMENT_BYTES)), calls, element)
        self.queue.set_bytes(self._check, 0)
        self.over(f"expect_{kernel.name}", count, count, 0, seed, self._check, path=kernel.name)
        once = joined(kernel, self._words(self._check), 1, element)
        if kernel.reduces == XOR:
            return seen, once
        return seen, once * calls if isinstance(once, float) else once * calls % 2**64

    def arrival(self) -> tuple[int, int]:
        """Wait; return the byte where the loads arrived; no clock tells the cycles."""
        return self._words(self.result.part(0, GROUP_WORDS * ELEMENT_BYTES))[0], 0

    def clear_check(self) -> Span:
        """Queue the clearing of a check's result, and return where that is."""
        pairs = np.tile(np.array([0, 2**64 - 1], np.uint64), self._places // GROUP_WORDS)
        self.copy_in(self._check, pairs)
        return self._check

    def check_result(self) -> tuple[int, int]:
        """Wait, and return how many words a check found wrong, and the first of them."""
        words = self._words(self._check)
        return sum(words[::GROUP_WORDS]), min(words[1::GROUP_WORDS])


def _place(span: Span) -> Any:
    """Return what pyopencl copies from or to: a part of an array of the host, or a buffer."""
    if isinstance(span.holder, HostMemory):
        return span.holder.array[span.offset : span.offset + span.size_bytes]
    return span.holder


def _set_parts(size_bytes: int) -> Iterator[tuple[int, int]]:
    whole = size_bytes // _PATTERN_BYTES * _PATTERN_BYTES
    if whole:
        yield 0, whole
    if size_bytes > whole:
        yield whole, size_bytes - whole
