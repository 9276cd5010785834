"""A record by itself: whether its memory, its GPUs and their links are within what is normal for their kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from bandwidth.analysis.comparable import why_not_comparable
from bandwidth.catalog.published import NormalBand
from bandwidth.comparison.baseline import UNDECIDED, Check, Judged, Standing
from bandwidth.comparison.checked_now import BUDGET_S, LOCK_WAIT_S
from bandwidth.errors import InterruptError, UnstableError
from bandwidth.findings.evidence import ResultRow, interval, rate, shown
from bandwidth.findings.gpus import gpu_normal_of
from bandwidth.findings.normal_range import band_words, best_row, lower_end, normal_of
from bandwidth.findings.rules import in_short
from bandwidth.measuring.lock import LockedError
from bandwidth.measuring.measure import measure_prepared
from bandwidth.planning.options import MeasureOptions
from bandwidth.planning.preparation import prepare
from bandwidth.results import Record
from bandwidth.units import format_percent, format_rate
from bandwidth.vocabulary import HOST

# What the bands of a host's memory speak of.
_KERNELS = ("read", "copy", "triad")
NO_BAND = "the normal range of these results, or the memory's peak, is unknown: use --baseline"


class NormalCheck(NamedTuple):
    """The check of a record by its normal ranges, and each judged row in words with its range."""

    check: Check
    words: tuple[str, ...]


def check_normal(record: Record) -> NormalCheck:
    """Judge the best rate of all cores, and each rate of a GPU and its link that has a band; nothing else has one.

    What is not comparable is undecided, unless all of its 95 % interval is in its range.
    """
    found = list(_judged(record))
    set_up = tuple(in_short(record.machine).values())
    locked_out = "" if found else NO_BAND
    return NormalCheck(
        Check(tuple(one for one, _ in found), (), 1.0, set_up, locked_out), tuple(words for _, words in found)
    )


def _judged(record: Record) -> Iterator[tuple[Judged, str]]:
    host = best_row(record)
    rows = [host] if host is not None else []
    rows += [row for row in shown(record) if row.result.case.kind != HOST]
    for row in rows:
        is_host = row.result.case.kind == HOST
        found = normal_of(record, row) if is_host else None
        band = found[1] if found is not None else None if is_host else gpu_normal_of(record, row)
        if band is not None:
            yield _row(record, row, band, found[0] if found is not None else lower_end(row, band))


def _row(record: Record, row: ResultRow, band: NormalBand, least: float) -> tuple[Judged, str]:
    doubt = why_not_comparable(record, row.result, row.summary)
    lowest = interval(row).low if doubt else rate(row)
    verdict: Standing = "ok" if lowest >= least else UNDECIDED if doubt else "below"
    case, reason = row.result.case, doubt if verdict == UNDECIDED else ""
    peak = row.result.theory_bytes_per_s
    share = "" if peak is None else f", {format_percent(rate(row) / peak)} of peak"
    judged = Judged(case, record, verdict, least, rate(row), rate(row) / least, reason=reason)
    return judged, f"{format_rate(rate(row))} GB/s{share}; normal for {band_words(band)}"


def measured_by_itself(
    target: str,
    command: Sequence[str],
    *,
    tell: Callable[[str], None] = lambda _: None,
    keep: Callable[[Record], None] = lambda _: None,
) -> tuple[Record | None, NormalCheck]:
    """Measure what the bands of a target speak of, and judge it. Another measurement is waited for, up to a minute.

    Raises HardwareError where the target is not there, UnstableError where nothing could be measured, InterruptError.
    """
    asked = MeasureOptions(target=target, budget_s=BUDGET_S)
    if target == HOST:
        asked = replace(asked, kernels=_KERNELS, threads=("all",))
    try:
        record, interrupted = measure_prepared(prepare(asked), command, save=keep, lock_wait_s=LOCK_WAIT_S, tell=tell)
    except LockedError as error:
        return None, NormalCheck(Check((), (), 1.0, locked_out=error.message), ())
    keep(record)
    if interrupted:
        raise InterruptError("interrupted", "nothing was checked")
    if not record.results:
        raise UnstableError("nothing could be measured", record.not_run[0].reason if record.not_run else "")
    return record, check_normal(record)
