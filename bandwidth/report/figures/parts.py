"""What stands below a figure: what was counted, how many samples, which threads and sizes, versions and date."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from bandwidth.report.figures.data import Series
from bandwidth.report.labels import counted_bytes, setting_words
from bandwidth.results import Record, Result
from bandwidth.units import format_size

INTERVALS = "Whiskers: 95 % interval of the median, where there are six samples or more."
# How many of a figure's values its description names.
MOST_NAMED = 12


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
