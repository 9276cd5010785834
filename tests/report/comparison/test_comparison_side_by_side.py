"""The texts of a comparison: how ratios are written, and that a thousand records are cheap to lay out."""

from __future__ import annotations

import time

import pytest
from gpu_machine import two_h200s

from bandwidth.comparison.sides import Side, side_by_side
from bandwidth.report import render
from bandwidth.report.comparison.side_by_side import comparison_document
from bandwidth.report.comparison.summary import ratio_text
from bandwidth.report.comparison.tables import range_text
from bandwidth.statistics import Interval

RECORDS, RESULTS, SAMPLES = 1000, 34, 25
# The 5 s are of the whole command; loading takes about 2.2 of them on one slow CPU.
MOST_S = 5.0


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(None, "-"), (1.0, "1.000"), (0.97444, "0.974"), (9.9994, "9.999"), (12.34, "12.3"), (1e4, "10,000.0")],
)
def test_a_ratio_has_three_decimals_and_a_large_one_one(ratio, text):
    assert ratio_text(ratio) == text


def test_a_range_has_both_ends():
    assert range_text(Interval(0.9, 1.1)) == "0.900-1.100"
    assert range_text(None) == "-"


def test_only_the_part_of_the_format_is_made_where_one_is_named(make_record, make_result):
    record = make_record(make_result())
    sides = side_by_side([Side("a", "a", record), Side("b", "b", record)])
    for name, has in (("json", "data"), ("csv", "records"), ("table", "blocks")):
        document = comparison_document(sides, format_name=name)
        assert [part for part in ("data", "records", "blocks") if getattr(document, part)] == [has]
        assert render(document, name) == render(comparison_document(sides), name)


def test_a_thousand_records_are_compared_in_seconds(make_record, make_case, make_result):
    cases = [make_case(threads=number) for number in range(1, RESULTS + 1)]
    columns = [
        Side(
            f"n{index}",
            f"n{index}.json",
            make_record(*(make_result(case, (0.02 + index / 1e6,) * SAMPLES) for case in cases)),
        )
        for index in range(RECORDS)
    ]
    started = time.process_time()
    document = comparison_document(side_by_side(columns), format_name="table", with_all=True)
    text = render(document, "table")
    assert time.process_time() - started < MOST_S
    assert text.count("\nn999 ") == RESULTS + 1  # and one in the table by role
    assert "and 988 more\n" in text


def test_a_difference_between_many_is_told_by_its_values(make_record, make_result):
    machines = [{"kernel": f"6.{index % 6}", "cpu_model": "A" if index else "B"} for index in range(40)]
    columns = [
        Side(f"n{index}", "x", make_record(make_result(), machine=machine)) for index, machine in enumerate(machines)
    ]
    text = render(comparison_document(side_by_side(columns), with_all=True), "table")
    assert "\n  processor: B (n0), A (n1, n2, n3 and 36 more)\n" in text
    assert "and 2 more values\n" in text


def test_gpus_stand_in_tables_of_their_own_without_threads(make_record, make_case, make_result):
    record = two_h200s(make_record, make_case, make_result)
    columns = [Side("a", "a.json", record), Side("b", "b.json", record)]
    text = render(comparison_document(side_by_side(columns), with_all=True), "table")
    titles = [line for line in text.splitlines() if line.startswith(("Device", "Link")) and "theory" not in line]
    assert titles[:5] == ["Device 0", "Device 1", "Devices 0,1", "Link of device 0", "Link of device 1"]
    assert "threads" not in text
    assert max(map(len, text.splitlines())) <= 80
