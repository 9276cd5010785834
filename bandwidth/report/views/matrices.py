"""Matrices, as tables and as heat maps: each NUMA node's cores on each node's memory, and copies between GPUs."""

from __future__ import annotations

from collections.abc import Sequence

from bandwidth.analysis.groups import NODE_KEYS, NodeCell, NodeMatrix, PeerMatrix, has_figure, placement
from bandwidth.report.document import Column, Table
from bandwidth.report.figures.data import Figure, Heatmap, caption, file_name, rate_value
from bandwidth.report.labels import (
    INVALID,
    UNKNOWN,
    format_ns,
    path_of,
    place,
    rate_cell,
    threads_in_words,
    variant_words,
)
from bandwidth.report.views.shown import Shown
from bandwidth.results import summarise
from bandwidth.units import format_percent

# As many nodes or devices stand side by side within 80 columns, rates of three digits among them.
MOST_COLUMNS = 8


def node_blocks(shown: Shown) -> list[Table | str]:
    """Return the matrices, and what is known of where the pages lay."""
    tables = [table for matrix in _node_matrices(shown) for table in _node_tables(matrix, shown.unit)]
    return [*tables, _placement_line(shown.node_matrices)] if tables else []


def node_figures(shown: Shown) -> list[Figure]:
    """Return each matrix as a heat map with its numbers."""
    return [_node_figure(matrix, shown) for matrix in _node_matrices(shown)]


def matrix_words(matrix: NodeMatrix) -> str:
    """Return what a matrix is of: `read, native, 4 threads`."""
    case = matrix.case
    parts = [
        path_of(case),
        case.engine,
        *variant_words(case.variant, *NODE_KEYS),
        threads_in_words(matrix.thread_counts),
    ]
    return ", ".join(parts)


def _node_matrices(shown: Shown) -> list[NodeMatrix]:
    return sorted(shown.node_matrices, key=lambda matrix: place(matrix.case))


# --- tables ---------------------------------------------------------------------------------------------------------


def _node_tables(matrix: NodeMatrix, unit: str) -> list[Table]:
    """Return a matrix as one table, or as several where it has more memory nodes than stand side by side."""
    nodes = matrix.memory_nodes
    parts = [nodes[start : start + MOST_COLUMNS] for start in range(0, len(nodes), MOST_COLUMNS)]
    return [_node_table(matrix, part, unit) for part in parts]


def _node_table(matrix: NodeMatrix, memory_nodes: Sequence[int], unit: str) -> Table:
    columns = (
        Column("CPU node", "right", two_lines=True),
        *(Column(f"memory {node}", "right", two_lines=True) for node in memory_nodes),
    )
    rows = tuple(
        (str(cpu), *(_cell(matrix.cells.get((cpu, memory)), unit) for memory in memory_nodes))
        for cpu in matrix.cpu_nodes
    )
    return Table(columns, rows, f"Between nodes, {_unit_of(matrix, unit)}: {matrix_words(matrix)}")


def _unit_of(matrix: NodeMatrix, unit: str) -> str:
    return "ns" if matrix.case.is_latency else unit


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
        return "Placement not verified: this system does not report where pages are."
    share = format_percent(found.least_share)
    if not found.is_right:
        return f"Placement differs from the request: of one pair {share} of the sampled pages are on the memory node."
    where = "" if found.verified == found.cells else f" in {found.verified} of {found.cells} pairs"
    return f"Placement verified{where}: at least {share} of the sampled pages are on the requested memory node."


# --- heat maps ------------------------------------------------------------------------------------------------------


def _node_figure(matrix: NodeMatrix, shown: Shown) -> Figure:
    unit = _unit_of(matrix, shown.unit)
    pairs = [[matrix.cells.get((cpu, memory)) for memory in matrix.memory_nodes] for cpu in matrix.cpu_nodes]
    picture = Heatmap(
        row_label="CPUs of node",
        column_label="memory of node",
        rows=tuple(map(str, matrix.cpu_nodes)),
        columns=tuple(map(str, matrix.memory_nodes)),
        values=tuple(tuple(_value(cell, shown.unit) for cell in row) for row in pairs),
        texts=tuple(tuple(_cell(cell, shown.unit) for cell in row) for row in pairs),
        unit=unit,
    )
    results = [cell.result for cell in matrix.cells.values()]
    what = "Median latency" if matrix.case.is_latency else "Median rate"
    text = caption(shown.record, results, f"{what} from each node's cores to each node's memory, {unit}.")
    rows = [f"node {cpu}: {', '.join(texts)}" for cpu, texts in zip(picture.rows, picture.texts, strict=True)]
    title = f"Between nodes: {matrix_words(matrix)}"
    return Figure(file_name(title), title, picture, text, f"{unit} by memory node, CPUs of {'; '.join(rows)}.")


def _value(cell: NodeCell | None, unit: str) -> float | None:
    if cell is None:
        return None
    latency = cell.summary.latency
    return rate_value(cell.summary, unit) if latency is None else latency.median_ns


# --- between GPUs ---------------------------------------------------------------------------------------------------


def peer_tables(shown: Shown) -> list[Table]:
    """Return the matrices: one way and both ways, with and without direct access."""
    return [table for matrix in shown.peer_matrices for table in _peer_tables(matrix, shown.unit)]


def peer_figures(shown: Shown) -> list[Figure]:
    """Return each matrix as a heat map with its numbers."""
    return [_peer_figure(matrix, shown) for matrix in shown.peer_matrices]


def _peer_tables(matrix: PeerMatrix, unit: str) -> list[Table]:
    """Return a matrix, a row for each device that sends; as several tables where there are many devices."""
    cells = {pair: rate_cell(summarise(result), unit) for pair, result in matrix.cells.items()}
    columns = matrix.receivers
    return [
        Table(
            (Column("from", "right"), *(Column(f"to {to}", "right") for to in part)),
            tuple((str(of), *(cells.get((of, to), UNKNOWN) for to in part)) for of in matrix.senders),
            f"Between devices, {unit}: {matrix.words}",
        )
        for part in (columns[start : start + MOST_COLUMNS] for start in range(0, len(columns), MOST_COLUMNS))
    ]


def _peer_figure(matrix: PeerMatrix, shown: Shown) -> Figure:
    unit = shown.unit
    pairs = [[matrix.cells.get((of, to)) for to in matrix.receivers] for of in matrix.senders]
    summaries = [[None if result is None else summarise(result) for result in row] for row in pairs]
    picture = Heatmap(
        row_label="from device",
        column_label="to device",
        rows=tuple(map(str, matrix.senders)),
        columns=tuple(map(str, matrix.receivers)),
        values=tuple(tuple(rate_value(summary, unit) for summary in row) for row in summaries),
        texts=tuple(tuple(UNKNOWN if one is None else rate_cell(one, unit) for one in row) for row in summaries),
        unit=unit,
    )
    text = caption(
        shown.record, list(matrix.cells.values()), f"Median rate of copies between GPUs, {matrix.words}, {unit}."
    )
    rows = [f"device {of}: {', '.join(texts)}" for of, texts in zip(picture.rows, picture.texts, strict=True)]
    title = f"Between GPUs: {matrix.words}"
    return Figure(file_name(title), title, picture, text, f"{unit} by device that receives, from {'; '.join(rows)}.")
