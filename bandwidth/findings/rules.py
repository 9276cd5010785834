"""One function a check. Each looks at a whole record and yields what it finds, with the id of the result it is about.

A finding says what was seen, the limit that it crossed, and what to try. Limits are named, with their reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from bandwidth.errors import BandwidthError
from bandwidth.machine.cpu_list import parse_cpu_list
from bandwidth.results import Examination, Finding, Record, Result, Summary, summarise
from bandwidth.statistics import FEWEST_FOR_INTERVAL, Interval, outlier_indices
from bandwidth.units import format_duration, format_percent, format_rate, format_size, size_option

# At half the working set a memory is as fast as at the whole; a cache that holds part of the data is faster. Noise of
# shared machines reaches a few percent, so more than this and intervals apart is taken for a cache.
HALF_SIZE_TOLERANCE = 0.05
# Arrays are whole pages, rounded up for each thread: what is planned as half may be a little more than half.
HALF_SIZE_SLACK = 0.05
# The interval's end this far from the median: a figure that a second run would not confirm to two digits.
UNSTABLE_HALF_WIDTH = 0.05
# A load of a quarter of the machine before the run, or one CPU's worth at least half of the time.
BUSY_LOAD_SHARE = 0.25
BUSY_LOAD_LEAST = 0.5
# The hypervisor gave more than this share of the CPUs' time to others while the measurement ran.
STEAL_SHARE = 0.01
# Tasks waited for a CPU for more than this share of the ten seconds before (Linux pressure stall information).
CPU_PRESSURE_PERCENT = 10.0
# Until the last worker starts the first has the memory to itself: above this share of a block it shows in the rate.
SKEW_SHARE = 0.02
# A few slow blocks do not move a median; from a tenth on, and three, something disturbs the machine regularly.
OUTLIER_SHARE = 0.1
OUTLIERS_LEAST = 3


class Raised(NamedTuple):
    """A finding and the id of the result that it is about, None for the whole run."""

    case_id: str | None
    finding: Finding


Rule = Callable[[Record], Iterator[Raised]]


def examine(record: Record) -> Examination:
    """Return all findings of a record, in the order of RULES."""
    by_id: dict[str, tuple[Finding, ...]] = {}
    general: tuple[Finding, ...] = ()
    for rule in RULES:
        for case_id, finding in rule(record):
            if case_id is None:
                general += (finding,)
            else:
                by_id[case_id] = (*by_id.get(case_id, ()), finding)
    return Examination(by_id, general)


def verification_failed(record: Record) -> Iterator[Raised]:
    """Yield results whose data was not what the kernel should have left."""
    for result in record.results:
        if not result.is_verified:
            hint = (
                "the rate is withheld; run again, and report it if it stays: memory, or bandwidth itself, is at fault"
            )
            yield Raised(result.case.id, Finding("BW006", f"verification failed: {result.failure}", hint))


def fits_in_cache(record: Record) -> Iterator[Raised]:
    """Yield results that a cache may have served: a working set below the rule, or half of it runs faster."""
    for result, summary in _rated(record):
        rule = result.case.dram_rule_bytes
        if rule is not None and result.case.working_set_bytes < rule and not _is_size_check(result):
            seen = f"the working set of {format_size(result.case.working_set_bytes)} may be served by caches"
            limit = f"memory needs {format_size(rule)} (4 times the last-level caches, at least 256 MiB)"
            hint = f"give --size {size_option(rule)} or more, which takes up to twice as much free memory"
            yield Raised(result.case.id, Finding("BW001", f"{seen}; {limit}", hint))
        half = _half_size_summary(record, result)
        if half is not None and _is_faster(half, summary):
            seen = f"half the working set is {format_percent(_ratio(half, summary) - 1)} faster"
            limit = f"memory alone would be within {format_percent(HALF_SIZE_TOLERANCE)}"
            hint = "a cache larger than the one reported serves part of it: give a larger --size"
            yield Raised(result.case.id, Finding("BW001", f"{seen}; {limit}", hint))


def above_theory(record: Record) -> Iterator[Raised]:
    """Yield results of which any figure exceeds the theory that stands beside it."""
    for result, summary in _rated(record):
        best, theory = summary.best_bytes_per_s, result.theory_bytes_per_s
        if best is None or theory is None or best <= theory:
            continue
        seen = f"{format_rate(best)} GB/s is {format_percent(best / theory)} of the theory, {format_rate(theory)} GB/s"
        hint = "the theory may be wrong (see --memory), or a cache served the data (give a larger --size)"
        yield Raised(result.case.id, Finding("BW002", f"{seen}; nothing real exceeds 100 %", hint))


def unstable(record: Record) -> Iterator[Raised]:
    """Yield results whose interval is too wide to rely on."""
    for result, summary in _shown(record):
        if summary.half_width is not None and summary.half_width > UNSTABLE_HALF_WIDTH:
            seen = f"the 95 % interval reaches {format_percent(summary.half_width)} from the median"
            hint = "stop what else runs on the machine, or give a longer --budget"
            limit = format_percent(UNSTABLE_HALF_WIDTH)
            yield Raised(result.case.id, Finding("BW003", f"{seen}, more than {limit}", hint))


def last_block_unchecked(record: Record) -> Iterator[Raised]:
    """Yield results that were cut short, so that all of the first block was checked and a part of each later one."""
    for result, _ in _shown(record):
        if not result.last_block_checked and result.samples.stopped_by != "unfinished":
            seen = f"it was cut short ({_stop_words(result)}): all of its first block was checked"
            hint = "of the later blocks a part was; let it end, or give a longer --budget"
            yield Raised(result.case.id, Finding("BW013", seen, hint))


def too_few_samples(record: Record) -> Iterator[Raised]:
    """Yield results with too few samples for an interval."""
    for result, summary in _shown(record):
        if summary.count < FEWEST_FOR_INTERVAL:
            seen = f"only {summary.count} samples ({_stop_words(result)}); an interval needs {FEWEST_FOR_INTERVAL}"
            yield Raised(result.case.id, Finding("BW008", seen, "give a longer --budget or fewer kernels"))


def busy_before(record: Record) -> Iterator[Raised]:
    """Yield where other work ran just before the measurement, by the load average and by waiting for CPUs."""
    before = record.conditions.before
    cpus = _number(record.machine.get("logical_cpus")) or 1
    hint = "measure when the machine is idle (a measurement just before counts too), or on CPUs of its own (--cpus)"
    load, most = _number(before.get("load_average_1min")), max(BUSY_LOAD_SHARE * cpus, BUSY_LOAD_LEAST)
    if load is not None and load > most:
        text = f"the load before the run was {load:.2f} on {cpus:.0f} CPUs, more than {most:.2f}"
        yield Raised(None, Finding("BW004", text, hint))
    waiting = _number(before.get("cpu_pressure_percent"))
    if waiting is not None and waiting > CPU_PRESSURE_PERCENT:
        text = (
            f"before the run tasks waited for a CPU {waiting:.0f} % of the time, more than {CPU_PRESSURE_PERCENT:.0f} %"
        )
        yield Raised(None, Finding("BW004", text, hint))


def stolen_time(record: Record) -> Iterator[Raised]:
    """Yield where the hypervisor gave the CPUs' time to others during the run."""
    steal = _steal_share(record.conditions.before, record.conditions.after)
    if steal is not None and steal > STEAL_SHARE:
        seen = f"the hypervisor took {format_percent(steal)} of the CPUs' time during the run"
        hint = "others share this host: measure again and compare medians"
        yield Raised(None, Finding("BW004", f"{seen}, more than {format_percent(STEAL_SHARE)}", hint))


def fewer_cpus_allowed(record: Record) -> Iterator[Raised]:
    """Yield where this process may use only part of the machine's CPUs."""
    online, allowed = _number(record.machine.get("logical_cpus")), _allowed_cpus(record)
    if online is not None and allowed is not None and allowed < online:
        text = f"only {allowed:.0f} of this machine's {online:.0f} CPUs may be used here"
        hint = "the theory is the whole memory's: more CPUs may be needed to reach it (cpuset, taskset, Slurm, --cpus)"
        yield Raised(None, Finding("BW005", text, hint))
    quota = _number(record.machine.get("cpu_quota"))
    if quota is not None and allowed is not None and quota < allowed:
        text = f"a quota holds this process to {quota:g} CPUs' worth of time on {allowed:.0f} CPUs"
        yield Raised(
            None, Finding("BW005", text, "it is stopped in the middle of blocks: lift the quota or give --threads")
        )


def not_pinned(record: Record) -> Iterator[Raised]:
    """Yield where threads could move between CPUs."""
    if any(not result.pinned for result in record.results):
        text = f"threads were not pinned to CPUs ({record.machine.get('operating_system', 'this system')})"
        hint = "they may have moved away from their data: expect more spread; Linux can pin"
        yield Raised(None, Finding("BW007", text, hint))


def start_skew(record: Record) -> Iterator[Raised]:
    """Yield results whose workers did not start together."""
    for result, _ in _shown(record):
        shortest = min(result.samples.seconds, default=0.0)
        if result.samples.start_skew_s > SKEW_SHARE * shortest:
            skew = format_duration(result.samples.start_skew_s)
            seen = f"workers started up to {skew} apart in blocks of {format_duration(shortest)}"
            hint = "a larger --size makes longer blocks; a busy machine delays threads"
            yield Raised(result.case.id, Finding("BW009", f"{seen}, more than {format_percent(SKEW_SHARE)}", hint))


def theory_unknown(record: Record) -> Iterator[Raised]:
    """Yield where no theory could be put beside the measurement."""
    reason = record.memory.get("reason")
    if record.memory.get("bytes_per_s") is None and isinstance(reason, str) and record.results:
        hint = str(record.memory.get("hint") or 'give --memory "DDR5-4800 x12"')
        yield Raised(None, Finding("BW010", f"the memory's peak is not known here: {reason}", hint))


def modules_disagree(record: Record) -> Iterator[Raised]:
    """Yield where the sources of the memory modules say different things: the theory may rest on the wrong one."""
    words = record.machine.get("memory_modules_disagreement")
    if isinstance(words, str):
        hint = "the theory follows the first; look at the modules, and give --memory"
        yield Raised(None, Finding("BW014", f"the sources of the memory modules disagree: {words}", hint))


def caches_unknown(record: Record) -> Iterator[Raised]:
    """Yield where the size of the caches is not known, so that what counts as memory is assumed."""
    assumed = [result.case for result in record.results if not result.case.caches_known]
    if assumed:
        rule = format_size(assumed[0].dram_rule_bytes or 0)
        text = f"the size of this machine's caches is not known; {rule} is taken to lie in memory"
        hint = (
            "see that half the working set runs no faster; if a cache may be larger than a quarter of it, give a --size"
        )
        yield Raised(None, Finding("BW011", text, hint))


def outliers(record: Record) -> Iterator[Raised]:
    """Yield results of which many blocks lie far from the others."""
    for result, summary in _shown(record):
        far = outlier_indices(result.samples.seconds)
        if len(far) >= OUTLIERS_LEAST and len(far) > OUTLIER_SHARE * summary.count:
            seen = f"{len(far)} of {summary.count} blocks lie far from the rest (modified z-score above 3.5)"
            hint = "something disturbs the machine now and then; the median stands, the spread is real"
            yield Raised(result.case.id, Finding("BW012", seen, hint))


# In the order in which they are printed: what invalidates a figure first, what colours it after.
RULES: tuple[Rule, ...] = (
    verification_failed,
    above_theory,
    fits_in_cache,
    caches_unknown,
    unstable,
    last_block_unchecked,
    too_few_samples,
    start_skew,
    outliers,
    busy_before,
    stolen_time,
    fewer_cpus_allowed,
    not_pinned,
    modules_disagree,
    theory_unknown,
)


def _rated(record: Record) -> Iterator[tuple[Result, Summary]]:
    """Yield the results that have a rate, with their figures."""
    for result in record.results:
        summary = summarise(result)
        if summary.median_bytes_per_s is not None:
            yield result, summary


def _shown(record: Record) -> Iterator[tuple[Result, Summary]]:
    """Yield the results that have a rate, but for those that only prove the size of another."""
    return ((result, summary) for result, summary in _rated(record) if not _is_size_check(result))


def _is_size_check(result: Result) -> bool:
    return "sweep_point" in result.case.variant


def _half_size_summary(record: Record, whole: Result) -> Summary | None:
    """Return the figures of the same case at half its working set, where it was measured to prove the size."""
    case = whole.case
    is_too_small = case.dram_rule_bytes is not None and not case.meets_dram_rule
    if _is_size_check(whole) or is_too_small:
        return None
    for other, summary in _rated(record):
        same = (other.case.target, other.case.path, other.case.engine, other.case.threads)
        off_half = abs(other.case.working_set_bytes / case.working_set_bytes - 0.5)
        is_half = _is_size_check(other) and off_half <= HALF_SIZE_SLACK
        if is_half and same == (case.target, case.path, case.engine, case.threads):
            return summary
    return None


def _is_faster(half: Summary, whole: Summary) -> bool:
    """Return whether half is faster beyond noise: the medians by more than the tolerance, the intervals apart."""
    low, high = _interval(half), _interval(whole)
    return _ratio(half, whole) > 1 + HALF_SIZE_TOLERANCE and not low.overlaps(high)


def _ratio(one: Summary, other: Summary) -> float:
    return (one.median_bytes_per_s or 0.0) / (other.median_bytes_per_s or 1.0)


def _interval(summary: Summary) -> Interval:
    centre = summary.median_bytes_per_s or 0.0
    return summary.ci95 or Interval(centre, centre)


def _stop_words(result: Result) -> str:
    words = {"budget": "the budget was spent", "interrupted": "it was interrupted", "unfinished": "it was cut off"}
    return words.get(result.samples.stopped_by, f"it stopped by {result.samples.stopped_by}")


def _number(value: Any) -> float | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _allowed_cpus(record: Record) -> int | None:
    listed = record.machine.get("cpus_allowed")
    try:
        return len(parse_cpu_list(listed)) if isinstance(listed, str) else None
    except BandwidthError:
        return None  # a record from a file may hold anything


def _steal_share(before: Any, after: Any) -> float | None:
    """Return the share of all CPU time that the hypervisor took between two readings, None where not known."""
    names = ("steal_ticks", "total_ticks")
    early, late = [_number(before.get(name)) for name in names], [_number(after.get(name)) for name in names]
    if None in early or None in late:
        return None
    steal, total = ((late[index] or 0.0) - (early[index] or 0.0) for index in (0, 1))
    return steal / total if total > 0 else None
