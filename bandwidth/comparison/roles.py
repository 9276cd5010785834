"""Columns side by side by role: what stands for all cores, one core, GPU memory and the link, of each machine.

A role is compared in the way that most columns have: one path, engine and kind of stores; where no such way is common
to all, with any stores, then with any engine, the fastest of each. Different paths are never compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bandwidth.analysis.comparable import why_not_comparable
from bandwidth.analysis.curves import MEMORY
from bandwidth.analysis.roles import ALL_CORES, ROLES, Way, most_threads_of, role_of, way_of
from bandwidth.comparison.sides import Cell, ComparedRow, SideBySide, with_ratios
from bandwidth.results import Case, Result, summarise
from bandwidth.vocabulary import BETWEEN_CORES, HOST, LINK_PATHS

# What of a column stands for a role in one way: the row, and the column's cell in it.
_Found = dict[Way, tuple[ComparedRow, Cell]]


@dataclass(frozen=True)
class RoleRow:
    """One role over all columns: rates with their ratios to the reference's, None where a column has none.

    `cases` are what was measured in each column; of a SPEC's peak there is none.
    """

    role: str
    way: Way
    cells: tuple[Cell | None, ...]
    cases: tuple[Case | None, ...]

    @property
    def is_link(self) -> bool:
        """Whether it is about what goes over a link."""
        return self.way.path in LINK_PATHS

    @property
    def known(self) -> int:
        """How many columns have a rate."""
        return sum(cell is not None and cell.figure is not None for cell in self.cells)


@dataclass(frozen=True)
class Doubt:
    """Why what stands for a role of a column cannot be compared."""

    column: str
    role: str
    reason: str


def by_role(sides: SideBySide) -> tuple[RoleRow, ...]:
    """Return a row for each role that any record has."""
    found = _of_columns(sides)
    rows = []
    for role in ROLES:
        having = [ways[role] for ways in found if ways.get(role)]
        if having:
            way = _common_way(having)
            picked = [_fastest(ways.get(role, {}), way) for ways in found]
            rows.append(_role_row(sides, role, way, picked))
    return tuple(rows)


def doubts(sides: SideBySide, rows: Iterable[RoleRow]) -> tuple[Doubt, ...]:
    """Return what of these rows cannot be relied on: the machine was busy, too little was measured, or too much."""
    found = []
    for row in rows:
        for column, case in zip(sides.columns, row.cases, strict=True):
            result = None if case is None or column.record is None else _result_of(column.record.results, case)
            if column.record is not None and result is not None:
                reason = _above_theory(result) or why_not_comparable(column.record, result)
                found += [Doubt(column.name, row.role, reason)] if reason else []
    return tuple(found)


def met_by_all(sides: SideBySide) -> tuple[ComparedRow, ...]:
    """Return the rows that every record has, but for details and what is within a curve over threads of any."""
    records = [index for index, column in enumerate(sides.columns) if column.record is not None]
    most = {_most_threads(sides, index) for index in records}
    return tuple(
        row
        for row in sides.rows
        if not row.is_detail
        and all(row.cells[index] is not None for index in records)
        and (row.case.kind != HOST or row.case.path == BETWEEN_CORES or {row.case.threads} in ({1}, most))
    )


def _most_threads(sides: SideBySide, index: int) -> int:
    return most_threads_of(row.case for row in sides.rows if row.cells[index] is not None)


def _above_theory(result: Result) -> str:
    return "above the theoretical peak, see BW002 of that record" if summarise(result).is_impossible else ""


def _result_of(results: Sequence[Result], case: Case) -> Result | None:
    """Return the result of a case, None where a curve's plateau stands for the role."""
    return next((result for result in results if result.case == case), None)


def _of_columns(sides: SideBySide) -> list[dict[str, _Found]]:
    """Return what each column has for each role, by its way: of several GPUs the fastest."""
    columns: list[list[tuple[ComparedRow, Cell]]] = [[] for _ in sides.columns]
    for row in sides.rows:
        if not row.is_detail and row.level in ("", MEMORY):
            for index, cell in enumerate(row.cells):
                if cell is not None and cell.samples is not None and cell.figure is not None:
                    columns[index].append((row, cell))
    return [_of_column(entries) for entries in columns]


def _of_column(entries: Sequence[tuple[ComparedRow, Cell]]) -> dict[str, _Found]:
    most = most_threads_of(row.case for row, _ in entries)
    found: dict[str, _Found] = {}
    for row, cell in entries:
        role = role_of(row.case, most)
        if role is not None:
            ways, way = found.setdefault(role, {}), way_of(row.case)
            known = ways.get(way)
            if known is None or _worth(row, cell) > _worth(*known):
                ways[way] = (row, cell)
    return found


def _common_way(having: Sequence[_Found]) -> Way:
    """Return the finest way that all have, else the one that most have."""
    ways = sorted({way for ways in having for way in ways}, key=lambda way: way.place)
    for level in range(len(ways[0].coarser())):
        for way in ways:
            wanted = way.coarser()[level]
            if all(_fastest(one, wanted) for one in having):
                return wanted
    return max(ways, key=lambda way: sum(way in one for one in having))


def _fastest(ways: _Found, wanted: Way) -> tuple[ComparedRow, Cell] | None:
    """Return what a column has in a way, of several the fastest."""
    fitting = [
        found
        for way, found in ways.items()
        if way.path == wanted.path
        and wanted.engine in ("", way.engine)
        and (wanted.detail in ("", way.detail) or not wanted.engine)
    ]
    return max(fitting, key=lambda found: _worth(*found), default=None)


def _role_row(sides: SideBySide, role: str, way: Way, picked: Sequence[tuple[ComparedRow, Cell] | None]) -> RoleRow:
    """Return the row; beside measured rates stand the peaks of SPECs, which the first measured row has."""
    first = next(row for row, _ in filter(None, picked))
    cells = [
        first.cells[index] if column.record is None else None if one is None else one[1]
        for index, (column, one) in enumerate(zip(sides.columns, picked, strict=True))
    ]
    return RoleRow(role, way, with_ratios(cells, sides.reference), tuple(one and one[0].case for one in picked))


def _worth(row: ComparedRow, cell: Cell) -> tuple[bool, float]:
    """Return what comes before: a result before a curve's plateau, which has no interval, then the faster."""
    return (not row.level, cell.figure or 0.0)


def threads_of_all_cores(rows: Iterable[RoleRow]) -> tuple[int | None, ...]:
    """Return the threads that stand for all cores in each column; none at all where no machine has the role."""
    row = next((row for row in rows if row.role == ALL_CORES), None)
    return () if row is None else tuple(None if case is None else case.threads for case in row.cases)
