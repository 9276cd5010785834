"""A stand-in for CuPy at the level of its calls: NumPy arrays are the devices' memory, and time is what a test says.

Compiled kernels are worked out from the same rows of KERNELS that their source is made from. Every pointer is held
against the allocations of the device it is used on, and every argument of a kernel must be a NumPy scalar. As with
CuPy, nothing is compiled before the first function is asked for, a kernel's first launch on a device takes long and is
no part of a graph, streams and code take memory, a device becomes the current one again when the use of another ends,
and what is freed may fail. As with CuPy for ROCm, only its first launch brings a graph to a device.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from bandwidth.kernels import KERNELS, XOR

GIB = 1024**3
HOST = -1
FILL_S, OTHER_S = 0.2, 0.001
LOAD_S = 0.05  # of a kernel's first launch on a device
STREAM_BYTES, MODULE_BYTES = 2 * 1024**2, 2 * 1024**2
ATTRIBUTES = {16: 4, 32: 1, 36: 3_201_000, 37: 6144, 38: 50 * 1024**2, 100: 0}
# Of HIP the properties are right, and the numbers that CuPy has for its attributes are not.
HIP_PROPERTIES = {
    "gcnArchName": b"gfx942:sramecc+:xnack-",
    "multiProcessorCount": 4,
    "ECCEnabled": 1,
    "memoryBusWidth": 8192,
    "l2CacheSize": 4 * 1024**2,
    "pageableMemoryAccessUsesHostPageTables": 0,
}


class CUDARuntimeError(RuntimeError):
    def __init__(self, status: int) -> None:
        super().__init__(f"cudaError{status}: error {status}")
        self.status = status


class OutOfMemoryError(MemoryError):
    pass


class CompileException(Exception):  # noqa: N818 -- CuPy's name
    pass


@dataclass(frozen=True)
class Operation:
    """Something on a stream: what it is, what it was given, and where."""

    name: str
    arguments: tuple[Any, ...]
    device: int
    act: Callable[..., None]
    grid: int = 0
    threads: int = 0


class StandIn:
    """The module. `cost` gives an operation's seconds; `fault` may change an operation or drop it; `raises` are errors
    by the name of a call; `not_captured` are operations that cannot be part of a graph, `not_instantiated` those with
    which no graph can be made that runs. `log` is every operation that ran, `opened` every device that was current.
    """

    def __init__(
        self,
        devices: int = 1,
        cost: Callable[[Operation], float] | None = None,
        fault: Callable[[Operation], Operation | None] = lambda operation: operation,
        raises: dict[str, Exception] | None = None,
        free_bytes: int = 8 * GIB,
        versions: tuple[int, int] = (12_080, 12_090),
        can_access: bool = True,
        not_captured: frozenset[str] = frozenset(),
        not_instantiated: frozenset[str] = frozenset(),
        is_hip: bool = False,
    ) -> None:
        self.is_hip = is_hip
        self.count, self.free_bytes, self.versions, self.can_access = devices, free_bytes, versions, can_access
        self.cost = cost or (lambda operation: FILL_S if operation.name == "fill" else OTHER_S)
        self.fault, self.raises, self.not_captured = fault, raises or {}, not_captured
        self.not_instantiated = not_instantiated
        self.host_s = 0.0
        self.log: list[Operation] = []
        self.current = [0]
        self.opened: set[int] = set()
        self.loaded: set[tuple[int, str, str]] = set()  # device, source, kernel
        self.streams: dict[int, Stream] = {}
        self.memories: list[tuple[int, int, int]] = []  # device, address, size
        self.peers: set[tuple[int, int]] = set()
        self.compiled: set[tuple[int, str]] = set()  # device, source
        self.stack: list[Stream] = []
        self.cuda = SimpleNamespace(
            runtime=Runtime(self),
            Stream=lambda non_blocking: Stream(self, non_blocking),
            Event=lambda: Event(self),
            Device=lambda number: Device(self, number),
            Memory=lambda size: Memory(self, size),
            PinnedMemory=lambda size, flags=0: PinnedMemory(self, size, flags),
            get_elapsed_time=elapsed_ms,
        )

    def clock(self) -> float:
        return self.host_s

    def check(self, name: str) -> None:
        if name in self.raises:
            error = self.raises[name]
            raise CUDARuntimeError(error.status) if isinstance(error, CUDARuntimeError) else error

    def taken_bytes(self, device: int) -> int:
        """Memory of a device that is no longer free."""
        streams = sum(stream.device == device for stream in self.streams.values())
        modules = sum(number == device for number, _ in self.compiled)
        return streams * STREAM_BYTES + modules * MODULE_BYTES + sum(m[2] for m in self.memories if m[0] == device)

    def RawModule(self, code: str, options: tuple[str, ...]) -> Module:  # noqa: N802 -- CuPy's name
        assert options == ("-std=c++17",)
        return Module(self, code)

    def bytes_at(self, device: int, address: Any, size: Any) -> np.ndarray:
        """The memory there; on a device only what was allocated on it."""
        address, size = int(address), int(size)
        assert size > 0
        inside = [m for m in self.memories if m[0] == device and m[1] <= address and address + size <= m[1] + m[2]]
        assert device == HOST or inside, f"outside of every allocation of device {device}"
        return np.frombuffer((ctypes.c_uint8 * size).from_address(address), np.uint8)

    def words(self, device: int, address: Any, count: Any) -> np.ndarray:
        return self.bytes_at(device, address, 8 * int(count)).view(np.uint64)

    def submit(self, operation: Operation, stream: Stream | None) -> None:
        if stream is not None and stream.captured is not None:
            stream.is_invalid = operation.name in self.not_captured
            if stream.is_invalid:
                raise CUDARuntimeError(900)
            stream.captured.append(operation)
            return
        assert stream is None or stream.device == operation.device
        self.check(operation.name)
        self.log.append(operation)
        if stream is None:
            self.host_s += self.cost(operation)
        else:
            assert stream.device == operation.device
            stream.seconds = max(stream.seconds, self.host_s) + self.cost(operation)
        changed = self.fault(operation)
        if changed is not None:
            changed.act(*changed.arguments)


class Device:
    def __init__(self, module: StandIn, number: int) -> None:
        self.module, self.number = module, number

    def __enter__(self) -> Device:
        if self.number >= self.module.count:
            raise CUDARuntimeError(101)
        if self.number != self.module.current[-1]:
            self.module.opened.add(self.number)
        self.module.current.append(self.number)
        return self

    def __exit__(self, *_: object) -> None:
        self.module.current.pop()
        self.module.opened.add(self.module.current[-1])


class Memory:
    def __init__(self, module: StandIn, size: int) -> None:
        module.check("Memory")
        device = module.current[-1]
        if device != HOST and size > module.free_bytes - module.taken_bytes(device):
            raise CUDARuntimeError(2)
        self.array = np.full(size, 0xCD, np.uint8)
        self.ptr = int(self.array.ctypes.data)
        self.entry = (module.current[-1], self.ptr, size)
        self.module = module
        module.memories.append(self.entry)

    def __del__(self) -> None:
        if hasattr(self, "entry"):
            self.module.memories.remove(self.entry)
            self.module.check("free")


class PinnedMemory(Memory):
    def __init__(self, module: StandIn, size: int, flags: int) -> None:
        module.check("PinnedMemory")
        module.current.append(HOST)
        super().__init__(module, size)
        module.current.pop()
        self.flags = flags


class Stream:
    def __init__(self, module: StandIn, non_blocking: bool) -> None:
        assert non_blocking
        self.module, self.device, self.seconds = module, module.current[-1], 0.0
        self.captured: list[Operation] | None = None
        self.is_invalid = False
        self.ptr = len(module.streams) + 1000
        module.streams[self.ptr] = self

    def __enter__(self) -> Stream:
        assert self.device == self.module.current[-1], "CuPy refuses a stream of another device"
        self.module.stack.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.module.stack.pop()

    def synchronize(self) -> None:
        self.module.check("synchronize")
        assert self.captured is None
        self.module.host_s = max(self.module.host_s, self.seconds)

    def wait_event(self, event: Event) -> None:
        assert event.seconds is not None, "waiting for an event that was not recorded waits for nothing"
        self.seconds = max(self.seconds, event.seconds)

    def begin_capture(self) -> None:
        assert self.captured is None
        self.captured = []

    def end_capture(self) -> Graph:
        captured, self.captured = self.captured, None
        if any(operation.name in self.module.not_instantiated for operation in captured):
            raise CUDARuntimeError(801)
        if self.is_invalid:  # as the driver does once a call could not be captured
            self.is_invalid = False
            raise CUDARuntimeError(901)
        assert captured
        return Graph(captured)


@dataclass
class Graph:
    operations: list[Operation]
    uploaded_to: Stream | None = None

    def upload(self, stream: Stream) -> None:
        if stream.module.is_hip:
            raise CUDARuntimeError(999)  # as CuPy for ROCm does
        self.uploaded_to = stream

    def launch(self, stream: Stream) -> None:
        if stream.module.is_hip and self.uploaded_to is None:
            self.uploaded_to = stream
            stream.seconds = max(stream.seconds, stream.module.host_s) + LOAD_S
        assert self.uploaded_to is stream, "the first launch would take the time to bring it there"
        for operation in self.operations:
            stream.module.submit(operation, stream)


class Event:
    def __init__(self, module: StandIn) -> None:
        self.module, self.device = module, module.current[-1]
        self.seconds: float | None = None

    def record(self, stream: Stream) -> None:
        assert stream.device == self.device, "an event belongs to a device"
        assert stream.captured is None
        self.seconds = max(stream.seconds, self.module.host_s)

    def synchronize(self) -> None:
        self.module.check("synchronize")
        self.module.host_s = max(self.module.host_s, self.seconds)

    def __del__(self) -> None:
        self.module.check("eventDestroy")


def elapsed_ms(begin: Event, end: Event) -> float:
    assert begin.device == end.device, "events of two devices cannot be compared"
    return (end.seconds - begin.seconds) * 1000


class Runtime:
    memcpyHostToDevice, memcpyDeviceToHost, memcpyDeviceToDevice = 1, 2, 3  # noqa: N815 -- CuPy's names
    hostAllocDefault, hostAllocPortable, hostAllocWriteCombined = 0, 1, 4  # noqa: N815
    CUDARuntimeError = CUDARuntimeError
    cudaDevAttrMultiProcessorCount, cudaDevAttrEccEnabled, cudaDevAttrMemoryClockRate = 16, 32, 36  # noqa: N815
    cudaDevAttrGlobalMemoryBusWidth, cudaDevAttrL2CacheSize = 37, 38  # noqa: N815
    cudaDevAttrPageableMemoryAccessUsesHostPageTables = 100  # noqa: N815

    def __init__(self, module: StandIn) -> None:
        self._module, self.is_hip = module, module.is_hip

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("_") and name[0].islower():
            self._module.check(name)
        return object.__getattribute__(self, name)

    def getDeviceCount(self) -> int:  # noqa: N802
        return self._module.count

    def driverGetVersion(self) -> int:  # noqa: N802
        return self._module.versions[0]

    def runtimeGetVersion(self) -> int:  # noqa: N802
        return self._module.versions[1]

    def deviceGetAttribute(self, which: int, device: int) -> int:  # noqa: N802
        if self.is_hip:
            raise CUDARuntimeError(1)
        return ATTRIBUTES[which]

    def getDeviceProperties(self, device: int) -> dict[str, Any]:  # noqa: N802
        of_hip = HIP_PROPERTIES if self.is_hip else {}
        return {"name": b"Stand-in", "totalGlobalMem": 8 * GIB, "major": 9, "minor": 0, **of_hip}

    def deviceGetPCIBusId(self, device: int) -> str:  # noqa: N802
        return f"0000:{device + 1:02X}:00.0"

    def memGetInfo(self) -> tuple[int, int]:  # noqa: N802
        taken = self._module.taken_bytes(self._module.current[-1])
        return max(self._module.free_bytes - taken, 0), 8 * GIB

    def setDevice(self, device: int) -> None:  # noqa: N802
        self._module.current[-1] = device
        self._module.opened.add(device)

    def deviceSynchronize(self) -> None:  # noqa: N802
        for stream in self._module.streams.values():
            if stream.device == self._module.current[-1]:
                stream.synchronize()

    def deviceCanAccessPeer(self, device: int, peer: int) -> int:  # noqa: N802
        return int(self._module.can_access)

    def deviceEnablePeerAccess(self, peer: int) -> None:  # noqa: N802
        self._switch(peer, on=True)

    def deviceDisablePeerAccess(self, peer: int) -> None:  # noqa: N802
        self._switch(peer, on=False)

    def _switch(self, peer: int, on: bool) -> None:
        pair = (self._module.current[-1], peer)
        if on == (pair in self._module.peers):
            raise CUDARuntimeError(704 if on else 705)
        (self._module.peers.add if on else self._module.peers.remove)(pair)

    def memcpy(self, target: int, source: int, size: int, kind: int) -> None:
        self._copy("memcpy", target, source, size, kind, None)

    def memcpyAsync(self, target: int, source: int, size: int, kind: int, stream: int) -> None:  # noqa: N802
        self._copy("memcpyAsync", target, source, size, kind, self._module.streams[stream])

    def _copy(self, name: str, target: int, source: int, size: int, kind: int, stream: Stream | None) -> None:
        device = self._module.current[-1]
        to, of = {1: (device, HOST), 2: (HOST, device), 3: (device, device)}[kind]

        def act(target: int, source: int, size: int, *_: int) -> None:
            self._module.bytes_at(to, target, size)[:] = self._module.bytes_at(of, source, size)

        self._module.submit(Operation(name, (target, source, size, kind), device, act), stream)

    def memcpyPeerAsync(self, target: int, to: int, source: int, of: int, size: int, stream: int) -> None:  # noqa: N802
        def act(target: int, to: int, source: int, of: int, size: int) -> None:
            self._module.bytes_at(to, target, size)[:] = self._module.bytes_at(of, source, size)

        operation = Operation("memcpyPeerAsync", (target, to, source, of, size), self._module.current[-1], act)
        self._module.submit(operation, self._module.streams[stream])

    def memsetAsync(self, address: int, value: int, size: int, stream: int) -> None:  # noqa: N802
        device = self._module.current[-1]

        def act(address: int, value: int, size: int) -> None:
            self._module.bytes_at(device, address, size)[:] = value

        self._module.submit(Operation("memsetAsync", (address, value, size), device, act), self._module.streams[stream])


@dataclass
class Module:
    module: StandIn
    code: str
    names: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.names = set(re.findall(r"__global__\s+void\s+(?:__launch_bounds__\(\d+\)\s+)?(\w+)\(", self.code))

    def get_function(self, name: str) -> Callable[..., None]:
        self.module.check("RawModule")
        assert name in self.names, f"the source has no {name}"
        self.module.compiled.add((self.module.current[-1], self.code))
        act = Kernels(self.module).of(name)

        def launch(grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
            assert all(isinstance(argument, np.uint64 | np.float64) for argument in arguments)
            (blocks,), (threads,) = grid, block
            assert 1 <= blocks < 2**31
            assert threads == 1 or (threads % 32 == 0 and threads <= 512)
            stream = self.module.stack[-1]
            self.load(name, stream)
            self.module.submit(Operation(name, arguments, stream.device, act, blocks, threads), stream)

        return launch

    def load(self, name: str, stream: Stream) -> None:
        key = (stream.device, self.code, name)
        if key not in self.module.loaded:
            assert stream.captured is None, "the first launch brings the code to the device"
            self.module.loaded.add(key)
            self.module.host_s += LOAD_S


def numbers(first: int, count: int, seed: int) -> np.ndarray:
    """The doubles that the hash makes, from index `first` on: written apart from the source in CUDA."""
    with np.errstate(over="ignore"):
        z = np.arange(first, first + count, dtype=np.uint64)
        z += np.uint64(0x9E3779B97F4A7C15 * (seed + 1) % 2**64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return ((z >> np.uint64(12)) | np.uint64(0x3FF0000000000000)).view(np.float64)


class Kernels:
    """What each kernel does, by its name."""

    def __init__(self, module: StandIn) -> None:
        self.module = module

    def of(self, name: str) -> Callable[..., None]:
        if name in {"fill", "link", "chase"}:
            return getattr(self, name)
        head, _, tail = name.partition("_")
        if head in {"check", "expect"}:
            row = KERNELS[tail]
            return lambda *arguments: getattr(self, head)(row, *arguments)
        row = KERNELS[head]
        return lambda *arguments: self.run(row, *arguments)

    def words(self, address: Any, count: Any) -> np.ndarray:
        return self.module.words(self.module.current[-1], address, count)

    def fill(self, to: Any, pairs: Any, first: Any, seed: Any) -> None:
        self.words(to, 2 * int(pairs))[:] = numbers(int(first), 2 * int(pairs), int(seed)).view(np.uint64)

    def run(self, row: Any, *arguments: Any) -> None:
        *sources, target, scalar, pairs = arguments
        count = 2 * int(pairs)
        operands = [self.words(source, count) for source in sources]
        if not row.words:
            operands = [operand.view(np.float64) for operand in operands]
        value = row.value(operands, scalar)
        if row.reduces:
            self.credit(row, value, self.words(target, 4))
        else:
            self.words(target, count).view(np.float64)[:] = value

    def credit(self, row: Any, value: np.ndarray, out: np.ndarray) -> None:
        if row.reduces == XOR:
            with np.errstate(over="ignore"):
                out[2] += np.bitwise_xor.reduce(value)
        else:
            out[2:3].view(np.float64)[0] += np.add.reduce(value)

    def made(self, row: Any, count: int, first: Any, seed: Any) -> list[np.ndarray]:
        return [numbers(int(first), count, int(seed) + index) for index in range(row.reads)]

    def check(self, row: Any, seen: Any, count: Any, first: Any, seed: Any, scalar: Any, out: Any) -> None:
        expected = row.value(self.made(row, int(count), first, seed), scalar)
        expected = np.broadcast_to(np.asarray(expected, np.float64), int(count)).copy().view(np.uint64)
        wrong = np.flatnonzero(self.words(seen, count) != expected)
        result = self.words(out, 2)
        result[0] += np.uint64(len(wrong))
        if len(wrong):
            result[1] = min(int(result[1]), int(wrong[0]))

    def expect(self, row: Any, count: Any, first: Any, seed: Any, out: Any) -> None:
        made = self.made(row, int(count), first, seed)
        operands = [source.view(np.uint64) for source in made] if row.words else made
        self.credit(row, row.value(operands, 0.0), self.words(out, 4))

    def link(self, nodes: Any, order: Any, count: Any) -> None:
        count = int(count)
        follow = self.module.bytes_at(self.module.current[-1], order, 4 * count).view(np.uint32).astype(np.uint64)
        words = self.words(nodes, 16 * count)
        words[follow * np.uint64(16)] = np.uint64(nodes) + np.roll(follow, -1) * np.uint64(128)

    def chase(self, nodes: Any, offset: Any, calls: Any, out: Any) -> None:
        at = int(nodes) + int(offset)
        for _ in range(64 * int(calls)):
            at = int(self.words(at, 1)[0])
        self.words(out, 2)[:] = (at - int(nodes), 1_500_000)
