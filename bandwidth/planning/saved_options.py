"""The options of a call as data: what a record keeps of them, how they are read again, and what tells two calls apart.

All of it follows from the fields of `MeasureOptions`: a new option is one field there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any, get_type_hints

from bandwidth.cpu_list import format_cpu_list
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.planning.options import CHANGES_CASES, OPTION, SIZE_SWEEP, MeasureOptions
from bandwidth.units import size_option

TARGET = "target"


def options_to_json(options: MeasureOptions) -> dict[str, Any]:
    """Return the target and every option that was given, by the names of the fields: what is left out has its default.

    Times are seconds, sizes bytes.
    """
    given = {one.name: getattr(options, one.name) for one in _saved() if getattr(options, one.name) != one.default}
    return {TARGET: options.target} | {
        name: list(value) if isinstance(value, tuple) else value for name, value in given.items()
    }


def options_from_json(saved: Mapping[str, Any]) -> MeasureOptions:
    """Return the options that a record kept; what a later version added is passed over.

    Raises BandwidthError for what no version has written.
    """
    from pydantic import TypeAdapter, ValidationError

    hints, found = get_type_hints(MeasureOptions), {}
    for name in (TARGET, *(one.name for one in _saved())):
        if name in saved:
            try:
                found[name] = TypeAdapter(hints[name]).validate_json(json.dumps(saved[name]), strict=True)
            except (ValidationError, ValueError, TypeError) as error:
                raise BandwidthError(f"the record's option {name} is not as it was saved", "measure again") from error
    try:
        return MeasureOptions(**found)
    except UsageError as error:
        raise BandwidthError(f"the record's options: {error.message}", "measure again") from error


def asked_words(saved: Mapping[str, Any]) -> str:
    """Return which of the saved options change what is measured, as a command line has them: `host --kernel copy`.

    Equal texts mean that the same was asked: the order in which names were given does not count.
    """
    words = [str(saved.get(TARGET, ""))]
    for one in sorted(_saved(), key=lambda one: str(one.metadata[OPTION])):
        value = saved.get(one.name, one.default)
        if one.metadata[CHANGES_CASES] and value != one.default:
            is_size = one.name == "size_bytes" or (one.name == "sweep_range" and saved.get("sweep") == SIZE_SWEEP)
            words.append(f"{one.metadata[OPTION]} {_written(one.name, value, is_size=is_size)}".strip())
    return " ".join(words)


def _saved() -> tuple[Field[Any], ...]:
    """Return the fields that a record keeps, apart from the target."""
    return tuple(one for one in fields(MeasureOptions) if OPTION in one.metadata)


def _written(name: str, value: Any, *, is_size: bool) -> str:
    """Return a value as its option takes it, nothing for one that is only switched on."""
    if value is True:
        return ""
    parts = list(value) if isinstance(value, (list, tuple)) else [value]
    if name == "cpus" and all(type(cpu) is int and cpu >= 0 for cpu in parts):
        return format_cpu_list(parts)
    texts = [size_option(part) if is_size and type(part) is int else str(part) for part in parts]
    return "-".join(texts) if name == "sweep_range" else ",".join(sorted(texts))
