"""`bandwidth theory -` of a long list: rows come as lines go in, and what is wrong is named with its line."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import pytest
from counted_calls import calls_of

from bandwidth.cli import app, output
from bandwidth.cli.output import FIRST_PIECE, LATER_PIECES, in_pieces

# Pieces that a list of a few lines is cut into as well.
FIRST, LATER = 16, 64
LONG = FIRST + 2 * LATER + 10


@pytest.fixture
def run(capsys, monkeypatch):
    monkeypatch.setattr(output, "FIRST_PIECE", FIRST)
    monkeypatch.setattr(output, "LATER_PIECES", LATER)

    def run(lines, *arguments):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("".join(lines).encode()), "utf-8"))
        code = app.run(["theory", "-", *arguments])
        return code, *capsys.readouterr()

    return run


def lines_of(count):
    return [f"DDR4-{1600 + number % 1600} x{2 + number // 1600}\n" for number in range(count)]


def test_a_list_is_cut_into_pieces_and_nothing_is_read_ahead():
    taken, long = [], FIRST_PIECE + 2 * LATER_PIECES + 10
    first, later = in_pieces(taken.append(number) or number for number in range(long))
    assert first == list(range(FIRST_PIECE))
    assert len(taken) == FIRST_PIECE + 1
    assert [len(piece) for piece in later] == [LATER_PIECES, LATER_PIECES, 10]
    assert in_pieces(range(FIRST_PIECE)) == (list(range(FIRST_PIECE)), None)
    assert in_pieces([]) == ([], None)


def test_rows_come_while_lines_go_in():
    """A real process: its first rows are read before its input has ended."""
    command = [sys.executable, "-m", "bandwidth", "theory", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdin.writelines(lines_of(FIRST_PIECE + 1))
        process.stdin.flush()
        head = [process.stdout.readline() for _ in range(FIRST_PIECE + 2)]
        assert "peak GB/s" in head[0]
        assert head[-1].startswith(lines_of(FIRST_PIECE)[-1].strip())
        process.stdin.write("H200\n")
        process.stdin.close()
        rest = process.stdout.readlines()
    assert process.returncode == 0
    assert rest[1].startswith("H200")
    assert rest[2].split()[-3:] == ["126.03", "both", "ways"]  # its column was there from the first
    assert rest[4].startswith("H200: ")  # what must not be missed stands at the end


@pytest.mark.parametrize("format_name", ["table", "csv", "json", "markdown", "latex", "html"])
def test_every_line_has_its_row(run, format_name):
    code, out, err = run(lines_of(LONG), "--format", format_name)
    assert (code, err) == (0, "")
    for line in (lines_of(LONG)[index].strip() for index in (0, FIRST, FIRST + LATER, LONG - 1)):
        assert line in out
    if format_name == "json":
        assert [one["query"] for one in json.loads(out)["results"]] == [line.strip() for line in lines_of(LONG)]
    elif format_name == "csv":
        assert [one["query"] for one in csv.DictReader(io.StringIO(out))] == [line.strip() for line in lines_of(LONG)]
    else:
        assert out.count("peak GB/s") == 1


def test_a_bad_line_far_down_ends_the_rows_and_all_bad_ones_are_named(run):
    lines = lines_of(LONG)
    bad = FIRST + LATER + 5
    lines[bad], lines[bad + 3] = "DDR9-1\n", "DDR4-0\n"
    code, out, err = run(lines, "--json")
    assert code == 1
    assert len(json.loads(out)["results"]) == FIRST + LATER
    assert [line.split(":")[1] for line in err.splitlines()] == [f" line {bad + 1}", f" line {bad + 4}"]
    code, out, err = run(lines, "--json", "--keep-going")
    assert (code, len(json.loads(out)["results"]), err.count("\n")) == (1, LONG - 2, 2)


def test_a_bad_line_at_the_start_of_a_long_list_prints_no_row(run):
    lines = ["DDR9-1\n", *lines_of(LONG)]
    for format_name in ("table", "json", "csv"):
        code, out, err = run(lines, "--format", format_name)
        assert (code, out, err.count("\n")) == (1, "", 1)


def test_a_file_is_written_whole_or_not_at_all(run, tmp_path):
    path = tmp_path / "x.csv"
    assert run(lines_of(LONG), "--format", "csv", "-o", str(path)) == (0, "", "")
    assert path.read_text("utf-8").count("\n") == LONG + 1
    lines = lines_of(LONG)
    lines[-1] = "DDR9-1\n"
    assert run(lines, "--format", "csv", "-o", str(tmp_path / "y.csv"))[0] == 1
    assert not (tmp_path / "y.csv").exists()


def test_the_work_grows_as_the_lines_do(run):
    run(lines_of(2 * LATER))
    few, twice = (calls_of(lambda count=count: run(lines_of(count))) for count in (500, 1000))
    assert twice / few < 2.3
