"""Why a rate is not higher, and what cannot be told: findings as lines with a mark, the most useful first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bandwidth.analysis.recorded import positive
from bandwidth.findings.rules import SOUND, mark_of
from bandwidth.report.labels import MARKS, Line, subject
from bandwidth.results import Case, Examination, Finding, Record

# The verdict on the whole stands above all else that was looked at.
_VERDICTS = ("BW034", "BW047")


def lines_of(record: Record, examination: Examination) -> list[Line]:
    """Return a line for each code that was raised and for what is sound about the memory, the most useful first."""
    cases = {result.case.id: result.case for result in record.results}
    groups: dict[str, list[tuple[Case | None, Finding]]] = {}
    for case_id, found in examination.by_id.items():
        for finding in found:
            groups.setdefault(finding.code, []).append((cases.get(case_id), finding))
    for finding in examination.general:
        groups.setdefault(finding.code, []).append((None, finding))
    lines = [_line(code, group, record) for code, group in groups.items()]
    lines += _sound_memory(record.machine, groups)
    return sorted(lines, key=lambda line: (line.code not in _VERDICTS, MARKS.index(line.mark)))


def _line(code: str, group: Sequence[tuple[Case | None, Finding]], record: Record) -> Line:
    case, finding = group[0]
    if case is None or code in _VERDICTS:
        return Line(mark_of(code), finding.text, finding.hint, code)
    more = f" (and {len(group) - 1} more)" if len(group) > 1 else ""
    return Line(mark_of(code), f"{subject(case, record)}{more}: {finding.text}", finding.hint, code)


def _sound_memory(machine: Mapping[str, Any], raised: Mapping[str, Any]) -> Iterator[Line]:
    """Yield what is as it should be about the modules, where they are known."""
    used, there = positive(machine.get("memory_channels")), positive(machine.get("memory_channels_possible"))
    there = there or positive(machine.get("memory_channels_with_slots"))
    if used is None or there is None or "BW042" in raised:
        return
    configured, rated = (positive(machine.get(f"memory_{name}_mt_s")) for name in ("configured", "rated"))
    is_rated = configured is not None and rated is not None and "BW043" not in raised
    speed = ", at their rated speed" if is_rated else ""
    yield Line(SOUND, f"{used:.0f} of {there:.0f} memory channels hold a module{speed}")
