"""Which functions are compiled: what they are called, and with which widths of vectors a kernel has one."""

from __future__ import annotations

from typing import TypeAlias

from bandwidth.engines.host.native_code.processor import Processor
from bandwidth.kernels import Kernel
from bandwidth.vocabulary import ORDINARY, STREAMING

# From this much of each array on what follows is chosen for memory, below it for caches.
LARGE_BYTES = 4 * 1024**2
# Widths of vectors below the widest.
HALF_BYTES, NARROW_BYTES = 32, 16
# Kernels of at most so many arrays gain by more requests under way to memory: narrower vectors, and pages abreast.
MOST_ABREAST_ARRAYS = 2
# The functions that every library has, whatever its rows.
CHASE, CLOCK, PACED_READ = "chase", "clock", "paced_read"

# A kernel, its kind of store, and the width of its vectors in bytes, 0 for the processor's widest.
Row: TypeAlias = tuple[Kernel, str | None, int]


def function_name(kernel: Kernel, stores: str | None, vector_bytes: int = 0) -> str:
    """Return the name of a kernel's function in a Library."""
    width = f"_{vector_bytes}" if vector_bytes else ""
    return f"{kernel.name}_{stores or 'none'}{width}".replace(" ", "_").replace(":", "_")


def widths(kernel: Kernel, stores: str | None, processor: Processor) -> tuple[int, ...]:
    """Return all widths of vectors that a kernel is compiled with, 0 for the widest."""
    return tuple(dict.fromkeys((*widths_to_try(stores, processor), width_for_memory(kernel, stores, processor))))


def widths_to_try(stores: str | None, processor: Processor) -> tuple[int, ...]:
    """Return the widths of vectors that may be the fastest in caches, 0 for the widest.

    Ordinary stores of 64 bytes fill a second-level cache slower than two of 32 on some processors (Intel's since 2021,
    by a tenth in a triad): there it has to be tried.
    """
    return (0, HALF_BYTES) if stores == ORDINARY and processor.vector_bytes > HALF_BYTES else (0,)


def width_for_memory(kernel: Kernel, stores: str | None, processor: Processor) -> int:
    """Return the width of vectors for arrays in memory, 0 for the widest.

    Narrow loads ask for no more than the memory gives, which leaves the prefetcher its lead: on a Xeon of 2024, one
    thread, a read gains 12 % with vectors of 16 bytes and a line a turn, and a streaming copy 7 % with those of 32.
    """
    wanted = 0
    if kernel.reduces:
        wanted = NARROW_BYTES
    elif stores == STREAMING and kernel.arrays <= MOST_ABREAST_ARRAYS:
        wanted = HALF_BYTES
    return wanted if wanted < processor.vector_bytes and not processor.is_arm else 0
