"""Whether spec files are whole: their schema, the notations of their entries, and that no name stands twice."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from bandwidth.catalog import MemoryFamily
from bandwidth.catalog.device import Device
from bandwidth.catalog.files import LINKS_FILE, MEMORY_FILE, parse_entries
from bandwidth.catalog.link import LinkGeneration
from bandwidth.errors import BandwidthError
from bandwidth.theory.device_notation import SAME_FIGURE
from bandwidth.theory.notation import peaks

KINDS: dict[str, type[MemoryFamily] | type[LinkGeneration]] = {MEMORY_FILE: MemoryFamily, LINKS_FILE: LinkGeneration}


def faults(paths: Sequence[Path]) -> list[str]:
    """Return one line for each fault in some spec files, naming file, entry and field; none where they are whole."""
    found: list[str] = []
    owners: dict[str, str] = {}
    for path in paths:
        found += _faults_of_file(path, owners)
    return found


def _faults_of_file(path: Path, owners: dict[str, str]) -> Iterator[str]:
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        yield f"{path}: cannot be read: {error.strerror}"
        return
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        yield f"{path}: is not TOML: {error}"
        return
    if not tables:
        yield f"{path}: holds no entry"
    for name, result in parse_entries(path, tables, KINDS.get(path.name, Device)):
        if isinstance(result, BandwidthError):
            yield str(result)
        elif isinstance(result, Device):
            yield from _faults_of_device(path, result, owners)
        elif not result.source.strip():
            yield f"{path.name}: [{name}]: source: it is empty"


def _faults_of_device(path: Path, device: Device, owners: dict[str, str]) -> Iterator[str]:
    place = f"{path.name}: [{device.name}]"
    if not device.source.strip():
        yield f"{place}: source: it is empty"
    for name in (device.name, *device.aliases):
        key = "".join(name.lower().split()).replace("-", "").replace("_", "")
        if key in owners:
            yield f"{place}: the name {name!r} stands in {owners[key]} already"
        owners[key] = place
    if (device.vendor_gb_s is None) != (device.vendor_text is None):
        yield f"{place}: vendor_gb_s and vendor_text go together"
    for field, notation in (("memory", device.memory), ("link", device.link)):
        yield from _faults_of_notation(place, field, notation)
    yield from _unexplained(place, device)


def _faults_of_notation(place: str, field: str, notation: str | None) -> Iterator[str]:
    if notation is None:
        return
    try:
        found = peaks(notation)
    except BandwidthError as error:
        yield f"{place}: {field}: {error.message}"
        return
    if len(found) != 1 or found[0].kind != ("memory" if field == "memory" else "link"):
        yield f"{place}: {field}: {notation!r} is not a {field}"


def _unexplained(place: str, device: Device) -> Iterator[str]:
    """Yield where formula and maker's figure differ by more than 1 % and no category and note say why."""
    if device.vendor_gb_s is None:
        return
    try:
        formula_gb_s = peaks(device.memory)[0].bytes_per_s / 1e9
    except BandwidthError:
        return  # told already
    differs = abs(formula_gb_s / device.vendor_gb_s - 1) > SAME_FIGURE
    if differs and not (device.category and device.note):
        yield f"{place}: vendor_gb_s: {device.vendor_gb_s:g} against {formula_gb_s:.2f}: category and note must say why"
