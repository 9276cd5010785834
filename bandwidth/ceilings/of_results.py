"""Every ceiling of a case, lowest first, and the results of a run with theirs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bandwidth.catalog import Catalog, current_catalog
from bandwidth.ceilings.bounds import Host, Seen, SeenLatency, place_of
from bandwidth.ceilings.caches import cache_ceiling
from bandwidth.ceilings.core import core_ceiling
from bandwidth.ceilings.fabric import fabric_ceiling, socket_link_ceiling
from bandwidth.ceilings.gpu import device_ceilings
from bandwidth.ceilings.link import link_ceiling
from bandwidth.ceilings.memory import HostTheory, memory_ceiling, memory_full_ceiling
from bandwidth.ceilings.platform import instance_ceiling, platform_ceiling
from bandwidth.machine.facts import Facts
from bandwidth.machine.gpu_attributes import GpuFacts
from bandwidth.machine.topology import Topology
from bandwidth.results import Case, Ceiling, Result, summarise
from bandwidth.results.summary import chain_curves
from bandwidth.vocabulary import DEVICE, HOST, LOW, PCIE, SURE_CEILINGS

NOTHING_SEEN = Seen()
# A random load of 4 KiB pages waits for page walks too, which reads in order do not.
_HUGE_ENOUGH = 0.9


def ceilings_of(
    case: Case, facts: Facts, catalog: Catalog, topology: Topology, theory: HostTheory, seen: Seen = NOTHING_SEEN
) -> tuple[Ceiling, ...]:
    """Return every ceiling of a case of the host that is known, lowest first; none for a latency.

    `seen` is what the run saw: without its clock the caches have no ceiling.
    """
    return _ceilings_of(case, Host(facts, topology, catalog), theory, seen)


@dataclass(frozen=True)
class Machine:
    """What the ceilings of a run's results rest on. Made before anything is timed: it reads the tables then."""

    host: Host
    theory: HostTheory

    @classmethod
    def read(cls, facts: Facts, topology: Topology, theory: HostTheory) -> Machine:
        """Return the machine with its processor recognised. Raises BandwidthError for a bad table of the package."""
        host = Host(facts, topology, current_catalog())
        limits = host.catalog.limits
        _ = (host.designs, limits.cache_widths, limits.lines_in_flight)
        _ = (limits.chiplet_links, limits.socket_links, limits.cloud_instances)
        return cls(host, theory)

    def with_ceilings(self, results: Sequence[Result], gpus: Sequence[GpuFacts]) -> tuple[Result, ...]:
        """Return the results of a run, each with its ceilings; the theories of links must stand in them already."""
        seen = seen_in(results)
        return tuple(without_refuted(replace(result, ceilings=self._of(result, gpus, seen))) for result in results)

    def _of(self, result: Result, gpus: Sequence[GpuFacts], seen: Seen) -> tuple[Ceiling, ...]:
        kind = result.case.kind
        if kind == HOST:
            clock = result.observed.get("clock_hz")
            own = seen if clock is None else replace(seen, clock_hz=clock.most)
            return _ceilings_of(result.case, self.host, self.theory, own)
        if kind == DEVICE and "peer" not in result.case.variant:
            return _lowest_first(device_ceilings(result, gpus, self.host.facts))
        return _lowest_first((link_ceiling(result),)) if kind == PCIE else ()


def without_refuted(result: Result) -> Result:
    """Return the result with every ceiling of low confidence that its median is above, but those that make it INVALID.

    A core, a chiplet's link or a cache that was faster than our figure for it says that the figure is wrong.
    """
    median = summarise(result).median_bytes_per_s or 0.0

    def judged(ceiling: Ceiling) -> Ceiling:
        is_refuted = ceiling.kind not in SURE_CEILINGS and ceiling.bytes_per_s < median
        return replace(ceiling, confidence=LOW) if is_refuted else ceiling

    return replace(result, ceilings=tuple(map(judged, result.ceilings)))


def seen_in(results: Iterable[Result]) -> Seen:
    """Return the highest clock of a core that a run saw, the memory's latencies without load, and lines in flight."""
    clocks: list[float] = []
    latencies: dict[tuple[object, object, object], SeenLatency] = {}
    found_results = tuple(results)
    for result in found_results:
        if result.case.kind != HOST:
            continue
        clock = result.observed.get("clock_hz")
        clocks += [] if clock is None else [clock.most]
        is_loaded = result.case.variant.get("load", "0%") != "0%"
        if not result.case.is_latency or not result.case.meets_dram_rule or is_loaded or result.case.chains > 1:
            continue
        latency = summarise(result).latency
        if latency is None:
            continue
        huge = result.observed.get("huge_page_share")
        found = SeenLatency(latency.median_ns, huge is not None and huge.median >= _HUGE_ENOUGH)
        place = place_of(result.case)
        if place not in latencies or found.ns < latencies[place].ns:
            latencies[place] = found
    lines: dict[object, float] = {
        curve.case.variant.get("cores"): curve.most_lines for curve in chain_curves(found_results)
    }
    return Seen(max(clocks, default=None), latencies, lines)


def _ceilings_of(case: Case, host: Host, theory: HostTheory, seen: Seen) -> tuple[Ceiling, ...]:
    if case.is_latency:
        return ()
    return _lowest_first(
        (
            memory_ceiling(case, host, theory),
            memory_full_ceiling(case, host, theory),
            platform_ceiling(case, host, theory),
            instance_ceiling(case, host),
            fabric_ceiling(case, host),
            socket_link_ceiling(case, host),
            core_ceiling(case, host, seen),
            cache_ceiling(case, host, seen.clock_hz),
        )
    )


def _lowest_first(found: Iterable[Ceiling | None]) -> tuple[Ceiling, ...]:
    return tuple(sorted((one for one in found if one is not None), key=lambda one: one.bytes_per_s))
