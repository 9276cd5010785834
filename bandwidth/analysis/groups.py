"""Which results belong together: alike in all but one thing, a whole and its half, zeros and other data."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from bandwidth.results.model import Record, Result
from bandwidth.results.summary import Summary, once_each, summarise
from bandwidth.vocabulary import ZEROS

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


# Arrays are whole pages or lines for each thread: what is planned as half, or as 4 KiB, may be a little more.
SIZE_SLACK = 0.05


# --- the check at half the size -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SizeCheck:
    """A result, the same at half its working set, and the second's median over the first's; None without both."""

    whole: Result
    half: Result
    ratio: float | None


def is_size_check(record: Record, result: Result) -> bool:
    """Return whether a result only proves the size of another, its whole; a sweep's points do not.

    The plan marks it. Records from before that (which keep no options either) are looked at: there a point of no sweep
    is one, alone with its case, at half the size of a result.
    """
    if result.case.is_size_check or record.options or "sweep_point" not in result.case.variant:
        return result.case.is_size_check
    alike = _alike(record).get(group_key(result, "sweep_point"), [])
    is_alone = sum("sweep_point" in one.case.variant for one in alike) == 1
    return is_alone and any(_is_half_of(result, whole) for whole in alike)


def size_check_of(record: Record, whole: Result) -> Result | None:
    """Return the same case at half its working set, None where it was not measured."""
    halves = (result for result in _alike(record).get(group_key(whole), ()) if _is_half_of(result, whole))
    return next((half for half in halves if is_size_check(record, half)), None)


@once_each
def _alike(record: Record) -> dict[Hashable, list[Result]]:
    """Return the results in groups of all that a whole and its half have in common."""
    found: dict[Hashable, list[Result]] = {}
    for result in record.results:
        found.setdefault(group_key(result, "sweep_point"), []).append(result)
    return found


def size_checks(record: Record) -> tuple[SizeCheck, ...]:
    """Return every result that was measured at half its size too."""
    pairs = [(whole, size_check_of(record, whole)) for whole in record.results]
    return tuple(SizeCheck(whole, half, _ratio(half, whole)) for whole, half in pairs if half is not None)


def _is_half_of(half: Result, whole: Result) -> bool:
    if "sweep_point" not in half.case.variant or "sweep_point" in whole.case.variant:
        return False
    if whole.case.dram_rule_bytes is None:  # a link: there is no cache to outgrow
        return False
    off_half = abs(half.case.working_set_bytes / whole.case.working_set_bytes - 0.5)
    return off_half <= SIZE_SLACK and group_key(half, "sweep_point") == group_key(whole)


# --- zeros and other data -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ZerosPair:
    """A result that wrote only zeros, the same with other data where it was measured, and the ratio of their medians.

    `ratio` is that of the zeros to the other, None where one of the rates lacks.
    """

    zeros: Result
    other: Result | None
    ratio: float | None


def zeros_pairs(record: Record) -> tuple[ZerosPair, ...]:
    """Return every result of zeros beside its counterpart."""
    all_zeros = [result for result in record.results if result.case.variant.get("data") == ZEROS]
    by_key = {group_key(result): result for result in reversed(record.results)} if all_zeros else {}
    found = []
    for zeros in all_zeros:
        other = by_key.get(group_key(zeros, "data"))
        found.append(ZerosPair(zeros, other, None if other is None else _ratio(zeros, other)))
    return tuple(found)


def _ratio(one: Result, other: Result) -> float | None:
    return divided(summarise(one).median_bytes_per_s, summarise(other).median_bytes_per_s)
