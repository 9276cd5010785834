"""Which theory stands beside the results of a GPU's memory: the driver's attributes, and the maker's sheet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bandwidth.catalog import current_catalog
from bandwidth.catalog.model import Device
from bandwidth.ceilings.bounds import NOT_KNOWN, Expected
from bandwidth.errors import BandwidthError
from bandwidth.machine.facts import Facts
from bandwidth.machine.gpu_attributes import GpuFacts
from bandwidth.results import Case, Ceiling, Result
from bandwidth.units import format_percent, format_rate
from bandwidth.vocabulary import GIGA, HIGH

_TRANSFERS_PER_CLOCK = 2  # the driver's clock counts as if all memory moved data twice a clock


@dataclass(frozen=True)
class GpuTheory:
    """A GPU's peak by its live attributes, the maker's figure by the catalog, None where not known; lines to print."""

    bytes_per_s: float | None
    source: str
    vendor_bytes_per_s: float | None = None
    notes: tuple[str, ...] = ()


def gpu_theories(gpus: Iterable[GpuFacts], facts: Facts) -> dict[int, GpuTheory]:
    """Return the theory of each GPU by its number."""
    return {gpu.number: _gpu_theory(gpu, _entry(gpu, facts)) for gpu in gpus}


def gpu_theory(case: Case, theories: Mapping[int, GpuTheory]) -> Expected:
    """Return what a case of some GPUs' memory should reach: together what each does, where the data lies in memory."""
    if not case.meets_dram_rule:
        return NOT_KNOWN
    own = [theories[number] for number in case.devices]
    whole = _sum(one.bytes_per_s for one in own)
    return Expected(whole, own[0].source if whole is not None else None, _sum(one.vendor_bytes_per_s for one in own))


def device_ceilings(result: Result, gpus: Iterable[GpuFacts], facts: Facts) -> tuple[Ceiling, ...]:
    """Return the theory of a result of GPUs' memory, and the maker's figure where that is the real ceiling."""
    source, theory, vendor = result.theory_source or "", result.theory_bytes_per_s, result.vendor_bytes_per_s
    found = [] if theory is None else [Ceiling("device", theory, source, "the driver's attributes", HIGH)]
    numbers = set(result.case.devices)
    entries = [_entry(gpu, facts) for gpu in gpus if gpu.number in numbers]
    if vendor is not None and entries and all(entry and entry.ceiling == "vendor" for entry in entries):
        names = ", ".join(dict.fromkeys(entry.name for entry in entries if entry is not None))
        found.append(Ceiling("device", vendor, f"the maker's figure for {names}", "specs/devices", HIGH))
    return tuple(found)


def gpu_peak_bytes_per_s(gpu: GpuFacts) -> float | None:
    """Return a GPU's peak in bytes per second by its live attributes, None where the driver does not tell them."""
    return attribute_peak_bytes_per_s(gpu.memory_clock_khz, gpu.memory_width_bits)


def attribute_peak_bytes_per_s(memory_clock_khz: int, memory_width_bits: int) -> float | None:
    """Return a memory's peak in bytes per second by its driver's clock and width, None where one is zero."""
    return _TRANSFERS_PER_CLOCK * memory_clock_khz * 1000 * memory_width_bits / 8 or None


def attribute_peak_working(memory_clock_khz: int, memory_width_bits: int) -> str:
    """Return how that peak is worked out, with its numbers."""
    return f"{_TRANSFERS_PER_CLOCK} x {memory_clock_khz / 1000:g} MHz x {memory_width_bits} bit / 8"


def _sum(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else sum(value for value in known if value is not None)


def _entry(gpu: GpuFacts, facts: Facts) -> Device | None:
    listed = facts.value("gpus")
    found = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    own = next((entry for entry in found if gpu.address and entry.get("address") == gpu.address), {})
    try:
        return current_catalog().devices.by_pci_id(
            str(own.get("vendor_id", "")), str(own.get("device_id", "")), gpu.name
        )
    except BandwidthError:
        return None  # a broken entry, which is told elsewhere


def _gpu_theory(gpu: GpuFacts, device: Device | None) -> GpuTheory:
    vendor = None if device is None or device.vendor_gb_s is None else device.vendor_gb_s * GIGA
    peak = gpu_peak_bytes_per_s(gpu)
    source = f"the driver's attributes: {attribute_peak_working(gpu.memory_clock_khz, gpu.memory_width_bits)}"
    notes = []
    if peak is None:
        notes.append(
            f"Device {gpu.number}: the driver does not report the memory's clock and width, so the theory is unknown."
        )
    if device is not None and vendor is not None:
        share = "" if peak is None else f", {format_percent(vendor / peak)} of the theory"
        why = f": {device.note}" if device.note and device.ceiling == "vendor" else ""
        ceiling = f"; it is the real ceiling{why}" if device.ceiling == "vendor" else ""
        notes.append(
            f"Device {gpu.number}: the maker's figure for {device.name} is {format_rate(vendor)} GB/s{share}{ceiling}."
        )
    return GpuTheory(peak, source, vendor, tuple(notes))
