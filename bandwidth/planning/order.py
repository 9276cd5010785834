"""The order in which cases are measured: a coarse pass over all levels of every curve first, finer ones while time
remains.

This is the one place where it is decided. What stands in a record and a table is ordered there, by size and threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise, zip_longest

from bandwidth.analysis.curves import MEMORY
from bandwidth.analysis.plateaus import level_well_inside
from bandwidth.results import Case
from bandwidth.vocabulary import SWEEP_POINT

# Cases along one axis (sizes, threads, loads, chains), from its low end to its high one; a case by itself is one too.
Curve = Sequence[Case]


def coarse_first(curves: Iterable[Curve]) -> list[Case]:
    """Return the cases of all curves, each once, so that what a short budget leaves out lies between other points.

    The first pass over a curve of sizes takes memory and each cache, the largest first; the second one more size of
    each cache, so that their plateaus can be named. Then come the ends, the middle, the quarters and so on, as from
    the start in a curve over anything else. A pass goes over all curves before the next begins; what stands by itself
    is in the first.
    """
    passes = [list(_passes(curve)) for curve in curves]
    ordered = chain.from_iterable(chain.from_iterable(zip_longest(*passes, fillvalue=())))
    return list({case.id: case for case in ordered}.values())


def apart(cases: Iterable[Case]) -> list[Curve]:
    """Return cases that stand by themselves as curves, the most important first."""
    return [(case,) for case in cases]


def _passes(curve: Curve) -> Iterator[list[Case]]:
    """Yield the cases of a curve, pass after pass, each where it comes first."""
    taken: set[str] = set()
    for wanted in chain(_by_levels(curve), _bisected(curve)):
        new = [case for case in wanted if case.id not in taken]
        taken.update(case.id for case in new)
        if new:
            yield new


def _by_levels(curve: Curve) -> Iterator[list[Case]]:
    """Yield the least size in memory with the middle one of each cache, and the largest that each cache well holds."""
    levels: dict[str, list[Case]] = {}
    for case in curve:
        level = level_well_inside(case) if SWEEP_POINT in case.variant else None
        if level is not None:
            levels.setdefault(level, []).append(case)
    memory = levels.pop(MEMORY, [])
    caches = list(reversed(levels.values()))
    yield [*memory[:1], *(inside[len(inside) // 2] for inside in caches)]
    yield [inside[-1] for inside in caches]


def _bisected(curve: Curve) -> Iterator[list[Case]]:
    """Yield the ends, then the middle, the quarters and so on, the largest of each first."""
    places = list(dict.fromkeys((0, len(curve) - 1))) if curve else []
    yield [curve[place] for place in reversed(places)]
    while middles := [(low + high) // 2 for low, high in pairwise(places) if high - low > 1]:
        yield [curve[place] for place in reversed(middles)]
        places = sorted((*places, *middles))
