"""A record without what names its owner: host names, users, serial numbers, and the paths of the user's files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bandwidth.results import Conditions, NotRun, Record, Result

HOST, FILE, IDENTIFIER = "[host]", "[file]", "[id]"

# Facts that name a machine, its parts or its owner; other facts tell what kind they are.
_NAMING = re.compile(
    r"hostname|host_name|serial|uuid|guid|asset|user|owner|login|mac_address|ip_address|domain|_id_hash", re.IGNORECASE
)
# Folders of every system: what lies there tells where a fact came from, and nothing of the owner.
_OF_THE_SYSTEM = r"(?:proc|sys|etc|usr|lib|lib64|dev|run|bin|sbin|opt)"
_PATH = re.compile(rf"(?<![\w/])(?:~[\w.-]*/|\.{{1,2}}/|/(?!{_OF_THE_SYSTEM}(?:/|\b)))[^\s'\",;:()]+")
_WINDOWS_PATH = re.compile(r"(?<!\w)(?:[A-Za-z]:\\|\\\\)[^\s'\",;()]+")
_IDENTIFIERS = (
    # A UUID, and a network card's address.
    re.compile(r"\b(?:GPU-|MIG-)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE),
    re.compile(r"\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b", re.IGNORECASE),
)
# The options of the command line whose value is a file.
_FILE_OPTIONS = ("--save", "--output", "--facts", "--figures", "--baseline", "--reference", "-o")


def anonymised(record: Record) -> Record:
    """Return the record without host names, users, serials and the user's paths, wherever they stand in it."""
    names = _host_names(record)
    bare = replace(
        record,
        machine=_without_naming(record.machine),
        command=_without_files(record.command),
        memory=_without_naming(record.memory),
        options=_without_naming(record.options),
        conditions=Conditions(_without_naming(record.conditions.before), _without_naming(record.conditions.after)),
    )
    return with_texts(bare, lambda text: _without_names(text, names))


def with_texts(record: Record, change: Callable[[str], str]) -> Record:
    """Return the record with every text in it changed, the names of facts among them; numbers stay as they are."""
    return replace(
        record,
        tool_version=change(record.tool_version),
        taken_at=change(record.taken_at),
        command=tuple(map(change, record.command)),
        machine=_changed(record.machine, change),
        conditions=Conditions(_changed(record.conditions.before, change), _changed(record.conditions.after, change)),
        results=tuple(_with_texts(result, change) for result in record.results),
        not_run=tuple(NotRun(change(skipped.id), change(skipped.reason)) for skipped in record.not_run),
        memory=_changed(record.memory, change),
        options=_changed(record.options, change),
        notes=tuple(map(change, record.notes)),
    )


def _with_texts(result: Result, change: Callable[[str], str]) -> Result:
    case = replace(
        result.case,
        target=change(result.case.target),
        path=change(result.case.path),
        engine=change(result.case.engine),
        variant=_changed(result.case.variant, change),
        caches=_changed(result.case.caches, change),
    )
    return replace(
        result,
        case=case,
        failure=change(result.failure),
        theory_source=None if result.theory_source is None else change(result.theory_source),
        tuning=_changed(result.tuning, change),
    )


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(str(key)): _changed(item, change) for key, item in value.items()}
    return [_changed(item, change) for item in value] if isinstance(value, (list, tuple)) else value


# --- what is left out -----------------------------------------------------------------------------------------------


def _without_naming(value: Any) -> Any:
    """Return facts without those that name, at any depth, their sources among them."""
    if isinstance(value, Mapping):
        return {key: _without_naming(item) for key, item in value.items() if not _NAMING.search(str(key))}
    return [_without_naming(item) for item in value] if isinstance(value, (list, tuple)) else value


def _without_files(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command with the values of options that take a file, and all that looks like one, left out."""
    parts, is_file = [], False
    for part in command:
        option, equals, _ = part.partition("=")
        if is_file or part.endswith((".json", ".html", ".md", ".tex", ".csv")):
            parts.append(FILE)
        else:
            parts.append(f"{option}={FILE}" if equals and option in _FILE_OPTIONS else part)
        is_file = part in _FILE_OPTIONS
    return tuple(parts)


def _host_names(record: Record) -> tuple[str, ...]:
    """Return the host's name, and its first part where it has a domain."""
    name = record.machine.get("hostname")
    return (name, name.split(".")[0]) if isinstance(name, str) and name.split(".")[0] else ()


def _without_names(text: str, names: tuple[str, ...]) -> str:
    for name in names:
        text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", HOST, text)
    text = _WINDOWS_PATH.sub(FILE, _PATH.sub(FILE, text))
    for pattern in _IDENTIFIERS:
        text = pattern.sub(IDENTIFIER, text)
    return text
