"""`-o 'runs/%h-%j.json'`: one file a node, whatever the batch system calls its jobs."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

import pytest

from bandwidth.cli.app import run
from bandwidth.cli.path_pattern import JOB_VARIABLES, expand
from bandwidth.errors import UsageError


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
    assert expand(Path("%h-%j.json")) == Path(expected)


def test_time_process_and_a_percent_sign():
    found = str(expand(Path("%t_%p_100%%.json")))
    assert re.fullmatch(rf"\d{{8}}T\d{{6}}Z_{os.getpid()}_100%\.json", found)


@pytest.mark.parametrize("name", ["%x.json", "50%.json", "a%"])
def test_another_letter_is_refused_with_those_there_are(name):
    with pytest.raises(UsageError, match=r"is not known; %h host, %j job, %t time, %p process; write %% for a percent"):
        expand(Path(name))


def test_nothing_and_plain_names_stay_as_they_are():
    assert expand(None) is None
    assert expand(Path("runs/x.json")) == Path("runs/x.json")


def test_the_folder_is_made_for_a_pattern_alone_and_one_level_deep(tmp_path):
    expand(tmp_path / "runs" / "%h.json")
    assert (tmp_path / "runs").is_dir()
    expand(tmp_path / "other" / "x.json")
    expand(tmp_path / "a" / "b" / "%h.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]


def test_every_file_that_is_kept_takes_a_pattern(tmp_path, capsys):
    """`measure --save` and `-o` are tested with their commands."""
    assert run(["system", "--quiet", "--save", str(tmp_path / "facts-%h.json")]) == 0
    assert (tmp_path / "facts-n017.json").exists()
    record = tmp_path / "facts-n017.json"
    assert run(["check", str(record), "--baseline", "b.json", "--save", str(tmp_path / "%x.json")]) == 2
    assert "'%x' in a file's name is not known" in capsys.readouterr().err
