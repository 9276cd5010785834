"""Builders of captured machines in the documented formats of sysfs, SMBIOS and udev; no text of a real machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pytest

CPU = "/sys/devices/system/cpu"
NODE = "/sys/devices/system/node"
GIB = 1024**3
MIB = 1024**2


@dataclass(frozen=True)
class Slot:
    """One memory device; `size_bytes` 0 is an empty slot."""

    locator: str
    bank: str = ""
    code: int = 0x1A
    name: str = "DDR4"
    size_bytes: int = 0
    rated: int = 0
    configured: int = 0
    width: int = 64


class Build:
    """What the tests build machines with."""

    Slot = Slot

    @staticmethod
    def cpuinfo(vendor: str, family: int, model: int, name: str, flags: str = "fpu sse2 avx2") -> str:
        fields = (
            ("processor", 0), ("vendor_id", vendor), ("cpu family", family), ("model", model), ("model name", name),
            ("flags", flags),
        )  # fmt: skip
        return "".join(f"{field}\t: {value}\n" for field, value in fields) + "\nprocessor\t: 1\nmodel\t: 999\n"

    @staticmethod
    def sysfs(cores: Sequence[Mapping[str, object]], nodes: Mapping[int, str], **lists: str) -> dict[str, str]:
        """Return the tree of cores given as {"cpus": "0,64", "socket": 0, "core_id": 0, "caches": [...]}.

        A cache is (level, type, size, shared_cpu_list).
        """
        files: dict[str, str] = {f"{CPU}/{name}": f"{text}\n" for name, text in lists.items()}
        for node, cpus in nodes.items():
            files[f"{NODE}/node{node}/cpulist"] = f"{cpus}\n"
        for core in cores:
            for cpu in str(core["cpus"]).split(","):
                topology = f"{CPU}/cpu{cpu}/topology"
                files[f"{topology}/core_id"] = f"{core['core_id']}\n"
                files[f"{topology}/physical_package_id"] = f"{core['socket']}\n"
                files[f"{topology}/core_cpus_list"] = f"{core['cpus']}\n"
                for index, cache in enumerate(core.get("caches", ())):  # type: ignore[call-overload]
                    for name, text in zip(("level", "type", "size", "shared_cpu_list"), cache, strict=True):
                        files[f"{CPU}/cpu{cpu}/cache/index{index}/{name}"] = f"{text}\n"
        return files

    @staticmethod
    def epyc_sysfs() -> dict[str, str]:
        """Return two sockets of 16 cores with two threads each, an L3 for every 8 cores, one node a socket."""
        cores = []
        for core in range(32):
            die = core // 8 * 8
            own = f"{core},{core + 32}"
            shared = f"{die}-{die + 7},{die + 32}-{die + 39}"
            caches = [(1, "Data", "32K", own), (1, "Instruction", "32K", own), (2, "Unified", "1024K", own)]
            caches.append((3, "Unified", "32768K", shared))
            cores.append({"cpus": own, "socket": core // 16, "core_id": core % 16, "caches": caches})
        return Build.sysfs(cores, {0: "0-15,32-47", 1: "16-31,48-63"}, online="0-63", present="0-63")

    @staticmethod
    def memory_device(slot: Slot, length: int = 0x5C, handle: int = 0) -> bytes:
        """Return the bytes of a type 17 structure of SMBIOS 3.3; `length` cuts it to an older version's."""
        mib = slot.size_bytes // MIB
        area = bytearray(0x5C)
        area[0], area[1] = 17, length
        area[2:4] = handle.to_bytes(2, "little")
        area[0x08:0x0A] = area[0x0A:0x0C] = (slot.width if mib else 0).to_bytes(2, "little")
        area[0x0C:0x0E] = min(mib, 0x7FFF).to_bytes(2, "little")
        area[0x10], area[0x11] = 1, 2 if slot.bank else 0
        area[0x12] = slot.code if mib else 0x02
        area[0x17] = area[0x18] = area[0x19] = area[0x1A] = 3 if slot.bank else 2
        area[0x1C:0x20] = (mib if mib >= 0x7FFF else 0).to_bytes(4, "little")
        for offset, extended, speed in ((0x15, 0x54, slot.rated), (0x20, 0x58, slot.configured)):
            area[offset : offset + 2] = min(speed, 0xFFFF).to_bytes(2, "little")
            area[extended : extended + 4] = speed.to_bytes(4, "little")
        strings = [slot.locator.encode(), *([slot.bank.encode()] if slot.bank else []), b"SECRET-SERIAL"]
        return bytes(area[:length]) + b"\0".join(strings) + b"\0\0"

    @staticmethod
    def smbios(slots: Iterable[Slot], length: int = 0x5C) -> bytes:
        """Return a table with a BIOS structure before and the end marker after the memory devices."""
        devices = b"".join(Build.memory_device(slot, length, handle) for handle, slot in enumerate(slots, start=1))
        return bytes((0, 4, 0, 0)) + b"vendor\0\0" + devices + bytes((127, 4, 0xFF, 0xFE, 0, 0))

    @staticmethod
    def udev(slots: Iterable[Slot]) -> str:
        """Return the database that systemd's dmi_memory_id writes."""
        lines = ["E:ID_VENDOR=vendor", "E:MEMORY_ARRAY_LOCATION=System Board Or Motherboard"]
        for index, slot in enumerate(slots):
            fields = {"LOCATOR": slot.locator, "BANK_LOCATOR": slot.bank, "TYPE": slot.name}
            if slot.size_bytes:
                fields |= {
                    "SIZE": str(slot.size_bytes),
                    "DATA_WIDTH": str(slot.width),
                    "SERIAL_NUMBER": "SECRET-SERIAL",
                }
                fields |= {"SPEED_MTS": str(slot.rated)} if slot.rated else {}
                fields |= {"CONFIGURED_SPEED_MTS": str(slot.configured)} if slot.configured else {}
            else:
                fields |= {"PRESENT": "0", "TYPE": "Unknown"}
            lines += [f"E:MEMORY_DEVICE_{index}_{name}={value}" for name, value in fields.items() if value]
        return "\n".join([*lines, "E:MEMORY_ARRAY_NUM_DEVICES=2", ""])


@pytest.fixture(scope="session")
def build() -> type[Build]:
    return Build
