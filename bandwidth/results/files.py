"""Records as JSON: written whole or not at all, checked where they are read, older schemas brought up to date.

A file has the fields of the model's dataclasses, under their names. What it has otherwise stands here, and only that: a
new field of a dataclass needs no word. It follows the others of its object, a tuple, a mapping or a dataclass in it is
an array or an object, and where it has its default it is left out, so that a file to which it says nothing stays as it
was.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, make_dataclass
from functools import cache, lru_cache
from pathlib import Path
from types import GenericAlias
from typing import Annotated, Any, get_type_hints

from pydantic import AfterValidator, TypeAdapter, ValidationError
from pydantic_core import to_json

from bandwidth.cpu_list import format_cpu_list, parse_cpu_list
from bandwidth.errors import BandwidthError
from bandwidth.results.model import Case, Examination, Finding, Record, Result, Samples
from bandwidth.results.summary import derived
from bandwidth.text_files import read_text, write_atomically

TOOL_NAME = "bandwidth"
# Of a result that is not verified and does not say why.
UNNAMED_FAILURE = "the data was wrong"


@dataclass(frozen=True)
class _Tool:
    name: str
    version: str


# Every result of a machine runs on one of two or three lists, and so do those of ten thousand machines.
@lru_cache(maxsize=1024)
def _parsed_cpus(text: str) -> tuple[int, ...]:
    try:
        return parse_cpu_list(text) if text else ()
    except BandwidthError as error:
        raise ValueError(error.message) from error


@dataclass(frozen=True)
class _Form:
    """How a field stands in a file: its name and type there (None: as declared), and what is written of its value."""

    name: str
    type: Any
    write: Callable[[Any], Any]


_FORMS = {
    (Record, "tool_version"): _Form(
        "tool",
        Annotated[_Tool, AfterValidator(lambda tool: tool.version)],
        lambda version: {"name": TOOL_NAME, "version": version},
    ),
    (Case, "cpus"): _Form("cpus", Annotated[str, AfterValidator(_parsed_cpus)], format_cpu_list),
    (Samples, "seconds"): _Form("samples_s", None, list),
    (Result, "failure"): _Form("failure", str | None, lambda failure: failure or None),
}
# These fields of a result are no objects of their own: what they hold stands in the result's.
_SPREAD = {"case": Case, "samples": Samples}
# What `derived` adds is written for the reader and worked out anew; but where one of these lacks, it is no result.
_DERIVED_AND_REQUIRED = {"id": str, "verified": bool}
# What schema 1 began with is written always and in this order. All other fields follow as they are declared.
_RECORD_ORDER = ("tool", "taken_at", "command", "machine", "conditions", "memory", "results", "not_run", "notes")
_RESULT_ORDER = (
    "id", "target", "path", "engine", "threads", "cpus", "pinned", "caches_known", "caches", "variant",
    "working_set_bytes", "dram_rule_bytes", "bytes_per_call", "payload_bytes_per_call", "traffic_bytes_per_call",
    "samples_s", "calls_per_sample", "start_skew_s", "stopped_by", "verified", "last_block_checked", "failure",
    "median_bytes_per_s", "best_bytes_per_s", "ci95_bytes_per_s", "theory_bytes_per_s", "theory_source",
    "vendor_bytes_per_s", "efficiency", "vendor_efficiency", "ceilings", "bound_by", "share",
    "median_ns", "best_ns", "ci95_ns", "median_cycles",
    "tuning", "observed",
)  # fmt: skip
_ALWAYS = {Record: _RECORD_ORDER, Result: _RESULT_ORDER, Case: _RESULT_ORDER, Samples: _RESULT_ORDER}


@cache
def _fields_of(kind: Any) -> tuple[tuple[str, _Form, Any], ...]:
    """Return the name of each field of a dataclass, its form, and the value that is not written, MISSING for none."""
    found = []
    for declared in fields(kind):
        form = _FORMS.get((kind, declared.name), _Form(declared.name, None, _plain))
        make: Any = declared.default_factory
        default = declared.default if make is MISSING else make()
        found.append((declared.name, form, MISSING if form.name in _ALWAYS.get(kind, ()) else default))
    return tuple(found)


# --- writing --------------------------------------------------------------------------------------------------------


def fields_in_file(record: Record, examination: Examination) -> dict[str, Any]:
    """Return all of a record but its schema as JSON has it, with the figures and the findings for whoever reads it."""
    results = [_result_to_json(result, examination.of(result.case.id)) for result in record.results]
    known = _written(record, results=results)
    return {**_in_order(known, _RECORD_ORDER), "findings": _plain(examination.general)}


def _result_to_json(result: Result, findings: tuple[Finding, ...]) -> dict[str, Any]:
    known = {**_written(result), **derived(result)}
    return {**_in_order(known, _RESULT_ORDER), "findings": _plain(findings)}


def _in_order(known: dict[str, Any], order: tuple[str, ...]) -> dict[str, Any]:
    return {name: known[name] for name in order if name in known} | known


def _written(part: Any, **given: Any) -> dict[str, Any]:
    """Return the fields of a dataclass as a file has them; those that are given stand there as they are."""
    written: dict[str, Any] = {}
    for name, form, default in _fields_of(part.__class__):
        value = getattr(part, name)
        if name in given:
            written[name] = given[name]
        elif name in _SPREAD:
            written |= _written(value)
        elif default is MISSING or value != default:
            written[form.name] = form.write(value)
    return written


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: a dataclass as an object, a mapping as one, a tuple as an array."""
    if isinstance(value, (float, int, str)) or value is None:
        return value
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(entry) for entry in value]
    return _written(value) if is_dataclass(value) else value


# --- reading --------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def type_in_file() -> TypeAdapter[Record]:
    """Return what checks a file and makes a record of it: the dataclasses themselves, in the form of a file.

    A field that they do not know is passed over: a later version that adds one extends the schema.
    """
    results = GenericAlias(tuple, (_in_file(Result, _result_from_file, _DERIVED_AND_REQUIRED), ...))
    return TypeAdapter(_in_file(Record, lambda file: _from_file(Record, file), {}, results=results))


def _in_file(kind: Any, make: Callable[[Any], Any], required: Mapping[str, Any], **types: Any) -> Any:
    """Return the type of a dataclass in a file, its fields flat and in their forms, and `make` to make it of them."""
    flat = make_dataclass(f"{kind.__name__}InFile", [*required.items(), *_declared_in_file(kind, types)], kw_only=True)
    return Annotated[flat, AfterValidator(make)]


def _declared_in_file(kind: Any, types: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    hints = {**get_type_hints(kind, include_extras=True), **types}
    for declared, (name, form, _) in zip(fields(kind), _fields_of(kind), strict=True):
        if name in _SPREAD:
            yield from _declared_in_file(_SPREAD[name], {})
        else:
            default = field(default=declared.default, default_factory=declared.default_factory)
            yield form.name, form.type or hints[name], default


def _from_file(kind: Any, file: Any) -> Any:
    """Return the dataclass that has the fields of a checked object."""
    return kind(
        **{
            name: _from_file(_SPREAD[name], file) if name in _SPREAD else getattr(file, form.name)
            for name, form, _ in _fields_of(kind)
        }
    )


def _result_from_file(file: Any) -> Result:
    file.failure = "" if file.verified else file.failure or UNNAMED_FAILURE
    result: Result = _from_file(Result, file)
    return result


# --- whole files ----------------------------------------------------------------------------------------------------

SCHEMA_FAMILY = "bandwidth/record/"
SCHEMA_VERSION = 1
RECORD_HINT = "use a file written by `bandwidth measure --save`"
DAMAGED_HINT = "the record was changed or damaged"
# Bytes, ticks and counts have fewer digits; a whole number of hundreds of them does not become a float.
MOST_DIGITS = 20
# What of a fault's place in a file is shown: a file that is not ours may have keys of any length.
LONGEST_PLACE = 80

# The steps from each older schema to the next, by the number that they start from.
UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


def record_to_json(record: Record, examination: Examination) -> dict[str, Any]:
    """Return the record as the contract's JSON object, statistics and findings written out for the reader."""
    return {"schema": f"{SCHEMA_FAMILY}{SCHEMA_VERSION}", **fields_in_file(record, examination)}


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
        raise BandwidthError(f"{name} is not complete JSON: {error}", "it is truncated or not a record") from error
    if not isinstance(content, dict):
        raise BandwidthError(f"{name} is not a record of bandwidth", RECORD_HINT)
    try:
        record = type_in_file().validate_json(_as_json(_upgraded(content, name)), strict=True)
    except RecursionError as error:
        raise BandwidthError(f"{name} is nested too deeply for a record", RECORD_HINT) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ascii(".".join(str(part) for part in first["loc"]) or "the record")[1:-1][:LONGEST_PLACE]
        raise BandwidthError(f"{name}: {place}: {first['msg']}", DAMAGED_HINT) from error
    ids = [result.case.id for result in record.results]
    if len(set(ids)) < len(ids):
        twice = next(case_id for case_id in ids if ids.count(case_id) > 1)
        raise BandwidthError(f"{name}: duplicate result {twice[:LONGEST_PLACE]!a}", DAMAGED_HINT)
    return record


def _as_json(content: Mapping[str, Any]) -> bytes:
    """Return a content as JSON again, because only there does pydantic's strict mode take a list for a tuple."""
    try:
        return to_json(content)
    except ValueError:  # half of a surrogate pair, as in the name of a file in another encoding, becomes a `?`
        return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")


def _refuse_constant(constant: str) -> float:
    raise ValueError(f"{constant} is not a JSON number")


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
        shown = f"its schema is {schema!a}" if isinstance(schema, str) else "it has no schema"
        raise BandwidthError(f"{name} is not a record of bandwidth: {shown[:80]}", "use a file of `bandwidth measure`")
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
