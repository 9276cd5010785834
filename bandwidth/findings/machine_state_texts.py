"""The texts behind the codes of machine_state.py: other work, the CPUs that may be used, power, pages and clocks."""

from __future__ import annotations

from bandwidth.findings.entry import Explanation

TEXTS: tuple[Explanation, ...] = (
    Explanation(
        "BW004",
        "The machine was busy",
        """
Other programs, or other virtual machines on the same host, used the CPUs or the memory while the measurement ran.
Memory bandwidth is shared by everything on a socket, so a neighbour costs even if it runs on other cores. It is looked
at just before and just behind each timed block, never by the load average, which a measurement of our own fills. Seen
by: the CPU time of other processes, more than 10 % of all CPUs'; the time that the hypervisor gave to others (steal),
more than 5 % of the time in which CPUs had work; how long threads of the measurement could have run and had no CPU,
more than 5 % of their time; and how long tasks waited for memory, more than 5 % of the run (pressure stall
information). Records of before blocks were watched tell of their whole run: steal, and tasks that waited for a CPU for
more than 10 % of it.

Such results are not compared with others (BW046), `check` leaves its verdict undecided, and `fleet` does not judge.

What to try: measure on an idle machine (`top` names what runs), or on CPUs of its own (--cpus).
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
)
