"""What holds the memory: channels without a module, modules that are slow or mixed; and memory of several NUMA nodes.

What a machine's modules give away follows from the facts alone, so it is said of every machine, whatever its rates and
whether they are normal. Of nodes it is how far their memory is, whether it lay where it should, and which are unlike
the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bandwidth.analysis.groups import NODE_KEYS, PLACED_SHARE, NodeMatrix, node_matrices
from bandwidth.analysis.recorded import numbers, positive
from bandwidth.ceilings.memory import modules_bytes_per_s
from bandwidth.ceilings.platform import SERVERS
from bandwidth.findings.evidence import Raised, ResultRow, are_apart, measured, rate_text, ratio
from bandwidth.findings.rules import MACHINE, SOUND, THEORY, UNTOLD, percent, rule
from bandwidth.results import Record
from bandwidth.units import format_percent, format_rate, format_size
from bandwidth.vocabulary import HOST

# Firmware rounds a speed (2666, 2667), so up to this share below the rated one is none below it.
SPEED_MARGIN = 0.01
# Another node's memory within this of the own node's: the nodes are one memory with several names.
NODES_ALIKE = 0.95
# Nodes of one machine have the same modules: their own memories differ by less than this.
SAME_MODULES = 0.9

_MEMORY_NODE = NODE_KEYS[1]


# --- the modules ----------------------------------------------------------------------------------------------------


@rule("BW014", "The sources of the memory modules disagree", rank=240, of=MACHINE)
def modules_disagree(machine: Mapping[str, Any]) -> Iterator[Raised]:
    """
    The firmware's table (SMBIOS) and the udev database, which is filled from it at boot, state different speeds or
    numbers of modules. The theory uses the firmware's table. One of the two is outdated or wrong, so the share of the
    theory may be wrong too.

    What to try: read the labels of the modules or the firmware setup, and name the memory with --memory.
    """
    words = machine.get("memory_modules_disagreement")
    if isinstance(words, str):
        hint = "the theory uses the first; check the modules, and use --memory"
        yield Raised(None, f"the sources of the memory modules disagree: {words}", hint)


@rule("BW042", "Memory channels without a module", rank=250, of=MACHINE, in_a_line=True)
def empty_channels(machine: Mapping[str, Any]) -> Iterator[Raised]:
    """
    A processor uses several memory channels at once, and each adds the same bandwidth. A channel with empty slots
    adds nothing, however large the modules on the others are. The finding compares the channels that hold a module
    with the channels of the processor (or, if unknown, with the channels that have slots on the board), over all
    sockets. The theory of a measurement covers the installed modules, so the shares look normal in spite of empty
    channels; the finding is therefore always raised.

    What to try: install one module of the same kind and size on every channel, in the slot order of the board's
    manual. On a server, check whether the firmware has disabled an installed module.
    """
    used = positive(machine.get("memory_channels"))
    with_slots = positive(machine.get("memory_channels_with_slots"))
    there = positive(machine.get("memory_channels_possible")) or with_slots
    if used is None or there is None or used >= there:
        return
    verb = "holds" if used == 1 else "hold"
    seen = f"{used:.0f} of {there:.0f} memory channels {verb} a module{_rates(machine, used, there)}"
    if with_slots is not None and used >= with_slots:
        yield Raised(None, seen, "the firmware lists no slots on the other channels: the board may not have any")
        return
    yield Raised(None, seen, "put a module of the same kind into a slot of each empty channel")


@rule("BW043", "Modules below their rated speed", rank=260, of=MACHINE, in_a_line=True)
def modules_slow(machine: Mapping[str, Any]) -> Iterator[Raised]:
    """
    The modules run below their rated speed. On desktops the rated speed is often a profile (XMP, EXPO) that must be
    enabled in the firmware setup. Elsewhere the processor, or two or three modules per channel, limit the speed; then
    this is as the manufacturer intended. A speed above the rating is overclocking and is not reported.

    What to try: the memory settings of the firmware; the processor's documented speed for this number of modules per
    channel. The theory uses the speed at which the modules run.
    """
    configured = positive(machine.get("memory_configured_mt_s"))
    rated = positive(machine.get("memory_rated_mt_s"))
    if configured is None or rated is None or configured >= rated * (1 - SPEED_MARGIN):
        return
    kind = machine.get("memory_type")
    name = f"{kind}-{rated:.0f}" if isinstance(kind, str) else f"modules for {rated:.0f} MT/s"
    seen = f"{name} runs at {configured:.0f} MT/s: at the rated speed the peak is {_possible(machine, rated)}"
    more = f"{format_percent(rated / configured - 1)} more"
    # Servers have no profile of a faster speed to switch on.
    hint = "enable XMP or EXPO in the firmware setup, if processor and modules per channel allow it"
    if SERVERS.search(str(machine.get("cpu_model", ""))) is not None:
        hint = "two modules share a channel, or the processor allows no more: see its documented speed"
    yield Raised(None, f"{seen}{more}", hint)


@rule("BW044", "Mixed memory modules", rank=270, of=MACHINE)
def modules_mixed(machine: Mapping[str, Any]) -> Iterator[Raised]:
    """
    Consecutive addresses are interleaved over all channels, which requires the same capacity on each. If one channel
    has more, the excess uses that channel alone, at a fraction of the bandwidth. All modules run at the speed and
    timings of the slowest one; channels with one rank turn around more often than channels with two. Different
    modules are not reported where every channel has the same mix.

    What to try: equal modules on every channel. A measurement may still show the full rate, if its arrays are in the
    interleaved part.
    """
    listed = machine.get("memory_modules")
    modules = [module for module in listed if isinstance(module, dict)] if isinstance(listed, list) else []
    channels = positive(machine.get("memory_channels"))
    differing = [words for name, show in _ALIKE if (words := _mix(modules, name, show, channels))]
    if differing:
        hint = "all run at the speed of the slowest, and the excess capacity of a channel is not interleaved"
        yield Raised(None, f"the memory modules differ: {'; '.join(differing)}", hint)


@rule("BW010", "The memory's peak is unknown", rank=280, mark=UNTOLD, of=THEORY)
def theory_unknown(memory: Mapping[str, Any]) -> Iterator[Raised]:
    """
    Without the type, the speed and the number of channels there is no theory to compare with, and bandwidth does not
    guess. In a virtual machine or a container the modules are hidden; on some machines only root may read them.

    What to try: name the memory of one socket with --memory "DDR5-4800 x12", or set BANDWIDTH_MEMORY. Or save the
    facts once as root (`bandwidth system --save facts.json`) and use --facts facts.json from then on.
    """
    reason = memory.get("reason")
    if memory.get("bytes_per_s") is None and isinstance(reason, str):
        hint = str(memory.get("hint") or 'use --memory "DDR5-4800 x12"')
        yield Raised(None, f"the memory's peak is unknown: {reason}", hint)


# --- the nodes ------------------------------------------------------------------------------------------------------


@rule(
    "BW025",
    "Remote memory is slower",
    rank=400,
    mark=SOUND,
    of=HOST,
    compares=True,
    limits={"off": percent(1 - NODES_ALIKE)},
)
def remote_memory(record: Record) -> Iterator[Raised]:
    """
    A link between sockets or dies connects a CPU to the memory of another NUMA node. The finding states how much of
    the local bandwidth remains, and how many times the local latency it takes, over all pairs, when any pair differs
    by more than {off}. It is normal: half of the bandwidth and twice the latency are usual between sockets.

    What to try: keep threads with their data (numactl --cpunodebind --membind, first touch by the thread that uses
    it), or spread shared data over all nodes (numactl --interleave=all).
    """
    words = [*_remote_rates(record), *_remote_latencies(record)]
    if words:
        hint = "normal: keep threads with their data (numactl, first touch), or spread it (numactl --interleave)"
        yield Raised(None, f"remote memory is slower: {'; '.join(words)}", hint)


@rule("BW026", "Memory was not on the requested node", rank=60, of=HOST, limits={"share": percent(PLACED_SHARE)})
def placed_elsewhere(record: Record) -> Iterator[Raised]:
    """
    The placement of the pages is read after they are written. Less than {share} of this result's pages were on the
    requested node, so the figure does not describe that node: the node was full, pages were migrated during the run
    (numa_balancing), or the system did not follow the request.

    What to try: free memory on that node (numastat -m), echo 0 > /proc/sys/kernel/numa_balancing, a smaller --size.
    """
    for row in measured(record):
        placed = row.result.observed.get("placed_share")
        if placed is not None and placed.least < PLACED_SHARE:
            node = row.result.case.variant.get(_MEMORY_NODE, "asked for")
            seen = f"only {format_percent(placed.least)} of its pages are on node {node}"
            limit = f"less than {format_percent(PLACED_SHARE)}: the figure is not that node's"
            hint = "free memory there (numastat -m), disable numa_balancing, or use a smaller --size"
            yield Raised(row.result.case.id, f"{seen}, {limit}", hint)


@rule("BW027", "Memory placement could not be verified", rank=230, mark=UNTOLD, of=HOST)
def placement_not_verified(record: Record) -> Iterator[Raised]:
    """
    Figures between NUMA nodes require that the pages are on the requested node. The system call that reports it
    (move_pages) and /proc/self/numa_maps were both refused, as in some containers. The request was made, but its
    effect could not be verified.
    """
    between = [row.result for row in measured(record) if _MEMORY_NODE in row.result.case.variant]
    unseen = [result for result in between if "placed_share" not in result.observed]
    if unseen:
        text = f"memory placement could not be verified for {len(unseen)} of {len(between)} pairs of nodes"
        hint = "the request may have failed; outside a container move_pages or numa_maps can verify it"
        yield Raised(None, text, hint)


@rule(
    "BW028",
    "Local bandwidth differs between nodes",
    rank=380,
    of=HOST,
    compares=True,
    limits={"share": percent(SAME_MODULES)},
)
def nodes_unlike(record: Record) -> Iterator[Raised]:
    """
    With the same number of threads, the local memory of one node reaches less than {share} of another node's, and the
    intervals do not overlap. The nodes of a machine usually have the same modules. A missing or failed module leaves
    its node with fewer channels, and nothing else on the machine shows it.

    What to try: compare the modules of each node (`bandwidth system`, as root), and check for other work on that
    node.
    """
    for matrix in node_matrices(record):
        own = [(row, node) for node in matrix.cpu_nodes if (row := _rate_row(matrix, node, node)) is not None]
        same = [pair for pair in own if pair[0].result.case.threads == matrix.case.threads]
        if len(same) < 2:
            continue
        (slow, slow_node), (fast, fast_node) = (choose(same, key=_rate_of) for choose in (min, max))
        if ratio(slow, fast) < SAME_MODULES and are_apart(slow, fast):
            seen = f"node {slow_node}'s local memory reaches {rate_text(slow)}, {format_percent(ratio(slow, fast))}"
            words = f"{seen} of node {fast_node}'s, less than {format_percent(SAME_MODULES)}"
            hint = f"check whether node {slow_node} lacks a module (`bandwidth system`) or other work uses its memory"
            yield Raised(None, words, hint)
            return  # every kernel shows the same


@rule("BW029", "Memory-only nodes were not measured", rank=390, mark=UNTOLD, of=HOST)
def memory_only_nodes(record: Record) -> Iterator[Raised]:
    """
    This machine has NUMA nodes with memory but without CPUs: CXL memory, high-bandwidth memory in flat mode, or GPU
    memory. Programs use it only on request, so the default measurement did not cover it.

    What to try: `bandwidth measure --numa` measures the memory of every node, from the CPUs of every node that has
    CPUs.
    """
    nodes = numbers(record.machine.get("numa_memory_only_nodes"))
    reached = {str(result.case.variant.get(_MEMORY_NODE)) for result in record.results}
    missing = [str(node) for node in nodes if str(node) not in reached]
    if missing and record.results:
        which = f"{'node' if len(missing) == 1 else 'nodes'} {', '.join(missing)}"
        text = f"{which} without CPUs (CXL, HBM or GPU memory) {'was' if len(missing) == 1 else 'were'}"
        yield Raised(None, f"{text} not measured", "--numa measures every node's memory")


# --- what the rules above look at -----------------------------------------------------------------------------------


def _rates(machine: Mapping[str, Any], used: float, there: float) -> str:
    """Return what the channels in use can reach, and what all could; nothing where the speed is not known."""
    speed = positive(machine.get("memory_configured_mt_s")) or positive(machine.get("memory_rated_mt_s"))
    kind = machine.get("memory_type")
    if speed is None or not isinstance(kind, str) or not kind.startswith("DDR"):
        return ""  # LPDDR is soldered, and its channels are narrower
    reached, possible = (modules_bytes_per_s(kind, speed, channels) for channels in (used, there))
    if reached is None or possible is None:
        return ""
    return f": {format_rate(reached)} of {format_rate(possible)} GB/s are possible"


def _possible(machine: Mapping[str, Any], rated: float) -> str:
    """Return `89.60 GB/s, `: what the channels in use give at the rated speed; nothing where that is not known."""
    kind, used = machine.get("memory_type"), positive(machine.get("memory_channels"))
    if not isinstance(kind, str) or not kind.startswith("DDR") or used is None:
        return ""
    found = modules_bytes_per_s(kind, rated, used)
    return "" if found is None else f"{format_rate(found)} GB/s, "


def _mix(modules: Sequence[Mapping[str, Any]], name: str, show: Any, channels: float | None) -> str:
    """Return `1 of 8 GiB, 3 of 16 GiB`, empty where all are alike, one is not known, or the channels share the mix."""
    values = [positive(module.get(name)) for module in modules]
    known = [value for value in values if value is not None]
    counts = Counter(known)
    if len(known) < len(modules) or len(counts) < 2:
        return ""
    if channels is not None and channels < len(modules) and all(count % channels == 0 for count in counts.values()):
        return ""
    return ", ".join(f"{counts[value]} of {show(value)}" for value in sorted(counts))


def _ranks(ranks: float) -> str:
    return f"{ranks:.0f} {'rank' if ranks == 1 else 'ranks'}"


_ALIKE = (
    ("size_bytes", lambda size: format_size(int(size))),
    ("rated_mt_s", lambda speed: f"{speed:.0f} MT/s"),
    ("ranks", _ranks),
)


def _rate_row(matrix: NodeMatrix, cpu: int, memory: int) -> ResultRow | None:
    cell = matrix.cells.get((cpu, memory))
    return None if cell is None or cell.summary.median_bytes_per_s is None else ResultRow(cell.result, cell.summary)


def _rate_of(pair: tuple[ResultRow, int]) -> float:
    return pair[0].summary.median_bytes_per_s or 0.0


def _remote_pairs(matrix: NodeMatrix) -> list[tuple[int, int]]:
    return [(cpu, memory) for cpu, memory in matrix.cells if cpu != memory]


def _remote_rates(record: Record) -> Iterator[str]:
    """Yield the range of the shares that are left of the own node's bandwidth, over all matrices."""
    shares = []
    for matrix in node_matrices(record):
        for cpu, memory in _remote_pairs(matrix):
            far, near = _rate_row(matrix, cpu, memory), _rate_row(matrix, cpu, cpu)
            if far is not None and near is not None:
                shares.append((ratio(far, near), cpu, memory))
    if shares and min(shares)[0] < NODES_ALIKE:
        lowest, highest = min(shares), max(shares)
        ends = _range_words(format_percent(lowest[0]), format_percent(highest[0]))
        yield f"{ends} of the local bandwidth (lowest: CPUs of node {lowest[1]}, memory of node {lowest[2]})"


def _remote_latencies(record: Record) -> Iterator[str]:
    """Yield the range of what the latency becomes, as a multiple of the own node's, over all matrices."""
    multiples = []
    for matrix in node_matrices(record):
        for cpu, memory in _remote_pairs(matrix):
            far, near = _latency_ns(matrix, cpu, memory), _latency_ns(matrix, cpu, cpu)
            if far is not None and near:
                multiples.append(far / near)
    if multiples and max(multiples) * NODES_ALIKE > 1:
        ends = _range_words(f"{min(multiples):.2f}", f"{max(multiples):.2f}")
        yield f"{ends} times the local latency"


def _range_words(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _latency_ns(matrix: NodeMatrix, cpu: int, memory: int) -> float | None:
    cell = matrix.cells.get((cpu, memory))
    return None if cell is None or cell.summary.latency is None else cell.summary.latency.median_ns
