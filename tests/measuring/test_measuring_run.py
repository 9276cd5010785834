"""The run, driven by an engine whose blocks last as long as the test says."""

from __future__ import annotations

import itertools

import pytest
from gpu_machine import cuda_entry, gpu
from gpu_machine import facts as gpu_facts
from measuring_support import ScriptedEngine, small_topology, two_socket_topology
from simulated_machine import Machine

from bandwidth.ceilings.memory import HostTheory
from bandwidth.engines.interface import TOO_LONG
from bandwidth.errors import BandwidthError
from bandwidth.machine.facts import Facts
from bandwidth.measuring.run import Measurement
from bandwidth.planning.gpu import make_gpu_plan
from bandwidth.planning.host import make_plan
from bandwidth.planning.options import MeasureOptions
from bandwidth.results import summarise


def plan_of(budget_s=15.0, **options):
    options.setdefault("kernels", ("copy",))
    options.setdefault("threads", ("2",))
    options.setdefault("size_bytes", 2**24)
    options.setdefault("engines", ("numpy",))
    return make_plan(MeasureOptions(budget_s=budget_s, **options), Facts({}), small_topology(2))


def run(plan, engine, **seams):
    seams.setdefault("shuffle", lambda turns: None)
    return Measurement(plan, {"native": engine, "numpy": engine}, clock=engine.clock, **seams).run()


def alternating(*seconds):
    """Return a function that yields these times in turn for each case by itself."""
    cycles = {}
    return lambda case, _: next(cycles.setdefault(case.id, itertools.cycle(seconds)))


def test_steady_case_stops_by_precision_with_known_rate():
    engine = ScriptedEngine(lambda case, calls: 0.1)
    (result,) = run(plan_of(), engine).results
    assert result.samples.stopped_by == "precision"
    assert result.samples.seconds == (0.1,) * 7  # six to be precise, and the last one that is checked whole
    assert summarise(result).median_bytes_per_s == pytest.approx(2**24 / 0.1)


def test_unsteady_case_stops_by_budget_within_it():
    engine = ScriptedEngine(alternating(0.1, 0.2, 0.3), check_s=0.1)
    (result,) = run(plan_of(budget_s=5.0), engine).results
    assert result.samples.stopped_by == "budget"
    assert len(result.samples.seconds) > 10
    assert 4.0 < engine.now <= 5.0


def test_short_blocks_get_more_calls_until_twenty_milliseconds():
    engine = ScriptedEngine(lambda case, calls: calls * 1e-5)
    (result,) = run(plan_of(), engine).results
    assert result.samples.calls_per_sample >= 2000
    assert all(seconds >= 0.02 for seconds in result.samples.seconds)


def test_trials_before_a_case_do_not_make_it_look_too_long_for_the_budget():
    engine = ScriptedEngine(lambda case, calls: 0.1, trials_s=lambda case: 1.0 if case.path == "read" else 0.0)
    outcome = run(plan_of(budget_s=5.0, kernels=("copy", "read")), engine)
    assert {result.case.path: len(result.samples.seconds) for result in outcome.results} == {"copy": 7, "read": 7}
    assert engine.now <= 5.0


def test_every_round_takes_one_block_of_each_case():
    engine = ScriptedEngine(lambda case, calls: 0.1)
    run(plan_of(kernels=("copy", "read")), engine)
    measured = engine.blocks()[2:]
    for first, second in zip(measured[::2], measured[1::2], strict=True):
        assert {first, second} == {"host/copy/numpy/2", "host/read/numpy/2"}


def test_rounds_are_shuffled():
    engine = ScriptedEngine(lambda case, calls: 0.1)
    run(plan_of(kernels=("copy", "read")), engine, shuffle=lambda turns: turns.reverse())
    assert engine.blocks()[2:4] == ["host/read/numpy/2", "host/copy/numpy/2"]


def test_last_block_of_each_case_is_checked_whole_before_another_runs():
    engine = ScriptedEngine(lambda case, calls: 0.1)
    run(plan_of(kernels=("copy", "read", "add")), engine)
    for case_id in ("host/copy/numpy/2", "host/read/numpy/2", "host/add/numpy/2"):
        last = max(place for place, entry in enumerate(engine.log) if entry == ("block", case_id))
        assert engine.log[last + 1 : last + 3] == [("check", case_id), ("whole check", case_id)]


def test_first_block_of_each_case_is_checked_whole():
    engine = ScriptedEngine(lambda case, calls: 0.1)
    run(plan_of(), engine)
    first_sample = engine.log.index(("whole check", "host/copy/numpy/2"))
    assert engine.log[:first_sample].count(("block", "host/copy/numpy/2")) == 2  # the warm-up and the first sample


def test_interrupted_case_was_checked_whole_and_says_that_its_last_block_was_not():
    wrong = {"host/copy/numpy/2": "the middle is wrong"}
    engine = ScriptedEngine(lambda case, calls: 0.1, wrong=wrong, wrong_only_whole=True, interrupt_at=4)
    (result,) = run(plan_of(), engine).results
    assert result.failure == "the middle is wrong"
    (result,) = run(plan_of(), ScriptedEngine(lambda case, calls: 0.1, interrupt_at=4)).results
    assert result.is_verified
    assert not result.last_block_checked
    (result,) = run(plan_of(), ScriptedEngine(lambda case, calls: 0.1)).results
    assert result.last_block_checked


def test_memory_that_is_refused_in_the_middle_ends_the_case_and_keeps_the_others():
    def seconds_of(case, calls):
        if case.path == "read":
            raise MemoryError
        return 0.1

    results = {
        result.case.path: result
        for result in run(plan_of(kernels=("copy", "read")), ScriptedEngine(seconds_of)).results
    }
    assert results["read"].failure == "the system refused memory during the measurement"
    assert results["copy"].is_verified


def test_every_block_is_spot_checked():
    engine = ScriptedEngine(lambda case, calls: 0.1)
    run(plan_of(), engine)
    for place, (what, case_id) in enumerate(engine.log):
        if what == "block":
            assert engine.log[place + 1] == ("check", case_id)


def test_failed_check_removes_the_rate_and_leaves_the_others():
    engine = ScriptedEngine(lambda case, calls: 0.1, wrong={"host/copy/numpy/2": "element 3 is wrong"})
    results = {result.case.path: result for result in run(plan_of(kernels=("copy", "read")), engine).results}
    assert results["copy"].failure == "element 3 is wrong"
    assert summarise(results["copy"]).median_bytes_per_s is None
    assert summarise(results["read"]).median_bytes_per_s is not None


def test_check_of_all_data_at_the_end_removes_the_rate_too():
    wrong = {"host/copy/numpy/2": "the last 16 bytes are wrong"}
    engine = ScriptedEngine(lambda case, calls: 0.1, wrong=wrong, wrong_only_whole=True)
    (result,) = run(plan_of(), engine).results
    assert not result.is_verified
    assert summarise(result).best_bytes_per_s is None


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("inf"), float("nan")])
def test_block_of_an_impossible_time_is_a_failure(seconds):
    (result,) = run(plan_of(), ScriptedEngine(lambda case, calls: seconds)).results
    assert "s for a block, which is impossible" in result.failure
    assert summarise(result).median_bytes_per_s is None


def test_what_the_budget_does_not_reach_is_listed_by_priority():
    engine = ScriptedEngine(lambda case, calls: 0.5)
    outcome = run(plan_of(budget_s=11.0, kernels=None), engine)
    assert [result.case.path for result in outcome.results] == ["copy", "read"]
    assert [skipped.id for skipped in outcome.not_run] == [f"host/{path}/numpy/2" for path in ("write", "scale", "add")]
    assert all("the budget of 11 s was used up" in skipped.reason for skipped in outcome.not_run)
    assert all(len(result.samples.seconds) >= 6 for result in outcome.results)
    assert engine.now <= 1.2 * 11.0


def test_run_may_pass_its_budget_by_a_fifth_to_give_every_case_its_six_samples_but_takes_no_more():
    engine = ScriptedEngine(alternating(0.5, 0.7), check_s=0.75)
    outcome = run(plan_of(budget_s=11.0, kernels=("copy", "read")), engine)
    assert [len(result.samples.seconds) for result in outcome.results] == [6, 6]
    assert 11.0 < engine.now <= 1.2 * 11.0


@pytest.mark.parametrize(("check_s", "counts"), [(0.0, [6] * 5), (0.1, [6, 6, 6, 6, 1]), (0.3, [6, 6, 6, 1, 1])])
def test_where_blocks_turn_out_slower_the_least_important_cases_lack_samples_and_not_all(check_s, counts):
    """Without, all five would have three to five: too few for an interval."""
    warm_up = 5
    engine = ScriptedEngine(lambda case, calls: 0.1 if len(engine.blocks()) <= warm_up else 0.2, check_s=check_s)
    outcome = run(plan_of(budget_s=6.0, kernels=None), engine)
    assert [len(result.samples.seconds) for result in outcome.results] == counts
    assert {result.samples.stopped_by for result in outcome.results} == {"budget"}
    assert engine.now <= 1.2 * 6.0


def test_a_case_that_was_set_back_goes_on_where_time_is_left_after_all():
    slow = iter([*[0.1] * 5, *[0.4] * 5])  # a disturbance of one round
    engine = ScriptedEngine(lambda case, calls: next(slow, 0.1))
    outcome = run(plan_of(budget_s=5.0, kernels=None), engine)
    assert len(set(engine.blocks()[10:15])) < 5  # not all have a block in the round after it
    assert [len(result.samples.seconds) >= 6 for result in outcome.results] == [True] * 5
    assert engine.now <= 1.2 * 5.0


def test_case_that_waits_is_taken_when_the_others_turn_out_cheaper():
    costs = iter([3.0, 3.0])  # both first blocks are slow: a cold clock, a first touch of the page tables
    engine = ScriptedEngine(lambda case, calls: next(costs, 0.1))
    outcome = run(plan_of(budget_s=15.0, kernels=("copy", "read")), engine)
    assert [result.case.path for result in outcome.results] == ["copy", "read"]
    assert outcome.not_run == ()


def test_first_case_is_measured_however_short_the_budget():
    engine = ScriptedEngine(lambda case, calls: 3.0, fill_s=2.0)
    outcome = run(plan_of(budget_s=1.0, kernels=None), engine)
    assert [result.case.path for result in outcome.results] == ["copy"]
    assert outcome.results[0].samples.seconds == (3.0,)
    assert len(outcome.not_run) == 4


def test_nothing_starts_after_the_hard_stop():
    slow_after = ScriptedEngine(lambda case, calls: 0.1 if slow_after.now < 2 else 4.0, check_s=0.1)
    outcome = run(plan_of(budget_s=6.0, kernels=("copy", "read", "add")), slow_after)
    assert slow_after.now <= 6.0 * 4 / 3 + 4.0 + 0.1
    assert "budget" in {result.samples.stopped_by for result in outcome.results}


def test_slow_filling_is_part_of_the_budget():
    engine = ScriptedEngine(alternating(0.1, 0.2), fill_s=8.0)
    run(plan_of(budget_s=10.0), engine)
    assert engine.now <= 10.0


def test_interrupt_keeps_what_was_measured():
    engine = ScriptedEngine(lambda case, calls: 0.1, interrupt_at=8)
    outcome = run(plan_of(kernels=("copy", "read")), engine)
    assert outcome.interrupted
    assert {result.case.path: len(result.samples.seconds) for result in outcome.results} == {"copy": 3, "read": 2}
    assert {result.samples.stopped_by for result in outcome.results} == {"interrupted"}


@pytest.mark.parametrize(("check", "samples"), [(1, []), (2, [6])])
def test_interrupt_in_the_check_of_a_sample_leaves_it_out(check, samples):
    """The first check stands behind all samples; what was not checked is not said to be verified."""
    engine = ScriptedEngine(lambda case, calls: 0.1)
    verify, checks = engine.verify, itertools.count(1)

    def interrupted(case, *, whole):
        if whole and next(checks) == check:
            raise KeyboardInterrupt
        return verify(case, whole=whole)

    engine.verify = interrupted
    outcome = run(plan_of(), engine)
    assert outcome.interrupted
    assert [len(result.samples.seconds) for result in outcome.results] == samples
    assert [result.is_verified for result in outcome.results] == [True] * len(samples)
    assert [skipped.reason for skipped in outcome.not_run] == ["interrupted before its first sample"] * (not samples)


def test_interrupt_before_the_first_sample_names_the_case():
    engine = ScriptedEngine(lambda case, calls: 0.1, interrupt_at=1)
    outcome = run(plan_of(), engine)
    assert outcome.results == ()
    assert [(skipped.id, skipped.reason) for skipped in outcome.not_run] == [
        ("host/copy/numpy/2", "interrupted before its first sample")
    ]


def test_results_are_saved_after_every_round():
    saved = []
    engine = ScriptedEngine(lambda case, calls: 0.1)
    run(plan_of(), engine, save=saved.append)
    assert [len(outcome.results[0].samples.seconds) for outcome in saved] == [1, 2, 3, 4, 5, 6, 7]
    assert saved[0].results[0].samples.stopped_by == "unfinished"
    assert saved[-1].results[0].samples.stopped_by == "precision"


def test_progress_tells_what_is_done():
    told = []
    run(plan_of(), ScriptedEngine(lambda case, calls: 0.1), progress=told.append)
    assert told[0].doing == "filling memory"
    assert told[0].is_filling
    last = told[-1]
    assert (last.case.id, last.number, last.cases) == ("host/copy/numpy/2", 1, 1)
    assert last.bytes_per_s > 0
    assert all(progress.budget_s == 15.0 for progress in told)


# --- what the machine does not let happen


def test_case_that_cannot_be_prepared_is_not_run_and_the_others_go_on():
    why = "the system refuses to allocate memory on node 1 (mbind failed)"
    engine = ScriptedEngine(lambda case, calls: 0.1, refused={"host/copy/numpy/2": why})
    outcome = run(plan_of(kernels=("copy", "read")), engine)
    assert [result.case.path for result in outcome.results] == ["read"]
    assert [(skipped.id, skipped.reason) for skipped in outcome.not_run] == [("host/copy/numpy/2", why)]
    assert "host/copy/numpy/2" not in engine.blocks()


def test_memory_that_no_time_was_left_to_fill_is_what_the_budget_did_not_reach():
    engine = ScriptedEngine(lambda case, calls: 0.1, refused={"host/copy/numpy/2": TOO_LONG})
    (skipped,) = run(plan_of(budget_s=2.0, kernels=("copy", "read")), engine).not_run
    assert skipped.reason == "the budget of 2 s was used up; use a longer --budget"


def taken_away(path, after=0):
    """Return times of 0.1 s, and the error of an engine whose threads did not meet after some blocks of a kernel."""
    blocks = itertools.count(1)

    def seconds_of(case, calls):
        if case.path == path and next(blocks) > after:
            raise BandwidthError("the threads did not reach the barrier", "CPUs were taken away")
        return 0.1

    return seconds_of


def test_cpus_that_go_away_end_the_case_before_its_first_sample_and_leave_the_others():
    outcome = run(plan_of(kernels=("copy", "read")), ScriptedEngine(taken_away("copy")))
    (result,) = outcome.results
    assert (result.case.path, len(result.samples.seconds)) == ("read", 7)
    (skipped,) = outcome.not_run
    assert skipped.id == "host/copy/numpy/2"
    assert skipped.reason == "the threads did not reach the barrier; CPUs were taken away"


def test_cpus_that_go_away_in_the_middle_leave_the_samples_that_were_taken():
    outcome = run(plan_of(kernels=("copy", "read")), ScriptedEngine(taken_away("copy", after=4)))
    copy, read = outcome.results
    assert (copy.samples.seconds, copy.samples.stopped_by) == ((0.1,) * 3, "failure")
    assert copy.is_verified
    assert not copy.last_block_checked
    assert len(read.samples.seconds) == 7
    assert outcome.not_run == ()


def test_cpus_that_go_away_for_all_leave_nothing_but_reasons():
    def seconds_of(case, calls):
        raise BandwidthError("the threads did not reach the barrier", "")

    outcome = run(plan_of(kernels=("copy", "read")), ScriptedEngine(seconds_of))
    assert outcome.results == ()
    assert [skipped.id for skipped in outcome.not_run] == ["host/copy/numpy/2", "host/read/numpy/2"]
    assert not outcome.interrupted


def test_what_was_observed_is_kept_as_median_and_ends():
    clocks = itertools.cycle([3.0e9, 3.2e9, 2.9e9])
    engine = ScriptedEngine(lambda case, calls: 0.1, observed=lambda case: {"clock_hz": next(clocks)})
    (result,) = run(plan_of(), engine).results
    clock = result.observed["clock_hz"]
    assert (clock.least, clock.median, clock.most) == (2.9e9, 3.0e9, 3.2e9)


def test_engines_of_one_family_are_prepared_once_with_the_cases_of_both():
    engine = ScriptedEngine(lambda case, calls: 0.1)
    run(plan_of(engines=None, kernels=("read",)), engine)
    assert engine.log[:2] == [("prepare", "host/read/native/2"), ("prepare", "host/read/numpy/2")]
    assert [what for what, _ in engine.log].count("prepare") == 2


def test_engines_that_are_not_one_object_are_prepared_each_with_its_own():
    plan = plan_of(engines=None, kernels=("read",))
    native, numpy = (ScriptedEngine(lambda case, calls: 0.1) for _ in range(2))
    Measurement(plan, {"native": native, "numpy": numpy}, clock=lambda: native.now + numpy.now).run()
    assert [entry for entry in native.log if entry[0] == "prepare"] == [("prepare", "host/read/native/2")]
    assert [entry for entry in numpy.log if entry[0] == "prepare"] == [("prepare", "host/read/numpy/2")]


def test_interrupt_in_a_study_keeps_its_points():
    engine = ScriptedEngine(lambda case, calls: 0.1, interrupt_at=40)
    plan = plan_of(engines=None, kernels=None, sweep="size", sweep_range=(2**12, 2**16), size_bytes=None)
    outcome = run(plan, engine)
    assert outcome.interrupted
    assert {result.case.variant["sweep_point"] for result in outcome.results} <= set(range(2**17))
    assert len(outcome.results) + len(outcome.not_run) == len(plan.cases)
    assert all(result.samples.seconds for result in outcome.results)


# --- what a case is guessed to cost


def test_latencies_do_not_make_passes_look_dear_nor_the_other_way_round():
    """On one thread a load of 8 bytes takes 100 ns: as if a gigabyte took 13 s."""
    machine = Machine(topology=two_socket_topology(8, 4, 2))
    plan = machine.plan(numa=True, latency=True, threads=("1",), budget_s=20.0)
    assert {planned.case.is_latency for planned in plan.cases} == {True, False}
    outcome = machine.run(plan)
    assert outcome.not_run == ()
    assert len(outcome.results) == len(plan.cases)


def test_one_gpu_tells_what_another_costs_and_its_passes_and_loads_are_told_apart():
    cards = (gpu(0), gpu(1))
    options = MeasureOptions(target="device", devices=("all",), sweep="size", latency=True, engines=("cuda",))
    plan = make_gpu_plan(options, gpu_facts(*cards), cuda_entry(), cards, HostTheory(None, 1, ""))

    def seconds_of(case, calls):
        return calls * (64 * 600e-9 if case.is_latency else case.bytes_per_call / 3e12 + 5e-6)

    engine = ScriptedEngine(seconds_of)
    outcome = Measurement(plan, {"cuda": engine}, clock=engine.clock, shuffle=lambda turns: None).run()
    assert outcome.not_run == ()
    assert engine.now < plan.budget_s / 4
