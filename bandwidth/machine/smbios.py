"""What a machine's firmware tells of it (SMBIOS, also called DMI): DMTF DSP0134 (3.8).

The raw table and its memory devices (section 7.18, type 17), and what a whole table tells: its maker, processors and
its memory modules, which come as the binary table (dmi/binary.py) and as the text of dmidecode (dmi/file.py). A table
comes from firmware and may be truncated or wrong: whatever it holds, reading it ends and raises nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from bandwidth.machine.cpuinfo import is_name
from bandwidth.machine.facts import Json
from bandwidth.units import KIBI

_HEADER_BYTES = 4  # type, length of the formatted area, handle
MEMORY_DEVICE = 17
END_OF_TABLE = 127
_SHORTEST_MEMORY_DEVICE = 0x15  # SMBIOS 2.1: up to and with the type's detail
_MOST_STRUCTURES = 65_536  # a handle has 16 bits

# Section 7.18.2. Types that no module of a computer in use has are kept: they tell that a table is made up.
MEMORY_TYPES = {
    0x01: "Other",
    0x02: "Unknown",
    0x03: "DRAM",
    0x07: "RAM",
    0x09: "Flash",
    0x0F: "SDRAM",
    0x12: "DDR",
    0x13: "DDR2",
    0x14: "DDR2 FB-DIMM",
    0x18: "DDR3",
    0x19: "FBD2",
    0x1A: "DDR4",
    0x1B: "LPDDR",
    0x1C: "LPDDR2",
    0x1D: "LPDDR3",
    0x1E: "LPDDR4",
    0x1F: "Logical non-volatile device",
    0x20: "HBM",
    0x21: "HBM2",
    0x22: "DDR5",
    0x23: "LPDDR5",
    0x24: "HBM3",
}

# Section 7.18.1, without those that say nothing of what is plugged in (Other, Unknown).
FORM_FACTORS = {
    0x03: "SIMM",
    0x04: "SIP",
    0x05: "Chip",
    0x06: "DIP",
    0x07: "ZIP",
    0x08: "Proprietary Card",
    0x09: "DIMM",
    0x0A: "TSOP",
    0x0B: "Row Of Chips",
    0x0C: "RIMM",
    0x0D: "SODIMM",
    0x0E: "SRIMM",
    0x0F: "FB-DIMM",
    0x10: "Die",
    0x11: "CAMM",
}


@dataclass(frozen=True)
class Module:
    """One slot of the board, or one soldered package, and what is in it; None where the firmware does not say."""

    locator: str | None = None
    bank_locator: str | None = None
    type: str | None = None
    size_bytes: int | None = None
    data_width_bits: int | None = None
    rated_mt_s: int | None = None
    configured_mt_s: int | None = None
    form_factor: str | None = None
    ranks: int | None = None
    populated: bool = False

    def to_json(self) -> dict[str, Json]:
        """Return the module as plain JSON, what is unknown left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def parse_memory_devices(table: bytes) -> tuple[Module, ...]:
    """Return every memory device of an SMBIOS table in its order, empty slots among them; none of a broken table."""
    return tuple(
        memory_device(formatted, strings)
        for kind, formatted, strings in structures(table)
        if kind == MEMORY_DEVICE and len(formatted) >= _SHORTEST_MEMORY_DEVICE
    )


def structures(table: bytes) -> Iterator[tuple[int, bytes, list[bytes]]]:
    """Yield type, formatted area and strings of each structure up to the end marker, or the first that does not fit."""
    start = 0
    for _ in range(_MOST_STRUCTURES):
        if start + _HEADER_BYTES > len(table):
            return
        kind, length = table[start], table[start + 1]
        if length < _HEADER_BYTES or start + length > len(table):
            return
        end = table.find(b"\0\0", start + length)
        if end < 0:
            return
        yield kind, table[start : start + length], table[start + length : end].split(b"\0")
        if kind == END_OF_TABLE:
            return
        start = end + 2


def memory_device(area: bytes, strings: list[bytes]) -> Module:
    """Return the module of a type 17 structure; fields beyond its formatted area are not known."""
    size = _size_bytes(area)
    return Module(
        locator=string_of(area[0x10], strings),
        bank_locator=string_of(area[0x11], strings),
        type=MEMORY_TYPES.get(area[0x12]),
        size_bytes=size or None,
        data_width_bits=plausible_width_bits(word_at(area, 0x0A)),
        rated_mt_s=_speed_mt_s(area, 0x15, 0x54),
        configured_mt_s=_speed_mt_s(area, 0x20, 0x58),
        form_factor=FORM_FACTORS.get(area[0x0E]),
        ranks=_ranks(area),
        populated=bool(size),
    )


def _size_bytes(area: bytes) -> int | None:
    """Return the size, 0 for an empty slot, None where it is not known. Bit 15 says KiB instead of MiB."""
    code = word_at(area, 0x0C)
    if code is None or code == 0xFFFF:
        return None
    if code == 0x7FFF:
        return ((double_word_at(area, 0x1C) or 0) & 0x7FFF_FFFF) * KIBI**2 or None
    return (code & 0x7FFF) * (KIBI if code & 0x8000 else KIBI**2)


def _speed_mt_s(area: bytes, offset: int, extended_offset: int) -> int | None:
    """Return a speed; 0xFFFF refers to the extended field (bit 31 reserved), which DDR5 will not need for long."""
    speed = word_at(area, offset)
    if speed == 0xFFFF:
        return plausible_mt_s((double_word_at(area, extended_offset) or 0) & 0x7FFF_FFFF)
    return plausible_mt_s(speed)


def _ranks(area: bytes) -> int | None:
    """Return the ranks: bits 3 to 0 of the attributes (SMBIOS 2.6), 0 for unknown."""
    return (area[0x1B] & 0x0F) or None if len(area) > 0x1B else None


def plausible_mt_s(speed: int | None) -> int | None:
    """Return a speed that memory can have, else None: 0 and 65535 mean unknown, others are the firmware's noise."""
    return speed if speed is not None and 100 <= speed <= 40_000 else None


def plausible_width_bits(width: int | None) -> int | None:
    """Return a width that a module or stack can have, else None: 0 and 65535 mean unknown."""
    return width if width is not None and 8 <= width <= 4096 else None


def word_at(area: bytes, offset: int) -> int | None:
    """Return the 16 bits at an offset, None beyond the end."""
    return int.from_bytes(area[offset : offset + 2], "little") if offset + 2 <= len(area) else None


def double_word_at(area: bytes, offset: int) -> int | None:
    """Return the 32 bits at an offset, None beyond the end."""
    return int.from_bytes(area[offset : offset + 4], "little") if offset + 4 <= len(area) else None


def string_of(number: int, strings: Sequence[bytes]) -> str | None:
    """Return the string of a 1-based number, 0 for none, what cannot be printed removed."""
    if not 1 <= number <= len(strings):
        return None
    text = strings[number - 1].decode("ascii", errors="replace").strip()
    return "".join(character for character in text if character.isprintable()) or None


# --- what a table tells ---------------------------------------------------------------------------------------------

LONGEST_TEXT = 100
# What firmware writes where nobody filled a field in.
_PLACEHOLDER = re.compile(
    r"not (?:specified|applicable|available|provided|defined)|unknown|none|n/?a|null|undefined|invalid|empty|"
    r"default(?: string)?|to be filled.*|o\.?e\.?m\.?|system (?:manufacturer|product name|version)|type\d.*|"
    r"<.*>|fill by oem|x\.x|[-. 0x]*",
    re.IGNORECASE,
)
# QEMU writes its machine type where a processor's version belongs.
_NO_PROCESSOR = re.compile(
    r"(?:pc|virt|rhel|pseries)-.*|(?:cpu|proc(?:essor)?|central processor|socket)[ #]*[0-9]*", re.IGNORECASE
)
# CPUID's twelve letters, by what firmware or the processor's own name says.
_VENDORS = (
    (re.compile(r"\bintel\b|\bxeon\b|\bpentium\b|\bceleron\b", re.IGNORECASE), "GenuineIntel"),
    (re.compile(r"\bamd\b|advanced micro devices|authenticamd|\bryzen\b|\bepyc\b", re.IGNORECASE), "AuthenticAMD"),
    (re.compile(r"hygon", re.IGNORECASE), "HygonGenuine"),
    (re.compile(r"zhaoxin|shanghai", re.IGNORECASE), "  Shanghai  "),
    (re.compile(r"\bvia\b|centaur", re.IGNORECASE), "CentaurHauls"),
)


@dataclass(frozen=True)
class ProcessorSocket:
    """One socket and what is in it (type 4); None where the firmware does not say.

    `family` and `model` are CPUID's; an Arm core has an `implementer` and a `part` instead.
    """

    name: str | None = None
    vendor: str | None = None
    family: int | None = None
    model: int | None = None
    implementer: int | None = None
    part: int | None = None
    cores: int | None = None
    populated: bool = True


@dataclass(frozen=True)
class Dmi:
    """The contents of a table. `doubt` says in words why its list of modules cannot be whole, empty where it may be.

    `interleave_depth` is the most that a type 20 structure says: over how many devices data is spread.
    """

    slots: tuple[Module, ...] = ()
    sockets: tuple[ProcessorSocket, ...] = ()
    firmware_vendor: str | None = None
    system_vendor: str | None = None
    product_name: str | None = None
    board_vendor: str | None = None
    board_name: str | None = None
    says_virtual: bool = False
    interleave_depth: int | None = None
    doubt: str = ""

    @property
    def populated_sockets(self) -> int:
        """How many sockets hold a processor, 0 where the table lists none."""
        return sum(socket.populated for socket in self.sockets)

    @property
    def processor(self) -> ProcessorSocket | None:
        """The processor of the first socket that holds one."""
        return next((socket for socket in self.sockets if socket.populated), None)

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all was found."""
        return self == Dmi()


def stated(text: str | None) -> str | None:
    """Return what a field of the firmware states, printable and on one line; None for a placeholder."""
    if text is None:
        return None
    found = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:LONGEST_TEXT]
    return None if not found or _PLACEHOLDER.fullmatch(found) else found


def processor_name(version: str | None) -> str | None:
    """Return the processor's name of a socket's version, None where the firmware wrote something else there."""
    found = stated(version)
    if found is None or not is_name(found) or _NO_PROCESSOR.fullmatch(found):
        return None
    return found if re.search(r"[A-Za-z]{2}|[A-Za-z][0-9]", found) else None


def processor_vendor(*texts: str | None) -> str | None:
    """Return CPUID's vendor by the first text that tells it; None for another architecture's."""
    for text in filter(None, texts):
        for pattern, vendor in _VENDORS:
            if pattern.search(text):
                return vendor
    return None


def family_and_model(signature: int) -> tuple[int, int]:
    """Return family and model of CPUID leaf 1's EAX, the extended parts put in as Intel's and AMD's manuals say."""
    family, model = signature >> 8 & 0xF, signature >> 4 & 0xF
    if family in (0x6, 0xF):
        model |= (signature >> 16 & 0xF) << 4
    return (family + (signature >> 20 & 0xFF) if family == 0xF else family), model
