"""`--engine opencl` from end to end on a real device: the table, the record, the report, `system`, and no link."""

from __future__ import annotations

import json
import tempfile

import pytest
from real_opencl import pocl

from bandwidth.cli.app import run
from bandwidth.results.files import load


@pytest.fixture
def machine(tmp_path_factory, monkeypatch):
    pocl()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("lock")))
    monkeypatch.setattr("bandwidth.engines.devices.engine.WARM_UP_S", 0.0)


def test_the_memory_of_two_devices(machine, capsys, tmp_path):
    path = tmp_path / "record.json"
    kernels = ("--kernel", "triad,read", "--size", "3MiB", "--budget", "3s")
    asked = ("measure", "device", "--engine", "opencl", "--device", "all", "--all", *kernels)
    assert run([*asked, "--save", str(path)]) == 0
    out = capsys.readouterr().out
    assert "OpenCL 3.0, Portable Computing Language" in out
    assert "Devices 0, 1 at once" in out
    assert max(map(len, out.splitlines())) <= 80
    record = load(path)
    ids = {result.case.id for result in record.results}
    assert {"device:0/triad/opencl/1", "device:1/read/opencl/1", "device:0,1/triad/opencl/1"} <= ids
    assert all(result.is_verified for result in record.results)
    assert record.gpus[1]["unified_memory"] is True
    assert {"tried_s", "form", "threads"} <= set(next(r for r in record.results if r.case.path == "triad").tuning)
    assert run(["report", str(path), "-o", str(tmp_path / "report.md")]) == 0
    assert "Portable Computing Language" in (tmp_path / "report.md").read_text("utf-8")


def test_memory_that_is_the_hosts_has_no_link(machine, capsys):
    assert run(["measure", "pcie", "--engine", "opencl"]) == 3
    said = "bandwidth: device 0 shares the host's memory and has no link; measure its memory with the target device\n"
    assert capsys.readouterr().err == said


def test_processors_are_offered_on_request_only(machine, capsys):
    assert run(["measure", "--plan", "--json", "--size", "1MiB"]) == 0
    assert {case["target"] for case in json.loads(capsys.readouterr().out)["cases"]} == {"host"}
    assert run(["measure", "device"]) == 3
    assert capsys.readouterr().err.count("\n") == 1


def test_an_array_above_the_largest(machine, capsys):
    assert run(["measure", "device", "--engine", "opencl", "--kernel", "triad", "--size", "1TiB"]) == 2
    assert "--size 1 TiB: " in capsys.readouterr().err


def test_system_lists_them(machine, capsys):
    assert run(["system", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["machine"]["compute_devices"]
    assert [(one["engine"], one["device"], one["kind"]) for one in listed] == [
        ("opencl", 0, "processor"),
        ("opencl", 1, "processor"),
    ]
