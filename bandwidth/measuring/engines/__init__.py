"""What measures: an engine lays out data, runs timed blocks of a case, and checks what they left.

A new engine is one module here and one line in ENGINES. Engines are imported when they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bandwidth.machine.topology import Topology
from bandwidth.results import Case


@dataclass(frozen=True)
class Block:
    """One timed block: from the first worker's start to the last worker's end, and how far apart they started.

    `pinned` tells whether every worker was bound to its CPU.
    """

    seconds: float
    start_skew_s: float
    pinned: bool = True


class Engine(Protocol):
    """Four methods. All cases share an engine's memory, so `verify` speaks of the block that ran last."""

    def prepare(self, cases: Sequence[Case], limit_s: float) -> None:
        """Lay out and fill the memory of all cases; every page is written by the thread that will use it.

        Raises BandwidthError where there is not enough of it, or where filling it takes longer than `limit_s`.
        """

    def run_block(self, case: Case, calls: int) -> Block:
        """Run `calls` passes of a case and return their time. Sources or scalars differ from the block before."""

    def verify(self, case: Case, *, whole: bool) -> str:
        """Return what is wrong with what the last block of `case` left, or "": all of it, or a sample of all parts."""

    def close(self) -> None:
        """End the workers and give the memory back; blocks that are under way end first."""


@dataclass(frozen=True)
class EngineEntry:
    """A row of ENGINES: the targets it can measure, its kernels, and how it is made for a machine's layout."""

    name: str
    targets: tuple[str, ...]
    kernels: tuple[str, ...]
    make: Callable[[Topology], Engine]
    what: str


def _numpy_host(topology: Topology) -> Engine:
    from bandwidth.measuring.engines.numpy_host import NumpyHostEngine

    return NumpyHostEngine(topology)


# In the order of priority: when the budget cannot hold all, the first engine's cases go first.
ENGINES: dict[str, EngineEntry] = {
    "numpy": EngineEntry(
        "numpy", ("host",), ("copy", "read", "scale", "add", "write"), _numpy_host, "what NumPy code gets"
    ),
}
