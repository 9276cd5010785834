"""Records side by side, matched by id, each against a reference.

Two medians differ beyond noise where their 95 % intervals have no value in common: a test on the safe side (it takes
a larger difference than a test at 5 % would). Without an interval, below six samples, nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bandwidth.errors import BandwidthError
from bandwidth.results import Record, Summary, summarise
from bandwidth.statistics import Interval


@dataclass(frozen=True)
class Comparison:
    """One id over all records: a Summary for each record that has it, and each median's ratio to the reference's.

    Of a latency it is the ratio of the times: above 1 is slower there. `ratios` are None where either figure is
    missing; `ratio_intervals` come from the ends of both intervals; `differs` tells whether the difference is larger
    than the noise, None where that cannot be said.
    """

    id: str
    summaries: tuple[Summary | None, ...]
    ratios: tuple[float | None, ...]
    ratio_intervals: tuple[Interval | None, ...]
    differs: tuple[bool | None, ...]


def compare(*records: Record, reference: int = 0) -> tuple[Comparison, ...]:
    """Compare records result by result: `compare(a, b)[0].ratios` are those of the first id to `a`'s.

    Ids stand in the order in which they first appear; `reference` is the index of the record that the others are
    divided by. Raises BandwidthError for fewer than two records or an index that is not there.
    """
    if len(records) < 2:
        raise BandwidthError("a comparison needs two records", "give another")
    if not 0 <= reference < len(records):
        raise BandwidthError(f"there is no record {reference}", f"choose 0 to {len(records) - 1}")
    ids = dict.fromkeys(result.case.id for record in records for result in record.results)
    by_id = [{result.case.id: summarise(result) for result in record.results} for record in records]
    return tuple(_compared(case_id, [found.get(case_id) for found in by_id], reference) for case_id in ids)


def _compared(case_id: str, summaries: Sequence[Summary | None], reference: int) -> Comparison:
    figures, intervals = [figure_of(summary) for summary in summaries], [interval_of(summary) for summary in summaries]
    return Comparison(
        id=case_id,
        summaries=tuple(summaries),
        ratios=tuple(ratio(figure, figures[reference]) for figure in figures),
        ratio_intervals=tuple(ratio_interval(interval, intervals[reference]) for interval in intervals),
        differs=tuple(beyond_noise(interval, intervals[reference]) for interval in intervals),
    )


def figure_of(summary: Summary | None) -> float | None:
    """Return a rate in bytes per second, or a latency in nanoseconds; None where there is neither."""
    if summary is None:
        return None
    return summary.median_bytes_per_s if summary.latency is None else summary.latency.median_ns


def interval_of(summary: Summary | None) -> Interval | None:
    """Return the 95 % interval of `figure_of`, None below six samples."""
    if summary is None:
        return None
    return summary.ci95 if summary.latency is None else summary.latency.ci95_ns


def ratio(figure: float | None, whole: float | None) -> float | None:
    """Return one figure as a multiple of another, None where either is missing."""
    return None if figure is None or not whole else figure / whole


def ratio_interval(one: Interval | None, base: Interval | None) -> Interval | None:
    """Return the least and the most that the ratio is by the ends of both intervals: at least 90 % confidence."""
    return None if one is None or base is None else Interval(one.low / base.high, one.high / base.low)


def beyond_noise(one: Interval | None, base: Interval | None) -> bool | None:
    """Return whether two intervals have no value in common, None where one is missing."""
    return None if one is None or base is None else not one.overlaps(base)
