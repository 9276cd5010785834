"""A record against its baseline: which results are below what they should be, and by more than the noise."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Literal

from bandwidth.comparison.setups import Difference
from bandwidth.comparison.sides import Cell, Column, Row, side_by_side
from bandwidth.errors import BandwidthError
from bandwidth.results import Record
from bandwidth.results.curves import FEWEST_POINTS

Verdict = Literal["ok", "within noise", "below", "not verified", "missing"]
FAILING: tuple[Verdict, ...] = ("below", "not verified", "missing")


@dataclass(frozen=True)
class Judged:
    """One row of the baseline with what the record has for it: bytes per second, or nanoseconds of a latency.

    `speed` is the ratio to the baseline that is 1 where they are equal and smaller where the record is slower: of the
    rates, and of a latency the other way round. `name` is the id, and of a plateau its level too. `reason` tells why a
    missing one was not measured, where the record says so.
    """

    name: str
    verdict: Verdict
    is_latency: bool
    figure: float | None
    baseline: float | None
    speed: float | None
    differs: bool | None
    reason: str = ""


@dataclass(frozen=True)
class Check:
    """All judged rows, the slowest first, and what differs between the two set-ups."""

    judged: tuple[Judged, ...]
    differences: tuple[Difference, ...]
    least: float

    @property
    def failing(self) -> tuple[Judged, ...]:
        """Those that make the check fail."""
        return tuple(one for one in self.judged if one.verdict in FAILING)

    @property
    def within_noise(self) -> tuple[Judged, ...]:
        """Those whose median is below, but by no more than the noise."""
        return tuple(one for one in self.judged if one.verdict == "within noise")

    @property
    def has_passed(self) -> bool:
        """Whether nothing failed."""
        return not self.failing


def check(
    record: Record, baseline: Record, least: float, *, allow_missing: bool = False, only: Container[str] | None = None
) -> Check:
    """Judge each of the baseline's results, and each plateau of its sweeps (of three points at least).

    A result fails where its speed is below `least` (a share such as 0.95; a latency where its time is above 1/`least`)
    and both 95 % intervals have no value in common; without an interval the share alone decides. One that is not
    verified fails, one that is missing too, unless `allow_missing`. `only` are the ids that count.
    Raises BandwidthError where nothing can be compared.
    """
    sides = side_by_side([Column("baseline", "", baseline), Column("record", "", record)])
    rows = [row for row in sides.rows if not row.is_detail and (only is None or row.id in only)]
    reasons = {skipped.id: skipped.reason for skipped in record.not_run}
    found = [_judged(row, row.cells[0], row.cells[1], least, reasons.get(row.id, "")) for row in rows]
    judged = [one for one in found if one is not None and not (allow_missing and one.verdict == "missing")]
    if all(one.verdict == "missing" for one in judged):
        raise BandwidthError("the record and the baseline have no result in common", "measure with the same options")
    ordered = sorted(judged, key=lambda one: -1.0 if one.speed is None else one.speed)
    return Check(tuple(ordered), sides.differences, least)


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
    note = f"Measured a second time for the check: {', '.join(newer) or 'nothing'}."
    return replace(record, results=tuple(results), not_run=not_run, notes=(*record.notes, note))


def _judged(row: Row, base: Cell | None, cell: Cell | None, least: float, reason: str) -> Judged | None:
    """Return the verdict on a row, None where the baseline has no figure to compare with."""
    if base is None or base.figure is None or (row.level and (base.samples or 0) < FEWEST_POINTS):
        return None
    name = f"{row.id} {row.level}" if row.level else row.id
    if cell is None:
        return Judged(name, "missing", row.case.is_latency, None, base.figure, None, None, reason)
    if not cell.figure or cell.ratio is None:
        return Judged(name, "not verified", row.case.is_latency, None, base.figure, None, None)
    speed = 1 / cell.ratio if row.case.is_latency else cell.ratio
    verdict = _verdict(speed, least, cell.differs)
    return Judged(name, verdict, row.case.is_latency, cell.figure, base.figure, speed, cell.differs)


def _verdict(speed: float, least: float, differs: bool | None) -> Verdict:
    if speed >= least:
        return "ok"
    return "within noise" if differs is False else "below"
