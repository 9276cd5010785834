"""Memory of several NUMA nodes: how far it is, whether it lay where it should, and nodes unlike the others."""

from __future__ import annotations

from collections.abc import Iterator

from bandwidth.analysis.grouping import NODE_KEYS
from bandwidth.analysis.node_matrices import NodeMatrix, node_matrices
from bandwidth.findings.reading import Raised, Row, are_apart, measured, numbers, rate_text, ratio
from bandwidth.results import Finding, Record
from bandwidth.units import format_percent

# Another node's memory within this of the own node's: the nodes are one memory with several names.
NODES_ALIKE = 0.95
# Of the pages, so many must lie on the node that the figure names; a few others are the kernel's rounding.
PLACED_SHARE = 0.95
# Nodes of one machine have the same modules: their own memories differ by less than this.
SAME_MODULES = 0.9

_MEMORY_NODE = NODE_KEYS[1]


def remote_memory(record: Record) -> Iterator[Raised]:
    """Yield how much less bandwidth and how much more latency other nodes' memory has than the own node's."""
    words = [*_remote_rates(record), *_remote_latencies(record)]
    if words:
        hint = "normal: keep threads with their data (numactl, first touch), or spread it (numactl --interleave)"
        yield Raised(None, Finding("BW025", f"memory of another node is slower: {'; '.join(words)}", hint))


def placed_elsewhere(record: Record) -> Iterator[Raised]:
    """Yield results whose memory did not lie on the node that they name."""
    for row in measured(record):
        placed = row.result.observed.get("placed_share")
        if placed is not None and placed.least < PLACED_SHARE:
            node = row.result.case.variant.get(_MEMORY_NODE, "asked for")
            seen = f"only {format_percent(placed.least)} of its pages lay on node {node}"
            limit = f"less than {format_percent(PLACED_SHARE)}: it is not the figure of that node"
            hint = "free memory there (numastat -m), turn numa_balancing off, or give a smaller --size"
            yield Raised(row.result.case.id, Finding("BW026", f"{seen}, {limit}", hint))


def placement_not_verified(record: Record) -> Iterator[Raised]:
    """Yield where it could not be seen on which node the memory lay."""
    between = [row.result for row in measured(record) if _MEMORY_NODE in row.result.case.variant]
    unseen = [result for result in between if "placed_share" not in result.observed]
    if unseen:
        text = f"for {len(unseen)} of {len(between)} pairs of nodes it could not be seen where the memory lay"
        hint = "they rest on the system's word; outside a container move_pages or numa_maps tells"
        yield Raised(None, Finding("BW027", text, hint))


def nodes_unlike(record: Record) -> Iterator[Raised]:
    """Yield where the nodes' own memories are not equally fast: one may lack a module."""
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
            yield Raised(None, Finding("BW028", words, hint))
            return  # every kernel shows the same


def memory_only_nodes(record: Record) -> Iterator[Raised]:
    """Yield nodes that have memory and no processor, where none of them was measured."""
    nodes = numbers(record.machine.get("numa_memory_only_nodes"))
    reached = {str(result.case.variant.get(_MEMORY_NODE)) for result in record.results}
    missing = [str(node) for node in nodes if str(node) not in reached]
    if missing and record.results:
        which = f"{'node' if len(missing) == 1 else 'nodes'} {', '.join(missing)}"
        text = f"{which} of memory without a processor (CXL, HBM or a GPU's) {'was' if len(missing) == 1 else 'were'}"
        yield Raised(None, Finding("BW029", f"{text} not measured", "--numa measures every node's memory"))


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
