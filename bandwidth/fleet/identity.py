"""Which records are of one machine: a host's name alone does not tell, as distributions give thousands the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePath

from bandwidth.fleet.machines import ID_FACTS, Machine


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
        notes.append(f"{newest.name}: of {len(records)} records the newest counts, {newest.source}, taken at {when}.")
    return newest


def _labelled(machines: Sequence[Machine], notes: list[str]) -> list[Machine]:
    """Return machines of one name with labels that tell them apart: the names of their files, else the whole paths."""
    names = Counter(PurePath(machine.source).name for machine in machines)
    short = {machine.source: PurePath(machine.source).name for machine in machines}
    labels = {source: name if names[name] == 1 else source for source, name in short.items()}
    untold = sum(not machine.ids for machine in machines)
    why = "" if not untold else f"; {untold} of the records tell no id, and may be of one machine measured before"
    name = machines[0].name
    notes.append(f"{name}: {len(machines)} machines have this name, and are told apart by their files{why}.")
    return [
        replace(machine, label=", ".join(filter(None, (machine.label, labels[machine.source])))) for machine in machines
    ]
