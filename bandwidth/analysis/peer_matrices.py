"""Copies between several GPUs: from each to every other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bandwidth.analysis.grouping import grouped
from bandwidth.results.model import Record, Result

BOTH_WAYS = "bidirectional"


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
        ways = "both ways, summed" if self.path == BOTH_WAYS else "one way"
        return f"{ways}, direct access {self.access}"


def is_between_gpus(result: Result) -> bool:
    """Return whether a result is of a copy from one GPU to another."""
    return type(result.case.variant.get("peer")) is int and len(result.case.devices) == 1


def peer_matrices(record: Record) -> tuple[PeerMatrix, ...]:
    """Return every matrix between GPUs: one way before both, and the direct way before the one over the host."""
    between = [result for result in record.results if is_between_gpus(result)]
    groups = grouped(between, lambda result: (result.case.path, str(result.case.variant.get("peer_access"))))
    matrices = [_matrix(group) for group in groups]
    return tuple(sorted(matrices, key=lambda matrix: (matrix.path == BOTH_WAYS, matrix.access != "on")))


def _matrix(results: list[Result]) -> PeerMatrix:
    cells = {(result.case.devices[0], int(result.case.variant["peer"])): result for result in results}
    path = results[0].case.path
    if path == BOTH_WAYS:
        cells |= {(to, of): result for (of, to), result in cells.items()}
    return PeerMatrix(path, str(results[0].case.variant.get("peer_access")), cells)
