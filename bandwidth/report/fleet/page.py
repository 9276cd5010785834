"""A fleet as a page: the strip plot with the names of the flagged machines, and what the text says."""

from __future__ import annotations

from collections.abc import Sequence

from bandwidth.fleet.gathering import Gathered
from bandwidth.fleet.judging import Fleet, GroupTarget, JudgedGroup
from bandwidth.report.document import Table
from bandwidth.report.figures.data import Figure, Strip, StripRow
from bandwidth.report.fleet.text import (
    MOST_NAMED,
    counted,
    explanations,
    flagged_table,
    fleet_document,
    gathered_lines,
    group_words,
    headline_of,
    method_of,
)
from bandwidth.report.write_up.content import Block, Items, Section, WriteUp
from bandwidth.units import format_percent
from bandwidth.vocabulary import Target


def fleet_write_up(fleet: Fleet, unit: str, gathered: Sequence[Gathered] = (), *, figures: bool = True) -> WriteUp:
    """Return the fleet as a write-up; without `figures` (no matplotlib) there is no plot."""
    lines = (*gathered_lines(gathered), headline_of(fleet))
    flagged = fleet.flagged
    told: list[Block] = [flagged_table(flagged, unit), Items(tuple(explanations(flagged)))] if flagged else []
    document = fleet_document(fleet, unit, gathered)
    others = document.blocks[len(lines) + len(told) :]
    sections = (
        Section("Machines", (*lines, *(fleet_figures(fleet) if figures else ()), *told)),
        Section(
            "Groups", tuple(block if isinstance(block, Table) else Items(tuple(block.split("\n"))) for block in others)
        ),
        Section("Method", (Items((method_of(fleet),)),)),
    )
    count = sum(len(group.machines) for group in fleet.groups)
    return WriteUp(f"Bandwidth of {counted(count, 'machine')}", (), sections)


def fleet_figures(fleet: Fleet) -> tuple[Figure, ...]:
    """Return the strip plot: every machine of every group as a dot, the flagged ones as diamonds."""
    is_one = len(fleet.groups) == 1
    rows = [
        _strip_row(group, target, with_name=not is_one)
        for group in fleet.groups[:MOST_NAMED]
        for target in group.targets
    ]
    if not rows:
        return ()
    flagged = sum(len(row.marked) for row in rows)
    strip = Strip(tuple(rows), "% of the group's median", fleet.least * 100)
    told = f"{counted(sum(len(row.percents) for row in rows), 'machine')}, {flagged or 'none'} flagged"
    of_group = f"{group_words(fleet.groups[0].group)}. " if is_one else ""
    caption = (
        f"{of_group}One dot per machine, ordered by name; diamonds with names are flagged. "
        f"The dotted line is {format_percent(fleet.least)}; triangles and diamonds at the edge are beyond it."
    )
    return (Figure("fleet", "Machines against their group", strip, caption, told),)


def _strip_row(group: JudgedGroup, target: GroupTarget, *, with_name: bool) -> StripRow:
    ordered = sorted(target.verdicts, key=lambda verdict: verdict.machine.name)
    marked = tuple(position for position, verdict in enumerate(ordered) if verdict.is_flagged)
    name = f"{group_words(group.group)}\n" if with_name else ""
    label = f"{name}{Target.parse(target.target).words}, {group.group.options}"
    names = tuple(ordered[position].machine.name for position in marked)
    return StripRow(label, tuple(verdict.ratio * 100 for verdict in ordered), marked, names)
