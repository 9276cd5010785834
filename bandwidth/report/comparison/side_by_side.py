"""Records side by side: a summary by role, the rows that all have with their ratios and noise, and what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bandwidth.comparison.pairs import Difference
from bandwidth.comparison.roles import met_by_all
from bandwidth.comparison.sides import ComparedRow, Side, SideBySide
from bandwidth.plain_text import one_line
from bandwidth.report.comparison.data import comparison_json, comparison_records
from bandwidth.report.comparison.summary import BEYOND, MOST_COLUMNS, UNSURE, Summary, fitting, ratio_text, summary_of
from bandwidth.report.comparison.tables import MOST_BESIDE, comparison_tables, in_order, is_above, noise_mark
from bandwidth.report.document import Document, Table
from bandwidth.report.labels import case_words, counted_names
from bandwidth.report.screen.machine_line import processor_words
from bandwidth.units import DEFAULT_RATE_UNIT, format_size
from bandwidth.vocabulary import BETWEEN_CORES

# Of the rows that all have these many are shown by default, of more machines fewer, as a screen holds 40 lines. --all
# shows them all.
MOST_SHOWN, MOST_SHOWN_OF_THREE, MOST_SHOWN_OF_MORE = 10, 5, 8
# Of a thousand records the first are named; all stand in JSON and in CSV.
MOST_NAMED = 12
MOST_IN_A_DIFFERENCE = 3
MOST_VALUES = 4
MOST_DIFFERENCES = 6
# What the line of each column says already.
_IN_THE_LEGEND = ("processor", "cores", "theory")
_IN_THE_SPEC = ("memory type", "memory channels", "memory MT/s")

METHOD = (
    "Method: a ratio is of two medians; its range comes from the ends of both 95 % intervals (order statistics; "
    "from run to run, by Student's t, where earlier runs are known). "
    "A difference is larger than the noise where the two intervals do not overlap, a conservative test; "
    "below six samples noise is not assessed. Results are matched by id only."
)
SHORT_METHOD = "A ratio is of two medians; its range comes from the ends of both 95 % intervals."


@dataclass(frozen=True)
class Parts:
    """What a comparison says, in its order: which columns, the summary, the tables, what is said below, what differs.

    `rows` are those in the tables.
    """

    legend: tuple[str, ...]
    summary: Summary
    tables: tuple[Table, ...]
    told: tuple[str, ...]
    differing: tuple[str, ...]


def comparison_document(
    sides: SideBySide, unit: str = DEFAULT_RATE_UNIT, *, with_all: bool = False, format_name: str = ""
) -> Document:
    """Return the document of columns side by side; `with_all` shows every id and every point of a sweep.

    With `format_name` only that format's part is made: of a thousand records each part takes a second.
    """
    data = comparison_json(sides, METHOD) if format_name in ("", "json") else {}
    records = comparison_records(sides) if format_name in ("", "csv") else []
    is_text = format_name not in ("json", "csv")
    blocks = _blocks(comparison_parts(fitting(sides), unit, with_all=with_all)) if is_text else []
    has_ranges = with_all or len(sides.columns) < MOST_BESIDE or not is_text
    return Document(tuple(blocks), data, records, (SHORT_METHOD,) if has_ranges else ())


def _blocks(parts: Parts) -> list[Table | str]:
    summary = parts.summary
    blocks: list[Table | str] = ["\n".join(summary.sentences), "\n".join(parts.legend)]
    blocks += [summary.table] if summary.table is not None else []
    blocks += ["\n".join(summary.notes)] if summary.notes else []
    blocks += [*parts.tables, *(["\n".join(parts.told)] if parts.told else [])]
    return [*blocks, *(["\n".join(parts.differing)] if parts.differing else [])]


def comparison_parts(sides: SideBySide, unit: str, *, with_all: bool = False, is_page: bool = False) -> Parts:
    """Return what a comparison says; without `with_all` the rows that all records have, on a screen the first."""
    common = in_order(met_by_all(sides))
    shown = in_order(sides.rows) if with_all else common if is_page else common[: _most_shown(sides)]
    summary = summary_of(sides, unit, with_all=with_all)
    told = [*_in_short(sides, common), *_marks(sides, shown, summary)]
    told += [] if with_all else _hidden(sides, common, shown)
    return Parts(
        legend=tuple(_legend(sides)),
        summary=summary,
        tables=tuple(comparison_tables(sides, shown, unit, with_shares=with_all, with_ranges=with_all or is_page)),
        told=(*told, *_working_sets(shown), *_conventions(shown)),
        differing=tuple(_differing(sides, with_all=with_all)),
    )


def _most_shown(sides: SideBySide) -> int:
    count = len(sides.columns)
    if count > MOST_COLUMNS:
        return 0
    return {2: MOST_SHOWN, MOST_BESIDE: MOST_SHOWN_OF_THREE}.get(count, MOST_SHOWN_OF_MORE)


# --- above and below the tables -------------------------------------------------------------------------------------


def _legend(sides: SideBySide) -> Iterator[str]:
    """Yield what each column is, the reference marked."""
    for index, column in enumerate(sides.columns[:MOST_NAMED]):
        mark = " (reference)" if index == sides.reference else ""
        yield f"{column.name}{mark}: {_what(column)}"
    if len(sides.columns) > MOST_NAMED:
        reference = sides.columns[sides.reference]
        more = f"and {len(sides.columns) - MOST_NAMED} more"
        yield more if sides.reference < MOST_NAMED else f"{more}; {reference.name} (reference): {_what(reference)}"


def _what(column: Side) -> str:
    if column.record is None:
        peaks = [peak for peak in (column.memory, column.link) if peak is not None]
        return "theory, " + "; ".join(f"{peak.name}: {peak.short_working}" for peak in peaks)
    machine = column.record.machine
    words = [processor_words(machine)]
    words += [str(column.record.memory["spec"])] if column.record.memory.get("spec") else []
    gpus = counted_names(str(gpu["name"]) for gpu in column.record.gpus.values() if "name" in gpu)
    words += [*([gpus] if gpus else []), column.record.taken_at[:10]]
    words += [Path(column.source).name] if Path(column.source).stem != column.name else []
    return one_line(", ".join(words))


def _in_short(sides: SideBySide, common: Sequence[ComparedRow]) -> list[str]:
    """Return how many of the rows that all have differ beyond the noise, and the ends of their ratios."""
    if sum(column.record is not None for column in sides.columns) < 2:
        return []
    if not common:
        return ["No result was measured the same way on all of them: --all shows the results of each."]
    others = [index for index in range(len(sides.columns)) if index != sides.reference]
    found = [
        (cell.ratio, row)
        for row in common
        for index in others
        if (cell := row.cells[index]) is not None and cell.differs and cell.ratio is not None and cell.samples
    ]
    count, differing = len(common), len({(row.id, row.level) for _, row in found})
    head = f"Measured the same way on all: {count} {'result' if count == 1 else 'results'}"
    rates = [one for one in found if not one[1].case.is_latency]
    if not rates:
        return [f"{head}, {differing or 'none'} different by more than the noise."]
    ends = {ratio_text(ratio): f"{ratio_text(ratio)} ({case_words(row.case)})" for ratio, row in _ends(rates)}
    return [f"{head}, {differing} different by more than the noise: {' to '.join(ends.values())}."]


def _ends(rates: Sequence[tuple[float, ComparedRow]]) -> tuple[tuple[float, ComparedRow], tuple[float, ComparedRow]]:
    return (min(rates, key=lambda one: one[0]), max(rates, key=lambda one: one[0]))


def _marks(sides: SideBySide, rows: Sequence[ComparedRow], summary: Summary) -> list[str]:
    """Return what the marks in the tables mean, those that are there."""
    cells = [(row, cell) for row in rows for cell in row.cells if cell is not None]
    marks = {noise_mark(sides, row, index) for row in rows for index in range(len(row.cells))}
    marks |= (
        {mark for row in summary.table.rows for text in row for mark in (BEYOND, UNSURE) if text.endswith(mark)}
        if summary.table
        else set()
    )
    lines = [f"{BEYOND} the difference is larger than the noise."] if BEYOND in marks else []
    lines += [f"{UNSURE} too few samples to distinguish it from noise."] if UNSURE in marks else []
    if any(is_above(cell) for _, cell in cells):
        lines.append("! above the theoretical peak, which is invalid: see BW002 of that record.")
    if any(row.case.is_latency for row in rows):
        lines.append("Latency ratios compare times: above 1 is slower.")
    if any(row.level and row.case.path != BETWEEN_CORES for row in rows):
        lines.append("Plateau: the median over the points of a sweep well inside a level; it has no interval.")
    return lines


def _hidden(sides: SideBySide, common: Sequence[ComparedRow], shown: Sequence[ComparedRow]) -> list[str]:
    """Return what --all shows beside this."""
    more, others = len(common) - len(shown), len(sides.rows) - len(common)
    parts = [f"{more} more in common"] if more else []
    points = "pairs of CPUs" if any(row.is_detail and row.case.pair for row in sides.rows) else "points of sweeps"
    parts += [f"{others} not in common, or {points}"] if others else []
    return [f"Not shown (--all): {'; '.join(parts)}."] if parts else []


def _working_sets(rows: Sequence[ComparedRow]) -> list[str]:
    """Return a line for each set of working sets that differ in one row, with the rows that have it."""
    found: dict[tuple[str, ...], list[ComparedRow]] = {}
    for row in rows:
        sizes = {cell.working_set_bytes for cell in row.cells if cell is not None and cell.working_set_bytes}
        if len(sizes) > 1:
            found.setdefault(tuple(format_size(size) for size in sorted(sizes)), []).append(row)
    return [
        f"Working sets differ, {_several(sizes)}: {_named([case_words(row.case) for row in group])}."
        for sizes, group in found.items()
    ]


def _several(texts: Sequence[str]) -> str:
    return " and ".join(texts) if len(texts) <= MOST_VALUES else f"{texts[0]} to {texts[-1]}"


def _conventions(rows: Sequence[ComparedRow]) -> list[str]:
    """Return a line on ids that stand in several rows because their bytes are counted differently."""
    counted: dict[tuple[str, str], set[float]] = {}
    for row in rows:
        counted.setdefault((row.id, row.level), set()).add(row.counted)
    ids = {case_id for (case_id, _), ways in counted.items() if len(ways) > 1}
    names = list(dict.fromkeys(case_words(row.case) for row in rows if row.id in ids))
    return [f"Counted differently (stream or payload), so in separate rows: {_named(names)}."] if names else []


def _named(names: Sequence[str]) -> str:
    more = len(names) - MOST_IN_A_DIFFERENCE
    return ", ".join(names[:MOST_IN_A_DIFFERENCE]) + (f" and {more} more" if more > 0 else "")


def _differing(sides: SideBySide, *, with_all: bool) -> Iterator[str]:
    """Yield what differs between the set-ups; without `with_all` not what the legend says, and of many the first."""
    has_specs = all(column.record is None or column.record.memory.get("spec") for column in sides.columns)
    told = (*_IN_THE_LEGEND, *(_IN_THE_SPEC if has_specs else ()))
    found = [one for one in sides.differences if with_all or one.name not in told]
    shown = found if with_all else found[:MOST_DIFFERENCES]
    if shown:
        yield "Differences in configuration:"
    yield from (_difference_line(sides, difference) for difference in shown)
    if len(found) > len(shown):
        yield f"  {len(found) - len(shown)} more: --all shows them."


def _difference_line(sides: SideBySide, difference: Difference) -> str:
    """Return one difference by its values, each with the columns that have it."""
    by_value: dict[str, list[str]] = {}
    for column, value in zip(sides.columns, difference.values, strict=True):
        if value is not None:
            by_value.setdefault(value, []).append(column.name)
    groups = [f"{value} ({_named(names)})" for value, names in list(by_value.items())[:MOST_VALUES]]
    more = len(by_value) - MOST_VALUES
    return f"  {difference.name}: {', '.join(groups)}" + (f" and {more} more values" if more > 0 else "")
