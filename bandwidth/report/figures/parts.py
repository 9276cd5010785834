"""What figures of results share: points with their intervals, lines of a theory, and what stands below a figure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from bandwidth.report.figures.data import Curves, Figure, Mark, Point, Series, file_name, parts_of
from bandwidth.report.labels import counted_bytes, setting_words
from bandwidth.results import Record, Result, Summary
from bandwidth.units import format_size, rate_unit_factor

INTERVALS = "Whiskers: 95 % interval of the median, where there are six samples or more."
# How many of a figure's values its description names.
MOST_NAMED = 12


# --- in a figure ----------------------------------------------------------------------------------------------------


def rate_value(summary: Summary | None, unit: str) -> float | None:
    """Return a median rate in `unit`, None where there is none."""
    rate = None if summary is None else summary.median_bytes_per_s
    return None if rate is None else rate / rate_unit_factor(unit)


def rate_point(x: float, summary: Summary, unit: str) -> Point | None:
    """Return a median rate with its interval at an x, None where the data was wrong."""
    factor, interval = rate_unit_factor(unit), summary.ci95
    if summary.median_bytes_per_s is None:
        return None
    if interval is None:
        return Point(x, summary.median_bytes_per_s / factor)
    return Point(x, summary.median_bytes_per_s / factor, interval.low / factor, interval.high / factor)


def latency_point(x: float, summary: Summary) -> Point | None:
    """Return a median latency in ns with its interval at an x, None where the data was wrong."""
    latency = summary.latency
    if latency is None:
        return None
    interval = latency.ci95_ns
    ends = (None, None) if interval is None else (interval.low, interval.high)
    return Point(x, latency.median_ns, *ends)


def line_figures(
    series: Sequence[Series], axes: Curves, title: str, text: str, at: Callable[[float], str], name: str = ""
) -> list[Figure]:
    """Return curves over `axes` in one figure, in several where they are more than one tells apart.

    `text` is the caption, `at` writes an x, and the file is named by the title unless it has a `name`.
    """
    y_unit = axes.y_label.split()[0]  # of "ns a load" too
    return [
        Figure(
            name or file_name(title),
            title,
            replace(axes, series=part, ring_label=axes.ring_label if any(one.ringed for one in part) else ""),
            text,
            series_description(part, at, y_unit),
        )
        for part in parts_of(series)
    ]


def theory_marks(results: Sequence[Result], unit: str) -> tuple[Mark, ...]:
    """Return a level line for each theory of the results: sockets may give several."""
    known = sorted({result.theory_bytes_per_s for result in results if result.theory_bytes_per_s is not None})
    return tuple(
        Mark(theory / rate_unit_factor(unit), f"theory {theory / rate_unit_factor(unit):,.2f}") for theory in known
    )


# --- below a figure -------------------------------------------------------------------------------------------------


def caption(record: Record, results: Sequence[Result], *sentences: str) -> str:
    """Return the sentences and what else belongs below a figure of these results."""
    parts = [*sentences, _counted(results), _how(results), _versions(record)]
    return " ".join(part for part in parts if part)


def series_description(series: Iterable[Series], at: Callable[[float], str], y_unit: str) -> str:
    """Return each curve in words: where it begins, ends and is highest; `at` writes an x."""
    return " ".join(_in_words(one, at, y_unit) for one in series)


def _in_words(series: Series, at: Callable[[float], str], y_unit: str) -> str:
    first, last = series.points[0], series.points[-1]
    most = max(series.points, key=lambda point: point.y)
    return (
        f"{series.label}: {first.y:,.2f} {y_unit} at {at(first.x)}, {last.y:,.2f} {y_unit} at {at(last.x)},"
        f" most {most.y:,.2f} {y_unit} at {at(most.x)}."
    )


def _counted(results: Sequence[Result]) -> str:
    counted = counted_bytes(results)
    return f"Counted, bytes an element: {counted}." if counted else ""


def _how(results: Sequence[Result]) -> str:
    if not results:
        return ""
    counts = [len(result.samples.seconds) for result in results]
    sizes = [result.case.working_set_bytes for result in results]
    sized = _range(min(sizes), max(sizes), format_size)
    setting = setting_words(result.case for result in results)
    return f"{_range(min(counts), max(counts), str)} samples each; {setting}; {sized} of data."


def _range(low: int, high: int, text: Callable[[int], str]) -> str:
    return text(low) if text(low) == text(high) else f"{text(low)} to {text(high)}"


def _versions(record: Record) -> str:
    parts = [f"bandwidth {record.tool_version}"]
    for name, label in (("python_version", "Python"), ("numpy_version", "NumPy"), ("kernel", "kernel")):
        if name in record.machine:
            parts.append(f"{label} {record.machine[name]}")
    return f"{', '.join(parts)}; {record.taken_at[:10]}."
