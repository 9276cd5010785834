"""`bandwidth system` from end to end: this machine's facts, saved and given back."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from bandwidth.cli.app import run
from bandwidth.machine.facts import Fact, Facts


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv("BANDWIDTH_MEMORY", raising=False)


def refused(capsys, code, *arguments):
    assert run(["system", *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("bandwidth: ")
    assert err.count("\n") == 1
    assert "defect" not in err
    return err


def test_the_table_of_this_machine(capsys):
    assert run(["system"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("fact ")
    assert "physical cores" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out
    assert err == ""


def test_json_has_the_facts_with_their_sources(capsys):
    assert run(["system", "--json", "--memory", "DDR5-4800 x12", "--sockets", "2"]) == 0
    out, err = capsys.readouterr()
    content = json.loads(out)
    assert content["schema"] == "bandwidth/system/1"
    assert set(content["machine"]["sources"]) == set(content["machine"]) - {"sources"}
    assert content["memory"]["bytes_per_s"] == pytest.approx(921.6e9)
    assert content["memory"]["source"] == "--memory DDR5-4800 x12"
    assert err == ""


def test_the_theory_stands_below_the_table(capsys, monkeypatch):
    monkeypatch.setenv("BANDWIDTH_MEMORY", "DDR4-2933 x4")
    assert run(["system", "--sockets", "1"]) == 0
    assert "93.87 GB/s for the machine, from BANDWIDTH_MEMORY DDR4-2933 x4" in capsys.readouterr().out
    assert run(["system", "--sockets", "1", "--memory", "DDR4-3200 x2"]) == 0
    assert "51.20 GB/s for the machine, from --memory DDR4-3200 x2" in capsys.readouterr().out


def test_gpus_have_a_table_and_stay_whole_in_json(capsys, monkeypatch):
    gpu = {"address": "0000:01:00.0", "vendor": "NVIDIA", "name": "NVIDIA H200", "ecc_enabled": True}
    memory = {"memory_clock_mhz": 3201, "memory_width_bits": 6144}
    facts = Facts({"gpus": Fact([gpu | memory], "NVML", "read")})
    monkeypatch.setattr("bandwidth.machine.probe.collect", lambda reader: facts)
    assert run(["system", "--unit", "TB/s"]) == 0
    out, err = capsys.readouterr()
    assert "\nGPU: NVIDIA H200\nfact " in out
    assert "2 x 3201 MHz x 6144 bit / 8 = 4.92 TB/s\n" in out
    assert "see --json" not in out
    assert err == ""
    assert run(["system", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["machine"]["gpus"] == [gpu | memory]


def test_saved_facts_are_told_saved_whole_and_serve(capsys, tmp_path):
    path = tmp_path / "facts.json"
    assert run(["system", "--save", str(path)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("fact ")
    assert " ".join(err.split()) == f"bandwidth: the facts are saved in {path}; give them by --facts {path}"
    assert Facts.from_json(json.loads(path.read_text("utf-8"))["machine"])
    assert [entry.name for entry in tmp_path.iterdir()] == ["facts.json"]
    assert run(["system", "--facts", str(path)]) == 0
    assert capsys.readouterr().err == ""


def test_saved_modules_serve_who_cannot_see_them(capsys, tmp_path):
    path = tmp_path / "facts.json"
    assert run(["system", "--save", str(path), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    if "memory_modules" in content["machine"]:
        pytest.skip("this machine shows its modules")
    modules = {
        "memory_modules": [{"locator": f"DIMM {index}", "type": "DDR4", "configured_mt_s": 2933} for index in range(4)],
        "memory_type": "DDR4",
        "memory_rated_mt_s": 2933,
        "memory_configured_mt_s": 2933,
        "memory_channels": 4,
        "memory_width_bits": 256,
    }
    origin = {"source": "/sys/firmware/dmi/tables/DMI", "confidence": "read"}
    content["machine"] |= modules
    content["machine"]["sources"] |= dict.fromkeys(modules, origin)
    del content["machine"]["memory_modules_reason"]
    path.write_text(json.dumps(content))
    assert run(["system", "--facts", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["memory"]["bytes_per_s"] == pytest.approx(93866666666.67)
    assert found["machine"]["sources"]["memory_type"]["confidence"] == "given"
    assert "memory_modules_reason" not in found["machine"]
    assert run(["measure", "--plan", "--facts", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["memory"]["spec"] == "DDR4-2933 x4"


def test_quiet_saves_without_a_word(capsys, tmp_path):
    assert run(["system", "--quiet", "--save", str(tmp_path / "facts.json")]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--memory", "nonsense"), "--memory: "),
        (("--memory", "PCIe 4.0 x16"), "is a link"),
        (("--sockets", "2"), "--sockets multiplies --memory"),
        (("--format", "xml"), "--format 'xml' is not known"),
        (("--unit", "x"), "--unit 'x'"),
        (("extra",), "extra"),
    ],
)
def test_bad_input_is_one_line_and_2(capsys, arguments, part):
    assert part in refused(capsys, 2, *arguments)


def test_places_that_cannot_be_written_are_refused(capsys, tmp_path):
    for option in ("--save", "-o"):
        refused(capsys, 2, option, str(tmp_path))
        refused(capsys, 2, option, str(tmp_path / "none" / "facts.json"))


def test_facts_that_cannot_be_used_are_refused(capsys, tmp_path):
    (tmp_path / "foreign.json").write_text('{"machine": 1}')
    assert "holds no facts" in refused(capsys, 1, "--facts", str(tmp_path / "foreign.json"))
    assert "does not exist" in refused(capsys, 1, "--facts", str(tmp_path / "none.json"))


def test_no_output_on_a_pipe_has_escapes():
    done = subprocess.run([sys.executable, "-m", "bandwidth", "system"], capture_output=True, check=True, timeout=60)
    assert b"\x1b" not in done.stdout + done.stderr
    assert done.stderr == b""
