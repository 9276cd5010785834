"""Arm's cores by the numbers in their MIDR_EL1 register, as specs/arm_cores.tsv lists them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bandwidth.catalog.tables import read_table

_COLUMNS = ("implementer", "part", "vendor", "name", "source")


@dataclass(frozen=True)
class ArmCore:
    """One design of a core: whose it is, and what they call it."""

    implementer: int
    part: int
    vendor: str
    name: str
    source: str


def read_arm_cores(path: Path) -> dict[tuple[int, int], ArmCore]:
    """Return every core of a table by implementer and part. Raises BandwidthError as `read_table`."""
    return {(core.implementer, core.part): core for core in read_table(path, _COLUMNS, "a core", _core)}


def _core(cells: list[str]) -> ArmCore:
    implementer, part, vendor, name, source = cells
    return ArmCore(int(implementer, 16), int(part, 16), vendor, name, source)
