"""What differs between the set-ups of records: only what is known of two of them, and not the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bandwidth.plain_text import one_line
from bandwidth.results import Record
from bandwidth.units import format_size

LONGEST_VALUE = 60
MOST_BYTES = 2**63  # a record may hold anything

# What is compared, in the order in which it is told: its name for people, and the machine fact.
_FACTS = (
    ("processor", "cpu_model"),
    ("sockets", "sockets"),
    ("cores", "physical_cores"),
    ("SMT", "smt_control"),
    ("CPUs allowed", "cpus_allowed"),
    ("CPU quota", "cpu_quota"),
    ("last-level cache", "last_level_cache_bytes"),
    ("NUMA nodes", "numa_nodes"),
    ("memory type", "memory_type"),
    ("memory channels", "memory_channels"),
    ("memory MT/s", "memory_configured_mt_s"),
    ("memory", "memory_total_bytes"),
    ("operating system", "operating_system"),
    ("kernel", "kernel"),
    ("C library", "c_library"),
    ("huge pages", "transparent_huge_pages"),
    ("virtualization", "virtualization"),
    ("container", "container"),
    ("Python", "python_version"),
    ("NumPy", "numpy_version"),
)
# The same, of the conditions before the run.
_CONDITIONS = (
    ("governor", "governors"),
    ("energy preference", "energy_preference"),
    ("on battery", "on_battery"),
)


@dataclass(frozen=True)
class Difference:
    """One thing that differs: its name, and the text of each column, None where a column does not know it."""

    name: str
    values: tuple[str | None, ...]


def differences(records: Sequence[Record | None]) -> tuple[Difference, ...]:
    """Return what differs between records; a column of theory (None) has no set-up."""
    setups = [{} if record is None else setup_of(record) for record in records]
    names = dict.fromkeys(name for setup in setups for name in setup)
    found = [Difference(name, tuple(setup.get(name) for setup in setups)) for name in names]
    return tuple(difference for difference in found if len(set(difference.values) - {None}) > 1)


def setup_of(record: Record) -> dict[str, str]:
    """Return the set-up of a record: a text by name, what is unknown left out."""
    found = {label: _readable(fact, record.machine.get(fact)) for label, fact in _FACTS}
    found |= {label: record.conditions.before.get(name) for label, name in _CONDITIONS}
    found["modules"] = _modules(record.machine.get("memory_modules"))
    found["theory"] = record.memory.get("spec")
    found |= _gpus(record.listed_gpus)
    found["bandwidth"] = record.tool_version
    return {label: short_line(value) for label, value in found.items() if value not in (None, "", [], {})}


def _readable(fact: str, value: object) -> object:
    """Return bytes as a size, rounded: two kernels of one machine leave a little more or less of its memory."""
    if fact.endswith("_bytes") and type(value) is int and 0 < value < MOST_BYTES:
        return format_size(value)
    return value


def _modules(modules: object) -> str | None:
    """Return the number of modules that are there; a saved record may hold anything."""
    return f"{len(modules)}" if isinstance(modules, list) and modules else None


def _gpus(known: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "GPUs": [str(gpu["name"]) for gpu in known if "name" in gpu],
        "GPU driver": sorted({str(gpu["driver_version"]) for gpu in known if "driver_version" in gpu}),
    }


def short_line(value: object) -> str:
    """Return a value on one line, cut where it is long: a record may hold anything."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    line = one_line(text)
    return line if len(line) <= LONGEST_VALUE else line[: LONGEST_VALUE - 3] + "..."
