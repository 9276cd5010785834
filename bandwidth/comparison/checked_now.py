"""This machine against its baseline, measured now, and a second time where that fails: within a minute."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from bandwidth.analysis.plain_results import plain_results
from bandwidth.comparison.baseline import Check, check, merged, other_hardware
from bandwidth.errors import BandwidthError, InterruptError, UnstableError, UsageError
from bandwidth.measuring.lock import LockedError
from bandwidth.measuring.measure import measure_prepared
from bandwidth.measuring.run import Progress
from bandwidth.planning.preparation import Preparation, prepare_again
from bandwidth.results import Record

# Both tries together: what a batch system's prologue may wait.
WHOLE_S = 60.0
BUDGET_S = 15.0
# A run may take 4/3 of its budget, and some seconds to compile and to fill its arrays.
SECONDS_PER_BUDGET = 4 / 3
START_S = 6.0
LEAST_BUDGET_S = 2.0
# Another measurement is waited for so long, before that minute begins.
LOCK_WAIT_S = 60.0


@dataclass(frozen=True)
class Rules:
    """What a record is judged by."""

    baseline: Record
    share: float
    allow_missing: bool
    any_machine: bool

    def judge(self, record: Record, only: Collection[str] | None = None, planned: Collection[str] = ()) -> Check:
        """Judge a record, see `check`. Raises BandwidthError for another model of machine, unless that is allowed."""
        other = "" if self.any_machine else other_hardware(record, self.baseline)
        if other:
            raise BandwidthError(
                f"the baseline is from another machine: {other}", "use a baseline of this machine, or --any-machine"
            )
        return check(record, self.baseline, self.share, allow_missing=self.allow_missing, only=only, planned=planned)


def check_now(
    target: str,
    rules: Rules,
    command: Sequence[str],
    *,
    clock: Callable[[], float] = time.monotonic,
    lock_wait_s: float = LOCK_WAIT_S,
    tell: Callable[[str], None] = lambda _: None,
    keep: Callable[[Record], None] = lambda _: None,
) -> tuple[Record | None, Check]:
    """Measure what the baseline has of a target, and what fails or is undecided again where there is time left.

    Another measurement is waited for, which `tell` is told; where it takes longer there is no record, and the check is
    undecided. `keep` gets the record as it grows. Raises UsageError where the baseline has nothing of the target,
    HardwareError and UnstableError as `prepare_again` does, and InterruptError.
    """
    ids = _wanted(target, rules.baseline)
    preparation = prepare_again(rules.baseline, target, ids, BUDGET_S)
    planned = {one.case.id for plan in preparation.plans for one in plan.cases}
    begun: list[float] = []  # the wait for another measurement is not of the minute

    def begins(_: Progress) -> None:
        if not begun:
            begun.append(clock())

    try:
        record = _measured(preparation, command, keep, lock_wait_s=lock_wait_s, tell=tell, progress=begins)
    except LockedError as error:
        return None, Check((), (), rules.share, locked_out=error.message)
    found = rules.judge(record, ids, planned)
    spent_s = clock() - begun[0] if begun else 0.0
    budget_s = min((WHOLE_S - spent_s - START_S) / SECONDS_PER_BUDGET, BUDGET_S)
    doubtful = planned.intersection(one.name for one in (*found.failing, *found.undecided))
    if doubtful and budget_s >= LEAST_BUDGET_S:
        preparation = prepare_again(rules.baseline, target, doubtful, budget_s)
        # Another came between, or again nothing could be measured: what was measured first stands.
        with contextlib.suppress(LockedError, UnstableError):
            record = merged(record, _measured(preparation, command), doubtful)
            keep(record)
            found = rules.judge(record, ids, planned)
    return record, found


def _wanted(target: str, baseline: Record) -> list[str]:
    """Return the ids of the baseline's results that a run measures again: those of the table, none of a study."""
    found = [
        result.case.id
        for result in plain_results(baseline)
        if result.is_verified and result.samples.seconds and result.case.kind == target
    ]
    if not found:
        raise UsageError(
            f"the baseline has no result of {target[:60]!a} to repeat with --measure",
            f"save one with `bandwidth measure {target[:60] if target.isalpha() else 'host'} --save`",
        )
    return found


def _measured(
    preparation: Preparation,
    command: Sequence[str],
    keep: Callable[[Record], None] = lambda _: None,
    **options: Any,
) -> Record:
    record, interrupted = measure_prepared(preparation, command, save=keep, **options)
    keep(record)
    if interrupted:
        raise InterruptError("interrupted", "nothing was checked")
    if not record.results:
        raise UnstableError("nothing could be measured", record.not_run[0].reason if record.not_run else "")
    return record
