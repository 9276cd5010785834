"""The JSON of `bandwidth fleet`, and the flat rows of its CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bandwidth.fleet.gathering import Gathered
from bandwidth.fleet.judging import Deviation, Flagged, Fleet, GroupTarget, JudgedGroup, Verdict
from bandwidth.fleet.machines import Machine
from bandwidth.results import Finding

SCHEMA = "bandwidth/fleet/1"


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
            for finding, machines in findings_of(fleet).items()
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


def fleet_records(fleet: Fleet) -> list[dict[str, Any]]:
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


def findings_of(fleet: Fleet) -> dict[Finding, list[Machine]]:
    """Return what the machines' set-ups give away, flagged or not, each with the machines that have it."""
    found: dict[Finding, list[Machine]] = {}
    for group in fleet.groups:
        for machine in group.machines:
            for finding in machine.findings:
                found.setdefault(finding, []).append(machine)
    return found
