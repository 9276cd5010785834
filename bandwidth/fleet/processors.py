"""What model a record's processor is: by its name, where that is a product's; by what else is known, where it is none.

An Arm system names the design of its cores (Cortex-A55), which is in chips of a factor of ten in bandwidth; and some
systems name nothing at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from bandwidth.plain_text import one_line
from bandwidth.units import format_size

UNNAMED = "processor without a name"
_X86 = ("x86_64", "amd64", "i386", "i586", "i686", "x86")
# Designs of cores, as /proc/cpuinfo and lscpu name them: a part of a chip's name, and no chip's.
_CORE_DESIGN = re.compile(
    r"(?i)cortex|neoverse|kryo|krait|scorpion|falkor|saphira|carmel|denver|thunder-?x|taishan|tsv\d|ftc\d|ampere-1|"
    r"exynos-m\d|mongoose|pj4|brahma|icestorm|firestorm|avalanche|blizzard|everest|sawtooth|sifive|u74|c9\d0|c910|rv64"
)
_MOST_BYTES = 2**63  # a record may hold anything
# What a record may hold in the place of a name is cut to this length.
LONGEST_NAME = 80


class Processor(NamedTuple):
    """A processor's name, empty without one; what else tells its model where the name does not, in words.

    `is_model_known` is false where neither does: such machines may be of any kind.
    """

    name: str
    kind: str
    is_model_known: bool


def processor_of(facts: Mapping[str, Any]) -> Processor:
    """Return what model a machine's processor is, by its facts."""
    name = plain_name(facts.get("cpu_model"))
    chip, cores = plain_name(facts.get("soc")), _cores(facts)
    if name and not _CORE_DESIGN.search(name):
        return Processor(name, "", is_model_known=True)
    if name:
        return Processor(name, ", ".join(filter(None, (chip, cores))), is_model_known=True)
    signature = [facts.get(key) for key in ("cpu_vendor", "cpu_family", "cpu_model_number")]
    numbers = _signature(signature)
    is_x86 = str(facts.get("architecture", "")).lower() in _X86
    is_known = bool(chip) or (is_x86 and None not in signature)
    parts = (chip, numbers, plain_name(facts.get("architecture")), cores, _cache(facts))
    return Processor("", ", ".join(filter(None, parts)), is_known)


def _signature(parts: list[Any]) -> str:
    """Return vendor, family and model number, the family of which is CPUID's or a part number."""
    vendor, family, number = parts
    words = [plain_name(vendor)]
    words += [f"family {family}"] if type(family) is int else []
    words += [f"model {number}"] if type(number) is int else []
    return " ".join(filter(None, words))


def _cores(facts: Mapping[str, Any]) -> str:
    count, kinds = facts.get("physical_cores"), facts.get("core_kinds")
    if type(count) is not int:
        return ""
    known = kinds.items() if isinstance(kinds, Mapping) else ()
    told = ", ".join(f"{number} {plain_name(kind)}" for kind, number in known if type(number) is int)
    return f"{count} core{'s' if count != 1 else ''}{f' ({told})' if told else ''}"


def _cache(facts: Mapping[str, Any]) -> str:
    size = facts.get("last_level_cache_bytes")
    return f"{format_size(size)} of cache" if type(size) is int and 0 < size < _MOST_BYTES else ""


def plain_name(value: object) -> str:
    """Return a text on one line, empty for what is none: a record may hold anything."""
    if not isinstance(value, str):
        return ""
    return one_line(value)[:LONGEST_NAME]
