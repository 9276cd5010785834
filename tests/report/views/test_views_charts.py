"""The figures of a record's views: what each holds, its caption, and the words that stand in for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bandwidth.kernels import KERNELS
from bandwidth.report.figures.data import STRIP_HIGH, Bars, Curves, Heatmap, Roofline, Strip
from bandwidth.report.views.charts import operations
from bandwidth.report.write_up.content import make_write_up
from bandwidth.results.files import load

RECORD = Path(__file__).parents[2] / "data" / "report" / "record.json"
KINDS = {
    "in-short": Bars,
    "rates": Bars,
    "by-threads": Curves,
    "rate-by-size-1-thread": Curves,
    "transfer-rate-by-size-link-of-device-0": Curves,
    "latency-by-size-1-thread": Curves,
    "loaded-latency": Curves,
    "between-nodes-read-native-4-threads": Heatmap,
    "roofline": Roofline,
    "samples": Strip,
}


@pytest.fixture(scope="module")
def record():
    return load(RECORD)


@pytest.fixture(scope="module")
def figures(record):
    return {figure.name: figure for figure in make_write_up([record], flops=1e12).figures}


def series(figure):
    return {one.label: [(point.x, round(point.y, 2)) for point in one.points] for one in figure.picture.series}


def test_each_kind_of_data_has_its_figure(figures):
    kinds = {name: type(figure.picture) for name, figure in figures.items()}
    assert list(kinds.items()) == list(KINDS.items())


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
        "Median rate from memory by number of threads. Whiskers: 95 % interval of the median, with six"
        " samples or more. Bytes counted per element: read 8 read. 7 samples each; 1 to 8 threads; 1 GiB of data."
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
