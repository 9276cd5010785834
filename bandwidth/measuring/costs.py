"""What a case will cost, by what has run of its kind."""

from __future__ import annotations

import math
from collections.abc import Iterable

from bandwidth.results import Case

# What a case cost that has run: the seconds of one call, all that goes before and after its block included.
Ran = tuple[Case, float]


def guessed_call_s(case: Case, ran: Iterable[Ran]) -> float | None:
    """Return the seconds that one call of a case will take, None where nothing alike has run.

    The same work counts first (at another size, on another device), else whatever is of its kind; of those the one
    nearest in size, and of equals the slowest. More bytes take longer in proportion, fewer at most as long.
    """
    known = list(ran)
    for key in (_work, _kind):
        alike = [one for one in known if key(one[0]) == key(case)]
        if alike:
            nearest, call_s = min(alike, key=lambda one: (_distance(one[0], case), -one[1]))
            return call_s * max(case.bytes_per_call / nearest.bytes_per_call, 1.0)
    return None


def _work(case: Case) -> tuple[object, ...]:
    is_remote = case.variant.get("cpu_node") != case.variant.get("memory_node")
    return (*_kind(case), case.engine, case.path, case.variant.get("host_memory"), is_remote)


def _kind(case: Case) -> tuple[object, ...]:
    """Return what decides the order of magnitude: loads, passes or copies, of how many threads and devices."""
    target = case.kind
    return target, case.is_latency, case.threads, len(case.devices), "peer" in case.variant


def _distance(one: Case, other: Case) -> float:
    return abs(math.log(one.working_set_bytes / other.working_set_bytes))
