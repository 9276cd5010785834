"""What measures: an engine lays out data, runs timed blocks of a case, and checks what they left.

A new engine is one module here and one line in ENGINES. Engines are imported when they are asked for.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bandwidth.machine.topology import Topology
from bandwidth.results import Case


@dataclass(frozen=True)
class Block:
    """One timed block: from the first worker's start to the last worker's end, and how far apart they started.

    `pinned` tells whether every worker was bound to its CPU; `observed` is what else was seen, as in `Result`, and
    `tuning` what was tried and chosen for the case.
    """

    seconds: float
    start_skew_s: float
    pinned: bool = True
    observed: Mapping[str, float] = field(default_factory=dict)
    tuning: Mapping[str, Any] = field(default_factory=dict)


class Engine(Protocol):
    """Four methods. All cases share an engine's memory, so `verify` speaks of the block that ran last."""

    def prepare(self, cases: Sequence[Case], limit_s: float) -> Mapping[str, str]:
        """Lay out and fill the memory of all cases; every page is written by the thread that will use it.

        Returns the ids of cases that cannot be measured here, with the reason. Raises BandwidthError where there is
        not enough memory, or where filling it takes longer than `limit_s`.
        """

    def run_block(self, case: Case, calls: int) -> Block:
        """Run `calls` passes of a case and return their time. Sources or scalars differ from the block before.

        Raises BandwidthError where the machine did not let it run to its end.
        """

    def verify(self, case: Case, *, whole: bool) -> str:
        """Return what is wrong with what the last block of `case` left, or "": all of it, or a sample of all parts."""

    def close(self) -> None:
        """End the workers and give the memory back; blocks that are under way end first."""


@dataclass(frozen=True)
class EngineEntry:
    """A row of ENGINES: the targets it can measure, its kernels, the most important first, and what it is.

    Engines of one `family` share memory: one object measures for all of them. `lacks` returns what has to be installed
    before it can be used, "" where nothing has.
    """

    name: str
    targets: tuple[str, ...]
    kernels: tuple[str, ...]
    family: str
    what: str
    has_stores: bool = False
    lacks: Callable[[], str] = lambda: ""


def make_engines(names: Sequence[str], topology: Topology) -> dict[str, Engine]:
    """Return the engines of these names for a machine's layout; those of one family are one object."""
    families = dict.fromkeys(ENGINES[name].family for name in names)
    made = {
        family: FAMILIES[family]([n for n in names if ENGINES[n].family == family], topology) for family in families
    }
    return {name: made[ENGINES[name].family] for name in names}


def _host(names: Sequence[str], topology: Topology) -> Engine:
    from bandwidth.measuring.engines.host import HostEngine, Runner
    from bandwidth.measuring.engines.native_host import NativeRunner
    from bandwidth.measuring.engines.numpy_host import NumpyRunner

    runners: dict[str, Callable[[], Runner]] = {"native": NativeRunner, "numpy": NumpyRunner}
    return HostEngine(topology, {name: runners[name]() for name in names})


def _lacks_llvm() -> str:
    from bandwidth.measuring.engines.native_job import has_system_functions

    if not has_system_functions():
        return "they run on Linux and macOS"
    is_there = importlib.util.find_spec("llvmlite") is not None
    return "" if is_there else "llvmlite is not installed: pip install 'membandwidth[native]'"


FAMILIES: dict[str, Callable[[Sequence[str], Topology], Engine]] = {"host": _host}
# In the order in which results stand in a table.
ENGINES: dict[str, EngineEntry] = {
    "native": EngineEntry(
        "native",
        ("host",),
        ("copy", "read", "triad", "write", "scale", "add", "dot"),
        "host",
        "what the memory can do",
        has_stores=True,
        lacks=_lacks_llvm,
    ),
    "numpy": EngineEntry("numpy", ("host",), ("copy", "read", "write", "scale", "add"), "host", "what NumPy code gets"),
}
