"""What is in a machine: its memory and what that should reach, its ceilings, and every fact with its source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from bandwidth.ceilings.memory import HostTheory
from bandwidth.ceilings.of_machine import MachineCeiling
from bandwidth.findings.rules import examine_facts, examine_memory
from bandwidth.machine.facts import READ, Fact, Facts, Json
from bandwidth.report.document import Column, Document, Table
from bandwidth.report.labels import ceiling_short, finding_line, findings_lines
from bandwidth.report.screen.machine_line import memory_words, processor_words
from bandwidth.report.system.gpus import gpu_names, gpu_tables
from bandwidth.results import Finding
from bandwidth.theory import Peak
from bandwidth.units import DEFAULT_RATE_UNIT, format_rate, format_size

SCHEMA = "bandwidth/system/1"
# What stands below the table in words of its own.
_MORE = "More: --all (every fact, ceilings of writes)  --save facts.json"
TOLD_BELOW = ("memory_modules", "memory_modules_reason")

# Names that need more words for people than for programs, or fewer.
LABELS = {
    "page_bytes": "page size",
    "transparent_huge_page_bytes": "huge page size",
    "c_library_streaming_threshold_bytes": "memcpy bypasses the cache from",
    "numa_memory_only_nodes": "numa nodes without processors",
    "numa_processor_only_nodes": "numa nodes without memory",
}


def system_json(
    facts: Facts, theory: HostTheory, platform: Peak | None = None, ceilings: Sequence[MachineCeiling] = ()
) -> dict[str, Any]:
    """Return the object that `system --json` prints and `system --save` writes, which `--facts` reads."""
    most = None
    if platform is not None:
        most = {"name": platform.name, "bytes_per_s_per_socket": platform.bytes_per_s, "source": platform.source}
    return {
        "schema": SCHEMA,
        "machine": facts.to_json(),
        "memory": theory.to_json(),
        "platform_maximum": most,
        "theory": _theory_json(theory),
        "ceilings": [_ceiling_json(one) for one in ceilings],
        "findings": [asdict(finding) for finding in _findings(facts, theory)],
    }


def _theory_json(theory: HostTheory) -> dict[str, Any]:
    """Return the memory's peak in short; `reason` says why there is none, or what had to be assumed."""
    peak = theory.peak
    return {
        "spec": None if peak is None else peak.name,
        "peak_bytes_per_s": None if peak is None else peak.bytes_per_s,
        "confidence": theory.confidence or None,
        "reason": theory.reason or None,
    }


def _ceiling_json(one: MachineCeiling) -> dict[str, Any]:
    """Return a ceiling as results have it, with what it is of; only one that is a range has a lower end."""
    own = {name: value for name, value in asdict(one.ceiling).items() if value is not None}
    return {"path": one.path, "cores": one.cores, **own}


def _findings(facts: Facts, theory: HostTheory) -> tuple[Finding, ...]:
    return (*examine_facts(facts.to_json()), *examine_memory(theory.to_json()))


def system_document(
    facts: Facts,
    theory: HostTheory,
    unit: str = DEFAULT_RATE_UNIT,
    platform: Peak | None = None,
    ceilings: Sequence[MachineCeiling] = (),
    *,
    every: bool = False,
    is_quiet: bool = False,
) -> Document:
    """Return the document of a machine: its memory first, its ceilings, its GPUs; with `every`, each fact too.

    `platform` is the most that its processor takes a socket. `is_quiet` leaves out the findings.
    """
    records = [
        {"fact": name, "value": fact.value, "source": fact.source, "confidence": fact.confidence}
        for name, fact in facts.items()
    ]
    found = _findings(facts, theory)
    findings = [] if is_quiet else [str(line) for line in findings_lines(found)]
    blocks = (
        *_memory(facts, theory, unit),
        *(["\n".join(findings)] if findings else []),
        *_modules(facts),
        *_ceilings(ceilings, unit, every=every),
        *(() if ceilings else _platform(platform, unit)),
        *gpu_tables(facts, unit),
        *([_facts_by_source(facts)] if every else [_MORE]),
    )
    said = tuple(finding_line(finding) for finding in found)
    return Document(blocks, system_json(facts, theory, platform, ceilings), records, in_blocks=said)


def machine_tables(facts: Facts, unit: str = DEFAULT_RATE_UNIT) -> list[Table]:
    """Return every fact with its source, the modules and the GPUs as tables."""
    tables = [facts_table(facts), *_modules(facts), *gpu_tables(facts, unit)]
    return [table for table in tables if isinstance(table, Table)]


def facts_table(facts: Facts) -> Table:
    """Return every fact with its source."""
    columns = (Column("fact", wrap_at=22), Column("value", wrap_at=28), Column("source", wrap_at=26))
    rows = tuple(
        (_label(name), _value(name, fact.value), _source(fact))
        for name, fact in facts.items()
        if name not in TOLD_BELOW
    )
    return Table(columns, rows)


def _facts_by_source(facts: Facts) -> Table:
    """Return every fact, and behind those of one source where they are from: a path has a line, and breaks in none."""
    rows: list[tuple[str, str]] = []
    told = [(name, fact) for name, fact in facts.items() if name not in TOLD_BELOW]
    for place, (name, fact) in enumerate(told):
        rows.append((_label(name), _value(name, fact.value)))
        if place + 1 == len(told) or _source(told[place + 1][1]) != _source(fact):
            rows.append(("", f"  from {_source(fact)}"))
    return Table((Column("fact", wrap_at=22), Column("value", wrap_at=56)), tuple(rows), "Facts")


def _memory(facts: Facts, theory: HostTheory, unit: str) -> tuple[str, ...]:
    """Return what the memory is and should reach, in the first lines."""
    machine = facts.to_json()
    first = ", ".join([processor_words(machine), *memory_words(machine)])
    if theory.peak is None:
        return (first, "Memory bandwidth: unknown.")
    rate = format_rate(theory.peak.bytes_per_s, unit)
    lines = [f"Memory bandwidth: {rate} {unit} for the machine, from {theory.source}"]
    lines += [f"  {theory.peak.name}: {theory.peak.working}", *_channels(facts)]
    lines += [f"  {theory.reason}"] if theory.reason else []  # what was taken beside the firmware's plain words
    return (first, "\n".join(lines))


def _channels(facts: Facts) -> list[str]:
    """Return how many channels hold a module and how many there are, and where that is from; nothing if unknown."""
    used, possible = facts.get("memory_channels"), facts.integer("memory_channels_possible")
    if used is None:
        return []
    slots = facts.integer("memory_channels_with_slots")
    of_slots = f" of {slots} with slots (the processor has an unknown number)" if slots is not None else ""
    there = of_slots if possible is None else f" of {possible}"
    return [f"Memory channels with a module: {used.value}{there}, from {_source(used)}"]


def _ceilings(found: Sequence[MachineCeiling], unit: str, *, every: bool) -> tuple[Table, ...]:
    """Return the ceilings of reads, and with `every` of writes too; those of low confidence have a ~."""
    shown = [one for one in found if every or one.path == "read"]
    if not shown:
        return ()
    columns = (Column("cores", "right"), *([Column("path")] if every else []), Column("ceiling"))
    columns += (Column(unit, "right"), Column("confidence"), Column("calculation", wrap_at=33 if every else 40))
    rows = tuple(
        (
            str(one.cores),
            *([one.path] if every else []),
            ceiling_short(one.ceiling),
            format_rate(one.ceiling.bytes_per_s, unit),
            one.ceiling.confidence,
            one.ceiling.working,
        )
        for one in shown
    )
    return (Table(columns, rows, "Ceilings" if every else "Ceilings of reads"),)


def _label(name: str) -> str:
    """Return a fact's name for people; the unit is in its value then."""
    return LABELS.get(name) or name.removesuffix("_bytes").removesuffix("_mt_s").replace("_", " ")


def _source(fact: Fact) -> str:
    return fact.source if fact.confidence == READ else f"{fact.source} ({fact.confidence})"


def _value(name: str, value: Json) -> str:
    if name == "gpus":
        return gpu_names(value)
    if name == "compute_devices" and isinstance(value, list):
        return "; ".join(_compute_device(device) for device in value if isinstance(device, dict))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return _list_value(name, value)
    if isinstance(value, dict):
        return _DICTIONARIES.get(name, _by_key)(name, value)
    if name.endswith("_bytes") and isinstance(value, int):
        return format_size(value)
    return f"{value} MT/s" if name.endswith("_mt_s") else str(value)


def _compute_device(device: dict[str, Json]) -> str:
    """Return how a device is asked for and what it is: `opencl 0: Intel Arc A770, OpenCL 3.0, single precision`."""
    asked = f"{device.get('engine', '-')} {device.get('device', '-')}"
    words = [str(device[name]) for name in ("name", "api") if device.get(name)]
    words += ["single precision"] if device.get("double_precision") is False else []
    return f"{asked}: {', '.join(words)}"


def _by_key(name: str, value: dict[str, Json]) -> str:
    """Return `key: value`, keys that count nodes in runs where neighbours have the same value: `0-7: 64 GiB`."""
    texts = {key: _value(name, item) for key, item in value.items()}
    runs: list[tuple[list[str], str]] = []
    for key, text in texts.items():
        if runs and runs[-1][1] == text and _follows(runs[-1][0][-1], key):
            runs[-1][0].append(key)
        else:
            runs.append(([key], text))
    return ", ".join(f"{keys[0]}-{keys[-1]}: {text}" if len(keys) > 1 else f"{keys[0]}: {text}" for keys, text in runs)


def _follows(key: str, following: str) -> bool:
    digits = key + following
    return digits.isascii() and digits.isdigit() and int(following) == int(key) + 1


def _counts(name: str, counts: dict[str, Json]) -> str:
    return ", ".join(f"{_value(name, count)} {kind}" for kind, count in counts.items())


def _distances(_name: str, distances: dict[str, Json]) -> str:
    """Return the range of the relative distances between nodes; the whole table would fill the screen."""
    rows = [row for row in distances.values() if isinstance(row, list)]
    numbers = [number for row in rows for number in row if isinstance(number, int)]
    return f"{min(numbers)} to {max(numbers)} (see --json)" if numbers else "-"


_DICTIONARIES: dict[str, Callable[[str, dict[str, Json]], str]] = {"core_kinds": _counts, "numa_distances": _distances}


def _list_value(name: str, value: list[Json]) -> str:
    if not value:
        return "none"
    if name.endswith("_range"):
        return f"{value[0]} to {value[-1]}"
    if any(isinstance(item, dict) for item in value):
        return f"{len(value)} (see --json)"
    return _value("", ", ".join(str(item) for item in value))


def _modules(facts: Facts) -> tuple[Table, ...]:
    modules = facts.value("memory_modules")
    if not isinstance(modules, list) or not modules:
        return ()
    with_ranks = any(isinstance(module, dict) and module.get("ranks") for module in modules)
    numbers = ("size", "rated", "runs at", *(["ranks"] if with_ranks else []))
    columns = (Column("module"), Column("type"), *(Column(head, "right") for head in numbers))
    names = [module.get("locator") for module in modules if isinstance(module, dict)]
    rows = tuple(
        (*_module_row(module, with_bank=names.count(module.get("locator")) > 1), *_ranks(module, shown=with_ranks))
        for module in modules
        if isinstance(module, dict)
    )
    return (Table(columns, rows, "Memory modules"),)


def _module_row(module: dict[str, Json], *, with_bank: bool) -> tuple[str, ...]:
    """Return a module's cells; the bank stands beside its slot where two slots have one name."""
    size, slot = module.get("size_bytes"), str(module.get("locator", "-"))
    return (
        f"{slot} ({module.get('bank_locator', '-')})" if with_bank else slot,
        str(module.get("type", "-")),
        format_size(size) if isinstance(size, int) else "-",
        *(f"{module[name]} MT/s" if module.get(name) else "-" for name in ("rated_mt_s", "configured_mt_s")),
    )


def _ranks(module: dict[str, Json], *, shown: bool) -> tuple[str, ...]:
    return (str(module.get("ranks") or "-"),) if shown else ()


def _platform(platform: Peak | None, unit: str) -> tuple[str, ...]:
    """Return the platform's maximum of a machine whose layout, and so whose ceilings, are not known."""
    if platform is None:
        return ()
    figure = "" if unit == DEFAULT_RATE_UNIT else f" ({format_rate(platform.bytes_per_s, unit)} {unit})"
    return (f"Platform maximum, not these modules: {platform.name}: {platform.short_working}{figure} per socket.",)
