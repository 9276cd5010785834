"""The texts behind the topics: the concepts that one needs to read a figure."""

from __future__ import annotations

from bandwidth.findings.entry import Explanation

TOPICS: tuple[Explanation, ...] = (
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
(non-temporal) stores avoid it: they fill a whole line in a buffer of the core and write it past the caches. That pays
for data that is not used again soon, and costs within a cache. The native engine runs each kernel with both, and its
table shows the difference (BW015). Some processors leave the read out by themselves, for long runs of stores. NumPy
uses ordinary stores, except that np.copyto calls the C library's memcpy, which changes to streaming stores above a
size of its own. So a NumPy copy may come close to the peak while scale and add, on the same memory, show about two
thirds to three quarters of what the bus really carries.
""",
        ("rfo", "streaming", "streaming stores", "non-temporal"),
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
        ("page fault",),
    ),
    Explanation(
        "latency",
        "How long one load takes",
        """
Latency is the time from the start of a load to the use of its value, when nothing else can be done meanwhile. It is
measured by loads of which each gives the address of the next, over all lines of the data in random order, so that no
prefetcher can run ahead. In cycles it is a cache's property; in nanoseconds it depends on the clock too, and memory's
hardly follows the clock at all. Both stand in the table, the clock seen in the same run.

With small pages a random access also waits for the address's translation (the TLB holds a few thousand), so huge pages
are asked for and it is said whether they came (BW031). Some tools print what memory adds to the first cache's time.
""",
        ("load-to-use", "tlb", "pointer chase", "--latency"),
    ),
    Explanation(
        "loaded latency",
        "Latency while the memory is busy",
        """
An idle memory answers at once; a busy one has a queue. One thread measures latency while the others read at 0 to 100 %
of what they can, and the curve shows both: nearly flat for most of the way, then steep. Where it turns up is how much
of the bandwidth programs can use without waiting much longer; two to three times the idle latency at the end is usual.
""",
        ("load",),
    ),
    Explanation(
        "numa",
        "Near and far memory",
        """
In a machine with several sockets, or dies that have their own channels, each has its own memory, a NUMA node. All CPUs
can use all memory, but another node's is reached over a link with less bandwidth and more latency. Data lies where it
was first touched. `bandwidth measure --numa` measures each node's CPUs with each node's memory and looks where the
pages really lie. Nodes without a CPU are CXL memory, high-bandwidth memory in flat mode, or a GPU's.
""",
        ("node", "nodes", "numa nodes", "remote", "--numa"),
    ),
    Explanation(
        "huge pages",
        "Pages of 2 MiB in place of 4 KiB",
        """
A page is what has one address translation. A processor keeps a few thousand of these at hand: with 4 KiB that is a few
MiB of data, with 2 MiB a few GiB. Linux gives huge pages to whom it is asked by (madvise), to all (always) or to none
(never), as /sys/kernel/mm/transparent_hugepage/enabled says. NumPy and bandwidth ask. Streams gain a few percent,
random access much more.
""",
        ("thp", "transparent huge pages", "pages"),
    ),
    Explanation(
        "concurrency",
        "Lines in flight: Little's law, and the knee",
        """
Bandwidth = lines in flight x line size / latency. A core has a fixed number of places to wait for lines, 10 to 50 with
those of its prefetchers, so it has a rate of its own, whatever the memory could give: 20 lines of 64 bytes at 100 ns
are 12.8 GB/s. The memory's peak takes peak x latency / 64 lines from all cores together: 300 GB/s at 100 ns need 470.

So the rate grows with the threads until the memory is full: the knee, the fewest threads that reach 95 % of the best
(`bandwidth measure --sweep threads`). Beyond it a thread more only lengthens the queue (`bandwidth explain "loaded
latency"`).
""",
        ("knee", "little's law", "lines in flight", "one thread"),
    ),
    Explanation(
        "smt",
        "Two threads on a core",
        """
With simultaneous multithreading (Hyper-Threading) a core runs two threads that share its caches and its places to wait
for lines. Work that waits for single loads gains; streams, which fill these places alone, do not. --threads all is one
thread on each core; a larger number takes the siblings too (BW024).
""",
        ("hyper-threading", "siblings"),
    ),
    Explanation(
        "zeros",
        "Why the data is never zeros",
        """
Hardware may have a shortcut for zeros: a line known to be zero need not be moved, and compressing memories move less
of anything regular. One part was once reported at nearly four times its peak with constant data, and memset of zeros
ran two to three times as fast as one of ones on a Zen 4. Fresh pages of the system may all be one page of zeros, until
they are written. So all data here is random or new in each block. Zeros are written beside other data on request, and
BW019 says whether this machine has the shortcut.
""",
        ("constant data",),
    ),
    Explanation(
        "pinned memory",
        "Memory whose pages may not move",
        """
A GPU copies from and to the host by itself (DMA), at addresses that must stay: the pages are locked. cudaHostAlloc,
pin_memory=True of PyTorch and cupyx.empty_pinned give such memory. Copies of it run at the link's rate and beside other
work; what is pinned is lost to the rest of the machine, and pinning takes as long as writing it, so it pays for buffers
that are used again. Write-combined memory (--host-memory write_combined) may be faster still towards the GPU, and is
very slow for the processor to read.
""",
        ("pinned", "page-locked", "write-combined"),
    ),
    Explanation(
        "pageable",
        "Ordinary memory on its way to a GPU",
        """
What malloc and NumPy give is pageable. The driver copies it in parts into a pinned buffer of its own and from there
over the link; the call returns when the processor is done. One thread's copy limits it, so half of the pinned rate or
less is normal (BW040), and it does not run beside other work.
""",
        ("pageable memory",),
    ),
    Explanation(
        "ecc",
        "Memory that corrects errors",
        """
Cards with HBM have bits of their own for the check: ECC costs no bandwidth there. Cards with GDDR keep the check in the
memory itself, which takes some percent of its size and of its bandwidth, more for scattered writes. The peak is
counted without it. `bandwidth system --json` shows its state; nvidia-smi -e 0 and a restart switch it off where that is
allowed.
""",
        ("error correction",),
    ),
    Explanation(
        "noise",
        "What noise leaves to say",
        """
Two results are compared only where noise left them alone: at least six timed blocks, a 95 % interval that reaches no
further than 5 % from the median, and a machine that nothing else used while they ran (BW004). It is read before and
behind each block who uses the CPUs, and kept in the record (`observed`): other processes' share of the CPUs' time, the
hypervisor's, how long the measurement's own threads waited for a CPU, and how often they were put off it.

What cannot be compared is not explained (BW046). `check` then has a third verdict, undecided, and leaves with exit code
4: where a result that matters (a target's rates with the most threads) is below the least share and may be so by noise,
here or in the baseline, and where another measurement held the machine for more than 60 s. A result that is fast enough
all the same is ok, and one whose fastest block is too slow, on a machine that was not busy, has failed. `fleet` does
not judge a noisy machine, names it, and leaves with 4 where it could judge none.
""",
        ("busy", "comparable", "undecided", "unstable"),
    ),
    Explanation(
        "lock",
        "One measurement at a time",
        """
Two measurements on one machine spoil each other, so each holds a lock, and a second one is refused (`check` waits for
up to 60 s). On Linux it lies in /run/lock and in /dev/shm, whatever TMPDIR is: one place that both see is enough, so
that neither a batch system's nor a service's private folders hide one from the other. The record names the files
(conditions, `lock`). Containers have both places for themselves, and do not see each other's measurements: mount a
folder of the host's into each and name it with BANDWIDTH_LOCK_FOLDER.
""",
        ("bandwidth_lock_folder",),
    ),
)
