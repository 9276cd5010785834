"""The tables of the many: specs/processors.tsv and specs/graphics.tsv, a product a line.

Thousands of lines are not parsed for one name: the names are searched as text, and only lines that fit are read. Who
asks often gets an index of their words, built a part at a time, so that no single question waits for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from bandwidth.catalog.entries import GRAPHICS_FILE, PROCESSORS_FILE
from bandwidth.catalog.model import Device, Kind
from bandwidth.errors import BandwidthError
from bandwidth.text_files import read_text
from bandwidth.units import parse_size_bytes

COLUMNS = {
    PROCESSORS_FILE: ("name", "aliases", "memory", "year", "class", "vendor_gb_s", "source"),
    GRAPHICS_FILE: (
        *("name", "aliases", "memory", "link", "capacity", "pci_ids"),
        *("year", "class", "vendor_gb_s", "source"),
    ),
}
# What an entry's `kind` is by the class of a row.
_KINDS: dict[str, dict[str, Kind]] = {
    PROCESSORS_FILE: {
        **dict.fromkeys(("server", "workstation", "desktop", "laptop", "embedded", "cloud"), "cpu"),
        "phone": "soc",
        "board": "soc",
        "console": "console",
    },
    GRAPHICS_FILE: {
        **dict.fromkeys(("desktop", "laptop", "professional", "data-center", "embedded"), "gpu"),
        "accelerator": "accelerator",
        "console": "console",
        "board": "soc",
    },
}
EMPTY = "-"
# Who asks more than a few questions gets an index; so many lines a question go into it, that none waits for it.
_QUESTIONS_BEFORE_INDEX = 4
_LINES_A_QUESTION = 300
WORD = re.compile(r"[a-z]+|[0-9]+(?:\.[0-9]+)?")
_YEAR = re.compile(r"(?:19[6-9]|20[0-9])[0-9]")
_PCI_ID = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")
_CODE = re.compile(r"([a-z][a-z0-9_-]*)\s{2,}([^;]+).*")
_CODES = re.compile(r"(?:; |source +|by hand: )((?:[a-z][a-z0-9]*, )*[a-z][a-z0-9]*): ([^;]+?)(?=;| by hand:|$)")


class ProductTable:
    """One table of products: its lines, and which of them have a word in their names.

    Raises BandwidthError where the file cannot be read or its columns have other names.
    """

    def __init__(self, path: Path, shown: str) -> None:
        self.path, self.shown = path, shown
        text = read_text(path, "a table of products", "check the file")
        self._comments = [line for line in text.split("\n") if line.startswith("#")]
        numbered = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line and not line.startswith("#")]
        columns = tuple(numbered[0][1].rstrip("\r").split("\t")) if numbered else ()
        if columns != COLUMNS[path.name]:
            raise BandwidthError(
                f"{shown}: its first line does not name the columns", "write " + " ".join(COLUMNS[path.name])
            )
        self.numbers = [number for number, _ in numbered[1:]]
        self.lines = [line.rstrip("\r") for _, line in numbered[1:]]
        self._index: dict[str, list[int]] = {}
        self._indexed = self._asked = 0

    @cached_property
    def _names(self) -> list[str]:
        """The names and aliases of each line in lower case: nothing else of it is searched."""
        return ["\t".join(line.split("\t", 2)[:2]).lower() for line in self.lines]

    @cached_property
    def sources(self) -> dict[str, str]:
        """What each code of a source stands for, as the comments of the file's head say.

        A code has a line of its own, or several stand behind the column's name: `ark, ark23: Intel's pages; amd: ...`.
        """
        lines = [line.removeprefix("#").strip() for line in self._comments]
        own = {match[1]: match[2] for line in lines if (match := _CODE.fullmatch(line))}
        codes = {code: text for match in _CODES.finditer(" ".join(lines)) for code, text in _each(match)}
        return codes | own

    def lines_with(self, words: Sequence[str]) -> list[int]:
        """Return the places of the lines that have words in their names, and some that have them within others."""
        first, *others = words or ("",)
        if self._indexed == len(self.lines):
            found: Sequence[int] = self._index.get(first, ())
        else:
            self._asked += 1
            if self._asked > _QUESTIONS_BEFORE_INDEX:
                self._index_more()
            found = [place for place, names in enumerate(self._names) if first in names]
        return [place for place in found if all(word in self._names[place] for word in others)]

    def _index_more(self) -> None:
        """Put the next lines into the index of words."""
        end = min(self._indexed + _LINES_A_QUESTION, len(self.lines))
        for place in range(self._indexed, end):
            for word in set(WORD.findall(self._names[place])):
                self._index.setdefault(word, []).append(place)
        self._indexed = end

    def names(self) -> list[str]:
        """Return the name of each line."""
        return [line.split("\t", 1)[0] for line in self.lines]

    def lines_with_pci_id(self, identity: str) -> list[int]:
        """Return the places of the lines that have a PCI ID."""
        return [place for place, line in enumerate(self.lines) if identity in line]

    def cells(self, place: int) -> dict[str, str]:
        """Return a line's cells by their columns. Raises BandwidthError where there are more or fewer."""
        cells = self.lines[place].split("\t")
        columns = COLUMNS[self.path.name]
        if len(cells) != len(columns):
            raise self.error(place, "the line", f"{len(cells)} cells instead of {len(columns)}")
        return dict(zip(columns, cells, strict=True))

    def kind_of(self, cells: dict[str, str]) -> str:
        """Return the kind of a line's device, "" for a class that is none."""
        return _KINDS[self.path.name].get(cells["class"], "")

    def error(self, place: int, field: str, wrong: str) -> BandwidthError:
        """Return the error of a line: the file, the line's number, the field."""
        return BandwidthError(f"{self.shown}: line {self.numbers[place]}: {field}: {wrong}", "correct that line")

    def device(self, place: int) -> Device:
        """Return the device of a line. Raises BandwidthError naming file, line and field."""
        cells = self.cells(place)
        kinds = _KINDS[self.path.name]
        if wrong := next(_faults(cells, kinds), None):
            raise self.error(place, *wrong)
        memory, *others = values(cells["memory"])
        code, vendor = cells["source"].removesuffix("?"), cells["vendor_gb_s"]
        return Device(
            name=cells["name"],
            maker=cells["name"].split()[0],
            kind=kinds[cells["class"]],
            memory=memory,
            other_memories=tuple(others),
            source=self.sources.get(code, f"{code}: see the head of {self.path.name}"),
            link=next(iter(values(cells.get("link", EMPTY))), None),
            capacity=next(iter(values(cells.get("capacity", EMPTY))), None),
            vendor_gb_s=None if vendor == EMPTY else float(vendor),
            vendor_text=None if vendor == EMPTY else f"{vendor} GB/s",
            aliases=tuple(values(cells["aliases"])),
            pci_ids=tuple(values(cells.get("pci_ids", EMPTY))),
            unverified=cells["source"].endswith("?"),
        )


def _each(match: re.Match[str]) -> Iterator[tuple[str, str]]:
    """Yield each of the codes that share an explanation, with it."""
    yield from ((code, match[2]) for code in match[1].split(", "))


def values(cell: str) -> list[str]:
    """Return the values of a cell: several are parted by semicolons, `-` is none."""
    return [] if cell == EMPTY else [part.strip() for part in cell.split(";") if part.strip()]


def _faults(cells: dict[str, str], kinds: dict[str, Kind]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the cells of a line, each with its column."""
    for field, cell in cells.items():
        if not cell.strip() or cell != cell.strip():
            yield field, "it is empty; write -" if not cell.strip() else "it begins or ends with a space"
        elif not cell.isprintable():
            yield field, "it contains control characters"
    for field in ("name", "memory", "source"):
        if not values(cells[field]):
            yield field, "it is required"
    if cells["year"] != EMPTY and not _YEAR.fullmatch(cells["year"]):
        yield "year", f"{cells['year'][:20]!a} is not a year"
    if cells["class"] not in kinds:
        yield "class", f"{cells['class'][:20]!a} is not one of {', '.join(kinds)}"
    if cells["vendor_gb_s"] != EMPTY and not _is_positive(cells["vendor_gb_s"]):
        yield "vendor_gb_s", f"{cells['vendor_gb_s'][:20]!a} is not a positive number"
    for identity in values(cells.get("pci_ids", EMPTY)):
        if not _PCI_ID.fullmatch(identity):
            yield "pci_ids", f"{identity[:20]!a} does not look like 10de:2684"
    for size in values(cells.get("capacity", EMPTY)):
        try:
            parse_size_bytes(size)
        except BandwidthError as error:
            yield "capacity", error.message


def _is_positive(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,7}(?:\.[0-9]{1,6})?", text) is not None and float(text) > 0
