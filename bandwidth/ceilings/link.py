"""What a link should reach: the coded rate of what was negotiated while it was measured, or of a SPEC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from bandwidth.errors import BandwidthError
from bandwidth.machine.gpu_attributes import GpuFacts
from bandwidth.results import Case, Ceiling, Result
from bandwidth.theory import Counts, Peak
from bandwidth.theory.notation import notation_peak
from bandwidth.vocabulary import BIDIRECTIONAL, HIGH, PCIE


def link_peak(generation: int, width: int) -> Peak | None:
    """Return the peak of a PCIe link, None for one that there is not."""
    return named_link_peak(f"PCIe {generation}.0 x{width}")


def named_link_peak(name: str) -> Peak | None:
    """Return the peak of a link such as `PCIe 5.0 x16`, None where no lanes are named or there is no such link."""
    try:
        return notation_peak(name, Counts())
    except BandwidthError:
        return None


def link_bytes_per_s(link: Peak, case: Case) -> float | None:
    """Return a link's peak in bytes per second for the way that a case goes: both ways have the peak of both."""
    return link.bidirectional_bytes_per_s if case.path == BIDIRECTIONAL else link.bytes_per_s


def spec_bytes_per_s(case: Case, memory: Peak | None, link: Peak | None) -> float | None:
    """Return the peak of a SPEC that may stand beside a case: its link's beside transfers, its memory's elsewhere.

    A copy between devices goes over a link that no SPEC names, and a SPEC is of one device, not of several at once:
    they have none.
    """
    if "peer" in case.variant or len(case.devices) > 1:
        return None
    if case.kind != PCIE:
        return None if memory is None else memory.bytes_per_s
    return None if link is None else link_bytes_per_s(link, case)


def with_link_theories(results: Sequence[Result], gpus: Sequence[GpuFacts]) -> tuple[Result, ...]:
    """Return the results, those of links with the coded rate of what was negotiated under load where that was seen."""
    links = _links_seen(results, gpus)
    return tuple(_with_link_theory(result, links) for result in results)


def link_ceiling(result: Result) -> Ceiling | None:
    """Return the coded rate of the link that a result has as its theory, None where it has none."""
    if result.theory_bytes_per_s is None:
        return None
    return Ceiling("link", result.theory_bytes_per_s, result.theory_source or "", "the link under load", HIGH)


def _links_seen(results: Iterable[Result], gpus: Sequence[GpuFacts]) -> dict[int, tuple[Peak, str]]:
    """Return the link of each GPU as it was under load; a link that is not PCIe has no theory of PCIe."""
    other = {gpu.number for gpu in gpus if gpu.has_host_link}
    found: dict[int, tuple[Peak, str]] = {}
    for result in results:
        numbers = result.case.devices
        seen = [result.observed.get(name) for name in ("link_generation", "link_width")]
        if not result.case.target.startswith(f"{PCIE}:") or len(numbers) != 1 or None in seen or numbers[0] in other:
            continue
        generation, width = (int(value.median) for value in seen if value is not None)
        link = link_peak(generation, width)
        if link is not None:
            found[numbers[0]] = (link, f"{link.name} as negotiated under load: {link.short_working} each way")
    return found


def _with_link_theory(result: Result, links: Mapping[int, tuple[Peak, str]]) -> Result:
    numbers = result.case.devices
    if not result.case.target.startswith(f"{PCIE}:") or any(number not in links for number in numbers):
        return result
    is_both = result.case.path == BIDIRECTIONAL
    total = sum(link_bytes_per_s(links[number][0], result.case) or 0.0 for number in numbers)
    source = links[numbers[0]][1]
    source = source.replace("each way", "each way, both counted") if is_both else source
    return replace(result, theory_bytes_per_s=total, theory_source=source)
