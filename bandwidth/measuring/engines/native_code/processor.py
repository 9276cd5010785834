"""What a processor is to those who make code for it: its names, and how much its vectors hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bandwidth.measuring.kernels import ELEMENT_BYTES

LINE_BYTES = 64


@dataclass(frozen=True)
class Processor:
    """What code is made for: LLVM's names of the system, the processor and its features, and its vectors' width."""

    triple: str
    cpu: str
    features: str
    vector_bytes: int

    @property
    def is_arm(self) -> bool:
        """Whether it is a 64-bit Arm processor."""
        return _is_arm(self.triple)

    @property
    def lanes(self) -> int:
        """How many elements a vector holds."""
        return self.vector_bytes // ELEMENT_BYTES


def vector_bytes(triple: str, features: Mapping[str, bool]) -> int:
    """Return how many bytes the processor's widest load and store move; on Arm two registers, which STNP stores."""
    if _is_arm(triple):
        return 32
    return 64 if features.get("avx512f") else 32 if features.get("avx2") else 16


def _is_arm(triple: str) -> bool:
    return triple.startswith(("aarch64", "arm64"))
