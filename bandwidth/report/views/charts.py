"""What stands in a figure alone: rates as bars, the roofline, and every sample of every result as a strip."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bandwidth.analysis.groups import grouped, has_figure, is_between_gpus
from bandwidth.kernels import ELEMENT_BYTES, KERNELS, SUM, Kernel
from bandwidth.report.figures.data import (
    MOST_NAMED,
    STRIP_HIGH,
    STRIP_LOW,
    Bar,
    Bars,
    Figure,
    Mark,
    Roofline,
    Strip,
    StripRow,
    caption,
    first_bars,
    left_out_words,
    thinned,
    whiskers,
    widest_rows,
)
from bandwidth.report.labels import case_words, place, rate_cells, setting_words, stores_in_words, variant_words
from bandwidth.report.views.gpus import PCIE
from bandwidth.report.views.matrices import matrix_words
from bandwidth.report.views.shown import Shown
from bandwidth.results import Case, Result, rates_bytes_per_s, summarise
from bandwidth.units import format_rate, format_size, rate_unit_factor
from bandwidth.vocabulary import HOST

# The kernels whose rate stands for what the memory gives: reads alone, and STREAM's own measure.
ROOF_PATHS = ("read", "triad")
PERCENT = 100


def rate_bars(shown: Shown) -> list[Figure]:
    """Return a figure each for the host's memory, that of GPUs and what goes over links: their scales are far apart."""
    groups = grouped(barred(shown), lambda result: _bars_name(result.case))
    return [_bars_figure(shown, group) for group in groups]


def barred(shown: Shown) -> list[Result]:
    """Return the rates that have a bar of their own, in the bars' order: copies between GPUs are too many for that."""
    return _by_place(result for result in shown.plain if not is_between_gpus(result))


def _bars_name(case: Case) -> tuple[str, str]:
    """Return the name and the title of the figure that a case stands in."""
    if case.target == HOST:
        return "rates", "Measured rates"
    if case.target.startswith(PCIE):
        return "rates-of-links", "Measured rates of links"
    return "rates-of-gpus", "Measured rates of GPU memory"


def _by_place(results: Iterable[Result]) -> list[Result]:
    return sorted(results, key=lambda result: (-result.case.threads, place(result.case)))


def _bars_figure(shown: Shown, all_results: Sequence[Result]) -> Figure:
    unit = shown.unit
    results, left_out = first_bars(all_results, lambda result: _panel_words(result.case))
    engines = tuple(dict.fromkeys(result.case.engine for result in results))
    panels = tuple(
        (_panel_words(group[0].case), tuple(_bar(result, engines, unit) for result in group))
        for group in grouped(results, lambda result: _panel_words(result.case))
    )
    told = "Measured; the tick marks the theory." if _has_theory(results) else "Measured; the theory is unknown."
    text = caption(shown.record, all_results, f"Median rates. {told}", left_out, whiskers(all_results))
    described = [f"{case_words(result.case)} {rate_cells(result, unit)[0]} {unit}" for result in results[:MOST_NAMED]]
    return Figure(*_bars_name(results[0].case), Bars(unit, panels, engines), text, f"{'; '.join(described)}.")


def _panel_words(case: Case) -> str:
    return ", ".join([setting_words([case]), *variant_words(case.variant, "stores")])


def _bar(result: Result, engines: Sequence[str], unit: str) -> Bar:
    case, summary, factor = result.case, summarise(result), rate_unit_factor(unit)
    stores = [stores_in_words(case)] if "stores" in case.variant else []
    interval, theory = summary.reported, result.theory_bytes_per_s
    return Bar(
        label=", ".join([case.path, case.engine, *stores]),
        text=rate_cells(result, unit)[0],
        value=None if summary.median_bytes_per_s is None else summary.median_bytes_per_s / factor,
        low=None if interval is None else interval.low / factor,
        high=None if interval is None else interval.high / factor,
        theory=None if theory is None else theory / factor,
        group=engines.index(case.engine),
        hatched=stores == ["ordinary"],
    )


def _has_theory(results: Sequence[Result]) -> bool:
    return any(result.theory_bytes_per_s is not None for result in results)


# --- the roofline ---------------------------------------------------------------------------------------------------


def roofline(shown: Shown) -> list[Figure]:
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
        " Intensity: additions and multiplications of the kernel per byte counted.",
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


# --- every sample ---------------------------------------------------------------------------------------------------


def sample_strip(shown: Shown) -> list[Figure]:
    """Return every sample of every result: a row for each rate that stands for itself, for each curve and matrix."""
    rows = [row for label, results in _strip_groups(shown) if (row := _strip_row(label, results)).percents]
    if not rows:
        return []
    widest = widest_rows(rows)
    drawn = [thinned(row) for row in widest]
    rated = [result for result in shown.results if has_figure(summarise(result))]
    text = caption(
        shown.record,
        rated,
        "Every sample in percent of the median of its result, the first on top of each row;"
        " times for latencies, rates otherwise.",
        left_out_words(rows, widest),
        _beyond(drawn),
    )
    told = "; ".join(f"{row.label.splitlines()[0]}: {len(row.percents)} samples, {_strip_ends(row)}" for row in widest)
    return [Figure("samples", "All samples", Strip(tuple(drawn)), text, f"{told}.")]


def _strip_groups(shown: Shown) -> list[tuple[str, list[Result]]]:
    """Return the results that share a row, with its label; one that stands in two views has its row in the first."""
    unit = shown.unit
    groups = [(f"{case_words(one.case)}\n{rate_cells(one, unit)[0]} {unit}", [one]) for one in barred(shown)]
    for threads_curve in shown.thread_curves:
        inner = [point.result for point in threads_curve.points[1:-1]]
        groups.append((f"{case_words(threads_curve.case, threads=False)}, by threads\n{len(inner)} points", inner))
    for size_curve in shown.size_curves:
        found = [point.result for point in size_curve.points]
        groups.append((f"{case_words(size_curve.case, 'sweep_point')}, by size\n{len(found)} points", found))
    for load_curve in shown.load_curves:
        found = [point.result for point in load_curve.points]
        written = f", {load_curve.write_share} written" if load_curve.write_share else ""
        words = case_words(load_curve.case, "load", "writes")
        groups.append((f"{words}, by load{written}\n{len(found)} points", found))
    for matrix in shown.node_matrices:
        found = [cell.result for cell in matrix.cells.values()]
        groups.append((f"{matrix_words(matrix)}\n{len(found)} pairs of nodes", found))
    for peers in shown.peer_matrices:
        between = list({result.case.id: result for result in peers.cells.values()}.values())
        groups.append((f"between GPUs, {peers.words}\n{len(between)} pairs", between))
    if shown.core_pairs is not None:
        pairs = list(shown.core_pairs.cells.values())
        groups.append((f"core to core\n{len(pairs)} pairs of CPUs", pairs))
    in_rows = {result.case.id for _, found in groups for result in found}
    others = [result for result in shown.results if result.case.id not in in_rows]
    return [*groups, *((_sized_words(result.case), [result]) for result in others)]


def _sized_words(case: Case) -> str:
    return f"{case_words(case, 'sweep_point')}\n{format_size(case.working_set_bytes)} of data"


def _beyond(rows: Sequence[StripRow]) -> str:
    count = sum(not STRIP_LOW <= percent <= STRIP_HIGH for row in rows for percent in row.percents)
    where = f"below {STRIP_LOW:.0f} or above {STRIP_HIGH:.0f} %"
    return f"Triangles at the edge: {count} of them, {where}." if count else ""


def _strip_row(label: str, results: Sequence[Result]) -> StripRow:
    return StripRow(label, tuple(percent for result in results for percent in _percents(result)))


def _percents(result: Result) -> list[float]:
    """Return each sample's rate, or a latency's time, in percent of the result's median; none where it has none."""
    if not has_figure(summarise(result)):
        return []
    if result.case.is_latency:
        middle = _median_block_s(result)
        return [seconds / middle * PERCENT for seconds in result.samples.seconds]
    median = summarise(result).median_bytes_per_s or 1.0
    return [rate / median * PERCENT for rate in rates_bytes_per_s(result)]


def _median_block_s(result: Result) -> float:
    """Return the seconds of the median block: a latency's figures are its blocks' seconds by the loads of each."""
    latency = summarise(result).latency
    if latency is None:
        raise ValueError("a rate without a median block")
    return min(result.samples.seconds) * latency.median_ns / latency.best_ns


def _strip_ends(row: StripRow) -> str:
    return f"{min(row.percents):.1f} to {max(row.percents):.1f} % of the median"
