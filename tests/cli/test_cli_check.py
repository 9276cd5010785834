"""`bandwidth check` as a user runs it: its one line, its exit code, and the two tries of --measure."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import NamedTuple

import pytest

from bandwidth.cli import app
from bandwidth.cli import check as command
from bandwidth.findings import examine
from bandwidth.measuring import measure
from bandwidth.results.files import load, save

GB = 10**9
SIZE = 256 * 1024**2
OK = (
    "ok: today.json: 2 results at 95 % of sound.json or above; "
    "the slowest host/copy/numpy/2 at 98.0 % (39.20 against 40.00 GB/s)\n"
)
FAILED = (
    "FAILED: today.json: 1 below of 2 results, at least 95 % of sound.json; "
    "host/copy/numpy/2 at 50.0 % (20.00 against 40.00 GB/s); differs: modules 4 (baseline 8)\n"
)
NOISE = (
    "ok: today.json: 1 of 2 results at 95 % of sound.json or above; "
    "within noise host/copy/numpy/2 at 90.0 % (36.00 against 40.00 GB/s)\n"
)
MISSING = "FAILED: today.json: 1 missing of 2 results, at least 95 % of sound.json; host/read/numpy/2 missing\n"


class Ran(NamedTuple):
    """What one call left behind."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def registered(monkeypatch, tmp_path):
    monkeypatch.setattr(app, "COMMANDS", tuple(dict.fromkeys((*app.COMMANDS, "check"))))
    monkeypatch.delenv("BANDWIDTH_MEMORY", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys):
    def run(*arguments):
        code = app.run(["check", *arguments])
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture
def build(make_record, make_case, make_result):
    """Return a record of rates in GB/s by path, two threads each: `build(copy=(40.0,) * 6)`."""

    def build(*, machine=None, failed=(), **rates):
        results = [
            make_result(
                make_case(path=path, threads=2),
                tuple(SIZE / rate / GB for rate in values),
                failure="wrong" if path in failed else "",
            )
            for path, values in rates.items()
        ]
        return make_record(*results, machine={"cpu_model": "A", "memory_modules": [{}] * 8, **(machine or {})})

    return build


@pytest.fixture
def keep(build):
    """Save a record under a name."""

    def keep(name, **rates):
        record = build(**rates)
        save(record, examine(record), Path(name))
        return record

    return keep


@pytest.fixture
def sound(keep):
    keep("sound.json", copy=(40.0,) * 6, read=(30.0,) * 6)


TODAY = ("today.json", "--baseline", "sound.json")


def test_a_sound_machine_is_one_line_and_exit_0(run, keep, sound):
    keep("today.json", copy=(39.2,) * 6, read=(30.0,) * 6)
    assert run(*TODAY) == Ran(0, OK, "")


def test_a_slow_machine_is_one_line_and_exit_1(run, keep, sound):
    keep("today.json", copy=(20.0,) * 6, read=(30.0,) * 6, machine={"memory_modules": [{}] * 4})
    assert run(*TODAY) == Ran(1, FAILED, "")


def test_empty_channels_and_slow_modules_are_said_of_a_sound_machine_too(run, keep, sound):
    channels = {"memory_channels": 7, "memory_channels_possible": 8}
    speeds = {"memory_type": "DDR5", "memory_configured_mt_s": 4400, "memory_rated_mt_s": 4800}
    keep("today.json", copy=(39.2,) * 6, read=(30.0,) * 6, machine=channels | speeds)
    told = "; 7 of 8 memory channels hold a module; DDR5-4800 runs at 4400 MT/s\n"
    assert run(*TODAY) == Ran(0, OK.replace("\n", told), "")
    assert json.loads(run(*TODAY, "--json").out)["set_up"] == told.strip("; \n").split("; ")


def test_a_channel_that_was_lost_is_said_once(run, keep):
    keep("sound.json", copy=(40.0,) * 6, machine={"memory_channels": 8, "memory_channels_possible": 8})
    keep("today.json", copy=(20.0,) * 6, machine={"memory_channels": 4, "memory_channels_possible": 8})
    ran = run(*TODAY)
    assert (ran.code, ran.out.count("channels")) == (1, 1)
    assert "4 of 8 memory channels hold a module" in ran.out


def test_below_but_within_noise_passes_and_is_named(run, keep, sound):
    keep("today.json", copy=(35.0, 36.0, 36.0, 36.0, 36.0, 41.0), read=(30.0,) * 6)
    assert run(*TODAY) == Ran(0, NOISE, "")


def test_what_is_missing_fails_unless_it_is_allowed(run, keep, sound):
    keep("today.json", copy=(40.0,) * 6)
    assert run(*TODAY) == Ran(1, MISSING, "")
    assert run(*TODAY, "--allow-missing").code == 0


def test_wrong_data_fails(run, keep, sound):
    keep("today.json", copy=(40.0,) * 6, read=(30.0,) * 6, failed=("read",))
    ran = run(*TODAY)
    assert (ran.code, ran.out.partition(";")[2]) == (1, " host/read/numpy/2 not verified\n")


@pytest.mark.parametrize(("least", "code"), [("50%", 0), ("0.5", 0), ("51 %", 1), ("100%", 1), ("1", 1)])
def test_the_least_share_is_a_percentage_or_a_fraction(run, keep, sound, least, code):
    keep("today.json", copy=(20.0,) * 6, read=(30.0,) * 6)
    assert run(*TODAY, "--min", least).code == code


def test_another_machine_is_refused_unless_any_is_taken(run, keep, sound):
    keep("today.json", copy=(40.0,) * 6, read=(30.0,) * 6, machine={"cpu_model": "B\n<script>"})
    ran = run(*TODAY)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert (
        "another machine: 'B\\n<script>' is not the baseline's 'A'; give its own baseline, or --any-machine" in ran.err
    )
    ran = run(*TODAY, "--any-machine")
    assert ran.code == 0
    assert ran.out.count("\n") == 1
    assert ran.out.endswith("differs: processor B <script> (baseline A)\n")


def test_json_and_csv_carry_every_result(run, keep, sound):
    keep("today.json", copy=(20.0,) * 6, read=(30.0,) * 6)
    ran = run(*TODAY, "--json")
    data = json.loads(ran.out)
    assert ran.code == 1
    assert (data["schema"], data["passed"], data["min"], data["compared"]) == ("bandwidth/check/1", False, 0.95, 2)
    assert [(one["id"], one["verdict"], one["speed"]) for one in data["results"]] == [
        ("host/copy/numpy/2", "below", pytest.approx(0.5)),
        ("host/read/numpy/2", "ok", pytest.approx(1)),
    ]
    rows = list(csv.DictReader(io.StringIO(run(*TODAY, "--format", "csv").out)))
    assert [row["verdict"] for row in rows] == ["below", "ok"]
    assert float(rows[0]["median_bytes_per_s"]) == pytest.approx(20e9)
    html = run(*TODAY, "--format", "html").out
    assert "<td>host/copy/numpy/2</td>" in html


def test_the_line_can_go_to_a_file(run, keep, sound, tmp_path):
    keep("today.json", copy=(39.2,) * 6, read=(30.0,) * 6)
    assert run(*TODAY, "-o", "line.txt") == Ran(0, "", "")
    assert (tmp_path / "line.txt").read_text() == OK


# --- measuring


@pytest.fixture
def machine(monkeypatch, build):
    """Let --measure give these records, one a try; return the options that were asked for."""
    asked = []

    def let(*records):
        tries = iter(records)

        def measure_prepared(preparation, _, **__):
            return next(tries), False

        monkeypatch.setattr(measure, "prepare", lambda options: asked.append(options))
        monkeypatch.setattr(measure, "measure_prepared", measure_prepared)
        return asked

    return let


MEASURE = ("--measure", "host", "--baseline", "sound.json")


def test_a_sound_machine_is_measured_once_as_the_baseline_was(run, build, sound, machine):
    asked = machine(build(copy=(40.0,) * 6, read=(30.0,) * 6, machine={"hostname": "n1"}))
    ran = run(*MEASURE)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("ok: n1: 2 results at 95 % of sound.json or above")
    (options,) = asked
    assert (options.target, options.kernels, options.engines) == ("host", ("copy", "read"), ("numpy",))
    assert (options.threads, options.size_bytes, options.stores, options.budget_s) == (("2",), SIZE, None, 15.0)


def test_what_fails_is_measured_again_and_that_alone(run, build, sound, machine):
    again = build(copy=(40.0,) * 6, read=(1.0,) * 6)
    asked = machine(build(copy=(20.0,) * 6, read=(30.0,) * 6), again)
    ran = run(*MEASURE, "--save", "now.json")
    assert ran.code == 0
    assert [options.kernels for options in asked] == [("copy", "read"), ("copy",)]
    assert load("now.json").notes == ("Measured a second time for the check: host/copy/numpy/2.",)


def test_a_slow_machine_fails_after_the_second_try(run, build, sound, machine):
    slow = build(copy=(20.0,) * 6, read=(30.0,) * 6)
    asked = machine(slow, slow)
    assert run(*MEASURE).code == 1
    assert len(asked) == 2


def test_both_tries_fit_in_60_seconds(run, build, sound, machine, monkeypatch):
    slow = build(copy=(20.0,) * 6, read=(30.0,) * 6)
    for used, budgets in ((26.0, [15.0, 15.0]), (45.0, [15.0, 6.75]), (53.0, [15.0])):
        now = iter((0.0, used))
        monkeypatch.setattr(command.time, "monotonic", lambda now=now: next(now))
        asked = machine(slow, slow)
        asked.clear()
        assert run(*MEASURE).code == 1
        assert [options.budget_s for options in asked] == budgets


def test_an_interrupted_measurement_checks_nothing(run, sound, machine, build, monkeypatch):
    machine()
    monkeypatch.setattr(measure, "measure_prepared", lambda *_, **__: (build(), True))
    ran = run(*MEASURE)
    assert (ran.code, ran.out) == (130, "")
    assert "interrupted" in ran.err


# --- bad input


@pytest.mark.parametrize(
    ("code", "arguments", "parts"),
    [
        (2, (), ("nothing to check against", "--baseline RECORD")),
        (2, ("today.json",), ("nothing to check against",)),
        (2, ("--baseline", "sound.json"), ("one record is checked", "--measure host")),
        (2, (*TODAY, "--measure", "host"), ("one record is checked",)),
        (2, (*TODAY, "--save", "x.json"), ("--save keeps what --measure measured",)),
        (2, ("sound.json", "--baseline", "./sound.json"), ("its own baseline",)),
        (2, (*TODAY, "--min", "0%"), ("--min: '0%' is not a share",)),
        (2, (*TODAY, "--min", "120%"), ("--min: '120%' is not a share",)),
        (2, (*TODAY, "--min", "95"), ("--min: '95' is not a share", "95% or 0.95")),
        (2, (*TODAY, "--min", "much"), ("--min: 'much' is not a share",)),
        (2, (*TODAY, "--min", "-5%"), ("--min",)),
        (2, ("--measure", "disk", "--baseline", "sound.json"), ("no result of 'disk'",)),
        (1, ("none.json", "--baseline", "sound.json"), ("none.json does not exist",)),
        (1, ("today.json", "--baseline", "none.json"), ("none.json does not exist",)),
        (1, ("today.json", "--baseline", "empty.json"), ("empty.json holds no result",)),
        (1, ("today.json", "--baseline", "newer.json"), ("newer.json has schema 7",)),
        (1, ("other.json", "--baseline", "sound.json"), ("no result in common", "same options")),
    ],
)
def test_bad_input_is_one_line_with_its_exit_code(run, keep, sound, tmp_path, code, arguments, parts):
    keep("today.json", copy=(40.0,) * 6)
    keep("other.json", write=(40.0,) * 6)
    keep("empty.json")
    text = (tmp_path / "sound.json").read_text()
    (tmp_path / "newer.json").write_text(text.replace("bandwidth/record/1", "bandwidth/record/7"))
    ran = run(*arguments)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith("bandwidth: ")
    assert ran.err.count("\n") == 1
    for part in parts:
        assert part in ran.err
