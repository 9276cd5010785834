"""A GPU's attributes: those that a plan needs, whoever made it, and those that bus and drivers tell of the machine.

The PCI bus is read without a driver, as are AMD GPUs as their compute driver describes them: the topology of KFD in
sysfs, which any user may read. NVIDIA's driver tells of the memory where it is there (nvml.py).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from bandwidth.machine.facts import Fact, Facts, Json, known
from bandwidth.machine.nvml import NVML, Nvml, nvml_gpus
from bandwidth.machine.reader import Reader, read_integer, read_line


@dataclass(frozen=True)
class GpuFacts:
    """What a plan needs to know of a GPU. `address` is its PCI address as sysfs writes it, None where it is not told.

    Zero stands for what the driver does not tell. Where `is_opened` is false it was only asked what it is, and all of
    its memory counts as free. `has_host_link` tells that the GPU shares the page tables of the
    host, as behind NVLink-C2C: its link is not PCIe; `is_unified` that its memory is the host's: there is no link.
    `api` is what drives it, `told` what else its maker says, both for the record; `largest_bytes` the largest single
    array, None where that is all of the memory. `is_processor`: it is no GPU but the host's CPUs.
    """

    number: int
    name: str
    address: str | None
    memory_clock_khz: int
    memory_width_bits: int
    l2_bytes: int
    multiprocessors: int
    free_bytes: int
    total_bytes: int
    has_ecc: bool
    has_host_link: bool
    api: str = ""
    told: Mapping[str, Json] = field(default_factory=dict)
    numa_node: int | None = None
    is_opened: bool = True
    largest_bytes: int | None = None
    is_unified: bool = False
    is_processor: bool = False

    def as_listed(self) -> dict[str, Json]:
        """Return what tells it apart from other devices of this machine."""
        facts: dict[str, Json | None] = {
            "device": self.number,
            "name": self.name,
            "kind": "processor" if self.is_processor else "GPU",
            "api": self.api or None,
            "address": self.address,
            "memory_bytes": self.total_bytes or None,
            "largest_array_bytes": self.largest_bytes,
            "unified_memory": self.is_unified,
            **self.told,
        }
        return {name: value for name, value in facts.items() if value is not None}


# --- on the PCI bus -------------------------------------------------------------------------------------------------

_PCI_FOLDER = "/sys/bus/pci/devices"
_DISPLAY_CLASS = "0x03"  # PCI Code and ID Assignment: 03h, display controller; 0302h is a GPU without an output
_UNKNOWN_WIDTH = 255  # what the kernel writes for a device without a PCIe link
NVIDIA_ID, AMD_ID, INTEL_ID = "10de", "1002", "8086"
NVIDIA_CONTROL = "nvidiactl"
_NVIDIA_DEVICES = {NVIDIA_CONTROL, "dxg"}
# PCIe's rate in GT/s tells its generation.
_GENERATIONS = {2.5: 1.0, 5.0: 2.0, 8.0: 3.0, 16.0: 4.0, 32.0: 5.0, 64.0: 6.0}
_VENDORS = {
    NVIDIA_ID: "NVIDIA",
    AMD_ID: "AMD",
    INTEL_ID: "Intel",
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
    for source, described in ((KFD_FOLDER, _kfd_attributes(reader)), (NVML, _nvml(reader, nvml, found))):
        sources += [source] if described else []
        for address, facts in described.items():
            found[address] = {**(found.get(address) or _gpu(reader, address)), **facts}
    listed: Json = [*found.values()]
    return known("gpus", listed, ", ".join(sources)) if sources else {}


def has_vendor(facts: Facts, *vendor_ids: str) -> bool:
    """Return whether a GPU of one of these vendors is among the facts, by its PCI ID or by its vendor's name."""
    listed, names = facts.value("gpus"), {_VENDORS.get(vendor_id) for vendor_id in vendor_ids}
    found = [gpu for gpu in listed if isinstance(gpu, dict)] if isinstance(listed, list) else []
    return any(gpu.get("vendor_id") in vendor_ids or (gpu.get("vendor") or "") in names for gpu in found)


def sysfs_link(reader: Reader, address: str) -> dict[str, float]:
    """Return the generation and width of a PCIe link as it is now, nothing where sysfs does not tell."""
    folder = f"{_PCI_FOLDER}/{address}"
    generation = _GENERATIONS.get(_speed(reader, f"{folder}/current_link_speed") or 0.0)
    width = _width(reader, f"{folder}/current_link_width")
    return {} if generation is None or width is None else {"link_generation": generation, "link_width": float(width)}


def _pci_gpus(reader: Reader) -> dict[str, dict[str, Json]]:
    addresses = reader.names(_PCI_FOLDER) if reader.system == "Linux" else ()
    return {address: _gpu(reader, address) for address in addresses if _is_display(reader, address)}


def _kfd_attributes(reader: Reader) -> dict[str, dict[str, Json]]:
    return kfd_gpus(reader) if reader.system == "Linux" else {}


def _nvml(reader: Reader, nvml: Nvml | None, found: Mapping[str, Mapping[str, Json]]) -> dict[str, dict[str, Json]]:
    """Return NVML's GPUs. On Linux it is asked only where a sign of one is: its package takes time to import."""
    if nvml is None or (reader.system == "Linux" and not _may_have_nvidia(reader, found)):
        return {}
    return nvml_gpus(nvml)


def _may_have_nvidia(reader: Reader, found: Mapping[str, Mapping[str, Json]]) -> bool:
    """Return whether a GPU or a driver's device is there; a sandbox may hide the bus, and WSL has `dxg` alone."""
    seen = any(gpu.get("vendor_id") == NVIDIA_ID for gpu in found.values())
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


# --- AMD's driver ---------------------------------------------------------------------------------------------------

KFD_FOLDER = "/sys/class/kfd/kfd/topology/nodes"
_GPU_CLASSES = ("0x03", "0x12")  # PCI Code and ID Assignment: display controller, processing accelerator
_AMD_NUMBER = int(AMD_ID, 16)
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
            found.setdefault(address, _kfd_gpu(reader, f"{KFD_FOLDER}/{node}", properties))
    for address in (address for address, count in parts.items() if count > 1):
        found[address].pop("memory_bytes", None)
    return found


def _kfd_gpu(reader: Reader, folder: str, properties: Mapping[str, int]) -> dict[str, Json]:
    names = reader.names(f"{folder}/mem_banks")
    listed = [_properties(reader, f"{folder}/mem_banks/{name}/properties") for name in names]
    banks = [bank for bank in listed if bank.get("heap_type") in _OWN_HEAPS]
    device = properties.get("device_id", 0)
    facts: dict[str, Json | None] = {
        "vendor": "AMD",
        "vendor_id": AMD_ID,
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
    if properties.get("vendor_id") != _AMD_NUMBER or not properties.get("simd_count"):
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
