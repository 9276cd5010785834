"""How many memory channels hold a module: the names of the slots, held against what the processor has.

SMBIOS never states channels. Makers' customs differ, and one name reads in several ways ("DIMM_P1" is the slot P1 on a
board with slots A1 to T2, and socket P1's elsewhere). Each way to read the slots' names is believed where it gives as
many channels as the processor has; what follows without names (one module, every slot filled, a processor with one
channel) is said in words. Where neither tells beyond doubt, there is no count, and the reason.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

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
        return Channels(doubt=f"the slot names show modules on {filled} sockets, but the machine has {sockets}")
    named = _named(slots) if per_socket is None else _fitting(slots, per_socket, sockets)
    if named.used is not None:
        return named
    if len(modules) == 1 and modules[0].form_factor in _PLUGGED:
        return Channels(1, named.with_slots, "one module uses one channel")
    if possible is None:
        return named
    return _without_fitting_names(slots, possible, named.doubt, lists_empty_slots=lists_empty_slots)


def _on_camms(modules: Sequence[Module], possible: int | None) -> Channels:
    """Return both channels for each CAMM; a card of a maker's own is believed only beside a known processor."""
    channels = _CAMM_CHANNELS * len(modules)
    known = possible is not None or all(module.form_factor == "CAMM" for module in modules)
    if not known or (possible is not None and channels > possible):
        return Channels(doubt="the modules carry several channels each, and the firmware does not state how many")
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
        return Channels(doubt="the slot names put all slots on one channel")
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
            return Channels(doubt=f"the slot names can mean {_words(sorted(found))} channels")
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
        return Channels(possible, possible, f"every slot holds a module, so all {possible} channels are in use")
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
    return Channels(doubt=f"the slot names show {_words(sorted(named))} {word}, but the processor has {possible}")


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


# --- the names of slots ---------------------------------------------------------------------------------------------

# "P0_Node0_Channel3_Dimm0" (EPYC boards), "P0 CHANNEL A" (AM4), "ChannelA-DIMM0" (Intel), "MC0_CH1", "DDR4_CH0",
# "Controller1ChannelADimm0" (HP)
_CHANNEL_WORD = re.compile(r"(?<![A-Z])CH(?:AN(?:NEL)?)?[ _-]*([0-9]{1,2}|[A-Z])(?:(?![A-Z])|(?=DIMM))")
# "Controller0-DIMM1", "MC1": a controller of a desktop's DDR5 drives one channel of 64 bits.
_CONTROLLER = re.compile(r"(?<![A-Z])(?:CONTROLLER|I?MC)[ _-]?([0-9]{1,2})")
_LETTERS = (
    # "CPU0_A0", "P1_DIMMA1", "CPU1_DIMM_C2", "P2-DIMME1"
    re.compile(r"^(?:CPU|P|PROC|SOCKET|NODE)[ _]?[0-9]{1,2}[ _-]+(?:DIMM[ _-]*)?([A-Z])[ _-]?[0-9]{0,2}$"),
    # "DIMM_P0_A0", "DIMM_CPU1_B2"
    re.compile(r"^DIMM[ _-]*(?:P|CPU)[0-9]{1,2}[ _-]+([A-Z])[ _-]?[0-9]{0,2}$"),
    # "DIMM_A1", "DIMMA1", "Controller0-DIMMA1"
    re.compile(r"DIMM[ _-]*([A-Z])[ _-]?[0-9]{1,2}$"),
    # "DDR4_A1", "DDR4-B2"
    re.compile(r"^DDR[2-9][ _-]?([A-Z])[ _-]?[0-9]{0,2}$"),
    # "CPU0_C0D0": channel 0, module 0
    re.compile(r"(?:^|[ _-])C([0-9]{1,2})[ _-]?D[0-9]{1,2}$"),
)
# Names that may as well count slots or sockets: they tell only where they give as many channels as the processor has.
_BARE_LETTERS = (
    # "DIMM A" to "DIMM D" (Dell's four slots on two channels)
    re.compile(r"DIMM[ _-]*([A-Z])$"),
    # "A1_DIMM0", "A1", "B"
    re.compile(r"^([A-H])[0-9]{0,2}(?:[ _-]?DIMM[ _-]?[0-9]{1,2})?$"),
    # "DIMM-2A", "DIMM 1B" (Fujitsu: the slot of a channel, then the channel), "DIMM0_B"
    re.compile(r"^(?:SO)?DIMM[ _-]*[0-3][ _-]?([A-Z])$"),
    # "P1-DIMM3A" (Supermicro: the channel, then its slot)
    re.compile(r"^(?:P|CPU)[0-9]{1,2}[ _-]+DIMM([1-8])[A-C]$"),
    # "DIMM031", "DIMM110(C)" (Huawei: the socket, the channel, its slot)
    re.compile(r"^DIMM([0-9]{2})[0-9](?:\([A-Z]\))?$"),
)
_SOCKET = re.compile(r"(?<![A-Z])(?:CPU|PROC(?:ESSOR)?|SOCKET)[ _]?([0-9]{1,2})(?![0-9])|^P([0-9]{1,2})(?=[ _-])")
_NODE = re.compile(r"(?<![A-Z])NODE[ _]?([0-9]{1,2})(?![0-9])")
# Dell's servers: A1 to A12 are the slots of the first processor, B1 to B12 of the second.
_DELL = re.compile(r"^(?:DIMM[ _-]?)?([A-H])([0-9]{1,2})$")
# HPE's servers: "PROC 1 DIMM 8"
_HPE = re.compile(r"^PROC ?([0-9]{1,2}) DIMM ([0-9]{1,2})[A-Z]?$")
MOST_SLOTS_A_CHANNEL = 3  # of DDR; a letter with more names a socket (Dell's A1 to A12)

Label = Callable[[Module], "tuple[str, str] | None"]


@dataclass(frozen=True)
class Reading:
    """One way to read the names: for each slot its socket ("" where none is named) and its channel; None where silent.

    `custom` names a maker's order of slots where the names themselves say nothing of channels. `bare` names may as
    well count slots: they tell only where they give as many channels as the processor has.
    """

    labels: tuple[tuple[str, str] | None, ...]
    custom: str = ""
    bare: bool = False


def readings(slots: Sequence[Module]) -> Iterator[Reading]:
    """Yield every way in which all slots that hold a module have a channel, the plainest first."""
    with_node = [_letter(pattern, with_node=True) for pattern in _LETTERS]
    plain = [_letter(pattern, with_node=False) for pattern in _LETTERS]
    bare = [_bare(pattern) for pattern in _BARE_LETTERS]
    for label in (_by_bank, _by_locator, _by_controller, *with_node, *plain, _letter_of_bank, *bare):
        labels = tuple(label(slot) for slot in slots)
        if all(found is not None for slot, found in zip(slots, labels, strict=True) if slot.populated):
            yield Reading(labels, bare=label in bare)


def customs(slots: Sequence[Module], channels: int) -> Iterator[Reading]:
    """Yield the readings by makers' orders of slots, for a processor with this many channels a socket."""
    dell = [_DELL.match(upper(slot.locator)) for slot in slots]
    if _first_slots_tell(slots, dell, channels):
        labels = tuple((match[1], str((int(match[2]) - 1) % channels)) for match in dell if match)
        yield Reading(labels, f"a socket's first {channels} slots are its channels, as on Dell's servers")
    hpe = [_HPE.match(" ".join(upper(slot.locator).split())) for slot in slots]
    each, rest = divmod(max(map(len, _numbers(hpe).values()), default=0), channels)
    if rest == 0 and 1 <= each <= MOST_SLOTS_A_CHANNEL and len({*map(len, _numbers(hpe).values())}) == 1:
        labels = tuple((match[1], str((int(match[2]) - 1) // each)) for match in hpe if match)
        yield Reading(labels, "neighbouring slots share a channel, as on HPE's servers")


def sockets_with_modules(slots: Sequence[Module]) -> int:
    """Return how many sockets the names of the filled slots tell apart, 0 where they name none."""
    named = {_socket(upper(slot.locator)) or _socket(upper(slot.bank_locator)) for slot in slots if slot.populated}
    return len(named - {""})


def upper(text: str | None) -> str:
    """Return a name as it is compared."""
    return (text or "").strip().upper()


def _numbers(matches: Sequence[re.Match[str] | None]) -> dict[str, list[int]]:
    """Return each socket's numbers of slots, nothing where a name is of another kind or a number is missing."""
    numbers: dict[str, list[int]] = {}
    for match in matches:
        if match is None:
            return {}
        numbers.setdefault(match[1], []).append(int(match[2]))
    return numbers if all(sorted(found) == list(range(1, len(found) + 1)) for found in numbers.values()) else {}


def _first_slots_tell(slots: Sequence[Module], matches: Sequence[re.Match[str] | None], channels: int) -> bool:
    """Return whether Dell's order tells the channels: slots past a socket's first ones repeat its channels.

    Where they do not do so evenly (10 slots on 6 channels), they tell only beside first slots that are all filled.
    """
    numbers = _numbers(matches)
    filled = {(match[1], int(match[2])) for slot, match in zip(slots, matches, strict=True) if slot.populated and match}
    for socket, found in numbers.items():
        used = sorted(number for letter, number in filled if letter == socket)
        past = used and used[-1] > channels
        if len(found) < channels or (
            past and len(found) % channels and used[:channels] != list(range(1, channels + 1))
        ):
            return False
    return bool(numbers)


def _by_bank(slot: Module) -> tuple[str, str] | None:
    return _by_word(upper(slot.bank_locator), upper(slot.locator))


def _by_locator(slot: Module) -> tuple[str, str] | None:
    return _by_word(upper(slot.locator), upper(slot.bank_locator))


def _by_word(text: str, other: str) -> tuple[str, str] | None:
    """Return the channel that a text names, with the node and controller beside it."""
    match = _CHANNEL_WORD.search(text)
    if match is None:
        return None
    node, controller = _NODE.search(text), _CONTROLLER.search(text)
    within = [found[0] for found in (node, controller) if found is not None]
    return _socket(text) or _socket(other), " ".join([*within, match[1]])


def _by_controller(slot: Module) -> tuple[str, str] | None:
    text = f"{upper(slot.locator)} {upper(slot.bank_locator)}"
    match = _CONTROLLER.search(text)
    return None if match is None else (_socket(text), match[1])


def _letter(pattern: re.Pattern[str], *, with_node: bool) -> Label:
    """Return the reading by a channel's letter; the node beside it may repeat the letters or only group them."""

    def label(slot: Module) -> tuple[str, str] | None:
        text, bank = upper(slot.locator), upper(slot.bank_locator)
        match, node = pattern.search(text), _NODE.search(bank)
        if match is None:
            return None
        channel = text[: match.end(1)] + (f" {node[0]}" if node is not None and with_node else "")
        return _socket(text) or _socket(bank), channel

    return label


def _bare(pattern: re.Pattern[str]) -> Label:
    """Return the reading by the letter or number alone, whatever stands before it."""

    def label(slot: Module) -> tuple[str, str] | None:
        text = upper(slot.locator)
        match = pattern.search(text)
        return None if match is None else (_socket(text) or _socket(upper(slot.bank_locator)), match[1])

    return label


def _letter_of_bank(slot: Module) -> tuple[str, str] | None:
    """Return the channel of "CPU1_A0" beside the slot "DIMM_1"."""
    match = _LETTERS[0].search(upper(slot.bank_locator))
    return None if match is None else (_socket(upper(slot.bank_locator)), match[1])


def _socket(text: str) -> str:
    match = _SOCKET.search(text)
    return "" if match is None else (match[1] or match[2])
