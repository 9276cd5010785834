"""In which order cases are measured: a coarse pass over all levels first, whatever the budget then leaves out."""

from __future__ import annotations

from itertools import pairwise

import pytest
from gpu_machine import GIB, KIB, cuda_entry, facts, gpu
from hypothesis import given
from hypothesis import strategies as st
from measuring_support import ScriptedEngine, two_socket_topology
from simulated_hosts import layout

from bandwidth.analysis.plateaus import level_well_inside
from bandwidth.ceilings.memory import HostTheory
from bandwidth.machine.facts import Facts
from bandwidth.measuring.measure import in_record_order
from bandwidth.measuring.run import Measurement
from bandwidth.planning.gpu import make_gpu_plan
from bandwidth.planning.host import make_plan
from bandwidth.planning.options import MeasureOptions
from bandwidth.planning.order import apart, coarse_first
from bandwidth.statistics import FEWEST_FOR_INTERVAL

LEVELS = {"L1", "L2", "L3", "memory"}
# One core's read from where its data lies, in bytes per second, and the time of one of its loads.
RATES = {"L1": 200e9, "L2": 100e9, "L3": 50e9, "memory": 12e9}
LOAD_S = {"L1": 1e-9, "L2": 4e-9, "L3": 15e-9, "memory": 100e-9}


def lies_in(case):
    caches = sorted(case.caches.items())
    return next((level for level, size in caches if case.working_set_bytes <= size), "memory")


def seconds_of(case, calls):
    if case.is_latency:
        return calls * 64 * LOAD_S[lies_in(case)]
    return calls * case.bytes_per_call / (RATES[lies_in(case)] * min(case.threads, 4))


def run(budget_s, topology=None, **options):
    """Return what comes of a real plan and run, where each block takes the time that its level gives."""
    plan = make_plan(MeasureOptions(budget_s=budget_s, **options), Facts({}), topology or layout())
    engine = ScriptedEngine(seconds_of)
    engines = {"native": engine, "numpy": engine}
    return Measurement(plan, engines, clock=engine.clock, shuffle=lambda turns: None).run(), engine.now


def levels_of(results, threads):
    """Return the levels that were measured by some threads, each well inside it."""
    return {level_well_inside(one.case) for one in results if one.case.threads == threads} - {None}


# --- what a budget reaches


@pytest.mark.parametrize("options", [{"sweep": "size"}, {"sweep": "size", "latency": True}], ids=str)
def test_a_tenth_of_the_time_shows_every_level_and_more_time_the_points_between(options):
    whole, whole_s = run(1000.0, **options)
    assert whole.not_run == ()
    reached = {}
    for share in (0.1, 0.3, 1.0):
        outcome, _ = run(share * whole_s, **options)
        reached[share] = len(outcome.results)
        assert levels_of(outcome.results, 8) == levels_of(outcome.results, 1) == LEVELS
        assert all(len(one.samples.seconds) >= FEWEST_FOR_INTERVAL for one in outcome.results)
        assert all("was used up" in skipped.reason for skipped in outcome.not_run)
    assert reached[0.1] <= 20 < reached[0.3] < reached[1.0] == len(whole.results)


def test_latencies_of_every_level_come_before_more_than_the_ends_of_the_loads():
    outcome, _ = run(1.3, latency=True)
    assert levels_of(outcome.results, 1) == LEVELS
    loads = {one.case.variant["load"] for one in outcome.results if "load" in one.case.variant}
    assert {"0%", "100%"} <= loads <= {"0%", "20%", "100%"}  # without writes, and with
    assert len(run(10.0, latency=True)[0].results) > 3 * len(outcome.results)


@pytest.mark.parametrize(
    ("options", "first"), [({"sweep": "threads"}, [16, 1, 4, 8, 2]), ({"chains": True}, [32, 1, 10, 16, 4])], ids=str
)
def test_curves_over_something_else_begin_with_their_ends_and_middle(options, first):
    def place(case):
        return case.threads if "sweep" in options else case.chains

    topology = layout(cores=16)
    plan = make_plan(MeasureOptions(**options), Facts({}), topology)
    assert list(dict.fromkeys(place(one.case) for one in plan.cases))[:5] == first
    outcome, _ = run(0.9, topology, **options)
    seen = {place(one.case) for one in outcome.results}
    assert set(first[:3]) <= seen < {place(one.case) for one in plan.cases}


def test_a_short_budget_leaves_a_record_in_its_usual_order():
    outcome, _ = run(2.0, sweep="size")
    for threads in (1, 8):
        sizes = [one.case.variant["sweep_point"] for one in outcome.results if one.case.threads == threads]
        kept = [one.case for one in in_record_order(outcome.results) if one.case.threads == threads]
        assert sizes != sorted(sizes)
        assert [case.variant["sweep_point"] for case in kept] == sorted(sizes)


def test_a_table_keeps_its_order():
    plan = make_plan(MeasureOptions(), Facts({}), layout())
    assert [one.case.id.removeprefix("host/") for one in plan.cases[:4]] == [
        "copy/native/8/streaming",
        "copy/native/8/streaming/134217728",
        "read/native/8",
        "triad/native/8/streaming",
    ]


def test_full_has_its_table_and_the_nodes_before_the_loads_between_the_ends():
    cases = [one.case for one in make_plan(MeasureOptions(full=True), Facts({}), two_socket_topology()).cases]
    between = next(place for place, case in enumerate(cases) if case.variant.get("load") not in (None, "0%", "100%"))
    assert all("load" in case.variant for case in cases[between:])


# --- devices


def test_sweeps_of_a_device_begin_with_memory_its_cache_and_the_ends_of_its_links():
    cards = (gpu(0), gpu(1))
    options = MeasureOptions(target="all", devices=("all",), sweep="size", latency=True, engines=("cuda",))
    plan = make_gpu_plan(options, facts(*cards), cuda_entry(), cards, HostTheory(None, 1, "", "a test", "a test"))
    cases = [one.case for one in plan.cases]
    first = cases[:16]  # of two devices two rates, two latencies and two ends each way
    for number in (0, 1):
        own = [case for case in first if case.devices == (number,)]
        for path in ("read", "latency"):
            assert [level_well_inside(case) for case in own if case.path == path] == ["memory", "L2"]
        for path in ("h2d", "d2h"):
            assert [case.bytes_per_call for case in own if case.path == path] == [GIB, 4 * KIB]


# --- the rule itself

SIZES = [4096 * 2**power for power in range(17)]


def sweep_of(make_case, caches, sizes=SIZES, **more):
    return [
        make_case(working_set_bytes=size, variant={"sweep_point": size}, caches=caches, path="read", **more)
        for size in sizes
    ]


@given(st.lists(st.integers(13, 26), max_size=3, unique=True), st.integers(1, 17), st.integers(1, 3))
def test_every_case_is_taken_once_and_every_level_before_any_other(make_case, powers, count, curves):
    caches = {f"L{level}": 2**power for level, power in enumerate(sorted(powers), 1)}
    given_curves = [sweep_of(make_case, caches, SIZES[-count:], threads=threads + 1) for threads in range(curves)]
    found = coarse_first(given_curves)
    assert sorted(case.id for case in found) == sorted(case.id for curve in given_curves for case in curve)
    for curve in given_curves:
        levels = {level_well_inside(case) for case in curve} - {None}
        own = [case for case in found if case in curve]
        assert {level_well_inside(case) for case in own[: len(levels)]} == levels


@given(st.integers(3, 40))
def test_a_curve_is_halved_again_and_again(make_case, count):
    curve = [make_case(variant={"load": f"{place}%"}, threads=2) for place in range(count)]
    places = [curve.index(case) for case in coarse_first([curve])]
    assert places[:2] == [count - 1, 0]
    taken = 2
    while taken < count:
        gap = max(high - low for low, high in pairwise(sorted(places[:taken])))
        added = sum(high - low > 1 for low, high in pairwise(sorted(places[:taken])))
        taken += added
        assert max(high - low for low, high in pairwise(sorted(places[:taken]))) <= (gap + 1) // 2


def test_a_pass_goes_over_all_curves_before_the_next_begins(make_case):
    def loads(share):
        return [make_case(variant={"load": f"{place}%", "writes": f"{share}%-writes"}) for place in range(5)]

    one, other, alone = loads(25), loads(50), [make_case(path="copy"), make_case(path="read")]
    found = coarse_first([one, *apart(alone), other, []])
    assert found[:6] == [one[4], one[0], *alone, other[4], other[0]]
    assert found[6:8] == [one[2], other[2]]
