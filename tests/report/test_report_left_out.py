"""What was not measured: the budget that is said to measure all does, and each reason names its cases."""

from __future__ import annotations

import re

import pytest
from simulated_hosts import layout
from simulated_machine import Machine

from bandwidth.report.left_out import left_out, not_run
from bandwidth.results import NotRun

OF_15_S = "the budget of 15 s was used up; use a longer --budget"
OLDER_OF_60_S = "the budget of 60 s did not reach it; give a longer --budget"


def skipped(*ids, reason=OF_15_S):
    return tuple(NotRun(case_id, reason) for case_id in ids)


@pytest.mark.parametrize("options", [{"sweep": "size"}, {"latency": True}, {"sweep": "threads"}, {}], ids=str)
def test_the_budget_that_is_named_measures_all(options):
    machine = Machine(topology=layout())
    short = machine.record(budget_s=1.0, **options)
    (line,) = left_out(short)
    count, named = re.fullmatch(
        r"(\d+) of \d+ cases not measured \(1 s used\)\. --budget (\d+)s measures all\.", line
    ).groups()
    assert int(count) == len(short.not_run)
    assert machine.record(budget_s=float(named), **options).not_run == ()


@pytest.mark.parametrize("reason", [OF_15_S.replace("15 s", "60 s"), OLDER_OF_60_S])
def test_without_a_budget_that_was_given_it_is_that_of_the_plan(make_record, make_result, reason):
    of_60_s = skipped("host/read/native/1/4096", reason=reason)
    record = make_record(make_result(), not_run=of_60_s)
    assert left_out(record) == ["1 of 2 cases not measured (60 s used). --budget 120s measures all."]


def test_host_and_gpu_share_a_budget_so_that_one_which_lacks_half_takes_twice_as_much_for_both(
    make_record, make_result, make_case
):
    on_gpu = [make_result(make_case(target="device:0", path=path)) for path in ("read", "write", "copy")]
    half = skipped("host/read/numpy/1")
    record = make_record(make_result(), *on_gpu, not_run=half)
    assert left_out(record) == ["1 of 5 cases not measured (30 s used). --budget 60s measures all."]
    given = make_record(make_result(), *on_gpu, not_run=half, options={"budget_s": 40.0})
    assert left_out(given) == ["1 of 5 cases not measured (40 s used). --budget 80s measures all."]


def test_where_nothing_was_measured_or_the_text_is_none_of_ours_no_budget_is_named(make_record, make_result):
    nothing = make_record(not_run=skipped("host/read/numpy/1"))
    assert left_out(nothing) == ["1 of 1 cases not measured (15 s used): use a longer --budget."]
    foreign = make_record(make_result(), not_run=skipped("host/read/numpy/1", reason="the budget of ages did not"))
    assert left_out(foreign) == ["1 of 2 cases not measured: use a longer --budget."]


def test_other_reasons_are_told_with_their_cases(make_record, make_result):
    refused = skipped("host/read/numpy/1", reason="node 7 has no memory")
    record = make_record(make_result(), not_run=(*skipped("host/write/numpy/1", "host/add/numpy/1"), *refused))
    assert left_out(record) == [
        "2 of 4 cases not measured (15 s used). --budget 45s measures all.",
        "1 of 4 cases not measured: node 7 has no memory.",
    ]
    assert not_run(record).splitlines() == [
        "2 of 4 cases not measured (15 s used). --budget 45s measures all.",
        "Not run: write, numpy, 1 thread; add, numpy, 1 thread.",
        "Not run: read, numpy, 1 thread: node 7 has no memory.",
    ]
