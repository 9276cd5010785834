"""What the levels of the caches give a core: bytes a cycle, at the clock that was seen in the run."""

from __future__ import annotations

from collections.abc import Sequence

from bandwidth.catalog.limits import CORE_CLOCK, CacheWidth, Microarchitecture
from bandwidth.ceilings.bounds import Host, Traffic, gb_s, lower, stores_past_caches, traffic_of
from bandwidth.kernels import CACHE_MULTIPLE
from bandwidth.results import Case, Ceiling
from bandwidth.units import format_size
from bandwidth.vocabulary import LOW, MEDIUM, Confidence

_FIRST = "L1"


def cache_ceiling(case: Case, host: Host, clock_hz: float | None) -> Ceiling | None:
    """Return what the caches that hold a case's data give its cores; None where a width or the clock is not known.

    The data's level is the first whose caches hold all of it; where its width is not known, that of the next level
    inside, through which the data comes. The levels inside bind too, and the lowest counts. What a level inside may
    keep of the data is taken off while the data is less than 4 times as large. Stores past the caches have no ceiling
    here, only the loads beside them.
    """
    if case.is_latency or case.meets_dram_rule or clock_hz is None:
        return None
    designs, sizes = host.designs_of(case), _levels(case)
    if not designs or not sizes:
        return None
    data_level = next((level for level, size in sizes if case.working_set_bytes <= size), sizes[-1][0])
    inside = [level for level, _ in sizes if level <= data_level]
    found = [_of_level(case, host, designs, level, clock_hz) for level in reversed(inside)]
    known = [ceiling for ceiling in found if ceiling is not None]
    return min(known, key=lambda ceiling: ceiling.bytes_per_s, default=None)


def _levels(case: Case) -> list[tuple[str, int]]:
    """Return the levels that a case's cores reach, with what they hold in all, the innermost first."""
    return sorted((level, size) for level, size in case.caches.items())


def _of_level(
    case: Case, host: Host, designs: dict[Microarchitecture, int], level: str, clock_hz: float
) -> Ceiling | None:
    traffic = _traffic(case, level)
    widths = [(host.catalog.limits.cache_widths.get((design.name, level)), count) for design, count in designs.items()]
    known = [(width, count) for width, count in widths if width is not None]
    if traffic is None or len(known) < len(widths):
        return None
    cycle = _bytes_a_cycle(case, traffic, known)
    if cycle is None:
        return None
    passing, kept = _passing_share(case, level)
    confidence: Confidence = MEDIUM
    for width, _ in known:
        confidence = lower(confidence, width.confidence if width.clock == CORE_CLOCK else LOW)
    working = f"{level}: {_words(known)} x {clock_hz / 1e9:.3g} GHz{_clock_words(known)}{traffic.words}{kept}"
    rate = cycle * clock_hz / passing
    source = "; ".join(dict.fromkeys(width.source for width, _ in known))
    return Ceiling("cache", rate, f"{working} = {gb_s(rate)}", source, confidence)


def _traffic(case: Case, level: str) -> Traffic | None:
    """Return what a case moves to and from a level: an ordinary store finds its line in the L1 and reads it else."""
    return traffic_of(case, allocates=level != _FIRST)


def _bytes_a_cycle(case: Case, traffic: Traffic, widths: Sequence[tuple[CacheWidth, int]]) -> float | None:
    """Return the bytes counted a cycle of all cores together; None where a width that counts is not known."""
    total = 0.0
    for width, count in widths:
        if stores_past_caches(case):
            most = traffic.most(read=width.load)
        elif traffic.write and width.store is None:
            most = None
        else:
            most = traffic.most(width.load, width.store, width.total)
        if most is None:
            return None
        total += most * count
    return total


def _passing_share(case: Case, level: str) -> tuple[float, str]:
    """Return the share of the data that has to come from a level or beyond, and how that stands in a working."""
    inside = max((size for name, size in _levels(case) if name < level), default=0)
    size = case.working_set_bytes
    if not inside < size < CACHE_MULTIPLE * inside:
        return 1.0, ""
    return 1 - inside / size, f"; {format_size(inside)} of {format_size(size)} may stay in the level below it"


def _words(widths: Sequence[tuple[CacheWidth, int]]) -> str:
    parts = []
    for width, count in widths:
        ways = [f"{value:g} B {name}" for value, name in ((width.load, "loaded"), (width.store, "stored")) if value]
        shared = f" ({width.total:g} B in all)" if width.total else ""
        parts.append(f"{' and '.join(ways)} a cycle{shared} x {'1 core' if count == 1 else f'{count} cores'}")
    return " + ".join(parts)


def _clock_words(widths: Sequence[tuple[CacheWidth, int]]) -> str:
    is_own = all(width.clock == CORE_CLOCK for width, _ in widths)
    return "" if is_own else ", with the core's clock, because the cache's clock cannot be read"
