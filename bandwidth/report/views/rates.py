"""The host's rates from memory as tables: by numbers of threads, by the ratio of reads to writes, and of zeros."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from bandwidth.analysis.groups import ZerosPair, grouped
from bandwidth.kernels import MIXES, kernel_of
from bandwidth.report.document import Column, Table
from bandwidth.report.labels import (
    INVALID,
    UNKNOWN,
    format_ns,
    known_rate,
    marked_rate,
    place,
    rate_cell,
    rate_cells,
    rate_columns,
    share_of,
    stores_in_words,
    threads_in_words,
    variant_words,
)
from bandwidth.report.views.shown import Shown
from bandwidth.results import Case, Record, Result, summarise
from bandwidth.units import format_rate
from bandwidth.vocabulary import HOST, LINE_BYTES, NS_PER_S, STREAMING

# Of hybrid processors, the faster cores come first.
_CORES = ("performance", "efficiency")
# The last line of Intel MLC's table: two reads, and one write that goes past the caches.
_LAST_MIX = ("triad", STREAMING)


def host_heading(shown: Shown) -> list[str]:
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


def host_rates(shown: Shown) -> list[Table]:
    """Return a table for each number of threads, and kind of core, the most threads first."""
    results = _of_the_host(shown)
    with_stores = any("stores" in result.case.variant for result in results)
    return [_rate_table(group, shown.unit, with_stores=with_stores) for group in by_threads(results)]


def host_rates_in_one(shown: Shown) -> list[Table]:
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
    return sorted(
        grouped(results, lambda result: table_key(result.case)), key=lambda group: _group_place(group[0].case)
    )


def table_key(case: Case) -> Hashable:
    """Return what the cases of one table have in common."""
    return (case.target, case.threads, tuple(variant_words(case.variant, "stores")))


def table_words(case: Case) -> str:
    """Return what the cases of one table have in common in words: `2 threads, efficiency cores`."""
    return ", ".join([threads_in_words([case.threads]), *variant_words(case.variant, "stores")])


def _of_the_host(shown: Shown) -> list[Result]:
    return [result for result in shown.plain if result.case.target == HOST]


def _theory_line(record: Record) -> str:
    memory = record.memory
    if memory.get("bytes_per_s") is None:
        is_told = memory.get("reason") and record.results
        return "Theory: unknown (see BW010 below)" if is_told else "Theory: unknown"
    figure = memory.get("short_working") or f"{format_rate(memory['bytes_per_s'])} GB/s"
    return f"Theory: {memory.get('spec', 'memory')}: {figure}, from {memory.get('source', 'the record')}"


def _rate_table(results: Sequence[Result], unit: str, *, with_stores: bool) -> Table:
    """Return one table; without any choice of stores in the whole record their column would say nothing."""
    left = (Column("path"), Column("engine"), *([Column("stores")] if with_stores else []))
    rows = [
        (
            result.case.path,
            result.case.engine,
            *([stores_in_words(result.case)] if with_stores else []),
            *rate_cells(result, unit),
        )
        for result in sorted(results, key=lambda result: place(result.case))
    ]
    return Table((*left, *rate_columns(unit)), tuple(rows), table_words(results[0].case))


def _row_of_all(result: Result, unit: str) -> tuple[str, ...]:
    case = result.case
    summary, theory = summarise(result), known_rate(result.theory_bytes_per_s, unit)
    median, interval, *_, count = rate_cells(result, unit)
    best = UNKNOWN
    if summary.best_bytes_per_s is not None:
        best = marked_rate(summary.best_bytes_per_s, result.theory_bytes_per_s, unit)
    share = INVALID if summary.is_impossible else share_of(summary.efficiency)
    path = ", ".join([case.path, *variant_words(case.variant, "stores")])
    return (str(case.threads), path, case.engine, stores_in_words(case), theory, median, interval, best, share, count)


def _group_place(case: Case) -> tuple[int, int]:
    cores = str(case.variant.get("cores", ""))
    return (-case.threads, _CORES.index(cores) if cores in _CORES else len(_CORES))


# --- by the ratio of reads to writes: the lines of Intel MLC's table ------------------------------------------------


def mix_tables(shown: Shown) -> list[Table]:
    """Return a table for each number of threads that mixes were measured with, whole kernels of a ratio among them."""
    mixed = [result for result in shown.results if "mix" in result.case.variant]
    return [_mix_table(group, shown) for group in by_threads(mixed)]


def _mix_table(mixed: Sequence[Result], shown: Shown) -> Table:
    group, unit = table_key(mixed[0].case), shown.unit
    engines = {result.case.engine for result in mixed}
    beside = [
        result
        for result in shown.plain
        if result.case.engine in engines and table_key(result.case) == group and ratio_of(result.case)
    ]
    ordered = sorted([*beside, *mixed], key=lambda result: _mix_place(result.case))
    rows = tuple((ratio_of(result.case), stores_in_words(result.case), *rate_cells(result, unit)) for result in ordered)
    columns = (Column("reads:writes"), Column("stores"), *rate_columns(unit))
    return Table(columns, rows, f"Reads to writes, {table_words(mixed[0].case)}")


def ratio_of(case: Case) -> str:
    """Return the line of Intel MLC's table that a case stands for, empty where it has none."""
    if (case.path, case.variant.get("stores")) == _LAST_MIX:
        return case.path
    try:
        kernel = kernel_of(case.path, case.variant)
    except KeyError:
        return str(case.variant.get("mix", ""))
    return next((ratio for ratio, name in MIXES.items() if name == kernel.name), "")


def _mix_place(case: Case) -> int:
    ratios = (*MIXES, _LAST_MIX[0])
    ratio = ratio_of(case)
    return ratios.index(ratio) if ratio in ratios else len(ratios)


# --- random reads ---------------------------------------------------------------------------------------------------


def random_tables(shown: Shown) -> list[Table]:
    """Return the one table of lines in random order, none where none were read."""
    results = [result for result in shown.results if "pages" in result.case.variant]
    if not results:
        return []
    columns = (Column("threads", "right"), Column("pages"), *rate_columns(shown.unit), Column("ns per line", "right"))
    ordered = sorted(results, key=lambda result: (-result.case.threads, str(result.case.variant["pages"])))
    return [Table(columns, tuple(_random_row(result, shown.unit) for result in ordered), "Random cache lines")]


def _random_row(result: Result, unit: str) -> tuple[str, ...]:
    """Return a row; the time of a line is that of each thread, so that it stands beside a latency."""
    rate, case = summarise(result).median_bytes_per_s, result.case
    line_ns = UNKNOWN if rate is None else format_ns(LINE_BYTES * case.threads / rate * NS_PER_S)
    words = [str(case.variant["pages"]), *variant_words(case.variant, "pages")]
    return (str(case.threads), ", ".join(words), *rate_cells(result, unit), line_ns)


# --- as the memory controllers counted it ---------------------------------------------------------------------------

_SEEN = {name: f"controller_{name}_bytes_per_s" for name in ("read", "write", "both")}


def counter_tables(shown: Shown) -> list[Table]:
    """Return what the controllers saw beside what was counted, in memory; nothing where they were not read."""
    results = [
        result
        for result in shown.own
        if set(_SEEN.values()) & set(result.observed) and summarise(result).median_bytes_per_s is not None
    ]
    if not results:
        return []
    left = (Column("path"), Column("engine"), Column("stores"), Column("threads", "right"))
    headers = (f"counted {shown.unit}", "with allocation", "seen read", "written", "total", "ratio")
    columns = (*left, *(Column(header, "right") for header in headers))
    rows = tuple(_counter_row(result, shown.unit) for result in results)
    return [Table(columns, rows, "Seen by the memory controllers")]


def _counter_row(result: Result, unit: str) -> tuple[str, ...]:
    """Return a row; the ratio is of all that was seen to the bytes counted: 1.5 for a copy with write-allocate."""
    case, rate = result.case, summarise(result).median_bytes_per_s or 0.0
    traffic = None if case.traffic_bytes_per_call is None else rate * case.traffic_bytes_per_call / case.bytes_per_call
    seen = {name: result.observed[key].median for name, key in _SEEN.items() if key in result.observed}
    total = sum(seen.values())
    start = (case.path, case.engine, stores_in_words(case), str(case.threads))
    ends = [known_rate(value, unit) for value in (rate, traffic, seen.get("read"), seen.get("write"), total)]
    return (*start, *ends, f"{total / rate:.2f}" if rate else UNKNOWN)


# --- with zeros, beside the same with other data --------------------------------------------------------------------


def zeros_tables(shown: Shown) -> list[Table]:
    """Return the one table, none where nothing was measured with zeros."""
    pairs = sorted(shown.zeros_pairs, key=lambda pair: (-pair.zeros.case.threads, place(pair.zeros.case)))
    if not pairs:
        return []
    left = (Column("path"), Column("engine"), Column("stores"), Column("threads", "right"))
    headers = (f"zeros {shown.unit}", f"other data {shown.unit}", "ratio")
    columns = (*left, *(Column(header, "right") for header in headers))
    return [Table(columns, tuple(_zeros_row(pair, shown.unit) for pair in pairs), "Zeros and other data")]


def _zeros_row(pair: ZerosPair, unit: str) -> tuple[str, ...]:
    case = pair.zeros.case
    other = UNKNOWN if pair.other is None else rate_cell(summarise(pair.other), unit)
    ratio = UNKNOWN if pair.ratio is None else f"{pair.ratio:.2f}"
    start = (case.path, case.engine, stores_in_words(case), str(case.threads))
    return (*start, rate_cell(summarise(pair.zeros), unit), other, ratio)
