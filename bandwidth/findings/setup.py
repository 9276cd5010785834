"""What a machine's set-up gives away before anything is measured: empty channels, slow modules, mixed modules.

These follow from the facts alone, so they are said of every machine, whatever its rates and whether they are normal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bandwidth.ceilings.memory import modules_bytes_per_s
from bandwidth.findings.reading import Raised, positive
from bandwidth.findings.rules import MACHINE, THEORY, rule
from bandwidth.units import format_percent, format_rate, format_size

# Firmware rounds a speed (2666, 2667), so up to this share below the rated one is none below it.
SPEED_MARGIN = 0.01


@rule("BW014", "The sources of the memory modules disagree", rank=240, of=MACHINE)
def modules_disagree(machine: Mapping[str, Any]) -> Iterator[Raised]:
    """
    The firmware's table (SMBIOS) and the udev database, which was filled from it when the machine started, state different
    speeds or numbers of modules. The theory follows the firmware's table. One of the two is stale or wrong, so the share of
    the theory may be.

    What to try: read the modules' labels or the firmware's setup, and name what is there with --memory.
    """
    words = machine.get("memory_modules_disagreement")
    if isinstance(words, str):
        hint = "the theory follows the first; look at the modules, and give --memory"
        yield Raised(None, f"the sources of the memory modules disagree: {words}", hint)


@rule("BW042", "Memory channels without a module", rank=250, of=MACHINE, in_a_line=True)
def empty_channels(machine: Mapping[str, Any]) -> Iterator[Raised]:
    """
    A processor reaches its memory over several channels at once, and each adds the same to the bandwidth. A channel whose
    slots are empty adds nothing, however large the modules on the others are. The finding compares the channels that hold
    a module with those that the processor has (or, where that is not known, those with slots on the board), over all
    sockets. The theory beside a measurement is that of the modules that are there, so the shares of it look sound: that is
    why this is said whatever they are.

    What to try: one module of the same kind and size on every channel, by the slot order in the board's manual. On servers
    look whether the firmware has disabled a module that is there.
    """
    used = positive(machine.get("memory_channels"))
    with_slots = positive(machine.get("memory_channels_with_slots"))
    there = positive(machine.get("memory_channels_possible")) or with_slots
    if used is None or there is None or used >= there:
        return
    verb = "holds" if used == 1 else "hold"
    seen = f"{used:.0f} of {there:.0f} memory channels {verb} a module{_rates(machine, used, there)}"
    if with_slots is not None and used >= with_slots:
        yield Raised(None, seen, "the firmware lists no slots of the others: the board may have none there")
        return
    yield Raised(None, seen, "put a module of the same kind into a slot of each empty channel")


@rule("BW043", "Modules below their rated speed", rank=260, of=MACHINE, in_a_line=True)
def modules_slow(machine: Mapping[str, Any]) -> Iterator[Raised]:
    """
    The modules run slower than they are rated for. On desktops the rated speed is often a profile (XMP, EXPO) that has to
    be switched on in the firmware's setup. Elsewhere the processor, or two or three modules on a channel, allow no more:
    then it is as the maker planned it. Faster than rated is an overclock and no finding.

    What to try: the firmware's memory settings; the processor's documented speed for this number of modules a channel.
    The theory follows the speed at which the modules run.
    """
    configured = positive(machine.get("memory_configured_mt_s"))
    rated = positive(machine.get("memory_rated_mt_s"))
    if configured is None or rated is None or configured >= rated * (1 - SPEED_MARGIN):
        return
    kind = machine.get("memory_type")
    name = f"{kind}-{rated:.0f}" if isinstance(kind, str) else f"modules for {rated:.0f} MT/s"
    seen = (
        f"{name} runs at {configured:.0f} MT/s: {format_percent(configured / rated)} of what the modules are rated for"
    )
    hint = "XMP or EXPO is off, two modules share a channel, or the processor takes no more: see the firmware's setup"
    yield Raised(None, seen, hint)


@rule("BW044", "Modules that differ", rank=270, of=MACHINE)
def modules_mixed(machine: Mapping[str, Any]) -> Iterator[Raised]:
    """
    Consecutive addresses are spread over all channels, which needs the same capacity on each. Where one channel has more,
    the rest of it is reached over that channel alone, at a fraction of the bandwidth. All modules run at the speed and with
    the timing of the slowest; channels with one rank turn around more often than those with two. Unlike modules are no
    finding where every channel has the same mix.

    What to try: equal modules on every channel. A measurement may show the full rate all the same: its arrays may lie in
    the part that is interleaved.
    """
    listed = machine.get("memory_modules")
    modules = [module for module in listed if isinstance(module, dict)] if isinstance(listed, list) else []
    channels = positive(machine.get("memory_channels"))
    differing = [words for name, show in _ALIKE if (words := _mix(modules, name, show, channels))]
    if differing:
        hint = "the slowest sets the speed of all, and what one channel has beyond the others is not interleaved"
        yield Raised(None, f"the memory modules differ: {'; '.join(differing)}", hint)


@rule("BW010", "The memory's peak is not known", rank=280, of=THEORY)
def theory_unknown(memory: Mapping[str, Any]) -> Iterator[Raised]:
    """
    Without the type, speed and number of channels there is no theory to compare with, and none is guessed. In a virtual
    machine or a container the modules cannot be seen; on some machines only root may read them.

    What to try: name the memory of one socket, --memory "DDR5-4800 x12", or set BANDWIDTH_MEMORY to it. Or save the facts
    once as root (`bandwidth system --save facts.json`) and give --facts facts.json from then on.
    """
    reason = memory.get("reason")
    if memory.get("bytes_per_s") is None and isinstance(reason, str):
        hint = str(memory.get("hint") or 'give --memory "DDR5-4800 x12"')
        yield Raised(None, f"the memory's peak is not known here: {reason}", hint)


# --- what the rules above look at -----------------------------------------------------------------------------------


def _rates(machine: Mapping[str, Any], used: float, there: float) -> str:
    """Return what the channels in use can reach, and what all could; nothing where the speed is not known."""
    speed = positive(machine.get("memory_configured_mt_s")) or positive(machine.get("memory_rated_mt_s"))
    kind = machine.get("memory_type")
    if speed is None or not isinstance(kind, str) or not kind.startswith("DDR"):
        return ""  # LPDDR is soldered, and its channels are narrower
    reached, possible = (modules_bytes_per_s(kind, speed, channels) for channels in (used, there))
    if reached is None or possible is None:
        return ""
    return f": {format_rate(reached)} of {format_rate(possible)} GB/s are possible"


def _mix(modules: Sequence[Mapping[str, Any]], name: str, show: Any, channels: float | None) -> str:
    """Return `1 of 8 GiB, 3 of 16 GiB`, empty where all are alike, one is not known, or the channels share the mix."""
    values = [positive(module.get(name)) for module in modules]
    known = [value for value in values if value is not None]
    counts = Counter(known)
    if len(known) < len(modules) or len(counts) < 2:
        return ""
    if channels is not None and channels < len(modules) and all(count % channels == 0 for count in counts.values()):
        return ""
    return ", ".join(f"{counts[value]} of {show(value)}" for value in sorted(counts))


def _ranks(ranks: float) -> str:
    return f"{ranks:.0f} {'rank' if ranks == 1 else 'ranks'}"


_ALIKE = (
    ("size_bytes", lambda size: format_size(int(size))),
    ("rated_mt_s", lambda speed: f"{speed:.0f} MT/s"),
    ("ranks", _ranks),
)
