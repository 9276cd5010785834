"""Where each device's table stands, by all of its names.

The package's own files are scanned as text, because parsing 700 tables for one look-up would take longer than all else;
a test holds that the scan finds what TOML says. A user's files may be written in any way that TOML allows, so they are
parsed; one that is broken is passed over and named, and affects nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from bandwidth.catalog.entries import parse_entry, parse_table, parsed_file
from bandwidth.catalog.folders import Folders
from bandwidth.catalog.model import Device
from bandwidth.catalog.names import Name, read_name
from bandwidth.catalog.products import ProductTable, values
from bandwidth.errors import BandwidthError

# A table's header, and those of its fields that it is looked up by.
_LINE = re.compile(
    r'^(?:\["([^"\n]+)"\]|(aliases|cpuid|model_names|pci_ids) = \[([^\]]*)\]'
    r'|(maker|memory|capacity|kind) = "([^"\n]*)")$',
    re.MULTILINE,
)
_LISTS = ("aliases", "cpuid", "model_names", "pci_ids")
_TEXTS = ("maker", "memory", "capacity", "kind")
_QUOTED = re.compile(r'"([^"]+)"')


@dataclass(frozen=True, eq=False)
class Place:
    """Where a device stands: its file, and its table, the text of that, or its line; and what it is looked up by."""

    name: str
    path: Path
    maker: str = ""
    memory: str = ""
    capacity: str = ""
    kind: str = ""
    aliases: tuple[str, ...] = ()
    cpuid: tuple[str, ...] = ()
    model_names: tuple[str, ...] = ()
    pci_ids: tuple[str, ...] = ()
    is_users: bool = False
    text: str = field(default="", repr=False)
    table: Mapping[str, Any] | None = field(default=None, repr=False)
    line: tuple[ProductTable, int] | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """Where it stands, as errors say it: its file, and the line in a table of products."""
        if self.line is None:
            return str(self.path)
        table, number = self.line
        return f"{table.shown}: line {table.numbers[number]}"

    @cached_property
    def written(self) -> str:
        """Its names as they are written, in lower case: what has not the words of a query in it needs no reading."""
        return " ".join((self.name, *self.aliases)).lower()

    @cached_property
    def names(self) -> tuple[Name, ...]:
        """The names that it answers to, its own first."""
        return tuple(dict.fromkeys(read_name(name) for name in (self.name, *self.aliases)))

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The key of each of its names."""
        return tuple(dict.fromkeys(name.key for name in self.names))

    @cached_property
    def makers(self) -> frozenset[str]:
        """Whose product it is, as names state it; none for an entry whose maker is not known here.

        A line's name begins with its maker, known or not.
        """
        stated = read_name(self.maker).makers
        if not stated and self.line is not None:
            stated = frozenset({self.maker.lower()})
        return stated.union(*(name.makers for name in self.names)) if self.maker else stated

    @property
    def is_sold_without_memory(self) -> bool:
        """Whether a capacity beside its name says nothing of it: a processor takes what the computer has."""
        return self.kind in ("cpu", "soc") and not self.capacity

    @cached_property
    def optional(self) -> frozenset[str]:
        """What may stand beside its name: its capacity, and the family of its memory."""
        sizes = (read_name(size).atoms for size in self.capacity.split(";"))
        family = self.memory.lower().split(" ", 1)[0].split("-", 1)[0]
        return frozenset({family, *("".join(atoms) for atoms in sizes)})


def own_places(folders: Folders) -> tuple[Place, ...]:
    """Return the entries of the package's own files, in their order."""
    return tuple(place for path in folders.own_device_files() for place in scanned(path))


def users_by_key(folders: Folders) -> dict[str, Place]:
    """Return the user's entries and lines by the key of each of their names; a later one takes an earlier's place.

    Raises BandwidthError for a folder that is named and not there.
    """
    found: dict[str, Place] = {}
    for place in _of_users(folders):
        for replaced in {found[key] for key in place.keys if key in found}:
            for key in replaced.keys:
                if found.get(key) is replaced:
                    del found[key]
        found |= dict.fromkeys(place.keys, place)
    return found


def _of_users(folders: Folders) -> Iterator[Place]:
    """Yield the places of the user's files, the strongest last."""
    for path in folders.user_device_files():
        yield from _parsed(path, folders)
    for table in folders.user_tables():
        for number in range(len(table.lines)):
            try:
                yield place_of_line(table, number, is_users=True)
            except BandwidthError as error:
                folders.note_broken(error)


@lru_cache(maxsize=16384)
def place_of_line(table: ProductTable, number: int, *, is_users: bool = False) -> Place:
    """Return the place of a line of a table. Raises BandwidthError naming file, line and field.

    A user's is read whole at once, so that what is wrong with it is known; the package's when it is asked for.
    """
    if is_users:
        table.device(number)
    cells = table.cells(number)
    return Place(
        cells["name"],
        table.path,
        maker=cells["name"].split(" ", 1)[0],
        memory=cells["memory"],
        capacity=cells.get("capacity", ""),
        kind=table.kind_of(cells),
        aliases=tuple(values(cells["aliases"])),
        pci_ids=tuple(values(cells.get("pci_ids", "-"))),
        is_users=is_users,
        line=(table, number),
    )


@lru_cache(maxsize=4096)
def read_device(place: Place) -> Device:
    """Return the device of a table, parsed by itself. Raises BandwidthError naming file, entry and field."""
    if place.line is not None:
        table, number = place.line
        return table.device(number)
    if place.table is not None:
        return parse_table(place.path, place.name, place.table, Device)
    return parse_entry(place.path, place.text, place.name, Device)


def scanned(path: Path) -> Iterator[Place]:
    """Yield the places of one of the package's own files, by a scan of its text."""
    text = path.read_text("utf-8")
    name, start, found = "", 0, dict[str, Any]()
    for match in _LINE.finditer(text):
        header, of_texts, texts, of_text, value = match.groups()
        if header is not None:
            if name:
                yield Place(name, path, **found, text=text[start : match.start()])
            name, start, found = header, match.start(), {}
        elif of_texts is not None:
            found[of_texts] = tuple(_QUOTED.findall(texts))
        else:
            found[of_text] = value
    if name:
        yield Place(name, path, **found, text=text[start:])


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
        fields: dict[str, Any] = {key: value for key in _TEXTS if isinstance(value := table.get(key), str)}
        fields |= {key: _texts(table.get(key)) for key in _LISTS}
        yield Place(name, path, **fields, is_users=True, table=table)


def _texts(value: object) -> tuple[str, ...]:
    """Return the texts of a list; what else stands there is for the check of the entry to say."""
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
