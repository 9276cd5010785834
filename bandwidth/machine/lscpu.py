"""The text of lscpu (util-linux), or of `lscpu -J`: what people paste where /proc/cpuinfo was asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from bandwidth.machine.cpuinfo import is_name, name_of_kinds
from bandwidth.machine.facts import DERIVED, Fact, known
from bandwidth.machine.reader import whole_number

_FIELD = re.compile(r"\s*(?:>\s*)*([A-Z][A-Za-z0-9 ()/-]{1,40}):\s*(.*?)\s*")
_MARKS = ("Socket(s)", "Core(s) per socket", "Thread(s) per core", "On-line CPU(s) list")
_KIND = "Model name"
_LONGEST = 1_000_000


def is_lscpu(text: str) -> bool:
    """Return whether a text has fields that lscpu alone prints."""
    names = {name for name, _ in _fields(text)}
    return any(mark in names for mark in _MARKS)


def facts_of_lscpu(text: str, source: str) -> dict[str, Fact]:
    """Return the processor, `sockets` and, in a virtual machine, `virtualization`; a hybrid has a block a kind."""
    fields: dict[str, str] = {}
    kinds: list[dict[str, str]] = []
    for name, value in _fields(text):
        fields.setdefault(name, value)
        if name == _KIND:
            kinds.append({})
        if kinds:
            kinds[-1].setdefault(name, value)
    virtual = fields.get("Hypervisor vendor")
    return {
        **known("cpu_vendor", fields.get("Vendor ID") or None, source),
        **known("cpu_family", whole_number(fields.get("CPU family")), source),
        **known("cpu_model_number", whole_number(fields.get("Model")) if len(kinds) < 2 else None, source),
        **known("cpu_model", _name(fields, kinds), source, DERIVED),
        **known("sockets", whole_number(fields.get("Socket(s)")), source),
        **known("virtualization", virtual or None, source),
    }


def _name(fields: dict[str, str], kinds: list[dict[str, str]]) -> str | None:
    names = [kind[_KIND] for kind in kinds]
    if not names or not all(is_name(name) for name in names):
        return None
    if len(set(names)) > 1:
        counts = [_cores(kind) for kind in kinds]
        if any(count is None for count in counts):
            return None
        return name_of_kinds([(name, count or 0) for name, count in zip(names, counts, strict=True)])
    vendor = fields.get("Vendor ID", "")
    is_core = fields.get("Architecture", "").startswith(("aarch64", "arm")) and names[0].startswith(
        ("Cortex", "Neoverse")
    )
    return f"{vendor} {names[0]}" if is_core and vendor else names[0]


def _cores(kind: dict[str, str]) -> int | None:
    each, groups = whole_number(kind.get("Core(s) per socket")), whole_number(kind.get("Socket(s)", "1"))
    if each is None:
        each, groups = whole_number(kind.get("Core(s) per cluster")), whole_number(kind.get("Cluster(s)", "1"))
    return None if each is None or groups is None else each * groups


def _fields(text: str) -> Iterator[tuple[str, str]]:
    if text.lstrip().startswith("{"):
        yield from _json_fields(text)
        return
    for line in text[:_LONGEST].splitlines():
        match = _FIELD.fullmatch(line[:500])
        if match is not None:
            yield match[1], "".join(letter for letter in match[2] if letter.isprintable())


def _json_fields(text: str) -> Iterator[tuple[str, str]]:
    """Yield the fields of `lscpu -J`, which newer versions nest."""
    try:
        waiting = [json.loads(text)]
    except (ValueError, RecursionError):
        return
    while waiting:
        found = waiting.pop(0)
        if isinstance(found, list):
            waiting = [*found, *waiting]
        elif isinstance(found, dict):
            name, value = found.get("field"), found.get("data")
            if isinstance(name, str) and isinstance(value, str):
                yield name.rstrip(":"), value
            waiting = [*(item for item in found.values() if isinstance(item, (list, dict))), *waiting]
