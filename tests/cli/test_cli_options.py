"""Options that commands share, each declared once, and their groups; and `-o 'runs/%h-%j.json'`, one file a node."""

from __future__ import annotations

import importlib
import inspect
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.models import OptionInfo

from bandwidth.cli import app, options
from bandwidth.cli.app import run
from bandwidth.cli.options import JOB_VARIABLES, expanded
from bandwidth.errors import UsageError
from bandwidth.planning.option import option, size
from bandwidth.units import parse_size_bytes


def declared():
    """Yield each option of each command with the name of its parameter."""
    for command in app.COMMANDS:
        function = getattr(importlib.import_module(f"bandwidth.cli.{command}"), command)
        for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
            for info in getattr(parameter.annotation, "__metadata__", ()):
                if isinstance(info, OptionInfo):
                    yield name, info


def test_an_option_of_several_commands_is_declared_once():
    by_text = {}
    for name, info in declared():
        flags = info.param_decls or (f"--{name.replace('_', '-')}",)
        by_text.setdefault((flags, info.help), set()).add(id(info))
    assert len(by_text) > 50
    assert [key for key, declarations in by_text.items() if len(declarations) > 1] == []


@dataclass(frozen=True)
class Pair:
    first: Annotated[int, typer.Option("--first")] = 1
    second: Annotated[str | None, typer.Option("--second")] = None


@dataclass(frozen=True)
class Declared:
    size_bytes: int | None = option("--size", "A size.", metavar="SIZE", parse=size)
    switched: bool = option("--on", "On.", default=False)
    untold: str | None = option("--untold")


def test_a_group_is_its_options_where_it_stands():
    seen = []

    @options.with_groups
    def command(name: str, *, pair: Pair, asked: options.Given[Declared], last: bool = False) -> None:
        seen.extend([name, pair, asked.over(Declared(untold="kept")), last])

    assert list(inspect.signature(command).parameters) == ["name", "first", "second", "size_bytes", "switched", "last"]
    command(name="x", first=2, second=None, size_bytes="4kB", switched=True, last=True)
    assert seen == ["x", Pair(2), Declared(4000, True, "kept"), True]
    with pytest.raises(UsageError, match="--size: 'much' is not a size"):
        command(name="x", first=2, second=None, size_bytes="much", switched=False, last=True)


def test_a_value_that_does_not_fit_names_its_option():
    assert options.option_value("--size", "4kB", parse_size_bytes) == 4000
    assert options.option_list("--size", " 1, 2,1 ") == ["1", "2"]
    with pytest.raises(UsageError, match="--size: 'much' is not a size; write it as"):
        options.option_value("--size", "much", parse_size_bytes)
    with pytest.raises(UsageError, match="--size '1,,2' has an empty value; separate"):
        options.option_list("--size", "1,,2")


@pytest.fixture(autouse=True)
def _no_job(monkeypatch):
    for name in JOB_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(platform, "node", lambda: "n017.cluster.example")


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("SLURM_JOB_ID", "123", "n017-123.json"),
        ("PBS_JOBID", "45[6].server", "n017-45[6].server.json"),
        ("LSB_JOBID", "../7", "n017-_7.json"),
        ("UNRELATED", "1", "n017-none.json"),
    ],
)
def test_host_and_job(monkeypatch, variable, value, expected):
    monkeypatch.setenv(variable, value)
    assert expanded(Path("%h-%j.json")) == Path(expected)


def test_time_process_and_a_percent_sign():
    found = str(expanded(Path("%t_%p_100%%.json")))
    assert re.fullmatch(rf"\d{{8}}T\d{{6}}Z_{os.getpid()}_100%\.json", found)


@pytest.mark.parametrize("name", ["%x.json", "50%.json", "a%"])
def test_another_letter_is_refused_with_those_there_are(name):
    with pytest.raises(
        UsageError, match=r"in a file name; %h host, %j job, %t time, %p process; write %% for a percent"
    ):
        expanded(Path(name))


def test_nothing_and_plain_names_stay_as_they_are():
    assert expanded(None) is None
    assert expanded(Path("runs/x.json")) == Path("runs/x.json")


def test_the_folder_is_made_for_a_pattern_alone_and_one_level_deep(tmp_path):
    expanded(tmp_path / "runs" / "%h.json")
    assert (tmp_path / "runs").is_dir()
    expanded(tmp_path / "other" / "x.json")
    expanded(tmp_path / "a" / "b" / "%h.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]


def test_every_file_that_is_kept_takes_a_pattern(tmp_path, capsys):
    """`measure --save` and `-o` are tested with their commands."""
    assert run(["system", "--quiet", "--save", str(tmp_path / "facts-%h.json")]) == 0
    assert (tmp_path / "facts-n017.json").exists()
    record = tmp_path / "facts-n017.json"
    assert run(["check", str(record), "--baseline", "b.json", "--save", str(tmp_path / "%x.json")]) == 2
    assert "unknown '%x' in a file name" in capsys.readouterr().err
