"""Shell completion by the protocol of each shell: which values are offered, and that what is inserted is understood."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from bandwidth.catalog import Catalog, use_catalog
from bandwidth.cli import app
from bandwidth.cli.completion import BashLine, complete_device
from bandwidth.findings import explanations
from bandwidth.kernels import MIXES
from bandwidth.planning.option import options_of
from bandwidth.planning.options import KERNEL_SETS, TARGET_ALIASES, TARGET_WORDS, MeasureOptions, kernel_names
from bandwidth.report import FORMATS
from bandwidth.vocabulary import HOST_MEMORY, LINK_PATHS, STORES

BASH = shutil.which("bash")


@pytest.fixture
def asked(monkeypatch, capsys):
    """Ask for completion as a shell does; `line` is what was typed, and the cursor stands at its end."""

    def ask(shell, line):
        monkeypatch.setenv("_BANDWIDTH_COMPLETE", f"complete_{shell}")
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
        monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        words = parted(line)
        monkeypatch.setenv("COMP_WORDS", "\n".join(words))
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        code = app.run([])
        assert code == 0
        return capsys.readouterr().out

    return ask


def parted(line):
    """Return the words as bash parts them, the last one empty behind a space."""
    found = re.findall(r"""(?:"[^"]*"?|'[^']*'?|\\.|[^\s:=])+|[:=]""", line)
    return [*found, *([""] if line.endswith(" ") else [])]


@pytest.fixture
def bash(asked):
    return lambda line: asked("bash", line).splitlines()


@pytest.fixture
def fish(asked):
    return lambda line: [one.partition("\t")[0] for one in asked("fish", line).splitlines() if one]


@pytest.fixture
def zsh(asked):
    def ask(line):
        text = asked("zsh", line)
        return [one.replace("\\\\:", ":") for one in re.findall(r'^(?:_arguments .*\(\()?"(.*?)"', text, re.MULTILINE)]

    return ask


@pytest.fixture(params=["bash", "zsh", "fish"])
def shell(request):
    return request.getfixturevalue(request.param)


# --- values


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("bandwidth measure --stores ", STORES),
        ("bandwidth measure --host-memory p", ["pinned", "pageable"]),
        ("bandwidth measure --sweep ", ["size", "threads"]),
        ("bandwidth measure --kernel tri", ["triad"]),
        ("bandwidth measure --kernel copy,re", ["copy,read"]),
        ("bandwidth measure --kernel copy,read,cop", []),
        ("bandwidth measure --engine n", ["native", "numpy"]),
        ("bandwidth measure --engine native,nu", ["native,numpy"]),
        ("bandwidth measure --threads a", ["all"]),
        ("bandwidth measure --device ", ["0", "all"]),
        ("bandwidth measure ", TARGET_WORDS),
        ("bandwidth measure g", ["gpu"]),
        ("bandwidth measure --format l", ["latex"]),
        ("bandwidth measure --unit Gi", ["GiB/s", "Gib/s"]),
        ("bandwidth measure --memory DDR5-64", ["DDR5-6400"]),
        ("bandwidth check --measure ", ["host", "device", "pcie"]),
        ("bandwidth report --format ", ["html", "markdown", "latex"]),
        ("bandwidth tokens 70B here --split ", ["layers", "tensor"]),
        ("bandwidth offload --kernel tri", ["triad"]),
        ("bandwidth specs ", ["list", "show", "search", "validate", "schema"]),
        ("bandwidth explain BW01", [f"BW01{digit}" for digit in range(10)]),
        ("bandwidth explain bw015", ["bw015"]),
        ("bandwidth explain xmp write-a", ["write-allocate"]),
        ("bandwidth mea", ["measure"]),
        ("bandwidth measure --retu", ["--retune"]),
    ],
)
def test_values_are_offered_in_every_shell(shell, line, values):
    known = {entry.key for entry in explanations()}
    expected = [value for value in values if not value.startswith("BW01") or value in known]
    assert sorted(shell(line)) == sorted(expected)


def test_every_option_that_knows_its_values_offers_them(bash):
    """They are declared once, with the option: this and its check and completion are of the same names."""
    found = {told.name: bash(f"bandwidth measure {told.name} ") for _, told in options_of(MeasureOptions) if told.known}
    assert found["--stores"] == list(STORES)
    assert found["--host-memory"] == list(HOST_MEMORY)
    assert found["--mix"] == [*MIXES, "all"]
    assert all(set(told.known) <= set(found[told.name]) for _, told in options_of(MeasureOptions) if told.known)


def test_kernels_are_those_of_all_engines_and_links_and_the_sets(bash):
    offered = bash("bandwidth measure --kernel ")
    assert set(offered) == set(kernel_names())
    assert {*KERNEL_SETS, "all", "copy", "triad", "memcpy", *LINK_PATHS} <= set(offered)


def test_every_alias_of_a_target_is_offered(fish):
    assert set(TARGET_ALIASES) <= set(fish("bandwidth measure "))


def test_formats_of_a_measurement_are_those_of_the_terminal(bash):
    assert set(bash("bandwidth measure --format ")) == set(FORMATS)


def test_units_differ_by_upper_and_lower_case(bash):
    assert bash("bandwidth measure --unit gb") == []


def test_all_codes_and_topics_are_explained(bash):
    offered = {shlex.split(line)[0] for line in bash("bandwidth explain ")}
    assert {entry.key for entry in explanations()} <= offered
    assert not any(name.startswith("-") for name in offered)


def test_specs_complete_files_where_files_are_meant(bash):
    assert "RTX\\ 4090" in bash("bandwidth specs show RTX\\ 409")
    assert bash("bandwidth specs validate RTX\\ 409") == []


def test_thousands_of_devices_are_not_offered_before_a_letter(bash):
    offered = bash("bandwidth theory ")
    assert {"DDR5", "DDR4-3200", "PCIe\\ 5.0"} <= set(offered)
    assert len(offered) < 300


# --- names with spaces


def test_bash_gets_names_quoted_and_the_others_as_they_are(bash, zsh, fish):
    assert "RTX\\ 4090" in bash("bandwidth theory RTX\\ 409")
    assert "RTX 4090" in zsh("bandwidth theory RTX\\ 409")
    assert "RTX 4090" in fish("bandwidth theory RTX\\ 409")


@pytest.mark.parametrize("quote", ['"', "'"])
def test_a_name_within_quotes_is_not_quoted_again(bash, quote):
    assert "RTX 4090" in bash(f"bandwidth theory {quote}RTX 409")


@pytest.mark.parametrize("begun", ["rtx 40", "GeForce RTX 50", "nvidia geforce rtx 509", "epyc 97", "M4 M", "MI30"])
def test_what_is_offered_begins_with_what_was_typed_and_names_a_device(bash, monkeypatch, begun):
    offered = bash(f"bandwidth theory {begun.replace(' ', chr(92) + ' ')}")
    assert offered
    monkeypatch.delenv("_BANDWIDTH_COMPLETE")
    for line in offered[:5]:
        (name,) = shlex.split(line)  # one word, whatever is in it: "M4 Max (40-core GPU)"
        assert name.startswith(begun)
        assert app.run(["theory", name, "--quiet"]) == 0


def test_names_of_own_specs_are_offered(user_specs):
    (user_specs / "own.toml").write_text(
        '["Toy Card 77"]\nmaker = "Toys"\nkind = "gpu"\nmemory = "GDDR6 14Gbps 256-bit"\nsource = "a test"\n', "utf-8"
    )
    use_catalog(Catalog())
    assert complete_device("toy") == ["toy Card 77"]
    assert complete_device("Toy Card 7") == ["Toy Card 77"]
    assert "7R13" in complete_device("7R1")
    assert complete_device("nothing like it") == []
    assert complete_device(" ") == []


# --- bash parts words at `:` and `=`


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("bandwidth measure --mix 2", ["2:1"]),
        ("bandwidth measure --mix 2:", ["1"]),
        ("bandwidth measure --mix 2:1,3", ["1,3:1"]),
        ("bandwidth measure --mix 2:1,1:", ["0", "1"]),
        ('bandwidth measure --mix "2:1,1:', ["2:1,1:0", "2:1,1:1"]),
        ("bandwidth measure --kernel=tri", ["triad"]),
        ("bandwidth measure --mix=2:1,3:", ["1"]),
        ("bandwidth measure --kernel=", sorted(kernel_names())),
    ],
)
def test_bash_replaces_the_last_part_alone(bash, line, offered):
    assert sorted(bash(line)) == offered


def test_a_word_that_bash_does_not_tell_is_left_to_typer(monkeypatch):
    for words, place in (("bandwidth", "3"), ("bandwidth", ""), ("bandwidth", "x")):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", place)
        assert BashLine.read() is None


# --- what the shells do with it


def test_the_scripts_of_the_shells_ask_as_it_is_answered(monkeypatch, capsys):
    for name in ("bash", "zsh", "fish"):
        monkeypatch.setenv("_BANDWIDTH_COMPLETE", f"source_{name}")
        app.run([])
        assert f"_BANDWIDTH_COMPLETE=complete_{name}" in capsys.readouterr().out


def test_fish_is_told_by_the_exit_code_whether_there_are_values(monkeypatch, capsys):
    monkeypatch.setenv("_BANDWIDTH_COMPLETE", "complete_fish")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "is-args")
    for typed, code in (("gp", 0), ("no-such", 1)):
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", f"bandwidth measure {typed}")
        assert app.run([]) == code
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(BASH is None, reason="bash is not installed")
def test_bash_itself_completes_a_name_to_one_word(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("_BANDWIDTH_COMPLETE", "source_bash")
    app.run([])
    function = capsys.readouterr().out
    program = tmp_path / "bandwidth"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bandwidth "$@"\n', "utf-8")
    program.chmod(0o755)
    script = f"""{function}
COMP_CWORD=2
COMP_WORDS=(bandwidth theory 'M4\\ Max\\ \\(40')
_bandwidth_completion bandwidth
eval "set -- ${{COMPREPLY[0]}}"
echo "$#: $1"
"""
    environment = {name: value for name, value in os.environ.items() if name != "_BANDWIDTH_COMPLETE"}
    environment |= {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": ":".join(filter(None, sys.path))}
    ran = subprocess.run([BASH, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert ran.stdout == "1: M4 Max (40-core GPU)\n"


def test_nothing_heavy_is_loaded_for_it():
    program = (
        "import os, sys; os.environ.update(_BANDWIDTH_COMPLETE='complete_bash', COMP_CWORD='3',"
        " COMP_WORDS='bandwidth\\nmeasure\\n--kernel\\nco');"
        " from bandwidth.cli import app; code = app.run([]);"
        " heavy = {'numpy', 'llvmlite', 'cupy', 'pyopencl', 'matplotlib', 'rich', 'psutil'} & set(sys.modules);"
        " sys.exit(code or ' '.join(heavy) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "copy\n"), ran.stderr
