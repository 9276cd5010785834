"""Columns of records and theory side by side: one row an id, or one a level of a swept curve, never two conventions.

Sweeps by size are put side by side by their plateaus: the points are rows too, marked as details. So are pairs of CPUs
by what the two share, where three share it. Published figures of the same path stand beside one record: its own part's
first, then its family's, then any's.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from bandwidth.analysis.core_pairs import Neighbours, core_pairs
from bandwidth.analysis.curves import FEWEST_POINTS, MEMORY, SizeCurve, size_curves
from bandwidth.analysis.groups import divided, is_size_check
from bandwidth.analysis.plain_results import plain_results
from bandwidth.analysis.plateaus import Plateau, plateaus
from bandwidth.catalog import current_catalog
from bandwidth.catalog.published import Kin, PublishedFigure, nearest_figures
from bandwidth.ceilings.link import spec_bytes_per_s
from bandwidth.comparison.pairs import (
    Difference,
    beyond_noise,
    differences,
    figure_of,
    interval_of,
    ratio_interval,
    short_line,
)
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.plain_text import one_line
from bandwidth.results import Case, Record, Result, Summary, summarise
from bandwidth.statistics import Interval
from bandwidth.theory import Peak
from bandwidth.vocabulary import PAIR, PCIE, SHARED, SWEEP_POINT

LONGEST_COLUMN_NAME = 10


@dataclass(frozen=True)
class Side:
    """A record with the file it came from, or the peaks of a SPEC: of its memory, and of its link where it has one.

    `name` is short and no other column's.
    """

    name: str
    source: str
    record: Record | None = None
    memory: Peak | None = None
    link: Peak | None = None

    def peak_bytes_per_s(self, case: Case) -> float | None:
        """Return the SPEC's peak that may stand beside a case, in bytes per second, None where none may."""
        return spec_bytes_per_s(case, self.memory, self.link)


@dataclass(frozen=True)
class Cell:
    """What one column has for a row: bytes per second, or nanoseconds of a latency; a peak has no samples.

    `figure` is None where the result is not verified. A plateau has no interval and counts points as `samples`.
    `earlier_runs` is by how many the interval is from run to run, 0 where it is of the run alone.
    """

    figure: float | None
    interval: Interval | None = None
    samples: int | None = None
    working_set_bytes: int | None = None
    theory_bytes_per_s: float | None = None
    efficiency: float | None = None
    ratio: float | None = None
    ratio_interval: Interval | None = None
    differs: bool | None = None
    earlier_runs: int = 0


@dataclass(frozen=True)
class ComparedRow:
    """One id over all columns, None where a column lacks it.

    `counted` is how many bytes are counted for each byte that arrives: the convention of the rate. `level` is a
    plateau's, `memory` or a cache, and `id` its curve's then; of a line from core to core it is what the CPUs share,
    such as `the same L3`. `is_detail` marks a point of a sweep, a pair of CPUs and a check at half a size, which the
    plateaus, the medians over pairs and the whole stand for.
    """

    id: str
    level: str
    counted: float
    case: Case
    is_detail: bool
    cells: tuple[Cell | None, ...]

    @property
    def is_theory_fit(self) -> bool:
        """Whether a peak may stand beside it: a rate over a link, or from memory with all caches outgrown."""
        is_outside = self.case.meets_dram_rule or self.case.target.startswith(PCIE)
        return not self.case.is_latency and is_outside and self.level in ("", MEMORY)


@dataclass(frozen=True)
class SideBySide:
    """Columns with all their rows; `reference` is the index of the column that the others are divided by."""

    columns: tuple[Side, ...]
    reference: int
    rows: tuple[ComparedRow, ...]

    @property
    def details(self) -> int:
        """How many rows are details."""
        return sum(row.is_detail for row in self.rows)

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """What differs between the set-ups of the records."""
        return differences([None if column.record is None else column.record for column in self.columns])


def side_by_side(columns: Sequence[Side], reference: int = 0) -> SideBySide:
    """Put columns side by side. Raises UsageError for fewer than two, or where none is a record."""
    if len(columns) < 2:
        raise UsageError("compare needs two records, or a record and a SPEC", "name another, such as DDR5-4800 x12")
    if not any(column.record is not None for column in columns):
        raise UsageError("compare needs a record", "name one, or compare SPECs with `bandwidth theory`")
    found = [dict(_entries(column.record)) for column in columns]
    first: dict[tuple[str, str, float], _Entry] = {}
    for entries in found:
        for key, entry in entries.items():
            first.setdefault(key, entry)
    rows = []
    for key, entry in first.items():
        bare = ComparedRow(*key, entry.case, entry.is_detail, ())
        cells = [
            entries[key].cell if key in entries else _peak_cell(column, bare)
            for column, entries in zip(columns, found, strict=True)
        ]
        rows.append(replace(bare, cells=with_ratios(cells, reference)))
    return SideBySide(tuple(columns), reference, tuple(rows))


def usable(record: Record, source: str) -> Record:
    """Return the record. Raises BandwidthError where it holds no result, with the first reason why it does not."""
    if not record.results:
        raise BandwidthError(f"{source} contains no result{_why(record)}", "measure again, or omit it")
    return record


def _why(record: Record) -> str:
    if not record.not_run:
        return ""
    count = len(record.not_run)
    cases = "its case did not run" if count == 1 else f"none of its {count:,} cases ran"
    return f": {cases}: {short_line(record.not_run[0].reason)}"


# --- the entries of one record --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Entry:
    case: Case
    is_detail: bool
    cell: Cell


def _entries(record: Record | None) -> Iterator[tuple[tuple[str, str, float], _Entry]]:
    """Yield each result and each plateau of a record by its key: id, level and convention."""
    if record is None:
        return
    has_sweep = any(SWEEP_POINT in result.case.variant for result in record.results)
    curves = size_curves(record) if has_sweep else ()
    details = {point.result.case.id for curve in curves for point in curve.points}
    if has_sweep:
        details |= {result.case.id for result in record.results if is_size_check(record, result)}
    neighbours = compared_neighbours(record)
    details |= {case.id for kind in neighbours for case in kind.cases}
    for result in record.results:
        case_id = result.case.id
        yield (case_id, "", _counted(result.case)), _Entry(result.case, case_id in details, _result_cell(result))
    for curve in curves:
        yield from _plateau_entries(curve)
    for kind in neighbours:
        case = without_pair(kind.cases[0])
        cell = Cell(kind.median_ns, samples=len(kind.cases))
        yield (case.id, SHARED.get(kind.shared, kind.shared), _counted(case)), _Entry(case, False, cell)


def compared_neighbours(record: Record) -> list[Neighbours]:
    """Return the pairs of CPUs whose medians are compared in place of each of them: three at least share the same."""
    found = core_pairs(record)
    return [kind for kind in found.neighbours if len(kind.cases) >= FEWEST_POINTS] if found is not None else []


def without_pair(case: Case) -> Case:
    """Return the case that stands for all pairs of CPUs."""
    return replace(case, variant={name: value for name, value in case.variant.items() if name != PAIR}, shared="")


def _plateau_entries(curve: SizeCurve) -> Iterator[tuple[tuple[str, str, float], _Entry]]:
    variant = {name: value for name, value in curve.case.variant.items() if name != SWEEP_POINT}
    case = replace(curve.case, variant=variant)
    theory = curve.points[-1].result.theory_bytes_per_s
    for plateau in plateaus(curve):
        if plateau.is_known:
            cell = _plateau_cell(plateau, theory if plateau.level == MEMORY else None)
            yield (case.id, plateau.level, _counted(case)), _Entry(case, False, cell)


def _result_cell(result: Result) -> Cell:
    summary = summarise(result)
    return Cell(
        figure=figure_of(summary),
        interval=interval_of(summary),
        earlier_runs=summary.earlier_runs if summary.reported_is_of_runs else 0,
        samples=summary.count,
        working_set_bytes=result.case.working_set_bytes,
        theory_bytes_per_s=result.theory_bytes_per_s,
        efficiency=summary.efficiency,
    )


def _plateau_cell(plateau: Plateau, theory: float | None) -> Cell:
    rate = plateau.bytes_per_s
    figure = plateau.ns if rate is None else rate
    return Cell(figure, samples=plateau.points, theory_bytes_per_s=theory, efficiency=divided(rate, theory))


def _counted(case: Case) -> float:
    """Return the bytes counted for each that arrives, 2 for a copy as STREAM counts it, 1 for a link's payload.

    Rounded: arrays of whole pages may differ by one.
    """
    return round(case.bytes_per_call / case.payload_bytes_per_call, 2)


def _peak_cell(column: Side, row: ComparedRow) -> Cell | None:
    peak = column.peak_bytes_per_s(row.case) if row.is_theory_fit else None
    # A formula's figure has no noise: its interval is the figure, so that a ratio to it has a range.
    return None if peak is None else Cell(peak, Interval(peak, peak))


def with_ratios(cells: Sequence[Cell | None], reference: int) -> tuple[Cell | None, ...]:
    """Return the cells with their ratios to the reference's."""
    base = cells[reference] or Cell(None)
    return tuple(
        None
        if cell is None
        else replace(
            cell,
            ratio=divided(cell.figure, base.figure),
            ratio_interval=ratio_interval(cell.interval, base.interval),
            differs=None if cell.samples is None else beyond_noise(cell.interval, base.interval),
        )
        for cell in cells
    )


# --- what a column is called ----------------------------------------------------------------------------------------


def named(columns: Sequence[Side]) -> list[Side]:
    """Return columns with short names: their hosts' where no two are alike, else their files'; a SPEC as written."""
    hosts = [_host(column.record) for column in columns if column.record is not None]
    use_hosts = all(hosts) and len(set(hosts)) == len(hosts)
    full = [
        column.source if column.record is None else _host(column.record) if use_hosts else Path(column.source).stem
        for column in columns
    ]
    return [replace(column, name=name) for name, column in zip(short_names(full), columns, strict=True)]


def _host(record: Record) -> str:
    """Return the host's name without its domain, empty where the record does not tell it."""
    return str(record.machine.get("hostname") or "").partition(".")[0]


def short_names(full: Sequence[str], longest: int = LONGEST_COLUMN_NAME) -> list[str]:
    """Return a name of at most `longest` printable characters for each, no two alike: the beginning, else the end."""
    clean = [one_line(name) for name in full]
    for short in ([name[:longest].strip() for name in clean], [name[-longest:].strip() for name in clean]):
        if len(set(short)) == len(short) and all(short):
            return short
    return [f"{name[: max(longest - 5, 1)]}~{number}" for number, name in enumerate(clean, start=1)]


# --- published figures beside a record ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Placed:
    """A record's fastest result of one path and kind of host memory, and a published figure near to it.

    Of several GPUs of one name that is the fastest of them.
    """

    result: Result
    summary: Summary
    figure: PublishedFigure
    kin: Kin

    @property
    def share(self) -> float | None:
        """The record's share of the peak that the figure was stated against: the maker's, or the formula's.

        Where the maker prints none beside the formula's, that is both.
        """
        by_maker = self.summary.vendor_efficiency if self.figure.peak == "vendor" else None
        return self.summary.efficiency if by_maker is None else by_maker


def placed(record: Record) -> tuple[Placed, ...]:
    """Return the fastest results from memory beside the figures that were published of the same path."""
    found = []
    for result, summary in _fastest(record):
        case = result.case
        kind = case.kind
        kin, figures = nearest_figures(
            kind,
            case.path,
            parts=_processor_names(record) if kind == "host" else _gpu_names(record, case.devices[:1]),
            family=_family(record) if kind == "host" else "",
            host_memory=str(case.variant.get("host_memory", "")),
            theory_bytes_per_s=result.theory_bytes_per_s,
            figures=current_catalog().published_figures,
        )
        found += [Placed(result, summary, figure, kin) for figure in figures]
    return tuple(found)


def _fastest(record: Record) -> list[tuple[Result, Summary]]:
    """Return the fastest plain result of the host and of each kind of GPU by path and kind of host memory."""
    best: dict[Hashable, tuple[Result, Summary]] = {}
    for result in plain_results(record):
        case, summary = result.case, summarise(result)
        is_outside = case.meets_dram_rule or case.target.startswith("pcie")
        if summary.median_bytes_per_s is None or not is_outside or len(case.devices) > 1:
            continue  # nothing is published of several devices together
        names = tuple(_gpu_names(record, case.devices))
        key = (case.kind, names, case.path, str(case.variant.get("host_memory", "")))
        if key not in best or summary.median_bytes_per_s > (best[key][1].median_bytes_per_s or 0.0):
            best[key] = (result, summary)
    return list(best.values())


def _processor_names(record: Record) -> list[str]:
    """Return the processor's name as printed, and the catalog's."""
    machine = record.machine
    name = str(machine.get("cpu_model", ""))
    family, model = machine.get("cpu_family"), machine.get("cpu_model_number")
    numbers = (family, model) if isinstance(family, int) and isinstance(model, int) else (-1, -1)
    try:
        device = current_catalog().devices.processor(str(machine.get("cpu_vendor", "")), *numbers, name)
    except BandwidthError:
        device = None  # a broken entry is told elsewhere
    return [name, *([device.name] if device is not None else [])]


def _family(record: Record) -> str:
    """Return vendor, family and model number as the catalog writes them: `AuthenticAMD 25 17`."""
    return " ".join(str(record.machine.get(name, "")) for name in ("cpu_vendor", "cpu_family", "cpu_model_number"))


def _gpu_names(record: Record, numbers: Sequence[int]) -> list[str]:
    """Return the names of GPUs by their numbers in the record, as their driver prints them, and the catalog's."""
    names = [str(record.gpus.get(number, {}).get("name") or "") for number in numbers]
    return [name for printed in names if printed for name in (printed, *_catalog_name(printed))]


def _catalog_name(printed: str) -> list[str]:
    try:
        device = current_catalog().devices.find(printed)
    except BandwidthError:
        return []  # several are meant
    return [] if device is None else [device.name]
