"""Files whose entries state a range, `low` to `high` (normal.toml, reference.toml): checked, the user's first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from bandwidth.catalog.files import Named, note_broken, read_entries, specs_folder, user_entries
from bandwidth.errors import BandwidthError


class Range(Named, Protocol):
    """What every entry of these files has: NormalBand, PublishedFigure."""

    @property
    def low(self) -> float:
        """The lower end."""

    @property
    def high(self) -> float:
        """The upper end, in the unit of the lower one."""


RangeEntry = TypeVar("RangeEntry", bound=Range)


def all_ranges(file_name: str, kind: type[RangeEntry], fault_of: Callable[[RangeEntry], str]) -> tuple[RangeEntry, ...]:
    """Return every entry: the user's first, then those of the package's file that none of them has the name of.

    What is wrong with the user's is noted and passed over: a measurement must not fail by it. Raises BandwidthError for
    a bad file of the package.
    """
    ours, users = read_ranges(specs_folder() / file_name, kind, fault_of), _user_ranges(file_name, kind, fault_of)
    return (*users.values(), *(entry for entry in ours if entry.name not in users))


def read_ranges(path: Path, kind: type[RangeEntry], fault_of: Callable[[RangeEntry], str]) -> tuple[RangeEntry, ...]:
    """Return the entries of a file. Raises BandwidthError naming file, entry and field, as all spec files do.

    `fault_of` says what is wrong with an entry although each of its fields may be so, "" where nothing is.
    """
    entries = read_entries(path, kind)
    for entry in entries:
        if wrong := fault_of(entry):
            raise _error(path.name, entry.name, wrong)
    return entries


def fault_of_range(entry: Range) -> str:
    """Return what no entry of these files may have: ends in the wrong order, or no source; "" where it has neither."""
    if entry.low > entry.high:
        return "low is above high"
    return "" if entry.source.strip() else "source: it is empty"


def _user_ranges(
    file_name: str, kind: type[RangeEntry], fault_of: Callable[[RangeEntry], str]
) -> dict[str, RangeEntry]:
    """Return the user's entries by name, without those that are wrong: these are noted."""
    try:
        entries = user_entries(file_name, kind)
    except BandwidthError as error:  # a folder that is named and not there
        note_broken(error)
        return {}
    faults = {name: fault_of(entry) for name, entry in entries.items()}
    for name, wrong in faults.items():
        if wrong:
            note_broken(_error(file_name, name, wrong))
    return {name: entry for name, entry in entries.items() if not faults[name]}


def _error(file_name: str, name: str, wrong: str) -> BandwidthError:
    return BandwidthError(f"{file_name}: [{name}]: {wrong}", "mend these fields")
