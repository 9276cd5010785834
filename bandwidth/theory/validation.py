"""Whether spec files are whole: their schema, the notations of their entries, and that no name stands twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bandwidth.catalog import MemoryFamily
from bandwidth.catalog.device import Device
from bandwidth.catalog.entries import Named, parse_entries, parsed_file
from bandwidth.catalog.files import LINKS_FILE, MEMORY_FILE, NORMAL_FILE, REFERENCE_FILE, why_unreadable
from bandwidth.catalog.link import LinkGeneration
from bandwidth.catalog.normal import NormalBand
from bandwidth.catalog.places import key_of
from bandwidth.catalog.ranges import fault_of_range, fault_of_source
from bandwidth.catalog.reference import PublishedFigure, fault_of_figure
from bandwidth.errors import BandwidthError
from bandwidth.text_files import check_plain
from bandwidth.theory.device_notation import SAME_FIGURE, device_peaks
from bandwidth.theory.notation import notation_peak
from bandwidth.theory.parts import Counts

KINDS: dict[str, type[MemoryFamily] | type[LinkGeneration] | type[NormalBand] | type[PublishedFigure]] = {
    MEMORY_FILE: MemoryFamily,
    LINKS_FILE: LinkGeneration,
    NORMAL_FILE: NormalBand,
    REFERENCE_FILE: PublishedFigure,
}


def faults(paths: Sequence[Path]) -> list[str]:
    """Return one line for each fault in some spec files, naming file, entry and field; none where they are whole.

    A folder stands for its `.toml` files, those of its folder `devices` among them.
    """
    found: list[str] = []
    owners: dict[str, str] = {}
    for path in paths:
        if reason := why_unreadable(path):
            found.append(f"{path} cannot be read: {reason}")
            continue
        is_folder = reason == ""
        files = sorted((*path.glob("*.toml"), *path.glob("devices/*.toml"))) if is_folder else [path]
        if not files:
            found.append(f"{path}: holds no .toml file")
        for file in files:
            found += _faults_of_file(file, owners, is_named=not is_folder)
    return found


def _faults_of_file(path: Path, owners: dict[str, str], *, is_named: bool) -> Iterator[str]:
    try:
        if not is_named:  # one that is named may be a pipe
            check_plain(path)
        tables = parsed_file(path)
    except BandwidthError as error:
        yield str(error)
        return
    if not tables:
        yield f"{path}: holds no entry"
    for name, result in parse_entries(path, tables, KINDS.get(path.name, Device)):
        if isinstance(result, BandwidthError):
            yield str(result)
        elif isinstance(result, Device):
            yield from _faults_of_device(path, result, owners)
        elif wrong := _fault_of_entry(result):
            yield f"{path.name}: [{name}]: {wrong}"


def _fault_of_entry(entry: Named) -> str:
    if isinstance(entry, PublishedFigure):
        return fault_of_figure(entry)
    return fault_of_range(entry) if isinstance(entry, NormalBand) else fault_of_source(entry)


def _faults_of_device(path: Path, device: Device, owners: dict[str, str]) -> Iterator[str]:
    place = f"{path.name}: [{device.name}]"
    if not device.source.strip():
        yield f"{place}: source: it is empty"
    for what, names in (("name", (device.name, *device.aliases)), ("PCI ID", device.pci_ids)):
        yield from _twice(place, what, names, owners)
    yield from _twice(place, "model name", device.model_names, owners)
    yield from _unreachable(place, device)
    if (device.vendor_gb_s is None) != (device.vendor_text is None):
        yield f"{place}: vendor_gb_s and vendor_text go together"
    yield from _unexplained(place, device)


def _twice(place: str, what: str, names: Sequence[str], owners: dict[str, str]) -> Iterator[str]:
    """Yield the names that stand in another entry already, and remember whose these are."""
    for name in names:
        key = f"{what}: {key_of(name) if what == 'name' else name}"
        if owners.get(key, place) != place:
            yield f"{place}: the {what} {name!r} stands in {owners[key]} already"
        owners[key] = place


def _unreachable(place: str, device: Device) -> Iterator[str]:
    """Yield names that no SPEC can reach, and a capacity that is no size."""
    for name in (device.name, *device.aliases):
        try:
            notation_peak(name, Counts())
        except BandwidthError as error:
            if "is no notation" in error.message:
                continue
        yield f"{place}: the name {name!r} is a notation, which is read first"
    try:
        device_peaks(device, device.name, Counts(), notation_peak)
    except BandwidthError as error:
        yield f"{place}: {error.message.split(': ', 1)[-1]}"


def _unexplained(place: str, device: Device) -> Iterator[str]:
    """Yield where formula and maker's figure differ by more than 1 % and no category and note say why."""
    if device.vendor_gb_s is None:
        return
    try:
        formula_gb_s = notation_peak(device.memory, Counts()).bytes_per_s / 1e9
    except BandwidthError:
        return  # told already
    differs = abs(formula_gb_s / device.vendor_gb_s - 1) > SAME_FIGURE
    if differs and not (device.category and device.note):
        yield f"{place}: vendor_gb_s: {device.vendor_gb_s:g} against {formula_gb_s:.2f}: category and note must say why"
