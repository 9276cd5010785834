"""The host's rates as tables: which come first, and what stands apart."""

from __future__ import annotations

from bandwidth.report.views import rates
from bandwidth.report.views.shown import Shown


def titles(record):
    return [table.title for table in rates.tables(Shown(record))]


def test_the_most_threads_come_first_and_kinds_of_cores_stand_apart(make_record, result):
    record = make_record(
        result("copy", 1, 10.0),
        *(result("copy", 8, 20.0, variant={"cores": cores}) for cores in ("efficiency", "performance")),
        result("copy", 16, 30.0),
    )
    assert titles(record) == [
        "16 threads",
        "8 threads, performance cores",
        "8 threads, efficiency cores",
        "1 thread",
    ]


def test_what_a_later_version_tells_apart_is_told_apart_here(make_record, result):
    record = make_record(*(result("copy", 1, 10.0, variant={"host_memory": kind}) for kind in ("pinned", "pageable")))
    assert titles(record) == ["1 thread, host memory pinned", "1 thread, host memory pageable"]


def test_one_table_has_the_rows_of_all_in_their_order(make_record, result):
    record = make_record(
        result("copy", 1, 10.0), result("copy", 8, 20.0, variant={"cores": "efficiency"}), result("read", 8, 30.0)
    )
    (table,) = rates.one_table(Shown(record))
    assert [row[:2] for row in table.rows] == [("8", "read"), ("8", "copy, efficiency cores"), ("1", "copy")]
    assert sum(len(one.rows) for one in rates.tables(Shown(record))) == len(table.rows)
