"""Names of modules: `PC4-23400` states MB/s, the label `PC4-2933Y` MT/s, as does SDR's `PC133`.

DDR names round to the nearest 100 MB/s, DDR2 to DDR4 round down (i2c-tools decode-dimms), and sellers print
`PC4-23466` as well: so a speed bin is looked for within 1 % of the figure, or 100 MB/s where that is more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction

from bandwidth.catalog import MemoryFamily
from bandwidth.errors import BandwidthError
from bandwidth.theory.formula import exact_bin_mt_s

# "PC3L-12800" is a low-voltage DDR3 module; "PC4-23400U" ends in the kind of module, "PC4-2933Y" in the speed grade.
# Four digits at once, "PC3200", are DDR's figure alone: no later generation has one of three digits. Of two digits
# there is "PC66" only.
_MODULE = re.compile(
    r"pc(?P<generation>(?:[2-9](?![0-9]{3}(?![0-9])))?)(?:l|u)?\s*-?\s*"
    r"(?P<figure>[0-9]{3,6}|(?:(?<=pc)|(?<=pc-))66)[a-wyz]{0,2}(?![a-wyz0-9])",
    re.ASCII,
)
_BYTES_PER_TRANSFER = 8
_TOLERANCE = Fraction(1, 100)
_ROUNDING_MT_S = Fraction(100, _BYTES_PER_TRANSFER)


def match_module(text: str) -> re.Match[str] | None:
    """Return the match of a module's name at the start of a lower-case text, or None."""
    return _MODULE.match(text)


def module_rate(match: re.Match[str], families: Iterable[MemoryFamily]) -> tuple[MemoryFamily, Fraction, str]:
    """Return which of the families it is, its rate in MT/s and a note for a match of `match_module`.

    Raises BandwidthError for a module of none of them, or of no speed that its family has.
    """
    prefix = f"PC{match['generation']}"
    named = [family for family in families if family.module_prefix == prefix]
    if not named:
        raise BandwidthError(f"no memory module is named {prefix}-...", "PC-, PC2-, PC3-, PC4- and PC5- are known")
    figure, name = int(match["figure"]), f"{prefix}-{match['figure']}"
    for family in named:
        if family.module_label_up_to_mt_s is not None and figure <= family.module_label_up_to_mt_s:
            return family, Fraction(figure), f"the label {name} states MT/s"
    family = named[-1]  # SDR and DDR share "PC-", and SDR's modules have labels only
    rate = _speed_bin(family, figure)
    if rate is None:
        raise BandwidthError(f"{name} fits no speed of {family.name}", f"write it as {family.name}-SPEED, in MT/s")
    return family, rate, f"the module name {name} states MB/s, rounded"


def _speed_bin(family: MemoryFamily, figure_mb_s: int) -> Fraction | None:
    """Return the marketed speed whose module moves about `figure_mb_s`: a standard one, else a multiple of 33 1/3."""
    target = Fraction(figure_mb_s, _BYTES_PER_TRANSFER)
    standard = [Fraction(speed) for speed in family.speeds_mt_s if _is_near(exact_bin_mt_s(Fraction(speed)), target)]
    if standard:
        return min(standard, key=lambda speed: abs(exact_bin_mt_s(speed) - target))
    nearest = round(target * 3 / 100) * Fraction(100, 3)
    is_plausible = family.lowest_mt_s <= nearest <= family.highest_mt_s
    return nearest if is_plausible and _is_near(nearest, target) else None


def _is_near(rate: Fraction, target: Fraction) -> bool:
    return abs(rate - target) <= max(target * _TOLERANCE, _ROUNDING_MT_S)
