"""What was not measured: for lack of time, with the budget that measures all of it, or for another reason."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from bandwidth.analysis.recorded import positive
from bandwidth.errors import BandwidthError
from bandwidth.planning.options import OUT_OF_BUDGET
from bandwidth.report.labels import id_words
from bandwidth.results import Record
from bandwidth.units import format_duration, parse_duration_s
from bandwidth.vocabulary import HOST

# A check that strikes a whole sweep, and a sweep that was not reached, name these; all of them stand in JSON.
MOST_NAMED = 8
# Of several reasons a screen tells the most common ones.
_MOST_REASONS = 2
_BUDGET_STEP_S = 5
# What ends the time in a reason; older records say that the budget `did not reach it`.
_AFTER_THE_TIME = re.compile(" (?:did|was) ")


def left_out(record: Record) -> list[str]:
    """Return how many cases were not measured, and the budget that measures all; or why else they were not."""
    reasons = Counter(skipped.reason for skipped in record.not_run)
    return [_sentence(record, reason, count) for reason, count in reasons.most_common(_MOST_REASONS)]


def not_run(record: Record) -> str:
    """Return lines for each reason, with the cases that it kept from running."""
    by_reason: dict[str, list[str]] = {}
    for skipped in record.not_run:
        by_reason.setdefault(skipped.reason, []).append(id_words(skipped.id))
    return "\n".join(_lines(record, reason, names) for reason, names in by_reason.items())


def named(names: Sequence[str]) -> str:
    """Return the first names and the number of the others: a sweep has hundreds."""
    more = len(names) - MOST_NAMED
    return "; ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _lines(record: Record, reason: str, names: Sequence[str]) -> str:
    if reason.startswith(OUT_OF_BUDGET):
        return f"{_sentence(record, reason, len(names))}\nNot run: {named(names)}."
    return f"Not run: {named(names)}: {reason}."


def _sentence(record: Record, reason: str, count: int) -> str:
    start = f"{count} of {len(record.results) + len(record.not_run)} cases not measured"
    if not reason.startswith(OUT_OF_BUDGET):
        return f"{start}: {reason}."
    used_s, share = _used_s(record, reason), _measured_share(record)
    if used_s is None or not share:
        used = "" if used_s is None else f" ({format_duration(used_s)} used)"
        return f"{start}{used}: use a longer --budget."
    needed_s = math.ceil(used_s / share / _BUDGET_STEP_S) * _BUDGET_STEP_S
    return f"{start} ({format_duration(used_s)} used). --budget {needed_s:.0f}s measures all."


def _used_s(record: Record, reason: str) -> float | None:
    """Return the budget of the call: as given, else what its stages had, which are host and GPU; None where unknown.

    A budget that is given is shared by the stages in equal parts.
    """
    given = positive(record.options.get("budget_s"))
    if given is not None:
        return given
    words = _AFTER_THE_TIME.split(reason.removeprefix(OUT_OF_BUDGET), maxsplit=1)[0]
    try:
        return parse_duration_s(words.replace(",", "").strip()) * len(_counts(record))
    except BandwidthError:  # a file may hold any text
        return None


def _measured_share(record: Record) -> float:
    """Return the share of its cases that the time was enough for, of the stage that lacked most."""
    return min(measured / (measured + missed) for measured, missed in _counts(record).values() if measured + missed)


def _counts(record: Record) -> dict[bool, tuple[int, int]]:
    """Return of host and GPU, where they took part, how many cases were measured and how many the time missed."""
    measured = Counter(result.case.kind == HOST for result in record.results)
    planned = measured + Counter(_is_of_host(skipped.id) for skipped in record.not_run)
    missed = Counter(_is_of_host(one.id) for one in record.not_run if one.reason.startswith(OUT_OF_BUDGET))
    return {stage: (measured[stage], missed[stage]) for stage in planned}


def _is_of_host(case_id: str) -> bool:
    return case_id.startswith(f"{HOST}/")
