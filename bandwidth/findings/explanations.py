"""The long forms: what each finding means and what to try, and the concepts behind the numbers."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from bandwidth.errors import BandwidthError


@dataclass(frozen=True)
class Explanation:
    """A text of `bandwidth explain`: its key (a code, or a topic in lower case), its title and its paragraphs."""

    key: str
    title: str
    text: str
    aliases: tuple[str, ...] = ()


EXPLANATIONS: tuple[Explanation, ...] = (
    Explanation(
        "BW001",
        "The data may fit in a cache",
        """
A cache is several times faster than the memory behind it, so data that fits in one says nothing about the memory. To
measure memory the working set (all arrays, all threads together) must be at least 4 times all last-level caches that
the threads can reach, and at least 256 MiB. The finding is raised when --size is below that, and when the same kernel
at half the working set runs faster than at the whole by more than noise: then some cache, perhaps one that the
machine does not report (a virtual machine may show none, or a whole socket's), still holds part of the data.

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
        "BW004",
        "The machine was busy",
        """
Other programs, or other virtual machines on the same host, used the CPUs or the memory while the measurement ran.
Memory bandwidth is shared by everything on a socket, so a neighbour costs even if it runs on other cores. Seen by:
the load average before the run, the time that the hypervisor gave to others (steal), and how long tasks waited for a
CPU (pressure stall information).

What to try: measure on an idle machine, and compare several runs. On a shared host, ratios of runs taken in turn
still mean something where absolute figures do not.
""",
    ),
    Explanation(
        "BW005",
        "Fewer CPUs allowed than present",
        """
A cpuset, taskset, a container or a batch system allows this process only some of the machine's CPUs, or a quota
allows only part of their time. The theory is that of the whole memory, and it often takes many cores to fill it. A
low percentage may then be normal.

What to try: give the job the whole node (Slurm: --exclusive), or read the result as what this share can reach.
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
        "BW010",
        "The memory's peak is not known",
        """
Without the type, speed and number of channels there is no theory to compare with, and none is guessed. In a virtual
machine or a container the modules cannot be seen; on some machines only root may read them.

What to try: name the memory of one socket, --memory "DDR5-4800 x12", or set BANDWIDTH_MEMORY to it. Or save the facts
once as root (`bandwidth system --save facts.json`) and give --facts facts.json from then on.
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
    Explanation(
        "BW014",
        "The sources of the memory modules disagree",
        """
The firmware's table (SMBIOS) and the udev database, which was filled from it when the machine started, state different
speeds or numbers of modules. The theory follows the firmware's table. One of the two is stale or wrong, so the share of
the theory may be.

What to try: read the modules' labels or the firmware's setup, and name what is there with --memory.
""",
    ),
    Explanation(
        "convention",
        "What a rate counts",
        """
A copy of 1 GB reads 1 GB and writes 1 GB. STREAM and BabelStream count both (2 GB moved), mbw and nvbandwidth count
one. bandwidth counts read + write for host and device memory, and payload (one direction) for links; both byte
counts, and the traffic where it can be known, stand in every record, so that any convention can be worked out.
""",
        ("copy", "counting", "stream"),
    ),
    Explanation(
        "write-allocate",
        "Why an ordinary copy moves three bytes for two",
        """
An ordinary store to a line that is not in a cache first reads that line (write-allocate, or read for ownership). A
copy then moves three bytes over the memory bus for each two that it counts, a fill moves two for each one. Streaming
(non-temporal) stores avoid it. NumPy uses ordinary stores, except that np.copyto calls the C library's memcpy, which
changes to streaming stores above a size of its own. So a NumPy copy may come close to the peak while scale and add,
on the same memory, show about two thirds to three quarters of what the bus really carries.
""",
        ("rfo", "streaming", "non-temporal"),
    ),
    Explanation(
        "mt/s",
        "MHz or MT/s",
        """
DDR memory transfers twice a clock cycle: DDR4-2933 runs a clock of 1466.67 MHz and makes 2933.33 mega-transfers per
second. The number in the name is the transfers. Shops and some tools write MHz beside it; CPU-Z shows the clock. A
bare "3200 MHz" beside a DDR figure is taken as 3200 MT/s here, and said so.
""",
        ("mhz", "transfers", "clock"),
    ),
    Explanation(
        "channels",
        "How many channels",
        """
The peak is one channel's rate times the number of channels that hold a module. A DDR to DDR4 channel is 64 data bits
wide. A DDR5 module has two sub-channels of 32 bits: together they are the 64 bits of one channel, so "4 x 32-bit" on
a desktop is dual channel, 128 bits in all. ECC bits carry no data and never count.
""",
        ("sub-channel", "dual channel"),
    ),
    Explanation(
        "units",
        "GB/s and GiB/s",
        """
Rates are decimal, as memory makers print them: 1 GB/s is 10^9 bytes per second. --unit GiB/s shows 2^30. Sizes take
both: 512MiB is 2^29 bytes, 512MB is 512 x 10^6.
""",
        ("gib/s", "gb/s"),
    ),
    Explanation(
        "efficiency",
        "What share of the peak is normal",
        """
The peak assumes that the bus carries data in every cycle. Refresh, turning the bus from reading to writing and
opening rows take their part: with all cores and streaming stores 75 to 92 % is normal for host memory (McCalpin's
rule of thumb is 75 to 85 %; EPYC 7003 reaches 189 of 205 GB/s). One core alone cannot keep enough lines in flight and
reaches a fraction of it on a server. NumPy's scale, add and write lose a further third to write-allocate.
""",
        ("normal", "percentage"),
    ),
    Explanation(
        "first touch",
        "Who touches a page first owns it",
        """
The operating system gives a page its place when it is first written, on the NUMA node of the thread that writes it.
Every page is written before anything is timed, by the thread that will use it. Timing that first write would measure
the operating system's page faults and not the memory.
""",
        ("numa", "page fault"),
    ),
)


def explanation(key: str) -> Explanation:
    """Return the explanation of a code (`BW001`, in any case) or a topic. Raises BandwidthError with the near ones."""
    wanted = " ".join(key.lower().split())
    by_key = {name.lower(): entry for entry in EXPLANATIONS for name in (entry.key, *entry.aliases)}
    if wanted in by_key:
        return by_key[wanted]
    near = difflib.get_close_matches(wanted, by_key, n=1, cutoff=0.6)
    hint = f"did you mean {by_key[near[0]].key}?" if near else "`bandwidth explain` lists codes and topics"
    raise BandwidthError(f"nothing is explained under {key[:60]!a}", hint)
