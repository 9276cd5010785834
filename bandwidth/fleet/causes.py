"""Why a machine is slower than its group, as far as its configuration and the pattern of its results tell.

A difference in configuration comes first, that which explains most; without any, the pattern does: a fault that shows
with all threads alone is the memory's, one that halves a link is the link's, one that slows all is the machine's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import log2

from bandwidth.fleet.judging import Deviation, Flagged, Oddity
from bandwidth.statistics import median
from bandwidth.units import KIBI
from bandwidth.vocabulary import HOST, PCIE

# What explains most, first. `{value}` is the machine's, `{group}` the others'.
_OF_MEMORY = {
    "modules": "it has {value} memory modules, the others {group}: one is missing or has failed.",
    "memory channels": "it has {value} memory channels with modules, the others {group}: one is missing or failed.",
    "memory MT/s": "its memory runs at {value} MT/s, the others' at {group}: slower modules or a firmware setting.",
    "memory": "it has {value} of memory, the others {group}: a module is missing or disabled.",
    "NUMA nodes": "it has {value} NUMA nodes, the others {group}: a firmware setting (NPS, SNC) differs.",
}
_OF_LINK = {
    "GPU link generation": "its link ran at Gen{value}, the others' at Gen{group}: reseat the card, check the slot.",
    "GPU link width": "its link ran with {value} lanes, the others' with {group}: reseat the card, check the slot.",
}
_OF_ALL = {
    "CPU quota": "its CPU quota is {value}, {group} on the others.",
    "CPUs allowed": "it may use CPUs {value} only, the others {group}.",
    "on battery": "it ran on battery: {value}, the others: {group}; the clocks are lower.",
    "governor": "its frequency governor is {value}, {group} on the others.",
    "energy preference": "its energy preference is {value}, {group} on the others.",
    "virtualization": "its virtualization is {value}, {group} on the others.",
    "container": "its container is {value}, {group} on the others.",
    "huge pages": "its huge pages are set to {value}, {group} on the others.",
    "SMT": "its SMT is {value}, {group} on the others.",
    "GPU driver": "its GPU driver is {value}, {group} on the others.",
}
_OTHER = "its {name} is {value}, {group} on the others."
_PREFIXES = " KMGTP"
_NUMBER = re.compile(r"([0-9.]+)(?: ([KMGTP])iB)?$")
# With one thread it lacks less than this part of what it lacks with all: the cores are sound, the memory is not.
_SOUND_CORES = 0.5
# A link's speed is a power of two of the group's within this part of a step.
_NEAR_A_STEP = 0.25


def cause_of(flagged: Flagged) -> str:
    """Return the likely cause in one sentence."""
    if flagged.failed:
        return "Cause: its data was wrong: the memory or a device is faulty."
    known = _of_configuration(flagged)
    return f"Likely cause: {known or _of_pattern(flagged)}"


def _of_configuration(flagged: Flagged) -> str:
    """Return what of the differences explains most, empty without any."""
    kind = flagged.target.partition(":")[0]
    tables = {HOST: (_OF_MEMORY, _OF_ALL), PCIE: (_OF_LINK, _OF_ALL)}.get(kind, (_OF_ALL,))
    by_name = {oddity.name: oddity for oddity in flagged.differs}
    for table in tables:
        for name, text in table.items():
            if name in by_name and not _is_more(by_name[name]):
                return _filled(text, by_name[name])
    others = [oddity for oddity in flagged.differs if oddity.name not in (*_OF_MEMORY, *_OF_LINK)]
    return _filled(_OTHER, others[0]) if others else ""


def _is_more(oddity: Oddity) -> bool:
    """Return whether it is a number and more than the others': more modules, more lanes, which slow nothing."""
    own, others = (_NUMBER.match(text) for text in (oddity.value, oddity.group_value))
    return own is not None and others is not None and _amount(own) > _amount(others)


def _amount(found: re.Match[str]) -> float:
    return float(found[1]) * float(KIBI ** (_PREFIXES.index(found[2]) if found[2] else 0))


def _filled(text: str, oddity: Oddity) -> str:
    return text.format(name=oddity.name, value=oddity.value, group=oddity.group_value)


# --- without a difference in configuration --------------------------------------------------------------------------


def _of_pattern(flagged: Flagged) -> str:
    kind = flagged.target.partition(":")[0]
    if kind == PCIE:
        return _of_a_link(flagged.ratio or 1.0)
    if kind != HOST:
        return "the GPU itself: its clocks, its temperature, or other work on it."
    most = max((one.measured.threads for one in flagged.deviations), default=1)
    one, whole = _lack(flagged.deviations, 1), _lack(flagged.deviations, most)
    if most > 1 and one is not None and whole is not None and one < whole * _SOUND_CORES:
        return "the memory: one thread is as fast as elsewhere. Count the modules, check the memory error log."
    return "the whole machine is slower, even with one thread: other work, heat, or a power limit."


def _of_a_link(ratio: float) -> str:
    steps = -log2(ratio)
    if round(steps) >= 1 and abs(steps - round(steps)) <= _NEAR_A_STEP:
        share = f"1/{2 ** round(steps)}"
        return f"its link has about {share} of the others' speed: fewer lanes or a lower generation. Reseat the card."
    return "its link, or the host's memory: check the link's state under load."


def _lack(deviations: Sequence[Deviation], threads: int) -> float | None:
    """Return how much speed is lacking with so many threads, None where nothing was measured with them."""
    ratios = [one.ratio for one in deviations if one.measured.threads == threads]
    return 1 - median(ratios) if ratios else None
