"""The host's rates as tables: which come first, and what stands apart; by reads to writes, and of zeros."""

from __future__ import annotations

from bandwidth.report.labels import counted_bytes
from bandwidth.report.views import rates
from bandwidth.report.views.shown import Shown
from bandwidth.results import Observed


def titles(record):
    return [table.title for table in rates.host_rates(Shown(record))]


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
    (table,) = rates.host_rates_in_one(Shown(record))
    assert [row[:2] for row in table.rows] == [("8", "read"), ("8", "copy, efficiency cores"), ("1", "copy")]
    assert sum(len(one.rows) for one in rates.host_rates(Shown(record))) == len(table.rows)


def test_the_ratios_of_reads_to_writes_stand_as_in_intel_mlc(make_record, result):
    mixed = [
        result("mix", 8, gb, engine="native", variant={"stores": "ordinary", "mix": mix})
        for mix, gb in (("1:1", 60.0), ("3:1", 70.0), ("2:1", 65.0))
    ]
    record = make_record(
        *mixed,
        result("triad", 8, 76.0, engine="native", variant={"stores": "streaming"}),
        result("triad", 8, 55.0, engine="native", variant={"stores": "ordinary"}),
        result("read", 8, 80.0, engine="native"),
        result("read", 8, 50.0),
        result("read", 1, 11.0, engine="native"),
    )
    (table,) = rates.mix_tables(Shown(record))
    assert table.title == "Reads to writes, 8 threads"
    assert [row[:3] for row in table.rows] == [
        ("1:0", "-", "80.00"),
        ("3:1", "ordinary", "70.00"),
        ("2:1", "ordinary", "65.00"),
        ("1:1", "ordinary", "60.00"),
        ("triad", "streaming", "76.00"),
    ]
    assert not any("mix" in row for one in rates.host_rates(Shown(record)) for row in one.rows)
    assert "mix 3:1 24 read + 8 written" in counted_bytes(record.results)


def test_zeros_stand_beside_other_data_and_nowhere_else(make_record, result):
    streaming = {"stores": "streaming"}
    only_zeros = streaming | {"data": "zeros"}
    record = make_record(
        result("write", 2, 60.0, engine="native", variant=only_zeros),
        result("write", 2, 24.0, engine="native", variant=streaming),
        result("write", 1, 50.0, engine="native", variant=only_zeros),
    )
    (table,) = rates.zeros_tables(Shown(record))
    assert table.rows == (
        ("write", "native", "streaming", "2", "60.00", "24.00", "2.50"),
        ("write", "native", "streaming", "1", "50.00", "-", "-"),
    )
    (others,) = rates.host_rates(Shown(record))
    assert others.title == "2 threads"
    assert len(others.rows) == 1


def test_random_reads_have_a_table_of_their_own_with_the_time_of_a_line(make_record, result):
    def at(threads, pages, gb):
        return result("random", threads, gb, engine="native", variant={"pages": pages})

    record = make_record(at(1, "small", 3.2), at(2, "huge", 12.8), result("copy", 1, 10.0))
    (table,) = rates.random_tables(Shown(record))
    assert table.title == "Random cache lines"
    assert [(*row[:3], row[-1]) for row in table.rows] == [
        ("2", "huge", "12.80", "10.00"),
        ("1", "small", "3.20", "20.00"),
    ]
    assert titles(record) == ["1 thread"]
    assert rates.random_tables(Shown(make_record(result("copy", 1, 10.0)))) == []


def test_what_the_controllers_saw_stands_beside_what_was_counted(make_record, result):
    def seen(**rates_gb):
        return {f"controller_{name}_bytes_per_s": Observed(gb * 1e9, 0.0, 1e12) for name, gb in rates_gb.items()}

    case = {"engine": "native", "variant": {"stores": "ordinary"}}
    record = make_record(
        result("copy", 2, 20.0, observed=seen(read=20.2, write=10.1), **case),
        result("write", 2, 12.0, observed=seen(both=24.6), **case),
        result("read", 2, 30.0),
    )
    (table,) = rates.counter_tables(Shown(record))
    assert [column.header for column in table.columns][-3:] == ["written", "total", "ratio"]
    assert [(row[0], *row[6:]) for row in table.rows] == [
        ("copy", "20.20", "10.10", "30.30", "1.51"),
        ("write", "-", "-", "24.60", "2.05"),
    ]
    assert rates.counter_tables(Shown(make_record(result("read", 2, 30.0)))) == []
