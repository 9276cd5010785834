"""Which theory stands beside the host's results: the SPEC that was given, or what the machine's modules say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bandwidth.catalog.search import find_processor
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.machine.facts import Facts
from bandwidth.machine.memory_theory import configured_memory
from bandwidth.machine.topology import Topology
from bandwidth.measuring.options import MeasureOptions
from bandwidth.theory import Peak, peak


@dataclass(frozen=True)
class HostTheory:
    """The memory of the whole machine: its peak, None where it is not known, and then the `reason` and a `hint`."""

    peak: Peak | None
    sockets: int
    source: str
    reason: str = ""
    hint: str = ""

    def bytes_per_s(self, sockets_used: Iterable[int]) -> float | None:
        """Return the peak of the sockets whose memory a case uses, in bytes per second, None where unknown."""
        if self.peak is None:
            return None
        return self.peak.bytes_per_s * min(len(set(sockets_used)), self.sockets) / self.sockets

    def vendor_bytes_per_s(self, sockets_used: Iterable[int]) -> float | None:
        """Return the maker's figure for the sockets that a case uses, None where the memory is no device with one."""
        if self.peak is None or self.peak.vendor_bytes_per_s is None:
            return None
        return self.peak.vendor_bytes_per_s * min(len(set(sockets_used)), self.sockets) / self.sockets

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


def platform_peak(facts: Facts) -> Peak | None:
    """Return the most that this machine's processor takes a socket, by the catalog; it is not what is plugged in.

    None where the processor is not in the catalog.
    """
    family, model = facts.integer("cpu_family"), facts.integer("cpu_model_number")
    name = facts.text("cpu_model") or ""
    device = find_processor(
        facts.text("cpu_vendor") or "", -1 if family is None else family, -1 if model is None else model, name
    )
    return None if device is None else peak(device.name)


def host_theory(options: MeasureOptions, facts: Facts, topology: Topology) -> HostTheory:
    """Return the theory of host memory: --memory or BANDWIDTH_MEMORY for each socket, else what the modules say.

    Raises UsageError for a SPEC that is no memory, or --sockets without a SPEC.
    """
    if options.memory is not None:
        sockets = options.sockets or topology.sockets
        return HostTheory(_memory_peak(options, sockets), sockets, f"{options.memory_source} {options.memory}")
    if options.sockets is not None:
        raise UsageError("--sockets multiplies --memory", 'give both, such as --memory "DDR5-4800 x12" --sockets 2')
    found = configured_memory(facts)
    if found.spec is None:
        return HostTheory(None, topology.sockets, "", found.reason, found.hint)
    try:
        return HostTheory(peak(found.spec), topology.sockets, f"{found.source} ({found.confidence})")
    except BandwidthError as error:
        # Firmware that states a speed which no module has: better no theory than a wrong one, and the reason is shown.
        return HostTheory(
            None, topology.sockets, "", f"the firmware's memory makes no sense: {error.message}", error.hint
        )


def _memory_peak(options: MeasureOptions, sockets: int) -> Peak:
    spec = options.memory or ""
    try:
        is_memory = peak(spec).kind == "memory"
    except BandwidthError as error:
        raise UsageError(f"{options.memory_source}: {error.message}", error.hint) from error
    if not is_memory:
        raise UsageError(f"{options.memory_source} {spec!a} is a link", "name the memory, such as DDR5-4800 x12")
    try:
        return peak(spec, sockets=sockets)
    except UsageError as error:  # sockets multiply a memory and a processor, and nothing else
        raise UsageError(
            f"{options.memory_source} {spec!a} is no host's memory", "name the memory or processor"
        ) from error
