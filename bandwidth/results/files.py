"""Records as JSON: written whole or not at all, checked where they are read, older schemas brought up to date."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json

from bandwidth.errors import BandwidthError
from bandwidth.results.form import fields_in_file, type_in_file
from bandwidth.results.model import Examination, Record
from bandwidth.text_files import read_text, write_atomically

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
        raise BandwidthError(f"{name} is not whole JSON: {error}", "it was cut short or is no record") from error
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
        raise BandwidthError(f"{name}: the result {twice[:LONGEST_PLACE]!a} stands there twice", DAMAGED_HINT)
    return record


def _as_json(content: Mapping[str, Any]) -> bytes:
    """Return a content as JSON again, because only there does pydantic's strict mode take a list for a tuple."""
    try:
        return to_json(content)
    except ValueError:  # half of a surrogate pair, as in the name of a file in another encoding, becomes a `?`
        return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")


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
