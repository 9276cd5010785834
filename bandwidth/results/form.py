"""The form of a record in its file: the fields of the model's dataclasses, under their names, in JSON.

What a file has otherwise stands here, and only that: a new field of a dataclass needs no word. It follows the others of
its object, a tuple, a mapping or a dataclass in it is an array or an object, and where it has its default it is left
out, so that a file to which it says nothing stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, make_dataclass
from functools import cache, lru_cache
from types import GenericAlias
from typing import Annotated, Any, get_type_hints

from pydantic import AfterValidator, TypeAdapter

from bandwidth.cpu_list import format_cpu_list, parse_cpu_list
from bandwidth.errors import BandwidthError
from bandwidth.results.model import Case, Examination, Finding, Record, Result, Samples
from bandwidth.results.summary import derived

TOOL_NAME = "bandwidth"
# Of a result that is not verified and does not say why.
UNNAMED_FAILURE = "the data was not as it should be"


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
