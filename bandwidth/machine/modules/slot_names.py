"""What the names that boards print beside their slots say of channels: several readings, none of them sure by itself.

SMBIOS never states channels. Makers' customs differ, and one name reads in several ways ("DIMM_P1" is the slot P1 on a
board with slots A1 to T2, and socket P1's elsewhere): who counts channels tries the readings in this order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bandwidth.machine.smbios import Module

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
