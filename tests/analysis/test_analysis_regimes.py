"""Regimes: blocks parted by a witness whose rates lie apart, and none where either lacks."""

import random

import pytest
from witnessed import FAR_NS, NEAR_NS, looks

from bandwidth.analysis.regimes import CORE_TO_CORE, EFFECTIVE_CORES, is_mixture, regimes_of, witness_by_block
from bandwidth.results import Ceiling, Observed
from bandwidth.statistics import FEWEST_FOR_INTERVAL, above_share, clusters

NEAR, FAR = 27.7, 54.0


@pytest.fixture
def blocks(make_case, make_result):
    """Return a result of two threads with these rates in GB/s and what was seen of its cores."""

    def build(rates, hops_ns, cores=None, threads=2, noise=0.004, **others):
        shares = {name: others.pop(name) for name in ("core_share", "running_share") if name in others}
        case = make_case(engine="native", path="write", threads=threads)
        jittered = [rate * (1 + noise * (at % 7)) for at, rate in enumerate(rates)]
        seconds = tuple(case.bytes_per_call / (rate * 1e9) for rate in jittered)
        observed = looks(hops_ns, cores or [float(threads)] * len(rates), **shares)
        return make_result(case, seconds, observed=observed, **others)

    return build


def course(*parts):
    """Return the places of states in turn: ((value, how many), ...)."""
    return [value for value, count in parts for _ in range(count)]


PLACES = course((0, 8), (1, 6), (0, 11), (1, 9))
RATES, HOPS = [(NEAR, FAR)[at] for at in PLACES], [(NEAR_NS, FAR_NS)[at] for at in PLACES]


def test_states_have_their_own_blocks_medians_and_intervals(blocks):
    found = regimes_of(blocks(RATES, HOPS))
    near, far = found.regimes
    assert found.witness == CORE_TO_CORE
    assert near.places == tuple(at for at, place in enumerate(PLACES) if not place)
    assert far.places == tuple(at for at, place in enumerate(PLACES) if place)
    assert (near.seen, far.seen) == (pytest.approx(NEAR_NS, rel=0.05), pytest.approx(FAR_NS, rel=0.05))
    assert near.ci95.low <= near.median_bytes_per_s <= near.ci95.high < far.ci95.low
    assert found.best is far
    assert (found.blocks, found.unassigned) == (34, 0)


def test_effective_cores_part_what_places_do_not(blocks):
    found = regimes_of(blocks(RATES, [NEAR_NS] * 34, [(1.0, 2.0)[at] for at in PLACES]))
    assert found.witness == EFFECTIVE_CORES
    assert [len(one.places) for one in found.regimes] == [19, 15]


def test_several_states_are_told_apart(blocks):
    states = course((0, 9), (1, 7), (2, 8), (0, 6))
    found = regimes_of(blocks([(20, 30, 50)[at] for at in states], [(90, 160, 290)[at] for at in states], threads=4))
    assert [len(one.places) for one in found.regimes] == [15, 7, 8]
    assert [round(one.seen / 20) for one in found.regimes] == [5, 8, 15]


def lying(rng):
    return [rng.choice((NEAR_NS, FAR_NS)) for _ in PLACES]


@pytest.mark.parametrize(
    ("rates", "hops"),
    [
        (RATES, [NEAR_NS] * 34),  # the rates alternate and nothing tells why
        ([NEAR] * 34, HOPS),  # the CPUs move and the rate stays
        (RATES, lying(random.Random(3))),  # a witness that has nothing to do with the rates
        (RATES, [90.0 + 6 * at for at in range(34)]),  # a witness that drifts and parts nothing
        ([NEAR] * 29 + [FAR] * 5, [NEAR_NS] * 29 + [FAR_NS] * 5),  # too few blocks for an interval
        ([NEAR + (1.5 if at else 0) for at in PLACES], HOPS),  # rates that are nearly one
    ],
)
def test_no_states_where_witness_and_rates_do_not_go_together(blocks, rates, hops):
    assert regimes_of(blocks(rates, hops)) is None


def test_noise_of_one_rate_is_no_state_whatever_the_witness_does(blocks):
    rng = random.Random(5)
    for _ in range(200):
        rates = [NEAR * rng.lognormvariate(0, 0.4) for _ in range(40)]
        hops = [rng.choice((NEAR_NS, FAR_NS)) for _ in range(40)]
        assert regimes_of(blocks(rates, hops)) is None


def test_blocks_in_which_the_cpus_moved_are_in_no_state(blocks):
    result = blocks(RATES, HOPS)
    behind = list(result.observed["core_to_core_behind_ns"].values)
    behind[3] = FAR_NS
    result.observed["core_to_core_behind_ns"] = Observed(1.0, 1.0, 300.0, tuple(behind))
    found = regimes_of(result)
    assert (found.unassigned, 3 in found.regimes[0].places) == (1, False)


def test_a_look_at_which_a_thread_had_no_cpu_leaves_the_other(blocks):
    result = blocks(RATES, HOPS)
    before = list(result.observed[CORE_TO_CORE].values)
    before[3] = 2e6
    result.observed[CORE_TO_CORE] = Observed(1.0, 1.0, 2e6, tuple(before))
    assert witness_by_block(result, CORE_TO_CORE)[3] == result.observed["core_to_core_behind_ns"].values[3]
    assert 3 in regimes_of(result).regimes[0].places


def test_a_few_strays_join_no_two_states_and_make_none(blocks):
    hops = [*HOPS]
    hops[2], hops[10] = 170.0, 900.0
    rates = [*RATES]
    rates[1], rates[20] = 5.0, 11.0
    assert [len(one.places) for one in regimes_of(blocks(rates, hops)).regimes] == [18, 15]


def test_records_without_witnesses_or_with_fewer_values_than_blocks_have_no_states(blocks, make_result):
    result = blocks(RATES, HOPS)
    for name in ("core_to_core_ns", "effective_cores"):
        seen = result.observed[name]
        result.observed[name] = Observed(seen.median, seen.least, seen.most, seen.values[1:])
    assert regimes_of(result) is None
    assert regimes_of(make_result()) is None
    assert is_mixture(blocks(RATES, HOPS))
    assert not is_mixture(make_result())


# --- ceilings


def fabric(least, most=57.6e9, confidence="medium"):
    return Ceiling("fabric", most, "worked out", "a source", confidence, least)


PLATFORM = Ceiling("platform", 460.8e9, "worked out", "a source", "high")


@pytest.mark.parametrize(
    ("ceilings", "threads", "expected"),
    [
        ((fabric(28.8e9), PLATFORM), 2, [28.8e9, 57.6e9]),
        ((fabric(20e9), PLATFORM), 2, [57.6e9, 57.6e9]),  # exceeded: they were not on one chiplet
        ((fabric(None), PLATFORM), 2, [57.6e9, 57.6e9]),
        ((fabric(28.8e9), PLATFORM), 4, [57.6e9, 57.6e9]),  # four may be on any number
        ((fabric(28.8e9, confidence="low"), PLATFORM), 2, [28.8e9, 460.8e9]),
        ((), 2, [None, None]),
    ],
)
def test_each_state_has_the_lowest_ceiling_that_holds_in_it(blocks, ceilings, threads, expected):
    found = regimes_of(blocks(RATES, HOPS, threads=threads, ceilings=ceilings))
    assert [one.ceiling and one.ceiling.bytes_per_s for one in found.regimes] == expected
    assert [one.share for one in found.regimes] == [
        most and one.median_bytes_per_s / most for one, most in zip(found.regimes, expected, strict=True)
    ]


# --- what it rests on


@pytest.mark.parametrize("seed", [2])
def test_one_cluster_of_any_usual_shape_is_cut_nowhere(seed):
    rng = random.Random(seed)
    shapes = {
        "normal": lambda: max(1 + 0.2 * rng.gauss(0, 1), 0.05),
        "lognormal": lambda: rng.lognormvariate(0, 0.5),
        "uniform": lambda: rng.uniform(0.5, 1.5),
        "exponential": lambda: 1 + rng.expovariate(1),
    }
    for name, draw in shapes.items():
        for count in (14, 40, 200):
            cut = sum(bool(clusters([draw() for _ in range(count)], FEWEST_FOR_INTERVAL)) for _ in range(200))
            assert cut <= 200 * 0.04, (name, count)


def test_pairs_are_counted_as_all_of_them_would_be():
    ones, others = [1.0, 2.0, 5.0], [1.0, 3.0]
    counted = sum((one > other) + 0.5 * (one == other) for one in ones for other in others)
    assert above_share(ones, others) == counted / 6
    assert above_share([2.0], [1.0]) == 1
    with pytest.raises(ValueError, match="nothing"):
        above_share([], [1.0])
