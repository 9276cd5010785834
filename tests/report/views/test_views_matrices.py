"""Matrices between NUMA nodes as printed."""

from __future__ import annotations

import pytest

from bandwidth.report import Table, render
from bandwidth.report.measurement import measurement_document
from bandwidth.results import Examination, NotRun, Observed

MIB = 1024**2
STEADY = (1.0, 1.002, 0.998, 1.001, 0.999, 1.0)


@pytest.fixture(scope="module")
def cell(make_case, make_result):
    def build(path, value, cpu, memory, *, placed=None, failure="", **others):
        is_latency = path == "latency"
        values = {"engine": "native", "threads": 1 if is_latency else 8} | others
        variant = values.pop("variant", {}) | {"cpu_node": cpu, "memory_node": memory}
        case = make_case(
            path=path,
            bytes_per_call=8 * 10**9 if is_latency else round(value * 10**9),
            variant=variant,
            **values,
        )
        observed = {} if placed is None else {"placed_share": Observed(1.0, placed, 1.0)}
        seconds = tuple(value * each for each in STEADY) if is_latency else STEADY
        return make_result(case, seconds, observed=observed, failure=failure)

    return build


@pytest.fixture(scope="module")
def two_sockets(make_record, cell):
    """Two sockets, and a third node that has memory only."""
    rates = {(0, 0): 182.4, (0, 1): 96.2, (0, 2): 28.1, (1, 0): 95.8, (1, 1): 181.9, (1, 2): 24.6}
    stores = {"variant": {"stores": "streaming"}}
    return make_record(
        *(cell("copy", rate, *pair, placed=0.998, **stores) for pair, rate in rates.items()),
        *(cell("read", rate * 1.02, *pair, placed=1.0) for pair, rate in rates.items() if pair != (1, 2)),
        *(cell("latency", 19000 / rate, *pair, placed=1.0) for pair, rate in rates.items()),
        notes=("Node 2 has memory but no CPU.",),
        not_run=(NotRun("host/read/native/8/1/2", "interrupted before its first sample"),),
    )


def shown(record, format_name="table"):
    return render(measurement_document(record, Examination({}, ())), format_name)


TWO_SOCKETS = """\
Host memory of Example 8-Core Processor, 8 cores
Theory: DDR4-2933 x4: 2933.33 MT/s x 8 B x 4 = 93.87 GB/s, from --memory
  DDR4-2933 x4

Between nodes, GB/s: read, native, 8 threads
CPU node  memory 0  memory 1  memory 2
--------  --------  --------  --------
       0    186.05     98.12     28.66
       1     97.72    185.54         -

Between nodes, GB/s: copy, native, streaming stores, 8 threads
CPU node  memory 0  memory 1  memory 2
--------  --------  --------  --------
       0    182.40     96.20     28.10
       1     95.80    181.90     24.60

Between nodes, ns: latency, native, 1 thread
CPU node  memory 0  memory 1  memory 2
--------  --------  --------  --------
       0    104.17    197.51    676.16
       1    198.33    104.45    772.36

Placement verified: at least 99.8 % of the sampled pages are on the requested
  memory node.

Bytes counted per element: read 8 read, copy 8 read + 8 written; all verified.
Working set: 256 MiB with 1 and 8 threads.

Node 2 has memory but no CPU.

Not run: read, native, 8 threads, 1, 2: interrupted before its first sample.
"""


def test_the_matrices_of_two_sockets(two_sockets):
    assert shown(two_sockets) == TWO_SOCKETS


def test_eight_nodes_stand_within_80_columns_and_more_in_a_second_table(make_record, cell):
    pairs = [(cpu, memory) for cpu in range(10) for memory in range(10)]
    record = make_record(*(cell("read", 123.45 + cpu, cpu, memory) for cpu, memory in pairs))
    assert max(map(len, shown(record).splitlines())) <= 80
    tables = [block for block in measurement_document(record, Examination({}, ())).blocks if isinstance(block, Table)]
    assert [len(table.columns) for table in tables] == [1 + 8, 1 + 2]
    assert [len(table.rows) for table in tables] == [10, 10]


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ((None, None), "Placement not verified: this system does not report where pages are."),
        ((1.0, None), "Placement verified in 1 of 2 pairs: at least 100.0 % of the sampled pages are"),
        ((1.0, 0.99), "Placement verified: at least 99.0 % of the sampled pages are on the requested memory node."),
        ((1.0, 0.25), "Placement differs from the request: of one pair 25.0 % of the sampled pages are"),
    ],
)
def test_placement_is_told_of(make_record, cell, shares, words):
    record = make_record(*(cell("read", 10.0, 0, number, placed=share) for number, share in enumerate(shares)))
    assert words in " ".join(shown(record).split())


def test_a_pair_that_failed_is_withheld(make_record, cell):
    record = make_record(cell("read", 10.0, 0, 0), cell("read", 7.77, 0, 1, failure="element 7 is wrong"))
    assert "INVALID" in shown(record)
    assert "7.77" not in shown(record)


@pytest.mark.parametrize("format_name", ["markdown", "latex", "html", "csv", "json"])
def test_other_formats_have_the_numbers(two_sockets, format_name):
    assert "182.4" in shown(two_sockets, format_name) or "182400000000.0" in shown(two_sockets, format_name)
