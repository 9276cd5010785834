"""The tables of a comparison: the results of several columns, a row an id.

Two or three columns stand beside each other with their ratios, up to six with their medians alone; of more each id is a
table of its own, with the columns as rows. The ranges of three have a table of their own: a screen has no room for it.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Sequence
from typing import Any

from bandwidth.comparison.sides import Cell, ComparedRow, SideBySide
from bandwidth.plain_text import one_line
from bandwidth.report import document as parts
from bandwidth.report.comparison.summary import (
    BEYOND,
    MOST_COLUMNS,
    UNSURE,
    WITHIN,
    ratio_text,
    share_text,
)
from bandwidth.report.document import Table
from bandwidth.report.labels import (
    INVALID,
    UNKNOWN,
    case_words,
    format_ns,
    path_of,
    place,
    stores_in_words,
    target_words,
    threads_in_words,
    variant_words,
)
from bandwidth.results import Case
from bandwidth.statistics import Interval
from bandwidth.units import format_rate, format_size
from bandwidth.vocabulary import BETWEEN_CORES, HOST, NATIVE

# What 80 columns hold with ratios and their ranges.
MOST_BESIDE = 3
NOISE_WORDS = {True: "beyond", False: "within", None: UNKNOWN}


def comparison_tables(
    sides: SideBySide, rows: Sequence[ComparedRow], unit: str, *, with_shares: bool, with_ranges: bool
) -> list[Table]:
    """Return the tables of some rows.

    `with_shares` adds what each record's theory is, and the share of it; `with_ranges` the range of each ratio of three
    columns, which two have anyway.
    """
    if len(sides.columns) > MOST_COLUMNS:
        return _below(sides, rows, unit)
    if len(sides.columns) > MOST_BESIDE:
        return _matrix(sides, rows, unit)
    return _beside(sides, rows, unit, with_shares=with_shares, with_ranges=with_ranges)


def in_order(rows: Sequence[ComparedRow]) -> list[ComparedRow]:
    """Return rows as the tables have them."""
    return [row for group in grouped_rows(rows) for row in group]


def range_text(interval: Interval | None) -> str:
    """Return both ends of a ratio's range."""
    return UNKNOWN if interval is None else f"{ratio_text(interval.low)}-{ratio_text(interval.high)}"


def figure_text(row: ComparedRow, cell: Cell | None, unit: str) -> str:
    """Return a rate in `unit`, or nanoseconds; INVALID where the data was wrong, a dash where there is none."""
    if cell is None:
        return UNKNOWN
    if cell.figure is None:
        return INVALID
    if row.case.is_latency:
        return format_ns(cell.figure)
    return format_rate(cell.figure, unit) + ("!" if is_above(cell) else "")


def noise_mark(sides: SideBySide, row: ComparedRow, index: int) -> str:
    """Return the mark of a ratio: a plateau and a theory have no noise to compare with."""
    cell, base = row.cells[index], row.cells[sides.reference]
    if cell is None or base is None or cell.ratio is None or row.level or index == sides.reference:
        return WITHIN
    if cell.samples is None or base.samples is None:
        return WITHIN
    return {True: BEYOND, False: WITHIN, None: UNSURE}[cell.differs]


def is_above(cell: Cell) -> bool:
    """Return whether a figure is above its theory."""
    return cell.figure is not None and cell.theory_bytes_per_s is not None and cell.figure > cell.theory_bytes_per_s


# --- two or three columns beside each other -------------------------------------------------------------------------


def _beside(
    sides: SideBySide, rows: Sequence[ComparedRow], unit: str, *, with_shares: bool, with_ranges: bool
) -> list[Table]:
    found: list[Table] = []
    for group in grouped_rows(rows):
        with_one = not with_ranges and len(sides.columns) > 2
        found += [_one_table(sides, group, unit)] if with_one else _beside_tables(sides, group, unit)
        shares = [row for row in group if any(cell is not None and cell.theory_bytes_per_s for cell in row.cells)]
        found += [_share_table(sides, shares, unit)] if shares and with_shares else []
    return found


def _beside_tables(sides: SideBySide, group: Sequence[ComparedRow], unit: str) -> Iterator[Table]:
    """Yield the medians with the ratios, in one table where there are two columns."""
    shown = "ns" if group[0].case.is_latency else unit
    others = [index for index in range(len(sides.columns)) if index != sides.reference]
    left, starts = _left(group)
    medians = [parts.Column(f"{column.name} {shown}", "right", two_lines=True) for column in sides.columns]
    figures = [tuple(figure_text(row, cell, unit) for cell in row.cells) for row in group]
    ratios = [tuple(text for index in others for text in _ratio_cells(sides, row, index)) for row in group]
    if len(others) == 1:
        columns = (*left, *medians, parts.Column("ratio", "right"), parts.Column("range", "right"))
        both = [(*one, *two) for one, two in zip(figures, ratios, strict=True)]
        yield Table(columns, _joined(starts, both), _title(group[0]))
        return
    yield Table((*left, *medians), _joined(starts, figures), _title(group[0], "medians"))
    heads = [parts.Column(text, "right") for index in others for text in (sides.columns[index].name, "range")]
    title = _title(group[0], f"ratio to {sides.columns[sides.reference].name}")
    yield Table((*left, *heads), _joined(starts, ratios), title)


def _one_table(sides: SideBySide, group: Sequence[ComparedRow], unit: str) -> Table:
    """Return the medians, each but the reference's with its ratio, without ranges."""
    shown = "ns" if group[0].case.is_latency else unit
    left, starts = _left(group)
    heads, cells = [], [list(start) for start in starts]
    for index, column in enumerate(sides.columns):
        is_other = index != sides.reference
        heads += [parts.Column(f"{column.name} {shown}", "right", two_lines=True)]
        heads += [parts.Column("ratio", "right")] if is_other else []
        for row, texts in zip(group, cells, strict=True):
            texts += [figure_text(row, row.cells[index], unit)]
            texts += [_ratio_cells(sides, row, index)[0]] if is_other else []
    return Table((*left, *heads), tuple(map(tuple, cells)), _title(group[0]))


def _share_table(sides: SideBySide, group: Sequence[ComparedRow], unit: str) -> Table:
    """Return what each record's theory is, and its median as a share of that."""
    records = [index for index, column in enumerate(sides.columns) if column.record is not None]
    left, starts = _left(group)
    heads = [
        parts.Column(text, "right", two_lines=True)
        for index in records
        for text in (sides.columns[index].name, "share")
    ]
    cells = [tuple(text for index in records for text in _share_cells(row.cells[index], unit)) for row in group]
    return Table((*left, *heads), _joined(starts, cells), _title(group[0], f"theory {unit} and share"))


def _left(group: Sequence[ComparedRow]) -> tuple[tuple[parts.Column, ...], list[tuple[str, ...]]]:
    """Return the columns that say what a row is, and their cells."""
    with_stores = any("stores" in row.case.variant for row in group)
    with_threads = any(row.case.target == HOST for row in group)
    words = ("path", "engine", *(["stores"] if with_stores else []))
    counts = [parts.Column("threads", "right", two_lines=True)] if with_threads else []
    starts = [_start(row, with_stores=with_stores, with_threads=with_threads) for row in group]
    return (*(parts.Column(word) for word in words), *counts), starts


def _joined(starts: Sequence[tuple[str, ...]], cells: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    return tuple((*start, *others) for start, others in zip(starts, cells, strict=True))


def _ratio_cells(sides: SideBySide, row: ComparedRow, index: int) -> tuple[str, str]:
    cell = row.cells[index]
    if cell is None or cell.ratio is None:
        return (UNKNOWN, UNKNOWN)
    return (ratio_text(cell.ratio) + noise_mark(sides, row, index), range_text(cell.ratio_interval))


def _share_cells(cell: Cell | None, unit: str) -> tuple[str, str]:
    if cell is None or cell.theory_bytes_per_s is None:
        return (UNKNOWN, UNKNOWN)
    return (format_rate(cell.theory_bytes_per_s, unit), share_text(cell))


# --- more columns: their medians beside each other, and of very many one below the other ----------------------------


def _matrix(sides: SideBySide, rows: Sequence[ComparedRow], unit: str) -> list[Table]:
    """Return the medians of each number of threads: what a row is has little room beside six machines."""
    groups: dict[str, list[ComparedRow]] = {}
    for row in in_order(rows):
        threads = [threads_in_words([row.case.threads])] if row.case.target == HOST else []
        shown = "ns" if row.case.is_latency else unit
        groups.setdefault(one_line(_title(row, ", ".join([*threads, shown]))), []).append(row)
    return [_matrix_table(sides, group, title, unit) for title, group in groups.items()]


def _matrix_table(sides: SideBySide, group: Sequence[ComparedRow], title: str, unit: str) -> Table:
    """Return one table; where engines differ, a row names its own unless that is compiled code."""
    engines = {row.case.engine for row in group}
    heads = (parts.Column(""), *(parts.Column(column.name, "right") for column in sides.columns))
    cells = tuple((_label(row, engines), *(figure_text(row, cell, unit) for cell in row.cells)) for row in group)
    return Table(heads, cells, f"{title}, {one_line(engines.pop())}" if len(engines) == 1 else title)


def _label(row: ComparedRow, engines: Collection[str]) -> str:
    case = row.case
    engine = [case.engine] if len(engines) > 1 and case.engine != NATIVE else []
    stores = [stores_in_words(case)] if "stores" in case.variant else []
    size = _size(row)
    words = variant_words(case.variant, "stores", "sweep_point")
    return one_line(", ".join([path_of(case), *engine, *stores, *words, *size, *([row.level] if row.level else [])]))


def _below(sides: SideBySide, rows: Sequence[ComparedRow], unit: str) -> list[Table]:
    """Return a table for each row of the comparison, with its columns as rows."""
    return [_below_table(sides, row, unit) for row in in_order(rows)]


def _below_table(sides: SideBySide, row: ComparedRow, unit: str) -> Table:
    shown = "ns" if row.case.is_latency else unit
    heads = (f"median {shown}", "ratio", "range", "noise", "theory", "share")
    columns = (parts.Column(""), *(parts.Column(head, "right") for head in heads))
    cells = [
        (column.name, *_below_cells(row, cell, unit))
        for column, cell in zip(sides.columns, row.cells, strict=True)
        if cell is not None
    ]
    size = _size(row)
    words = [case_words(row.case, "sweep_point"), *size, *([row.level] if row.level else [])]
    return Table(columns, tuple(cells), one_line(", ".join(words)))


def _below_cells(row: ComparedRow, cell: Cell, unit: str) -> tuple[str, ...]:
    noise = NOISE_WORDS[cell.differs]
    ratio = (ratio_text(cell.ratio), range_text(cell.ratio_interval), noise)
    return (figure_text(row, cell, unit), *ratio, *_share_cells(cell, unit))


# --- rows -----------------------------------------------------------------------------------------------------------


def grouped_rows(rows: Sequence[ComparedRow]) -> list[list[ComparedRow]]:
    """Return rows that stand in one table: of one target and kind, rates first; in it, the most threads first."""
    groups: dict[Hashable, list[ComparedRow]] = {}
    for row in sorted(rows, key=_row_place):
        groups.setdefault(_title(row), []).append(row)
    return list(groups.values())


def _row_place(row: ComparedRow) -> tuple[Any, ...]:
    case = row.case
    size = case.working_set_bytes if row.is_detail else 0
    kind = (case.is_latency, bool(row.level), row.is_detail)
    where = (case.kind, len(case.devices), case.devices, case.target)
    how = (-case.threads, str(case.variant.get("cores", "")), place(case), _load(case))
    return (*kind, *where, *how, size, row.level)


def _load(case: Case) -> int:
    """Return the share of a latency's load for its place in the table: 100 % comes after 20 %."""
    share = str(case.variant.get("load", "")).rstrip("%")
    return int(share) if share.isdecimal() else 0


def _title(row: ComparedRow, what: str = "") -> str:
    case = row.case
    kinds = [] if not case.is_latency else ["core to core"] if case.path == BETWEEN_CORES else ["latency"]
    kinds += ["medians over pairs" if case.path == BETWEEN_CORES else "plateaus of sweeps by size"] if row.level else []
    kinds += ["pair by pair" if case.path == BETWEEN_CORES else "points of sweeps"] if row.is_detail else []
    where = [] if case.target == HOST else [one_line(target_words(case))]
    text = ", ".join([*where, *kinds, *([what] if what else [])])
    return text[:1].upper() + text[1:]


def _size(row: ComparedRow) -> list[str]:
    """Return how much data a point of a sweep has: what tells it from the others."""
    return [format_size(row.case.working_set_bytes)] if row.is_detail and row.case.path != BETWEEN_CORES else []


def _start(row: ComparedRow, *, with_stores: bool, with_threads: bool) -> tuple[str, ...]:
    words = variant_words(row.case.variant, "stores", "sweep_point")
    size = _size(row)
    path = ", ".join([path_of(row.case), *words, *size, *([row.level] if row.level else [])])
    stores = [one_line(stores_in_words(row.case))] if with_stores else []
    return (one_line(path), one_line(row.case.engine), *stores, *([str(row.case.threads)] if with_threads else []))
