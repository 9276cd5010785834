"""Renders machines as dmidecode prints them, by its documented layout: whole or memory only, new words or old."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NEW, OLD = "Configured Memory Speed", "Configured Clock Speed"
_VENDORS = {"GenuineIntel": "Intel(R) Corporation", "AuthenticAMD": "Advanced Micro Devices, Inc."}
# Of the fields behind the type, those that a structure is long enough for (DSP0134, section 7.18).
_SPEED, _RANK, _CONFIGURED = 0x17, 0x1C, 0x22


def machine_text(machine: Mapping[str, Any], *, whole: bool = True, configured: str = NEW) -> str:
    """Return the text of a machine given as a line of the shared machines.jsonl."""
    devices = machine["devices"]
    parts = [_bios(machine), _system(machine), _board(machine), *_processors(machine)] if whole else []
    parts.append(structure(0x1000, 16, 23, "Physical Memory Array", {"Use": "System Memory", **_count(devices)}))
    parts += [_device(device, 0x1100 + index, configured) for index, device in enumerate(devices)]
    if whole:
        parts.append(structure(0x1300, 19, 31, "Memory Array Mapped Address", {"Range Size": "16 GB"}))
        parts.append("Handle 0x7F00, DMI type 127, 4 bytes\nEnd Of Table\n")
    counted = f"{len(parts)} structures occupying {100 * len(parts)} bytes.\nTable at 0x000E0000.\n" if whole else ""
    return f"# dmidecode 3.3\nGetting SMBIOS data from sysfs.\nSMBIOS 3.2.0 present.\n{counted}\n" + "\n".join(parts)


def structure(handle: int, kind: int, length: int, title: str, fields: Mapping[str, str]) -> str:
    """Return one structure."""
    lines = [f"Handle 0x{handle:04X}, DMI type {kind}, {length} bytes", title]
    return "\n".join([*lines, *(f"\t{name}: {value}" for name, value in fields.items())]) + "\n"


def _count(devices: Sequence[object]) -> dict[str, str]:
    return {"Maximum Capacity": "64 GB", "Number Of Devices": str(len(devices))}


def _bios(machine: Mapping[str, Any]) -> str:
    return structure(
        0, 0, 24, "BIOS Information", {"Vendor": "Example", "Release Date": f"01/02/{machine.get('bios_year')}"}
    )


def _system(machine: Mapping[str, Any]) -> str:
    names = {"Manufacturer": machine.get("maker") or "Not Specified", "Product Name": "Not Specified"}
    return structure(1, 1, 27, "System Information", names)


def _board(machine: Mapping[str, Any]) -> str:
    names = {"Manufacturer": machine.get("maker"), "Product Name": machine.get("board")}
    return structure(
        2, 2, 15, "Base Board Information", {name: text or "Not Specified" for name, text in names.items()}
    )


def _processors(machine: Mapping[str, Any]) -> list[str]:
    vendor, family, model = machine.get("cpuid") or (None, None, None)
    fields = {
        "Socket Designation": "CPU",
        "Type": "Central Processor",
        "Manufacturer": _VENDORS.get(vendor or "", "Unknown"),
    }
    fields |= {"Signature": f"Type 0, Family {family}, Model {model}, Stepping 1"} if vendor else {}
    fields |= {"Version": machine.get("cpu") or "Not Specified", "Status": "Populated, Enabled"}
    return [structure(4 + socket, 4, 48, "Processor Information", fields) for socket in range(machine["sockets"] or 1)]


def _device(device: Mapping[str, Any], handle: int, configured: str) -> str:
    length = device.get("smbios_length") or 0x5C
    fields = {
        "Array Handle": "0x1000",
        "Total Width": device.get("total_width"),
        "Data Width": device.get("data_width"),
        "Size": device.get("size"),
        "Form Factor": device.get("form_factor") or "Unknown",
        "Set": "None",
        "Locator": device.get("locator") or "Not Specified",
        "Bank Locator": device.get("bank") or "Not Specified",
        "Type": device.get("type"),
        "Type Detail": "Synchronous",
    }
    if length >= _SPEED:
        fields |= {"Speed": device.get("speed") or "Unknown", "Manufacturer": "Example", "Serial Number": "SECRET"}
    if length >= _RANK:
        fields |= {"Rank": str(device.get("ranks") or "Unknown")}
    if length >= _CONFIGURED:
        fields |= {configured: device.get("configured") or "Unknown"}
    return structure(handle, 17, length, "Memory Device", {name: value or "Unknown" for name, value in fields.items()})
