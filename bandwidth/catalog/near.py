"""What was meant by a name that none has: the names that differ from it by one slip of the fingers, or are much alike.

A slip is one letter or digit that is another, too many, missing, or changed its place with the next. What was meant is
suggested and never answered: a product that is not known here may have just that number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

MOST_NEAR = 3
# Names of fewer letters have too many others within one slip.
FEWEST_LETTERS = 4
NEAR = 0.75  # difflib's ratio: a slip or two in eight letters
_TRANSPOSED, _ONE_MORE_OR_LESS, _ANOTHER = range(3)


class Slip(NamedTuple):
    """How a text differs from another: the kind of slip, the likelier the less, and how far apart two letters are."""

    kind: int
    distance: int = 0


def slip_between(wanted: str, other: str) -> Slip | None:
    """Return by which one slip two texts differ, None where they differ by more, or by nothing."""
    if abs(len(wanted) - len(other)) > 1 or wanted == other:
        return None
    both = zip(wanted, other, strict=False)
    start = next((at for at, (one, two) in enumerate(both) if one != two), min(len(wanted), len(other)))
    one, two = wanted[start:], other[start:]
    if len(one) != len(two):
        return Slip(_ONE_MORE_OR_LESS) if one[1:] == two or one == two[1:] else None
    if one[1:] == two[1:]:
        return Slip(_ANOTHER, abs(ord(one[0]) - ord(two[0])))
    return Slip(_TRANSPOSED) if (one[1], one[0], one[2:]) == (two[0], two[1], two[2:]) else None


def near_misses(wanted: str, known: Iterable[str]) -> list[str]:
    """Return those of some keys that are one slip from a key, the likeliest first; none for a key of few letters."""
    if len(wanted) < FEWEST_LETTERS:
        return []
    found = {key: slip for key in known if (slip := slip_between(wanted, key)) is not None}
    return sorted(found, key=lambda key: (found[key], key))


def near_texts(wanted: str, known: Mapping[str, str]) -> tuple[str, ...]:
    """Return up to three of some names, given by their keys: that of the same key, else one slip away, else alike."""
    import difflib  # needed for a slip only, and not free to import

    keys = [wanted] if wanted in known else near_misses(wanted, known)
    keys = keys or difflib.get_close_matches(wanted, known, n=MOST_NEAR, cutoff=NEAR)
    return tuple(dict.fromkeys(known[key] for key in keys))[:MOST_NEAR]
