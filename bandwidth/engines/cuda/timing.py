"""How work on GPUs is timed: by events on the device around work that is queued ahead of it.

Where the host itself moves the data (pageable memory), by the host's clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bandwidth.engines.cuda.device import Gpu
from bandwidth.engines.cuda.errors import is_refusal

MS_PER_S = 1000
# More calls than this are queued as graphs: a launch from Python takes some 10 us, one in a graph 1 or 2.
MOST_DIRECT_CALLS = 32
CALLS_PER_GRAPH = 100


class GpuWork(Protocol):
    """What one stream does in a block.

    `ready` queues what is not timed, `queue` one call, `calls` times in all; `check` returns what is wrong with what
    the block left, or "": of all of it, or of parts. `by_host`: the host moves the data, and the call returns after.
    The device is active in each.
    """

    gpu: Gpu
    stream: Any
    calls: int
    by_host: bool

    def ready(self) -> None:
        """Queue what goes before the clock starts."""

    def queue(self) -> None:
        """Queue one call."""

    def check(self, *, whole: bool) -> str:
        """Return what is wrong with what was left."""


@dataclass(frozen=True)
class Timing:
    """Seconds from the first start to the last end, how far apart the host started the streams, and each one's own
    seconds where all are on one device."""

    seconds: float
    start_skew_s: float
    own_seconds: tuple[float, ...] = ()


class _Lane:
    """A stream with its work, ready to be played."""

    def __init__(self, work: GpuWork, *, in_graphs: bool) -> None:
        self.work = work
        self._graph: Any = None
        self._per_graph = min(CALLS_PER_GRAPH, work.calls)
        event = work.gpu.module.cuda.Event
        with work.gpu.active():
            self.is_ready, self.start, self.end = event(), event(), event()
            if in_graphs or work.calls > MOST_DIRECT_CALLS:
                self._graph = self._captured()

    def _captured(self) -> Any:
        """Return calls as a graph; None where the driver makes none of their kind: they are queued one by one.

        A call that cannot be captured fails at once (900 to 909); of some the graph that was captured is refused (1,
        801), as of copies between devices without direct access.
        """
        stream = self.work.stream
        try:
            with stream:
                stream.begin_capture()
                try:
                    for _ in range(self._per_graph):
                        self.work.queue()
                finally:
                    graph = stream.end_capture()
        except RuntimeError as error:  # of the runtime, or of a kernel's launch, which is the driver's
            if not is_refusal(error):
                raise
            return None
        return graph

    def make_ready(self) -> None:
        with self.work.gpu.active():
            self.work.ready()
            self.is_ready.record(self.work.gpu.stream)
            self.work.stream.wait_event(self.is_ready)
            if self._graph is not None:  # else its first launch brings it to the device, which would be timed
                self._graph.upload(self.work.stream)

    def play(self, after: Any) -> None:
        """Queue all calls, behind an event of another stream where there is one."""
        with self.work.gpu.active():
            if after is not None:
                self.work.stream.wait_event(after)
            self.start.record(self.work.stream)
            graphs = 0 if self._graph is None else self.work.calls // self._per_graph
            for _ in range(graphs):
                self._graph.launch(self.work.stream)
            for _ in range(self.work.calls - graphs * self._per_graph):
                self.work.queue()
            self.end.record(self.work.stream)


def timed(
    works: Sequence[GpuWork],
    clock: Callable[[], float] = time.perf_counter,
    meanwhile: Callable[[], None] | None = None,
) -> Timing:
    """Run a block and return its times; several works run at once, on one device or on many.

    `meanwhile` is called once all is queued. Raises BandwidthError where the device fails.
    """
    if any(work.by_host for work in works):
        return _timed_by_host(works, clock)
    several = len({work.gpu.number for work in works}) > 1
    # As graphs several streams start together: the first would otherwise be far ahead when the last is queued.
    lanes = [_Lane(work, in_graphs=len(works) > 1) for work in works]
    for lane in lanes:
        lane.make_ready()
    first, gpu = lanes[0], works[0].gpu
    with gpu.active():
        begin, end = gpu.module.cuda.Event(), gpu.module.cuda.Event()
        for lane in lanes[1:]:
            works[0].stream.wait_event(lane.is_ready)
        begin.record(works[0].stream)
    starts = []
    for lane in lanes:
        starts.append(clock())
        lane.play(None if lane is first else begin)
    with gpu.active():
        for lane in lanes[1:]:
            works[0].stream.wait_event(lane.end)
        end.record(works[0].stream)
    if meanwhile is not None:
        meanwhile()
    return _read(lanes, begin, end, max(starts) - min(starts), several=several)


def _read(lanes: Sequence[_Lane], begin: Any, end: Any, skew_s: float, *, several: bool) -> Timing:
    gpu = lanes[0].work.gpu
    with gpu.active():
        end.synchronize()
        elapsed = gpu.module.cuda.get_elapsed_time
        total = float(elapsed(begin, end)) / MS_PER_S
        # Events of two devices cannot be compared.
        own = () if several else tuple(float(elapsed(lane.start, lane.end)) / MS_PER_S for lane in lanes)
    return Timing(total, skew_s if len(lanes) > 1 else 0.0, own)


def _timed_by_host(works: Sequence[GpuWork], clock: Callable[[], float]) -> Timing:
    (work,) = works
    with work.gpu.active():
        work.ready()
        work.gpu.runtime.deviceSynchronize()
        begin = clock()
        for _ in range(work.calls):
            work.queue()
        work.gpu.runtime.deviceSynchronize()
        return Timing(clock() - begin, 0.0)
