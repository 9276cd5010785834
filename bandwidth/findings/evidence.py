"""What every rule goes by: results with their figures, those that belong together, those that may be compared, facts.

A record from a file may hold anything among its facts: a number that is none is not known.

What may be compared is the one question that every rule, `check` and `fleet` ask before they compare two results. A
case is comparable when it has six blocks, its 95 % interval reaches no further than 5 %, and nothing else took the
machine while its blocks ran. What is not is never explained by how memory works.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from bandwidth.analysis.groups import is_size_check
from bandwidth.analysis.regimes import CORE_TO_CORE, Regimes, regimes_of
from bandwidth.cpu_list import parse_cpu_list
from bandwidth.errors import BandwidthError
from bandwidth.machine.conditions import TICKS_PER_S
from bandwidth.results import Case, Record, Result, Summary, summarise
from bandwidth.statistics import FEWEST_FOR_INTERVAL, Interval
from bandwidth.units import format_percent, format_rate
from bandwidth.vocabulary import DEVICE, SWEEP_POINT

# What two results may differ in and still stand in the default table: all else is measured on request.
PLAIN_KEYS = frozenset({"stores"})
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


class Raised(NamedTuple):
    """A finding: the id of the result that it is about (None for the whole run), what was seen, and what to try."""

    case_id: str | None
    text: str
    hint: str


class ResultRow(NamedTuple):
    """A result and its figures."""

    result: Result
    summary: Summary


def conditions_of_gpu(record: Record, gpu: Mapping[str, Any], when: str) -> Mapping[str, Any]:
    """Return a GPU's conditions `before` or `after`, empty where they were not read."""
    found = getattr(record.conditions, when).get("gpus")
    own = found.get(gpu.get("address")) if isinstance(found, Mapping) else None
    return own if isinstance(own, Mapping) else {}


def measured(record: Record) -> Iterator[ResultRow]:
    """Yield the results that have a figure, a rate or a latency."""
    for result in record.results:
        summary = summarise(result)
        if summary.median_bytes_per_s is not None or summary.latency is not None:
            yield ResultRow(result, summary)


def rated(record: Record) -> Iterator[ResultRow]:
    """Yield the results that have a rate."""
    return (row for row in measured(record) if row.summary.median_bytes_per_s is not None)


def shown(record: Record) -> Iterator[ResultRow]:
    """Yield the results that are judged one by one: no points of a sweep, and no proofs of another's size."""
    return (row for row in measured(record) if SWEEP_POINT not in row.result.case.variant)


def sweep_points(record: Record) -> list[ResultRow]:
    """Return the points of a sweep over sizes, which are judged together; proofs of a size are none."""
    points = [row for row in measured(record) if SWEEP_POINT in row.result.case.variant]
    if all(SWEEP_POINT in result.case.variant for result in record.results):
        return points  # nothing that they could prove the size of: of hundreds, not each with each
    return [row for row in points if not is_size_check(record, row.result)]


def plain(record: Record) -> list[ResultRow]:
    """Return the results with a rate that differ by path, engine, threads and stores alone, as in the default table."""
    return [row for row in rated(record) if PLAIN_KEYS.issuperset(row.result.case.variant)]


def in_memory(rows: Iterable[ResultRow]) -> list[ResultRow]:
    """Return the rows whose data lies in memory and not in caches."""
    return [row for row in rows if row.result.case.meets_dram_rule]


class Partners:
    """Some rows, found by what tells their cases apart."""

    def __init__(self, rows: Iterable[ResultRow]) -> None:
        self._rows: dict[Hashable, ResultRow] = {}
        for row in rows:
            self._rows.setdefault(_key(row.result.case), row)

    def of(
        self, row: ResultRow, *, engine: str | None = None, threads: int | None = None, **variant: str | None
    ) -> ResultRow | None:
        """Return the row that is the same but for what is named; a key of the variant that is None is to be absent."""
        case = row.result.case
        wanted = {key: value for key, value in {**case.variant, **variant}.items() if value is not None}
        other = replace(case, engine=engine or case.engine, threads=threads or case.threads, variant=wanted)
        return self._rows.get(_key(other))


def _key(case: Case) -> Hashable:
    return (case.target, case.path, case.engine, case.threads, frozenset(case.variant.items()))


def rate(row: ResultRow) -> float:
    """Return a row's median in bytes per second."""
    return row.summary.median_bytes_per_s or 0.0


def rate_text(row: ResultRow) -> str:
    """Return a row's median with its unit."""
    return f"{format_rate(rate(row))} GB/s"


def ratio(one: ResultRow, other: ResultRow) -> float:
    """Return one median over the other."""
    return rate(one) / (rate(other) or 1.0)


def are_apart(one: ResultRow, other: ResultRow) -> bool:
    """Return whether the intervals of two rates have no value in common."""
    return not interval(one).overlaps(interval(other))


def interval(row: ResultRow) -> Interval:
    """Return the interval of a rate, the median alone where there are too few samples for one."""
    return row.summary.ci95 or Interval(rate(row), rate(row))


def thread_words(threads: int) -> str:
    """Return `1 thread`, `2 threads`."""
    return "1 thread" if threads == 1 else f"{threads} threads"


def stop_words(result: Result) -> str:
    """Return what ended a case, in words."""
    words = {
        "budget": "the budget was used up",
        "interrupted": "it was interrupted",
        "unfinished": "it was stopped",
        "failure": "no block finished",
    }
    return words.get(result.samples.stopped_by, f"stopped by {result.samples.stopped_by}")


# --- facts ----------------------------------------------------------------------------------------------------------


def number(value: Any) -> float | None:
    """Return a fact as a finite number, None where it is none."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if abs(found) < float("inf") else None


def positive(value: Any) -> float | None:
    """Return a fact as a number above zero, None where it is none."""
    found = number(value)
    return found if found is not None and found > 0 else None


def texts(value: Any) -> list[str]:
    """Return the texts of a list; none where it is none."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def numbers(value: Any) -> list[int]:
    """Return the whole numbers of a list; none where it is none."""
    found = value if isinstance(value, list) else []
    return [item for item in found if isinstance(item, int) and not isinstance(item, bool)]


def listed_cpus(value: Any) -> tuple[int, ...] | None:
    """Return the CPUs of a list as the kernel writes it, None where it is none."""
    try:
        return parse_cpu_list(value) if isinstance(value, str) else None
    except BandwidthError:
        return None


def growth(record: Record, name: str) -> float | None:
    """Return by how much a counter of the conditions grew during the run, None where it was not read twice."""
    early, late = number(record.conditions.before.get(name)), number(record.conditions.after.get(name))
    return None if early is None or late is None else late - early


def either(record: Record, name: str) -> list[Any]:
    """Return what a condition was before and after, as far as it was read."""
    read: Sequence[Mapping[str, Any]] = (record.conditions.before, record.conditions.after)
    return [conditions[name] for conditions in read if name in conditions]


def cores_of(record: Record) -> int | None:
    """Return how many physical cores the machine has."""
    cores = positive(record.machine.get("physical_cores"))
    return None if cores is None else int(cores)


def all_threads(record: Record) -> int | None:
    """Return how many threads are one on each core that may be used, None where the cores are not known."""
    cores, allowed = cores_of(record), listed_cpus(record.machine.get("cpus_allowed"))
    return cores if cores is None or allowed is None else min(cores, len(allowed))


# --- which results may be compared ----------------------------------------------------------------------------------


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
