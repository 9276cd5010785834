"""How many memory channels hold a module: the names of the slots, held against what the processor has.

SMBIOS never states channels. Each way to read the slots' names is believed where it gives as many channels as the
processor has; what follows without names (one module, every slot filled, a processor with one channel) is said in
words. Where neither tells beyond doubt, there is no count, and the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bandwidth.machine.modules.slot_names import (
    MOST_SLOTS_A_CHANNEL,
    Reading,
    customs,
    readings,
    sockets_with_modules,
    upper,
)
from bandwidth.machine.smbios import Module

# Slots that one module plugs into; a soldered entry may stand for several chips on several channels.
_PLUGGED = (None, "DIMM", "SODIMM", "RIMM")
# JESD318 (CAMM2): both channels of a processor lie on one module. Dell's, its forerunner, is a "Proprietary Card".
CAMM_FORMS = ("CAMM", "Proprietary Card")
_CAMM_CHANNELS = 2


@dataclass(frozen=True)
class Channels:
    """Channels of 64 data bits over all sockets: how many hold a module, and how many have a slot; None where unknown.

    `note` says what was taken beside the plain names; `doubt` why the count is unknown, in words or empty.
    """

    used: int | None = None
    with_slots: int | None = None
    note: str = ""
    doubt: str = ""


def count_channels(
    slots: Sequence[Module], per_socket: int | None = None, sockets: int = 1, *, lists_empty_slots: bool = True
) -> Channels:
    """Return the channels of a board's slots; `per_socket` is what the processor has, None where that is unknown.

    `slots` are all of the board, the empty ones among them where `lists_empty_slots`.
    """
    modules = [slot for slot in slots if slot.populated]
    possible = None if per_socket is None else per_socket * sockets
    if not modules:
        return Channels()
    if all(module.form_factor in CAMM_FORMS for module in modules):
        return _on_camms(modules, possible)
    if possible == 1:
        return Channels(1, 1, "the processor has one channel" if len(modules) > 1 else "")
    filled = sockets_with_modules(slots)
    if per_socket is not None and filled > sockets:
        return Channels(
            doubt=f"the names of the slots tell {filled} sockets with modules, and the machine has {sockets}"
        )
    named = _named(slots) if per_socket is None else _fitting(slots, per_socket, sockets)
    if named.used is not None:
        return named
    if len(modules) == 1 and modules[0].form_factor in _PLUGGED:
        return Channels(1, named.with_slots, "one module is on one channel")
    if possible is None:
        return named
    return _without_fitting_names(slots, possible, named.doubt, lists_empty_slots=lists_empty_slots)


def _on_camms(modules: Sequence[Module], possible: int | None) -> Channels:
    """Return both channels for each CAMM; a card of a maker's own is believed only beside a known processor."""
    channels = _CAMM_CHANNELS * len(modules)
    known = possible is not None or all(module.form_factor == "CAMM" for module in modules)
    if not known or (possible is not None and channels > possible):
        return Channels(doubt="the modules are cards of several channels, and how many is not stated")
    return Channels(channels, possible, "a CAMM carries both channels")


def _named(slots: Sequence[Module]) -> Channels:
    """Return what the names say beside an unknown processor: the plainest reading, with channels of one size if any."""
    if _repeat(slots):
        return Channels()
    plain = [reading for reading in readings(slots) if not reading.bare and _plausible(reading)]
    even = [reading for reading in plain if len(set(Counter(reading.labels).values())) == 1]
    if not plain:
        return Channels()
    channels = len(_channels((even or plain)[0]))
    banks = {upper(slot.bank_locator) for slot in slots}
    if channels == 1 < len(slots) and len(banks) == 1 and banks != {""}:
        # "ChannelA" or "Channel 0 Slot 0" beside every slot: one channel, or a firmware that never filled in the other.
        return Channels(doubt="all slots are said to be on one channel")
    return Channels(_used(slots, (even or plain)[0]), channels)


def _fitting(slots: Sequence[Module], per_socket: int, sockets: int) -> Channels:
    """Return what those readings say that give as many channels as the processors have; a doubt where they differ.

    A maker's order of slots counts where no reading of the names does.
    """
    for tried in (readings(slots), customs(slots, per_socket)):
        found: dict[int, Channels] = {}
        for reading in tried:
            if _plausible(reading) and _fits(slots, reading, per_socket, sockets):
                used = _used(slots, reading)
                with_slots = min(len(_channels(reading)), per_socket * sockets)
                found.setdefault(used, Channels(used, with_slots, reading.custom))
        if len(found) == 1:
            return next(iter(found.values()))
        if found:
            return Channels(doubt=f"the names of the slots can be read as {_words(sorted(found))} channels")
    return Channels()


def _fits(slots: Sequence[Module], reading: Reading, per_socket: int, sockets: int) -> bool:
    """Return whether a reading gives the processors' channels: of all sockets, or of those whose slots hold modules."""
    channels = _channels(reading)
    of_each = Counter(socket for socket, _ in channels)
    if len(channels) == per_socket * sockets:
        # Seven channels on one socket and five on the other are a firmware's slip, and no reading.
        return "" in of_each or max(of_each.values()) <= per_socket
    filled = {label[0] for slot, label in zip(slots, reading.labels, strict=True) if slot.populated and label}
    named = "" not in {socket for socket, _ in channels}
    of_filled = Counter(socket for socket, _ in channels if socket in filled)
    return named and len(filled) <= sockets and set(of_filled.values()) == {per_socket}


def _without_fitting_names(slots: Sequence[Module], possible: int, doubt: str, *, lists_empty_slots: bool) -> Channels:
    """Return what follows although no reading of the names gives the processor's channels."""
    fewer = _clean_with_fewer(slots, possible)
    each, rest = divmod(len(slots), possible)
    is_full = lists_empty_slots and rest == 0 and each <= MOST_SLOTS_A_CHANNEL and all(slot.populated for slot in slots)
    if is_full and fewer is None:
        return Channels(possible, possible, f"every slot holds a module, so all {possible} channels do")
    if fewer is not None and not is_full:
        used, with_slots = fewer
        return Channels(
            used, with_slots, f"the board has slots for {with_slots} of the processor's {possible} channels"
        )
    if doubt:
        return Channels(doubt=doubt)
    counts = [(len(_channels(reading)), reading.bare) for reading in readings(slots) if _plausible(reading)]
    named = {count for count, bare in counts if count > possible or not bare}
    if not named:
        return Channels()
    word = "channel" if named == {1} else "channels"
    return Channels(
        doubt=f"the names of the slots give {_words(sorted(named))} {word}, and the processor has {possible}"
    )


def _clean_with_fewer(slots: Sequence[Module], possible: int) -> tuple[int, int] | None:
    """Return the channels of names that are beyond reproach and fewer than the processor's, None without such names.

    Some boards have fewer channels than their processor. Names that repeat, or give channels of unlike size, are a
    firmware's carelessness rather than such a board.
    """
    if _repeat(slots):
        return None
    for reading in readings(slots):
        counts = Counter(reading.labels)
        if not reading.bare and None not in counts and 2 <= len(counts) < possible and len(set(counts.values())) == 1:
            return (_used(slots, reading), len(counts)) if _plausible(reading) else None
    return None


def _used(slots: Sequence[Module], reading: Reading) -> int:
    return len({label for slot, label in zip(slots, reading.labels, strict=True) if slot.populated})


def _channels(reading: Reading) -> set[tuple[str, str]]:
    return {label for label in reading.labels if label is not None}


def _plausible(reading: Reading) -> bool:
    counts = Counter(label for label in reading.labels if label is not None)
    return bool(counts) and max(counts.values()) <= MOST_SLOTS_A_CHANNEL


def _repeat(slots: Sequence[Module]) -> bool:
    """Return whether two slots have one name: coreboot has called every slot `Channel-0-DIMM-0`."""
    seen = Counter((upper(slot.locator), upper(slot.bank_locator)) for slot in slots)
    return max(seen.values(), default=0) > 1


def _words(numbers: Iterable[int]) -> str:
    return " or ".join(map(str, numbers))
