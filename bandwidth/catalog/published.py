"""What others measured: bands of what is normal (normal.toml), and published figures of machines (reference.toml)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from bandwidth.catalog.entries import Named
from bandwidth.catalog.plain_entries import Constraint
from bandwidth.vocabulary import GIGA


class Range(Named, Protocol):
    """What every entry of these files has: NormalBand, PublishedFigure."""

    @property
    def low(self) -> float:
        """The lower end."""

    @property
    def high(self) -> float:
        """The upper end, in the unit of the lower one."""


def fault_of_range(entry: Range) -> str:
    """Return what no entry of these files may have: ends in the wrong order, or no source; "" where it has neither."""
    if entry.low > entry.high:
        return "low is above high"
    return fault_of_source(entry)


def fault_of_source(entry: Named) -> str:
    """Return what is wrong with an entry's source, "" where it states one."""
    return "" if entry.source.strip() else "source: it is empty"


@dataclass(frozen=True)
class NormalBand:
    """One band of a sound machine's rates: `low` to `high` in what `denominator` says. See specs/normal.toml.

    `unverified` marks a band of which an end could not be read in a source. `machines` is how many it was read of.
    """

    name: str
    target: Literal["host", "device", "pcie"]
    paths: Annotated[tuple[str, ...], Constraint(min_length=1)]
    low: Annotated[float, Constraint(ge=0, allow_inf_nan=False)]
    high: Annotated[float, Constraint(gt=0, allow_inf_nan=False)]
    denominator: Literal["peak", "vendor", "GB/s"]
    source: str
    processors: tuple[str, ...] = ()
    memories: tuple[str, ...] = ()
    last_level_caches: Annotated[int, Constraint(gt=0)] | None = None
    devices: tuple[str, ...] = ()
    host_memory: Literal["", "pinned", "pageable"] = ""
    why: str = ""
    unverified: bool = False
    machines: Annotated[int, Constraint(gt=0)] | None = None

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


# A link's generation is told by its coded rate: within this share it is the same.
SAME_RATE = 0.01

Kin = Literal["this part", "its family", "any"]
_NEAREST: tuple[Kin, ...] = ("this part", "its family", "any")


@dataclass(frozen=True)
class PublishedFigure:
    """One published figure, or a range: `low` to `high` in what `unit` says. See specs/reference.toml."""

    name: str
    target: Literal["host", "device", "pcie"]
    paths: Annotated[tuple[str, ...], Constraint(min_length=1)]
    low: Annotated[float, Constraint(gt=0, allow_inf_nan=False)]
    high: Annotated[float, Constraint(gt=0, allow_inf_nan=False)]
    unit: Literal["share", "GB/s"]
    source: str
    peak_gb_s: Annotated[float, Constraint(gt=0, allow_inf_nan=False)] | None = None
    peak: Literal["formula", "vendor"] = "formula"
    parts: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    host_memory: Literal["", "pinned", "pageable"] = ""
    conditions: str = ""

    @property
    def bytes_per_s(self) -> tuple[float, float] | None:
        """Both ends as rates, None where only a share was published."""
        factor = GIGA if self.unit == "GB/s" else (self.peak_gb_s or 0) * GIGA
        return (self.low * factor, self.high * factor) if factor else None

    @property
    def shares(self) -> tuple[float, float] | None:
        """Both ends as shares of the peak that they were measured under, None where that is not known."""
        if self.unit == "share":
            return (self.low, self.high)
        return None if self.peak_gb_s is None else (self.low / self.peak_gb_s, self.high / self.peak_gb_s)


def fault_of_figure(figure: PublishedFigure) -> str:
    """Return what is wrong with a figure although each of its fields may be so, "" where nothing is."""
    if wrong := fault_of_range(figure):
        return wrong
    return "it is above its peak" if any(share > 1 for share in figure.shares or ()) else ""


def nearest_figures(
    target: str,
    path: str,
    *,
    figures: Iterable[PublishedFigure],
    parts: Iterable[str],
    family: str = "",
    host_memory: str = "",
    theory_bytes_per_s: float | None = None,
) -> tuple[Kin, tuple[PublishedFigure, ...]]:
    """Return the figures of a path that are nearest to a machine, and how near: its part's, its family's, or any's.

    `parts` are the catalog's names of its processor or GPU; a link is matched by its theory, the coded rate.
    """
    names = set(parts)
    found: dict[Kin, list[PublishedFigure]] = {kin: [] for kin in _NEAREST}
    for figure in figures:
        is_same_path = figure.target == target and path in figure.paths and figure.host_memory in ("", host_memory)
        if is_same_path and _is_same_link(figure, theory_bytes_per_s):
            kin = _kin(figure, names, family)
            if kin is not None:
                found[kin].append(figure)
    return next(((kin, tuple(found[kin])) for kin in _NEAREST if found[kin]), ("any", ()))


def _is_same_link(figure: PublishedFigure, theory_bytes_per_s: float | None) -> bool:
    if figure.target != "pcie" or figure.peak_gb_s is None:
        return True
    return theory_bytes_per_s is not None and (abs(theory_bytes_per_s / GIGA / figure.peak_gb_s - 1) <= SAME_RATE)


def _kin(figure: PublishedFigure, names: set[str], family: str) -> Kin | None:
    if names.intersection(figure.parts):
        return "this part"
    if family in figure.families:
        return "its family"
    return None if figure.parts or figure.families else "any"
