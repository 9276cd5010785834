"""Rates of the memory of GPUs: a table for each device, several at once, and sweeps over size with their curves."""

from __future__ import annotations

from collections.abc import Sequence

from bandwidth.analysis.curves import SizeCurve
from bandwidth.analysis.groups import grouped
from bandwidth.report.document import Column, Table
from bandwidth.report.figures.data import Figure
from bandwidth.report.labels import place, rate_cells, rate_columns, target_words
from bandwidth.report.views.shown import Shown
from bandwidth.report.views.sizes import plateau_line, size_figures, size_table
from bandwidth.results import Record, Result
from bandwidth.units import format_rate, format_size

DEVICE, PCIE = "device:", "pcie:"


def heading(shown: Shown) -> list[str]:
    """Return what the devices are of which there is no table that says it: those of sweeps alone."""
    cases = [result.case for result in shown.results]
    titled = {case.target.partition(":")[2] for case in cases if not {"sweep_point", "peer"} & set(case.variant)}
    bare = sorted({number for case in cases for number in case.devices if str(number) not in titled})
    return ["\n".join(f"Device {number}: {device_words(shown.record, number)}" for number in bare)] if bare else []


def rates(shown: Shown) -> list[Table | str]:
    """Return for each device its table and what its theory is, and those of several at once."""
    results = [result for result in shown.results if _is_memory(result) and "sweep_point" not in result.case.variant]
    blocks: list[Table | str] = []
    for group in grouped(results, lambda result: result.case.target):
        blocks += [_table(group, shown), _theory_line(group, shown.unit)]
    return blocks


def sweeps(shown: Shown) -> list[Table | str]:
    """Return each sweep over the size of a device's data, with what each level gives."""
    unit = shown.unit
    return [block for curve in _curves(shown) for block in (size_table(curve, unit), plateau_line(curve, unit))]


def sweep_figures(shown: Shown) -> list[Figure]:
    """Return each device's rates over the size of its data."""
    return size_figures(_curves(shown), shown)


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
        lines.append("A copy over a link counts each byte once; bidirectional both ways, over their common time.")
    return lines


def device_words(record: Record, number: int) -> str:
    """Return what a device is: its name, its driver, and the CUDA that it was driven by."""
    own = record.gpus.get(number, {})
    words = [str(own.get("name", "a GPU"))]
    for name, what in (("driver_version", "driver"), ("cuda_runtime_version", "CUDA")):
        words += [f"{what} {own[name]}"] if own.get(name) else []
    return ", ".join(words)


def _curves(shown: Shown) -> list[SizeCurve]:
    return [curve for curve in shown.size_curves if _is_memory(curve.points[0].result)]


def _is_memory(result: Result) -> bool:
    """Return whether a result is a rate of a GPU's own memory."""
    case = result.case
    return case.target.startswith(DEVICE) and not case.is_latency and "peer" not in case.variant


def _is_single(result: Result) -> bool:
    is_gpu = result.case.target.startswith((DEVICE, PCIE))
    return is_gpu and not {"sweep_point", "peer"} & set(result.case.variant) and not result.case.is_latency


def _table(results: Sequence[Result], shown: Shown) -> Table:
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
        return f"Theory of {target_words(results[0].case)}: not known here."
    vendor = known.vendor_bytes_per_s
    sheet = "" if vendor is None else f"; the maker states {format_rate(vendor, unit)} {unit}"
    figure = f"{format_rate(known.theory_bytes_per_s, unit)} {unit}"
    each = " of each" if "," in known.case.target else ""
    return f"Theory: {figure}, by {known.theory_source}{each}{sheet}."
