"""The host's rates from memory that stand for themselves: by numbers of threads, and in one table for a write-up."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from bandwidth.analysis.groups import grouped
from bandwidth.report.document import Column, Table
from bandwidth.report.labels import place, rate_cells, rate_columns, stores_of, thread_words, variant_words
from bandwidth.report.views.shown import Shown
from bandwidth.results import Case, Record, Result
from bandwidth.units import format_rate
from bandwidth.vocabulary import HOST

# Of hybrid processors, the faster cores come first.
_CORES = ("performance", "efficiency")


def heading(shown: Shown) -> list[str]:
    """Return what the host's tables are headed by, nothing where only GPUs were measured."""
    if shown.results and not any(result.case.target == HOST for result in shown.results):
        return []
    machine = shown.record.machine
    name = str(machine.get("cpu_model") or machine.get("architecture") or "this machine")
    cores = machine.get("physical_cores")
    parts = [f"Host memory of {name}"]
    if cores is not None:
        parts.append(f"{cores} {'core' if cores == 1 else 'cores'}")
    return [f"{', '.join(parts)}\n{_theory_line(shown.record)}"]


def tables(shown: Shown) -> list[Table]:
    """Return a table for each number of threads, and kind of core, the most threads first."""
    results = _of_the_host(shown)
    with_stores = any("stores" in result.case.variant for result in results)
    return [_table(group, shown.unit, with_stores=with_stores) for group in by_threads(results)]


def one_table(shown: Shown) -> list[Table]:
    """Return all of them in one table: theory, median with interval, best, efficiency, n; none without rates."""
    results = _of_the_host(shown)
    if not results:
        return []
    unit = shown.unit
    headers = (f"theory {unit}", f"median {unit}", "95 % interval", f"best {unit}", "efficiency", "n")
    left = (Column("threads", "right"), Column("path"), Column("engine"), Column("stores"))
    columns = (*left, *(Column(header, "right") for header in headers))
    ordered = sorted(results, key=lambda result: (-result.case.threads, place(result.case)))
    return [Table(columns, tuple(_row_of_all(result, unit) for result in ordered))]


def by_threads(results: Iterable[Result]) -> list[list[Result]]:
    """Return the results in groups of one number of threads and kind of core, in the order of the tables."""
    return sorted(grouped(results, lambda result: group_of(result.case)), key=lambda group: _group_place(group[0].case))


def group_of(case: Case) -> Hashable:
    """Return what the cases of one table have in common."""
    return (case.target, case.threads, tuple(variant_words(case.variant, "stores")))


def group_words(case: Case) -> str:
    """Return what the cases of one table have in common in words: `2 threads, efficiency cores`."""
    return ", ".join([thread_words([case.threads]), *variant_words(case.variant, "stores")])


def _of_the_host(shown: Shown) -> list[Result]:
    return [result for result in shown.plain if result.case.target == HOST]


def _theory_line(record: Record) -> str:
    memory = record.memory
    if memory.get("bytes_per_s") is None:
        is_told = memory.get("reason") and record.results
        return "Theory: not known here (BW010 below says why)" if is_told else "Theory: not known here"
    figure = memory.get("short_working") or f"{format_rate(memory['bytes_per_s'])} GB/s"
    return f"Theory: {memory.get('spec', 'memory')}: {figure}, from {memory.get('source', 'the record')}"


def _table(results: Sequence[Result], unit: str, *, with_stores: bool) -> Table:
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
    return Table((*left, *rate_columns(unit)), tuple(rows), group_words(results[0].case))


def _row_of_all(result: Result, unit: str) -> tuple[str, ...]:
    case = result.case
    median, interval, best, theory, share, count = rate_cells(result, unit)
    path = ", ".join([case.path, *variant_words(case.variant, "stores")])
    return (str(case.threads), path, case.engine, stores_of(case), theory, median, interval, best, share, count)


def _group_place(case: Case) -> tuple[int, int]:
    cores = str(case.variant.get("cores", ""))
    return (-case.threads, _CORES.index(cores) if cores in _CORES else len(_CORES))
