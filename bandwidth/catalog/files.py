"""Finds the specs and reads their TOML files into checked entries; a bad file is named with its entry and field.

The package's own specs come first; a user's (`--specs`, BANDWIDTH_SPECS, the config folder) override them by name.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from bandwidth.catalog.memory import MemoryFamily
from bandwidth.errors import BandwidthError
from bandwidth.text_files import check_plain, read_text

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
NORMAL_FILE = "normal.toml"
REFERENCE_FILE = "reference.toml"
FAMILIES_FILE = "processor_families.tsv"
DEVICES_FOLDER = "devices"
MEND = f"mend --specs or {SPECS_VARIABLE}, or let this user read it"
LONGEST_PATH = 200


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

    One that cannot be read is passed over and noted. Raises BandwidthError for one that is named and not there.
    """
    named = [Path(part) for part in os.environ.get(SPECS_VARIABLE, "").split(os.pathsep) if part] + _added_folders
    for folder in named:
        if why_unreadable(folder) is None:
            raise BandwidthError(f"the folder of specs {shown_path(folder)} is not there", MEND)
    try:
        folders = [_config_folder() / "bandwidth" / "specs", *named]
    except RuntimeError:  # a user without a home
        folders = named
    return tuple(folder for folder in folders if _is_readable(folder, MEND))


def _is_readable(folder: Path, hint: str) -> bool:
    """Return whether a folder can be read; one that is there and cannot is noted."""
    reason = why_unreadable(folder)
    if reason:
        note_broken(BandwidthError(f"{shown_path(folder)} cannot be read: {reason}", hint))
    return reason == ""


def why_unreadable(folder: Path) -> str | None:
    """Return why a folder cannot be read, nothing where it can, None where there is none."""
    try:
        with os.scandir(folder):
            return ""
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return error.strerror or "the system does not say why"
    except ValueError:  # a null character
        return "it is no name of a folder"


def shown_path(path: Path) -> str:
    """Return a path as errors name it: one of thousands of letters is cut."""
    text = str(path)
    return text if len(text) <= LONGEST_PATH else f"{text[:LONGEST_PATH]}..."


def _config_folder() -> Path:
    """Return the folder of the user's settings. Raises RuntimeError for a user without a home."""
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


def own_device_files() -> tuple[Path, ...]:
    """Return the package's own files of devices."""
    return tuple(sorted((specs_folder() / DEVICES_FOLDER).glob("*.toml")))


def user_device_files() -> tuple[Path, ...]:
    """Return the user's files of devices, the strongest last: `*.toml` and `devices/*.toml` in each folder.

    One that is no plain file is passed over and noted.
    """
    return tuple(
        path
        for folder in user_specs_folders()
        for place in (folder, folder / DEVICES_FOLDER)
        if _is_readable(place, MEND)
        for path in sorted(place.glob("*.toml"))
        if path.name not in (MEMORY_FILE, LINKS_FILE, NORMAL_FILE, REFERENCE_FILE) and _is_plain(path)
    )


def _is_plain(path: Path) -> bool:
    try:
        check_plain(path)
    except BandwidthError as error:
        note_broken(error)
        return False
    return True


_broken: dict[str, None] = {}


def note_broken(error: BandwidthError) -> None:
    """Keep what is wrong with a user's file or entry: it is passed over, and told once by whoever prints."""
    _broken[str(error)] = None


def broken_specs() -> tuple[str, ...]:
    """Return what was passed over so far, a line each."""
    return tuple(_broken)


def read_entries(path: Path, kind: type[Entry]) -> tuple[Entry, ...]:
    """Return the entries of one spec file, a table each, checked against `kind`.

    Raises BandwidthError naming file, entry and field, for a file that cannot be read, is not TOML or does not fit.
    """
    adapter = _adapter(kind)
    return tuple(_entry(path, adapter, kind, name, table) for name, table in parsed_file(path).items())


def parse_entries(
    path: Path, tables: Mapping[str, object], kind: type[Entry]
) -> Iterator[tuple[str, Entry | BandwidthError]]:
    """Yield each table's name with its entry, or with the error that says what is wrong with it."""
    adapter = _adapter(kind)
    for name, table in tables.items():
        try:
            yield name, _entry(path, adapter, kind, name, table)
        except BandwidthError as error:
            yield name, error


def parse_entry(path: Path, text: str, name: str, kind: type[Entry]) -> Entry:
    """Return one entry from the part of a file that holds its table. Raises BandwidthError as `read_entries` does."""
    tables = _parsed(path, text)
    return _entry(path, _adapter(kind), kind, name, tables.get(name))


def parse_table(path: Path, name: str, table: Mapping[str, Any], kind: type[Entry]) -> Entry:
    """Return one entry from its table. Raises BandwidthError as `read_entries` does."""
    return _entry(path, _adapter(kind), kind, name, table)


def parsed_file(path: Path) -> dict[str, Any]:
    """Return the tables of a file. Raises BandwidthError where it cannot be read or is not TOML."""
    try:
        text = read_text(path, "a spec file", "check the file")
    except BandwidthError as error:
        raise BandwidthError(error.message.replace(str(path), _shown(path), 1), error.hint) from error
    return _parsed(path, text)


def user_entries(file_name: str, kind: type[Entry]) -> dict[str, Entry]:
    """Return the entries of the user's files of a name, the strongest where several have one of the same name.

    What is wrong in a user's file is passed over and noted: it affects nothing else.
    """
    by_name: dict[str, Entry] = {}
    for path in (folder / file_name for folder in user_specs_folders()):
        try:
            path.lstat()
        except OSError:  # there is none
            continue
        if not _is_plain(path):
            continue
        try:
            tables = parsed_file(path)
        except BandwidthError as error:
            note_broken(error)
            continue
        for name, entry in parse_entries(path, tables, kind):
            if isinstance(entry, BandwidthError):
                note_broken(entry)
            else:
                by_name[name] = entry
    return by_name


def _merged(file_name: str, kind: type[Entry]) -> tuple[Entry, ...]:
    """Return the entries of the package's file; those of the user's files take the place of the same names."""
    own = {entry.name: entry for entry in read_entries(specs_folder() / file_name, kind)}
    return tuple({**own, **user_entries(file_name, kind)}.values())


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError too: a number of thousands of digits
        raise BandwidthError(f"{_shown(path)} is not TOML: {error}", "mend the file at that line") from error


def _shown(path: Path) -> str:
    """Return a path as errors name it: the package's own files by their name, a user's whole."""
    return path.name if path.is_relative_to(specs_folder()) else str(path)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)  # the dataclass itself is the schema: there is no second copy of its fields


def _entry(path: Path, adapter: TypeAdapter[Any], kind: type[Entry], name: str, table: object) -> Entry:
    if not isinstance(table, dict):
        raise BandwidthError(f"{_shown(path)}: {name!r} is not a table", "write it as [NAME] with its fields below")
    known = {field.name for field in dataclasses.fields(cast("Any", kind))} - {"name"}  # the name is said once
    if unknown := sorted(set(table) - known):
        raise BandwidthError(f"{_shown(path)}: [{name}]: unknown field {unknown[0]!r}", "mend its name or take it out")
    try:
        # As JSON, because only there does pydantic's strict mode take a list for a tuple.
        entry: Entry = adapter.validate_json(to_json({"name": name, **table}, fallback=str), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the entry"
        raise BandwidthError(f"{_shown(path)}: [{name}]: {field}: {first['msg']}", "mend that field") from error
    return entry
