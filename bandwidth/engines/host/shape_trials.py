"""Which shape of passes is the fastest here: a few are tried in turn on a case's own threads and data, before it.

Cases of one kind of kernel, one kind of store, one level and the same cores share what won, and so do runs on one model
of processor, by a file in the user's cache folder. What is not in the grid of shapes.py is never taken.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bandwidth.engines.host.layout import PAGE_ELEMENTS, Part
from bandwidth.engines.host.native_code.processor import LlvmProcessor
from bandwidth.engines.host.native_code.shapes import LARGE_BYTES, Row, Shape, default_rows, shapes_to_try
from bandwidth.engines.host.runners import Chosen, ThreadWork, Timed, row_of
from bandwidth.engines.host.shape_cache import ShapeCache, Winner
from bandwidth.engines.sampling import calls_for_block
from bandwidth.kernels import ELEMENT_BYTES, Kernel, stores_of
from bandwidth.results import Case
from bandwidth.statistics import median

# All trials together take at most a tenth of the budget; an engine is told four thirds of it, the hard stop.
LIMIT_SHARE = 0.075
# A trial is long beside the start of the threads; where the budget is short it may be a fifth of that.
TRIAL_S = 1.5e-3
LEAST_TRIAL_S = 0.3e-3
# Every shape has a few trials, the best of them as many again.
TRIALS = 3
FINALISTS = 3
# How many times TRIALS a shape is tried at most: in the rounds, and in the final, of data in caches twice each.
TRIALS_IN_ALL, TRIALS_IN_MEMORY = 3, 2
# What won in short trials, in a run of little time for many questions, is tried anew where they may be so much longer.
LONGER = 1.5
# What is not faster than the default by more than this is not told from it, and the default stays.
LEAST_GAIN = 0.01
MOST_STEPS = 6
# In memory a trial takes another part of the arrays than the one before, of this much of each array at least.
PART_BYTES = 4 * LARGE_BYTES


@dataclass(frozen=True)
class Question:
    """What cases must share to share a winner; `name` is how it stands in a file."""

    kind: str
    stores: str | None
    level: str
    threads: int
    cores: str

    @property
    def name(self) -> str:
        """All of it in one text."""
        return "/".join(filter(None, (self.kind, self.stores, self.level, f"{self.threads}", self.cores)))


class TriedShapes:
    """Tries shapes on the spot, or takes what an earlier run found. See `Shapes`.

    `cache` is None where nothing is kept; with `anew` what it holds is not taken. `shuffle` orders each round.
    """

    def __init__(
        self,
        cache: ShapeCache | None = None,
        *,
        anew: bool = False,
        shuffle: Callable[[list[Shape]], None] = random.shuffle,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = cache
        self._anew = anew
        self._shuffle = shuffle
        self._clock = clock
        self._grids: dict[Question, tuple[Kernel, tuple[Shape, ...]]] = {}
        self._known: Mapping[str, Winner] = {}
        self._found: dict[Question, Chosen] = {}
        self._allowed_s = 0.0
        self._processor: LlvmProcessor

    def rows(self, cases: Sequence[Case], processor: LlvmProcessor, limit_s: float) -> list[Row]:
        """Return the defaults, the winners of earlier runs, and for the other questions what is to be tried."""
        self._processor = processor
        self._grids = self._questions(cases)
        if self._cache is not None and not self._anew:
            self._known = self._cache.load(processor)
        self._allowed_s = limit_s * LIMIT_SHARE / max(len(self._grids), 1)
        self._known = {name: one for name, one in self._known.items() if not self._has_longer_trials(name, one)}
        open_questions = [question for question in self._grids if self._from_cache(question) is None]
        self._allowed_s = limit_s * LIMIT_SHARE / max(len(open_questions), 1)
        rows = default_rows(((row_of(case), stores_of(case.variant)) for case in cases), processor)
        for case in cases:
            question = question_of(case)
            kernel, shapes = self._grids[question]
            winner = self._from_cache(question)
            if winner is not None:
                rows.append((row_of(case), question.stores, winner.shape))
            elif kernel is row_of(case):
                rows += [(kernel, question.stores, shape) for shape in self._affordable(shapes)]
        return rows

    def chosen(self, case: Case, works: Sequence[ThreadWork], timed: Timed) -> Chosen:
        """Return what won for cases like this one, tried now where it is not known. See `Shapes`."""
        question = question_of(case)
        if question not in self._found:
            self._found[question] = self._answer(question, works, timed)
        return self._found[question]

    def _answer(self, question: Question, works: Sequence[ThreadWork], timed: Timed) -> Chosen:
        """Return the winner of an earlier run, or of trials now, which are then kept."""
        winner = self._from_cache(question)
        if winner is not None:
            return winner.shape, {**_told(question, winner.shape), "from": "cache", "tried_at": winner.tried_at}
        kernel, shapes = self._grids[question]
        shapes = self._affordable(shapes)
        if len(shapes) < 2:
            return shapes[0], {}
        are_of_parts = works[0].part.bytes_per_array > PART_BYTES
        trial_s = self._trial_s(len(shapes), TRIALS_IN_MEMORY if are_of_parts else TRIALS_IN_ALL)
        trials = _Trials([replace(work, kernel=kernel) for work in works], timed, trial_s, shapes[0])
        rates = self._tried(shapes, trials)
        best = max(rates, key=lambda shape: rates[shape])
        shape = best if rates[best] > rates[shapes[0]] * (1 + LEAST_GAIN) else shapes[0]
        if self._cache is not None:
            self._cache.keep(self._processor, question.name, Winner.now(shape, rates[shape], trial_s))
        tried = [{**one.to_json(), "bytes_per_s": rate} for one, rate in rates.items()]
        note = {"note": self._cache.note} if self._cache is not None and self._cache.note else {}
        return shape, {**_told(question, shape), "from": "trials", "tried": tried, **note}

    def _questions(self, cases: Sequence[Case]) -> dict[Question, tuple[Kernel, tuple[Shape, ...]]]:
        """Return each question with the kernel that it is tried with, the first by rank, and the shapes to try."""
        found: dict[Question, tuple[Kernel, tuple[Shape, ...]]] = {}
        for case in sorted(cases, key=lambda case: row_of(case).rank):
            array_bytes = case.working_set_bytes // (case.threads * row_of(case).arrays)
            question = question_of(case)
            shapes = shapes_to_try(row_of(case), question.stores, question.level, array_bytes, self._processor)
            found.setdefault(question, (row_of(case), shapes))
        return found

    def _from_cache(self, question: Question) -> Winner | None:
        """Return the winner of an earlier run, None where there is none or the grid does not have it."""
        winner = self._known.get(question.name)
        return winner if winner is not None and winner.shape in self._grids[question][1] else None

    def _has_longer_trials(self, name: str, winner: Winner) -> bool:
        """Return whether this run may try for much longer than the one that found a winner."""
        shapes = next((shapes for question, (_, shapes) in self._grids.items() if question.name == name), ())
        return bool(shapes) and self._trial_s(len(shapes), TRIALS_IN_ALL) >= LONGER * winner.trial_s

    def _trial_s(self, shapes: int, times: int) -> float:
        """Return how long a trial is to be, of so many shapes, each tried so many times TRIALS at most."""
        return min(TRIAL_S, self._allowed_s / (times * TRIALS * shapes))

    def _affordable(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return as many shapes as the time allows, the first are the ones to try first; the default always."""
        return tuple(shapes[: max(int(self._allowed_s / (TRIALS_IN_ALL * TRIALS * LEAST_TRIAL_S)), 1)])

    # --- trials

    def _tried(self, shapes: Sequence[Shape], trials: _Trials) -> dict[Shape, float]:
        """Return the rate of each shape in bytes per second: the middle of the faster half of its trials.

        What disturbs a trial makes it slower and never faster. The time for it ends the rounds, after one at least. Of
        data in caches the trials of the final alone count, each behind an uncounted one of the same shape: what the
        shape before has left where can make a shape fast for longer than a trial (on an EPYC of 2025 the default copies
        125 GB/s in the third level behind others, and 103 behind itself).
        """
        deadline = self._clock() + self._allowed_s
        rates: dict[Shape, list[float]] = {shape: [] for shape in shapes}
        left = list(shapes)
        for number in range(2 * TRIALS):
            if number and self._clock() > deadline:
                break
            if number == TRIALS:
                left = sorted(left, key=lambda shape: -_middle(rates[shape]))[:FINALISTS]
                left += [] if shapes[0] in left else [shapes[0]]
                rates |= {shape: [] for shape in left if not trials.are_of_parts}
            self._shuffle(left)
            for shape in left:
                if number >= TRIALS and not trials.are_of_parts:
                    trials.rate(shape)
                rates[shape].append(trials.rate(shape))
        return {shape: _middle(rates[shape]) for shape in shapes}


def _middle(rates: Iterable[float]) -> float:
    best_first = sorted(rates, reverse=True)
    return median(best_first[: -(-len(best_first) // 2)])


class _Trials:
    """Trials of one question: all of the arrays over and over where they are small, else a part of them after another,
    so that what one trial leaves in the caches serves none of the next."""

    def __init__(self, works: Sequence[ThreadWork], timed: Timed, trial_s: float, first: Shape) -> None:
        self._works = works
        self._timed = timed
        self._calls = 1
        self._at = 0
        self._step = self._elements = max(map(len, (*works[0].part.sources, works[0].part.destination)))
        self.are_of_parts = works[0].part.bytes_per_array > PART_BYTES
        if self.are_of_parts:
            self._step = PART_BYTES // ELEMENT_BYTES
            wanted = int(self._step * trial_s * self.rate(first) / self._part_bytes())
            self._step = min(max(wanted // PAGE_ELEMENTS * PAGE_ELEMENTS, self._step), self._elements)
        else:
            self._find_calls(trial_s, first)

    def rate(self, shape: Shape) -> float:
        """Run one trial of a shape and return its rate in bytes per second."""
        works = [replace(work, shape=shape, part=self._cut(work.part)) for work in self._works]
        self._at = (self._at + self._step) if self._at + 2 * self._step <= self._elements else 0
        return self._part_bytes() * self._calls / self._timed(works, self._calls)

    def _part_bytes(self) -> int:
        return self._works[0].kernel.stream_bytes(self._step * ELEMENT_BYTES) * len(self._works)

    def _cut(self, part: Part) -> Part:
        here = slice(self._at, self._at + self._step)
        return Part(tuple(source[here] for source in part.sources), part.destination[here])

    def _find_calls(self, trial_s: float, first: Shape) -> None:
        """Find how many calls make a trial, step by step; it brings the data into the caches, too."""
        for _ in range(MOST_STEPS):
            seconds = self._part_bytes() * self._calls / self.rate(first)
            following = calls_for_block(seconds, self._calls, trial_s)
            if following == self._calls:
                break
            self._calls = following


def question_of(case: Case) -> Question:
    """Return what a case asks: which shape is the fastest for its kind of kernel and store, level and cores."""
    kernel, stores = row_of(case), stores_of(case.variant)
    kind = f"{kernel.reads} read, {kernel.writes} written"
    if kernel.updates or kernel.reduces:
        kind += ", updated" if kernel.updates else f", {kernel.reduces}"
    return Question(kind, stores, level_of(case), case.threads, str(case.variant.get("cores", "")))


def level_of(case: Case) -> str:
    """Return the first level of the caches that holds the data of a case, or `memory`: by their sizes as stated."""
    levels = sorted(case.caches)
    found = next((level for level in levels if case.working_set_bytes <= case.caches[level]), "memory")
    is_small = case.working_set_bytes < LARGE_BYTES * case.threads
    return found if levels else ("L2" if is_small else "memory")


def _told(question: Question, shape: Shape) -> dict[str, Any]:
    return {"shape": shape.to_json(), "for": question.name}
