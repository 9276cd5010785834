"""The contract of an engine: what a plan asks of it, what a run calls, and what a block gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from bandwidth.machine.facts import Facts
from bandwidth.machine.gpu_attributes import GpuFacts
from bandwidth.machine.reader import Reader
from bandwidth.machine.topology import Topology
from bandwidth.results import Case
from bandwidth.vocabulary import HOST_MEMORY


@dataclass(frozen=True)
class Block:
    """One timed block: from the first worker's start to the last worker's end, and how far apart they started.

    `pinned` tells whether every worker was bound to its CPU; `observed` is what else was seen, as in `Result`, and
    `tuning` what was tried and chosen for the case. `layout` is the number of the memory layout that it ran on,
    `trials_s` how long trials took that went before it, and before no other block of the case.
    """

    seconds: float
    start_skew_s: float
    pinned: bool = True
    observed: Mapping[str, float] = field(default_factory=dict)
    tuning: Mapping[str, Any] = field(default_factory=dict)
    layout: int = 1
    trials_s: float = 0.0


# Why a case is refused for which there was no time to make its memory ready.
TOO_LONG = "filling its memory takes longer than the budget; use a longer --budget"


class Engine(Protocol):
    """Four methods. All cases share an engine's memory, so `verify` speaks of the block that ran last.

    `compile_s` is how much of the time of `prepare` went into making code, which is not the measurement's.
    """

    compile_s: float

    def prepare(self, cases: Sequence[Case], limit_s: float) -> Mapping[str, str]:
        """Lay out and fill the memory of all cases; every page is written by the thread that will use it.

        Returns the ids of cases that cannot be measured here, with the reason: TOO_LONG where only time is lacking.
        Cases come the most important first: what is prepared one by one is in that order. Raises BandwidthError where
        there is not enough memory, or where filling it takes longer than `limit_s`, code apart.
        """

    def run_block(self, case: Case, calls: int) -> Block:
        """Run `calls` passes of a case and return their time. Sources or scalars differ from the block before.

        Raises BandwidthError where the machine did not let it run to its end.
        """

    def verify(self, case: Case, *, whole: bool) -> str:
        """Return what is wrong with what the last block of `case` left, or "": all of it, or a sample of all parts."""

    def close(self) -> None:
        """End the workers and give the memory back; blocks that are under way end first."""


@runtime_checkable
class LaysOutAnew(Protocol):
    """An engine that can give all its cases other pages between two blocks; it took `fill_s` seconds the last time."""

    fill_s: float

    def lay_out_anew(self, limit_s: float) -> None:
        """Give the memory back, and lay it out and fill it again.

        Raises BandwidthError where the system refuses the memory, or filling it takes longer than `limit_s`.
        """


# Asked for the state of a device by its PCI address while work is under way there: names and numbers.
Telemetry = Callable[[str], Mapping[str, float]]
# The bytes that have been counted up to now, by what is counted.
Counters = Callable[[], Mapping[str, float]]


@dataclass(frozen=True)
class Site:
    """Where engines work: the machine's layout, the GPUs that are to be measured, and who sees their state.

    `retunes` tells that what earlier runs found to be the fastest here is to be found anew; `counters` returns the
    bytes that the memory controllers have counted, by `read`, `write` or `both`, None where they are not to be asked.
    """

    topology: Topology
    gpus: tuple[GpuFacts, ...] = ()
    telemetry: Telemetry | None = None
    retunes: bool = False
    counters: Counters | None = None


@dataclass(frozen=True)
class DeviceMaker:
    """What a plan asks an engine of GPUs.

    `find` returns GPUs by their numbers, None for all, and raises HardwareError where one cannot be used; `sight` is
    the same without opening any, so that they take no part in what is measured meanwhile. `is_asked` tells both that
    the engine was named: some have devices that are no GPUs, and offer them only then. `advice` is the command that
    shows who uses a device. `has_peers` and `has_latency`: copies between devices and the time of a load can be had.
    """

    find: Callable[[Sequence[int] | None, bool], tuple[GpuFacts, ...]]
    sight: Callable[[Sequence[int] | None, bool], tuple[GpuFacts, ...]]
    host_memory: tuple[str, ...] = HOST_MEMORY
    has_peers: bool = True
    advice: str = ""


class WholeOffload(Protocol):
    """Times one expression over data of some bytes, pass after pass, on the host and on a device."""

    def host_s(self, size_bytes: int, passes: int) -> float:
        """Return the median seconds of so many passes on the host."""

    def device_s(self, size_bytes: int, passes: int) -> float:
        """Return the median seconds on the device, with the way there and the result's way back."""

    def close(self) -> None:
        """Give the memory back."""


@dataclass(frozen=True)
class OffloadMaker:
    """What an engine of GPUs times end to end: the expression as code, the bytes of its result, and who runs it.

    `make` takes the most bytes, whether the host's memory is page-locked, and whether the data is on the device before.
    `check` raises HardwareError where no GPU can be used.
    """

    expression: str
    result_bytes: int
    check: Callable[[], None]
    make: Callable[[int, bool, bool], WholeOffload]


@dataclass(frozen=True)
class EngineEntry:
    """An engine as the registry lists it: its targets, its kernels, the most important first, and what it is.

    `make` takes the names of the engines that it is to be and returns one object for all of them: they share memory.
    `lacks` returns what has to be installed before it can be used, "" where nothing has. An engine of GPUs has `maker`,
    and `sign`, which tells by the machine's facts whether one of its GPUs is here; with `offload` one that times an
    expression from end to end. `is_listed`: `system` asks it which devices are here, as neither bus nor driver tells.
    `label` is what people call it, where that is not its name.
    """

    name: str
    targets: tuple[str, ...]
    kernels: tuple[str, ...]
    make: Callable[[Sequence[str], Site], Engine]
    what: str
    has_stores: bool = False
    lacks: Callable[[], str] = lambda: ""
    maker: Callable[[], DeviceMaker] | None = None
    sign: Callable[[Reader, Facts], bool] = lambda *_: False
    offload: Callable[[], OffloadMaker] | None = None
    is_listed: bool = False
    label: str = ""
