"""What a machine's firmware tells of it (SMBIOS, also called DMI): its maker, its processors and its memory modules.

The same contents come as the binary table (dmi_binary.py) and as the text of dmidecode (dmi_text.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bandwidth.machine.cpuinfo import is_name
from bandwidth.machine.smbios import Module

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
