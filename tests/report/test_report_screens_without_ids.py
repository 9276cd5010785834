"""No screen names a case by its id: `copy, all cores`, not host/copy/native/2/streaming. Files keep the ids."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from gpu_machine import two_h200s

from bandwidth.cli.progress import progress_line
from bandwidth.comparison.baseline import check, merged
from bandwidth.comparison.normal import check_normal
from bandwidth.comparison.sides import Side, side_by_side
from bandwidth.findings import examine
from bandwidth.fleet import judge
from bandwidth.fleet.machines import machine_of
from bandwidth.measuring.run import Progress
from bandwidth.offload.answer import answer
from bandwidth.offload.figures import Asked, Source
from bandwidth.offload.model import Workload
from bandwidth.offload.sources import find_figures
from bandwidth.report import FORMATS, render
from bandwidth.report.check import check_document, check_line, normal_document
from bandwidth.report.comparison.side_by_side import comparison_document
from bandwidth.report.fleet.text import fleet_document
from bandwidth.report.measurement import measurement_document
from bandwidth.report.offload import offload_document
from bandwidth.report.screen.default import screen_document
from bandwidth.results import NotRun

ID = re.compile(r"\b(?:host|device:[0-9,]+|pcie:[0-9,]+)/[a-z]|\b(?:device|pcie):[0-9]")
MACHINE = {"physical_cores": 8, "cpus_allowed": "0-7", "hostname": "node1", "cpu_model": "Example"}


@pytest.fixture(scope="module")
def record(make_record, make_case, make_result, result):
    """A host and two GPUs: rates of one core and of all, wrong data, a sweep, what was not run."""
    cards = two_h200s(make_record, make_case, make_result)
    streaming = {"stores": "streaming"}
    results = [
        result("copy", 8, 40.0, engine="native", variant=streaming),
        result("copy", 1, 12.0, engine="native", variant=streaming),
        result("read", 8, 60.0, (1.0, 1.5, 1.1, 2.0, 1.2, 0.9), engine="native"),
        result("triad", 8, 30.0, failure="element 7 is wrong"),
    ]
    not_run = (NotRun("host/add/native/8/streaming", "the budget was spent"), NotRun("pcie:1/d2h/cuda/1/pinned", "no"))
    return replace(cards, results=(*results, *cards.results), machine={**cards.machine, **MACHINE}, not_run=not_run)


@pytest.fixture(scope="module")
def slower(record):
    """The same machine, all at half the speed, and one result missing."""
    halved = tuple(
        replace(one, samples=replace(one.samples, seconds=tuple(2 * s for s in one.samples.seconds)))
        for one in record.results[1:]
    )
    return merged(replace(record, results=halved), record, {record.results[1].case.id})


def documents(record, slower):
    sides = side_by_side([Side("one", "", record), Side("two", "", slower)])
    machines = [
        machine_of(replace(one, machine={**one.machine, "hostname": f"n{at}"}), f"{at}.json")
        for at, one in enumerate([record, record, record, slower])
    ]
    failed = check(slower, record, 0.95)
    yield "check", check_document(failed, "today.json", "sound.json")
    yield "check by itself", normal_document(check_normal(record), "run.json")
    yield "compare", comparison_document(sides)
    yield "compare --all", comparison_document(sides, with_all=True)
    yield "fleet", fleet_document(judge(machines))
    yield "measure", screen_document(record, examine(record))
    yield "measure --all", measurement_document(slower, examine(slower))
    figures = find_figures(Asked(sources=(Source("run.json", record),)))
    yield "offload", offload_document(answer(figures, Workload(), [10**9], [1]))


@pytest.mark.parametrize("format_name", [name for name in FORMATS if name not in ("json", "csv")])
def test_no_text_has_an_id(record, slower, format_name):
    for name, document in documents(record, slower):
        text = render(document, format_name)
        assert not ID.search(text), (name, ID.search(text), text)


def test_the_line_of_a_check_says_what_is_slow_and_missing(record, slower):
    line = check_line(check(slower, record, 0.95), "today.json", "sound.json")
    assert not ID.search(line)
    assert "copy, all cores, streaming stores missing" in line
    assert "read, device 0 at 50.0 %" in line


def test_json_keeps_the_ids(record, slower):
    found = dict(documents(record, slower))
    ids = {one["id"] for one in json.loads(render(found["check"], "json"))["results"]}
    assert {"device:0/triad/cuda/1", "host/copy/native/8/streaming"} <= ids


def test_the_line_of_progress_has_none(record):
    case = record.results[0].case
    line = progress_line(Progress(1.0, 2.0, "", case, 1, 2), 80)
    assert "copy, native, 8 threads, streaming" in line
    assert not ID.search(line)
