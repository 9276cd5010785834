"""Rates by the ratio of reads to writes."""

from __future__ import annotations

from bandwidth.report.labels import counted_bytes
from bandwidth.report.views import mixes, rates
from bandwidth.report.views.shown import Shown


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
    (table,) = mixes.tables(Shown(record))
    assert table.title == "Reads to writes, 8 threads"
    assert [row[:3] for row in table.rows] == [
        ("1:0", "-", "80.00"),
        ("3:1", "ordinary", "70.00"),
        ("2:1", "ordinary", "65.00"),
        ("1:1", "ordinary", "60.00"),
        ("triad", "streaming", "76.00"),
    ]
    assert not any("mix" in row for one in rates.tables(Shown(record)) for row in one.rows)
    assert "mix 3:1 24 read + 8 written" in counted_bytes(record.results)
