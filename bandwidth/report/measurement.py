"""A record as a table: theory beside measurement, what was counted, what was found, what was not run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bandwidth.measuring.kernels import KERNELS
from bandwidth.report.document import Column, Document, Table
from bandwidth.results import Examination, Finding, Record, Result, Summary, summarise
from bandwidth.results.files import record_to_json
from bandwidth.units import DEFAULT_RATE_UNIT, format_percent, format_rate, format_size

# Results beyond this share of their theory are not printed as a plain percentage.
WHOLE = 1.0
UNKNOWN = "-"


def measurement_document(record: Record, examination: Examination, unit: str = DEFAULT_RATE_UNIT) -> Document:
    """Return the document of a measured record."""
    shown = [result for result in record.results if "sweep_point" not in result.case.variant]
    blocks: list[Table | str] = [_heading(record)]
    if shown:
        blocks += [_table(shown, unit), "\n".join(_counted(record, shown))]
    if record.not_run:
        blocks.append(_not_run(record))
    data = record_to_json(record, examination)
    return Document(tuple(blocks), data, [_flat(result) for result in data["results"]], _remarks(shown, examination))


def _heading(record: Record) -> str:
    machine = record.machine
    name = str(machine.get("cpu_model") or machine.get("architecture") or "this machine")
    cores = machine.get("physical_cores")
    parts = [f"Host memory of {name}"]
    if cores is not None:
        parts.append(f"{cores} {'core' if cores == 1 else 'cores'}")
    return f"{', '.join(parts)}\n{_theory_line(record)}"


def _theory_line(record: Record) -> str:
    memory = record.memory
    if memory.get("bytes_per_s") is None:
        return "Theory: not known here (BW010 below says why)" if memory.get("reason") else "Theory: not known here"
    figure = memory.get("short_working") or f"{format_rate(memory['bytes_per_s'])} GB/s"
    return f"Theory: {memory.get('spec', 'memory')}: {figure}, from {memory.get('source', 'the record')}"


def _table(results: Sequence[Result], unit: str) -> Table:
    columns = (
        Column("path"),
        Column("engine"),
        Column("threads", "right"),
        Column(f"median {unit}", "right"),
        Column("95 % interval", "right"),
        Column("best", "right"),
        Column("theory", "right"),
        Column("share", "right"),
        Column("n", "right"),
    )
    return Table(columns, tuple(_row(result, summarise(result), unit) for result in results))


def _row(result: Result, summary: Summary, unit: str) -> tuple[str, ...]:
    case = result.case
    start = (case.path, case.engine, str(case.threads))
    if summary.median_bytes_per_s is None or summary.best_bytes_per_s is None:
        return (*start, "INVALID", UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, str(summary.count))
    interval = UNKNOWN
    if summary.ci95 is not None:
        interval = f"{format_rate(summary.ci95.low, unit)}-{format_rate(summary.ci95.high, unit)}"
    theory = result.theory_bytes_per_s
    return (
        *start,
        _marked(summary.median_bytes_per_s, theory, unit),
        interval,
        _marked(summary.best_bytes_per_s, theory, unit),
        UNKNOWN if theory is None else format_rate(theory, unit),
        _share(summary),
        str(summary.count),
    )


def _share(summary: Summary) -> str:
    if summary.efficiency is None:
        return UNKNOWN
    if summary.efficiency > WHOLE:
        return "INVALID"
    return format_percent(summary.efficiency)


def _marked(rate: float, theory: float | None, unit: str) -> str:
    """Return a rate, marked where it exceeds its theory: it is not to be read as a plain number."""
    return format_rate(rate, unit) + ("!" if theory is not None and rate > theory else "")


def _not_run(record: Record) -> str:
    """Return a line for each reason, with all cases that it kept from running."""
    by_reason: dict[str, list[str]] = {}
    for skipped in record.not_run:
        by_reason.setdefault(skipped.reason, []).append(skipped.id)
    return "\n".join(f"Not run: {', '.join(ids)}: {reason}." for reason, ids in by_reason.items())


# --- below the table ------------------------------------------------------------------------------------------------


def _counted(record: Record, shown: Sequence[Result]) -> list[str]:
    """Return what was counted, how much data there was, and what the check at half of it showed."""
    paths = list(dict.fromkeys(result.case.path for result in shown))
    counted = ", ".join(f"{path} {KERNELS[path].counted}" for path in paths if path in KERNELS)
    verdict = "all verified" if all(result.is_verified for result in shown) else "INVALID: the data was wrong"
    lines = [f"Counted, bytes an element: {counted}; {verdict}."]
    by_size: dict[str, list[int]] = {}
    for result in shown:
        threads = by_size.setdefault(format_size(result.case.working_set_bytes), [])
        threads += [result.case.threads] if result.case.threads not in threads else []
    if any(_exceeds_theory(result) for result in shown):
        lines.append("! exceeds the theory, which nothing real does: BW002 below.")
    lines += [f"Working set: {size} with {_thread_words(threads)}." for size, threads in by_size.items()]
    return [*lines, *_size_checks(record)]


def _exceeds_theory(result: Result) -> bool:
    best, theory = summarise(result).best_bytes_per_s, result.theory_bytes_per_s
    return best is not None and theory is not None and best > theory


def _thread_words(threads: Sequence[int]) -> str:
    counts = [str(count) for count in sorted(threads)]
    joined = " and ".join(filter(None, (", ".join(counts[:-1]), counts[-1])))
    return f"{joined} {'thread' if joined == '1' else 'threads'}"


def _size_checks(record: Record) -> list[str]:
    """Return what the checks at half the working set showed."""
    lines = []
    for check in record.results:
        whole = next((result for result in record.results if _is_half_of(check, result)), None)
        half_rate = summarise(check).median_bytes_per_s
        rate = None if whole is None else summarise(whole).median_bytes_per_s
        if half_rate and rate:
            words = f"{check.case.path} with {_thread_words([check.case.threads])}"
            lines.append(f"At half the working set {words} runs at {half_rate / rate:.2f} of its rate.")
    return lines


def _is_half_of(check: Result, whole: Result) -> bool:
    if "sweep_point" not in check.case.variant or "sweep_point" in whole.case.variant:
        return False
    one, other = check.case, whole.case
    return (one.path, one.engine, one.threads) == (other.path, other.engine, other.threads)


def _remarks(shown: Sequence[Result], examination: Examination) -> tuple[str, ...]:
    """Return one line a finding; the same check on several results is one line that names them, or says all."""
    by_code: dict[str, list[tuple[str, Finding]]] = {}
    for case_id, findings in examination.by_id.items():
        for finding in findings:
            by_code.setdefault(finding.code, []).append((case_id, finding))
    ids = {result.case.id for result in shown}
    lines = [_grouped(code, group, ids) for code, group in by_code.items()]
    lines += [f"{finding.code}: {finding.text}; {finding.hint}." for finding in examination.general]
    return tuple(lines)


def _grouped(code: str, group: Sequence[tuple[str, Finding]], ids: set[str]) -> str:
    case_id, finding = group[0]
    if len(ids) > 1 and ids <= {found for found, _ in group}:
        return f"{code}: all results, such as {case_id}: {finding.text}; {finding.hint}."
    others = [other for other, _ in group[1:]]
    also = f" Also: {', '.join(others)}." if others else ""
    return f"{code}: {case_id}: {finding.text}; {finding.hint}.{also}"


def _flat(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result's JSON as one flat row: the samples stay in JSON, the interval becomes two columns."""
    interval = result["ci95_bytes_per_s"] or [None, None]
    left_out = ("samples_s", "ci95_bytes_per_s", "findings", "tuning", "variant")
    row = {name: value for name, value in result.items() if name not in left_out}
    variant = " ".join(f"{name}={value}" for name, value in result["variant"].items())
    codes = [finding["code"] for finding in result["findings"]]
    return row | {
        "variant": variant,
        "samples": len(result["samples_s"]),
        "ci95_low_bytes_per_s": interval[0],
        "ci95_high_bytes_per_s": interval[1],
        "findings": codes,
    }
