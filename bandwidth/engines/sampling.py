"""When a block is long enough and when a case has been sampled enough: pure rules over seconds."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from bandwidth.statistics import median, median_interval

# A block much longer than the clock's steps and the start of the threads; see METHOD in `bandwidth explain`.
LEAST_BLOCK_S = 0.020
CLOCK_STEPS_PER_BLOCK = 100
# The 95 % interval of the median within this share of it: enough for a figure of two digits and a bit.
PRECISION = 0.01
# A clock that steps by whole seconds would ask for blocks of minutes: such a clock is refused instead.
LONGEST_LEAST_BLOCK_S = 1.0
MOST_CALLS = 10**7
MOST_GROWTH = 10
MARGIN = 1.1
# No interval gets much narrower after so many blocks, and a record stays readable.
MOST_SAMPLES = 1000


def least_block_s(resolution_s: float | None = None) -> float:
    """Return the least length of a block in seconds: 20 ms, or 100 steps of the clock where that is longer."""
    step = time.get_clock_info("perf_counter").resolution if resolution_s is None else resolution_s
    return min(max(LEAST_BLOCK_S, CLOCK_STEPS_PER_BLOCK * step), LONGEST_LEAST_BLOCK_S)


def calls_for_block(seconds: float, calls: int, least_s: float) -> int:
    """Return how many calls fill a block, judged by one of `calls` that took `seconds`; at most ten times as many.

    The step is bounded because a first block is often slower than the next, and a short one is timed badly.
    """
    if seconds >= least_s:
        return calls
    if seconds * MOST_GROWTH <= least_s:
        return min(calls * MOST_GROWTH, MOST_CALLS)
    wanted = math.ceil(calls * least_s / seconds * MARGIN)
    return min(max(wanted, calls + 1), calls * MOST_GROWTH, MOST_CALLS)


def is_precise(seconds: Sequence[float]) -> bool:
    """Return whether the 95 % interval of the median rate lies within 1 % of it; six samples at least."""
    rates = [1 / value for value in seconds]
    interval = median_interval(rates)
    if interval is None:
        return False
    centre = median(rates)
    return interval.high - centre <= PRECISION * centre and centre - interval.low <= PRECISION * centre
