"""What is kept of a record to judge its machine: a figure a result, its group, and its set-up; no samples.

A record of 50 kB becomes 2 kB, so that ten thousand fit in memory.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from bandwidth.comparison.pairs import figure_of
from bandwidth.comparison.setups import setup_of
from bandwidth.plain_text import one_line
from bandwidth.results import Case, Record, Result, summarise

# The fact under which `fleet measure` keeps what tells two hosts of one name apart. Write-ups leave it out where they
# leave out names, as it begins with `hostname`.
LABEL_FACT = "hostname_label"
UNKNOWN_MODEL = "unknown processor"
DEFAULT_TARGET = "all"
# What a record may hold in the place of a name is cut to this length.
LONGEST_NAME = 80
# Options of `measure` that say where a result goes, how it is shown, or what its theory is: they change no rate.
# True: a value follows.
_WITHOUT_EFFECT = {
    "--save": True,
    "-o": True,
    "--output": True,
    "--format": True,
    "--unit": True,
    "--facts": True,
    "--memory": True,
    "--sockets": True,
    "--specs": True,
    "--json": False,
    "--quiet": False,
    "-q": False,
    "--strict": False,
    "--debug": False,
}
_FLAGS = frozenset({"--latency", "--numa", "--zeros", "--plan"})
_LINK_FACTS = (
    ("GPU link generation", "link_generation"),
    ("GPU link width", "link_width"),
)


@dataclass(frozen=True)
class Group:
    """What machines must share to be compared: what a machine is and what was asked, never how it is configured."""

    cpu_model: str
    sockets: int | None
    gpu_models: tuple[str, ...]
    options: str


@dataclass(frozen=True)
class Measured:
    """One result's name. `rest` is what tells it apart but for its threads; a latency's figure is nanoseconds."""

    id: str
    target: str
    path: str
    engine: str
    threads: int
    rest: tuple[tuple[str, str], ...]

    @property
    def is_latency(self) -> bool:
        """Whether less is faster."""
        return self.path == "latency"


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine by one record: bytes per second, or nanoseconds of a latency, for each thing that was measured.

    `source` is the file, `taken_at` in UTC. `failed` are the ids whose data was wrong, by target; `setup` is what is
    known of its configuration, a text by name.
    """

    hostname: str
    label: str
    source: str
    taken_at: datetime
    group: Group
    figures: Mapping[Measured, float]
    failed: tuple[tuple[str, str], ...]
    setup: Mapping[str, str]

    @property
    def name(self) -> str:
        """The host's name, with its label where it has one."""
        return f"{self.hostname} ({self.label})" if self.label else self.hostname


def machine_of(record: Record, source: str) -> Machine:
    """Return what judging needs of a record from `source`; a record that names no host is called by its source."""
    facts = record.machine
    results = [one for results in _by_target(record).values() for one in _of_memory(results)]
    known = [(one, figure_of(summarise(one))) for one in results if one.is_verified]
    return Machine(
        hostname=sys.intern(_name(facts.get("hostname")) or source),
        label=_name(facts.get(LABEL_FACT)),
        source=source,
        taken_at=moment(record.taken_at),
        group=group_of(record),
        figures={measured(one.case): figure for one, figure in known if figure},
        failed=tuple((one.case.target, one.case.id) for one in record.results if not one.is_verified),
        setup={name: sys.intern(text) for name, text in {**setup_of(record), **_links(record)}.items()},
    )


def measured(case: Case) -> Measured:
    """Return a case's name; equal ones are one object, as thousands of records have the same."""
    rest = tuple(sorted((key, str(value)) for key, value in case.variant.items()))
    return _measured(case.id, case.target, case.path, case.engine, case.threads, rest)


@lru_cache(maxsize=65536)
def _measured(*fields: Any) -> Measured:
    return Measured(*fields)


def moment(taken_at: str) -> datetime:
    """Return when a record was taken; one that does not tell is older than all others."""
    try:
        found = datetime.fromisoformat(taken_at)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def group_of(record: Record) -> Group:
    """Return the group of a record's machine."""
    facts = record.machine
    sockets = facts.get("sockets")
    return _group(
        _name(facts.get("cpu_model")) or UNKNOWN_MODEL,
        sockets if type(sockets) is int else None,
        tuple(sorted({_gpu_model(gpu) for gpu in record.listed_gpus})),
        options_of(record.command),
    )


@lru_cache(maxsize=4096)
def _group(*fields: Any) -> Group:
    return Group(*fields)


def options_of(command: Sequence[str]) -> str:
    """Return the options of a measurement that change what is measured, in one order: `host --kernel copy`.

    `--kernel=copy` and `--kernel copy` are the same, and so is the order in which options stand.
    """
    words = [*command[2:]] if command[:2] and command[0] == "bandwidth" else [*command[1:]]
    targets, options = [], set()
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            targets.append(word.lower())
            continue
        name, is_joined, value = word.partition("=")
        if not name.startswith("--") and name[:2] in _WITHOUT_EFFECT and len(name) > 2:
            continue  # -orun.json
        takes_value = _WITHOUT_EFFECT.get(name, name not in _FLAGS)
        if takes_value and not is_joined and words:
            value = words.pop(0)
        if name not in _WITHOUT_EFFECT:
            options.add(f"{name} {value}".strip())
    return " ".join([*(targets or [DEFAULT_TARGET]), *sorted(options)])


def _by_target(record: Record) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = {}
    for result in record.results:
        found.setdefault(result.case.target, []).append(result)
    return found


def _of_memory(results: list[Result]) -> list[Result]:
    """Return the results that meet the DRAM rule, all where none does: a cache knows nothing of a lost DIMM."""
    return [result for result in results if result.case.meets_dram_rule] or results


def _gpu_model(gpu: Mapping[str, Any]) -> str:
    """Return a GPU's name, else its PCI ids: a driver that does not answer tells no name."""
    ids = " ".join(str(gpu[name]) for name in ("vendor_id", "device_id") if name in gpu)
    return _name(gpu.get("name")) or _name(ids) or "unknown GPU"


def _links(record: Record) -> dict[str, str]:
    """Return generation and width of the link under load, by target: idle links train down and tell nothing."""
    found: dict[str, dict[str, float]] = {label: {} for label, _ in _LINK_FACTS}
    for result in record.results:
        for label, name in _LINK_FACTS:
            if result.case.target.startswith("pcie") and name in result.observed:
                seen = result.observed[name].most
                found[label][result.case.target] = max(seen, found[label].get(result.case.target, 0.0))
    return {label: _numbers(list(seen.values())) for label, seen in found.items() if seen}


def _numbers(values: list[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _name(value: object) -> str:
    """Return a text on one line, empty for what is none: a record may hold anything."""
    if not isinstance(value, str):
        return ""
    return one_line(value)[:LONGEST_NAME]
