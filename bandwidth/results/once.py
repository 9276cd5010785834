"""What is worked out of an object that never changes, worked out once."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

Owner = TypeVar("Owner")
Value = TypeVar("Value")


def once_each(work: Callable[[Owner], Value]) -> Callable[[Owner], Value]:
    """Return `work` as it is, but done once for each object, as long as that lives.

    A result or a record is frozen and holds mappings, so that it has no hash by which `lru_cache` could know it; it is
    known by its identity instead. What is returned must not hold the object itself: both would live for ever.
    """
    done: dict[int, tuple[weakref.ref[Owner], Value]] = {}

    @wraps(work)
    def found(owner: Owner) -> Value:
        key = id(owner)
        if key not in done:
            done[key] = (weakref.ref(owner, lambda _: done.pop(key, None)), work(owner))
        return done[key][1]

    return found
