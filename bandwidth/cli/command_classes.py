"""The classes of the commands: what they show, and what they take, otherwise than Typer's own."""

from __future__ import annotations

import functools
from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperGroup

MOST_DIGITS = 9  # of a number that is read at once; one that is longer is for Typer to read, or to refuse


class PlainCommand(TyperCommand):
    """A command whose help has ranges in words, and no type of what takes no value or of a named argument."""

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters, those that need no type shown without one."""
        return _plain(super().get_params(ctx))


class PlainGroup(TyperGroup):
    """The commands together, and the options that stand before their names, shown in the same way."""

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters of those options."""
        return _plain(super().get_params(ctx))


def _plain(parameters: Any) -> Any:
    """Return parameters that convert little, those that need no type shown without one, and ranges in words."""
    found = _converting_little(parameters)
    for one in found:
        one._get_number_range_help_str = functools.partial(_range_words, one)
        if isinstance(one, TyperArgument) or getattr(one, "is_flag", False):
            one.display_type_rich = lambda ctx: None  # noqa: ARG005
    return found


def _range_words(one: Any) -> str | None:
    """Return the range of a number as people write it, `1 to 64`, where Typer has `1<=x<=64`."""
    low, high = getattr(one, "min", None), getattr(one, "max", None)
    if low is None and high is None:
        return None
    return f"at most {high:g}" if low is None else f"at least {low:g}" if high is None else f"{low:g} to {high:g}"


def _converting_little(parameters: Any) -> Any:
    """Return parameters that leave to Typer only what is to be converted: it does so by Pydantic, slow to load."""
    for one in parameters:
        one.process_value = functools.partial(_processed, one)
    return parameters


def _processed(one: Any, ctx: Any, value: Any) -> Any:
    """Return the value of a parameter: at once where it was left out and may be, or is a text or a plain number."""
    wanted = getattr(one, "type_descriptor", None)  # older Typers have none, and convert without Pydantic
    if wanted is None or wanted.parameter_info.parser is not None or (one.required and not value):
        return type(one).process_value(one, ctx, value)
    if wanted.annotation is int and not wanted.is_ranged and _is_plain_number(value):
        value = int(value)
    elif value is not None and wanted.annotation not in (str, list[str]):
        return type(one).process_value(one, ctx, value)
    return value if one.callback is None else one.callback(ctx, one, value)


def _is_plain_number(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= MOST_DIGITS
