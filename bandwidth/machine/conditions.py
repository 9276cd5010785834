"""How busy and how throttled the machine is: before and after a measurement, and while each block runs.

`findings` compares what was before and after. The load average cannot tell who used the CPUs during a block: it is the
last minute's, which a measurement of our own filled. This process, others and the hypervisor are counted just before
and just behind it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bandwidth.machine.facts import Json
from bandwidth.machine.reader import CPU_FOLDER, Reader, read_integer, read_line
from bandwidth.machine.system_memory import version_1_folders, version_2_folders
from bandwidth.vocabulary import NS_PER_S

# /proc/stat counts in hundredths of a second on every architecture of today (USER_HZ).
TICKS_PER_S = 100

_POWER_FOLDER = "/sys/class/power_supply"
# Reading a clock may cost 20 ms a CPU on kernels before 5.17; a few of them show the range.
_MOST_CLOCKS = 16
_TICKS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")  # proc(5); guests are within user


def read_conditions(reader: Reader) -> dict[str, Json]:
    """Return what may spoil a measurement, what is unknown left out.

    `load_average_1min` and `running_processes` (this one among them); `cpu_pressure_percent` and
    `memory_pressure_percent` are the share of the last 10 s in which something waited; `governors` and
    `energy_preference`; `clock_min_mhz` and `clock_max_mhz` over the CPUs that were asked; `on_battery`.

    Counters to be subtracted: `steal_ticks`, `idle_ticks`, `total_ticks`; `cpu_stall_us` and `memory_stall_us`, the
    time in which something waited; `throttle_count`, for heat; `throttled_periods` and `throttled_us`, for the
    quotas of this process's control groups (each stopped group's time counts, so that two at once count twice).

    A measurement adds `lock`, the files that it held locked (measuring/lock.py).
    """
    found: dict[str, Json | None] = {
        **_load(reader),
        **cpu_ticks(reader),
        **pressure(reader, "cpu"),
        **pressure(reader, "memory"),
        **_clocks(reader),
        "throttle_count": _throttle_count(reader),
        **_throttled_by_quota(reader),
        "on_battery": _on_battery(reader),
    }
    return {name: value for name, value in found.items() if value is not None}


def _load(reader: Reader) -> dict[str, Json | None]:
    match = re.match(r"([0-9]{1,9}\.[0-9]{1,9}) \S+ \S+ ([0-9]{1,9})/", reader.text("/proc/loadavg") or "", re.ASCII)
    if match is None:
        return {"load_average_1min": reader.load_average()}
    return {"load_average_1min": float(match[1]), "running_processes": int(match[2])}


def cpu_ticks(reader: Reader) -> dict[str, int]:
    """Return `steal_ticks`, `idle_ticks` and `total_ticks` of all CPUs since the start, nothing where untold."""
    words = (reader.text("/proc/stat") or "").partition("\n")[0].split()
    if len(words) <= len(_TICKS) or words[0] != "cpu" or not all(re.fullmatch(r"[0-9]{1,20}", w) for w in words[1:]):
        return {}
    ticks = dict(zip(_TICKS, map(int, words[1:]), strict=False))
    return {
        "steal_ticks": ticks["steal"],
        "idle_ticks": ticks["idle"] + ticks["iowait"],
        "total_ticks": sum(ticks.values()),
    }


def pressure(reader: Reader, resource: str) -> dict[str, Json | None]:
    """Return the `some` line of the kernel's accounting/psi.rst: at least one task waited."""
    text = reader.text(f"/proc/pressure/{resource}") or ""
    match = re.search(r"^some avg10=([0-9]{1,3}\.[0-9]{1,4})", text, re.ASCII | re.MULTILINE)
    stall = re.search(r"^some .*\btotal=([0-9]{1,20})$", text, re.ASCII | re.MULTILINE)
    return {
        f"{resource}_pressure_percent": float(match[1]) if match else None,
        f"{resource}_stall_us": int(stall[1]) if stall else None,
    }


def _clocks(reader: Reader) -> dict[str, Json | None]:
    folder = f"{CPU_FOLDER}/cpufreq"
    policies = [f"{folder}/{name}" for name in reader.names(folder) if name.startswith("policy")]
    khz = [read_integer(reader, f"{policy}/scaling_cur_freq") for policy in _spread(policies)]
    mhz = [clock / 1000 for clock in khz if clock]
    return {
        "governors": _distinct(reader, policies, "scaling_governor"),
        "energy_preference": _distinct(reader, policies, "energy_performance_preference"),
        "clock_min_mhz": min(mhz, default=None),
        "clock_max_mhz": max(mhz, default=None),
    }


def _distinct(reader: Reader, policies: Sequence[str], name: str) -> Json | None:
    settings = {read_line(reader, f"{policy}/{name}") for policy in policies}
    return [*sorted(setting for setting in settings if setting)] or None


def _spread(items: Sequence[str]) -> Sequence[str]:
    """Return at most sixteen items, evenly spread over all of them."""
    return items[:: -(-len(items) // _MOST_CLOCKS)] if items else items


def _throttle_count(reader: Reader) -> int | None:
    """Return how often a package, else a core, was throttled, summed over the CPUs that count it."""
    cpus = [name for name in reader.names(CPU_FOLDER) if re.fullmatch(r"cpu[0-9]+", name, re.ASCII)]
    for counter in ("package_throttle_count", "core_throttle_count"):
        paths = [f"{CPU_FOLDER}/{cpu}/thermal_throttle/{counter}" for cpu in cpus]
        counts = [count for count in (read_integer(reader, path) for path in paths) if count is not None]
        if counts:
            return sum(counts)
    return None


def _throttled_by_quota(reader: Reader) -> dict[str, Json | None]:
    """Return how often and how long a quota stopped this process's cgroup or one above it, summed over them all.

    Each group counts its own quota's throttling alone (kernel's sched-bwc.rst); version 1 writes ns, version 2 us.
    """
    texts = [reader.text(f"{folder}/cpu.stat") or "" for folder in version_2_folders(reader)]
    periods, us = _summed(texts, "nr_throttled"), _summed(texts, "throttled_usec")
    if periods is None:
        texts = [reader.text(f"{folder}/cpu.stat") or "" for folder in version_1_folders(reader, "cpu")]
        periods, ns = _summed(texts, "nr_throttled"), _summed(texts, "throttled_time")
        us = None if ns is None else ns // 1000
    return {"throttled_periods": periods, "throttled_us": us}


def _summed(texts: Sequence[str], name: str) -> int | None:
    found = [re.search(rf"^{name} ([0-9]{{1,20}})$", text, re.ASCII | re.MULTILINE) for text in texts]
    counts = [int(match[1]) for match in found if match]
    return sum(counts) if counts else None


def _on_battery(reader: Reader) -> bool | None:
    """Return whether the machine runs from a battery: no mains is plugged in, or a system battery is drained."""
    supplies = [f"{_POWER_FOLDER}/{name}" for name in reader.names(_POWER_FOLDER)]
    if not supplies:
        return reader.on_battery() if reader.system != "Linux" else None
    # A mouse's battery has the scope "Device" and says nothing of the machine.
    own = [path for path in supplies if read_line(reader, f"{path}/scope") != "Device"]
    kinds = {path: read_line(reader, f"{path}/type") for path in own}
    drained = [read_line(reader, f"{path}/status") == "Discharging" for path in own if kinds[path] == "Battery"]
    mains = [read_integer(reader, f"{path}/online") for path in own if kinds[path] == "Mains"]
    if not drained:  # mains alone: a desktop
        return False if any(mains) else None
    return not any(mains) if mains else any(drained)


# --- while blocks run -----------------------------------------------------------------------------------------------

# Of more threads than this so many are asked, evenly spread: each costs some microseconds.
MOST_THREADS = 64
_US_PER_S = 1e6


@dataclass(frozen=True)
class Activity:
    """What was counted by some moment, or between two: in seconds, None where this system does not tell.

    `busy_s` is the work of all CPUs and `steal_s` what the hypervisor took of their time, both of `total_s`, which
    counts each CPU; `own_s` is this process's work. `ran_s` and `waited_s` are of the threads that were asked: how long
    they ran, and how long they could have run and had no CPU. In `stalled_s` any task of the system waited for one.
    `switches` is how often threads of this process were put off their CPU against their will.
    """

    wall_s: float
    own_s: float
    busy_s: float | None = None
    steal_s: float | None = None
    total_s: float | None = None
    ran_s: float | None = None
    waited_s: float | None = None
    stalled_s: float | None = None
    switches: int | None = None

    def since(self, before: Activity) -> Activity:
        """Return what was counted since an earlier moment."""
        return Activity(
            self.wall_s - before.wall_s,
            self.own_s - before.own_s,
            _grown(self.busy_s, before.busy_s),
            _grown(self.steal_s, before.steal_s),
            _grown(self.total_s, before.total_s),
            _grown(self.ran_s, before.ran_s),
            _grown(self.waited_s, before.waited_s),
            _grown(self.stalled_s, before.stalled_s),
            None if self.switches is None or before.switches is None else self.switches - before.switches,
        )


def read_activity(reader: Reader, threads: Iterable[int] = ()) -> Activity:
    """Return what was counted up to now; `threads` are the ids of those whose waits are asked for."""
    ticks = cpu_ticks(reader)
    total, idle, steal = (ticks.get(name) for name in ("total_ticks", "idle_ticks", "steal_ticks"))
    busy = None if total is None or idle is None or steal is None else total - idle - steal
    stall_us = pressure(reader, "cpu")["cpu_stall_us"]
    ran, waited = _waits_s(reader, threads)
    return Activity(
        wall_s=time.monotonic(),
        own_s=time.process_time(),
        busy_s=_seconds(busy),
        steal_s=_seconds(steal),
        total_s=_seconds(total),
        ran_s=ran,
        waited_s=waited,
        stalled_s=stall_us / _US_PER_S if isinstance(stall_us, int) else None,
        switches=_switches(),
    )


def _waits_s(reader: Reader, threads: Iterable[int]) -> tuple[float | None, float | None]:
    """Return how long threads ran and how long they waited for a CPU, by the kernel's scheduler (sched-stats.rst)."""
    numbers = sorted(threads)
    asked = numbers[:: -(-len(numbers) // MOST_THREADS)] if numbers else []
    fields = [(reader.text(f"/proc/self/task/{thread}/schedstat") or "").split() for thread in asked]
    known = [words for words in fields if len(words) == 3 and all(word.isascii() and word.isdigit() for word in words)]
    if not known:
        return None, None
    ran, waited = (sum(int(words[place]) for words in known) for place in (0, 1))
    return ran / NS_PER_S, waited / NS_PER_S


def _switches() -> int | None:
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def _seconds(ticks: int | None) -> float | None:
    return None if ticks is None else ticks / TICKS_PER_S


def _grown(late: float | None, early: float | None) -> float | None:
    return None if late is None or early is None else late - early
