"""Whether a figure may be believed at all: verified, from memory and not a cache, below the peak, sampled enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bandwidth.analysis.result_pairs import size_check_of
from bandwidth.findings.comparable import UNSTABLE_HALF_WIDTH, is_wide
from bandwidth.findings.reading import (
    DEVICE,
    HOST,
    PCIE,
    Raised,
    Row,
    are_apart,
    kind_of,
    rated,
    ratio,
    shown,
    stop_words,
    sweep_points,
)
from bandwidth.results import Finding, Record, summarise
from bandwidth.statistics import FEWEST_FOR_INTERVAL, outlier_indices, two_groups
from bandwidth.theory.formula import plural
from bandwidth.units import format_duration, format_percent, format_rate, format_size, size_option

# At half the working set a memory is as fast as at the whole; a cache that holds part of the data is faster. Noise of
# shared machines reaches a few percent, so more than this and intervals apart is taken for a cache.
HALF_SIZE_TOLERANCE = 0.05
# Until the last worker starts the first has the memory to itself: above this share of a block it shows in the rate.
SKEW_SHARE = 0.02
# A few slow blocks do not move a median; from a tenth on, and three, something disturbs the machine regularly.
OUTLIER_SHARE = 0.1
OUTLIERS_LEAST = 3

_ABOVE = {
    HOST: "the theory may be wrong (see --memory), or a cache served the data (give a larger --size)",
    DEVICE: "the driver's clock may be wrong (`bandwidth system --json`), or the L2 served the data (leave out --size)",
    PCIE: "the link may have been seen at a lower rate than it ran at: measure again, and report it if it stays",
}


def verification_failed(record: Record) -> Iterator[Raised]:
    """Yield results whose data was not what the kernel should have left."""
    for result in record.results:
        if not result.is_verified:
            hint = (
                "the rate is withheld; run again, and report it if it stays: memory, or bandwidth itself, is at fault"
            )
            yield Raised(result.case.id, Finding("BW006", f"verification failed: {result.failure}", hint))


def above_theory(record: Record) -> Iterator[Raised]:
    """Yield results of which any figure exceeds the theory that stands beside it."""
    for result, summary in rated(record):
        best, theory = summary.best_bytes_per_s, result.theory_bytes_per_s
        if best is None or theory is None or best <= theory:
            continue
        seen = f"{format_rate(best)} GB/s is {format_percent(best / theory)} of the theory, {format_rate(theory)} GB/s"
        hint = _ABOVE[kind_of(result)] if kind_of(result) in _ABOVE else _ABOVE[HOST]
        yield Raised(result.case.id, Finding("BW002", f"{seen}; nothing real exceeds 100 %", hint))


def below_the_size_of_memory(record: Record) -> Iterator[Raised]:
    """Yield rates whose working set is below the rule for memory; a sweep means to be, and a latency names its size."""
    for row, _ in shown(record):
        case = row.case
        if case.dram_rule_bytes is None or case.meets_dram_rule or case.is_latency:
            continue
        seen = f"the working set of {format_size(case.working_set_bytes)} may be served by caches"
        rule = "64 times the L2" if kind_of(row) == DEVICE else "4 times the last-level caches, at least 256 MiB"
        limit = f"memory needs {format_size(case.dram_rule_bytes)} ({rule})"
        hint = f"give --size {size_option(case.dram_rule_bytes)} or more, which takes up to twice as much free memory"
        yield Raised(case.id, Finding("BW001", f"{seen}; {limit}", hint))


def faster_at_half_the_size(record: Record) -> Iterator[Raised]:
    """Yield results that run faster with half the data: a cache takes part."""
    for row in shown(record):
        case = row.result.case
        check = size_check_of(record, row.result)
        is_too_small = case.dram_rule_bytes is not None and not case.meets_dram_rule
        if check is None or is_too_small or case.is_latency:
            continue
        half = Row(check, summarise(check))
        if ratio(half, row) > 1 + HALF_SIZE_TOLERANCE and are_apart(half, row):
            seen = f"half the working set is {format_percent(ratio(half, row) - 1)} faster"
            limit = f"memory alone would be within {format_percent(HALF_SIZE_TOLERANCE)}"
            hint = "a cache larger than the one reported serves part of it: give a larger --size"
            yield Raised(case.id, Finding("BW001", f"{seen}; {limit}", hint))


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


def unstable(record: Record) -> Iterator[Raised]:
    """Yield results whose interval is too wide to rely on, and which do not alternate between two rates (BW045)."""
    hint, limit = "stop what else runs on the machine, or give a longer --budget", format_percent(UNSTABLE_HALF_WIDTH)
    for row in filter(is_unstable, shown(record)):
        seen = f"the 95 % interval reaches {format_percent(row.summary.half_width or 0.0)} from the median"
        yield Raised(row.result.case.id, Finding("BW003", f"{seen}, more than {limit}", hint))
    yield from _of_points(record, "BW003", is_unstable, f"have a 95 % interval that reaches further than {limit}", hint)


def is_unstable(row: Row) -> bool:
    """Return whether a result's interval is too wide to rely on, and it is noise that makes it so."""
    return is_wide(row.summary) and two_groups(row.result.samples.seconds) is None


def last_block_unchecked(record: Record) -> Iterator[Raised]:
    """Yield results that were cut short, so that all of the first block was checked and a part of each later one."""
    hint = "of the later blocks a part was; let it end, or give a longer --budget"
    for row in filter(_is_cut_short, shown(record)):
        seen = f"it was cut short ({stop_words(row.result)}): all of its first block was checked"
        yield Raised(row.result.case.id, Finding("BW013", seen, hint))
    yield from _of_points(record, "BW013", _is_cut_short, "were cut short: all of their first blocks was checked", hint)


def too_few_samples(record: Record) -> Iterator[Raised]:
    """Yield results with too few samples for an interval."""
    hint = "give a longer --budget or fewer kernels"
    for row in filter(_has_few_samples, shown(record)):
        samples = plural("sample", row.summary.count)
        seen = f"only {row.summary.count} {samples} ({stop_words(row.result)}); an interval needs {FEWEST_FOR_INTERVAL}"
        yield Raised(row.result.case.id, Finding("BW008", seen, hint))
    words = f"have too few samples for an interval, which needs {FEWEST_FOR_INTERVAL}"
    yield from _of_points(record, "BW008", _has_few_samples, words, hint)


def start_skew(record: Record) -> Iterator[Raised]:
    """Yield results whose workers did not start together."""
    hint, limit = "a larger --size makes longer blocks; a busy machine delays threads", format_percent(SKEW_SHARE)
    for row in filter(_is_skewed, shown(record)):
        samples = row.result.samples
        blocks = format_duration(min(samples.seconds))
        seen = f"workers started up to {format_duration(samples.start_skew_s)} apart in blocks of {blocks}"
        yield Raised(row.result.case.id, Finding("BW009", f"{seen}, more than {limit}", hint))
    yield from _of_points(record, "BW009", _is_skewed, f"had workers start further apart than {limit} of a block", hint)


def outliers(record: Record) -> Iterator[Raised]:
    """Yield results of which many blocks lie far from the others."""
    hint = "something disturbs the machine now and then; the median stands, the spread is real"
    for row in filter(_has_outliers, shown(record)):
        far = len(outlier_indices(row.result.samples.seconds))
        seen = f"{far} of {row.summary.count} blocks lie far from the rest (modified z-score above 3.5)"
        yield Raised(row.result.case.id, Finding("BW012", seen, hint))
    words = f"have more than {format_percent(OUTLIER_SHARE)} of blocks far from the rest (modified z-score above 3.5)"
    yield from _of_points(record, "BW012", _has_outliers, words, hint)


def not_pinned(record: Record) -> Iterator[Raised]:
    """Yield where threads could move between CPUs."""
    if any(not result.pinned for result in record.results):
        text = f"threads were not pinned to CPUs ({record.machine.get('operating_system', 'this system')})"
        hint = "they may have moved away from their data: expect more spread; Linux can pin"
        yield Raised(None, Finding("BW007", text, hint))


# --- what the rules above look at -----------------------------------------------------------------------------------


def _of_points(record: Record, code: str, is_so: Callable[[Row], bool], words: str, hint: str) -> Iterator[Raised]:
    """Yield one line for all points of a sweep, of which there may be dozens."""
    points = sweep_points(record)
    count = sum(map(is_so, points))
    if count:
        yield Raised(None, Finding(code, f"{count} of the sweep's {len(points)} points {words}", hint))


def _is_cut_short(row: Row) -> bool:
    return not row.result.last_block_checked and row.result.samples.stopped_by != "unfinished"


def _has_few_samples(row: Row) -> bool:
    return row.summary.count < FEWEST_FOR_INTERVAL


def _is_skewed(row: Row) -> bool:
    samples = row.result.samples
    return samples.start_skew_s > SKEW_SHARE * min(samples.seconds, default=0.0)


def _has_outliers(row: Row) -> bool:
    far = outlier_indices(row.result.samples.seconds)
    is_many = len(far) >= OUTLIERS_LEAST and len(far) > OUTLIER_SHARE * row.summary.count
    return is_many and two_groups(row.result.samples.seconds) is None
