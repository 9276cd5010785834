"""Records of a fleet from files, folders and standard input, one at a time; what cannot be read is told, not fatal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from bandwidth.errors import BandwidthError
from bandwidth.fleet.judging import NotRead
from bandwidth.fleet.machines import Machine, machine_of
from bandwidth.results import Record
from bandwidth.results.files import load, parse
from bandwidth.text_files import check_plain

STANDARD_INPUT = "-"
RECORD_SUFFIX = ".json"
BYTE_ORDER_MARK = "\ufeff"  # with which editors of Windows begin a file
# What is shown of a name that is no file's.
LONGEST_SHOWN = 80


def read_machines(sources: Sequence[str], lines: Iterable[str] = ()) -> tuple[list[Machine], list[NotRead]]:
    """Return the machine of each record, and what could not be read.

    A source is a file, a folder (every `*.json` in it and below) or `-`: each of `lines` is then a path, or a whole
    record where it begins with `{`.
    """
    machines: list[Machine] = []
    not_read: list[NotRead] = []
    for name, read in _records(sources, lines):
        try:
            machines.append(machine_of(read(), name))
        except BandwidthError as error:
            not_read.append(NotRead(name, _reason(error, name)))
        except ValueError:  # a null character in a name from standard input
            not_read.append(NotRead(ascii(name)[:LONGEST_SHOWN], "no file can have this name"))
    return machines, not_read


def _records(sources: Sequence[str], lines: Iterable[str]) -> Iterator[tuple[str, Callable[[], Record]]]:
    for source in sources:
        if source == STANDARD_INPUT:
            yield from _lines(lines)
        else:
            yield from _files(source)


def _lines(lines: Iterable[str]) -> Iterator[tuple[str, Callable[[], Record]]]:
    for number, line in enumerate(lines, start=1):
        text = line.removeprefix(BYTE_ORDER_MARK if number == 1 else "").strip()
        if text.startswith("{"):
            name = f"line {number} of standard input"
            yield name, partial(parse, text, name)
        elif text:
            yield from _files(text)


def _files(source: str) -> Iterator[tuple[str, Callable[[], Record]]]:
    for path in _paths(source):
        yield str(path), partial(load, path) if str(path) == source else partial(_load_plain, path)


def _load_plain(path: Path) -> Record:
    """Return the record of a folder's file. Raises BandwidthError for a pipe too, which would be waited for."""
    check_plain(path)
    return load(path)


def _paths(source: str) -> list[Path]:
    """Return the records of a folder in the order of their names, or the file itself."""
    path = Path(source)
    try:
        is_folder = path.is_dir()
    except (OSError, ValueError):  # a name that no file can have: reading it says so
        is_folder = False
    if not is_folder:
        return [path]
    return sorted(one for one in path.rglob(f"*{RECORD_SUFFIX}") if not one.name.startswith("."))


def _reason(error: BandwidthError, name: str) -> str:
    """Return what was wrong without the name, which stands beside it."""
    return str(error).removeprefix(name).lstrip(": ")
