"""How a fleet is told: the whole table, the strip plot's numbers, and long lists cut short."""

from __future__ import annotations

from dataclasses import replace

from simulated_fleet import Fault, Spread, simulated_machines

from bandwidth.fleet import judge
from bandwidth.fleet.machines import machine_of
from bandwidth.fleet.reading import NotRead
from bandwidth.report import render
from bandwidth.report.fleet.page import fleet_figures
from bandwidth.report.fleet.text import MOST_NAMED, fleet_document

FAULT = Fault("slow", 0.5)


def fleet_of(count, faulty, **options):
    machines = simulated_machines(count, 1, Spread(0.0), lambda number: FAULT if number in faulty else None)
    return judge(machines, **options)


def test_the_table_names_the_host_its_share_and_its_slowest_result():
    text = render(fleet_document(fleet_of(4, {2}, not_read=[NotRead("x.json", "it is cut short")])), "table")
    assert text.startswith("4 machines in 1 group: 1 flagged, 1 file not read.\n")
    line = next(line for line in text.splitlines() if line.startswith("n00002  host"))
    assert line.split() == ["n00002", "host", "50.0", "%", "-", "read", "native", "1", "thread", "50.00", "100.00"]
    assert "Not read: x.json: it is cut short\n" in text
    assert "No difference in configuration found." in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80


def test_what_a_set_up_gives_away_is_told_of_machines_that_are_not_flagged(make_record, make_result):
    facts = {"memory_channels": 7, "memory_channels_possible": 8}
    records = [make_record(make_result(), machine={"hostname": f"n{at}", **facts}) for at in range(3)]
    records.append(make_record(make_result(), machine={"hostname": "whole"}))
    document = fleet_document(judge([machine_of(record, f"{at}.json") for at, record in enumerate(records)]))
    text = " ".join(render(document, "table").split())
    assert "none flagged" in text
    assert "BW042: n0, n1, n2: 7 of 8 memory channels hold a module; put a module" in text
    (finding,) = document.data["findings"]
    assert (finding["code"], len(finding["machines"])) == ("BW042", 3)


def test_long_lists_are_cut_and_say_so():
    fleet = fleet_of(100, set(range(30)), not_read=[NotRead(f"{i}.json", "no") for i in range(25)])
    text = render(fleet_document(fleet), "table")
    assert f"And {30 - MOST_NAMED} more: --json and --format csv list all." in text
    assert "Not read: 5 more files" in text
    assert len(fleet_document(fleet).data["flagged"]) == 30


def test_the_strip_has_a_row_a_target_and_marks_the_flagged():
    (figure,) = fleet_figures(fleet_of(4, {2}))
    assert figure.picture.limit == 95.0
    rows = {row.label: row for row in figure.picture.rows}
    assert rows["host, all"].percents == (100.0, 100.0, 50.0, 100.0)
    assert (rows["host, all"].marked, rows["host, all"].names) == ((2,), ("n00002",))
    assert rows["link of device 0, all"].marked == ()
    assert figure.caption.startswith("1 x Example, Example GPU. One dot per machine")


def test_nothing_judged_draws_nothing():
    assert fleet_figures(fleet_of(2, set())) == ()


def test_a_label_stands_behind_the_name():
    machines = [
        replace(one, label=f"rack{i}") for i, one in enumerate(simulated_machines(4, 1, Spread(0.0), _slow_last))
    ]
    assert "n00003 (rack3)" in render(fleet_document(judge(machines)), "table")


def _slow_last(number):
    return FAULT if number == 3 else None
