"""What was measured is in its file, or elsewhere with one line that says where: full disks, limits, signals, streams.

tests/benchmarks/killed_measurements.py does so a hundred times at random moments.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from bandwidth.cli.app import run
from bandwidth.cli.keeping import one_interrupt
from bandwidth.comparison import checked_now
from bandwidth.findings import examine
from bandwidth.fleet import gathering
from bandwidth.results.files import load, parse, record_text, save

pytestmark = pytest.mark.skipif(os.name == "nt", reason="limits and signals are other things there")
CASE = ("measure", "host", "--size", "4MiB", "--kernel", "copy", "--threads", "1", "--engine", "numpy", "--budget")
TINY, LONG = (*CASE, "100ms"), (*CASE, "30s")
# A limit on the size of files, and Ctrl-C as a terminal has it: a shell in the background ignores it. Bytecode that the
# limit cuts short would be taken for whole by whoever is started next.
START = (
    "import resource, signal, sys; limit = int(sys.argv.pop(1)); sys.dont_write_bytecode = bool(limit); "
    "limit and resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY)); "
    "signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from bandwidth.__main__ import main; main()"
)


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Return what starts `bandwidth` in a folder of its own, where no file may be larger than `limit` bytes."""
    (tmp_path / "temporary").mkdir()
    (tmp_path / "out").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path / "out")

    def start(*arguments, limit=0, stdout=subprocess.PIPE):
        command = [sys.executable, "-c", START, str(limit), *arguments]
        return subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, text=True)

    return start


def ended(process):
    with process:
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def record_in(text):
    """The record that a text ends with."""
    return parse(text[text.index("{\n") :], "-")


@pytest.mark.parametrize("way", [("--save", "run.json"), ("--json", "-o", "run.json"), ("-o", "run.txt")])
def test_what_a_file_does_not_take_is_on_standard_output(start, way):
    code, out, err = ended(start(*TINY, *way, limit=512))
    assert code == 2
    assert err == f"bandwidth: {way[-1]} cannot be written: File too large; it is on standard output\n"
    assert list(Path.cwd().iterdir()) == []
    if way != ("-o", "run.txt"):
        assert record_in(out).results[0].samples.seconds
    if "--json" not in way:
        assert "Quality: " in out


def test_a_record_that_is_printed_anyway_is_printed_once(start):
    code, out, err = ended(start(*TINY, "--json", "--save", "run.json", limit=512))
    assert (code, err.count("\n")) == (2, 1)
    assert parse(out, "-").results


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_what_standard_output_does_not_take_is_in_a_file_that_is_named(start, arguments):
    with Path("/dev/full").open("w") as full:
        code, _, err = ended(start(*TINY, *arguments, stdout=full))
    assert code == 1
    (name,) = re.findall(r"standard output cannot be written: No space left on device; it is in (\S+)\n$", err)
    text = Path(name).read_text()
    assert parse(text, "-").results if arguments else "Quality: " in text


def test_a_folder_that_went_away_costs_no_result(start, tmp_path):
    process = start(*TINY, "--json", "-o", str(tmp_path / "gone" / "run.json"))
    assert ended(process)[0] == 2  # told before anything is measured
    (tmp_path / "gone").mkdir()
    process = start(*LONG, "--save", str(tmp_path / "gone" / "run.json"))
    wait_for(tmp_path / "gone" / "run.json", process)
    (tmp_path / "gone" / "run.json").unlink()
    (tmp_path / "gone").rmdir()
    process.send_signal(signal.SIGTERM)
    code, out, err = ended(process)
    assert (code, err.count("\n")) == (130, 1)
    assert "it is on standard output" in err
    assert record_in(out).results


def wait_for(path, process):
    deadline = time.monotonic() + 30
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGXCPU"])
def test_a_signal_ends_early_and_keeps_the_table(start, name):
    # The record tells when the first round is over; the table is written at the end alone.
    process = start(*LONG, "--save", "run.json", "-o", "run.txt")
    wait_for(Path("run.json"), process)
    process.send_signal(getattr(signal, name))
    code, out, err = ended(process)
    assert (code, out) == (130, "")
    assert err == "bandwidth: interrupted; the results so far are in run.json\n"
    assert "Quality: " in Path("run.txt").read_text()
    assert load("run.json").results


def test_ctrl_break_and_a_closed_console_of_windows_end_it_early_too(monkeypatch):
    monkeypatch.setattr(signal, "SIGBREAK", signal.SIGUSR1, raising=False)
    before = signal.getsignal(signal.SIGUSR1)
    with pytest.raises(KeyboardInterrupt), one_interrupt() as interrupt:
        signal.raise_signal(signal.SIGUSR1)
    assert interrupt.is_asked
    assert signal.getsignal(signal.SIGUSR1) == before


def test_a_closed_terminal_ends_nothing_under_nohup(start):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what is started now has it so
    try:
        process = start(*CASE, "1s", "--save", "run.json")
    finally:
        signal.signal(signal.SIGHUP, before)
    wait_for(Path("run.json"), process)
    process.send_signal(signal.SIGHUP)
    assert ended(process)[::2] == (0, "")


# --- streams


def test_a_log_is_written_at_its_end(start):
    Path("log").write_text("before\n")
    with Path("log").open("a") as log:
        assert ended(start(*TINY, "-o", "/dev/stdout", stdout=log))[::2] == (0, "")
    assert Path("log").read_text().startswith("before\n")
    assert "Quality: " in Path("log").read_text()


def test_a_record_and_its_table_share_standard_output(start):
    with Path("both").open("w") as file:
        assert ended(start(*TINY, "--save", "/dev/stdout", stdout=file))[::2] == (0, "")
    text = Path("both").read_text()
    record, end = text[: text.index("\n}\n") + 3], text[text.index("\n}\n") + 3 :]
    assert parse(record, "-").results
    assert "Quality: " in end


def test_a_pipe_gets_one_record(start):
    code, out, err = ended(start(*TINY, "--json", "-o", "/dev/stdout"))
    assert (code, err) == (0, "")
    assert parse(out, "-").results


def test_a_named_pipe_is_opened_when_there_is_something_to_write(start):
    os.mkfifo("pipe")
    process = start(*TINY, "--save", "pipe")
    text = Path("pipe").read_text()
    assert ended(process)[0] == 0
    assert parse(text, "-").results


# --- check and fleet


@pytest.mark.parametrize("cpu_model", ["A", "B"])
def test_what_a_check_measured_is_kept_too(
    cpu_model, make_record, make_case, make_result, monkeypatch, tmp_path, capsys
):
    """The folder goes away while it measures; a baseline of another machine is noticed after it has."""
    monkeypatch.chdir(tmp_path)
    record = make_record(make_result(), machine={"cpu_model": "A"})
    other = replace(record, machine={"cpu_model": cpu_model})
    save(other, examine(other), Path("sound.json"))
    Path("gone").mkdir()
    monkeypatch.setattr(checked_now, "prepare_again", lambda *_: SimpleNamespace(plans=()))
    monkeypatch.setattr(checked_now, "measure_prepared", lambda *_, **__: (Path("gone").rmdir(), (record, False))[1])
    asked = ("check", "--measure", "host", "--baseline", "sound.json", "--save", "gone/now.json")
    assert run(asked) == (2 if cpu_model == "A" else 1)
    out, err = capsys.readouterr()
    assert record_in(out) == record
    assert out.startswith("ok: ") == (cpu_model == "A")
    assert err.count("\n") == 1
    assert "gone is not a folder; it is on standard output" in err


def test_what_a_host_of_a_fleet_measured_is_kept_in_another_folder(tmp_path, monkeypatch, make_record, make_result):
    record = make_record(make_result())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    host = gathering._Host("a", "tcp://a")
    answer = {"code": 0, "said": "", "record": record_text(record, examine(record))}
    found = gathering._kept(host, answer, tmp_path / "gone", 300.0)
    assert found.path is not None
    assert load(found.path) == record
    assert re.fullmatch(rf".*gone is not a folder; it is in {re.escape(str(found.path))}", found.reason)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone too"))
    found = gathering._kept(host, answer, tmp_path / "gone", 300.0)
    assert found.path is None
    assert parse(found.record_text, "-") == record
