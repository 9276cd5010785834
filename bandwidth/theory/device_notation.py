"""Devices by name: the peaks of their memory and of their host link, from the catalog's entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from bandwidth.catalog import Catalog
from bandwidth.catalog.model import Device
from bandwidth.errors import AmbiguousName, BandwidthError, UsageError
from bandwidth.theory.formula import Peak
from bandwidth.theory.parts import Counts
from bandwidth.units import format_rate, parse_size_bytes
from bandwidth.vocabulary import GIGA

# What a maker prints is rounded; within this share of the formula's figure it is the same figure.
SAME_FIGURE = 0.01
VENDOR_IS_CEILING = "; the maker's figure is the ceiling"
MOST_LISTED = 8


def named_peaks(
    query: str, counts: Counts, catalog: Catalog, resolve: Callable[[str, Counts], Peak]
) -> tuple[Peak, ...]:
    """Return the peaks of the device that a query names, nothing where none has that name.

    Raises AmbiguousName with the peak of each reading where several have it, and as `device_peaks`.
    """
    try:
        device = catalog.device(query)
    except AmbiguousName as error:
        readings = tuple(_peaks_of(one, query, counts, resolve, catalog)[0] for one in error.candidates)
        listed = "; ".join(f"{peak.name} {format_rate(peak.bytes_per_s)} GB/s" for peak in readings[:MOST_LISTED])
        unlisted = error.unlisted
        left = max(len(readings) - MOST_LISTED, 0) + unlisted
        hint = f"choose one: {listed}" + (f"; and {left} more" if left else "")
        raise AmbiguousName(
            error.message, hint, candidates=error.candidates, readings=readings, unlisted=unlisted
        ) from error
    return () if device is None else _peaks_of(device, query, counts, resolve, catalog)


def _peaks_of(
    device: Device, query: str, counts: Counts, resolve: Callable[[str, Counts], Peak], catalog: Catalog
) -> tuple[Peak, ...]:
    """Return the peaks of a device of the catalog; what is wrong with a user's is told with its file and line."""
    try:
        return device_peaks(device, query, counts, resolve)
    except UsageError:
        raise
    except BandwidthError as error:
        where = catalog.devices.where(device)
        raise BandwidthError(f"{where}: {error.message}" if where else error.message, error.hint) from error


def device_peaks(
    device: Device, query: str, counts: Counts, resolve: Callable[[str, Counts], Peak]
) -> tuple[Peak, ...]:
    """Return a device's memory first, then its host link; `resolve` reads the notations of its entry.

    Raises UsageError for counts that do not fit a device, BandwidthError for an entry whose notation cannot be read.
    """
    if counts.channels is not None or counts.width_bits is not None:
        raise UsageError(f"{query!r} is a device", "its channels and width are known: omit --channels and --width")
    if counts.sockets is not None and device.kind != "cpu":
        raise UsageError(f"{query!r} is not a processor", "omit --sockets")
    memory = _resolved(device, "memory", device.memory, counts, resolve)
    notes = (*memory.notes, *_other_memories(device, counts, resolve))
    memory = replace(memory, query=query, name=_shown_name(device, counts), notes=notes)
    peaks = [_with_vendor(device, memory, counts.sockets or 1)]
    if device.link is not None:
        link = _resolved(device, "link", device.link, Counts(), resolve)
        peaks.append(
            replace(
                link,
                query=query,
                name=f"{device.name}, {link.name}",
                source=f"{device.source}; {link.source}",
                device=device.name,
            )
        )
    return tuple(peaks)


def _other_memories(device: Device, counts: Counts, resolve: Callable[[str, Counts], Peak]) -> Iterator[str]:
    """Yield what the device reaches with each of the other memories that it takes."""
    for notation in device.other_memories:
        rate = _resolved(device, "memory", notation, counts, resolve).bytes_per_s
        yield f"with {notation}: {format_rate(rate)} GB/s"


def _resolved(
    device: Device, field: str, notation: str, counts: Counts, resolve: Callable[[str, Counts], Peak]
) -> Peak:
    try:
        found = resolve(notation, counts)
    except BandwidthError as error:
        raise BandwidthError(f"the entry of {device.name}: {field}: {error.message}", error.hint) from error
    if found.kind != field:
        raise BandwidthError(f"the entry of {device.name}: {field}: {notation!r} is not a {field}", "correct the entry")
    return found


def _shown_name(device: Device, counts: Counts) -> str:
    name = f"{device.name} (unverified)" if device.unverified else device.name
    return name if counts.sockets in (None, 1) else f"{name}, {counts.sockets} sockets"


def _with_vendor(device: Device, peak: Peak, sockets: int) -> Peak:
    """Return the peak with the maker's figure, the capacity and what is to be said of both."""
    vendor = None if device.vendor_gb_s is None else device.vendor_gb_s * GIGA * sockets
    return replace(
        peak,
        vendor_bytes_per_s=vendor,
        capacity_bytes=_capacity_bytes(device),
        source=device.source,
        device=device.name,
        notes=(*_notes(device, peak, vendor), *peak.notes),
        warnings=(*_warnings(device, peak, vendor), *peak.warnings),
    )


def _capacity_bytes(device: Device) -> int | None:
    try:
        return None if device.capacity is None else parse_size_bytes(device.capacity)
    except BandwidthError as error:
        raise BandwidthError(f"the entry of {device.name}: capacity: {error.message}", error.hint) from error


def _warnings(device: Device, peak: Peak, vendor: float | None) -> tuple[str, ...]:
    """Return why the maker's figure is another one than the formula's, and whether it is the ceiling."""
    if vendor is None or not device.note or not _differs(vendor, peak):
        return ()
    return (f"{device.note}{VENDOR_IS_CEILING if device.ceiling == 'vendor' else ''}",)


def _differs(vendor: float, peak: Peak) -> bool:
    return abs(vendor / peak.bytes_per_s - 1) > SAME_FIGURE


def _notes(device: Device, peak: Peak, vendor: float | None) -> tuple[str, ...]:
    notes = [f"{device.maker}, memory {device.memory}"]
    if vendor is not None and device.vendor_text is not None:
        words = f"the maker prints {device.vendor_text}"
        notes.append(
            f"{words}, the formula gives {format_rate(peak.bytes_per_s)} GB/s" if _differs(vendor, peak) else words
        )
    if device.category:
        notes.append(f"reason for the difference: {device.category}")
    if device.note:
        notes.append(device.note)
    if device.ceiling == "vendor":
        notes.append("the maker's figure is the real ceiling")
    if device.unverified:
        notes.append("unverified: not every figure was found in a source")
    return tuple(notes)
