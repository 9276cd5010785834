"""CPUs that move, share a core, are siblings or have a quota: each by its witness, none without."""

from __future__ import annotations

import itertools

import pytest
from measuring_support import ScriptedEngine, small_topology
from witnessed import FAR_NS, NEAR_NS, looks, one_look

from bandwidth.analysis.comparable import why_not_comparable
from bandwidth.findings import examine
from bandwidth.machine.facts import Facts
from bandwidth.measuring.run import Measurement
from bandwidth.planning.host import make_plan
from bandwidth.planning.options import MeasureOptions
from bandwidth.results import Ceiling, Observed

CODES = ("BW003", "BW012", "BW045", "BW053", "BW054", "BW055")


@pytest.fixture
def result(make_case, make_result):
    """Return 16 blocks of two threads, at these rates in GB/s, and what was seen of the cores."""

    def build(rates=(30.0,) * 16, hops_ns=(NEAR_NS,) * 16, cores=(2.0,) * 16, ceilings=(), **shares):
        case = make_case(engine="native", path="write", threads=2)
        jittered = [rate * (1 + 0.002 * (at % 3)) for at, rate in enumerate(rates)]
        seconds = tuple(case.bytes_per_call / (rate * 1e9) for rate in jittered)
        return make_result(case, seconds, observed=looks(hops_ns, cores, **shares), ceilings=ceilings)

    return build


HALF = (0,) * 5 + (1,) * 7 + (0,) * 4
RATES, HOPS = tuple((27.7, 54.0)[at] for at in HALF), tuple((NEAR_NS, FAR_NS)[at] for at in HALF)
FABRIC = Ceiling("fabric", 57.6e9, "worked out", "a source", "medium", 28.8e9)


def test_both_states_of_moving_cpus_stand_with_witness_blocks_interval_and_ceiling(result, found):
    moving = result(RATES, HOPS, ceilings=(FABRIC,))
    ((case_id, text),) = found(moving, code="BW053")
    assert case_id == moving.case.id
    near, far = text.split("; ")
    assert near == (
        "27.76 GB/s (27.70 to 27.81) while its CPUs are near each other (95 ns from core to core, 9 of 16 blocks), "
        "96.4 % of 28.80 GB/s, the fabric ceiling"
    )
    assert far.startswith("54.11 GB/s (54.00 to 54.22) while its CPUs are far apart (29")
    assert far.endswith("7 of 16 blocks), 93.9 % of 57.60 GB/s, the fabric ceiling")
    assert not {"BW003", "BW012", "BW045"} & set(found(moving))  # it is neither noise nor without a reason


def test_states_are_not_compared_as_one(result, make_record):
    moving = result(RATES, HOPS)
    assert (
        why_not_comparable(make_record(moving), moving) == "its blocks mix several states of the machine (BW053, BW054)"
    )


def test_the_rates_of_a_busy_machine_are_not_explained_by_where_its_cpus_were(result, found):
    busy = result(RATES, HOPS)
    busy.observed["cpu_wait_share"] = Observed(0.7, 0.7, 0.7)
    codes = set(found(busy))
    assert "BW053" not in codes
    assert {"BW004", "BW045"} <= codes


def test_rates_that_alternate_without_a_witness_have_no_reason(result, found):
    ((_, text),) = found(result(RATES), code="BW045")
    assert text.endswith("no recorded condition explains it")
    assert found(result(RATES), code="BW053") == []


def test_a_state_of_few_blocks_is_named_without_an_interval(result, found):
    places = (0,) * 12 + (1,) * 4
    few = result([(27.7, 54.0)[at] for at in places], [(NEAR_NS, FAR_NS)[at] for at in places])
    ((_, text),) = found(few, code="BW045")
    assert "the core-to-core latency was 94 ns in the slow blocks" in text
    assert text.endswith("in the others: the CPUs moved")


def test_cpus_that_move_and_a_rate_that_stays_are_no_finding(result, found):
    assert not set(CODES) & set(found(result(hops_ns=HOPS)))


def test_a_neighbour_on_the_cores_is_named_and_is_no_busy_machine(result, found, make_record):
    shared = result(cores=(1.1,) * 16, core_share=0.55)
    ((_, text),) = found(shared, code="BW054")
    assert text == (
        "2 threads had 1.09 effective cores in 16 of 16 blocks: each had its CPU but was slower even alone, so other "
        "work runs on the same cores"
    )
    assert why_not_comparable(make_record(shared), shared) == ""
    assert found(shared, code="BW055") == []


def test_a_clock_that_falls_is_no_neighbour(result, found):
    slow = result(cores=(1.1,) * 8 + (2.0,) * 8, core_share=[0.55] * 8 + [1.0] * 8)
    assert "BW054" in found(slow)
    slow.observed["clock_hz"] = Observed(3e9, 2e9, 4e9, (2.2e9,) * 8 + (4e9,) * 8)
    assert "BW054" not in found(slow)


def test_cpus_that_are_taken_away_are_named_and_make_the_machine_busy(result, found, make_record):
    taken = result(cores=(1.2,) * 16, running_share=0.6)
    ((_, text),) = found(taken, code="BW054")
    assert text.endswith("effective cores in 16 of 16 blocks: the CPUs were taken away")
    words = "the machine was busy: threads had no CPU 40.0 % of the time between blocks"
    assert why_not_comparable(make_record(taken), taken) == words
    assert "BW004" in found(taken)


def test_a_quota_is_the_reason_where_there_is_one(result, found):
    taken = result(cores=(1.0,) * 16, running_share=0.5)
    texts = [text for _, text in found(taken, code="BW005", machine={"cpu_quota": 1.0})]
    assert texts == ["2 threads had 0.99 effective cores in 16 of 16 blocks: the CPU quota is 1"]
    assert found(taken, code="BW005", machine={}) == []
    assert found(taken, code="BW005", machine={"cpu_quota": 4.0}) == []
    assert found(result(), code="BW005", machine={"cpu_quota": 1.0}) == []  # it did not hold them


def test_siblings_that_do_not_say_so_are_seen(result, found):
    ((_, text),) = found(result(hops_ns=(18.0,) * 16, cores=(1.1,) * 16), code="BW055", machine={"physical_cores": 2})
    assert text == (
        "2 threads had 1.09 effective cores in 16 of 16 blocks, though each is fast alone; core-to-core latency 18 ns: "
        "some CPUs are hardware threads of one core"
    )
    known = {"physical_cores": 1}
    assert found(result(hops_ns=(18.0,) * 16, cores=(1.1,) * 16), code="BW055", machine=known) == []  # BW024 says it


@pytest.mark.parametrize("cores", [2.0, 1.6])
def test_cores_of_their_own_are_no_finding(result, found, cores):
    assert not set(CODES) & set(found(result(cores=(cores,) * 16)))


def test_a_few_bad_blocks_are_no_shared_cores(result, found):
    few = result(cores=(1.0,) * 3 + (2.0,) * 13, running_share=[0.5] * 3 + [1.0] * 13)
    assert not {"BW054", "BW055"} & set(found(few))


# --- through the planner and the run


def measured(states, seconds_of, budget_s=30.0):
    """Run writes and reads of one and two threads on a machine that goes through states, a few seconds each."""
    options = MeasureOptions(
        kernels=("write", "read"), threads=("1", "2"), engines=("native",), stores=("streaming",), size_bytes=2**28,
        budget_s=budget_s,
    )  # fmt: skip
    number = itertools.count()

    def state():
        return states[int(engine.now / 2.5) % len(states)]

    def observed(case):
        return one_look(state(), next(number) % 20) if case.threads > 1 else {}

    engine = ScriptedEngine(lambda case, calls: seconds_of(case, calls, state(), next(number)), observed=observed)
    plan = make_plan(options, Facts({}), small_topology(2))
    return Measurement(plan, {"native": engine}, clock=engine.clock, shuffle=lambda turns: None).run().results


def moving_machine(case, calls, state, number):
    rate = (27e9 if case.threads == 1 or state["hops_ns"] == NEAR_NS else 52e9) * (1 + 0.02 * (number % 5))
    return case.bytes_per_call * calls / rate


PLACES = ({"hops_ns": NEAR_NS}, {"hops_ns": FAR_NS, "cores": 1.1, "core_share": 0.55}, {"hops_ns": NEAR_NS})


def test_a_run_on_a_machine_whose_cpus_move_tells_both_states_of_each_case(make_record):
    results = measured(PLACES, moving_machine)
    findings = examine(make_record(*results))
    told = {case_id for case_id, of in findings.by_id.items() if any(one.code == "BW053" for one in of)}
    assert told == {"host/write/native/2/streaming", "host/read/native/2"}
    assert "BW045" not in findings.codes()


def test_a_witness_that_lies_makes_no_state_of_a_run(make_record):
    def liar(case, calls, state, number):
        """The rate alternates by itself; what the threads show of their cores has nothing to do with it."""
        rate = (27e9, 52e9)[number % 3 == 0] * (1 + 0.002 * (number % 5))
        return case.bytes_per_call * calls / rate

    codes = examine(make_record(*measured(PLACES, liar))).codes()
    assert "BW053" not in codes
    assert "BW045" in codes


def test_a_run_in_one_state_has_no_regimes(make_record):
    codes = examine(make_record(*measured(PLACES[:1], moving_machine))).codes()
    assert not codes & set(CODES)
