"""The texts behind the codes of nodes.py: near and far memory, and where the pages lay."""

from __future__ import annotations

from bandwidth.findings.entry import Explanation

TEXTS: tuple[Explanation, ...] = (
    Explanation(
        "BW025",
        "Memory of another node is further away",
        """
The memory of another NUMA node is reached over a link between sockets or dies. The finding names how much of the own
node's bandwidth is left, and how many times the latency it takes, over all pairs, when any lies more than 5 % off. It
is normal: half of the bandwidth and twice the latency are usual between sockets.

What to try: keep threads with their data (numactl --cpunodebind --membind, first touch by the thread that uses it), or
spread data that all use over all nodes (numactl --interleave=all).
""",
    ),
    Explanation(
        "BW026",
        "The memory lay on another node than it should",
        """
Where the pages lie is read after they were written. Less than 95 % of this result's were on the node that it names, so
the figure is not that node's: the node was full, its memory was moved while the run went on (numa_balancing), or the
system did not follow the request.

What to try: free memory on that node (numastat -m), echo 0 > /proc/sys/kernel/numa_balancing, a smaller --size.
""",
    ),
    Explanation(
        "BW027",
        "Where the memory lay could not be seen",
        """
Figures between NUMA nodes rest on pages that lie where they were asked for. The system call that tells (move_pages) and
/proc/self/numa_maps were both refused here, as some containers do. The request was made, and nothing says that it was
not followed.
""",
    ),
    Explanation(
        "BW028",
        "The nodes' own memories differ",
        """
With the same number of threads, one node's own memory reaches less than 90 % of another's, with intervals apart. The
nodes of a machine usually have the same modules. A missing or failed module leaves its node with fewer channels, and
all else on the machine looks right.

What to try: compare the modules of each node (`bandwidth system`, as root), and look for other work on that node.
""",
    ),
    Explanation(
        "BW029",
        "Memory without a processor was not measured",
        """
This machine has NUMA nodes with memory and no CPU: CXL memory, high-bandwidth memory in flat mode, or a GPU's. Nothing
lies there unless it is asked for, so the default measurement did not touch it.

What to try: `bandwidth measure --numa` measures every node's memory, from the CPUs of every node that has some.
""",
    ),
)
