"""The memory that is configured in this machine, as a SPEC that `theory` understands; never a guess."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from bandwidth.errors import BandwidthError
from bandwidth.machine.facts import GIVEN, Fact, Facts
from bandwidth.machine.modules.speed_and_width import DDR_WIDTH_BITS
from bandwidth.machine.processor import NO_VIRTUALIZATION
from bandwidth.theory import peak

# Inside a virtual machine no saved facts help: what its table says, if anything, is said of the host.
VIRTUAL_HINT = 'give --memory "DDR5-4800 x12" or BANDWIDTH_MEMORY'
HINT = f"{VIRTUAL_HINT}, or save the facts once as root with `bandwidth system --save FILE` and give --facts FILE"
_CHANNELS_HINT = 'give --memory "{} xN", N being the number of channels'
_WIDTH_HINT = 'give --memory "{} N-bit", N being the width of all packages together'
_FASTEST_LPDDR5_MT_S = 6400  # JESD209-5; faster parts are LPDDR5X (JESD209-5B), which SMBIOS has no code for
_OF_MODULES = (
    "memory_type",
    "memory_rated_mt_s",
    "memory_configured_mt_s",
    "memory_ranks",
    "memory_notes",
    "memory_doubt",
)
_NOTATION = re.compile(r"DDR[2-5]?|LPDDR[2-5]?|LPDDR[45]X")


@dataclass(frozen=True)
class ConfiguredMemory:
    """The memory of the whole machine in the notation (`DDR5-4800 x8`), and what that rests on.

    `spec` is None where it is not known; `reason` then says why and `hint` what to do. With a `spec`, `reason`
    says what was taken beside the firmware's plain words (a clock for a rate, channels without names, the rated speed),
    and is empty where nothing was.
    """

    spec: str | None
    source: str
    confidence: str
    reason: str
    hint: str


def configured_memory(facts: Facts) -> ConfiguredMemory:
    """Return the memory as it is set up: the speed it runs at, and the channels of all sockets that hold modules."""
    if "memory_modules" not in facts:
        reason = facts.text("memory_modules_reason") or "nothing is known of the memory modules"
        virtual = facts.text("virtualization") or NO_VIRTUALIZATION
        return _unknown(reason, HINT if virtual == NO_VIRTUALIZATION else VIRTUAL_HINT)
    kind, rate = facts.text("memory_type"), facts.integer("memory_configured_mt_s")
    rated = facts.integer("memory_rated_mt_s")
    if kind is None:
        return _unknown("the memory modules are of several types")
    if _NOTATION.fullmatch(kind) is None:
        return _unknown(f"the memory is {kind}: the firmware does not tell what its bandwidth rests on")
    stated = any(isinstance(module, dict) and "configured_mt_s" in module for module in _modules(facts))
    if rate is None and (rated is None or stated):
        doubt = facts.text("memory_doubt")
        return _unknown(doubt or "the memory modules' speed is not stated, or differs between them")
    family_rate = _family_rate(kind, rate or rated or 0)
    amount = _amount(facts, kind)
    if amount is None:
        hint = _WIDTH_HINT if kind.startswith("LPDDR") else _CHANNELS_HINT
        return _unknown(_channel_reason(facts, len(_modules(facts))), hint.format(family_rate))
    return ConfiguredMemory(
        f"{family_rate} {amount}", *_origin(facts, assumed=rate is None), _taken(facts, assumed=rate is None), ""
    )


@lru_cache(maxsize=1024)
def modules_bytes_per_s(kind: str, rate_mt_s: float, channels: float) -> float | None:
    """Return the peak of DDR modules (`DDR5`) in bytes per second, None where the facts make up what no memory has."""
    try:
        return float(peak(f"{kind}-{rate_mt_s:.0f} x{channels:.0f}").bytes_per_s)
    except BandwidthError:
        return None


def with_saved_modules(facts: Facts, saved: Facts) -> Facts:
    """Return the facts with the modules of a saved file, marked as given, where this user cannot see them.

    Raises BandwidthError where the file is of another kind of machine; nodes of one kind may share a file.
    """
    here, there = facts.text("cpu_model"), saved.text("cpu_model")
    if here is not None and there is not None and here != there:
        raise BandwidthError(
            f"the saved facts are of another machine: {there[:60]!r} there, {here[:60]!r} here",
            "save them on this machine with `bandwidth system --save FILE`",
        )
    if "memory_modules" in facts or "memory_modules" not in saved:
        return facts
    kept = {name: fact for name, fact in facts.items() if name != "memory_modules_reason"}
    added = {
        name: Fact(fact.value, f"saved facts: {fact.source}", GIVEN)
        for name, fact in saved.items()
        if name.startswith(("memory_modules", "memory_slots", "memory_channels", "memory_width_bits"))
        or name in _OF_MODULES
    }
    return Facts({**kept, **added})


def _family_rate(kind: str, rate_mt_s: int) -> str:
    family = "LPDDR5X" if kind == "LPDDR5" and rate_mt_s > _FASTEST_LPDDR5_MT_S else kind
    return f"{family}-{rate_mt_s}"


def _amount(facts: Facts, kind: str) -> str | None:
    """Return `x8` for channels, `128-bit` for LPDDR, None where the width is not sure."""
    width = facts.integer("memory_width_bits")
    if width is None or width <= 0:
        return None
    return f"{width}-bit" if kind.startswith("LPDDR") else f"x{width // DDR_WIDTH_BITS}"


def _taken(facts: Facts, *, assumed: bool) -> str:
    """Return in words what was taken beside what the firmware plainly says."""
    notes = facts.value("memory_notes")
    words = [str(note) for note in notes] if isinstance(notes, list) else []
    if assumed:
        words.append("the speed is the modules' rated one: the firmware does not state the real one")
    return "; ".join(words)


def _channel_reason(facts: Facts, modules: int) -> str:
    doubt, channels = facts.text("memory_doubt"), facts.value("memory_channels_range")
    if not isinstance(channels, list) or len(channels) != 2:
        return doubt or "the widths that the firmware states for the modules leave a doubt"
    count = f"{modules} {'module' if modules == 1 else 'modules'}"
    return f"{doubt or 'the names of the slots do not tell the channels'}: {channels[0]} to {channels[1]} for {count}"


def _origin(facts: Facts, *, assumed: bool) -> tuple[str, str]:
    """Return the source of the modules, and the least certain confidence of what the SPEC is made of."""
    modules = facts["memory_modules"]
    if modules.confidence == GIVEN:
        return modules.source, GIVEN
    return modules.source, "assumed" if assumed else "derived"


def _modules(facts: Facts) -> Sequence[object]:
    modules = facts.value("memory_modules")
    return modules if isinstance(modules, list) else ()


def _unknown(reason: str, hint: str = HINT) -> ConfiguredMemory:
    return ConfiguredMemory(None, "", "", reason, hint)
