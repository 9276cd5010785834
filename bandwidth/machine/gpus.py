"""GPUs and other display controllers on the PCI bus, and how each is linked; no driver is needed."""

from __future__ import annotations

import re

from bandwidth.machine.facts import Fact, Json, known
from bandwidth.machine.reader import Reader, read_integer, read_line

_PCI_FOLDER = "/sys/bus/pci/devices"
_DISPLAY_CLASS = "0x03"  # PCI Code and ID Assignment: 03h, display controller; 0302h is a GPU without an output
_UNKNOWN_WIDTH = 255  # what the kernel writes for a device without a PCIe link
_VENDORS = {
    "10de": "NVIDIA",
    "1002": "AMD",
    "8086": "Intel",
    "1a03": "ASPEED",
    "102b": "Matrox",
    "1af4": "virtio",
    "1234": "QEMU",
    "15ad": "VMware",
    "1414": "Microsoft",
}


def gpu_facts(reader: Reader) -> dict[str, Fact]:
    """Return `gpus`: address, PCI ids and link of each display controller, empty where there is none.

    The link is as it is now: an idle GPU trains down to save power. Nothing is returned outside Linux.
    """
    if reader.system != "Linux":
        return {}
    addresses = [name for name in reader.names(_PCI_FOLDER) if _is_display(reader, name)]
    return known("gpus", [_gpu(reader, address) for address in addresses], _PCI_FOLDER)


def _is_display(reader: Reader, address: str) -> bool:
    return (reader.text(f"{_PCI_FOLDER}/{address}/class") or "").startswith(_DISPLAY_CLASS)


def _gpu(reader: Reader, address: str) -> Json:
    folder = f"{_PCI_FOLDER}/{address}"
    vendor_id = _identifier(reader, f"{folder}/vendor")
    node = read_integer(reader, f"{folder}/numa_node")
    facts = {
        "address": address,
        "vendor": _VENDORS.get(vendor_id or ""),
        "vendor_id": vendor_id,
        "device_id": _identifier(reader, f"{folder}/device"),
        "numa_node": node if node is not None and node >= 0 else None,
        "current_link_gt_s": _speed(reader, f"{folder}/current_link_speed"),
        "max_link_gt_s": _speed(reader, f"{folder}/max_link_speed"),
        "current_link_width": _width(reader, f"{folder}/current_link_width"),
        "max_link_width": _width(reader, f"{folder}/max_link_width"),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _identifier(reader: Reader, path: str) -> str | None:
    match = re.fullmatch(r"0x([0-9a-fA-F]{4})", read_line(reader, path) or "", re.ASCII)
    return match[1].lower() if match else None


def _speed(reader: Reader, path: str) -> float | None:
    """Return the GT/s of `16.0 GT/s PCIe` or, of older kernels, `16 GT/s`; None for `Unknown`."""
    match = re.match(r"([0-9]{1,4}(?:\.[0-9]{1,3})?) GT/s", read_line(reader, path) or "", re.ASCII)
    return float(match[1]) if match else None


def _width(reader: Reader, path: str) -> int | None:
    width = read_integer(reader, path)
    return width if width is not None and 0 < width < _UNKNOWN_WIDTH else None
