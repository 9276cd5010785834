"""What a host engine asks of whoever runs its passes: NumPy, or compiled code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bandwidth.engines.host.memory import Part
from bandwidth.engines.host.workers import Stamp, Team
from bandwidth.kernels import Kernel
from bandwidth.results import Case


@dataclass(frozen=True)
class Work:
    """What one thread does in one call: a kernel on its arrays, with a kind of store where there is a choice.

    `vector_bytes` is the width of the vectors where several were tried, 0 for the widest.
    """

    kernel: Kernel
    stores: str | None
    part: Part
    scalar: float
    vector_bytes: int = 0


class Runner(Protocol):
    """How passes are run: by NumPy calls, or by compiled code."""

    def prepare(self, cases: Sequence[Case]) -> Mapping[str, str]:
        """Get ready for the kernels of some cases, and return the ids of those that cannot be had, with the reason.

        Raises BandwidthError where none can.
        """

    def run(self, team: Team, works: Sequence[Work], calls: int) -> list[Stamp]:
        """Run each thread's work `calls` times, all at once; a stamp's value is what a reducing kernel returned.

        That is what `joined` makes of the last pass modulo 2^64, or the sum of all passes' products.
        """

    def joined(self, columns: Sequence[int]) -> int:
        """Return the word that a pass makes of the exclusive ors of its eight columns of words."""

    def tune(self, team: Team, works: Sequence[Work]) -> int:
        """Return the width of vectors in bytes that does some work fastest, 0 for the widest or where none is known."""

    def clock_hz(self, team: Team) -> float | None:
        """Return the clock of the first worker's core just now in Hz, None where it cannot be seen."""

    def stop(self) -> None:
        """End work that is under way after the pass that it is in."""
