"""A record against its baseline: which results are below what they should be, and by more than the noise.

How far each row may be relied on is asked first: why not, and what its blocks reach.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Literal, NamedTuple

from bandwidth.analysis.comparable import disturbance_of, why_not_comparable
from bandwidth.analysis.curves import FEWEST_POINTS, size_curves
from bandwidth.comparison.pairs import Difference
from bandwidth.comparison.sides import Cell, ComparedRow, Side, compared_neighbours, side_by_side, without_pair
from bandwidth.errors import BandwidthError
from bandwidth.findings.rules import in_short
from bandwidth.results import Case, Record, Result
from bandwidth.statistics import FEWEST_FOR_INTERVAL, median, median_interval
from bandwidth.vocabulary import SWEEP_POINT

Standing = Literal["ok", "within noise", "below", "not verified", "missing", "undecided"]
# The difference of set-ups that a finding about the set-up says too, and in better words.
_DIFFERENCE_OF = {"BW042": "memory channels", "BW043": "memory MT/s"}
FAILING: tuple[Standing, ...] = ("below", "not verified", "missing")
UNDECIDED: Standing = "undecided"
# More than this part of a curve's points are not comparable: what stands for them is not either.
MOST_OF_A_CURVE = 0.5


@dataclass(frozen=True)
class Judged:
    """One row of the baseline with what the record has for it: bytes per second, or nanoseconds of a latency.

    `speed` is the ratio to the baseline that is 1 where they are equal and smaller where the record is slower: of the
    rates, and of a latency the other way round. `case` is one of `of`, the record that says what its threads are; of a
    plateau `level` is the cache's. `reason` tells why a missing one was not measured, where the record says so, and why
    an undecided one cannot be judged. `matters` is true of what a target's verdict rests on: its rates with the most
    threads, as one thread hides a lost module.
    """

    case: Case
    of: Record = field(repr=False)
    verdict: Standing
    baseline: float | None
    figure: float | None = None
    speed: float | None = None
    differs: bool | None = None
    level: str = ""
    reason: str = ""
    matters: bool = True

    @property
    def name(self) -> str:
        """The id, and of a plateau its level too: what files have."""
        return _name(self.case.id, self.level)


@dataclass(frozen=True)
class Check:
    """All judged rows, the slowest first, and what differs between the two set-ups.

    `set_up` is what the record's machine gives away whatever its rates, in a few words each: empty channels.
    `locked_out` tells what kept this machine from being measured at all; then there are no rows.
    """

    judged: tuple[Judged, ...]
    differences: tuple[Difference, ...]
    least: float
    set_up: tuple[str, ...] = ()
    locked_out: str = ""

    @property
    def failing(self) -> tuple[Judged, ...]:
        """Those that make the check fail."""
        return tuple(one for one in self.judged if one.verdict in FAILING)

    @property
    def within_noise(self) -> tuple[Judged, ...]:
        """Those whose median is below, but by no more than the noise."""
        return tuple(one for one in self.judged if one.verdict == "within noise")

    @property
    def undecided(self) -> tuple[Judged, ...]:
        """Those that noise keeps from being judged."""
        return tuple(one for one in self.judged if one.verdict == UNDECIDED)

    @property
    def verdict(self) -> Literal["ok", "failed", "undecided"]:
        """Return `failed` where anything fails; else `undecided` where what matters could not be judged.

        That is so where a result that matters is below the least share and may be so by noise, and where none of a
        target's results that matter could be judged. Noise in the others is told, and decides nothing.
        """
        if self.failing:
            return "failed"
        weighty = [one for one in self.judged if one.matters]
        judged = {one.case.target for one in weighty if one.verdict != UNDECIDED}
        is_doubtful = any((one.speed or 0.0) < self.least for one in weighty if one.verdict == UNDECIDED)
        if self.locked_out or is_doubtful or any(one.case.target not in judged for one in weighty):
            return "undecided"
        return "ok"

    @property
    def has_passed(self) -> bool:
        """Whether nothing failed, and what matters could be judged."""
        return self.verdict == "ok"


def check(
    record: Record,
    baseline: Record,
    least: float,
    *,
    allow_missing: bool = False,
    only: Container[str] | None = None,
    planned: Container[str] = (),
) -> Check:
    """Judge each of the baseline's results, and each plateau of its sweeps (of three points at least).

    A result fails where its speed is below `least` (a share such as 0.95; a latency where its time is above 1/`least`)
    and both 95 % intervals have no value in common. One that is not comparable (analysis/comparable.py), here or in the
    baseline, is undecided: but where even the lower end of its interval reaches the least share it is ok, and where
    even its fastest block lies below what the baseline's slowest asks for, on a machine that was not busy, it fails,
    as no noise within the run explains it. One that is not verified fails, one that is missing too, unless
    `allow_missing`. `only` are the ids that count; one of `planned` that has no result, as the machine was too slow for
    the budget or had no memory left, was not measured and is undecided. Raises BandwidthError where nothing can be
    compared.
    """
    record, baseline = _of_the_run_alone(record), _of_the_run_alone(baseline)
    sides = side_by_side([Side("baseline", "", baseline), Side("record", "", record)])
    rows = [row for row in sides.rows if not row.is_detail and (only is None or row.id in only)]
    judge = _Judge(record, baseline, least, planned)
    judged = [one for one in map(judge.row, rows) if one is not None]
    judged = [one for one in judged if not (allow_missing and one.verdict == "missing")]
    if all(one.verdict == "missing" for one in judged):
        raise BandwidthError("the record and the baseline have no result in common", "measure with the same options")
    weighty = _weighty(rows)
    judged = [replace(one, matters=one.name in weighty) for one in judged]
    ordered = sorted(judged, key=lambda one: -1.0 if one.speed is None else one.speed)
    set_up = in_short(record.machine)
    said = {_DIFFERENCE_OF[code] for code in set_up}
    differences = tuple(one for one in sides.differences if one.name not in said)
    return Check(tuple(ordered), differences, least, tuple(set_up.values()))


def _of_the_run_alone(record: Record) -> Record:
    """Return the record without earlier runs: a verdict is of two runs, whatever else the machine has run.

    A spread that others' runs or an earlier failure have widened would let a slow run pass.
    """
    return replace(record, results=tuple(replace(one, earlier_s_per_call=()) for one in record.results))


def other_hardware(record: Record, baseline: Record) -> str:
    """Return in words how the record's machine is another model than the baseline's, empty where it is not."""
    pairs = [("", record.machine.get("cpu_model"), baseline.machine.get("cpu_model"))]
    for number in sorted({number for result in baseline.results for number in result.case.devices}):
        here, there = (one.gpus.get(number, {}).get("name") for one in (record, baseline))
        pairs.append((f"device {number} ", here, there))
    for what, here, there in pairs:
        if here is not None and there is not None and here != there:
            return f"{what}{str(here)[:60]!a} is not the baseline's {str(there)[:60]!a}"
    return ""


def merged(record: Record, again: Record, ids: Container[str]) -> Record:
    """Return the record with the results of these ids as they were measured again, and a note that tells so."""
    newer = {result.case.id: result for result in again.results if result.case.id in ids}
    known = {result.case.id for result in record.results}
    results = [newer.get(result.case.id, result) for result in record.results]
    results += [result for case_id, result in newer.items() if case_id not in known]
    measured, reasons = {result.case.id for result in results}, {one.id: one for one in again.not_run}
    not_run = tuple(reasons.get(one.id, one) for one in record.not_run if one.id not in measured)
    paths = ", ".join(dict.fromkeys(result.case.path for result in newer.values()))
    note = f"Measured again for the check: {paths or 'nothing'}."
    return replace(record, results=tuple(results), not_run=not_run, notes=(*record.notes, note))


class _Judge:
    """Judges the rows of a record beside its baseline."""

    def __init__(self, record: Record, baseline: Record, least: float, planned: Container[str]) -> None:
        self._baseline, self._planned = baseline, planned
        self._here, self._there, self._least = fitness_of(record), fitness_of(baseline), least
        self._reasons = {skipped.id: skipped.reason for skipped in record.not_run}

    def row(self, row: ComparedRow) -> Judged | None:
        """Return the verdict on a row, None where the baseline has no figure to compare with."""
        base, cell = row.cells
        if base is None or base.figure is None or (row.level and (base.samples or 0) < FEWEST_POINTS):
            return None
        found = Judged(row.case, self._baseline, "missing", base.figure, level=row.level)
        if cell is None:
            verdict: Standing = UNDECIDED if row.id in self._planned else "missing"
            return replace(found, verdict=verdict, reason=self._reasons.get(row.id, ""))
        if not cell.figure or cell.ratio is None:
            return replace(found, verdict="not verified")
        speed = 1 / cell.ratio if row.case.is_latency else cell.ratio
        verdict, reason = self._verdict(row, cell, speed)
        return replace(found, verdict=verdict, reason=reason, figure=cell.figure, speed=speed, differs=cell.differs)

    def _verdict(self, row: ComparedRow, cell: Cell, speed: float) -> tuple[Standing, str]:
        key = (row.id, bool(row.level))
        here, there = self._here.get(key, Fitness()), self._there.get(key, Fitness())
        if not here.reason and not there.reason:
            if speed >= self._least:
                return "ok", ""
            return ("within noise" if cell.differs is False else "below"), ""
        if here.is_judged_by_blocks and there.is_judged_by_blocks and not there.is_busy:
            asked = reach(there).high if there.reason else reach(there).middle
            if reach(here).low >= self._least * asked:
                return "ok", ""
            if not here.is_busy and here.fastest < self._least * there.slowest and here.is_whole and there.is_whole:
                return "below", ""
        return UNDECIDED, here.reason or f"in the baseline: {there.reason}"


def _name(case_id: str, level: str) -> str:
    return f"{case_id} {level}" if level else case_id


def _weighty(rows: Iterable[ComparedRow]) -> Collection[str]:
    """Return the names of what each target's verdict rests on: its rates with the most threads, all without any."""
    of_target: dict[str, list[ComparedRow]] = {}
    for row in rows:
        of_target.setdefault(row.case.target, []).append(row)
    found = set()
    for alike in of_target.values():
        rates = [row for row in alike if not row.level and not row.case.is_latency and row.cells[0] is not None]
        most = max((row.case.threads for row in rates), default=0)
        heavy = [row for row in rates if row.case.threads == most] or alike
        found |= {_name(row.id, row.level) for row in heavy}
    return found


# --- how far a row may be relied on ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fitness:
    """Why a row may not be compared (`reason`, empty where it may), whether the machine was busy, and its blocks.

    `speeds` are those of its blocks: rates, and of a latency what is inverse to the time; none of a curve's plateau.
    """

    reason: str = ""
    is_busy: bool = False
    speeds: tuple[float, ...] = ()

    @property
    def is_judged_by_blocks(self) -> bool:
        """Whether there are blocks to judge by."""
        return bool(self.speeds)

    @property
    def is_whole(self) -> bool:
        """Whether there are enough blocks for an interval."""
        return len(self.speeds) >= FEWEST_FOR_INTERVAL

    @property
    def fastest(self) -> float:
        """The speed of the fastest block."""
        return max(self.speeds, default=0.0)

    @property
    def slowest(self) -> float:
        """The speed of the slowest block."""
        return min(self.speeds, default=inf)


class Reach(NamedTuple):
    """The median of speeds, and the ends of their interval: the slowest and the fastest where there are too few."""

    low: float
    middle: float
    high: float


def reach(fitness: Fitness) -> Reach:
    """Return what the blocks of a row reach."""
    interval = median_interval(fitness.speeds)
    ends = (fitness.slowest, fitness.fastest) if interval is None else (interval.low, interval.high)
    return Reach(ends[0], median(fitness.speeds), ends[1])


def fitness_of(record: Record) -> dict[tuple[str, bool], Fitness]:
    """Return how far each row may be relied on, by the id and whether it is a plateau's; that of a curve is for all."""
    found = {(result.case.id, False): _fitness(record, result) for result in record.results}
    if any(SWEEP_POINT in result.case.variant for result in record.results):
        for curve in size_curves(record):
            points = [found[point.result.case.id, False] for point in curve.points]
            variant = {name: value for name, value in curve.case.variant.items() if name != SWEEP_POINT}
            found[replace(curve.case, variant=variant).id, True] = _of_curve(points)
    cases = [case for kind in compared_neighbours(record) for case in kind.cases]
    if cases:
        found[without_pair(cases[0]).id, True] = _of_curve([found[case.id, False] for case in cases])
    return found


def _fitness(record: Record, result: Result) -> Fitness:
    speeds = tuple(result.case.bytes_per_call * result.samples.calls_per_sample / s for s in result.samples.seconds)
    is_busy = disturbance_of(record, result) is not None
    return Fitness(why_not_comparable(record, result), is_busy, speeds)


def _of_curve(points: Sequence[Fitness]) -> Fitness:
    unfit = [point for point in points if point.reason]
    if len(unfit) <= MOST_OF_A_CURVE * len(points):
        return Fitness()
    reason = f"{len(unfit)} of {len(points)} points of its curve: {unfit[0].reason}"
    return Fitness(reason, any(point.is_busy for point in unfit))
