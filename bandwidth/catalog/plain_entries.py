"""Entries that plainly fit: of texts, numbers, switches, lists of them and words of a choice, within their constraints.

Pydantic takes longer to load than a peak takes to be answered. So a table that plainly fits its dataclass becomes an
entry at once; any other is for Pydantic to judge (`entries.py`), which says what is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

Entry = TypeVar("Entry")
_MOST_FLOAT = 2**53  # up to here a float has every whole number


@dataclass(frozen=True)
class Constraint:
    """What holds of a field's value beside its type, named as Pydantic names it; it stands in `Annotated`.

    A number is above `gt`, at least `ge`, at most `le`; a list has `min_length`; the whole of a text is as `pattern`.
    """

    gt: float | None = None
    ge: float | None = None
    le: float | None = None
    min_length: int | None = None
    pattern: str | None = None
    allow_inf_nan: bool | None = None

    def holds(self, value: Any) -> bool:
        """Return whether it holds of a finite value of the type."""
        return (
            (self.gt is None or value > self.gt)
            and (self.ge is None or value >= self.ge)
            and (self.le is None or value <= self.le)
            and (self.min_length is None or len(value) >= self.min_length)
            and (self.pattern is None or re.fullmatch(self.pattern, value) is not None)
        )

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Mapping[str, Any]]) -> dict[str, Any]:
        """Return what Pydantic checks: the type's own schema, constrained."""
        return {**handler(source), **{name: limit for name, limit in vars(self).items() if limit is not None}}


def plain_entry(kind: type[Entry], name: str, table: Mapping[str, object]) -> Entry | None:
    """Return the entry of a table, None where it lacks a field that is needed, or one does not plainly fit.

    `kind` is a dataclass that has all fields of the table, and the name beside them.
    """
    types, needed = _fields_of(cast("Any", kind))
    kept = {field: _plain(value, types[field]) for field, value in {"name": name, **table}.items()}
    return kind(**kept) if needed <= kept.keys() and None not in kept.values() else None


@cache
def _fields_of(kind: Any) -> tuple[dict[str, Any], set[str]]:
    """Return the type of each field of a dataclass, and which have to be given."""
    needed = {one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING}
    return get_type_hints(kind, include_extras=True), needed


def _plain(value: Any, kind: Any) -> Any:
    """Return a value as a field of a type keeps it, None where it does not plainly fit: no file states a None."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        kept = _plain(value, parts[0])
        holds = kept is not None and all(isinstance(one, Constraint) and one.holds(kept) for one in parts[1:])
        return kept if holds else None
    if origin in (Union, UnionType):
        return next((kept for part in parts if (kept := _plain(value, part)) is not None), None)
    if origin is tuple:
        several = (
            [_plain(one, parts[0]) for one in value] if isinstance(value, list) and parts[1:] == (...,) else [None]
        )
        return None if None in several else tuple(several)
    if origin is Literal:
        return value if isinstance(value, str) and value in parts else None
    if kind is float:
        return float(value) if type(value) in (int, float) and abs(value) <= _MOST_FLOAT else None
    return value if kind in (str, int, bool) and type(value) is kind else None
