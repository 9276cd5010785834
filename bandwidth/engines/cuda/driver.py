"""NVIDIA's driver through CuPy, as the common engine asks for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bandwidth.engines.cuda.device import Gpu, address_of, count_devices
from bandwidth.engines.cuda.errors import PEER_ALREADY_ON, PEER_NOT_ON, told
from bandwidth.engines.cuda.timing import timed
from bandwidth.engines.devices.surface import Device, Peers, Span, Timing, Work


class CudaPeers:
    """See `Peers`."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def can_access(self, device: Device, peer: Device) -> bool:
        """Return whether the two devices can read each other's memory."""
        with told(self._module, device.number):
            pairs = ((device.number, peer.number), (peer.number, device.number))
            return all(self._module.cuda.runtime.deviceCanAccessPeer(*pair) for pair in pairs)

    def set_access(self, device: Device, peer: Device, *, on: bool) -> None:
        """Switch the direct way between two devices on or off, both ways; without it the host stands between."""
        runtime = self._module.cuda.runtime
        for one, other in ((device, peer), (peer, device)):
            with one.active():
                switch = runtime.deviceEnablePeerAccess if on else runtime.deviceDisablePeerAccess
                try:
                    switch(other.number)
                except runtime.CUDARuntimeError as error:
                    if error.status not in {PEER_ALREADY_ON, PEER_NOT_ON}:
                        raise

    def copy(self, device: Device, source: Span, peer: Device, target: Span) -> None:
        """Queue a copy to another device, on the one that sends."""
        ends = (address_of(target), peer.number, address_of(source), device.number)
        self._module.cuda.runtime.memcpyPeerAsync(*ends, source.size_bytes, device.queue.stream.ptr)


class CudaDriver:
    """See `Driver`. `module` is CuPy, or what stands in for it."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self.peers: Peers | None = CudaPeers(module)

    def open(self, number: int) -> Gpu:
        """Open a GPU."""
        return Gpu(self._module, number, count_devices(self._module))

    def timed(
        self, works: Sequence[Work], clock: Callable[[], float], meanwhile: Callable[[], None] | None = None
    ) -> Timing:
        """Run a block and return its times, by events on the device. See `Driver`."""
        return timed(works, clock, meanwhile)
