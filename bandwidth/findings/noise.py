"""What noise does to a record: two rates that alternate, and what therefore is not concluded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from bandwidth.analysis.comparable import UNSTABLE_HALF_WIDTH, told_regimes, why_not_comparable
from bandwidth.analysis.core_pairs import two_times
from bandwidth.analysis.regimes import CORE_TO_CORE, EFFECTIVE_CORES, NOT_SIDE_BY_SIDE_NS
from bandwidth.findings.evidence import Raised, ResultRow, measured, shown, sweep_points
from bandwidth.findings.rules import ALL, UNTOLD, in_words, percent, rule
from bandwidth.results import Record, Result
from bandwidth.results.model import ADDRESS_BYTES
from bandwidth.results.summary import rates_bytes_per_s
from bandwidth.statistics import (
    BETWEEN_GROUPS,
    CLUSTERS_RATIO,
    FEWEST_FOR_INTERVAL,
    FEWEST_IN_GROUP,
    GROUPS_GAP,
    GROUPS_RATIO,
    LEAST_GROUP_SHARE,
    TwoGroups,
    median,
    repeat_interval,
    two_groups,
)
from bandwidth.units import format_percent, format_rate
from bandwidth.vocabulary import NS_PER_S, SWEEP_POINT

# A witness tells why a block was slow where it differs between the two groups in this share of all pairs of blocks, one
# of either group, and by enough to matter.
WITNESS_AGREES = 0.9
WITNESS_SHARE = 0.05
WITNESS_SWITCHES = 2.0
WITNESS_CLOCK = 0.05
# Fewer earlier runs have no range to speak of. Within this share runs of a quiet machine differ from day to day. The
# newest are left out, as they may be of the machine as it is now: what persists is told of three times.
FEWEST_EARLIER = 5
EARLIER_APART = 0.05
NEWEST_LEFT_OUT = 2

_Words = Callable[[float, float], str]


@rule(
    "BW045",
    "Two rates that alternate",
    rank=80,
    of=ALL,
    limits={
        "gap": f"{GROUPS_GAP:g}",
        "fewest": str(FEWEST_IN_GROUP),
        "least": in_words(LEAST_GROUP_SHARE),
        "apart": percent(GROUPS_RATIO - 1),
        "between": in_words(BETWEEN_GROUPS),
    },
)
def two_rates(record: Record) -> Iterator[Raised]:
    """
    The blocks of this result form two groups of rates with no or almost no blocks between them: the machine was in
    one of two states during each block. The median is that of the more frequent state. The 95 % interval, which may
    extend from one group to the other, does not describe noise around it. The finding is raised if the gap between
    the groups is {gap} times as wide as the wider group (in logarithms), each group has at least {fewest} blocks and
    {least} of all blocks, their medians are at least {apart} apart, and no more than one block in {between} is
    between them. Samples of a single rate with noise of any usual shape look like this in less than three of a
    hundred cases.

    Why: a condition that was recorded with each block and correlates with the rate is named: CPU time of other
    processes, steal by the hypervisor, waits for a CPU, involuntary context switches, the core clock, the
    core-to-core latency of the threads, the number of effective cores. If each state has enough blocks for an
    interval, BW053 and BW054 are reported instead. If no condition explains it, a different placement of the pages is
    a usual cause.

    What to try: treat each rate separately; the higher one is the capability of the machine. With --strict the
    command exits with code 4.
    """
    for row in shown(record):
        groups = two_groups(row.result.samples.seconds)
        is_told = two_times(row.result) is not None or told_regimes(record, row.result) is not None
        if groups is None or is_told:  # BW053, BW054 and BW060 tell of those
            continue
        reason = _reason(row.result, groups)
        hint = "treat each rate separately: the median and its interval mix both"
        words = f"{_rates_words(row, groups)}: {reason or 'no recorded condition explains it'}"
        yield Raised(row.result.case.id, words, hint)
    points = sweep_points(record)
    count = sum(two_groups(row.result.samples.seconds) is not None for row in points)
    if count:
        text = f"{count} of the sweep's {len(points)} points have blocks of two rates that alternate"
        yield Raised(None, text, "each median is one of the two rates: see the samples in the record")


@rule(
    "BW046",
    "No conclusions",
    rank=170,
    mark=UNTOLD,
    of=ALL,
    limits={"fewest": in_words(FEWEST_FOR_INTERVAL), "reach": percent(UNSTABLE_HALF_WIDTH)},
)
def nothing_concluded(record: Record) -> Iterator[Raised]:
    """
    Two results are compared only if both allow it: at least {fewest} blocks, a 95 % interval of at most {reach}
    around the median, and a machine without other work (BW004). On a busy machine more threads may seem slower, and
    one kind of store faster, only because something else was running. Fewer than two results of this record can be
    compared, so there are no findings about threads, stores, nodes, NumPy and the normal range.

    What to try: measure on an idle machine, or longer (--budget 60s).
    """
    rows = [row.result for row in measured(record) if SWEEP_POINT not in row.result.case.variant]
    why = [reason for result in rows if (reason := why_not_comparable(record, result))]
    if len(rows) < 2 or len(rows) - len(why) > 1:
        return
    kinds = Counter("the machine was busy (BW004)" if "busy" in reason else _kind(reason) for reason in why)
    told = "; ".join(f"{count} of {len(rows)} results: {kind}" for kind, count in kinds.most_common())
    text = "no conclusions about threads, stores, nodes and the normal range, because no two results are comparable"
    yield Raised(None, f"{text}: {told}", "measure on an idle machine, or for longer (--budget)")


@rule(
    "BW061",
    "Not what earlier runs on this machine gave",
    rank=85,
    of=ALL,
    compares=True,
    mark=UNTOLD,
    limits={
        "fewest": in_words(FEWEST_EARLIER),
        "apart": percent(EARLIER_APART),
        "newest": in_words(NEWEST_LEFT_OUT),
    },
)
def unlike_earlier_runs(record: Record) -> Iterator[Raised]:
    """
    The median is outside the range of the earlier runs of the same measurement on this machine (at least {fewest},
    in whatever state it was; the newest {newest} are left out, as they may be of the same change), differs from their
    median by more than {apart}, and by more than their scatter explains with 95 % confidence. The machine was quiet in
    each of them, so something may have changed: a memory module or its clock, a power profile, a firmware setting,
    another guest on the host. Earlier runs are kept in the user's cache folder, for each version of the program and of
    the system's kernel.

    What to try: run again. If the difference persists, compare both records (`bandwidth compare`), which lists what
    differs between the set-ups.
    """
    for row in shown(record):
        result, earlier = row.result, row.result.earlier_s_per_call[:-NEWEST_LEFT_OUT]
        here = median(result.samples.seconds) / result.samples.calls_per_sample
        if len(earlier) < FEWEST_EARLIER or min(earlier) <= here <= max(earlier):
            continue
        usual, reach = median(earlier), repeat_interval(here, earlier)
        share = here / usual - 1 if result.case.is_latency else usual / here - 1
        if abs(share) > EARLIER_APART and reach is not None and not reach.low <= usual <= reach.high:
            faster = "slower" if here > usual else "faster"
            than = f"{faster} than the median of {len(earlier)} earlier runs on this machine, and outside their range"
            yield Raised(
                result.case.id, f"{format_percent(abs(share))} {than}", "run again; if it persists, compare records"
            )


# --- what the rules above look at -----------------------------------------------------------------------------------


def _kind(reason: str) -> str:
    if "states" in reason:
        return "several states of the machine (BW053, BW054)"
    return "an interval that is too wide (BW003, BW045)" if "interval extends" in reason else "too few blocks (BW008)"


def _rates_words(row: ResultRow, groups: TwoGroups) -> str:
    """Return both rates with how many blocks had each: `two rates alternate: 27.70 GB/s in 8 of 14 blocks, ...`."""
    seconds, count = row.result.samples.seconds, row.summary.count
    # The times that are low are the rates that are high.
    slow, fast = (f"{_figure(row.result, places)} in {len(places)}" for places in (groups.high, groups.low))
    changes = _changes(groups)
    start = "two rates alternate" if changes > 1 else "the rate changed once in the run"
    left = len(seconds) - len(groups.low) - len(groups.high)
    between = f", {left} between" if left else ""
    return f"{start}: {slow} of {count} blocks, {fast}{between}"


def _figure(result: Result, places: Sequence[int]) -> str:
    if result.case.is_latency:
        return f"{median(_latencies_ns(result, places)):.1f} ns"
    rates = rates_bytes_per_s(result)
    return f"{format_rate(median([rates[place] for place in places]))} GB/s"


def _latencies_ns(result: Result, places: Sequence[int]) -> list[float]:
    loads = result.case.bytes_per_call // ADDRESS_BYTES * result.samples.calls_per_sample
    return [result.samples.seconds[place] / loads * NS_PER_S for place in places]


def _changes(groups: TwoGroups) -> int:
    """Return how often the rate changed from one block to the next, those between the two left out."""
    is_slow = dict.fromkeys(groups.high, True) | dict.fromkeys(groups.low, False)
    course = [is_slow[place] for place in sorted(is_slow)]
    return sum(one is not other for one, other in pairwise(course))


def _reason(result: Result, groups: TwoGroups) -> str:
    """Return what the first witness says that tells slow blocks from fast ones, empty where none does."""
    for name, words in _WITNESSES.items():
        values = result.observed[name].values if name in result.observed else ()
        if len(values) != len(result.samples.seconds):
            continue
        slow, fast = ([values[place] for place in places] for places in (groups.high, groups.low))
        told = words(median(slow), median(fast))
        sign = 1 if median(slow) > median(fast) else -1
        pairs = [sign * (one - other) > 0 for one in slow for other in fast]
        if told and sum(pairs) >= WITNESS_AGREES * len(pairs):
            return told
    return ""


def _share_words(start: str) -> _Words:
    def words(slow: float, fast: float) -> str:
        if slow - fast < WITNESS_SHARE:
            return ""
        return f"{start} {format_percent(slow)} in the slow blocks, {format_percent(fast)} in the others"

    return words


def _switches_words(slow: float, fast: float) -> str:
    if slow < WITNESS_SWITCHES * max(fast, 1.0):
        return ""
    return f"{slow:.0f} involuntary context switches in the slow blocks, {fast:.0f} in the others"


def _clock_words(slow: float, fast: float) -> str:
    if slow > (1 - WITNESS_CLOCK) * fast:
        return ""
    return f"the core clock was {slow / 1e9:.2f} GHz after the slow blocks, {fast / 1e9:.2f} GHz after the others"


def _hop_words(slow: float, fast: float) -> str:
    if max(slow, fast) < CLUSTERS_RATIO * min(slow, fast) or max(slow, fast) > NOT_SIDE_BY_SIDE_NS:
        return ""
    return f"the core-to-core latency was {slow:.0f} ns in the slow blocks, {fast:.0f} ns in the others: the CPUs moved"


def _cores_words(slow: float, fast: float) -> str:
    if slow * CLUSTERS_RATIO > fast:
        return ""
    return f"its threads had {slow:.2f} effective cores in the slow blocks, {fast:.2f} in the others"


_WITNESSES: dict[str, _Words] = {
    CORE_TO_CORE: _hop_words,
    "steal_share": _share_words("steal was"),
    "others_cpu_share": _share_words("other processes' CPU time was"),
    "cpu_wait_share": _share_words("the time that its threads waited for a CPU was"),
    "clock_hz": _clock_words,
    EFFECTIVE_CORES: _cores_words,
    "involuntary_switches": _switches_words,
}
