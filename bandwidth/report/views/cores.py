"""The latency of a cache line from core to core: by what the CPUs share, pair by pair, as a matrix and its heat map."""

from __future__ import annotations

from collections.abc import Sequence

from bandwidth.analysis.core_pairs import CorePairs, Neighbours
from bandwidth.cpu_list import format_cpu_list
from bandwidth.report.document import Column, Table
from bandwidth.report.figures.data import Figure, Heatmap, caption
from bandwidth.report.labels import INVALID, UNKNOWN, format_ns, latency_cells
from bandwidth.report.views.shown import Shown
from bandwidth.results import summarise
from bandwidth.units import format_percent
from bandwidth.vocabulary import SHARED

# So many pairs, of six CPUs, are listed with their intervals; more stand in a matrix.
MOST_LISTED = 15
# Groups of CPUs that are named.
MOST_GROUPS = 8
# Columns of three digits side by side within 80 columns, and the most CPUs whose numbers fit into a heat map.
MOST_COLUMNS, MOST_WRITTEN = 12, 32
WHOLE_NS = 100
ONE_WAY = "The latency is one way; the round trip takes twice as long."


def pair_blocks(shown: Shown) -> list[Table | str]:
    """Return the table by what CPUs share, the matrix or the list of pairs, and what is to be known of them."""
    found = shown.core_pairs
    if found is None:
        return []
    by_shared = [_by_shared(found.neighbours)] if len(found.cells) > 1 else []
    is_short = len(found.cells) <= MOST_LISTED
    return [*by_shared, *([_list(found)] if is_short else _matrix(found)), _lines(found)]


def pair_figures(shown: Shown) -> list[Figure]:
    """Return the matrix as a heat map; a single pair is none."""
    found = shown.core_pairs
    if found is None or len(found.cpus) <= 2:
        return []
    texts = [[_text(found, one, other) for other in found.cpus] for one in found.cpus]
    is_written = len(found.cpus) <= MOST_WRITTEN
    names = tuple(map(str, found.cpus))
    picture = Heatmap(
        row_label="CPU",
        column_label="CPU",
        rows=names,
        columns=names,
        values=tuple(tuple(_time_ns(found, one, other) for other in found.cpus) for one in found.cpus),
        texts=tuple(tuple(text if is_written else "" for text in row) for row in texts),
        unit="ns",
    )
    what = "Median core-to-core latency of a cache line, one way, ns."
    told = "; ".join(f"{_words(kind)}: {_range(kind)}" for kind in found.neighbours)
    text = caption(shown.record, list(found.cells.values()), what)
    return [Figure("core-to-core", "Core-to-core latency", picture, text, f"{told}.")]


def _words(kind: Neighbours) -> str:
    return SHARED.get(kind.shared, "unknown")


def _range(kind: Neighbours) -> str:
    ends = f", {format_ns(kind.least_ns)} to {format_ns(kind.most_ns)}" if len(kind.times_ns) > 1 else ""
    return f"{format_ns(kind.median_ns)} ns{ends}"


# --- tables ---------------------------------------------------------------------------------------------------------


def _by_shared(kinds: Sequence[Neighbours]) -> Table:
    heads = ("pairs", "ns", "least", "most")
    columns = (Column("CPUs on"), *(Column(head, "right") for head in heads))
    rows = tuple(
        (_words(kind), str(len(kind.times_ns)), *map(format_ns, (kind.median_ns, kind.least_ns, kind.most_ns)))
        for kind in kinds
    )
    bars = tuple(kind.median_ns for kind in kinds)
    return Table(columns, rows, "Core-to-core latency by what the CPUs share: medians over the pairs", bars)


def _list(found: CorePairs) -> Table:
    """Return a row for each pair, with its interval."""
    columns = (
        Column("CPUs", "right"),
        Column("on"),
        Column("ns", "right"),
        Column("95 % interval, ns", "right"),
        Column("n", "right"),
    )
    rows = []
    for (one, other), result in sorted(found.cells.items()):
        summary = summarise(result)
        time_ns, _, interval = latency_cells(summary.latency)
        shared = SHARED.get(result.case.shared, UNKNOWN)
        rows.append((f"{one}, {other}", shared, time_ns, interval, str(summary.count)))
    return Table(columns, tuple(rows), "Core-to-core latency by pair")


def _matrix(found: CorePairs) -> list[Table]:
    """Return the matrix below its diagonal, as several tables where it has more CPUs than stand side by side."""
    tables = []
    for start in range(0, len(found.cpus), MOST_COLUMNS):
        part = found.cpus[start : start + MOST_COLUMNS]
        below = found.cpus[start + 1 :]
        rows = [
            (str(one), *(_text(found, one, other) if other in found.cpus[: start + place] else "" for other in part))
            for place, one in enumerate(below, 1)
        ]
        columns = (Column("CPU", "right"), *(Column(str(cpu), "right") for cpu in part))
        tables += [Table(columns, tuple(rows), "Core-to-core latency, ns")] if rows else []
    return tables


def _text(found: CorePairs, one: int, other: int) -> str:
    if one == other:
        return ""
    if (min(one, other), max(one, other)) not in found.cells:
        return UNKNOWN
    time_ns = _time_ns(found, one, other)
    return INVALID if time_ns is None else f"{time_ns:.0f}" if time_ns >= WHOLE_NS else f"{time_ns:.1f}"


def _time_ns(found: CorePairs, one: int, other: int) -> float | None:
    return found.times_ns.get((min(one, other), max(one, other)))


# --- below them -----------------------------------------------------------------------------------------------------


def _lines(found: CorePairs) -> str:
    """Return what a time is of, which CPUs are in one group, and how far the intervals reach."""
    lines = [f"Two threads pass one cache line back and forth. {ONE_WAY}", *_groups(found)]
    reaches = [reach for result in found.cells.values() if (reach := summarise(result).reach) is not None]
    if len(found.cells) > MOST_LISTED and reaches:
        lines.append(f"95 % intervals extend at most {format_percent(max(reaches))} from the median.")
    return "\n".join(lines)


def _groups(found: CorePairs) -> list[str]:
    """Return the groups of CPUs on one core, cache, node or socket, where there are several and not too many."""
    kinds = {result.case.shared for result in found.cells.values()}
    lines = []
    for shared in SHARED:
        groups = found.groups(shared)
        if shared in kinds and 1 < len(groups) <= MOST_GROUPS:
            words = SHARED[shared]
            lines.append(f"{words[0].upper()}{words[1:]}: {'; '.join(map(format_cpu_list, groups))}.")
    return lines


def shortest_words(found: CorePairs) -> str:
    """Return the medians by what CPUs share in one line: `21.00 ns on the same core, 48.00 ns on the same L3`."""
    on = {kind.shared: f" on {SHARED[kind.shared]}" for kind in found.neighbours if kind.shared in SHARED}
    return ", ".join(f"{format_ns(kind.median_ns)} ns{on.get(kind.shared, '')}" for kind in found.neighbours)
