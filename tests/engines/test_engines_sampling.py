"""When a block is long enough, and when a case has been sampled enough."""

from hypothesis import given
from hypothesis import strategies as st

from bandwidth.engines.sampling import (
    LEAST_BLOCK_S,
    LONGEST_LEAST_BLOCK_S,
    MOST_CALLS,
    calls_for_block,
    is_precise,
    least_block_s,
)


def test_block_is_twenty_milliseconds_with_a_fine_clock():
    assert least_block_s(1e-9) == LEAST_BLOCK_S


def test_block_is_a_hundred_steps_of_a_coarse_clock():
    assert least_block_s(0.001) == 0.1


def test_block_never_grows_beyond_a_second():
    assert least_block_s(1.0) == LONGEST_LEAST_BLOCK_S


def test_long_block_keeps_its_calls():
    assert calls_for_block(0.5, 3, 0.02) == 3


def test_short_block_gets_enough_calls_with_a_margin():
    assert calls_for_block(0.010, 10, 0.020) == 22


def test_calls_grow_at_most_tenfold_at_a_time():
    assert calls_for_block(1e-6, 1, 0.02) == 10


def test_calls_grow_for_a_block_of_no_time():
    assert calls_for_block(0.0, 4, 0.02) == 40


@given(st.floats(0, 0.0199), st.integers(1, MOST_CALLS - 1))
def test_calls_of_a_short_block_always_grow_and_stay_bounded(seconds, calls):
    assert calls < calls_for_block(seconds, calls, 0.02) <= MOST_CALLS


def test_six_samples_within_one_percent_are_precise():
    assert is_precise([1.0, 1.002, 0.998, 1.004, 0.996, 1.001])


def test_one_sample_far_away_among_six_is_not_precise():
    assert not is_precise([1.0, 1.002, 0.998, 1.004, 0.996, 1.05])


def test_far_samples_do_not_matter_once_there_are_many():
    assert is_precise([1.0, 1.001, 0.999] * 10 + [2.0, 0.5])


def test_five_samples_are_never_precise():
    assert not is_precise([1.0] * 5)
