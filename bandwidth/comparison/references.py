"""A record beside published figures of the same path: its own part's first, then its family's, then any's."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from bandwidth.analysis.plain_results import plain_results
from bandwidth.catalog import current_catalog
from bandwidth.catalog.published import Kin, PublishedFigure, nearest_figures
from bandwidth.errors import BandwidthError
from bandwidth.results import Record, Result, Summary, summarise


@dataclass(frozen=True)
class Placed:
    """A record's fastest result of one path and kind of host memory, and a published figure near to it.

    Of several GPUs of one name that is the fastest of them.
    """

    result: Result
    summary: Summary
    figure: PublishedFigure
    kin: Kin

    @property
    def share(self) -> float | None:
        """The record's share of the peak that the figure was stated against: the maker's, or the formula's.

        Where the maker prints none beside the formula's, that is both.
        """
        by_maker = self.summary.vendor_efficiency if self.figure.peak == "vendor" else None
        return self.summary.efficiency if by_maker is None else by_maker


def placed(record: Record) -> tuple[Placed, ...]:
    """Return the fastest results from memory beside the figures that were published of the same path."""
    found = []
    for result, summary in _fastest(record):
        case = result.case
        kind = case.kind
        kin, figures = nearest_figures(
            kind,
            case.path,
            parts=_processor_names(record) if kind == "host" else _gpu_names(record, case.devices[:1]),
            family=_family(record) if kind == "host" else "",
            host_memory=str(case.variant.get("host_memory", "")),
            theory_bytes_per_s=result.theory_bytes_per_s,
            figures=current_catalog().published_figures,
        )
        found += [Placed(result, summary, figure, kin) for figure in figures]
    return tuple(found)


def _fastest(record: Record) -> list[tuple[Result, Summary]]:
    """Return the fastest plain result of the host and of each kind of GPU by path and kind of host memory."""
    best: dict[Hashable, tuple[Result, Summary]] = {}
    for result in plain_results(record):
        case, summary = result.case, summarise(result)
        is_outside = case.meets_dram_rule or case.target.startswith("pcie")
        if summary.median_bytes_per_s is None or not is_outside or len(case.devices) > 1:
            continue  # nothing is published of several devices together
        names = tuple(_gpu_names(record, case.devices))
        key = (case.kind, names, case.path, str(case.variant.get("host_memory", "")))
        if key not in best or summary.median_bytes_per_s > (best[key][1].median_bytes_per_s or 0.0):
            best[key] = (result, summary)
    return list(best.values())


def _processor_names(record: Record) -> list[str]:
    """Return the processor's name as printed, and the catalog's."""
    machine = record.machine
    name = str(machine.get("cpu_model", ""))
    family, model = machine.get("cpu_family"), machine.get("cpu_model_number")
    numbers = (family, model) if isinstance(family, int) and isinstance(model, int) else (-1, -1)
    try:
        device = current_catalog().devices.processor(str(machine.get("cpu_vendor", "")), *numbers, name)
    except BandwidthError:
        device = None  # a broken entry is told elsewhere
    return [name, *([device.name] if device is not None else [])]


def _family(record: Record) -> str:
    """Return vendor, family and model number as the catalog writes them: `AuthenticAMD 25 17`."""
    return " ".join(str(record.machine.get(name, "")) for name in ("cpu_vendor", "cpu_family", "cpu_model_number"))


def _gpu_names(record: Record, numbers: Sequence[int]) -> list[str]:
    """Return the names of GPUs by their numbers in the record, as their driver prints them, and the catalog's."""
    names = [str(record.gpus.get(number, {}).get("name") or "") for number in numbers]
    return [name for printed in names if printed for name in (printed, *_catalog_name(printed))]


def _catalog_name(printed: str) -> list[str]:
    try:
        device = current_catalog().devices.find(printed)
    except BandwidthError:
        return []  # several are meant
    return [] if device is None else [device.name]
