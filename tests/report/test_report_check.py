"""A record that is checked by itself: by what is normal for its processor, its GPUs and their links."""

from __future__ import annotations

import json

import pytest
from gpu_machine import two_h200s

from bandwidth.cli import app
from bandwidth.comparison.normal import check_normal
from bandwidth.findings import examine
from bandwidth.results.files import save

GENOA = {"cpu_vendor": "AuthenticAMD", "cpu_family": 25, "cpu_model_number": 17}
MACHINE = {"physical_cores": 8, "logical_cpus": 8, "cpus_allowed": "0-7", **GENOA}
PEAK = 460.8e9
STEADY = (1.0, 1.002, 0.998, 1.001, 0.999, 1.0)
UNEVEN = (1.0, 1.5, 1.1, 2.0, 1.2, 0.9)


@pytest.fixture
def record_of(make_record, result):
    def build(gb_s, seconds=STEADY, **facts):
        row = result("read", 8, gb_s, seconds, engine="native", theory_bytes_per_s=PEAK)
        return make_record(row, machine=MACHINE | facts)

    return build


@pytest.mark.parametrize(
    ("gb_s", "seconds", "verdict"),
    [
        (370.0, STEADY, "ok"),
        (300.0, STEADY, "failed"),
        (370.0, UNEVEN, "undecided"),
        (100.0, UNEVEN, "undecided"),
        (700.0, UNEVEN, "ok"),  # all of its interval is in the range
    ],
)
def test_the_best_rate_of_all_cores_decides_where_noise_lets_it(record_of, gb_s, seconds, verdict):
    assert check_normal(record_of(gb_s, seconds)).check.verdict == verdict


def test_without_a_range_nothing_is_decided(make_record, result):
    found = check_normal(make_record(result("read", 8, 60.0, engine="native"), machine=MACHINE))
    assert found.check.verdict == "undecided"
    assert "use --baseline" in found.check.locked_out


def test_gpus_and_their_links_have_ranges_of_their_own(make_record, make_case, make_result):
    found = check_normal(two_h200s(make_record, make_case, make_result))
    assert found.check.verdict == "ok"
    assert {one.name for one in found.check.judged} >= {"device:0/triad/cuda/1", "pcie:1/h2d/cuda/1/pinned"}


@pytest.mark.parametrize(
    ("gb_s", "code", "line"),
    [
        (
            370.0,
            0,
            "ok: run.json: read, all cores 370.00 GB/s, 80.3 % of peak; normal for EPYC 9004 is 75 to 85 %",
        ),
        (300.0, 1, "FAILED: run.json: read, all cores 300.00 GB/s, 65.1 % of peak; normal for EPYC 9004"),
    ],
)
def test_the_line_begins_with_the_verdict(record_of, tmp_path, monkeypatch, capsys, gb_s, code, line):
    monkeypatch.chdir(tmp_path)
    record = record_of(gb_s, memory_channels=11, memory_channels_possible=12)
    save(record, examine(record), tmp_path / "run.json")
    assert app.run(["check", "run.json"]) == code
    out, err = capsys.readouterr()
    assert out.startswith(line)
    assert "; 11 of 12 memory channels hold a module" in out
    assert (out.count("\n"), err) == (1, "")
    assert app.run(["check", "run.json", "--json"]) == code
    content = json.loads(capsys.readouterr().out)
    assert (content["baseline"], content["verdict"]) == (None, {0: "ok", 1: "failed"}[code])
