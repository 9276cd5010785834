"""What a compiled function is told, and what it tells: plain memory that Python and machine code share."""

from __future__ import annotations

import ctypes
from enum import IntEnum

from bandwidth.engines.host import operating_system

# Dependent instructions in one call of the functions that measure latency and the clock.
CHAIN_LENGTH = 64
# The load beside a latency is read in pieces of this many bytes: small beside any cache, long beside a look at the
# clock.
CHUNK_BYTES = 16 * 1024
# Chains of dependent additions side by side, as many as a wide core makes in a cycle, and additions of each in a pass:
# a few microseconds, long beside a look at the clock.
ADDITION_CHAINS = 6
CHAIN_ADDITIONS = 4096
# A pass of additions that takes longer than this was interrupted: by the system, or by a hypervisor. Schedulers give a
# CPU away for a millisecond or more; the slowest core makes a pass in a fourth of it.
INTERRUPTED_NS = 100_000
# Memory that threads write while others look at it lies this far apart, so that they do not share a cache line.
APART_BYTES = 256


class Status(IntEnum):
    """How a compiled function ended."""

    DONE = 1
    NEVER_MET = 2


# Addresses are numbers, times nanoseconds of one monotonic clock.
ARGUMENT_FIELDS: dict[str, type[ctypes.c_uint64] | type[ctypes.c_int64] | type[ctypes.c_double]] = {
    "source_0": ctypes.c_uint64,  # the arrays that are read
    "source_1": ctypes.c_uint64,
    "destination": ctypes.c_uint64,  # the array that is written
    "elements": ctypes.c_uint64,  # of each array
    "calls": ctypes.c_uint64,  # passes
    "scalar": ctypes.c_double,
    "barrier": ctypes.c_uint64,  # of a 64-bit counter that begins at 0 in every block
    "threads": ctypes.c_uint64,  # how many come to it
    "stop": ctypes.c_uint64,  # of a 32-bit flag: not 0 ends the work after the pass that runs
    "interval_ns": ctypes.c_uint64,  # of a paced load the time of a chunk; of a probe how long it lasts at most
    "clock_function": ctypes.c_uint64,
    "clock_number": ctypes.c_uint64,  # which of the system's clocks; on Windows its ticks a second
    "yield_function": ctypes.c_uint64,
    "start_ns": ctypes.c_int64,  # from here on what the function tells
    "end_ns": ctypes.c_int64,
    "result": ctypes.c_uint64,  # the sum of words, or the bits of a sum of doubles
    "made": ctypes.c_uint64,  # passes made, or chunks
    "fastest_ns": ctypes.c_uint64,  # of hops: the shortest pass but the first, 0 where there was none
    "lost_ns": ctypes.c_uint64,  # of additions: the time of passes that were interrupted
    "status": ctypes.c_uint64,
}


class KernelArguments(ctypes.Structure):
    """One thread's part of one block; ARGUMENT_FIELDS says what each field is."""

    _fields_ = tuple(ARGUMENT_FIELDS.items())


class Barrier:
    """What the threads of one block share: the counter where they meet, and the flag that ends their work."""

    def __init__(self) -> None:
        self._memory = ctypes.create_string_buffer(3 * APART_BYTES)
        self._counter = -(-ctypes.addressof(self._memory) // APART_BYTES) * APART_BYTES
        self._stop = self._counter + APART_BYTES

    def arguments(self, *, threads: int, **fields: float) -> KernelArguments:
        """Return a arguments of a block of `threads`; the other fields as in ARGUMENT_FIELDS."""
        calls = operating_system.here().calls_of_code()
        return KernelArguments(barrier=self._counter, threads=threads, stop=self._stop, **calls, **fields)

    def open(self) -> None:
        """Set the counter and the flag back, for the next block."""
        ctypes.c_uint64.from_address(self._counter).value = 0
        ctypes.c_uint32.from_address(self._stop).value = 0

    @property
    def stop_address(self) -> int:
        """The address of the flag."""
        return self._stop

    @property
    def is_stopped(self) -> bool:
        """Whether the work was told to end."""
        return ctypes.c_uint32.from_address(self._stop).value != 0

    def stop(self) -> None:
        """End the work of all threads after the passes that run."""
        ctypes.c_uint32.from_address(self._stop).value = 1
