"""A file with another machine's SMBIOS, in whichever form people have it."""

from __future__ import annotations

import codecs
import json
import re
import sys
from pathlib import Path

from bandwidth.errors import BandwidthError
from bandwidth.machine.dmi.binary import dmi_of_dump, is_table
from bandwidth.machine.dmi.described import Dmi
from bandwidth.machine.dmi.lines import lines_of
from bandwidth.machine.dmi.text import dmi_of_text
from bandwidth.machine.lscpu import is_lscpu

# Of a thousand modules it is half a megabyte.
LARGEST_BYTES = 8 * 1024 * 1024
STANDARD_INPUT = "-"
HINT = "give the text of `dmidecode` (whole, or -t memory), or what `dmidecode --dump-bin FILE` wrote"
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
            raise BandwidthError(f"{name} begins as an SMBIOS table and holds none", HINT)
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
            return f"is a file of this tool ({schema[:40]!a}), no text of dmidecode"
    if any(words in text.lower() for words in _NEEDS_ROOT):
        return "says that dmidecode may not read the table: it needs root there"
    return "names no processor, memory device or maker as dmidecode does"
