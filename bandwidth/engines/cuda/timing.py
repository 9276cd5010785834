"""How work on GPUs is timed: by events on the device around work that is queued ahead of it.

Where the host itself moves the data (pageable memory), by the host's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bandwidth.engines.cuda.device import Gpu, Stream, is_hip
from bandwidth.engines.cuda.errors import is_refusal
from bandwidth.engines.devices.surface import Timing, Work

MS_PER_S = 1000
# More calls than this are queued as graphs: a launch from Python takes some 10 us, one in a graph 1 or 2.
MOST_DIRECT_CALLS = 32
CALLS_PER_GRAPH = 100


class _Lane:
    """A stream with its work, ready to be played."""

    def __init__(self, work: Work, *, in_graphs: bool) -> None:
        self.work = work
        self._graph: Any = None
        self._per_graph = min(CALLS_PER_GRAPH, work.calls)
        event = _gpu(work).module.cuda.Event
        with work.device.active():
            self.is_ready, self.start, self.end = event(), event(), event()
            if in_graphs or work.calls > MOST_DIRECT_CALLS:
                self._graph = self._captured()

    def _captured(self) -> Any:
        """Return calls as a graph; None where the driver makes none of their kind: they are queued one by one.

        A call that cannot be captured fails at once (900 to 909); of some the graph that was captured is refused (1,
        801), as of copies between devices without direct access.
        """
        stream = _stream(self.work)
        try:
            with stream:
                stream.begin_capture()
                try:
                    for _ in range(self._per_graph):
                        self.work.queue()
                finally:
                    graph = stream.end_capture()
            if self._is_brought_by_launch:
                graph.launch(stream)
                stream.synchronize()
        except RuntimeError as error:  # of the runtime, or of a kernel's launch, which is the driver's
            if not is_refusal(error):
                raise
            return None
        return graph

    @property
    def _is_brought_by_launch(self) -> bool:
        """Whether only a launch brings a graph to the device, before the data is made ready.

        CuPy for ROCm has no other call for it: its `upload` answers 999 without asking the driver.
        """
        return is_hip(_gpu(self.work).module)

    def make_ready(self) -> None:
        with self.work.device.active():
            self.work.ready()
            self.is_ready.record(_gpu(self.work).queue.stream)
            _stream(self.work).wait_event(self.is_ready)
            if self._graph is not None and not self._is_brought_by_launch:  # its first launch would be timed
                self._graph.upload(_stream(self.work))

    def play(self, after: Any) -> None:
        """Queue all calls, behind an event of another stream where there is one."""
        with self.work.device.active():
            if after is not None:
                _stream(self.work).wait_event(after)
            self.start.record(_stream(self.work))
            graphs = 0 if self._graph is None else self.work.calls // self._per_graph
            for _ in range(graphs):
                self._graph.launch(_stream(self.work))
            for _ in range(self.work.calls - graphs * self._per_graph):
                self.work.queue()
            self.end.record(_stream(self.work))


def timed(
    works: Sequence[Work],
    clock: Callable[[], float],
    meanwhile: Callable[[], None] | None = None,
) -> Timing:
    """Run a block and return its times; several works run at once, on one device or on many.

    `meanwhile` is called once all is queued. Raises BandwidthError where the device fails.
    """
    if any(work.by_host for work in works):
        return _timed_by_host(works, clock)
    several = len({work.device.number for work in works}) > 1
    # As graphs several streams start together: the first would otherwise be far ahead when the last is queued.
    lanes = [_Lane(work, in_graphs=len(works) > 1) for work in works]
    for lane in lanes:
        lane.make_ready()
    first, gpu = lanes[0], _gpu(works[0])
    with gpu.active():
        begin, end = gpu.module.cuda.Event(), gpu.module.cuda.Event()
        for lane in lanes[1:]:
            _stream(works[0]).wait_event(lane.is_ready)
        begin.record(_stream(works[0]))
    starts = []
    for lane in lanes:
        starts.append(clock())
        lane.play(None if lane is first else begin)
    with gpu.active():
        for lane in lanes[1:]:
            _stream(works[0]).wait_event(lane.end)
        end.record(_stream(works[0]))
    if meanwhile is not None:
        meanwhile()
    return _read(lanes, begin, end, max(starts) - min(starts), several=several)


def _read(lanes: Sequence[_Lane], begin: Any, end: Any, skew_s: float, *, several: bool) -> Timing:
    gpu = _gpu(lanes[0].work)
    with gpu.active():
        end.synchronize()
        elapsed = gpu.module.cuda.get_elapsed_time
        total = float(elapsed(begin, end)) / MS_PER_S
        # Events of two devices cannot be compared.
        own = () if several else tuple(float(elapsed(lane.start, lane.end)) / MS_PER_S for lane in lanes)
    return Timing(total, skew_s if len(lanes) > 1 else 0.0, own)


def _timed_by_host(works: Sequence[Work], clock: Callable[[], float]) -> Timing:
    (work,) = works
    with work.device.active():
        work.ready()
        _gpu(work).runtime.deviceSynchronize()
        begin = clock()
        for _ in range(work.calls):
            work.queue()
        _gpu(work).runtime.deviceSynchronize()
        return Timing(clock() - begin, 0.0)


def _gpu(work: Work) -> Gpu:
    if not isinstance(work.device, Gpu):
        raise TypeError("work of another maker's device")
    return work.device


def _stream(work: Work) -> Any:
    if not isinstance(work.on, Stream):
        raise TypeError("work of another maker's device")
    return work.on.stream
