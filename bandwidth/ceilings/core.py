"""What one core can wait for at a time: by Little's law it reads no more than its lines in flight a latency."""

from __future__ import annotations

from bandwidth.catalog.limits import LinesInFlight, Microarchitecture
from bandwidth.ceilings.bounds import Host, Seen, SeenLatency, gb_s, lower
from bandwidth.results import Case, Ceiling
from bandwidth.vocabulary import LOW, MEDIUM, Confidence

_NS_PER_S = 1e9


def core_ceiling(case: Case, host: Host, seen: Seen) -> Ceiling | None:
    """Return the lines that a case's cores keep in flight behind their L2, over the memory's latency.

    The latency is the run's where it was measured, else the typical one of the line. Of medium confidence is only what
    rests on a latency without page walks. None where lines or latency are not known, or the case reads nothing: the
    lines of the L1 alone are no ceiling, as the L2's prefetches come on top.
    """
    traffic, designs = host.traffic(case), host.designs_of(case)
    if traffic is None or not case.meets_dram_rule or not designs:
        return None
    parts = [_part(design, count, host, seen.latency(case)) for design, count in designs.items()]
    known = [part for part in parts if part is not None]
    rate = traffic.most(read=sum(bytes_per_s for bytes_per_s, *_ in known)) if len(known) == len(parts) else None
    if rate is None:
        return None
    working = " + ".join(text for _, text, _, _ in known)
    confidence: Confidence = MEDIUM
    for *_, one in known:
        confidence = lower(confidence, one)
    total = gb_s(sum(bytes_per_s for bytes_per_s, *_ in known))
    source = "; ".join(dict.fromkeys(lines.source for _, _, lines, _ in known))
    return Ceiling("core", rate, f"{working} = {total}{traffic.words}", source, confidence)


def _part(
    design: Microarchitecture, count: int, host: Host, latency: SeenLatency | None
) -> tuple[float, str, LinesInFlight, Confidence] | None:
    """Return what some cores of one design read, its working, the table's line and how sure it is."""
    lines = host.catalog.limits.lines_in_flight.get(design.name)
    if lines is None or lines.l2 is None:
        return None
    ns = lines.latency_ns if latency is None else latency.ns
    if ns is None:
        return None
    which = "measured" if latency is not None else "typical"
    cores = "1 core" if count == 1 else f"{count} cores"
    text = f"{lines.l2:g} lines x {design.line_bytes} B / {ns:.4g} ns ({which}) x {cores}"
    confidence = lines.confidence if latency is not None and latency.is_pure else LOW
    return lines.l2 * design.line_bytes * count / ns * _NS_PER_S, text, lines, confidence
