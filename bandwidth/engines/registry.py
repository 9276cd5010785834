"""What measures: an engine lays out data, runs timed blocks of a case, and checks what they left.

A new engine is one module here and one line in ENGINES. Engines are imported when they are asked for.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bandwidth.machine.topology import Topology
from bandwidth.machine.gpu_attributes import GpuFacts
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
    """Four methods. All cases share an engine's memory, so `verify` speaks of the block that ran last.

    `compile_s` is how much of the time of `prepare` went into making code, which is not the measurement's.
    """

    compile_s: float

    def prepare(self, cases: Sequence[Case], limit_s: float) -> Mapping[str, str]:
        """Lay out and fill the memory of all cases; every page is written by the thread that will use it.

        Returns the ids of cases that cannot be measured here, with the reason. Raises BandwidthError where there is
        not enough memory, or where filling it takes longer than `limit_s`, code apart.
        """

    def run_block(self, case: Case, calls: int) -> Block:
        """Run `calls` passes of a case and return their time. Sources or scalars differ from the block before.

        Raises BandwidthError where the machine did not let it run to its end.
        """

    def verify(self, case: Case, *, whole: bool) -> str:
        """Return what is wrong with what the last block of `case` left, or "": all of it, or a sample of all parts."""

    def close(self) -> None:
        """End the workers and give the memory back; blocks that are under way end first."""


# Asked for the state of a device by its PCI address while work is under way there: names and numbers.
Look = Callable[[str], Mapping[str, float]]


@dataclass(frozen=True)
class Site:
    """Where engines work: the machine's layout, the GPUs that are to be measured, and who sees their state."""

    topology: Topology
    gpus: tuple[GpuFacts, ...] = ()
    look: Look | None = None


@dataclass(frozen=True)
class DeviceMaker:
    """What a plan asks an engine of GPUs.

    `find` returns GPUs by their numbers, None for all, and raises HardwareError where one cannot be used; `sight` is
    the same without opening any, so that they take no part in what is measured meanwhile. `needed_bytes` is the memory
    that a case takes on each of its devices, of which `kept_free_bytes` are left free.
    """

    find: Callable[[Sequence[int] | None], tuple[GpuFacts, ...]]
    sight: Callable[[Sequence[int] | None], tuple[GpuFacts, ...]]
    needed_bytes: Callable[[Case], int]
    kept_free_bytes: int
    loads_per_call: int
    line_bytes: int


@dataclass(frozen=True)
class EngineEntry:
    """A row of ENGINES: the targets it can measure, its kernels, the most important first, and what it is.

    Engines of one `family` share memory: one object measures for all of them. `lacks` returns what has to be installed
    before it can be used, "" where nothing has. An engine of GPUs has `maker`, which imports it.
    """

    name: str
    targets: tuple[str, ...]
    kernels: tuple[str, ...]
    family: str
    what: str
    has_stores: bool = False
    lacks: Callable[[], str] = lambda: ""
    maker: Callable[[], DeviceMaker] | None = None


def engines_of(target: str) -> dict[str, EngineEntry]:
    """Return the engines that can measure a target."""
    return {name: entry for name, entry in ENGINES.items() if target in entry.targets}


def make_engines(
    names: Sequence[str], topology: Topology, gpus: Sequence[GpuFacts] = (), look: Look | None = None
) -> dict[str, Engine]:
    """Return the engines of these names for a machine's layout; those of one family are one object."""
    site = Site(topology, tuple(gpus), look)
    families = dict.fromkeys(ENGINES[name].family for name in names)
    made = {family: FAMILIES[family]([n for n in names if ENGINES[n].family == family], site) for family in families}
    return {name: made[ENGINES[name].family] for name in names}


def _host(names: Sequence[str], site: Site) -> Engine:
    from bandwidth.engines.host.engine import HostEngine, Runner
    from bandwidth.engines.host.native_runner import NativeRunner
    from bandwidth.engines.host.numpy_runner import NumpyRunner

    runners: dict[str, Callable[[], Runner]] = {"native": NativeRunner, "numpy": NumpyRunner}
    return HostEngine(site.topology, {name: runners[name]() for name in names})


def _lacks_llvm() -> str:
    from bandwidth.engines.host.native_code.job import has_system_functions

    if not has_system_functions():
        return "they run on Linux and macOS"
    is_there = importlib.util.find_spec("llvmlite") is not None
    return "" if is_there else "llvmlite is not installed: pip install 'membandwidth[native]'"


def _cuda(_: Sequence[str], site: Site) -> Engine:
    from bandwidth.engines.cuda.engine import cuda_engine

    return cuda_engine(site.topology, site.look, found=site.gpus)


def _lacks_cupy() -> str:
    from bandwidth.engines.cuda.errors import EXTRAS

    return (
        ""
        if importlib.util.find_spec("cupy") is not None
        else f"CuPy, which drives the GPU, is not installed: {EXTRAS}"
    )


def _cuda_maker() -> DeviceMaker:
    from bandwidth.engines.cuda import cases as cuda_cases
    from bandwidth.engines.cuda import device as cuda_device
    from bandwidth.engines.cuda import discovery as cuda_finding
    from bandwidth.engines.cuda import source as cuda_kernels
    from bandwidth.engines.cuda import passes as cuda_passes

    return DeviceMaker(
        find=lambda numbers: cuda_finding.devices(numbers=numbers),
        sight=lambda numbers: cuda_finding.devices(numbers=numbers, opened=False),
        needed_bytes=cuda_cases.needed_bytes,
        kept_free_bytes=cuda_device.KEPT_FREE_BYTES,
        loads_per_call=cuda_kernels.LOADS_PER_CALL,
        line_bytes=cuda_passes.NODE_BYTES,
    )


FAMILIES: dict[str, Callable[[Sequence[str], Site], Engine]] = {"host": _host, "cuda": _cuda}
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
    "cuda": EngineEntry(
        "cuda",
        ("device", "pcie"),
        ("triad", "copy", "read", "write", "scale", "add", "dot", "memcpy", "memset"),
        "cuda",
        "NVIDIA GPUs through CuPy",
        lacks=_lacks_cupy,
        maker=_cuda_maker,
    ),
}
