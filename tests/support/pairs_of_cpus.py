"""Results of a cache line between two CPUs, as a plan and a run would make them of times that a test says."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from measuring_support import small_topology

from bandwidth.planning.cases import Bench
from bandwidth.planning.pairs import CpuPair
from bandwidth.results import Observed, Result, Samples

BLOCKS = 8


def between(
    one: int,
    other: int,
    *times_ns: float,
    shared: str = "L3",
    failure: str = "",
    observed: Mapping[str, Observed] | None = None,
) -> Result:
    """Return the result of two CPUs between which a line took so many ns in each block; one time is that of eight."""
    case = Bench(small_topology(2), (), ()).core_to_core_case(CpuPair((one, other), shared))
    blocks = times_ns * BLOCKS if len(times_ns) == 1 else times_ns
    seconds = tuple(ns * 1e-9 * case.bytes_per_call / 8 for ns in blocks)
    return Result(case, Samples(seconds, 1, 0.0, "precision"), failure=failure, observed=observed or {})


def in_groups(
    *groups: tuple[int, ...], near: float = 40.0, far: float = 110.0, shared: str = "L3"
) -> dict[tuple[int, int], Result]:
    """Return all pairs of some CPUs, near within each group and far between them."""
    of = {cpu: number for number, group in enumerate(groups) for cpu in group}
    pairs = combinations(sorted(of), 2)
    return {pair: between(*pair, near if of[pair[0]] == of[pair[1]] else far, shared=shared) for pair in pairs}
