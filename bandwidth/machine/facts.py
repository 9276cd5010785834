"""Facts about a machine, each with where it came from; they travel in records as plain JSON."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from bandwidth.errors import BandwidthError

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json]"

READ = "read"  # stands so in a file or in the answer of a system call
DERIVED = "derived"  # follows from what was read
ASSUMED = "assumed"  # the usual case; nothing read says otherwise
GIVEN = "given"  # the user, or a saved file, says so
CONFIDENCES = (READ, DERIVED, ASSUMED, GIVEN)

_SOURCES = "sources"
_DEEPEST = 8  # the facts nest three deep; a file that nests further is not ours
_HINT = "save the facts of a machine with `bandwidth system --save FILE`"


@dataclass(frozen=True)
class Fact:
    """One thing known about a machine: `value` is plain JSON and never null, `source` names the file or call."""

    value: Json
    source: str
    confidence: str


class Facts(Mapping[str, Fact]):
    """The facts of one machine by name, not to be changed; what is unknown is left out.

    A quantity's name ends with its unit (`_bytes`, `_mt_s`).
    """

    def __init__(self, facts: Mapping[str, Fact]) -> None:
        self._facts = MappingProxyType(copy.deepcopy(dict(facts)))

    def __getitem__(self, name: str) -> Fact:
        return self._facts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def __repr__(self) -> str:
        return f"Facts({dict(self._facts)!r})"

    def value(self, name: str, default: Json | None = None) -> Json | None:
        """Return a copy of the value of a fact, `default` where it is unknown."""
        return copy.deepcopy(self._facts[name].value) if name in self._facts else default

    def integer(self, name: str) -> int | None:
        """Return the value where it is a whole number, None otherwise: saved files may hold anything."""
        value = self.value(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def text(self, name: str) -> str | None:
        """Return the value where it is text, None otherwise."""
        value = self.value(name)
        return value if isinstance(value, str) else None

    def to_json(self) -> dict[str, Json]:
        """Return the plain values by name and, under `sources`, the source and confidence of each."""
        values = {name: copy.deepcopy(fact.value) for name, fact in self._facts.items()}
        origins: Json = {
            name: {"source": fact.source, "confidence": fact.confidence} for name, fact in self._facts.items()
        }
        return {**values, _SOURCES: origins}

    @classmethod
    def from_json(cls, obj: object) -> Facts:
        """Return the facts that `to_json` wrote. Raises BandwidthError for anything else."""
        if not isinstance(obj, dict) or not isinstance(obj.get(_SOURCES), dict):
            raise BandwidthError("these are not saved machine facts: `sources` is missing", _HINT)
        values = {name: value for name, value in obj.items() if name != _SOURCES}
        return cls({name: _fact(name, value, obj[_SOURCES].get(name)) for name, value in values.items()})


def known(name: str, value: Json | None, source: str, confidence: str = READ) -> dict[str, Fact]:
    """Return the fact under its name, nothing where the value is None, so that the unknown is left out."""
    return {} if value is None else {name: Fact(value, source, confidence)}


def _fact(name: object, value: object, origin: object) -> Fact:
    if not isinstance(name, str) or not _is_json(value):
        raise BandwidthError(f"the machine fact {_shown(name)} has an invalid value", _HINT)
    if not isinstance(origin, dict) or not isinstance(origin.get("source"), str):
        raise BandwidthError(f"the machine fact {_shown(name)} has no source", _HINT)
    if origin.get("confidence") not in CONFIDENCES:
        raise BandwidthError(f"the machine fact {_shown(name)} is not one of {', '.join(CONFIDENCES)}", _HINT)
    return Fact(value, origin["source"], origin["confidence"])  # type: ignore[arg-type]  # _is_json has checked it


def _is_json(value: object, depth: int = 0) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, (bool, int, str)):
        return True
    if depth >= _DEEPEST:
        return False
    if isinstance(value, list):
        return all(_is_json(item, depth + 1) for item in value)
    return isinstance(value, dict) and all(
        isinstance(key, str) and _is_json(item, depth + 1) for key, item in value.items()
    )


def _shown(name: object) -> str:
    return repr(str(name)[:60])
