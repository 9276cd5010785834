"""How wide the memory is: DDR by its channels, LPDDR by the stated widths, held against the processor's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bandwidth.catalog.processors import ProcessorFamily
from bandwidth.machine.modules.channels import CAMM_FORMS
from bandwidth.machine.smbios import Module

DDR_WIDTH_BITS = 64  # a channel of DDR to DDR5, without ECC; DDR5's two halves together
# Some firmware counts the bits of ECC among the data (72; DDR5 80).
_STATED_FOR_A_CHANNEL = {DDR_WIDTH_BITS, 72, 80, None}
# Without a known processor: LPDDR is listed by package; wider sums are a firmware that gives each the width of all,
# narrower ones may be a firmware that states half of it (Ice Lake's, Renoir's).
_WIDEST_LPDDR_BITS = 256
_NARROWEST_SURE_LPDDR_BITS = 128
_LPCAMM2_BITS = 128  # JESD318


@dataclass(frozen=True)
class Width:
    """The data width of all channels together, None in doubt; what was taken, or why there is a doubt, in words."""

    bits: int | None = None
    note: str = ""
    doubt: str = ""


def ddr_width(modules: Sequence[Module], channels: int) -> Width:
    """Return the width of DDR on so many channels; a module of another width than a channel's is a doubt."""
    odd = {module.data_width_bits for module in modules} - _STATED_FOR_A_CHANNEL
    if odd:
        widths = " and ".join(str(width) for width in sorted(width for width in odd if width is not None))
        return Width(doubt=f"the firmware states modules of {widths} bit, which is no channel's width")
    return Width(channels * DDR_WIDTH_BITS)


def lpddr_width(modules: Sequence[Module], family: ProcessorFamily | None, sockets: int) -> Width:
    """Return the width of LPDDR: the sum of the stated widths, where it is what the processor has."""
    widths = [module.data_width_bits for module in modules]
    documented = None if family is None or family.lpddr_bits is None else family.lpddr_bits * sockets
    if len(modules) == 1 and modules[0].form_factor in CAMM_FORMS:
        return Width(documented or _LPCAMM2_BITS, "a CAMM carries 128 data lines")
    if None in widths:
        return Width(doubt="the firmware does not state the width of every package")
    total = sum(width for width in widths if width is not None)
    if family is None or documented is None:
        return _by_sum(set(widths), len(modules), total)
    if total == documented:
        return Width(total)
    if _states_half(modules, family, documented):
        return Width(
            documented, f"this processor's firmware states half of each LPDDR4 channel's width: {documented} bit"
        )
    return Width(doubt=f"the stated widths add up to {total} bit, and the processor has {documented}")


def _states_half(modules: Sequence[Module], family: ProcessorFamily, documented: int) -> bool:
    """Return whether every entry is one of those that this family's firmware states half as wide as they are."""
    entry = family.lpddr_entry_bits
    return (
        entry is not None
        and entry * len(modules) == documented
        and all(2 * (module.data_width_bits or 0) == entry for module in modules)
        and all((module.type or "").startswith("LPDDR4") for module in modules)
    )


def _by_sum(widths: set[int | None], modules: int, total: int) -> Width:
    """Return the sum where it can be believed beside an unknown processor."""
    sure = widths <= {16, 32, DDR_WIDTH_BITS} and _NARROWEST_SURE_LPDDR_BITS <= total <= _WIDEST_LPDDR_BITS
    # Four packages of 64 bits may be one 64-bit bus each, or one width written four times.
    doubtful = DDR_WIDTH_BITS in widths and modules > 2
    if sure and not doubtful:
        return Width(total)
    return Width(doubt="the widths that the firmware states for the modules leave a doubt")
