"""A record as a document: theory beside measurement, curves and matrices, what was counted, found and not run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bandwidth.analysis.plain_results import alone_results
from bandwidth.analysis.result_pairs import is_size_check, size_checks
from bandwidth.report.document import Document, Table
from bandwidth.report.labels import (
    HOST,
    case_words,
    counted_bytes,
    finding_line,
    format_ns,
    rate_cell,
    setting_words,
    stores_of,
    thread_words,
)
from bandwidth.report.views.gpus import gpu_heading, gpu_rate_blocks, gpu_size_blocks, gpu_sizes
from bandwidth.report.views.latency import latency_blocks, loaded_blocks
from bandwidth.report.views.links import peer_blocks, transfer_rate_blocks, transfer_size_blocks
from bandwidth.report.views.nodes import matrix_blocks
from bandwidth.report.views.rates import mix_tables, rate_tables, zeros_table
from bandwidth.report.views.sizes import size_blocks, thread_blocks
from bandwidth.results import Examination, Finding, Record, Result, summarise
from bandwidth.results.files import record_to_json
from bandwidth.units import DEFAULT_RATE_UNIT, format_rate, format_size

# A check that strikes a whole sweep, and a sweep that was not reached, name these; all of them stand in JSON.
MOST_NAMED = 8
# What was looked at in every block, each a column of CSV.
OBSERVED = ("clock_hz", "load_bytes_per_s", "huge_page_share", "placed_share", "link_generation", "link_width")
LATENCY_FIELDS = ("median_ns", "best_ns", "ci95_ns", "median_cycles")


def measurement_document(record: Record, examination: Examination, unit: str = DEFAULT_RATE_UNIT) -> Document:
    """Return the document of a measured record."""
    blocks: list[Table | str] = [*host_heading(record), *_views(record, unit)]
    if record.results:
        blocks.append("\n".join(_counted(record)))
    if record.notes:
        blocks.append("\n".join(record.notes))
    if record.not_run:
        blocks.append(_not_run(record))
    data = record_to_json(record, examination)
    shown = [result for result in record.results if not is_size_check(record, result)]
    return Document(tuple(blocks), data, [_flat(result) for result in data["results"]], _remarks(shown, examination))


def _views(record: Record, unit: str) -> list[Table | str]:
    """Return every table, each result in the one of its kind; a view without results is not there."""
    return [
        *rate_tables(record, unit),
        *mix_tables(record, unit),
        *zeros_table(record, unit),
        *thread_blocks(record, unit),
        *size_blocks(record, unit),
        *latency_blocks(record),
        *loaded_blocks(record, unit),
        *matrix_blocks(record, unit),
        *gpu_heading(record),
        *gpu_rate_blocks(record, unit),
        *gpu_size_blocks(record, unit),
        *transfer_rate_blocks(record, unit),
        *transfer_size_blocks(record, unit),
        *peer_blocks(record, unit),
        *_alone(record, unit),
    ]


def _alone(record: Record, unit: str) -> list[str]:
    """Return a line with what belongs to a curve that has too few points to be one: interrupted, or a short range."""
    texts = [f"{_full_words(result)}: {_figure(result, unit)}" for result in alone_results(record)]
    return [f"Too few points for a curve: {'; '.join(texts)}."] if texts else []


def _full_words(result: Result) -> str:
    return f"{case_words(result.case, 'sweep_point')}, {format_size(result.case.working_set_bytes)}"


def _figure(result: Result, unit: str) -> str:
    summary = summarise(result)
    if summary.latency is not None:
        return f"{format_ns(summary.latency.median_ns)} ns"
    rate = rate_cell(summary, unit)
    return rate if summary.median_bytes_per_s is None else f"{rate} {unit}"


def host_heading(record: Record) -> list[str]:
    """Return what the host's tables are headed by, nothing where only GPUs were measured."""
    if record.results and not any(result.case.target == HOST for result in record.results):
        return []
    machine = record.machine
    name = str(machine.get("cpu_model") or machine.get("architecture") or "this machine")
    cores = machine.get("physical_cores")
    parts = [f"Host memory of {name}"]
    if cores is not None:
        parts.append(f"{cores} {'core' if cores == 1 else 'cores'}")
    return [f"{', '.join(parts)}\n{_theory_line(record)}"]


def _theory_line(record: Record) -> str:
    memory = record.memory
    if memory.get("bytes_per_s") is None:
        is_told = memory.get("reason") and record.results
        return "Theory: not known here (BW010 below says why)" if is_told else "Theory: not known here"
    figure = memory.get("short_working") or f"{format_rate(memory['bytes_per_s'])} GB/s"
    return f"Theory: {memory.get('spec', 'memory')}: {figure}, from {memory.get('source', 'the record')}"


def _not_run(record: Record) -> str:
    """Return a line for each reason, with the cases that it kept from running."""
    by_reason: dict[str, list[str]] = {}
    for skipped in record.not_run:
        by_reason.setdefault(skipped.reason, []).append(skipped.id)
    return "\n".join(f"Not run: {_named(ids)}: {reason}." for reason, ids in by_reason.items())


# --- below the table ------------------------------------------------------------------------------------------------


def _counted(record: Record) -> list[str]:
    """Return what was counted, how much data there was, and what the check at half of it showed."""
    verdict = "all verified" if all(result.is_verified for result in record.results) else "INVALID: the data was wrong"
    counted = counted_bytes(record.results)
    lines = [f"Counted, bytes an element: {counted}; {verdict}." if counted else f"{verdict[0].upper()}{verdict[1:]}."]
    if any(_exceeds_theory(result) for result in record.results):
        lines.append("! exceeds the theory, which nothing real does: BW002 below.")
    by_size: dict[str, list[int]] = {}
    for result in record.results:
        if "sweep_point" not in result.case.variant and result.case.target == HOST:
            by_size.setdefault(format_size(result.case.working_set_bytes), []).append(result.case.threads)
    lines += [f"Working set: {size} with {thread_words(threads)}." for size, threads in by_size.items()]
    return [*lines, *gpu_sizes(record), *_size_checks(record)]


def _exceeds_theory(result: Result) -> bool:
    best, theory = summarise(result).best_bytes_per_s, result.theory_bytes_per_s
    return best is not None and theory is not None and best > theory


def _size_checks(record: Record) -> list[str]:
    """Return what the checks at half the working set showed."""
    return [
        f"At half the working set {_short_words(check.whole)} runs at {check.ratio:.2f} of its rate."
        for check in size_checks(record)
        if check.ratio is not None
    ]


def _short_words(result: Result) -> str:
    case = result.case
    how = ", ".join([case.engine, *([stores_of(case)] if "stores" in case.variant else [])])
    where = f"with {thread_words([case.threads])}" if case.target == HOST else f"on {setting_words([case])}"
    return f"{case.path} ({how}) {where}"


def _remarks(shown: Sequence[Result], examination: Examination) -> tuple[str, ...]:
    """Return one line a finding; the same check on several results is one line that names them, or says all."""
    by_code: dict[str, list[tuple[str, Finding]]] = {}
    for case_id, findings in examination.by_id.items():
        for finding in findings:
            by_code.setdefault(finding.code, []).append((case_id, finding))
    ids = {result.case.id for result in shown}
    lines = [_grouped(code, group, ids) for code, group in by_code.items()]
    lines += [finding_line(finding) for finding in examination.general]
    return tuple(lines)


def _grouped(code: str, group: Sequence[tuple[str, Finding]], ids: set[str]) -> str:
    case_id, finding = group[0]
    if len(ids) > 1 and ids <= {found for found, _ in group}:
        return f"{code}: all results, such as {case_id}: {finding.text}; {finding.hint}."
    others = [other for other, _ in group[1:]]
    also = f" Also: {_named(others)}." if others else ""
    return f"{code}: {case_id}: {finding.text}; {finding.hint}.{also}"


def _named(ids: Sequence[str]) -> str:
    """Return the first ids and the number of the others: a sweep has hundreds."""
    more = len(ids) - MOST_NAMED
    return ", ".join(ids[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _flat(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result's JSON as one flat row: the samples stay in JSON, an interval becomes two columns.

    Every row has the same columns: a rate leaves those of a latency empty, and the other way round.
    """
    left_out = ("samples_s", "ci95_bytes_per_s", "findings", "tuning", "variant", "caches", "observed", *LATENCY_FIELDS)
    row = {name: value for name, value in result.items() if name not in left_out}
    observed = result["observed"]
    return row | {
        "variant": _pairs(result["variant"]),
        "caches": _pairs(result["caches"]),
        "samples": len(result["samples_s"]),
        **_ends("ci95_{}_bytes_per_s", result["ci95_bytes_per_s"]),
        "median_ns": result.get("median_ns"),
        "best_ns": result.get("best_ns"),
        **_ends("ci95_{}_ns", result.get("ci95_ns")),
        "median_cycles": result.get("median_cycles"),
        **{name: observed[name]["median"] if name in observed else None for name in OBSERVED},
        "findings": [finding["code"] for finding in result["findings"]],
    }


def _ends(name: str, interval: Sequence[float] | None) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {name.format("low"): low, name.format("high"): high}


def _pairs(values: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items())
