"""A file with another machine's SMBIOS, in whichever form people have it; what the text of dmidecode says of it."""

from __future__ import annotations

import codecs
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from bandwidth.errors import BandwidthError
from bandwidth.machine.cpuinfo import is_lscpu
from bandwidth.machine.dmi.binary import dmi_of_dump, is_table
from bandwidth.machine.dmi.lines import (
    DEVICE,
    MOST_STRUCTURES,
    Structure,
    doubt_of,
    lines_of,
    size_of,
    structures_of,
    untitled_devices,
)
from bandwidth.machine.smbios import (
    Dmi,
    Module,
    ProcessorSocket,
    family_and_model,
    plausible_mt_s,
    plausible_width_bits,
    processor_name,
    processor_vendor,
    stated,
)

_SPEED = re.compile(r"([0-9]{1,6})(?:\.[0-9]+)? ?(?:MHz|MT/s)", re.ASCII | re.IGNORECASE)
_WIDTH = re.compile(r"([0-9]{1,5}) bits?", re.ASCII)
_X86 = re.compile(r"Family ([0-9]{1,5}), Model ([0-9]{1,5})", re.ASCII)
_ARM = re.compile(r"Implement[eo]r 0x([0-9a-fA-F]{1,2}),.*Part 0x([0-9a-fA-F]{1,3})", re.ASCII)
_IDENTITY = re.compile(r"(?:[0-9A-Fa-f]{2} ){3}[0-9A-Fa-f]{2}", re.ASCII)
_NO_STRING = ("Not Specified", "<BAD INDEX>", "<OUT OF SPEC>")
_SAYS_NOTHING = ("Unknown", "Other", "None", *_NO_STRING)


def dmi_of_text(text: str) -> Dmi:
    """Return what a text of dmidecode says; what it does not say, or says in no way that is known, is not there."""
    structures = structures_of(text)
    devices = [found.fields for found in structures if found.kind == DEVICE]
    if not devices and not structures:
        devices = list(islice(untitled_devices(text), MOST_STRUCTURES))
    machine = _machine(structures)
    return replace(
        machine,
        slots=tuple(_module(fields) for fields in devices),
        sockets=tuple(_socket(found.fields) for found in structures if found.kind == 4 and _is_central(found.fields)),
        doubt=doubt_of(text, structures),
    )


def _machine(structures: Sequence[Structure]) -> Dmi:
    """Return what types 0, 1, 2 and 20 say of the machine; of several boards the first counts."""
    first: dict[int, Structure] = {}
    for found in structures:
        first.setdefault(found.kind, found)

    def of(kind: int, name: str) -> str | None:
        return stated(first[kind].fields.get(name)) if kind in first else None

    depths = [
        int(depth)
        for found in structures
        if found.kind == 20 and (depth := found.fields.get("Interleaved Data Depth", "")).isascii() and depth.isdigit()
    ]
    return Dmi(
        firmware_vendor=of(0, "Vendor"),
        system_vendor=of(1, "Manufacturer"),
        product_name=of(1, "Product Name"),
        board_vendor=of(2, "Manufacturer"),
        board_name=of(2, "Product Name"),
        says_virtual=0 in first and "System is a virtual machine" in first[0].items,
        interleave_depth=max((depth for depth in depths if 0 < depth < 256), default=None),
    )


def _is_central(fields: dict[str, str]) -> bool:
    return fields.get("Type", "Central Processor") in ("Central Processor", "Unknown", "")


def _socket(fields: dict[str, str]) -> ProcessorSocket:
    version, manufacturer = fields.get("Version"), fields.get("Manufacturer")
    vendor = processor_vendor(manufacturer, version)
    arm = _ARM.search(fields.get("Signature", ""))
    family, model = (None, None) if vendor is None or arm is not None else _family_and_model(fields)
    cores = fields.get("Core Count", "")
    return ProcessorSocket(
        name=processor_name(version),
        vendor=vendor,
        family=family,
        model=model,
        implementer=int(arm[1], 16) if arm else None,
        part=int(arm[2], 16) if arm else None,
        cores=int(cores) or None if re.fullmatch(r"[0-9]{1,5}", cores, re.ASCII) else None,
        populated=not fields.get("Status", "Populated").startswith("Unpopulated"),
    )


def _family_and_model(fields: dict[str, str]) -> tuple[int | None, int | None]:
    """Return the numbers of `Signature: Type 0, Family 6, Model 158, Stepping 10`, else those of the bytes `ID`."""
    signature = _X86.search(fields.get("Signature", ""))
    if signature is not None:
        return int(signature[1]), int(signature[2])
    identity = _IDENTITY.match(fields.get("ID", ""))
    number = int.from_bytes(bytes.fromhex(identity[0]), "little") if identity is not None else 0
    return family_and_model(number) if number else (None, None)


def _module(fields: dict[str, str]) -> Module:
    size = size_of(fields.get("Size", ""))
    return Module(
        locator=_string(fields.get("Locator")),
        bank_locator=_string(fields.get("Bank Locator")),
        type=_type(fields.get("Type")),
        size_bytes=size or None,
        data_width_bits=plausible_width_bits(_number(_WIDTH, fields.get("Data Width"))),
        rated_mt_s=plausible_mt_s(_number(_SPEED, fields.get("Speed"))),
        configured_mt_s=plausible_mt_s(_number(_SPEED, fields.get("Configured Memory Speed"))),
        form_factor=_kind(fields.get("Form Factor")),
        ranks=_ranks(fields.get("Rank")),
        populated=bool(size),
    )


def _number(pattern: re.Pattern[str], text: str | None) -> int | None:
    match = pattern.match(text or "")
    return int(match[1]) if match is not None else None


def _ranks(text: str | None) -> int | None:
    return int(text) or None if text is not None and re.fullmatch(r"[0-9]{1,2}", text, re.ASCII) else None


def _type(text: str | None) -> str | None:
    """Return the type; "Other" and "Unknown" are said by the firmware, and tell that a table is made up."""
    return None if not text or text in _NO_STRING else _printable(text)


def _kind(text: str | None) -> str | None:
    return None if not text or text in _SAYS_NOTHING else _printable(text)


def _string(text: str | None) -> str | None:
    return None if not text or text in _NO_STRING else _printable(text)


def _printable(text: str) -> str | None:
    return "".join(letter for letter in text if letter.isprintable()).strip()[:100] or None


# --- a file ---------------------------------------------------------------------------------------------------------

# Of a thousand modules it is half a megabyte.
LARGEST_BYTES = 8 * 1024 * 1024
STANDARD_INPUT = "-"
HINT = "use the output of `dmidecode` (complete, or -t memory), or a file of `dmidecode --dump-bin FILE`"
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OF_CPUINFO = re.compile(r"^(?:model name|CPU implementer)\s*:", re.MULTILINE)
_NEEDS_ROOT = ("permission denied", "can't read memory from /dev/mem", "operation not permitted")


def read_content(path: Path, what: str, hint: str) -> bytes:
    """Return the bytes of a file or a pipe, `-` for standard input.

    Raises BandwidthError with `hint` where it is not there, cannot be read or is too large for `what`.
    """
    name = "standard input" if str(path) == STANDARD_INPUT else str(path)
    try:
        if str(path) == STANDARD_INPUT:
            content = sys.stdin.buffer.read(LARGEST_BYTES + 1)
        else:
            with path.open("rb") as file:
                content = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError as error:
        raise BandwidthError(f"{name} does not exist", "check the name") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise BandwidthError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}", hint) from error
    if len(content) > LARGEST_BYTES:
        raise BandwidthError(f"{name} is too large for {what}", hint)
    return content


def dmi_of(content: bytes, name: str) -> Dmi:
    """Return what a file says. Raises BandwidthError in the words of `name` where it is no SMBIOS in any form."""
    if not content.strip():
        raise BandwidthError(f"{name} is empty", HINT)
    if is_table(content):
        found = dmi_of_dump(content)
        if found.is_empty:
            raise BandwidthError(f"{name} begins like an SMBIOS table but contains none", HINT)
        return found
    text = text_of(content)
    found = dmi_of_text(text)
    if found.is_empty:
        raise BandwidthError(f"{name} {_what_it_is(text)}", HINT)
    return found


def kernel_text(content: bytes) -> str | None:
    """Return the text of a file that has /proc/cpuinfo or lscpu beside dmidecode, None where it has neither."""
    if is_table(content):
        return None
    text = "\n".join(lines_of(text_of(content)))
    return text if is_lscpu(text) or _OF_CPUINFO.search(text) is not None else None


def text_of(content: bytes) -> str:
    """Return the text of bytes by its byte order mark, as UTF-16 where every other byte is 0, UTF-8, else Latin-1."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return content.removeprefix(codecs.BOM_UTF8).decode(encoding, "replace")
    head = content[:4096]
    for encoding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if len(zeros) > 8 and zeros.count(0) > 0.8 * len(zeros):
            return content.decode(encoding, "replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _what_it_is(text: str) -> str:
    """Return what a file without SMBIOS seems to be, in words that follow its name."""
    start = text.lstrip()[:1]
    if start == "{":
        try:
            schema = json.loads(text).get("schema")
        except (ValueError, AttributeError, RecursionError):
            schema = None
        if isinstance(schema, str) and schema.startswith("bandwidth/"):
            return f"is a file of this tool ({schema[:40]!a}), not output of dmidecode"
    if any(words in text.lower() for words in _NEEDS_ROOT):
        return "reports that dmidecode could not read the table: run it as root"
    return "contains no processor, memory device or manufacturer in dmidecode's format"
