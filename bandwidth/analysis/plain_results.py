"""Which results stand for themselves, and which stand in no view of several."""

from __future__ import annotations

from bandwidth.analysis.curves import CURVE_KEYS, loaded_latency, size_curves, thread_curves
from bandwidth.analysis.groups import is_size_check, node_matrices, zeros_pairs
from bandwidth.results.model import Record, Result
from bandwidth.results.summary import chain_curves, once_each


@once_each
def plain_results(record: Record) -> tuple[Result, ...]:
    """Return the rates that stand for themselves, in the record's order.

    These are all but sweep points, checks at half a size, matrices, latencies, mixes, zeros and random reads. Of a
    curve over threads the fewest and the most stand for themselves too, as in a run without one; what lies between is
    the curve's.
    """
    between = {point.result.case.id for curve in thread_curves(record) for point in curve.points[1:-1]}
    return tuple(
        result
        for result in record.results
        if not result.case.is_latency
        and not any(key in result.case.variant for key in (*CURVE_KEYS, "mix", "data", "pages"))
        and result.case.id not in between
    )


@once_each
def alone_results(record: Record) -> tuple[Result, ...]:
    """Return what stands in no curve, matrix, pair or table: points of a sweep that was interrupted, above all."""
    shown = {point.result.case.id for size_curve in size_curves(record) for point in size_curve.points}
    shown |= {point.result.case.id for thread_curve in thread_curves(record) for point in thread_curve.points}
    shown |= {point.result.case.id for load_curve in loaded_latency(record) for point in load_curve.points}
    shown |= {cell.result.case.id for matrix in node_matrices(record) for cell in matrix.cells.values()}
    shown |= {point.result.case.id for curve in chain_curves(record.results) for point in curve.points}
    shown |= {result.case.id for result in record.results if result.case.pair is not None}
    shown |= {result.case.id for result in plain_results(record)}
    shown |= {pair.zeros.case.id for pair in zeros_pairs(record)}
    return tuple(
        result
        for result in record.results
        if result.case.id not in shown
        and not {"mix", "pages"} & set(result.case.variant)
        and not is_size_check(record, result)
    )
