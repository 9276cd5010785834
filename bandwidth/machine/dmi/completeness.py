"""Whether a pasted text of dmidecode can hold all memory devices: half a list would give half the bandwidth."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bandwidth.machine.dmi.lines import (
    ARRAY,
    DEVICE,
    END_OF_TABLE,
    INACTIVE,
    Structure,
    begins_a_structure,
    field_of,
    lines_of,
    size_of,
)

# Fields that nothing but a memory device has.
_OF_DEVICES_ALONE = frozenset(
    ("Array Handle", "Total Width", "Data Width", "Locator", "Bank Locator", "Type Detail", "Configured Memory Speed")
)
_COUNTED = re.compile(r"([0-9]{1,6}) structures occupying [0-9]{1,9} bytes", re.ASCII)
_WRONG_COUNT = "Wrong DMI structures count"
# Fields that a filled slot has from this length of its structure on (DSP0134, section 7.18).
_LENGTHS = {"Speed": 0x17, "Configured Memory Speed": 0x22}
_SIZE_BEGUN = re.compile(r"[0-9]+ ?[kKMGT]?", re.ASCII)


def doubt_of(text: str, structures: Sequence[Structure]) -> str:
    """Return why the list of memory devices cannot be whole, empty where nothing says so."""
    if not structures:
        return ""
    last = structures[-1]
    if _OF_DEVICES_ALONE & _orphans(text) or _begins_late(structures):
        return "the beginning of the text is missing"
    if last.kind == DEVICE and not _is_whole(structures, ends_open=not text.endswith(("\n", "\r"))):
        return "the text ends within a memory device"
    if last.kind < INACTIVE and not last.fields and not last.items:
        return "the text ends where a structure begins"
    expected = _slots_of_arrays(structures)
    devices = sum(found.kind == DEVICE for found in structures)
    if devices == expected:
        return ""
    counted = _COUNTED.search(text)
    if counted is not None and len(structures) < int(counted[1]) and _WRONG_COUNT not in text:
        return f"the text is cut: it has {len(structures)} of {counted[1]} structures"
    if last.kind in (ARRAY, DEVICE) and devices < expected:
        return f"the text is cut: it lists {devices} of {expected} memory devices"
    return ""


def _begins_late(structures: Sequence[Structure]) -> bool:
    """Return whether a first handle is missing, or in a whole table the array that stands before its devices."""
    kinds = {found.kind for found in structures}
    is_whole = structures[-1].kind == END_OF_TABLE
    without_handle = not structures[0].handle and any(found.handle for found in structures)
    return without_handle or (is_whole and DEVICE in kinds and ARRAY not in kinds)


def _orphans(text: str) -> set[str]:
    """Return the names of the fields before the first structure."""
    names: set[str] = set()
    for line in lines_of(text):
        if begins_a_structure(line):
            break
        found = field_of(line)
        names |= set() if found is None else {found[0]}
    return names


def _is_whole(structures: Sequence[Structure], *, ends_open: bool) -> bool:
    """Return whether the last structure, a memory device, has the fields that another of its length has.

    Without another, its length tells, where the text ends within a line (`ends_open`). dmidecode prints no more of an
    empty slot than what it is.
    """
    last, *others = reversed(structures)
    if not {"Size", "Locator", "Type"} <= last.fields.keys():
        return False
    if not size_of(last.fields["Size"]):
        return last.fields["Size"] != "" and _SIZE_BEGUN.fullmatch(last.fields["Size"]) is None
    neighbours = [found for found in others if found.kind == DEVICE and found.length == last.length]
    filled = [found.fields.keys() for found in neighbours if size_of(found.fields.get("Size", ""))]
    if filled:
        needed = {name for name in _LENGTHS if name in filled[0]}
    else:
        needed = {name for name, length in _LENGTHS.items() if ends_open and (last.length or 0) >= length}
    return needed <= last.fields.keys() and all(last.fields[name] for name in needed)


def _slots_of_arrays(structures: Sequence[Structure]) -> int:
    """Return how many devices the arrays say that they have, 0 where none is described."""
    counts = [found.fields.get("Number Of Devices", "") for found in structures if found.kind == ARRAY]
    return sum(int(count) for count in counts if re.fullmatch(r"[0-9]{1,5}", count, re.ASCII))
