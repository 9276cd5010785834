"""Bars of characters, to one scale that begins at zero."""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_BAR = 30
# A shorter one shows nothing that the numbers do not.
SHORTEST_SCALE = 8
_FULL_BLOCK = "\N{FULL BLOCK}"
# Eighths of a column, from one to seven.
_PARTS = "\u258f\u258e\u258d\u258c\u258b\u258a\u2589"
_STEPS = len(_PARTS) + 1
_ASCII_BAR = "#"


def drawn(values: Sequence[float | None], columns: int, *, blocks: bool) -> tuple[str, ...] | None:
    """Return a bar for each value, the largest LONGEST_BAR columns long or as long as there is room.

    None where the room is too small. With `blocks` a bar is exact to an eighth of a column, else it is made of `#`.
    What is above zero has a bar however short.
    """
    longest = max((value for value in values if value is not None), default=0.0)
    room = min(LONGEST_BAR, columns)
    if room < SHORTEST_SCALE or longest <= 0:
        return None
    return tuple("" if value is None else _bar(value / longest * room, blocks=blocks) for value in values)


def _bar(length: float, *, blocks: bool) -> str:
    """Return a bar of so many columns, at least the smallest step of one where the length is above zero."""
    if length <= 0:
        return ""
    if not blocks:
        return _ASCII_BAR * max(round(length), 1)
    whole, part = divmod(max(round(length * _STEPS), 1), _STEPS)
    return _FULL_BLOCK * whole + (_PARTS[part - 1] if part else "")
