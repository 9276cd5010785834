"""Who made this machine and its board, as the firmware says and any user may read: on EC2 the instance's type."""

from __future__ import annotations

from bandwidth.machine.dmi.described import stated
from bandwidth.machine.facts import Fact, known
from bandwidth.machine.reader import Reader, read_line

_DMI_FOLDER = "/sys/class/dmi/id"
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
        facts |= known(name, stated(read_line(reader, f"{_DMI_FOLDER}/{file}")), f"{_DMI_FOLDER}/{file}")
    return facts
