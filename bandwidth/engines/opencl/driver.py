"""OpenCL's runtime as the common engine asks for it, and how its work is timed.

Work is queued behind a gate, an event that the host sets when all is there. The device's own times count, unless they
cannot be believed: then the host's do, and it is said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bandwidth.engines.devices.surface import Peers, Timing, Work
from bandwidth.engines.opencl.device import ClDevice, Line
from bandwidth.engines.opencl.discovery import raw_devices
from bandwidth.engines.opencl.errors import no_such_device
from bandwidth.vocabulary import NS_PER_S

# More calls than this are not held back: a runtime's queue has an end, and behind a closed gate it would never empty.
MOST_GATED_CALLS = 256
# Times of the device further from the host's than this, in a block so long that the host's way there counts for little,
# are not believed: Apple's runtime counts in units of its own.
LEAST_JUDGED_S, MOST_APART = 0.05, 0.05


class ClDriver:
    """See `Driver`. `module` is pyopencl; `is_asked`: processors count as devices too."""

    def __init__(self, module: Any, *, is_asked: bool) -> None:
        self._module, self._is_asked = module, is_asked
        self.peers: Peers | None = None  # the standard copies nothing between the devices of two contexts

    def open(self, number: int) -> ClDevice:
        """Open a device."""
        found = raw_devices(self._module, is_asked=self._is_asked)
        if number >= len(found):
            raise no_such_device(number, len(found))
        return ClDevice(self._module, found[number], number)

    def timed(
        self, works: Sequence[Work], clock: Callable[[], float], meanwhile: Callable[[], None] | None = None
    ) -> Timing:
        """Run a block and return its times. See `Driver`."""
        for work in works:
            with work.device.active():
                work.ready()
        for work in works:
            with work.device.active():
                work.device.queue.finish()
                work.on.finish()
        if any(work.by_host for work in works):
            return _by_host(works, clock)
        gates = [_gate(work) for work in works if work.calls <= MOST_GATED_CALLS]
        begin = clock()
        for work in works:
            with work.device.active():
                for _ in range(work.calls):
                    work.queue()
                _line(work).queue.flush()
        if len(gates) == len(works):
            begin = clock()
        for gate in gates:
            gate.set_status(self._module.command_execution_status.COMPLETE)
        opened = clock()
        if meanwhile is not None:
            meanwhile()
        own, ends = [], []
        for work in works:
            with work.device.active():
                events = list(_line(work).events)
                _line(work).queue.finish()
                ends.append(clock())
                own.append(_own_times(events))
                _line(work).events.clear()
        return believed(own, max(ends) - begin, opened - begin, one_device=len({w.device.number for w in works}) == 1)


def believed(own: Sequence[tuple[int, int] | None], host_s: float, skew_s: float, *, one_device: bool) -> Timing:
    """Return a block's time: by the device's begins and ends in ns, or by the host where those cannot be.

    Times of two devices cannot be compared: of several the host's clock counts.
    """
    skew_s = skew_s if len(own) > 1 else 0.0
    if not one_device:
        return Timing(host_s, skew_s)
    known = [times for times in own if times is not None]
    if len(known) < len(own):
        return Timing(host_s, skew_s, by_host=True)
    seconds = (max(end for _, end in known) - min(begin for begin, _ in known)) / NS_PER_S
    is_apart = host_s >= LEAST_JUDGED_S and abs(seconds - host_s) > MOST_APART * host_s
    if is_apart or seconds > host_s:  # no work takes longer than the host waited for it
        return Timing(host_s, skew_s, by_host=True)
    return Timing(seconds, skew_s, tuple((end - begin) / NS_PER_S for begin, end in known))


def _own_times(events: Sequence[Any]) -> tuple[int, int] | None:
    """Return the begin and the end of some work by the device in ns, None where they make no sense."""
    if not events:
        return None
    begin, end = int(events[0].profile.start), int(events[-1].profile.end)
    return (begin, end) if 0 < begin < end else None


def _gate(work: Work) -> Any:
    """Close a work's queue until the event that is returned is set."""
    line = _line(work)
    with work.device.active():
        gate = line.device.module.UserEvent(line.device.context)
        line.device.module.enqueue_barrier(line.queue, wait_for=[gate])
    return gate


def _by_host(works: Sequence[Work], clock: Callable[[], float]) -> Timing:
    (work,) = works
    with work.device.active():
        begin = clock()
        for _ in range(work.calls):
            work.queue()
        work.on.finish()
        return Timing(clock() - begin, 0.0)


def _line(work: Work) -> Line:
    if not isinstance(work.on, Line):
        raise TypeError("a queue of another maker")
    return work.on
