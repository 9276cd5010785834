"""What a link's copies take by their size: a latency and a rate, as the line through their times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bandwidth.analysis.curves import FEWEST_POINTS, SizeCurve
from bandwidth.statistics import median

# The fit settles within a few steps; distances within this are noise.
MOST_FITTING_STEPS = 20
HUBER_MULTIPLE = 1.5
LEAST_DISTANCE = 0.005


@dataclass(frozen=True)
class TransferFit:
    """What a copy takes: `latency_s` before its first byte and then `bytes_per_s`.

    `worst` is the largest distance of a point from that, as a share of the point's time.
    """

    latency_s: float
    bytes_per_s: float
    worst: float


def transfer_fit(curve: SizeCurve) -> TransferFit | None:
    """Return the line through the times of a curve's copies, None where the points make none."""
    times = [
        (point.result.case.bytes_per_call, point.result.case.bytes_per_call / point.summary.median_bytes_per_s)
        for point in curve.points
        if point.summary.median_bytes_per_s
    ]
    return fit_transfer(times)


def fit_transfer(times: Sequence[tuple[float, float]]) -> TransferFit | None:
    """Return the line time = latency + bytes / rate through pairs of bytes and seconds; None where there is none.

    The squares of relative distances are made least, so that 4 KiB count as much as 1 GiB, and points that lie far
    off count less (Huber's weights, by the median distance): a size at which a driver changes its way moves nothing.
    """
    if len({size for size, _ in times}) < FEWEST_POINTS:
        return None
    weights = [1.0] * len(times)
    latency = slope = 0.0
    for _ in range(MOST_FITTING_STEPS):
        found = _line(times, weights)
        if found is None:
            return None
        latency, slope = found
        off = [abs(latency + slope * size - seconds) / seconds for size, seconds in times]
        limit = max(HUBER_MULTIPLE * median(off), LEAST_DISTANCE)
        weights = [1.0 if distance <= limit else limit / distance for distance in off]
    if slope <= 0 or latency < -LEAST_DISTANCE * min(seconds for _, seconds in times):
        return None
    latency = max(latency, 0.0)
    worst = max(abs(latency + slope * size - seconds) / seconds for size, seconds in times)
    return TransferFit(latency, 1 / slope, worst)


def _line(times: Sequence[tuple[float, float]], weights: Sequence[float]) -> tuple[float, float] | None:
    """Return latency and seconds a byte of the line with the least weighted squares of relative distances."""
    # Each distance is divided by its time: 1 = latency x (1 / t) + slope x (n / t).
    rows = [(weight, 1 / seconds, size / seconds) for weight, (size, seconds) in zip(weights, times, strict=True)]
    uu = sum(w * u * u for w, u, _ in rows)
    uv = sum(w * u * v for w, u, v in rows)
    vv = sum(w * v * v for w, _, v in rows)
    u1, v1 = sum(w * u for w, u, _ in rows), sum(w * v for w, _, v in rows)
    determinant = uu * vv - uv * uv
    if determinant <= 1e-12 * uu * vv:
        return None
    return (u1 * vv - v1 * uv) / determinant, (v1 * uu - u1 * uv) / determinant
