"""The figures of the model, where each came from, and what the user asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

from bandwidth.offload.model import CacheRate, Model, Workload
from bandwidth.results import Record
from bandwidth.vocabulary import PINNED

Kind = Literal["theory", "record", "measured", "given", "default"]


@dataclass(frozen=True)
class SourcedFigure:
    """A number in bytes per second or in seconds, of which kind it is, and what exactly it is."""

    value: float
    kind: Kind
    source: str


HOST_LATENCY = SourcedFigure(1e-6, "default", "a NumPy call on one element: 0.7 us on a Xeon")
LAUNCH_LATENCY = SourcedFigure(
    5e-6, "default", "2 to 3 us queued, 7 to 10 with synchronisation (CSCS's ReFrame references, P100 to A100)"
)
LINK_LATENCY = SourcedFigure(
    1e-5, "default", "5 to 7 us to submit a copy (Wu et al., arXiv 2602.21548), plus the wait for it"
)


@dataclass(frozen=True)
class Source:
    """A record with the name that is shown, and whether it was made now."""

    name: str
    record: Record
    kind: Kind = "record"


@dataclass(frozen=True)
class Asked:
    """What the user gave. `host`, `device` and `link` are SPECs or rates such as `90GB/s`; None: take a record's.

    `engine` and `threads` narrow what of the host is taken from a record; latencies are seconds, None: the default.
    `needs_link` is false of work that moves nothing.
    """

    host: str | None = None
    device: str | None = None
    link: str | None = None
    sources: tuple[Source, ...] = ()
    kernel: str | None = None
    host_memory: str = PINNED
    engine: str | None = None
    threads: int | None = None
    host_latency_s: float | None = None
    launch_latency_s: float | None = None
    link_latency_s: float | None = None
    needs_link: bool = True


@dataclass(frozen=True)
class Figures:
    """All figures of the model. `capacity_bytes` is one device's memory, None where not known.

    `cache_bytes` is what the host's last cache holds, None where not known; `caches` those with a measured bandwidth.
    Where CPU and GPU share one memory, `shared` says who (`CPU and GPU of M4`) and nothing is moved: there is no link.
    There is none either where none is needed.
    """

    host: SourcedFigure
    link: SourcedFigure | None
    device: SourcedFigure
    link_back: SourcedFigure | None
    host_latency: SourcedFigure = HOST_LATENCY
    launch_latency: SourcedFigure = LAUNCH_LATENCY
    link_latency: SourcedFigure = LINK_LATENCY
    caches: tuple[CacheRate, ...] = ()
    cache_bytes: int | None = None
    capacity_bytes: int | None = None
    notes: tuple[str, ...] = field(default=())
    shared: str = ""

    @property
    def tell_apart(self) -> bool:
        """Whether they say which is faster: the peak of one memory does not say what CPU and GPU each reach of it."""
        return not self.shared or self.host != self.device

    def model(self, work: Workload) -> Model:
        """Return the model of some work with these figures."""
        if self.shared:
            work = replace(work, resident=True, result_bytes=0, result_share=0.0)
        return Model(
            host_bytes_per_s=self.host.value,
            link_bytes_per_s=math.inf if self.link is None else self.link.value,
            device_bytes_per_s=self.device.value,
            link_back_bytes_per_s=math.inf if self.link_back is None else self.link_back.value,
            host_latency_s=self.host_latency.value,
            launch_latency_s=self.launch_latency.value,
            link_latency_s=self.link_latency.value,
            caches=self.caches,
            work=work,
        )
