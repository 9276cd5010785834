"""The states that a machine was in while the blocks of a case ran, told apart by what was seen of its threads' cores.

Rates that fall into groups are no groups by themselves: noise makes any number of them. So the blocks are parted by a
witness, which knows nothing of the rates, and are regimes only where the rates then lie apart too. Each has an interval
of its own: that of the mixture means nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from bandwidth.results.model import Ceiling, Result
from bandwidth.results.summary import once_each, rates_bytes_per_s
from bandwidth.statistics import (
    CLUSTERS_RATIO,
    FEWEST_FOR_INTERVAL,
    GROUPS_RATIO,
    Interval,
    above_share,
    clusters,
    median,
    median_interval,
    two_groups,
)

# How long a word takes from core to core tells where the threads are; what all add, whether each has a core.
CORE_TO_CORE, EFFECTIVE_CORES = WITNESSES = ("core_to_core_ns", "effective_cores")
# A word that took longer than this did not go from core to core: one of its threads had no CPU. Sockets are less than a
# microsecond apart.
NOT_SIDE_BY_SIDE_NS = 50_000.0
# A witness goes with the rate where blocks of one regime are the faster in this share of all pairs, one of either.
AGREES = 0.9
FABRIC = "fabric"


@dataclass(frozen=True)
class Regime:
    """Some blocks of a result, by their places, and what they had in common.

    `seen` is the median of the witness over them; `ceiling` what bound them at most in that state, None where none is
    known that is more than a guess.
    """

    places: tuple[int, ...]
    seen: float
    median_bytes_per_s: float
    ci95: Interval
    ceiling: Ceiling | None = None

    @property
    def share(self) -> float | None:
        """The median over the ceiling."""
        return None if self.ceiling is None else self.median_bytes_per_s / self.ceiling.bytes_per_s


@dataclass(frozen=True)
class Regimes:
    """The regimes of a result, the slowest first, the `witness` that tells them apart, and how many blocks it has.

    Blocks that are in none are those in which the witness changed.
    """

    witness: str
    regimes: tuple[Regime, ...]
    blocks: int

    @property
    def best(self) -> Regime:
        """The fastest one: what the machine can do."""
        return self.regimes[-1]

    @property
    def unassigned(self) -> int:
        """How many blocks belong to none."""
        return self.blocks - sum(len(one.places) for one in self.regimes)


@once_each
def regimes_of(result: Result) -> Regimes | None:
    """Return the regimes of a result, None where no witness parts its blocks into any.

    The first of WITNESSES that parts them counts. Each regime has six blocks at least: fewer have no interval.
    """
    if not result.is_verified or result.case.is_latency:
        return None
    rates = rates_bytes_per_s(result)
    for name in WITNESSES:
        seen = witness_by_block(result, name)
        known = [place for place, value in enumerate(seen) if value is not None]
        groups = list(_parted(known, seen, rates))
        if len(groups) > 1:
            found = sorted((_regime(group, seen, rates) for group in groups), key=lambda one: one.median_bytes_per_s)
            if all(slow.ci95.high < fast.ci95.low for slow, fast in pairwise(found)):
                return Regimes(name, _with_ceilings(result, name, found), len(rates))
    return None


def is_mixture(result: Result) -> bool:
    """Return whether the blocks of a result are of several rates, whatever tells why."""
    return regimes_of(result) is not None or two_groups(result.samples.seconds) is not None


def witness_by_block(result: Result, name: str) -> tuple[float | None, ...]:
    """Return what a witness told of each block, None where it changed in between or was not asked.

    It is the middle of what was seen before and behind it, or the one that was seen where a thread had no CPU at the
    other.
    """
    blocks = len(result.samples.seconds)
    sides = [result.observed[key].values for key in (name, _behind(name)) if key in result.observed]
    if len(sides) < 2 or any(len(side) != blocks for side in sides):
        return (None,) * blocks
    most = NOT_SIDE_BY_SIDE_NS if name == CORE_TO_CORE else math.inf
    return tuple(_agreed([one for one in pair if 0 < one < most]) for pair in zip(*sides, strict=True))


def _behind(name: str) -> str:
    """Return the name of what a witness told behind each block."""
    return "core_to_core_behind_ns" if name == CORE_TO_CORE else f"{name}_behind"


def _agreed(seen: Sequence[float]) -> float | None:
    is_one = bool(seen) and max(seen) <= CLUSTERS_RATIO * min(seen)
    return sum(seen) / len(seen) if is_one else None


def _parted(places: Sequence[int], seen: Sequence[float | None], rates: Sequence[float]) -> Iterator[tuple[int, ...]]:
    """Yield the groups that some blocks fall into by a witness and by their rates; all of them where they do not."""
    values = [value for place in places if (value := seen[place]) is not None]
    for low, high in clusters(values, FEWEST_FOR_INTERVAL):
        sides = [tuple(places[at] for at in side) for side in (low, high)]
        if _are_apart(*([rates[place] for place in side] for side in sides)):
            for side in sides:
                yield from _parted(side, seen, rates)
            return
    yield tuple(places)


def _are_apart(ones: Sequence[float], others: Sequence[float]) -> bool:
    share, ratio = above_share(ones, others), median(ones) / median(others)
    return max(share, 1 - share) >= AGREES and max(ratio, 1 / ratio) >= GROUPS_RATIO


def _regime(places: Sequence[int], seen: Sequence[float | None], rates: Sequence[float]) -> Regime:
    own = [rates[place] for place in places]
    interval = median_interval(own)
    if interval is None:
        raise AssertionError("no cluster has fewer blocks than an interval needs")
    return Regime(tuple(places), median([seen[place] or 0.0 for place in places]), median(own), interval)


# --- the ceiling of each --------------------------------------------------------------------------------------------


def _with_ceilings(result: Result, witness: str, regimes: Sequence[Regime]) -> tuple[Regime, ...]:
    """Return the regimes with the lowest ceiling of each that is not of low confidence.

    Where the fabric's is a range, because the places of the CPUs cannot be seen, its lower end is that of two threads
    whose cores are nearest to each other. More threads may be on any number of chiplets; and a regime that exceeds the
    lower end was not on one.
    """
    nearest = min(regimes, key=lambda one: one.seen) if witness == CORE_TO_CORE and result.case.threads == 2 else None
    return tuple(replace(one, ceiling=_ceiling(result, one, is_nearest=one is nearest)) for one in regimes)


def _ceiling(result: Result, regime: Regime, *, is_nearest: bool) -> Ceiling | None:
    binding = result.binding
    fabric = next((one for one in result.ceilings if one.kind == FABRIC), None)
    least = None if fabric is None or not is_nearest else fabric.least_bytes_per_s
    if fabric is None or least is None or regime.median_bytes_per_s > least:
        return binding
    at_least = replace(fabric, bytes_per_s=least, least_bytes_per_s=None)
    return at_least if binding is None or least < binding.bytes_per_s else binding
