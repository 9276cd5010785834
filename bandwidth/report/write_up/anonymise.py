"""A record without what names its owner: host names, users, serial numbers, and the paths of the user's files.

A machine may be called `host`, `copy` or `linux`. Such a word names nobody where it stands as a word, and the record
would be another if it were left out there; it is left out where only a host's name can stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from bandwidth.engines.registry import ENGINES
from bandwidth.findings import explanations
from bandwidth.kernels import KERNELS
from bandwidth.report.labels import COUNTED_COPIES
from bandwidth.results import Conditions, NotRun, Record, Result
from bandwidth.vocabulary import STORES

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
# Facts that say what kind of machine it is: every word of them is a maker's or a system's, not the owner's.
_KINDS = re.compile(r"model|vendor|brand|architecture|operating_system|kernel|product|name|type|version|api|platform")
_WORD = re.compile(r"[a-z0-9][\w-]*")
# Examples name hosts and files as people do.
_CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)
# What a case is made of beside its kernel, and words of the command line.
_OWN_WORDS = (
    *ENGINES,
    *("host", "device", "pcie", "h2d", "d2h", "bidirectional", "peer"),
    "core_to_core",
    *("latency", "mix", "load", "all", "pinned", "pageable", "write_combined", "zeros", "bandwidth", "measure"),
    *("l1", "l2", "l3", "l4"),
    *("system", "theory", "record", "compare", "check", "report", "offload", "fleet", "specs", "explain"),
)
# A fact's own name, which is no host's: `governor`, `memory_total_bytes`.
_FACT_NAME = re.compile(r"[a-z_]+")
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
        ceilings=tuple(
            replace(one, kind=change(one.kind), working=change(one.working), source=change(one.source))
            for one in result.ceilings
        ),
        tuning=_changed(result.tuning, change),
    )


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {_changed_name(str(key), change): _changed(item, change) for key, item in value.items()}
    return [_changed(item, change) for item in value] if isinstance(value, (list, tuple)) else value


def _changed_name(name: str, change: Callable[[str], str]) -> str:
    return name if _FACT_NAME.fullmatch(name) else change(name)


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


def _host_names(record: Record) -> tuple[re.Pattern[str], ...]:
    """Return what finds the host's name in a text, and its first part where it has a domain."""
    name = record.machine.get("hostname")
    if not isinstance(name, str) or not name.split(".")[0]:
        return ()
    words = _common_words() | set(_words_of_kind(record.machine))
    return tuple(_finder(one, is_word=one.isdecimal() or one.lower() in words) for one in (name, name.split(".")[0]))


def _finder(name: str, *, is_word: bool) -> re.Pattern[str]:
    """Return what finds a host's name; of a word, only behind `user@` or `tcp://`, before `:/` or with its domain."""
    whole = rf"(?<![\w-]){re.escape(name)}(?![\w-])"
    if not is_word:
        return re.compile(whole)
    domain = r"(?:\.[A-Za-z][\w-]*){2,}"
    return re.compile(rf"(?<=@){whole}|(?<=//){whole}|{whole}(?=:/)|{whole}{domain}")


@lru_cache(maxsize=1)
def _common_words() -> frozenset[str]:
    """Return the words of which this program's own texts and the ids of its cases are made, in lower case."""
    texts = (part for entry in explanations() for part in (entry.key, *entry.aliases, entry.title, entry.text))
    words = (word for text in texts for word in _WORD.findall(_CODE.sub(" ", text).lower()))
    parts = {part for word in words for part in (word, *word.split("-"))}
    return frozenset({*parts, *KERNELS, *STORES, *COUNTED_COPIES, *_OWN_WORDS})


def _words_of_kind(facts: Any) -> Iterator[str]:
    """Yield the words of the facts that say of what kind a machine and its parts are, at any depth."""
    if isinstance(facts, Mapping):
        for key, value in facts.items():
            if isinstance(value, str) and _KINDS.search(str(key)) and not _NAMING.search(str(key)):
                yield from _WORD.findall(value.lower())
            elif not isinstance(value, str):
                yield from _words_of_kind(value)
    elif isinstance(facts, (list, tuple)):
        for item in facts:
            yield from _words_of_kind(item)


def _without_names(text: str, names: tuple[re.Pattern[str], ...]) -> str:
    for name in names:
        text = name.sub(HOST, text)
    text = _WINDOWS_PATH.sub(FILE, _PATH.sub(FILE, text))
    for pattern in _IDENTIFIERS:
        text = pattern.sub(IDENTIFIER, text)
    return text
