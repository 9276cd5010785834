"""The rates that stand for themselves as bars from zero, the theory as a tick in each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bandwidth.analysis.groups import grouped, is_between_gpus
from bandwidth.report.figures.data import Bar, Bars, Figure
from bandwidth.report.figures.parts import INTERVALS, MOST_NAMED, caption
from bandwidth.report.figures.thinning import first_bars
from bandwidth.report.labels import case_words, place, rate_cells, setting_words, stores_of, variant_words
from bandwidth.report.views.gpus import PCIE
from bandwidth.report.views.shown import Shown
from bandwidth.results import Case, Result, summarise
from bandwidth.units import rate_unit_factor
from bandwidth.vocabulary import HOST


def figures(shown: Shown) -> list[Figure]:
    """Return a figure each for the host's memory, that of GPUs and what goes over links: their scales are far apart."""
    groups = grouped(barred(shown), lambda result: _kind(result.case))
    return [_figure(shown, group) for group in groups]


def barred(shown: Shown) -> list[Result]:
    """Return the rates that have a bar of their own, in the bars' order: copies between GPUs are too many for that."""
    return _by_place(result for result in shown.plain if not is_between_gpus(result))


def _kind(case: Case) -> tuple[str, str]:
    """Return the name and the title of the figure that a case stands in."""
    if case.target == HOST:
        return "rates", "Measured rates"
    if case.target.startswith(PCIE):
        return "rates-of-links", "Measured rates of links"
    return "rates-of-gpus", "Measured rates of GPU memory"


def _by_place(results: Iterable[Result]) -> list[Result]:
    return sorted(results, key=lambda result: (-result.case.threads, place(result.case)))


def _figure(shown: Shown, all_results: Sequence[Result]) -> Figure:
    unit = shown.unit
    results, left_out = first_bars(all_results, lambda result: _panel_words(result.case))
    engines = tuple(dict.fromkeys(result.case.engine for result in results))
    panels = tuple(
        (_panel_words(group[0].case), tuple(_bar(result, engines, unit) for result in group))
        for group in grouped(results, lambda result: _panel_words(result.case))
    )
    told = "Measured, beside the theory as a tick." if _has_theory(results) else "Measured; the theory is not known."
    text = caption(shown.record, all_results, f"Median rates. {told}", left_out, INTERVALS)
    described = [f"{case_words(result.case)} {rate_cells(result, unit)[0]} {unit}" for result in results[:MOST_NAMED]]
    return Figure(*_kind(results[0].case), Bars(unit, panels, engines), text, f"{'; '.join(described)}.")


def _panel_words(case: Case) -> str:
    return ", ".join([setting_words([case]), *variant_words(case.variant, "stores")])


def _bar(result: Result, engines: Sequence[str], unit: str) -> Bar:
    case, summary, factor = result.case, summarise(result), rate_unit_factor(unit)
    stores = [stores_of(case)] if "stores" in case.variant else []
    interval, theory = summary.ci95, result.theory_bytes_per_s
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
