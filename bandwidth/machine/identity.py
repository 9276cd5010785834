"""What machine this is: who made it, and hashes that tell it from another of the same model and name.

The ids themselves never leave it. machine-id(5) asks not to hand out the id but a keyed hash of it, as systemd's
sd_id128_get_machine_app_specific makes one: HMAC-SHA256 of an id of the application, keyed by the machine's, of which
the first 128 bits are taken.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from bandwidth.machine.facts import DERIVED, Fact, known
from bandwidth.machine.processor import NO_CONTAINER, container_facts
from bandwidth.machine.reader import DMI_FOLDER, Reader, read_line
from bandwidth.machine.smbios import stated

# This application's id: any random number does, as long as it stays the same.
_APPLICATION = bytes.fromhex("6f0d1c6c2b7f4b0f9a53c1f6d0e7a842")
_HASH_DIGITS = 32  # 128 bits
_MACHINE_ID_FILES = ("/etc/machine-id", "/var/lib/dbus/machine-id")
_BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id"
# The first that says something: a board's own number, which all may read; a PC's, which root may.
_SERIAL_FILES = (
    "/proc/device-tree/serial-number",
    "/sys/class/dmi/id/product_uuid",
    "/sys/class/dmi/id/product_serial",
    "/sys/class/dmi/id/board_serial",
)
# What makers leave there where they state no number, and the number that thousands of boards have.
_NO_SERIAL = re.compile(
    r"(?i)0*|f+|[-.x\s]*|none|n/?a|null|unknown|default string|not (specified|applicable|available)|to be filled.*|"
    r"(system|chassis|board) serial.*|0?123456789.*|03000200-0400-0500-0006-000700080009|[0f-]*"
)
_HEXADECIMAL = re.compile(r"[0-9a-f]{32}", re.ASCII)


def identity_facts(reader: Reader) -> dict[str, Fact]:
    """Return `machine_serial_hash`, `machine_id_hash` and `boot_id_hash`, as far as the system tells them.

    Also `soc`, which names the chip of a board with a device tree, such as `rockchip,rk3588`. The machine's id is left
    out in a container: images bring one along, the same for all that start from them.
    """
    facts = {**_serial(reader), **_hashed(reader, "boot_id_hash", (_BOOT_ID_FILE,)), **_soc(reader)}
    container = container_facts(reader).get("container")
    if container is None or container.value == NO_CONTAINER:
        facts |= _hashed(reader, "machine_id_hash", _MACHINE_ID_FILES)
    return facts


def _hashed(reader: Reader, name: str, paths: tuple[str, ...]) -> dict[str, Fact]:
    for path in paths:
        number = (read_line(reader, path) or "").lower().replace("-", "")
        if _HEXADECIMAL.fullmatch(number) and int(number, 16):
            return known(name, _hash(bytes.fromhex(number)), path, DERIVED)
    return {}


def _serial(reader: Reader) -> dict[str, Fact]:
    for path in _SERIAL_FILES:
        number = (reader.text(path) or "").strip("\0 \t\r\n")
        if number and not _NO_SERIAL.fullmatch(number):
            return known("machine_serial_hash", _hash(number.lower().encode()), path, DERIVED)
    return {}


def _soc(reader: Reader) -> dict[str, Fact]:
    """Return the last of a device tree's names, which go from the board's to the chip's."""
    names = [name for name in (reader.text("/proc/device-tree/compatible") or "").split("\0") if name.strip()]
    return known("soc", names[-1].strip() if names else None, "/proc/device-tree/compatible")


def _hash(number: bytes) -> str:
    return hmac.new(number, _APPLICATION, hashlib.sha256).hexdigest()[:_HASH_DIGITS]


# --- who made it ----------------------------------------------------------------------------------------------------

# The fact, and the kernel's name of the field.
_FIELDS = (
    ("system_vendor", "sys_vendor"),
    ("product_name", "product_name"),
    ("board_vendor", "board_vendor"),
    ("board_name", "board_name"),
)


def firmware_facts(reader: Reader) -> dict[str, Fact]:
    """Return `system_vendor`, `product_name`, `board_vendor` and `board_name`, those that somebody filled in."""
    facts: dict[str, Fact] = {}
    for name, file in _FIELDS:
        facts |= known(name, stated(read_line(reader, f"{DMI_FOLDER}/{file}")), f"{DMI_FOLDER}/{file}")
    return facts
