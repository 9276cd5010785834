"""Who runs a host engine's passes: NumPy, as its code reaches memory, or compiled code, which reaches its limit.

A kernel of NumPy is one call that makes no temporary; compiled, a whole block is one call a thread that holds no lock.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import xor
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from bandwidth.engines.host.layout import Doubles, Part
from bandwidth.engines.host.native_code.kernel_arguments import CHAIN_LENGTH, Barrier, KernelArguments, Status
from bandwidth.engines.host.native_code.processor import CLOCK, LlvmProcessor
from bandwidth.engines.host.native_code.shapes import (
    PLAIN,
    Row,
    Shape,
    default_rows,
    default_shape,
    function_name,
)
from bandwidth.engines.host.workers import Stamp, Team
from bandwidth.errors import BandwidthError
from bandwidth.kernels import KERNELS, Kernel, kernel_of, stores_of
from bandwidth.results import Case
from bandwidth.vocabulary import NS_PER_S, STREAMING

if TYPE_CHECKING:
    from bandwidth.engines.host.native_code.compiled import Library

FunctionOf: TypeAlias = Callable[[str], Callable[[KernelArguments], None]]


@dataclass(frozen=True)
class ThreadWork:
    """What one thread does in one call: a kernel on its arrays, with a kind of store where there is a choice.

    `shape` is how compiled passes are laid out.
    """

    kernel: Kernel
    stores: str | None
    part: Part
    scalar: float
    shape: Shape = PLAIN


# A shape, and how it was come by, for the record.
Chosen: TypeAlias = tuple[Shape, Mapping[str, Any]]


class Runner(Protocol):
    """How passes are run: by NumPy calls, or by compiled code."""

    def prepare(self, cases: Sequence[Case], limit_s: float) -> Mapping[str, str]:
        """Get ready for the kernels of some cases, and return the ids of those that cannot be had, with the reason.

        `limit_s` is how long all measuring may last at most. Raises BandwidthError where none can be had.
        """

    def run(self, team: Team, works: Sequence[ThreadWork], calls: int) -> list[Stamp]:
        """Run each thread's work `calls` times, all at once; a stamp's value is what a reducing kernel returned.

        That is what `joined` makes of the last pass modulo 2^64, or the sum of all passes' products.
        """

    def joined(self, columns: Sequence[int]) -> int:
        """Return the word that a pass makes of the exclusive ors of its eight columns of words."""

    def tune(self, team: Team, case: Case, works: Sequence[ThreadWork]) -> Chosen:
        """Return the shape of passes that does a case's work fastest, and what its record says of that."""

    def clock_hz(self, team: Team) -> float | None:
        """Return the clock of the first worker's core just now in Hz, None where it cannot be seen."""

    def functions(self) -> FunctionOf | None:
        """Return the compiled functions by their names, None where there are none."""

    def stop(self) -> None:
        """End work that is under way after the pass that it is in."""


# --- NumPy ----------------------------------------------------------------------------------------------------------

Operation: TypeAlias = Callable[[Sequence[Doubles], Doubles, float], object]


def operation(kernel: Kernel) -> Operation:
    """Return the one NumPy call of a kernel, as its row names it: a ufunc takes the sources, then the scalar."""
    if kernel.numpy == "copyto":
        return lambda sources, destination, _: np.copyto(destination, sources[0])
    if kernel.numpy == "fill":
        return lambda _, destination, scalar: destination.fill(scalar)
    ufunc: np.ufunc = getattr(np, kernel.numpy)
    if kernel.reduces:
        return lambda sources, _, __: ufunc.reduce(sources[0].view(np.uint64) if kernel.words else sources[0])
    scalars = ufunc.nin - kernel.reads
    return lambda sources, destination, scalar: ufunc(*sources, *[scalar] * scalars, out=destination)


OPERATIONS: dict[str, Operation] = {kernel.name: operation(kernel) for kernel in KERNELS.values() if kernel.numpy}


class NumpyRunner:
    """Runs passes as NumPy calls. See `Runner`; `operations` is a seam: the tests give some that lie."""

    def __init__(self, operations: Mapping[str, Operation] = OPERATIONS) -> None:
        self._operations = operations

    def prepare(self, cases: Sequence[Case], limit_s: float) -> dict[str, str]:  # noqa: ARG002 - see `Runner`
        """Refuse nothing: NumPy is there."""
        return {}

    def run(self, team: Team, works: Sequence[ThreadWork], calls: int) -> list[Stamp]:
        """Run each thread's call. See `Runner`."""
        return team.timed([self._call(work) for work in works], calls)

    def joined(self, columns: Sequence[int]) -> int:
        """Return the exclusive or of all columns: NumPy's reduction goes on to the end."""
        return reduce(xor, columns)

    def tune(self, team: Team, case: Case, works: Sequence[ThreadWork]) -> Chosen:  # noqa: ARG002
        """Return nothing to be told: NumPy's loops are as they are."""
        return PLAIN, {}

    def clock_hz(self, team: Team) -> None:
        """Return None: through NumPy no clock can be seen."""

    def functions(self) -> None:
        """Return None: nothing is compiled."""

    def stop(self) -> None:
        """Do nothing: the team ends its work between calls."""

    def _call(self, work: ThreadWork) -> Callable[[], object]:
        return partial(self._operations[work.kernel.name], work.part.sources, work.part.destination, work.scalar)


# --- compiled code --------------------------------------------------------------------------------------------------

NO_STREAMING = "LLVM has no streaming stores for this processor"

# How long it takes to run works so many times, in seconds.
Timed: TypeAlias = Callable[[Sequence[ThreadWork], int], float]


class Shapes(Protocol):
    """Who says which shape a case's passes have."""

    def rows(self, cases: Sequence[Case], processor: LlvmProcessor, limit_s: float) -> list[Row]:
        """Return what has to be compiled before the cases run, of which any measuring lasts `limit_s` at most."""

    def chosen(self, case: Case, works: Sequence[ThreadWork], timed: Timed) -> Chosen:
        """Return the shape for a case; `works` are its threads' passes, and their functions those of `rows`."""


class DefaultShapes:
    """Takes the shapes that were found before. See `Shapes`."""

    def __init__(self) -> None:
        self._processor: LlvmProcessor

    def rows(self, cases: Sequence[Case], processor: LlvmProcessor, limit_s: float) -> list[Row]:  # noqa: ARG002
        """Return the defaults. See `Shapes`."""
        self._processor = processor
        return default_rows(((row_of(case), stores_of(case.variant)) for case in cases), processor)

    def chosen(self, case: Case, works: Sequence[ThreadWork], timed: Timed) -> Chosen:  # noqa: ARG002
        """Return the default. See `Shapes`."""
        array_bytes = works[0].part.bytes_per_array
        return default_shape(row_of(case), stores_of(case.variant), array_bytes, self._processor), {}


def row_of(case: Case) -> Kernel:
    """Return the kernel of a case."""
    return kernel_of(case.path, case.variant)


class NativeRunner:
    """Runs passes as compiled code. See `Runner`; `function_of` is a seam: the tests give functions that lie."""

    def __init__(
        self,
        function_of: Callable[[Library, str], Callable[[KernelArguments], None]] | None = None,
        shapes: Shapes | None = None,
    ) -> None:
        self._function_of = function_of or (lambda library, name: library.function(name))
        self._shapes = shapes or DefaultShapes()
        self._barrier = Barrier()
        self._library: Library | None = None

    def prepare(self, cases: Sequence[Case], limit_s: float) -> dict[str, str]:
        """Compile the kernels of the cases. Raises BandwidthError where LLVM makes no code for this machine."""
        self._library = compiled(cases, self._shapes, limit_s)
        if self._library.processor.has_streaming_stores:
            return {}
        return {case.id: NO_STREAMING for case in cases if stores_of(case.variant) == STREAMING}

    def run(self, team: Team, works: Sequence[ThreadWork], calls: int) -> list[Stamp]:
        """Run each thread's passes, started by a barrier in the compiled code. See `Runner`.

        Raises BandwidthError where the threads did not reach the barrier, or were stopped before their last pass.
        """
        self._barrier.open()
        argument_sets = [self._arguments(work, calls, len(works)) for work in works]
        team.each(
            [
                partial(self._function(_name_of(work)), arguments)
                for work, arguments in zip(works, argument_sets, strict=True)
            ]
        )
        if any(arguments.status != Status.DONE for arguments in argument_sets):
            raise BandwidthError(
                "the threads did not reach the barrier", "CPUs were taken away, or other processes keep them busy"
            )
        if any(arguments.made != calls for arguments in argument_sets):
            raise BandwidthError("the block was stopped before its end", "measure again")
        return [
            Stamp(arguments.start_ns, arguments.end_ns, _value(work, arguments))
            for work, arguments in zip(works, argument_sets, strict=True)
        ]

    def joined(self, columns: Sequence[int]) -> int:
        """Return the sum of the columns: compiled code adds up its lanes once, after the last pass."""
        return sum(columns)

    def tune(self, team: Team, case: Case, works: Sequence[ThreadWork]) -> Chosen:
        """Return the shape that does a case's work fastest, compiled if it is not yet. See `Runner`."""
        shape, told = self._shapes.chosen(case, works, partial(self._seconds, team))
        self._compiled().add([(row_of(case), stores_of(case.variant), shape)])
        return shape, told

    def _seconds(self, team: Team, works: Sequence[ThreadWork], calls: int) -> float:
        stamps = self.run(team, works, calls)
        seconds = (max(stamp.end_ns for stamp in stamps) - min(stamp.start_ns for stamp in stamps)) / NS_PER_S
        return max(seconds, 1 / NS_PER_S)

    def clock_hz(self, team: Team) -> float | None:
        """Return the clock of the first worker's core, from a chain of instructions of one cycle each."""
        return clock_hz(self._function(CLOCK), self._barrier, team)

    def functions(self) -> FunctionOf | None:
        """Return the functions of the library, None where none could be made. See `Runner`."""
        return None if self._library is None else self._library.function

    def stop(self) -> None:
        """End the work after the passes that run."""
        self._barrier.stop()

    def _function(self, name: str) -> Callable[[KernelArguments], None]:
        return self._function_of(self._compiled(), name)

    def _compiled(self) -> Library:
        if self._library is None:
            raise AssertionError("prepare() comes first")
        return self._library

    def _arguments(self, work: ThreadWork, calls: int, threads: int) -> KernelArguments:
        sources = {f"source_{index}": source.ctypes.data for index, source in enumerate(work.part.sources)}
        arrays = (*work.part.sources, work.part.destination)
        return self._barrier.arguments(
            threads=threads,
            **sources,
            destination=work.part.destination.ctypes.data,
            elements=max(len(array) for array in arrays),
            calls=calls,
            scalar=work.scalar,
        )


def compiled(cases: Sequence[Case], shapes: Shapes, limit_s: float) -> Library:
    """Return the code of all kernels that some cases need. Raises BandwidthError where LLVM makes none."""
    try:
        from bandwidth.engines.host.native_code.compiled import Library, this_processor
    except (ImportError, OSError) as error:  # its library does not load: another system's wheel, or a missing part
        raise BandwidthError(f"llvmlite does not load: {error}", "reinstall it; the NumPy rows remain") from error

    processor = this_processor()
    return Library(shapes.rows(cases, processor, limit_s), processor)


def _name_of(work: ThreadWork) -> str:
    """Return the name of the compiled function that does some work."""
    return function_name(work.kernel, work.stores, work.shape)


def _value(work: ThreadWork, arguments: KernelArguments) -> int | float:
    """Return what a reducing kernel summed up: words as they are, products as the double whose bits they are."""
    if work.kernel.words or not work.kernel.reduces:
        return int(arguments.result)
    (value,) = struct.unpack("d", struct.pack("Q", arguments.result))
    return float(value)


# --- a core's clock -------------------------------------------------------------------------------------------------

# A tenth of a millisecond at 3 GHz: long beside a reading of the time, short beside a block.
CLOCK_CALLS = 5_000
CLOCK_TRIES = 3
# Any numbers with many bits set do: the compiler must not know them.
CLOCK_OPERANDS = (0x9E37_79B9_7F4A_7C15, 0xD1B5_4A32_D192_ED03)


def clock_hz(function: Callable[[KernelArguments], None], barrier: Barrier, team: Team) -> float | None:
    """Return the clock of the first worker's core just now in Hz; None where the system stopped it meanwhile.

    The fastest of a few tries: an interrupt can only make one look slower.
    """
    one, other = CLOCK_OPERANDS
    seen = []
    for _ in range(CLOCK_TRIES):
        barrier.open()
        arguments = barrier.arguments(threads=1, source_0=1, source_1=one, destination=other, calls=CLOCK_CALLS)
        team.each([partial(function, arguments)])
        if arguments.made == CLOCK_CALLS and arguments.end_ns > arguments.start_ns:
            seen.append(CLOCK_CALLS * CHAIN_LENGTH / (arguments.end_ns - arguments.start_ns) * NS_PER_S)
    return max(seen, default=None)
