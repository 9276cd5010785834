"""What is normal: the bands within which a sound machine's rates lie, as specs/normal.toml states them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field


@dataclass(frozen=True)
class NormalBand:
    """One band of a sound machine's rates: `low` to `high` in what `denominator` says. See specs/normal.toml.

    `unverified` marks a band of which an end could not be read in a source. `machines` is how many it was read of.
    """

    name: str
    target: Literal["host", "device", "pcie"]
    paths: Annotated[tuple[str, ...], Field(min_length=1)]
    low: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    high: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    denominator: Literal["peak", "vendor", "GB/s"]
    source: str
    processors: tuple[str, ...] = ()
    memories: tuple[str, ...] = ()
    last_level_caches: Annotated[int, Field(gt=0)] | None = None
    devices: tuple[str, ...] = ()
    host_memory: Literal["", "pinned", "pageable"] = ""
    why: str = ""
    unverified: bool = False
    machines: Annotated[int, Field(gt=0)] | None = None

    @property
    def origin(self) -> str:
        """Where it is from, in short: the site or document that its source begins with, and of how many machines."""
        site = self.source.split("/")[0].split(" (")[0].split(":")[0]
        return site if self.machines is None else f"{site}, {self.machines} machine{'s' * (self.machines != 1)}"

    @property
    def is_general(self) -> bool:
        """Whether it holds for everything that has no band of its own."""
        return not self.processors and not self.devices


def gpu_bands(bands: Iterable[NormalBand], target: str, path: str, names: Iterable[str]) -> tuple[NormalBand, ...]:
    """Return the bands of a path of a GPU's memory (`device`) or of pinned copies (`pcie`): a card's own first.

    `names` is every name that the card goes by.
    """
    known = set(names)
    found = [
        band
        for band in bands
        if band.target == target
        and path in band.paths
        and band.host_memory in ("", "pinned")
        and (not band.devices or not known.isdisjoint(band.devices))
    ]
    return tuple(sorted(found, key=lambda band: band.is_general))


def host_bands(
    bands: Iterable[NormalBand], path: str, processor: Iterable[str], memory: str, last_level_caches: int | None
) -> tuple[NormalBand, ...]:
    """Return the bands of a path of host memory that hold for a processor: its own first, the general ones after.

    `processor` is every name it goes by: vendor, family and model number as one text, and its printed name.
    """
    names = set(processor)
    found = [
        band
        for band in bands
        if band.target == "host"
        and path in band.paths
        and (not band.processors or not names.isdisjoint(band.processors))
        and (not band.memories or memory.startswith(band.memories))
        and band.last_level_caches in (None, last_level_caches)
    ]
    return tuple(sorted(found, key=lambda band: band.is_general))
