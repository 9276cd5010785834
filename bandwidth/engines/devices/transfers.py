"""What is measured of the way to a device and between devices: copies from and to the host, and from one to another.

The host's source is filled once, through the device, and every block begins at another page of it; what a device sends
is made anew before each block. Either way a block that copied nothing leaves data that the check refuses.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from bandwidth.engines.devices.requirements import transfer_layout
from bandwidth.engines.devices.surface import Checked, Device, Peers, Queue, Span
from bandwidth.engines.devices.verification import PIECE_BYTES, piece_ranges, spots
from bandwidth.kernels import ELEMENT_BYTES
from bandwidth.vocabulary import PAGE_BYTES, PAGEABLE

# Blocks begin at so many different pages of the host's source, one after the other.
WINDOWS = 8
POISON = 0xA5
# Copies that are under way while the state of the link is read: it trains up under load only.
LOOK_COPIES = 40


class HostBuffer:
    """Memory of the host of one kind that a device copies from or to; written by threads near the device."""

    def __init__(self, device: Device, kind: str, size_bytes: int, near: Collection[int]) -> None:
        self.kind, self.size_bytes = kind, size_bytes
        with device.active(), beside(near):
            self.span = device.take_host(kind, size_bytes)

    @property
    def is_pageable(self) -> bool:
        """Whether the host itself has to move the data."""
        return self.kind == PAGEABLE


class HostToDevice:
    """Copies to the device."""

    def __init__(
        self, device: Device, host: HostBuffer, size_bytes: int, calls: int, block: int, seed: int, on: Queue
    ) -> None:
        self.device, self.on, self.calls, self.by_host = device, on, calls, host.is_pageable
        self._seed, self._offset = seed, block % WINDOWS * PAGE_BYTES
        self._source = host.span.part(self._offset, size_bytes)
        self._target, _, _ = device.spans(transfer_layout(size_bytes))

    def ready(self) -> None:
        """Poison what the copies have to overwrite."""
        self.device.queue.set_bytes(self._target, POISON)

    def queue(self) -> None:
        """Queue one copy."""
        self.on.copy(self._target, self._source)

    def check(self, *, whole: bool) -> str:
        """Return what is wrong with what arrived."""
        return self.device.wrong_words(Checked(self._target, self._seed, self._offset // ELEMENT_BYTES), whole=whole)


class DeviceToHost:
    """Copies from the device."""

    def __init__(self, device: Device, host: HostBuffer, size_bytes: int, calls: int, seed: int, on: Queue) -> None:
        self.device, self.on, self.calls, self.by_host = device, on, calls, host.is_pageable
        self._bytes, self._seed = size_bytes, seed
        self._target = host.span.part(0, size_bytes)
        _, self._source, self._checking = device.spans(transfer_layout(size_bytes))

    def ready(self) -> None:
        """Make what is sent anew."""
        self.device.fill(self._source, self._seed)

    def queue(self) -> None:
        """Queue one copy."""
        self.on.copy(self._target, self._source)

    def check(self, *, whole: bool) -> str:
        """Return what is wrong with what the host received: it is copied elsewhere on the device and checked there."""
        for offset, length in piece_ranges(self._bytes) if whole else spots(self._bytes):
            wrong = self._check_piece(offset, length)
            if wrong:
                return f"{wrong}, counted from byte {offset:,}" if offset else wrong
        return ""

    def _check_piece(self, offset: int, length: int) -> str:
        at, queue = self._checking.part(0, length), self.device.queue
        queue.set_bytes(at, POISON)
        queue.finish()
        queue.copy(at, self._target.part(offset, length))
        queue.finish()
        return self.device.wrong_words(Checked(at, self._seed, offset // ELEMENT_BYTES), whole=True)


class PeerCopy:
    """Copies from one device to another, queued on the one that sends."""

    by_host = False

    def __init__(self, peers: Peers, device: Device, peer: Device, size_bytes: int, calls: int, seed: int) -> None:
        self.device, self.on, self.calls = device, device.queue, calls
        self._peers, self._peer, self._seed = peers, peer, seed
        _, self._source, _ = device.spans(transfer_layout(size_bytes))
        self._target, _, _ = peer.spans(transfer_layout(size_bytes))

    def ready(self) -> None:
        """Make what is sent anew."""
        self.device.fill(self._source, self._seed)

    def queue(self) -> None:
        """Queue one copy."""
        self._peers.copy(self.device, self._source, self._peer, self._target)

    def check(self, *, whole: bool) -> str:
        """Return what is wrong with what arrived; the other device checks it."""
        with self._peer.active():
            return self._peer.wrong_words(Checked(self._target, self._seed), whole=whole)


def fill_host(device: Device, span: Span, seed: int) -> None:
    """Write the numbers of a seed into host memory, by the device; nothing of it is read by the host. Active."""
    room = device.memory
    for offset, length in piece_ranges(span.size_bytes, min(PIECE_BYTES, room.size_bytes // PAGE_BYTES * PAGE_BYTES)):
        piece = room.part(0, length)
        device.fill(piece, seed, offset // ELEMENT_BYTES)
        device.queue.finish()
        device.queue.copy(span.part(offset, length), piece)
        device.queue.finish()


@contextmanager
def beside(cpus: Collection[int]) -> Iterator[None]:
    """Run on some CPUs, those near a device, where the system lets itself be told; anywhere where there are none."""
    if not cpus or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    allowed = before & set(cpus)
    if allowed:
        os.sched_setaffinity(0, allowed)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
