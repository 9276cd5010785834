"""What is kept of a record to judge its machine: a figure a result, its group, and its set-up; no samples.

A record of 50 kB becomes 2 kB, so that ten thousand fit in memory. What model the processor is, is told by its name
where that is a product's, and by what else is known where it is none: an Arm system names the design of its cores
(Cortex-A55), which is in chips of a factor of ten in bandwidth; and some systems name nothing at all.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from bandwidth.analysis.comparable import disturbance_of, why_not_comparable
from bandwidth.comparison.pairs import figure_of, setup_of
from bandwidth.findings.rules import examine_facts
from bandwidth.plain_text import one_line
from bandwidth.planning.options import TARGET
from bandwidth.planning.saved import asked_words
from bandwidth.results import Case, Finding, Record, Result, summarise
from bandwidth.units import format_size
from bandwidth.vocabulary import TIMES

# The fact under which `fleet measure` keeps what tells two hosts of one name apart. Write-ups leave it out where they
# leave out names, as it begins with `hostname`.
LABEL_FACT = "hostname_label"
# What tells machines of one name apart, the surest first: the maker's number, this start of it, its installation.
ID_FACTS = ("machine_serial_hash", "boot_id_hash", "machine_id_hash")
DEFAULT_TARGET = "all"
# For records from before the options were kept as data: options of `measure` that say where a result goes, how it is
# shown, how long it may take or what its theory is. They change no rate. True: a value follows.
_WITHOUT_EFFECT = {
    "--budget": True,
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
UNNAMED = "processor without a name"
_X86 = ("x86_64", "amd64", "i386", "i586", "i686", "x86")
# Designs of cores, as /proc/cpuinfo and lscpu name them: a part of a chip's name, and no chip's.
_CORE_DESIGN = re.compile(
    r"(?i)cortex|neoverse|kryo|krait|scorpion|falkor|saphira|carmel|denver|thunder-?x|taishan|tsv\d|ftc\d|ampere-1|"
    r"exynos-m\d|mongoose|pj4|brahma|icestorm|firestorm|avalanche|blizzard|everest|sawtooth|sifive|u74|c9\d0|c910|rv64"
)
_MOST_BYTES = 2**63  # a record may hold anything
# What a record may hold in the place of a name is cut to this length.
LONGEST_NAME = 80


@dataclass(frozen=True)
class Group:
    """What machines must share to be compared: what a machine is and what was asked, never how it is configured.

    `kind` is what else tells the model of a processor whose name, which may be empty, does not; where
    `is_model_known` is false nothing does, and such machines may be of any kind.
    """

    cpu_model: str
    sockets: int | None
    gpu_models: tuple[str, ...]
    options: str
    kind: str = ""
    is_model_known: bool = True


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
        return self.path in TIMES


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine by one record: bytes per second, or nanoseconds of a latency, for each thing that was measured.

    `source` is the file, `taken_at` in UTC. `figures` are those that may be compared (analysis/comparable.py), and
    `unfit` is why others may not, by target. `failed` are the ids whose data was wrong, by target; `setup` is what is
    known of its configuration, a text by name. `ids` are hashes that tell it from others of its name, the surest
    first; `findings` is what its set-up gives away whatever its rates.
    """

    hostname: str
    label: str
    source: str
    taken_at: datetime
    group: Group
    figures: Mapping[Measured, float]
    failed: tuple[tuple[str, str], ...]
    setup: Mapping[str, str]
    findings: tuple[Finding, ...] = ()
    unfit: Mapping[str, str] = field(default_factory=dict)
    ids: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The host's name, with its label where it has one."""
        return f"{self.hostname} ({self.label})" if self.label else self.hostname


def machine_of(record: Record, source: str) -> Machine:
    """Return what judging needs of a record from `source`; a record that names no host is called by its source."""
    facts = record.machine
    results = [one for results in _by_target(record).values() for one in _of_memory(results)]
    verified = [(one, summarise(one)) for one in results if one.is_verified]
    known = [(one, figure_of(own)) for one, own in verified if not why_not_comparable(record, one, own)]
    fit = {one.case.id for one, _ in known}
    return Machine(
        hostname=sys.intern(plain_name(facts.get("hostname")) or source),
        label=plain_name(facts.get(LABEL_FACT)),
        source=source,
        taken_at=moment(record.taken_at),
        group=machine_group(record),
        figures={measured_name(one.case): figure for one, figure in known if figure},
        failed=tuple((one.case.target, one.case.id) for one in record.results if not one.is_verified),
        setup={name: sys.intern(text) for name, text in {**setup_of(record), **_links(record)}.items()},
        findings=tuple(map(_same, examine_facts(facts))),
        unfit={one.case.target: _unfit(record, one) for one, _ in verified if one.case.id not in fit},
        ids=tuple((name, plain_name(facts[name])) for name in ID_FACTS if plain_name(facts.get(name))),
    )


@lru_cache(maxsize=4096)
def _same(finding: Finding) -> Finding:
    """Return one object for equal findings: thousands of machines of a kind have the same."""
    return finding


def _unfit(record: Record, result: Result) -> str:
    """Return why a result may not be compared, in words that many machines share."""
    if disturbance_of(record, result) is not None:
        return "the machine was busy while it was measured (BW004)"
    return "it has too few blocks, or their spread is too large (BW003, BW008, BW045)"


def measured_name(case: Case) -> Measured:
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


def machine_group(record: Record) -> Group:
    """Return the group of a record's machine."""
    processor, sockets = processor_of(record.machine), record.machine.get("sockets")
    return _group(
        processor.name,
        sockets if type(sockets) is int else None,
        tuple(sorted({_gpu_model(gpu) for gpu in record.listed_gpus})),
        asked_words(record.options) if TARGET in record.options else options_of_command(record.command),
        processor.kind,
        processor.is_model_known,
    )


@lru_cache(maxsize=4096)
def _group(*fields: Any) -> Group:
    return Group(*fields)


def options_of_command(command: Sequence[str]) -> str:
    """Return the options of a command line that change what is measured, in one order: `host --kernel copy`.

    It is for records that did not keep them as data (planning/options.py).
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
    return plain_name(gpu.get("name")) or plain_name(ids) or "unknown GPU"


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


# --- what model a processor is --------------------------------------------------------------------------------------


class ProcessorModel(NamedTuple):
    """A processor's name, empty without one; what else tells its model where the name does not, in words.

    `is_model_known` is false where neither does: such machines may be of any kind.
    """

    name: str
    kind: str
    is_model_known: bool


def processor_of(facts: Mapping[str, Any]) -> ProcessorModel:
    """Return what model a machine's processor is, by its facts."""
    name = plain_name(facts.get("cpu_model"))
    chip, cores = plain_name(facts.get("soc")), _cores(facts)
    if name and not _CORE_DESIGN.search(name):
        return ProcessorModel(name, "", is_model_known=True)
    if name:
        return ProcessorModel(name, ", ".join(filter(None, (chip, cores))), is_model_known=True)
    signature = [facts.get(key) for key in ("cpu_vendor", "cpu_family", "cpu_model_number")]
    numbers = _signature(signature)
    is_x86 = str(facts.get("architecture", "")).lower() in _X86
    is_known = bool(chip) or (is_x86 and None not in signature)
    parts = (chip, numbers, plain_name(facts.get("architecture")), cores, _cache(facts))
    return ProcessorModel("", ", ".join(filter(None, parts)), is_known)


def _signature(parts: list[Any]) -> str:
    """Return vendor, family and model number, the family of which is CPUID's or a part number."""
    vendor, family, number = parts
    words = [plain_name(vendor)]
    words += [f"family {family}"] if type(family) is int else []
    words += [f"model {number}"] if type(number) is int else []
    return " ".join(filter(None, words))


def _cores(facts: Mapping[str, Any]) -> str:
    count, kinds = facts.get("physical_cores"), facts.get("core_kinds")
    if type(count) is not int:
        return ""
    known = kinds.items() if isinstance(kinds, Mapping) else ()
    told = ", ".join(f"{number} {plain_name(kind)}" for kind, number in known if type(number) is int)
    return f"{count} core{'s' if count != 1 else ''}{f' ({told})' if told else ''}"


def _cache(facts: Mapping[str, Any]) -> str:
    size = facts.get("last_level_cache_bytes")
    return f"{format_size(size)} of cache" if type(size) is int and 0 < size < _MOST_BYTES else ""


def plain_name(value: object) -> str:
    """Return a text on one line, empty for what is none: a record may hold anything."""
    if not isinstance(value, str):
        return ""
    return one_line(value)[:LONGEST_NAME]
