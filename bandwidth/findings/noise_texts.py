"""The texts behind the codes of noise.py: two rates, and what is not concluded."""

from __future__ import annotations

from bandwidth.findings.entry import Explanation

TEXTS: tuple[Explanation, ...] = (
    Explanation(
        "BW045",
        "Two rates that alternate",
        """
The blocks of this result fall into two groups of rates with nothing, or next to nothing, between them: the machine was
in one of two states while each ran. The median is that of the state that lasted longer, and the 95 % interval, which
may reach from one group to the other, is no noise around it. The finding is raised where the empty space between the
groups is 2.5 times as wide as the wider group (in logarithms), each has at least 3 blocks and a fifth of all, their
medians are at least 10 % apart, and no more than one block in ten lies between. Of samples of one rate with noise of
any usual shape fewer than three in a hundred look so.

Why: where something that was looked at in each block goes with the rate, it is named: other processes' CPU time, time
that the hypervisor took, waits for a CPU, involuntary switches, the core's clock. Usual reasons where none does: a
hypervisor that moves virtual CPUs, so that they share a way to memory or have two; pages that lie otherwise.

What to try: read each rate for itself; the higher one is what the machine can do. With --strict the command leaves
with exit code 4.
""",
    ),
    Explanation(
        "BW046",
        "Nothing is concluded",
        """
Why one result is faster than another is said only where both may be compared: at least six blocks, a 95 % interval
that reaches no further than 5 % from the median, and a machine that nothing else used (BW004). On a busy machine more
threads may seem to cost, and one kind of store may seem faster, where in truth something else ran. Fewer than two
results of this record may be compared, so nothing is said of threads, stores, nodes, NumPy and of what is normal.

What to try: measure on an idle machine, or for longer (--budget 60s).
""",
    ),
)
