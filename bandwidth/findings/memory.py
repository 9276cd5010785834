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
from bandwidth.ceilings.memory import modules_bytes_per_s
from bandwidth.ceilings.platform import SERVERS
from bandwidth.findings.evidence import Raised, ResultRow, are_apart, measured, numbers, positive, rate_text, ratio
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
    The firmware's table (SMBIOS) and the udev database, which was filled from it when the machine started, state different
    speeds or numbers of modules. The theory follows the firmware's table. One of the two is stale or wrong, so the share of
    the theory may be.

    What to try: read the modules' labels or the firmware's setup, and name what is there with --memory.
    """
    words = machine.get("memory_modules_disagreement")
    if isinstance(words, str):
        hint = "the theory follows the first; look at the modules, and give --memory"
        yield Raised(None, f"the sources of the memory modules disagree: {words}", hint)


@rule("BW042", "Memory channels without a module", rank=250, of=MACHINE, in_a_line=True)
def empty_channels(machine: Mapping[str, Any]) -> Iterator[Raised]:
    """
    A processor reaches its memory over several channels at once, and each adds the same to the bandwidth. A channel whose
    slots are empty adds nothing, however large the modules on the others are. The finding compares the channels that hold
    a module with those that the processor has (or, where that is not known, those with slots on the board), over all
    sockets. The theory beside a measurement is that of the modules that are there, so the shares of it look sound: that is
    why this is said whatever they are.

    What to try: one module of the same kind and size on every channel, by the slot order in the board's manual. On servers
    look whether the firmware has disabled a module that is there.
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
    The modules run slower than they are rated for. On desktops the rated speed is often a profile (XMP, EXPO) that has to
    be switched on in the firmware's setup. Elsewhere the processor, or two or three modules on a channel, allow no more:
    then it is as the maker planned it. Faster than rated is an overclock and no finding.

    What to try: the firmware's memory settings; the processor's documented speed for this number of modules a channel.
    The theory follows the speed at which the modules run.
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
    hint = "switch XMP or EXPO on in the firmware's setup, if the processor and two modules a channel allow it"
    if SERVERS.search(str(machine.get("cpu_model", ""))) is not None:
        hint = "two modules share a channel, or the processor takes no more: see its documented speed"
    yield Raised(None, f"{seen}{more}", hint)


@rule("BW044", "Mixed memory modules", rank=270, of=MACHINE)
def modules_mixed(machine: Mapping[str, Any]) -> Iterator[Raised]:
    """
    Consecutive addresses are spread over all channels, which needs the same capacity on each. Where one channel has more,
    the rest of it is reached over that channel alone, at a fraction of the bandwidth. All modules run at the speed and with
    the timing of the slowest; channels with one rank turn around more often than those with two. Unlike modules are no
    finding where every channel has the same mix.

    What to try: equal modules on every channel. A measurement may show the full rate all the same: its arrays may lie in
    the part that is interleaved.
    """
    listed = machine.get("memory_modules")
    modules = [module for module in listed if isinstance(module, dict)] if isinstance(listed, list) else []
    channels = positive(machine.get("memory_channels"))
    differing = [words for name, show in _ALIKE if (words := _mix(modules, name, show, channels))]
    if differing:
        hint = "all run at the speed of the slowest, and the extra capacity of a channel is not interleaved"
        yield Raised(None, f"the memory modules differ: {'; '.join(differing)}", hint)


@rule("BW010", "The memory's peak is not known", rank=280, mark=UNTOLD, of=THEORY)
def theory_unknown(memory: Mapping[str, Any]) -> Iterator[Raised]:
    """
    Without the type, speed and number of channels there is no theory to compare with, and none is guessed. In a virtual
    machine or a container the modules cannot be seen; on some machines only root may read them.

    What to try: name the memory of one socket, --memory "DDR5-4800 x12", or set BANDWIDTH_MEMORY to it. Or save the facts
    once as root (`bandwidth system --save facts.json`) and give --facts facts.json from then on.
    """
    reason = memory.get("reason")
    if memory.get("bytes_per_s") is None and isinstance(reason, str):
        hint = str(memory.get("hint") or 'give --memory "DDR5-4800 x12"')
        yield Raised(None, f"the memory's peak is not known here: {reason}", hint)


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
    The memory of another NUMA node is reached over a link between sockets or dies. The finding names how much of the own
    node's bandwidth is left, and how many times the latency it takes, over all pairs, when any lies more than {off} off. It
    is normal: half of the bandwidth and twice the latency are usual between sockets.

    What to try: keep threads with their data (numactl --cpunodebind --membind, first touch by the thread that uses it), or
    spread data that all use over all nodes (numactl --interleave=all).
    """
    words = [*_remote_rates(record), *_remote_latencies(record)]
    if words:
        hint = "normal: keep threads with their data (numactl, first touch), or spread it (numactl --interleave)"
        yield Raised(None, f"memory of another node is slower: {'; '.join(words)}", hint)


@rule("BW026", "Memory was not on the requested node", rank=60, of=HOST, limits={"share": percent(PLACED_SHARE)})
def placed_elsewhere(record: Record) -> Iterator[Raised]:
    """
    Where the pages lie is read after they were written. Less than {share} of this result's were on the node that it names, so
    the figure is not that node's: the node was full, its memory was moved while the run went on (numa_balancing), or the
    system did not follow the request.

    What to try: free memory on that node (numastat -m), echo 0 > /proc/sys/kernel/numa_balancing, a smaller --size.
    """
    for row in measured(record):
        placed = row.result.observed.get("placed_share")
        if placed is not None and placed.least < PLACED_SHARE:
            node = row.result.case.variant.get(_MEMORY_NODE, "asked for")
            seen = f"only {format_percent(placed.least)} of its pages lay on node {node}"
            limit = f"less than {format_percent(PLACED_SHARE)}: it is not the figure of that node"
            hint = "free memory there (numastat -m), turn numa_balancing off, or give a smaller --size"
            yield Raised(row.result.case.id, f"{seen}, {limit}", hint)


@rule("BW027", "Memory placement could not be verified", rank=230, mark=UNTOLD, of=HOST)
def placement_not_verified(record: Record) -> Iterator[Raised]:
    """
    Figures between NUMA nodes rest on pages that lie where they were asked for. The system call that tells (move_pages) and
    /proc/self/numa_maps were both refused here, as some containers do. The request was made, and nothing says that it was
    not followed.
    """
    between = [row.result for row in measured(record) if _MEMORY_NODE in row.result.case.variant]
    unseen = [result for result in between if "placed_share" not in result.observed]
    if unseen:
        text = f"for {len(unseen)} of {len(between)} pairs of nodes it could not be seen where the memory lay"
        hint = "they rest on the system's word; outside a container move_pages or numa_maps tells"
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
    With the same number of threads, one node's own memory reaches less than {share} of another's, with intervals apart. The
    nodes of a machine usually have the same modules. A missing or failed module leaves its node with fewer channels, and
    all else on the machine looks right.

    What to try: compare the modules of each node (`bandwidth system`, as root), and look for other work on that node.
    """
    for matrix in node_matrices(record):
        own = [(row, node) for node in matrix.cpu_nodes if (row := _rate_row(matrix, node, node)) is not None]
        same = [pair for pair in own if pair[0].result.case.threads == matrix.case.threads]
        if len(same) < 2:
            continue
        (slow, slow_node), (fast, fast_node) = (choose(same, key=_rate_of) for choose in (min, max))
        if ratio(slow, fast) < SAME_MODULES and are_apart(slow, fast):
            seen = f"node {slow_node}'s own memory gives {rate_text(slow)}, {format_percent(ratio(slow, fast))}"
            words = f"{seen} of node {fast_node}'s, less than {format_percent(SAME_MODULES)}"
            hint = f"see whether node {slow_node} lacks a module (`bandwidth system`) or other work uses its memory"
            yield Raised(None, words, hint)
            return  # every kernel shows the same


@rule("BW029", "Memory without a processor was not measured", rank=390, mark=UNTOLD, of=HOST)
def memory_only_nodes(record: Record) -> Iterator[Raised]:
    """
    This machine has NUMA nodes with memory and no CPU: CXL memory, high-bandwidth memory in flat mode, or a GPU's. Nothing
    lies there unless it is asked for, so the default measurement did not touch it.

    What to try: `bandwidth measure --numa` measures every node's memory, from the CPUs of every node that has some.
    """
    nodes = numbers(record.machine.get("numa_memory_only_nodes"))
    reached = {str(result.case.variant.get(_MEMORY_NODE)) for result in record.results}
    missing = [str(node) for node in nodes if str(node) not in reached]
    if missing and record.results:
        which = f"{'node' if len(missing) == 1 else 'nodes'} {', '.join(missing)}"
        text = f"{which} of memory without a processor (CXL, HBM or a GPU's) {'was' if len(missing) == 1 else 'were'}"
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
        yield f"{ends} of the own node's bandwidth (lowest: CPUs of node {lowest[1]}, memory of node {lowest[2]})"


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
        yield f"{ends} times the own node's latency"


def _range_words(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _latency_ns(matrix: NodeMatrix, cpu: int, memory: int) -> float | None:
    cell = matrix.cells.get((cpu, memory))
    return None if cell is None or cell.summary.latency is None else cell.summary.latency.median_ns
