"""Figures of single results: the rates as bars, all samples as a strip, matrices between nodes as heat maps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bandwidth.analysis.curves import loaded_latency, size_curves, thread_curves
from bandwidth.analysis.grouping import NODE_KEYS, grouped, has_figure
from bandwidth.analysis.node_matrices import NodeCell, NodeMatrix, node_matrices
from bandwidth.analysis.peer_matrices import PeerMatrix, is_between_gpus, peer_matrices
from bandwidth.analysis.plain_results import plain_results
from bandwidth.report.figures.data import STRIP_HIGH, STRIP_LOW, Bar, Bars, Figure, Heatmap, Strip, StripRow, file_name
from bandwidth.report.figures.parts import INTERVALS, MOST_NAMED, caption
from bandwidth.report.figures.thinning import first_bars, left_out_words, thinned, widest_rows
from bandwidth.report.labels import (
    HOST,
    INVALID,
    UNKNOWN,
    case_words,
    format_ns,
    path_of,
    place,
    rate_cell,
    rate_cells,
    setting_words,
    stores_of,
    thread_words,
    variant_words,
)
from bandwidth.report.views.gpus import PCIE
from bandwidth.results import Case, Record, Result, Summary, rates_bytes_per_s, summarise
from bandwidth.units import format_size, rate_unit_factor

PERCENT = 100


# --- bars -----------------------------------------------------------------------------------------------------------


def bar_figures(record: Record, unit: str) -> list[Figure]:
    """Return the rates that stand for themselves as bars from zero, the theory as a tick in each.

    The host's memory, that of GPUs and what goes over links have a figure each: their scales are far apart.
    """
    groups = grouped(_by_place(_alone(record)), lambda result: _kind(result.case))
    return [_bar_figure(record, group, unit) for group in groups]


def _kind(case: Case) -> tuple[str, str]:
    """Return the name and the title of the figure that a case stands in."""
    if case.target == HOST:
        return "rates", "Measured rates"
    if case.target.startswith(PCIE):
        return "rates-of-links", "Measured rates of links"
    return "rates-of-gpus", "Measured rates of GPU memory"


def _alone(record: Record) -> list[Result]:
    """Return the rates that have a bar and a strip of their own: copies between GPUs are too many for that."""
    return [result for result in plain_results(record) if not is_between_gpus(result)]


def _by_place(results: Iterable[Result]) -> list[Result]:
    return sorted(results, key=lambda result: (-result.case.threads, place(result.case)))


def _bar_figure(record: Record, all_results: Sequence[Result], unit: str) -> Figure:
    results, left_out = first_bars(all_results, lambda result: _panel_words(result.case))
    engines = tuple(dict.fromkeys(result.case.engine for result in results))
    panels = tuple(
        (_panel_words(group[0].case), tuple(_bar(result, engines, unit) for result in group))
        for group in grouped(results, lambda result: _panel_words(result.case))
    )
    told = "Measured, beside the theory as a tick." if _has_theory(results) else "Measured; the theory is not known."
    text = caption(record, all_results, f"Median rates. {told}", left_out, INTERVALS)
    described = [f"{case_words(result.case)} {rate_cells(result, unit)[0]} {unit}" for result in results[:MOST_NAMED]]
    return Figure(*_kind(results[0].case), Bars(unit, panels, engines), text, f"{'; '.join(described)}.")


def _panel_words(case: Case) -> str:
    return ", ".join([setting_words([case]), *variant_words(case.variant, "stores")])


def _bar(result: Result, engines: Sequence[str], unit: str) -> Bar:
    case, summary, factor = result.case, summarise(result), rate_unit_factor(unit)
    stores = [stores_of(case)] if "stores" in case.variant else []
    interval, theory = summary.ci95, result.theory_bytes_per_s
    return Bar(
        label=", ".join([case.path, case.engine, *stores]),
        text=rate_cells(result, unit)[0],
        value=None if summary.median_bytes_per_s is None else summary.median_bytes_per_s / factor,
        low=None if interval is None else interval.low / factor,
        high=None if interval is None else interval.high / factor,
        theory=None if theory is None else theory / factor,
        group=engines.index(case.engine),
        hatched=stores == ["ordinary"],
    )


def _has_theory(results: Sequence[Result]) -> bool:
    return any(result.theory_bytes_per_s is not None for result in results)


# --- all samples ----------------------------------------------------------------------------------------------------


def strip_figures(record: Record, unit: str) -> list[Figure]:
    """Return every sample of every result: a row for each rate that stands for itself, for each curve and matrix."""
    rows = [row for label, results in _sample_groups(record, unit) if (row := _strip_row(label, results)).percents]
    if not rows:
        return []
    shown = widest_rows(rows)
    drawn = [thinned(row) for row in shown]
    rated = [result for result in record.results if has_figure(summarise(result))]
    text = caption(
        record,
        rated,
        "Every sample in percent of its own result's median, in each row the first on top;"
        " of a latency it is the time, of all else the rate.",
        left_out_words(rows, shown),
        _beyond(drawn),
    )
    told = "; ".join(f"{row.label.splitlines()[0]}: {len(row.percents)} samples, {_ends(row)}" for row in shown)
    return [Figure("samples", "All samples", Strip(tuple(drawn)), text, f"{told}.")]


def _sample_groups(record: Record, unit: str) -> list[tuple[str, list[Result]]]:
    """Return the results that share a row, with its label; one that stands in two views has its row in the first."""
    plain = _by_place(_alone(record))
    groups = [(f"{case_words(result.case)}\n{rate_cells(result, unit)[0]} {unit}", [result]) for result in plain]
    for threads_curve in thread_curves(record):
        inner = [point.result for point in threads_curve.points[1:-1]]
        groups.append((f"{case_words(threads_curve.case, threads=False)}, by threads\n{len(inner)} points", inner))
    for size_curve in size_curves(record):
        found = [point.result for point in size_curve.points]
        groups.append((f"{case_words(size_curve.case, 'sweep_point')}, by size\n{len(found)} points", found))
    for load_curve in loaded_latency(record):
        found = [point.result for point in load_curve.points]
        groups.append((f"{case_words(load_curve.case, 'load')}, by load\n{len(found)} points", found))
    for matrix in node_matrices(record):
        found = [cell.result for cell in matrix.cells.values()]
        groups.append((f"{_matrix_words(matrix)}\n{len(found)} pairs of nodes", found))
    for peers in peer_matrices(record):
        between = list({result.case.id: result for result in peers.cells.values()}.values())
        groups.append((f"between GPUs, {peers.words}\n{len(between)} pairs", between))
    shown = {result.case.id for _, found in groups for result in found}
    others = [result for result in record.results if result.case.id not in shown]
    return [*groups, *((_sized_words(result.case), [result]) for result in others)]


def _sized_words(case: Case) -> str:
    return f"{case_words(case, 'sweep_point')}\n{format_size(case.working_set_bytes)} of data"


def _beyond(rows: Sequence[StripRow]) -> str:
    count = sum(not STRIP_LOW <= percent <= STRIP_HIGH for row in rows for percent in row.percents)
    where = f"below {STRIP_LOW:.0f} or above {STRIP_HIGH:.0f} %"
    return f"Triangles at the edge: {count} of them, {where}." if count else ""


def _strip_row(label: str, results: Sequence[Result]) -> StripRow:
    return StripRow(label, tuple(percent for result in results for percent in _percents(result)))


def _percents(result: Result) -> list[float]:
    """Return each sample's rate, or a latency's time, in percent of the result's median; none where it has none."""
    if not has_figure(summarise(result)):
        return []
    if result.case.is_latency:
        middle = _median_block_s(result)
        return [seconds / middle * PERCENT for seconds in result.samples.seconds]
    median = summarise(result).median_bytes_per_s or 1.0
    return [rate / median * PERCENT for rate in rates_bytes_per_s(result)]


def _median_block_s(result: Result) -> float:
    """Return the seconds of the median block: a latency's figures are its blocks' seconds by the loads of each."""
    latency = summarise(result).latency
    if latency is None:
        raise ValueError("a rate has no median block")
    return min(result.samples.seconds) * latency.median_ns / latency.best_ns


def _ends(row: StripRow) -> str:
    return f"{min(row.percents):.1f} to {max(row.percents):.1f} % of the median"


# --- matrices -------------------------------------------------------------------------------------------------------


def matrix_figures(record: Record, unit: str) -> list[Figure]:
    """Return each matrix between nodes as a heat map with its numbers."""
    matrices = sorted(node_matrices(record), key=lambda matrix: place(matrix.case))
    return [_matrix_figure(record, matrix, unit) for matrix in matrices]


def _matrix_figure(record: Record, matrix: NodeMatrix, unit: str) -> Figure:
    shown_unit = "ns" if matrix.case.is_latency else unit
    pairs = [[matrix.cells.get((cpu, memory)) for memory in matrix.memory_nodes] for cpu in matrix.cpu_nodes]
    picture = Heatmap(
        row_label="CPUs of node",
        column_label="memory of node",
        rows=tuple(map(str, matrix.cpu_nodes)),
        columns=tuple(map(str, matrix.memory_nodes)),
        values=tuple(tuple(_value(cell, unit) for cell in row) for row in pairs),
        texts=tuple(tuple(_text(cell, unit) for cell in row) for row in pairs),
        unit=shown_unit,
    )
    results = [cell.result for cell in matrix.cells.values()]
    what = "Median time of a load" if matrix.case.is_latency else "Median rate"
    text = caption(record, results, f"{what} of each node's cores on each node's memory, {shown_unit}.")
    rows = [f"node {cpu}: {', '.join(texts)}" for cpu, texts in zip(picture.rows, picture.texts, strict=True)]
    title = f"Between nodes: {_matrix_words(matrix)}"
    return Figure(file_name(title), title, picture, text, f"{shown_unit} by memory node, CPUs of {'; '.join(rows)}.")


def peer_figures(record: Record, unit: str) -> list[Figure]:
    """Return each matrix between GPUs as a heat map with its numbers."""
    return [_peer_figure(record, matrix, unit) for matrix in peer_matrices(record)]


def _peer_figure(record: Record, matrix: PeerMatrix, unit: str) -> Figure:
    pairs = [[matrix.cells.get((of, to)) for to in matrix.receivers] for of in matrix.senders]
    summaries = [[None if result is None else summarise(result) for result in row] for row in pairs]
    picture = Heatmap(
        row_label="from device",
        column_label="to device",
        rows=tuple(map(str, matrix.senders)),
        columns=tuple(map(str, matrix.receivers)),
        values=tuple(tuple(_rate(summary, unit) for summary in row) for row in summaries),
        texts=tuple(tuple(UNKNOWN if one is None else rate_cell(one, unit) for one in row) for row in summaries),
        unit=unit,
    )
    text = caption(record, list(matrix.cells.values()), f"Median rate of copies between GPUs, {matrix.words}, {unit}.")
    rows = [f"device {of}: {', '.join(texts)}" for of, texts in zip(picture.rows, picture.texts, strict=True)]
    title = f"Between GPUs: {matrix.words}"
    return Figure(file_name(title), title, picture, text, f"{unit} by device that receives, from {'; '.join(rows)}.")


def _rate(summary: Summary | None, unit: str) -> float | None:
    rate = None if summary is None else summary.median_bytes_per_s
    return None if rate is None else rate / rate_unit_factor(unit)


def _matrix_words(matrix: NodeMatrix) -> str:
    case = matrix.case
    return ", ".join(
        [path_of(case), case.engine, *variant_words(case.variant, *NODE_KEYS), thread_words(matrix.thread_counts)]
    )


def _value(cell: NodeCell | None, unit: str) -> float | None:
    summary: Summary | None = None if cell is None else cell.summary
    if summary is None:
        return None
    return _rate(summary, unit) if summary.latency is None else summary.latency.median_ns


def _text(cell: NodeCell | None, unit: str) -> str:
    if cell is None:
        return UNKNOWN
    if not has_figure(cell.summary):
        return INVALID
    latency = cell.summary.latency
    return rate_cell(cell.summary, unit) if latency is None else format_ns(latency.median_ns)
