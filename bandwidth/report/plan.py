"""What would be measured: the table of `measure --plan`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bandwidth.planning.cases import Plan, PlannedCase
from bandwidth.report.document import Column, Document, Table
from bandwidth.units import DEFAULT_RATE_UNIT, format_duration, format_rate, format_size

SCHEMA = "bandwidth/plan/1"


def plan_document(plans: Sequence[Plan], unit: str = DEFAULT_RATE_UNIT) -> Document:
    """Return the document of plans that run one after the other, their cases in the order of priority."""
    records = [_record(planned) for one in plans for planned in one.cases]
    lines = [note for one in plans for note in one.notes]
    theory = plans[0].theory  # of the host's memory, which every plan has
    unknown = f"The memory's peak is not known here: {theory.reason}; {theory.hint}."
    data = {
        "schema": SCHEMA,
        "budget_s": sum(one.budget_s for one in plans),
        "memory_bytes": next((one.memory_bytes for one in plans if not one.gpus), 0),
        "memory": theory.to_json(),
        "cases": records,
        "notes": lines,
    }
    notes = ("\n".join(lines),) if lines else ()
    if not records:
        return Document(("Nothing would be measured.", *notes), data, records)
    blocks: list[Table | str] = []
    for one in (one for one in plans if one.cases):
        reasons = tuple(dict.fromkeys(planned.why for planned in one.cases))
        blocks += [_table(one, reasons, unit), _legend(reasons), _closing(one)]
    is_unknown = theory.peak is None and any(not one.gpus for one in plans)
    return Document((*blocks, *notes), data, records, (unknown,) if is_unknown else ())


def _table(plan: Plan, reasons: Sequence[str], unit: str) -> Table:
    """Return the cases with their sizes. Reasons are many words and few: where there are several they are numbered."""
    has_theory = any(planned.theory_bytes_per_s is not None for planned in plan.cases)
    columns = [Column("case"), Column("working set", "right")]
    columns += [Column("why", "right")] if len(reasons) > 1 else []
    columns += [Column(f"theory {unit}", "right")] if has_theory else []
    rows = []
    for planned in plan.cases:
        row = [planned.case.id, format_size(planned.case.working_set_bytes)]
        row += [str(reasons.index(planned.why) + 1)] if len(reasons) > 1 else []
        theory = planned.theory_bytes_per_s
        row += ["-" if theory is None else format_rate(theory, unit)] if has_theory else []
        rows.append(tuple(row))
    return Table(tuple(columns), tuple(rows))


def _legend(reasons: Sequence[str]) -> str:
    if len(reasons) == 1:
        return f"Why this size: {reasons[0]}."
    return "\n".join(["Why this size:", *(f"{place}: {reason}." for place, reason in enumerate(reasons, 1))])


def _closing(plan: Plan) -> str:
    if plan.gpus:
        return (
            f"Nothing was measured. The largest case takes {format_size(plan.memory_bytes)} of a device's memory, "
            f"which all share. What the budget of {format_duration(plan.budget_s)} does not reach is left out."
        )
    return (
        f"Nothing was measured. All arrays together take {format_size(plan.memory_bytes)} of memory: sources and "
        f"destinations lie apart. What the budget of {format_duration(plan.budget_s)} does not reach is left out."
    )


def _record(planned: PlannedCase) -> dict[str, Any]:
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
