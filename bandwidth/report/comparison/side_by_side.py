"""Records side by side: medians, ratios to a reference with their noise, shares of theory, and what differs.

Two or three columns stand beside each other, a row an id; more than that become rows, a table an id.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from bandwidth.comparison.pairs import Difference
from bandwidth.comparison.sides import Cell, ComparedRow, Side, SideBySide
from bandwidth.plain_text import one_line
from bandwidth.report import document as parts
from bandwidth.report.comparison.data import comparison_json, comparison_records
from bandwidth.report.document import Document, Table
from bandwidth.report.labels import (
    INVALID,
    UNKNOWN,
    WHOLE,
    format_ns,
    path_of,
    place,
    stores_in_words,
    target_words,
    variant_words,
)
from bandwidth.results import Case
from bandwidth.statistics import Interval
from bandwidth.units import DEFAULT_RATE_UNIT, format_percent, format_rate, format_size
from bandwidth.vocabulary import HOST

# What 80 columns hold beside each other.
MOST_BESIDE = 3
# Of a thousand records the first are named; all stand in JSON and in CSV.
MOST_NAMED = 12
MOST_IN_A_DIFFERENCE = 3
MOST_VALUES = 4
# Beyond this a ratio is told with one decimal.
LARGE_RATIO = 10
BEYOND, UNSURE, WITHIN = "*", "?", ""
NOISE_WORDS = {True: "beyond", False: "within", None: UNKNOWN}

METHOD = (
    "Method: a ratio is of two medians; its range comes from the ends of both 95 % intervals (order statistics). "
    "A difference is beyond the noise where the two intervals have no value in common, a cautious test; "
    "below six samples nothing is said of noise. Results are matched by id and nothing else."
)


def comparison_document(
    sides: SideBySide, unit: str = DEFAULT_RATE_UNIT, *, with_details: bool = False, format_name: str = ""
) -> Document:
    """Return the document of columns side by side; `with_details` shows every point of a sweep.

    With `format_name` only that format's part is made: of a thousand records each part takes a second.
    """
    data = comparison_json(sides, METHOD) if format_name in ("", "json") else {}
    records = comparison_records(sides) if format_name in ("", "csv") else []
    blocks = [] if format_name in ("json", "csv") else _blocks(sides, unit, with_details=with_details)
    return Document(tuple(blocks), data, records, (METHOD,))


def _blocks(sides: SideBySide, unit: str, *, with_details: bool) -> list[Table | str]:
    rows = [row for row in sides.rows if with_details or not row.is_detail]
    tables = _beside if len(sides.columns) <= MOST_BESIDE else _below
    blocks: list[Table | str] = ["\n".join(_legend(sides)), *tables(sides, rows, unit)]
    told = [*_marks(sides, rows), *_hidden(sides, with_details=with_details), *_working_sets(rows), *_conventions(rows)]
    differing = [_difference_line(sides, difference) for difference in sides.differences]
    blocks += ["\n".join(told)] if told else []
    blocks += ["\n".join(["What differs between the set-ups:", *differing])] if differing else []
    return blocks


def ratio_text(ratio: float | None) -> str:
    """Return a ratio with three decimals, a large one with one."""
    if ratio is None:
        return UNKNOWN
    return f"{ratio:.3f}" if ratio < LARGE_RATIO else f"{ratio:,.1f}"


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
    return format_rate(cell.figure, unit) + ("!" if _is_above(cell) else "")


# --- above and below the tables -------------------------------------------------------------------------------------


def _legend(sides: SideBySide) -> Iterator[str]:
    """Yield what each column is, the reference marked."""
    for index, column in enumerate(sides.columns[:MOST_NAMED]):
        mark = " (reference)" if index == sides.reference else ""
        yield f"{column.name}{mark}: {_what(column)}"
    if len(sides.columns) > MOST_NAMED:
        reference = sides.columns[sides.reference]
        more = f"and {len(sides.columns) - MOST_NAMED} more"
        yield more if sides.reference < MOST_NAMED else f"{more}; {reference.name} (reference): {_what(reference)}"


def _what(column: Side) -> str:
    if column.record is None:
        peaks = [peak for peak in (column.memory, column.link) if peak is not None]
        return "theory, " + "; ".join(f"{peak.name}: {peak.short_working}" for peak in peaks)
    machine = column.record.machine
    words = [str(machine.get("cpu_model") or machine.get("architecture") or "a machine")]
    cores = machine.get("physical_cores")
    words += [f"{cores} {'core' if cores == 1 else 'cores'}"] if isinstance(cores, int) else []
    words += [str(column.record.memory["spec"])] if column.record.memory.get("spec") else []
    return one_line(f"{column.source}: {', '.join([*words, column.record.taken_at[:10]])}")


def _marks(sides: SideBySide, rows: Sequence[ComparedRow]) -> list[str]:
    """Return what the marks in the tables mean, those that are there."""
    cells = [(row, cell) for row in rows for cell in row.cells if cell is not None]
    marks = {_mark(sides, row, index) for row in rows for index in range(len(row.cells))}
    lines = []
    if len(sides.columns) <= MOST_BESIDE:
        lines += [f"{BEYOND} the difference is larger than the noise."] if BEYOND in marks else []
        lines += [f"{UNSURE} too few samples to tell it from noise."] if UNSURE in marks else []
    if any(_is_above(cell) for _, cell in cells):
        lines.append("! exceeds the theory, which nothing real does: see BW002 of that record.")
    if any(row.case.is_latency for row in rows):
        lines.append("Of latencies the ratio is of the times: above 1 is slower.")
    if any(row.level for row in rows):
        lines.append("A plateau is the median over the points of a sweep well inside a level; it has no interval.")
    return lines


def _mark(sides: SideBySide, row: ComparedRow, index: int) -> str:
    """Return the mark of a ratio: a plateau and a theory have no noise to compare with."""
    cell, base = row.cells[index], row.cells[sides.reference]
    if cell is None or base is None or cell.ratio is None or row.level or index == sides.reference:
        return WITHIN
    if cell.samples is None or base.samples is None:
        return WITHIN
    return {True: BEYOND, False: WITHIN, None: UNSURE}[cell.differs]


def _is_above(cell: Cell) -> bool:
    return cell.figure is not None and cell.theory_bytes_per_s is not None and cell.figure > cell.theory_bytes_per_s


def _hidden(sides: SideBySide, *, with_details: bool) -> list[str]:
    if with_details or not sides.details:
        return []
    points = "point" if sides.details == 1 else "points"
    return [f"{sides.details} {points} of sweeps, and checks at half a size, not shown: --all shows them."]


def _working_sets(rows: Sequence[ComparedRow]) -> list[str]:
    """Return a line for each set of working sets that differ in one row, with the rows that have it."""
    found: dict[tuple[str, ...], list[ComparedRow]] = {}
    for row in rows:
        sizes = {cell.working_set_bytes for cell in row.cells if cell is not None and cell.working_set_bytes}
        if len(sizes) > 1:
            found.setdefault(tuple(format_size(size) for size in sorted(sizes)), []).append(row)
    return [
        f"Working sets differ, {_several(sizes)}: {_named([row.id for row in group])}."
        for sizes, group in found.items()
    ]


def _several(texts: Sequence[str]) -> str:
    return " and ".join(texts) if len(texts) <= MOST_VALUES else f"{texts[0]} to {texts[-1]}"


def _conventions(rows: Sequence[ComparedRow]) -> list[str]:
    """Return a line on ids that stand in several rows because their bytes are counted differently."""
    counted: dict[tuple[str, str], set[float]] = {}
    for row in rows:
        counted.setdefault((row.id, row.level), set()).add(row.counted)
    ids = [case_id for (case_id, _), ways in counted.items() if len(ways) > 1]
    return (
        [f"Counted differently (stream or payload), so in rows of their own: {_named(list(dict.fromkeys(ids)))}."]
        if ids
        else []
    )


def _named(names: Sequence[str]) -> str:
    more = len(names) - MOST_IN_A_DIFFERENCE
    return ", ".join(names[:MOST_IN_A_DIFFERENCE]) + (f" and {more} more" if more > 0 else "")


def _difference_line(sides: SideBySide, difference: Difference) -> str:
    """Return one difference by its values, each with the columns that have it."""
    by_value: dict[str, list[str]] = {}
    for column, value in zip(sides.columns, difference.values, strict=True):
        if value is not None:
            by_value.setdefault(value, []).append(column.name)
    groups = [f"{value} ({_named(names)})" for value, names in list(by_value.items())[:MOST_VALUES]]
    more = len(by_value) - MOST_VALUES
    return f"  {difference.name}: {', '.join(groups)}" + (f" and {more} more values" if more > 0 else "")


# --- two or three columns beside each other -------------------------------------------------------------------------


def _beside(sides: SideBySide, rows: Sequence[ComparedRow], unit: str) -> list[Table | str]:
    found: list[Table | str] = []
    for group in _grouped(rows):
        found += _beside_tables(sides, group, unit)
        shares = [row for row in group if any(cell is not None and cell.theory_bytes_per_s for cell in row.cells)]
        found += [_share_table(sides, shares, unit)] if shares else []
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
    return Table((*left, *heads), _joined(starts, cells), _title(group[0], f"theory {unit}, and the share of it"))


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
    return (ratio_text(cell.ratio) + _mark(sides, row, index), range_text(cell.ratio_interval))


def _share_cells(cell: Cell | None, unit: str) -> tuple[str, str]:
    if cell is None or cell.theory_bytes_per_s is None:
        return (UNKNOWN, UNKNOWN)
    share = UNKNOWN if cell.efficiency is None else format_percent(cell.efficiency)
    too_much = cell.efficiency is not None and cell.efficiency > WHOLE
    return (format_rate(cell.theory_bytes_per_s, unit), INVALID if too_much else share)


# --- more columns, one below the other ------------------------------------------------------------------------------


def _below(sides: SideBySide, rows: Sequence[ComparedRow], unit: str) -> list[Table | str]:
    """Return a table for each row of the comparison, with its columns as rows."""
    return [_below_table(sides, row, unit) for group in _grouped(rows) for row in group]


def _below_table(sides: SideBySide, row: ComparedRow, unit: str) -> Table:
    shown = "ns" if row.case.is_latency else unit
    heads = (f"median {shown}", "ratio", "range", "noise", "theory", "share")
    columns = (parts.Column(""), *(parts.Column(head, "right") for head in heads))
    cells = [
        (column.name, *_below_cells(row, cell, unit))
        for column, cell in zip(sides.columns, row.cells, strict=True)
        if cell is not None
    ]
    return Table(columns, tuple(cells), f"{row.id} {row.level}".rstrip())


def _below_cells(row: ComparedRow, cell: Cell, unit: str) -> tuple[str, ...]:
    noise = NOISE_WORDS[cell.differs]
    ratio = (ratio_text(cell.ratio), range_text(cell.ratio_interval), noise)
    return (figure_text(row, cell, unit), *ratio, *_share_cells(cell, unit))


# --- rows -----------------------------------------------------------------------------------------------------------


def _grouped(rows: Sequence[ComparedRow]) -> list[list[ComparedRow]]:
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
    kinds = ["latency"] if case.is_latency else []
    kinds += ["plateaus of sweeps by size"] if row.level else []
    kinds += ["points of sweeps and checks of size"] if row.is_detail else []
    where = [] if case.target == HOST else [one_line(target_words(case))]
    text = ", ".join([*where, *kinds, *([what] if what else [])])
    return text[:1].upper() + text[1:]


def _start(row: ComparedRow, *, with_stores: bool, with_threads: bool) -> tuple[str, ...]:
    words = variant_words(row.case.variant, "stores", "sweep_point")
    size = [format_size(row.case.working_set_bytes)] if row.is_detail else []
    path = ", ".join([path_of(row.case), *words, *size, *([row.level] if row.level else [])])
    stores = [one_line(stores_in_words(row.case))] if with_stores else []
    return (one_line(path), one_line(row.case.engine), *stores, *([str(row.case.threads)] if with_threads else []))
