"""The options of a call as data: what a record keeps of them, and what of them changes what is measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_type_hints

from bandwidth.cpu_list import format_cpu_list
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.planning.option import Option, cpu_numbers, ends, options_of, size
from bandwidth.planning.options import SIZE_SWEEP, TARGET, MeasureOptions
from bandwidth.units import size_option


def options_to_json(options: MeasureOptions) -> dict[str, Any]:
    """Return the target and every option that was given, by the names of the fields: what is left out has its default.

    Times are seconds, sizes bytes.
    """
    values = {one.name: (getattr(options, one.name), one.default) for one, _ in options_of(MeasureOptions)}
    given = {name: value for name, (value, default) in values.items() if value != default}
    return {TARGET: options.target} | {
        name: list(value) if isinstance(value, tuple) else value for name, value in given.items()
    }


def options_from_json(saved: Mapping[str, Any]) -> MeasureOptions:
    """Return the options that a record kept; what a later version added is passed over.

    Raises BandwidthError for what no version has written.
    """
    from pydantic import TypeAdapter, ValidationError

    hints, found = get_type_hints(MeasureOptions), {}
    for name in (TARGET, *(one.name for one, _ in options_of(MeasureOptions))):
        if name in saved:
            try:
                found[name] = TypeAdapter(hints[name]).validate_json(json.dumps(saved[name]), strict=True)
            except (ValidationError, ValueError, TypeError) as error:
                raise BandwidthError(f"the record's option {name} has an invalid value", "measure again") from error
    try:
        return MeasureOptions(**found)
    except UsageError as error:
        raise BandwidthError(f"the record's options: {error.message}", "measure again") from error


def asked_words(saved: Mapping[str, Any]) -> str:
    """Return which of the saved options change what is measured, as a command line has them: `host --kernel copy`.

    Equal texts mean that the same was asked: the order in which names were given does not count.
    """
    words = [str(saved.get(TARGET, ""))]
    for one, told in sorted(options_of(MeasureOptions), key=lambda pair: pair[1].name):
        value = saved.get(one.name, one.default)
        if told.changes_cases and value != one.default:
            is_size = told.parse is size or (told.parse is ends and saved.get("sweep") == SIZE_SWEEP)
            words.append(f"{told.name} {_written(told, value, is_size=is_size)}".strip())
    return " ".join(words)


def _written(told: Option, value: Any, *, is_size: bool) -> str:
    """Return a value as its option takes it, nothing for one that is only switched on."""
    if value is True:
        return ""
    parts = list(value) if isinstance(value, (list, tuple)) else [value]
    if told.parse is cpu_numbers and all(type(cpu) is int and cpu >= 0 for cpu in parts):
        return format_cpu_list(parts)
    texts = [size_option(part) if is_size and type(part) is int else str(part) for part in parts]
    return "-".join(texts) if told.parse is ends else ",".join(sorted(texts))
