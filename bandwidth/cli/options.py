"""How the values of options become numbers: what a parser raises is a usage error that names its option."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from bandwidth.errors import BandwidthError, UsageError

Value = TypeVar("Value")


def option_value(option: str, text: str, parse: Callable[[str], Value]) -> Value:
    """Return `parse(text)`. Raises UsageError that begins with the option's name where the text does not fit."""
    try:
        return parse(text)
    except BandwidthError as error:
        raise UsageError(f"{option}: {error.message}", error.hint) from error


def option_list(option: str, text: str) -> list[str]:
    """Return the parts of a comma-separated value, trimmed. Raises UsageError where one is empty."""
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise UsageError(f"{option} {text!a} has an empty part", "separate the values by single commas")
    return list(dict.fromkeys(parts))
