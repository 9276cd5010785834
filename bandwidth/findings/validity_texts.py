"""The texts behind the codes of validity.py: whether a figure stands, and what its theory rests on."""

from __future__ import annotations

from bandwidth.findings.entry import Explanation

TEXTS: tuple[Explanation, ...] = (
    Explanation(
        "BW001",
        "The data may fit in a cache",
        """
A cache is several times faster than the memory behind it, so data that fits in one says nothing about the memory. To
measure memory the working set (all arrays, all threads together) must be at least 4 times all last-level caches that
the threads can reach, and at least 256 MiB. The finding is raised when --size is below that, and when the same kernel
at half the working set runs faster than at the whole by more than noise: then some cache, perhaps one that the
machine does not report (a virtual machine may show none, or a whole socket's), still holds part of the data. The points
of a size sweep are meant to lie in caches and are not named.

What to try: leave out --size, or give a larger one. Without enough free memory the largest possible size is used, and
no theory is put beside it.
""",
    ),
    Explanation(
        "BW002",
        "Above the theoretical peak",
        """
No measurement can exceed the peak of the memory that it uses. When one does, either the theory or the measurement is
wrong. Theory: the number of channels, the speed or the number of sockets is not what the machine has (see `bandwidth
system`, and give --memory). Measurement: a cache served part of the data (BW001), or the clock of a virtual machine
is not to be trusted. The figure is marked and must not be quoted.
""",
    ),
    Explanation(
        "BW003",
        "Unstable: the interval is wide",
        """
The headline is the median of all timed blocks, with the interval that holds the true median with 95 % confidence
(from order statistics: nothing is assumed about the distribution). When the interval reaches further than 5 % from
the median, a second run may well give another figure.

What to try: stop other work, measure longer (--budget 60s), pin the frequency governor to performance. With --strict
the command leaves with exit code 4.
""",
    ),
    Explanation(
        "BW006",
        "Verification failed",
        """
After the timed blocks the destination is compared with what the kernel should have left there, all of it: sources and
scalars change from block to block, so an engine that copied once and then did nothing is caught, and so is one that
left out the last bytes. When the comparison fails the rate is withheld, because it counts bytes that were not moved.

What to try: run again. If it stays, either the memory returns wrong data (run a memory test) or there is a defect in
bandwidth, NumPy or the processor: please report it with the saved record.
""",
    ),
    Explanation(
        "BW007",
        "Threads not pinned",
        """
Each thread should stay on the CPU next to its data. On Linux every worker is pinned to one CPU; macOS and Windows
give no such promise to a program, and some containers forbid it. Threads that move lose their caches and may end up
on another NUMA node than their memory, so expect more spread and lower figures on large machines.
""",
    ),
    Explanation(
        "BW008",
        "Too few samples",
        """
An interval of the median with 95 % confidence needs at least six timed blocks. With fewer, the median is shown
without one. Large working sets on slow memory make long blocks; a short --budget ends early.

What to try: --budget 60s, or fewer cases (--kernel copy --threads all).
""",
    ),
    Explanation(
        "BW009",
        "Workers did not start together",
        """
A sample runs from the first worker's start to the last worker's end. When one starts late, the others have the memory
to themselves for a while, and the sample is longer than the work. The finding is raised when the distance between the
first and the last start exceeds 2 % of a block.

What to try: a larger --size makes longer blocks; a machine without other work wakes threads faster.
""",
    ),
    Explanation(
        "BW011",
        "The caches are not known",
        """
The size of the last-level caches decides how much data it takes to measure memory and not a cache. Where the system
does not tell it (Windows, some containers), 1 GiB is taken to be enough, which is four times any cache of a laptop or
desktop processor. The same kernel at half of it shows whether that was so: if a cache took part, half runs faster,
and BW001 says so.

What to try: if this processor has more than 256 MiB of cache, give a --size of at least four times as much.
""",
    ),
    Explanation(
        "BW012",
        "Many outliers",
        """
More than a tenth of the blocks lie far from the rest: their modified z-score (distance from the median over the
scaled median absolute deviation) exceeds 3.5. Something disturbs the machine regularly: a timer, a neighbour, a clock
that changes. The median is hardly moved by it, but the spread is real and stays in the record.
""",
    ),
    Explanation(
        "BW013",
        "Cut short before its last check",
        """
Of each case all data of the first and of the last timed block is checked, and a part of every block between: one
element in eight pages and both ends of every thread's part. This case was stopped before its last block came, by
Ctrl-C or by the hard stop of the budget, so what its last block left was checked in part only.
""",
    ),
)
