"""The text of /proc/cpuinfo, and of lscpu (util-linux), which people paste where /proc/cpuinfo was asked for.

Each architecture writes its own, and some kernels leave the name out. A name is given only where the text has one, or
where its numbers stand for one: never a guess.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from bandwidth.catalog import current_catalog
from bandwidth.catalog.processors import ArmCore
from bandwidth.machine.facts import DERIVED, READ, Fact, known
from bandwidth.machine.reader import whole_number

CPUINFO = "/proc/cpuinfo"

Fields = dict[str, str]

_FIRST_KEYS = ("processor", "CPU")  # each CPU's block begins with its number
_LONGEST_VALUE = 4096
_MOST_LINES = 2_000_000
# What kernels write for every Arm processor alike: "ARMv8 Processor rev 1 (v8l)", "AArch64 Processor rev 4 (aarch64)".
_ARM_GENERIC = re.compile(
    r"(?:ARMv[0-9]|AArch64|ARM)[-\w]* (?:compatible )?Processor\b.*|ARM(?:v[0-9].*)?", re.IGNORECASE
)
# The small core of each pair that Arm, Apple and Qualcomm build together.
_FRUGAL = re.compile(r"Cortex-A(?:5|7|3[245]|5[35]|320|5[12]0)(?:AE)?$|^(?:Icestorm|Blizzard)|(?:Silver|Nano)$")
_NO_NAME = re.compile(
    r"(?:unknown|none|n/?a|default|not specified|virtual|generic|cpu|processor|[-?.0-9x ]*)", re.IGNORECASE
)
# IBM's machine types: https://www.ibm.com/docs/en/linux-on-systems, "Machine types"; the same list as in the kernel's
# arch/s390/kernel/processor.c (setup_elf_platform).
_IBM_Z = {
    "2964": "z13",
    "2965": "z13s",
    "3906": "z14",
    "3907": "z14 ZR1",
    "8561": "z15",
    "8562": "z15 T02",
    "3931": "z16",
    "3932": "z16 A02",
    "9175": "z17",
    "9176": "z17 ME1",
}


def blocks_of(text: str) -> list[Fields]:
    """Return the fields of each block in their order: one a CPU, and those that speak of the whole machine.

    Of a field that stands twice in a block the first counts.
    """
    blocks: list[Fields] = [{}]
    for line in text.splitlines()[:_MOST_LINES]:
        name, colon, value = line[:_LONGEST_VALUE].partition(":")
        name = name.strip()
        starts = not line.strip() or (name in _FIRST_KEYS and name in blocks[-1])
        if starts and blocks[-1]:
            blocks.append({})
        if colon and name:
            blocks[-1].setdefault(name, _clean(value))
    return [block for block in blocks if block]


def facts_of_cpuinfo(text: str, source: str = CPUINFO) -> dict[str, Fact]:
    """Return `cpu_vendor`, `cpu_family`, `cpu_model_number` and `cpu_model`, as far as the text tells them."""
    blocks = blocks_of(text)
    if any("CPU implementer" in block for block in blocks):
        return _from_arm(blocks, source)
    if any(_is_x86(block) for block in blocks):
        return _from_x86(next(block for block in blocks if _is_x86(block)), source)
    return _from_mainframe(blocks, source) or _from_others(blocks, source)


def sockets_of_cpuinfo(text: str) -> int | None:
    """Return how many values `physical id` has over all blocks, whatever their order.

    None where none has it, or where fewer CPUs are listed than one socket has: people paste the first block only.
    """
    blocks = [block for block in blocks_of(text) if block.get("physical id", "").isdigit()]
    siblings = max((whole_number(block.get("siblings")) or 0 for block in blocks), default=0)
    return None if len(blocks) < siblings else len({block["physical id"] for block in blocks}) or None


def flags_of_cpuinfo(text: str) -> frozenset[str] | None:
    """Return the flags of an x86 processor; None where the text names none."""
    for block in blocks_of(text):
        if "flags" in block:
            return frozenset(block["flags"].split())
    return None


def is_name(text: str | None) -> bool:
    """Return whether a text names a processor: firmware and kernels fill the field with all sorts of nothing."""
    return bool(text) and _NO_NAME.fullmatch(text or "") is None


def name_of_kinds(kinds: Sequence[tuple[str, int]]) -> str | None:
    """Return `4 x Cortex-A76 + 4 x Cortex-A55` of kinds of core and how many there are, the fastest first."""
    ordered = sorted(kinds, key=lambda kind: _speed_order(kind[0]))
    return " + ".join(f"{count} x {name}" for name, count in ordered) or None


# --- x86 ------------------------------------------------------------------------------------------------------------


def _is_x86(block: Fields) -> bool:
    return "cpu family" in block or "model name" in block or block.get("vendor_id", "IBM/S390") != "IBM/S390"


def _from_x86(block: Fields, source: str) -> dict[str, Fact]:
    return {
        **known("cpu_vendor", block.get("vendor_id") or None, source),
        **known("cpu_family", whole_number(block.get("cpu family")), source),
        **known("cpu_model_number", whole_number(block.get("model")), source),
        **known("cpu_model", _name(block, "model name"), source),
    }


# --- Arm ------------------------------------------------------------------------------------------------------------


def _from_arm(blocks: Sequence[Fields], source: str) -> dict[str, Fact]:
    """Return the facts of Arm's numbers: each CPU has its own, and older kernels write them once, for all."""
    counts = Counter(number for block in blocks if (number := _midr(block)) is not None)
    if not counts:
        return {}
    name, confidence = _arm_name(blocks, counts)
    vendors = {current_catalog().arm_vendor(implementer) for implementer, _ in counts}
    part = next(iter(counts))[1] if len(counts) == 1 else None
    return {
        **known("cpu_vendor", vendors.pop() if len(vendors) == 1 else None, f"{source} CPU implementer"),
        **known("cpu_model_number", part, f"{source} CPU part"),
        **known("cpu_model", name, source, confidence),
    }


def _arm_name(blocks: Sequence[Fields], counts: Counter[tuple[int, int | None]]) -> tuple[str | None, str]:
    """Return the name that the text has, unless it is every Arm processor's; then that of the numbers."""
    for key in ("model name", "Processor", "cpu model"):
        for block in blocks:
            name = _name(block, key)
            if name is not None and _ARM_GENERIC.fullmatch(name) is None:
                return name, READ
    cores = {number: _core(number) for number in counts}
    if len(counts) == 1:
        core = next(iter(cores.values()))
        return (None if core is None else f"{core.vendor} {core.name}"), DERIVED
    if None in cores.values():
        return None, DERIVED
    kinds: Counter[str] = Counter()
    for number, core in cores.items():
        kinds[core.name if core is not None else ""] += counts[number]
    return name_of_kinds(list(kinds.items())), DERIVED


def _core(number: tuple[int, int | None]) -> ArmCore | None:
    implementer, part = number
    return None if part is None else current_catalog().arm_cores.get((implementer, part))


def _midr(block: Fields) -> tuple[int, int | None] | None:
    implementer = _hexadecimal(block.get("CPU implementer"))
    return None if implementer is None else (implementer, _hexadecimal(block.get("CPU part")))


def _speed_order(name: str) -> tuple[bool, bool, tuple[int, ...], str]:
    """Return what sorts kinds of core by speed: Cortex-X before Cortex-A, and of one line the higher number."""
    numbers = tuple(-int(digits[:9]) for digits in re.findall(r"[0-9]+", name))
    return _FRUGAL.search(name) is not None, not name.startswith("Cortex-X"), numbers, name


# --- others ---------------------------------------------------------------------------------------------------------


def _from_mainframe(blocks: Sequence[Fields], source: str) -> dict[str, Fact]:
    """Return the facts of `processor 0: version = 00, identification = 0133E8, machine = 3906`."""
    if not any(block.get("vendor_id") == "IBM/S390" for block in blocks):
        return {}
    lines = [value for block in blocks for name, value in block.items() if name.startswith("processor ")]
    types = {match[1] for line in lines if (match := re.search(r"machine = ([0-9]{4})", line))}
    kind = types.pop() if len(types) == 1 else ""
    name = f"IBM {_IBM_Z[kind]}" if kind in _IBM_Z else None
    return {**known("cpu_vendor", "IBM", source), **known("cpu_model", name, f"{source} machine", DERIVED)}


def _from_others(blocks: Sequence[Fields], source: str) -> dict[str, Fact]:
    """Return the name of POWER and SPARC (`cpu`), RISC-V (`uarch`), LoongArch (`Model Name`) and MIPS."""
    for key in ("cpu", "Model Name", "uarch", "cpu model"):
        names = Counter(name for block in blocks if (name := _name(block, key)) is not None)
        if not names:
            continue
        model = next(iter(names)) if len(names) == 1 else name_of_kinds(list(names.items()))
        return {**_vendor_of_others(model or "", source), **known("cpu_model", model, f"{source} {key}")}
    return {}


def _vendor_of_others(model: str, source: str) -> dict[str, Fact]:
    vendors = (
        ("POWER", "IBM"),
        ("LOONGSON", "Loongson"),
        ("SIFIVE", "SiFive"),
        ("THEAD", "T-Head"),
        ("SPACEMIT", "SpacemiT"),
    )
    vendor = next((vendor for start, vendor in vendors if model.upper().startswith(start)), None)
    return known("cpu_vendor", vendor, source, DERIVED)


def _name(block: Fields, key: str) -> str | None:
    text = block.get(key)
    return text if is_name(text) else None


def _clean(value: str) -> str:
    return "".join(character for character in value if character.isprintable()).strip()


def _hexadecimal(text: str | None) -> int | None:
    return int(text, 16) if text and re.fullmatch(r"0x[0-9a-fA-F]{1,8}", text, re.ASCII) else None


# --- lscpu ----------------------------------------------------------------------------------------------------------

_FIELD = re.compile(r"\s*(?:>\s*)*([A-Z][A-Za-z0-9 ()/-]{1,40}):\s*(.*?)\s*")
_MARKS = ("Socket(s)", "Core(s) per socket", "Thread(s) per core", "On-line CPU(s) list")
_KIND = "Model name"
_LONGEST = 1_000_000


def is_lscpu(text: str) -> bool:
    """Return whether a text has fields that lscpu alone prints."""
    names = {name for name, _ in _fields(text)}
    return any(mark in names for mark in _MARKS)


def facts_of_lscpu(text: str, source: str) -> dict[str, Fact]:
    """Return the processor, `sockets` and, in a virtual machine, `virtualization`; a hybrid has a block a kind."""
    fields: dict[str, str] = {}
    kinds: list[dict[str, str]] = []
    for name, value in _fields(text):
        fields.setdefault(name, value)
        if name == _KIND:
            kinds.append({})
        if kinds:
            kinds[-1].setdefault(name, value)
    virtual = fields.get("Hypervisor vendor")
    return {
        **known("cpu_vendor", fields.get("Vendor ID") or None, source),
        **known("cpu_family", whole_number(fields.get("CPU family")), source),
        **known("cpu_model_number", whole_number(fields.get("Model")) if len(kinds) < 2 else None, source),
        **known("cpu_model", _name_in_lscpu(fields, kinds), source, DERIVED),
        **known("sockets", whole_number(fields.get("Socket(s)")), source),
        **known("virtualization", virtual or None, source),
    }


def _name_in_lscpu(fields: dict[str, str], kinds: list[dict[str, str]]) -> str | None:
    names = [kind[_KIND] for kind in kinds]
    if not names or not all(is_name(name) for name in names):
        return None
    if len(set(names)) > 1:
        counts = [_cores(kind) for kind in kinds]
        if any(count is None for count in counts):
            return None
        return name_of_kinds([(name, count or 0) for name, count in zip(names, counts, strict=True)])
    vendor = fields.get("Vendor ID", "")
    is_core = fields.get("Architecture", "").startswith(("aarch64", "arm")) and names[0].startswith(
        ("Cortex", "Neoverse")
    )
    return f"{vendor} {names[0]}" if is_core and vendor else names[0]


def _cores(kind: dict[str, str]) -> int | None:
    each, groups = whole_number(kind.get("Core(s) per socket")), whole_number(kind.get("Socket(s)", "1"))
    if each is None:
        each, groups = whole_number(kind.get("Core(s) per cluster")), whole_number(kind.get("Cluster(s)", "1"))
    return None if each is None or groups is None else each * groups


def _fields(text: str) -> Iterator[tuple[str, str]]:
    if text.lstrip().startswith("{"):
        yield from _json_fields(text)
        return
    for line in text[:_LONGEST].splitlines():
        match = _FIELD.fullmatch(line[:500])
        if match is not None:
            yield match[1], "".join(letter for letter in match[2] if letter.isprintable())


def _json_fields(text: str) -> Iterator[tuple[str, str]]:
    """Yield the fields of `lscpu -J`, which newer versions nest."""
    try:
        waiting = [json.loads(text)]
    except (ValueError, RecursionError):
        return
    while waiting:
        found = waiting.pop(0)
        if isinstance(found, list):
            waiting = [*found, *waiting]
        elif isinstance(found, dict):
            name, value = found.get("field"), found.get("data")
            if isinstance(name, str) and isinstance(value, str):
                yield name.rstrip(":"), value
            waiting = [*(item for item in found.values() if isinstance(item, (list, dict))), *waiting]
