"""Names of memories: families, JEDEC's labels of modules, and part numbers whose scheme says what the kit is.

`PC4-23400` states MB/s, the label `PC4-2933Y` MT/s, as does SDR's `PC133`. DDR names round to the nearest 100 MB/s,
DDR2 to DDR4 round down (i2c-tools decode-dimms), and sellers print `PC4-23466` as well: so a speed bin is looked for
within 1 % of the figure, or 100 MB/s where that is more.

Part numbers are read where the maker's scheme is plain: each was held against the part numbers, speeds and numbers of
modules of buildcores-open-db (ODC-By 1.0). What a scheme does not settle is no part number here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from bandwidth.catalog import Catalog, MemoryFamily
from bandwidth.errors import BandwidthError
from bandwidth.theory.formula import exact_bin_mt_s
from bandwidth.theory.words import MEMORY_WORDS, NAMES, Word, read_words

# "PC3L-12800" is a low-voltage DDR3 module; "PC4-23400U" ends in the kind of module, "PC4-2933Y" in the speed grade.
# Four digits at once, "PC3200", are DDR's figure alone: no later generation has one of three digits. Of two digits
# there is "PC66" only. The tail of a label names what is built, not how fast it is: "PC4-3200AA-SA2-11".
_MODULE = re.compile(
    r"pc(?P<generation>(?:[2-9](?![0-9]{3}(?![0-9])))?)(?:l|u)?\s*-?\s*"
    r"(?P<figure>[0-9]{3,6}|(?:(?<=pc)|(?<=pc-))66)(?P<tail>[a-wyz]{0,2}(?![a-wyz0-9])"
    r"(?:-(?!x[0-9])(?:[0-9]{1,4}|[a-z][a-z0-9]{0,3})(?![a-z0-9])){0,5})",
    re.ASCII,
)
_BYTES_PER_TRANSFER = 8
_TOLERANCE = Fraction(1, 100)
_ROUNDING_MT_S = Fraction(100, _BYTES_PER_TRANSFER)


# Two digits of a part number that are not the beginning of a standard speed of DDR4.
_DDR4_SPEEDS_BY_CODE = {
    30: 3000, 34: 3466, 36: 3600, 37: 3733, 40: 4000, 41: 4133, 42: 4266, 44: 4400, 46: 4600, 48: 4800, 50: 5000,
    53: 5333,
}  # fmt: skip
# "K2" before the capacity or the end is a kit of two; run together with the capacity ("K232") it is not read.
_KINGSTON_TAIL = (
    r"(?![a-z0-9]*k[248][0-9]{1,3}(?![a-z0-9]))[a-z0-9]*?(?:k(?P<modules>[2-8]))?(?:[/-][0-9]{1,3}[a-z]{0,4})?"
)
_PART_NUMBERS = (
    # Corsair: CMK32GX5M2B5600C36 is 32 GB, DDR5, 2 modules, version B, 5600 MT/s, CL36.
    ("Corsair", r"cm[a-z]{1,3}[0-9]{1,3}gx(?P<family>[345])m(?P<modules>[0-9]{1,2})[a-z](?P<rate>[0-9]{4,5})[cz]"
                r"[0-9]{1,2}[a-z0-9]{0,4}(?:-[a-z]{1,4})?"),
    # G.Skill: F5-6000J3038F16GX2 is DDR5, 6000 MT/s, 2 modules of 16 GB; F4-3200C16D-32GVK is a dual kit of 32 GB;
    # of DDR2 and DDR3 older ones state the module's name: F3-12800CL9D-8GBXL.
    ("G.Skill", r"f(?P<family>5)-(?P<rate>[0-9]{4,5})[a-z][0-9]{4}[a-z][0-9]{1,3}g[a-z](?P<modules>[1248])"
                r"(?:-[a-z0-9]{1,8})?"),
    ("G.Skill", r"f(?P<family>[234])-(?P<rate>[0-9]{3,5})c(?:l)?[0-9]{1,2}(?P<letter>q2|[sdtq])-[0-9]{1,3}g"
                r"[a-z0-9]{0,8}"),
    # Kingston: KVR32N22S8/16 is 3200 MT/s, KF556C40BBK2-32 a kit of 2 (K2) of DDR5 at 5600 MT/s; no K is one module.
    ("Kingston", r"(?:(?:kf|hx|kcp)(?P<family>[345])|kvr|ksm)l?(?P<code>[0-9]{2})l?[a-z]{1,2}" + _KINGSTON_TAIL),
    ("Kingston", r"kvr(?P<rate>[0-9]{3,4})d(?P<family>[23])" + _KINGSTON_TAIL),
    # Crucial: CT2K16G56C46U5 is 2 modules of 16 GB at 5600 MT/s, CL46, U-DIMM of DDR5; CT8G4DFS8213 is DDR4-2133,
    # CT51264BD160B DDR3-1600.
    ("Crucial", r"(?:ct|cp|blm?)(?:(?P<modules>[1-8])k)?[0-9]{1,3}g(?P<code>[0-9]{2,3})c[0-9]{2}[usert](?P<family>[45])"
                r"[a-z0-9]{0,3}"),
    ("Crucial", r"(?:ct|cp|bl[set])(?:(?P<modules>[1-8])k)?[0-9]{1,3}g(?P<family>4)(?:[a-z]f(?:[a-z][468]|[a-z]{2})|d)"
                r"(?P<code>[0-9]{2})[036a-cs][a-z0-9.]{0,6}(?:-[a-z0-9]{1,6})?"),
    ("Crucial", r"ct(?:(?P<modules>[1-8])k(?:it)?)?[0-9]{4,6}b[adf](?P<code>10|13|16|18)[0-9]{1,2}[a-z]{0,2}"),
)  # fmt: skip
_MODULES_BY_LETTER = {"s": 1, "d": 2, "t": 3, "q": 4, "q2": 8}
# The generation of Kingston's plain numbers follows from their speed: DDR3 ends where DDR4 begins, as does DDR4.
_FAMILY_BY_CODE = {**dict.fromkeys((10, 13, 16, 18), "3"), **dict.fromkeys((21, 24, 26, 29, 32), "4")}
_FIRST_DDR5_CODE = 48


_CAMM = re.compile(r"(?:LP|SO)?CAMM2?(?![a-z0-9])", re.IGNORECASE | re.ASCII)


@lru_cache(maxsize=16)  # a text that is no notation is read again for its refusal
def memory_words(text: str, catalog: Catalog) -> tuple[Word, ...]:
    """Return the words of a text, those that name a memory among them."""
    words = read_words(text, _names_of(catalog), MEMORY_WORDS)
    return tuple(replace(word, kind="unknown") if word.kind == "generation" else word for word in words)


def names_memory(word: Word) -> bool:
    """Return whether a word names a memory: a family, a module, a part number."""
    return word.kind in NAMES


@lru_cache(maxsize=1)
def _names_of(catalog: Catalog) -> Callable[[str, int], Word | None]:
    pattern, by_name = _family_pattern(catalog), family_by_name(catalog)

    def name_at(text: str, position: int) -> Word | None:
        if not text[position].isalpha():
            return None
        if (family := pattern.match(text, position)) is not None:
            entry = by_name[_NOT_IN_KEYS.sub("", family[0].lower())]
            return Word("family", family[0], position, family.end(), entry=entry)
        lower = text.lower()
        if (module := match_module(lower, position)) is not None:
            return Word("module", text[position : module.end()], position, module.end(), entry=module)
        if (camm := _CAMM.match(text, position)) is not None:
            return Word("camm", camm[0], position, camm.end())
        if (part := match_part_number(lower, position, catalog.families)) is not None:
            return Word("part number", text[position : part[1]], position, part[1], entry=part[0])
        return None

    return name_at


_NOT_IN_KEYS = re.compile(r"[\s-]")


@lru_cache(maxsize=1)
def family_by_name(catalog: Catalog) -> dict[str, MemoryFamily]:
    """Return the families by each of their names, in lower case without spaces and hyphens."""
    return {
        _NOT_IN_KEYS.sub("", name.lower()): family
        for family in catalog.families
        for name in (family.name, *family.aliases)
    }


@lru_cache(maxsize=1)
def _family_pattern(catalog: Catalog) -> re.Pattern[str]:
    # The longest name first, and nothing of a name left over: "HBM3e" is not "HBM3", "DDR45" is not "DDR4".
    names = sorted((name for family in catalog.families for name in (family.name, *family.aliases)), key=len)
    return re.compile(rf"(?:{'|'.join(map(_name_pattern, reversed(names)))})(?![a-z])", re.IGNORECASE | re.ASCII)


def _name_pattern(name: str) -> str:
    pattern = re.sub(r"\\?[ -]", "[ -]?", re.escape(name))
    # "DDR 4" is DDR4, unless the figure counts something: "HBM 4 stacks".
    if (parts := re.fullmatch(r"([A-Za-z]+)([0-9].*)", name)) is not None:
        stem, number = parts.groups()
        pattern = rf"{stem}(?:[ -](?={number}(?!x|[ -]*(?:ch|stack))))?{number}"
    # "DDR400" is DDR at 400, as it was sold; but one or two digits behind a name make it another name: "DDR6".
    return pattern + (r"(?![0-9])" if name[-1].isdigit() else r"(?![0-9]{1,2}(?![0-9]))")


@dataclass(frozen=True)
class PartNumber:
    """What the part number of a kit says: the family's name, MT/s as marketed, modules, and whose scheme it is."""

    family: str
    rate_mt_s: Fraction
    modules: int
    maker: str


@lru_cache(maxsize=1)
def _part_number_patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((maker, re.compile(rf"(?:{form})(?![a-z0-9/-])", re.ASCII)) for maker, form in _PART_NUMBERS)


def match_part_number(text: str, position: int, families: Iterable[MemoryFamily]) -> tuple[PartNumber, int] | None:
    """Return the part number that stands at a place of a lower-case text and where it ends, or None."""
    if text[position] not in "bcfhk":
        return None
    for maker, pattern in _part_number_patterns():
        match = pattern.match(text, position)
        if match is not None and (part := _part_number(maker, match.groupdict(), families)) is not None:
            return part, match.end()
    return None


def _part_number(maker: str, found: dict[str, str | None], families: Iterable[MemoryFamily]) -> PartNumber | None:
    code = int(str(found["code"])[:2]) if found.get("code") else 0
    generation = found.get("family") or _FAMILY_BY_CODE.get(code, "5" if code >= _FIRST_DDR5_CODE else "")
    family = next((one for one in families if one.name == f"DDR{generation}"), None)
    if family is None:
        return None
    rate = Fraction(str(found["rate"])) if found.get("rate") else _speed_of_code(family, code)
    if rate is not None and rate > family.highest_mt_s:
        rate = _speed_bin(family, int(rate))
    if rate is None or not family.lowest_mt_s <= rate <= family.highest_mt_s:
        return None
    modules = _MODULES_BY_LETTER[letter] if (letter := found.get("letter")) else int(found.get("modules") or 1)
    return PartNumber(family.name, rate, modules, maker)


def _speed_of_code(family: MemoryFamily, code: int) -> Fraction | None:
    """Return the speed that the first two digits of a part number's speed stand for, None where that is not settled."""
    speed = next((speed for speed in family.speeds_mt_s if speed // 100 == code), None)
    if speed is None and family.name == "DDR4":
        speed = _DDR4_SPEEDS_BY_CODE.get(code)
    if speed is None and family.name == "DDR5":
        speed = code * 100
    return None if speed is None else Fraction(speed)


def match_module(text: str, position: int = 0) -> re.Match[str] | None:
    """Return the match of a module's name at a place of a lower-case text, or None."""
    return _MODULE.match(text, position)


def module_rate(match: re.Match[str], families: Iterable[MemoryFamily]) -> tuple[MemoryFamily, Fraction, str]:
    """Return which of the families it is, its rate in MT/s and a note for a match of `match_module`.

    Raises BandwidthError for a module of none of them, or of no speed that its family has.
    """
    prefix = f"PC{match['generation']}"
    named = [family for family in families if family.module_prefix == prefix]
    if not named:
        raise BandwidthError(
            f"{prefix}-... is not the name of a memory module", "PC-, PC2-, PC3-, PC4- and PC5- are supported"
        )
    figure, name = int(match["figure"]), f"{prefix}-{match['figure']}"
    for family in named:
        if family.module_label_up_to_mt_s is not None and figure <= family.module_label_up_to_mt_s:
            return family, Fraction(figure), f"the label {name} states MT/s"
    family = named[-1]  # SDR and DDR share "PC-", and SDR's modules have labels only
    rate = _speed_bin(family, figure)
    if rate is None:
        raise BandwidthError(
            f"{name} does not match a speed of {family.name}", f"write it as {family.name}-SPEED, in MT/s"
        )
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
