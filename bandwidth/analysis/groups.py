"""Which results belong together: alike in all but one thing, a whole and its half, zeros and other data.

And every two places: from the CPUs of a NUMA node to the memory of one, from a GPU to another.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from bandwidth.results.model import Case, Observed, Record, Result
from bandwidth.results.summary import Summary, once_each, summarise
from bandwidth.vocabulary import BIDIRECTIONAL, ZEROS

_Item = TypeVar("_Item")

NODE_KEYS = ("cpu_node", "memory_node")
# Arrays are whole pages or lines for each thread: what is planned as half, or as 4 KiB, may be a little more.
SIZE_SLACK = 0.05
# A twentieth of the pages elsewhere changes a rate by less than the noise of a shared machine.
PLACED_SHARE = 0.95


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


# --- between NUMA nodes ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NodeCell:
    """One pair of nodes: its figures, and the share of its pages found on the memory node; None where not verified."""

    result: Result
    summary: Summary
    placed_share: Observed | None


@dataclass(frozen=True)
class NodeMatrix:
    """One case from the CPUs of every node to the memory of every node: `cells` by (CPU node, memory node)."""

    cpu_nodes: tuple[int, ...]
    memory_nodes: tuple[int, ...]
    cells: Mapping[tuple[int, int], NodeCell]

    @property
    def case(self) -> Case:
        """The first cell's case."""
        return next(iter(self.cells.values())).result.case

    @property
    def thread_counts(self) -> tuple[int, ...]:
        """Every number of threads in it: nodes may have different numbers of cores."""
        return tuple(sorted({cell.result.case.threads for cell in self.cells.values()}))


@dataclass(frozen=True)
class Placement:
    """Where the pages of some matrices were found.

    In `verified` of `cells` pairs of nodes the system told where pages lie; `least_share` is the smallest share that
    lay on the memory node asked for, None where none was verified.
    """

    verified: int
    cells: int
    least_share: float | None

    @property
    def is_right(self) -> bool:
        """Whether what was verified lies where it should, but for what cannot show in a rate."""
        return self.least_share is not None and self.least_share >= PLACED_SHARE


def placement(matrices: Iterable[NodeMatrix]) -> Placement:
    """Return what is known of the places of all pages of some matrices."""
    cells = [cell for matrix in matrices for cell in matrix.cells.values()]
    shares = [cell.placed_share.least for cell in cells if cell.placed_share is not None]
    return Placement(len(shares), len(cells), min(shares, default=None))


def node_matrices(record: Record) -> tuple[NodeMatrix, ...]:
    """Return a matrix for each case that was measured between NUMA nodes.

    Nodes of different sizes stand in one matrix, each with its own number of threads, unless one pair of nodes was
    measured with several.
    """
    results = [
        result
        for result in record.results
        if "sweep_point" not in result.case.variant and node_pair(result.case) is not None
    ]
    matrices: list[NodeMatrix] = []
    for group in grouped(results, lambda result: group_key(result, *NODE_KEYS, threads=False)):
        is_one = len({node_pair(result.case) for result in group}) == len(group)
        parts = [group] if is_one else grouped(group, lambda result: result.case.threads)
        matrices += [_node_matrix(part) for part in parts]
    return tuple(matrices)


def node_pair(case: Case) -> tuple[int, int] | None:
    """Return the CPU node and the memory node of a case, None where it does not name both."""
    cpu, memory = (case.variant.get(key) for key in NODE_KEYS)
    return (cpu, memory) if isinstance(cpu, int) and isinstance(memory, int) else None


def _node_matrix(results: Iterable[Result]) -> NodeMatrix:
    cells = {}
    for result in results:
        pair = node_pair(result.case)
        if pair is not None:
            cells[pair] = NodeCell(result, summarise(result), result.observed.get("placed_share"))
    return NodeMatrix(tuple(sorted({cpu for cpu, _ in cells})), tuple(sorted({node for _, node in cells})), cells)


# --- between GPUs ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PeerMatrix:
    """Copies between devices of one kind: `cells` by (device that sends, device that receives).

    `access` tells whether the direct way was `on` or `off`. Both ways at once stand at either place of a pair.
    """

    path: str
    access: str
    cells: Mapping[tuple[int, int], Result]

    @property
    def senders(self) -> tuple[int, ...]:
        """The devices that send, in order."""
        return tuple(sorted({of for of, _ in self.cells}))

    @property
    def receivers(self) -> tuple[int, ...]:
        """The devices that receive, in order."""
        return tuple(sorted({to for _, to in self.cells}))

    @property
    def words(self) -> str:
        """What it is: `one way, direct access on`."""
        ways = "both ways, summed" if self.path == BIDIRECTIONAL else "one way"
        return f"{ways}, direct access {self.access}"


def is_between_gpus(result: Result) -> bool:
    """Return whether a result is of a copy from one GPU to another."""
    return type(result.case.variant.get("peer")) is int and len(result.case.devices) == 1


def peer_matrices(record: Record) -> tuple[PeerMatrix, ...]:
    """Return every matrix between GPUs: one way before both, and the direct way before the one over the host."""
    between = [result for result in record.results if is_between_gpus(result)]
    groups = grouped(between, lambda result: (result.case.path, str(result.case.variant.get("peer_access"))))
    matrices = [_peer_matrix(group) for group in groups]
    return tuple(sorted(matrices, key=lambda matrix: (matrix.path == BIDIRECTIONAL, matrix.access != "on")))


def _peer_matrix(results: list[Result]) -> PeerMatrix:
    cells = {(result.case.devices[0], int(result.case.variant["peer"])): result for result in results}
    path = results[0].case.path
    if path == BIDIRECTIONAL:
        cells |= {(to, of): result for (of, to), result in cells.items()}
    return PeerMatrix(path, str(results[0].case.variant.get("peer_access")), cells)
