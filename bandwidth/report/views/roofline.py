"""The roofline of a record, where the user gives the peak of the arithmetic: Williams, Waterman and Patterson, 2009."""

from __future__ import annotations

from dataclasses import dataclass

from bandwidth.kernels import ELEMENT_BYTES, KERNELS, SUM, Kernel
from bandwidth.report.figures.data import Figure, Mark, Roofline
from bandwidth.report.figures.parts import caption
from bandwidth.report.labels import case_words
from bandwidth.report.views.shown import Shown
from bandwidth.results import Result, summarise
from bandwidth.units import format_rate

# The kernels whose rate stands for what the memory gives: reads alone, and STREAM's own measure.
ROOF_PATHS = ("read", "triad")


def figures(shown: Shown) -> list[Figure]:
    """Return the roofline: the record's best read or triad and the theory as roofs, its kernels as dots.

    None without a peak of arithmetic, or where the record has no such rate from memory.
    """
    # A peak of arithmetic is of the host or of one device, not of several at once.
    alone = [result for result in shown.plain if len(result.case.devices) <= 1]
    results = [result for result in alone if result.case.meets_dram_rule]
    roof = _memory_roof(results)
    flops, unit = shown.flops, shown.unit
    if flops is None or roof is None:
        return []
    rate = summarise(roof).median_bytes_per_s or 0.0
    roofs = [Mark(rate, f"measured {format_rate(rate, unit)} {unit}")]
    if roof.theory_bytes_per_s is not None:
        theory = roof.theory_bytes_per_s
        roofs.append(Mark(theory, f"theory {format_rate(theory, unit)} {unit}"))
    dots, dotted = _dots(results, roof)
    text = caption(
        shown.record,
        [roof, *dotted],
        f"Memory roof: the median of {case_words(roof.case)}. Arithmetic roof: as given, {flops:.4g} FLOP/s."
        " Intensity: the kernel's additions and multiplications over the bytes that its rate counts.",
    )
    told = [f"{label}: {intensity:.4f} FLOP/byte, {reached:.4g} FLOP/s" for label, intensity, reached in dots]
    description = f"Roofs: {', '.join(mark.label for mark in roofs)}, {flops:.4g} FLOP/s. {'; '.join(told)}."
    return [Figure("roofline", "Roofline", Roofline(flops, tuple(roofs), dots), text, description)]


def operations(kernel: Kernel) -> int:
    """Return the additions and multiplications of doubles that a kernel's own formula makes for an element."""
    if kernel.words:
        return 0
    seen = _Counted(0)
    value = kernel.value([seen] * max(kernel.reads, 1), seen)
    made = value.operations if isinstance(value, _Counted) else 0
    return made + (kernel.reduces == SUM)


def _memory_roof(results: list[Result]) -> Result | None:
    rated = [result for result in results if result.case.path in ROOF_PATHS and summarise(result).median_bytes_per_s]
    return max(rated, key=lambda result: summarise(result).median_bytes_per_s or 0.0, default=None)


def _dots(results: list[Result], roof: Result) -> tuple[tuple[tuple[str, float, float], ...], list[Result]]:
    """Return a dot for the fastest result of each kernel that calculates, with as many threads as the roof."""
    best: dict[str, tuple[float, Result]] = {}
    for result in results:
        rate = summarise(result).median_bytes_per_s
        is_like_roof = (result.case.threads, result.case.target) == (roof.case.threads, roof.case.target)
        if rate is not None and is_like_roof and result.case.path in KERNELS and operations(KERNELS[result.case.path]):
            known = best.get(result.case.path)
            if known is None or rate > known[0]:
                best[result.case.path] = (rate, result)
    dots = []
    for path, (rate, _) in best.items():
        kernel = KERNELS[path]
        intensity = operations(kernel) / kernel.stream_bytes(ELEMENT_BYTES)
        dots.append((path, intensity, intensity * rate))
    return tuple(sorted(dots, key=lambda dot: dot[1])), [result for _, result in best.values()]


@dataclass(frozen=True)
class _Counted:
    """A number of which only the operations that made it are known; an operand used twice counts once each time."""

    operations: int

    def __add__(self, other: _Counted) -> _Counted:
        return _Counted(self.operations + other.operations + 1)

    __sub__ = __mul__ = __add__
