"""How `offload` writes sizes and ratios, draws with characters, and describes its figure."""

from __future__ import annotations

from bandwidth.offload.answer import answer, line, lines
from bandwidth.offload.figures import Figures, SourcedFigure
from bandwidth.offload.model import Model, Workload
from bandwidth.report import render
from bandwidth.report.offload import PLOT_COLUMNS, PLOT_ROWS, offload_document, offload_figure, plot

GB, MB = 10**9, 10**6


def build_answer(sizes=(100 * MB,), passes=(1, 20), work=None, **overrides):
    given = {"host": 100e9, "link": 10e9, "device": 1000e9, "link_back": 10e9}
    figures = {name: SourcedFigure(rate, "given", f"--{name}") for name, rate in given.items()}
    return answer(Figures(**(figures | overrides)), work or Workload(), sizes, passes)


def test_the_plot_has_both_lines_and_their_crossing():
    model = build_answer().model
    drawn = plot(line(model, 20, 10_000, 10_000_000, PLOT_COLUMNS)).split("\n")
    assert drawn[0].startswith("o host, # device, * both, 20 passes; X equal, at ")
    grid = drawn[1 : 1 + PLOT_ROWS]
    assert all(row[10] == "|" for row in grid)
    body = [row[11:].ljust(PLOT_COLUMNS) for row in grid]
    assert sum(row.count("X") for row in body) == 1
    for column in range(PLOT_COLUMNS):
        marks = "".join(row[column] for row in body).replace(" ", "")
        assert marks in {"o#", "#o", "*", "X", "oX", "Xo", "#X", "X#"}
    assert next(row for row in body if row.strip()).rstrip().endswith("o")  # the host ends above
    assert max(map(len, drawn)) <= 80
    assert drawn[-1].split() == ["10", "kB", "10", "MB"]


def test_a_plot_without_a_crossing_says_nothing_of_one():
    assert "X" not in plot(line(build_answer().model, 1, MB, GB, PLOT_COLUMNS))


def test_a_plot_of_equal_times_is_a_level_line():
    flat = Model(1e30, 1e30, 1e30, 1e30, host_latency_s=1e-3, launch_latency_s=1e-3)
    assert "*" in plot(line(flat, 1, 1, 100, PLOT_COLUMNS))


def test_rows_that_do_not_fit_the_device_are_marked():
    text = render(offload_document(build_answer(sizes=(GB, 9 * GB), capacity_bytes=8 * GB)), "table")
    assert "9 GB*" in text
    assert "1 GB*" not in text
    assert "Rows marked * do not fit in the device's 8 GB" in text


def test_the_way_back_and_the_unit_are_shown_where_they_count():
    other = SourcedFigure(5 * 2**30, "given", "there")
    text = render(offload_document(build_answer(work=Workload(result_share=1), link_back=other), "GiB/s"), "table")
    assert "link, back" in text
    assert "5.00" in text
    assert "GiB/s" in text
    assert "link, back" not in render(offload_document(build_answer(link_back=other)), "table")


def test_resident_data_needs_no_link_in_the_table():
    lines_of = render(offload_document(build_answer(work=Workload(resident=True))), "table").splitlines()
    assert not any(text.startswith("link") for text in lines_of)


def test_the_figure_has_a_pair_of_lines_for_each_number_of_passes_and_its_crossings():
    found = build_answer(passes=(1, 20, 100))
    figure = offload_figure(found, lines(found), "GB/s")
    labels = [series.label for series in figure.picture.series]
    assert labels[:2] == ["host, 20 passes", "device, 20 passes"]
    assert labels[-2:] == ["host, 1 pass", "device, 1 pass"]
    assert len(figure.picture.across) == 2
    assert "given: --host" in figure.caption
    assert "With 1 passes the device is never faster." not in figure.description
    assert "With 1 pass the device is never faster." in figure.description


def test_no_figure_has_more_lines_than_can_be_told_apart():
    found = build_answer(passes=(1, 2, 3, 4, 5))
    assert len(offload_figure(found, lines(found), "GB/s").picture.series) == 6
