"""Work that is done once for each object: not again while that lives, and dropped with it."""

from __future__ import annotations

import gc
import json
import weakref

import pytest

from bandwidth.results import Examination, files, summarise
from bandwidth.results.summary import chain_curves, once_each, rates_bytes_per_s
from bandwidth.statistics import median, median_interval, repeat_interval


class Thing:
    """As records are: equal to another of the same content, and without a hash."""

    __hash__ = None

    def __eq__(self, other):
        return isinstance(other, Thing)


def test_it_is_done_once_for_each_object_however_alike_they_are():
    asked = []
    found = once_each(lambda thing: asked.append(id(thing)) or len(asked))
    one, other = Thing(), Thing()
    assert [found(one), found(other), found(one), found(other)] == [1, 2, 1, 2]
    assert asked == [id(one), id(other)]


def test_what_was_found_goes_with_its_object():
    class Value:
        pass

    found = once_each(lambda thing: Value())
    for _ in range(100):  # the next often stands where the last one stood, and is another
        thing = Thing()
        kept = weakref.ref(found(thing))
        assert kept() is found(thing)
        del thing
        gc.collect(0)
        assert kept() is None


@pytest.fixture
def chains(make_case, make_result):
    """Return a latency of so many chains at once, at so many nanoseconds a load."""

    def build(count, ns, **variant):
        variant["chains"] = f"{count}-chains"
        case = make_case(path="latency", engine="native", bytes_per_call=8 * 1000, variant=variant)
        return make_result(case, (ns * 1e-6,) * 6)

    return build


def test_lines_under_way_are_the_latency_over_the_time_of_a_load(chains):
    (curve,) = chain_curves([chains(32, 4.0), chains(1, 96.0), chains(8, 12.0)])
    assert [point.result.case.chains for point in curve.points] == [1, 8, 32]
    assert [round(point.lines, 6) for point in curve.points] == [1.0, 8.0, 24.0]
    assert curve.most_lines == pytest.approx(24.0)


def test_chains_without_the_single_one_or_of_two_cores_make_no_curve(chains, make_result):
    assert chain_curves([chains(2, 48.0), chains(8, 12.0), chains(32, 4.0)]) == ()
    assert chain_curves([chains(1, 96.0), chains(8, 12.0)]) == ()
    kinds = [chains(count, 96.0 / count, cores=kind) for kind in ("fast", "slow") for count in (1, 2, 4)]
    assert len(chain_curves([*kinds, make_result()])) == 2


def test_a_number_of_chains_that_is_none_is_one_chain(make_case):
    odd = ("x", "", "-3-chains", "1e9", "0-chains", 7)
    assert [make_case(variant={"chains": text}).chains for text in odd] == [1, 1, 1, 1, 1, 7]


# --- memory layouts

BLOCKS = (1.0, 1.02, 0.99, 1.01, 0.98, 1.0)


def on_layouts(make_result, *shares):
    """Return a result of six blocks on each layout, whose rates are so many times lower."""
    seconds = tuple(0.02 * share * block for share in shares for block in BLOCKS)
    return make_result(seconds=seconds, layouts=tuple(at for at in range(1, len(shares) + 1) for _ in BLOCKS))


def test_the_interval_is_that_of_layouts_where_they_differ_by_more_than_blocks_do(make_result):
    result = on_layouts(make_result, 1.0, 1.15, 1.3, 1.07)
    rates, summary = rates_bytes_per_s(result), summarise(result)
    middles = [median(rates[start : start + 6]) for start in range(0, 24, 6)]
    assert summary.layouts == 4
    assert (summary.ci95.low, summary.ci95.high) == (min(middles), max(middles))
    assert summary.median_bytes_per_s == median(rates)


def test_the_interval_of_many_layouts_does_not_grow_with_their_number(make_result):
    shares = [1.0 + 0.05 * (at * 7 % 11) for at in range(22)]
    summary = summarise(on_layouts(make_result, *shares))
    few = summarise(on_layouts(make_result, *shares[:11]))
    assert (few.layouts, summary.layouts) == (11, 22)
    assert few.ci95.low <= summary.ci95.low < summary.median_bytes_per_s < summary.ci95.high <= few.ci95.high
    assert summary.half_width < 0.2


def test_the_interval_is_that_of_blocks_where_layouts_are_alike_or_too_few(make_result):
    seconds = on_layouts(make_result, 1.0, 1.15, 1.3).samples.seconds
    alike = [
        on_layouts(make_result, 1.0, 1.0, 1.001),
        on_layouts(make_result, 1.0, 1.2),
        make_result(seconds=seconds),
        make_result(seconds=seconds, layouts=(1, *range(1, 18))),  # a block on each
    ]
    for result in alike:
        summary = summarise(result)
        assert (summary.layouts, summary.ci95) == (0, median_interval(rates_bytes_per_s(result)))


def test_layouts_are_kept_in_a_file_and_left_out_where_there_was_one(make_record, make_result):
    result = on_layouts(make_result, 1.0, 1.2, 1.3)
    text = files.record_text(make_record(result), Examination({}, ()))
    assert files.parse(text, "a test").results == (result,)
    assert "layouts" not in files.record_text(make_record(make_result()), Examination({}, ()))


# --- earlier runs

STEADY = (0.02,) * 8


def test_with_three_earlier_runs_the_interval_is_from_run_to_run(make_result, make_case):
    earlier = (0.0202, 0.0198, 0.0204)
    alone, known = (
        summarise(make_result(seconds=STEADY)),
        summarise(make_result(seconds=STEADY, earlier_s_per_call=earlier)),
    )
    assert (alone.run_to_run, alone.earlier_runs, alone.reported) == (None, 0, alone.ci95)
    assert known.reported == known.run_to_run
    assert known.earlier_runs == 3
    assert known.ci95 == alone.ci95
    rate = make_case().bytes_per_call / 0.02
    expected = repeat_interval(rate, [make_case().bytes_per_call / seconds for seconds in earlier])
    assert (known.run_to_run.low, known.run_to_run.high) == pytest.approx((expected.low, expected.high))
    assert known.reach == pytest.approx(expected.high / rate - 1)
    assert known.half_width == 0.0


def test_the_interval_from_run_to_run_is_no_narrower_than_that_of_the_run(make_result):
    blocks = (0.018, 0.019, 0.02, 0.02, 0.021, 0.022)
    summary = summarise(make_result(seconds=blocks, earlier_s_per_call=(0.02, 0.02, 0.02)))
    assert (summary.run_to_run.low, summary.run_to_run.high) == (summary.ci95.low, summary.ci95.high)


def test_runs_in_another_state_of_the_machine_are_no_noise(make_result):
    """CPUs near each other and far apart: twice the rate."""
    near, far = (0.0202, 0.0198, 0.0201), (0.0101, 0.0100, 0.0099, 0.0102)
    both = summarise(make_result(seconds=STEADY, earlier_s_per_call=(*far, *near)))
    assert both.earlier_runs == 3
    assert both.run_to_run == summarise(make_result(seconds=STEADY, earlier_s_per_call=near)).run_to_run
    assert summarise(make_result(seconds=STEADY, earlier_s_per_call=(*far, *near[:2]))).run_to_run is None


def test_below_six_blocks_earlier_runs_make_no_interval(make_result):
    assert summarise(make_result(seconds=STEADY[:5], earlier_s_per_call=(0.02, 0.021, 0.02))).reported is None


def test_a_latency_has_it_in_nanoseconds(make_case, make_result):
    case = make_case(path="latency", engine="native", bytes_per_call=8 * 1000)
    result = make_result(case, (90e-6,) * 8, earlier_s_per_call=(91e-6, 89e-6, 92e-6))
    latency, expected = summarise(result).latency, repeat_interval(90.0, (91.0, 89.0, 92.0))
    assert (latency.run_to_run_ns.low, latency.run_to_run_ns.high) == pytest.approx((expected.low, expected.high))
    assert summarise(result).reported == latency.reported_ns == latency.run_to_run_ns
    assert summarise(result).earlier_runs == 3


def test_a_file_has_the_earlier_runs_and_the_interval_is_worked_out_anew(make_record, make_result):
    record = make_record(make_result(seconds=STEADY, earlier_s_per_call=(0.0202, 0.0198, 0.0204)))
    told = files.record_to_json(record, Examination({}, ()))
    (result,) = told["results"]
    summary = summarise(record.results[0])
    assert result["earlier_s_per_call"] == [0.0202, 0.0198, 0.0204]
    assert result["run_to_run_bytes_per_s"] == [summary.run_to_run.low, summary.run_to_run.high]
    result["run_to_run_bytes_per_s"] = [1.0, 2.0]  # nobody's word is taken for it
    loaded = files.parse(json.dumps(told), "a test")
    assert loaded == record
    assert summarise(loaded.results[0]).run_to_run == summary.run_to_run
    (alone,) = files.record_to_json(make_record(make_result()), Examination({}, ()))["results"]
    assert not {"earlier_s_per_call", "run_to_run_bytes_per_s"} & set(alone)
