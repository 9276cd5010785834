"""SMBIOS as bytes: the bare table, or what `dmidecode --dump-bin` wrote, an entry point and the table behind it.

DMTF DSP0134 (3.8): section 5.2 (entry points), 7.1 to 7.5 (types 0, 1, 2, 4) and 7.21 (type 20).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from bandwidth.machine.smbios import (
    END_OF_TABLE,
    Dmi,
    ProcessorSocket,
    double_word_at,
    family_and_model,
    parse_memory_devices,
    processor_name,
    processor_vendor,
    stated,
    string_of,
    structures,
    word_at,
)

_ANCHORS = (b"_SM3_", b"_SM_", b"_DMI_")
_CENTRAL_PROCESSOR = 3
_SHORTEST_PROCESSOR = 0x1A  # SMBIOS 2.0
_ARM_FAMILIES = frozenset({0x100, 0x101, 0x102, 0x118, 0x119})  # ARMv7, ARMv8, ARMv9, ARM, StrongARM
_IN_FAMILY_2 = 0xFE
_POPULATED = 0x40
_VIRTUAL = 0x10  # bit 4 of the second extension byte of the BIOS characteristics
_DEPTH_UNKNOWN = 0xFF


def is_table(content: bytes) -> bool:
    """Return whether bytes begin with an entry point, or with two structures at least; no text has two zeros."""
    if content.startswith(_ANCHORS):
        return True
    kinds = [kind for kind, _, _ in islice(structures(content), 2)]
    return len(kinds) > 1 and kinds[0] < END_OF_TABLE


def dmi_of_dump(content: bytes) -> Dmi:
    """Return the contents of a table that may have an entry point before it; what cannot be read is not there.

    A table that ends before its end marker may lack modules, unless it is as long as its structures and as its entry
    point says: before SMBIOS 2.2 there was no marker.
    """
    table, declared = _table(content)
    found = dmi_of_table(table)
    has_end = any(kind == END_OF_TABLE for kind, _, _ in structures(table))
    is_whole = has_end or (_length(table) == len(table) and (declared is None or declared <= len(table)))
    return (
        found
        if is_whole or found.is_empty
        else replace(found, doubt="the table is truncated: its end marker is missing")
    )


def _length(table: bytes) -> int:
    """Return how many bytes the structures of a table take that can be read; two zeros end each one's strings."""
    return sum(len(area) + len(b"\0".join(strings)) + 2 for _, area, strings in structures(table))


def dmi_of_table(table: bytes) -> Dmi:
    """Return the contents of a bare table."""
    found = Dmi(slots=parse_memory_devices(table))
    sockets: list[ProcessorSocket] = []
    for kind, area, strings in structures(table):
        if kind == 0 and len(area) > 0x05:
            found = replace(found, firmware_vendor=_stated(area, 0x04, strings), says_virtual=_says_virtual(area))
        elif kind == 1 and found.system_vendor is None:
            names = _stated(area, 0x04, strings), _stated(area, 0x05, strings)
            found = replace(found, system_vendor=names[0], product_name=names[1])
        elif kind == 2 and found.board_name is None:
            names = _stated(area, 0x04, strings), _stated(area, 0x05, strings)
            found = replace(found, board_vendor=names[0], board_name=names[1])
        elif kind == 4 and len(area) >= _SHORTEST_PROCESSOR and area[0x05] == _CENTRAL_PROCESSOR:
            sockets.append(_socket(area, strings))
        elif kind == 20 and len(area) > 0x12 and 0 < area[0x12] < _DEPTH_UNKNOWN:
            found = replace(found, interleave_depth=max(found.interleave_depth or 0, area[0x12]))
    return replace(found, sockets=tuple(sockets))


def _table(content: bytes) -> tuple[bytes, int | None]:
    """Return the table behind an entry point, and how long that says it is.

    It lies where the entry point says, or right behind it where the address is the memory's.
    """
    if content.startswith(b"_SM3_"):
        start, length, size = double_word_at(content, 0x10) or 0, double_word_at(content, 0x0C), content[6:7]
    elif content.startswith(b"_SM_"):
        start, length, size = double_word_at(content, 0x18) or 0, word_at(content, 0x16), content[5:6]
    elif content.startswith(b"_DMI_"):
        start, length, size = double_word_at(content, 0x08) or 0, word_at(content, 0x06), b"\x0f"
    else:
        return content, None
    entry = size[0] if size and size[0] >= 0x0F else 0x1F
    begin = start if entry <= start < len(content) else entry
    return (content[begin : begin + length] if length else content[begin:]), length


def _socket(area: bytes, strings: Sequence[bytes]) -> ProcessorSocket:
    version, manufacturer = _text(area, 0x10, strings), _text(area, 0x07, strings)
    vendor = processor_vendor(manufacturer, version)
    identity = double_word_at(area, 0x08) or 0
    is_arm = _family(area) in _ARM_FAMILIES
    family, model = family_and_model(identity) if vendor is not None and identity and not is_arm else (None, None)
    cores = area[0x23] if len(area) > 0x23 else 0
    if cores == 0xFF:
        cores = word_at(area, 0x2A) or 0
    return ProcessorSocket(
        name=processor_name(version),
        vendor=vendor,
        family=family,
        model=model,
        implementer=identity >> 24 if is_arm and identity else None,
        part=identity >> 4 & 0xFFF if is_arm and identity else None,
        cores=cores or None,
        populated=bool(area[0x18] & _POPULATED),
    )


def _family(area: bytes) -> int:
    return (word_at(area, 0x28) or 0) if area[0x06] == _IN_FAMILY_2 else area[0x06]


def _says_virtual(area: bytes) -> bool:
    return len(area) > 0x13 and bool(area[0x13] & _VIRTUAL)


def _stated(area: bytes, offset: int, strings: Sequence[bytes]) -> str | None:
    return stated(_text(area, offset, strings))


def _text(area: bytes, offset: int, strings: Sequence[bytes]) -> str | None:
    return string_of(area[offset], strings) if offset < len(area) else None
