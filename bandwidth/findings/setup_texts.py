"""The texts behind the codes of setup.py: what a machine's modules give away, measured or not."""

from __future__ import annotations

from bandwidth.findings.entry import Explanation

TEXTS: tuple[Explanation, ...] = (
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
        "BW042",
        "Memory channels without a module",
        """
A processor reaches its memory over several channels at once, and each adds the same to the bandwidth. A channel whose
slots are empty adds nothing, however large the modules on the others are. The finding compares the channels that hold
a module with those that the processor has (or, where that is not known, those with slots on the board), over all
sockets. The theory beside a measurement is that of the modules that are there, so the shares of it look sound: that is
why this is said whatever they are.

What to try: one module of the same kind and size on every channel, by the slot order in the board's manual. On servers
look whether the firmware has disabled a module that is there.
""",
    ),
    Explanation(
        "BW043",
        "Modules below their rated speed",
        """
The modules run slower than they are rated for. On desktops the rated speed is often a profile (XMP, EXPO) that has to
be switched on in the firmware's setup. Elsewhere the processor, or two or three modules on a channel, allow no more:
then it is as the maker planned it. Faster than rated is an overclock and no finding.

What to try: the firmware's memory settings; the processor's documented speed for this number of modules a channel.
The theory follows the speed at which the modules run.
""",
    ),
    Explanation(
        "BW044",
        "Modules that differ",
        """
Consecutive addresses are spread over all channels, which needs the same capacity on each. Where one channel has more,
the rest of it is reached over that channel alone, at a fraction of the bandwidth. All modules run at the speed and with
the timing of the slowest; channels with one rank turn around more often than those with two. Unlike modules are no
finding where every channel has the same mix.

What to try: equal modules on every channel. A measurement may show the full rate all the same: its arrays may lie in
the part that is interleaved.
""",
    ),
)
