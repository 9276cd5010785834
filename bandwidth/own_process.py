"""What everything in a process shares: whether the process is the command's own, and the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_claimed: list[bool] = []


def claim() -> None:
    """Say that the process runs `bandwidth` and nothing else: only then what it shares may be changed for good."""
    _claimed.append(True)


def is_own() -> bool:
    """Return whether that was said: whoever imports the package has hooks of their own."""
    return bool(_claimed)


@contextmanager
def without_collector() -> Iterator[None]:
    """Keep the garbage collector still, which is not to run inside a timed block, and leave it as it was."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
