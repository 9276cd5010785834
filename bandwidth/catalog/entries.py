"""The spec files: their names, where the package's own lie, and how their TOML is read into checked entries.

A bad file is named with its entry and field.
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from bandwidth.catalog.plain_entries import plain_entry
from bandwidth.errors import BandwidthError
from bandwidth.text_files import read_text

if TYPE_CHECKING:
    from pydantic import TypeAdapter

MEMORY_FILE = "memory.toml"
LINKS_FILE = "links.toml"
NORMAL_FILE = "normal.toml"
REFERENCE_FILE = "reference.toml"
FAMILIES_FILE = "processor_families.tsv"
ARM_CORES_FILE = "arm_cores.tsv"
PROCESSORS_FILE = "processors.tsv"
GRAPHICS_FILE = "graphics.tsv"
DEVICES_FOLDER = "devices"
LONGEST_PATH = 200


@cache  # where the package lies does not change while it runs
def specs_folder() -> Path:
    """Return the folder of the specs: inside the package in a wheel, beside it in a checkout or an editable install.

    Raises BandwidthError where there is neither.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "specs", package.parent / "specs"):
        if (folder / MEMORY_FILE).is_file():
            return folder
    raise BandwidthError("the specs of memories and links are missing", "install membandwidth again")


def why_unreadable(folder: Path) -> str | None:
    """Return why a folder cannot be read, nothing where it can, None where there is none."""
    try:
        with os.scandir(folder):
            return ""
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return error.strerror or "the system gives no reason"
    except ValueError:  # a null character
        return "it is not a folder name"


def shown_path(path: Path) -> str:
    """Return a path as errors name it: one of thousands of letters is cut."""
    text = str(path)
    return text if len(text) <= LONGEST_PATH else f"{text[:LONGEST_PATH]}..."


class Named(Protocol):
    """What every entry of the catalog has: MemoryFamily, LinkGeneration, Device, NormalBand, PublishedFigure."""

    @property
    def name(self) -> str:
        """The name of its table."""

    @property
    def source(self) -> str:
        """Where its figures were read."""


Entry = TypeVar("Entry", bound=Named)


def no_fault(_: object) -> str:
    """Return "": an entry of which each field is right is right."""
    return ""


def read_entries(path: Path, kind: type[Entry], fault_of: Callable[[Entry], str] = no_fault) -> tuple[Entry, ...]:
    """Return the entries of one spec file, a table each, checked against `kind`.

    `fault_of` says what is wrong with an entry although each of its fields may be so, "" where nothing is.
    Raises BandwidthError naming file, entry and field, for a file that cannot be read, is not TOML or does not fit.
    """
    entries = tuple(_entry(path, kind, name, table) for name, table in parsed_file(path).items())
    for entry in entries:
        if wrong := fault_of(entry):
            raise error_of_fault(path.name, entry.name, wrong)
    return entries


def error_of_fault(file_name: str, name: str, wrong: str) -> BandwidthError:
    """Return the error of an entry whose fields do not go together."""
    return BandwidthError(f"{file_name}: [{name}]: {wrong}", "correct these fields")


def parse_entries(
    path: Path, tables: Mapping[str, object], kind: type[Entry]
) -> Iterator[tuple[str, Entry | BandwidthError]]:
    """Yield each table's name with its entry, or with the error that says what is wrong with it."""
    for name, table in tables.items():
        try:
            yield name, _entry(path, kind, name, table)
        except BandwidthError as error:
            yield name, error


def parse_entry(path: Path, text: str, name: str, kind: type[Entry]) -> Entry:
    """Return one entry from the part of a file that holds its table. Raises BandwidthError as `read_entries` does."""
    tables = _parsed(path, text)
    return _entry(path, kind, name, tables.get(name))


def parse_table(path: Path, name: str, table: Mapping[str, Any], kind: type[Entry]) -> Entry:
    """Return one entry from its table. Raises BandwidthError as `read_entries` does."""
    return _entry(path, kind, name, table)


def parsed_file(path: Path) -> dict[str, Any]:
    """Return the tables of a file. Raises BandwidthError where it cannot be read or is not TOML."""
    try:
        text = read_text(path, "a spec file", "check the file")
    except BandwidthError as error:
        raise BandwidthError(error.message.replace(str(path), _shown(path), 1), error.hint) from error
    return _parsed(path, text)


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError too: a number of thousands of digits
        raise BandwidthError(f"{_shown(path)} is not TOML: {error}", "correct the file at that line") from error


def _shown(path: Path) -> str:
    """Return a path as errors name it: the package's own files by their name, a user's whole."""
    return path.name if path.is_relative_to(specs_folder()) else str(path)


def _entry(path: Path, kind: type[Entry], name: str, table: object) -> Entry:
    if not isinstance(table, dict):
        raise BandwidthError(f"{_shown(path)}: {name!r} is not a table", "write it as [NAME] with its fields below")
    known = {field.name for field in dataclasses.fields(cast("Any", kind))} - {"name"}  # the name is said once
    if unknown := sorted(set(table) - known):
        raise BandwidthError(f"{_shown(path)}: [{name}]: unknown field {unknown[0]!r}", "correct its name or remove it")
    return plain_entry(kind, name, table) or judged_entry(path, kind, name, table)


def judged_entry(path: Path, kind: type[Entry], name: str, table: Mapping[str, object]) -> Entry:
    """Return the entry that Pydantic makes of a table; it is loaded by the first that it has to judge."""
    from pydantic import ValidationError
    from pydantic_core import to_json

    try:
        # As JSON, because only there does pydantic's strict mode take a list for a tuple.
        entry: Entry = _adapter(kind).validate_json(to_json({"name": name, **table}, fallback=str), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the entry"
        raise BandwidthError(f"{_shown(path)}: [{name}]: {field}: {first['msg']}", "correct that field") from error
    return entry


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)  # the dataclass itself is the schema: there is no second copy of its fields
