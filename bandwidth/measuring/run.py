"""The measurement itself: cases take turns, one block each in random order, until all are precise or time is up.

The last block of every case is checked over all its data before the next case may overwrite it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bandwidth.engines.interface import TOO_LONG, Block, Engine
from bandwidth.engines.sampling import MOST_SAMPLES, calls_for_block, is_precise, least_block_s
from bandwidth.errors import BandwidthError
from bandwidth.machine.conditions import Activity
from bandwidth.measuring.costs import guessed_call_s
from bandwidth.measuring.disturbance import disturbances, seen
from bandwidth.measuring.layouts import Layouts
from bandwidth.planning.cases import Plan, PlannedCase
from bandwidth.planning.options import HARD_STOP, OUT_OF_BUDGET, PLANNED_STOP
from bandwidth.results import Case, NotRun, Result, Samples
from bandwidth.statistics import FEWEST_FOR_INTERVAL
from bandwidth.units import format_duration

MOST_CALIBRATION_BLOCKS = 12
# Checking all of the data takes as long as a few passes of the kernel; until it was timed, this is assumed.
CHECK_PER_PASS = 3.0


@dataclass(frozen=True)
class Progress:
    """How far a measurement is: seconds of its budget, and what it does just now.

    `case` is the `number`th of `cases`, and has had `bytes_per_s` so far; `is_filling` while nothing is timed at all.
    """

    elapsed_s: float
    budget_s: float
    doing: str
    case: Case | None = None
    number: int = 0
    cases: int = 0
    bytes_per_s: float | None = None
    is_filling: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a run gave: results with at least one sample or a failure, what was not reached, whether it was stopped."""

    results: tuple[Result, ...]
    not_run: tuple[NotRun, ...]
    interrupted: bool


@dataclass
class _Turn:
    """What is known so far of one case."""

    planned: PlannedCase
    engine: Engine
    calls: int = 1
    block_s: float = 0.0
    cost_s: float = 0.0  # a block with all that goes before and after it: lead-in, start, look at parts
    seconds: list[float] = field(default_factory=list)
    layouts: list[int] = field(default_factory=list)
    start_skew_s: float = 0.0
    pinned: bool = True
    is_closing: bool = False
    is_set_back: bool = False
    is_checked_whole: bool = False
    measured_check_s: float | None = None
    stopped_by: str = ""
    failure: str = ""
    given_up: str = ""
    observed: dict[str, list[float]] = field(default_factory=dict)
    activity: Activity | None = None  # of the block that ran last
    activities: list[Activity] = field(default_factory=list)  # of every sample
    tuning: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        return bool(self.stopped_by) and not self.is_closing

    @property
    def missing_samples(self) -> int:
        """How many samples an interval still lacks, apart from the last one, which is checked whole."""
        return max(FEWEST_FOR_INTERVAL - 1 - len(self.seconds), 0)

    @property
    def closing_s(self) -> float:
        """The time its last block and the check of all its data will take."""
        return self.cost_s + self.check_s

    @property
    def check_s(self) -> float:
        """The time the check of all its data takes: as measured, until then as assumed."""
        assumed = CHECK_PER_PASS * self.block_s / self.calls
        return assumed if self.measured_check_s is None else self.measured_check_s

    @property
    def needed_s(self) -> float:
        """The time it still needs for enough samples and for the checks of the first and the last."""
        first_check_s = 0.0 if self.seconds else self.check_s
        return self.missing_samples * self.cost_s + first_check_s + self.closing_s


class Measurement:
    """One run of a plan. `engines` are by name; `clock` gives seconds; `shuffle` orders each round.

    `progress` is told what happens; `save` gets the results after every round, so that nothing is lost. `activity`
    counts who uses the CPUs: it is asked before and behind each block, never while one is timed.
    """

    def __init__(
        self,
        plan: Plan,
        engines: Mapping[str, Engine],
        *,
        clock: Callable[[], float] = time.monotonic,
        shuffle: Callable[[list[_Turn]], None] = random.shuffle,
        progress: Callable[[Progress], None] = lambda _: None,
        save: Callable[[Outcome], None] = lambda _: None,
        activity: Callable[[], Activity | None] = lambda: None,
    ) -> None:
        self._read_activity = activity
        self._plan = plan
        self._engines = engines
        self._clock = clock
        self._shuffle = shuffle
        self._progress = progress
        self._save = save
        self._turns: list[_Turn] = []
        self._waiting = list(plan.cases)
        self._costs_s: dict[str, float] = {}
        self._refused: dict[str, str] = {}
        self._start = 0.0
        self._layouts = Layouts(plan.budget_s, clock)

    def run(self) -> Outcome:
        """Measure, and return what came of it; an interrupt (Ctrl-C) ends it early and keeps what was measured."""
        self._start = self._clock()
        interrupted = False
        try:
            self._prepare()
            self._admit()
            while self._active():
                self._round()
                self._lay_out_anew()
                self._admit()
                self._save(self._outcome(interrupted=False))
            for turn in self._turns:
                turn.stopped_by = turn.stopped_by or "budget"
        except KeyboardInterrupt:
            interrupted = True
            for turn in self._turns:
                if not turn.is_done:
                    turn.stopped_by, turn.is_closing = "interrupted", False
        return self._outcome(interrupted=interrupted)

    # --- before the rounds

    def _prepare(self) -> None:
        self._tell("filling memory", is_filling=True)
        limit_s = self._plan.budget_s * HARD_STOP
        # Engines of several names may be one object, which then lays out the memory of all their cases.
        for engine in {id(engine): engine for engine in self._engines.values()}.values():
            cases = [planned.case for planned in self._plan.cases if self._engines[planned.case.engine] is engine]
            self._refused |= engine.prepare(cases, limit_s - (self._clock() - self._start))
            self._start += engine.compile_s  # the budget is of measuring
        self._waiting = [planned for planned in self._waiting if planned.case.id not in self._refused]

    def _admit(self) -> None:
        """Take the waiting cases, the most important first, for which the budget has room beside those taken already.

        It is asked again before every round: the first blocks are slow, and some cases turn out to need less.
        """
        if self._set_back():
            return
        waiting, self._waiting = self._waiting, []
        for planned in waiting:
            is_too_much = self._needed_s() + self._guess_s(planned) > self._left_s(PLANNED_STOP)
            if (self._turns and is_too_much) or not self._take(planned):
                self._waiting.append(planned)

    def _set_back(self) -> bool:
        """Let the least important cases that lack samples wait where the time is too short for all; return whether.

        Blocks may turn out slower than they were. Then some cases are to have all that an interval needs, and not all
        cases less; one case goes on whatever it takes.
        """
        for turn in self._turns:
            turn.is_set_back = False
        lacking = [turn for turn in self._active() if turn.missing_samples and not turn.is_closing]
        least = 0 if any(not turn.missing_samples for turn in self._turns) else 1
        while len(lacking) > least and self._needed_s() > self._left_s(PLANNED_STOP):
            lacking.pop().is_set_back = True
        return any(turn.is_set_back for turn in self._turns)

    def _take(self, planned: PlannedCase) -> bool:
        """Run a case untimed to see what it costs, and return whether there is room for it; the first always has."""
        turn = _Turn(planned, self._engines[planned.case.engine])
        self._tell("warming up", turn)
        self._calibrate(turn)
        self._costs_s[planned.case.id] = turn.cost_s
        self._turns.append(turn)
        if turn.given_up:
            return True
        if len(self._turns) > 1 and not turn.failure and self._needed_s() > self._left_s(PLANNED_STOP):
            self._turns.remove(turn)
            return False
        return True

    def _calibrate(self, turn: _Turn) -> None:
        """Find how many calls fill a block; these blocks are not counted."""
        least_s = least_block_s()
        for _ in range(MOST_CALIBRATION_BLOCKS):
            block = self._block(turn)
            if block is None:
                return
            turn.block_s = block.seconds
            calls = calls_for_block(block.seconds, turn.calls, least_s)
            if calls == turn.calls:
                return
            turn.calls = calls

    def _needed_s(self) -> float:
        """Return the time that the cases taken so far still need for enough samples and their checks."""
        return sum(turn.needed_s for turn in self._active())

    def _guess_s(self, planned: PlannedCase) -> float:
        """Return the time that a case will need: by its own warm-up, else by what is alike, else the least there is.

        What nothing alike has run before is tried: its warm-up tells.
        """
        blocks, block_s = FEWEST_FOR_INTERVAL + 1, self._costs_s.get(planned.case.id)
        if block_s is None:
            ran = [(turn.planned.case, turn.cost_s / turn.calls) for turn in self._turns if turn.cost_s]
            block_s = max(guessed_call_s(planned.case, ran) or 0.0, least_block_s())
        return blocks * block_s

    # --- the rounds

    def _round(self) -> None:
        turns = self._active()
        self._close_for_time(turns)
        self._shuffle(turns)
        for turn in turns:
            if self._clock() - self._start > self._plan.budget_s * HARD_STOP and turn.seconds:
                turn.is_closing, turn.stopped_by = False, "budget"
                continue
            self._tell("", turn)
            self._sample(turn)
        for turn in self._active():
            if not turn.is_closing and (is_precise(turn.seconds) or len(turn.seconds) >= MOST_SAMPLES - 1):
                turn.is_closing, turn.stopped_by = True, "precision"

    def _lay_out_anew(self) -> None:
        """Give the cases other pages where that is due; a case that has none any more ends with what was sampled."""
        engines = {id(turn.engine): turn.engine for turn in self._active() if not turn.is_closing}
        elapsed_s = self._clock() - self._start
        failed = self._layouts.after_round(engines.values(), elapsed_s, self._left_s(HARD_STOP))
        for turn in self._active():
            if id(turn.engine) in failed:
                turn.given_up, turn.stopped_by, turn.is_closing = failed[id(turn.engine)], "failure", False

    def _sample(self, turn: _Turn) -> None:
        """Take one sample; the first and the last one of a case are checked over all their data, and only then kept.

        The last tells that the work was still done at the end; the first, that a case which is interrupted later has
        been checked at all.
        """
        block = self._block(turn)
        if block is None:
            return
        if turn.is_closing or not turn.seconds:
            is_right = self._check(turn, whole=True)
            turn.is_checked_whole, turn.is_closing = is_right and turn.is_closing, False
        turn.seconds.append(block.seconds)
        turn.layouts.append(block.layout)
        turn.tuning = block.tuning
        for name, value in block.observed.items():
            turn.observed.setdefault(name, []).append(value)
        turn.activities += [turn.activity] if turn.activity is not None else []
        turn.start_skew_s = max(turn.start_skew_s, block.start_skew_s)

    def _close_for_time(self, turns: Sequence[_Turn]) -> None:
        """Let the coming round be the last where another would leave too little time for it.

        Past the budget only cases that still lack samples go on, to the planned stop: the others have theirs.
        """
        if self._left_s(1.0) < _another_round_s(turns):
            _close([turn for turn in turns if not turn.missing_samples])
        if self._left_s(PLANNED_STOP) < _another_round_s(turns):
            _close(turns)

    def _block(self, turn: _Turn) -> Block | None:
        """Run one block and look at parts of what it left; None where it failed, which ends the case."""
        begin, before = self._clock(), self._read_activity()
        try:
            block = turn.engine.run_block(turn.planned.case, turn.calls)
        except MemoryError:
            self._fail(turn, "the system refused memory during the measurement")
            return None
        except BandwidthError as error:  # the machine did not let it end: what was sampled stands
            turn.given_up, turn.stopped_by, turn.is_closing = str(error), "failure", False
            return None
        behind = self._read_activity()
        turn.activity = None if before is None or behind is None else behind.since(before)
        turn.pinned = turn.pinned and block.pinned
        if not 0 < block.seconds < float("inf"):
            self._fail(turn, f"the clock reports {block.seconds} s for a block, which is impossible")
            return None
        if not self._check(turn, whole=False):
            return None
        turn.cost_s = self._clock() - begin - block.trials_s
        return block

    def _check(self, turn: _Turn, *, whole: bool) -> bool:
        begin = self._clock()
        wrong = turn.engine.verify(turn.planned.case, whole=whole)
        if whole:
            turn.measured_check_s = self._clock() - begin
        if wrong:
            self._fail(turn, wrong)
        return not wrong

    def _fail(self, turn: _Turn, failure: str) -> None:
        turn.failure, turn.stopped_by, turn.is_closing = failure, "failure", False

    # --- what came of it

    def _active(self) -> list[_Turn]:
        return [turn for turn in self._turns if not turn.is_done and not turn.is_set_back]

    def _left_s(self, stretch: float) -> float:
        return self._plan.budget_s * stretch - (self._clock() - self._start)

    def _tell(self, doing: str, turn: _Turn | None = None, *, is_filling: bool = False) -> None:
        elapsed_s, budget_s = self._clock() - self._start, self._plan.budget_s
        if turn is None:
            self._progress(Progress(elapsed_s, budget_s, doing, is_filling=is_filling))
            return
        case, cases = turn.planned.case, self._plan.cases
        number = next((place for place, one in enumerate(cases, 1) if one.case is case), 0)
        so_far = None if case.is_latency or not turn.seconds else case.bytes_per_call * turn.calls / turn.seconds[-1]
        self._progress(Progress(elapsed_s, budget_s, doing, case, number, len(cases), so_far))

    def _outcome(self, *, interrupted: bool) -> Outcome:
        results = [_result(turn) for turn in self._turns if turn.seconds or turn.failure]
        begun = {result.case.id for result in results}
        budget = format_duration(self._plan.budget_s)
        reason = f"{OUT_OF_BUDGET} {budget} was used up; use a longer --budget"
        if interrupted:
            reason = "interrupted before its first sample"
        refused = {case_id: why for case_id, why in self._refused.items() if why != TOO_LONG}
        reasons = refused | {turn.planned.case.id: turn.given_up for turn in self._turns if turn.given_up}
        ids = [planned.case.id for planned in self._plan.cases if planned.case.id not in begun]
        skipped = [NotRun(case_id, reasons.get(case_id, reason)) for case_id in ids]
        return Outcome(tuple(results), (*self._plan.not_run, *skipped), interrupted)


def _another_round_s(turns: Sequence[_Turn]) -> float:
    """Return the time of one more block of each case that goes on, and of the last block of each."""
    return sum((0.0 if turn.is_closing else turn.cost_s) + turn.closing_s for turn in turns)


def _close(turns: Sequence[_Turn]) -> None:
    for turn in turns:
        if not turn.is_closing:
            turn.is_closing, turn.stopped_by = True, "budget"


def _result(turn: _Turn) -> Result:
    stopped_by = turn.stopped_by if turn.is_done else "unfinished"
    return Result(
        case=turn.planned.case,
        samples=Samples(
            tuple(turn.seconds),
            turn.calls,
            turn.start_skew_s,
            stopped_by,
            tuple(turn.layouts) if len(set(turn.layouts)) > 1 else (),
        ),
        failure=turn.failure,
        theory_bytes_per_s=turn.planned.theory_bytes_per_s,
        theory_source=turn.planned.theory_source,
        vendor_bytes_per_s=turn.planned.vendor_bytes_per_s,
        pinned=turn.pinned,
        last_block_checked=turn.is_checked_whole,
        tuning=turn.tuning,
        observed={
            **{name: seen(values, len(turn.seconds)) for name, values in turn.observed.items()},
            **disturbances(turn.activities),
        },
    )
