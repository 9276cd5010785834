"""GPUs and other display controllers on the PCI bus, how each is linked, and what its driver adds.

The PCI bus is read without a driver; AMD's and NVIDIA's tell of the memory where they are there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from bandwidth.machine.facts import Fact, Facts, Json, known
from bandwidth.machine.kfd import KFD_FOLDER, kfd_gpus
from bandwidth.machine.nvml import NVML, Nvml, nvml_gpus
from bandwidth.machine.reader import Reader, read_integer, read_line

_PCI_FOLDER = "/sys/bus/pci/devices"
_DISPLAY_CLASS = "0x03"  # PCI Code and ID Assignment: 03h, display controller; 0302h is a GPU without an output
_UNKNOWN_WIDTH = 255  # what the kernel writes for a device without a PCIe link
_NVIDIA_ID = "10de"
_NVIDIA_CONTROL = "nvidiactl"
_NVIDIA_DEVICES = {_NVIDIA_CONTROL, "dxg"}
# PCIe's rate in GT/s tells its generation.
_GENERATIONS = {2.5: 1.0, 5.0: 2.0, 8.0: 3.0, 16.0: 4.0, 32.0: 5.0, 64.0: 6.0}
_VENDORS = {
    _NVIDIA_ID: "NVIDIA",
    "1002": "AMD",
    "8086": "Intel",
    "1a03": "ASPEED",
    "102b": "Matrox",
    "1af4": "virtio",
    "1234": "QEMU",
    "15ad": "VMware",
    "1414": "Microsoft",
}


def gpu_facts(reader: Reader, nvml: Nvml | None = None) -> dict[str, Fact]:
    """Return `gpus`: address, PCI ids, link and memory of each, empty where there is none.

    `memory_bytes`, `memory_width_bits`, `memory_clock_mhz` and `name` are the drivers'; where NVML and sysfs both
    state a width of the link, NVML's counts, which heeds the slot. The link is as it is now: an idle GPU trains
    down to save power. Outside Linux only NVML is asked, and nothing is returned where it has nothing.
    """
    found = _pci_gpus(reader)
    sources = [_PCI_FOLDER] if reader.system == "Linux" else []
    for source, described in ((KFD_FOLDER, _kfd(reader)), (NVML, _nvml(reader, nvml, found))):
        sources += [source] if described else []
        for address, facts in described.items():
            found[address] = {**(found.get(address) or _gpu(reader, address)), **facts}
    listed: Json = [*found.values()]
    return known("gpus", listed, ", ".join(sources)) if sources else {}


def has_nvidia(reader: Reader, facts: Facts) -> bool:
    """Return whether an NVIDIA GPU is here: on the bus, by its driver, or by the driver's device in a container."""
    listed = facts.value("gpus")
    found = [gpu for gpu in listed if isinstance(gpu, dict)] if isinstance(listed, list) else []
    is_listed = any(gpu.get("vendor_id") == _NVIDIA_ID or gpu.get("vendor") == "NVIDIA" for gpu in found)
    return is_listed or (reader.system == "Linux" and _NVIDIA_CONTROL in reader.names("/dev"))


def sysfs_link(reader: Reader, address: str) -> dict[str, float]:
    """Return the generation and width of a PCIe link as it is now, nothing where sysfs does not tell."""
    folder = f"{_PCI_FOLDER}/{address}"
    generation = _GENERATIONS.get(_speed(reader, f"{folder}/current_link_speed") or 0.0)
    width = _width(reader, f"{folder}/current_link_width")
    return {} if generation is None or width is None else {"link_generation": generation, "link_width": float(width)}


def _pci_gpus(reader: Reader) -> dict[str, dict[str, Json]]:
    addresses = reader.names(_PCI_FOLDER) if reader.system == "Linux" else ()
    return {address: _gpu(reader, address) for address in addresses if _is_display(reader, address)}


def _kfd(reader: Reader) -> dict[str, dict[str, Json]]:
    return kfd_gpus(reader) if reader.system == "Linux" else {}


def _nvml(reader: Reader, nvml: Nvml | None, found: Mapping[str, Mapping[str, Json]]) -> dict[str, dict[str, Json]]:
    """Return NVML's GPUs. On Linux it is asked only where a sign of one is: its package takes time to import."""
    if nvml is None or (reader.system == "Linux" and not _may_have_nvidia(reader, found)):
        return {}
    return nvml_gpus(nvml)


def _may_have_nvidia(reader: Reader, found: Mapping[str, Mapping[str, Json]]) -> bool:
    """Return whether a GPU or a driver's device is there; a sandbox may hide the bus, and WSL has `dxg` alone."""
    seen = any(gpu.get("vendor_id") == _NVIDIA_ID for gpu in found.values())
    return seen or not _NVIDIA_DEVICES.isdisjoint(reader.names("/dev"))


def _is_display(reader: Reader, address: str) -> bool:
    return (reader.text(f"{_PCI_FOLDER}/{address}/class") or "").startswith(_DISPLAY_CLASS)


def _gpu(reader: Reader, address: str) -> dict[str, Json]:
    folder = f"{_PCI_FOLDER}/{address}"
    vendor_id = _identifier(reader, f"{folder}/vendor")
    node = read_integer(reader, f"{folder}/numa_node")
    facts: dict[str, Json | None] = {
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
