"""What a processor is to those who make code for it: its names and its vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bandwidth.kernels import ELEMENT_BYTES

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
    def is_windows(self) -> bool:
        """Whether the system is Windows, whose clock is asked in another way."""
        return "-windows" in self.triple

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


# The functions that every library has, whatever its rows.
CHASE, CLOCK, PACED_READ = "chase", "clock", "paced_read"
HOPS, ADDITIONS = "hops", "additions"
PACED_MIX = "paced_mix"


def chases_name(chains: int) -> str:
    """Return the name of the function that follows so many chains of loads at once."""
    return f"{CHASE}_{chains}"
