"""Finds the specs and reads their TOML files into checked entries; a bad file is named with its entry and field.

The package's own specs come first; a user's (`--specs`, BANDWIDTH_SPECS, the config folder) override them by name.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from bandwidth.catalog.memory import MemoryFamily
from bandwidth.errors import BandwidthError

if TYPE_CHECKING:
    from bandwidth.catalog.link import LinkGeneration


class Named(Protocol):
    """What every entry of the catalog has: MemoryFamily, LinkGeneration, Device."""

    @property
    def name(self) -> str:
        """The name of its table."""

    @property
    def source(self) -> str:
        """Where its figures were read."""


Entry = TypeVar("Entry", bound=Named)

SPECS_VARIABLE = "BANDWIDTH_SPECS"
MEMORY_FILE = "memory.toml"
LINKS_FILE = "links.toml"
DEVICES_FOLDER = "devices"


@lru_cache(maxsize=1)
def specs_folder() -> Path:
    """Return the folder of the specs: inside the package in a wheel, beside it in a checkout or an editable install.

    Raises BandwidthError where there is neither.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "specs", package.parent / "specs"):
        if (folder / MEMORY_FILE).is_file():
            return folder
    raise BandwidthError("the specs of memories and links are missing", "install membandwidth again")


_added_folders: list[Path] = []


def add_specs_folder(folder: Path) -> None:
    """Take a folder of the user's own specs (`--specs DIR`), stronger than all others, from now on."""
    _added_folders.append(folder)
    memory_families.cache_clear()
    link_generations.cache_clear()


def user_specs_folders() -> tuple[Path, ...]:
    """Return the user's own folders, the last the strongest: the config folder, BANDWIDTH_SPECS, those added.

    Raises BandwidthError for a folder that is named and not there.
    """
    config = _config_folder() / "bandwidth" / "specs"
    named = [Path(part) for part in os.environ.get(SPECS_VARIABLE, "").split(os.pathsep) if part] + _added_folders
    for folder in named:
        if not folder.is_dir():
            raise BandwidthError(f"the folder of specs {folder} is not there", f"mend --specs or {SPECS_VARIABLE}")
    return (*([config] if config.is_dir() else []), *named)


def _config_folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home())
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


@lru_cache(maxsize=1)
def memory_families() -> tuple[MemoryFamily, ...]:
    """Return every memory family, in the order of specs/memory.toml. Raises BandwidthError for a bad file."""
    return _merged(MEMORY_FILE, MemoryFamily)


@lru_cache(maxsize=1)
def link_generations() -> tuple[LinkGeneration, ...]:
    """Return every link generation, in the order of specs/links.toml. Raises BandwidthError for a bad file."""
    from bandwidth.catalog.link import LinkGeneration

    return _merged(LINKS_FILE, LinkGeneration)


def device_files() -> tuple[Path, ...]:
    """Return the files of devices, the package's first, then the user's: `devices/*.toml` and others in the folder."""
    own = sorted((specs_folder() / DEVICES_FOLDER).glob("*.toml"))
    named = {MEMORY_FILE, LINKS_FILE}
    users = [
        path
        for folder in user_specs_folders()
        for path in (*sorted(folder.glob("*.toml")), *sorted((folder / DEVICES_FOLDER).glob("*.toml")))
        if path.name not in named
    ]
    return (*own, *users)


def read_entries(path: Path, kind: type[Entry]) -> tuple[Entry, ...]:
    """Return the entries of one spec file, a table each, checked against `kind`.

    Raises BandwidthError naming file, entry and field, for a file that cannot be read, is not TOML or does not fit.
    """
    adapter: TypeAdapter[Entry] = TypeAdapter(kind)  # the dataclass itself is the schema: no second copy of its fields
    return tuple(_entry(path, adapter, kind, name, table) for name, table in _tables(path).items())


def parse_entries(
    path: Path, tables: Mapping[str, object], kind: type[Entry]
) -> Iterator[tuple[str, Entry | BandwidthError]]:
    """Yield each table's name with its entry, or with the error that says what is wrong with it."""
    adapter: TypeAdapter[Entry] = TypeAdapter(kind)
    for name, table in tables.items():
        try:
            yield name, _entry(path, adapter, kind, name, table)
        except BandwidthError as error:
            yield name, error


def parse_entry(path: Path, text: str, name: str, kind: type[Entry]) -> Entry:
    """Return one entry from the part of a file that holds its table. Raises BandwidthError as `read_entries` does."""
    tables = _parsed(path, text)
    return _entry(path, TypeAdapter(kind), kind, name, tables.get(name))


def _merged(file_name: str, kind: type[Entry]) -> tuple[Entry, ...]:
    """Return the entries of the package's file; those of the user's files take the place of the same names."""
    paths = [specs_folder() / file_name, *(folder / file_name for folder in user_specs_folders())]
    by_name = {entry.name: entry for path in paths if path.is_file() for entry in read_entries(path, kind)}
    return tuple(by_name.values())


def _tables(path: Path) -> dict[str, Any]:
    try:
        return _parsed(path, path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BandwidthError(f"{path.name} cannot be read: {error}", "check the file") from error


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BandwidthError(f"{path.name} is not TOML: {error}", "mend the file at that line") from error


def _entry(path: Path, adapter: TypeAdapter[Entry], kind: type[Entry], name: str, table: object) -> Entry:
    if not isinstance(table, dict):
        raise BandwidthError(f"{path.name}: {name!r} is not a table", "write it as [NAME] with its fields below")
    known = {field.name for field in dataclasses.fields(cast("Any", kind))} - {"name"}  # the name is said once
    if unknown := sorted(set(table) - known):
        raise BandwidthError(f"{path.name}: [{name}]: unknown field {unknown[0]!r}", "mend its name or take it out")
    try:
        # As JSON, because only there does pydantic's strict mode take a list for a tuple.
        return adapter.validate_json(to_json({"name": name, **table}, fallback=str), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the entry"
        raise BandwidthError(f"{path.name}: [{name}]: {field}: {first['msg']}", "mend that field") from error
