"""What every POSIX system has, and all that macOS and the BSDs are asked: their threads are not pinned."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Mapping

import numpy as np

from bandwidth.engines.host.operating_system.interface import TakenMemory, aligned
from bandwidth.vocabulary import PAGE_BYTES


class Posix:
    """A system whose own calls are not made. See `OperatingSystem`."""

    def pin(self, cpu: int) -> None:
        """Do nothing: macOS binds no thread to a CPU."""

    def is_pinned(self, cpu: int) -> bool:  # noqa: ARG002 - see `OperatingSystem`
        """Return False."""
        return False

    def take(self, size_bytes: int, node: int | None, *, huge: bool) -> TakenMemory:  # noqa: ARG002
        """Return memory in whatever pages there are."""
        raw = np.empty(size_bytes + PAGE_BYTES, np.uint8)
        return TakenMemory(aligned(raw, size_bytes, PAGE_BYTES), False, "this system provides no huge pages on request")

    def share_on_node(self, address: int, length_bytes: int, node: int, page_bytes: int) -> float | None:  # noqa: ARG002
        """Return None: no node is told."""
        return None

    def huge_page_share(self, address: int, length_bytes: int) -> float | None:  # noqa: ARG002
        """Return None: the pages are not told."""
        return None

    def calls_of_code(self) -> Mapping[str, int]:
        """Return clock_gettime with the number of its clock, and sched_yield."""
        library = ctypes.CDLL(None)
        # macOS rounds its CLOCK_MONOTONIC to microseconds; this one counts nanoseconds and stands still in sleep.
        number = getattr(time, "CLOCK_UPTIME_RAW", None) if sys.platform == "darwin" else None
        return {
            "clock_function": ctypes.cast(library.clock_gettime, ctypes.c_void_p).value or 0,
            "yield_function": ctypes.cast(library.sched_yield, ctypes.c_void_p).value or 0,
            "clock_number": time.CLOCK_MONOTONIC if number is None else number,
        }
