"""Records of very many results and samples: the work grows as they do, and figures say what they leave out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from counted_calls import calls_of

from bandwidth.findings import examine
from bandwidth.report.figures import data as figures_data
from bandwidth.report.figures.data import Bars, StripRow, thinned
from bandwidth.report.write_up.content import make_write_up
from bandwidth.report.write_up.markdown import markdown_text

MIB = 1024**2
# Twice as many results may take this much more; each with each would take four times as much.
MOST_GROWTH = 2.6


@pytest.fixture
def many(make_case, make_result, make_record):
    """A record of so many results, of one kind: by threads, by size, under load, or of different targets."""

    def build(count, kind):
        cases = []
        for number in range(count):
            case = make_case(
                threads=number + 1 if kind == "threads" else 2,
                variant={"stores": ("ordinary", "streaming")[number % 2]},
                engine=("numpy", "native")[number % 3 > 0],
                working_set_bytes=(512 + number) * MIB,
            )
            more = {"sizes": {"sweep_point": number}, "loads": {"load": f"{number}%"}}.get(kind, {})
            target = f"device:{number}" if kind == "targets" else "host"
            cases.append(replace(case, target=target, variant={**case.variant, **more}))
        return make_record(*(make_result(case, (0.02 + n % 7 / 1000,) * 6) for n, case in enumerate(cases)))

    return build


@pytest.mark.parametrize("kind", ["threads", "sizes", "loads", "targets"])
def test_the_work_of_a_write_up_grows_as_its_results_do(many, kind):
    def work(record):
        markdown_text(make_write_up([record], figures=False), {})

    work(many(3, kind))  # what is read once for all
    records = [many(count, kind) for count in (150, 300)]
    few, twice = (calls_of(lambda record=record: work(record)) for record in records)
    assert twice / few < MOST_GROWTH


def test_a_record_of_a_hundred_thousand_samples_is_examined_and_written_up(make_case, make_result, make_record):
    """The interval alone took 4 s of 100,000 samples, and the figure drew them all."""
    seconds = (*(0.02 + (number * 7919 % 1009) / 1e5 for number in range(100_000)), 0.5)
    record = make_record(make_result(make_case(), seconds))
    examine(record)
    (figure,) = [one for one in make_write_up([record]).figures if one.name == "samples"]
    (row,) = figure.picture.rows
    assert len(row.percents) <= figures_data.MOST_SAMPLES + 2
    assert "Rows with more than 5,000 samples show that many, evenly spaced, and both ends." in figure.caption
    assert "100001 samples" in figure.description
    assert min(row.percents) < 6  # the slowest block, the last one


def test_the_rows_that_spread_furthest_are_drawn(many):
    record = many(300, "targets")
    spread = make_write_up([replace(record, results=tuple(map(_with_spread, record.results)))])
    figures = {figure.name: figure for figure in spread.figures}
    strip, bars = figures["samples"], figures["rates-of-gpus"]
    assert len(strip.picture.rows) == figures_data.MOST_ROWS
    assert "Drawn: the 100 of 300 rows with the largest spread." in strip.caption
    assert {int(row.label.split("device ")[1].split("\n")[0]) for row in strip.picture.rows} == set(range(200, 300))
    assert isinstance(bars.picture, Bars)
    assert len(bars.picture.panels) == figures_data.MOST_PANELS
    assert f"Drawn: the first {figures_data.MOST_PANELS} of 300; the table has all." in bars.caption


def _with_spread(result):
    number = int(result.case.target.partition(":")[2])
    samples = replace(result.samples, seconds=(*(0.02,) * 6, 0.03 * (1 + number / 1000)))
    return replace(result, samples=samples)


def test_a_thinned_row_keeps_its_ends_and_what_is_marked():
    percents = [100.0] * 50_000
    percents[7], percents[49_001], percents[123] = 50.0, 150.0, 90.0
    row = thinned(StripRow("x", tuple(percents), (123,)))
    assert 5000 <= len(row.percents) <= 5003
    assert (min(row.percents), max(row.percents)) == (50.0, 150.0)
    assert [row.percents[index] for index in row.marked] == [90.0]
    short = StripRow("x", (1.0,) * 5000)
    assert thinned(short) is short
