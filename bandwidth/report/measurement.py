"""What would be measured, and a record: theory beside measurement, what was counted, found and not run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bandwidth.findings.validity import HALF_SIZE_TOLERANCE
from bandwidth.planning.cases import Plan, PlannedCase
from bandwidth.report.document import Column, Document, Table
from bandwidth.report.labels import (
    case_words,
    counted_bytes,
    finding_line,
    format_ns,
    id_words,
    rate_cell,
    runs_words,
    setting_words,
    stores_in_words,
    subject,
    threads_in_words,
)
from bandwidth.report.left_out import named, not_run
from bandwidth.report.views import VIEWS
from bandwidth.report.views.gpus import counted_sizes
from bandwidth.report.views.shown import Shown
from bandwidth.results import Examination, Finding, Record, Result, summarise
from bandwidth.results.files import record_to_json
from bandwidth.units import DEFAULT_RATE_UNIT, format_duration, format_rate, format_size
from bandwidth.vocabulary import HOST

PLAN_SCHEMA = "bandwidth/plan/1"
# What was looked at in every block, each a column of CSV.
OBSERVED = ("clock_hz", "load_bytes_per_s", "huge_page_share", "placed_share", "link_generation", "link_width")
LATENCY_FIELDS = ("median_ns", "best_ns", "ci95_ns", "median_cycles")
RUN_TO_RUN_FIELDS = ("earlier_s_per_call", "run_to_run_bytes_per_s", "run_to_run_ns")


def measurement_document(record: Record, examination: Examination, unit: str = DEFAULT_RATE_UNIT) -> Document:
    """Return the document of a measured record."""
    shown = Shown(record, unit)
    blocks: list[Table | str] = [block for view in VIEWS for block in view.blocks(shown)]
    data = record_to_json(record, examination)
    flat = [_flat(result) for result in data["results"]]
    return Document((*blocks, *counted_texts(shown)), data, flat, remarks(shown, examination))


def counted_texts(shown: Shown) -> list[str]:
    """Return what stands below the tables: what no curve has, what was counted, notes, and what was not run."""
    record = shown.record
    runs = runs_words(record.results)
    of_runs = f"95 % intervals: from run to run, {runs} (explain median)." if runs else ""
    counted = "\n".join(_counted(shown)) if shown.results else ""
    texts = [_alone(shown), counted, of_runs, "\n".join(record.notes)]
    return [text for text in [*texts, not_run(record)] if text]


def remarks(shown: Shown, examination: Examination) -> tuple[str, ...]:
    """Return one line a finding; the same check on several results is one line that names them, or says all."""
    by_code: dict[str, list[tuple[str, Finding]]] = {}
    for case_id, findings in examination.by_id.items():
        for finding in findings:
            by_code.setdefault(finding.code, []).append((case_id, finding))
    words = {result.case.id: subject(result.case, shown.record) for result in shown.results}
    own = {result.case.id for result in shown.own}
    lines = [_grouped(code, group, own, words) for code, group in by_code.items()]
    lines += [finding_line(finding) for finding in examination.general]
    return tuple(lines)


# --- below the tables -----------------------------------------------------------------------------------------------


def _alone(shown: Shown) -> str:
    """Return a line with what belongs to a curve that has too few points to be one: interrupted, or a short range."""
    texts = [f"{_full_words(result)}: {_figure(result, shown.unit)}" for result in shown.alone]
    return f"Too few points for a curve: {'; '.join(texts)}." if texts else ""


def _full_words(result: Result) -> str:
    return f"{case_words(result.case, 'sweep_point')}, {format_size(result.case.working_set_bytes)}"


def _figure(result: Result, unit: str) -> str:
    summary = summarise(result)
    if summary.latency is not None:
        return f"{format_ns(summary.latency.median_ns)} ns"
    rate = rate_cell(summary, unit)
    return rate if summary.median_bytes_per_s is None else f"{rate} {unit}"


def _counted(shown: Shown) -> list[str]:
    """Return what was counted, how much data there was, and what the check at half of it showed."""
    results = shown.results
    verdict = "all verified" if all(result.is_verified for result in results) else "INVALID: the data was wrong"
    counted = counted_bytes(results)
    lines = [f"Bytes counted per element: {counted}; {verdict}." if counted else f"{verdict[0].upper()}{verdict[1:]}."]
    if any(_exceeds_theory(result) for result in results):
        lines.append("! marks a rate above the theoretical peak, which is invalid: see BW002 below.")
    by_size: dict[str, list[int]] = {}
    for result in results:
        if "sweep_point" not in result.case.variant and result.case.target == HOST and result.case.pair is None:
            by_size.setdefault(format_size(result.case.working_set_bytes), []).append(result.case.threads)
    lines += [f"Working set: {size} with {threads_in_words(threads)}." for size, threads in by_size.items()]
    return [*lines, *counted_sizes(shown), *_size_checks(shown)]


def _exceeds_theory(result: Result) -> bool:
    return summarise(result).is_impossible


def _size_checks(shown: Shown) -> list[str]:
    """Return what the checks at half the working set showed."""
    return [
        f"Cache check: with half the data {_short_words(check.whole)} ran at {check.ratio:.2f} of the rate "
        f"(memory: at most {1 + HALF_SIZE_TOLERANCE:.2f})."
        for check in shown.size_checks
        if check.ratio is not None
    ]


def _short_words(result: Result) -> str:
    case = result.case
    how = ", ".join([case.engine, *([stores_in_words(case)] if "stores" in case.variant else [])])
    where = f"with {threads_in_words([case.threads])}" if case.target == HOST else f"on {setting_words([case])}"
    return f"{case.path} ({how}) {where}"


def _grouped(code: str, group: Sequence[tuple[str, Finding]], own: set[str], words: Mapping[str, str]) -> str:
    """Return a code's findings as a line; results stand there by what they are called and not by their ids."""
    case_id, finding = group[0]
    name = words.get(case_id) or id_words(case_id)
    if len(own) > 1 and own <= {found for found, _ in group}:
        return f"{code}: all results, such as {name}: {finding.text}; {finding.hint}."
    others = [words.get(other) or id_words(other) for other, _ in group[1:]]
    also = f" Also: {named(others)}." if others else ""
    return f"{code}: {name}: {finding.text}; {finding.hint}.{also}"


# --- CSV ------------------------------------------------------------------------------------------------------------


def _flat(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result's JSON as one flat row: the samples stay in JSON, an interval becomes two columns.

    Every row has the same columns: a rate leaves those of a latency empty, and the other way round.
    """
    left_out = {"samples_s", "ci95_bytes_per_s", "findings", "tuning", "variant", "caches", "observed"}
    left_out |= {*LATENCY_FIELDS, *RUN_TO_RUN_FIELDS}
    row = {name: value for name, value in result.items() if name not in left_out}
    observed = result["observed"]
    return row | {
        "variant": _pairs(result["variant"]),
        "caches": _pairs(result["caches"]),
        "samples": len(result["samples_s"]),
        **_ends("ci95_{}_bytes_per_s", result["ci95_bytes_per_s"]),
        **_ends("run_to_run_{}_bytes_per_s", result.get("run_to_run_bytes_per_s")),
        "median_ns": result.get("median_ns"),
        "best_ns": result.get("best_ns"),
        **_ends("ci95_{}_ns", result.get("ci95_ns")),
        **_ends("run_to_run_{}_ns", result.get("run_to_run_ns")),
        "median_cycles": result.get("median_cycles"),
        **{name: observed[name]["median"] if name in observed else None for name in OBSERVED},
        "findings": [finding["code"] for finding in result["findings"]],
    }


def _ends(name: str, interval: Sequence[float] | None) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {name.format("low"): low, name.format("high"): high}


def _pairs(values: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items())


# --- what would be measured: the table of `measure --plan` ----------------------------------------------------------


def plan_document(plans: Sequence[Plan], unit: str = DEFAULT_RATE_UNIT) -> Document:
    """Return the document of plans that run one after the other, their cases in the order of priority."""
    records = [_plan_case(planned) for one in plans for planned in one.cases]
    lines = [note for one in plans for note in one.notes]
    theory = plans[0].theory  # of the host's memory, which every plan has
    unknown = f"The memory's peak is unknown: {theory.reason}; {theory.hint}."
    data = {
        "schema": PLAN_SCHEMA,
        "budget_s": sum(one.budget_s for one in plans),
        "memory_bytes": next((one.memory_bytes for one in plans if not one.gpus), 0),
        "memory": theory.to_json(),
        "cases": records,
        "notes": lines,
    }
    notes = ("\n".join(lines),) if lines else ()
    if not records:
        return Document(("Nothing to measure.", *notes), data, records)
    blocks: list[Table | str] = []
    for one in (one for one in plans if one.cases):
        reasons = tuple(dict.fromkeys(planned.why for planned in one.cases))
        blocks += [_plan_table(one, reasons, unit), _plan_legend(reasons), _plan_closing(one)]
    is_unknown = theory.peak is None and any(not one.gpus for one in plans)
    return Document((*blocks, *notes), data, records, (unknown,) if is_unknown else ())


def _plan_table(plan: Plan, reasons: Sequence[str], unit: str) -> Table:
    """Return the cases with their sizes. Reasons are many words and few: where there are several they are numbered."""
    has_theory = any(planned.theory_bytes_per_s is not None for planned in plan.cases)
    columns = [Column("case"), Column("working set", "right")]
    columns += [Column("why", "right")] if len(reasons) > 1 else []
    columns += [Column(f"theory {unit}", "right")] if has_theory else []
    rows = []
    for planned in plan.cases:
        row = [id_words(planned.case.id), format_size(planned.case.working_set_bytes)]
        row += [str(reasons.index(planned.why) + 1)] if len(reasons) > 1 else []
        theory = planned.theory_bytes_per_s
        row += ["-" if theory is None else format_rate(theory, unit)] if has_theory else []
        rows.append(tuple(row))
    return Table(tuple(columns), tuple(rows))


def _plan_legend(reasons: Sequence[str]) -> str:
    if len(reasons) == 1:
        return f"Why this size: {reasons[0]}."
    return "\n".join(["Why this size:", *(f"{place}: {reason}." for place, reason in enumerate(reasons, 1))])


def _plan_closing(plan: Plan) -> str:
    budget = (
        f"Cases run in this order; cases that do not fit the budget of {format_duration(plan.budget_s)} are skipped."
    )
    if plan.gpus:
        return (
            f"Nothing was measured. The largest case needs {format_size(plan.memory_bytes)} of a device's memory, "
            f"which all cases share. {budget}"
        )
    if not plan.memory_bytes:
        return f"Nothing was measured. {budget}"
    return (
        f"Nothing was measured. All arrays together need {format_size(plan.memory_bytes)} of memory: sources and "
        f"destinations are separate. {budget}"
    )


def _plan_case(planned: PlannedCase) -> dict[str, Any]:
    case = planned.case
    return {
        "id": case.id,
        "target": case.target,
        "path": case.path,
        "engine": case.engine,
        "threads": case.threads,
        "working_set_bytes": case.working_set_bytes,
        "dram_rule_bytes": case.dram_rule_bytes,
        "bytes_per_call": case.bytes_per_call,
        "why": planned.why,
        "theory_bytes_per_s": planned.theory_bytes_per_s,
        "theory_source": planned.theory_source,
    }
