"""What one core can wait for at a time: by Little's law it reads no more than its lines in flight a latency."""

from __future__ import annotations

from bandwidth.catalog.limits import Microarchitecture
from bandwidth.ceilings.bounds import Host, Seen, SeenLatency, gb_s, lower
from bandwidth.results import Case, Ceiling
from bandwidth.vocabulary import LOW, MEDIUM, NS_PER_S, Confidence

BY_CHAINS = "chains of loads in this run (--chains), without the prefetchers that help sequential reads"


def core_ceiling(case: Case, host: Host, seen: Seen) -> Ceiling | None:
    """Return the lines that a case's cores keep in flight behind their L2, over the memory's latency.

    The latency is the run's where it was measured, else the typical one of the line. Of medium confidence is only what
    rests on a latency without page walks. None where lines or latency are not known, or the case reads nothing: the
    lines of the L1 alone are no ceiling that anything is concluded from, as the L2's prefetches come on top. So those
    that the run saw under way by chains of loads, which have no prefetches, take the place of the table's where it has
    none or fewer, with low confidence.
    """
    traffic, designs = host.traffic(case), host.designs_of(case)
    if traffic is None or not case.meets_dram_rule or not designs:
        return None
    latency, kinds = seen.latency(case), {design: kind for kind, design in host.designs.items()}
    parts = [_part(design, count, host, latency, seen.lines_of(kinds[design])) for design, count in designs.items()]
    known = [part for part in parts if part is not None]
    rate = traffic.most(read=sum(bytes_per_s for bytes_per_s, *_ in known)) if len(known) == len(parts) else None
    if rate is None:
        return None
    working = " + ".join(text for _, text, _, _ in known)
    confidence: Confidence = MEDIUM
    for *_, one in known:
        confidence = lower(confidence, one)
    total = gb_s(sum(bytes_per_s for bytes_per_s, *_ in known))
    source = "; ".join(dict.fromkeys(source for _, _, source, _ in known))
    return Ceiling("core", rate, f"{working} = {total}{traffic.words}", source, confidence)


def _part(
    design: Microarchitecture, count: int, host: Host, latency: SeenLatency | None, seen_lines: float | None
) -> tuple[float, str, str, Confidence] | None:
    """Return what some cores of one design read, its working, its source and how sure it is."""
    known = host.catalog.limits.lines_in_flight.get(design.name)
    in_table = None if known is None else known.l2
    ns = latency.ns if latency is not None else None if known is None else known.latency_ns
    lines = max((one for one in (in_table, seen_lines) if one is not None), default=None)
    if ns is None or lines is None:
        return None
    is_of_table = known is not None and lines == in_table
    source = known.source if known is not None and is_of_table else BY_CHAINS
    which = "measured" if latency is not None else "typical"
    cores = "1 core" if count == 1 else f"{count} cores"
    how = "" if is_of_table else " (measured)"
    text = f"{lines:.4g} lines{how} x {design.line_bytes} B / {ns:.4g} ns ({which}) x {cores}"
    is_sure = is_of_table and latency is not None and latency.is_pure
    confidence = known.confidence if known is not None and is_sure else LOW
    return lines * design.line_bytes * count / ns * NS_PER_S, text, source, confidence
