"""The contract of an operating system: six things that the host's engines ask of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

# Of memory no more pages than about these are asked about, evenly spread.
_SAMPLED_PAGES = 512


@dataclass(frozen=True)
class TakenMemory:
    """Memory that is this process's until nothing refers to `content` any more, all of its bytes from a page on.

    `is_bound` tells whether the system took the wish for a node; `why_small` why its pages may be small ones.
    """

    content: NDArray[np.uint8]
    is_bound: bool
    why_small: str


class OperatingSystem(Protocol):
    """What differs from system to system. What one does not have or refuses is told in the answer, and ends nothing."""

    def pin(self, cpu: int) -> None:
        """Bind the calling thread to one CPU, where the system lets it be: `is_pinned` tells."""

    def is_pinned(self, cpu: int) -> bool:
        """Return whether the calling thread is bound to a CPU; False where the system does not tell."""

    def take(self, size_bytes: int, node: int | None, *, huge: bool) -> TakenMemory:
        """Return new memory, in huge pages where the system gives them, or without, wished for from a NUMA node.

        Raises MemoryError where there is not enough.
        """

    def share_on_node(self, address: int, length_bytes: int, node: int, page_bytes: int) -> float | None:
        """Return the share of some pages, evenly spread, that lie on a node; None where the system does not tell.

        The pages must have been written.
        """

    def huge_page_share(self, address: int, length_bytes: int) -> float | None:
        """Return the share of some memory in use that lies in huge pages, None where the system does not tell."""

    def calls_of_code(self) -> Mapping[str, int]:
        """Return what compiled code calls by itself, by the names of its arguments: the clock, and who lets others run.

        See ARGUMENT_FIELDS. The code that reads the clock is another on Windows (flow.py).
        """


def sampled_pages(address: int, length_bytes: int, page_bytes: int) -> list[int]:
    """Return the addresses of some pages of a memory, evenly spread."""
    pages = max(length_bytes // page_bytes, 1)
    step = max(pages // _SAMPLED_PAGES, 1)
    return [address + number * page_bytes for number in range(0, pages, step)]


def aligned(raw: NDArray[np.uint8], size_bytes: int, to_bytes: int) -> NDArray[np.uint8]:
    """Return so many bytes of some memory, from the first multiple of `to_bytes` on."""
    offset = -raw.ctypes.data % to_bytes
    return raw[offset : offset + size_bytes]
