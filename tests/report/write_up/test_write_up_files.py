"""Write-ups in files: figures beside the document, and all of it or nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from bandwidth.errors import UsageError
from bandwidth.report.figures.drawing import can_draw
from bandwidth.report.write_up.content import make_write_up
from bandwidth.report.write_up.files import FORMS, text_alone, write_figures, write_files, write_whole
from bandwidth.results.files import load

DATA = Path(__file__).parents[2] / "data" / "report"
pytestmark = pytest.mark.usefixtures("drawn_once")
draws = pytest.mark.skipif(not can_draw(), reason="the extra `plot` is not installed")


@pytest.fixture(scope="module")
def write_up():
    return make_write_up([load(DATA / "record.json")])


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@draws
def test_a_page_is_one_file(write_up, tmp_path):
    write_files(write_up, FORMS["html"], tmp_path / "out.html", None)
    assert names(tmp_path) == ["out.html"]
    text = (tmp_path / "out.html").read_text("utf-8")
    assert text.count("<svg ") == len(write_up.figures) == text.count("<figure")
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(set(ids)) == len(ids)


@draws
@pytest.mark.parametrize(("format_name", "file", "kind"), [("markdown", "out.md", "svg"), ("latex", "out.tex", "pdf")])
def test_figures_lie_beside_the_document_that_names_them(format_name, file, kind, write_up, tmp_path):
    write_files(write_up, FORMS[format_name], tmp_path / file, None)
    expected = [f"out-figures/{figure.name}.{kind}" for figure in write_up.figures]
    assert names(tmp_path) == sorted([file, "out-figures", *expected])
    text = (tmp_path / file).read_text("utf-8")
    assert all(path in text for path in expected)


@draws
def test_a_folder_for_figures_has_three_formats_and_serves_the_document(write_up, tmp_path):
    (tmp_path / "docs").mkdir()
    write_files(write_up, FORMS["markdown"], tmp_path / "docs" / "out.md", tmp_path / "pictures")
    assert len(list((tmp_path / "pictures").iterdir())) == 3 * len(write_up.figures)
    assert "](../pictures/rates.svg)" in (tmp_path / "docs" / "out.md").read_text("utf-8")
    assert names(tmp_path / "docs") == ["out.md"]


@draws
def test_figures_alone(write_up, tmp_path):
    write_figures(write_up.figures[:1], tmp_path / "new")
    assert names(tmp_path / "new") == ["in-short.pdf", "in-short.png", "in-short.svg"]


def test_for_a_stream_only_a_page_has_figures(write_up):
    assert "![" not in text_alone(write_up, FORMS["markdown"])
    assert "\\fitted{" not in text_alone(write_up, FORMS["latex"]).split("\\begin{document}")[1]


def test_all_files_are_written_with_the_usual_permissions(tmp_path):
    write_whole({tmp_path / "a" / "b": b"1", tmp_path / "c": b"2"})
    assert names(tmp_path) == ["a", "a/b", "c"]
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize("bad", ["missing/folder/x", "file/x", "folder"])
def test_where_one_cannot_be_written_none_is(bad, tmp_path):
    (tmp_path / "file").write_text("old", "utf-8")
    (tmp_path / "folder").mkdir()
    before = names(tmp_path)
    with pytest.raises(UsageError):
        write_whole({tmp_path / "new" / "a": b"1", tmp_path / "file": b"new", tmp_path / bad: b"2"})
    assert names(tmp_path) == before
    assert (tmp_path / "file").read_text("utf-8") == "old"


def test_an_interrupt_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole({tmp_path / "new" / "a": b"1", tmp_path / "b": b"2"})
    assert names(tmp_path) == []


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(UsageError, match="No space left on device"):
        write_whole({tmp_path / "new" / "a": b"1"})
    assert names(tmp_path) == []
