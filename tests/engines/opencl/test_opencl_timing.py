"""When the times that a device tells are believed, and when the host's clock counts."""

from __future__ import annotations

import pytest

from bandwidth.engines.opencl.driver import believed

S = 10**9


def timing(*own, host_s=1.0, one_device=True):
    return believed(own, host_s, 0.001, one_device=one_device)


def test_the_devices_times_count_from_the_first_begin_to_the_last_end():
    found = timing((5 * S, 5 * S + 960_000_000), host_s=1.0)
    assert (found.seconds, found.by_host, found.start_skew_s) == (pytest.approx(0.96), False, 0.0)
    both = timing((S, S + 400_000_000), (S + 100_000_000, S + 980_000_000))
    assert (both.seconds, both.start_skew_s) == (pytest.approx(0.98), 0.001)
    assert both.own_seconds == pytest.approx((0.4, 0.88))


@pytest.mark.parametrize(
    ("own", "host_s"),
    [
        (None, 0.001),  # none were told, or zero, or the end before the begin
        ((S, S + 24_000_000), 1.0),  # in units of another clock: 42 times too short
        ((S, S + 940_000_000), 1.0),  # 6 % apart
        ((S, S + 2 * S), 0.02),  # longer than the host waited
    ],
)
def test_times_that_cannot_be_believed_are_the_hosts_and_it_is_said(own, host_s):
    found = timing(own, host_s=host_s)
    assert (found.seconds, found.by_host) == (host_s, True)


def test_a_short_block_may_be_far_from_the_hosts_clock():
    assert timing((S, S + 10_000_000), host_s=0.04).by_host is False


def test_times_of_two_devices_are_not_compared():
    found = timing((S, S + 1), (77 * S, 78 * S), host_s=0.5, one_device=False)
    assert (found.seconds, found.by_host, found.own_seconds) == (0.5, False, ())
