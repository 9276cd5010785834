"""Who uses the CPUs while a block runs: this process, others, the hypervisor; read just before and just behind it.

The load average cannot tell: it is the last minute's, which a measurement of our own filled.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from bandwidth.machine.conditions import TICKS_PER_S, cpu_ticks, pressure
from bandwidth.machine.reader import Reader

# Of more threads than this so many are asked, evenly spread: each costs some microseconds.
MOST_THREADS = 64
_NS_PER_S = 1e9
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
    return ran / _NS_PER_S, waited / _NS_PER_S


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
