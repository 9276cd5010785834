"""What noise does to a record: two rates that alternate, and what therefore is not concluded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from bandwidth.analysis.core_pairs import two_times
from bandwidth.analysis.regimes import CORE_TO_CORE, EFFECTIVE_CORES, NOT_SIDE_BY_SIDE_NS
from bandwidth.findings.evidence import (
    UNSTABLE_HALF_WIDTH,
    Raised,
    ResultRow,
    measured,
    shown,
    sweep_points,
    told_regimes,
    why_not_comparable,
)
from bandwidth.findings.rules import ALL, UNTOLD, in_words, percent, rule
from bandwidth.results import Record, Result
from bandwidth.results.model import ADDRESS_BYTES
from bandwidth.results.summary import NS_PER_S, rates_bytes_per_s
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
    two_groups,
)
from bandwidth.units import format_percent, format_rate
from bandwidth.vocabulary import SWEEP_POINT

# A witness tells why a block was slow where it differs between the two groups in this share of all pairs of blocks, one
# of either group, and by enough to matter.
WITNESS_AGREES = 0.9
WITNESS_SHARE = 0.05
WITNESS_SWITCHES = 2.0
WITNESS_CLOCK = 0.05

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
    The blocks of this result fall into two groups of rates with nothing, or next to nothing, between them: the machine was
    in one of two states while each ran. The median is that of the state that lasted longer, and the 95 % interval, which
    may reach from one group to the other, is no noise around it. The finding is raised where the empty space between the
    groups is {gap} times as wide as the wider group (in logarithms), each has at least {fewest} blocks and {least} of all, their
    medians are at least {apart} apart, and no more than one block in {between} lies between. Of samples of one rate with noise of
    any usual shape fewer than three in a hundred look so.

    Why: where something that was looked at in each block goes with the rate, it is named: other processes' CPU time, time
    that the hypervisor took, waits for a CPU, involuntary switches, the core's clock, how far the threads' cores were from
    each other, how many effective cores they had. Where each state has enough blocks for an interval, BW053 and BW054
    stand in place of this. A usual reason where nothing tells why: pages that lie otherwise.

    What to try: read each rate for itself; the higher one is what the machine can do. With --strict the command leaves
    with exit code 4.
    """
    for row in shown(record):
        groups = two_groups(row.result.samples.seconds)
        is_told = two_times(row.result) is not None or told_regimes(record, row.result) is not None
        if groups is None or is_told:  # BW053, BW054 and BW060 tell of those
            continue
        reason = _reason(row.result, groups)
        hint = "read each rate for itself: the median and its interval are of a mixture"
        words = f"{_rates_words(row, groups)}: {reason or 'no witness in the run tells why'}"
        yield Raised(row.result.case.id, words, hint)
    points = sweep_points(record)
    count = sum(two_groups(row.result.samples.seconds) is not None for row in points)
    if count:
        text = f"{count} of the sweep's {len(points)} points have blocks of two rates that alternate"
        yield Raised(None, text, "their medians lie on either of the two: see the samples in the record")


@rule(
    "BW046",
    "Nothing is concluded",
    rank=170,
    mark=UNTOLD,
    of=ALL,
    limits={"fewest": in_words(FEWEST_FOR_INTERVAL), "reach": percent(UNSTABLE_HALF_WIDTH)},
)
def nothing_concluded(record: Record) -> Iterator[Raised]:
    """
    Why one result is faster than another is said only where both may be compared: at least {fewest} blocks, a 95 % interval
    that reaches no further than {reach} from the median, and a machine that nothing else used (BW004). On a busy machine more
    threads may seem to cost, and one kind of store may seem faster, where in truth something else ran. Fewer than two
    results of this record may be compared, so nothing is said of threads, stores, nodes, NumPy and of what is normal.

    What to try: measure on an idle machine, or for longer (--budget 60s).
    """
    rows = [row.result for row in measured(record) if SWEEP_POINT not in row.result.case.variant]
    why = [reason for result in rows if (reason := why_not_comparable(record, result))]
    if len(rows) < 2 or len(rows) - len(why) > 1:
        return
    kinds = Counter("the machine was busy (BW004)" if "busy" in reason else _kind(reason) for reason in why)
    told = "; ".join(f"{count} of {len(rows)} results: {kind}" for kind, count in kinds.most_common())
    text = (
        f"nothing is concluded of threads, stores, nodes and what is normal, as no two results may be compared: {told}"
    )
    yield Raised(None, text, "measure on an idle machine, or for longer (--budget)")


# --- what the rules above look at -----------------------------------------------------------------------------------


def _kind(reason: str) -> str:
    if "states" in reason:
        return "blocks of several states of the machine (BW053, BW054)"
    return "an interval that is too wide (BW003, BW045)" if "interval reaches" in reason else "too few blocks (BW008)"


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
    return f"threads were put off their CPUs {slow:.0f} times in the slow blocks, {fast:.0f} times in the others"


def _clock_words(slow: float, fast: float) -> str:
    if slow > (1 - WITNESS_CLOCK) * fast:
        return ""
    return f"the core's clock was {slow / 1e9:.2f} GHz behind the slow blocks, {fast / 1e9:.2f} behind the others"


def _hop_words(slow: float, fast: float) -> str:
    if max(slow, fast) < CLUSTERS_RATIO * min(slow, fast) or max(slow, fast) > NOT_SIDE_BY_SIDE_NS:
        return ""
    return (
        f"a word took {slow:.0f} ns from core to core in the slow blocks, {fast:.0f} ns in the others: the CPUs moved"
    )


def _cores_words(slow: float, fast: float) -> str:
    if slow * CLUSTERS_RATIO > fast:
        return ""
    return f"its threads had {slow:.2f} effective cores in the slow blocks, {fast:.2f} in the others"


_WITNESSES: dict[str, _Words] = {
    CORE_TO_CORE: _hop_words,
    "steal_share": _share_words("the hypervisor took of the time in which CPUs had work"),
    "others_cpu_share": _share_words("others took of the CPUs' time"),
    "cpu_wait_share": _share_words("its threads waited for a CPU"),
    "clock_hz": _clock_words,
    EFFECTIVE_CORES: _cores_words,
    "involuntary_switches": _switches_words,
}
