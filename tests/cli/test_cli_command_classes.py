"""What a command takes without Typer's conversion is what Typer would have made of it, errors too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from bandwidth.cli.command_classes import PlainCommand, PlainGroup

LINES = [
    ["a"], ["a", "b", "", "--name", ""], ["a", "--name", "7"], ["", "--name", "x y"], [], [""],
    *(["a", "--count", text] for text in (
        "4", "007", "0", "-3", "+3", " 5 ", "4.0", "1e3", "0x10", "1_000", "1,000", "", "four", "\u0663", "\u00b2",
        "9" * 9, "9" * 10, "9" * 30, "9" * 5000,
    )),
    *(["a", "--few", text] for text in ("0", "1", "9", "10", "x")),
    ["a", "--path", "x/y"], ["a", "--path", ""], ["a", "--on"], ["a", "--size", "1.5"], ["a", "--size", "big"],
    ["a", "--shout", "quiet"], ["--before", "4", "a"], ["--before", "x", "a"], ["a", "--unheard"], ["a", "--count"],
]  # fmt: skip


def application(command_class, group_class):
    """An application with every kind of parameter, and the list to which it adds what it was called with."""
    app, taken = typer.Typer(cls=group_class, add_completion=True), []

    @app.callback()
    def first(before: Annotated[int | None, typer.Option()] = None) -> None:
        taken.append(before)

    @app.command(cls=command_class)
    def only(
        words: Annotated[list[str], typer.Argument()],
        name: Annotated[str, typer.Option()] = "none",
        count: Annotated[int | None, typer.Option()] = None,
        few: Annotated[int, typer.Option(min=1, max=9)] = 5,
        path: Annotated[Path | None, typer.Option(callback=lambda path: ("seen", path))] = None,
        shout: Annotated[str | None, typer.Option(parser=str.upper)] = None,
        size: Annotated[float, typer.Option()] = 0.5,
        *,
        on: Annotated[bool, typer.Option("--on")] = False,
    ) -> None:
        taken.append((words, name, count, few, path, shout, size, on))

    return app, taken


def outcome(arguments, command_class, group_class):
    app, taken = application(command_class, group_class)
    try:
        app(place_of_command(arguments), prog_name="test", standalone_mode=False)
    except typer.TyperException as error:
        return error.format_message(), taken
    return "", taken


def place_of_command(arguments):
    return [*arguments[:2], "only", *arguments[2:]] if arguments[:1] == ["--before"] else ["only", *arguments]


@pytest.mark.parametrize("arguments", LINES, ids=lambda line: " ".join(line)[:30].encode("unicode_escape").decode())
def test_a_command_takes_what_typers_own_takes(arguments):
    assert outcome(arguments, PlainCommand, PlainGroup) == outcome(arguments, TyperCommand, TyperGroup)


@pytest.mark.parametrize(
    "arguments",
    [["theory", "DDR4-2933", "--channels", "4"], ["theory", "PCIe5x16", "H200", "Core i7-14700K"], ["--version"]],
)
def test_a_peak_and_the_version_do_without_pydantic(arguments):
    program = (
        "import sys; from bandwidth.cli.app import run; code = run(sys.argv[1:]); "
        "sys.exit(code or any(name.split('.')[0] in ('pydantic', 'pydantic_core') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
