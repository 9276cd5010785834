"""Why a rate is not higher, and what cannot be told: findings as lines with a mark, the most useful first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bandwidth.findings.evidence import positive
from bandwidth.findings.rules import SOUND, TO_DO, UNTOLD, Mark, mark_of
from bandwidth.report.labels import path_of, stores_in_words, target_words, variant_words
from bandwidth.report.screen.roles import thread_role
from bandwidth.results import Case, Examination, Finding, Record
from bandwidth.vocabulary import HOST, NUMPY

# The verdict on the whole stands above all else that was looked at.
_VERDICTS = ("BW034", "BW047")
_ORDER: tuple[Mark, ...] = (TO_DO, UNTOLD, SOUND)


class Line(NamedTuple):
    """One thing that was looked at: its mark, what was seen, what to do, and the code for `explain`."""

    mark: Mark
    seen: str
    hint: str = ""
    code: str = ""

    def __str__(self) -> str:
        """Return it as the screen has it: `  !!  What was seen. What to do. (BW042)`."""
        hint = "" if self.mark == SOUND or not self.hint else f" {_sentence(self.hint)}"
        return f"  {self.mark}  {_sentence(self.seen)}{hint}{f' ({self.code})' if self.code else ''}"


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
    return sorted(lines, key=lambda line: (line.code not in _VERDICTS, _ORDER.index(line.mark)))


def findings_lines(found: Sequence[Finding]) -> list[Line]:
    """Return findings that are about no single result as lines, the most useful first."""
    lines = [Line(mark_of(one.code), one.text, one.hint, one.code) for one in found]
    return sorted(lines, key=lambda line: _ORDER.index(line.mark))


def subject(case: Case, record: Record) -> str:
    """Return a case as people speak of it: `copy, all cores, streaming stores`; never its id."""
    if case.kind != HOST:
        return ", ".join([case.path, *variant_words(case.variant), target_words(case)])
    stores = [f"{stores_in_words(case)} stores"] if "stores" in case.variant else []
    others = variant_words(case.variant, "stores", "cores")
    engine = ["NumPy"] if case.engine == NUMPY else []
    return ", ".join([path_of(case), thread_role(case, record), *engine, *stores, *others])


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


def _sentence(text: str) -> str:
    """Return a text that begins with a capital, but for a name or an option, and ends with a full stop."""
    first = text.split(" ", 1)[0]
    start = text if not first.isalpha() or not first.islower() else text[0].upper() + text[1:]
    return start if start.endswith((".", "?")) else f"{start}."
