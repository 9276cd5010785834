"""Every example of the README is what the tool does: outputs are compared, commands and code are run."""

import os
import re
import shlex
from pathlib import Path

import pytest

from bandwidth.cli.app import COMMANDS, run

README = (Path(__file__).resolve().parent.parent / "README.md").read_text("utf-8")
CAPTURED = Path(__file__).parent / "machine" / "captured"
# What a measurement is given so that it takes a moment; the README's own value is taken out first.
SMALL = {"--size": "2MiB", "--budget": "500ms"}


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def console_examples():
    """Return the pairs of command and output in the console blocks."""
    return [tuple(block.removeprefix("$ ").split("\n", 1)) for block in blocks("console")]


def shell_commands():
    """Return the `bandwidth` commands of the shell blocks, but for the quick start and the benchmarks."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if re.match(r"(sudo \S*/)?bandwidth ", line)]


def arguments(command):
    words = shlex.split(command, comments=True)
    return words[next(place for place, word in enumerate(words) if word.endswith("bandwidth")) + 1 :]


def made_small(words):
    if words[0] != "measure" or "--plan" in words:
        return words
    for option, value in SMALL.items():
        if option in words:
            del words[words.index(option) : words.index(option) + 2]
        words += [option, value]
    return words


def usable_cpus():
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def test_quick_start_is_one_block_of_exactly_two_lines():
    section = README.split("## Quick start")[1].split("\n## ")[0]
    found = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    assert len(found[0].splitlines()) == 2
    assert "bandwidth measure" in found[0].splitlines()[0]
    assert "pytest" in found[0].splitlines()[1]


@pytest.mark.parametrize(("command", "expected"), console_examples())
def test_console_example_prints_what_stands_there(command, expected, capsys):
    assert run(arguments(command)) == 0
    assert capsys.readouterr().out == expected


def test_shell_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    commands = shell_commands()
    assert len(commands) >= 6
    for command in commands:
        if ("--cpus 0-1" in command or "--threads 1,2" in command) and usable_cpus()[:2] != [0, 1]:
            continue  # the example names CPUs that this machine does not give
        if "offload --record" in command:  # the runs above are too small to be of memory
            (tmp_path / "run.json").write_bytes((Path(__file__).parent / "data" / "record-1.json").read_bytes())
        if "after.json" in command:  # a second record of a machine as sound as the first
            (tmp_path / "after.json").write_bytes((tmp_path / "run.json").read_bytes())
        if "--dmi node7.txt" in command:
            (tmp_path / "node7.txt").write_bytes((CAPTURED / "ryzen_7950x_two_of_four.txt").read_bytes())
            (tmp_path / "node7.cpuinfo").write_text(
                "processor\t: 0\nmodel name\t: AMD Ryzen 9 7950X 16-Core Processor\n"
            )
        code = run(made_small(arguments(command)))
        captured = capsys.readouterr()
        # On a machine that others use, or with one machine alone, nothing can be judged.
        judges = command.startswith(("bandwidth check", "bandwidth fleet"))
        assert code == 0 or (judges and code == 4), f"{command}: {captured.err}"
        assert captured.out or " -o " in command


def test_python_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (code,) = blocks("python")
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - it is our own example
    # On a machine that others use, the budget of a second may not reach the last of the four.
    assert re.search(r"^host/copy/(native|numpy)/[0-9]+\S* [0-9.]+$", capsys.readouterr().out, re.MULTILINE)


def test_measured_screen_is_one_that_the_tool_prints():
    screen = blocks("text")[0]
    printed = (Path(__file__).parent / "data" / "report" / "screens.txt").read_text("utf-8")
    assert screen.replace("from SMBIOS (derived)", "from captured (derived)").rstrip("\n") in printed
    assert max(map(len, screen.splitlines())) <= 80


def test_every_command_is_in_the_readme():
    for command in COMMANDS:
        assert f"bandwidth {command}" in README
