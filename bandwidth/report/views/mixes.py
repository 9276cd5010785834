"""Rates by the ratio of reads to writes, the lines of Intel MLC's table."""

from __future__ import annotations

from collections.abc import Sequence

from bandwidth.kernels import MIXES, kernel_of
from bandwidth.report.document import Column, Table
from bandwidth.report.labels import rate_cells, rate_columns, stores_of
from bandwidth.report.views.rates import by_threads, group_of, group_words
from bandwidth.report.views.shown import Shown
from bandwidth.results import Case, Result
from bandwidth.vocabulary import STREAMING

# The last line of Intel MLC's table: two reads, and one write that goes past the caches.
_LAST_MIX = ("triad", STREAMING)


def tables(shown: Shown) -> list[Table]:
    """Return a table for each number of threads that mixes were measured with, whole kernels of a ratio among them."""
    mixed = [result for result in shown.results if "mix" in result.case.variant]
    return [_table(group, shown) for group in by_threads(mixed)]


def _table(mixed: Sequence[Result], shown: Shown) -> Table:
    group, unit = group_of(mixed[0].case), shown.unit
    engines = {result.case.engine for result in mixed}
    beside = [
        result
        for result in shown.plain
        if result.case.engine in engines and group_of(result.case) == group and _ratio_of(result.case)
    ]
    ordered = sorted([*beside, *mixed], key=lambda result: _place(result.case))
    rows = tuple((_ratio_of(result.case), stores_of(result.case), *rate_cells(result, unit)) for result in ordered)
    columns = (Column("reads:writes"), Column("stores"), *rate_columns(unit))
    return Table(columns, rows, f"Reads to writes, {group_words(mixed[0].case)}")


def _ratio_of(case: Case) -> str:
    """Return the line of Intel MLC's table that a case stands for, empty where it has none."""
    if (case.path, case.variant.get("stores")) == _LAST_MIX:
        return case.path
    try:
        kernel = kernel_of(case.path, case.variant)
    except KeyError:
        return str(case.variant.get("mix", ""))
    return next((ratio for ratio, name in MIXES.items() if name == kernel.name), "")


def _place(case: Case) -> int:
    ratios = (*MIXES, _LAST_MIX[0])
    ratio = _ratio_of(case)
    return ratios.index(ratio) if ratio in ratios else len(ratios)
