"""What stands in a GPU's memory before a block, and whether it is right afterwards: by kernels, or by the host.

Where no kernel can be compiled, copies are measured all the same: the host then makes what is copied, and looks at what
arrived. `CodedDevice.verification` is the one of the two that a device has.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bandwidth.engines.devices.surface import Checked, Queue, Span
from bandwidth.kernels import ELEMENT_BYTES

# What is looked at goes back and forth in pieces of this size, or of a few spots where not all of it has to be.
PIECE_BYTES = 64 * 1024**2
SPOT_BYTES = 64 * 1024
SPOTS = 16
# The host's numbers repeat after a prime number of words, some 16 MiB: no copy that lands whole pages away fits.
PERIOD_WORDS = 2_097_143
_TABLE_SEED = 20_251_101


class DeviceMemory(Protocol):
    """What is asked of a device whose memory is filled and looked at: `CodedDevice` has it."""

    queue: Queue

    def fill_by_kernel(self, span: Span, seed: int, first: int) -> None:
        """Queue the kernel that fills."""

    def count_wrong(self, checked: Checked) -> tuple[int, int]:
        """Wait, and return how many words a check finds wrong, and the first of them."""

    def copy_out(self, array: NDArray[Any], span: Span) -> None:
        """Wait for the work before, and copy memory of the device into an array."""

    def copy_in(self, span: Span, array: NDArray[Any]) -> None:
        """Wait for the work before, copy an array into memory of the device, and wait."""


class Verification(Protocol):
    """Makes the numbers of a seed in a device's memory and knows them again. The device is active in each."""

    def fill(self, device: DeviceMemory, span: Span, seed: int, first: int) -> None:
        """Queue the filling of some memory, from word `first` of the seed's array on."""

    def wrong_words(self, device: DeviceMemory, checked: Checked, *, whole: bool) -> str:
        """Wait, and return what is wrong with all words in some memory or, if not `whole`, with many of them; or ""."""


class KernelVerification:
    """Kernels fill and check: all of it every time, which takes no longer than a few passes."""

    def fill(self, device: DeviceMemory, span: Span, seed: int, first: int) -> None:
        """Queue the kernel. See `Verification`."""
        device.fill_by_kernel(span, seed, first)

    def wrong_words(self, device: DeviceMemory, checked: Checked, *, whole: bool) -> str:  # noqa: ARG002 -- all is checked
        """Count on the device. See `Verification`."""
        wrong, first = device.count_wrong(checked)
        return _words_wrong(wrong, checked.size_bytes // ELEMENT_BYTES, first) if wrong else ""


class HostVerification:
    """The host fills and checks, by copies; what it makes repeats after `PERIOD_WORDS`."""

    def __init__(self) -> None:
        numbers = np.random.default_rng(_TABLE_SEED).random(PERIOD_WORDS) + 1.0
        # Twice, so that a period from any word on is one stretch.
        self._table: NDArray[np.uint64] = np.concatenate([numbers, numbers]).view(np.uint64)

    def fill(self, device: DeviceMemory, span: Span, seed: int, first: int) -> None:
        """Send one period and queue its repetition by copies on the device. See `Verification`."""
        filled = min(span.size_bytes, PERIOD_WORDS * ELEMENT_BYTES)
        device.copy_in(span.part(0, filled), self._expected(seed + first, filled // ELEMENT_BYTES))
        while filled < span.size_bytes:
            length = min(filled, span.size_bytes - filled)
            device.queue.copy(span.part(filled, length), span.part(0, length))
            filled += length

    def wrong_words(self, device: DeviceMemory, checked: Checked, *, whole: bool) -> str:
        """Fetch the words and compare them. See `Verification`."""
        piece_bytes = min(PIECE_BYTES, PERIOD_WORDS * ELEMENT_BYTES)
        parts = piece_ranges(checked.size_bytes, piece_bytes) if whole else spots(checked.size_bytes, piece_bytes)
        for offset, length in parts:
            seen = np.empty(length // ELEMENT_BYTES, np.uint64)
            device.copy_out(seen, checked.span.part(offset, length))
            word = offset // ELEMENT_BYTES
            wrong = np.flatnonzero(seen != self._wanted(checked, word, len(seen)))
            if len(wrong):
                return _words_wrong(len(wrong), len(seen), word + int(wrong[0]))
        return ""

    def _wanted(self, checked: Checked, word: int, count: int) -> NDArray[np.uint64] | np.uint64:
        if checked.name == "write":  # the same in each element
            return np.float64(checked.scalar).view(np.uint64)
        return self._expected(checked.seed + checked.first + word, count)

    def _expected(self, start: int, count: int) -> NDArray[np.uint64]:
        begin = start % PERIOD_WORDS
        return self._table[begin : begin + count]


def piece_ranges(size_bytes: int, piece_bytes: int = PIECE_BYTES) -> Iterator[tuple[int, int]]:
    """Yield offset and length in bytes of every piece."""
    for offset in range(0, size_bytes, piece_bytes):
        yield offset, min(piece_bytes, size_bytes - offset)


def spots(size_bytes: int, piece_bytes: int = PIECE_BYTES) -> Iterator[tuple[int, int]]:
    """Yield offset and length in bytes of some parts, evenly spread, the first and the last bytes among them."""
    if size_bytes <= SPOTS * SPOT_BYTES:
        yield from piece_ranges(size_bytes, piece_bytes)
        return
    last = (size_bytes - SPOT_BYTES) // ELEMENT_BYTES
    for spot in range(SPOTS):
        yield last * spot // (SPOTS - 1) * ELEMENT_BYTES, SPOT_BYTES


def _words_wrong(wrong: int, count: int, first: int) -> str:
    return f"{wrong:,} of {count:,} words have a wrong value, the first is word {first:,}"
