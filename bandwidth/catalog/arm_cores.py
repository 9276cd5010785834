"""Arm's cores by the numbers in their MIDR_EL1 register, as specs/arm_cores.tsv lists them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from bandwidth.catalog.files import specs_folder
from bandwidth.errors import BandwidthError

ARM_CORES_FILE = "arm_cores.tsv"
_COLUMNS = ("implementer", "part", "vendor", "name", "source")


@dataclass(frozen=True)
class ArmCore:
    """One design of a core: whose it is, and what they call it."""

    implementer: int
    part: int
    vendor: str
    name: str
    source: str


@lru_cache(maxsize=1)
def arm_cores() -> dict[tuple[int, int], ArmCore]:
    """Return every core by implementer and part. Raises BandwidthError where the file is missing or damaged."""
    path = specs_folder() / ARM_CORES_FILE
    try:
        lines = path.read_text("utf-8").splitlines()
        head, *rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
        cores = [ArmCore(int(row[0], 16), int(row[1], 16), *row[2:]) for row in rows]
    except (OSError, ValueError, TypeError) as error:
        raise BandwidthError(f"{path} cannot be read: {error}", "install membandwidth again") from error
    if tuple(head) != _COLUMNS:
        raise BandwidthError(f"{path} has other columns than {', '.join(_COLUMNS)}", "install membandwidth again")
    return {(core.implementer, core.part): core for core in cores}


def arm_vendor(implementer: int) -> str | None:
    """Return who designed the cores of an implementer's number, None for one that is not listed."""
    return next((core.vendor for core in arm_cores().values() if core.implementer == implementer), None)
