"""A maker of devices is an entry of the registry and nothing else: a toy goes through the whole tool."""

from __future__ import annotations

import tempfile
from dataclasses import replace

import pytest
import toy_maker

from bandwidth.cli.app import run
from bandwidth.engines.interface import DeviceMaker
from bandwidth.engines.registry import ENGINES
from bandwidth.errors import HardwareError
from bandwidth.results.files import load


@pytest.fixture
def toy(monkeypatch, tmp_path_factory):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("lock")))
    monkeypatch.setattr("bandwidth.engines.devices.engine.WARM_UP_S", 0.0)
    monkeypatch.setitem(ENGINES, "toy", toy_maker.ENTRY)


def measured(tmp_path, *arguments, code=0):
    path = tmp_path / "record.json"
    assert run(["measure", *arguments, "--engine", "toy", "--all", "--budget", "6s", "--save", str(path)]) == code
    return load(path)


def test_a_maker_that_is_one_entry_is_measured_shown_and_planned(toy, tmp_path, capsys):
    record = measured(tmp_path, "device", "--size", "96KiB")
    assert {result.case.id for result in record.results} == {f"device:0/{k}/toy/1" for k in toy_maker.ENTRY.kernels}
    assert all(result.is_verified for result in record.results)
    assert "Device 0: Toy, NumPy" in capsys.readouterr().out
    record = measured(tmp_path, "pcie", "--size", "96KiB")
    kinds = {(result.case.path, result.case.variant["host_memory"]) for result in record.results}
    assert kinds == {(p, "pinned") for p in ("h2d", "d2h", "bidirectional")} | {(p, "pageable") for p in ("h2d", "d2h")}
    assert all(result.is_verified for result in record.results)
    record = measured(tmp_path, "device", "--sweep", "size", "--latency", "--range", "64KiB-128KiB")
    assert {one.case.path for one in record.results} == {"read", "latency"}
    assert all(result.is_verified for result in record.results)


def test_what_a_maker_leaves_out_is_seen_by_the_common_check(toy, tmp_path, monkeypatch):
    whole = toy_maker.ToyDevice.run

    def left_out(self, kernel, shape, sources, target, scalar):
        spans = [span.part(0, span.size_bytes - 8) for span in (*sources, target)]
        whole(self, kernel, shape, spans[:-1], spans[-1], scalar)

    monkeypatch.setattr(toy_maker.ToyDevice, "run", left_out)
    record = measured(tmp_path, "device", "--size", "96KiB", "--kernel", "copy,memset", code=1)
    assert {result.case.path: result.is_verified for result in record.results} == {"copy": False, "memset": True}


def test_without_a_name_the_first_engine_that_finds_a_device_is_taken(toy, tmp_path, capsys, monkeypatch):
    def finds_none(numbers, is_asked):
        raise HardwareError("this engine finds none", "look elsewhere")

    for name in ("cuda", "hip"):
        monkeypatch.setitem(ENGINES, name, replace(ENGINES[name], lacks=lambda: "it is not installed: do so"))
    without = replace(toy_maker.ENTRY, name="opencl", maker=lambda: DeviceMaker(find=finds_none, sight=finds_none))
    monkeypatch.setitem(ENGINES, "opencl", without)
    assert run(["measure", "device", "--kernel", "memcpy", "--all", "--size", "96KiB", "--budget", "1s"]) == 0
    assert "Device 0: Toy, NumPy" in capsys.readouterr().out
    monkeypatch.setitem(ENGINES, "toy", replace(without, name="toy", sign=lambda *_: True))
    assert run(["measure", "device"]) == 3
    assert capsys.readouterr().err == "bandwidth: this engine finds none; look elsewhere\n"


def test_options_that_a_maker_has_not_are_refused(toy, capsys):
    assert run(["measure", "pcie", "--engine", "toy", "--host-memory", "write_combined"]) == 2
    said = capsys.readouterr().err
    assert "the engine toy has no --host-memory write_combined; choose from pinned, pageable" in said
    assert run(["measure", "device", "--engine", "toy,cuda"]) == 2
    said = capsys.readouterr().err
    assert "--engine toy,cuda: each needs the GPU to itself; measure with one at a time" in said
