"""`bandwidth fleet` as a user runs it: whole outputs, every format, exit codes, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import sys
from functools import partial

import pytest
from called import Ran
from simulated_fleet import FAULTS, Spread, planted, write_fleet

from bandwidth.cli import app
from bandwidth.fleet.gathering import Gathered
from bandwidth.report import FORMATS


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def run_it(*arguments):
        return Ran(app.run(["fleet", *arguments]), *capsys.readouterr())

    return run_it


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    write_fleet(folder, 12, 1, Spread(0.001), partial(planted, share=0.1, faults=FAULTS[:1]))
    return folder


def test_the_odd_machine_is_named_with_what_differs_and_the_exit_code_is_one(run, runs):
    (runs / "half.json").write_text("{", "utf-8")
    found = run("runs")
    assert found.code == 1
    assert found.err == ""
    assert found.out.startswith("12 machines in 1 group: 1 flagged, 1 file not read.\n")
    assert "n00005  host" in found.out
    text = " ".join(found.out.split())
    assert "Differs: memory 352 GiB (group 384 GiB), modules 11 (group 12)." in text
    assert "Not read: runs/half.json: is not complete JSON" in text
    assert max(map(len, found.out.splitlines())) <= 80


def test_a_sound_fleet_leaves_with_zero(run, runs):
    (runs / "n00005.json").unlink()
    found = run("runs")
    assert (found.code, found.err) == (0, "")
    assert found.out.startswith("11 machines in 1 group: none flagged.\n")


@pytest.mark.parametrize("left", [1, 2])
def test_where_nothing_can_be_judged_it_leaves_with_4(run, runs, left):
    for path in sorted(runs.iterdir())[left:]:
        path.unlink()
    found = run("runs")
    assert (found.code, found.err) == (4, "")
    assert "3 are needed to find an outlier" in " ".join(found.out.split())
    data = json.loads(run("runs", "--json").out)
    assert len(data["not_judged"]) == left
    assert {one["file"] for one in data["not_judged"]} == {f"runs/{path.name}" for path in runs.iterdir()}


def test_json_is_the_contracts(run, runs):
    data = json.loads(run("runs", "--json").out)
    assert data["schema"] == "bandwidth/fleet/1"
    assert set(data) >= {"groups", "flagged", "not_judged", "not_read"}
    (flagged,) = data["flagged"]
    fields = {"hostname", "target", "path", "engine", "threads", "median_bytes_per_s"}
    assert set(flagged) >= fields | {"group_median_bytes_per_s", "ratio", "deviation_mads", "differs"}
    assert flagged["ratio"] == pytest.approx(flagged["median_bytes_per_s"] / flagged["group_median_bytes_per_s"])
    assert flagged["target_ratio"] == pytest.approx(11 / 12, rel=0.01)
    assert flagged["differs"] == [
        {"name": "memory", "value": "352 GiB", "group": "384 GiB"},
        {"name": "modules", "value": "11", "group": "12"},
    ]
    assert data["groups"][0]["machines"] == 12
    assert [one["target"] for one in data["groups"][0]["targets"]] == ["device:0", "host", "pcie:0"]


def test_csv_is_a_row_a_machine_and_target(run, runs):
    rows = list(csv.DictReader(io.StringIO(run("runs", "--format", "csv").out)))
    assert len(rows) == 36
    assert [row["hostname"] for row in rows if row["flagged"] == "True"] == ["n00005"]
    assert rows[0]["differs"] == "memory 352 GiB (group 384 GiB); modules 11 (group 12)"


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_names_the_host(run, runs, name):
    found = run("runs", "--format", name, "-q")
    assert found.code == 1
    assert "n00005" in found.out


def test_html_is_a_page_with_a_strip_plot_in_it(run, runs, tmp_path):
    pytest.importorskip("matplotlib")
    assert run("runs", "--format", "html", "-o", "fleet.html").out == ""
    page = (tmp_path / "fleet.html").read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert page.count("<svg") == 1
    assert "% of the group&#x27;s median" in page or "% of the group's median" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_a_name_cannot_write_markup_or_lines(run, runs):
    path = runs / "n00005.json"
    path.write_text(path.read_text("utf-8").replace('"n00005"', '"<script>\\nx"'), "utf-8")
    assert "<script>" not in run("runs", "--format", "html").out
    assert "<script> x" in run("runs").out


def test_limits_are_options(run, runs):
    assert run("runs", "--min", "90%").code == 0
    assert run("runs", "--mads", "1000").code == 0


def test_names_come_from_standard_input(run, runs, monkeypatch):
    # Editors of Windows begin a file with a mark of its byte order.
    monkeypatch.setattr(sys, "stdin", io.StringIO("\ufeff" + "\n".join(str(path) for path in sorted(runs.iterdir()))))
    found = run("-")
    assert found.code == 1
    assert "not read" not in found.out
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(str(path) for path in sorted(runs.iterdir()))))
    assert run().code == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["empty"], 1, "no readable record"),
        (["nowhere.json"], 1, "nowhere.json: does not exist"),
        ([], 2, "nothing to judge; name records or folders, or use `bandwidth fleet measure`"),
        (["-"], 1, "no readable record"),
        (["runs", "--min", "2"], 2, "--min: '2' is not a share"),
        (["runs", "--local", "2"], 2, "these options need `bandwidth fleet measure`"),
        (["measure"], 2, "use --scheduler ADDRESS, --scheduler-file FILE or --local N"),
        (["measure", "--local", "2", "--scheduler", "tcp://x:1"], 2, "fleet measure needs one cluster"),
        (["measure", "--local", "2", "--", "host", "--json"], 2, "'--json' cannot be used with fleet measure"),
        (["measure", "--scheduler-file", "nowhere"], 1, "nowhere does not exist"),
    ],
)
def test_what_it_refuses_is_one_line(run, tmp_path, arguments, code, said):
    if "measure" in arguments and code == 1:
        pytest.importorskip("distributed")
    (tmp_path / "empty").mkdir()
    found = run(*arguments)
    assert found.code == code
    assert said in found.err
    assert found.err.count("\n") == 1


# --- measuring, with a cluster that is played ------------------------------------------------------------------------


@pytest.fixture
def gathered(monkeypatch, runs):
    """Let `fleet measure` gather what a test says."""

    def set_up(*found, interrupt=False):
        class Place:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                return False

            def hosts(self):
                return {one.host: "" for one in found} | {"late": ""}

        def gather(*_, **__):
            yield from found
            if interrupt:
                raise KeyboardInterrupt

        monkeypatch.setattr("bandwidth.fleet.on_dask.check_installed", lambda: None)
        monkeypatch.setattr("bandwidth.fleet.on_dask.local_cluster", lambda _: Place())
        monkeypatch.setattr("bandwidth.fleet.gathering.gather", gather)

    return set_up


def test_what_came_is_judged_and_what_did_not_is_named(run, gathered, runs):
    good = [Gathered(f"h{i}", runs / f"n0000{i}.json") for i in range(4)]
    gathered(*good, Gathered("dead", None, "its worker left"))
    found = run("measure", "--local", "5")
    assert found.code == 1
    assert "Not measured: dead: its worker left." in found.out
    assert "4 machines in 1 group: none flagged." in found.out
    assert "[5/6] dead: NOT MEASURED: its worker left\n" in found.err
    assert found.err.endswith("bandwidth: 1 of 5 hosts gave no complete record; see above\n")


def test_ctrl_c_keeps_and_judges_what_came(run, gathered, runs):
    gathered(*[Gathered(f"h{i}", runs / f"n0000{i}.json") for i in range(4)], interrupt=True)
    found = run("measure", "--local", "5", "-q", "--json")
    assert found.code == 130
    assert found.err == "bandwidth: interrupted; the records received are kept and judged\n"
    assert json.loads(found.out)["not_measured"] == [{"host": "late", "reason": "interrupted"}]


def test_ctrl_c_before_all_else(run, gathered):
    gathered(interrupt=True)
    found = run("measure", "--local", "5", "-q")
    assert (found.code, found.out) == (130, "")


def test_without_dask_it_says_what_to_install(run, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    found = run("measure", "--local", "2")
    assert found.code == 2
    assert "pip install 'membandwidth[fleet]'" in found.err
