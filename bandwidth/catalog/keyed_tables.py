"""Reads tables whose entries have a name: the package's, and those of the user's folders, which override them by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from bandwidth.catalog.entries import shown_path
from bandwidth.catalog.folders import Folders
from bandwidth.errors import BandwidthError
from bandwidth.text_files import check_plain, read_text
from bandwidth.vocabulary import HIGH, LOW, MEDIUM, Confidence

Row = TypeVar("Row")
UNKNOWN = "-"
_LONGEST_SHOWN = 60


@dataclass(frozen=True)
class KeyedTable(Generic[Row]):
    """What a table holds: how each column's cell is read, and what makes an entry of them.

    The first `key_length` columns together are an entry's name. A reader of a cell raises ValueError with what is
    wrong; `make` gets what they return by the names of the columns. `fault_of` says what is wrong with an entry of
    which each cell may be so, as `field: why`, "" where nothing is.
    """

    file_name: str
    cells: Mapping[str, Callable[[str], Any]]
    make: Callable[..., Row]
    key_length: int = 1
    fault_of: Callable[[Row], str] = lambda _: ""

    def read(self, folders: Folders) -> tuple[Row, ...]:
        """Return every entry: the user's first, then those of the package's table that none of them has the name of.

        What is wrong with a user's table or entry is noted and passed over. Raises BandwidthError, naming file, entry
        and field, for a bad table of the package.
        """
        own = dict(_sound(self._entries(folders.own / self.file_name, self.file_name)))
        users = dict(entry for path in self._user_paths(folders) for entry in self._users(folders, path))
        return (*users.values(), *(row for key, row in own.items() if key not in users))

    def _user_paths(self, folders: Folders) -> Iterator[Path]:
        try:
            named = folders.users
        except BandwidthError as error:  # a folder that is named and not there: a measurement must not fail by it
            folders.note_broken(error)
            return
        yield from (path for path in (folder / self.file_name for folder in named) if path.exists())

    def _users(self, folders: Folders, path: Path) -> Iterator[tuple[tuple[str, ...], Row]]:
        try:
            check_plain(path)
            for key, row in self._entries(path, shown_path(path)):
                if isinstance(row, BandwidthError):
                    folders.note_broken(row)
                else:
                    yield key, row
        except BandwidthError as error:
            folders.note_broken(error)

    def _entries(self, path: Path, shown: str) -> Iterator[tuple[tuple[str, ...], Row | BandwidthError]]:
        """Yield each entry by its name, or what is wrong with it. Raises BandwidthError for what is no such table."""
        text = read_text(path, "a table of specs", "check the file")
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        if not lines or lines[0].split("\t") != [*self.cells]:
            columns = ", ".join(self.cells)
            raise BandwidthError(f"{shown}: its first line does not name the columns", f"write {columns}")
        seen: set[tuple[str, ...]] = set()
        for line in lines[1:]:
            cells = line.split("\t")
            key = tuple(cells[: self.key_length])
            place = f"{shown}: [{' '.join(key)[:_LONGEST_SHOWN]}]"
            if key in seen:
                twice = BandwidthError(f"{place}: {next(iter(self.cells))}: duplicate entry", "keep one of them")
                yield key, twice
                continue
            seen.add(key)
            yield key, self._row(cells, place)

    def _row(self, cells: list[str], place: str) -> Row | BandwidthError:
        if len(cells) != len(self.cells):
            wrong = f"{place}: {len(cells)} cells in a table of {len(self.cells)} columns"
            return BandwidthError(wrong, "separate them with single tabs, and write - for an empty cell")
        read: dict[str, Any] = {}
        for (name, reader), cell in zip(self.cells.items(), cells, strict=True):
            try:
                read[name] = reader(cell)
            except ValueError as error:
                return BandwidthError(f"{place}: {name}: {error}", "correct that field")
        row = self.make(**read)
        wrong = self.fault_of(row)
        return BandwidthError(f"{place}: {wrong}", "correct that field") if wrong else row


def _sound(
    entries: Iterator[tuple[tuple[str, ...], Row | BandwidthError]],
) -> Iterator[tuple[tuple[str, ...], Row]]:
    for key, row in entries:
        if isinstance(row, BandwidthError):
            raise row
        yield key, row


# --- cells ----------------------------------------------------------------------------------------------------------


def text_cell(cell: str) -> str:
    """Return a text that must be there. Raises ValueError."""
    if not cell.strip() or cell == UNKNOWN:
        raise ValueError("it is empty")
    return cell


def number_cell(cell: str) -> float:
    """Return a number above zero that must be there. Raises ValueError."""
    number = optional_number_cell(cell)
    if number is None:
        raise ValueError("it is empty")
    return number


def optional_number_cell(cell: str) -> float | None:
    """Return a number above zero, None for `-`. Raises ValueError."""
    if cell == UNKNOWN:
        return None
    try:
        number = float(cell)
    except ValueError:
        raise ValueError(f"{cell[:_LONGEST_SHOWN]!a} is not a number") from None
    if not 0 < number < float("inf"):
        raise ValueError(f"{cell[:_LONGEST_SHOWN]} is not above zero")
    return number


def whole_cell(cell: str) -> int:
    """Return a whole number above zero. Raises ValueError."""
    if not (cell.isascii() and cell.isdigit() and int(cell[:9]) > 0):
        raise ValueError(f"{cell[:_LONGEST_SHOWN]!a} is not a whole number above zero")
    return int(cell[:9])


def choice_cell(*choices: str) -> Callable[[str], str]:
    """Return what reads one of some words. It raises ValueError for another."""

    def read(cell: str) -> str:
        if cell not in choices:
            raise ValueError(f"{cell[:_LONGEST_SHOWN]!a} is not one of {', '.join(choices)}")
        return cell

    return read


def confidence_cell(cell: str) -> Confidence:
    """Return high, medium or low. Raises ValueError."""
    return cast(Confidence, choice_cell(HIGH, MEDIUM, LOW)(cell))
