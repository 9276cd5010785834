"""Records side by side: matched by id and nothing else, ratios and noise worked out by hand."""

from __future__ import annotations

import pytest

from bandwidth import BandwidthError, compare
from bandwidth.statistics import Interval


@pytest.fixture(scope="module")
def run(make_record, make_case, make_result):
    """Return a record of one result a keyword: `run(copy=(10, 11))` has these rates in bytes per second."""

    def build(*, failed=(), **rates):
        return make_record(
            *(
                make_result(
                    make_case(path=path, bytes_per_call=1),
                    tuple(1 / rate for rate in values),
                    failure="wrong" if path in failed else "",
                )
                for path, values in rates.items()
            )
        )

    return build


def test_ratios_are_to_the_reference(run):
    (one,) = compare(run(copy=(10.0,) * 6), run(copy=(20.0,) * 6))
    assert one.id == "host/copy/numpy/1"
    assert one.ratios == (1.0, 2.0)
    (other,) = compare(run(copy=(10.0,) * 6), run(copy=(20.0,) * 6), reference=1)
    assert other.ratios == (0.5, 1.0)


def test_three_records_against_the_middle_one(run):
    (found,) = compare(run(copy=(8.0,) * 6), run(copy=(16.0,) * 6), run(copy=(4.0,) * 6), reference=1)
    assert found.ratios == (0.5, 1.0, 0.25)
    assert found.differs == (True, False, True)


def test_the_interval_of_a_ratio_comes_from_the_ends_of_both(run):
    # Powers of two: 1/x and back are exact. Six samples: the interval is the least and the greatest.
    base, other = run(copy=(2.0, 4.0, 4.0, 4.0, 4.0, 8.0)), run(copy=(16.0, 32.0, 32.0, 32.0, 32.0, 64.0))
    (found,) = compare(base, other)
    assert found.ratios[1] == 8.0
    assert found.ratio_intervals[1] == Interval(16.0 / 8.0, 64.0 / 2.0)


@pytest.mark.parametrize(("least", "differs"), [(8.0, False), (8.5, True)])
def test_a_difference_needs_intervals_without_a_common_value(run, least, differs):
    base, other = run(copy=(4.0, 4.0, 4.0, 4.0, 4.0, 8.0)), run(copy=(least, 16.0, 16.0, 16.0, 16.0, 16.0))
    assert compare(base, other)[0].differs == (False, differs)
    assert compare(other, base)[0].differs == (False, differs)


def test_below_six_samples_nothing_is_said_of_noise(run):
    (found,) = compare(run(copy=(4.0,) * 6), run(copy=(8.0,) * 5))
    assert found.ratios == (1.0, 2.0)
    assert found.ratio_intervals == (Interval(1.0, 1.0), None)
    assert found.differs == (False, None)


def test_ids_stand_as_they_first_appear_and_a_missing_one_has_nothing(run):
    found = compare(run(read=(4.0,) * 6, copy=(4.0,) * 6), run(write=(4.0,) * 6, copy=(2.0,) * 6))
    assert [one.id.split("/")[1] for one in found] == ["read", "copy", "write"]
    assert [one.ratios for one in found] == [(1.0, None), (1.0, 0.5), (None, None)]
    assert [one.differs for one in found] == [(False, None), (False, True), (None, None)]
    assert [[summary is None for summary in one.summaries] for one in found] == [
        [False, True],
        [False, False],
        [True, False],
    ]


def test_an_unverified_result_has_no_ratio(run):
    (found,) = compare(run(copy=(4.0,) * 6), run(copy=(8.0,) * 6, failed=("copy",)))
    assert found.ratios == (1.0, None)
    (found,) = compare(run(copy=(8.0,) * 6, failed=("copy",)), run(copy=(4.0,) * 6))
    assert (found.ratios, found.differs) == ((None, None), (None, None))


def test_threads_engines_and_variants_are_never_joined(make_record, make_case, make_result):
    cases = [make_case(), make_case(threads=2), make_case(engine="native"), make_case(variant={"stores": "streaming"})]
    records = [make_record(make_result(case)) for case in cases]
    assert [one.id for one in compare(*records)] == [case.id for case in cases]


def test_what_else_a_case_says_does_not_keep_it_apart(make_record, make_case, make_result):
    small, large = make_case(working_set_bytes=4096, dram_rule_bytes=None), make_case(cpus=(7,))
    (found,) = compare(make_record(make_result(small)), make_record(make_result(large)))
    assert found.ratios[1] == pytest.approx(256 * 1024**2 / 4096)


def test_records_without_results_compare_to_nothing(make_record):
    assert compare(make_record(), make_record()) == ()


def test_one_record_or_a_reference_that_is_not_there_is_refused(run):
    one = run(copy=(1.0,))
    for records in ((), (one,)):
        with pytest.raises(BandwidthError, match="needs two records"):
            compare(*records)
    for reference in (-1, 2):
        with pytest.raises(BandwidthError, match=rf"there is no record {reference}; choose 0 to 1"):
            compare(one, one, reference=reference)


def test_latencies_are_compared_by_their_times(make_record, make_case, make_result):
    case = make_case(path="latency", engine="native", bytes_per_call=8, payload_bytes_per_call=8)
    base, other = (make_record(make_result(case, (seconds,) * 6)) for seconds in (1e-7, 1.5e-7))
    (found,) = compare(base, other)
    assert found.ratios == pytest.approx((1.0, 1.5))
    assert found.differs == (False, True)
    assert found.ratio_intervals[1] == Interval(pytest.approx(1.5), pytest.approx(1.5))
