"""What the catalog knows of a memory, a link and a device, and what a notation is resolved into.

Units stand in the field names.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Literal

from bandwidth.catalog.plain_entries import Constraint


@dataclass(frozen=True)
class MemoryFamily:
    """A kind of memory, such as DDR4: what its names mean and which rates it can have. See specs/memory.toml."""

    name: str
    width_bits: int
    unit: Literal["channel", "stack", ""]
    rate_unit: Literal["MT/s", "Gbps"]
    lowest_mt_s: int
    highest_mt_s: int
    source: str
    aliases: tuple[str, ...] = ()
    widths_bits: tuple[int, ...] = ()
    exact_bins: bool = False
    clock_transfers: int | None = None
    mhz_transfers: tuple[int, ...] = ()
    speeds_mt_s: tuple[int, ...] = ()
    slowest_sold_mt_s: int | None = None
    fastest_sold_mt_s: int | None = None
    coding: str = "1/1"
    module_prefix: str | None = None
    module_label_up_to_mt_s: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Memory:
    """A memory as configured: `rate_mt_s` x `width_bits` x `units` x `coding` / 8 is its peak.

    `units` counts what `unit` names (channels, stacks) over all `sockets` together; `coding` is data over wire bits.
    """

    family: str
    rate_mt_s: Fraction
    width_bits: int
    units: int
    unit: str
    source: str
    coding: str = "1/1"
    sockets: int = 1
    clock_transfers: int | None = None
    rate_unit: Literal["MT/s", "Gbps"] = "MT/s"


# A positive number kept exact as text: "128/130", "10312.5". Bounded, so that no file makes the arithmetic hang.
_EXACT = r"^[0-9]{0,8}[1-9][0-9]{0,8}([.][0-9]{1,9}|/[0-9]{0,8}[1-9][0-9]{0,8})?$"
ExactText = Annotated[str, Constraint(pattern=_EXACT)]


@dataclass(frozen=True)
class LinkGeneration:
    """One generation of a link, such as PCIe 4.0: the rates and widths it has, its coding. See specs/links.toml.

    A rate is a number of MT/s, or the text of an exact one ("10312.5", "100/3"), because a float would round it.
    """

    name: str
    family: str
    generations: tuple[str, ...]
    rates_mt_s: Annotated[tuple[Annotated[int, Constraint(gt=0)] | ExactText, ...], Constraint(min_length=1)]
    units: Annotated[tuple[Annotated[int, Constraint(gt=0)], ...], Constraint(min_length=1)]
    source: str
    unit: Literal["lane", "link", "port", "bus"] = "lane"
    width_bits: Annotated[int, Constraint(gt=0)] = 1
    coding: ExactText = "1/1"
    default_units: Annotated[int, Constraint(gt=0)] | None = None
    units_back: Annotated[int, Constraint(gt=0)] | None = None
    duplex: Literal["each", "half"] = "each"
    aliases: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    quoted: str = ""
    payload_bytes: Annotated[int, Constraint(gt=0)] | None = None


@dataclass(frozen=True)
class Link:
    """A link as configured, one direction: `rate_mt_s` x `width_bits` of a unit x `units` x `coding` / 8 is its peak.

    `direction` is "each" where both directions run at once, "half" where they share one bus. `units_back` is the
    number of units of the other direction where that has another one.
    """

    family: str
    rate_mt_s: Fraction
    units: int
    coding: str
    source: str
    unit: str = "lane"
    width_bits: int = 1
    direction: Literal["each", "half"] = "each"
    units_back: int | None = None


Kind = Literal["gpu", "cpu", "soc", "accelerator", "console"]
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

    `shares_memory` tells that a processor and a GPU work on the same memory, None where the kind tells it;
    `other_memories` it takes too, none of them faster;
    `capacity` is as sold (`16GB`); `vendor_gb_s` is the maker's figure in GB/s and `vendor_text` how it is printed;
    `ceiling` says which of formula and vendor's figure is the real one; `cpuid` ("GenuineIntel 6 143") and
    `model_names` are as /proc/cpuinfo prints them; `unverified` marks figures that could not be read in a source.
    """

    name: str
    maker: str
    kind: Kind
    memory: str
    source: str
    link: str | None = None
    capacity: str | None = None
    vendor_gb_s: Annotated[float, Constraint(gt=0, allow_inf_nan=False)] | None = None
    vendor_text: str | None = None
    ceiling: Literal["formula", "vendor"] = "formula"
    category: Category = ""
    note: str = ""
    aliases: tuple[str, ...] = ()
    pci_ids: tuple[str, ...] = ()
    cpuid: tuple[str, ...] = ()
    model_names: tuple[str, ...] = ()
    unverified: bool = False
    other_memories: tuple[str, ...] = ()
    shares_memory: bool | None = None

    @property
    def is_memory_shared(self) -> bool:
        """Whether what computes in it has one memory: a system on a chip, or a processor and the graphics in it."""
        return self.kind in ("soc", "cpu") if self.shares_memory is None else self.shares_memory
