"""Figures as data, and that they are drawn the same each time, as text, for every eye.

`BANDWIDTH_WRITE_GOLDEN=1` writes the golden files anew: look at the difference before it is kept.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bandwidth.report.figures import drawing as figures_drawing
from bandwidth.report.figures import style as figures_style
from bandwidth.report.figures.data import (
    Figure,
    Series,
    Strip,
    distinct,
    file_name,
    parts_of,
)
from bandwidth.report.write_up.content import make_write_up
from bandwidth.report.write_up.html import inline_svg
from bandwidth.results import summarise
from bandwidth.results.files import load

DATA = Path(__file__).parents[2] / "data" / "report"
NAMES = (
    "rates",
    "by-threads",
    "rate-by-size-1-thread",
    "transfer-rate-by-size-link-of-device-0",
    "latency-by-size-1-thread",
    "loaded-latency",
    "between-nodes-read-native-4-threads",
    "roofline",
    "samples",
)
# Text and ticks move a little from one version to the next: golden drawings are compared with the one that drew them.
DRAWN_BY = DATA / "drawn-by.txt"


@pytest.fixture(scope="module")
def record():
    return load(DATA / "record.json")


@pytest.fixture(scope="module")
def figures(record):
    return {figure.name: figure for figure in make_write_up([record], flops=1e12).figures}


@pytest.fixture(scope="module")
def matplotlib():
    return pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")


# --- as data --------------------------------------------------------------------------------------------------------


def test_names_of_figures_are_plain_and_distinct():
    assert file_name("Rate: <x> / ../é") == "rate-x"
    assert file_name("!") == "figure"
    figure = Figure("a", "", Strip(()), "", "")
    assert [one.name for one in distinct([figure, figure, replace(figure, name="b")])] == ["a", "a-2", "b"]


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (6, [6]), (7, [4, 3]), (13, [5, 5, 3])])
def test_curves_that_one_figure_cannot_tell_apart_are_parted(count, sizes):
    assert [len(part) for part in parts_of([Series(str(i), ()) for i in range(count)])] == sizes


# --- how they are drawn ---------------------------------------------------------------------------------------------


def test_matplotlib_is_not_imported_until_something_is_drawn():
    code = (
        "import sys; import bandwidth.report.figures.drawing as d; d.can_draw(); sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture(scope="module")
def drawn(figures):
    """Return what draws a figure by its name for the first test that looks at it."""
    return cache(lambda name: figures_drawing.draw(figures[name], "svg"))


@pytest.mark.parametrize("name", NAMES)
def test_a_drawing_whole(name, drawn, matplotlib):
    path, svg = DATA / f"{name}.svg", drawn(name)
    if os.environ.get("BANDWIDTH_WRITE_GOLDEN"):
        path.write_bytes(svg)
        DRAWN_BY.write_text(f"{matplotlib.__version__}\n", "utf-8")
    drawn_by = DRAWN_BY.read_text("utf-8").strip()
    if matplotlib.__version__ != drawn_by:
        pytest.skip(f"drawn by matplotlib {drawn_by}, here is {matplotlib.__version__}")
    assert svg == path.read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_drawing_is_well_formed_with_text_as_text_and_no_date(name, drawn, matplotlib):
    text = drawn(name).decode()
    ElementTree.fromstring(text)  # noqa: S314 - our own
    assert not re.search(r"\d{4}-\d{2}-\d{2}T", text), "a date"
    assert "<text" in text
    assert "Matplotlib" not in text


@pytest.mark.parametrize(("file_format", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_a_drawing_is_the_same_each_time(file_format, start, figures, matplotlib):
    drawn = figures_drawing.draw(figures["by-threads"], file_format)
    assert drawn.startswith(start)
    assert drawn == figures_drawing.draw(figures["by-threads"], file_format)
    assert b"CreationDate" not in drawn


def test_the_users_own_settings_change_nothing(figures, drawn, matplotlib):
    before = drawn("rates")
    with matplotlib.rc_context({"lines.linewidth": 9, "svg.fonttype": "path", "font.size": 20}):
        assert figures_drawing.draw(figures["rates"], "svg") == before


def test_a_dollar_and_markup_in_a_name_are_drawn_as_text(make_record, make_result, make_case, matplotlib):
    name = "a$x^2$ <b> & \\frac_%"
    record = make_record(make_result(make_case(path=name)))
    (_, bars, strip) = make_write_up([record]).figures
    for figure in (bars, strip):
        root = ElementTree.fromstring(figures_drawing.draw(figure, "svg"))  # noqa: S314
        assert any(name in "".join(one.itertext()) for one in root.iter())


def test_names_of_any_length_and_script_are_drawn_without_a_warning(make_record, make_result, make_case, matplotlib):
    record = make_record(make_result(make_case(path="\u4e2d" * 5000)))
    for figure in make_write_up([record]).figures:
        assert figures_drawing.draw(figure, "svg")


def test_an_inline_figure_is_named_and_takes_the_pages_ink(figures, matplotlib):
    figure = figures["by-threads"]
    svg = inline_svg(figures_drawing.draw(figure, "svg", transparent=True).decode(), figure)
    assert svg.startswith("<svg ")
    assert 'role="img"' in svg
    assert f"<title>{figure.title}</title><desc>{figure.description}</desc>" in svg
    assert "currentColor" in svg
    assert "var(--grid)" in svg
    assert figures_style.INK not in svg
    assert "#ffffff" not in svg, "no paper of its own"
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert len(set(ids)) == len(ids)
    assert all(one.startswith("by-threads-") for one in ids)
    assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg)) <= set(ids)
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", svg)


def test_colours_are_apart_in_grey_or_have_markers(record):
    assert len(set(figures_style.COLOURS)) == len(figures_style.MARKERS) == len(figures_style.DASHES) == 6


def test_many_samples_are_drawn_as_a_picture(make_record, make_result, matplotlib):
    many = make_result(seconds=tuple(0.02 + 0.0001 * (index % 7) for index in range(4000)))
    *_, strip = make_write_up([make_record(many)]).figures
    assert summarise(many).count == len(strip.picture.rows[0].percents)
    assert len(figures_drawing.draw(strip, "svg")) < 150_000
