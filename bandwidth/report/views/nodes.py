"""Matrices between NUMA nodes: a row for the CPUs of each node, a column for the memory of each."""

from __future__ import annotations

from collections.abc import Sequence

from bandwidth.analysis.grouping import NODE_KEYS, has_figure
from bandwidth.analysis.node_matrices import NodeCell, NodeMatrix, node_matrices, placement
from bandwidth.report.document import Column, Table
from bandwidth.report.labels import (
    INVALID,
    UNKNOWN,
    format_ns,
    path_of,
    place,
    rate_cell,
    thread_words,
    variant_words,
)
from bandwidth.results import Record
from bandwidth.units import format_percent

# As many memory nodes stand side by side within 80 columns, rates of three digits among them.
MOST_COLUMNS = 8


def matrix_blocks(record: Record, unit: str) -> list[Table | str]:
    """Return the matrices, and what is known of where the pages lay."""
    matrices = sorted(node_matrices(record), key=lambda matrix: place(matrix.case))
    tables = [table for matrix in matrices for table in _tables(matrix, unit)]
    return [*tables, _placement_line(matrices)] if tables else []


def _tables(matrix: NodeMatrix, unit: str) -> list[Table]:
    """Return a matrix as one table, or as several where it has more memory nodes than stand side by side."""
    nodes = matrix.memory_nodes
    parts = [nodes[start : start + MOST_COLUMNS] for start in range(0, len(nodes), MOST_COLUMNS)]
    return [_table(matrix, part, unit) for part in parts]


def _table(matrix: NodeMatrix, memory_nodes: Sequence[int], unit: str) -> Table:
    columns = (
        Column("CPU node", "right", two_lines=True),
        *(Column(f"memory {node}", "right", two_lines=True) for node in memory_nodes),
    )
    rows = tuple(
        (str(cpu), *(_cell(matrix.cells.get((cpu, memory)), unit) for memory in memory_nodes))
        for cpu in matrix.cpu_nodes
    )
    return Table(columns, rows, _title(matrix, unit))


def _title(matrix: NodeMatrix, unit: str) -> str:
    case = matrix.case
    what = "ns" if case.is_latency else unit
    parts = [path_of(case), case.engine, *variant_words(case.variant, *NODE_KEYS), thread_words(matrix.thread_counts)]
    return f"Between nodes, {what}: {', '.join(parts)}"


def _cell(cell: NodeCell | None, unit: str) -> str:
    if cell is None:
        return UNKNOWN
    if not has_figure(cell.summary):
        return INVALID
    latency = cell.summary.latency
    return rate_cell(cell.summary, unit) if latency is None else format_ns(latency.median_ns)


def _placement_line(matrices: Sequence[NodeMatrix]) -> str:
    found = placement(matrices)
    if found.least_share is None:
        return "Placement not verified: the system does not tell here where pages lie."
    share = format_percent(found.least_share)
    if not found.is_right:
        return f"Placement is not as asked for: of one pair only {share} of the sampled pages lie on the memory node."
    where = "" if found.verified == found.cells else f" in {found.verified} of {found.cells} pairs"
    return f"Placement verified{where}: at least {share} of the sampled pages lie on the memory node asked for."
