"""Whether a figure may be believed at all: verified, from memory and not a cache, below the peak, sampled enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bandwidth.analysis.comparable import UNSTABLE_HALF_WIDTH, disturbance_of, is_wide
from bandwidth.analysis.groups import size_check_of
from bandwidth.analysis.regimes import is_mixture
from bandwidth.findings.evidence import Raised, ResultRow, are_apart, rated, ratio, shown, stop_words, sweep_points
from bandwidth.findings.rules import ALL, UNTOLD, also, in_words, percent, rule
from bandwidth.kernels import CACHE_MULTIPLE, LEAST_DRAM_BYTES
from bandwidth.results import Record, summarise
from bandwidth.statistics import FEWEST_FOR_INTERVAL, OUTLIER_SCORE, outlier_indices
from bandwidth.theory.formula import plural
from bandwidth.units import format_duration, format_percent, format_rate, format_size, size_option
from bandwidth.vocabulary import DEVICE, HOST, PCIE

# At half the working set a memory is as fast as at the whole; a cache that holds part of the data is faster. Noise of
# shared machines reaches a few percent, so more than this and intervals apart is taken for a cache.
HALF_SIZE_TOLERANCE = 0.05
# Until the last worker starts the first has the memory to itself: above this share of a block it shows in the rate.
SKEW_SHARE = 0.02
# A few slow blocks do not move a median; from a tenth on, and three, something disturbs the machine regularly.
OUTLIER_SHARE = 0.1
OUTLIERS_LEAST = 3

_HOST_RULE = f"{CACHE_MULTIPLE} times the last-level caches, at least {format_size(LEAST_DRAM_BYTES)}"

_ABOVE = {
    HOST: "the theory may be wrong (see --memory), or a cache held the data (use a larger --size)",
    DEVICE: "the driver's clock may be wrong (`bandwidth system --json`), or the L2 held the data (omit --size)",
    PCIE: "the link may have run faster than reported: measure again, and report it if it repeats",
}


@rule("BW006", "Verification failed", rank=10, of=ALL)
def verification_failed(record: Record) -> Iterator[Raised]:
    """
    All of the destination is compared with what the kernel must have written, after the first and after the last
    timed block. Sources and scalars change from block to block. So the check catches an engine that copied once and
    then did nothing, and one that omitted the last bytes. When the comparison fails the rate is withheld, because it
    counts bytes that were not moved.

    What to try: run again. If it fails again, either the memory returns wrong data (run a memory test) or bandwidth,
    NumPy or the processor has a defect: please report it with the saved record.
    """
    for result in record.results:
        if not result.is_verified:
            hint = "the rate is withheld; run again, and report it if it repeats: the memory or this program is faulty"
            yield Raised(result.case.id, f"verification failed: {result.failure}", hint)


@rule("BW002", "Above the theoretical peak", rank=20, of=ALL)
def above_theory(record: Record) -> Iterator[Raised]:
    """
    No measurement can exceed the peak of the memory that it uses. When one does, either the theory or the measurement
    is wrong. Theory: the number of channels, the speed or the number of sockets differs from the machine (see
    `bandwidth system`, and use --memory). Measurement: a cache held part of the data (BW001), or the clock of a
    virtual machine is wrong. The figure is marked and must not be quoted.
    """
    for result, summary in rated(record):
        best, theory = summary.best_bytes_per_s, result.theory_bytes_per_s
        if best is None or theory is None or best <= theory:
            continue
        seen = f"{format_rate(best)} GB/s is {format_percent(best / theory)} of the theoretical peak"
        hint = _ABOVE[result.case.kind] if result.case.kind in _ABOVE else _ABOVE[HOST]
        yield Raised(
            result.case.id, f"{seen}, {format_rate(theory)} GB/s; a correct measurement cannot exceed 100 %", hint
        )


@rule(
    "BW001",
    "The data may fit in a cache",
    rank=30,
    of=ALL,
    limits={"caches": str(CACHE_MULTIPLE), "least": format_size(LEAST_DRAM_BYTES)},
)
def below_the_size_of_memory(record: Record) -> Iterator[Raised]:
    """
    A cache is several times faster than memory, so data that fits in a cache says nothing about the memory. To
    measure memory, the working set (all arrays of all threads) must be at least {caches} times the last-level caches
    that the threads can reach, and at least {least}. The finding is raised when --size is smaller, and when the same
    kernel runs faster with half the working set by more than the noise: then a cache still holds part of the data. It
    may be a cache that the machine does not report; a virtual machine may report none, or that of a whole socket.
    Points of a size sweep are expected to fit in caches and are not reported.

    What to try: omit --size, or use a larger one. With too little free memory the largest possible size is used, and
    the result has no theory.
    """
    for row, _ in shown(record):
        case = row.case
        if case.dram_rule_bytes is None or case.meets_dram_rule or case.is_latency:
            continue
        seen = f"the working set of {format_size(case.working_set_bytes)} may fit in the caches"
        why = "64 times the L2" if row.case.kind == DEVICE else _HOST_RULE
        limit = f"measuring memory needs at least {format_size(case.dram_rule_bytes)} ({why})"
        hint = (
            f"use --size {size_option(case.dram_rule_bytes)} or larger, which needs up to twice that much free memory"
        )
        yield Raised(case.id, f"{seen}; {limit}", hint)


@also("BW001", rank=40, of=HOST, compares=True)
def faster_at_half_the_size(record: Record) -> Iterator[Raised]:
    """Yield results that run faster with half the data: a cache takes part."""
    for row in shown(record):
        case = row.result.case
        check = size_check_of(record, row.result)
        is_too_small = case.dram_rule_bytes is not None and not case.meets_dram_rule
        if check is None or is_too_small or case.is_latency:
            continue
        half = ResultRow(check, summarise(check))
        if ratio(half, row) > 1 + HALF_SIZE_TOLERANCE and are_apart(half, row):
            seen = f"half the working set runs {format_percent(ratio(half, row) - 1)} faster"
            limit = f"in memory both agree within {format_percent(HALF_SIZE_TOLERANCE)}"
            hint = "a cache larger than reported holds part of the data: use a larger --size"
            yield Raised(case.id, f"{seen}; {limit}", hint)


@rule("BW011", "Cache sizes unknown", rank=50, mark=UNTOLD, of=HOST)
def caches_unknown(record: Record) -> Iterator[Raised]:
    """
    The size of the last-level caches determines how much data is needed to measure memory instead of a cache. Where
    the system does not report it (Windows, some containers), 1 GiB is assumed to be enough, which is four times any
    cache of a laptop or desktop processor. The same kernel also runs with half of it: if a cache holds part of the
    data, the half is faster, and BW001 reports it.

    What to try: if the processor has more than 256 MiB of cache, use a --size of at least four times as much.
    """
    assumed = [result.case for result in record.results if not result.case.caches_known]
    if assumed:
        least = format_size(assumed[0].dram_rule_bytes or 0)
        text = f"the size of the caches is unknown; {least} is assumed to exceed them"
        hint = (
            "check that half the working set is no faster; if a cache may exceed a quarter of it, use a larger --size"
        )
        yield Raised(None, text, hint)


@rule("BW003", "Unstable: wide confidence interval", rank=70, of=ALL, limits={"reach": percent(UNSTABLE_HALF_WIDTH)})
def unstable(record: Record) -> Iterator[Raised]:
    """
    The reported rate is the median of all timed blocks. The interval of the run contains the true median with 95 %
    confidence (from order statistics, without assumptions about the distribution). When it extends more than {reach}
    from the median, a second run may well have another result.

    What to try: stop other work, measure longer (--budget 60s), set the frequency governor to performance. With
    --strict the command exits with code 4.
    """
    hint, limit = "stop other work on the machine, or use a longer --budget", format_percent(UNSTABLE_HALF_WIDTH)
    for row in filter(is_unstable, shown(record)):
        seen = f"the 95 % interval extends {format_percent(row.summary.half_width or 0.0)} from the median"
        yield Raised(row.result.case.id, f"{seen}, more than {limit}", hint)
    yield from _of_points(record, is_unstable, f"have a 95 % interval of more than {limit} around the median", hint)


@rule("BW056", "The rate depends on the memory layout", rank=78, of=HOST)
def layouts_differ(record: Record) -> Iterator[Raised]:
    """
    The rate depends on which physical pages a case gets: how they map to channels, banks and cache sets, and how many
    of them are huge pages. So the memory is released and allocated again several times in a run, where filling it is
    cheap. Here the layouts differ by more than the blocks within one layout (Kruskal-Wallis rank test, a false alarm
    once in a hundred). The interval is therefore that of the medians of the layouts (from the lowest to the highest
    with fewer than six), and at least that of all blocks. The finding is not raised on a busy machine (BW004). A
    machine that changes during the run looks the same.

    What to try: a longer --budget measures more layouts. Compare with runs that also had several.
    """
    for row in shown(record):
        is_told = not is_mixture(row.result) and disturbance_of(record, row.result) is None
        if row.summary.layouts and is_told:
            reach = format_percent(row.summary.half_width or 0.0)
            text = f"{row.summary.layouts} memory layouts differ by more than the blocks within a layout"
            hint = "the interval covers the layouts; a longer --budget measures more layouts"
            yield Raised(row.result.case.id, f"{text}: the interval extends {reach} from the median", hint)


def is_unstable(row: ResultRow) -> bool:
    """Return whether a result's interval is too wide to rely on, and it is noise that makes it so."""
    return is_wide(row.summary) and not is_mixture(row.result)


@rule("BW013", "Stopped before the last check", rank=90, of=ALL)
def last_block_unchecked(record: Record) -> Iterator[Raised]:
    """
    In each case all data of the first and of the last timed block is checked, and a part of every other block: one
    element in eight pages, and both ends of every thread's part. This case ended before its last block, by Ctrl-C or
    because the budget ran out, so the result of its last block was checked in part only.
    """
    hint = "later blocks were checked in part; let the run finish, or use a longer --budget"
    for row in filter(_is_cut_short, shown(record)):
        seen = f"stopped early ({stop_words(row.result)}): only the first block was checked completely"
        yield Raised(row.result.case.id, seen, hint)
    yield from _of_points(
        record, _is_cut_short, "were stopped early: only their first block was checked completely", hint
    )


@rule("BW008", "Too few samples", rank=100, of=ALL, limits={"fewest": in_words(FEWEST_FOR_INTERVAL)})
def too_few_samples(record: Record) -> Iterator[Raised]:
    """
    A 95 % interval of the median needs at least {fewest} timed blocks. With fewer, the median is shown without an
    interval. Large working sets on slow memory make long blocks; a short --budget ends early.

    What to try: --budget 60s, or fewer cases (--kernel copy --threads all).
    """
    hint = "use a longer --budget or fewer kernels"
    for row in filter(_has_few_samples, shown(record)):
        samples = plural("sample", row.summary.count)
        seen = f"only {row.summary.count} {samples} ({stop_words(row.result)}); an interval needs {FEWEST_FOR_INTERVAL}"
        yield Raised(row.result.case.id, seen, hint)
    words = f"have too few samples for an interval, which needs {FEWEST_FOR_INTERVAL}"
    yield from _of_points(record, _has_few_samples, words, hint)


@rule("BW009", "Workers did not start together", rank=110, of=ALL, limits={"skew": percent(SKEW_SHARE)})
def start_skew(record: Record) -> Iterator[Raised]:
    """
    A sample lasts from the start of the first worker to the end of the last one. When a worker starts late, the
    others have the memory to themselves for a while, and the sample is longer than the work. The finding is raised
    when the first and the last start are more than {skew} of a block apart.

    What to try: a larger --size makes longer blocks; an idle machine wakes threads faster.
    """
    busy, limit = "a busy machine delays threads", format_percent(SKEW_SHARE)
    hint = f"a larger --size makes longer blocks; {busy}"
    for row in filter(_is_skewed, shown(record)):
        samples = row.result.samples
        blocks = format_duration(min(samples.seconds))
        seen = f"workers started up to {format_duration(samples.start_skew_s)} apart in blocks of {blocks}"
        is_sized = row.result.case.pair is None
        yield Raised(row.result.case.id, f"{seen}, more than {limit}", hint if is_sized else busy)
    yield from _of_points(record, _is_skewed, f"had workers that started more than {limit} of a block apart", hint)


@rule(
    "BW012", "Many outliers", rank=120, of=ALL, limits={"share": in_words(OUTLIER_SHARE), "score": str(OUTLIER_SCORE)}
)
def outliers(record: Record) -> Iterator[Raised]:
    """
    More than {share} of the blocks are far from the rest: their modified z-score (distance from the median over the
    scaled median absolute deviation) exceeds {score}. Something disturbs the machine regularly: a timer, another
    process, a changing clock. The median hardly changes, but the spread is real and stays in the record.
    """
    hint = "something disturbs the machine regularly; the median is valid, the spread is real"
    for row in filter(_has_outliers, shown(record)):
        far = len(outlier_indices(row.result.samples.seconds))
        seen = f"{far} of {row.summary.count} blocks are outliers (modified z-score above {OUTLIER_SCORE})"
        yield Raised(row.result.case.id, seen, hint)
    words = f"have more than {format_percent(OUTLIER_SHARE)} outliers"
    yield from _of_points(record, _has_outliers, f"{words} (modified z-score above {OUTLIER_SCORE})", hint)


@rule("BW007", "Threads not pinned", rank=220, mark=UNTOLD, of=HOST)
def not_pinned(record: Record) -> Iterator[Raised]:
    """
    Each thread should stay on the CPU next to its data. On Linux and Windows every worker is pinned to one CPU; macOS
    has no call for it, and some containers and job objects forbid it. Threads that move lose their cached data and may
    run on another NUMA node than their memory, so expect more spread and lower rates on large machines.
    """
    if any(not result.pinned for result in record.results):
        text = f"threads were not pinned to CPUs ({record.machine.get('operating_system', 'this system')})"
        hint = "threads may migrate away from their data: expect more spread (pinning works on Linux and Windows)"
        yield Raised(None, text, hint)


# --- what the rules above look at -----------------------------------------------------------------------------------


def _of_points(record: Record, is_so: Callable[[ResultRow], bool], words: str, hint: str) -> Iterator[Raised]:
    """Yield one line for all points of a sweep, of which there may be dozens."""
    points = sweep_points(record)
    count = sum(map(is_so, points))
    if count:
        yield Raised(None, f"{count} of the sweep's {len(points)} points {words}", hint)


def _is_cut_short(row: ResultRow) -> bool:
    return not row.result.last_block_checked and row.result.samples.stopped_by != "unfinished"


def _has_few_samples(row: ResultRow) -> bool:
    return row.summary.count < FEWEST_FOR_INTERVAL


def _is_skewed(row: ResultRow) -> bool:
    samples = row.result.samples
    return samples.start_skew_s > SKEW_SHARE * min(samples.seconds, default=0.0)


def _has_outliers(row: ResultRow) -> bool:
    far = outlier_indices(row.result.samples.seconds)
    is_many = len(far) >= OUTLIERS_LEAST and len(far) > OUTLIER_SHARE * row.summary.count
    return is_many and not is_mixture(row.result)
