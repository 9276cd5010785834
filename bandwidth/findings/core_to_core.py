"""Core-to-core latency: what chiplets and sockets cost, and where the system reports another layout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bandwidth.analysis.comparable import disturbance_of
from bandwidth.analysis.core_pairs import HiddenGroups, Neighbours, TwoTimes, core_pairs, hidden_groups, two_times
from bandwidth.cpu_list import format_cpu_list
from bandwidth.findings.evidence import Raised, measured
from bandwidth.findings.rules import SOUND, UNTOLD, percent, rule
from bandwidth.results import Record, Result
from bandwidth.statistics import CLUSTERS_RATIO
from bandwidth.vocabulary import HOST, SHARED

# Pairs that are named; of more, how many there are.
MOST_NAMED = 3


@rule(
    "BW057",
    "Core-to-core latency depends on the distance",
    rank=515,
    mark=SOUND,
    of=HOST,
    compares=True,
    limits={"ratio": percent(CLUSTERS_RATIO - 1)},
)
def near_and_far(record: Record) -> Iterator[Raised]:
    """
    A modified cache line takes longer to reach a more distant core. The latency is lowest between the hardware threads of
    a core, higher within a shared cache (an AMD chiplet, a cluster), higher between chiplets, and highest between sockets.
    The finding is raised if the medians over the pairs differ by more than {ratio}. This is the cost of a lock, a queue or
    a counter that threads on these cores share.

    It is normal. What to try: keep threads that share written data within one such group (`taskset -c`, `numactl`), and
    put independent threads on different groups, because each group has its own cache and its own path to the memory.
    """
    found = core_pairs(record)
    kinds = [kind for kind in found.neighbours if kind.shared] if found is not None else []
    if len(kinds) > 1 and kinds[-1].median_ns > CLUSTERS_RATIO * kinds[0].median_ns and not _contradiction(kinds):
        words = ", ".join(f"{kind.median_ns:.0f} ns on {SHARED.get(kind.shared, kind.shared)}" for kind in kinds)
        hint = "normal: keep threads that share written data in one of the nearest groups"
        ratio = kinds[-1].median_ns / kinds[0].median_ns
        yield Raised(None, f"the core-to-core latency is {words}: the longest is {ratio:.1f} times the shortest", hint)


@rule(
    "BW058",
    "Core groups that the system does not report",
    rank=277,
    mark=UNTOLD,
    of=HOST,
    compares=True,
    limits={"ratio": percent(CLUSTERS_RATIO - 1)},
)
def groups_not_shown(record: Record) -> Iterator[Raised]:
    """
    According to the system, all these CPUs share the same cache or socket, but their core-to-core latencies form groups:
    latency within a group is low, and latency between groups is at least {ratio} higher. A virtual machine often reports
    one large cache or one socket although its CPUs run on several chiplets or sockets. On a physical machine the groups
    are parts of a mesh, or clusters.

    What to try: keep threads that share written data within one of these groups (--cpus, `taskset -c`).
    """
    found = core_pairs(record)
    for groups in hidden_groups(found) if found is not None else ():
        hint = "keep threads that share written data within one group (taskset -c)"
        yield Raised(None, _groups_words(groups), hint)


@rule(
    "BW059",
    "Measured core layout contradicts the system",
    rank=272,
    mark=UNTOLD,
    of=HOST,
    compares=True,
    limits={"ratio": percent(CLUSTERS_RATIO - 1)},
)
def layout_contradicted(record: Record) -> Iterator[Raised]:
    """
    CPUs that the system reports as near each other (hardware threads of one core, cores of one cache) take more than
    {ratio} longer to exchange a cache line than CPUs that it reports as more distant, in the median over the pairs.
    Hypervisors can report any layout, regardless of the cores on which their CPUs run.

    What to try: do not place threads by this layout; request a machine with pinned CPUs and the true topology.
    """
    found = core_pairs(record)
    pair = _contradiction(found.neighbours) if found is not None else None
    if pair is not None:
        near, far = pair
        text = (
            f"the core-to-core latency is {near.median_ns:.0f} ns between CPUs reported on {SHARED[near.shared]}, "
            f"but {far.median_ns:.0f} ns between CPUs on {SHARED[far.shared]}"
        )
        yield Raised(None, text, "do not place threads by the layout that this system reports")


@rule(
    "BW060",
    "Core-to-core latency has two values",
    rank=73,
    of=HOST,
    limits={"ratio": percent(CLUSTERS_RATIO - 1)},
)
def moving_pairs(record: Record) -> Iterator[Raised]:
    """
    The blocks of a pair of CPUs have two latencies at least {ratio} apart, with almost nothing between them (see BW045):
    the CPUs were near each other for some of the time and distant for the rest. The hypervisor moves virtual CPUs between
    cores, for seconds at a time. The median is that of the state that lasted longer. On a busy machine (BW004) the
    finding is not raised, because a thread that waits for its CPU looks the same.

    What to try: treat the two latencies separately. Memory bandwidth changes with them (BW053): request a machine with
    pinned CPUs (bare metal, dedicated hosts).
    """
    found = [(row.result, two_times(row.result)) for row in measured(record)]
    moving = [(result, times) for result, times in found if times and disturbance_of(record, result) is None]
    if moving:
        more = len(moving) - MOST_NAMED
        words = "; ".join(_pair_words(result, times) for result, times in moving[:MOST_NAMED])
        others = f", and {more} more pairs" if more > 0 else ""
        reason = "the hypervisor moves the CPUs" if "virtualization" in record.machine else "the CPUs changed cores"
        text = f"the core-to-core latency has two values, {words}{others}: {reason}"
        yield Raised(None, text, "treat them separately; request a machine with pinned CPUs")


# --- what the rules above look at -----------------------------------------------------------------------------------


def _contradiction(kinds: Sequence[Neighbours]) -> tuple[Neighbours, Neighbours] | None:
    """Return the neighbours that are slowest against others that are said to be further apart, None where none is."""
    told = [kind for kind in kinds if kind.shared in SHARED]
    pairs = [(near, far) for place, near in enumerate(told) for far in told[place + 1 :]]
    found = [pair for pair in pairs if pair[0].median_ns > CLUSTERS_RATIO * pair[1].median_ns]
    return max(found, key=lambda pair: pair[0].median_ns / pair[1].median_ns, default=None)


def _groups_words(found: HiddenGroups) -> str:
    groups = "; ".join(map(format_cpu_list, found.groups[:MOST_NAMED]))
    more = f" and {len(found.groups) - MOST_NAMED} more" if len(found.groups) > MOST_NAMED else ""
    shared = f"the CPUs on {SHARED[found.shared]}" if found.shared in SHARED else "the CPUs"
    times = f"{found.near_ns:.0f} ns within a group, {found.far_ns:.0f} ns between groups"
    return f"{shared} form {len(found.groups)} groups ({groups}{more}): core-to-core latency is {times}"


def _pair_words(result: Result, times: TwoTimes) -> str:
    cpus = " and ".join(map(str, result.case.pair or ()))
    low, high = (f"{ns:.0f} ns in {count}" for ns, count in (times.low, times.high))
    return f"between CPUs {cpus} {low} and {high} of {len(result.samples.seconds)} blocks"
