"""Which results may be compared: the one question that every rule, `check`, `fleet` and the next run ask.

A case is comparable when it has six blocks, its 95 % interval reaches no further than 5 %, and nothing else took the
machine while its blocks ran. What is not is never explained by how memory works.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from bandwidth.analysis.recorded import growth, positive
from bandwidth.analysis.regimes import CORE_TO_CORE, Regimes, regimes_of
from bandwidth.machine.conditions import TICKS_PER_S
from bandwidth.results import Record, Result, Summary, summarise
from bandwidth.statistics import FEWEST_FOR_INTERVAL
from bandwidth.units import format_percent
from bandwidth.vocabulary import DEVICE

# The interval's end this far from the median: a figure that a second run would not confirm to two digits.
UNSTABLE_HALF_WIDTH = 0.05
# Others took more than this share of all CPUs' time. Memory is shared by all of them, so its rate suffers about as
# much; and below it the ticks of the kernel (10 ms, where blocks take 20) cannot tell it from none.
OTHERS_SHARE = 0.1
# A block lasts longer by what the hypervisor takes of it, and by what its threads wait for their CPU: more than this
# moves a figure further than its interval may reach.
STEAL_SHARE = 0.05
WAIT_SHARE = 0.05
# Tasks, of whomever, waited for a CPU for more than this share of the time (Linux pressure stall information): it is
# asked where the threads' own waits are not known, as it counts those of tasks that disturb nothing, too.
PRESSURE_SHARE = 0.1
# Threads that only add had no CPU for more than this share of the time: something takes CPUs away, a hypervisor or a
# quota of the host too, which no counter here may tell. It is judged from looks of half a millisecond.
LOST_SHARE = 0.1
# A quota stopped this process for more than this share of the run.
QUOTA_SHARE = 0.05


class Disturbance(NamedTuple):
    """What else had the machine: how much of it, above which limit, and in words with a place for the share."""

    share: float
    limit: float
    words: str

    def __str__(self) -> str:
        return self.words.format(format_percent(self.share))


_SEEN = (
    ("others_cpu_share", OTHERS_SHARE, "other processes took {} of the CPU time"),
    ("steal_share", STEAL_SHARE, "the hypervisor took {} of the busy CPU time"),
    ("cpu_wait_share", WAIT_SHARE, "threads of the measurement waited for a CPU {} of their time"),
)
_PRESSURE = ("cpu_pressure_share", PRESSURE_SHARE, "tasks waited for a CPU {} of the time")


def told_regimes(record: Record, result: Result) -> Regimes | None:
    """Return the states of the machine that a result's blocks fall into, None where there are none to tell of.

    That CPUs moved explains no rate of a busy machine: others' work changes in the course of a run too.
    """
    found = regimes_of(result)
    is_of_places = found is not None and found.witness == CORE_TO_CORE
    return None if is_of_places and disturbance_of(record, result) is not None else found


def lost_share(result: Result) -> float | None:
    """Return in how much of the time of the looks at its threads they had no CPU, None where they were not looked at.

    A look is shorter than a slice of a scheduler's time: it meets all of one or nothing, so the mean of all counts.
    """
    seen = result.observed.get("running_share")
    return None if seen is None else 1 - (sum(seen.values) / len(seen.values) if seen.values else seen.median)


def is_wide(summary: Summary) -> bool:
    """Return whether a result's interval is too wide to rely on."""
    return summary.half_width is not None and summary.half_width > UNSTABLE_HALF_WIDTH


def why_not_comparable(record: Record, result: Result, summary: Summary | None = None) -> str:
    """Return in words why a result, whose figures may be given, cannot be compared with another; empty where it can."""
    summary = summary or summarise(result)
    if not result.is_verified or not summary.count:
        return "it has no figure"
    if disturbance := disturbance_of(record, result):
        return f"the machine was busy: {disturbance}"
    if summary.count < FEWEST_FOR_INTERVAL:
        return f"{summary.count} of the {FEWEST_FOR_INTERVAL} blocks that an interval needs"
    if told_regimes(record, result) is not None:
        return "its blocks mix several states of the machine (BW053, BW054)"
    if is_wide(summary):
        reach, limit = format_percent(summary.half_width or 0.0), format_percent(UNSTABLE_HALF_WIDTH)
        return f"its 95 % interval extends {reach} from the median, more than {limit}"
    return ""


def only_comparable(record: Record) -> Record:
    """Return the record with the results alone that may be compared."""
    return replace(record, results=tuple(one for one in record.results if not why_not_comparable(record, one)))


def disturbance_of(record: Record, result: Result) -> Disturbance | None:
    """Return what else had the machine while the blocks of a result ran, None where nothing had enough of it.

    A record of before that was looked at tells of its whole run alone. The rate of a GPU's own memory, which the GPU
    itself times, does not depend on the CPUs.
    """
    if result.case.kind == DEVICE:
        return None
    return (disturbance_by_block(result) if is_watched(result) else disturbance_by_run(record)) or quota(record)


def is_watched(result: Result) -> bool:
    """Return whether it was looked at who used the CPUs while its blocks ran."""
    return any(name in result.observed for name in (*(name for name, _, _ in (*_SEEN, _PRESSURE)), "running_share"))


def disturbance_by_block(result: Result) -> Disturbance | None:
    """Return what disturbed the blocks of a result, the first that crosses its limit, None where nothing did."""
    seen = result.observed
    asked = _SEEN if "cpu_wait_share" in seen else (*_SEEN, _PRESSURE)
    found = (Disturbance(seen[name].median, limit, words) for name, limit, words in asked if name in seen)
    crossed = next((one for one in found if one.share > one.limit), None)
    lost = lost_share(result)
    if crossed is None and lost is not None and lost > LOST_SHARE:
        return Disturbance(lost, LOST_SHARE, "threads had no CPU {} of the time between blocks")
    return crossed


def disturbance_by_run(record: Record) -> Disturbance | None:
    """Return what disturbed a run as a whole, by what was counted before and after it, None where nothing did."""
    steal, total, idle = (growth(record, name) for name in ("steal_ticks", "total_ticks", "idle_ticks"))
    wanted = None if total is None else total - (idle or 0.0)
    stolen = _part(steal, wanted)
    if stolen > STEAL_SHARE:
        return Disturbance(stolen, STEAL_SHARE, _SEEN[1][2])
    waited = _part(_seconds(growth(record, "cpu_stall_us")), elapsed_s(record))
    return (
        Disturbance(waited, PRESSURE_SHARE, "tasks waited for a CPU {} of the run") if waited > PRESSURE_SHARE else None
    )


def quota(record: Record) -> Disturbance | None:
    """Return how much of the run a quota stopped this process, None where that is little or not known."""
    share = _part(_seconds(growth(record, "throttled_us")), elapsed_s(record))
    return (
        Disturbance(share, QUOTA_SHARE, "a quota stopped this process {} of the run") if share > QUOTA_SHARE else None
    )


def elapsed_s(record: Record) -> float | None:
    """Return how long the run took, by the ticks that all CPUs counted, None where they were not read twice."""
    ticks, cpus = growth(record, "total_ticks"), positive(record.machine.get("logical_cpus"))
    return None if ticks is None or ticks <= 0 or cpus is None else ticks / TICKS_PER_S / cpus


def _part(part: float | None, whole: float | None) -> float:
    """Return a share, 0 where it is not known; never more than 1, as two counters are not read at one moment."""
    return 0.0 if part is None or whole is None or whole <= 0 else min(max(part / whole, 0.0), 1.0)


def _seconds(microseconds: float | None) -> float | None:
    return None if microseconds is None else microseconds * 1e-6
