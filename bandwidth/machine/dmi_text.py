"""The text of dmidecode, as people paste it: any version, quoted, indented or not, among other commands' output.

What counts is the titles and fields that dmidecode prints; everything else is passed over. dmidecode's own source
(dmidecode.c) is the description of the format.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from bandwidth.machine.dmi import Dmi, ProcessorSocket, family_and_model, processor_name, processor_vendor, stated
from bandwidth.machine.smbios import Module, plausible_mt_s, plausible_width_bits
from bandwidth.units import KIBI

_MOST_STRUCTURES = 65_536  # a handle has 16 bits
_LONGEST_LINE = 1000

_END_OF_TABLE = 127
_ARRAY, _DEVICE = 16, 17
# The titles of dmidecode's structures: some older versions put "Block" behind.
_TITLES = {
    "BIOS Information": 0, "Platform Firmware Information": 0, "System Information": 1, "Base Board Information": 2,
    "Chassis Information": 3, "Processor Information": 4, "Memory Controller Information": 5,
    "Memory Module Information": 6, "Cache Information": 7, "Port Connector Information": 8,
    "System Slot Information": 9, "On Board Device Information": 10, "OEM Strings": 11,
    "System Configuration Options": 12, "BIOS Language Information": 13, "Firmware Language Information": 13,
    "Group Associations": 14, "System Event Log": 15, "Physical Memory Array": _ARRAY, "Memory Device": _DEVICE,
    "32-bit Memory Error Information": 18, "Memory Array Mapped Address": 19, "Memory Device Mapped Address": 20,
    "Built-in Pointing Device": 21, "Portable Battery": 22, "System Reset": 23, "Hardware Security": 24,
    "System Power Controls": 25, "Voltage Probe": 26, "Cooling Device": 27, "Temperature Probe": 28,
    "Electrical Current Probe": 29, "Out-of-band Remote Access": 30, "Boot Integrity Services Entry Point": 31,
    "System Boot Information": 32, "64-bit Memory Error Information": 33, "Management Device": 34,
    "Management Device Component": 35, "Management Device Threshold Data": 36, "Memory Channel": 37,
    "IPMI Device Information": 38, "System Power Supply": 39, "Additional Information": 40, "Onboard Device": 41,
    "Management Controller Host Interface": 42, "TPM Device": 43, "Processor Additional Information": 44,
    "Firmware Inventory Information": 45, "String Property": 46, "Inactive": 126, "End Of Table": _END_OF_TABLE,
}  # fmt: skip
# The fields of a memory device in the order in which every version prints them. A text without titles (of grep) has a
# new device where they begin anew.
_DEVICE_ORDER = (
    "Array Handle", "Error Information Handle", "Total Width", "Data Width", "Size", "Form Factor", "Set", "Locator",
    "Bank Locator", "Type", "Type Detail", "Speed", "Manufacturer", "Serial Number", "Asset Tag", "Part Number",
    "Rank", "Configured Memory Speed",
)  # fmt: skip
_OF_DEVICES_ALONE = frozenset(_DEVICE_ORDER) - {
    "Manufacturer",
    "Serial Number",
    "Asset Tag",
    "Type",
    "Speed",
    "Size",
    "Set",
}
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
_COUNTED = re.compile(r"([0-9]{1,6}) structures occupying [0-9]{1,9} bytes", re.ASCII)
_WRONG_COUNT = "Wrong DMI structures count"
# Fields that a filled slot has from this length of its structure on (DSP0134, section 7.18).
_LENGTHS = {"Speed": 0x17, "Configured Memory Speed": 0x22}
_SIZE_BEGUN = re.compile(r"[0-9]+ ?[kKMGT]?", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,9}) ?(bytes?|[kKMGT]i?B)\b", re.ASCII)
_SIZE_UNITS = {"b": 1, "k": KIBI, "m": KIBI**2, "g": KIBI**3, "t": KIBI**4}
_SPEED = re.compile(r"([0-9]{1,6})(?:\.[0-9]+)? ?(?:MHz|MT/s)", re.ASCII | re.IGNORECASE)
_WIDTH = re.compile(r"([0-9]{1,5}) bits?", re.ASCII)
_X86 = re.compile(r"Family ([0-9]{1,5}), Model ([0-9]{1,5})", re.ASCII)
_ARM = re.compile(r"Implement[eo]r 0x([0-9a-fA-F]{1,2}),.*Part 0x([0-9a-fA-F]{1,3})", re.ASCII)
_IDENTITY = re.compile(r"(?:[0-9A-Fa-f]{2} ){3}[0-9A-Fa-f]{2}", re.ASCII)
_NO_STRING = ("Not Specified", "<BAD INDEX>", "<OUT OF SPEC>")
_SAYS_NOTHING = ("Unknown", "Other", "None", *_NO_STRING)


@dataclass
class _Structure:
    """One structure: its type, its fields, and the lines below them that are none (`System is a virtual machine`).

    `length` is the number of bytes of its formatted area and `handle` its number, where the text has them.
    """

    kind: int
    length: int | None = None
    handle: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    items: list[str] = field(default_factory=list)


def dmi_of_text(text: str) -> Dmi:
    """Return what a text of dmidecode says; what it does not say, or says in no way that is known, is not there."""
    structures = _structures(text)
    devices = [found.fields for found in structures if found.kind == _DEVICE]
    if not devices and not structures:
        devices = list(_untitled_devices(text))
    machine = _machine(structures)
    return replace(
        machine,
        slots=tuple(_module(fields) for fields in devices),
        sockets=tuple(_socket(found.fields) for found in structures if found.kind == 4 and _is_central(found.fields)),
        doubt=_doubt(text, structures),
    )


# --- lines ----------------------------------------------------------------------------------------------------------


def _lines(text: str) -> Iterator[str]:
    """Yield the lines without what stands around them."""
    for line in text.splitlines():
        if len(line) > _LONGEST_LINE:
            continue
        plain = html.unescape(line) if "&" in line else line
        plain = _TAGS.sub("", plain) if plain.translate(_MARKS) != plain else plain
        yield _MARGIN.sub("", plain).strip()


_MARKS = dict.fromkeys(map(ord, "<[{`*"))


def _structures(text: str) -> list[_Structure]:
    """Return the structures in their order. A title without a handle begins one too."""
    found: list[_Structure] = []
    for line in _lines(text):
        handle, title = _HANDLE.search(line), _TITLES.get(line.removesuffix(" Block"))
        is_new = handle is not None or (title is not None and not _begins(found, title))
        if is_new and len(found) < _MOST_STRUCTURES:
            found.append(_begun(handle, title))
        elif found and title is None:
            _put(found[-1], line)
    return _without_repeats(found)


def _begun(handle: re.Match[str] | None, title: int | None) -> _Structure:
    if handle is None:
        return _Structure(title or 0)
    return _Structure(int(handle[2]), int(handle[3]) if handle[3] else None, handle[1] or "")


def _without_repeats(structures: Sequence[_Structure]) -> list[_Structure]:
    """Return each structure once: people paste `dmidecode` and `dmidecode -t memory` below each other."""
    seen: dict[tuple[int, str], list[dict[str, str]]] = {}
    kept = []
    for found in structures:
        others = seen.setdefault((found.kind, found.handle), [])
        if not found.handle or found.fields not in others:
            kept.append(found)
            others.append(found.fields)
    return kept


def _begins(found: Sequence[_Structure], kind: int) -> bool:
    """Return whether the last structure is of this type and nothing of it was read yet: its handle stood before."""
    return bool(found) and found[-1].kind == kind and not found[-1].fields


def _put(structure: _Structure, line: str) -> None:
    match = _FIELD.fullmatch(line)
    if match is None:
        structure.items.append(line)
    else:
        structure.fields.setdefault(_OLD_NAMES.get(match[1], match[1]), (match[2] or "").strip())


def _untitled_devices(text: str) -> Iterator[dict[str, str]]:
    """Yield the devices of a text that has fields only, such as `dmidecode -t 17 | grep -E "Size|Type|Speed"`."""
    fields: dict[str, str] = {}
    last = -1
    for line in _lines(text):
        match = _FIELD.fullmatch(line)
        name = None if match is None else _OLD_NAMES.get(match[1], match[1])
        if match is None or name not in _DEVICE_PLACE:
            continue
        if _DEVICE_PLACE[name] <= last:
            yield fields
            fields = {}
        last = _DEVICE_PLACE[name]
        fields[name] = (match[2] or "").strip()
    if "Size" in fields:
        yield fields


def _doubt(text: str, structures: Sequence[_Structure]) -> str:
    """Return why the list of memory devices cannot be whole, empty where nothing says so."""
    if not structures:
        return ""
    if len(_orphans(text) & _OF_DEVICES_ALONE) > 1:
        return "the text begins within a memory device"
    if structures[-1].kind == _DEVICE and not _is_whole(structures):
        return "the text ends within a memory device"
    expected = _slots_of_arrays(structures)
    devices = sum(found.kind == _DEVICE for found in structures)
    if devices == expected:
        return ""
    counted = _COUNTED.search(text)
    if counted is not None and len(structures) < int(counted[1]) and _WRONG_COUNT not in text:
        return f"the text is cut: it has {len(structures)} of {counted[1]} structures"
    if structures[-1].kind in (_ARRAY, _DEVICE) and devices < expected:
        return f"the text is cut: it lists {devices} of {expected} memory devices"
    return ""


def _orphans(text: str) -> set[str]:
    """Return the names of the fields before the first structure."""
    names: set[str] = set()
    for line in _lines(text):
        if _HANDLE.search(line) or line.removesuffix(" Block") in _TITLES:
            break
        match = _FIELD.fullmatch(line)
        names |= set() if match is None else {_OLD_NAMES.get(match[1], match[1])}
    return names


def _is_whole(structures: Sequence[_Structure]) -> bool:
    """Return whether the last structure, a memory device, has the fields that its length or its neighbour has.

    dmidecode prints no more of an empty slot than what it is.
    """
    last, *others = reversed(structures)
    if not {"Size", "Locator", "Type"} <= last.fields.keys():
        return False
    if not _size_bytes(last.fields["Size"]):
        return last.fields["Size"] != "" and _SIZE_BEGUN.fullmatch(last.fields["Size"]) is None
    if last.length is not None:
        needed = {name for name, length in _LENGTHS.items() if last.length >= length}
    else:
        neighbour = next(
            (found for found in others if found.kind == _DEVICE and _size_bytes(found.fields.get("Size", ""))), last
        )
        needed = {name for name in _LENGTHS if name in neighbour.fields}
    return needed <= last.fields.keys() and all(last.fields[name] for name in needed)


def _slots_of_arrays(structures: Sequence[_Structure]) -> int:
    """Return how many devices the arrays say that they have, 0 where none is described."""
    counts = [found.fields.get("Number Of Devices", "") for found in structures if found.kind == _ARRAY]
    return sum(int(count) for count in counts if re.fullmatch(r"[0-9]{1,5}", count, re.ASCII))


# --- what the structures say ----------------------------------------------------------------------------------------


def _machine(structures: Sequence[_Structure]) -> Dmi:
    """Return what types 0, 1, 2 and 20 say of the machine; of several boards the first counts."""
    first: dict[int, _Structure] = {}
    for found in structures:
        first.setdefault(found.kind, found)

    def of(kind: int, name: str) -> str | None:
        return stated(first[kind].fields.get(name)) if kind in first else None

    depths = [
        int(depth)
        for found in structures
        if found.kind == 20 and (depth := found.fields.get("Interleaved Data Depth", "")).isascii() and depth.isdigit()
    ]
    return Dmi(
        firmware_vendor=of(0, "Vendor"),
        system_vendor=of(1, "Manufacturer"),
        product_name=of(1, "Product Name"),
        board_vendor=of(2, "Manufacturer"),
        board_name=of(2, "Product Name"),
        says_virtual=0 in first and "System is a virtual machine" in first[0].items,
        interleave_depth=max((depth for depth in depths if 0 < depth < 256), default=None),
    )


def _is_central(fields: dict[str, str]) -> bool:
    return fields.get("Type", "Central Processor") in ("Central Processor", "Unknown", "")


def _socket(fields: dict[str, str]) -> ProcessorSocket:
    version, manufacturer = fields.get("Version"), fields.get("Manufacturer")
    vendor = processor_vendor(manufacturer, version)
    arm = _ARM.search(fields.get("Signature", ""))
    family, model = (None, None) if vendor is None or arm is not None else _family_and_model(fields)
    cores = fields.get("Core Count", "")
    return ProcessorSocket(
        name=processor_name(version),
        vendor=vendor,
        family=family,
        model=model,
        implementer=int(arm[1], 16) if arm else None,
        part=int(arm[2], 16) if arm else None,
        cores=int(cores) or None if re.fullmatch(r"[0-9]{1,5}", cores, re.ASCII) else None,
        populated=not fields.get("Status", "Populated").startswith("Unpopulated"),
    )


def _family_and_model(fields: dict[str, str]) -> tuple[int | None, int | None]:
    """Return the numbers of `Signature: Type 0, Family 6, Model 158, Stepping 10`, else those of the bytes `ID`."""
    signature = _X86.search(fields.get("Signature", ""))
    if signature is not None:
        return int(signature[1]), int(signature[2])
    identity = _IDENTITY.match(fields.get("ID", ""))
    number = int.from_bytes(bytes.fromhex(identity[0]), "little") if identity is not None else 0
    return family_and_model(number) if number else (None, None)


def _module(fields: dict[str, str]) -> Module:
    size = _size_bytes(fields.get("Size", ""))
    return Module(
        locator=_string(fields.get("Locator")),
        bank_locator=_string(fields.get("Bank Locator")),
        type=_type(fields.get("Type")),
        size_bytes=size or None,
        data_width_bits=plausible_width_bits(_number(_WIDTH, fields.get("Data Width"))),
        rated_mt_s=plausible_mt_s(_number(_SPEED, fields.get("Speed"))),
        configured_mt_s=plausible_mt_s(_number(_SPEED, fields.get("Configured Memory Speed"))),
        form_factor=_kind(fields.get("Form Factor")),
        ranks=_ranks(fields.get("Rank")),
        populated=bool(size),
    )


def _size_bytes(text: str) -> int | None:
    match = _SIZE.match(text)
    return int(match[1]) * _SIZE_UNITS[match[2][0].lower()] if match is not None else None


def _number(pattern: re.Pattern[str], text: str | None) -> int | None:
    match = pattern.match(text or "")
    return int(match[1]) if match is not None else None


def _ranks(text: str | None) -> int | None:
    return int(text) or None if text is not None and re.fullmatch(r"[0-9]{1,2}", text, re.ASCII) else None


def _type(text: str | None) -> str | None:
    """Return the type; "Other" and "Unknown" are said by the firmware, and tell that a table is made up."""
    return None if not text or text in _NO_STRING else _printable(text)


def _kind(text: str | None) -> str | None:
    return None if not text or text in _SAYS_NOTHING else _printable(text)


def _string(text: str | None) -> str | None:
    return None if not text or text in _NO_STRING else _printable(text)


def _printable(text: str) -> str | None:
    return "".join(letter for letter in text if letter.isprintable()).strip()[:100] or None
