"""What a record says of its machine and conditions. It may hold anything: what is no number or text is not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bandwidth.cpu_list import parse_cpu_list
from bandwidth.errors import BandwidthError
from bandwidth.results import Record


def conditions_of_gpu(record: Record, gpu: Mapping[str, Any], when: str) -> Mapping[str, Any]:
    """Return a GPU's conditions `before` or `after`, empty where they were not read."""
    found = getattr(record.conditions, when).get("gpus")
    own = found.get(gpu.get("address")) if isinstance(found, Mapping) else None
    return own if isinstance(own, Mapping) else {}


def number(value: Any) -> float | None:
    """Return a fact as a finite number, None where it is none."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if abs(found) < float("inf") else None


def positive(value: Any) -> float | None:
    """Return a fact as a number above zero, None where it is none."""
    found = number(value)
    return found if found is not None and found > 0 else None


def texts(value: Any) -> list[str]:
    """Return the texts of a list; none where it is none."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def numbers(value: Any) -> list[int]:
    """Return the whole numbers of a list; none where it is none."""
    found = value if isinstance(value, list) else []
    return [item for item in found if isinstance(item, int) and not isinstance(item, bool)]


def listed_cpus(value: Any) -> tuple[int, ...] | None:
    """Return the CPUs of a list as the kernel writes it, None where it is none."""
    try:
        return parse_cpu_list(value) if isinstance(value, str) else None
    except BandwidthError:
        return None


def growth(record: Record, name: str) -> float | None:
    """Return by how much a counter of the conditions grew during the run, None where it was not read twice."""
    early, late = number(record.conditions.before.get(name)), number(record.conditions.after.get(name))
    return None if early is None or late is None else late - early


def either(record: Record, name: str) -> list[Any]:
    """Return what a condition was before and after, as far as it was read."""
    read: Sequence[Mapping[str, Any]] = (record.conditions.before, record.conditions.after)
    return [conditions[name] for conditions in read if name in conditions]


def cores_of(record: Record) -> int | None:
    """Return how many physical cores the machine has."""
    cores = positive(record.machine.get("physical_cores"))
    return None if cores is None else int(cores)


def all_threads(record: Record) -> int | None:
    """Return how many threads are one on each core that may be used, None where the cores are not known."""
    cores, allowed = cores_of(record), listed_cpus(record.machine.get("cpus_allowed"))
    return cores if cores is None or allowed is None else min(cores, len(allowed))
