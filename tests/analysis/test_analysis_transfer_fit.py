"""The line through the times of copies: found again where there is one, steady against a few points far off."""

from __future__ import annotations

import pytest

from bandwidth.analysis.transfer_fit import fit_transfer

LINK_SIZES = [4096 * 2**power for power in range(19)]


@pytest.mark.parametrize(("latency_s", "rate"), [(8e-6, 55e9), (1e-6, 3e9), (0.0, 25e9)])
def test_a_link_is_a_latency_and_a_rate(latency_s, rate):
    fit = fit_transfer([(size, latency_s + size / rate) for size in LINK_SIZES])
    assert fit.latency_s == pytest.approx(latency_s, abs=1e-12)
    assert fit.bytes_per_s == pytest.approx(rate, rel=1e-9)
    assert fit.worst < 1e-6


def test_a_few_points_far_off_move_a_fit_hardly():
    times = [(size, 8e-6 + size / 55e9) for size in LINK_SIZES]
    times[4] = (times[4][0], 3 * times[4][1])
    times[12] = (times[12][0], 2 * times[12][1])
    fit = fit_transfer(times)
    assert fit.latency_s == pytest.approx(8e-6, rel=0.05)
    assert fit.bytes_per_s == pytest.approx(55e9, rel=0.05)
    assert fit.worst > 0.4  # they are not passed over in silence


@pytest.mark.parametrize(
    "times",
    [
        [],
        [(4096, 1e-6)] * 5,
        [(4096, 1e-6), (8192, 2e-6)],
        [(4096, 3e-6), (8192, 2e-6), (16384, 1e-6)],
        [(4096, 1e-9), (8192, 1e-6), (16384, 1e-3), (32768, 1.0)],
    ],
)
def test_what_is_no_line_has_no_fit(times):
    assert fit_transfer(times) is None
