"""Every sample of every result, each in percent of its result's median: the strip."""

from __future__ import annotations

from collections.abc import Sequence

from bandwidth.analysis.groups import has_figure
from bandwidth.report.figures.data import STRIP_HIGH, STRIP_LOW, Figure, Strip, StripRow
from bandwidth.report.figures.parts import caption
from bandwidth.report.figures.thinning import left_out_words, thinned, widest_rows
from bandwidth.report.labels import case_words, rate_cells
from bandwidth.report.views.nodes import matrix_words
from bandwidth.report.views.rate_bars import barred
from bandwidth.report.views.shown import Shown
from bandwidth.results import Case, Result, rates_bytes_per_s, summarise
from bandwidth.units import format_size

PERCENT = 100


def figures(shown: Shown) -> list[Figure]:
    """Return every sample of every result: a row for each rate that stands for itself, for each curve and matrix."""
    rows = [row for label, results in _groups(shown) if (row := _strip_row(label, results)).percents]
    if not rows:
        return []
    widest = widest_rows(rows)
    drawn = [thinned(row) for row in widest]
    rated = [result for result in shown.results if has_figure(summarise(result))]
    text = caption(
        shown.record,
        rated,
        "Every sample in percent of its own result's median, in each row the first on top;"
        " of a latency it is the time, of all else the rate.",
        left_out_words(rows, widest),
        _beyond(drawn),
    )
    told = "; ".join(f"{row.label.splitlines()[0]}: {len(row.percents)} samples, {_ends(row)}" for row in widest)
    return [Figure("samples", "All samples", Strip(tuple(drawn)), text, f"{told}.")]


def _groups(shown: Shown) -> list[tuple[str, list[Result]]]:
    """Return the results that share a row, with its label; one that stands in two views has its row in the first."""
    unit = shown.unit
    groups = [(f"{case_words(one.case)}\n{rate_cells(one, unit)[0]} {unit}", [one]) for one in barred(shown)]
    for threads_curve in shown.thread_curves:
        inner = [point.result for point in threads_curve.points[1:-1]]
        groups.append((f"{case_words(threads_curve.case, threads=False)}, by threads\n{len(inner)} points", inner))
    for size_curve in shown.size_curves:
        found = [point.result for point in size_curve.points]
        groups.append((f"{case_words(size_curve.case, 'sweep_point')}, by size\n{len(found)} points", found))
    for load_curve in shown.load_curves:
        found = [point.result for point in load_curve.points]
        groups.append((f"{case_words(load_curve.case, 'load')}, by load\n{len(found)} points", found))
    for matrix in shown.node_matrices:
        found = [cell.result for cell in matrix.cells.values()]
        groups.append((f"{matrix_words(matrix)}\n{len(found)} pairs of nodes", found))
    for peers in shown.peer_matrices:
        between = list({result.case.id: result for result in peers.cells.values()}.values())
        groups.append((f"between GPUs, {peers.words}\n{len(between)} pairs", between))
    in_rows = {result.case.id for _, found in groups for result in found}
    others = [result for result in shown.results if result.case.id not in in_rows]
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
