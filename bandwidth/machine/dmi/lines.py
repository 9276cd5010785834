"""The text of dmidecode as structures, and whether it is all of it: any version, quoted, indented or not.

What counts is the titles and fields that dmidecode prints; everything else, as other commands' output, is passed over.
dmidecode's own source (dmidecode.c) is the description of the format.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bandwidth.units import KIBI

MOST_STRUCTURES = 65_536  # a handle has 16 bits
_LONGEST_LINE = 1000

INACTIVE, END_OF_TABLE = 126, 127
ARRAY, DEVICE = 16, 17
# The titles of dmidecode's structures: some older versions put "Block" behind.
_TITLES = {
    "BIOS Information": 0, "Platform Firmware Information": 0, "System Information": 1, "Base Board Information": 2,
    "Chassis Information": 3, "Processor Information": 4, "Memory Controller Information": 5,
    "Memory Module Information": 6, "Cache Information": 7, "Port Connector Information": 8,
    "System Slot Information": 9, "On Board Device Information": 10, "OEM Strings": 11,
    "System Configuration Options": 12, "BIOS Language Information": 13, "Firmware Language Information": 13,
    "Group Associations": 14, "System Event Log": 15, "Physical Memory Array": ARRAY, "Memory Device": DEVICE,
    "32-bit Memory Error Information": 18, "Memory Array Mapped Address": 19, "Memory Device Mapped Address": 20,
    "Built-in Pointing Device": 21, "Portable Battery": 22, "System Reset": 23, "Hardware Security": 24,
    "System Power Controls": 25, "Voltage Probe": 26, "Cooling Device": 27, "Temperature Probe": 28,
    "Electrical Current Probe": 29, "Out-of-band Remote Access": 30, "Boot Integrity Services Entry Point": 31,
    "System Boot Information": 32, "64-bit Memory Error Information": 33, "Management Device": 34,
    "Management Device Component": 35, "Management Device Threshold Data": 36, "Memory Channel": 37,
    "IPMI Device Information": 38, "System Power Supply": 39, "Additional Information": 40, "Onboard Device": 41,
    "Management Controller Host Interface": 42, "TPM Device": 43, "Processor Additional Information": 44,
    "Firmware Inventory Information": 45, "String Property": 46, "Inactive": 126, "End Of Table": END_OF_TABLE,
}  # fmt: skip
# The fields of a memory device in the order in which every version prints them. A text without titles (of grep) has a
# new device where they begin anew.
_DEVICE_ORDER = (
    "Array Handle", "Error Information Handle", "Total Width", "Data Width", "Size", "Form Factor", "Set", "Locator",
    "Bank Locator", "Type", "Type Detail", "Speed", "Manufacturer", "Serial Number", "Asset Tag", "Part Number",
    "Rank", "Configured Memory Speed",
)  # fmt: skip
_DEVICE_PLACE = {name: place for place, name in enumerate(_DEVICE_ORDER)}
_OLD_NAMES = {"Configured Clock Speed": "Configured Memory Speed", "Current Speed": "Speed"}

_HANDLE = re.compile(r"(?:Handle (0x[0-9A-Fa-f]{1,8}),? )?DMI type ([0-9]{1,3})\b(?:, ?([0-9]{1,5}) bytes)?", re.ASCII)
_FIELD = re.compile(r"([A-Z0-9][A-Za-z0-9 ()/.'-]{1,50}?) ?:\s*(.*)")
# What mail, forums and terminals put before a line: quotes, list marks, line numbers of grep, diff's signs.
_MARGIN = re.compile(r"^(?:[\s>|│┃*+\-\u00a0]|[0-9]{1,6}[:-](?=\s))+")
_TAGS = re.compile(
    r"</?(?:br|p|pre|code|div|span|li|ul|td|tr|b|i|tt|blockquote)\b[^<>]{0,80}>|"
    r"\[/?(?:code|quote|b|i|u|size|font|color|spoiler|pre|list|tt|icode|mono|\*)(?:=[^\]\n]{0,60})?\]|"
    r"\{(?:code|noformat)[^}\n]{0,40}\}|`+|\*\*",
    re.IGNORECASE,
)
_MARKS = dict.fromkeys(map(ord, "<[{`*"))
_SIZE = re.compile(r"([0-9]{1,9}) ?(bytes?|[kKMGT]i?B)\b", re.ASCII)
_SIZE_UNITS = {"b": 1, "k": KIBI, "m": KIBI**2, "g": KIBI**3, "t": KIBI**4}


@dataclass
class Structure:
    """One structure: its type, its fields, and the lines below them that are none (`System is a virtual machine`).

    `length` is the number of bytes of its formatted area and `handle` its number, where the text has them.
    """

    kind: int
    length: int | None = None
    handle: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    items: list[str] = field(default_factory=list)


def lines_of(text: str) -> Iterator[str]:
    """Yield the lines without what stands around them."""
    for line in text.splitlines():
        if len(line) > _LONGEST_LINE:
            continue
        plain = html.unescape(line) if "&" in line else line
        plain = _TAGS.sub("", plain) if plain.translate(_MARKS) != plain else plain
        yield _MARGIN.sub("", plain).strip()


def structures_of(text: str) -> list[Structure]:
    """Return the structures in their order. A title without a handle begins one too."""
    found: list[Structure] = []
    for line in lines_of(text):
        handle, title = _HANDLE.search(line), _TITLES.get(line.removesuffix(" Block"))
        is_new = handle is not None or (title is not None and not _begins(found, title))
        if is_new and len(found) < MOST_STRUCTURES:
            found.append(_begun(handle, title))
        elif found and title is None:
            _put(found[-1], line)
    return _without_repeats(found)


def begins_a_structure(line: str) -> bool:
    """Return whether a line is a handle or a title."""
    return _HANDLE.search(line) is not None or line.removesuffix(" Block") in _TITLES


def field_of(line: str) -> tuple[str, str] | None:
    """Return name and value of a line that is a field, the name as newer versions print it."""
    match = _FIELD.fullmatch(line)
    return None if match is None else (_OLD_NAMES.get(match[1], match[1]), match[2].strip())


def _begun(handle: re.Match[str] | None, title: int | None) -> Structure:
    if handle is None:
        return Structure(title or 0)
    return Structure(int(handle[2]), int(handle[3]) if handle[3] else None, handle[1] or "")


def _without_repeats(structures: Sequence[Structure]) -> list[Structure]:
    """Return each structure once: people paste `dmidecode` and `dmidecode -t memory` below each other."""
    seen: dict[tuple[int, str], list[dict[str, str]]] = {}
    kept = []
    for found in structures:
        others = seen.setdefault((found.kind, found.handle), [])
        if not found.handle or found.fields not in others:
            kept.append(found)
            others.append(found.fields)
    return kept


def _begins(found: Sequence[Structure], kind: int) -> bool:
    """Return whether the last structure is of this type and nothing of it was read yet: its handle stood before."""
    return bool(found) and found[-1].kind == kind and not found[-1].fields


def _put(structure: Structure, line: str) -> None:
    found = field_of(line)
    if found is None:
        structure.items.append(line)
    else:
        structure.fields.setdefault(*found)


def untitled_devices(text: str) -> Iterator[dict[str, str]]:
    """Yield the devices of a text that has fields only, such as `dmidecode -t 17 | grep -E "Size|Type|Speed"`."""
    fields: dict[str, str] = {}
    last = -1
    for line in lines_of(text):
        found = field_of(line)
        if found is None or found[0] not in _DEVICE_PLACE:
            continue
        name, value = found
        if _DEVICE_PLACE[name] <= last:
            yield fields
            fields = {}
        last = _DEVICE_PLACE[name]
        fields[name] = value
    if "Size" in fields:
        yield fields


def size_of(text: str) -> int | None:
    """Return the bytes of `8192 MB` or `8 GB`; None for anything else, such as `No Module Installed`."""
    match = _SIZE.match(text)
    return int(match[1]) * _SIZE_UNITS[match[2][0].lower()] if match is not None else None


# --- whether a text is whole ----------------------------------------------------------------------------------------

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
        return "the text ends at the start of a structure"
    expected = _slots_of_arrays(structures)
    devices = sum(found.kind == DEVICE for found in structures)
    if devices == expected:
        return ""
    counted = _COUNTED.search(text)
    if counted is not None and len(structures) < int(counted[1]) and _WRONG_COUNT not in text:
        return f"the text is truncated: it has {len(structures)} of {counted[1]} structures"
    if last.kind in (ARRAY, DEVICE) and devices < expected:
        return f"the text is truncated: it lists {devices} of {expected} memory devices"
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
