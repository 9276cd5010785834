"""A complete write-up of one or several records: tables, what was counted, findings, figures, provenance.

Apart from how it is written: write_up_html.py, write_up_markdown.py and write_up_latex.py do that. Its tables are those
of the terminal, so every format carries the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from bandwidth.analysis.plain_results import plain_results
from bandwidth.findings import examine
from bandwidth.plain_text import escaped
from bandwidth.report.document import Column, Table
from bandwidth.report.figures.curves import latency_figures, loaded_figures, size_figures, thread_figures
from bandwidth.report.figures.data import Figure, distinct, file_name
from bandwidth.report.labels import HOST, counted_names, place, rate_cells, stores_of, variant_words
from bandwidth.report.measurement import host_heading, measurement_document
from bandwidth.report.views.gpus import gpu_heading, gpu_rate_blocks, gpu_size_blocks
from bandwidth.report.views.latency import latency_blocks, loaded_blocks
from bandwidth.report.views.links import peer_blocks, transfer_rate_blocks, transfer_size_blocks
from bandwidth.report.views.nodes import matrix_blocks
from bandwidth.report.views.provenance import provenance_tables
from bandwidth.report.views.rates import mix_tables, rate_tables, zeros_table
from bandwidth.report.views.roofline import roofline_figures
from bandwidth.report.views.samples import bar_figures, matrix_figures, peer_figures, strip_figures
from bandwidth.report.views.sizes import size_blocks, thread_blocks
from bandwidth.report.write_up.anonymise import with_texts
from bandwidth.results import Record, Result
from bandwidth.units import DEFAULT_RATE_UNIT

NO_RATES = "No rates that stand for themselves: this record holds what follows below."
NO_FINDINGS = "Nothing was found that speaks against these results."


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


def make_write_up(
    records: Sequence[Record],
    unit: str = DEFAULT_RATE_UNIT,
    *,
    flops: float | None = None,
    title: str = "",
    figures: bool = True,
) -> WriteUp:
    """Return the write-up of some records; rates are in `unit`, `flops` adds a roofline.

    Every text of a record is made fit to stand on one line: a new line or a control character in a name is written as
    its escape. Without `figures` (no matplotlib) there are none.
    """
    safe = [with_texts(record, escaped) for record in records]
    is_one = len(safe) == 1
    sections: list[Section] = []
    for number, record in enumerate(safe, start=1):
        prefix = "" if is_one else f"record-{number}-"
        parts = _sections(record, unit, flops, prefix if figures else None)
        if not is_one:
            sections.append(Section(f"Record {number}: {_machine(record)}", (), level=1))
        sections += parts
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

_Views: TypeAlias = tuple[str, list[Table | str], list[Figure]]


def _sections(record: Record, unit: str, flops: float | None, prefix: str | None) -> list[Section]:
    """Return a record's sections; no `prefix` for the names of figures means that there are none."""
    examination = examine(record)
    document = measurement_document(record, examination, unit)
    views = _views(record, unit, flops)
    if prefix is None:
        views = [(title, blocks, []) for title, blocks, _ in views]
    views = _with_names(views, prefix or "")
    summary = _summary(record, unit)
    shown = {*summary, *rate_tables(record, unit), *(block for _, blocks, _ in views for block in blocks)}
    # What the terminal shows and no view here has: lines of what was counted, notes, and views of a later day.
    rest = [block for block in document.blocks if block not in shown]
    lines = tuple(line for block in rest if isinstance(block, str) for line in block.split("\n"))
    counted: tuple[Block, ...] = (
        *([Items(lines)] if lines else []),
        *(block for block in rest if isinstance(block, Table)),
    )
    found = Items(document.remarks) if document.remarks else NO_FINDINGS
    return [
        Section("Summary", tuple(summary)),
        *([Section("What was counted", counted)] if counted else []),
        Section("Findings", (found,)),
        *(Section(title, (*figures, *blocks)) for title, blocks, figures in views if blocks or figures),
        Section("Provenance", tuple(provenance_tables(record))),
    ]


def _views(record: Record, unit: str, flops: float | None) -> list[_Views]:
    """Return each view of the results: its title, its tables and lines, and its figures."""
    return [
        ("Rates beside theory", [*mix_tables(record, unit), *zeros_table(record, unit)], bar_figures(record, unit)),
        ("By number of threads", thread_blocks(record, unit), thread_figures(record, unit)),
        ("By size", _size_blocks(record, unit), size_figures(record, unit)),
        ("Latency", latency_blocks(record), latency_figures(record)),
        ("Latency under load", loaded_blocks(record, unit), loaded_figures(record, unit)),
        ("Between NUMA nodes", matrix_blocks(record, unit), matrix_figures(record, unit)),
        ("Between GPUs", peer_blocks(record, unit), peer_figures(record, unit)),
        ("Roofline", [], roofline_figures(record, flops, unit)),
        ("All samples", [], strip_figures(record, unit)),
    ]


def _size_blocks(record: Record, unit: str) -> list[Table | str]:
    of_gpus = [*gpu_size_blocks(record, unit), *transfer_size_blocks(record, unit)]
    return [*size_blocks(record, unit), *of_gpus]


def _with_names(views: Sequence[_Views], prefix: str) -> list[_Views]:
    """Return the views with names of figures that are different in the whole write-up."""
    named = [replace(figure, name=file_name(prefix + figure.name)) for _, _, figures in views for figure in figures]
    names = iter(distinct(named))
    return [(title, blocks, [next(names) for _ in figures]) for title, blocks, figures in views]


def _summary(record: Record, unit: str) -> list[Table | str]:
    """Return all rates that stand for themselves: the host's in one table, those of each GPU and link as they are."""
    table = _host_table(record, unit)
    gpus = [*gpu_rate_blocks(record, unit), *transfer_rate_blocks(record, unit)]
    blocks = [*host_heading(record), *table, *gpu_heading(record), *gpus]
    return blocks if table or gpus else [*blocks, NO_RATES]


def _host_table(record: Record, unit: str) -> list[Table]:
    """Return one table of the host's rates: theory, median with interval, best, efficiency, n; none without rates."""
    results = [result for result in plain_results(record) if result.case.target == HOST]
    if not results:
        return []
    headers = (f"theory {unit}", f"median {unit}", "95 % interval", f"best {unit}", "efficiency", "n")
    left = (Column("threads", "right"), Column("path"), Column("engine"), Column("stores"))
    columns = (*left, *(Column(header, "right") for header in headers))
    ordered = sorted(results, key=lambda result: (-result.case.threads, place(result.case)))
    return [Table(columns, tuple(_summary_row(result, unit) for result in ordered))]


def _summary_row(result: Result, unit: str) -> tuple[str, ...]:
    case = result.case
    median, interval, best, theory, share, count = rate_cells(result, unit)
    path = ", ".join([case.path, *variant_words(case.variant, "stores")])
    return (str(case.threads), path, case.engine, stores_of(case), theory, median, interval, best, share, count)
