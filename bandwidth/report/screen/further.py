"""What `--full` adds to the screen: rates by the ratio of reads to writes, latency idle and loaded, remote memory.

And the core-to-core latency.
"""

from __future__ import annotations

from collections.abc import Sequence

from bandwidth.kernels import MIXES
from bandwidth.report.document import Column, Table
from bandwidth.report.labels import format_ns, rate_cell, thread_role
from bandwidth.report.views.cores import shortest_words
from bandwidth.report.views.rates import by_threads, ratio_of
from bandwidth.report.views.shown import Shown
from bandwidth.results import Result, summarise
from bandwidth.vocabulary import HOST, NATIVE, STREAMING


def further(shown: Shown) -> list[Table | str]:
    """Return the table of mixes and the lines of latencies, nothing where none was measured."""
    lines = [*_latencies(shown), *_between_cores(shown)]
    return [*_mixes(shown), *(["\n".join(lines)] if lines else [])]


def _mixes(shown: Shown) -> list[Table]:
    """Return one table: a row for each number of threads, a column for each ratio of reads to writes."""
    own = [one for one in shown.results if _is_of_mix(one)]
    if not any("mix" in one.case.variant for one in own):
        return []
    columns = (Column(f"{shown.unit}, reads to writes"), *(Column(ratio, "right") for ratio in MIXES))
    rows = []
    for group in by_threads(own):
        found = {ratio_of(one.case): one for one in group}
        cells = [rate_cell(summarise(found[ratio]), shown.unit) if ratio in found else "" for ratio in MIXES]
        rows.append((thread_role(group[0].case, shown.record), *cells))
    return [Table(columns, tuple(rows))]


def _is_of_mix(result: Result) -> bool:
    """Return whether a result is a line of the table: a mix, or a whole kernel of its ratio with ordinary stores."""
    case = result.case
    is_plain = not {"sweep_point", "cpu_node", "cores"} & set(case.variant) and case.variant.get("stores") != STREAMING
    return case.target == HOST and case.engine == NATIVE and is_plain and ratio_of(case) in MIXES


def _latencies(shown: Shown) -> list[str]:
    """Return the latency without load and with the most, and that of remote memory."""
    texts = []
    for curve in [curve for curve in shown.load_curves if not curve.write_share][:1]:
        times = _times([point.result for point in curve.points])
        if times:
            loaded = f", {format_ns(times[-1])} ns while all other cores read" if len(times) > 1 else ""
            texts.append(f"{format_ns(times[0])} ns idle{loaded}")
    remote = [
        cell.summary.latency.median_ns
        for matrix in shown.node_matrices
        for (cpu, memory), cell in matrix.cells.items()
        if cpu != memory and cell.summary.latency is not None
    ]
    texts += [f"at most {format_ns(max(remote))} ns to another node's memory"] if remote else []
    return [f"Latency: {'; '.join(texts)}."] if texts else []


def _between_cores(shown: Shown) -> list[str]:
    found = shown.core_pairs
    return [f"Core-to-core latency: {shortest_words(found)}."] if found is not None and found.times_ns else []


def _times(results: Sequence[Result]) -> list[float]:
    found = [summarise(one).latency for one in results]
    return [one.median_ns for one in found if one is not None]
