"""The memory modules as macOS and Windows tell them: by a command of the system, no root needed.

The answers may be cut or garbled: whatever they hold, reading them ends and raises nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bandwidth.machine.reader import whole_number
from bandwidth.machine.smbios import MEMORY_TYPES, Module, plausible_mt_s, plausible_width_bits
from bandwidth.units import KIBI

SYSTEM_PROFILER = ("system_profiler", "SPMemoryDataType", "-xml")
_PHYSICAL_MEMORY_FIELDS = (
    "SMBIOSMemoryType", "Speed", "ConfiguredClockSpeed", "Capacity", "DeviceLocator", "BankLabel", "DataWidth",
)  # fmt: skip
PHYSICAL_MEMORY = (
    "powershell",
    "-NoProfile",
    "-Command",
    f"Get-CimInstance Win32_PhysicalMemory | Select-Object {', '.join(_PHYSICAL_MEMORY_FIELDS)} | ConvertTo-Json",
)

_DEEPEST = 8  # slots lie two deep
_LARGEST_BYTES = KIBI**5
_LONGEST_TEXT = 100
_SIZE = re.compile(r"([0-9]{1,9}) (MB|GB|TB)", re.ASCII)
_SIZE_UNITS = {"MB": KIBI**2, "GB": KIBI**3, "TB": KIBI**4}
_SPEED = re.compile(r"([0-9]{1,6}) (?:MHz|MT/s)", re.ASCII)


def parse_system_profiler(text: str) -> tuple[Module, ...]:
    """Return the slots of `system_profiler SPMemoryDataType -xml`, the empty ones among them.

    Intel Macs name each slot (`BANK 0/ChannelA-DIMM0`) and give the module's speed, whose MHz are MT/s. Apple
    silicon has one entry without a name: type and size of all its memory, no speed.
    """
    return tuple(_darwin_module(entry) for entry in _entries(_plist(text)) if "dimm_type" in entry)


def parse_physical_memory(text: str) -> tuple[Module, ...]:
    """Return the modules of Win32_PhysicalMemory as JSON; one module alone is not in a list. Empty slots are absent.

    The fields are SMBIOS's of type 17 and their MHz are MT/s. 0 stands for what is not known.
    """
    return tuple(_windows_module(entry) for entry in _entries(_json(text)) if "Capacity" in entry)


def _darwin_module(entry: dict[object, object]) -> Module:
    bank, slash, slot = (_text(entry.get("_name")) or "").partition("/")
    size = _SIZE.fullmatch(_text(entry.get("dimm_size")) or _text(entry.get("SPMemoryDataType")) or "")
    speed = _SPEED.fullmatch(_text(entry.get("dimm_speed")) or "")
    size_bytes = _plausible_bytes(int(size[1]) * _SIZE_UNITS[size[2]]) if size else None
    return Module(
        locator=(slot if slash else bank) or None,
        bank_locator=(bank if slash else "") or None,
        type=_text(entry.get("dimm_type")),
        size_bytes=size_bytes,
        rated_mt_s=plausible_mt_s(int(speed[1])) if speed else None,
        populated=size_bytes is not None,
    )


def _windows_module(entry: dict[object, object]) -> Module:
    size_bytes = _plausible_bytes(_number(entry.get("Capacity")))
    return Module(
        locator=_text(entry.get("DeviceLocator")),
        bank_locator=_text(entry.get("BankLabel")),
        type=MEMORY_TYPES.get(_number(entry.get("SMBIOSMemoryType")) or 0),
        size_bytes=size_bytes,
        data_width_bits=plausible_width_bits(_number(entry.get("DataWidth"))),
        rated_mt_s=plausible_mt_s(_number(entry.get("Speed"))),
        configured_mt_s=plausible_mt_s(_number(entry.get("ConfiguredClockSpeed"))),
        populated=size_bytes is not None,
    )


def _plist(text: str) -> object:
    import plistlib
    from xml.parsers.expat import ExpatError

    # plistlib checks little: a bad date, number or nesting comes out as whatever it stumbles over.
    stumbles = (ValueError, TypeError, AttributeError, IndexError, KeyError, OverflowError, RecursionError)
    try:
        return plistlib.loads(text.encode(), fmt=plistlib.FMT_XML)
    except (ExpatError, *stumbles):
        return None


def _json(text: str) -> object:
    import json

    try:
        return json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return None


def _entries(value: object, depth: int = 0) -> Iterator[dict[object, object]]:
    """Yield every dict of nested lists and dicts: the slots lie in `_items` of `_items`, at one level or two."""
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from _entries(child, depth + 1)


def _number(value: object) -> int | None:
    """Return a whole number, which PowerShell may quote."""
    if isinstance(value, str):
        return whole_number(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _plausible_bytes(size: int | None) -> int | None:
    return size if size is not None and 0 < size <= _LARGEST_BYTES else None


def _text(value: object) -> str | None:
    """Return a text without what cannot be printed, None where there is none."""
    if not isinstance(value, str):
        return None
    return "".join(character for character in value if character.isprintable()).strip()[:_LONGEST_TEXT] or None
