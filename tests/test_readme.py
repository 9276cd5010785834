"""Every example of README.md and of the topics is what the tool does: outputs are compared, commands and code are run.

`python -m tests.maintenance.readme` writes the outputs anew.
"""

import io
import os
import re
from pathlib import Path

import pytest

from bandwidth.cli.app import COMMANDS, run
from bandwidth.kernels import KERNELS
from tests.maintenance import readme as maintenance
from tests.support import pages
from tests.support.pages import arguments, blocks, console_examples, shell_commands

README = pages.README.read_text("utf-8")
CAPTURED = Path(__file__).parent / "machine" / "captured"


def made_small(words):
    """Return the words of a measurement so that it takes a moment; the pages' own value is taken out first."""
    if words[0] != "measure" or "--plan" in words:
        return words
    small = {"--budget": "200ms"}
    if "--core-to-core" not in words:  # which has no size
        small["--size"] = "2MiB"
    if "--range" in words:
        small["--range"] = "4KiB-1MiB"
    for option, value in small.items():
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
def test_console_example_prints_what_stands_there(command, expected, monkeypatch, capsys):
    monkeypatch.chdir(pages.ROOT)
    assert run(arguments(command)) == 0
    assert capsys.readouterr().out == expected


def test_shell_examples_run(compiled_for_all, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    commands = shell_commands()
    assert len(commands) >= 25
    for command in commands:
        if ("--cpus 0-1" in command or "--threads 1,2" in command) and usable_cpus()[:2] != [0, 1]:
            continue  # the example names CPUs that this machine does not give
        if "--core-to-core" in command and len(usable_cpus()) < 2:
            continue
        if "offload --record" in command:  # the runs above are too small to be of memory
            (tmp_path / "run.json").write_bytes((Path(__file__).parent / "data" / "record-1.json").read_bytes())
        if "after.json" in command:  # a second record of a machine as sound as the first
            (tmp_path / "after.json").write_bytes((tmp_path / "run.json").read_bytes())
        if "--dmi node7.txt" in command:
            (tmp_path / "node7.txt").write_bytes((CAPTURED / "ryzen_7950x_two_of_four.txt").read_bytes())
            (tmp_path / "node7.cpuinfo").write_text(
                "processor\t: 0\nmodel name\t: AMD Ryzen 9 7950X 16-Core Processor\n"
            )
        if "| bandwidth system --dmi -" in command:
            table = (CAPTURED / "ryzen_7950x_two_of_four.txt").read_bytes()
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(table), "utf-8"))
        code = run(made_small(arguments(command)))
        captured = capsys.readouterr()
        # On a machine that others use, or with one machine alone, nothing can be judged.
        judges = command.startswith(("bandwidth check", "bandwidth fleet"))
        assert code == 0 or (judges and code == 4), f"{command}: {captured.err}"
        assert captured.out or " -o " in command


def test_python_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (code,) = blocks("python")
    exec(compile(code, "30-python.md", "exec"), {})  # noqa: S102 - it is our own example
    # On a machine that others use, the budget of a second may not reach the last of the four.
    assert re.search(r"^host/copy/(native|numpy)/[0-9]+\S* [0-9.]+$", capsys.readouterr().out, re.MULTILINE)


def test_measured_screen_is_one_that_the_tool_prints():
    screen = blocks("text", pages.README)[0]
    assert "\nWhy not more\n" in screen
    assert re.search(r"^GB/s +read +write +copy +triad", screen, re.MULTILINE)
    assert re.search(r"^(all cores|one core), (streaming|ordinary|NumPy) ", screen, re.MULTILINE)
    assert re.search(r"^Quality: (good|fair|poor)\. \d+ cases, ", screen, re.MULTILINE)
    assert max(map(len, screen.splitlines())) <= 80
    assert len(screen.splitlines()) <= 40


def test_readme_is_short_and_names_topics_that_are_there():
    assert len(README.splitlines()) <= 200
    linked = re.findall(r"\]\((bandwidth/findings/topics/[^)]+)\)", README)
    assert len(linked) >= 10
    assert [name for name in linked if not (pages.ROOT / name).is_file()] == []
    for language in ("sh", "console", "text"):
        assert blocks(language, pages.README)


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)
def test_topics_that_a_page_names_are_there(page):
    named = re.findall(r"`bandwidth explain ([^`]+)`", page.read_text("utf-8").replace("\n", " "))
    for name in named:
        if not name.isupper():  # CODE, TOPIC
            assert run(["explain", *name.replace('"', "").split(), "--json"]) == 0


def test_reframe_example_is_the_test_that_is_run():
    run_once = (Path(__file__).parent / "data" / "reframe" / "memory_bandwidth.py").read_text("utf-8")
    assert blocks("py") == [re.sub(r"^# ruff: .*\n\n", "", run_once, flags=re.MULTILINE)]


def test_table_of_kernels_is_that_of_the_tool():
    (table,) = [block for block in blocks("text") if block.startswith("kernel  operation")]
    rows = {tuple(re.split(" {2,}", line)) for line in table.splitlines()[1:]}
    mixes = {name for name, kernel in KERNELS.items() if kernel.mix}
    assert rows == {(name, one.formula, one.counted) for name, one in KERNELS.items() if name not in mixes}


def test_outputs_are_written_anew_in_place(tmp_path, monkeypatch, capsys):
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    page.write_text("Before\n\n```console\n$ bandwidth explain units\nold\n```\n\nbehind\n", "utf-8")
    other.write_text("```console\n$ bandwidth explain qwertz\nold\n```\n", "utf-8")
    monkeypatch.setattr(maintenance, "PAGES", (page, other))
    monkeypatch.setattr(maintenance, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert maintenance.main() == 1
    printed = capsys.readouterr()
    assert printed.out == "page.md\n"
    assert "other.md: exit code 1 of: bandwidth explain qwertz" in printed.err
    assert other.read_text("utf-8") == "```console\n$ bandwidth explain qwertz\nold\n```\n"
    assert run(["explain", "units"]) == 0
    renewed = f"```console\n$ bandwidth explain units\n{capsys.readouterr().out}```"
    assert page.read_text("utf-8") == f"Before\n\n{renewed}\n\nbehind\n"


def test_every_command_is_in_the_readme():
    for command in COMMANDS:
        assert f"bandwidth {command}" in README
