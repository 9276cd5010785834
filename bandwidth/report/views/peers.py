"""Copies between GPUs: a matrix for each kind, as tables and as heat maps."""

from __future__ import annotations

from bandwidth.analysis.groups import PeerMatrix
from bandwidth.report.document import Column, Table
from bandwidth.report.figures.data import Figure, Heatmap, file_name
from bandwidth.report.figures.parts import caption, rate_value
from bandwidth.report.labels import UNKNOWN, rate_cell
from bandwidth.report.views.shown import Shown
from bandwidth.results import summarise

# As many devices stand side by side within 80 columns.
MOST_COLUMNS = 8


def tables(shown: Shown) -> list[Table]:
    """Return the matrices: one way and both ways, with and without direct access."""
    return [table for matrix in shown.peer_matrices for table in _tables(matrix, shown.unit)]


def figures(shown: Shown) -> list[Figure]:
    """Return each matrix as a heat map with its numbers."""
    return [_figure(matrix, shown) for matrix in shown.peer_matrices]


def _tables(matrix: PeerMatrix, unit: str) -> list[Table]:
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


def _figure(matrix: PeerMatrix, shown: Shown) -> Figure:
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
