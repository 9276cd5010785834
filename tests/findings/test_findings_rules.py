"""Every rule is raised just beyond its limit and silent just inside it, and none fails on a record with gaps."""

from __future__ import annotations

import dataclasses
import re

import pytest
from bound_guest import GUEST, bound_results
from gpu_machine import H200, device_result, gpu_conditions, link_result
from hypothesis import given, settings
from hypothesis import strategies as st
from pairs_of_cpus import between, in_groups
from witnessed import looks

from bandwidth.findings import (
    examine,
    explanations,
    rules,
)
from bandwidth.results import Conditions, Observed, summarise
from bandwidth.vocabulary import TIMES

MIB = 1024**2
RULE = 256 * MIB
COPY = "host/copy/numpy/1"
# Any JSON, and what only a caller in Python could put there.
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
MACHINE_KEYS = (
    *("logical_cpus", "cpus_allowed", "cpus_isolated", "cpus_offline", "cpu_quota", "operating_system"),
    *("physical_cores", "smt_control", "boost", "core_kinds", "cpu_model", "cpu_vendor", "cpu_family"),
    *("c_library", "c_library_streaming_threshold_bytes", "transparent_huge_pages", "page_bytes"),
    *("numa_memory_only_nodes", "memory_nodes_allowed", "memory_channels", "memory_channels_with_slots"),
    *("memory_channels_possible", "memory_modules", "memory_type"),
    *("memory_configured_mt_s", "memory_rated_mt_s", "last_level_cache_instances", "virtualization", "gpus"),
)
CONDITION_KEYS = (
    *("load_average_1min", "cpu_pressure_percent", "steal_ticks", "total_ticks", "cpu_stall_us", "memory_stall_us"),
    *("throttled_us", "throttle_count", "governors", "energy_preference", "on_battery"),
    "gpus",
)
MEMORY_KEYS = ("bytes_per_s", "reason", "hint", "spec", "source")


def odd_mapping(keys):
    return st.fixed_dictionaries({}, optional=dict.fromkeys(keys, ODD))


def seen_by(rule, record):
    """Return what a rule looks at, all results among it: those of GPUs, and those in which noise took part."""
    return {rules.MACHINE: record.machine, rules.THEORY: record.memory}.get(rule.of, record)


def codes(record):
    return sorted(examine(record).codes())


def test_a_quiet_record_has_no_findings(make_record, make_result):
    examination = examine(make_record(make_result(theory_bytes_per_s=93e9)))
    assert (dict(examination.by_id), examination.general) == ({}, ())


# --- BW001


@pytest.mark.parametrize(("size", "expected"), [(RULE - 1, ["BW001"]), (RULE, [])])
def test_bw001_by_the_working_set(make_record, make_case, make_result, size, expected):
    record = make_record(make_result(make_case(working_set_bytes=size)))
    assert codes(record) == expected


def test_bw001_names_size_limit_and_what_to_give(make_record, make_case, make_result):
    (finding,) = examine(make_record(make_result(make_case(working_set_bytes=4 * MIB)))).of(COPY)
    assert finding.text.startswith(
        "the working set of 4 MiB may fit in the caches; measuring memory needs at least 256 MiB"
    )
    assert "--size 256MiB" in finding.hint


def half(make_case, size=RULE // 2, **others):
    return make_case(working_set_bytes=size, variant={"sweep_point": size}, **others)


@pytest.mark.parametrize(("rate", "expected"), [(10.49, []), (10.51, ["BW001"]), (9.0, []), (20.0, ["BW001"])])
def test_bw001_by_the_rate_at_half_the_size(make_record, make_case, rated, rate, expected):
    record = make_record(rated(10.0, samples=8), rated(rate, case=half(make_case), samples=8))
    assert codes(record) == expected
    assert set(examine(record).by_id) <= {COPY}  # the finding is about the result, not about its proof


@pytest.mark.parametrize(("slowest", "expected"), [(10.0, []), (10.01, ["BW001"])])
def test_bw001_needs_intervals_apart(make_record, make_case, rated, slowest, expected):
    spread = (slowest, 10.52, 10.52, 10.52, 10.52, 10.52, 10.52)
    record = make_record(rated(10.0, samples=7), rated(*spread, case=half(make_case)))
    assert codes(record) == expected


def test_bw001_is_not_said_of_too_few_blocks(make_record, make_case, rated):
    record = make_record(rated(10.0, 10.0), rated(11.0, 11.0, case=half(make_case)))
    assert "BW001" not in codes(record)
    assert "BW046" not in codes(record)  # there was one result, and the proof of its size


def test_bw001_takes_only_a_half_of_the_same_case(make_record, make_case, rated):
    others = (
        half(make_case, path="read"),
        half(make_case, engine="native"),
        half(make_case, threads=2),
        half(make_case, target="host:1"),
        half(make_case, size=RULE // 8),
        half(make_case, size=RULE - 4096),
        make_case(working_set_bytes=RULE, path="scale"),
    )
    for other in others:
        assert codes(make_record(rated(10.0, samples=8), rated(20.0, case=other, samples=8))) == []


@pytest.mark.parametrize("threads", [1, 2, 3, 5, 7, 48, 96])
def test_bw001_knows_the_half_that_was_rounded_up_to_whole_pages(make_record, make_case, rated, threads):
    pages = 2 * threads * 4096  # a copy's two arrays of each thread

    def whole_pages(size):
        return -(-size // pages) * pages

    case = make_case(threads=threads, working_set_bytes=whole_pages(RULE))
    check = half(make_case, threads=threads, size=whole_pages(RULE // 2))
    results = (rated(10.0, case=case, samples=8), rated(20.0, case=check, samples=8))
    assert codes(make_record(*results, machine={"physical_cores": 96})) == ["BW001"]


def test_bw001_says_nothing_of_a_half_where_the_whole_is_too_small_itself(make_record, make_case, rated):
    case = make_case(working_set_bytes=RULE // 2)
    check = half(make_case, size=RULE // 4)
    record = make_record(rated(10.0, case=case, samples=8), rated(20.0, case=check, samples=8))
    assert [finding.code for finding in examine(record).of(case.id)] == ["BW001"]


# --- BW002


@pytest.mark.parametrize(
    ("fastest", "slowest", "expected"),
    [
        (16.0, 16.25, []),  # the best, in 16 s, is the theory itself
        (15.99, 16.25, ["BW002"]),  # the best alone is above
        (15.0, 15.5, ["BW002"]),  # the median too
    ],
)
def test_bw002_by_any_figure_above_theory(make_record, make_case, make_result, fastest, slowest, expected):
    result = make_result(make_case(bytes_per_call=1024), (slowest,) * 7 + (fastest,), theory_bytes_per_s=64.0)
    assert codes(make_record(result)) == expected


def test_bw002_names_the_share(make_record, make_result, make_case):
    case = make_case(bytes_per_call=11 * 10**9)
    (finding,) = examine(make_record(make_result(case, (1.0,) * 6, theory_bytes_per_s=10e9))).of(COPY)
    assert (
        finding.text
        == "11.00 GB/s is 110.0 % of the theoretical peak, 10.00 GB/s; a correct measurement cannot exceed 100 %"
    )


@settings(max_examples=200, deadline=None)
@given(
    seconds=st.lists(st.floats(1e-9, 1e6), min_size=1, max_size=12).map(tuple),
    theory=st.floats(1, 1e15),
    variant=st.sampled_from([{}, {"sweep_point": 4096}, {"stores": "streaming"}]),
)
def test_a_rate_above_theory_never_goes_without_bw002(make_record, make_case, make_result, seconds, theory, variant):
    result = make_result(make_case(variant=variant), seconds, theory_bytes_per_s=theory)
    summary = summarise(result)
    figures = [summary.median_bytes_per_s, summary.best_bytes_per_s]
    figures += [] if summary.ci95 is None else [summary.ci95.low, summary.ci95.high]
    is_above = any(figure > theory for figure in figures)
    assert ("BW002" in examine(make_record(result)).codes()) == is_above


# --- BW003, BW008, BW009, BW012


@pytest.mark.parametrize(("last", "expected"), [(10.499, []), (10.501, ["BW003"]), (9.501, []), (9.499, ["BW003"])])
def test_bw003_by_either_end_of_the_interval(make_record, rated, last, expected):
    assert codes(make_record(rated(10.0, 10.0, 10.0, 10.0, 10.0, last))) == expected


@pytest.mark.parametrize(("count", "expected"), [(5, ["BW008"]), (6, []), (1, ["BW008"])])
def test_bw008_by_the_number_of_samples(make_record, make_result, count, expected):
    record = make_record(make_result(seconds=(0.02,) * count))
    assert codes(record) == expected
    told = [finding.text for finding in examine(record).of("host/copy/numpy/1")]
    assert [text.partition(" (")[0] for text in told] == {1: ["only 1 sample"], 5: ["only 5 samples"]}.get(count, [])


@pytest.mark.parametrize(
    ("stopped_by", "words"),
    [("budget", "the budget was used up"), ("interrupted", "it was interrupted"), ("unfinished", "it was stopped")],
)
def test_bw008_says_what_ended_the_case(make_record, make_result, stopped_by, words):
    (finding,) = examine(make_record(make_result(seconds=(0.02,), stopped_by=stopped_by))).of(COPY)
    assert words in finding.text


@pytest.mark.parametrize(("skew", "expected"), [(0.00039, []), (0.00041, ["BW009"])])
def test_bw009_by_the_shortest_block(make_record, make_result, skew, expected):
    result = make_result(seconds=(0.02, 0.0202, 0.0204, 0.0202, 0.0201, 0.0203), start_skew_s=skew)
    assert codes(make_record(result)) == expected


@pytest.mark.parametrize(
    ("far", "near", "expected"), [(3, 27, []), (4, 27, ["BW012"]), (3, 17, ["BW012"]), (2, 10, [])]
)
def test_bw012_by_the_number_and_share_of_outliers(make_record, make_result, far, near, expected):
    steady = tuple(0.02 + 0.00001 * (index % 5) for index in range(near))
    assert codes(make_record(make_result(seconds=(*steady, *(0.04,) * far)))) == expected


def test_a_proof_of_the_size_is_not_judged_itself(make_record, make_case, make_result):
    wild = make_result(half(make_case), (0.02, 0.03, 0.04), start_skew_s=0.01)
    assert codes(make_record(make_result(), wild)) == []


def test_a_sweep_is_judged_in_one_line_a_code(make_record, make_case, make_result):
    """Sizes below the rule for memory are what a sweep is for, and dozens of like lines say no more than one."""
    sizes = [4096 * 2**power for power in range(12)]
    wild = [make_result(half(make_case, size=size), (0.02, 0.03, 0.04), start_skew_s=0.01) for size in sizes]
    wide = make_result(half(make_case, size=RULE), (0.02, 0.02, 0.03, 0.04, 0.02, 0.02))
    examination = examine(make_record(*wild, wide))
    assert dict(examination.by_id) == {}
    assert {finding.code: finding.text for finding in examination.general} == {
        "BW003": "1 of the sweep's 13 points have a 95 % interval of more than 5.0 % around the median",
        "BW008": "12 of the sweep's 13 points have too few samples for an interval, which needs 6",
        "BW009": "12 of the sweep's 13 points had workers that started more than 2.0 % of a block apart",
    }


def test_latencies_are_judged_by_their_spread_and_not_by_the_size_of_memory(make_record, latency):
    small = latency(5.0, working_set_bytes=65536)
    assert codes(make_record(small)) == []
    wide = dataclasses.replace(small, samples=dataclasses.replace(small.samples, seconds=(1e-5, 2e-5) * 4))
    assert codes(make_record(wide)) == ["BW045"]
    wide = dataclasses.replace(small, samples=dataclasses.replace(small.samples, seconds=(1e-5,) * 5 + (2e-5,)))
    assert codes(make_record(wide)) == ["BW003"]
    few = dataclasses.replace(small, samples=dataclasses.replace(small.samples, seconds=(1e-5,) * 3))
    assert codes(make_record(few)) == ["BW008"]


# --- BW004, BW005


@pytest.mark.parametrize("before", [{"load_average_1min": 99.0}, {"cpu_pressure_percent": 99.0}])
def test_what_ran_before_the_run_says_nothing_of_it(make_record, make_result, before):
    assert codes(make_record(make_result(), before=before)) == []  # it may have been a measurement of our own


@pytest.mark.parametrize(("stolen", "expected"), [(500, []), (501, ["BW004"])])
def test_bw004_by_stolen_time(make_record, make_result, stolen, expected):
    before, after = {"steal_ticks": 50, "total_ticks": 1000}, {"steal_ticks": 50 + stolen, "total_ticks": 11_000}
    assert codes(make_record(make_result(), before=before, after=after)) == expected


def test_bw004_needs_two_readings_of_the_counters(make_record, make_result):
    counters = {"steal_ticks": 500, "total_ticks": 1000}
    assert codes(make_record(make_result(), before=counters, after={})) == []  # saved while it still ran
    assert codes(make_record(make_result(), before=counters, after=counters)) == []


@pytest.mark.parametrize(("allowed", "expected"), [("0-7", []), ("0-6", ["BW005"]), ("3", ["BW005"])])
def test_bw005_by_the_cpus_allowed(make_record, make_result, allowed, expected):
    machine = {"logical_cpus": 8, "cpus_allowed": allowed}
    assert codes(make_record(make_result(), machine=machine)) == expected


@pytest.mark.parametrize(("quota", "expected"), [(8.0, []), (16.0, []), (7.5, ["BW005"]), (0.5, ["BW005"])])
def test_bw005_by_the_quota(make_record, make_result, quota, expected):
    machine = {"logical_cpus": 8, "cpus_allowed": "0-7", "cpu_quota": quota}
    assert codes(make_record(make_result(), machine=machine)) == expected


# --- BW006, BW007, BW010, BW011


def test_bw006_by_a_failed_check(make_record, make_result):
    examination = examine(make_record(make_result(failure="element 7 is wrong", seconds=(0.02,))))
    (finding,) = examination.of(COPY)  # and nothing else is said of a figure that is not shown
    assert (finding.code, finding.text) == ("BW006", "verification failed: element 7 is wrong")
    assert examination.general == ()


def test_bw006_for_a_proof_of_the_size_too(make_record, make_case, make_result):
    assert codes(make_record(make_result(half(make_case), failure="wrong"))) == ["BW006"]


def test_bw007_by_one_result_that_was_not_pinned(make_record, make_case, make_result):
    pinned = make_result()
    loose = make_result(make_case(path="read"), pinned=False)
    assert codes(make_record(pinned)) == []
    assert codes(make_record(pinned, loose)) == ["BW007"]


def test_bw010_by_a_theory_that_is_not_known(make_record, make_result):
    unknown = {"bytes_per_s": None, "reason": "this is a virtual machine", "hint": "use --memory"}
    assert codes(make_record(make_result(), memory=unknown)) == ["BW010"]
    assert codes(make_record(memory=unknown)) == []  # nothing was measured that it could stand beside
    assert codes(make_record(make_result())) == []


def test_bw011_by_caches_that_are_not_known(make_record, make_case, make_result):
    assert codes(make_record(make_result(make_case(caches_known=False)))) == ["BW011"]
    assert codes(make_record(make_result(make_case(caches_known=True)))) == []


def test_bw001_below_the_assumed_size_where_caches_are_not_known(make_record, make_case, make_result):
    small = make_case(caches_known=False, working_set_bytes=4 * MIB, dram_rule_bytes=1024 * MIB)
    assert codes(make_record(make_result(small))) == ["BW001", "BW011"]


def test_bw014_by_sources_that_disagree(make_record, make_result):
    words = "the SMBIOS table states 4800 MT/s; udev's database states 5200 MT/s"
    record = make_record(make_result(), machine={"memory_modules_disagreement": words})
    (finding,) = [each for each in examine(record).general if each.code == "BW014"]
    assert words in finding.text


def test_bw013_by_a_case_that_was_cut_short(make_record, make_case, make_result):
    assert "BW013" in codes(make_record(make_result(make_case(), last_block_checked=False)))
    assert "BW013" not in codes(make_record(make_result(make_case(), last_block_checked=True)))


# --- all of them


NODES = {(0, 0): 40.0, (0, 1): 20.0, (1, 0): 20.0, (1, 1): 30.0}


@pytest.fixture(scope="module")
def everything_wrong(make_record, make_case, make_result, steady):
    """Return two records: one finding says that zeros are faster, another that they are not."""
    seconds = (*(0.02 + 0.00001 * index for index in range(10)), *(0.04,) * 5)
    clock = {"clock_hz": Observed(3e9, 2e9, 3e9), "huge_page_share": Observed(0.1, 0.1, 0.1)}
    ordinary, streaming = {"stores": "ordinary"}, {"stores": "streaming"}
    curve = [
        steady(rate, engine="native", path="copy", threads=threads, variant=streaming, theory=100e9)
        for threads, rate in ((1, 10.0), (4, 40.0), (8, 41.0), (16, 30.0))
    ]
    matrix = [
        steady(
            rate,
            engine="native",
            path="read",
            threads=4,
            variant={"cpu_node": cpu, "memory_node": memory},
            observed={} if cpu else {"placed_share": Observed(0.5, 0.5, 0.5)},
        )
        for (cpu, memory), rate in NODES.items()
    ]
    zeros = [
        steady(rate, engine="native", path="write", variant=streaming | data)
        for rate, data in ((20.0, {"data": "zeros"}), (10.0, {}))
    ]
    alike = [steady(10.0, engine="native", path="write", variant=streaming | data) for data in ({"data": "zeros"}, {})]
    results = [
        make_result(make_case(), seconds, theory_bytes_per_s=1e6, start_skew_s=0.01, pinned=False, observed=clock),
        make_result(half(make_case), (0.001,) * 8),
        make_result(make_case(path="read"), (0.02, 0.03)),
        make_result(make_case(path="dot", working_set_bytes=4096), (0.02, 0.03, 0.02, 0.03, 0.02, 0.03)),
        make_result(make_case(path="add", caches_known=False), failure="element 7 is wrong"),
        make_result(make_case(path="write"), last_block_checked=False),
        steady(20.0, engine="native", path="copy", variant=ordinary, traffic_bytes_per_call=400 * MIB),
        steady(40.0, engine="native", path="copy", variant=streaming | {}, threads=2),
        steady(20.0, engine="native", path="copy", variant=ordinary, threads=2),
        steady(20.0, engine="numpy", path="copy", threads=2),
        steady(20.0, engine="native", path="scale", variant=ordinary),
        steady(40.0, engine="native", path="scale", variant=streaming),
        steady(20.0, engine="numpy", path="scale"),
        steady(40.0, engine="native", path="dot", threads=2),
        steady(20.0, engine="numpy", path="dot", threads=2),
    ]
    first = make_record(
        *results,
        *curve,
        *matrix,
        *zeros,
        machine={
            "physical_cores": 8,
            "logical_cpus": 8,
            "cpus_allowed": "0-3",
            "cpu_quota": 1.5,
            "memory_modules_disagreement": "one says 4800 MT/s; the other 5200 MT/s",
            "memory_channels": 3,
            "memory_channels_possible": 4,
            "memory_configured_mt_s": 4000,
            "memory_rated_mt_s": 4800,
            "memory_modules": [{"size_bytes": 2**33}, {"size_bytes": 2**34}, {"size_bytes": 2**34}],
            "core_kinds": {"performance": 4, "efficiency": 4},
            "numa_memory_only_nodes": [2],
            "transparent_huge_pages": "never",
        },
        before={
            "memory_stall_us": 0,
            "total_ticks": 0,
            "throttle_count": 0,
            "on_battery": True,
        },
        after={"total_ticks": 800, "memory_stall_us": 10**6, "throttle_count": 3},
        memory={"bytes_per_s": None, "reason": "nothing is known"},
    )
    noisy = make_record(
        make_result(make_case(), (0.02,) * 5 + (0.03,)),
        make_result(make_case(path="read"), (0.02,) * 27 + (0.04,) * 4),
        before={"steal_ticks": 0, "total_ticks": 0},
        after={"steal_ticks": 50, "total_ticks": 100},
    )
    bound = make_record(*bound_results(steady), machine=GUEST)
    placed = _witnesses_wrong(make_record, make_case, make_result)
    gpus = _gpu_wrong(make_record, make_case, make_result)
    changed = make_record(make_result(earlier_s_per_call=(0.018,) * 7))
    return first, noisy, make_record(*alike), bound, gpus, placed, changed, *_pairs_wrong(make_record)


def _pairs_wrong(make_record):
    """Return a record of cores in groups that are not shown, and one of siblings far apart and a pair that moves."""
    groups = in_groups((0, 1), (2, 3), shared="socket").values()
    yield make_record(*groups, between(0, 4, 20.0, shared="core"))
    yield make_record(between(0, 4, 290.0, shared="core"), between(0, 1, 40.0), between(0, 2, *(90.0, 290.0) * 4))


def _witnesses_wrong(make_record, make_case, make_result):
    """Return a record of CPUs that move, of siblings, and of cores that a neighbour and a quota hold in turn."""
    half, case = (0,) * 8 + (1,) * 8, make_case(engine="native", path="write", threads=2)
    seconds, hops = tuple((0.02, 0.01)[at] for at in half), [(90.0, 290.0)[at] for at in half]
    moves = make_result(case, seconds, observed=looks(hops, [2.0] * 16))
    read, copy = (dataclasses.replace(case, path=path) for path in ("read", "copy"))
    siblings = make_result(read, (0.02,) * 8, observed=looks([20.0] * 8, [1.1] * 8))
    shares = {"core_share": [0.55] * 8 + [1.0] * 8, "running_share": [1.0] * 8 + [0.5] * 8}
    held = make_result(copy, (0.02,) * 16, observed=looks([90.0] * 16, [1.0] * 16, **shares))
    layouts = tuple(number for number in (1, 2, 3) for _ in range(6))
    luck = make_result(make_case(path="add"), tuple(0.02 + 0.0008 * number for number in layouts), layouts=layouts)
    return make_record(moves, siblings, held, luck, machine={"cpu_quota": 1.0})


def _gpu_wrong(make_record, make_case, make_result):
    results = [device_result(make_case, make_result, "triad", 1000.0)]
    results += [
        link_result(make_case, make_result, "h2d", gb, kind) for kind, gb in (("pinned", 20.0), ("pageable", 5.0))
    ]
    results += [
        link_result(make_case, make_result, "h2d", gb, target=f"pcie:{at}") for at, gb in (("1", 20), ("0,1", 22))
    ]
    wrong = {"max_link_generation": 6, "mig_enabled": True, "confidential_compute": True}
    state = gpu_conditions(other_processes=1, throttle_reasons=["power limit"])
    return make_record(*results, machine={"gpus": [H200 | wrong]}, before=state, after=state)


def test_every_code_that_rules_raise_is_explained_and_every_explained_code_can_be_raised(everything_wrong):
    written = {one.code for one in rules.rules()}
    explained = {entry.key for entry in explanations() if re.fullmatch(r"BW\d{3}", entry.key)}
    raised = {code for record in everything_wrong for code in examine(record).codes()}
    assert written == explained == raised


def test_every_rule_says_what_was_seen_and_what_to_try(everything_wrong):
    for rule in rules.rules():
        raised = [pair for record in everything_wrong for pair in rule.findings(seen_by(rule, record))]
        assert raised, f"{rule.find.__name__} was not raised"
        ids = {result.case.id for record in everything_wrong for result in record.results}
        for case_id, finding in raised:
            assert case_id is None or case_id in ids
            assert finding.code == rule.code
            assert len(finding.text) > 20
            assert len(finding.hint) > 10
            assert finding.text[0].islower() or finding.text[0].isdigit() or finding.text.startswith("NumPy")
            assert "\n" not in finding.text + finding.hint
            assert not finding.text.endswith(".")  # the report ends the sentence
            assert not finding.hint.endswith(".")
            assert not re.search(r"\b(?:host|device:[0-9]+|pcie:[0-9]+)/[a-z]", finding.text + finding.hint)  # no ids


def test_an_empty_record_has_no_findings(make_record):
    record = make_record(machine={}, conditions=Conditions({}, {}), memory={})
    assert codes(record) == []


def test_a_result_without_a_sample_does_no_harm(make_record, make_result):
    assert codes(make_record(make_result(seconds=()))) == []


@settings(max_examples=200, deadline=None)
@given(
    machine=odd_mapping(MACHINE_KEYS),
    before=odd_mapping(CONDITION_KEYS),
    after=odd_mapping(CONDITION_KEYS),
    memory=odd_mapping(MEMORY_KEYS),
)
def test_no_rule_fails_on_odd_or_missing_facts(make_record, make_result, steady, machine, before, after, memory):
    record = make_record(
        make_result(),
        make_result(pinned=False),
        steady(10.0, engine="native", variant={"stores": "ordinary"}),
        steady(20.0, engine="native", variant={"stores": "streaming"}),
        steady(20.0, engine="native", variant={"stores": "streaming"}, threads=16, theory=1e12, vendor=1e12),
        machine=machine,
        before=before,
        after=after,
        memory=memory,
    )
    for rule in rules.rules():
        for _, finding in rule.findings(seen_by(rule, record)):
            assert finding.hint


VARIANTS = st.fixed_dictionaries(
    {},
    optional={
        "stores": st.sampled_from(["ordinary", "streaming", ""]),
        "data": st.just("zeros"),
        "cpu_node": st.integers(0, 1) | st.just("x"),
        "memory_node": st.integers(0, 1) | st.just("x"),
        "load": st.sampled_from(["0%", "100%", "x"]),
        "sweep_point": st.sampled_from([4096, RULE // 2, "x"]),
        "cores": st.just("performance"),
        "host_memory": st.sampled_from(["pinned", "pageable", "x"]),
        "peer": st.integers(0, 1),
    },
)
SEEN = st.builds(lambda one: Observed(one, one / 2, one), st.sampled_from([0.0, 0.4, 1.0, 3e9, 1e30]))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_rule_fails_on_any_mixture_of_results(make_record, make_case, make_result, data):
    def result():
        size = data.draw(st.sampled_from([1, 4096, RULE // 2, RULE]))
        case = make_case(
            target=data.draw(st.sampled_from(["host", "device:0", "pcie:0", "pcie:0,1", "device:x", "x"])),
            path=data.draw(st.sampled_from(["copy", "read", "triad", "write", "h2d", "bidirectional", *TIMES])),
            cpus=tuple(data.draw(st.lists(st.integers(0, 3), max_size=3))),
            shared=data.draw(st.sampled_from(["", "core", "L3", "x"])),
            engine=data.draw(st.sampled_from(["native", "numpy", "cuda", "x"])),
            threads=data.draw(st.sampled_from([1, 2, 8, 16])),
            variant=data.draw(VARIANTS),
            working_set_bytes=size,
            bytes_per_call=max(size, 8),
            dram_rule_bytes=data.draw(st.sampled_from([RULE, None])),
        )
        seconds = data.draw(st.lists(st.sampled_from([1e-9, 0.02, 0.03, 1e9]), max_size=8).map(tuple))
        names = ("clock_hz", "huge_page_share", "placed_share", "load_bytes_per_s", "link_width", "memory_clock_mhz")
        observed = data.draw(st.dictionaries(st.sampled_from(names), SEEN))
        theory = data.draw(st.sampled_from([None, 1.0, 1e12]))
        return make_result(case, seconds, theory_bytes_per_s=theory, observed=observed)

    record = make_record(*(result() for _ in range(data.draw(st.integers(1, 8)))), machine={"gpus": [H200]})
    for rule in rules.rules():
        for _, finding in rule.findings(seen_by(rule, record)):
            assert finding.text
