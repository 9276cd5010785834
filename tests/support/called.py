"""What a call of the command line left behind."""

from __future__ import annotations

from typing import NamedTuple


class Ran(NamedTuple):
    """How a call ended, and what it printed."""

    code: int
    out: str
    err: str
