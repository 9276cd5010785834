"""`bandwidth report` from end to end."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

import pytest

from bandwidth.cli import app
from bandwidth.findings import examine
from bandwidth.report.figures import drawing as figures_drawing
from bandwidth.results import NotRun
from bandwidth.results.files import save

RECORD = Path(__file__).parents[1] / "data" / "report" / "record.json"
pytestmark = pytest.mark.usefixtures("drawn_once")
draws = pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="the extra `plot` is not installed")


@pytest.fixture
def undrawn(monkeypatch):
    """Return a machine without matplotlib."""
    monkeypatch.setattr(figures_drawing, "can_draw", lambda: False)


@pytest.fixture
def empty(tmp_path, make_record):
    """Return what saves a record without results, of which some cases were not run."""

    def build(*not_run):
        path = tmp_path / "empty.json"
        record = make_record(not_run=not_run)
        save(record, examine(record), path)
        return path

    return build


def report(*arguments):
    return app.run(["report", *map(str, arguments)])


def refused(capsys, code, *arguments):
    assert report(*arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("bandwidth: ")
    assert err.count("\n") == 1
    assert "internal error" not in err
    return err


@draws
@pytest.mark.parametrize("file", ["out.html", "out.htm", "out.md", "out.TEX"])
def test_the_suffix_says_the_format(file, capsys, tmp_path):
    assert report(RECORD, "-o", tmp_path / file) == 0
    assert capsys.readouterr() == ("", "")
    text = (tmp_path / file).read_text("utf-8")
    assert "Memory bandwidth of Example 8-Core Processor" in text
    assert any(mark in text for mark in ("<svg ", "](out-figures/", "{out-figures/"))


def test_a_page_on_standard_output(capsys):
    assert report(RECORD, "--format", "html", "--quiet") == 0
    out, err = capsys.readouterr()
    assert out.startswith("<!DOCTYPE html>")
    assert err == ""


def test_without_matplotlib_the_write_up_has_no_figures_and_says_so(capsys, tmp_path, undrawn):
    assert report(RECORD, "-o", tmp_path / "out.md") == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "bandwidth: figures are omitted: matplotlib is not installed; pip install 'membandwidth[plot]'\n"
    assert "![" not in (tmp_path / "out.md").read_text("utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["out.md"]


def test_figures_without_matplotlib_are_refused(capsys, tmp_path, undrawn):
    err = refused(capsys, 2, RECORD, "-o", tmp_path / "out.html", "--figures", tmp_path / "f")
    assert "pip install 'membandwidth[plot]'" in err
    assert list(tmp_path.iterdir()) == []


@draws
def test_figures_in_a_folder_of_their_own(capsys, tmp_path):
    assert report(RECORD, "-o", tmp_path / "out.html", "--figures", tmp_path / "f", "--flops", "1TFLOP/s") == 0
    assert {path.suffix for path in (tmp_path / "f").iterdir()} == {".svg", ".png", ".pdf"}
    assert (tmp_path / "f" / "roofline.png").is_file()


def test_several_records_anonymised_under_a_title(capsys, tmp_path, undrawn):
    assert report(RECORD, RECORD, "-o", tmp_path / "x.html", "--anonymise", "--title", "Two <runs>", "--quiet") == 0
    text = (tmp_path / "x.html").read_text("utf-8")
    assert "<h1>Two &lt;runs&gt;</h1>" in text
    assert "Record 2: Example" in text
    assert "node7" not in text
    assert "alice" not in text


def test_records_are_laid_over_each_other_first(capsys, tmp_path, undrawn):
    other = tmp_path / "other.json"
    other.write_bytes(RECORD.read_bytes().replace(b"node7.example.org", b"node8.example.org"))
    assert report(RECORD, other, "-o", tmp_path / "x.md", "--overlay", "--quiet") == 0
    text = (tmp_path / "x.md").read_text("utf-8")
    assert text.index("## Side by side") < text.index("node8 reads as fast as node7") < text.index("## Record 1")
    assert report(RECORD, other, "-o", tmp_path / "x.md", "--overlay", "--anonymise", "--quiet") == 0
    text = (tmp_path / "x.md").read_text("utf-8")
    assert "record-2 reads as fast as record-1" in text
    assert "node" not in text.split("## Record 1")[0]


def test_latex_has_columns_of_siunitx_and_two_columns_on_request(capsys, undrawn):
    assert report(RECORD, "--format", "latex", "--siunitx", "--two-columns", "--quiet") == 0
    out = capsys.readouterr().out
    assert "S[table-format=" in out
    assert r"\begin{table*}" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "a report needs an output"),
        (("-o", "x.html", "--overlay"), "--overlay needs at least two records"),
        (("-o", "x.html", "--siunitx"), "--siunitx and --two-columns need LaTeX"),
        (("--format", "markdown", "--two-columns"), "--siunitx and --two-columns need LaTeX"),
        (("-o", "x.txt"), "does not end in .html, .md or .tex"),
        (("--format", "csv"), "is not a format of reports"),
        (("-o", "x.html", "--flops", "many"), "--flops: 'many' is not an arithmetic peak"),
        (("-o", "x.html", "--unit", "furlongs"), "--unit 'furlongs'"),
        (("-o", "missing/x.html"), "is not a folder"),
    ],
)
def test_options_that_do_not_fit(arguments, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert told in refused(capsys, 2, RECORD, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_record_is_not_replaced_by_its_write_up(capsys, tmp_path):
    path = tmp_path / "a.html"
    path.write_bytes(RECORD.read_bytes())
    assert "is one of the records" in refused(capsys, 2, path, "-o", path)
    assert json.loads(path.read_text("utf-8"))


@pytest.mark.parametrize("content", ["", "{}", '{"schema": "bandwidth/record/9"}', RECORD.read_text("utf-8")[:500]])
def test_what_is_no_record_is_refused_before_anything_is_written(content, capsys, tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(content, "utf-8")
    assert "bad.json" in refused(capsys, 1, RECORD, path, "-o", tmp_path / "out.html")
    assert [found.name for found in tmp_path.iterdir()] == ["bad.json"]


@pytest.mark.parametrize("form", [("-o", "out.html"), ("--format", "markdown")])
def test_a_record_without_results_is_refused_as_compare_does(form, empty, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = "empty.json contains no result; measure again, or omit it\n"
    assert refused(capsys, 1, empty(), *form).endswith(told)
    assert refused(capsys, 1, RECORD, empty(), *form).endswith(told)
    assert app.run(["compare", str(RECORD), "empty.json"]) == 1
    assert capsys.readouterr().err == f"bandwidth: {told}"
    assert [found.name for found in tmp_path.iterdir()] == ["empty.json"]


def test_what_kept_a_record_from_a_result_is_named(empty, capsys, tmp_path):
    reason = "the budget of 1 s was used up; use a longer --budget"
    not_run = [NotRun("host/read/native/2", reason), NotRun("host/copy/native/2", reason)]
    err = refused(capsys, 1, empty(*not_run), "-o", tmp_path / "out.html")
    assert f"empty.json contains no result: none of its 2 cases ran: {reason}; measure again" in err
    err = refused(capsys, 1, empty(NotRun("host/read/native/2", "no\nroom\x1b[31m" + "x" * 10_000)), "--format", "html")
    assert "its case did not run: no room?[31mxxx" in err
    assert len(err) < 500


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(capsys, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    assert "cannot be written" in refused(capsys, 2, RECORD, "-o", folder / "out.html")
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder that not even root may write to")
@pytest.mark.parametrize("file", ["out.html", "out.md", "out.tex"])
def test_where_not_even_root_may_write(file, capsys, undrawn):
    assert f"/proc/{file} cannot be written" in refused(capsys, 2, RECORD, "-o", f"/proc/{file}")


@draws
def test_a_figure_folder_that_is_a_file_leaves_nothing(capsys, tmp_path):
    (tmp_path / "f").write_text("mine", "utf-8")
    refused(capsys, 2, RECORD, "-o", tmp_path / "out.md", "--figures", tmp_path / "f")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_text("utf-8") == "mine"
