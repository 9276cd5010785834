"""Where a record comes from: the exact command, versions, machine, limits, load and times, as tables."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from bandwidth.errors import BandwidthError
from bandwidth.machine.facts import Facts
from bandwidth.report.document import Column, Table
from bandwidth.report.labels import UNKNOWN
from bandwidth.report.system.facts import machine_tables
from bandwidth.report.system.gpus import gpu_names
from bandwidth.report.views.shown import Shown
from bandwidth.results import Record
from bandwidth.units import format_duration

# Wide texts wrap: LaTeX gives these columns a width (write_up/latex.py).
_NAME, _WIDE = 22, 60
_GPUS = "gpus"


def tables(shown: Shown) -> list[Table]:
    """Return the run, the shapes of its kernels, the load before and after, and every fact of the machine."""
    record = shown.record
    return [_run(record), *_shapes(record), *_conditions(record), *_machine(record)]


def _run(record: Record) -> Table:
    memory = record.memory
    timed = sum(sum(result.samples.seconds) for result in record.results)
    stops = sorted({result.samples.stopped_by for result in record.results})
    rows = [
        ("command", shlex.join(record.command)),
        ("version", f"bandwidth {record.tool_version}"),
        ("taken at", record.taken_at),
        ("timed", f"{format_duration(timed)} in {sum(len(one.samples.seconds) for one in record.results)} samples"),
        ("stopped by", ", ".join(stops) or UNKNOWN),
        ("results", f"{len(record.results)} measured, {len(record.not_run)} not run"),
        ("CPUs used", _cpus(record)),
        ("theory", str(memory.get("working") or memory.get("reason") or UNKNOWN)),
        ("theory from", str(memory.get("source") or UNKNOWN)),
        *([("GPUs", gpu_names(record.machine[_GPUS]))] if record.machine.get(_GPUS) else []),
    ]
    return Table((Column("run", wrap_at=_NAME), Column("value", wrap_at=_WIDE)), tuple(rows), "The run")


def _cpus(record: Record) -> str:
    used = {cpu for result in record.results for cpu in result.case.cpus}
    pinned = all(result.pinned for result in record.results)
    if not used:
        return UNKNOWN
    return f"{len(used)} of {record.machine.get('logical_cpus', UNKNOWN)}, {'pinned' if pinned else 'not all pinned'}"


def _shapes(record: Record) -> list[Table]:
    """Return which shapes of the native kernels were taken, and how they were come by; none where none was tried."""
    rows: dict[str, tuple[str, ...]] = {}
    for result in record.results:
        tuning = result.tuning
        shape, tried = tuning.get("shape"), tuning.get("tried", ())
        if "for" not in tuning or not isinstance(shape, Mapping):
            continue
        words = ", ".join(f"{str(name).replace('_', ' ')} {value}" for name, value in shape.items())
        is_now = tuning.get("from") == "trials" and isinstance(tried, list | tuple)
        source = f"best of {len(tried)} tried now" if is_now else "an earlier run"
        rows.setdefault(str(tuning["for"]), (words or "the default", source))
    columns = (Column("kernels", wrap_at=_NAME), Column("shape", wrap_at=_WIDE), Column("from"))
    table = Table(
        columns, tuple((name, *cells) for name, cells in sorted(rows.items())), "Shapes of the native kernels"
    )
    return [table] if rows else []


def _conditions(record: Record) -> list[Table]:
    before, after = (_of_each_gpu(found) for found in (record.conditions.before, record.conditions.after))
    names = list(dict.fromkeys([*before, *after]))
    if not names:
        return []
    columns = (Column("load and limits", wrap_at=_NAME), Column("before", "right"), Column("after", "right"))
    rows = tuple((name.replace("_", " "), _text(before.get(name)), _text(after.get(name))) for name in names)
    return [Table(columns, rows, "Load and limits")]


def _of_each_gpu(conditions: Mapping[str, Any]) -> dict[str, Any]:
    """Return the conditions with those of the GPUs, which stand by address, under names of their own."""
    plain = {name: value for name, value in conditions.items() if name != _GPUS}
    gpus = conditions.get(_GPUS)
    listed = gpus.items() if isinstance(gpus, Mapping) else []
    return plain | {
        f"GPU {address}: {name}": value
        for address, own in listed
        if isinstance(own, Mapping)
        for name, value in own.items()
    }


def _text(value: object) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)


def _machine(record: Record) -> list[Table]:
    """Return the facts as `bandwidth system` shows them; those of a foreign record that lack sources stand alone."""
    try:
        first, *others = machine_tables(Facts.from_json(dict(record.machine)))
    except BandwidthError:
        plain = [
            (name.replace("_", " "), gpu_names(value) if name == _GPUS else _text(value))
            for name, value in record.machine.items()
            if name != "sources"
        ]
        columns = (Column("fact", wrap_at=_NAME), Column("value", wrap_at=_WIDE))
        return [Table(columns, tuple(plain), "The machine")] if plain else []
    return [Table(first.columns, first.rows, "The machine"), *others]
