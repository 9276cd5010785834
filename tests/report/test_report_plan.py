"""The plan as a table: as narrow as it can be, and every reason in full."""

from __future__ import annotations

import pytest
from measuring_support import small_topology, two_socket_topology

from bandwidth.machine.facts import Facts
from bandwidth.planning.host import make_plan
from bandwidth.planning.options import MeasureOptions
from bandwidth.report import render
from bandwidth.report.plan import plan_document


def text_of(topology, **options):
    return render(plan_document([make_plan(MeasureOptions(**options), Facts({}), topology)]), "table")


def test_one_reason_stands_below_and_an_unknown_theory_has_no_column():
    lines = text_of(small_topology(1), kernels=("copy",), engines=("numpy",), size_bytes=2**22).splitlines()
    assert lines[:6] == [
        "case               working set",
        "-----------------  -----------",
        "host/copy/numpy/1        4 MiB",
        "",
        "Why this size: --size.",
        "",
    ]


def test_several_reasons_are_numbered():
    text = text_of(two_socket_topology(), kernels=("read",), engines=("native",), memory="DDR5-4800 x12")
    assert text.splitlines()[:12] == [
        "case                             working set  why  theory GB/s",
        "-------------------------------  -----------  ---  -----------",
        "host/read/native/128                   2 GiB    1       921.60",
        "host/read/native/128/1073741824        1 GiB    2            -",
        "host/read/native/1                   256 MiB    3       460.80",
        "host/read/native/1/134217728         128 MiB    2            -",
        "",
        "Why this size:",
        "1: 4 x 512 MiB of last-level cache in 16 caches.",
        "2: half of it, to show that the whole is in memory.",
        "3: the least for memory; last-level cache 32 MiB.",
        "",
    ]


@pytest.mark.parametrize(
    "options",
    [{}, {"sweep": "size"}, {"sweep": "threads"}, {"latency": True}, {"numa": True}, {"zeros": True}],
    ids=str,
)
def test_it_fits_eighty_columns_on_many_cores(options):
    text = text_of(two_socket_topology(memory_only_nodes=1), memory="DDR5-4800 x12", **options)
    assert max(map(len, text.splitlines())) <= 80


def test_nothing_to_measure_is_said_with_the_reason_and_no_table():
    text = text_of(small_topology(2), numa=True)
    assert text == "Nothing would be measured.\n\nThis machine has one NUMA node: no memory is remote.\n"
