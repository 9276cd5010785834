"""How far cores are from each other: what chiplets and sockets cost, and where the system tells otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bandwidth.analysis.core_pairs import HiddenGroups, Neighbours, TwoTimes, core_pairs, hidden_groups, two_times
from bandwidth.cpu_list import format_cpu_list
from bandwidth.findings.evidence import Raised, disturbance_of, measured
from bandwidth.findings.rules import SOUND, UNTOLD, percent, rule
from bandwidth.results import Record, Result
from bandwidth.statistics import CLUSTERS_RATIO
from bandwidth.vocabulary import HOST, SHARED

# Pairs that are named; of more, how many there are.
MOST_NAMED = 3


@rule(
    "BW057",
    "Cores are near and far from each other",
    rank=515,
    mark=SOUND,
    of=HOST,
    compares=True,
    limits={"ratio": percent(CLUSTERS_RATIO - 1)},
)
def near_and_far(record: Record) -> Iterator[Raised]:
    """
    A cache line that one core has changed takes longer to another core the further that is: least between the hardware
    threads of a core, more within a cache that several share (a chiplet of AMD's, a cluster), more from chiplet to
    chiplet, most from socket to socket. It is said where the medians over the pairs differ by more than {ratio}. It is what
    a lock, a queue or a counter costs that threads on these cores share.

    It is normal. What to try: keep threads that share what they write within one such group (`taskset -c`, `numactl`), and
    those that do not on different ones, as each group brings its own cache and its own way to the memory.
    """
    found = core_pairs(record)
    kinds = [kind for kind in found.neighbours if kind.shared] if found is not None else []
    if len(kinds) > 1 and kinds[-1].median_ns > CLUSTERS_RATIO * kinds[0].median_ns and not _contradiction(kinds):
        words = ", ".join(f"{kind.median_ns:.0f} ns on {SHARED.get(kind.shared, kind.shared)}" for kind in kinds)
        hint = "normal: keep threads that share what they write on one of the nearest groups"
        ratio = kinds[-1].median_ns / kinds[0].median_ns
        yield Raised(None, f"a cache line takes {words}: {ratio:.1f} times as long at the furthest", hint)


@rule(
    "BW058",
    "Groups of cores that the system does not show",
    rank=277,
    mark=UNTOLD,
    of=HOST,
    compares=True,
    limits={"ratio": percent(CLUSTERS_RATIO - 1)},
)
def groups_not_shown(record: Record) -> Iterator[Raised]:
    """
    The system says of these CPUs that all share the same, but their times fall into groups: all pairs within a group are
    near, all between groups at least {ratio} further apart. A virtual machine often shows one large cache, or one socket,
    where its CPUs run on several chiplets or sockets; on a real machine they are the parts of a mesh or clusters.

    What to try: keep threads that share what they write within one of these groups (--cpus, `taskset -c`).
    """
    found = core_pairs(record)
    for groups in hidden_groups(found) if found is not None else ():
        hint = "keep threads that share what they write within one of them (taskset -c)"
        yield Raised(None, _groups_words(groups), hint)


@rule(
    "BW059",
    "The layout of the cores is not as the system tells",
    rank=272,
    mark=UNTOLD,
    of=HOST,
    compares=True,
    limits={"ratio": percent(CLUSTERS_RATIO - 1)},
)
def layout_contradicted(record: Record) -> Iterator[Raised]:
    """
    CPUs that are said to be nearer to each other (hardware threads of one core, cores of one cache) take more than {ratio}
    longer to exchange a cache line than CPUs that are said to be further apart, in the median over the pairs. Hypervisors
    may show any layout, whatever cores their CPUs run on.

    What to try: do not place threads by this layout; ask for a machine whose CPUs are pinned and shown as they are.
    """
    found = core_pairs(record)
    pair = _contradiction(found.neighbours) if found is not None else None
    if pair is not None:
        near, far = pair
        text = (
            f"a cache line takes {near.median_ns:.0f} ns between CPUs that are said to be on {SHARED[near.shared]}, "
            f"{far.median_ns:.0f} ns between those on {SHARED[far.shared]}"
        )
        yield Raised(None, text, "do not place threads by the layout that this system shows")


@rule(
    "BW060",
    "Pairs of cores with two times",
    rank=73,
    of=HOST,
    limits={"ratio": percent(CLUSTERS_RATIO - 1)},
)
def moving_pairs(record: Record) -> Iterator[Raised]:
    """
    The blocks of a pair of CPUs fall into two times that lie at least {ratio} apart, with nothing, or next to nothing,
    between them (see BW045): the CPUs were near each other for a while, and far apart for another. The hypervisor moves
    virtual CPUs between cores, for seconds at a time. The median is that of the state that lasted longer. Of a busy
    machine (BW004) it is not said, as a thread that has to wait for its CPU looks the same.

    What to try: read each time for itself. Memory bandwidth changes with it (BW053): ask for a machine whose CPUs are
    pinned (bare metal, dedicated hosts).
    """
    found = [(row.result, two_times(row.result)) for row in measured(record)]
    moving = [(result, times) for result, times in found if times and disturbance_of(record, result) is None]
    if moving:
        more = len(moving) - MOST_NAMED
        words = "; ".join(_pair_words(result, times) for result, times in moving[:MOST_NAMED])
        others = f"; and {more} more pairs" if more > 0 else ""
        reason = "the hypervisor moves the CPUs" if "virtualization" in record.machine else "the CPUs' places changed"
        text = f"a cache line takes one of two times, {words}{others}: {reason}"
        yield Raised(None, text, "read each time for itself; ask for a machine whose CPUs are pinned")


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
    shared = f"CPUs on {SHARED[found.shared]}" if found.shared in SHARED else "the CPUs"
    times = f"{found.near_ns:.0f} ns within a group, {found.far_ns:.0f} ns between groups"
    return f"among {shared} there are {len(found.groups)} groups ({groups}{more}): a cache line takes {times}"


def _pair_words(result: Result, times: TwoTimes) -> str:
    cpus = " and ".join(map(str, result.case.pair or ()))
    low, high = (f"{ns:.0f} ns in {count}" for ns, count in (times.low, times.high))
    return f"between CPUs {cpus} {low} and {high} of {len(result.samples.seconds)} blocks"
