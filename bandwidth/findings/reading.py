"""What every rule needs: the results of a record with their figures, those that belong together, and safe numbers.

A record from a file may hold anything among its facts: a number that is none is not known.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from bandwidth.analysis.groups import is_size_check
from bandwidth.cpu_list import parse_cpu_list
from bandwidth.errors import BandwidthError
from bandwidth.results import Case, Record, Result, Summary, summarise
from bandwidth.statistics import Interval
from bandwidth.units import format_rate
from bandwidth.vocabulary import SWEEP_POINT

# What two results may differ in and still stand in the default table: all else is measured on request.
PLAIN_KEYS = frozenset({"stores"})


class Raised(NamedTuple):
    """A finding: the id of the result that it is about (None for the whole run), what was seen, and what to try."""

    case_id: str | None
    text: str
    hint: str


class Row(NamedTuple):
    """A result and its figures."""

    result: Result
    summary: Summary


def gpu_conditions(record: Record, gpu: Mapping[str, Any], when: str) -> Mapping[str, Any]:
    """Return a GPU's conditions `before` or `after`, empty where they were not read."""
    found = getattr(record.conditions, when).get("gpus")
    own = found.get(gpu.get("address")) if isinstance(found, Mapping) else None
    return own if isinstance(own, Mapping) else {}


def measured(record: Record) -> Iterator[Row]:
    """Yield the results that have a figure, a rate or a latency."""
    for result in record.results:
        summary = summarise(result)
        if summary.median_bytes_per_s is not None or summary.latency is not None:
            yield Row(result, summary)


def rated(record: Record) -> Iterator[Row]:
    """Yield the results that have a rate."""
    return (row for row in measured(record) if row.summary.median_bytes_per_s is not None)


def shown(record: Record) -> Iterator[Row]:
    """Yield the results that are judged one by one: no points of a sweep, and no proofs of another's size."""
    return (row for row in measured(record) if SWEEP_POINT not in row.result.case.variant)


def sweep_points(record: Record) -> list[Row]:
    """Return the points of a sweep over sizes, which are judged together; proofs of a size are none."""
    points = [row for row in measured(record) if SWEEP_POINT in row.result.case.variant]
    if all(SWEEP_POINT in result.case.variant for result in record.results):
        return points  # nothing that they could prove the size of: of hundreds, not each with each
    return [row for row in points if not is_size_check(record, row.result)]


def plain(record: Record) -> list[Row]:
    """Return the results with a rate that differ by path, engine, threads and stores alone, as in the default table."""
    return [row for row in rated(record) if PLAIN_KEYS.issuperset(row.result.case.variant)]


def in_memory(rows: Iterable[Row]) -> list[Row]:
    """Return the rows whose data lies in memory and not in caches."""
    return [row for row in rows if row.result.case.meets_dram_rule]


class Partners:
    """Some rows, found by what tells their cases apart."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows: dict[Hashable, Row] = {}
        for row in rows:
            self._rows.setdefault(_key(row.result.case), row)

    def of(
        self, row: Row, *, engine: str | None = None, threads: int | None = None, **variant: str | None
    ) -> Row | None:
        """Return the row that is the same but for what is named; a key of the variant that is None is to be absent."""
        case = row.result.case
        wanted = {key: value for key, value in {**case.variant, **variant}.items() if value is not None}
        other = replace(case, engine=engine or case.engine, threads=threads or case.threads, variant=wanted)
        return self._rows.get(_key(other))


def _key(case: Case) -> Hashable:
    return (case.target, case.path, case.engine, case.threads, frozenset(case.variant.items()))


def rate(row: Row) -> float:
    """Return a row's median in bytes per second."""
    return row.summary.median_bytes_per_s or 0.0


def rate_text(row: Row) -> str:
    """Return a row's median with its unit."""
    return f"{format_rate(rate(row))} GB/s"


def ratio(one: Row, other: Row) -> float:
    """Return one median over the other."""
    return rate(one) / (rate(other) or 1.0)


def are_apart(one: Row, other: Row) -> bool:
    """Return whether the intervals of two rates have no value in common."""
    return not interval(one).overlaps(interval(other))


def interval(row: Row) -> Interval:
    """Return the interval of a rate, the median alone where there are too few samples for one."""
    return row.summary.ci95 or Interval(rate(row), rate(row))


def thread_words(threads: int) -> str:
    """Return `1 thread`, `2 threads`."""
    return "1 thread" if threads == 1 else f"{threads} threads"


def stop_words(result: Result) -> str:
    """Return what ended a case, in words."""
    words = {
        "budget": "the budget was spent",
        "interrupted": "it was interrupted",
        "unfinished": "it was cut off",
        "failure": "the machine did not let a block end",
    }
    return words.get(result.samples.stopped_by, f"it stopped by {result.samples.stopped_by}")


# --- facts ----------------------------------------------------------------------------------------------------------


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


def cpus_of(value: Any) -> tuple[int, ...] | None:
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
