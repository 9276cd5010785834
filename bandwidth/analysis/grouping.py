"""Which results belong together: alike in all that tells results apart, but for what a curve runs over."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from bandwidth.results.model import Result
from bandwidth.results.summary import Summary

_Item = TypeVar("_Item")

NODE_KEYS = ("cpu_node", "memory_node")


def group_key(result: Result, *left_out: str, threads: bool = True) -> Hashable:
    """Return what a case shares with the others of its group: all that tells results apart but the keys left out."""
    case = result.case
    variant = tuple(sorted((name, str(value)) for name, value in case.variant.items() if name not in left_out))
    return (case.target, case.path, case.engine, case.threads if threads else None, variant)


def grouped(items: Iterable[_Item], key: Callable[[_Item], Hashable]) -> list[list[_Item]]:
    """Return results, or curves of them, in groups of one key, in the order in which each key first appears."""
    groups: dict[Hashable, list[_Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def divided(value: float | None, by: float | None) -> float | None:
    """Return a quotient, None where a part lacks or the divisor is zero."""
    return None if value is None or not by else value / by


def has_figure(summary: Summary) -> bool:
    """Return whether there is a rate or a latency: the result was verified and has a sample."""
    return summary.median_bytes_per_s is not None or summary.latency is not None
