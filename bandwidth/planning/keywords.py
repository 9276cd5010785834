"""The options of a call from Python: keyword arguments by the names of the fields that declare them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import Field
from typing import Any

from bandwidth.planning.option import options_of, takes_several
from bandwidth.planning.options import ALL_TARGETS, MeasureOptions

_SEVERAL = re.compile(r"tuple\[(\w+), \.\.\.\]")


def _parameters() -> Iterator[inspect.Parameter]:
    yield inspect.Parameter("target", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=ALL_TARGETS, annotation="str")
    for one, _ in options_of(MeasureOptions):
        kind = _SEVERAL.sub(r"\1 | Sequence[\1]", str(one.type))
        yield inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=kind)


def signature(returns: str) -> inspect.Signature:
    """Return the signature of a function that takes a target and options and returns this."""
    return inspect.Signature([*_parameters()], return_annotation=returns)


def options_of_call(target: str, given: dict[str, Any]) -> MeasureOptions:
    """Return the options; one value or several are taken where an option takes several.

    Raises TypeError for a name that is no option, UsageError for what no machine could serve.
    """
    known = {one.name: one for one, _ in options_of(MeasureOptions)}
    for name in given:
        if name not in known:
            raise TypeError(f"measure() got an unexpected keyword argument {name!r}")
    return MeasureOptions(
        target=target, memory_source="memory", **{name: _taken(known[name], value) for name, value in given.items()}
    )


def _taken(one: Field[Any], value: Any) -> Any:
    """Return the value as the field has it. A text is one name and not its letters, a number a name too (`threads`)."""
    if value is None or not takes_several(one):
        return value
    values = (value,) if isinstance(value, (str, int)) else tuple(value)
    return tuple(map(str, values)) if "str" in str(one.type) else values
