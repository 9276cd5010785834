"""The text behind the code of normal_range.py: rates below those of a sound machine."""

from __future__ import annotations

from bandwidth.findings.entry import Explanation

TEXTS: tuple[Explanation, ...] = (
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
)
