"""What a processor is to those who make code for it: its names, its vectors, and which functions a kernel has there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from bandwidth.kernels import ELEMENT_BYTES, Kernel
from bandwidth.vocabulary import ORDINARY, STREAMING

# The families that code is written for, by the beginning of LLVM's name for the system: another's intrinsics and
# registers, and 32-bit processors, end the whole interpreter in LLVM, so that what is not here is refused.
X86, ARM, POWER, RISCV, Z, LOONGARCH = "x86", "Arm", "Power", "RISC-V", "Z", "LoongArch"
_FAMILIES = {
    "x86_64": X86,
    "amd64": X86,
    "aarch64": ARM,
    "arm64": ARM,
    "powerpc64le": POWER,
    "ppc64le": POWER,
    "riscv64": RISCV,
    "s390x": Z,
    "loongarch64": LOONGARCH,
}


@dataclass(frozen=True)
class LlvmProcessor:
    """What code is made for: LLVM's names of the system, the processor and its features, and its vectors' width."""

    triple: str
    cpu: str
    features: str
    vector_bytes: int

    @property
    def family(self) -> str:
        """Which family it belongs to, "" for one that no code is written for."""
        return _family(self.triple)

    @property
    def has_streaming_stores(self) -> bool:
        """Whether LLVM makes stores that go past the caches; elsewhere it makes ordinary ones of them, untold."""
        return self.family in (X86, ARM)

    @property
    def is_arm(self) -> bool:
        """Whether it is a 64-bit Arm processor."""
        return self.family == ARM

    @property
    def lanes(self) -> int:
        """How many elements a vector holds."""
        return self.vector_bytes // ELEMENT_BYTES


def vector_bytes(triple: str, features: Mapping[str, bool]) -> int:
    """Return how many bytes the processor's widest load and store move; on Arm two registers, which STNP stores."""
    if _family(triple) == ARM:
        return 32
    return 64 if features.get("avx512f") else 32 if features.get("avx2") else 16


def _family(triple: str) -> str:
    architecture = triple.partition("-")[0]
    # Apple's is arm64e, Microsoft's arm64ec, and 32-bit Arm is armv7l: none of 64 bits is written otherwise.
    found = [family for name, family in _FAMILIES.items() if architecture.startswith(name)]
    return found[0] if found else ""


# --- the forms of a kernel ------------------------------------------------------------------------------------------

# From this much of each array on what follows is chosen for memory, below it for caches.
LARGE_BYTES = 4 * 1024**2
# Widths of vectors below the widest.
HALF_BYTES, NARROW_BYTES = 32, 16
# Kernels of at most so many arrays gain by more requests under way to memory: narrower vectors, and pages abreast.
MOST_ABREAST_ARRAYS = 2
# The functions that every library has, whatever its rows.
CHASE, CLOCK, PACED_READ = "chase", "clock", "paced_read"
HOPS, ADDITIONS = "hops", "additions"

# A kernel, its kind of store, and the width of its vectors in bytes, 0 for the processor's widest.
Row: TypeAlias = tuple[Kernel, str | None, int]


def function_name(kernel: Kernel, stores: str | None, vector_bytes: int = 0) -> str:
    """Return the name of a kernel's function in a Library."""
    width = f"_{vector_bytes}" if vector_bytes else ""
    return f"{kernel.name}_{stores or 'none'}{width}".replace(" ", "_").replace(":", "_")


def chases_name(chains: int) -> str:
    """Return the name of the function that follows so many chains of loads at once."""
    return f"{CHASE}_{chains}"


def widths(kernel: Kernel, stores: str | None, processor: LlvmProcessor) -> tuple[int, ...]:
    """Return all widths of vectors that a kernel is compiled with, 0 for the widest."""
    return tuple(dict.fromkeys((*widths_to_try(stores, processor), width_for_memory(kernel, stores, processor))))


def widths_to_try(stores: str | None, processor: LlvmProcessor) -> tuple[int, ...]:
    """Return the widths of vectors that may be the fastest in caches, 0 for the widest.

    Ordinary stores of 64 bytes fill a second-level cache slower than two of 32 on some processors (Intel's since 2021,
    by a tenth in a triad): there it has to be tried.
    """
    return (0, HALF_BYTES) if stores == ORDINARY and processor.vector_bytes > HALF_BYTES else (0,)


def width_for_memory(kernel: Kernel, stores: str | None, processor: LlvmProcessor) -> int:
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
