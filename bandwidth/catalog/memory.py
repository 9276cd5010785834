"""What the catalog knows of a memory, and what a notation of one is resolved into. Units stand in the field names."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal


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
