"""NVIDIA's GPUs through CuPy: which are here, and one of them: memory, streams, the launch of kernels, checking.

The one module that imports CuPy. `module` is CuPy, or in the tests what stands in for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandwidth.engines.cuda.errors import (
    cannot_cache,
    host_refused,
    lacks_memory,
    lacks_rocm_compiler,
    no_such_device,
    out_of_memory,
    told,
)
from bandwidth.engines.cuda.source import OPTIONS, SHAPES, common_source, kernel_source, names_in
from bandwidth.engines.devices.coded import CodedDevice
from bandwidth.engines.devices.surface import ARRAY_ALIGNMENT, LEAST_FREE_BYTES, Abilities, Pool, Span
from bandwidth.kernels import ELEMENT_BYTES, KERNELS, XOR, Kernel
from bandwidth.machine.facts import Json
from bandwidth.machine.gpu_attributes import GpuFacts
from bandwidth.machine.reader import Reader, SystemReader, read_integer
from bandwidth.vocabulary import PAGEABLE, WRITE_COMBINED

_WORDS = 8  # of a result
_CHECK_OFFSET = 32  # bytes: results of passes and of checks stand beside each other
# CuPy reads it with each compilation: nothing is written to disk then.
KEEP_IN_MEMORY = "CUPY_CACHE_IN_MEMORY"


def count_devices(module: Any) -> int:
    """Return how many GPUs there are, at least one. Raises HardwareError where there is none that can be used."""
    with told(module):
        return int(module.cuda.runtime.getDeviceCount())


def read_facts(
    module: Any, number: int, node_of: Callable[[str], int | None] = lambda _: None, *, opened: bool = True
) -> GpuFacts:
    """Return what a GPU is. Raises HardwareError where it cannot be used.

    Where it is not to be `opened`, no context is made there: it takes memory and wakes the device. What memory is free
    is only known inside of one.
    """
    runtime = module.cuda.runtime
    with told(module, number), module.cuda.Device(number) if opened else nullcontext():
        properties = runtime.getDeviceProperties(number)
        name, total = properties["name"], properties["totalGlobalMem"]
        free, total = runtime.memGetInfo() if opened else (total, total)
        address = str(runtime.deviceGetPCIBusId(number)).lower()
        api, version = ("HIP", _hip_version) if is_hip(module) else ("CUDA", _version)
        runtime_version = version(runtime.runtimeGetVersion())
        return GpuFacts(
            number,
            name.decode(errors="replace") if isinstance(name, bytes) else str(name),
            address,
            # What AMD's driver calls a clock counts otherwise from family to family: no peak follows from it.
            0 if is_hip(module) else _attribute(module, number, "MemoryClockRate"),
            _attribute(module, number, "GlobalMemoryBusWidth"),
            _attribute(module, number, "L2CacheSize"),
            _attribute(module, number, "MultiProcessorCount"),
            int(free),
            int(total),
            bool(_attribute(module, number, "EccEnabled")),
            bool(_attribute(module, number, "PageableMemoryAccessUsesHostPageTables")),
            api=f"{api} {runtime_version}",
            told={
                **_generation(module, properties),
                f"{api.lower()}_driver_version": version(runtime.driverGetVersion()),
                f"{api.lower()}_runtime_version": runtime_version,
            },
            numa_node=node_of(address),
            is_opened=opened,
            is_unified=bool(properties.get("integrated")),  # a Jetson, a GB10, an APU
        )


def _generation(module: Any, properties: Mapping[str, Any]) -> dict[str, Json]:
    """Return what code a GPU takes: NVIDIA's by two numbers, AMD's by a name such as gfx942, without its switches."""
    if is_hip(module):
        return {"architecture": properties["gcnArchName"].decode(errors="replace").partition(":")[0]}
    return {"compute_capability": f"{properties['major']}.{properties['minor']}"}


# What is asked of a GPU, by CUDA's name, and the property of HIP that says it.
_PROPERTIES = {
    "GlobalMemoryBusWidth": "memoryBusWidth",
    "L2CacheSize": "l2CacheSize",
    "MultiProcessorCount": "multiProcessorCount",
    "EccEnabled": "ECCEnabled",
    "PageableMemoryAccessUsesHostPageTables": "pageableMemoryAccessUsesHostPageTables",
}


def _attribute(module: Any, number: int, name: str) -> int:
    """Return an attribute of a GPU, 0 where its driver does not know it.

    Of HIP the properties tell: the numbers that CuPy has for HIP's attributes are those of ROCm 3, which have another
    meaning since (CuPy 14.2; cupy#7676).
    """
    runtime = module.cuda.runtime
    if is_hip(module):
        return int(runtime.getDeviceProperties(number)[_PROPERTIES[name]])
    try:
        return int(runtime.deviceGetAttribute(getattr(runtime, f"cudaDevAttr{name}"), number))
    except runtime.CUDARuntimeError:
        return 0


class HostMemory:
    """Memory of the host that a GPU copies from or to: its kind, and where it begins."""

    def __init__(self, kind: str, memory: Any, address: int) -> None:
        self.kind, self.memory, self.ptr = kind, memory, address


def page_locked(module: Any, size_bytes: int, flags: int = 0) -> Any:
    """Return page-locked memory of its own: CuPy's pool rounds up to a power of two. Raises BandwidthError."""
    try:
        return module.cuda.PinnedMemory(size_bytes, flags)
    except RuntimeError as error:
        if not lacks_memory(error):
            raise
        raise host_refused(size_bytes) from error


def address_of(span: Span) -> int:
    """Return where a span begins, as the driver counts."""
    return int(span.holder.ptr) + span.offset


class Stream:
    """A queue of a GPU: a stream of CuPy. See `Queue`."""

    def __init__(self, gpu: Gpu) -> None:
        self.gpu, self.stream = gpu, gpu.module.cuda.Stream(non_blocking=True)
        self._is_beside = False

    def copy(self, target: Span, source: Span) -> None:
        """Copy, by the driver: queued, or, of pageable memory, by the calling thread."""
        runtime, ends = self.gpu.runtime, (target.holder, source.holder)
        to, of = (isinstance(end, HostMemory) for end in ends)
        kind = runtime.memcpyDeviceToHost if to else runtime.memcpyHostToDevice if of else runtime.memcpyDeviceToDevice
        given = (address_of(target), address_of(source), source.size_bytes, kind)
        if any(isinstance(end, HostMemory) and end.kind == PAGEABLE for end in ends):
            runtime.memcpy(*given)
            self._is_beside = True  # the last part may still be under way, and in no stream of ours
        else:
            runtime.memcpyAsync(*given, self.stream.ptr)

    def set_bytes(self, span: Span, value: int) -> None:
        """Queue the driver's set."""
        self.gpu.runtime.memsetAsync(address_of(span), value, span.size_bytes, self.stream.ptr)

    def finish(self) -> None:
        """Wait for it."""
        if self._is_beside:
            self.gpu.runtime.deviceSynchronize()
            self._is_beside = False
        else:
            self.stream.synchronize()


class Gpu(CodedDevice):
    """A GPU that is measured. See `Device`."""

    def __init__(self, module: Any, number: int, count: int) -> None:
        if number >= count:
            raise no_such_device(number, count)
        super().__init__(number)
        self.module, self.runtime = module, module.cuda.runtime
        with self.active():
            self.abilities = Abilities(
                max(_attribute(module, number, "MultiProcessorCount"), 1), shapes=lambda _: SHAPES
            )
            self.queue, self.second_queue = Stream(self), Stream(self)
            self.result = self.take(_WORDS * ELEMENT_BYTES)
        self.pool = Pool(lambda size_bytes: self.take(size_bytes).holder, self._check_free, None)
        self._functions: dict[str, Any] = {}

    @contextmanager
    def active(self) -> Iterator[None]:
        """Make it the current device; what CuPy raises inside leaves as one of our errors."""
        with told(self.module, self.number), self.module.cuda.Device(self.number):
            yield

    # --- memory and code

    def load(self, path: str) -> None:
        """Compile and load the kernels of a path: not while a stream is captured."""
        source = kernel_source(KERNELS[path]) if path else common_source()
        self._functions[path] = self.module.RawModule(code=source, options=OPTIONS)
        try:
            self._get_each(path, source)
        except OSError as error:  # the disk is full, or the folder of compiled code is another user's
            if lacks_rocm_compiler(error):
                raise
            os.environ[KEEP_IN_MEMORY] = "1"
            try:
                self._get_each(path, source)
            except OSError as again:
                raise cannot_cache(again) from again

    def _get_each(self, path: str, source: str) -> None:
        for name in names_in(source):
            self.function(name, path)

    def function(self, name: str, path: str = "") -> Any:
        """Return a compiled function by its name, from the module of a path or from the common one."""
        key = f"{path}.{name}"
        if key not in self._functions:
            self._functions[key] = self._functions[path].get_function(name)
        return self._functions[key]

    def _check_free(self, size_bytes: int) -> None:
        wanted, free = size_bytes + ARRAY_ALIGNMENT + LEAST_FREE_BYTES, int(self.runtime.memGetInfo()[0])
        if wanted > free:
            raise out_of_memory(self.number, wanted, free)

    def take(self, size_bytes: int) -> Span:
        """Return memory of its own, outside CuPy's pool; it is freed when nothing refers to it. Active."""
        return Span(self.module.cuda.Memory(size_bytes), 0, size_bytes)

    def take_host(self, kind: str, size_bytes: int) -> Span:
        """Return memory of the host of a kind, every page of it written. Active."""
        if kind == PAGEABLE:
            array = np.full(size_bytes, 0xA5, np.uint8)  # the first touch, which takes the pages
            return Span(HostMemory(kind, array, int(array.ctypes.data)), 0, size_bytes)
        flags = self.runtime.hostAllocWriteCombined if kind == WRITE_COMBINED else self.runtime.hostAllocDefault
        pinned = page_locked(self.module, size_bytes, flags | self.runtime.hostAllocPortable)
        return Span(HostMemory(kind, pinned, int(pinned.ptr)), 0, size_bytes)

    def release(self) -> None:
        """Give the memory back; of a lost device nothing can be given back."""
        self.pool.release()
        del self.result
        self._functions.clear()

    # --- work; the device is active

    def launch(self, name: str, groups: int, threads: int, *arguments: Span | int | float, path: str = "") -> None:
        """Queue a kernel: integers and addresses go as 64-bit words, floats as doubles."""
        function = self.function(name, path)
        with self.queue.stream:
            function((groups,), (threads,), tuple(map(_argument, arguments)))

    def clear_result(self) -> None:
        """Queue the clearing of the pass's result."""
        self.queue.set_bytes(self.result.part(0, _CHECK_OFFSET), 0)

    def _results(self) -> NDArray[np.uint64]:
        """Wait, and return the words of the results: four of the pass and four of the check."""
        words = np.zeros(_WORDS, np.uint64)
        self.copy_out(words, self.result)
        return words

    def copy_out(self, array: NDArray[Any], span: Span) -> None:
        """Wait for the work before, and copy memory of the device into an array."""
        self.queue.finish()
        self.runtime.memcpy(array.ctypes.data, address_of(span), array.nbytes, self.runtime.memcpyDeviceToHost)

    def copy_in(self, span: Span, array: NDArray[Any]) -> None:
        """Wait for the work before, copy an array into memory of the device, and wait: a copy may return too early."""
        self.queue.finish()
        self.runtime.memcpy(address_of(span), array.ctypes.data, array.nbytes, self.runtime.memcpyHostToDevice)
        self.runtime.deviceSynchronize()

    def made(self, kernel: Kernel, count: int, seed: int, calls: int) -> tuple[int | float, int | float]:
        """Wait; return what the passes made of `count` words, and what so many calls come to."""
        seen = int(self._results()[2])
        out = self.result.part(_CHECK_OFFSET, _CHECK_OFFSET)
        self.queue.set_bytes(out, 0)
        self.over(f"expect_{kernel.name}", count, count, 0, seed, out, path=kernel.name)
        once = int(self._results()[_CHECK_OFFSET // ELEMENT_BYTES + 2])
        if kernel.reduces == XOR:
            return seen, once * calls % 2**64
        return _real(seen), _real(once) * calls

    def arrival(self) -> tuple[int, int]:
        """Wait; return the byte where the loads arrived, and the cycles they took."""
        offset, cycles = (int(word) for word in self._results()[:2])
        return offset, cycles

    def clear_check(self) -> Span:
        """Queue the clearing of a check's result, and return where that is."""
        out = self.result.part(_CHECK_OFFSET, _CHECK_OFFSET)
        self.queue.set_bytes(out.part(0, ELEMENT_BYTES), 0)
        self.queue.set_bytes(out.part(ELEMENT_BYTES, ELEMENT_BYTES), 0xFF)
        return out

    def check_result(self) -> tuple[int, int]:
        """Wait, and return how many words a check found wrong, and the first of them."""
        wrong, first = self._results()[_CHECK_OFFSET // ELEMENT_BYTES :][:2]
        return int(wrong), int(first)


def _argument(value: Span | int | float) -> np.uint64 | np.float64:
    if isinstance(value, Span):
        return np.uint64(address_of(value))
    return np.float64(value) if isinstance(value, float) else np.uint64(value)


def _real(bits: int) -> float:
    return float(np.uint64(bits).view(np.float64))


def is_hip(module: Any) -> bool:
    """Return whether this CuPy drives AMD's GPUs by HIP. Their numbers of attributes and calls differ: see timing."""
    return bool(module.cuda.runtime.is_hip)


def _hip_version(number: int) -> str:
    """Return `7.0` of 70051831, as hip_version.h makes it."""
    return f"{int(number) // 10_000_000}.{int(number) % 10_000_000 // 100_000}"


def _version(number: int) -> str:
    return f"{int(number) // 1000}.{int(number) % 1000 // 10}"


# --- which are here -------------------------------------------------------------------------------------------------


def load_cupy() -> Any:
    """Import CuPy. Raises HardwareError where it is not there or does not load."""
    _give_cache()
    try:
        with told(None):
            import cupy

            return cupy
    except OSError as error:
        raise cannot_cache(error) from error


def _give_cache() -> None:
    """Let CuPy compile in memory where its folder cannot be made, as in a container without a home.

    CuPy makes the folder as it is imported, and the import fails where that does (_compiler_cache.py of 14.2).
    """
    folder = os.environ.get("CUPY_CACHE_DIR", "~/.cupy/kernel_cache")
    try:
        Path(folder).expanduser().mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: a user who has no home at all
        os.environ["CUPY_CACHE_DIR"] = os.sep  # one that is there: nothing is written to it
        os.environ[KEEP_IN_MEMORY] = "1"


def devices(
    module: Any = None,
    reader: Reader | None = None,
    numbers: Sequence[int] | None = None,
    *,
    opened: bool = True,
) -> tuple[GpuFacts, ...]:
    """Return the GPUs of some numbers, or every one that this process may use, at least one.

    Raises HardwareError with what to do where there is none, one cannot be used or its number does not exist. It opens
    each of them, which takes some 0.3 s, unless it is told not to.
    """
    module, reader = module or load_cupy(), reader or SystemReader()
    count = count_devices(module)
    for number in numbers or ():
        if number >= count:
            raise no_such_device(number, count)
    numbers = tuple(range(count)) if numbers is None else numbers
    if opened:
        _stand_on(module, numbers)

    def node_of(address: str) -> int | None:
        node = read_integer(reader, f"/sys/bus/pci/devices/{address}/numa_node")
        return node if node is not None and node >= 0 else None

    return tuple(read_facts(module, number, node_of, opened=opened) for number in numbers)


def _stand_on(module: Any, numbers: Sequence[int]) -> None:
    """Make the first of some devices the one to which CuPy returns from any other.

    It would be device 0, which since CUDA 12 is thereby opened: memory is taken there, or refused where it is full.
    """
    for number in numbers[:1]:
        with told(module, number):
            module.cuda.runtime.setDevice(number)
