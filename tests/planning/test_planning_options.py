"""The options of a call: what can be said to be wrong at once, and their names in Python."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import bandwidth
from bandwidth.cli.app import run
from bandwidth.errors import UsageError
from bandwidth.planning.option import options_of
from bandwidth.planning.options import CallOptions, MeasureOptions
from bandwidth.planning.python_call import called_with


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stores": ()}, "--stores names nothing; omit it for all"),
        ({"engines": ()}, "--engine names nothing"),
        ({"stores": ("streaming", "none")}, "--stores 'none' is not known; choose from streaming, ordinary"),
        ({"sweep": "cpus"}, "--sweep 'cpus' is not known; choose from size, threads"),
        ({"mixes": ("2:1", "1:2")}, "--mix '1:2' is not known"),
        ({"sweep_range": (1, 2)}, "--range needs a sweep"),
        ({"sweep": "size", "sweep_range": (1,)}, "is not two whole numbers"),
        ({"sweep": "size", "sweep_range": (1.0, 2.0)}, "is not two whole numbers"),
        ({"sweep": "threads", "sweep_range": (0, 4)}, "--range 0-4 is reversed or below 1"),
        ({"sweep": "threads", "sweep_range": (-3, -1)}, "--range -3--1 is reversed or below 1"),
    ],
)
def test_bad_values_are_usage_errors(options, message):
    with pytest.raises(UsageError) as caught:
        MeasureOptions(**options)
    assert message in str(caught.value)
    assert caught.value.hint


def test_nothing_asked_is_the_table():
    assert not MeasureOptions().is_study
    assert not MeasureOptions(kernels=("copy",), size_bytes=1).is_study
    for study in (
        {"sweep": "size"},
        {"numa": True},
        {"latency": True},
        {"chains": True},
        {"core_to_core": True},
        {"mixes": ("2:1",)},
        {"zeros": True},
    ):
        assert MeasureOptions(**study).is_study


@called_with(CallOptions)
def asked(options):
    return options


def test_one_value_and_several_are_taken():
    one = asked("host", kernels="copy", threads=2, cpus=[0, 1], sweep="size")
    assert (one.kernels, one.threads, one.cpus, one.sweep) == (("copy",), ("2",), (0, 1), "size")
    several = asked("all", kernels=["copy", "read"], devices=[0, 1], sweep_range=None)
    assert (several.kernels, several.devices, several.sweep_range) == (("copy", "read"), ("0", "1"), None)
    assert asked() == MeasureOptions(memory_source="memory")


@pytest.mark.parametrize("name", ["colour", "saved_facts", "memory_source"])
def test_what_is_no_option_is_no_keyword(name):
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
        bandwidth.measure("host", **{name: None})


def test_a_value_that_no_machine_could_serve_is_refused():
    with pytest.raises(UsageError, match="--sweep 5 is not known"):
        asked("host", sweep=5)
    with pytest.raises(UsageError, match="--kernel names nothing"):
        asked("host", kernels=[])


# Each call with the error that a type checker has to find, "" for none.
CALLS = {
    'bandwidth.measure("host", kernels="copy", threads=[1, "all"], cpus=(0, 1), size_bytes=2**22)': "",
    'bandwidth.measure(target="pcie", devices=0, host_memory=["pinned"], sweep="size", sweep_range=(1, 2)).results': "",
    'bandwidth.measure("host", kernel="copy")': 'Unexpected keyword argument "kernel"',
    'bandwidth.measure("host", memory_source="x")': 'Unexpected keyword argument "memory_source"',
    'bandwidth.measure("host", size_bytes="1MiB")': 'Argument "size_bytes" to "measure" has incompatible type "str"',
    'bandwidth.measure("host", kernels=1)': 'Argument "kernels" to "measure" has incompatible type "int"',
    'bandwidth.measure("host").result': '"Record" has no attribute "result"',
}


def test_a_type_checker_knows_the_options_of_a_call(tmp_path):
    """Only the modules that declare them are followed: the whole package takes mypy a minute."""
    package = Path(bandwidth.__file__).parent
    calls = tmp_path / "calls.py"
    calls.write_text("import bandwidth\n" + "\n".join(CALLS) + "\n", "utf-8")
    names = ["__init__", "measuring/measure", "planning/option", "planning/options", "planning/python_call"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-incremental", "--follow-imports=skip", "--config-file=", str(calls)]
        + [str(package / f"{name}.py") for name in (*names, "results/__init__", "results/model")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(package.parent)},
    )
    found = dict(re.findall(r"^calls\.py:(\d+): error: (.*)$", done.stdout, re.MULTILINE))
    expected = {str(line): message for line, message in enumerate(CALLS.values(), 2) if message}
    assert found.keys() == expected.keys(), done.stdout + done.stderr
    assert all(message in found[line] for line, message in expected.items()), done.stdout


NOT_SAVED = {"memory_source", "saved_facts"}


def test_the_command_line_the_api_and_the_record_have_the_same_options(capsys):
    names = {one.name for one in fields(MeasureOptions)}
    assert set(inspect.signature(bandwidth.measure).parameters) == names - NOT_SAVED
    saved = {one.name: option.name for one, option in options_of(MeasureOptions)}
    assert set(saved) == names - NOT_SAVED - {"target"}
    assert run(["measure", "--help"]) == 0
    told = capsys.readouterr().out
    assert [option for option in saved.values() if f"{option} " not in told] == []
