"""Memory of several NUMA nodes: how far it is, whether it lay where it should, and nodes unlike the others."""

from __future__ import annotations

from collections.abc import Iterator

from bandwidth.analysis.groups import NODE_KEYS, NodeMatrix, node_matrices
from bandwidth.findings.reading import Raised, Row, are_apart, measured, numbers, rate_text, ratio
from bandwidth.findings.rules import percent, rule
from bandwidth.results import Record
from bandwidth.units import format_percent
from bandwidth.vocabulary import HOST

# Another node's memory within this of the own node's: the nodes are one memory with several names.
NODES_ALIKE = 0.95
# Of the pages, so many must lie on the node that the figure names; a few others are the kernel's rounding.
PLACED_SHARE = 0.95
# Nodes of one machine have the same modules: their own memories differ by less than this.
SAME_MODULES = 0.9

_MEMORY_NODE = NODE_KEYS[1]


@rule(
    "BW025",
    "Memory of another node is further away",
    rank=400,
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


@rule(
    "BW026", "The memory lay on another node than it should", rank=60, of=HOST, limits={"share": percent(PLACED_SHARE)}
)
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


@rule("BW027", "Where the memory lay could not be seen", rank=230, of=HOST)
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
    "BW028", "The nodes' own memories differ", rank=380, of=HOST, compares=True, limits={"share": percent(SAME_MODULES)}
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


@rule("BW029", "Memory without a processor was not measured", rank=390, of=HOST)
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


def _rate_row(matrix: NodeMatrix, cpu: int, memory: int) -> Row | None:
    cell = matrix.cells.get((cpu, memory))
    return None if cell is None or cell.summary.median_bytes_per_s is None else Row(cell.result, cell.summary)


def _rate_of(pair: tuple[Row, int]) -> float:
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
