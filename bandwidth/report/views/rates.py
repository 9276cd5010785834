"""Rates from memory as tables: by numbers of threads, by the ratio of reads to writes, and zeros beside other data."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from bandwidth.analysis.plain_results import plain_results
from bandwidth.analysis.result_pairs import ZerosPair, zeros_pairs
from bandwidth.kernels import MIXES, STREAMING, kernel_of
from bandwidth.report.document import Column, Table
from bandwidth.report.labels import (
    HOST,
    UNKNOWN,
    place,
    rate_cell,
    rate_cells,
    rate_columns,
    stores_of,
    thread_words,
    variant_words,
)
from bandwidth.results import Case, Record, Result, summarise

# Of hybrid processors, the faster cores come first.
_CORES = ("performance", "efficiency")
# The last line of Intel MLC's table: two reads, and one write that goes past the caches.
_LAST_MIX = ("triad", STREAMING)


def rate_tables(record: Record, unit: str) -> list[Table]:
    """Return a table for each number of threads, and kind of core, the most threads first."""
    results = [result for result in plain_results(record) if result.case.target == HOST]
    with_stores = any("stores" in result.case.variant for result in results)
    return [_rate_table(group, unit, with_stores=with_stores) for group in _by_threads(results)]


def mix_tables(record: Record, unit: str) -> list[Table]:
    """Return the rates by the ratio of reads to writes, the lines of Intel MLC's table, for each number of threads."""
    mixed = [result for result in record.results if "mix" in result.case.variant]
    return [_mix_table(group, record, unit) for group in _by_threads(mixed)]


def zeros_table(record: Record, unit: str) -> list[Table]:
    """Return the table of what was measured with zeros, none where nothing was."""
    pairs = sorted(zeros_pairs(record), key=lambda pair: (-pair.zeros.case.threads, place(pair.zeros.case)))
    if not pairs:
        return []
    left = (Column("path"), Column("engine"), Column("stores"), Column("threads", "right"))
    right = (Column(f"zeros {unit}", "right"), Column(f"other data {unit}", "right"), Column("ratio", "right"))
    return [Table((*left, *right), tuple(_zeros_row(pair, unit) for pair in pairs), "Zeros beside other data")]


def _rate_table(results: Sequence[Result], unit: str, *, with_stores: bool) -> Table:
    """Return one table; without any choice of stores in the whole record their column would say nothing."""
    left = (Column("path"), Column("engine"), *([Column("stores")] if with_stores else []))
    rows = [
        (
            result.case.path,
            result.case.engine,
            *([stores_of(result.case)] if with_stores else []),
            *rate_cells(result, unit),
        )
        for result in sorted(results, key=lambda result: place(result.case))
    ]
    return Table((*left, *rate_columns(unit)), tuple(rows), _group_words(results[0].case))


def _mix_table(mixed: Sequence[Result], record: Record, unit: str) -> Table:
    group = _group_of(mixed[0].case)
    engines = {result.case.engine for result in mixed}
    beside = [
        result
        for result in plain_results(record)
        if result.case.engine in engines and _group_of(result.case) == group and _ratio_of(result.case)
    ]
    ordered = sorted([*beside, *mixed], key=lambda result: _ratio_place(result.case))
    rows = tuple((_ratio_of(result.case), stores_of(result.case), *rate_cells(result, unit)) for result in ordered)
    columns = (Column("reads:writes"), Column("stores"), *rate_columns(unit))
    return Table(columns, rows, f"Reads to writes, {_group_words(mixed[0].case)}")


def _ratio_of(case: Case) -> str:
    """Return the line of Intel MLC's table that a case stands for, empty where it has none."""
    if (case.path, case.variant.get("stores")) == _LAST_MIX:
        return case.path
    try:
        kernel = kernel_of(case.path, case.variant)
    except KeyError:
        return str(case.variant.get("mix", ""))
    return next((ratio for ratio, name in MIXES.items() if name == kernel.name), "")


def _ratio_place(case: Case) -> int:
    ratios = (*MIXES, _LAST_MIX[0])
    ratio = _ratio_of(case)
    return ratios.index(ratio) if ratio in ratios else len(ratios)


def _zeros_row(pair: ZerosPair, unit: str) -> tuple[str, ...]:
    case = pair.zeros.case
    other = UNKNOWN if pair.other is None else rate_cell(summarise(pair.other), unit)
    ratio = UNKNOWN if pair.ratio is None else f"{pair.ratio:.2f}"
    start = (case.path, case.engine, stores_of(case), str(case.threads))
    return (*start, rate_cell(summarise(pair.zeros), unit), other, ratio)


def _by_threads(results: Sequence[Result]) -> list[list[Result]]:
    groups: dict[Hashable, list[Result]] = {}
    for result in results:
        groups.setdefault(_group_of(result.case), []).append(result)
    return sorted(groups.values(), key=lambda group: _group_place(group[0].case))


def _group_of(case: Case) -> Hashable:
    return (case.target, case.threads, tuple(variant_words(case.variant, "stores")))


def _group_place(case: Case) -> tuple[int, int]:
    cores = str(case.variant.get("cores", ""))
    return (-case.threads, _CORES.index(cores) if cores in _CORES else len(_CORES))


def _group_words(case: Case) -> str:
    return ", ".join([thread_words([case.threads]), *variant_words(case.variant, "stores")])
