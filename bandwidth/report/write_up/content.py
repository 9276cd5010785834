"""A complete write-up of one or several records: tables, what was counted, findings, figures, provenance.

Apart from how it is written: html.py, markdown.py and latex.py do that. Its tables are those of the terminal, so every
format carries the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from bandwidth.findings import examine
from bandwidth.plain_text import escaped
from bandwidth.report.document import Table
from bandwidth.report.figures.data import Figure, distinct, file_name
from bandwidth.report.labels import counted_names
from bandwidth.report.measurement import counted_texts, remarks
from bandwidth.report.views import SUMMARY, VIEWS
from bandwidth.report.views.shown import Shown
from bandwidth.report.write_up.anonymise import with_texts
from bandwidth.report.write_up.opening import figures_first, opening_blocks
from bandwidth.results import Record
from bandwidth.units import DEFAULT_RATE_UNIT
from bandwidth.vocabulary import HOST

IN_SHORT = "Key results"
NO_RATES = "No rates to summarise: the record contains the results below."
NO_FINDINGS = "No finding questions these results."


@dataclass(frozen=True)
class Items:
    """A list of texts."""

    texts: tuple[str, ...]


Block: TypeAlias = Table | Figure | Items | str


@dataclass(frozen=True)
class Section:
    """A part under a title; `level` 1 begins a record of several, 2 a part of one."""

    title: str
    blocks: tuple[Block, ...]
    level: int = 2


@dataclass(frozen=True)
class WriteUp:
    """A title, lines below it, and the sections."""

    title: str
    lines: tuple[str, ...]
    sections: tuple[Section, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Every figure, in order; their names are all different."""
        return tuple(block for section in self.sections for block in section.blocks if isinstance(block, Figure))


@dataclass(frozen=True)
class Form:
    """How a write-up is written: the ends of file names that stand for it, and its text.

    `text` takes the write-up and what stands for each figure by its name: the path of a file of the kind `beside`, or
    the drawing itself where `beside` is empty. For a stream there are no files, so that such a text has no figures.
    """

    suffixes: tuple[str, ...]
    text: Callable[[WriteUp, Mapping[str, str]], str]
    beside: str = ""


def make_write_up(
    records: Sequence[Record],
    unit: str = DEFAULT_RATE_UNIT,
    *,
    flops: float | None = None,
    title: str = "",
    figures: bool = True,
    opening: Sequence[Section] = (),
) -> WriteUp:
    """Return the write-up of some records; rates are in `unit`, `flops` adds a roofline.

    Every text of a record is made fit to stand on one line: a new line or a control character in a name is written as
    its escape. Without `figures` (no matplotlib) there are none. `opening` stands before the first record.
    """
    safe = [with_texts(record, escaped) for record in records]
    is_one = len(safe) == 1
    sections = list(opening)
    for number, record in enumerate(safe, start=1):
        prefix = "" if is_one else f"record-{number}-"
        if not is_one:
            sections.append(Section(f"Record {number}: {_machine(record)}", (), level=1))
        sections += _sections(Shown(record, unit, flops), prefix, with_figures=figures)
    heading = title or (
        f"Memory bandwidth of {_machine(safe[0])}" if is_one else f"Memory bandwidth: {len(safe)} records"
    )
    lines = tuple(_line(record, None if is_one else number) for number, record in enumerate(safe, start=1))
    return WriteUp(escaped(heading), lines, tuple(sections))


def without_figures(write_up: WriteUp) -> WriteUp:
    """Return the write-up without its figures, and without the parts that held nothing else."""
    kept = [
        (section, tuple(block for block in section.blocks if not isinstance(block, Figure)))
        for section in write_up.sections
    ]
    sections = tuple(replace(section, blocks=blocks) for section, blocks in kept if blocks or not section.blocks)
    return replace(write_up, sections=sections)


def _machine(record: Record) -> str:
    """Return what was measured: the processor where the host was, and the GPUs."""
    host = str(record.machine.get("cpu_model") or record.machine.get("architecture") or "a machine")
    measured = {number for result in record.results for number in result.case.devices}
    gpus = counted_names(str(record.gpus.get(number, {}).get("name") or "a GPU") for number in sorted(measured))
    is_host = any(result.case.target == HOST for result in record.results) or not gpus
    return " and ".join([*([host] if is_host else []), *([gpus] if gpus else [])])


def _line(record: Record, number: int | None) -> str:
    host = record.machine.get("hostname")
    parts = [
        *([] if number is None else [f"Record {number}"]),
        *([str(host)] if host else []),
        record.taken_at,
        f"bandwidth {record.tool_version}",
    ]
    return " · ".join(parts)


# --- the sections of a record ---------------------------------------------------------------------------------------


def _sections(shown: Shown, prefix: str, *, with_figures: bool) -> list[Section]:
    """Return a record's sections: first it in short, then what was found, its rates, what was counted, and the views.

    `prefix` begins the names of its figures.
    """
    opening = opening_blocks(shown, with_figure=with_figures)
    summary, *views = _views(shown, with_figures=with_figures)
    if not any(isinstance(block, Table) for block in summary.blocks):
        summary = replace(summary, blocks=(*summary.blocks, NO_RATES))
    found = remarks(shown, examine(shown.record))
    lines = tuple(line for text in counted_texts(shown) for line in text.split("\n"))
    views = [section for section in views if section.blocks]
    # Of a sweep alone, whose rates stand for no role, the curves are the answer.
    first = [] if opening else [view for view in views if any(isinstance(block, Figure) for block in view.blocks)][:1]
    sections = [
        *([Section(IN_SHORT, opening)] if opening else first),
        Section("Findings", (Items(found) if found else NO_FINDINGS,)),
        summary,
        *([Section("What was counted", (Items(lines),))] if lines else []),
        *(section for section in views if section not in first),
    ]
    return _with_names(sections, prefix)


def _views(shown: Shown, *, with_figures: bool) -> list[Section]:
    """Return a section for each part that views stand in, the figures of all of them before the tables."""
    sections = []
    for title in dict.fromkeys((SUMMARY, *(view.section for view in VIEWS))):
        views = [view for view in VIEWS if view.section == title]
        figures = [figure for view in views for figure in view.figures(shown)] if with_figures else []
        written = [block for view in views for block in view.written(shown)]
        blocks = [figures_first(block) if isinstance(block, Table) else block for block in written]
        sections.append(Section(title, (*figures, *blocks)))
    return sections


def _with_names(sections: Sequence[Section], prefix: str) -> list[Section]:
    """Return the sections with names of figures that are different in the whole write-up."""
    figures = [block for section in sections for block in section.blocks if isinstance(block, Figure)]
    named = iter(distinct(replace(figure, name=file_name(prefix + figure.name)) for figure in figures))
    return [
        replace(section, blocks=tuple(next(named) if isinstance(block, Figure) else block for block in section.blocks))
        for section in sections
    ]
