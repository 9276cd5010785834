"""Figures: what they hold, and that they are drawn the same each time, as text, for every eye.

`BANDWIDTH_WRITE_GOLDEN=1` writes the golden files anew: look at the difference before it is kept.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bandwidth.kernels import KERNELS
from bandwidth.report.figures import drawing as figures_drawing
from bandwidth.report.figures import style as figures_style
from bandwidth.report.figures.data import (
    STRIP_HIGH,
    Bars,
    Curves,
    Figure,
    Heatmap,
    Roofline,
    Series,
    Strip,
    distinct,
    file_name,
    parts_of,
)
from bandwidth.report.views.roofline import operations
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


def series(figure):
    return {one.label: [(point.x, round(point.y, 2)) for point in one.points] for one in figure.picture.series}


# --- what they hold -------------------------------------------------------------------------------------------------


def test_each_kind_of_data_has_its_figure(figures):
    assert tuple(figures) == NAMES
    kinds = (Bars, Curves, Curves, Curves, Curves, Curves, Heatmap, Roofline, Strip)
    assert tuple(type(figure.picture) for figure in figures.values()) == kinds


def test_bars_have_theory_interval_and_what_the_table_says(figures):
    eight, one = figures["rates"].picture.panels
    assert (eight[0], one[0]) == ("8 threads", "1 thread")
    bars = {bar.label: bar for bar in eight[1]}
    assert bars["read, native"].text == "75.00"
    assert bars["read, native"].theory == pytest.approx(93.8667, abs=1e-4)
    assert bars["read, native"].low < bars["read, native"].value < bars["read, native"].high
    assert bars["write, native, streaming"].text == "95.00!"
    assert bars["scale, native, streaming"].text == "INVALID"
    assert bars["scale, native, streaming"].value is None
    assert [bar.label for bar in eight[1] if bar.hatched] == ["copy, native, ordinary"]


def test_the_curve_by_threads_rings_its_knee(figures):
    picture = figures["by-threads"].picture
    assert series(figures["by-threads"])["read, native"][-2:] == [(6, 74.1), (8, 75.0)]
    assert picture.series[0].ringed == (3,)
    assert "knee" in picture.ring_label
    assert [mark.label for mark in picture.levels] == ["theory 93.87"]


def test_the_curve_by_size_marks_the_caches_and_the_memory(figures):
    picture = figures["rate-by-size-1-thread"].picture
    assert [mark.label.split("\n")[0] for mark in picture.across] == ["L1", "L2", "L3", "memory"]
    assert picture.x_sizes
    assert series(figures["rate-by-size-1-thread"])["read, native"][0] == (4096, 190.0)


def test_transfers_have_pinned_and_pageable_memory(figures):
    found = series(figures["transfer-rate-by-size-link-of-device-0"])
    assert list(found) == [
        f"{path}, cuda, host memory {kind}" for path in ("h2d", "d2h") for kind in ("pinned", "pageable")
    ]
    assert figures["transfer-rate-by-size-link-of-device-0"].picture.across == ()


def test_loaded_latency_is_over_what_the_others_read(figures):
    (found,) = series(figures["loaded-latency"]).values()
    assert [x for x, _ in found] == [0.0, 35.0, 70.0]
    assert [round(y) for _, y in found] == [93, 104, 188]


def test_the_matrix_has_the_numbers_of_its_table(figures):
    picture = figures["between-nodes-read-native-4-threads"].picture
    assert picture.texts == (("37.50", "21.30"), ("21.30", "37.50"))
    assert picture.rows == picture.columns == ("0", "1")


def test_every_sample_is_in_the_strip(figures, record):
    valid = [result for result in record.results if not result.failure]
    rows = figures["samples"].picture.rows
    assert sum(len(row.percents) for row in rows) == sum(len(result.samples.seconds) for result in valid)
    for row in rows:
        assert sorted(row.percents)[len(row.percents) // 2] == pytest.approx(100, abs=1)


def test_the_roofline_has_measured_and_theory_and_the_kernels_that_calculate(figures):
    picture = figures["roofline"].picture
    assert [mark.label for mark in picture.roofs] == ["measured 75.00 GB/s", "theory 93.87 GB/s"]
    ((name, intensity, reached),) = picture.dots
    assert (name, intensity) == ("triad", 2 / 24)
    assert reached == pytest.approx(intensity * 71.535e9, rel=1e-3)


@pytest.mark.parametrize(
    ("kernel", "count"), [("read", 0), ("write", 0), ("copy", 0), ("scale", 1), ("add", 1), ("triad", 2), ("dot", 2)]
)
def test_operations_are_counted_from_the_kernels_own_formula(kernel, count):
    assert operations(KERNELS[kernel]) == count


def test_a_caption_says_what_was_counted_and_how(figures):
    assert figures["by-threads"].caption == (
        "Median rate from memory by number of threads. Whiskers: 95 % interval of the median, where there are six"
        " samples or more. Counted, bytes an element: read 8 read. 7 samples each; 1 to 8 threads; 1 GiB of data."
        " bandwidth 0.1.0, Python 3.11.7, NumPy 2.1.0, kernel 6.1.0; 2026-01-02."
    )


def test_a_description_tells_what_the_figure_shows(figures):
    assert figures["by-threads"].description.startswith("read, native: 14.00 GB/s at 1 thread, 75.00 GB/s at 8 threads")
    assert all(figure.description for figure in figures.values())


def test_a_sample_far_off_is_named_in_the_caption(make_record, make_result):
    record = make_record(make_result(seconds=(1.0,) * 8 + (3.0,)))
    figure = make_write_up([record]).figures[-1]
    assert min(figure.picture.rows[0].percents) < STRIP_HIGH
    assert "Triangles at the edge: 1 of them" in figure.caption


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


@pytest.mark.parametrize("name", NAMES)
def test_a_drawing_whole(name, figures, matplotlib):
    path, svg = DATA / f"{name}.svg", figures_drawing.draw(figures[name], "svg")
    if os.environ.get("BANDWIDTH_WRITE_GOLDEN"):
        path.write_bytes(svg)
        DRAWN_BY.write_text(f"{matplotlib.__version__}\n", "utf-8")
    drawn_by = DRAWN_BY.read_text("utf-8").strip()
    if matplotlib.__version__ != drawn_by:
        pytest.skip(f"drawn by matplotlib {drawn_by}, here is {matplotlib.__version__}")
    assert svg == path.read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_drawing_is_well_formed_with_text_as_text_and_no_date(name, figures, matplotlib):
    text = figures_drawing.draw(figures[name], "svg").decode()
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


def test_the_users_own_settings_change_nothing(figures, matplotlib):
    before = figures_drawing.draw(figures["rates"], "svg")
    with matplotlib.rc_context({"lines.linewidth": 9, "svg.fonttype": "path", "font.size": 20}):
        assert figures_drawing.draw(figures["rates"], "svg") == before


def test_a_dollar_and_markup_in_a_name_are_drawn_as_text(make_record, make_result, make_case, matplotlib):
    name = "a$x^2$ <b> & \\frac_%"
    record = make_record(make_result(make_case(path=name)))
    (bars, strip) = make_write_up([record]).figures
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
    (_, strip) = make_write_up([make_record(many)]).figures
    assert summarise(many).count == len(strip.picture.rows[0].percents)
    assert len(figures_drawing.draw(strip, "svg")) < 150_000
