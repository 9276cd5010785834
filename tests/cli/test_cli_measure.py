"""`bandwidth measure` from end to end: what it refuses, what it prints and saves, and how it ends."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import pytest
from measuring_support import small_topology

from bandwidth import text_files
from bandwidth.cli.app import run
from bandwidth.engines.interface import Block, EngineEntry
from bandwidth.engines.registry import ENGINES
from bandwidth.errors import UsageError
from bandwidth.findings import examine
from bandwidth.machine.probe import collect
from bandwidth.measuring.lock import FOLDER_VARIABLE, machine_lock
from bandwidth.results import files as results_files
from bandwidth.results import summarise
from bandwidth.results.files import load, parse

TINY = ("--size", "4MiB", "--budget", "1s", "--kernel", "copy", "--threads", "1")
NUMPY = ("--engine", "numpy", *TINY)
# A shell that starts the tests in the background has SIGINT ignored, and so have its children: undone here.
WITH_CTRL_C = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from bandwidth.__main__ import main; main()"
)


@pytest.fixture(autouse=True)
def own_machine(tmp_path_factory, monkeypatch):
    """Give every test a lock of its own: another measurement on this machine is none of its business."""
    folder = tmp_path_factory.mktemp("lock")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.delenv("BANDWIDTH_MEMORY", raising=False)
    return folder


def bandwidth(*arguments, **options):
    command = [sys.executable, "-m", "bandwidth", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **options)


def refused(capsys, code, *arguments):
    """Run a call that must end with `code`, nothing on standard output and one line on standard error; return it."""
    assert run(["measure", *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("bandwidth: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert "internal error" not in err
    return err


# --- bad input


@pytest.mark.parametrize(
    ("code", "arguments", "parts"),
    [
        (2, ("--kernel", "triadd"), ("--kernel 'triadd' is not known", "copy")),
        (2, ("--kernel", "copy,,read"), ("empty value",)),
        (2, ("--kernel", ""), ("empty value",)),
        (2, ("--kernel", "triad", "--engine", "numpy"), ("--kernel 'triad' needs the engine native", "copy")),
        (2, ("--engine", "fortran"), ("--engine 'fortran' is not known", "numpy")),
        (2, ("--stores", "warm"), ("--stores 'warm' is not known", "streaming, ordinary")),
        (2, ("--stores", "streaming", "--engine", "numpy"), ("--stores needs the engine native",)),
        (2, ("--sweep", "sizes"), ("--sweep 'sizes' is not known", "choose from size, threads")),
        (2, ("--sweep", ""), ("--sweep '' is not known",)),
        (2, ("--range", "4KiB-64MiB"), ("--range needs a sweep", "--sweep size")),
        (2, ("--sweep", "size", "--range", "2MiB-1MiB"), ("--range 2 MiB-1 MiB is reversed", "smaller end first")),
        (2, ("--sweep", "size", "--range", "4MiB"), ("--range '4MiB' is not a range", "write both")),
        (2, ("--sweep", "size", "--range", "a-b"), ("--range: 'a' is not a size",)),
        (2, ("--sweep", "size", "--range", "5KiB-5KiB"), ("--range 5 KiB-5 KiB contains no point", "at least 4 KiB")),
        (
            2,
            ("--sweep", "size", "--range", "4KiB-9000PiB"),
            ("--range up to 9000 PiB needs", "use a smaller upper end"),
        ),
        (2, ("--sweep", "size", "--size", "9000PiB"), ("--size 9000 PiB needs", "use at most")),
        (2, ("--sweep", "threads", "--range", "1-99999"), ("--range 99999", "this process may use")),
        (2, ("--sweep", "threads", "--threads", "1"), ("--threads does not apply to a sweep over threads", "--range")),
        (2, ("--sweep", "size", "--threads", "99999"), ("--threads 99999", "this process may use")),
        (2, ("--mix", "9:1"), ("--mix '9:1' is not known", "1:0, 3:1, 2:1, 1:1")),
        (2, ("--mix", "2:1,,1:1"), ("empty value",)),
        (2, ("--mix", "all", "--engine", "numpy"), ("--mix needs the native engine", "pip install")),
        (2, ("--mix", "all", "--kernel", "copy"), ("--kernel does not apply to",)),
        (2, ("--latency", "--engine", "numpy"), ("--latency needs the native engine", "pip install")),
        (2, ("--core-to-core", "--engine", "numpy"), ("--core-to-core needs the native engine", "pip install")),
        (2, ("--core-to-core", "--kernel", "copy"), ("--kernel does not apply to",)),
        (2, ("device", "--core-to-core"), ("--core-to-core does not apply to device; it applies to host",)),
        (2, ("--latency", "--size", "9000PiB"), ("--size 9000 PiB needs", "are available")),
        (2, ("--format", "xml"), ("--format 'xml' is not known", "csv")),
        (2, ("--json", "--format", "csv"), ("exclude each other",)),
        (2, ("--unit", "furlongs"), ("--unit 'furlongs'",)),
        (2, ("disk",), ("unknown target 'disk'", "host")),
        (2, ("--threads", "0"), ("--threads 0", "use 1 to")),
        (2, ("--threads", "-1"), ("--threads '-1'",)),
        (2, ("--threads", "1,many"), ("--threads 'many' is not a thread count", "1,4,all")),
        (2, ("--threads", "²"), ("not a thread count",)),
        (2, ("--threads", "9" * 500), ("not a thread count",)),
        (2, ("--threads", "99999"), ("--threads 99999", "this process may use")),
        (2, ("--size", "0"), ("--size: '0'", "above zero")),
        (2, ("--size", "-4MiB"), ("--size", "not a size")),
        (2, ("--size", "some"), ("--size: 'some' is not a size",)),
        (2, ("--size", "1e99PiB"), ("--size",)),
        (2, ("--size", "9000PiB"), ("--size 9000 PiB needs", "are available", "use at most")),
        (2, ("--size", "0.3B"), ("--size", "whole")),
        (2, ("--budget", "0s"), ("--budget: '0s' is zero",)),
        (2, ("--budget", "soon"), ("--budget: 'soon' is not a duration", "15s")),
        (2, ("--budget", "-1s"), ("--budget",)),
        (2, ("--cpus", "60000"), ("--cpus: this process may not use CPU 60000", "choose from")),
        (2, ("--cpus", "first"), ("--cpus: 'first' is not a list of CPUs", "0-3,8")),
        (2, ("--cpus", ""), ("--cpus",)),
        (2, ("--cpus", "0-99999999999999999999"), ("--cpus", "is above")),
        (2, ("--memory", "nonsense"), ("--memory: ",)),
        (2, ("--memory", "PCIe 4.0 x16"), ("--memory 'PCIe 4.0 x16' is a link", "DDR5-4800 x12")),
        (2, ("--sockets", "2"), ("--sockets multiplies --memory",)),
        (2, ("--memory", "DDR5-4800 x12", "--sockets", "0"), ("--sockets",)),
        (2, ("--nonsense",), ("--nonsense",)),
        (2, ("host", "device"), ("device",)),
    ],
)
def test_bad_input_is_one_line_with_its_exit_code(capsys, code, arguments, parts):
    for line in (refused(capsys, code, *arguments, "--plan"), refused(capsys, code, *arguments)):
        for part in parts:
            assert part in line


def test_more_threads_than_the_cpus_given_are_refused(capsys):
    cpu = str(min(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else "0"
    assert "this process may use 1 CPU;" in refused(capsys, 2, "--cpus", cpu, "--threads", "2")


def test_a_line_between_cores_needs_two_cpus(capsys):
    cpu = str(min(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else "0"
    line = refused(capsys, 2, "--core-to-core", "--cpus", cpu)
    assert line == "bandwidth: --core-to-core needs two CPUs; this process may use 1\n"


def test_places_that_cannot_be_written_are_refused_before_measuring(capsys, tmp_path):
    for option in ("--save", "-o"):
        assert "is a folder" in refused(capsys, 2, option, str(tmp_path))
        assert "is not a folder" in refused(capsys, 2, option, str(tmp_path / "none" / "run.json"))
        assert "cannot be written" in refused(capsys, 2, option, str(tmp_path / ("n" * 300)))


def test_facts_that_cannot_be_used_are_refused(capsys, tmp_path):
    good = json.dumps({"machine": collect().to_json()})
    other = json.loads(good)
    other["machine"] |= {"cpu_model": "Another Processor"}
    other["machine"]["sources"]["cpu_model"] = {"source": "/proc/cpuinfo", "confidence": "read"}
    for name, text, part in (
        ("truncated", good[: len(good) // 2], "is not complete JSON"),
        ("foreign", '{"benchmarks": []}', "contains no machine facts"),
        ("list", "[]", "contains no machine facts"),
        ("empty", "", "is not complete JSON"),
        ("no sources", '{"machine": {"hostname": "a"}}', "`sources` is missing"),
        ("infinite", '{"machine": {"a": Infinity, "sources": {}}}', "has an invalid value"),
        ("nested", "[" * 100_000, "is not complete JSON"),
        ("other", json.dumps(other), "are from another machine"),
    ):
        path = tmp_path / f"{name}.json"
        path.write_text(text)
        if name != "other" or collect().text("cpu_model") is not None:
            assert part in refused(capsys, 1, "--facts", str(path), *TINY), name
    assert "does not exist" in refused(capsys, 1, "--facts", str(tmp_path / "none.json"))
    assert "cannot be read" in refused(capsys, 1, "--facts", str(tmp_path))
    (tmp_path / "latin.json").write_bytes(b'"\xe9"')
    refused(capsys, 1, "--facts", str(tmp_path / "latin.json"))


# --- the plan


def test_a_plan_measures_nothing_and_writes_json(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("bandwidth.measuring.measure.measure_prepared", None)
    path = tmp_path / "plan.json"
    assert run(["measure", "--plan", "--json", "-o", str(path), *NUMPY, "--memory", "DDR4-2933 x4"]) == 0
    assert capsys.readouterr() == ("", "")
    plan = json.loads(path.read_text())
    assert plan["schema"] == "bandwidth/plan/1"
    assert plan["budget_s"] == 1.0
    assert plan["memory"]["bytes_per_s"] == pytest.approx(93866666666.67)
    assert [case["id"] for case in plan["cases"]] == ["host/copy/numpy/1"]
    assert plan["cases"][0]["working_set_bytes"] == 4 * 1024**2
    assert plan["cases"][0]["why"] == "--size"
    assert run(["measure", "--plan", *TINY]) == 0
    out, err = capsys.readouterr()
    assert "Nothing was measured." in out
    assert err == ""


STUDIES = (
    (),
    ("--sweep", "size"),
    ("--sweep", "threads"),
    ("--latency",),
    ("--numa",),
    ("--numa", "--latency"),
    ("--mix", "all"),
    ("--zeros",),
    ("--sweep", "size", "--kernel", "copy,triad", "--stores", "streaming,ordinary"),
)


@pytest.mark.parametrize("study", STUDIES, ids=" ".join)
def test_the_plan_of_every_study_fits_eighty_columns(capsys, study):
    assert run(["measure", "--plan", *study]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert max(map(len, out.splitlines())) <= 80
    assert run(["measure", "--plan", *study, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert all(case["why"] for case in plan["cases"])
    assert ("Nothing was measured." in out) == bool(plan["cases"])


def test_help_is_in_panels_with_what_to_run_first(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["measure", "--help"]) == 0
    out = capsys.readouterr().out
    order = ["Arguments", "Options", "Instead of the table", "Machine", "Output"]
    places = [out.index(f" {panel} ") for panel in order]
    assert places == sorted(places)


@pytest.fixture
def without_llvmlite(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "llvmlite" else find(name))


def test_without_llvmlite_numpy_is_measured_and_a_line_says_what_is_missing(capsys, without_llvmlite):
    assert run(["measure", *TINY, "--budget", "200ms"]) == 0
    out, err = capsys.readouterr()
    assert "NumPy" in out
    assert "compiled" not in out
    assert "llvmlite is not installed: pip install 'membandwidth[native]'." in " ".join(out.split())
    assert err == ""
    line = refused(capsys, 2, "--engine", "native")
    assert "--engine native is not available: llvmlite is not installed" in line


@pytest.fixture
def one_node(monkeypatch):
    """Let the machine have one NUMA node, whatever this one has."""
    monkeypatch.setattr("bandwidth.planning.preparation.read_topology", lambda reader: small_topology(2))


def test_one_node_is_a_line_and_no_table(capsys, one_node, tmp_path):
    line = "This machine has one NUMA node, so it has no remote memory."
    assert run(["measure", "--numa", "--plan"]) == 0
    assert capsys.readouterr() == (f"Nothing to measure.\n\n{line}\n", "")
    path = tmp_path / "run.json"
    assert run(["measure", "--numa", "--save", str(path)]) == 0
    out, err = capsys.readouterr()
    assert out.endswith(f"\n\n{line}\n")
    assert "BW010" not in out
    assert err == ""
    assert (load(path).results, load(path).notes) == ((), (line,))
    assert run(["measure", "--numa", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["results"], record["not_run"], record["notes"]) == ([], [], [line])
    assert run(["measure", "--numa", "--format", "csv"]) == 0
    assert run(["measure", "--numa", "--strict"]) == 0


# --- a scripted engine: its blocks take what the test says


@dataclass
class Scripted:
    """An engine whose blocks take the times given, over and over; it says `wrong` when it is asked."""

    seconds: object
    wrong: str = ""
    skew: float = 0.0
    refused: str = ""
    compile_s: float = 0.0
    prepared: list = field(default_factory=list)

    def prepare(self, cases, limit_s):
        self.prepared += cases
        return dict.fromkeys((case.id for case in cases), self.refused) if self.refused else {}

    def run_block(self, case, calls):
        return Block(next(self.seconds), self.skew)

    def verify(self, case, *, whole):
        return self.wrong if whole else ""

    def close(self):
        self.seconds = iter(())


@pytest.fixture
def script(monkeypatch):
    def install(*seconds, **others):
        def make(names, site):
            return Scripted(cycle(seconds), **others)

        entry = EngineEntry("scripted", ("host",), ("copy",), make, "what a test says")
        monkeypatch.setitem(ENGINES, "scripted", entry)
        return ("measure", "--engine", "scripted", *TINY)

    return install


@pytest.mark.parametrize(("seconds", "code"), [((0.02, 0.023, 0.026, 0.03), "BW003"), ((0.02, 0.03), "BW045")])
def test_an_unstable_run_leaves_with_4_under_strict_and_0_without(capsys, script, seconds, code):
    # On a busy machine the screen says that first; it never ends by itself.
    unstable = [*script(*seconds), "--all", "--budget", "200ms"]
    assert run([*unstable]) == 0
    assert code in capsys.readouterr().out
    assert run([*unstable, "--strict"]) == 4
    out, err = capsys.readouterr()
    assert code in out  # the table is printed all the same
    assert err == f"bandwidth: unstable ({code}); measure on an idle machine or for longer\n"


def test_too_few_samples_count_as_unstable(capsys, script):
    # Blocks of 0.9 s by the engine's word, and a budget of one second: no room for a second round.
    few = script(0.9)
    assert run([*few, "--strict"]) == 4
    assert "unstable (BW008)" in capsys.readouterr().err


def test_a_steady_run_is_not_unstable(capsys, script):
    assert run([*script(0.02), "--strict"]) == 0
    out, err = capsys.readouterr()
    assert "0.21" in out  # 4 MiB in 0.02 s
    assert err == ""


def test_a_failed_check_leaves_with_1_and_no_rate(capsys, script, tmp_path):
    assert run([*script(0.02, wrong="element 7 is wrong"), "--save", str(tmp_path / "run.json")]) == 1
    out, err = capsys.readouterr()
    assert "INVALID" in out
    assert "0.21" not in out
    assert err == ("bandwidth: verification failed: copy, one core; see BW006 above; `bandwidth explain BW006`\n")
    (result,) = load(tmp_path / "run.json").results
    assert not result.is_verified


def test_nothing_that_could_be_measured_leaves_with_1_and_the_reason(capsys, script):
    assert run([*script(0.02, refused="mbind is refused")]) == 1
    out, err = capsys.readouterr()
    assert "Not run: copy, scripted, 1 thread: mbind is refused." in out
    assert err == "bandwidth: nothing could be measured; mbind is refused\n"


def test_a_rate_above_theory_is_marked_and_leaves_with_1(capsys, script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # 4 MiB are too small for a theory to stand beside them; half a GiB in 20 ms are 26.8 GB/s, far above DDR-200.
    steady = script(0.02)
    assert run([*steady, "--memory", "DDR-200", "--size", "4GiB", "--save", "run.json"]) == 1
    out, err = capsys.readouterr()
    assert "BW002" in out
    assert "INVALID" in out
    assert err.startswith("bandwidth: INVALID, above the theory: copy, one core")
    assert err.endswith("; see BW002 above; `bandwidth explain BW002`\n")
    assert load("run.json").results  # it is kept all the same


def test_json_and_a_file_in_any_combination(capsys, script, tmp_path):
    steady = script(0.02)

    def names():
        return sorted(entry.name for entry in tmp_path.iterdir())

    for arguments in (("--json", "-o"), ("--format", "json", "-o")):
        assert run([*steady, *arguments, str(tmp_path / "run.json")]) == 0
        assert capsys.readouterr() == ("", "")
        assert names() == ["run.json"]
        assert len(load(tmp_path / "run.json").results) == 1
        (tmp_path / "run.json").unlink()
    assert run([*steady, "--save", str(tmp_path / "run.json")]) == 0
    assert "Quality: " in capsys.readouterr().out
    assert run([*steady, "--save", str(tmp_path / "run.json"), "--json"]) == 0
    assert parse(capsys.readouterr().out, "-") == load(tmp_path / "run.json")
    assert run([*steady, "--save", str(tmp_path / "run.json"), "--json", "-o", str(tmp_path / "other.json")]) == 0
    assert capsys.readouterr().out == ""
    assert load(tmp_path / "other.json") == load(tmp_path / "run.json")
    assert run([*steady, "-o", str(tmp_path / "table.txt")]) == 0
    assert capsys.readouterr().out == ""
    assert "Quality: " in (tmp_path / "table.txt").read_text()
    assert names() == ["other.json", "run.json", "table.txt"]


def test_csv_puts_findings_on_standard_error(capsys, script):
    assert run([*script(0.02), "--format", "csv"]) == 0
    out, err = capsys.readouterr()
    (row,) = csv.DictReader(io.StringIO(out))
    assert row["id"] == "host/copy/scripted/1"
    assert float(row["median_bytes_per_s"]) == 4 * 1024**2 / 0.02
    assert err.startswith("BW001: copy, one core: ")
    assert "BW001:" not in out


def test_the_record_is_saved_after_each_round_and_trouble_is_told_at_the_end(capsys, script, monkeypatch, tmp_path):
    def fails(*_):
        raise UsageError("run.json cannot be written: No space left on device", "name another file")

    monkeypatch.setattr(results_files, "save", fails)
    assert run([*script(0.02), "--save", str(tmp_path / "run.json")]) == 2
    out, err = capsys.readouterr()
    assert "Quality: " in out  # what was measured is shown
    assert err == "bandwidth: run.json cannot be written: No space left on device; it is on standard output\n"


def test_a_folder_that_goes_away_does_not_end_the_measurement(capsys, script, monkeypatch, tmp_path):
    monkeypatch.setattr(text_files.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    assert run([*script(0.02), "--save", str(tmp_path / "run.json")]) == 2
    out, err = capsys.readouterr()
    assert "Quality: " in out
    assert "Input/output error" in err
    assert list(tmp_path.iterdir()) == []


def test_the_variable_stands_for_memory_and_the_option_beats_it(capsys, script, monkeypatch):
    steady = script(0.02)
    monkeypatch.setenv("BANDWIDTH_MEMORY", "DDR4-2933 x4")
    assert run([*steady, "--json"]) == 0
    memory = parse(capsys.readouterr().out, "-").memory
    assert (memory["spec"], memory["source"]) == ("DDR4-2933 x4", "BANDWIDTH_MEMORY DDR4-2933 x4")
    assert run([*steady, "--json", "--memory", "DDR5-4800 x12", "--sockets", "2"]) == 0
    memory = parse(capsys.readouterr().out, "-").memory
    assert memory["source"] == "--memory DDR5-4800 x12"
    assert memory["bytes_per_s"] == pytest.approx(921.6e9)
    monkeypatch.setenv("BANDWIDTH_MEMORY", "nonsense")
    assert "BANDWIDTH_MEMORY: " in refused(capsys, 2)
    monkeypatch.setenv("BANDWIDTH_MEMORY", "")
    assert run([*steady]) == 0


def test_the_facts_of_a_saved_record_serve_too(capsys, script, tmp_path):
    steady = script(0.02)
    assert run([*steady, "--save", str(tmp_path / "run.json")]) == 0
    assert run([*steady, "--facts", str(tmp_path / "run.json")]) == 0


def test_quiet_leaves_out_the_findings(capsys, script):
    assert run([*script(0.02), "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert ("Quality: " in out, "  !!  " in out, "--all" in out, err) == (True, False, False, "")


@pytest.mark.parametrize(("encoding", "character"), [("utf-8", "\N{FULL BLOCK}"), ("ascii", "#"), ("latin-1", "#")])
def test_bars_are_blocks_where_the_stream_has_them(monkeypatch, script, tmp_path, encoding, character):
    script(0.02)
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    sweep = ("measure", "--engine", "scripted", "--sweep", "size", "--range", "4KiB-64KiB", "--threads", "1")
    assert run([*sweep, "--kernel", "copy"]) == 0
    assert character * 8 in written.getvalue().decode(encoding)
    # A file is UTF-8, whatever the terminal shows.
    assert run([*sweep, "--kernel", "copy", "-o", str(tmp_path / "sweep.txt")]) == 0
    assert "\N{FULL BLOCK}" * 8 in (tmp_path / "sweep.txt").read_text("utf-8")


# --- the real thing, tiny


def test_a_tiny_real_run(own_machine):
    done = bandwidth("measure", "host", "--size", "4MiB", "--budget", "1500ms", "--kernel", "copy", "--threads", "1")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert "one core, NumPy" in done.stdout
    assert "verified" in done.stdout
    assert "BW001" in done.stdout  # 4 MiB are no memory


@pytest.mark.parametrize(
    ("study", "part"),
    [
        (("--sweep", "size", "--range", "4KiB-64KiB", "--threads", "1"), "By size: read, native, 1 thread"),
        (("--latency", "--size", "64KiB", "--threads", "1"), "Latency by size: native, 1 thread"),
        (("--mix", "2:1,1:1", "--size", "1MiB", "--threads", "1"), "Reads to writes, 1 thread"),
        (("--zeros", "--size", "1MiB", "--threads", "1"), "Zeros and other data"),
    ],
)
def test_a_tiny_real_study(own_machine, compiled_for_all, capsys, study, part):
    assert run(["measure", *study, "--budget", "1s"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert part in out
    assert "ll verified" in out
    assert max(map(len, out.splitlines())) <= 80


def test_json_on_standard_output_is_a_record(own_machine):
    forced = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": "40"}
    quick = (*NUMPY, "--budget", "200ms")
    done = bandwidth("measure", *quick, "--json", env=forced)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    record = parse(done.stdout, "-")
    (result,) = record.results
    assert result.case.id == "host/copy/numpy/1"
    assert result.is_verified
    assert (summarise(result).median_bytes_per_s or 0) > 1e8
    assert record.command == ("bandwidth", "measure", *quick, "--json")
    assert {"BW001"} <= examine(record).codes()


def test_two_measurements_at_once_spoil_each_other(capsys):
    with machine_lock():
        line = refused(capsys, 1, *TINY)
        assert "another measurement is running on this machine" in line
        done = bandwidth("measure", *TINY)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    with machine_lock():
        pass  # and it is free again


@pytest.fixture
def measuring(tmp_path):
    """Start a measurement of 30 s and return it with the file that it saves, once that is there."""
    path = tmp_path / "run.json"
    few = ("--kernel", "copy,read", "--size", "4MiB", "--budget", "30s")  # a round of them takes a moment
    command = [sys.executable, "-c", WITH_CTRL_C, "measure", *few, "--save", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    yield process, path
    process.kill()
    process.communicate()


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT to send on Windows")
def test_ctrl_c_keeps_what_was_measured(measuring):
    process, path = measuring
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - started < 5
    assert process.returncode == 130
    assert "Quality: " in out
    assert err == f"bandwidth: interrupted; the results so far are in {path}\n"
    assert "\x1b" not in out + err
    record = load(path)
    assert record.results
    assert all(result.samples.seconds for result in record.results)
    assert "interrupted" in {result.samples.stopped_by for result in record.results}
    assert {result.samples.stopped_by for result in record.results} <= {"interrupted", "precision"}
    assert [entry.name for entry in path.parent.iterdir()] == ["run.json"]


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL on Windows")
def test_a_killed_measurement_leaves_a_record_that_loads(measuring):
    process, path = measuring
    process.kill()
    process.communicate(timeout=20)
    assert process.returncode == -signal.SIGKILL
    record = load(path)
    assert record.results
    assert "unfinished" in {result.samples.stopped_by for result in record.results}
    with machine_lock():
        pass  # the lock went with the process


def test_no_output_on_a_pipe_has_escapes(script, capsys):
    for format_name in ("table", "markdown", "csv", "json", "latex", "html"):
        assert run([*script(0.02), "--format", format_name]) == 0
        assert "\x1b" not in "".join(capsys.readouterr())
    assert run(["measure", "--nonsense"]) == 2
    assert "\x1b" not in "".join(capsys.readouterr())


def test_a_reader_that_goes_away_is_no_error():
    command = [sys.executable, "-m", "bandwidth", "measure", *TINY, "--plan"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=60) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_the_saved_file_is_where_it_was_asked_for(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run([*script(0.02), "--save", "run.json", "--quiet"]) == 0
    assert [entry.name for entry in Path.cwd().iterdir()] == ["run.json"]


@pytest.mark.parametrize(("said", "meant"), [("gpu", "device"), ("cpu", "host"), ("link", "pcie"), ("memory", "host")])
def test_targets_by_the_names_that_people_type(capsys, said, meant):
    """Both say the same, whatever this machine has."""
    told = [(run(["measure", target, "--plan"]), capsys.readouterr()) for target in (said, meant)]
    assert told[0] == told[1]


def test_sets_of_kernels_have_names(capsys):
    assert run(["measure", "host", "--plan", "--kernel", "stream", "--threads", "1"]) == 0
    stream = capsys.readouterr().out
    assert all(f"\n{kernel}, native, " in stream for kernel in ("copy", "scale", "add", "triad"))
    assert "\nread, " not in stream
    assert run(["measure", "host", "--plan", "--kernel", "all"]) == 0
    every = capsys.readouterr().out
    assert run(["measure", "host", "--plan"]) == 0
    assert capsys.readouterr().out == every
