"""Records as JSON: written whole or not at all, checked where they are read, older schemas brought up to date."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from bandwidth.cpu_list import format_cpu_list, parse_cpu_list
from bandwidth.errors import BandwidthError
from bandwidth.results.model import (
    Case,
    Conditions,
    Examination,
    Finding,
    NotRun,
    Observed,
    Record,
    Result,
    Samples,
)
from bandwidth.results.summary import Latency, summarise
from bandwidth.text_files import read_text, write_atomically

TOOL_NAME = "bandwidth"
SCHEMA_FAMILY = "bandwidth/record/"
SCHEMA_VERSION = 1
RECORD_HINT = "give a file that `bandwidth measure --save` wrote"
DAMAGED_HINT = "the record was changed or damaged"
# Bytes, ticks and counts have fewer digits; a whole number of hundreds of them does not become a float.
MOST_DIGITS = 20
# What of a fault's place in a file is shown: a file that is not ours may have keys of any length.
LONGEST_PLACE = 80

# The steps from each older schema to the next, by the number that they start from.
UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


def record_to_json(record: Record, examination: Examination) -> dict[str, Any]:
    """Return the record as the contract's JSON object, statistics and findings written out for the reader."""
    return {
        "schema": f"{SCHEMA_FAMILY}{SCHEMA_VERSION}",
        "tool": {"name": TOOL_NAME, "version": record.tool_version},
        "taken_at": record.taken_at,
        "command": list(record.command),
        **({"options": dict(record.options)} if record.options else {}),
        "machine": dict(record.machine),
        "conditions": {"before": dict(record.conditions.before), "after": dict(record.conditions.after)},
        "memory": dict(record.memory),
        "results": [_result_to_json(result, examination.of(result.case.id)) for result in record.results],
        "not_run": [{"id": skipped.id, "reason": skipped.reason} for skipped in record.not_run],
        "notes": list(record.notes),
        "findings": [finding_to_json(finding) for finding in examination.general],
    }


def save(record: Record, examination: Examination, path: Path) -> None:
    """Write the record to `path` atomically. Raises UsageError where it cannot be written."""
    write_atomically(path, record_text(record, examination))


def record_text(record: Record, examination: Examination) -> str:
    """Return the record as the text of its file."""
    return json.dumps(record_to_json(record, examination), indent=1, allow_nan=False) + "\n"


def load(path: str | Path) -> Record:
    """Return the record in a file.

    Raises BandwidthError, naming the file and the first fault, where it cannot be read, is truncated, comes from
    another program, has a newer schema or does not fit its own.
    """
    return parse(read_text(Path(path), "a record", RECORD_HINT), str(path))


def parse(text: str, name: str) -> Record:
    """Return the record in a JSON text; `name` says in errors where it came from. Raises as `load` does."""
    try:
        content = json.loads(
            text, parse_constant=_refuse_constant, parse_float=_finite_float, parse_int=_bounded_integer
        )
    except (ValueError, RecursionError) as error:
        raise BandwidthError(f"{name} is not whole JSON: {error}", "it was cut short or is no record") from error
    if not isinstance(content, dict):
        raise BandwidthError(f"{name} is not a record of bandwidth", RECORD_HINT)
    try:
        record = _from_file(_RecordFile.model_validate(_upgraded(content, name)))
    except ValidationError as error:
        first = error.errors()[0]
        place = ascii(".".join(str(part) for part in first["loc"]))[1:-1][:LONGEST_PLACE]
        raise BandwidthError(f"{name}: {place}: {first['msg']}", DAMAGED_HINT) from error
    ids = [result.case.id for result in record.results]
    if len(set(ids)) < len(ids):
        twice = next(case_id for case_id in ids if ids.count(case_id) > 1)
        raise BandwidthError(f"{name}: the result {twice[:LONGEST_PLACE]!a} stands there twice", DAMAGED_HINT)
    return record


def _refuse_constant(constant: str) -> float:
    raise ValueError(f"{constant} is not a number of JSON")


def _finite_float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):  # 1e999 is good JSON, and infinite here
        raise ValueError(f"{digits[:20]} is too large a number")
    return value


def _bounded_integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"{digits[:20]}... is too large a number")
    return int(digits)


def _upgraded(content: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the content in today's schema, brought up step by step. Raises BandwidthError for what is not ours."""
    schema = content.get("schema")
    version = schema.removeprefix(SCHEMA_FAMILY) if isinstance(schema, str) else ""
    if not isinstance(schema, str) or not schema.startswith(SCHEMA_FAMILY) or not version.isdecimal():
        shown = f"its schema is {schema!a}" if isinstance(schema, str) else "it names no schema"
        raise BandwidthError(f"{name} is not a record of bandwidth: {shown[:80]}", "give a file of `bandwidth measure`")
    number = int(version[:9])
    if number > SCHEMA_VERSION:
        raise BandwidthError(
            f"{name} has schema {number}, this version reads up to {SCHEMA_VERSION}", "update bandwidth to read it"
        )
    while number < SCHEMA_VERSION:
        if number not in UPGRADES:
            raise BandwidthError(f"{name} has schema {number}, which is not known", "measure again")
        content, number = UPGRADES[number](content), number + 1
    return content


# --- writing --------------------------------------------------------------------------------------------------------


def finding_to_json(finding: Finding) -> dict[str, str]:
    """Return a finding as the contract's JSON object."""
    return {"code": finding.code, "text": finding.text, "hint": finding.hint}


def _result_to_json(result: Result, findings: tuple[Finding, ...]) -> dict[str, Any]:
    case, samples, summary = result.case, result.samples, summarise(result)
    return {
        "id": case.id,
        "target": case.target,
        "path": case.path,
        "engine": case.engine,
        "threads": case.threads,
        "cpus": format_cpu_list(case.cpus),
        "pinned": result.pinned,
        "caches_known": case.caches_known,
        "caches": dict(case.caches),
        "variant": dict(case.variant),
        **({"size_check": True} if case.is_size_check else {}),
        "working_set_bytes": case.working_set_bytes,
        "dram_rule_bytes": case.dram_rule_bytes,
        "bytes_per_call": case.bytes_per_call,
        "payload_bytes_per_call": case.payload_bytes_per_call,
        "traffic_bytes_per_call": case.traffic_bytes_per_call,
        "samples_s": list(samples.seconds),
        "calls_per_sample": samples.calls_per_sample,
        "start_skew_s": samples.start_skew_s,
        "stopped_by": samples.stopped_by,
        "verified": result.is_verified,
        "last_block_checked": result.last_block_checked,
        "failure": result.failure or None,
        "median_bytes_per_s": summary.median_bytes_per_s,
        "best_bytes_per_s": summary.best_bytes_per_s,
        "ci95_bytes_per_s": None if summary.ci95 is None else [summary.ci95.low, summary.ci95.high],
        "theory_bytes_per_s": result.theory_bytes_per_s,
        "theory_source": result.theory_source,
        "vendor_bytes_per_s": result.vendor_bytes_per_s,
        "efficiency": summary.efficiency,
        "vendor_efficiency": summary.vendor_efficiency,
        **_latency_to_json(summary.latency),
        "tuning": dict(result.tuning),
        "observed": {name: _observed_to_json(observed) for name, observed in result.observed.items()},
        "findings": [finding_to_json(finding) for finding in findings],
    }


def _observed_to_json(observed: Observed) -> dict[str, Any]:
    values = {"values": list(observed.values)} if observed.values else {}
    return {"median": observed.median, "least": observed.least, "most": observed.most, **values}


def _latency_to_json(latency: Latency | None) -> dict[str, Any]:
    if latency is None:
        return {}
    return {
        "median_ns": latency.median_ns,
        "best_ns": latency.best_ns,
        "ci95_ns": None if latency.ci95_ns is None else [latency.ci95_ns.low, latency.ci95_ns.high],
        "median_cycles": latency.median_cycles,
    }


# --- reading --------------------------------------------------------------------------------------------------------

# The clocks count nanoseconds, and nothing runs for 30 years. The bounds keep every rate and ratio finite.
_BlockSeconds = Annotated[float, Field(ge=1e-9, le=1e9)]
_Skew = Annotated[float, Field(ge=0, le=1e9)]
_Rate = Annotated[float, Field(ge=1, le=1e30)]
_Count = Annotated[int, Field(ge=1)]
_Seen = Annotated[float, Field(ge=0, le=1e30)]
# A field that a later version adds is passed over: it extends the schema, it does not change it.
_CHECKED = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False)


# Every result of a machine runs on one of two or three lists, and so do those of ten thousand machines.
_parse_cpus = lru_cache(maxsize=1024)(parse_cpu_list)


@lru_cache(maxsize=1024)
def _checked_cpus(text: str) -> str:
    try:
        return format_cpu_list(_parse_cpus(text)) if text else ""
    except BandwidthError as error:
        raise ValueError(error.message) from error


class _ObservedFile(BaseModel):
    model_config = _CHECKED
    median: _Seen
    least: _Seen
    most: _Seen
    values: list[_Seen] = []


class _ResultFile(BaseModel):
    model_config = _CHECKED
    id: str
    target: str
    path: str
    engine: str
    threads: _Count
    working_set_bytes: _Count
    bytes_per_call: _Count
    payload_bytes_per_call: _Count
    traffic_bytes_per_call: _Count | None = None
    samples_s: list[_BlockSeconds]
    calls_per_sample: _Count
    start_skew_s: _Skew
    stopped_by: str
    verified: bool
    failure: str | None = None
    cpus: Annotated[str, AfterValidator(_checked_cpus)] = ""
    pinned: bool = True
    caches_known: bool = True
    caches: dict[str, _Count] = {}
    last_block_checked: bool = True
    variant: dict[str, str | int] = {}
    size_check: bool = False
    dram_rule_bytes: _Count | None = None
    theory_bytes_per_s: _Rate | None = None
    theory_source: str | None = None
    vendor_bytes_per_s: _Rate | None = None
    tuning: dict[str, Any] = {}
    observed: dict[str, _ObservedFile] = {}


class _ToolFile(BaseModel):
    model_config = _CHECKED
    name: str
    version: str


class _NotRunFile(BaseModel):
    model_config = _CHECKED
    id: str
    reason: str


class _ConditionsFile(BaseModel):
    model_config = _CHECKED
    before: dict[str, Any]
    after: dict[str, Any]


class _RecordFile(BaseModel):
    model_config = _CHECKED
    tool: _ToolFile
    taken_at: str
    command: list[str]
    options: dict[str, Any] = {}
    machine: dict[str, Any]
    conditions: _ConditionsFile
    results: list[_ResultFile]
    not_run: list[_NotRunFile]
    memory: dict[str, Any] = {}
    notes: list[str] = []


def _from_file(file: _RecordFile) -> Record:
    return Record(
        tool_version=file.tool.version,
        taken_at=file.taken_at,
        command=tuple(file.command),
        machine=file.machine,
        conditions=Conditions(file.conditions.before, file.conditions.after),
        results=tuple(_result_from_file(result) for result in file.results),
        not_run=tuple(NotRun(skipped.id, skipped.reason) for skipped in file.not_run),
        memory=file.memory,
        notes=tuple(file.notes),
        options=file.options,
    )


def _result_from_file(file: _ResultFile) -> Result:
    case = Case(
        target=file.target,
        path=file.path,
        engine=file.engine,
        threads=file.threads,
        working_set_bytes=file.working_set_bytes,
        bytes_per_call=file.bytes_per_call,
        payload_bytes_per_call=file.payload_bytes_per_call,
        traffic_bytes_per_call=file.traffic_bytes_per_call,
        cpus=_parse_cpus(file.cpus) if file.cpus else (),
        variant=file.variant,
        dram_rule_bytes=file.dram_rule_bytes,
        caches_known=file.caches_known,
        caches=file.caches,
        is_size_check=file.size_check,
    )
    failure = "" if file.verified else file.failure or "the data was not as it should be"
    samples = Samples(tuple(file.samples_s), file.calls_per_sample, file.start_skew_s, file.stopped_by)
    theory = (file.theory_bytes_per_s, file.theory_source, file.vendor_bytes_per_s)
    return Result(
        case,
        samples,
        failure,
        *theory,
        pinned=file.pinned,
        last_block_checked=file.last_block_checked,
        tuning=file.tuning,
        observed={
            name: Observed(seen.median, seen.least, seen.most, tuple(seen.values))
            for name, seen in file.observed.items()
        },
    )
