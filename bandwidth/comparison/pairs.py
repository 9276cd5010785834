"""Records matched by id, each against a reference, and what differs between their set-ups.

Two medians differ beyond noise where their 95 % intervals have no value in common: a test on the safe side (it takes
a larger difference than a test at 5 % would). Without an interval, below six samples, nothing is said. Of set-ups that
alone is told which is known of two of them, and not the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bandwidth.analysis.groups import divided
from bandwidth.errors import BandwidthError
from bandwidth.plain_text import one_line
from bandwidth.results import Record, Summary, summarise
from bandwidth.statistics import Interval
from bandwidth.units import format_size


@dataclass(frozen=True)
class Comparison:
    """One id over all records: a Summary for each record that has it, and each median's ratio to the reference's.

    Of a latency it is the ratio of the times: above 1 is slower there. `ratios` are None where either figure is
    missing; `ratio_intervals` come from the ends of both intervals; `differs` tells whether the difference is larger
    than the noise, None where that cannot be said.
    """

    id: str
    summaries: tuple[Summary | None, ...]
    ratios: tuple[float | None, ...]
    ratio_intervals: tuple[Interval | None, ...]
    differs: tuple[bool | None, ...]


def compare(*records: Record, reference: int = 0) -> tuple[Comparison, ...]:
    """Compare records result by result: `compare(a, b)[0].ratios` are those of the first id to `a`'s.

    Ids stand in the order in which they first appear; `reference` is the index of the record that the others are
    divided by. Raises BandwidthError for fewer than two records or an index that is not there.
    """
    if len(records) < 2:
        raise BandwidthError("a comparison needs two records", "add another record")
    if not 0 <= reference < len(records):
        raise BandwidthError(f"there is no record {reference}", f"use 0 to {len(records) - 1}")
    ids = dict.fromkeys(result.case.id for record in records for result in record.results)
    by_id = [{result.case.id: summarise(result) for result in record.results} for record in records]
    return tuple(_compared(case_id, [found.get(case_id) for found in by_id], reference) for case_id in ids)


def _compared(case_id: str, summaries: Sequence[Summary | None], reference: int) -> Comparison:
    figures, intervals = [figure_of(summary) for summary in summaries], [interval_of(summary) for summary in summaries]
    return Comparison(
        id=case_id,
        summaries=tuple(summaries),
        ratios=tuple(divided(figure, figures[reference]) for figure in figures),
        ratio_intervals=tuple(ratio_interval(interval, intervals[reference]) for interval in intervals),
        differs=tuple(beyond_noise(interval, intervals[reference]) for interval in intervals),
    )


def figure_of(summary: Summary | None) -> float | None:
    """Return a rate in bytes per second, or a latency in nanoseconds; None where there is neither."""
    if summary is None:
        return None
    return summary.median_bytes_per_s if summary.latency is None else summary.latency.median_ns


def interval_of(summary: Summary | None) -> Interval | None:
    """Return the 95 % interval of `figure_of`, from run to run where that is known, None below six samples."""
    return None if summary is None else summary.reported


def ratio_interval(one: Interval | None, base: Interval | None) -> Interval | None:
    """Return the least and the most that the ratio is by the ends of both intervals: at least 90 % confidence."""
    return None if one is None or base is None else Interval(one.low / base.high, one.high / base.low)


def beyond_noise(one: Interval | None, base: Interval | None) -> bool | None:
    """Return whether two intervals have no value in common, None where one is missing."""
    return None if one is None or base is None else not one.overlaps(base)


# --- the set-ups ----------------------------------------------------------------------------------------------------

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
