"""Whether this process is the command's own: only then may be changed what everything in it shares."""

from __future__ import annotations

_claimed: list[bool] = []


def claim() -> None:
    """Say that the process runs `bandwidth` and nothing else."""
    _claimed.append(True)


def is_own() -> bool:
    """Return whether that was said: whoever imports the package has hooks of their own."""
    return bool(_claimed)
