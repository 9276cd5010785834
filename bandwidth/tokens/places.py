"""Places that hold a model: a SPEC, a device, several of one, a rate, a record, or this machine (`here`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bandwidth.catalog import Catalog, current_catalog
from bandwidth.catalog.decoding import DeviceFit
from bandwidth.catalog.published import host_bands
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.machine.facts import Facts
from bandwidth.offload.figures import Asked, Source
from bandwidth.offload.records import best_result
from bandwidth.results import Record, Result, summarise
from bandwidth.theory import Peak, peaks
from bandwidth.tokens.decode import Host, Place, Split
from bandwidth.units import ends_as_rate, parse_rate_bytes_per_s
from bandwidth.vocabulary import DEVICE, GIGA, HOST, Target

HERE = "here"
MOST_DEVICES = 1024
EXAMPLES = "use a SPEC, a device, 2 x RTX 3090, a rate such as 433GB/s, a saved record, or here"
_SEVERAL = re.compile(r"(?P<count>[0-9]{1,4})\s*[x*]\s*(?P<name>\S.*)", re.IGNORECASE | re.ASCII)
# A slice of a GPU that several guests share, by its gigabytes: `NVIDIA L4-12Q`. Its time on the GPU is its share of it.
_SLICE = re.compile(r"(?P<name>.+)-(?P<gb>[0-9]{1,3})[QCB]", re.ASCII)
_UNIFIED = ("soc", "console")
# Where no band of a processor says what its reads reach: the general one of specs/normal.toml has both ends.
READ = "read"


@dataclass(frozen=True)
class AskedHost:
    """What the user said of the processor that decodes: `--threads`, `--sockets`; None: not said."""

    threads: int | None = None
    sockets: int | None = None

    def __post_init__(self) -> None:
        for option, number in (("--threads", self.threads), ("--sockets", self.sockets)):
            if number is not None and not 1 <= number <= MOST_DEVICES:
                raise UsageError(f"{option} {number} is out of range", f"use 1 to {MOST_DEVICES:,}")

    def known(self, threads: int | None = None, sockets: int | None = None, maker: str = "") -> Host:
        """Return what is known of a processor: what was said, else what is known otherwise."""
        return Host(self.threads or threads, self.sockets or sockets or 1, maker)


@dataclass(frozen=True)
class Surroundings:
    """What `here` and records are read with: how this machine is looked at, how it is measured (None: it is not)."""

    look: Callable[[], tuple[Facts, Peak | None, str]]
    load: Callable[[Path], Record]
    measure: Callable[[], Record] | None = None
    fits: dict[str, DeviceFit] | None = None


def find_places(text: str, asked: AskedHost, split: Split, around: Surroundings) -> tuple[Place, ...]:
    """Return the places of a text: one, or of a record each target that it measured.

    Raises BandwidthError for a text that is none, and as `peaks` and the record's loader do.
    """
    text = text.strip()
    if text.lower() == HERE:
        return (_here(asked, around),)
    if ends_as_rate(text):
        return (_of_rate(text, asked),)
    if (path := _record_path(text)) is not None:
        return tuple(_of_record(path, around.load(path), asked, around))
    return (_of_spec(text, asked, split, around),)


def _record_path(text: str) -> Path | None:
    """Return the path of a record: one that is there, or that is written as a file's name."""
    path = Path(text)
    try:
        is_there = path.is_file()
    except (OSError, ValueError):
        return None
    return path if is_there or text.endswith(".json") else None


# --- SPECs ------------------------------------------------------------------------------------------------------------


def _of_spec(text: str, asked: AskedHost, split: Split, around: Surroundings) -> Place:
    """Return the place of a SPEC; `2 x NAME` are two devices where the whole is not a notation."""
    several = _SEVERAL.fullmatch(text)
    try:
        return _one(text, asked, around)
    except BandwidthError as error:
        if several is None:
            error.hint = error.hint or EXAMPLES
            raise
    count = int(several["count"])
    if not 1 <= count <= MOST_DEVICES:
        raise UsageError(f"{text[:60]!a}: {count} is not a valid number of devices", f"use 1 to {MOST_DEVICES:,}")
    one = _one(several["name"], asked, around)
    if not one.is_device:
        raise UsageError(f"{text[:60]!a}: only GPUs can share a model", "sockets and channels are part of the SPEC")
    return replace(one, name=f"{count} x {one.name}", count=count, split=split)


def _one(text: str, asked: AskedHost, around: Surroundings) -> Place:
    sliced = _SLICE.fullmatch(text)
    if sliced is not None:
        return _slice(_one(sliced["name"], asked, around), int(sliced["gb"]), text)
    found = peaks(text)[0]
    if found.kind == "link":
        raise UsageError(f"{text[:60]!a} is a link, not a memory", EXAMPLES)
    device = current_catalog().device(text) if found.device else None
    rate, source = found.bytes_per_s, found.short_working
    if device is not None and device.ceiling == "vendor" and found.vendor_bytes_per_s is not None:
        rate, source = found.vendor_bytes_per_s, "the maker's figure"
    fit = None if device is None or device.kind == "cpu" else _device_fit(found, device.kind in _UNIFIED, around)
    place = Place(found.name, rate, rate, rate, source, capacity_bytes=found.capacity_bytes, device_fit=fit)
    if fit is not None:
        return place
    maker = "" if device is None else device.maker
    return _as_host(place, found, asked.known(maker=_maker(maker)), current_catalog())


def _slice(whole: Place, size_gb: int, text: str) -> Place:
    if not whole.is_device or whole.capacity_bytes is None:
        raise BandwidthError(f"{text[:60]!a} is not a known slice of a GPU", EXAMPLES)
    part = min(1.0, size_gb * GIGA / whole.capacity_bytes)
    return replace(
        whole,
        name=text,
        capacity_bytes=size_gb * GIGA,
        part=part,
        notes=(f"a slice of {whole.name}: it gets between {part:.0%} and 100% of the GPU's time",),
    )


def _device_fit(found: Peak, is_unified: bool, around: Surroundings) -> DeviceFit | None:
    """Return how GPUs with such a memory decode; the accelerators' HBM counts as the GPUs'."""
    fits = around.fits or {}
    return fits.get("unified" if is_unified else "HBM" if found.family.startswith("HBM") else "GDDR")


def _as_host(place: Place, found: Peak, host: Host, catalog: Catalog) -> Place:
    """Return a processor's place: what reads of all cores reach of the peak is a range, from specs/normal.toml."""
    bands = host_bands(catalog.normal_bands, READ, (found.device, found.name), found.family, None)
    shares = [(band.low, band.high) for band in bands if band.denominator == "peak"]
    low, high = shares[0] if shares else (1.0, 1.0)
    return replace(
        place,
        slowest_bytes_per_s=place.bytes_per_s * low,
        fastest_bytes_per_s=place.bytes_per_s * min(high, 1.0),
        host=host,
    )


def _of_rate(text: str, asked: AskedHost) -> Place:
    try:
        rate = parse_rate_bytes_per_s(text)
    except BandwidthError as error:
        raise UsageError(error.message, error.hint) from error
    return Place(text, rate, rate, rate, "the given rate", host=asked.known())


# --- records and this machine -----------------------------------------------------------------------------------------


def _of_record(path: Path, record: Record, asked: AskedHost, around: Surroundings) -> Iterator[Place]:
    source = Source(path.name, record)
    found = [best_result(Asked(), (source,), target) for target in (HOST, DEVICE)]
    if not any(found):
        raise BandwidthError(f"{path} contains no memory bandwidth", "save one with `bandwidth measure --save FILE`")
    host, device = found
    if host is not None:
        yield _measured_host(path.name, record, host[1], asked)
    if device is not None:
        yield _measured_device(path.name, record, device[1], around)


def _measured_host(name: str, record: Record, result: Result, asked: AskedHost) -> Place:
    facts = record.machine
    rate = _median(result)
    host = asked.known(
        _integer(facts, "physical_cores"),
        _integer(facts, "sockets"),
        _maker(f"{facts.get('cpu_vendor')} {facts.get('cpu_model')}"),
    )
    return Place(
        f"{name}, host",
        rate,
        rate,
        rate,
        f"{result.case.path} measured with {result.case.threads} threads",
        capacity_bytes=_integer(facts, "memory_total_bytes"),
        host=host,
    )


def _measured_device(name: str, record: Record, result: Result, around: Surroundings) -> Place:
    rate = _median(result)
    gpu = next((record.gpus.get(number, {}) for number in result.case.devices), {})
    fits = around.fits or {}
    title = str(gpu.get("name") or Target.parse(result.case.target).words)
    try:
        family = peaks(title)[0].family
    except BandwidthError:
        family = ""
    peak = result.theory_bytes_per_s or rate
    return Place(
        f"{name}, {title}",
        rate,
        peak,
        peak,
        f"{result.case.path} measured on {Target.parse(result.case.target).words}",
        capacity_bytes=_integer(gpu, "memory_bytes"),
        device_fit=fits.get("HBM" if family.startswith("HBM") else "GDDR"),
    )


def _here(asked: AskedHost, around: Surroundings) -> Place:
    facts, peak, reason = around.look()
    host = asked.known(
        facts.integer("physical_cores"),
        facts.integer("sockets"),
        _maker(f"{facts.text('cpu_vendor')} {facts.text('cpu_model')}"),
    )
    capacity = facts.integer("memory_total_bytes")
    if around.measure is not None:
        found = best_result(Asked(), (Source("this machine", around.measure(), "measured"),), HOST)
        if found is None:
            raise BandwidthError("this machine's memory could not be measured", "see `bandwidth measure host`")
        rate = _median(found[1])
        source = f"{found[1].case.path} measured now with {found[1].case.threads} threads"
        return Place("this machine", rate, rate, rate, source, capacity_bytes=capacity, host=host)
    if peak is None:
        raise BandwidthError(f"the memory of this machine is unknown: {reason}", "add --measure, or name its SPEC")
    place = Place("this machine", peak.bytes_per_s, 0, 0, peak.short_working, capacity_bytes=capacity)
    return _as_host(place, peak, host, current_catalog())


def _median(result: Result) -> float:
    rate = summarise(result).median_bytes_per_s
    assert rate is not None  # noqa: S101 - best_result takes only what has one
    return rate


def _integer(facts: object, name: str) -> int | None:
    value = facts.get(name) if hasattr(facts, "get") else None
    return value if type(value) is int and value > 0 else None


def _maker(text: str) -> str:
    """Return whose processor it is as the fit tells them apart, "" for Intel's and for what is not known."""
    lowered = text.lower()
    if "amd" in lowered:
        return "AMD"
    arm = ("arm", "neoverse", "graviton", "ampere", "apple", "qualcomm", "kunpeng", "nvidia", "grace")
    return "Arm" if any(word in lowered for word in arm) else ""
