"""A check against a baseline: its one line, and the table and data behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bandwidth.comparison.baseline import FAILING, UNDECIDED, Check, Judged
from bandwidth.comparison.normal import NormalCheck
from bandwidth.plain_text import one_line
from bandwidth.report.document import Column, Document, Table
from bandwidth.report.labels import UNKNOWN, format_ns, known_rate, subject
from bandwidth.units import DEFAULT_RATE_UNIT, format_percent

SCHEMA = "bandwidth/check/1"
MOST_NAMED = 3
MOST_DIFFERENCES = 6


def normal_line(found: NormalCheck, name: str) -> str:
    """Return the one line of a record that is judged by what is normal for its kind: the verdict, then each range."""
    check = found.check
    if check.locked_out:
        return one_line(f"undecided: {name}: {check.locked_out}")
    verdict = {"ok": "ok", "failed": "FAILED"}.get(check.verdict, check.verdict)
    rows = zip(check.judged, found.words, strict=True)
    told = [f"{_called(one)} {words}{f' ({one.reason})' if one.reason else ''}" for one, words in rows]
    return one_line("; ".join([f"{verdict}: {name}: {told[0]}", *told[1:], *check.set_up]))


def normal_document(found: NormalCheck, name: str, unit: str = DEFAULT_RATE_UNIT) -> Document:
    """Return the document of a record that is judged by itself; in JSON the baseline is null."""
    document = check_document(found.check, name, "the normal range", unit)
    return replace(document, blocks=(normal_line(found, name),), data={**document.data, "baseline": None})


def check_document(check: Check, name: str, baseline: str, unit: str = DEFAULT_RATE_UNIT) -> Document:
    """Return the document of a check: its line, then every result that is not as it should be, the slowest first."""
    shown = [one for one in check.judged if one.verdict != "ok"]
    aligned = (
        Column("result"),
        *(Column(head, "right") for head in ("measured", "baseline", "speed")),
        Column("verdict"),
    )
    rows = tuple(
        (_called(one), _figure(one, one.figure, unit), _figure(one, one.baseline, unit), _speed(one), one.verdict)
        for one in shown
    )
    blocks: list[Table | str] = [check_line(check, name, baseline, unit)]
    blocks += [Table(aligned, rows)] if rows else []
    records = [_flat(one) for one in check.judged]
    data = {
        "schema": SCHEMA,
        "passed": check.has_passed,
        "verdict": check.verdict,
        "reason": check.locked_out or None,
        "record": name,
        "baseline": baseline,
        "min": check.least,
        "compared": len(check.judged),
        "results": records,
        "differences": [
            {"name": difference.name, "baseline": difference.values[0], "record": difference.values[1]}
            for difference in check.differences
        ],
        "set_up": list(check.set_up),
    }
    return Document(tuple(blocks), data, records)


def check_line(check: Check, name: str, baseline: str, unit: str = DEFAULT_RATE_UNIT) -> str:
    """Return the one line: the verdict, the worst results with both figures, what is within noise, what differs."""
    count, least = len(check.judged), f"{check.least * 100:g} %"
    good = [one for one in check.judged if one.verdict == "ok"]
    if check.locked_out:
        start, told = f"undecided: {name}: nothing was measured: {check.locked_out}", []
    elif check.has_passed:
        reached = f"{count}" if len(good) == count else f"{len(good)} of {count}"
        start = f"ok: {name}: {reached} {_results(count)} at or above {least} of {baseline}"
        told = [f"the slowest {_words(good[0], unit)}"] if len(good) == count else []
    elif check.verdict == UNDECIDED:
        start = f"undecided: {name}: {len(check.undecided)} of {count} {_results(count)} cannot be judged"
        start += f", the limit is {least} of {baseline}"
        told = [_several(check.undecided, unit), "measure again on an idle machine"]
    else:
        start = f"FAILED: {name}: {_failures(check)} of {count} {_results(count)}, limit {least} of {baseline}"
        told = [_several(check.failing, unit)]
    told += [f"within noise {_several(check.within_noise, unit)}"] if check.within_noise else []
    told += check.set_up
    is_told = check.verdict == UNDECIDED or not check.undecided
    told += [] if is_told else [f"cannot be judged {_several(check.undecided, unit)}"]
    told += [_differs(check)] if check.differences else []
    return one_line("; ".join([start, *told]))


def _results(count: int) -> str:
    return "result" if count == 1 else "results"


def _failures(check: Check) -> str:
    counts = {verdict: sum(one.verdict == verdict for one in check.failing) for verdict in FAILING}
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)


def _several(judged: tuple[Judged, ...], unit: str) -> str:
    more = len(judged) - MOST_NAMED
    return ", ".join(_words(one, unit) for one in judged[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _called(one: Judged) -> str:
    """Return what a result is called: `copy, all cores`, and of a plateau `read, all cores, L2`."""
    return ", ".join(filter(None, (subject(one.case, one.of), one.level)))


def _words(one: Judged, unit: str) -> str:
    """Return one result with its speed and both figures."""
    called = _called(one)
    if one.speed is None:
        return f"{called} {one.verdict}" + (f" ({one.reason})" if one.reason else "")
    shown = "ns" if one.case.is_latency else unit
    figures = f"{_figure(one, one.figure, unit)} against {_figure(one, one.baseline, unit)} {shown}"
    return f"{called} at {_speed(one)} ({figures}{f': {one.reason}' if one.reason else ''})"


def _figure(one: Judged, figure: float | None, unit: str) -> str:
    return format_ns(figure) if one.case.is_latency else known_rate(figure, unit)


def _speed(one: Judged) -> str:
    return UNKNOWN if one.speed is None else format_percent(one.speed)


def _differs(check: Check) -> str:
    told = [
        f"{difference.name} {difference.values[1]} (baseline {difference.values[0]})"
        for difference in check.differences[:MOST_DIFFERENCES]
    ]
    more = len(check.differences) - MOST_DIFFERENCES
    return f"differs: {', '.join(told)}" + (f" and {more} more" if more > 0 else "")


def _flat(one: Judged) -> dict[str, Any]:
    rate, time = (None, one) if one.case.is_latency else (one, None)
    return {
        "id": one.name,
        "verdict": one.verdict,
        "matters": one.matters,
        "reason": one.reason or None,
        "speed": one.speed,
        "beyond_noise": one.differs,
        "median_bytes_per_s": None if rate is None else rate.figure,
        "baseline_bytes_per_s": None if rate is None else rate.baseline,
        "median_ns": None if time is None else time.figure,
        "baseline_ns": None if time is None else time.baseline,
    }
