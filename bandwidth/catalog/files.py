"""Finds `specs/` and reads its TOML files into checked entries; a bad file is named with its entry and field."""

from __future__ import annotations

import dataclasses
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from bandwidth.catalog.model import LinkGeneration, MemoryFamily
from bandwidth.errors import BandwidthError

Entry = TypeVar("Entry", bound=MemoryFamily | LinkGeneration)


@lru_cache(maxsize=1)
def specs_folder() -> Path:
    """Return the folder of the specs: inside the package in a wheel, beside it in a checkout or an editable install.

    Raises BandwidthError where there is neither.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "specs", package.parent / "specs"):
        if (folder / "memory.toml").is_file():
            return folder
    raise BandwidthError("the specs of memories and links are missing", "install membandwidth again")


@lru_cache(maxsize=1)
def memory_families() -> tuple[MemoryFamily, ...]:
    """Return every memory family of specs/memory.toml, in its order. Raises BandwidthError for a bad file."""
    return read_entries(specs_folder() / "memory.toml", MemoryFamily)


@lru_cache(maxsize=1)
def link_generations() -> tuple[LinkGeneration, ...]:
    """Return every link generation of specs/links.toml, in its order. Raises BandwidthError for a bad file."""
    return read_entries(specs_folder() / "links.toml", LinkGeneration)


def read_entries(path: Path, kind: type[Entry]) -> tuple[Entry, ...]:
    """Return the entries of one spec file, a table each, checked against `kind`.

    Raises BandwidthError naming file, entry and field, for a file that cannot be read, is not TOML or does not fit.
    """
    adapter: TypeAdapter[Entry] = TypeAdapter(kind)  # the dataclass itself is the schema: no second copy of its fields
    known = {field.name for field in dataclasses.fields(kind)} - {"name"}  # the name is the table's, said once
    return tuple(_entry(path, adapter, known, name, table) for name, table in _tables(path).items())


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BandwidthError(f"{path.name} cannot be read: {error}", "check the file") from error
    except tomllib.TOMLDecodeError as error:
        raise BandwidthError(f"{path.name} is not TOML: {error}", "mend the file at that line") from error


def _entry(path: Path, adapter: TypeAdapter[Entry], known: set[str], name: str, table: object) -> Entry:
    if not isinstance(table, dict):
        raise BandwidthError(f"{path.name}: {name!r} is not a table", "write it as [NAME] with its fields below")
    if unknown := sorted(set(table) - known):
        raise BandwidthError(f"{path.name}: [{name}]: unknown field {unknown[0]!r}", "mend its name or take it out")
    try:
        # As JSON, because only there does pydantic's strict mode take a list for a tuple.
        return adapter.validate_json(to_json({"name": name, **table}, fallback=str), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the entry"
        raise BandwidthError(f"{path.name}: [{name}]: {field}: {first['msg']}", "mend that field") from error
