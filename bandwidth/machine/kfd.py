"""AMD GPUs as their compute driver describes them: the topology of KFD in sysfs, which any user may read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from bandwidth.machine.facts import Json
from bandwidth.machine.reader import Reader, read_line

KFD_FOLDER = "/sys/class/kfd/kfd/topology/nodes"
_PCI_FOLDER = "/sys/bus/pci/devices"
_GPU_CLASSES = ("0x03", "0x12")  # PCI Code and ID Assignment: display controller, processing accelerator
_AMD_ID = 0x1002
# kfd_crat.h: memory that the GPU has to itself, in reach of the CPU and out of it; 0 is the machine's memory
_OWN_HEAPS = (1, 2)
# What a number must lie within to be believed; the driver writes 0 for what it does not know.
_BYTES = range(1, 2**63)
_WIDTH_BITS = range(8, 65_537)
_CLOCK_MHZ = range(1, 100_001)
_PROPERTY = re.compile(r"([a-z_0-9]{1,40}) ([0-9]{1,20})", re.ASCII)


def kfd_gpus(reader: Reader) -> dict[str, dict[str, Json]]:
    """Return what KFD knows of each AMD GPU by PCI address: `memory_width_bits`, `memory_clock_mhz` and more.

    The clock is the memory's own: how many transfers it makes differs by memory family. A GPU that is split into
    partitions has a node for each; the size of its memory is left out then.
    """
    found: dict[str, dict[str, Json]] = {}
    parts: Counter[str] = Counter()
    for node in reader.names(KFD_FOLDER):
        properties = _properties(reader, f"{KFD_FOLDER}/{node}/properties")
        address = _address(reader, properties)
        if address is not None:
            parts[address] += 1
            found.setdefault(address, _gpu(reader, f"{KFD_FOLDER}/{node}", properties))
    for address in (address for address, count in parts.items() if count > 1):
        found[address].pop("memory_bytes", None)
    return found


def _gpu(reader: Reader, folder: str, properties: Mapping[str, int]) -> dict[str, Json]:
    names = reader.names(f"{folder}/mem_banks")
    listed = [_properties(reader, f"{folder}/mem_banks/{name}/properties") for name in names]
    banks = [bank for bank in listed if bank.get("heap_type") in _OWN_HEAPS]
    device = properties.get("device_id", 0)
    facts: dict[str, Json | None] = {
        "vendor": "AMD",
        "vendor_id": f"{_AMD_ID:04x}",
        "device_id": f"{device:04x}" if 0 < device <= 0xFFFF else None,
        "name": (read_line(reader, f"{folder}/name") or "")[:100] or None,
        "memory_bytes": _within(sum(bank.get("size_in_bytes", 0) for bank in banks), _BYTES),
        "memory_width_bits": _within(max((bank.get("width", 0) for bank in banks), default=0), _WIDTH_BITS),
        "memory_clock_mhz": _within(max((bank.get("mem_clk_max", 0) for bank in banks), default=0), _CLOCK_MHZ),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _address(reader: Reader, properties: Mapping[str, int]) -> str | None:
    """Return the PCI address of a GPU's node, None for a processor's.

    The driver adds the number of a partition to the location, above bit 28 or in the place of the function
    (kfd_topology.c): a function that is no GPU on the bus is a partition of function 0.
    """
    if properties.get("vendor_id") != _AMD_ID or not properties.get("simd_count"):
        return None
    location, domain = properties.get("location_id", 0) & 0xFFFF, properties.get("domain", 0)
    if not location or domain > 0xFFFF_FFFF:
        return None
    device = f"{domain:04x}:{location >> 8:02x}:{location >> 3 & 0x1F:02x}"
    exact, first = f"{device}.{location & 7}", f"{device}.0"
    return first if not _is_gpu(reader, exact) and _is_gpu(reader, first) else exact


def _is_gpu(reader: Reader, address: str) -> bool:
    return (reader.text(f"{_PCI_FOLDER}/{address}/class") or "").startswith(_GPU_CLASSES)


def _properties(reader: Reader, path: str) -> dict[str, int]:
    """Return the numbers of a file of `name value` lines; lines of another form are passed over."""
    matches = (_PROPERTY.fullmatch(line) for line in (reader.text(path) or "").splitlines())
    return {match[1]: int(match[2]) for match in matches if match is not None}


def _within(value: int, bounds: range) -> int | None:
    return value if value in bounds else None
