"""What every rule goes by: results with their figures, and those that belong together."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from bandwidth.analysis.groups import is_size_check
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


class ResultRow(NamedTuple):
    """A result and its figures."""

    result: Result
    summary: Summary


def measured(record: Record) -> Iterator[ResultRow]:
    """Yield the results that have a figure, a rate or a latency."""
    for result in record.results:
        summary = summarise(result)
        if summary.median_bytes_per_s is not None or summary.latency is not None:
            yield ResultRow(result, summary)


def rated(record: Record) -> Iterator[ResultRow]:
    """Yield the results that have a rate."""
    return (row for row in measured(record) if row.summary.median_bytes_per_s is not None)


def shown(record: Record) -> Iterator[ResultRow]:
    """Yield the results that are judged one by one: no points of a sweep, and no proofs of another's size."""
    return (row for row in measured(record) if SWEEP_POINT not in row.result.case.variant)


def sweep_points(record: Record) -> list[ResultRow]:
    """Return the points of a sweep over sizes, which are judged together; proofs of a size are none."""
    points = [row for row in measured(record) if SWEEP_POINT in row.result.case.variant]
    if all(SWEEP_POINT in result.case.variant for result in record.results):
        return points  # nothing that they could prove the size of: of hundreds, not each with each
    return [row for row in points if not is_size_check(record, row.result)]


def plain(record: Record) -> list[ResultRow]:
    """Return the results with a rate that differ by path, engine, threads and stores alone, as in the default table."""
    return [row for row in rated(record) if PLAIN_KEYS.issuperset(row.result.case.variant)]


def in_memory(rows: Iterable[ResultRow]) -> list[ResultRow]:
    """Return the rows whose data lies in memory and not in caches."""
    return [row for row in rows if row.result.case.meets_dram_rule]


class Partners:
    """Some rows, found by what tells their cases apart."""

    def __init__(self, rows: Iterable[ResultRow]) -> None:
        self._rows: dict[Hashable, ResultRow] = {}
        for row in rows:
            self._rows.setdefault(_key(row.result.case), row)

    def of(
        self, row: ResultRow, *, engine: str | None = None, threads: int | None = None, **variant: str | None
    ) -> ResultRow | None:
        """Return the row that is the same but for what is named; a key of the variant that is None is to be absent."""
        case = row.result.case
        wanted = {key: value for key, value in {**case.variant, **variant}.items() if value is not None}
        other = replace(case, engine=engine or case.engine, threads=threads or case.threads, variant=wanted)
        return self._rows.get(_key(other))


def _key(case: Case) -> Hashable:
    return (case.target, case.path, case.engine, case.threads, frozenset(case.variant.items()))


def rate(row: ResultRow) -> float:
    """Return a row's median in bytes per second."""
    return row.summary.median_bytes_per_s or 0.0


def rate_text(row: ResultRow) -> str:
    """Return a row's median with its unit."""
    return f"{format_rate(rate(row))} GB/s"


def ratio(one: ResultRow, other: ResultRow) -> float:
    """Return one median over the other."""
    return rate(one) / (rate(other) or 1.0)


def are_apart(one: ResultRow, other: ResultRow) -> bool:
    """Return whether the intervals of two rates have no value in common."""
    return not interval(one).overlaps(interval(other))


def interval(row: ResultRow) -> Interval:
    """Return the interval of a rate, the median alone where there are too few samples for one."""
    return row.summary.ci95 or Interval(rate(row), rate(row))


def thread_words(threads: int) -> str:
    """Return `1 thread`, `2 threads`."""
    return "1 thread" if threads == 1 else f"{threads} threads"


def stop_words(result: Result) -> str:
    """Return what ended a case, in words."""
    words = {
        "budget": "the budget was used up",
        "interrupted": "it was interrupted",
        "unfinished": "it was stopped",
        "failure": "no block finished",
    }
    return words.get(result.samples.stopped_by, f"stopped by {result.samples.stopped_by}")
