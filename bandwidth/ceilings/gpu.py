"""Which theory stands beside a GPU's results: the driver's attributes, the maker's sheet, the negotiated link."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bandwidth.catalog import current_catalog
from bandwidth.catalog.device import Device
from bandwidth.errors import BandwidthError
from bandwidth.machine.facts import Facts, Json
from bandwidth.machine.gpu_attributes import GpuFacts
from bandwidth.results import Result
from bandwidth.theory import Peak, peak
from bandwidth.units import format_percent, format_rate

GIGA = 1e9
LINK_PREFIX = "pcie:"
# The link between Grace and Hopper or Blackwell.
HOST_LINK = "NVLink-C2C"


@dataclass(frozen=True)
class DeviceTheory:
    """A GPU's peak by its live attributes, the maker's figure by the catalog, None where not known; lines to print."""

    bytes_per_s: float | None
    source: str
    vendor_bytes_per_s: float | None = None
    notes: tuple[str, ...] = ()


def device_theories(gpus: Iterable[GpuFacts], facts: Facts) -> dict[int, DeviceTheory]:
    """Return the theory of each GPU by its number."""
    return {gpu.number: _device_theory(gpu, _entry(gpu, facts)) for gpu in gpus}


def _entry(gpu: GpuFacts, facts: Facts) -> Device | None:
    listed = _listed(facts.value("gpus"))
    own = next((entry for entry in listed if entry.get("address") == gpu.address), {})
    try:
        return current_catalog().devices.by_pci_id(
            str(own.get("vendor_id", "")), str(own.get("device_id", "")), gpu.name
        )
    except BandwidthError:
        return None  # a broken entry, which is told elsewhere


def _device_theory(gpu: GpuFacts, device: Device | None) -> DeviceTheory:
    vendor = None if device is None or device.vendor_gb_s is None else device.vendor_gb_s * GIGA
    source = f"the driver's attributes: {gpu.peak_working}"
    notes = []
    if gpu.peak_bytes_per_s is None:
        notes.append(f"Device {gpu.number}: the driver does not tell the memory's clock and width: no theory.")
    if device is not None and vendor is not None:
        share = (
            "" if gpu.peak_bytes_per_s is None else f", {format_percent(vendor / gpu.peak_bytes_per_s)} of the theory"
        )
        why = f": {device.note}" if device.note and device.ceiling == "vendor" else ""
        ceiling = f"; it is the real ceiling{why}" if device.ceiling == "vendor" else ""
        notes.append(
            f"Device {gpu.number}: the maker's figure for {device.name} is {format_rate(vendor)} GB/s{share}{ceiling}."
        )
    return DeviceTheory(gpu.peak_bytes_per_s, source, vendor, tuple(notes))


# --- the link -------------------------------------------------------------------------------------------------------


def with_link_theories(results: Sequence[Result], gpus: Sequence[GpuFacts]) -> tuple[Result, ...]:
    """Return the results, those of links with the coded rate of what was negotiated under load where that was seen."""
    links = _links_seen(results, gpus)
    return tuple(_with_link_theory(result, links) for result in results)


def _links_seen(results: Iterable[Result], gpus: Sequence[GpuFacts]) -> dict[int, tuple[Peak, str]]:
    """Return the link of each GPU as it was under load; a link that is not PCIe has no theory of PCIe."""
    other = {gpu.number for gpu in gpus if gpu.has_host_link}
    found: dict[int, tuple[Peak, str]] = {}
    for result in results:
        numbers = result.case.devices
        seen = [result.observed.get(name) for name in ("link_generation", "link_width")]
        if not result.case.target.startswith(LINK_PREFIX) or len(numbers) != 1 or None in seen or numbers[0] in other:
            continue
        generation, width = (int(value.median) for value in seen if value is not None)
        link = link_peak(generation, width)
        if link is not None:
            found[numbers[0]] = (link, f"{link.name} as negotiated under load: {link.short_working} each way")
    return found


def link_peak(generation: int, width: int) -> Peak | None:
    """Return the peak of a PCIe link, None for one that there is not."""
    try:
        return peak(f"PCIe {generation}.0 x{width}")
    except BandwidthError:
        return None


def _with_link_theory(result: Result, links: Mapping[int, tuple[Peak, str]]) -> Result:
    numbers = result.case.devices
    if not result.case.target.startswith(LINK_PREFIX) or any(number not in links for number in numbers):
        return result
    is_both = result.case.path == "bidirectional"
    rates = [links[number][0] for number in numbers]
    total = sum((link.bidirectional_bytes_per_s or 0.0) if is_both else link.bytes_per_s for link in rates)
    source = links[numbers[0]][1]
    source = source.replace("each way", "each way, both counted") if is_both else source
    return replace(result, theory_bytes_per_s=total, theory_source=source)


# --- the record -----------------------------------------------------------------------------------------------------


def machine_with(machine: Mapping[str, Any], gpus: Sequence[GpuFacts]) -> dict[str, Any]:
    """Return a machine's facts with what the engine found of each GPU, by its address; `device` is its number."""
    if not gpus:
        return dict(machine)
    listed = [dict(entry) for entry in _listed(machine.get("gpus"))]
    for gpu in gpus:
        own = next((entry for entry in listed if entry.get("address") == gpu.address), None)
        if own is None:
            own = {"address": gpu.address}
            listed.append(own)
        own |= {name: value for name, value in _facts_of(gpu).items() if value is not None}
    return {**machine, "gpus": listed}


def _facts_of(gpu: GpuFacts) -> dict[str, Json | None]:
    return {
        "device": gpu.number,
        "name": gpu.name,
        "l2_bytes": gpu.l2_bytes or None,
        "multiprocessors": gpu.multiprocessors or None,
        "memory_width_bits": gpu.memory_width_bits or None,
        "attribute_memory_clock_mhz": gpu.memory_clock_khz / 1000 or None,
        "attribute_peak_bytes_per_s": gpu.peak_bytes_per_s,
        "memory_bytes": gpu.total_bytes or None,
        "memory_free_bytes": gpu.free_bytes if gpu.is_opened else None,
        "ecc_enabled": gpu.has_ecc,
        "compute_capability": gpu.compute_capability,
        "cuda_driver_version": gpu.driver_version,
        "cuda_runtime_version": gpu.runtime_version,
        "numa_node": gpu.numa_node,
        "host_link": HOST_LINK if gpu.has_host_link else None,
    }


def _listed(value: Any) -> list[dict[str, Any]]:
    """Return the entries of a list that are objects: a record may hold anything."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
