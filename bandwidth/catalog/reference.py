"""Published figures of known machines, as specs/reference.toml states them: what to put one's own record beside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from bandwidth.catalog.ranges import fault_of_range

BYTES_PER_GB = 1e9
# A link's generation is told by its coded rate: within this share it is the same.
SAME_RATE = 0.01

Kin = Literal["this part", "its family", "any"]
_NEAREST: tuple[Kin, ...] = ("this part", "its family", "any")


@dataclass(frozen=True)
class PublishedFigure:
    """One published figure, or a range: `low` to `high` in what `unit` says. See specs/reference.toml."""

    name: str
    target: Literal["host", "device", "pcie"]
    paths: Annotated[tuple[str, ...], Field(min_length=1)]
    low: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    high: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    unit: Literal["share", "GB/s"]
    source: str
    peak_gb_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    peak: Literal["formula", "vendor"] = "formula"
    parts: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    host_memory: Literal["", "pinned", "pageable"] = ""
    conditions: str = ""

    @property
    def bytes_per_s(self) -> tuple[float, float] | None:
        """Both ends as rates, None where only a share was published."""
        factor = BYTES_PER_GB if self.unit == "GB/s" else (self.peak_gb_s or 0) * BYTES_PER_GB
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
    return theory_bytes_per_s is not None and (
        abs(theory_bytes_per_s / BYTES_PER_GB / figure.peak_gb_s - 1) <= SAME_RATE
    )


def _kin(figure: PublishedFigure, names: set[str], family: str) -> Kin | None:
    if names.intersection(figure.parts):
        return "this part"
    if family in figure.families:
        return "its family"
    return None if figure.parts or figure.families else "any"
