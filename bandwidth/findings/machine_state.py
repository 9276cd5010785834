"""What the machine did beside measuring: other work, quotas, power settings, clocks that move, small pages."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bandwidth.analysis.comparable import (
    LOST_SHARE,
    OTHERS_SHARE,
    PRESSURE_SHARE,
    STEAL_SHARE,
    WAIT_SHARE,
    disturbance_by_block,
    disturbance_by_run,
    disturbance_of,
    elapsed_s,
    is_watched,
)
from bandwidth.analysis.groups import grouped
from bandwidth.analysis.recorded import either, growth, listed_cpus, number, positive, texts
from bandwidth.cpu_list import format_cpu_list
from bandwidth.findings.evidence import Raised, ResultRow, in_memory, measured, shown, sweep_points
from bandwidth.findings.rules import ALL, also, percent, rule
from bandwidth.findings.validity import is_unstable
from bandwidth.results import Record
from bandwidth.statistics import median
from bandwidth.units import KIBI, format_duration, format_percent
from bandwidth.vocabulary import DEVICE, HOST, SMALL_PAGES, SWEEP_POINT

# Tasks waited for memory: below this it is the kernel gathering huge pages before anything is timed.
MEMORY_WAIT_SHARE = 0.05
# The clock's range within one result, and between results on the same CPUs. Arithmetic on wide vectors lowers some
# processors' clock by an eighth (4.1 to 3.6 GHz on a Xeon of 2024), and that is their rule: more is a drift.
CLOCK_RANGE = 0.2
# A clock below this share of the one that the processor's name states: it is held down.
NOMINAL_SHARE = 0.9
# Governors that follow the load, or a fixed setting, and so may lag behind a block or lie below the full clock.
FOLLOWING_GOVERNORS = ("ondemand", "conservative", "schedutil", "userspace")
# With fewer of the pages huge, most of the data is behind small ones.
HUGE_SHARE = 0.5
# Pages this large need few translations: Arm and POWER kernels are built with them.
LARGE_PAGE_BYTES = 64 * KIBI

_NOMINAL = re.compile(r"@ ?([0-9]{1,2}(?:\.[0-9]{1,3})?) ?GHz", re.ASCII)


@rule(
    "BW004",
    "The machine was busy",
    rank=150,
    of=ALL,
    limits={
        "others": percent(OTHERS_SHARE),
        "steal": percent(STEAL_SHARE),
        "wait": percent(WAIT_SHARE),
        "lost": percent(LOST_SHARE),
        "memory": percent(MEMORY_WAIT_SHARE),
        "pressure": percent(PRESSURE_SHARE),
    },
)
def busy(record: Record) -> Iterator[Raised]:
    """
    Other programs, or other virtual machines on the same host, used the CPUs or the memory during the measurement.
    All cores of a socket share its memory bandwidth, so other work costs bandwidth even on other cores. The state is
    read just before and just after each timed block, not from the load average, which the measurement itself raises.
    Limits: CPU time of other processes, more than {others} of all CPUs; time that the hypervisor gave to other guests
    (steal), more than {steal} of the busy CPU time; time in which threads of the measurement were ready but had no
    CPU, more than {wait} of their time; time without a CPU during the checks between blocks (`bandwidth explain
    noise`), more than {lost} of it; time in which tasks waited for memory (pressure stall information), more than
    {memory} of the run. Older records describe the whole run only: steal, and tasks that waited for a CPU for more
    than {pressure} of it.

    Such results are not compared with others (BW046), `check` is undecided, and `fleet` does not judge the machine.

    What to try: measure on an idle machine (`top` lists the processes), or on reserved CPUs (--cpus).
    """
    hint = "stop other work (see `top`), reserve CPUs with --cpus, or measure at another time"
    watched = [result for result in record.results if is_watched(result) and result.case.kind != DEVICE]
    found = [one for one in map(disturbance_by_block, watched) if one is not None]
    for words, limit in dict.fromkeys((one.words, one.limit) for one in found):
        shares = [one.share for one in found if one.words == words]
        when = f"during {len(shares)} of {len(watched)} results"
        seen = f"{when} {words.format(format_percent(median(shares)))}, more than {format_percent(limit)}"
        yield Raised(None, seen, hint)
    run = None if watched or all(one.case.kind == DEVICE for one in record.results) else disturbance_by_run(record)
    if run is not None:
        yield Raised(None, f"{run}, more than {format_percent(run.limit)}", hint)


@also("BW004", rank=160, of=ALL)
def waited_for_memory(record: Record) -> Iterator[Raised]:
    """Yield where tasks waited for memory while the measurement ran."""
    elapsed, waited_us = elapsed_s(record), growth(record, "memory_stall_us")
    if elapsed is None or waited_us is None or waited_us * 1e-6 <= MEMORY_WAIT_SHARE * elapsed:
        return
    # Never more than all of it: the counter and the clock are not read at one moment.
    seen = f"tasks waited for memory {format_percent(min(waited_us * 1e-6 / elapsed, 1.0))} of the run"
    hint = "memory was short: free some, or use a smaller --size"
    yield Raised(None, f"{seen}, more than {format_percent(MEMORY_WAIT_SHARE)}", hint)


@rule("BW005", "Restricted CPUs or CPU time", rank=180, of=HOST)
def fewer_cpus_allowed(record: Record) -> Iterator[Raised]:
    """
    A cpuset, taskset, a container or a batch system allows this process only some of the machine's CPUs, or a quota
    limits its CPU time, or CPUs are offline. The kernel can also reserve CPUs (isolcpus): only a process that
    requests them runs there. The theory is that of the whole memory, and it often takes many cores to saturate it, so
    a low percentage may be normal. A quota is worse: it stops the process within a block; the kernel counts this
    time, and the finding reports it.

    What to try: give the job the whole node (Slurm: --exclusive), or treat the result as the limit of this share.
    """
    online, allowed = number(record.machine.get("logical_cpus")), listed_cpus(record.machine.get("cpus_allowed"))
    if online is not None and allowed is not None and len(allowed) < online:
        seen = f"only {len(allowed)} of this machine's {online:.0f} CPUs are available to this process"
        text = f"{seen}{_isolated_words(record)}"
        hint = "the theory is that of the whole memory, which may need more CPUs (cpuset, taskset, Slurm, --cpus)"
        yield Raised(None, text, hint)
    offline = positive(record.machine.get("cpus_offline"))
    if offline is not None and record.machine.get("smt_control") not in ("off", "forceoff"):
        text = f"{offline:.0f} of this machine's CPUs are offline"
        hint = "the peak may need them: echo 1 > /sys/devices/system/cpu/cpuN/online"
        yield Raised(None, text, hint)


@also("BW005", rank=190, of=HOST)
def held_by_quota(record: Record) -> Iterator[Raised]:
    """Yield where a quota allows only a part of the CPUs' time, and where it stopped the measurement."""
    allowed, quota = listed_cpus(record.machine.get("cpus_allowed")), number(record.machine.get("cpu_quota"))
    hint = "the quota interrupts blocks: raise it, or use fewer --threads"
    if quota is not None and allowed is not None and quota < len(allowed):
        text = f"a CPU quota limits this process to the time of {quota:g} of its {len(allowed)} CPUs"
        yield Raised(None, text, hint)
    stopped_us = growth(record, "throttled_us")
    if stopped_us is not None and stopped_us > 0:
        text = f"a quota stopped this process for {format_duration(stopped_us * 1e-6)} during the run"
        yield Raised(None, text, hint)


@rule("BW030", "Power settings lower the clock", rank=200, of=HOST, limits={"share": percent(NOMINAL_SHARE)})
def power_settings(record: Record) -> Iterator[Raised]:
    """
    Always reported: battery power, the governor powersave without an energy preference (this means the lowest clock),
    and the energy preference power. Governors that follow the load (ondemand, conservative, schedutil, and powersave
    of an active pstate driver, where it is the default) reach the full clock after about 10 ms of work. They are
    reported only if the run gives a reason: unstable results, a clock that changes (BW032), or a clock below {share}
    of the nominal clock in the processor's name. Disabled turbo is reported if caches or latencies were measured,
    which scale with the clock.

    What to try: cpupower frequency-set -g performance, or mains power; then measure again.
    """
    if any(value is True for value in either(record, "on_battery")):
        hint = "connect it to mains power: on battery the firmware lowers the CPU and memory clocks"
        yield Raised(None, "the machine ran on its battery", hint)
    settings = _holding_settings(record)
    if settings:
        hint = "set the governor to performance (cpupower frequency-set -g performance) and measure again"
        yield Raised(None, f"power settings may lower the clock: {', '.join(settings)}", hint)
    scales = any(row.summary.latency or SWEEP_POINT in row.result.case.variant for row in measured(record))
    if record.machine.get("boost") is False and scales:
        hint = "normal if disabled on purpose; memory bandwidth hardly depends on it"
        yield Raised(None, "turbo is off, and caches and latencies scale with the clock", hint)


@rule("BW031", "Small pages", rank=210, of=HOST, limits={"share": percent(HUGE_SHARE)})
def small_pages(record: Record) -> Iterator[Raised]:
    """
    Every page needs an address translation, and a processor caches only a few thousand of them. With pages of 4 KiB a
    random access to a large array also waits for the translation, which adds tens of nanoseconds; streams lose a few
    percent. The finding is raised for results from memory with less than {share} of huge pages, unless small pages
    were requested, and if the kernel is set to provide none.

    What to try: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled; on Windows, `bandwidth explain windows`. The
    figures stand, as those of small pages.
    """
    hint = f"{_way_to_huge_pages(record)}, or treat the latencies as those of small pages"
    rows = [row for row in in_memory(measured(record)) if row.result.case.variant.get("pages") != SMALL_PAGES]
    limit = format_percent(HUGE_SHARE)
    for row in rows:
        share = _huge_share(row)
        if SWEEP_POINT not in row.result.case.variant and share is not None and share < HUGE_SHARE:
            text = f"only {format_percent(share)} of its pages are huge pages (limit {limit})"
            yield Raised(row.result.case.id, text, hint)
    swept = [share for row in in_memory(sweep_points(record)) if (share := _huge_share(row)) is not None]
    few = [share for share in swept if share < HUGE_SHARE]
    if few:
        text = f"{len(few)} of the sweep's {len(swept)} points in memory have fewer than {limit} huge pages"
        yield Raised(None, text, hint)
    is_seen = any(_huge_share(row) is not None for row in rows)
    if rows and not is_seen and _gives_small_pages_only(record):
        yield Raised(None, "huge pages are switched off (transparent_hugepage is never)", hint)


@rule("BW032", "The core clock changed", rank=130, of=HOST, limits={"range": percent(CLOCK_RANGE)})
def clock_moved(record: Record) -> Iterator[Raised]:
    """
    The clock is measured just after each block, with a chain of instructions that takes a known number of cycles. The
    finding is raised if it changed by more than {range} within a result or between results on the same CPUs, and if
    the processor counted thermal throttling. Rates of caches follow the clock; rates of memory hardly do.

    What to try: check the cooling and the power limits, set the governor to performance; use cycles instead of
    nanoseconds for the latencies of caches.
    """
    hint = "heat, power limits or a governor: rates of caches follow the clock; check the governor and the cooling"
    limit = format_percent(CLOCK_RANGE)
    for row in filter(_has_moving_clock, shown(record)):
        clock = row.result.observed["clock_hz"]
        text = f"the core clock varied from {_ghz(clock.least)} to {_ghz(clock.most)} GHz, more than {limit}"
        yield Raised(row.result.case.id, text, hint)
    points = sweep_points(record)
    moving = sum(map(_has_moving_clock, points))
    if moving:
        text = f"at {moving} of the sweep's {len(points)} points the core clock changed by more than {limit}"
        yield Raised(None, text, hint)
    ends = _clocks_between(record)
    if ends is not None:
        text = f"between results on the same CPUs the core clock varied from {_ghz(ends[0])} to {_ghz(ends[1])} GHz"
        yield Raised(None, f"{text}, more than {format_percent(CLOCK_RANGE)} apart", hint)


@also("BW032", rank=140, of=HOST)
def throttled_by_heat(record: Record) -> Iterator[Raised]:
    """Yield where the processor lowered its clock for heat during the run."""
    times = growth(record, "throttle_count")
    if times is not None and times > 0:
        text = f"the processor throttled for heat {times:.0f} times during the run"
        yield Raised(None, text, "check the cooling, and measure again when it is cool")


# --- what the rules above look at -----------------------------------------------------------------------------------


def _isolated_words(record: Record) -> str:
    """Return which CPUs the kernel keeps free, where this process is not on them."""
    isolated, allowed = (
        listed_cpus(record.machine.get("cpus_isolated")),
        listed_cpus(record.machine.get("cpus_allowed")),
    )
    kept = sorted(set(isolated or ()) - set(allowed or ()))
    return f" (the kernel reserves CPUs {format_cpu_list(kept)}: use `taskset -c` to run there)" if kept else ""


def _holding_settings(record: Record) -> list[str]:
    """Return the settings that hold the clock down, in words."""
    governors = {name for value in either(record, "governors") for name in texts(value)}
    preferences = {name for value in either(record, "energy_preference") for name in texts(value)}
    found = []
    if "powersave" in governors and not preferences:
        found.append("the governor is powersave, without an energy preference: the lowest clock")
    if "power" in preferences:
        found.append("the energy preference is power")
    if (why := _why_clock_suffers(record)) and not found:
        following = sorted(governors.intersection((*FOLLOWING_GOVERNORS, "powersave")))
        found += [f"the governor is {name}, and {why}" for name in following[:1]]
    return found


def _why_clock_suffers(record: Record) -> str:
    """Return what in the run points to its clock, empty where nothing does."""
    nominal = _nominal_hz(record)
    clocks = [row.result.observed["clock_hz"].median for row in measured(record) if "clock_hz" in row.result.observed]
    if nominal is not None and clocks and min(clocks) < NOMINAL_SHARE * nominal:
        return f"the core clock was {_ghz(min(clocks))} GHz, nominal {_ghz(nominal)}"
    if any(map(_has_moving_clock, measured(record))) or _clocks_between(record) is not None:
        return "the core clock changed (BW032)"
    alone = [row for row in measured(record) if disturbance_of(record, row.result) is None]
    return "results are unstable (BW003)" if any(map(is_unstable, alone)) else ""


def _nominal_hz(record: Record) -> float | None:
    """Return the clock that the processor's name states, as Intel's older names do."""
    found = _NOMINAL.search(str(record.machine.get("cpu_model", ""))[:200])
    return None if found is None else float(found[1]) * 1e9


def _has_moving_clock(row: ResultRow) -> bool:
    clock = row.result.observed.get("clock_hz")
    return clock is not None and clock.median > 0 and (clock.most - clock.least) / clock.median > CLOCK_RANGE


def _clocks_between(record: Record) -> tuple[float, float] | None:
    """Return the ends of the clocks of results on the same CPUs, of those CPUs where they lie furthest apart.

    With other CPUs, or another number of them, another clock is the processor's own rule and no drift.
    """
    seen = [row.result for row in measured(record) if "clock_hz" in row.result.observed]
    groups = grouped(seen, lambda result: result.case.cpus)
    ends = [[choose(one.observed["clock_hz"].median for one in group) for choose in (min, max)] for group in groups]
    apart = [(low, high) for low, high in ends if high > 0 and (high - low) / high > CLOCK_RANGE]
    return min(apart, key=lambda pair: pair[0] / pair[1], default=None)


def _gives_small_pages_only(record: Record) -> bool:
    page_bytes = number(record.machine.get("page_bytes")) or 0
    return record.machine.get("transparent_huge_pages") == "never" and page_bytes < LARGE_PAGE_BYTES


def _way_to_huge_pages(record: Record) -> str:
    if "Windows" in str(record.machine.get("operating_system", "")):
        return "grant the account the right 'Lock pages in memory' (secpol.msc) and sign in again"
    return "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"


def _huge_share(row: ResultRow) -> float | None:
    seen = row.result.observed.get("huge_page_share")
    return None if seen is None else seen.median


def _ghz(clock_hz: float) -> str:
    return f"{clock_hz / 1e9:.2f}"
