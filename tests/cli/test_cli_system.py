"""`bandwidth system` from end to end: this machine's facts, saved and given back."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bandwidth.cli.app import run
from bandwidth.machine.facts import Fact, Facts

CAPTURED = Path(__file__).parents[1] / "machine" / "captured"


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv("BANDWIDTH_MEMORY", raising=False)


def refused(capsys, code, *arguments):
    assert run(["system", *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("bandwidth: ")
    assert err.count("\n") == 1
    assert "internal error" not in err
    return err


def test_the_table_of_this_machine(capsys):
    assert run(["system", "--all"]) == 0
    out, err = capsys.readouterr()
    assert "\nMemory bandwidth: " in out
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
    assert "\nMemory bandwidth: " in out
    assert " ".join(err.split()) == f"bandwidth: facts saved in {path}; use them with --facts {path}"
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
    assert "contains no machine facts" in refused(capsys, 1, "--facts", str(tmp_path / "foreign.json"))
    assert "does not exist" in refused(capsys, 1, "--facts", str(tmp_path / "none.json"))


# --- another machine ------------------------------------------------------------------------------------------------

DESKTOP = CAPTURED / "ryzen_7950x_two_of_four.txt"


def asked(capsys, *arguments):
    assert run(["system", "--json", *map(str, arguments)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


def test_another_machine_is_answered_as_this_one(capsys, monkeypatch):
    monkeypatch.setenv("BANDWIDTH_MEMORY", "DDR4-2933 x4")  # speaks of this machine
    content = asked(capsys, "--dmi", DESKTOP)
    assert set(content) == set(asked(capsys))
    assert content["theory"] == {
        "spec": "DDR5-6000 x2",
        "peak_bytes_per_s": pytest.approx(96e9),
        "confidence": "derived",
        "reason": None,
    }
    assert content["machine"]["cpu_model"] == "AMD Ryzen 9 7950X 16-Core Processor"
    assert "hostname" not in content["machine"]
    assert content["findings"] == []
    assert run(["system", "--dmi", str(DESKTOP)]) == 0
    assert "96.00 GB/s for the machine" in capsys.readouterr().out


def test_another_machine_s_empty_channels_are_found(capsys, tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    name = "Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz"
    cpuinfo.write_text(
        f"processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t: 85\nmodel name\t: {name}\n"
    )
    content = asked(capsys, "--dmi", CAPTURED / "hr630x_eleven_modules_crlf.txt", "--cpuinfo", cpuinfo)
    (finding,) = [one for one in content["findings"] if one["code"] == "BW042"]
    assert finding["text"] == "11 of 12 memory channels hold a module: 234.67 of 256.00 GB/s are possible"


@pytest.mark.parametrize("format_name", ["table", "markdown", "csv", "json", "latex", "html"])
def test_another_machine_in_every_format_and_to_a_file(capsys, tmp_path, format_name):
    path = tmp_path / "out"
    assert run(["system", "--dmi", str(DESKTOP), "--format", format_name, "-o", str(path)]) == 0
    assert "7950X" in path.read_text("utf-8")
    assert capsys.readouterr().out == ""


def test_the_processor_and_the_table_may_come_from_two_files_and_a_pipe(capsys, tmp_path, monkeypatch):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t: 97\nmodel name\t: Mine\n")
    content = asked(capsys, "--dmi", DESKTOP, "--cpuinfo", cpuinfo)
    assert content["machine"]["sources"]["cpu_model"]["source"] == cpuinfo.name
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(DESKTOP.read_bytes())))
    assert asked(capsys, "--dmi", "-")["theory"]["spec"] == "DDR5-6000 x2"


def test_the_processor_may_stand_in_the_same_paste(capsys, tmp_path):
    path = tmp_path / "paste.txt"
    memory = (CAPTURED / "two_sockets_markdown.txt").read_text("utf-8")
    path.write_text(
        f"$ lscpu\nModel name:  Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz\nSocket(s):  2\n$ dmidecode\n{memory}"
    )
    content = asked(capsys, "--dmi", path)
    assert content["machine"]["cpu_model"] == "Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz"
    assert (content["machine"]["sockets"], content["theory"]["spec"]) == (2, "DDR4-2666 x12")


def test_memory_that_is_named_counts_for_another_machine_too(capsys):
    content = asked(
        capsys, "--dmi", CAPTURED / "two_sockets_markdown.txt", "--memory", "DDR4-3200 x6", "--sockets", "2"
    )
    assert content["theory"]["peak_bytes_per_s"] == pytest.approx(307.2e9)
    assert content["theory"]["confidence"] == "given"


def test_the_number_of_sockets_may_be_given_for_another_machine(capsys, tmp_path):
    device = (
        "Memory Device\n\tSize: 16 GB\n\tLocator: DIMM{0}\n\tBank Locator: BANK {0}\n\tType: DDR4\n\tSpeed: 2400 MT/s\n"
    )
    (tmp_path / "dmi").write_text("\n".join(device.format(number) for number in range(8)))
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Intel(R) Xeon(R) CPU E5-2690 v4 @ 2.60GHz\n")
    files = ("--dmi", tmp_path / "dmi", "--cpuinfo", tmp_path / "cpuinfo")
    (finding,) = asked(capsys, *files)["findings"]
    assert finding["hint"].startswith("add its number of sockets (--sockets N), or ")
    content = asked(capsys, *files, "--sockets", "2")
    assert content["theory"]["spec"] == "DDR4-2400 x8"
    assert content["machine"]["sources"]["sockets"] == {"source": "--sockets", "confidence": "given"}


def test_what_is_not_known_of_another_machine_has_a_hint_that_helps(capsys, tmp_path):
    path = tmp_path / "cut.txt"
    path.write_bytes(DESKTOP.read_bytes()[:1500])
    content = asked(capsys, "--dmi", path)
    assert content["theory"]["peak_bytes_per_s"] is None
    assert content["theory"]["reason"].endswith("use the complete output")
    (finding,) = content["findings"]
    assert finding["code"] == "BW010"
    assert "--facts" not in finding["hint"]


def test_files_that_are_none_of_another_machine_are_refused(capsys, tmp_path):
    (tmp_path / "record.json").write_text('{"schema": "bandwidth/record/1"}')
    with (tmp_path / "large").open("wb") as file:
        file.truncate(300 * 1024**2)
    for name, words in (("record.json", "is a file of this tool"), ("large", "too large"), ("none", "does not exist")):
        assert words in refused(capsys, 1, "--dmi", str(tmp_path / name))
    assert "cannot be read" in refused(capsys, 1, "--dmi", str(tmp_path))
    assert "too large" in refused(capsys, 1, "--dmi", str(DESKTOP), "--cpuinfo", str(tmp_path / "large"))
    for arguments in (("--cpuinfo", "x"), ("--dmi", "-", "--cpuinfo", "-"), ("--dmi", "x", "--facts", "y")):
        refused(capsys, 1 if "--facts" in arguments else 2, *arguments)


def test_no_output_on_a_pipe_has_escapes():
    done = subprocess.run([sys.executable, "-m", "bandwidth", "system"], capture_output=True, check=True, timeout=60)
    assert b"\x1b" not in done.stdout + done.stderr
    assert done.stderr == b""
