"""The memory controllers' counters: which events are opened, what a count stands for, and one line where none is."""

import errno
import os
import time

import pytest

from bandwidth.machine.memory_counters import (
    BOTH,
    DEVICES,
    READ,
    RESCTRL,
    WRITE,
    _perf_event,
    events_of,
    open_counters,
)
from bandwidth.machine.reader import CapturedReader


def device(name, kind, cpus, formats, events=()):
    """Return the files of a device as sysfs has them."""
    files = {f"{DEVICES}/{name}/type": f"{kind}\n", f"{DEVICES}/{name}/cpumask": f"{cpus}\n"}
    files |= {f"{DEVICES}/{name}/format/{field}": f"{bits}\n" for field, bits in formats.items()}
    return files | {f"{DEVICES}/{name}/events/{file}": f"{text}\n" for file, text in dict(events).items()}


MIB = {"scale": "6.103515625e-5", "unit": "MiB"}
CAS = {"cas_count_read": "event=0x04,umask=0x03", "cas_count_write": "event=0x04,umask=0x0c"}
INTEL_FORMAT = {"event": "config:0-7", "umask": "config:8-15"}
# A Xeon of two sockets and two controllers, as its sysfs has them.
XEON = {
    name: text
    for number in (0, 1)
    for name, text in device(
        f"uncore_imc_{number}",
        14 + number,
        "0,18",
        INTEL_FORMAT,
        {**CAS, **{f"{event}.{end}": text for event in CAS for end, text in MIB.items()}},
    ).items()
}
CLIENT = device(
    "uncore_imc_free_running_0",
    21,
    "0",
    {"event": "config:0-7", "umask": "config:8-15"},
    {"data_read": "event=0xff,umask=0x20", "data_read.scale": "6.103515625e-5", "data_read.unit": "MiB"},
)
UMC = device("amd_umc_0", 30, "0", {"event": "config:0-7", "rdwrmask": "config:8-9"})
FABRIC = device("amd_df", 12, "0", {"event": "config:0-7,32-35,59-60", "umask": "config:8-15"})


class Counters:
    """Events that were opened, each of which has counted as `counts` says by kind and configuration."""

    def __init__(self, counts):
        self.counts = counts
        self.opened = []

    def __call__(self, kind, configuration, cpu):
        self.opened.append((kind, configuration, cpu))
        return lambda: float(self.counts[kind, configuration])


def found(files, counts):
    counters = Counters(counts)
    return open_counters(CapturedReader(files), counters), counters.opened


def test_a_xeons_controllers_are_counted_on_every_socket_in_bytes():
    read, write = 0x0304, 0x0C04
    counters, opened = found(XEON, {(kind, event): 1000 for kind in (14, 15) for event in (read, write)})
    assert set(opened) == {(kind, event, cpu) for kind in (14, 15) for event in (read, write) for cpu in (0, 18)}
    assert counters.bytes_so_far() == pytest.approx({READ: 4 * 64_000, WRITE: 4 * 64_000})
    assert (counters.source, counters.why_not) == ("uncore_imc", "")


def test_counters_that_run_freely_are_read_and_not_twice():
    counters, opened = found(CLIENT, {(21, 0x20FF): 10})
    assert opened == [(21, 0x20FF, 0)]
    assert counters.bytes_so_far() == pytest.approx({READ: 640})
    events = list(events_of(CapturedReader(CLIENT | XEON)))
    assert {event.device for event in events} == {"uncore_imc_0", "uncore_imc_1"}


def test_amds_controllers_tell_reads_from_writes_and_its_fabric_counts_both():
    counters, opened = found(UMC | FABRIC, {(30, 0x10A): 5, (30, 0x20A): 7})
    assert len(opened) == 2  # the fabric would count the same traffic again
    assert counters.bytes_so_far() == {READ: 5 * 64.0, WRITE: 7 * 64.0}
    counters, opened = found(FABRIC, {(12, 0x3807 + 0x40 * channel): 2 for channel in range(4)} | {
        (12, (1 << 32) + 0x3807 + 0x40 * channel): 2 for channel in range(4)
    })  # fmt: skip
    assert len(opened) == 8
    assert counters.bytes_so_far() == {BOTH: 8 * 2 * 64.0}


@pytest.mark.parametrize(
    "change",
    [
        {f"{DEVICES}/amd_umc_0/type": "many"},
        {f"{DEVICES}/amd_umc_0/cpumask": "0-"},
        {f"{DEVICES}/amd_umc_0/cpumask": ""},
        {f"{DEVICES}/amd_umc_0/format/event": "config1:0-7"},
        {f"{DEVICES}/amd_umc_0/format/event": "config:0-2"},  # 0x0a would lose a bit, and be another event
        {f"{DEVICES}/amd_umc_0/format/event": "config:0-99"},
        {f"{DEVICES}/amd_umc_0/format/rdwrmask": ""},
    ],
)
def test_a_device_that_is_described_wrongly_is_not_opened(change):
    counters, opened = found(UMC | change, {})
    assert opened == []
    assert counters.why_not


@pytest.mark.parametrize("event", ["", "event", "event=4;umask=3", "event=0xzz", "=3"])
def test_an_event_that_cannot_be_read_is_none(event):
    files = device("uncore_imc_0", 14, "0", INTEL_FORMAT, {"cas_count_read": event})
    assert [one.configuration for one in events_of(CapturedReader(files))] == ([1] if event == "event" else [])


NOT_ALLOWED = "uncore_imc is not permitted: it needs CAP_PERFMON, or kernel.perf_event_paranoid of 0 or less (2 here)"


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (errno.EACCES, NOT_ALLOWED),
        (errno.EPERM, NOT_ALLOWED),
        (errno.ENODEV, f"uncore_imc cannot be opened: {os.strerror(errno.ENODEV)}"),
    ],
)
def test_counters_that_are_refused_are_one_line(number, line):
    def refuse(*_):
        raise OSError(number, "perf_event_open")

    files = XEON | {"/proc/sys/kernel/perf_event_paranoid": "2\n"}
    counters = open_counters(CapturedReader(files), refuse)
    assert (counters.source, counters.why_not, counters.bytes_so_far()) == ("", line, {})


def test_the_caches_monitors_serve_where_the_controllers_may_not_be_read():
    def refuse(*_):
        raise OSError(errno.EACCES, "perf_event_open")

    monitors = {f"{RESCTRL}/mon_L3_0{number}/mbm_total_bytes": f"{number + 1}000\n" for number in (0, 1)}
    counters = open_counters(CapturedReader(XEON | monitors), refuse)
    assert counters.bytes_so_far() == {BOTH: 3000.0}
    assert counters.source == "resctrl, mbm_total_bytes"
    broken = open_counters(CapturedReader({**monitors, f"{RESCTRL}/mon_L3_01/mbm_total_bytes": "Unavailable\n"}))
    assert broken.source == ""


def test_where_there_is_nothing_one_line_says_so():
    virtual = open_counters(CapturedReader({"/proc/cpuinfo": "flags : fpu hypervisor\n"}))
    assert virtual.why_not.startswith("this virtual machine exposes none: no uncore_imc, amd_umc or amd_df in ")
    assert open_counters(CapturedReader({})).why_not.startswith("this kernel exposes none")
    assert "Darwin exposes no memory controller counters" in open_counters(CapturedReader({}, system="Darwin")).why_not
    assert all("\n" not in one.why_not for one in (virtual, open_counters(CapturedReader({}))))


def test_the_system_call_counts_what_it_is_told_to():
    """The kernel's own clock of a CPU, which every machine has: the call is the same."""
    try:
        count = _perf_event(1, 0, 0)
    except OSError as error:
        pytest.skip(f"perf_event_open is refused here: {error.strerror}")
    before = count()
    time.sleep(0.02)
    assert count() - before > 0.005e9
