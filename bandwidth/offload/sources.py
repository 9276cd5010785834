"""Where the figures of the model come from: theory, a record, a measurement made now, a number given, or a default."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from bandwidth.analysis.curves import MEMORY, SizeCurve, plateaus, size_curves, transfer_fit
from bandwidth.analysis.plain_results import plain_results
from bandwidth.catalog import current_catalog
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.offload.model import CacheRate, Model, Workload
from bandwidth.results import Record, Result, summarise
from bandwidth.theory import Peak, peaks
from bandwidth.units import ends_as_rate, parse_rate_bytes_per_s
from bandwidth.vocabulary import DEVICE, HOST, PAGEABLE, PCIE, PINNED

# Work that passes over its data reads it; what was measured instead is the next best.
READING_KERNELS = ("read", "triad", "copy")
# At most this share of the pinned rate is normal for pageable memory, which is copied once more on its way; see the
# project's notes on method and specs/normal.toml. No formula gives it.
PAGEABLE_OF_PINNED = 0.5

Kind = Literal["theory", "record", "measured", "given", "default"]


@dataclass(frozen=True)
class SourcedFigure:
    """A number in bytes per second or in seconds, of which kind it is, and what exactly it is."""

    value: float
    kind: Kind
    source: str


HOST_LATENCY = SourcedFigure(1e-6, "default", "a NumPy call on one element: 0.7 us on a Xeon")
LAUNCH_LATENCY = SourcedFigure(
    5e-6, "default", "2 to 3 us queued, 7 to 10 waited for (CSCS's references in ReFrame, P100 to A100)"
)
LINK_LATENCY = SourcedFigure(
    1e-5, "default", "5 to 7 us to submit a copy (Wu and others, arXiv 2602.21548), and to wait for it"
)


@dataclass(frozen=True)
class Source:
    """A record with the name that is shown, and whether it was made now."""

    name: str
    record: Record
    kind: Kind = "record"


@dataclass(frozen=True)
class Asked:
    """What the user gave. `host`, `device` and `link` are SPECs or rates such as `90GB/s`; None: take a record's.

    `engine` and `threads` narrow what of the host is taken from a record; latencies are seconds, None: the default.
    """

    host: str | None = None
    device: str | None = None
    link: str | None = None
    sources: tuple[Source, ...] = ()
    kernel: str | None = None
    host_memory: str = PINNED
    engine: str | None = None
    threads: int | None = None
    host_latency_s: float | None = None
    launch_latency_s: float | None = None
    link_latency_s: float | None = None


@dataclass(frozen=True)
class Figures:
    """All figures of the model. `capacity_bytes` is one device's memory, None where not known.

    `cache_bytes` is what the host's last cache holds, None where not known; `caches` those with a measured bandwidth.
    """

    host: SourcedFigure
    link: SourcedFigure
    device: SourcedFigure
    link_back: SourcedFigure
    host_latency: SourcedFigure = HOST_LATENCY
    launch_latency: SourcedFigure = LAUNCH_LATENCY
    link_latency: SourcedFigure = LINK_LATENCY
    caches: tuple[CacheRate, ...] = ()
    cache_bytes: int | None = None
    capacity_bytes: int | None = None
    notes: tuple[str, ...] = field(default=())

    def model(self, work: Workload) -> Model:
        """Return the model of some work with these figures."""
        return Model(
            host_bytes_per_s=self.host.value,
            link_bytes_per_s=self.link.value,
            device_bytes_per_s=self.device.value,
            link_back_bytes_per_s=self.link_back.value,
            host_latency_s=self.host_latency.value,
            launch_latency_s=self.launch_latency.value,
            link_latency_s=self.link_latency.value,
            caches=self.caches,
            work=work,
        )


# Measures a target now: `host`, `device` or `pcie`.
Measure = Callable[[str], Source]


def find_figures(asked: Asked, measure: Measure | None = None) -> Figures:
    """Return every figure; what was not given and stands in no record is measured, where `measure` can.

    Raises BandwidthError that names the figure which is missing and how to get it, and as `peaks` does.
    """
    host_source, host_result = _host_result(asked, measure)
    host, host_note = _host(asked, host_source, host_result)
    device, capacity = _device(asked, host_result, measure)
    link, back, latency = _link(asked, measure)
    return Figures(
        host,
        link,
        device,
        back,
        host_latency=_latency(asked.host_latency_s, "--host-latency", HOST_LATENCY),
        launch_latency=_latency(asked.launch_latency_s, "--launch-latency", LAUNCH_LATENCY),
        link_latency=_latency(asked.link_latency_s, "--link-latency", latency),
        caches=() if host_source is None or host_result is None else _caches(host_source.record, host_result),
        cache_bytes=None if host_result is None else max(host_result.case.caches.values(), default=None),
        capacity_bytes=capacity,
        notes=host_note,
    )


def _latency(given_s: float | None, option: str, otherwise: SourcedFigure) -> SourcedFigure:
    return otherwise if given_s is None else SourcedFigure(given_s, "given", option)


# --- the host -------------------------------------------------------------------------------------------------------


def _host_result(asked: Asked, measure: Measure | None) -> tuple[Source | None, Result | None]:
    """Return the record's result that stands for the host, None where the host was given."""
    if asked.host is not None:
        return None, None
    found = best_result(asked, asked.sources, HOST)
    if found is None and measure is not None:
        found = best_result(asked, (measure(HOST),), HOST)
    if found is None:
        what, option = "the bandwidth of the host's memory", '--host "DDR4-2933 x4"'
        raise _missing(asked, what, "host", option, "90GB/s", measured=measure is not None)
    return found


def _host(asked: Asked, source: Source | None, result: Result | None) -> tuple[SourcedFigure, tuple[str, ...]]:
    if source is not None and result is not None:
        threads = f"{result.case.threads} thread{'s' * (result.case.threads != 1)}"
        return _measured(source, result, f"{result.case.path}, {result.case.engine}, {threads}"), ()
    assert asked.host is not None  # noqa: S101 - else there is a result
    figure, found = _memory("--host", asked.host)
    return figure, () if found is None else tuple(note for note in found.notes if "unverified" in note)


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


def _device(asked: Asked, host: Result | None, measure: Measure | None) -> tuple[SourcedFigure, int | None]:
    """Return the device's figure and what its memory holds. Of a record the same kernel as the host's comes first."""
    if asked.device is not None:
        figure, found = _memory("--device", asked.device)
        return figure, None if found is None else found.capacity_bytes
    kernel = None if host is None else host.case.path
    found_result = best_result(asked, asked.sources, DEVICE, kernel)
    if found_result is None and measure is not None:
        found_result = best_result(asked, (measure(DEVICE),), DEVICE, kernel)
    if found_result is None:
        what = "the bandwidth of the device's memory"
        raise _missing(asked, what, "device", "--device H200", "900GB/s", measured=measure is not None)
    source, result = found_result
    return _measured(source, result, f"{result.case.path}, {result.case.target}"), _capacity(source.record, result)


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
        raise UsageError(f"{option} {text!a} is a link and no memory", "give it as --link")
    device = current_catalog().devices.find(text)
    if device is not None and device.ceiling == "vendor" and found.vendor_bytes_per_s is not None:
        return SourcedFigure(found.vendor_bytes_per_s, "theory", f"{found.name}, the maker's figure"), found
    return SourcedFigure(found.bytes_per_s, "theory", found.name), found


# --- the link -------------------------------------------------------------------------------------------------------


def _link(asked: Asked, measure: Measure | None) -> tuple[SourcedFigure, SourcedFigure, SourcedFigure]:
    """Return the link's rate there and back, and its latency."""
    is_named = asked.device is not None and _rate("--device", asked.device) is None
    if asked.link is not None or is_named:  # a record's link belongs to its own device
        given = _given_link(asked)
        if given is not None:
            return given, given, LINK_LATENCY
    if not is_named:
        for source in _with_measured(asked.sources, measure):
            if (found := _of_record(source, asked.host_memory)) is not None:
                return found
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
        raise UsageError(f"--link {asked.link!a} is no link", "write it as PCIe 4.0 x16, or a rate such as 12GB/s")
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
    figures = [_measured(source, one, f"{one.case.path}, {host_memory}, {one.case.target}") for one in (there, back)]
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
    options = 'give --link, such as "PCIe 4.0 x16", or a rate such as 12GB/s'
    if asked.device is not None and _rate("--device", asked.device) is None:
        return UsageError(f"the bandwidth of the link is missing: none is known of {asked.device!a}", options)
    figure = f"the bandwidth of the link ({asked.host_memory})"
    return _missing(asked, figure, PCIE, '--link "PCIe 4.0 x16"', "12GB/s", measured=measured)


# --- records --------------------------------------------------------------------------------------------------------


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


def _measured(source: Source, result: Result, what: str) -> SourcedFigure:
    rate = summarise(result).median_bytes_per_s
    assert rate is not None  # noqa: S101 - who calls has seen that there is one
    return SourcedFigure(rate, source.kind, f"{source.name}: {what}")


def _missing(asked: Asked, figure: str, target: str, option: str, rate: str, *, measured: bool) -> BandwidthError:
    """Return the error that names a figure which is missing and how to get it: of usage where nothing gives one."""
    if not asked.sources:
        kind = BandwidthError if measured else UsageError
        return kind(f"{figure} is missing", f"give {option} or a rate such as {rate}, --record RECORD, or --measure")
    names = " and ".join(source.name for source in asked.sources)
    kernels = f"{asked.kernel or ' or '.join(READING_KERNELS[:2])} from memory"
    which = f"h2d of {asked.host_memory} memory" if target == PCIE else kernels
    narrowed = [asked.engine or "", "" if asked.threads is None else f"{asked.threads} thread"]
    by = ", ".join(filter(None, narrowed)) if target == HOST else ""
    kernel = f" --kernel {asked.kernel}" if asked.kernel and target != PCIE else ""
    return BandwidthError(
        f"{figure} is missing: {names} has no {which}{f' ({by})' if by else ''}",
        f"save one with `bandwidth measure {target}{kernel} --save FILE`, give {option}, or --measure",
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
