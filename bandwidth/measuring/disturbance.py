"""What disturbed the blocks of a case, as shares: worked out from what was counted before and behind each block."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from bandwidth.machine.conditions import Activity
from bandwidth.results import Observed
from bandwidth.statistics import median

# The shares are kept to a hundredth of a percent: the kernel's ticks do not tell that much.
DIGITS = 4
# What the kernel counts in ticks of 10 ms is known where all blocks together lasted so long, over all CPUs.
LEAST_S = 0.1

# A CPU that works through a block is counted half a tick too much or too little (one standard deviation at most), so
# that others' work is the difference of two counts, of which one is coarse: below three deviations it is none.
TICK_ERROR_S = 0.005
TICK_DEVIATIONS = 3.0

_Part = Callable[[Activity], tuple[float | None, float | None]]


def disturbances(blocks: Sequence[Activity]) -> dict[str, Observed]:
    """Return what is known of a case's blocks: `others_cpu_share`, `steal_share`, `cpu_wait_share`,
    `cpu_pressure_share` and `involuntary_switches` (see `Result`).

    The middle of a share is that of all blocks together: a block lasts a few of the kernel's ticks only. A share is
    known for all blocks or is left out.
    """
    found = {name: _share([part(block) for block in blocks], least_s) for name, (part, least_s) in _PARTS.items()}
    others = found["others_cpu_share"]
    if others is not None and others.median <= _told_by_ticks(blocks):
        found["others_cpu_share"] = replace(others, median=0.0)
    found["involuntary_switches"] = _count([block.switches for block in blocks])
    return {name: seen for name, seen in found.items() if seen is not None}


def _share(parts: Sequence[tuple[float | None, float | None]], least_s: float) -> Observed | None:
    known = [(part, whole) for part, whole in parts if part is not None and whole is not None]
    whole = sum(whole for _, whole in known)
    if not parts or len(known) < len(parts) or whole <= least_s:
        return None
    shares = tuple(round(_bounded(part, whole), DIGITS) for part, whole in known)
    middle = round(_bounded(sum(part for part, _ in known), whole), DIGITS)
    return seen(shares, len(parts), middle)


def seen(values: Sequence[float], blocks: int, middle: float | None = None) -> Observed:
    """Return the middle (their median, unless it is given) and the ends of what blocks showed.

    Each block's own is kept where all blocks have one and they are not all alike.
    """
    kept = tuple(values) if len(values) == blocks and min(values) < max(values) else ()
    return Observed(median(values) if middle is None else middle, min(values), max(values), kept)


def _told_by_ticks(blocks: Sequence[Activity]) -> float:
    """Return the share of others that the kernel's coarse ticks may show where there are none."""
    busy_cpus = sum((block.busy_s or 0.0) / block.wall_s for block in blocks if block.wall_s > 0)
    whole_s = sum(block.total_s or 0.0 for block in blocks)
    return TICK_DEVIATIONS * TICK_ERROR_S * math.sqrt(busy_cpus) / whole_s if whole_s > 0 else 0.0


def _bounded(part: float, whole: float) -> float:
    """Return a share between 0 and 1: two counters are never read at one moment."""
    return min(max(part / whole, 0.0), 1.0) if whole > 0 else 0.0


def _count(counts: Sequence[int | None]) -> Observed | None:
    known = [float(count) for count in counts if count is not None]
    return seen(known, len(counts)) if known and len(known) == len(counts) else None


def _others(block: Activity) -> tuple[float | None, float | None]:
    return None if block.busy_s is None else block.busy_s - block.own_s, block.total_s


def _steal(block: Activity) -> tuple[float | None, float | None]:
    """Return it as a part of the time in which CPUs had work: an idle CPU has nothing that could be taken."""
    return block.steal_s, None if block.busy_s is None or block.steal_s is None else block.busy_s + block.steal_s


def _waits(block: Activity) -> tuple[float | None, float | None]:
    return block.waited_s, None if block.ran_s is None or block.waited_s is None else block.ran_s + block.waited_s


def _stalls(block: Activity) -> tuple[float | None, float | None]:
    return block.stalled_s, block.wall_s


_PARTS: dict[str, tuple[_Part, float]] = {
    "others_cpu_share": (_others, LEAST_S),
    "steal_share": (_steal, LEAST_S),
    "cpu_wait_share": (_waits, 0.0),
    "cpu_pressure_share": (_stalls, LEAST_S),
}
