"""How a table says which processors a line of it is of: by the numbers of CPUID, Arm's parts, patterns of names."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from bandwidth.catalog.keyed_tables import UNKNOWN
from bandwidth.catalog.names import bare_name

Cell = TypeVar("Cell")
_CPUID = re.compile(r"([A-Za-z]+) ([0-9]{1,4}) ([0-9]+(?:-[0-9]+)?(?:,[0-9]+(?:-[0-9]+)?)*)(?: @([a-z ]+))?", re.ASCII)
_ARM = re.compile(r"0x([0-9a-f]{1,2}) 0x([0-9a-f]{1,3})", re.ASCII)


@dataclass(frozen=True)
class Processor:
    """What tells processors apart: vendor, family and model as facts have them (an Arm core's part), the name.

    `kind` is that of one of its cores, "" where all are alike or it is not told.
    """

    vendor: str
    family: int | None
    model: int | None
    name: str
    kind: str = ""

    @property
    def plain_name(self) -> str:
        """The name without marks, clock and graphics."""
        return bare_name(self.name)


@dataclass(frozen=True)
class CpuId:
    """Processors by vendor, family and ranges of models, and the kind of core that is meant, "" for those of one."""

    vendor: str
    family: int
    models: tuple[tuple[int, int], ...]
    kind: str = ""

    def fits(self, processor: Processor) -> bool:
        """Return whether a processor is one of these, whatever its kind of core."""
        model = processor.model
        is_of_family = (self.vendor, self.family) == (processor.vendor, processor.family)
        return is_of_family and model is not None and any(low <= model <= high for low, high in self.models)


@dataclass(frozen=True)
class Name:
    """Processors by a pattern of their names, and the kind of core that is meant."""

    pattern: re.Pattern[str]
    kind: str = ""


# --- cells ----------------------------------------------------------------------------------------------------------


def several_cells(read: Callable[[str], Cell]) -> Callable[[str], tuple[Cell, ...]]:
    """Return what reads values that are parted by `; `, none for `-`."""
    return lambda cell: () if cell == UNKNOWN else tuple(read(part) for part in cell.split("; "))


def cpuid_cell(text: str) -> CpuId:
    """Return the processors of `AuthenticAMD 25 16-31,96 @performance`. Raises ValueError."""
    match = _CPUID.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:60]!a} does not look like `AuthenticAMD 25 16-31,96`")
    ends = [part.partition("-") for part in match[3].split(",")]
    models = tuple((int(low), int(high or low)) for low, _, high in ends)
    if wrong := next((part for part in models if part[0] > part[1]), None):
        raise ValueError(f"{wrong[0]}-{wrong[1]} is not a range")
    return CpuId(match[1], int(match[2]), models, match[4] or "")


def arm_part_cell(text: str) -> tuple[int, int]:
    """Return implementer and part of `0x41 0xd40`. Raises ValueError."""
    match = _ARM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:60]!a} does not look like `0x41 0xd40`")
    return int(match[1], 16), int(match[2], 16)


def name_cell(text: str) -> Name:
    """Return the processors of a pattern of names, with `@KIND` behind it where one kind of core is meant.

    Raises ValueError.
    """
    pattern, _, kind = text.partition(" @")
    return Name(pattern_cell(pattern), kind)


def pattern_cell(text: str) -> re.Pattern[str]:
    """Return a pattern that ends where a word of the name does: "EPYC 9124" is not the start of "EPYC 9124P".

    Raises ValueError.
    """
    try:
        return re.compile(rf"(?:{text})(?![\w+])", re.IGNORECASE | re.ASCII)
    except re.error as error:
        raise ValueError(f"{text[:60]!a} is not a pattern: {error}") from None


def optional_pattern_cell(cell: str) -> re.Pattern[str] | None:
    """Return a pattern of names, None for `-`. Raises ValueError."""
    return None if cell == UNKNOWN else pattern_cell(cell)
