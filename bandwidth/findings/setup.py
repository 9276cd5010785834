"""What a machine's set-up gives away before anything is measured: empty channels, slow modules, mixed modules.

These follow from the facts alone, so they are said of every machine, whatever its rates and whether they are normal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bandwidth.ceilings.modules import modules_bytes_per_s
from bandwidth.findings.reading import Raised, positive
from bandwidth.results import Finding, Record
from bandwidth.units import format_percent, format_rate, format_size

# Firmware rounds a speed (2666, 2667), so up to this share below the rated one is none below it.
SPEED_MARGIN = 0.01


def examine_facts(machine: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Return what the facts of a machine say of its set-up; a saved record may hold anything among them."""
    return tuple(finding for rule in _RULES for finding in rule(machine))


def in_short(machine: Mapping[str, Any]) -> dict[str, str]:
    """Return what is seen in a few words each, by code, for a line that says other things too."""
    return {one.code: one.text.partition(":")[0] for one in examine_facts(machine) if one.code in _FOR_A_LINE}


def set_up(record: Record) -> Iterator[Raised]:
    """Yield what the machine's facts say of its set-up."""
    for finding in examine_facts(record.machine):
        yield Raised(None, finding)


def theory_unknown(record: Record) -> Iterator[Raised]:
    """Yield where no theory could be put beside the measurement."""
    if record.results:
        for finding in examine_memory(record.memory):
            yield Raised(None, finding)


def examine_memory(memory: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Return what there is to say of a machine's theory (`HostTheory.to_json`): that there is none, and why."""
    reason = memory.get("reason")
    if memory.get("bytes_per_s") is not None or not isinstance(reason, str):
        return ()
    hint = str(memory.get("hint") or 'give --memory "DDR5-4800 x12"')
    return (Finding("BW010", f"the memory's peak is not known here: {reason}", hint),)


# --- rules over facts -----------------------------------------------------------------------------------------------


def _modules_disagree(machine: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield where the sources of the memory modules say different things: the theory may rest on the wrong one."""
    words = machine.get("memory_modules_disagreement")
    if isinstance(words, str):
        hint = "the theory follows the first; look at the modules, and give --memory"
        yield Finding("BW014", f"the sources of the memory modules disagree: {words}", hint)


def _empty_channels(machine: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield where channels of the processor hold no module: their share of the bandwidth is not there."""
    used = positive(machine.get("memory_channels"))
    with_slots = positive(machine.get("memory_channels_with_slots"))
    there = positive(machine.get("memory_channels_possible")) or with_slots
    if used is None or there is None or used >= there:
        return
    verb = "holds" if used == 1 else "hold"
    seen = f"{used:.0f} of {there:.0f} memory channels {verb} a module{_rates(machine, used, there)}"
    if with_slots is not None and used >= with_slots:
        yield Finding("BW042", seen, "the firmware lists no slots of the others: the board may have none there")
        return
    yield Finding("BW042", seen, "put a module of the same kind into a slot of each empty channel")


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


def _modules_slow(machine: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield where the modules run below the speed that they are rated for; above it is somebody's choice."""
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
    yield Finding("BW043", seen, hint)


def _modules_mixed(machine: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield where modules differ in what interleaving and timing need alike, unless every channel has the same mix."""
    listed = machine.get("memory_modules")
    modules = [module for module in listed if isinstance(module, dict)] if isinstance(listed, list) else []
    channels = positive(machine.get("memory_channels"))
    differing = [words for name, show in _ALIKE if (words := _mix(modules, name, show, channels))]
    if differing:
        hint = "the slowest sets the speed of all, and what one channel has beyond the others is not interleaved"
        yield Finding("BW044", f"the memory modules differ: {'; '.join(differing)}", hint)


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
_RULES = (_modules_disagree, _empty_channels, _modules_slow, _modules_mixed)
_FOR_A_LINE = frozenset({"BW042", "BW043"})
