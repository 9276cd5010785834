"""How far runs lie apart on this machine: the medians of earlier ones, kept in the user's cache folder.

The blocks of one run tell how sure its median is in that run. They cannot tell that an hour later, or with other pages,
the same machine gives 3 % less: only runs tell of runs. So each run leaves its medians for the next ones, and takes the
earlier ones into its record, where they are data like its samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from bandwidth.analysis.comparable import why_not_comparable
from bandwidth.cache_files import UNREADABLE, CacheFile, cache_folder, digest
from bandwidth.cpu_list import format_cpu_list
from bandwidth.machine.facts import Json
from bandwidth.results import Record, Result
from bandwidth.statistics import median
from bandwidth.version import __version__

SCHEMA = "bandwidth/earlier-runs/1"
# A case keeps its newest runs, and a file its newest cases: with six digits of each time, half of what a file may have.
MOST_RUNS = 30
MOST_CASES = 1000
_DIGITS = 6
# Runs on another machine are no earlier runs. What of it may fail or be changed is not among these: a module that is
# lost must not begin a new history, but be seen in the old one.
_MACHINE = ("hostname", "cpu_model", "logical_cpus", "kernel")
# How the machine was set up is: who tries two settings in turn would have their difference for noise.
_SET_UP = ("transparent_huge_pages", "smt_control")
_CONDITIONS = ("governors", "energy_preference", "on_battery")
_GPU = ("name", "address", "driver_version")
# What a block may last in a record (results/model.py), and so a call.
_LEAST_S, _MOST_S = 1e-9, 1e9


class EarlierRuns:
    """The medians of earlier runs on one machine, by what was measured.

    The file is read when the first result is to have them. `note` says why none are known, "" if all is well.
    """

    def __init__(self, file: CacheFile) -> None:
        self._file = file
        self.note = ""

    @classmethod
    def of(cls, facts: Mapping[str, Json]) -> EarlierRuns | None:
        """Return those of the machine that has these facts, None where the user has no cache folder."""
        folder, machine = cache_folder(), {name: facts[name] for name in _MACHINE if name in facts}
        head = {"schema": SCHEMA, "version": __version__, "machine": machine}
        return None if folder is None else cls(CacheFile(folder / f"earlier-runs-{digest(head)}.json", head, "runs"))

    def into(self, record: Record) -> Record:
        """Return the record, each result with the medians of earlier runs of the same."""
        known = self._known
        results = (replace(one, earlier_s_per_call=known.get(_name(record, one), ())) for one in record.results)
        return replace(record, results=tuple(results))

    def keep(self, record: Record) -> None:
        """Add the medians of a record that may be compared: a busy machine's are not this machine's noise.

        What the file has got meanwhile from another run stays in it.
        """
        known = _read(self._file.load().entries)
        for result in record.results:
            if not why_not_comparable(record, result):
                name, here = _name(record, result), median(result.samples.seconds) / result.samples.calls_per_sample
                known[name] = (*known.pop(name, ()), float(f"{here:.{_DIGITS}g}"))[-MOST_RUNS:]  # the newest case last
        newest = dict(list(known.items())[-MOST_CASES:])
        if not self._file.keep(newest):
            self.note = "This run cannot be written to the cache folder: later runs will not know of it."

    @cached_property
    def _known(self) -> dict[str, tuple[float, ...]]:
        entries, fault = self._file.load()
        if fault == UNREADABLE:
            self.note = "The file with earlier runs cannot be read: it is started anew."
        return _read(entries)


def _name(record: Record, result: Result) -> str:
    """Return the case and its size, and a few letters for the CPUs, the GPUs and the set-up."""
    case, gpus = result.case, [record.gpus.get(number, {}) for number in result.case.devices]
    told = {
        "cpus": format_cpu_list(case.cpus),
        "pinned": result.pinned,
        **{name: record.machine.get(name) for name in _SET_UP},
        **{name: record.conditions.before.get(name) for name in _CONDITIONS},
        "gpus": [{name: gpu.get(name) for name in _GPU} for gpu in gpus],
    }
    return f"{case.id} {case.working_set_bytes} {digest(told)}"


def _read(entries: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
    """Return the times of each entry; a file may hold anything."""
    found = {}
    for name, entry in entries.items():
        times = entry if isinstance(entry, list) else []
        kept = tuple(one for one in times if isinstance(one, float) and _LEAST_S <= one <= _MOST_S)
        if kept:
            found[name] = kept[-MOST_RUNS:]
    return found
