"""A fleet: who is slower than the group, by how much and where, and what is different there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bandwidth.fleet.gathering import Gathered
from bandwidth.fleet.judging import Deviation, Flagged, Fleet, GroupTarget, JudgedGroup, Verdict
from bandwidth.fleet.machines import UNNAMED, Group, Machine, Measured
from bandwidth.report.document import Column, Document, Table
from bandwidth.report.figures.data import Figure, Strip, StripRow
from bandwidth.report.labels import UNKNOWN, format_ns, threads_in_words
from bandwidth.report.write_up.content import Block, Items, Section, WriteUp
from bandwidth.results import Finding
from bandwidth.units import DEFAULT_RATE_UNIT, format_percent, format_rate
from bandwidth.vocabulary import HOST

SCHEMA = "bandwidth/fleet/1"
# Of a machine these many of its slowest paths are told, and of ten thousand machines the first; all stand in JSON.
MOST_PATHS = 3
MOST_DIFFERENCES = 6
MOST_NAMED = 20
WRONG_DATA = "WRONG DATA"

METHOD = (
    "Method: machines are compared within groups of one processor model, number of sockets, GPU model and measure "
    "options, by results that no noise took part in. A machine's speed is the median over its results of their ratios "
    "to the group's medians, those with the most threads; it is flagged below {least} and more than {mads:g} scaled "
    "MADs below the group's median."
)


def fleet_document(fleet: Fleet, unit: str = DEFAULT_RATE_UNIT, gathered: Sequence[Gathered] = ()) -> Document:
    """Return the document of a fleet, and of the hosts that were just measured, where they were."""
    blocks: list[Table | str] = [*_gathered_lines(gathered), _headline(fleet)]
    blocks += [_flagged_table(fleet.flagged, unit)] if fleet.flagged else []
    blocks += ["\n".join(_explanations(fleet.flagged))] if fleet.flagged else []
    blocks += [_groups_table(fleet)]
    told = (_finding_lines(fleet), _not_judged_lines(fleet), _not_read_lines(fleet), fleet.notes)
    blocks += ["\n".join(lines) for lines in told if lines]
    return Document(tuple(blocks), fleet_json(fleet, gathered), _records(fleet), (_method(fleet),))


# --- text -----------------------------------------------------------------------------------------------------------


def _method(fleet: Fleet) -> str:
    return METHOD.format(least=format_percent(fleet.least), mads=fleet.most_mads)


def _headline(fleet: Fleet) -> str:
    count = sum(len(group.machines) for group in fleet.groups)
    flagged = len({one.machine.name for one in fleet.flagged})
    parts = [f"{_count(count, 'machine')} in {_count(len(fleet.groups), 'group')}: {flagged or 'none'} flagged"]
    parts += [f"{len({one.machine.name for one in fleet.not_judged})} not judged"] if fleet.not_judged else []
    parts += [f"{_count(len(fleet.not_read), 'file')} not read"] if fleet.not_read else []
    return ", ".join(parts) + "."


def _flagged_table(flagged: Sequence[Flagged], unit: str) -> Table:
    columns = (
        Column("host"),
        Column("target"),
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
        return (one.machine.name, one.target, WRONG_DATA, UNKNOWN, one.failed[0], UNKNOWN, UNKNOWN)
    slowest = one.deviations[0]
    return (
        one.machine.name,
        one.target,
        format_percent(one.ratio),
        _mads(one.mads),
        _words(slowest.measured),
        _figure(slowest.measured, slowest.figure, unit),
        _figure(slowest.measured, slowest.group_figure, unit),
    )


def _explanations(flagged: Sequence[Flagged]) -> list[str]:
    """Return a line a machine: the paths that deviate most, and what differs from the group."""
    lines = [_explanation(one) for one in flagged[:MOST_NAMED]]
    more = len(flagged) - MOST_NAMED
    return [*lines, f"And {more} more: --json and --format csv name all."] if more > 0 else lines


def _explanation(one: Flagged) -> str:
    if one.failed:
        told = f"the data of {_several(one.failed)} was wrong: this machine gives no right results"
    else:
        told = "slowest " + ", ".join(_path(deviation) for deviation in one.deviations[:MOST_PATHS])
    differs = [str(difference) for difference in one.differs[:MOST_DIFFERENCES]]
    more = len(one.differs) - MOST_DIFFERENCES
    rest = f" and {more} more" if more > 0 else ""
    return f"{one.machine.name}, {one.target}: {told}. Differs: {', '.join(differs) or 'nothing that is known'}{rest}."


def _path(deviation: Deviation) -> str:
    return f"{_words(deviation.measured)} at {format_percent(deviation.ratio)}"


def _groups_table(fleet: Fleet) -> Table:
    """Return a row for each group and target: how many machines, how far apart they usually are."""
    columns = (
        Column("group", wrap_at=26),
        Column("measured", wrap_at=18),
        Column("target"),
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
            target.target,
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
    for finding, machines in _findings(fleet).items():
        names = list(dict.fromkeys(machine.name for machine in machines))
        lines.append(f"{finding.code}: {_several(names)}: {finding.text}; {finding.hint}.")
    return lines


def _findings(fleet: Fleet) -> dict[Finding, list[Machine]]:
    found: dict[Finding, list[Machine]] = {}
    for group in fleet.groups:
        for machine in group.machines:
            for finding in machine.findings:
                found.setdefault(finding, []).append(machine)
    return found


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


def _gathered_lines(gathered: Sequence[Gathered]) -> list[str]:
    if not gathered:
        return []
    whole = sum(one.path is not None and not one.reason for one in gathered)
    lines = [f"Measured {whole} of {_count(len(gathered), 'host')}."]
    lines += [f"Not measured: {one.host}: {one.reason}." for one in gathered if one.path is None]
    lines += [f"In part: {one.host}: {one.reason}." for one in gathered if one.path is not None and one.reason]
    return ["\n".join(lines)]


def _words(one: Measured) -> str:
    rest = [value for _, value in one.rest]
    threads = [threads_in_words([one.threads])] if one.target == HOST else []
    return " ".join([one.path, one.engine, *rest, *threads])


def _figure(one: Measured, figure: float, unit: str) -> str:
    return f"{format_ns(figure)} ns" if one.is_latency else format_rate(figure, unit)


def _mads(mads: float | None) -> str:
    return UNKNOWN if mads is None else f"{mads:,.1f}"


def _several(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _count(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"


# --- data -----------------------------------------------------------------------------------------------------------


def fleet_json(fleet: Fleet, gathered: Sequence[Gathered] = ()) -> dict[str, Any]:
    """Return the contract's object; `not_measured` stands in it where hosts were just measured."""
    hosts = {"not_measured": [{"host": one.host, "reason": one.reason} for one in gathered if one.reason]}
    return {
        "schema": SCHEMA,
        "min": fleet.least,
        "mads": fleet.most_mads,
        "groups": [_group_json(group) for group in fleet.groups],
        "flagged": [_flagged_json(one) for one in fleet.flagged],
        "not_judged": [
            {**_host(one.machine), "target": one.target or None, "reason": one.reason} for one in fleet.not_judged
        ],
        "not_read": [{"file": one.source, "reason": one.reason} for one in fleet.not_read],
        "findings": [
            {**asdict(finding), "machines": [_host(machine) for machine in machines]}
            for finding, machines in _findings(fleet).items()
        ],
        **(hosts if gathered else {}),
        "notes": list(fleet.notes),
    }


def _host(machine: Machine) -> dict[str, Any]:
    return {"hostname": machine.hostname, "label": machine.label or None, "file": machine.source}


def _group_json(group: JudgedGroup) -> dict[str, Any]:
    of = group.group
    known = {
        "cpu_model": of.cpu_model or None,
        "cpu_kind": of.kind or None,
        "cpu_model_known": of.is_model_known,
        "sockets": of.sockets,
        "gpu_models": list(of.gpu_models),
    }
    targets = [
        {
            "target": target.target,
            "machines": len(target.verdicts),
            "paths": target.paths,
            "spread": target.spread,
            "ratios": [{**_host(one.machine), **_verdict_json(one)} for one in target.verdicts],
        }
        for target in group.targets
    ]
    return {**known, "options": of.options, "machines": len(group.machines), "targets": targets}


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    return {"ratio": verdict.ratio, "deviation_mads": verdict.mads, "flagged": verdict.is_flagged}


def _flagged_json(one: Flagged) -> dict[str, Any]:
    """Return a flagged machine: the path that deviates most, as the contract says, then its target's own figures."""
    slowest = _deviation_json(one.deviations[0]) if one.deviations else _failed_json(one)
    return {
        **_host(one.machine),
        "target": one.target,
        **slowest,
        "target_ratio": one.ratio,
        "target_deviation_mads": one.mads,
        "differs": [
            {"name": difference.name, "value": difference.value, "group": difference.group_value}
            for difference in one.differs
        ],
        "failed": list(one.failed),
        "paths": [_deviation_json(deviation) for deviation in one.deviations],
    }


def _deviation_json(deviation: Deviation) -> dict[str, Any]:
    is_latency = deviation.measured.is_latency
    rate, time = (None, deviation) if is_latency else (deviation, None)
    times = {} if time is None else {"median_ns": time.figure, "group_median_ns": time.group_figure}
    return {
        "id": deviation.measured.id,
        "path": deviation.measured.path,
        "engine": deviation.measured.engine,
        "threads": deviation.measured.threads,
        "median_bytes_per_s": None if rate is None else rate.figure,
        "group_median_bytes_per_s": None if rate is None else rate.group_figure,
        **times,
        "ratio": deviation.ratio,
        "deviation_mads": deviation.mads,
    }


def _failed_json(one: Flagged) -> dict[str, Any]:
    fields = ("path", "engine", "threads", "median_bytes_per_s", "group_median_bytes_per_s", "ratio", "deviation_mads")
    return {"id": one.failed[0], **dict.fromkeys(fields)}


def _records(fleet: Fleet) -> list[dict[str, Any]]:
    """Return a row for each machine and target that was judged, the slowest first, then what was not."""
    explained = {(one.machine.name, one.machine.source, one.target): one for one in fleet.flagged if not one.failed}
    rows = [
        (verdict.ratio, _row(group, target, verdict, explained.get(_key(verdict))))
        for group in fleet.groups
        for target in group.targets
        for verdict in target.verdicts
    ]
    wrong = [
        {**_host(one.machine), "target": one.target, "flagged": True, "failed": one.failed}
        for one in fleet.flagged
        if one.failed
    ]
    left = [
        {**_host(one.machine), "target": one.target, "flagged": None, "not_judged": one.reason}
        for one in fleet.not_judged
    ]
    return [*wrong, *(row for _, row in sorted(rows, key=lambda item: item[0])), *left]


def _key(verdict: Verdict) -> tuple[str, str, str]:
    return (verdict.machine.name, verdict.machine.source, verdict.target)


def _row(group: JudgedGroup, target: GroupTarget, verdict: Verdict, flagged: Flagged | None) -> dict[str, Any]:
    slowest = flagged.deviations[0] if flagged is not None else None
    return {
        **_host(verdict.machine),
        "target": target.target,
        "flagged": verdict.is_flagged,
        "ratio": verdict.ratio,
        "deviation_mads": verdict.mads,
        "slowest_id": None if slowest is None else slowest.measured.id,
        "slowest_ratio": None if slowest is None else slowest.ratio,
        "differs": [] if flagged is None else list(flagged.differs),
        "cpu_model": group.group.cpu_model or None,
        "cpu_kind": group.group.kind or None,
        "sockets": group.group.sockets,
        "gpu_models": list(group.group.gpu_models),
        "options": group.group.options,
        "failed": [],
        "not_judged": None,
    }


# --- a page ---------------------------------------------------------------------------------------------------------


def fleet_page(fleet: Fleet, unit: str, drawings: Mapping[str, str], gathered: Sequence[Gathered] = ()) -> str:
    """Return the fleet as one HTML file; `drawings` are the elements of `fleet_figures`, none without matplotlib."""
    from bandwidth.report.write_up.html import html_page

    blocks: list[Block] = list(fleet_document(fleet, unit, gathered).blocks)
    figures = [figure for figure in fleet_figures(fleet) if figure.name in drawings]
    sections = [Section("Machines", (*blocks[: len(_gathered_lines(gathered)) + 1], *figures))]
    sections += [Section("Details", tuple(blocks[len(_gathered_lines(gathered)) + 1 :]))]
    sections += [Section("Method", (Items((_method(fleet),)),))]
    return html_page(WriteUp("A fleet's bandwidth", (_headline(fleet),), tuple(sections)), drawings)


def fleet_figures(fleet: Fleet) -> tuple[Figure, ...]:
    """Return the strip plot: every machine of every group as a dot, the flagged ones as diamonds."""
    rows = [_strip_row(group, target) for group in fleet.groups[:MOST_NAMED] for target in group.targets]
    if not rows:
        return ()
    flagged = sum(len(row.marked) for row in rows)
    strip = Strip(tuple(rows), "% of the group's median", fleet.least * 100)
    told = f"{_count(sum(len(row.percents) for row in rows), 'machine')}, {flagged or 'none'} flagged"
    caption = (
        f"A dot a machine, in the order of their names; diamonds are flagged. The dotted line stands at "
        f"{format_percent(fleet.least)}; what lies beyond the edge stands at it."
    )
    return (Figure("fleet", "Machines against their group", strip, caption, told),)


def _strip_row(group: JudgedGroup, target: GroupTarget) -> StripRow:
    ordered = sorted(target.verdicts, key=lambda verdict: verdict.machine.name)
    marked = tuple(position for position, verdict in enumerate(ordered) if verdict.is_flagged)
    label = f"{group_words(group.group)}\n{target.target}, {group.group.options}"
    return StripRow(label, tuple(verdict.ratio * 100 for verdict in ordered), marked)
