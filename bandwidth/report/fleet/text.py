"""A fleet: who is slower than the group, by how much and where, the likely cause, and what is different there."""

from __future__ import annotations

from collections.abc import Sequence

from bandwidth.fleet.causes import cause_of
from bandwidth.fleet.gathering import Gathered
from bandwidth.fleet.judging import Deviation, Flagged, Fleet, GroupTarget, JudgedGroup
from bandwidth.fleet.machines import UNNAMED, Group, Measured
from bandwidth.report.document import Column, Document, Table
from bandwidth.report.fleet.data import findings_of, fleet_json, fleet_records
from bandwidth.report.labels import UNKNOWN, format_ns, threads_in_words
from bandwidth.units import DEFAULT_RATE_UNIT, format_percent, format_rate
from bandwidth.vocabulary import HOST, Target

# Of a machine these many of its slowest paths are told, and of ten thousand machines the first; all stand in JSON.
MOST_PATHS = 3
MOST_DIFFERENCES = 6
MOST_NAMED = 20
WRONG_DATA = "WRONG DATA"
_TARGET_WIDTH = 9  # "link of" above "device 0"

METHOD = (
    "Method: machines are compared within groups of the same processor, sockets, GPUs and options. A machine's speed "
    "is the median ratio of its results to the group's medians, with the most threads; busy runs are excluded. "
    "Flagged: below {least} and more than {mads:g} scaled MADs below the group."
)


def fleet_document(fleet: Fleet, unit: str = DEFAULT_RATE_UNIT, gathered: Sequence[Gathered] = ()) -> Document:
    """Return the document of a fleet, and of the hosts that were just measured, where they were."""
    blocks: list[Table | str] = [*gathered_lines(gathered), headline_of(fleet)]
    blocks += [flagged_table(fleet.flagged, unit)] if fleet.flagged else []
    blocks += ["\n".join(explanations(fleet.flagged))] if fleet.flagged else []
    blocks += [_groups_table(fleet)]
    told = (_finding_lines(fleet), _not_judged_lines(fleet), _not_read_lines(fleet), fleet.notes)
    blocks += ["\n".join(lines) for lines in told if lines]
    return Document(tuple(blocks), fleet_json(fleet, gathered), fleet_records(fleet), (method_of(fleet),))


def method_of(fleet: Fleet) -> str:
    """Return how machines are judged, with the limits."""
    return METHOD.format(least=format_percent(fleet.least), mads=fleet.most_mads)


def headline_of(fleet: Fleet) -> str:
    """Return how many machines and groups there are, and how many are flagged or could not be judged."""
    count = sum(len(group.machines) for group in fleet.groups)
    flagged = len({one.machine.name for one in fleet.flagged})
    parts = [f"{counted(count, 'machine')} in {counted(len(fleet.groups), 'group')}: {flagged or 'none'} flagged"]
    parts += [f"{len({one.machine.name for one in fleet.not_judged})} not judged"] if fleet.not_judged else []
    parts += [f"{counted(len(fleet.not_read), 'file')} not read"] if fleet.not_read else []
    return ", ".join(parts) + "."


def flagged_table(flagged: Sequence[Flagged], unit: str) -> Table:
    """Return a row a flagged machine: its share of the group and its slowest result."""
    columns = (
        Column("host"),
        Column("target", wrap_at=_TARGET_WIDTH),
        Column("of its group", "right", two_lines=True),
        Column("MADs below", "right", two_lines=True),
        Column("slowest result"),
        Column(unit, "right"),
        Column(f"group {unit}", "right", two_lines=True),
    )
    rows = [_flagged_row(one, unit) for one in flagged[:MOST_NAMED]]
    return Table(columns, tuple(rows))


def _flagged_row(one: Flagged, unit: str) -> tuple[str, ...]:
    if one.ratio is None or not one.deviations:
        return (one.machine.name, _target(one), WRONG_DATA, UNKNOWN, _words_of_id(one.failed[0]), UNKNOWN, UNKNOWN)
    slowest = one.deviations[0]
    return (
        one.machine.name,
        _target(one),
        format_percent(one.ratio),
        _mads(one.mads),
        _words(slowest.measured),
        _figure(slowest.measured, slowest.figure, unit),
        _figure(slowest.measured, slowest.group_figure, unit),
    )


def explanations(flagged: Sequence[Flagged]) -> list[str]:
    """Return a line a machine: the likely cause, the paths that deviate most, and what differs from the group."""
    lines = [_explanation(one) for one in flagged[:MOST_NAMED]]
    more = len(flagged) - MOST_NAMED
    return [*lines, f"And {more} more: --json and --format csv list all."] if more > 0 else lines


def _explanation(one: Flagged) -> str:
    if one.failed:
        cases = _several([_words_of_id(case_id) for case_id in one.failed])
        return f"{one.machine.name}, {_target(one)}: {cause_of(one)} Wrong: {cases}."
    slowest = ", ".join(_path(deviation) for deviation in one.deviations[:MOST_PATHS])
    differs = [str(difference) for difference in one.differs[:MOST_DIFFERENCES]]
    more = len(one.differs) - MOST_DIFFERENCES
    rest = f" and {more} more" if more > 0 else ""
    told = f" Differs: {', '.join(differs)}{rest}." if differs else " No difference in configuration found."
    return f"{one.machine.name}, {_target(one)}: {cause_of(one)} Slowest: {slowest}.{told}"


def _path(deviation: Deviation) -> str:
    return f"{_words(deviation.measured)} at {format_percent(deviation.ratio)}"


def _groups_table(fleet: Fleet) -> Table:
    """Return a row for each group and target: how many machines, how far apart they usually are."""
    columns = (
        Column("group", wrap_at=26),
        Column("measured", wrap_at=18),
        Column("target", wrap_at=_TARGET_WIDTH),
        Column("machines", "right"),
        Column("spread", "right"),
        Column("slowest", "right"),
    )
    rows = [row for group in fleet.groups[:MOST_NAMED] for row in _group_rows(group)]
    more = len(fleet.groups) - MOST_NAMED
    title = "Groups; spread is one scaled MAD" + (f"; {more} more groups in --json" if more > 0 else "")
    return Table(columns, tuple(rows), title)


def _group_rows(group: JudgedGroup) -> list[tuple[str, ...]]:
    name, options = group_words(group.group), group.group.options
    if not group.targets:
        return [(name, options, UNKNOWN, str(len(group.machines)), UNKNOWN, UNKNOWN)]
    return [
        (
            name,
            options,
            _target(target),
            str(len(target.verdicts)),
            format_percent(target.spread),
            format_percent(min(verdict.ratio for verdict in target.verdicts)),
        )
        for target in group.targets
    ]


def group_words(group: Group) -> str:
    """Return a group's hardware in words: `2 x AMD EPYC 9654, NVIDIA H200`."""
    name = group.cpu_model or UNNAMED
    cpu = f"{group.sockets} x {name}" if group.sockets else name
    return ", ".join([f"{cpu} ({group.kind})" if group.kind else cpu, *group.gpu_models])


def _finding_lines(fleet: Fleet) -> list[str]:
    """Return what the machines' set-ups give away, flagged or not: the hosts of one finding stand on one line."""
    lines = []
    for finding, machines in findings_of(fleet).items():
        names = list(dict.fromkeys(machine.name for machine in machines))
        lines.append(f"{finding.code}: {_several(names)}: {finding.text}; {finding.hint}.")
    return lines


def _not_judged_lines(fleet: Fleet) -> list[str]:
    """Return what could not be judged, by reason: the hosts of one reason stand on one line."""
    by_reason: dict[str, list[str]] = {}
    for one in fleet.not_judged:
        by_reason.setdefault(one.reason, []).append(one.machine.name)
    return [f"Not judged: {_several(names)}: {reason}." for reason, names in by_reason.items()]


def _not_read_lines(fleet: Fleet) -> list[str]:
    lines = [f"Not read: {one.source}: {one.reason}" for one in fleet.not_read[:MOST_NAMED]]
    more = len(fleet.not_read) - MOST_NAMED
    return [*lines, f"Not read: {more} more files"] if more > 0 else lines


def gathered_lines(gathered: Sequence[Gathered]) -> list[str]:
    """Return which hosts were measured, and which were not and why."""
    if not gathered:
        return []
    whole = sum(one.path is not None and not one.reason for one in gathered)
    lines = [f"Measured {whole} of {counted(len(gathered), 'host')}."]
    lines += [f"Not measured: {one.host}: {one.reason}." for one in gathered if one.path is None]
    lines += [f"Incomplete: {one.host}: {one.reason}." for one in gathered if one.path is not None and one.reason]
    return ["\n".join(lines)]


def _target(one: Flagged | GroupTarget) -> str:
    return Target.parse(one.target).words


def _words(one: Measured) -> str:
    rest = [value for _, value in one.rest]
    threads = [threads_in_words([one.threads])] if one.target == HOST else []
    return " ".join([one.path, one.engine, *rest, *threads])


def _words_of_id(case_id: str) -> str:
    """Return a case's id in words: `copy native streaming 96 threads`."""
    target, path, engine, threads, *rest = case_id.split("/")
    counts = [threads_in_words([int(threads)])] if target == HOST and threads.isdecimal() else []
    return " ".join([path, engine, *rest, *counts])


def _figure(one: Measured, figure: float, unit: str) -> str:
    return f"{format_ns(figure)} ns" if one.is_latency else format_rate(figure, unit)


def _mads(mads: float | None) -> str:
    return UNKNOWN if mads is None else f"{mads:,.1f}"


def _several(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def counted(count: int, noun: str) -> str:
    """Return a number of things in words: `1 machine`, `60 machines`."""
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"
