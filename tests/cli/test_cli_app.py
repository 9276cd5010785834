"""Poor surroundings are one line, or none where they do not matter; never a defect."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from bandwidth.catalog import Catalog, use_catalog
from bandwidth.cli.app import line_of, run
from bandwidth.machine.reader import SystemReader

pytestmark = pytest.mark.skipif(os.name == "nt", reason="paths and limits are other things there")
RECORD = str(Path(__file__).parents[1] / "data" / "record-1.json")
LIMITED = (
    "import resource, sys; limit = int(sys.argv.pop(1)); resource.setrlimit(resource.RLIMIT_AS, (limit, limit)); "
    "from bandwidth.__main__ import main; main()"
)


def bandwidth(*arguments, start=("-m", "bandwidth"), **options):
    options = {"stdout": subprocess.PIPE} | options
    command = [sys.executable, *start, *arguments]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, timeout=60, **options)


def test_figures_are_drawn_whatever_the_users_settings_say(tmp_path):
    pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
    (tmp_path / "broken").write_bytes(b"backend: nonsense\nlines.width: \xff\n")
    surroundings = {
        "HOME": os.devnull,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": str(tmp_path / "broken"),
        "SOURCE_DATE_EPOCH": "yesterday",
        "PYTHONIOENCODING": "ascii",
        "TMPDIR": str(tmp_path),
    }
    done = bandwidth("report", RECORD, "--format", "html", env={**os.environ, **surroundings})
    assert (done.returncode, done.stderr) == (0, "")
    assert "<svg " in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc to spoil")
@pytest.mark.parametrize("content", [None, b"", b"\xff\x00MemTotal: much\nprocessor\x1b : :\n"])
def test_a_machine_whose_proc_tells_nothing(content, tmp_path, monkeypatch, capsys):
    """psutil reads where it is told that /proc lies; the probes read through the reader's own files."""
    if content is not None:
        for name in ("meminfo", "cpuinfo", "stat", "loadavg"):
            (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    read = SystemReader.data
    monkeypatch.setattr(
        SystemReader, "data", lambda self, path: content if path.startswith("/proc/") else read(self, path)
    )
    assert SystemReader().total_memory_bytes() is None
    assert run(["system", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["machine"]["logical_cpus"] >= 1
    assert err == ""


@pytest.fixture
def catalog():
    """Use a catalog that has read nothing yet."""
    use_catalog(Catalog())


@pytest.mark.parametrize("folder", ["a" * 5000, "/etc/passwd\0", "a/" * 2500])
def test_a_place_for_specs_that_cannot_be_read_is_passed_over_and_said(folder, catalog, monkeypatch, capsys):
    monkeypatch.setattr(os, "environ", {**os.environ, "BANDWIDTH_SPECS": folder})
    assert run(["theory", "H200"]) == 0
    out, err = capsys.readouterr()
    assert "H200" in out
    assert err.startswith("bandwidth: skipped: ")
    assert (err.count("\n"), "cannot be read" in err) == (1, True)
    assert len(err) < 400


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everywhere")
def test_a_home_that_may_not_be_read_is_passed_over_and_said(catalog, monkeypatch, capsys, tmp_path):
    (tmp_path / ".config" / "bandwidth").mkdir(parents=True)
    (tmp_path / ".config").chmod(0)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert run(["theory", "H200"]) == 0
    assert "passed over" in capsys.readouterr().err
    (tmp_path / ".config").chmod(0o700)


def test_a_user_without_a_home_has_no_specs(catalog, monkeypatch, capsys):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert run(["theory", "H200"]) == 0
    assert capsys.readouterr().err == ""


def test_specs_that_are_no_plain_file_or_hold_no_number(catalog, monkeypatch, capsys, tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    os.mkfifo(tmp_path / "memory.toml")
    (tmp_path / "many.toml").write_text(f'["Card"]\nmemory = {"9" * 5000}\n')
    monkeypatch.setenv("BANDWIDTH_SPECS", str(tmp_path))
    assert run(["theory", "H200"]) == 0
    err = capsys.readouterr().err
    assert (err.count("is not a regular file"), err.count("is not TOML"), err.count("\n")) == (2, 1, 3)
    assert run(["specs", "validate", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("is not a regular file") == 2


def test_a_pipe_in_a_folder_of_a_fleet_is_not_waited_for(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "run.json").write_bytes(Path(RECORD).read_bytes())
    run(["fleet", str(tmp_path), "--json"])
    (told,) = json.loads(capsys.readouterr().out)["not_read"]
    assert "is not a regular file" in str(told)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("arguments", [["--help"], ["theory", "--help"], ["--version"], ["specs", "schema"]])
def test_help_on_a_full_disk_is_one_line(arguments):
    with Path("/dev/full").open("w") as full:
        done = bandwidth(*arguments, stdout=full)
    assert done.returncode == 1
    assert done.stderr == "bandwidth: standard output cannot be written: No space left on device; free some space\n"


@pytest.mark.parametrize("arguments", ["theory H200 -o x", "compare a b", "report a -o x.md"])
def test_a_working_folder_that_was_removed(arguments, tmp_path):
    gone = "import os; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone'); "
    code = f"{gone}from bandwidth.__main__ import main; main()"
    done = bandwidth(*arguments.split(), start=("-c", code), cwd=tmp_path)
    assert done.returncode in (1, 2), done.stderr
    assert done.stderr.count("\n") == 1
    assert "internal error" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is not kept elsewhere")
@pytest.mark.parametrize("limit_mib", [60, 150])
def test_little_memory_is_one_line(limit_mib):
    asked = ("measure", "--size", "4MiB", "--budget", "300ms", "--kernel", "copy", "--threads", "1")
    done = bandwidth(str(limit_mib * 1024**2), *asked, start=("-c", LIMITED))
    assert done.stderr.count("\n") == (1 if done.returncode else 0), done.stderr
    assert not any(word in done.stderr for word in ("internal error", "Traceback", "interrupted"))


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (MemoryError(), "not enough memory"),
        (RuntimeError("can't start new thread"), "refuses more threads"),
        (PermissionError(13, "Permission denied", "/etc/x\x1b"), "/etc/x\x1b: Permission denied"),
        (ImportError("\nIMPORTANT: PLEASE READ THIS"), "a library cannot be loaded: IMPORTANT"),
        (ValueError("odd"), "internal error: ValueError: odd"),
    ],
)
def test_the_system_and_defects_are_told_apart(error, part):
    assert part in line_of(error)


def test_help_has_no_type_of_what_takes_no_value(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for command in ([], ["measure"], ["system"], ["check"]):
        assert run([*command, "--help"]) == 0
        out = capsys.readouterr().out
        assert "<bool>" not in out
        assert "<str>" not in out


def test_help_has_ranges_of_numbers_in_words(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["measure", "--help"]) == 0
    assert "N [1 to 4096]" in capsys.readouterr().out
    assert run(["check", "--help"]) == 0
    out = capsys.readouterr().out
    assert "<=x<=" not in out


def test_help_as_a_word_and_the_short_version(capsys):
    assert run(["help", "explain"]) == 0
    assert "Usage: bandwidth explain" in capsys.readouterr().out
    assert run(["help"]) == 0
    assert "Usage: bandwidth [OPTIONS]" in capsys.readouterr().out
    assert run(["-V"]) == 0
    assert capsys.readouterr().out.startswith("bandwidth ")


def test_alone_it_states_this_machine_and_what_to_type_before_the_help(capsys):
    assert run([]) == 0
    out = capsys.readouterr().out
    first = out.split("Usage:")[0]
    assert "\nNext: bandwidth measure, bandwidth system" in first
    assert re.search(r"^(Theory: |At most )", first, re.MULTILINE)
    assert max(map(len, first.splitlines())) <= 80
