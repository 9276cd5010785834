"""Which cases of the host share memory: what they must have in common to do so."""

from __future__ import annotations

from bandwidth.results import Case


def layout_key(case: Case) -> tuple[tuple[int, ...], int | None]:
    """Return what rates must share to share memory: their CPUs, and the node of their memory where one is asked."""
    node = case.variant.get("memory_node")
    return case.cpus, None if node is None else int(node)


def cycle_key(case: Case) -> tuple[object, ...]:
    """Return what latencies must share to share their cycle of addresses."""
    return case.cpus[:1], case.variant.get("memory_node"), case.working_set_bytes
