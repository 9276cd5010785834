"""Whether spec files are whole: their schema, the notations of their entries, and that no name stands twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bandwidth.catalog import MemoryFamily
from bandwidth.catalog.decoding import DECODING_FILE, HOST_DECODING_FILE, DeviceFit, HostEnd
from bandwidth.catalog.entries import (
    LINKS_FILE,
    MEMORY_FILE,
    NORMAL_FILE,
    REFERENCE_FILE,
    Named,
    parse_entries,
    parsed_file,
    why_unreadable,
)
from bandwidth.catalog.model import Device, LinkGeneration
from bandwidth.catalog.names import read_name
from bandwidth.catalog.products import COLUMNS, ProductTable
from bandwidth.catalog.published import NormalBand, PublishedFigure, fault_of_figure, fault_of_range, fault_of_source
from bandwidth.errors import BandwidthError
from bandwidth.text_files import check_plain
from bandwidth.theory.device_notation import SAME_FIGURE, device_peaks
from bandwidth.theory.notation import notation_peak
from bandwidth.theory.parts import Counts

Entry = MemoryFamily | LinkGeneration | NormalBand | PublishedFigure | DeviceFit | HostEnd
KINDS: dict[str, type[Entry]] = {
    MEMORY_FILE: MemoryFamily,
    LINKS_FILE: LinkGeneration,
    NORMAL_FILE: NormalBand,
    REFERENCE_FILE: PublishedFigure,
    DECODING_FILE: DeviceFit,
    HOST_DECODING_FILE: HostEnd,
}
# The package's own alone: no user's folder has them.
_OWN_KINDS: dict[str, type[DeviceFit] | type[HostEnd]] = {DECODING_FILE: DeviceFit, HOST_DECODING_FILE: HostEnd}


def faults(paths: Sequence[Path]) -> list[str]:
    """Return one line for each fault in some spec files, naming file, entry and field; none where they are whole.

    A folder stands for its `.toml` files, those of its folder `devices` among them, and its tables of products.
    """
    found: list[str] = []
    owners: dict[str, str] = {}
    for path in paths:
        if reason := why_unreadable(path):
            found.append(f"{path} cannot be read: {reason}")
            continue
        is_folder = reason == ""
        files = _files_of(path) if is_folder else [path]
        if not files:
            found.append(f"{path}: contains no .toml file and no table of products")
        for file in files:
            found += _faults_of_file(file, owners, is_named=not is_folder)
    return found


def _files_of(folder: Path) -> list[Path]:
    tables = (folder / name for name in COLUMNS)
    entries = sorted((*folder.glob("*.toml"), *folder.glob("devices/*.toml")))
    return [*entries, *(table for table in tables if table.exists())]


def _faults_of_file(path: Path, owners: dict[str, str], *, is_named: bool) -> Iterator[str]:
    try:
        if not is_named:  # one that is named may be a pipe
            check_plain(path)
        if path.name in COLUMNS:
            yield from _faults_of_table(ProductTable(path, path.name), owners)
            return
        tables = parsed_file(path)
    except BandwidthError as error:
        yield str(error)
        return
    if not tables:
        yield f"{path}: contains no entry"
    for name, result in parse_entries(path, tables, {**KINDS, **_OWN_KINDS}.get(path.name, Device)):
        if isinstance(result, BandwidthError):
            yield str(result)
        elif isinstance(result, Device):
            yield from _faults_of_device(path, result, owners)
        elif wrong := _fault_of_entry(result):
            yield f"{path.name}: [{name}]: {wrong}"


def _faults_of_table(table: ProductTable, owners: dict[str, str]) -> Iterator[str]:
    """Yield what is wrong with the lines of a table of products, with each line's number and the field."""
    for number in range(len(table.lines)):
        try:
            device = table.device(number)
        except BandwidthError as error:
            yield str(error)
            continue
        place = f"{table.shown}: line {table.numbers[number]}"
        yield from _twice(place, "name", (device.name, *device.aliases), owners, device.maker)
        yield from _unreachable(place, device)
        yield from _not_fastest_first(place, device)


def _not_fastest_first(place: str, device: Device) -> Iterator[str]:
    try:
        rates = [notation_peak(one, Counts()).bytes_per_s for one in (device.memory, *device.other_memories)]
    except BandwidthError:
        return  # told already
    if rates[0] < max(rates):
        yield f"{place}: memory: list the fastest first; {device.memory!r} is not the fastest"


def _fault_of_entry(entry: Named) -> str:
    if isinstance(entry, PublishedFigure):
        return fault_of_figure(entry)
    return fault_of_range(entry) if isinstance(entry, NormalBand) else fault_of_source(entry)


def _faults_of_device(path: Path, device: Device, owners: dict[str, str]) -> Iterator[str]:
    place = f"{path.name}: [{device.name}]"
    if not device.source.strip():
        yield f"{place}: source: it is empty"
    yield from _twice(place, "name", (device.name, *device.aliases), owners, device.maker)
    yield from _twice(place, "PCI ID", device.pci_ids, owners)
    yield from _twice(place, "model name", device.model_names, owners)
    yield from _unreachable(place, device)
    if (device.vendor_gb_s is None) != (device.vendor_text is None):
        yield f"{place}: vendor_gb_s and vendor_text go together"
    yield from _unexplained(place, device)


def _twice(place: str, what: str, names: Sequence[str], owners: dict[str, str], maker: str = "") -> Iterator[str]:
    """Yield the names that stand in another entry already, and remember whose these are.

    Two spellings of one maker's product are the same; two makers may each have an A10.
    """
    makers = " ".join(read_name(maker).makers) or maker
    for name in names:
        key = f"{what}: {f'{makers} {read_name(name).key}' if maker else name}"
        if owners.get(key, place) != place:
            yield f"{place}: the {what} {name!r} is already in {owners[key]}"
        owners[key] = place


def _unreachable(place: str, device: Device) -> Iterator[str]:
    """Yield names that no SPEC can reach, and a capacity that is no size."""
    for name in (device.name, *device.aliases):
        try:
            notation_peak(name, Counts())
        except BandwidthError as error:
            if "is not a memory or link" in error.message:
                continue
        yield f"{place}: the name {name!r} is also a notation, which takes precedence"
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
