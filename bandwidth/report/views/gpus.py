"""Rates of the memory of GPUs and of the links to them: a table for each, several at once, and sweeps over size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bandwidth.analysis.curves import SizeCurve, transfer_fit
from bandwidth.analysis.groups import grouped
from bandwidth.ceilings.link import link_peak
from bandwidth.report.document import Column, Table
from bandwidth.report.figures.data import Figure
from bandwidth.report.labels import (
    UNKNOWN,
    case_words,
    place,
    rate_cell,
    rate_cells,
    rate_columns,
    rate_interval,
    target_words,
)
from bandwidth.report.views.shown import Shown
from bandwidth.report.views.sweeps import curve_figures, curves_in_order, plateau_line, size_figures, size_table
from bandwidth.results import Case, Record, Result
from bandwidth.theory import Peak
from bandwidth.units import format_duration, format_percent, format_rate, format_size
from bandwidth.vocabulary import BY_HOST_CLOCK, HOST_MEMORY

DEVICE, PCIE = "device:", "pcie:"
_VERSION = "_runtime_version"


def gpu_heading(shown: Shown) -> list[str]:
    """Return what the devices are of which there is no table that says it: those of sweeps alone."""
    cases = [result.case for result in shown.results]
    titled = {case.target.partition(":")[2] for case in cases if not {"sweep_point", "peer"} & set(case.variant)}
    bare = sorted({number for case in cases for number in case.devices if str(number) not in titled})
    return ["\n".join(f"Device {number}: {device_words(shown.record, number)}" for number in bare)] if bare else []


def gpu_rates(shown: Shown) -> list[Table | str]:
    """Return for each device its table and what its theory is, and those of several at once."""
    results = [result for result in shown.results if _is_memory(result) and "sweep_point" not in result.case.variant]
    blocks: list[Table | str] = []
    for group in grouped(results, lambda result: result.case.target):
        blocks += [_memory_table(group, shown), _theory_line(group, shown.unit), *_clock_line(group)]
    return blocks


def gpu_sweeps(shown: Shown) -> list[Table | str]:
    """Return each sweep over the size of a device's data, with what each level gives."""
    unit = shown.unit
    return [block for curve in _memory_curves(shown) for block in (size_table(curve, unit), plateau_line(curve, unit))]


def gpu_sweep_figures(shown: Shown) -> list[Figure]:
    """Return each device's rates over the size of its data."""
    return size_figures(_memory_curves(shown), shown)


def counted_sizes(shown: Shown) -> list[str]:
    """Return how much data there was on each device, and how large the copies over its link were."""
    lines = []
    for group in grouped([one for one in shown.results if _is_single(one)], lambda result: result.case.target):
        sizes = sorted({result.case.working_set_bytes for result in group if result.case.path != "bidirectional"})
        if not sizes:
            continue
        ends = dict.fromkeys((format_size(sizes[0]), format_size(sizes[-1])))
        what = "Copies over the" if group[0].case.target.startswith(PCIE) else "Working set on"
        lines.append(f"{what} {target_words(group[0].case)}: {' to '.join(ends)}.")
    if any(result.case.target.startswith(PCIE) for result in shown.results):
        lines.append("A copy over a link counts each byte once; bidirectional counts both ways over their common time.")
    return lines


def device_words(record: Record, number: int) -> str:
    """Return what a device is: its name, its driver, and what it was driven by."""
    own = record.gpus.get(number, {})
    words = [str(own.get("name", "a GPU"))]
    words += [f"driver {own['driver_version']}"] if own.get("driver_version") else []
    return ", ".join([*words, *([_api(own)] if _api(own) else [])])


def _api(own: Mapping[str, Any]) -> str:
    """Return what drove a device: `CUDA 12.9`, in older records the version of an interface by its name."""
    older = (f"{name.removesuffix(_VERSION).upper()} {own[name]}" for name in own if name.endswith(_VERSION))
    return str(own.get("api") or next(older, ""))


def _clock_line(results: Sequence[Result]) -> list[str]:
    """Return which results were timed by the host, because the device told times that could not be: or nothing."""
    paths = dict.fromkeys(result.case.path for result in results if BY_HOST_CLOCK in result.observed)
    if not paths:
        return []
    why = "the device reported no time, or a time more than 5 % off the host's, as on a busy host"
    return [f"Timed by the host's clock, at least in part: {', '.join(paths)}: {why}."]


def _memory_curves(shown: Shown) -> list[SizeCurve]:
    return [curve for curve in shown.size_curves if _is_memory(curve.points[0].result)]


def _is_memory(result: Result) -> bool:
    """Return whether a result is a rate of a GPU's own memory."""
    case = result.case
    return case.target.startswith(DEVICE) and not case.is_latency and "peer" not in case.variant


def _is_single(result: Result) -> bool:
    is_gpu = result.case.target.startswith((DEVICE, PCIE))
    return is_gpu and not {"sweep_point", "peer"} & set(result.case.variant) and not result.case.is_latency


def _memory_table(results: Sequence[Result], shown: Shown) -> Table:
    rows = tuple(
        (result.case.path, result.case.engine, *rate_cells(result, shown.unit))
        for result in sorted(results, key=lambda result: place(result.case))
    )
    return Table((Column("path"), Column("engine"), *rate_columns(shown.unit)), rows, _title(results[0], shown.record))


def _title(result: Result, record: Record) -> str:
    numbers = result.case.devices
    if len(numbers) != 1:
        return f"Devices {', '.join(map(str, numbers))} at once"
    return f"Device {numbers[0]}: {device_words(record, numbers[0])}"


def _theory_line(results: Sequence[Result], unit: str) -> str:
    """Return what the theory is, and the maker's figure beside it."""
    known = next((result for result in results if result.theory_bytes_per_s is not None), None)
    if known is None or known.theory_bytes_per_s is None:
        return f"Theory of {target_words(results[0].case)}: unknown."
    vendor = known.vendor_bytes_per_s
    sheet = "" if vendor is None else f"; the maker states {format_rate(vendor, unit)} {unit}"
    figure = f"{format_rate(known.theory_bytes_per_s, unit)} {unit}"
    each = " of each" if "," in known.case.target else ""
    return f"Theory: {figure}, by {known.theory_source}{each}{sheet}."


# --- the links between host and GPUs --------------------------------------------------------------------------------


def link_rates(shown: Shown) -> list[Table | str]:
    """Return for each link its table, and what the link is."""
    links, blocks = _links(shown), list[Table | str]()
    for group in grouped(_whole(links), lambda result: result.case.target):
        blocks += [_link_table(group, shown), *_link_lines(group[0], links, shown), *_clock_line(group)]
    return blocks


def link_sweeps(shown: Shown) -> list[Table | str]:
    """Return each sweep over a link with what was fitted to it, and what those links are that have no table."""
    links, curves, blocks = _links(shown), _link_curves(shown), list[Table | str]()
    for curve in curves:
        blocks += [_sweep(curve, shown.unit), _fit_line(curve, shown.unit)]
    tabled = {result.case.target for result in _whole(links)}
    swept = [curve.points[0].result for curve in curves if curve.case.target not in tabled]
    for group in grouped(swept, lambda result: result.case.target):
        blocks += _link_lines(group[0], links, shown)
    return blocks


def link_sweep_figures(shown: Shown) -> list[Figure]:
    """Return each link's rates over the size of a transfer."""
    what = "Median rate of a transfer by its size."
    return [
        figure
        for group in grouped(
            curves_in_order(_link_curves(shown)), lambda curve: (curve.case.target, curve.case.threads)
        )
        for figure in curve_figures(group, shown, _sweep_title(group[0].case), what, "size of a transfer")
    ]


def _links(shown: Shown) -> list[Result]:
    return [result for result in shown.results if result.case.target.startswith(PCIE)]


def _link_curves(shown: Shown) -> list[SizeCurve]:
    return [curve for curve in shown.size_curves if curve.case.target.startswith(PCIE)]


def _whole(links: Sequence[Result]) -> list[Result]:
    return [result for result in links if "sweep_point" not in result.case.variant]


def _link_table(results: Sequence[Result], shown: Shown) -> Table:
    rows = tuple(
        (result.case.path, _kind(result), *rate_cells(result, shown.unit))
        for result in sorted(results, key=lambda result: (HOST_MEMORY.index(_name(result)), place(result.case)))
    )
    words, numbers = target_words(results[0].case), results[0].case.devices
    which = f": {device_words(shown.record, numbers[0])}" if len(numbers) == 1 else " at once"
    columns = (Column("path"), Column("host memory", two_lines=True), *rate_columns(shown.unit))
    return Table(columns, rows, f"{words[0].upper()}{words[1:]}{which}")


def _name(result: Result) -> str:
    name = str(result.case.variant.get("host_memory", ""))
    return name if name in HOST_MEMORY else HOST_MEMORY[0]


def _kind(result: Result) -> str:
    return str(result.case.variant.get("host_memory", UNKNOWN)).replace("_", "-")


def _link_lines(first: Result, links: Sequence[Result], shown: Shown) -> list[str]:
    """Return lines on the link: under load, idle, and the most that GPU and slot can do; its theory, and what packets
    leave of that."""
    if len(first.case.devices) != 1:
        return []
    facts = shown.record.gpus.get(first.case.devices[0], {})
    if facts.get("host_link"):
        return [f"The link is {facts['host_link']}, not PCIe: its theory is unknown."]
    loaded = _loaded(first, links)
    most = _stated(facts, "max")
    rate = "" if most is None else _coded_rate(most, shown.unit)
    sentences = [f"{_state_words(loaded, facts)}{rate}."]
    sentences += [f"Theory: {first.theory_source}."] if first.theory_source else []
    if loaded is not None and loaded.peak is not None and loaded.peak.payload is not None:
        sentences.append(f"After protocol, {loaded.peak.payload.words(shown.unit)}: an expectation, not a ceiling.")
    return [" ".join(sentences)]


def link_states(shown: Shown) -> list[str]:
    """Return how the link of the first GPU was, under load and idle; nothing where none was measured, or is no PCIe."""
    links = [result for result in _whole(_links(shown)) if len(result.case.devices) == 1]
    facts = shown.record.gpus.get(links[0].case.devices[0], {}) if links else {}
    if not links or facts.get("host_link"):
        return []
    return [f"{_state_words(_loaded(links[0], links), facts)}."]


def _loaded(first: Result, links: Sequence[Result]) -> _Link | None:
    seen = (_seen(result) for result in links if result.case.target == first.case.target)
    return next((link for link in seen if link is not None), None)


def _state_words(loaded: _Link | None, facts: Mapping[str, Any]) -> str:
    """Return `Link: PCIe 5.0 x16 under load, PCIe 1.0 x16 idle, at most PCIe 5.0 x16`."""
    idle, most = _stated(facts, "current"), _stated(facts, "max")
    parts = ["not observed under load" if loaded is None else f"{loaded.name} under load"]
    parts += [] if idle is None else [f"{idle.name} idle"]
    parts += [] if most is None else [f"at most {most.name}"]
    return f"Link: {', '.join(parts)}"


@dataclass(frozen=True)
class _Link:
    """A PCIe link as it was at some time."""

    generation: int
    width: int

    @property
    def name(self) -> str:
        return f"PCIe {self.generation}.0 x{self.width}"

    @property
    def peak(self) -> Peak | None:
        """Its peak, None for a link that the catalog does not know."""
        return link_peak(self.generation, self.width)


def _coded_rate(link: _Link, unit: str) -> str:
    peak = link.peak
    return "" if peak is None else f" ({format_rate(peak.bytes_per_s, unit)} {unit})"


def _seen(result: Result) -> _Link | None:
    """Return the link as a block saw it under load, None where none did."""
    seen = [result.observed.get(name) for name in ("link_generation", "link_width")]
    generation, width = (None if value is None else round(value.median) for value in seen)
    return None if generation is None or width is None else _Link(generation, width)


def _stated(facts: Mapping[str, Any], when: str) -> _Link | None:
    generation, width = facts.get(f"{when}_link_generation"), facts.get(f"{when}_link_width")
    if type(generation) is not int or type(width) is not int:
        return None
    return _Link(generation, width)


# --- by size --------------------------------------------------------------------------------------------------------


def _sweep(curve: SizeCurve, unit: str) -> Table:
    columns = (
        Column("size", "right"),
        Column("time", "right"),
        Column(unit, "right"),
        Column("95 % interval", "right"),
    )
    rows = tuple(
        (
            format_size(point.size_bytes),
            _time(point.result.case.bytes_per_call, point.summary.median_bytes_per_s),
            rate_cell(point.summary, unit),
            rate_interval(point.summary.reported, unit),
        )
        for point in curve.points
    )
    bars = tuple(point.summary.median_bytes_per_s for point in curve.points)
    return Table(columns, rows, f"By size: {case_words(curve.case, 'sweep_point')}", bars)


def _time(size_bytes: int, bytes_per_s: float | None) -> str:
    return UNKNOWN if not bytes_per_s else format_duration(size_bytes / bytes_per_s)


def _fit_line(curve: SizeCurve, unit: str) -> str:
    fit = transfer_fit(curve)
    if fit is None:
        return "No model of latency and rate fits these points."
    rate = f"{format_rate(fit.bytes_per_s, unit)} {unit}"
    words = f"Fitted: {format_duration(fit.latency_s)} before the first byte, then {rate}"
    return f"{words}; every point is within {format_percent(fit.worst)} of it."


def _sweep_title(case: Case) -> str:
    return f"Transfer rate by size, {target_words(case)}"
