"""Where the figures of the model come from: theory, a record, a measurement made now, a number given, or a default."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from bandwidth.analysis.curves import MEMORY, SizeCurve, size_curves, transfer_fit
from bandwidth.analysis.plain_results import plain_results
from bandwidth.analysis.plateaus import plateaus
from bandwidth.catalog import current_catalog
from bandwidth.errors import BandwidthError, SharedMemoryError, UsageError
from bandwidth.offload.figures import (
    HOST_LATENCY,
    LAUNCH_LATENCY,
    LINK_LATENCY,
    Asked,
    Figures,
    Source,
    SourcedFigure,
)
from bandwidth.offload.model import CacheRate
from bandwidth.offload.records import READING_KERNELS, best_result, measured_figure, result_words
from bandwidth.offload.shared import SharedMemory, of_its_processor, shared_in_record, shared_memory
from bandwidth.results import Record, Result, summarise
from bandwidth.theory import Peak, peaks
from bandwidth.units import ends_as_rate, format_rate, parse_rate_bytes_per_s
from bandwidth.vocabulary import DEVICE, HOST, PAGEABLE, PCIE, PINNED

# At most this share of the pinned rate is normal for pageable memory, which is copied once more on its way; see the
# project's notes on method and specs/normal.toml. No formula gives it.
PAGEABLE_OF_PINNED = 0.5

_AT_MOST = "The GPU's figure is the peak of the memory, not a measured rate: the speed-up is an upper limit."

# Measures a target now: `host`, `device` or `pcie`.
Measure = Callable[[str], Source]
# A result with the record that it is from.
Measured = tuple[Source, Result]


def find_figures(asked: Asked, measure: Measure | None = None) -> Figures:
    """Return every figure; what was not given and stands in no record is measured, where `measure` can.

    Of a GPU that shares its processor's memory there is no link, unless one was given: then data is moved to it from
    another machine. Raises BandwidthError that names the figure which is missing and how to get it, and as `peaks`.
    """
    shared = _named_shared(asked)
    if shared is not None:
        return _of_shared(asked, shared, measure)
    found = _host_result(asked, measure)
    host, notes = _host(asked, found)
    device, capacity, shared_by = _device(asked, found, measure)
    link, back, latency = (None, None, LINK_LATENCY) if shared_by else _link(asked, measure)
    figures = Figures(
        host, link, device, back, link_latency=latency, capacity_bytes=capacity, notes=notes, shared=shared_by
    )
    return _with_calls_and_caches(figures, asked, found)


def _with_calls_and_caches(figures: Figures, asked: Asked, host: Measured | None) -> Figures:
    """Return the figures with what calls cost, and what is known of the host's caches from the result that is its."""
    return replace(
        figures,
        host_latency=_latency(asked.host_latency_s, "--host-latency", HOST_LATENCY),
        launch_latency=_latency(asked.launch_latency_s, "--launch-latency", LAUNCH_LATENCY),
        link_latency=_latency(asked.link_latency_s, "--link-latency", figures.link_latency),
        caches=() if host is None else _caches(host[0].record, host[1]),
        cache_bytes=None if host is None else max(host[1].case.caches.values(), default=None),
    )


def _latency(given_s: float | None, option: str, otherwise: SourcedFigure) -> SourcedFigure:
    return otherwise if given_s is None else SourcedFigure(given_s, "given", option)


# --- the host -------------------------------------------------------------------------------------------------------


def _host_result(asked: Asked, measure: Measure | None) -> Measured | None:
    """Return the record's result that stands for the host, None where the host was given."""
    if asked.host is not None:
        return None
    found = _best_of_host(asked, measure)
    if found is None:
        what, option = "the bandwidth of the host's memory", '--host "DDR4-2933 x4"'
        raise _missing(asked, what, "host", option, "90GB/s", measured=measure is not None)
    return found


def _best_of_host(asked: Asked, measure: Measure | None) -> Measured | None:
    found = best_result(asked, asked.sources, HOST)
    return best_result(asked, (measure(HOST),), HOST) if found is None and measure is not None else found


def _host(asked: Asked, found: Measured | None) -> tuple[SourcedFigure, tuple[str, ...]]:
    if found is not None:
        return _of_host(*found), ()
    assert asked.host is not None  # noqa: S101 - else there is a result
    figure, peak = _memory("--host", asked.host)
    return figure, () if peak is None else tuple(note for note in peak.notes if "unverified" in note)


def _of_host(source: Source, result: Result) -> SourcedFigure:
    threads = f"{result.case.threads} thread{'s' * (result.case.threads != 1)}"
    return measured_figure(source, result, f"{result.case.path}, {result.case.engine}, {threads}")


def _caches(record: Record, result: Result) -> tuple[CacheRate, ...]:
    """Return the caches' measured rates, from a sweep over size of the same kernel with as many threads."""
    case = result.case
    curves = [
        curve
        for curve in size_curves(record)
        if (curve.case.target, curve.case.path, curve.case.threads) == (HOST, case.path, case.threads)
    ]
    same = [curve for curve in curves if curve.case.engine == case.engine]
    for curve in (same or curves)[:1]:
        return tuple(
            CacheRate(level.level, level.size_bytes, level.bytes_per_s)
            for level in plateaus(curve)
            if level.level != MEMORY and level.size_bytes and level.bytes_per_s
        )
    return ()


# --- the device -----------------------------------------------------------------------------------------------------


def _device(asked: Asked, host: Measured | None, measure: Measure | None) -> tuple[SourcedFigure, int | None, str]:
    """Return the device's figure, what its memory holds, and who shares that where the host does.

    Of a record the same kernel as the host's comes first.
    """
    if asked.device is not None:
        figure, found = _memory("--device", asked.device)
        return figure, None if found is None else found.capacity_bytes, ""
    kernel = None if host is None else host[1].case.path
    found_result = best_result(asked, asked.sources, DEVICE, kernel)
    if found_result is None and measure is not None:
        found_result = best_result(asked, (measure(DEVICE),), DEVICE, kernel)
    if found_result is None:
        what = "the bandwidth of the device's memory"
        raise _missing(asked, what, "device", "--device H200", "900GB/s", measured=measure is not None)
    source, result = found_result
    shared_by = shared_in_record(source.record, result) if asked.link is None else ""
    return measured_figure(source, result, result_words(result)), _capacity(source.record, result), shared_by


def _capacity(record: Record, result: Result) -> int | None:
    """Return what the memory of the GPU that was measured holds: others may be listed before it, a BMC's among them."""
    sizes = [record.gpus.get(number, {}).get("memory_bytes") for number in result.case.devices]
    return next((size for size in sizes if type(size) is int and size > 0), None)


def _memory(option: str, text: str) -> tuple[SourcedFigure, Peak | None]:
    """Return the figure of a rate or a SPEC of memory, with its peak. Raises UsageError for a link."""
    if (rate := _rate(option, text)) is not None:
        return SourcedFigure(rate, "given", option), None
    found = _peaks(option, text)[0]
    if found.kind == "link":
        raise UsageError(f"{option} {text!a} is a link, not a memory", "name it with --link")
    return _of_peak(found), found


def _of_peak(found: Peak) -> SourcedFigure:
    """Return the figure of a memory's peak: the maker's where the catalog says that it is the real ceiling."""
    device = current_catalog().device(found.query) if found.device else None
    if device is not None and device.ceiling == "vendor" and found.vendor_bytes_per_s is not None:
        return SourcedFigure(found.vendor_bytes_per_s, "theory", f"{found.name}, the maker's figure")
    return SourcedFigure(found.bytes_per_s, "theory", found.name)


# --- one memory for both --------------------------------------------------------------------------------------------


def _named_shared(asked: Asked) -> SharedMemory | None:
    """Return the memory that the device which was named shares with its processor, None where it has its own."""
    if asked.link is not None or asked.device is None or _rate("--device", asked.device) is not None:
        return None
    try:
        return shared_memory(_peaks("--device", asked.device))
    except SharedMemoryError:
        return of_its_processor(asked.device.strip())


def _of_shared(asked: Asked, shared: SharedMemory, measure: Measure | None) -> Figures:
    """Return the figures of a GPU in its processor's memory: what each reaches where that is known, else the peak."""
    found = None if asked.host is not None else _best_of_host(asked, measure)
    host = None if found is None else _of_host(*found)
    memory, notes = None if shared.peak is None else _of_peak(shared.peak), shared.notes
    if asked.host is not None:
        given, peak = _memory("--host", asked.host)
        if peak is None:
            host = given
        elif shared.is_of(peak):
            memory = given
        else:
            notes = (*notes, _of_another(asked.host, given, shared))
    if memory is None:
        raise UsageError(
            f"--device {shared.owner!a} uses the memory of its processor, which is unknown",
            'name the processor with --device, such as Ryzen 7 7840U, or its memory with --host "DDR5-5600 x2"',
        )
    notes = notes if host is None else (*notes, _AT_MOST)
    capacity = None if shared.peak is None else shared.peak.capacity_bytes
    figures = Figures(
        host or memory, None, shared.of_gpu(memory), None, capacity_bytes=capacity, notes=notes, shared=shared.who
    )
    return _with_calls_and_caches(figures, asked, found)


def _of_another(text: str, given: SourcedFigure, shared: SharedMemory) -> str:
    return (
        f"--host {text!a} ({format_rate(given.value)} GB/s) is not the memory of {shared.owner} and is ignored. Data"
        " from another machine crosses a link: name it with --link."
    )


# --- the link -------------------------------------------------------------------------------------------------------


def _link(asked: Asked, measure: Measure | None) -> tuple[SourcedFigure | None, SourcedFigure | None, SourcedFigure]:
    """Return the link's rate there and back, and its latency; no rates where none are known and none are needed."""
    is_named = asked.device is not None and _rate("--device", asked.device) is None
    if asked.link is not None or is_named:  # a record's link belongs to its own device
        given = _given_link(asked)
        if given is not None:
            return given, given, LINK_LATENCY
    if not is_named:
        for source in _with_measured(asked.sources, measure if asked.needs_link else None):
            if (found := _of_record(source, asked.host_memory)) is not None:
                return found
    if not asked.needs_link:
        return None, None, LINK_LATENCY
    raise _no_link(asked, measured=measure is not None)


def _with_measured(sources: Iterable[Source], measure: Measure | None) -> Iterator[Source]:
    """Yield the records, and then, where nobody was content with those, what is measured now."""
    yield from sources
    if measure is not None:
        yield measure(PCIE)


def _given_link(asked: Asked) -> SourcedFigure | None:
    """Return the figure of --link, else of the host link of --device; None where the catalog has none."""
    if asked.link is not None and (rate := _rate("--link", asked.link)) is not None:
        return SourcedFigure(rate, "given", "--link")
    text = asked.link if asked.link is not None else asked.device or ""
    option = "--device" if asked.link is None else "--link"
    found = [peak for peak in _peaks(option, text) if peak.kind == "link"]
    if not found and asked.link is not None:
        raise UsageError(f"--link {asked.link!a} is not a link", "write it as PCIe 4.0 x16, or a rate such as 12GB/s")
    if not found:
        return None
    if asked.host_memory == PAGEABLE:
        text = f"{found[0].name}, half of its coded rate: assumed for pageable memory"
        return SourcedFigure(found[0].bytes_per_s * PAGEABLE_OF_PINNED, "theory", text)
    return SourcedFigure(found[0].bytes_per_s, "theory", f"{found[0].name}, coded rate")


def _of_record(source: Source, host_memory: str) -> tuple[SourcedFigure, SourcedFigure, SourcedFigure] | None:
    """Return the rates and the latency of a record's link, None where it has no copy to the device.

    Back counts as there where only that was measured.
    """
    rated = _link_results(source.record, host_memory)
    there = next((result for result in rated if result.case.path == "h2d"), None)
    if there is None:
        return None
    back = next((r for r in rated if (r.case.path, r.case.target) == ("d2h", there.case.target)), there)
    figures = [measured_figure(source, one, result_words(one, host_memory)) for one in (there, back)]
    return figures[0], figures[1], _fitted_latency(source, there)


def _link_results(record: Record, host_memory: str) -> list[Result]:
    return [
        result
        for result in plain_results(record)
        if result.case.target.startswith(f"{PCIE}:")
        and result.case.variant.get("host_memory", PINNED) == host_memory
        and summarise(result).median_bytes_per_s
    ]


def _fitted_latency(source: Source, there: Result) -> SourcedFigure:
    """Return the latency by the line through a sweep of the same copy, else the default."""

    def is_same(curve: SizeCurve) -> bool:
        case, other = curve.case, there.case
        places = [one.variant.get("host_memory", PINNED) for one in (case, other)]
        return (case.target, case.path) == (other.target, other.path) and places[0] == places[1]

    fits = [transfer_fit(curve) for curve in size_curves(source.record) if is_same(curve)]
    fit = next((fit for fit in fits if fit is not None), None)
    return (
        LINK_LATENCY
        if fit is None
        else SourcedFigure(fit.latency_s, source.kind, f"{source.name}: sweep of h2d, fitted")
    )


def _no_link(asked: Asked, *, measured: bool) -> BandwidthError:
    options = 'use --link, such as "PCIe 4.0 x16", or a rate such as 12GB/s'
    if asked.device is not None and _rate("--device", asked.device) is None:
        return UsageError(
            f"the bandwidth of the link is missing: the host link of {asked.device!a} is unknown", options
        )
    figure = f"the bandwidth of the link ({asked.host_memory})"
    return _missing(asked, figure, PCIE, '--link "PCIe 4.0 x16"', "12GB/s", measured=measured)


# --- records --------------------------------------------------------------------------------------------------------


def _missing(asked: Asked, figure: str, target: str, option: str, rate: str, *, measured: bool) -> BandwidthError:
    """Return the error that names a figure which is missing and how to get it: of usage where nothing gives one."""
    if not asked.sources:
        kind = BandwidthError if measured else UsageError
        return kind(f"{figure} is missing", f"use {option} or a rate such as {rate}, --record RECORD, or --measure")
    names = " and ".join(source.name for source in asked.sources)
    kernels = f"{asked.kernel or ' or '.join(READING_KERNELS[:2])} from memory"
    which = f"h2d of {asked.host_memory} memory" if target == PCIE else kernels
    narrowed = [asked.engine or "", "" if asked.threads is None else f"{asked.threads} thread"]
    by = ", ".join(filter(None, narrowed)) if target == HOST else ""
    kernel = f" --kernel {asked.kernel}" if asked.kernel and target != PCIE else ""
    return BandwidthError(
        f"{figure} is missing: {names} has no {which}{f' ({by})' if by else ''}",
        f"save one with `bandwidth measure {target}{kernel} --save FILE`, use {option}, or --measure",
    )


def _peaks(option: str, text: str) -> tuple[Peak, ...]:
    """Return the peaks of an option's SPEC. Raises as `peaks` does, with the option's name."""
    try:
        return peaks(text)
    except BandwidthError as error:
        raise type(error)(f"{option}: {error.message}", error.hint) from error


def _rate(option: str, text: str) -> float | None:
    """Return the bytes per second of a rate such as `90GB/s`, None for a SPEC. Raises UsageError for zero."""
    if not ends_as_rate(text):
        return None
    try:
        return parse_rate_bytes_per_s(text)
    except BandwidthError as error:
        raise UsageError(f"{option}: {error.message}", error.hint) from error
