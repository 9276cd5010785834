"""What would be measured: the table of `measure --plan`."""

from __future__ import annotations

from typing import Any

from bandwidth.measuring.plan import Plan, PlannedCase
from bandwidth.report.document import Column, Document, Table
from bandwidth.units import DEFAULT_RATE_UNIT, format_duration, format_rate, format_size

SCHEMA = "bandwidth/plan/1"


def plan_document(plan: Plan, unit: str = DEFAULT_RATE_UNIT) -> Document:
    """Return the document of a plan, in the order in which the cases have priority."""
    columns = (Column("case"), Column("working set", "right"), Column("why"), Column(f"theory {unit}", "right"))
    table = Table(columns, tuple(_row(planned, unit) for planned in plan.cases))
    records = [_record(planned) for planned in plan.cases]
    line = (
        f"Nothing was measured. All arrays together take {format_size(plan.memory_bytes)} of memory: sources and "
        f"destinations lie apart. What the budget of {format_duration(plan.budget_s)} does not reach is left out."
    )
    theory = plan.theory.to_json()
    unknown = f"The memory's peak is not known here: {plan.theory.reason}; {plan.theory.hint}."
    remark = (unknown,) if plan.theory.peak is None else ()
    data = {
        "schema": SCHEMA,
        "budget_s": plan.budget_s,
        "memory_bytes": plan.memory_bytes,
        "memory": theory,
        "cases": records,
    }
    return Document((table, line), data, records, remark)


def _row(planned: PlannedCase, unit: str) -> tuple[str, ...]:
    theory = "-" if planned.theory_bytes_per_s is None else format_rate(planned.theory_bytes_per_s, unit)
    return (planned.case.id, format_size(planned.case.working_set_bytes), planned.why, theory)


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
