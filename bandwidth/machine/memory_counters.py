"""What the memory controllers count, where the kernel shows it: bytes read and written, of everybody on the machine.

Three places, the first that has any: the counters of the controllers by perf_event_open (Intel's uncore_imc, AMD's
amd_umc), those of AMD's fabric before Zen 4 (amd_df: both directions in one), and the cache monitor's by resctrl.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bandwidth.cpu_list import parse_cpu_list
from bandwidth.errors import BandwidthError
from bandwidth.machine.reader import Reader, read_integer, read_line

DEVICES = "/sys/bus/event_source/devices"
RESCTRL = "/sys/fs/resctrl/mon_data"
READ, WRITE, BOTH = "read", "write", "both"
LINE_BYTES = 64
_UNITS = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
# The names of Intel's events in sysfs: servers' and clients'.
_NAMED_EVENTS = {
    "cas_count_read": READ,
    "cas_count_write": WRITE,
    "data_reads": READ,
    "data_writes": WRITE,
    "data_read": READ,
    "data_write": WRITE,
}
# AMD's events stand in no file of sysfs: amdzen4/memory-controller.json and amdzen2/data-fabric.json of the kernel's
# perf. Each count is a line of 64 bytes.
_UMC_EVENTS = {READ: {"event": 0x0A, "rdwrmask": 0x1}, WRITE: {"event": 0x0A, "rdwrmask": 0x2}}
_DF_EVENTS = tuple({"event": 0x07 + 0x40 * channel, "umask": 0x38} for channel in range(8))
# perf_event_open(2) by architecture; the attributes of its first version, which counts and no more.
_SYSTEM_CALLS = {"x86_64": 298, "aarch64": 241, "ppc64le": 319, "s390x": 331, "riscv64": 241}
_ATTRIBUTES = struct.Struct("<IIQQQQQIIQ")
_TIMES = 0b11  # each reading with the time that it was asked to count and that it did
_READING = struct.Struct("<QQQ")

# Opens an event of a kind of device and a configuration on a CPU and returns what reads its count; raises OSError.
OpenEvent = Callable[[int, int, int], Callable[[], float]]


@dataclass(frozen=True)
class Event:
    """One event of one device: what it counts (`read`, `write` or `both`), as so many bytes each, and on which CPUs."""

    device: str
    counts: str
    kind: int
    configuration: int
    bytes_each: float
    cpus: tuple[int, ...]


@dataclass(frozen=True)
class MemoryCounters:
    """Counters that are open, or why there are none, in a line; `source` names those that count."""

    source: str = ""
    why_not: str = ""
    readings: tuple[tuple[str, Callable[[], float]], ...] = field(default=(), repr=False)

    def bytes_so_far(self) -> dict[str, float]:
        """Return the bytes counted up to now, by `read`, `write` or `both`. Nothing where there are no counters."""
        total: dict[str, float] = {}
        for counts, read in self.readings:
            total[counts] = total.get(counts, 0.0) + read()
        return total


def open_counters(reader: Reader, open_event: OpenEvent | None = None) -> MemoryCounters:
    """Return the counters of the memory controllers, or why none can be read."""
    if reader.system != "Linux":
        return MemoryCounters(why_not=f"{reader.system} exposes no memory controller counters")
    events, reason = tuple(events_of(reader)), ""
    if events:
        try:
            return MemoryCounters(", ".join(_names(events)), readings=_opened(events, open_event or _perf_event))
        except OSError as error:
            reason = _refused(reader, events, error)
    monitors = _monitors(reader)
    if monitors:
        return MemoryCounters("resctrl, mbm_total_bytes", readings=monitors)
    return MemoryCounters(why_not=reason or _missing(reader))


def _missing(reader: Reader) -> str:
    is_virtual = "hypervisor" in (reader.text("/proc/cpuinfo") or "")
    where = "this virtual machine" if is_virtual else "this kernel"
    return f"{where} exposes none: no uncore_imc, amd_umc or amd_df in {DEVICES}, and no resctrl with mbm_total_bytes"


def _refused(reader: Reader, events: Sequence[Event], error: OSError) -> str:
    name = ", ".join(_names(events))
    if error.errno in (errno.EACCES, errno.EPERM):
        level = read_integer(reader, "/proc/sys/kernel/perf_event_paranoid")
        seen = "" if level is None else f" ({level} here)"
        return f"{name} is not permitted: it needs CAP_PERFMON, or kernel.perf_event_paranoid of 0 or less{seen}"
    return f"{name} cannot be opened: {os.strerror(error.errno or 0)}"


def _names(events: Sequence[Event]) -> list[str]:
    return sorted({re.sub(r"(_free_running)?(_[0-9]+)*$", "", event.device) for event in events})


# --- the events -----------------------------------------------------------------------------------------------------


def events_of(reader: Reader) -> Iterator[Event]:
    """Yield what counts the memory's traffic: of controllers where there are any, else of AMD's fabric."""
    names = reader.names(DEVICES)
    controllers = [name for name in names if re.fullmatch(r"uncore_imc(_free_running)?(_[0-9]+)*|amd_umc_[0-9]+", name)]
    counted = [event for name in controllers for event in _events(reader, name)]
    # Clients show the same traffic twice, by counters that run freely and by those that are programmed.
    free = {event.counts for event in counted if "free_running" in event.device}
    programmed = {event.counts for event in counted if "free_running" not in event.device}
    counted = [event for event in counted if "free_running" not in event.device or not free <= programmed]
    yield from counted or (event for name in names if name == "amd_df" for event in _events(reader, name))


def _events(reader: Reader, device: str) -> Iterator[Event]:
    kind, cpus = read_integer(reader, f"{DEVICES}/{device}/type"), _cpus(reader, device)
    if kind is None or not cpus:
        return
    for counts, fields, bytes_each in _described(reader, device):
        configuration = _configuration(reader, device, fields)
        if configuration is not None:
            yield Event(device, counts, kind, configuration, bytes_each, cpus)


def _described(reader: Reader, device: str) -> Iterator[tuple[str, Mapping[str, int], float]]:
    """Yield what each event counts, its fields, and how many bytes each count stands for."""
    if device.startswith("amd_umc"):
        yield from ((counts, fields, LINE_BYTES) for counts, fields in _UMC_EVENTS.items())
    elif device == "amd_df":
        yield from ((BOTH, fields, LINE_BYTES) for fields in _DF_EVENTS)
    else:
        for name, counts in _NAMED_EVENTS.items():
            folder = f"{DEVICES}/{device}/events"
            fields = _fields(read_line(reader, f"{folder}/{name}"))
            if fields:
                yield counts, fields, _bytes_each(reader, f"{folder}/{name}")


def _fields(text: str | None) -> dict[str, int]:
    """Return the fields of an event such as `event=0x04,umask=0x03`; one without a value is 1. Empty for no event."""
    found: dict[str, int] = {}
    for part in (text or "").split(","):
        name, _, value = part.strip().partition("=")
        if not re.fullmatch(r"\w+", name, re.ASCII) or not re.fullmatch(r"0x[0-9a-f]{1,16}|[0-9]{1,19}|", value):
            return {}
        found[name] = int(value, 0) if value else 1
    return found


def _bytes_each(reader: Reader, event: str) -> float:
    """Return the bytes that one count stands for, by the event's `.scale` and `.unit`; a line where they lack."""
    unit = _UNITS.get(read_line(reader, f"{event}.unit") or "")
    scale = read_line(reader, f"{event}.scale") or ""
    is_number = re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,30})?(e[+-]?[0-9]{1,2})?", scale, re.ASCII | re.IGNORECASE)
    return float(scale) * unit if unit and is_number else float(LINE_BYTES)


def _configuration(reader: Reader, device: str, fields: Mapping[str, int]) -> int | None:
    """Return the number that selects an event: each field in the bits that `format` gives it, None where one lacks."""
    total = 0
    for name, value in fields.items():
        found = re.fullmatch(r"config:([0-9,-]{1,60})", read_line(reader, f"{DEVICES}/{device}/format/{name}") or "")
        if found is None:
            return None
        left = value
        for part in found[1].split(","):
            low, _, high = part.partition("-")
            if not low or int(high or low) > 63:
                return None
            width = int(high or low) - int(low) + 1
            total |= (left & ((1 << width) - 1)) << int(low)
            left >>= width
        if left:
            return None  # the field is too narrow: it would be another event
    return total


def _cpus(reader: Reader, device: str) -> tuple[int, ...]:
    """Return the CPUs to count on, one of each socket or controller."""
    try:
        return tuple(parse_cpu_list(read_line(reader, f"{DEVICES}/{device}/cpumask") or ""))
    except (BandwidthError, ValueError):
        return ()


# --- reading --------------------------------------------------------------------------------------------------------


def _opened(events: Sequence[Event], open_event: OpenEvent) -> tuple[tuple[str, Callable[[], float]], ...]:
    """Return what reads the bytes of every event on each of its CPUs. Raises OSError."""
    return tuple(
        (event.counts, _in_bytes(open_event(event.kind, event.configuration, cpu), event.bytes_each))
        for event in events
        for cpu in event.cpus
    )


def _in_bytes(count: Callable[[], float], bytes_each: float) -> Callable[[], float]:
    return lambda: count() * bytes_each


def _monitors(reader: Reader) -> tuple[tuple[str, Callable[[], float]], ...]:
    """Return what reads the bytes of every cache's monitor, none where one has no figure."""
    paths = [f"{RESCTRL}/{name}/mbm_total_bytes" for name in reader.names(RESCTRL) if name.startswith("mon_L3_")]
    if not paths or any(read_integer(reader, path) is None for path in paths):
        return ()
    return tuple((BOTH, lambda path=path: float(read_integer(reader, path) or 0)) for path in paths)


class _Descriptor:
    """A file of the kernel, closed with this."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        os.close(self.number)


def _perf_event(kind: int, configuration: int, cpu: int) -> Callable[[], float]:
    """Open an event of the whole machine on a CPU by perf_event_open(2). See OpenEvent."""
    number = _SYSTEM_CALLS.get(os.uname().machine)
    if number is None:
        raise OSError(errno.ENOSYS, "perf_event_open")
    packed = _ATTRIBUTES.pack(kind, _ATTRIBUTES.size, configuration, 0, 0, _TIMES, 0, 0, 0, 0)
    attributes = ctypes.create_string_buffer(packed, _ATTRIBUTES.size)
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    everybody, no_group, flags = ctypes.c_long(-1), ctypes.c_long(-1), ctypes.c_ulong(8)  # closed when a program starts
    opened = call(ctypes.c_long(number), attributes, everybody, ctypes.c_long(cpu), no_group, flags)
    if opened < 0:
        raise OSError(ctypes.get_errno(), "perf_event_open")
    descriptor = _Descriptor(int(opened))

    def count() -> float:
        counted, enabled, running = _READING.unpack(os.read(descriptor.number, _READING.size))
        return counted * enabled / running if running else 0.0  # it took turns with others for the counter

    return count
