"""A record as its views see it: its results in curves, matrices and pairs, each of them worked out once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from bandwidth.analysis.core_pairs import CorePairs, core_pairs
from bandwidth.analysis.curves import LoadCurve, SizeCurve, ThreadCurve, loaded_latency, size_curves, thread_curves
from bandwidth.analysis.groups import (
    NodeMatrix,
    PeerMatrix,
    SizeCheck,
    ZerosPair,
    is_size_check,
    node_matrices,
    peer_matrices,
    size_checks,
    zeros_pairs,
)
from bandwidth.analysis.plain_results import alone_results, plain_results
from bandwidth.results import Record, Result
from bandwidth.results.summary import ChainCurve, chain_curves
from bandwidth.units import DEFAULT_RATE_UNIT


@dataclass(frozen=True)
class Shown:
    """A record, the unit of its rates, and the peak of the arithmetic in FLOP/s where the user gave one."""

    record: Record
    unit: str = DEFAULT_RATE_UNIT
    flops: float | None = None

    @property
    def results(self) -> tuple[Result, ...]:
        """Every result, in the record's order."""
        return self.record.results

    @cached_property
    def plain(self) -> tuple[Result, ...]:
        """The rates that stand for themselves."""
        return plain_results(self.record)

    @cached_property
    def alone(self) -> tuple[Result, ...]:
        """What belongs to a curve that has too few points to be one."""
        return alone_results(self.record)

    @cached_property
    def zeros_pairs(self) -> tuple[ZerosPair, ...]:
        """Results of zeros beside their counterparts."""
        return zeros_pairs(self.record)

    @cached_property
    def size_checks(self) -> tuple[SizeCheck, ...]:
        """Results that were measured at half their size too."""
        return size_checks(self.record)

    @cached_property
    def own(self) -> tuple[Result, ...]:
        """Every result but those that only prove the size of another."""
        return tuple(result for result in self.results if not is_size_check(self.record, result))

    @cached_property
    def size_curves(self) -> tuple[SizeCurve, ...]:
        """Rates and latencies over sizes, of the host, of GPUs and of links."""
        return size_curves(self.record)

    @cached_property
    def thread_curves(self) -> tuple[ThreadCurve, ...]:
        """Rates over numbers of threads."""
        return thread_curves(self.record)

    @cached_property
    def load_curves(self) -> tuple[LoadCurve, ...]:
        """Latencies over the load of the other threads."""
        return loaded_latency(self.record)

    @cached_property
    def chain_curves(self) -> tuple[ChainCurve, ...]:
        """Latencies over the number of chains of loads at once."""
        return chain_curves(self.results)

    @cached_property
    def node_matrices(self) -> tuple[NodeMatrix, ...]:
        """Matrices between NUMA nodes."""
        return node_matrices(self.record)

    @cached_property
    def core_pairs(self) -> CorePairs | None:
        """The time of a cache line between CPUs."""
        return core_pairs(self.record)

    @cached_property
    def peer_matrices(self) -> tuple[PeerMatrix, ...]:
        """Matrices of copies between GPUs."""
        return peer_matrices(self.record)
