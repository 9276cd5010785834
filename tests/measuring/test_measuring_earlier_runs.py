"""What runs leave for the next ones: kept where a run is sound, taken into the record, and what the interval gains."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path

import pytest
from measuring_support import ScriptedEngine, small_topology

from bandwidth.cache_files import MOST_BYTES, cache_folder
from bandwidth.machine.facts import Fact, Facts
from bandwidth.machine.reader import SystemReader
from bandwidth.measuring.earlier_runs import MOST_CASES, MOST_RUNS, EarlierRuns
from bandwidth.measuring.lock import FOLDER_VARIABLE
from bandwidth.measuring.measure import measure_prepared
from bandwidth.planning.cases import Stage, Surroundings
from bandwidth.planning.host import HostPlanner, make_plan
from bandwidth.planning.options import MeasureOptions
from bandwidth.planning.preparation import Preparation
from bandwidth.results import Observed, summarise
from bandwidth.statistics import median

MACHINE = {"hostname": "one", "cpu_model": "Example 8-Core Processor", "kernel": "6.1.0"}
BUSY = {"others_cpu_share": Observed(0.5, 0.4, 0.6)}


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def earlier(**changed):
    return EarlierRuns.of({**MACHINE, **changed})


def file():
    (path,) = cache_folder().iterdir()
    return path


def known(record, **machine):
    """Return what the next run of a record's first result has of earlier ones."""
    return earlier(**machine).into(record).results[0].earlier_s_per_call


@pytest.fixture
def keep(make_record, make_result):
    """Keep a run of one case whose blocks took so long, and return what the next one has of it."""

    def kept(*seconds, case=None, record=None, **fields):
        record = make_record(make_result(case, seconds, **fields), **record or {})
        earlier().keep(record)
        return known(record)

    return kept


def test_a_run_leaves_its_medians_per_call_for_the_next(keep, make_record, make_result):
    assert known(make_record(make_result())) == ()
    assert keep(*[0.02] * 8, calls_per_sample=4) == (0.005,)
    assert keep(*[0.024] * 8, calls_per_sample=4) == (0.005, 0.006)


def test_what_may_not_be_compared_is_no_earlier_run(keep):
    assert keep(*[0.02] * 5) == ()
    assert keep(*[0.02] * 5, 0.03) == ()  # an interval of a third of it
    assert keep(*[0.02] * 8, observed=BUSY) == ()
    assert keep(*[0.02] * 8, failure="element 7 is wrong") == ()
    assert keep(*[0.02] * 8) == (0.02,)


def test_another_size_other_cpus_and_another_case_have_runs_of_their_own(keep, make_case):
    assert keep(*[0.02] * 8) == (0.02,)
    case = make_case()
    for other in (
        make_case(path="read"),
        dataclasses.replace(case, working_set_bytes=case.working_set_bytes * 2),
        dataclasses.replace(case, cpus=(1, 3)),
    ):
        assert keep(*[0.03] * 8, case=other) == (0.03,)


@pytest.mark.parametrize("changed", [{"hostname": "two"}, {"cpu_model": "another"}, {"kernel": "6.12.0"}])
def test_another_machine_has_none(changed, keep, make_record, make_result):
    keep(*[0.02] * 8)
    assert known(make_record(make_result()), **changed) == ()


def test_a_module_that_is_lost_begins_no_new_history(keep, make_record, make_result):
    keep(*[0.02] * 8)
    assert known(make_record(make_result()), memory_total_bytes=2**33, memory_channels=1) == (0.02,)


def test_another_set_up_or_another_gpu_has_runs_of_its_own(keep, make_case):
    case = make_case(target="device:0", path="read", engine="cuda")
    for machine in (
        {},
        {"transparent_huge_pages": "never"},
        {"gpus": [{"device": 0, "name": "Example GPU", "address": "0000:01:00.0"}]},
        {"gpus": [{"device": 0, "name": "Example GPU", "address": "0000:02:00.0"}]},
        {"gpus": [{"device": 0, "name": "Example GPU", "address": "0000:02:00.0", "driver_version": "600.1"}]},
    ):
        assert keep(*[0.02] * 8, case=case, record={"machine": machine}) == (0.02,)
    assert keep(*[0.03] * 8, case=case, record={"before": {"governors": ["powersave"]}, "after": {}}) == (0.03,)
    assert keep(*[0.03] * 8, case=case, pinned=False) == (0.03,)
    assert keep(*[0.03] * 8, case=case, record={"machine": {}}) == (0.02, 0.03)


def test_another_version_has_a_file_of_its_own(keep, monkeypatch):
    keep(*[0.02] * 8)
    with monkeypatch.context() as patch:
        patch.setattr("bandwidth.measuring.earlier_runs.__version__", "99.0")
        assert keep(*[0.03] * 8) == (0.03,)
    assert keep(*[0.02] * 8) == (0.02, 0.02)


def test_the_newest_runs_and_cases_stay(keep, make_record, make_result, make_case):
    for number in range(MOST_RUNS + 3):
        found = keep(*[0.02 + number * 1e-4] * 8)
    assert len(found) == MOST_RUNS
    assert found[-1] == pytest.approx(0.02 + (MOST_RUNS + 2) * 1e-4)
    cases = [make_case(variant={"sweep_point": number}) for number in range(1, MOST_CASES + 1)]
    record = make_record(*(make_result(case, (0.0123456789,) * 8) for case in cases))
    for _ in range(MOST_RUNS):
        earlier().keep(record)
    runs = json.loads(file().read_text())["runs"]
    assert {len(times) for times in runs.values()} == {MOST_RUNS}
    assert len(runs) == MOST_CASES
    assert known(make_record(make_result())) == ()  # the oldest case is gone
    assert known(record) == (0.0123457,) * MOST_RUNS
    assert file().stat().st_size < MOST_BYTES / 2


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"runs": 3}'])
def test_a_broken_file_is_begun_anew(text, keep, make_record, make_result):
    keep(*[0.02] * 8)
    file().write_text(text)
    found = earlier()
    assert found.into(make_record(make_result())).results[0].earlier_s_per_call == ()
    assert ("cannot be read" in found.note) == (text in ("", "{"))
    assert keep(*[0.03] * 8) == (0.03,)


@pytest.mark.parametrize("entry", [None, "fast", [True], [-1.0, 0.0, 1e300], [[0.02]], {"a": 1}])
def test_what_no_run_wrote_is_passed_over(entry, keep):
    keep(*[0.02] * 8)
    saved = json.loads(file().read_text())
    saved["runs"] = dict.fromkeys(saved["runs"], entry)
    file().write_text(json.dumps(saved))
    assert keep(*[0.03] * 8) == (0.03,)


def test_where_nothing_can_be_written_one_line_says_so(tmp_path, make_record, make_result):
    (tmp_path / "cache").write_text("a file")
    found = earlier()
    found.keep(make_record(make_result()))
    assert found.note == "This run cannot be written to the cache folder: later runs will not know of it."


def test_without_a_home_there_are_none(monkeypatch):
    monkeypatch.setattr("bandwidth.measuring.earlier_runs.cache_folder", lambda: None)
    assert earlier() is None


# --- whole runs


def run(engine, **seams):
    """Measure through the real planner, as `bandwidth measure` does, and return the record."""
    topology = small_topology(2)
    asked = MeasureOptions(size_bytes=2**22, budget_s=1.0, kernels=("copy",), engines=("native",), threads=("1",))
    here = Surroundings(SystemReader(), Facts({"hostname": Fact("one", "a test", "read")}), topology)
    prepared = Preparation(asked, here, (Stage(HostPlanner(asked, here), make_plan(asked, here.facts, topology)),))
    return measure_prepared(prepared, ("a", "test"), make_engine=lambda name, topology: engine, **seams)[0]


def engine_of(draw, level):
    """Return an engine whose blocks scatter by 1 % around a level that is the run's own."""
    return ScriptedEngine(lambda case, calls: calls * 1e-3 * level * (1 + draw.gauss(0, 0.01)))


def test_from_the_fourth_run_on_intervals_hold_the_median_of_twenty_runs_that_differ():
    draw = random.Random(7)
    records = [run(engine_of(draw, 1 + draw.gauss(0, 0.03)), earlier=earlier()) for _ in range(3 + 20)]
    summaries = [summarise(record.results[0]) for record in records]
    assert [summary.earlier_runs for summary in summaries] == list(range(23))
    assert [summary.reported_is_of_runs for summary in summaries] == [False] * 3 + [True] * 20
    middle = median([summary.median_bytes_per_s for summary in summaries[3:]])
    of_runs = sum(summary.ci95.low <= middle <= summary.ci95.high for summary in summaries[3:])
    reported = sum(summary.reported.low <= middle <= summary.reported.high for summary in summaries[3:])
    assert of_runs < 10
    assert reported >= 18


def test_an_interrupted_run_is_no_earlier_run():
    engine = engine_of(random.Random(1), 1.0)
    engine.interrupt_at = 20
    assert run(engine, earlier=earlier()).results
    assert not Path(cache_folder()).exists()


def test_without_earlier_runs_none_are_left():
    """As of `check`: its verdict is of two runs, and its failures are no history."""
    run(engine_of(random.Random(1), 1.0))
    assert not Path(cache_folder()).exists()


def test_an_interrupt_while_the_run_is_kept_loses_nothing(monkeypatch):
    found = earlier()
    monkeypatch.setattr(found, "keep", lambda record: (_ for _ in ()).throw(KeyboardInterrupt))
    assert run(engine_of(random.Random(1), 1.0), earlier=found).results


def test_a_note_on_the_file_stands_in_the_record(tmp_path):
    (tmp_path / "cache").write_text("a file")
    record = run(engine_of(random.Random(1), 1.0), earlier=earlier())
    assert record.notes[-1].startswith("This run cannot be written to the cache folder")
