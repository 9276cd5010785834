"""Which theory stands beside the host's results: the SPEC that was given, or what the machine's modules say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bandwidth.catalog import current_catalog
from bandwidth.ceilings.expected import NOT_KNOWN, Expected
from bandwidth.ceilings.modules import configured_memory
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.machine.facts import GIVEN, Facts
from bandwidth.machine.topology import Topology
from bandwidth.results import Case
from bandwidth.theory import Peak, peak


@dataclass(frozen=True)
class HostTheory:
    """The memory of the whole machine: its peak, None where it is not known, and then the `reason` and a `hint`.

    `sockets` have this memory; `sockets_found` is how many the machine was found to have, where that is another number
    because the user said so. `confidence` is a fact's, empty where the peak is not known.
    """

    peak: Peak | None
    sockets: int
    source: str
    reason: str = ""
    hint: str = ""
    confidence: str = ""
    sockets_found: int | None = None

    def bytes_per_s(self, sockets_used: Iterable[int]) -> float | None:
        """Return the peak of the sockets whose memory a case uses, in bytes per second, None where unknown."""
        return None if self.peak is None else self.peak.bytes_per_s * self._share(sockets_used)

    def vendor_bytes_per_s(self, sockets_used: Iterable[int]) -> float | None:
        """Return the maker's figure for the sockets that a case uses, None where the memory is no device with one."""
        if self.peak is None or self.peak.vendor_bytes_per_s is None:
            return None
        return self.peak.vendor_bytes_per_s * self._share(sockets_used)

    def _share(self, sockets_used: Iterable[int]) -> float:
        """Return the share of the machine's memory that is on these sockets.

        Where fewer sockets were found than have this memory (a virtual machine hides them), they hold equal parts.
        """
        whole = min(self.sockets_found or self.sockets, self.sockets)
        return min(len(set(sockets_used)), whole) / whole

    def expected(self, case: Case, topology: Topology) -> Expected:
        """Return what a case should reach: only where the data lies in memory, and of a load's time there is none."""
        if case.is_latency or not case.meets_dram_rule:
            return NOT_KNOWN
        sockets, share = _memory_of(case, topology)
        figure, vendor = self.bytes_per_s(sockets), self.vendor_bytes_per_s(sockets)
        if share is None or figure is None:
            return NOT_KNOWN
        source = self.source if share == 1 else f"{self.source}; a node's share of its socket"
        return Expected(figure * share, source, None if vendor is None else vendor * share)

    def to_json(self) -> dict[str, Any]:
        """Return what a record says of it."""
        if self.peak is None:
            return {"bytes_per_s": None, "reason": self.reason, "hint": self.hint}
        return {
            "spec": self.peak.name,
            "bytes_per_s": self.peak.bytes_per_s,
            "sockets": self.sockets,
            "source": self.source,
            "working": self.peak.working,
            "short_working": self.peak.short_working,
        }


def _memory_of(case: Case, topology: Topology) -> tuple[frozenset[int], float | None]:
    """Return the sockets whose memory a case uses, and which share of it; None where that is not known.

    A node that was asked for has an equal share of its socket's memory where every node has processors and memory:
    then the channels are split among the nodes (sub-NUMA clusters, NPS); memory on CXL or HBM is not the socket's.
    """
    node = case.variant.get("memory_node")
    if node is None:
        return topology.sockets_of(case.cpus), 1.0
    sockets = topology.sockets_of(core.cpus[0] for core in topology.cores if core.node == node)
    if topology.memory_only_nodes or topology.processor_only_nodes or len(sockets) != 1:
        return sockets, None
    nodes = {core.node for core in topology.cores if core.socket in sockets}
    return sockets, 1.0 / len(nodes)


def platform_peak(facts: Facts) -> Peak | None:
    """Return the most that this machine's processor takes a socket, by the catalog; it is not what is plugged in.

    None where the processor is not in the catalog.
    """
    family, model = facts.integer("cpu_family"), facts.integer("cpu_model_number")
    name = facts.text("cpu_model") or ""
    device = current_catalog().devices.processor(
        facts.text("cpu_vendor") or "", -1 if family is None else family, -1 if model is None else model, name
    )
    return None if device is None else peak(device.name)


@dataclass(frozen=True)
class GivenMemory:
    """The memory that the user names: a SPEC of one socket's, None for none, who says so, and how many sockets."""

    spec: str | None = None
    source: str = "--memory"
    sockets: int | None = None


def host_theory(given: GivenMemory, facts: Facts, sockets_found: int) -> HostTheory:
    """Return the theory of host memory: --memory or BANDWIDTH_MEMORY for each socket, else what the modules say.

    `sockets_found` is how many sockets the machine has: a given SPEC is one socket's.
    Raises UsageError for a SPEC that is no memory, or --sockets without a SPEC.
    """
    if given.spec is not None:
        sockets = given.sockets or sockets_found
        source = f"{given.source} {given.spec}"
        return HostTheory(_memory_peak(given, sockets), sockets, source, confidence=GIVEN, sockets_found=sockets_found)
    if given.sockets is not None:
        raise UsageError("--sockets multiplies --memory", 'give both, such as --memory "DDR5-4800 x12" --sockets 2')
    found = configured_memory(facts)
    if found.spec is None:
        return HostTheory(None, sockets_found, "", found.reason, found.hint)
    try:
        source = f"{found.source} ({found.confidence})"
        return HostTheory(peak(found.spec), sockets_found, source, found.reason, confidence=found.confidence)
    except BandwidthError as error:
        # Firmware that states a speed which no module has: better no theory than a wrong one, and the reason is shown.
        return HostTheory(None, sockets_found, "", f"the firmware's memory makes no sense: {error.message}", error.hint)


def _memory_peak(given: GivenMemory, sockets: int) -> Peak:
    spec = given.spec or ""
    try:
        is_memory = peak(spec).kind == "memory"
    except BandwidthError as error:
        raise UsageError(f"{given.source}: {error.message}", error.hint) from error
    if not is_memory:
        raise UsageError(f"{given.source} {spec!a} is a link", "name the memory, such as DDR5-4800 x12")
    try:
        return peak(spec, sockets=sockets)
    except UsageError as error:  # sockets multiply a memory and a processor, and nothing else
        raise UsageError(f"{given.source} {spec!a} is no host's memory", "name the memory or processor") from error
