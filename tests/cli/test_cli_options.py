"""The options that several commands share: each is declared once, so that no two texts of one can part."""

from __future__ import annotations

import importlib
import typing

import pytest
from typer.models import OptionInfo

from bandwidth.cli import app, options
from bandwidth.errors import UsageError
from bandwidth.units import parse_size_bytes


def declared():
    """Yield each option of each command with the name of its parameter."""
    for command in app.COMMANDS:
        function = getattr(importlib.import_module(f"bandwidth.cli.{command}"), command)
        for name, hint in typing.get_type_hints(function, include_extras=True).items():
            for info in getattr(hint, "__metadata__", ()):
                if isinstance(info, OptionInfo):
                    yield name, info


def test_an_option_of_several_commands_is_declared_once():
    by_text = {}
    for name, info in declared():
        flags = info.param_decls or (f"--{name.replace('_', '-')}",)
        by_text.setdefault((flags, info.help), set()).add(id(info))
    assert len(by_text) > 50
    assert [key for key, declarations in by_text.items() if len(declarations) > 1] == []


def test_a_value_that_does_not_fit_names_its_option():
    assert options.option_value("--size", "4kB", parse_size_bytes) == 4000
    assert options.option_list("--size", " 1, 2,1 ") == ["1", "2"]
    with pytest.raises(UsageError, match="--size: 'much' is not a size; write it as"):
        options.option_value("--size", "much", parse_size_bytes)
    with pytest.raises(UsageError, match="--size '1,,2' has an empty part; separate"):
        options.option_list("--size", "1,,2")
