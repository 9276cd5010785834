"""The texts behind the codes: what each finding means, the limit it is raised at, and what to try."""

from __future__ import annotations

from bandwidth.findings.entry import Explanation

CODES: tuple[Explanation, ...] = (
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
        "BW004",
        "The machine was busy",
        """
Other programs, or other virtual machines on the same host, used the CPUs or the memory while the measurement ran.
Memory bandwidth is shared by everything on a socket, so a neighbour costs even if it runs on other cores. Seen by:
the load average before the run; the time that the hypervisor gave to others (steal), more than 1 % of the CPUs'; how
long tasks waited for a CPU, more than 10 % of the ten seconds before or of the run itself; and how long they waited for
memory, more than 5 % of the run (pressure stall information).

What to try: measure on an idle machine, and compare several runs. On a shared host, ratios of runs taken in turn
still mean something where absolute figures do not.
""",
    ),
    Explanation(
        "BW005",
        "Fewer CPUs, or less of their time, than there is",
        """
A cpuset, taskset, a container or a batch system allows this process only some of the machine's CPUs, or a quota
allows only part of their time, or CPUs are switched off. The kernel can keep CPUs free (isolcpus): only a process that
asks for them runs there. The theory is that of the whole memory, and it often takes many cores to fill it. A low
percentage may then be normal. A quota does worse: it stops the process in the middle of a block, and the time of that
is counted by the kernel and shown here.

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
        "BW015",
        "Ordinary stores read before they write",
        """
The same kernel ran with ordinary and with streaming stores, and the ordinary ones reach less than 90 % of the rate. An
ordinary store to a line that is in no cache first reads that line: a third more traffic for a triad, half more for a
copy, twice as much for a write. The rate counts only what the program asked for. Where both are alike the processor
avoids the read by itself, or something else holds both back.

It is normal, and how most programs are compiled. What to try: streaming stores (`bandwidth explain write-allocate`)
where the data is not used again before it leaves the cache.
""",
    ),
    Explanation(
        "BW016",
        "NumPy writes with ordinary stores",
        """
NumPy's row reaches less than 90 % of compiled code's best, and is about as fast as compiled code with ordinary stores:
so the read before each store (BW015) is the reason and not NumPy's loop. It is normal for scale, add and write.

What to try: operations that write less, such as in place (`out=`), or code that works on pieces that fit in a cache, so
that each line is read and written once.
""",
    ),
    Explanation(
        "BW017",
        "Which stores NumPy's copy had",
        """
np.copyto of whole arrays is the C library's memcpy. glibc on x86 changes to streaming stores for copies above a
threshold that it works out from the caches (`ld.so --list-tunables` names it, and each thread's part is a copy of its
own), so a NumPy copy may be as fast as streaming stores with one thread and as ordinary ones with all. Which it was is
judged by compiled code's two copies on the spot: the nearer one by ratio. Where these two are alike nothing is said.

What to try: GLIBC_TUNABLES=glibc.cpu.x86_non_temporal_threshold=16777216 before the command shows the other policy.
""",
    ),
    Explanation(
        "BW018",
        "NumPy is slower for another reason than stores",
        """
NumPy's row reaches less than 90 % of compiled code's, and its stores do not explain it. With short calls it is the call
itself: Python and NumPy need about 0.3 us for each, which is more than one percent of a call below 30 us. Else it is
NumPy's loop: a sum or a dot product of one thread may wait for arithmetic and not for memory.

What to try: larger arrays at a time; all threads, which together may still fill the memory.
""",
    ),
    Explanation(
        "BW019",
        "Zeros are written faster than other data",
        """
Some processors and memories have a shortcut for zeros: on one AMD Zen 4 machine a memset of zeros ran two to three
times as fast as one of ones. The finding is raised when a write of zeros is more than 10 % faster than the same write
of other data and the intervals are apart. A benchmark that fills its arrays with zeros, or never fills them, measures
the shortcut. bandwidth uses random data and writes a new value in each block; zeros are written only on request.
""",
    ),
    Explanation(
        "BW020",
        "Zeros are no faster here",
        """
Zeros were written beside other data, as was asked for, and none was more than 10 % faster with intervals apart. Nothing
is to be done. Another machine, another size or another number of threads may differ.
""",
    ),
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
    Explanation(
        "BW030",
        "Power settings hold the clock down",
        """
A battery, the governor powersave without an energy preference beside it (it is the lowest clock then), and the energy
preference power are always named. Governors that follow the load (ondemand, conservative, schedutil, and powersave of
an active pstate driver, where it is the usual one) reach the full clock after some 10 ms of work: they are named only
where the run shows it, by unstable results, a clock that moves (BW032) or one below 90 % of what the processor's name
states. That turbo is off is named where caches or latencies were measured, which scale with the clock.

What to try: cpupower frequency-set -g performance, or mains power; then measure again.
""",
    ),
    Explanation(
        "BW031",
        "Small pages",
        """
Every page needs a translation of its address, and a processor keeps only a few thousand of them at hand. With pages of
4 KiB a random access to much memory waits for the translation too, which adds tens of nanoseconds; streams lose a few
percent. The finding is raised for results from memory with less than 50 % of huge pages, and where the kernel is set
to give none.

What to try: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled. The figures stand, as those of small pages.
""",
    ),
    Explanation(
        "BW032",
        "The core's clock moved",
        """
The clock is seen just after each block, by a chain of instructions that takes a known number of cycles. The finding is
raised when it moved by more than 20 % within a result or between results on the same CPUs, and when the
processor counted that it slowed down for heat. Rates of caches follow the clock, those of memory hardly do.

What to try: see to cooling and power limits, set the governor to performance; use cycles in place of nanoseconds for
the latencies of caches.
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
    Explanation(
        "BW034",
        "Below what is normal",
        """
The best rate from memory with all threads (compiled code's read, streaming copy or triad; NumPy's only where there is
no compiled code) is below the band of this kind of machine: 75 to 92 % of the peak for host memory, unless the
processor has a band of its own (specs/normal.toml, each with its source). The finding names the first of these that
was seen: few of the cores may be used; a quota; channels without a module; modules below their rated speed; a power
setting; memory of one node only; a virtual machine; about half the peak, which is what half the channels give.

What to try: what the finding names. From the band up to the peak nothing is wrong.
""",
    ),
    Explanation(
        "BW035",
        "The link of a GPU is below its maximum under load",
        """
A GPU lowers its link to the first generation when it has nothing to do, so the state of an idle link says nothing.
bandwidth reads generation and width while copies are under way, and names a link that was then below what GPU and slot
can do together. The theory beside the rates is that of the link as it was.

What to try: seat the card anew; see whether a riser or cable is made for the generation; in the firmware's setup see
the slot's generation and whether it shares lanes with another slot or an SSD (`lspci -vv` shows every hop).
""",
    ),
    Explanation(
        "BW036",
        "The clocks of a GPU were held down",
        """
The driver says why a GPU does not run at its clocks: the power limit, heat, or a brake of the power supply. It also
counts for how long, and what it counted grew by more than 50 ms in the run. The rate of the memory follows the memory's
clock, which is lowered only in the worst of these states, but the L2 and the cores follow theirs.

What to try: nvidia-smi -q -d PERFORMANCE,CLOCK,POWER; see to cooling; raise the power limit where that is allowed.
""",
    ),
    Explanation(
        "BW037",
        "Other processes had work on the GPU",
        """
The driver lists processes other than this one that compute on the device. They take a part of its memory's bandwidth
and of the link whenever they run. In a container the driver may count this very process under another number.

What to try: nvidia-smi shows them; measure without them, or choose another --device.
""",
    ),
    Explanation(
        "BW038",
        "The GPU is split into instances (MIG)",
        """
A multi-instance GPU gives each instance a part of the multiprocessors and of the memory's channels, so no instance
reaches the whole card's bandwidth. The driver's attributes may still be the whole card's.

It is normal. What to try: compare instances of one size with each other; without instances nvidia-smi -mig 0 (as root).
""",
    ),
    Explanation(
        "BW039",
        "Confidential computing is on",
        """
In this mode all that goes over the link between processor and GPU is encrypted, and copied once more for it: a few GB/s
are left of any link. The memory of the GPU itself is as fast as ever. It is normal where the mode is wanted.
""",
    ),
    Explanation(
        "BW040",
        "Pageable memory is slower than pinned",
        """
A GPU reads and writes the host's memory by itself, and for that the pages must not move: they are pinned. From ordinary
(pageable) memory the driver first copies each part into a pinned buffer of its own, with one thread of the processor.
So half of the pinned rate or less is normal, and both rows stand in the table because most programs use the slower one.

What to try: pinned memory for what is copied often (`bandwidth explain "pinned memory"`).
""",
    ),
)
