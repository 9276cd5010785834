"""Figures from records: the fastest result that stands for a target, and what it is called."""

from __future__ import annotations

from collections.abc import Iterable

from bandwidth.analysis.plain_results import plain_results
from bandwidth.offload.figures import Asked, Source, SourcedFigure
from bandwidth.results import Result, summarise
from bandwidth.vocabulary import HOST, Target

# Work that passes over its data reads it; what was measured instead is the next best.
READING_KERNELS = ("read", "triad", "copy")


def best_result(
    asked: Asked, sources: Iterable[Source], target: str, first: str | None = None
) -> tuple[Source, Result] | None:
    """Return the fastest result from memory of a target, in the first source that has one; kernels in their order."""
    kernels = (
        (asked.kernel,) if asked.kernel is not None else tuple(dict.fromkeys(filter(None, (first, *READING_KERNELS))))
    )
    for source in sources:
        results = [result for result in plain_results(source.record) if _is_of(asked, result, target)]
        for kernel in kernels:
            of_kernel = [result for result in results if result.case.path == kernel]
            if of_kernel:
                lowest = min(_number(result) for result in of_kernel)
                same = [result for result in of_kernel if _number(result) == lowest]
                return source, max(same, key=lambda result: summarise(result).median_bytes_per_s or 0.0)
    return None


def _is_of(asked: Asked, result: Result, target: str) -> bool:
    """Return whether a result is of one target, from its memory, has a rate, and is of the engine wanted."""
    case = result.case
    if case.kind != target or "," in case.target or not case.meets_dram_rule:
        return False
    if target == HOST and (
        (asked.engine is not None and case.engine != asked.engine)
        or (asked.threads is not None and case.threads != asked.threads)
    ):
        return False
    return summarise(result).median_bytes_per_s is not None


def _number(result: Result) -> int:
    number = result.case.target.partition(":")[2]
    return int(number) if number.isdecimal() else 0


def measured_figure(source: Source, result: Result, what: str) -> SourcedFigure:
    """Return the median rate of a result that has one, in bytes per second."""
    rate = summarise(result).median_bytes_per_s
    assert rate is not None  # noqa: S101 - who calls has seen that there is one
    return SourcedFigure(rate, source.kind, f"{source.name}: {what}")


def result_words(result: Result, *how: str) -> str:
    """Return what was measured of a device or a link: `h2d, pinned, link of device 0`."""
    return ", ".join([result.case.path, *how, Target.parse(result.case.target).words])
