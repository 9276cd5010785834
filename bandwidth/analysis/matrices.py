"""Results between every two places: from the CPUs of a NUMA node to the memory of one, from a GPU to another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bandwidth.analysis.groups import NODE_KEYS, group_key, grouped
from bandwidth.results.model import Case, Observed, Record, Result
from bandwidth.results.summary import Summary, summarise
from bandwidth.vocabulary import BIDIRECTIONAL

# A twentieth of the pages elsewhere changes a rate by less than the noise of a shared machine.
PLACED_SHARE = 0.95


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
