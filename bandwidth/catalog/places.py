"""Where each device's table stands, by all of its names.

The package's own files are scanned as text, because parsing 700 tables for one look-up would take longer than all else;
a test holds that the scan finds what TOML says. A user's files may be written in any way that TOML allows, so they are
parsed; one that is broken is passed over and named, and affects nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from bandwidth.catalog.device import Device
from bandwidth.catalog.entries import parse_entry, parse_table, parsed_file
from bandwidth.catalog.folders import Folders
from bandwidth.errors import BandwidthError

_HEADER = re.compile(r'^\["([^"\n]+)"\]$', re.MULTILINE)
_LIST = re.compile(r"^(aliases|cpuid|model_names|pci_ids) = \[([^\]]*)\]$", re.MULTILINE)
_LISTS = ("aliases", "cpuid", "model_names", "pci_ids")
_QUOTED = re.compile(r'"([^"]+)"')
_WORD = re.compile(r"[a-z]+|[0-9]+(?:\.[0-9]+)?|\+")
# Words that tell nothing apart: "NVIDIA H200" is the H200, "Intel Core i7-920 Processor" the Core i7-920.
_EMPTY_WORDS = frozenset({"nvidia", "amd", "ati", "intel", "apple", "processor", "cpu", "gpu", "graphics", "card"})


@dataclass(frozen=True, eq=False)
class Place:
    """Where a device's table stands: its file, the text of its table or the table itself, and its names."""

    name: str
    path: Path
    aliases: tuple[str, ...] = ()
    cpuid: tuple[str, ...] = ()
    model_names: tuple[str, ...] = ()
    pci_ids: tuple[str, ...] = ()
    text: str = field(default="", repr=False)
    table: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it answers to."""
        return (self.name, *self.aliases)


def words_of(name: str) -> list[str]:
    """Return the words of a name in lower case, letters split from digits, without those that tell nothing apart."""
    words = _WORD.findall(name.lower())
    return [word for word in words if word not in _EMPTY_WORDS] or words


def key_of(name: str) -> str:
    """Return what two spellings of one name have in common: its words without anything between them."""
    return "".join(words_of(name))


def places_by_key(folders: Folders) -> dict[str, Place]:
    """Return every device by the key of each of its names; a user's entry takes the place of one that shares a name."""
    found: dict[str, Place] = {}
    for path in folders.own_device_files():
        for place in scanned(path):
            found |= {key_of(name): place for name in place.names}
    for path in folders.user_device_files():
        for place in _parsed(path, folders):
            keys = list(dict.fromkeys(key_of(name) for name in place.names))
            for replaced in {found[key] for key in keys if key in found}:
                for key in map(key_of, replaced.names):
                    if found.get(key) is replaced:
                        del found[key]
            found |= dict.fromkeys(keys, place)
    return found


@lru_cache(maxsize=4096)
def read_device(place: Place) -> Device:
    """Return the device of a table, parsed by itself. Raises BandwidthError naming file, entry and field."""
    if place.table is not None:
        return parse_table(place.path, place.name, place.table, Device)
    return parse_entry(place.path, place.text, place.name, Device)


def scanned(path: Path) -> Iterator[Place]:
    """Yield the places of one of the package's own files, by a scan of its text."""
    text = path.read_text("utf-8")
    headers = list(_HEADER.finditer(text))
    ends = [header.start() for header in headers[1:]] + [len(text)]
    for header, end in zip(headers, ends[: len(headers)], strict=True):
        part = text[header.start() : end]
        lists = {match[1]: tuple(_QUOTED.findall(match[2])) for match in _LIST.finditer(part)}
        aliases, cpuid, model_names, pci_ids = (lists.get(key, ()) for key in _LISTS)
        yield Place(header[1], path, aliases, cpuid, model_names, pci_ids, text=part)


def _parsed(path: Path, folders: Folders) -> Iterator[Place]:
    """Yield the places of a user's file; a broken one yields none and is noted."""
    try:
        tables = parsed_file(path)
    except BandwidthError as error:
        folders.note_broken(error)
        return
    for name, table in tables.items():
        if not isinstance(table, dict):
            folders.note_broken(
                BandwidthError(f"{path}: {name!r} is not a table", "write it as [NAME] with its fields below")
            )
            continue
        aliases, cpuid, model_names, pci_ids = (_texts(table.get(key)) for key in _LISTS)
        yield Place(name, path, aliases, cpuid, model_names, pci_ids, table=table)


def _texts(value: object) -> tuple[str, ...]:
    """Return the texts of a list; what else stands there is for the check of the entry to say."""
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
