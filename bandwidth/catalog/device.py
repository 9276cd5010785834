"""What the catalog knows of one device, as its table in specs/devices/ states it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

# Why a maker's figure and the formula's differ; each stands with a note in its entry.
Category = Literal[
    "",
    "mixed unit",
    "rounded",
    "effective",
    "segmented",
    "one name, two buses",
    "total or per die",
    "channel width",
    "buffered",
    "derated",
    "vendor error",
]


@dataclass(frozen=True)
class Device:
    """A GPU, processor, accelerator, system on a chip or console; `memory` and `link` are in the notation of `theory`.

    `capacity` is as sold (`16GB`); `vendor_gb_s` is the maker's figure in GB/s and `vendor_text` how it is printed;
    `ceiling` says which of formula and vendor's figure is the real one; `cpuid` ("GenuineIntel 6 143") and
    `model_names` are as /proc/cpuinfo prints them; `unverified` marks figures that could not be read in a source.
    """

    name: str
    maker: str
    kind: Literal["gpu", "cpu", "soc", "accelerator", "console"]
    memory: str
    source: str
    link: str | None = None
    capacity: str | None = None
    vendor_gb_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    vendor_text: str | None = None
    ceiling: Literal["formula", "vendor"] = "formula"
    category: Category = ""
    note: str = ""
    aliases: tuple[str, ...] = ()
    pci_ids: tuple[str, ...] = ()
    cpuid: tuple[str, ...] = ()
    model_names: tuple[str, ...] = ()
    unverified: bool = False
