"""What the catalog knows of a link, and what a notation of one is resolved into. Units stand in the field names."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field

# A positive number kept exact as text: "128/130", "10312.5". Bounded, so that no file makes the arithmetic hang.
ExactText = Annotated[str, Field(pattern=r"^[0-9]{0,8}[1-9][0-9]{0,8}([.][0-9]{1,9}|/[0-9]{0,8}[1-9][0-9]{0,8})?$")]


@dataclass(frozen=True)
class LinkGeneration:
    """One generation of a link, such as PCIe 4.0: the rates and widths it has, its coding. See specs/links.toml.

    A rate is a number of MT/s, or the text of an exact one ("10312.5", "100/3"), because a float would round it.
    """

    name: str
    family: str
    generations: tuple[str, ...]
    rates_mt_s: Annotated[tuple[Annotated[int, Field(gt=0)] | ExactText, ...], Field(min_length=1)]
    units: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=1)]
    source: str
    unit: Literal["lane", "link", "port", "bus"] = "lane"
    width_bits: Annotated[int, Field(gt=0)] = 1
    coding: ExactText = "1/1"
    default_units: Annotated[int, Field(gt=0)] | None = None
    units_back: Annotated[int, Field(gt=0)] | None = None
    duplex: Literal["each", "half"] = "each"
    aliases: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    quoted: str = ""
    payload_bytes: Annotated[int, Field(gt=0)] | None = None


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
