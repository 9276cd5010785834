"""Which latencies share a cycle of addresses."""

from __future__ import annotations

from bandwidth.results import Case


def cycle_key(case: Case) -> tuple[object, ...]:
    """Return what latencies must share to share their cycle of addresses."""
    return case.cpus[:1], case.variant.get("memory_node"), case.working_set_bytes
