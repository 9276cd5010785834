"""The texts behind the codes of stores.py: write-allocate, NumPy's loops and copies, zeros."""

from __future__ import annotations

from bandwidth.findings.entry import Explanation

TEXTS: tuple[Explanation, ...] = (
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
)
