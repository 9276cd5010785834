"""The noise gate: what is comparable, two rates, and that noise is not explained by how memory works."""

from __future__ import annotations

import dataclasses
import random

import pytest

from bandwidth.analysis.comparable import only_comparable, why_not_comparable
from bandwidth.findings import examine
from bandwidth.results import Observed

CPUS = {"logical_cpus": 4, "physical_cores": 4, "cpus_allowed": "0-3"}
QUIET = {"others_cpu_share": 0.02, "steal_share": 0.0, "cpu_wait_share": 0.01, "cpu_pressure_share": 0.5}
WIDE = (10.0, 10.0, 10.0, 10.0, 10.0, 14.0)
PHYSICS = {f"BW0{number}" for number in (*range(15, 26), 28, 34)}


def seen(**shares):
    return {name: Observed(share, share, share) for name, share in shares.items()}


@pytest.fixture
def reason(make_record):
    def look(result, **record):
        return why_not_comparable(make_record(result, **record), result)

    return look


# --- what is comparable


@pytest.mark.parametrize(("samples", "expected"), [(6, ""), (5, "5 of the 6 blocks that an interval needs")])
def test_six_blocks_are_comparable(rated, reason, samples, expected):
    assert reason(rated(10.0, samples=samples)) == expected


@pytest.mark.parametrize(("last", "words"), [(10.5, ""), (10.51, "its 95 % interval extends 5.1 % from the median")])
def test_an_interval_of_five_percent_is_comparable(rated, reason, last, words):
    assert reason(rated(10.0, 10.0, 10.0, 10.0, 10.0, last)).startswith(words) == bool(words) or not words


def test_a_latencys_interval_counts_too(latency, reason):
    result = latency(90.0)
    assert reason(result) == ""
    wide = dataclasses.replace(result.samples, seconds=(*result.samples.seconds[:5], result.samples.seconds[0] * 1.2))
    assert "extends 20.0 %" in reason(dataclasses.replace(result, samples=wide))


@pytest.mark.parametrize(
    ("name", "share", "words"),
    [
        ("others_cpu_share", 0.1, ""),
        ("others_cpu_share", 0.101, "the machine was busy: other processes took 10.1 % of the CPU time"),
        ("steal_share", 0.05, ""),
        ("steal_share", 0.06, "the machine was busy: the hypervisor took 6.0 % of the busy CPU time"),
        ("cpu_wait_share", 0.05, ""),
        (
            "cpu_wait_share",
            0.94,
            "the machine was busy: threads of the measurement waited for a CPU 94.0 % of their time",
        ),
    ],
)
def test_a_machine_is_busy_by_what_was_seen_while_blocks_ran(steady, reason, name, share, words):
    assert reason(steady(10.0, observed=seen(**(QUIET | {name: share})))) == words


def test_pressure_counts_only_where_the_threads_own_waits_are_not_known(steady, reason):
    pressure = seen(others_cpu_share=0.0, cpu_pressure_share=0.11)
    assert reason(steady(10.0, observed=pressure)) == "the machine was busy: tasks waited for a CPU 11.0 % of the time"
    assert reason(steady(10.0, observed=pressure | seen(cpu_wait_share=0.0))) == ""


def test_blocks_that_were_watched_count_before_the_run_as_a_whole(steady, reason):
    run = {"before": {"total_ticks": 0, "cpu_stall_us": 0}, "after": {"total_ticks": 4000, "cpu_stall_us": 9_400_000}}
    assert reason(steady(10.0), machine=CPUS, **run) == "the machine was busy: tasks waited for a CPU 94.0 % of the run"
    assert reason(steady(10.0, observed=seen(**QUIET)), machine=CPUS, **run) == ""


def test_a_quota_that_stops_the_process_is_no_quiet_machine(steady, reason):
    run = {"before": {"total_ticks": 0, "throttled_us": 0}, "after": {"total_ticks": 4000, "throttled_us": 600_000}}
    words = "the machine was busy: a quota stopped this process 6.0 % of the run"
    assert reason(steady(10.0, observed=seen(**QUIET)), machine=CPUS, **run) == words


def test_a_gpus_own_memory_does_not_depend_on_the_cpus(steady, reason):
    busy = seen(others_cpu_share=0.9)
    assert reason(steady(10.0, target="device:0", engine="cuda", observed=busy)) == ""
    assert "busy" in reason(steady(10.0, target="pcie:0", engine="cuda", path="h2d", observed=busy))


def test_what_has_no_figure_is_not_comparable(make_record, make_result):
    record = make_record(make_result(failure="wrong"), make_result())
    assert only_comparable(record).results == record.results[1:]


# --- noise is not explained by physics


def physics_of(steady, observed):
    """Rows that raise what rules of threads, stores and what is normal have to say."""
    common = {"engine": "native", "theory": 90e9, "observed": observed}
    return [
        steady(10.0, threads=1, variant={"stores": "streaming"}, **common),
        steady(40.0, threads=2, variant={"stores": "streaming"}, **common),
        steady(20.0, threads=2, variant={"stores": "ordinary"}, **common),
        steady(20.0, threads=8, variant={"stores": "streaming"}, **common),
        steady(9.0, threads=2, observed=observed),
    ]


def test_a_quiet_machine_is_explained(steady, found):
    codes = set(found(*physics_of(steady, seen(**QUIET))))
    assert {"BW015", "BW017", "BW021", "BW023", "BW034"} <= codes
    assert not codes & {"BW004", "BW046"}


def test_a_busy_machine_is_explained_as_busy_and_by_no_physics(steady, found):
    rows = physics_of(steady, seen(**(QUIET | {"cpu_wait_share": 0.94})))
    assert set(found(*rows)) & PHYSICS == set()
    ((_, text),) = found(*rows, code="BW004")
    words = "threads of the measurement waited for a CPU 94.0 % of their time, more than 5.0 %"
    assert text == f"during 5 of 5 results {words}"
    ((_, text),) = found(*rows, code="BW046")
    assert text == (
        "no conclusions about threads, stores, nodes and the normal range, because no two results are comparable: "
        "5 of 5 results: the machine was busy (BW004)"
    )


def test_a_record_of_before_blocks_were_watched_is_gated_by_its_whole_run(steady, found):
    """Seen in the field: CPU wait of 94 % explained as contention for rows of the memory."""
    run = {"before": {"total_ticks": 0, "cpu_stall_us": 0}, "after": {"total_ticks": 4000, "cpu_stall_us": 9_400_000}}
    codes = set(found(*physics_of(steady, {}), machine=CPUS, **run))
    assert codes & PHYSICS == set()
    assert {"BW004", "BW046"} <= codes


def test_wide_intervals_and_few_blocks_are_not_compared(rated, make_case, found):
    few = rated(10.0, case=make_case(engine="native", threads=1), samples=5)
    wide = rated(*WIDE, case=make_case(engine="native", threads=8))
    ((_, text),) = found(few, wide, code="BW046")
    assert text.endswith(
        "1 of 2 results: too few blocks (BW008); 1 of 2 results: an interval that is too wide (BW003, BW045)"
    )
    assert set(found(few, wide)) & PHYSICS == set()


def test_one_noisy_result_silences_no_other(steady, rated, make_case, found):
    rows = physics_of(steady, seen(**QUIET))
    noisy = rated(*WIDE, case=make_case(path="read", engine="native", threads=2))
    assert {"BW015", "BW021", "BW003"} <= set(found(*rows, noisy))
    assert "BW046" not in found(*rows, noisy)


def test_unstable_results_of_a_busy_machine_do_not_accuse_the_governor(rated, found):
    conditions = {"governors": ["ondemand"]}
    assert "BW030" in found(rated(*WIDE), before=conditions)
    assert "BW030" not in found(rated(*WIDE, observed=seen(others_cpu_share=0.5)), before=conditions)


# --- two rates

SLOW, FAST = 27.7, 52.5
COURSE = (SLOW,) * 3 + (FAST,) * 4 + (SLOW,) * 5 + (FAST,) * 2


def witness(name, slow, fast):
    values = tuple(slow if rate == SLOW else fast for rate in COURSE)
    return {name: Observed(slow, min(values), max(values), values)}


@pytest.fixture
def two_rates(rated, make_case, found):
    """Return what BW045 says of a result with these witnesses; its rates are those measured on a VM."""

    def look(observed=None, rates=COURSE, code="BW045"):
        jitter = [rate * (1 + 0.004 * (place % 5)) for place, rate in enumerate(rates)]
        return found(rated(*jitter, case=make_case(engine="native", threads=2), observed=observed or {}), code=code)

    return look


def test_bw053_names_both_rates_and_how_many_blocks_had_each(two_rates):
    ((case_id, text),) = two_rates()
    assert case_id == "host/copy/native/2"
    rates = "two rates alternate: 27.87 GB/s in 8 of 14 blocks, 53.02 GB/s in 6"
    assert text == f"{rates}: no recorded condition explains it"
    assert two_rates(code="BW003") == []  # it is no noise
    assert two_rates(code="BW012") == []


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        (
            witness("others_cpu_share", 0.48, 0.0),
            "other processes' CPU time was 48.0 % in the slow blocks, 0.0 % in the",
        ),
        (
            witness("cpu_wait_share", 0.5, 0.01),
            "the time that its threads waited for a CPU was 50.0 % in the slow blocks, 1.0 % in the",
        ),
        (witness("steal_share", 0.3, 0.0), "steal was 30.0 % in the slow"),
        (witness("clock_hz", 1.8e9, 3.6e9), "the core clock was 1.80 GHz after the slow blocks, 3.60 GHz after the"),
        (witness("involuntary_switches", 12.0, 1.0), "12 involuntary context switches in the slow blocks, 1"),
        (witness("others_cpu_share", 0.02, 0.0), "no recorded condition explains it"),  # it is not enough
        (witness("others_cpu_share", 0.0, 0.48), "no recorded condition explains it"),  # the wrong way round
        (witness("clock_hz", 3.6e9, 3.6e9), "no recorded condition explains it"),
        ({"others_cpu_share": Observed(0.2, 0.0, 0.5, (0.5, 0.0))}, "no recorded condition explains it"),
    ],
)
def test_bw053_names_the_witness_that_goes_with_the_rate(two_rates, observed, reason):
    ((_, text),) = two_rates(observed)
    assert f": {reason}" in text


def test_bw053_says_where_the_rate_changed_once(two_rates):
    ((_, text),) = two_rates(rates=(SLOW,) * 8 + (FAST,) * 6)
    assert text.startswith("the rate changed once in the run: 27.87 GB/s in 8 of 14 blocks")


def test_bw053_leaves_out_a_block_in_which_the_rate_changed(two_rates):
    ((_, text),) = two_rates(rates=(*COURSE, 40.0))
    assert ", 1 between: " in text


@pytest.mark.parametrize("count", [60, 101, 500])
def test_bw053_is_seen_in_any_number_of_blocks_and_however_they_alternate(two_rates, count):
    ((_, text),) = two_rates(rates=(SLOW, FAST) * count)
    assert f"in {count} of {2 * count} blocks" in text


@pytest.mark.parametrize("rates", [WIDE * 2, (10.0,) * 14, (SLOW,) * 12 + (FAST,) * 2, (100.0,) * 7 + (105.0,) * 7])
def test_bw053_needs_two_groups_of_three_that_lie_apart(two_rates, rates):
    assert two_rates(rates=rates) == []


def test_bw053_of_a_latency_is_in_nanoseconds(latency, found):
    result = latency(100.0)
    seconds = tuple(result.samples.seconds[0] * factor for factor in (1, 2, 1, 2.01, 1, 2, 1, 2))
    slow = dataclasses.replace(result, samples=dataclasses.replace(result.samples, seconds=seconds))
    ((_, text),) = found(slow, code="BW045")
    assert "200.0 ns in 4 of 8 blocks, 100.0 ns in 4" in text


def test_bw053_is_one_line_for_a_sweep(rated, make_case, found):
    sizes = [2**power for power in range(20, 24)]
    rows = [rated(*COURSE, case=make_case(working_set_bytes=size, variant={"sweep_point": size})) for size in sizes]
    ((case_id, text),) = found(*rows, code="BW045")
    assert (case_id, text) == (None, "4 of the sweep's 4 points have blocks of two rates that alternate")


def test_strict_codes_know_two_rates(make_record, rated):
    from bandwidth.cli.measure import UNSTABLE_CODES

    assert examine(make_record(rated(*COURSE))).codes() & UNSTABLE_CODES == {"BW045"}


@pytest.mark.parametrize("seed", [1])
def test_noise_of_one_rate_seldom_looks_like_two(seed):
    """What statistics.GROUPS_GAP promises: fewer than three of a hundred unimodal samples."""
    from bandwidth.statistics import two_groups

    rng = random.Random(seed)
    shapes = {
        "normal": lambda: max(1 + 0.15 * rng.gauss(0, 1), 0.05),
        "uniform": lambda: 1 + 0.15 * rng.uniform(-1.7, 1.7),
        "exponential": lambda: 1 + 0.25 * rng.expovariate(1),
        "laplace": lambda: max(1 + 0.25 * rng.choice((-1, 1)) * rng.expovariate(1), 0.05),
    }
    for name, draw in shapes.items():
        for count in (6, 10, 20):
            tries = 500
            hits = sum(two_groups([draw() for _ in range(count)]) is not None for _ in range(tries))
            assert hits < 0.03 * tries, (name, count)


# --- layouts


def test_layouts_that_differ_are_named_but_not_of_a_busy_machine(rated, make_case, found):
    rates = [rate * jitter for rate in (40.0, 44.0, 48.0) for jitter in (1.0, 1.004, 0.996, 1.002, 0.998, 1.0)]
    numbers = tuple(number for number in (1, 2, 3) for _ in range(6))
    case = make_case(engine="native", threads=2)
    ((_, text),) = found(rated(*rates, case=case, layouts=numbers), code="BW056")
    assert text.startswith(
        "3 memory layouts differ by more than the blocks within a layout: the interval extends 9.1 %"
    )
    assert found(rated(*rates, case=case), code="BW056") == []
    busy = rated(*rates, case=case, layouts=numbers, observed=seen(cpu_wait_share=0.5))
    assert found(busy, code="BW056") == []


# --- earlier runs

EARLIER = (1.0, 1.01, 0.99, 1.02, 0.98)


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (1.0, None),
        (0.96, None),  # outside of their range, by less than 5 %
        (0.9, "10.0 % slower than the median of 5 earlier runs on this machine, and outside their range"),
        (1.2, "20.0 % faster than the median of 5 earlier runs on this machine, and outside their range"),
    ],
)
def test_a_run_unlike_all_earlier_ones_is_told(rated, latency, found, share, words):
    at = rated(10.0).samples.seconds[0]
    result = rated(10.0 * share, samples=8, earlier_s_per_call=tuple(at * one for one in (*EARLIER, 1.0, 1.0)))
    assert [text for _, text in found(result, code="BW061")] == ([] if words is None else [words])
    time = latency(90.0).samples.seconds[0]
    earlier = tuple(time * one for one in (*EARLIER, 1.0, 1.0))
    other = dataclasses.replace(latency(90.0 * share), earlier_s_per_call=earlier)
    slower = None if words is None else words.replace("slower", "x").replace("faster", "slower").replace("x", "faster")
    assert [text for _, text in found(other, code="BW061")] == ([] if slower is None else [slower])


@pytest.mark.parametrize(("newest", "count"), [((1.0, 1.0), 1), ((1.2, 1.2), 1), ((1.0, 1.2), 1)])
def test_what_persists_is_told_again(rated, found, newest, count):
    """The run that is told is kept, and so is the next: they are no range that excuses a third."""
    at = rated(10.0).samples.seconds[0]
    result = rated(10.0 / 1.2, samples=8, earlier_s_per_call=tuple(at * one for one in (*EARLIER, *newest)))
    assert len(found(result, code="BW061")) == count


def test_too_few_earlier_runs_wide_ones_and_a_busy_machine_tell_nothing_of_it(rated, found):
    at = rated(10.0).samples.seconds
    busy = seen(**{**QUIET, "others_cpu_share": 0.5})
    wide = tuple(at[0] * one for one in (0.9, 1.0, 1.08, 0.95, 1.02, 1.0, 1.0))
    assert found(rated(5.0, samples=8, earlier_s_per_call=at * 6), code="BW061") == []
    assert found(rated(5.0, samples=8, earlier_s_per_call=at * 7, observed=busy), code="BW061") == []
    assert found(rated(9.1, samples=8, earlier_s_per_call=wide), code="BW061") == []
    assert len(found(rated(5.0, samples=8, earlier_s_per_call=at * 7), code="BW061")) == 1
