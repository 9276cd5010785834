"""NVIDIA's GPUs through CuPy: which are here, and one of them: memory, streams, the launch of kernels, checking.

The one module that imports CuPy. `module` is CuPy, or in the tests what stands in for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandwidth.engines.cuda.errors import cannot_cache, no_such_device, out_of_memory, told
from bandwidth.engines.cuda.source import OPTIONS, common_source, kernel_source, names_in
from bandwidth.engines.cuda.verification import Checked, HostVerification, KernelVerification, Verification
from bandwidth.errors import BandwidthError
from bandwidth.kernels import ELEMENT_BYTES, KERNELS
from bandwidth.machine.gpu_attributes import GpuFacts
from bandwidth.machine.reader import Reader, SystemReader, read_integer

# driver_types.h: cudaDeviceAttr.
_MULTIPROCESSORS, _ECC, _MEMORY_CLOCK_KHZ, _BUS_BITS, _L2_BYTES = 16, 32, 36, 37, 38
_MAJOR, _MINOR, _HOST_TABLES = 75, 76, 100
_WORDS = 8  # of a result
_CHECK_OFFSET = 32  # bytes: results of passes and of checks stand beside each other
_LINEAR_THREADS = 256
_LINEAR_BLOCKS = 8  # for each multiprocessor: 2048 threads
# Of the free memory a plan leaves this much: code, local memory and the driver's own want some. By the time that the
# rest is taken, streams and code have had a part of it already, and a desktop may have taken some too.
KEPT_FREE_BYTES = 256 * 1024**2
LEAST_FREE_BYTES = KEPT_FREE_BYTES // 4
# CuPy reads it with each compilation: nothing is written to disk then.
KEEP_IN_MEMORY = "CUPY_CACHE_IN_MEMORY"
ARRAY_ALIGNMENT = 512


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

    def attribute(which: int) -> int:
        try:
            return int(runtime.deviceGetAttribute(which, number))
        except runtime.CUDARuntimeError:
            return 0  # an older driver does not know it

    with told(module, number), module.cuda.Device(number) if opened else nullcontext():
        properties = runtime.getDeviceProperties(number)
        name, total = properties["name"], properties["totalGlobalMem"]
        free, total = runtime.memGetInfo() if opened else (total, total)
        address = str(runtime.deviceGetPCIBusId(number)).lower()
        return GpuFacts(
            number,
            name.decode(errors="replace") if isinstance(name, bytes) else str(name),
            address,
            attribute(_MEMORY_CLOCK_KHZ),
            attribute(_BUS_BITS),
            attribute(_L2_BYTES),
            attribute(_MULTIPROCESSORS),
            int(free),
            int(total),
            bool(attribute(_ECC)),
            bool(attribute(_HOST_TABLES)),
            f"{attribute(_MAJOR)}.{attribute(_MINOR)}",
            _version(runtime.driverGetVersion()),
            _version(runtime.runtimeGetVersion()),
            node_of(address),
            is_opened=opened,
        )


class Gpu:
    """A GPU that is measured. All cases share its memory, so that each fills what it reads before every block."""

    def __init__(self, module: Any, number: int, count: int) -> None:
        if number >= count:
            raise no_such_device(number, count)
        self.module, self.number = module, number
        self.runtime = module.cuda.runtime
        with self.active():
            self.multiprocessors = max(int(self.runtime.deviceGetAttribute(_MULTIPROCESSORS, number)), 1)
            self.stream = module.cuda.Stream(non_blocking=True)
            self.second_stream = module.cuda.Stream(non_blocking=True)
            self._result = module.cuda.Memory(_WORDS * ELEMENT_BYTES)
        self._memory: Any = None
        self._size_bytes = 0
        self._functions: dict[str, Any] = {}
        self._uncompiled: dict[str, str] = {}
        self.verification: Verification = KernelVerification()

    @contextmanager
    def active(self) -> Iterator[None]:
        """Make it the current device; what CuPy raises inside leaves as one of our errors."""
        with told(self.module, self.number), self.module.cuda.Device(self.number):
            yield

    # --- memory and code

    def compile(self, paths: tuple[str, ...]) -> None:
        """Compile and load the kernels of some paths, and what fills and checks: not while a stream is captured.

        What cannot be compiled is told by `why_not`; without what fills and checks the host does both.
        """
        self._load("", common_source())
        if self.why_not(""):
            self.verification = HostVerification()
            return
        for path in paths:
            self._load(path, kernel_source(KERNELS[path]))

    def _load(self, path: str, source: str) -> None:
        try:
            with self.active():
                self._get_functions(path, source)
        except BandwidthError as error:  # the copies need none of it
            self._uncompiled[path] = str(error)

    def _get_functions(self, path: str, source: str) -> None:
        self._functions[path] = self.module.RawModule(code=source, options=OPTIONS)
        try:
            self._get_each(path, source)
        except OSError:  # the disk is full, or the folder of compiled code is another user's
            os.environ[KEEP_IN_MEMORY] = "1"
            try:
                self._get_each(path, source)
            except OSError as error:
                raise cannot_cache(error) from error

    def _get_each(self, path: str, source: str) -> None:
        for name in names_in(source):
            self.function(name, path)

    def why_not(self, path: str) -> str:
        """Return why the kernels of a path, "" for those that all need, could not be compiled; "" if they were."""
        return self._uncompiled.get("") or self._uncompiled.get(path, "")

    def function(self, name: str, path: str = "") -> Any:
        """Return a compiled function by its name, from the module of a path or from the common one."""
        key = f"{path}.{name}"
        if key not in self._functions:
            self._functions[key] = self._functions[path].get_function(name)
        return self._functions[key]

    def reserve(self, size_bytes: int) -> None:
        """Take the memory that all cases share. Raises BandwidthError where there is not enough."""
        if size_bytes <= self._size_bytes:
            return
        self._memory = None
        with self.active():
            free = int(self.runtime.memGetInfo()[0])
            if size_bytes + LEAST_FREE_BYTES > free:
                raise out_of_memory(self.number, size_bytes + LEAST_FREE_BYTES, free)
            self._memory = self.allocate(size_bytes)
        self._size_bytes = size_bytes

    def allocate(self, size_bytes: int) -> Any:
        """Return memory of its own, outside CuPy's pool; it is freed when nothing refers to it. Active."""
        return self.module.cuda.Memory(size_bytes)

    @property
    def address(self) -> int:
        """Where the shared memory begins."""
        return int(self._memory.ptr)

    @property
    def size_bytes(self) -> int:
        """How large the shared memory is."""
        return self._size_bytes

    def release(self) -> None:
        """Give the memory back; of a lost device nothing can be given back."""
        self._memory = self._result = None
        self._functions.clear()

    # --- work; the device is active

    def launch(
        self, name: str, blocks: int, threads: int, *arguments: int | float, path: str = "", on: Any = None
    ) -> None:
        """Queue a kernel: integers go as 64-bit words, floats as doubles."""
        given = tuple(np.float64(a) if isinstance(a, float) else np.uint64(a) for a in arguments)
        function = self.function(name, path)
        with on or self.stream:
            function((blocks,), (threads,), given)

    def over(self, name: str, count: int, *arguments: int | float, path: str = "") -> None:
        """Queue a kernel that strides over `count` things, with as many threads as are under way at once."""
        blocks = min(-(-count // _LINEAR_THREADS), _LINEAR_BLOCKS * self.multiprocessors)
        self.launch(name, blocks, _LINEAR_THREADS, *arguments, path=path)

    def fill(self, address: int, size_bytes: int, seed: int, first: int = 0) -> None:
        """Queue the filling of some memory with the numbers of a seed, from word `first` of its array on."""
        self.verification.fill(self, address, size_bytes, seed, first)

    @property
    def result_address(self) -> int:
        """Where a pass leaves its number, and a latency where it arrived."""
        return int(self._result.ptr)

    def clear_result(self) -> None:
        """Queue the clearing of the pass's result."""
        self.runtime.memsetAsync(self.result_address, 0, _CHECK_OFFSET, self.stream.ptr)

    def result(self) -> NDArray[np.uint64]:
        """Wait, and return the words of the results: four of the pass and four of the check."""
        words = np.zeros(_WORDS, np.uint64)
        self.copy_out(words, self.result_address)
        return words

    def copy_out(self, array: NDArray[Any], address: int) -> None:
        """Wait for the work before, and copy memory of the device into an array."""
        self.stream.synchronize()
        self.runtime.memcpy(array.ctypes.data, address, array.nbytes, self.runtime.memcpyDeviceToHost)

    def copy_in(self, address: int, array: NDArray[Any]) -> None:
        """Wait for the work before, copy an array into memory of the device, and wait: a copy may return too early."""
        self.stream.synchronize()
        self.runtime.memcpy(address, array.ctypes.data, array.nbytes, self.runtime.memcpyHostToDevice)
        self.runtime.deviceSynchronize()

    def expected(self, path: str, count: int, seed: int) -> int:
        """Return the bits of the number that a reducing kernel makes of the numbers of a seed."""
        address = self.result_address + _CHECK_OFFSET
        self.runtime.memsetAsync(address, 0, _CHECK_OFFSET, self.stream.ptr)
        self.over(f"expect_{path}", count, count, 0, seed, address, path=path)
        return int(self.result()[_CHECK_OFFSET // ELEMENT_BYTES + 2])

    def count_wrong(self, check: str, count: int, *arguments: int | float, path: str) -> tuple[int, int]:
        """Wait, and return how many of `count` words a check finds wrong, and the first of them."""
        address = self.result_address + _CHECK_OFFSET
        self.runtime.memsetAsync(address, 0, ELEMENT_BYTES, self.stream.ptr)
        self.runtime.memsetAsync(address + ELEMENT_BYTES, 0xFF, ELEMENT_BYTES, self.stream.ptr)
        self.over(check, count, *arguments, address, path=path)
        wrong, first = self.result()[_CHECK_OFFSET // ELEMENT_BYTES :][:2]
        return int(wrong), int(first)

    def wrong_words(self, checked: Checked, *, whole: bool) -> str:
        """Wait, and return what is wrong with words in memory, of which not all are looked at if not `whole`; or ""."""
        return self.verification.wrong_words(self, checked, whole=whole)


def aligned(size_bytes: int) -> int:
    """Return where the next array begins after one of this size."""
    return -(-size_bytes // ARRAY_ALIGNMENT) * ARRAY_ALIGNMENT


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
