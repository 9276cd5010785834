"""A comparison in short: a sentence with its numbers, and the roles of each machine with share of peak and ratio."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bandwidth.analysis.roles import ALL_CORES, GPU_MEMORY, LINK_FROM, LINK_TO, ONE_CORE
from bandwidth.comparison.roles import Doubt, RoleRow, by_role, doubts, threads_of_all_cores
from bandwidth.comparison.sides import Cell, Side, SideBySide, short_names
from bandwidth.engines.registry import engine_label
from bandwidth.report.document import Column, Table
from bandwidth.report.labels import INVALID, UNKNOWN, WHOLE, threads_in_words
from bandwidth.units import format_percent, format_rate

# More machines than this are rows of the table: 80 columns hold no more beside each other.
MOST_COLUMNS = 6
# Of more machines the first are in the default table; all are with --all.
MOST_ROWS = 24
LONGEST_NAMES = {5: 9, 6: 8}
# Beyond two others the fastest and the slowest stand in the sentence.
MOST_SENTENCES = 2
# Beyond this a ratio is told with one decimal.
LARGE_RATIO = 10
BEYOND, UNSURE, WITHIN = "*", "?", ""

_VERBS = {"read": "reads", "write": "writes", "copy": "copies", "memcpy": "copies", "h2d": "copies", "d2h": "copies"}
_IN_PLACE = {
    ALL_CORES: "with all cores",
    ONE_CORE: "with one core",
    GPU_MEMORY: "in GPU memory",
    LINK_TO: "to the GPU",
    LINK_FROM: "from the GPU",
}
ANY_ENGINE = "fastest engine"
NOTHING_IN_COMMON = (
    "Nothing to compare by role: all cores, one core, GPU memory and link were each measured on one machine at most."
)
NOTHING_CERTAIN = "UNRELIABLE: the results of these roles cannot be compared. No conclusion."


@dataclass(frozen=True)
class Summary:
    """The sentences that come first, the table by role (None without any), and what is said below it."""

    sentences: tuple[str, ...]
    rows: tuple[RoleRow, ...]
    table: Table | None
    notes: tuple[str, ...]


def summary_of(sides: SideBySide, unit: str, *, with_all: bool = False) -> Summary:
    """Return the summary of columns side by side; `with_all` names every machine of very many."""
    rows = by_role(sides)
    uncertain = doubts(sides, rows)
    notes = [*_ways(rows), *_threads(sides, rows), *_doubt_lines(uncertain)]
    table = _table(sides, rows, unit, with_all=with_all) if rows else None
    if rows and not with_all and len(sides.columns) > MOST_ROWS:
        notes.insert(0, f"{len(sides.columns) - MOST_ROWS} more machines: --all shows them.")
    return Summary(tuple(_sentences(sides, rows, uncertain, unit)), rows, table, tuple(notes))


def ratio_text(ratio: float | None) -> str:
    """Return a ratio with three decimals, a large one with one."""
    if ratio is None:
        return UNKNOWN
    return f"{ratio:.3f}" if ratio < LARGE_RATIO else f"{ratio:,.1f}"


def share_text(cell: Cell | None) -> str:
    """Return a cell's share of its theory, INVALID above the whole of it."""
    if cell is None or cell.efficiency is None:
        return UNKNOWN
    return INVALID if cell.efficiency > WHOLE else format_percent(cell.efficiency)


# --- the sentences --------------------------------------------------------------------------------------------------


def _sentences(sides: SideBySide, rows: Sequence[RoleRow], uncertain: Sequence[Doubt], unit: str) -> list[str]:
    """Return what the others are to the reference: by the first role that both have, then in short by the others."""
    sure = {(one.column, one.role) for one in uncertain}
    told: dict[int, list[RoleRow]] = {}
    for index, column in enumerate(sides.columns):
        fit = [row for row in rows if row.cells[index] is not None and (row.cells[index] or Cell(None)).ratio]
        names = (column.name, sides.columns[sides.reference].name)
        certain = [row for row in fit if not any((name, row.role) in sure for name in names)]
        if index != sides.reference and certain:
            told[index] = certain
    if not told:
        has_common = any(row.known > 1 for row in rows)
        return [NOTHING_CERTAIN if has_common else NOTHING_IN_COMMON]
    if len(told) <= MOST_SENTENCES:
        return [_sentence(sides, index, fit, unit) for index, fit in told.items()]
    first = next(row for row in rows if any(row in fit for fit in told.values()))
    of_first = {index: fit for index, fit in told.items() if fit[0] is first}
    if all((first.cells[index] or Cell(None)).differs is False for index in of_first):
        alike = f"All {len(of_first)} others {first.way.path} as fast as {sides.columns[sides.reference].name}"
        return [f"{alike} {_IN_PLACE[first.role]}, within the noise."]
    ordered = sorted(of_first, key=lambda index: -_ratio(first, index))
    first_word = "Fastest" if _ratio(first, ordered[0]) >= 1 else "Fastest of the others"
    last_word = "Slowest" if _ratio(first, ordered[-1]) < 1 else "Slowest of the others"
    ends = {ordered[-1]: last_word, ordered[0]: first_word}
    return [f"{word}: {_sentence(sides, index, of_first[index][:1], unit)}" for index, word in reversed(ends.items())]


def _ratio(row: RoleRow, index: int) -> float:
    return (row.cells[index] or Cell(None)).ratio or 0.0


def _sentence(sides: SideBySide, index: int, rows: Sequence[RoleRow], unit: str) -> str:
    lead, *others = rows
    column, reference = sides.columns[index], sides.columns[sides.reference]
    cell, base = lead.cells[index] or Cell(None), lead.cells[sides.reference] or Cell(None)
    figures = (format_rate(cell.figure or 0.0, unit), format_rate(base.figure or 0.0, unit))
    rest = "".join(f"; {_in_short(row, index)}" for row in others)
    return f"{_main_clause(lead, column, reference, cell, figures, unit)}{rest}."


def _main_clause(row: RoleRow, column: Side, reference: Side, cell: Cell, figures: tuple[str, str], unit: str) -> str:
    verb, place, short = _verb(row), _IN_PLACE[row.role], _short(cell.ratio or 0.0)
    if column.record is None:
        return (
            f"The peak of {column.name} is {short} x what {reference.name} {verb} {place} "
            f"({figures[0]} against {figures[1]} {unit})"
        )
    if reference.record is None:
        return f"{column.name} {verb} {short} x the peak of {reference.name} {place} ({' of '.join(figures)} {unit})"
    against = f"({figures[0]} against {figures[1]} {unit})"
    if cell.differs is False:
        return f"{column.name} {verb} as fast as {reference.name} {place}, within the noise {against}"
    return f"{column.name} {verb} {short} x {reference.name} {place} {against}"


def _in_short(row: RoleRow, index: int) -> str:
    noise = ", within the noise" if (row.cells[index] or Cell(None)).differs is False else ""
    return f"{_IN_PLACE[row.role]} {_short(_ratio(row, index))} x{noise}"


def _verb(row: RoleRow) -> str:
    return _VERBS.get(row.way.path, f"runs {row.way.path} at")


def _short(ratio: float) -> str:
    """Return a ratio in two decimals, three where two would say that nothing differs."""
    text = ratio_text(ratio)
    return text if ratio >= LARGE_RATIO or f"{ratio:.2f}" in ("1.00", "0.00") else f"{ratio:.2f}"


# --- the table by role ----------------------------------------------------------------------------------------------


def _table(sides: SideBySide, rows: Sequence[RoleRow], unit: str, *, with_all: bool) -> Table:
    if len(sides.columns) <= MOST_COLUMNS:
        return _machines_as_columns(sides, rows, unit)
    return _machines_as_rows(sides, rows, unit, len(sides.columns) if with_all else MOST_ROWS)


def fitting(sides: SideBySide) -> SideBySide:
    """Return columns whose names fit beside each other in 80 columns of text."""
    longest = LONGEST_NAMES.get(len(sides.columns))
    if longest is None:
        return sides
    names = short_names([column.name for column in sides.columns], longest)
    columns = tuple(replace(column, name=name) for name, column in zip(names, sides.columns, strict=True))
    return replace(sides, columns=columns)


def _machines_as_columns(sides: SideBySide, rows: Sequence[RoleRow], unit: str) -> Table:
    """Return three rows a role: the rate, its share of the peak, and the ratio to the reference."""
    cells: list[tuple[str, ...]] = []
    for row in rows:
        indexed = list(enumerate(row.cells))
        cells.append((row.role, unit, *(_rate(cell, unit) for _, cell in indexed)))
        if any(cell is not None and cell.efficiency is not None for _, cell in indexed):
            cells.append(("", "of peak", *(share_text(cell) for _, cell in indexed)))
        if row.known > 1:
            cells.append(("", "ratio", *(_marked(sides, cell, index) for index, cell in indexed)))
    heads = (Column("by role"), Column(""), *(Column(column.name, "right") for column in sides.columns))
    return Table(heads, tuple(cells))


def _machines_as_rows(sides: SideBySide, rows: Sequence[RoleRow], unit: str, most: int) -> Table:
    """Return a row a machine: the rate by role; of the first role the share and the ratio too."""
    lead = rows[0]
    rates = [Column(f"{row.role} {unit}", "right", two_lines=True) for row in rows]
    heads = (Column(""), rates[0], Column("of peak", "right", two_lines=True), Column("ratio", "right"), *rates[1:])
    cells = [
        (
            column.name,
            _rate(lead.cells[index], unit),
            share_text(lead.cells[index]),
            _marked(sides, lead.cells[index], index),
            *(_rate(row.cells[index], unit) for row in rows[1:]),
        )
        for index, column in enumerate(sides.columns[:most])
    ]
    return Table(heads, tuple(cells), f"By role; ratio to {sides.columns[sides.reference].name}")


def _rate(cell: Cell | None, unit: str) -> str:
    return UNKNOWN if cell is None or cell.figure is None else format_rate(cell.figure, unit)


def _marked(sides: SideBySide, cell: Cell | None, index: int) -> str:
    if cell is None or cell.ratio is None:
        return UNKNOWN
    is_measured = cell.samples is not None and sides.columns[sides.reference].record is not None
    mark = {True: BEYOND, False: WITHIN, None: UNSURE}[cell.differs]
    return ratio_text(cell.ratio) + (mark if is_measured and index != sides.reference else "")


# --- below the table ------------------------------------------------------------------------------------------------


def _ways(rows: Iterable[RoleRow]) -> list[str]:
    """Return what was compared in each role: `read, compiled (all cores, one core)`."""
    by_way: dict[str, list[str]] = {}
    for row in rows:
        by_way.setdefault(way_words(row), []).append(row.role)
    told = "; ".join(f"{way} ({', '.join(roles)})" for way, roles in by_way.items())
    return [f"Compared: {told}."] if told else []


def way_words(row: RoleRow) -> str:
    """Return how a role was measured in words: `copy, compiled, streaming stores`."""
    way, engine = row.way, engine_label(row.way.engine) or ANY_ENGINE
    if row.is_link:
        return f"{way.detail or 'any'} host memory, {engine}"
    return ", ".join([way.path, engine, *([f"{way.detail} stores"] if way.detail else [])])


def _threads(sides: SideBySide, rows: Iterable[RoleRow]) -> list[str]:
    """Return with how many threads all cores were measured, and where those were fewer than the cores."""
    counts = threads_of_all_cores(rows)
    known = [threads for threads in counts if threads is not None]
    fewer: dict[tuple[int, int], list[str]] = {}
    for column, threads in zip(sides.columns, counts, strict=False):
        cores = None if column.record is None else column.record.machine.get("physical_cores")
        if threads is not None and type(cores) is int and threads < cores:
            fewer.setdefault((threads, cores), []).append(column.name)
    partly = [f"!! {', '.join(names)}: {one} threads of {cores} cores." for (one, cores), names in fewer.items()]
    return [f"All cores: {threads_in_words(known)}.", *partly] if known else []


def _doubt_lines(uncertain: Sequence[Doubt]) -> list[str]:
    """Return a line for each reason and the roles that it spoils, with the columns where it does."""
    roles: dict[tuple[str, str], list[str]] = {}
    for one in uncertain:
        roles.setdefault((one.reason, one.column), []).append(one.role)
    columns: dict[tuple[str, str], list[str]] = {}
    for (reason, column), spoilt in roles.items():
        columns.setdefault((reason, ", ".join(spoilt)), []).append(column)
    return [
        f"!! {', '.join(names)} ({spoilt}): {reason}. No conclusion." for (reason, spoilt), names in columns.items()
    ]
