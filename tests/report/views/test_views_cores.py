"""Times between cores as printed: of a server with chiplets by the letter, of two CPUs, of many, and as a heat map."""

from __future__ import annotations

import csv
import io

import pytest
from measuring_support import small_topology, two_socket_topology
from pairs_of_cpus import between, in_groups
from simulated_machine import Machine, text_of

from bandwidth.findings import examine
from bandwidth.report import render
from bandwidth.report.figures.data import Heatmap
from bandwidth.report.figures.drawing import can_draw, draw
from bandwidth.report.measurement import measurement_document, plan_document
from bandwidth.report.screen.default import screen_document
from bandwidth.report.views.cores import pair_blocks, pair_figures
from bandwidth.report.views.shown import Shown
from bandwidth.results import NotRun, summarise
from bandwidth.results.files import parse, record_text

# 2 sockets of 2 chiplets of 2 cores of 2 threads.
SMALL_SERVER = Machine(topology=two_socket_topology(4, 2, 1))

GOLDEN = """\
Host memory of Simulated 64-Core Processor, 8 cores
Theory: DDR5-4800 x24: 4800 MT/s x 8 B x 24 = 921.60 GB/s, from --memory
  DDR5-4800 x12

Core-to-core latency by what the CPUs share: medians over the pairs
CPUs on            pairs      ns   least    most
-----------------  -----  ------  ------  ------  ------------------------------
the same core          8   21.00   21.00   21.00  ###
the same L3           16   38.00   38.00   38.00  ######
the same socket       32  110.00  110.00  110.00  #################
different sockets     64  190.00  190.00  190.00  ##############################

Core-to-core latency, ns
CPU     0     8     1    9     2    10     3   11     4    12     5   13
---  ----  ----  ----  ---  ----  ----  ----  ---  ----  ----  ----  ---
  8  21.0
  1  38.0  38.0
  9  38.0  38.0  21.0
  2   110   110   110  110
 10   110   110   110  110  21.0
  3   110   110   110  110  38.0  38.0
 11   110   110   110  110  38.0  38.0  21.0
  4   190   190   190  190   190   190   190  190
 12   190   190   190  190   190   190   190  190  21.0
  5   190   190   190  190   190   190   190  190  38.0  38.0
 13   190   190   190  190   190   190   190  190  38.0  38.0  21.0
  6   190   190   190  190   190   190   190  190   110   110   110  110
 14   190   190   190  190   190   190   190  190   110   110   110  110
  7   190   190   190  190   190   190   190  190   110   110   110  110
 15   190   190   190  190   190   190   190  190   110   110   110  110

Core-to-core latency, ns
CPU     6    14     7  15
---  ----  ----  ----  --
 14  21.0
  7  38.0  38.0
 15  38.0  38.0  21.0

Two threads pass one cache line back and forth. The latency is one way; the
  round trip takes twice as long.
The same core: 0,8; 1,9; 2,10; 3,11; 4,12; 5,13; 6,14; 7,15.
The same L3: 0-1,8-9; 2-3,10-11; 4-5,12-13; 6-7,14-15.
The same socket: 0-3,8-11; 4-7,12-15.
95 % intervals extend at most 0.2 % from the median.

All verified.

Findings
  ok  The core-to-core latency is 21 ns on the same core, 38 ns on the same L3,
      110 ns on the same socket, 190 ns on different sockets: the longest is 9.0
      times the shortest. (BW057)
"""


@pytest.fixture(scope="module")
def server():
    return SMALL_SERVER.record(core_to_core=True)


def screen(record, format_name="table"):
    return render(screen_document(record, examine(record)), format_name)


def test_a_server_with_two_sockets_of_two_chiplets(server):
    assert screen(server) == GOLDEN


def test_a_record_comes_back_from_its_file_with_what_cpus_share(server):
    again = parse(record_text(server, examine(server)), "a test")
    assert again.results == server.results
    assert screen(again) == screen(server)


def test_csv_and_json_have_a_row_for_each_pair(server):
    document = measurement_document(server, examine(server))
    first = document.data["results"][0]
    assert (first["path"], first["cpus"], first["variant"], first["shared"]) == (
        "core_to_core",
        "0,8",
        {"pair": "cpu0-cpu8"},
        "core",
    )
    assert first["median_ns"] == pytest.approx(21.0)
    assert first["median_bytes_per_s"] is None
    row, *others = csv.DictReader(io.StringIO(render(document, "csv")))
    assert len(others) == 119
    assert (row["path"], row["variant"], row["shared"]) == ("core_to_core", "pair=cpu0-cpu8", "core")
    assert float(row["ci95_low_ns"]) <= float(row["median_ns"]) <= float(row["ci95_high_ns"])


def test_two_cpus_are_a_pair_with_its_interval(make_record):
    text = text_of(make_record(between(0, 1, 93.0, 92.0, 94.0, 93.5, 92.5, 93.2)))
    assert "CPUs  on              ns  95 % interval, ns  n\n" in text
    assert "0, 1  the same L3  93.10        92.00-94.00  6\n" in text
    assert "All verified." in text
    assert "Working set" not in text
    assert "by what the CPUs share" not in text  # that would be the pair once more


def test_a_pair_whose_data_was_wrong_has_no_time(make_record):
    text = text_of(
        make_record(between(0, 1, 93.0), between(0, 2, 93.0, failure="thread 0 passed the value on 3 times"))
    )
    assert "0, 2  the same L3  INVALID                  -  8\n" in text
    many = in_groups(*(range(at, at + 4) for at in (0, 4)))
    many[0, 5] = between(0, 5, 110.0, failure="wrong")
    assert " INVALID" in text_of(make_record(*many.values()))


def test_where_no_layout_is_known_the_pairs_stand_together(make_record):
    text = text_of(make_record(*in_groups((0, 1, 2), shared="").values()))
    assert "unknown      3  40.00  40.00  40.00" in text
    assert "The same" not in text


def test_what_was_not_reached_is_named_and_has_a_dash(make_record):
    pairs = in_groups(range(7))
    missing = pairs.pop((2, 5))
    text = text_of(
        make_record(
            *pairs.values(), not_run=(NotRun(missing.case.id, "the budget of 1 s was used up; use a longer --budget"),)
        )
    )
    assert "Not run: core to core, native, 2 threads, cpu2-cpu5.\n" in text
    row = next(line for line in text.splitlines() if line.startswith("  5  "))
    assert row.split() == ["5", "40.0", "40.0", "-", "40.0", "40.0"]


def test_a_short_budget_has_pairs_of_every_kind_with_their_intervals():
    record = SMALL_SERVER.record(core_to_core=True, budget_s=3.0)
    assert {result.case.shared for result in record.results} == {"core", "L3", "socket", "machine"}
    assert len(record.not_run) > 60
    assert all(summarise(result).latency.ci95_ns is not None for result in record.results)


def test_a_matrix_as_wide_as_the_terminal_goes_on_below(server):
    tables = [
        block for block in pair_blocks(Shown(server)) if getattr(block, "title", "") == "Core-to-core latency, ns"
    ]
    assert [len(table.columns) for table in tables] == [13, 5]
    cells = [cell for table in tables for row in table.rows for cell in row[1:] if cell]
    assert len(cells) == 120
    assert all(len(line) <= 80 for line in screen(server).splitlines())


def test_the_heat_map_has_both_halves_and_the_middle_is_empty(server):
    (figure,) = pair_figures(Shown(server))
    picture = figure.picture
    assert isinstance(picture, Heatmap)
    assert picture.rows == picture.columns == tuple(map(str, (0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15)))
    assert all(picture.values[at][at] is None and picture.texts[at][at] == "" for at in range(16))
    assert all(picture.values[one][other] == picture.values[other][one] for one in range(16) for other in range(16))
    assert (picture.texts[0][1], picture.texts[0][8]) == ("21.0", "190")
    assert figure.description.startswith("the same core: 21.00 ns, 21.00 to 21.00; the same L3: 38.00 ns")
    assert "64 B of data" in figure.caption


def test_a_heat_map_of_very_many_cpus_has_no_numbers_in_it(make_record):
    (figure,) = pair_figures(Shown(make_record(*in_groups(range(34)).values())))
    assert {text for row in figure.picture.texts for text in row} == {""}


@pytest.mark.skipif(not can_draw(), reason="the extra `plot` is not installed")
def test_the_heat_map_is_drawn(server):
    svg = draw(pair_figures(Shown(server))[0], "svg")
    assert svg.startswith(b"<?xml")
    assert b">190<" in svg


def test_two_cpus_have_no_heat_map(make_record):
    assert pair_figures(Shown(make_record(between(0, 1, 93.0)))) == []


def test_a_record_without_pairs_shows_none(make_record, make_result):
    assert pair_blocks(Shown(make_record(make_result()))) == []
    assert pair_figures(Shown(make_record(make_result()))) == []


def test_a_plan_names_the_pairs_and_what_is_left_out():
    few = Machine(topology=small_topology(2, can_pin=True)).plan(core_to_core=True)
    assert (
        render(plan_document([few]), "table").splitlines()[2]
        == "core to core, native, 2 threads, cpu0-cpu1         64 B"
    )
    text = " ".join(render(plan_document([Machine().plan(core_to_core=True)]), "table").split())
    budget = "Cases run in this order; cases that do not fit the budget of 60 s are skipped."
    assert f"Nothing was measured. {budget} 256 CPUs have 32,640 pairs" in text


def test_a_full_run_says_in_a_line_what_a_cache_line_takes():
    text = " ".join(screen(Machine().record(target="host", full=True)).split())
    assert (
        "Core-to-core latency: 21.00 ns on the same core, 38.00 ns on the same L3, 94.00 ns on the same NUMA node"
        in text
    )


def test_a_write_up_has_the_part_with_its_matrix(server):
    from bandwidth.report.write_up.content import make_write_up

    write_up = make_write_up([server])
    assert "core-to-core" in {figure.name for figure in write_up.figures}
