"""The texts behind the codes of gpus.py: links, clocks and modes of a GPU, and the host's memory beside it."""

from __future__ import annotations

from bandwidth.findings.entry import Explanation

TEXTS: tuple[Explanation, ...] = (
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
    Explanation(
        "BW041",
        "The links of several GPUs share a way",
        """
Each GPU's link was measured alone, and then all at once. Where each has lanes of its own to the processor, all together
reach the sum; where several hang on one switch or one root port, they share what that has. Many fast links together may
also ask for more than the host's memory gives: compare the total with `bandwidth measure host`.

What to try: nvidia-smi topo -m (PIX and PXB are behind a switch); pair GPUs of different root ports in work that copies
much; copies between GPUs of one switch need not go up to the processor (see the table of copies between devices).
""",
    ),
)
