"""The texts behind the codes of threads.py: how many threads it takes, and cores that share or differ."""

from __future__ import annotations

from bandwidth.findings.entry import Explanation

TEXTS: tuple[Explanation, ...] = (
    Explanation(
        "BW021",
        "One thread cannot fill the memory",
        """
One thread reaches less than 90 % of what all threads do. A core can wait for only so many lines at a time, and each
takes the memory's latency to come: rate = lines in flight x line size / latency (Little's law). With 20 lines of 64
bytes and 100 ns that is 12.8 GB/s, however fast the memory is. Servers have long latencies and much bandwidth, so one
of their cores reaches a few percent of it; a laptop's may reach most.

It is normal. What to try: more threads. `bandwidth measure --latency` measures the latency, and the number of lines in
flight is then named.
""",
    ),
    Explanation(
        "BW022",
        "The knee: from here on more threads gain nothing",
        """
The fewest threads that reach 95 % of the best rate are named. Beyond them the memory is the limit and not the cores. It
is normal; on a machine with several dies the knee also depends on how the threads are spread over them.

What to try: give a program that is bound by memory that many threads, and leave the other cores to other work.
""",
    ),
    Explanation(
        "BW023",
        "More threads are slower than fewer",
        """
A smaller number of threads reaches more: the larger one has less than 95 % of its rate, with intervals apart. Many
streams at once close and open the memory's rows more often, and cores that work share power and, on some machines, a
fabric. Threads on the siblings of busy cores (BW024) add to it.

What to try: the best number of threads that the sweep shows.
""",
    ),
    Explanation(
        "BW024",
        "More threads than cores: siblings shared them",
        """
With simultaneous multithreading (Hyper-Threading) a core shows as two CPUs that share its caches and its buffers for
lines in flight. One thread usually fills these buffers alone, so a second one gains little for streams, and may cost.
`--threads all` is therefore one thread a physical core.
""",
    ),
    Explanation(
        "BW033",
        "Cores of several kinds worked together",
        """
A hybrid processor has fast cores and frugal ones. With all of them each gets the same share of the data, and a block
ends when the slowest is done, so the rate is not the sum of what both kinds could move. It is normal; the rows of one
kind of core are the ones to compare between machines.
""",
    ),
)
