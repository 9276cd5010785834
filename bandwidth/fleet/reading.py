"""Records of a fleet from files, folders and standard input, one at a time, and which of them are of one machine.

What cannot be read is told, not fatal. A host's name alone does not tell a machine, as distributions give thousands
the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePath

from bandwidth.errors import BandwidthError
from bandwidth.fleet.machines import ID_FACTS, Machine, machine_of
from bandwidth.results import Record
from bandwidth.results.files import load, parse
from bandwidth.text_files import check_plain

STANDARD_INPUT = "-"
RECORD_SUFFIX = ".json"
BYTE_ORDER_MARK = "\ufeff"  # with which editors of Windows begin a file
# What is shown of a name that is no file's.
LONGEST_SHOWN = 80


@dataclass(frozen=True)
class NotRead:
    """A file that is no record, or not a whole one."""

    source: str
    reason: str


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
            not_read.append(NotRead(ascii(name)[:LONGEST_SHOWN], "this is not a valid file name"))
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


# --- one record a machine -------------------------------------------------------------------------------------------


def newest_of(machines: Iterable[Machine]) -> tuple[list[Machine], list[str]]:
    """Return the newest record of each machine and way of measuring, and notes on those that had several.

    Records of one host's name, label and options are of one machine where they share an id: the maker's number, else
    the start of the system, else its installation. Those that have none in common are told apart by their files, which
    become their labels, and a note says so.
    """
    named: dict[tuple[str, str, str], list[Machine]] = {}
    for machine in machines:
        named.setdefault((machine.hostname, machine.label, machine.group.options), []).append(machine)
    found: list[Machine] = []
    notes: list[str] = []
    for alike in named.values():
        own = [_newest(records, notes) for records in _of_one_machine(alike)]
        found += own if len(own) == 1 else _labelled(own, notes)
    return found, notes


def _of_one_machine(machines: Sequence[Machine]) -> list[list[Machine]]:
    """Return the records in lists, one a machine: each joins the list of the surest id that it shares with another.

    Where both have the maker's number it decides alone: a cloned system brings its installation's id along.
    """
    lists: list[list[Machine]] = []
    numbers: list[str] = []  # the maker's, of each list, empty until one is known
    by_id: dict[tuple[str, str], int] = {}
    for machine in machines:
        number = dict(machine.ids).get(ID_FACTS[0], "")
        places = (by_id[one] for one in machine.ids if one in by_id)
        place = next((place for place in places if not number or numbers[place] in ("", number)), len(lists))
        if place == len(lists):
            lists.append([])
            numbers.append("")
        lists[place].append(machine)
        numbers[place] = numbers[place] or number
        for one in machine.ids:
            by_id.setdefault(one, place)
    return lists


def _newest(records: Sequence[Machine], notes: list[str]) -> Machine:
    newest = records[0]
    for record in records[1:]:
        newest = record if record.taken_at >= newest.taken_at else newest
    if len(records) > 1:
        when = newest.taken_at.isoformat(timespec="seconds")
        notes.append(f"{newest.name}: {len(records)} records; the newest is used, {newest.source}, taken at {when}.")
    return newest


def _labelled(machines: Sequence[Machine], notes: list[str]) -> list[Machine]:
    """Return machines of one name with labels that tell them apart: the names of their files, else the whole paths."""
    names = Counter(PurePath(machine.source).name for machine in machines)
    short = {machine.source: PurePath(machine.source).name for machine in machines}
    labels = {source: name if names[name] == 1 else source for source, name in short.items()}
    untold = sum(not machine.ids for machine in machines)
    why = "" if not untold else f"; {untold} records carry no machine id and may be earlier runs of the same machine"
    name = machines[0].name
    notes.append(f"{name}: {len(machines)} machines share this name and are distinguished by their files{why}.")
    return [
        replace(machine, label=", ".join(filter(None, (machine.label, labels[machine.source])))) for machine in machines
    ]
