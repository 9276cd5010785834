"""Zeros beside other data."""

from __future__ import annotations

from bandwidth.report.views import rates, zeros
from bandwidth.report.views.shown import Shown


def test_zeros_stand_beside_other_data_and_nowhere_else(make_record, result):
    streaming = {"stores": "streaming"}
    only_zeros = streaming | {"data": "zeros"}
    record = make_record(
        result("write", 2, 60.0, engine="native", variant=only_zeros),
        result("write", 2, 24.0, engine="native", variant=streaming),
        result("write", 1, 50.0, engine="native", variant=only_zeros),
    )
    (table,) = zeros.tables(Shown(record))
    assert table.rows == (
        ("write", "native", "streaming", "2", "60.00", "24.00", "2.50"),
        ("write", "native", "streaming", "1", "50.00", "-", "-"),
    )
    (others,) = rates.tables(Shown(record))
    assert others.title == "2 threads"
    assert len(others.rows) == 1
