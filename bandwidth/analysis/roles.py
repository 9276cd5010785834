"""The roles in which results of any two machines meet: all cores, one core, a GPU's memory, and its link both ways.

Ids differ with the number of cores and the kernels that were chosen; the question that is asked of a machine does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bandwidth.analysis.curves import CURVE_KEYS
from bandwidth.analysis.plain_results import plain_results
from bandwidth.kernels import KERNELS
from bandwidth.results.model import Case, Record, Result
from bandwidth.results.summary import once_each, summarise
from bandwidth.vocabulary import D2H, DEVICE, H2D, HOST, NATIVE, NUMPY, PINNED, STREAMING

ALL_CORES, ONE_CORE, GPU_MEMORY, LINK_TO, LINK_FROM = ROLES = (
    *("all cores", "one core", "GPU memory"),
    *("link to", "link from"),
)
# Reading is what a memory does best and copying what programs do most; the others follow in the kernels' order.
_PATHS = tuple(dict.fromkeys(("read", "copy", "triad", *KERNELS)))
# Of a hybrid processor the slower cores do not stand for the machine.
_FASTEST_CORES = "performance"


@dataclass(frozen=True)
class Way:
    """How a role was measured: the path, the engine, and the stores or the host memory; empty where any will do."""

    path: str
    engine: str = ""
    detail: str = ""

    @property
    def place(self) -> tuple[Any, ...]:
        """Where it stands among the ways of one role: what says most about the memory comes first."""
        path = _PATHS.index(self.path) if self.path in _PATHS else len(_PATHS)
        engine = {NATIVE: 0, NUMPY: 2}.get(self.engine, 1)
        return (path, engine, self.engine, self.detail not in ("", STREAMING, PINNED), self.detail)

    def coarser(self) -> tuple[Way, ...]:
        """Return this way, then without its detail, then of any engine."""
        return (self, Way(self.path, self.engine), Way(self.path))


def way_of(case: Case) -> Way:
    """Return how a case was measured."""
    return Way(case.path, case.engine, str(case.variant.get("stores", case.variant.get("host_memory", ""))))


def role_of(case: Case, most_threads: int) -> str | None:
    """Return the role of a case on a machine measured with `most_threads` at most, None where it has none.

    One thread of several counts as one core; what has a view of its own, and what several GPUs do at once, has none.
    """
    apart = any(key in case.variant for key in (*CURVE_KEYS, "mix", "data", "pages", "peer"))
    if case.is_latency or apart or len(case.devices) > 1:
        return None
    if case.variant.get("cores", _FASTEST_CORES) != _FASTEST_CORES:
        return None
    if case.kind == HOST:
        if case.threads == most_threads and "cores" not in case.variant and most_threads > 1:
            return ALL_CORES
        return ONE_CORE if case.threads == 1 else None
    return GPU_MEMORY if case.kind == DEVICE else {H2D: LINK_TO, D2H: LINK_FROM}.get(case.path)


def most_threads_of(cases: Iterable[Case]) -> int:
    """Return the most threads of the host's rates, 0 where there are none."""
    return max((case.threads for case in cases if case.kind == HOST and not case.is_latency), default=0)


@once_each
def results_by_role(record: Record) -> dict[str, Result]:
    """Return the result that stands for each role of a record, in the order of ROLES: the first way, the fastest."""
    plain = [one for one in plain_results(record) if summarise(one).median_bytes_per_s is not None]
    most = most_threads_of(one.case for one in plain)
    found: dict[str, list[Result]] = {role: [] for role in ROLES}
    for result in plain:
        role = role_of(result.case, most)
        if role is not None:
            found[role].append(result)
    return {role: min(results, key=_place) for role, results in found.items() if results}


def _place(result: Result) -> tuple[Any, ...]:
    return (*way_of(result.case).place, -(summarise(result).median_bytes_per_s or 0.0))
