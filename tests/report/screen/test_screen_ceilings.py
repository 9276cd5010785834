"""Sweeps beside their ceilings: over sizes those of the caches, over threads one that steps with the chiplets."""

from __future__ import annotations

import pytest
from screens import Run, host

from bandwidth.findings import examine
from bandwidth.report import Table
from bandwidth.report.screen.default import screen_document
from bandwidth.results import Observed


def tables_of(record):
    return [one for one in screen_document(record, examine(record)).blocks if isinstance(one, Table) and one.title]


@pytest.fixture(scope="module")
def genoa():
    return Run(host("EPYC with 96"), 7e9, 370e9, observed={"clock_hz": Observed(3.7e9, 3.6e9, 3.7e9)})


def test_points_within_a_cache_stand_beside_what_the_cache_gives(genoa):
    record = genoa.record(sweep="size", threads=("1",), kernels=("read",), engines=("native",))
    table = next(one for one in tables_of(record) if one.title.startswith("By size: read"))
    headers = [column.header for column in table.columns]
    rows = {row[0]: dict(zip(headers, row, strict=True)) for row in table.rows}
    assert (rows["16 KiB"]["of"], rows["16 KiB"]["ceiling"]) == ("L1", "236.80")  # 64 B a cycle at 3.7 GHz
    assert rows["512 KiB"]["of"] == "L2"
    assert rows["16 KiB"]["share"] == "3.0 %"


def test_the_ceiling_over_threads_steps_with_the_chiplets(genoa):
    record = genoa.record(sweep="threads", kernels=("read",), engines=("native",))
    table = next(one for one in tables_of(record) if one.title.startswith("By threads: read"))
    headers = [column.header for column in table.columns]
    steps = {row[0]: dict(zip(headers, row, strict=True)) for row in table.rows}
    assert [steps[count]["ceiling"] for count in ("1", "8", "16", "96")] == ["57.60", "57.60", "115.20", "460.80"]
    assert [steps[count]["of"] for count in ("1", "96")] == ["CCD link", "memory"]
