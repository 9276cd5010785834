"""The options of `measure` on the command line, built from the fields that declare them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import typer

from bandwidth.planning.option import options_of
from bandwidth.planning.options import MeasureOptions


def with_measure_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with an option for each of `MeasureOptions`, behind its argument; its `**` takes their texts.

    Typer asks a function for its signature, which need not be the one that was written.
    """
    argument, *others = inspect.signature(command).parameters.values()
    own = [parameter for parameter in others if parameter.kind is not parameter.VAR_KEYWORD]
    command.__signature__ = inspect.Signature([argument, *_parameters(), *own])  # type: ignore[attr-defined]
    return command


def _parameters() -> Iterator[inspect.Parameter]:
    for one, option in options_of(MeasureOptions):
        if option.help:
            kind: Any = bool if option.parse is None else str | None
            told = typer.Option(option.name, metavar=option.metavar, help=option.help, rich_help_panel=option.panel)
            kind = Annotated[kind, told]
            yield inspect.Parameter(
                one.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=one.default, annotation=kind
            )


def parsed(texts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the options that were given. Raises UsageError for a text that is none."""
    given = [(one.name, option) for one, option in options_of(MeasureOptions) if texts.get(one.name) is not None]
    return {
        name: texts[name] if option.parse is None else option.parse(option.name, texts[name]) for name, option in given
    }
