"""Which memory channel a module sits on, read from the names that boards print beside their slots.

SMBIOS never states channels. The names do, where a board's maker used them that way; where they do not tell for
every module beyond doubt, nothing is said here.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from bandwidth.machine.smbios import Module

# A channel of DDR holds at most three modules; a letter with more slots names a socket (Dell's A1 to A12).
_MOST_SLOTS_A_CHANNEL = 3

# "P0_Node0_Channel3_Dimm0" (EPYC boards), "P0 CHANNEL A" (AM4), "ChannelA-DIMM0" (Intel), "MC0_CH1"
_CHANNEL_WORD = re.compile(r"(?<![A-Z])CH(?:AN(?:NEL)?)?[ _-]*([0-9]{1,2}|[A-Z])(?![A-Z])")
# "DIMM_A1", "DIMMA1", "CPU1_DIMM_C2", "P1-DIMMA1", "DIMM_P0_A0"
_DIMM_LETTER = re.compile(r"DIMM[ _-]*(?:(?:P|CPU)[0-9]{1,2}[ _-]*)?([A-Z])[ _-]?([0-9]{1,2})?$")
# "CPU0_A0"
_SOCKET_LETTER = re.compile(r"^(?:CPU|P|PROC|SOCKET|NODE)[ _]?[0-9]{1,2}[ _-]+([A-Z])([0-9]{1,2})$")
_SOCKET = re.compile(r"(?<![A-Z])(?:CPU|PROC|SOCKET|NODE|P)[ _]?([0-9]{1,2})(?![0-9])")


def count_channels(slots: Sequence[Module]) -> tuple[int, int] | None:
    """Return how many channels hold a module and how many have a slot, None where the names do not tell.

    `slots` are all of the board, the empty ones among them: they show what a name's parts mean.
    """
    populated = [slot for slot in slots if slot.populated]
    if not populated or _repeat(slots):
        return None
    for names in (_by_channel_word, _by_letter):
        channels = [names(slot) for slot in slots]
        used = {channel for slot, channel in zip(slots, channels, strict=True) if slot.populated}
        if None in used or not _plausible(channels):
            continue
        return len(used), len({channel for channel in channels if channel is not None})
    return None


def _by_channel_word(slot: Module) -> tuple[str, ...] | None:
    bank, locator = _upper(slot.bank_locator), _upper(slot.locator)
    for text, other in ((bank, locator), (locator, bank)):
        match = _CHANNEL_WORD.search(text)
        if match is not None:
            return (text[: match.start()], match[1], *_SOCKET.findall(other))
    return None


def _by_letter(slot: Module) -> tuple[str, ...] | None:
    text = _upper(slot.locator)
    match = _SOCKET_LETTER.search(text) or _DIMM_LETTER.search(text)
    return None if match is None else (text[: match.start(1)], match[1], *_SOCKET.findall(_upper(slot.bank_locator)))


def _plausible(channels: Sequence[tuple[str, ...] | None]) -> bool:
    counts = Counter(channel for channel in channels if channel is not None)
    return bool(counts) and max(counts.values()) <= _MOST_SLOTS_A_CHANNEL


def _repeat(slots: Sequence[Module]) -> bool:
    """Return whether two slots have one name: coreboot has called every slot `Channel-0-DIMM-0`."""
    seen: defaultdict[tuple[str, str], int] = defaultdict(int)
    for slot in slots:
        seen[_upper(slot.locator), _upper(slot.bank_locator)] += 1
    return max(seen.values(), default=0) > 1


def _upper(text: str | None) -> str:
    return (text or "").strip().upper()
