"""What opens a write-up of a record: a sentence for each role with its numbers, the picture, and the table of both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bandwidth.analysis.comparable import why_not_comparable
from bandwidth.analysis.roles import ALL_CORES, GPU_MEMORY, LINK_FROM, LINK_TO, ONE_CORE, results_by_role
from bandwidth.report.document import Column, Table
from bandwidth.report.figures.data import OPENING_INCHES, Bar, Bars, Figure
from bandwidth.report.labels import INVALID, UNKNOWN, case_words, known_rate, rate_cell, rate_interval, runs_words
from bandwidth.report.views.shown import Shown
from bandwidth.results import Record, Result, Summary, summarise
from bandwidth.units import format_percent, format_rate, rate_unit_factor

_SUBJECTS = {
    ALL_CORES: "All cores",
    ONE_CORE: "One core",
    GPU_MEMORY: "GPU memory",
    LINK_TO: "Link to the GPU",
    LINK_FROM: "Link from the GPU",
}
_PANELS = {ALL_CORES: "CPU memory", ONE_CORE: "CPU memory", GPU_MEMORY: "GPU memory"}
_LINKS = "Link"
_PATHS = {"h2d": "copy", "d2h": "copy"}
UNRELIABLE = "UNRELIABLE: this run allows no conclusion about "


def opening_blocks(shown: Shown, *, with_figure: bool) -> tuple[Table | Figure | str, ...]:
    """Return the sentence, the picture and the table; nothing where no rate stands for a role."""
    found = results_by_role(shown.record)
    if not found:
        return ()
    picture = (_picture(shown, found),) if with_figure else ()
    working = _working(shown.record)
    return (_sentence(shown, found), *picture, _table(shown, found), *([working] if working else []))


# --- the sentence ---------------------------------------------------------------------------------------------------


def _sentence(shown: Shown, found: Mapping[str, Result]) -> str:
    """Return what each role reaches; of one that noise has spoilt, that nothing can be concluded, and why."""
    told, doubts = [], []
    for role, result in found.items():
        reason = why_not_comparable(shown.record, result)
        if reason:
            doubts.append(f"{UNRELIABLE}{_subject(role, result, shown.record).lower()}: {reason}.")
        else:
            told.append(_clause(_subject(role, result, shown.record), role, result, shown.unit))
    return " ".join([*dict.fromkeys(doubts), *told])


def _clause(subject: str, role: str, result: Result, unit: str) -> str:
    summary, path = summarise(result), _PATHS.get(result.case.path, result.case.path)
    rate = f"{rate_cell(summary, unit)} {unit}"
    if summary.is_impossible:
        return f"{subject}, {path}: {INVALID}, {rate} is above the theoretical peak (BW002)."
    if role == ONE_CORE or summary.efficiency is None:
        return f"{subject}, {path}: {rate}."
    peak = format_rate(result.theory_bytes_per_s or 0.0, unit)
    return f"{subject}, {path}: {rate}, {format_percent(summary.efficiency)} of the peak of {peak} {unit}."


def _working(record: Record) -> str:
    """Return how the peak of the host's memory comes about, empty where it is not known."""
    memory = record.memory
    if memory.get("bytes_per_s") is None:
        return ""
    working = memory.get("short_working") or f"{format_rate(memory['bytes_per_s'])} GB/s"
    return f"Theory of {memory.get('spec', 'the memory')}: {working}, from {memory.get('source', 'the record')}."


# --- the table ------------------------------------------------------------------------------------------------------


def _table(shown: Shown, found: Mapping[str, Result]) -> Table:
    runs = runs_words(found.values())
    heads = (f"median {shown.unit}", "of peak", "peak", "95 % interval" + (f" ({runs})" if runs else ""))
    columns = (Column(""), *(Column(head, "right") for head in heads), Column("measured"))
    return Table(
        columns, tuple(_row(_subject(role, result, shown.record), result, shown.unit) for role, result in found.items())
    )


def _subject(role: str, result: Result, record: Record) -> str:
    """Return what a role is called; of fewer threads than cores they are not all."""
    cores = record.machine.get("physical_cores")
    is_part = role == ALL_CORES and type(cores) is int and result.case.threads < cores
    return f"{result.case.threads} of {cores} cores" if is_part else _SUBJECTS[role]


def _row(subject: str, result: Result, unit: str) -> tuple[str, ...]:
    summary = summarise(result)
    return (
        subject,
        rate_cell(summary, unit),
        _share(summary),
        known_rate(result.theory_bytes_per_s, unit),
        rate_interval(summary.reported, unit),
        case_words(result.case),
    )


def _share(summary: Summary) -> str:
    if summary.efficiency is None:
        return UNKNOWN
    return INVALID if summary.is_impossible else format_percent(summary.efficiency)


# --- the picture ----------------------------------------------------------------------------------------------------


def _picture(shown: Shown, found: Mapping[str, Result]) -> Figure:
    """Return the bars of the roles, those of one memory or link in a panel with its own scale, the peak as a tick."""
    panels: dict[str, list[Bar]] = {}
    for role, result in found.items():
        bars = panels.setdefault(_PANELS.get(role, _LINKS), [])
        bars.append(_bar(shown, role, result, len(panels) - 1))
    picture = Bars(
        shown.unit,
        tuple((title, tuple(bars)) for title, bars in panels.items()),
        tuple(panels),
        own_scales=True,
        width_inches=OPENING_INCHES,
    )
    text = "Median rates; the tick marks the theoretical peak, the number next to it is the share of the peak."
    return Figure("in-short", "Rates by role", picture, text, "; ".join(_described(shown, found)) + ".")


def _bar(shown: Shown, role: str, result: Result, panel: int) -> Bar:
    unit = shown.unit
    summary, factor = summarise(result), rate_unit_factor(unit)
    theory, interval = result.theory_bytes_per_s, summary.reported
    is_shown = theory is not None and role != ONE_CORE
    share = f", {_share(summary)}" if is_shown else ""
    return Bar(
        label=_subject(role, result, shown.record),
        text=f"{rate_cell(summary, unit)}{share}",
        value=(summary.median_bytes_per_s or 0.0) / factor,
        low=None if interval is None else interval.low / factor,
        high=None if interval is None else interval.high / factor,
        theory=theory / factor if theory is not None and is_shown else None,
        group=panel,
        hatched=False,
    )


def _described(shown: Shown, found: Mapping[str, Result]) -> Iterator[str]:
    for role, result in found.items():
        yield f"{_subject(role, result, shown.record)} {rate_cell(summarise(result), shown.unit)} {shown.unit}"


# --- tables of a write-up: what was reached before how ---------------------------------------------------------------

_DETAILS = ("engine", "stores")
_THEORY = "theory"
_SHARES = ("share", "efficiency", "of peak")


def figures_first(table: Table) -> Table:
    """Return a table with the share behind the median, and the engine and the stores last: a phone shows the start."""
    heads = [column.header for column in table.columns]
    medians = [place for place, head in enumerate(heads) if head.startswith("median")]
    if len(medians) != 1:
        return table
    shares = [place for place, head in enumerate(heads) if head in _SHARES]
    details = [place for place, head in enumerate(heads) if head in _DETAILS and place < medians[0]]
    details += [place for place in range(medians[0]) if heads[place].startswith(_THEORY)]
    before = [place for place in range(medians[0]) if place not in details]
    moved = [*before, *medians, *shares[:1]]
    rest = [place for place in range(len(heads)) if place not in (*moved, *details)]
    theories = [place for place in details if heads[place] not in _DETAILS]
    return _in_order(table, [*moved, *theories, *rest, *(place for place in details if place not in theories)])


def _in_order(table: Table, places: Sequence[int]) -> Table:
    rows = tuple(tuple(row[place] for place in places) for row in table.rows)
    return Table(tuple(table.columns[place] for place in places), rows, table.title, table.bars)
