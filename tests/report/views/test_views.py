"""The one list of views: every file stands in it, terminal and write-up read it, and each record is sorted once."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from bandwidth.findings import examine
from bandwidth.report import Table, measurement, render
from bandwidth.report import views as room
from bandwidth.report.document import Column
from bandwidth.report.measurement import measurement_document
from bandwidth.report.views import VIEWS, View, provenance, rates
from bandwidth.report.views import shown as sorting
from bandwidth.report.views.shown import Shown
from bandwidth.report.write_up import content
from bandwidth.report.write_up.content import make_write_up
from bandwidth.report.write_up.markdown import markdown_text
from bandwidth.results.files import load

RECORD = Path(__file__).parents[2] / "data" / "report" / "record.json"
FOLDER = Path(room.__file__).parent
# What heads a record or tells of it, whether or not it has results.
OF_THE_RECORD = {rates.host_heading, provenance.tables}


@pytest.fixture(scope="module")
def record():
    return load(RECORD)


def functions(view):
    return [one for one in (view.blocks, view.figures, view.in_write_up) if one not in (None, room.nothing)]


def test_every_file_of_views_stands_in_the_list():
    listed = {Path(inspect.getfile(one)).name for view in VIEWS for one in functions(view)}
    assert listed == {path.name for path in FOLDER.glob("*.py")} - {"__init__.py", "shown.py"}


def test_no_view_stands_there_twice():
    found = [one for view in VIEWS for one in functions(view)]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: f"{view.section}: {functions(view)[0].__name__}")
def test_a_view_without_results_is_not_there(view, make_record):
    nothing = Shown(make_record(), flops=1e12)
    for one in functions(view):
        assert bool(one(nothing)) == (one in OF_THE_RECORD)


@pytest.fixture
def with_one_more(monkeypatch):
    """Add a line to the list, as whoever writes a view does."""

    def table(shown):
        return [Table((Column("results"),), ((str(len(shown.results)),),), "How many there are")]

    for reader in (measurement, content):
        assert reader.VIEWS is VIEWS
        monkeypatch.setattr(reader, "VIEWS", (*VIEWS, View("In numbers", table)))


def test_a_line_of_the_list_is_a_table_of_the_terminal_and_a_part_of_a_write_up(with_one_more, record):
    text = render(measurement_document(record, examine(record)), "table")
    assert text.index("\n\nBytes counted per element") > text.index("\n\nHow many there are\n")
    write_up = make_write_up([record])
    section = write_up.sections[-1]
    assert section.title == "In numbers"
    assert section.blocks[0].rows == (("46",),)
    assert "## In numbers" in markdown_text(write_up, {})


def test_a_part_of_a_write_up_has_all_its_views_and_its_figures_first(record):
    write_up = make_write_up([record], flops=1e12)
    titles = [section.title for section in write_up.sections]
    assert len(set(titles)) == len(titles)
    assert titles[:4] == ["Key results", "Findings", "Summary", "What was counted"]
    of_views = [title for title in dict.fromkeys(view.section for view in VIEWS) if title in titles]
    assert of_views == titles[2:3] + titles[4:]
    by_size = next(section for section in write_up.sections if section.title == "By size")
    kinds = [type(block).__name__ for block in by_size.blocks]
    assert kinds[:3] == ["Figure", "Figure", "Table"]
    assert "Figure" not in kinds[2:]


@pytest.mark.parametrize(
    "name", ["size_curves", "thread_curves", "loaded_latency", "node_matrices", "peer_matrices", "plain_results"]
)
def test_a_record_is_sorted_once_for_all_views(name, record, monkeypatch):
    asked = []
    sort = getattr(sorting, name)
    monkeypatch.setattr(sorting, name, lambda of: asked.append(of) or sort(of))
    make_write_up([record], flops=1e12)
    assert len(asked) == 1


def test_the_figures_of_sweeps_stand_in_the_order_of_their_tables(record):
    names = [figure.name for figure in make_write_up([record]).figures]
    sweeps = ["rate-by-size-1-thread", "transfer-rate-by-size-link-of-device-0"]
    assert [name for name in names if name in sweeps] == sweeps


def test_the_shapes_that_were_taken_stand_with_where_they_are_from(make_record, make_result, make_case):
    tried = {"for": "1 read, 1 written/streaming/memory/2", "shape": {"vector_bytes": 32, "pages": 1}}
    kept = {"for": "1 read, 0 written, xor/memory/2", "shape": {}, "from": "cache", "tried_at": "2026-11-26"}
    tunings = [tried | {"from": "trials", "tried": [{}, {}, {}]}, kept, kept, {"block": 64}, {"for": 1, "shape": 2}]
    results = [
        make_result(make_case(working_set_bytes=2**28 + number * 4096), tuning=tuning)
        for number, tuning in enumerate(tunings)
    ]
    _, table, *_ = provenance.tables(Shown(make_record(*results)))
    assert table.title == "Shapes of the native kernels"
    assert table.rows == (
        ("1 read, 0 written, xor/memory/2", "the default", "an earlier run"),
        ("1 read, 1 written/streaming/memory/2", "vector bytes 32, pages 1", "best of 3 tried now"),
    )
    assert all(table.title != one.title for one in provenance.tables(Shown(make_record(results[3]))))
