"""One tokenizer for every notation: a text becomes words, each of one kind, wherever in the text it stands.

What names a memory or a link is looked up by whoever asks (`name_at`), because a memory is answered without the
links. Everything else is told by its form: figures with their units, and the words that say nothing of bandwidth.
A word that is neither is `unknown`, and whoever asks decides what that means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

COUNT_WORDS = {
    "single": 1, "one": 1, "dual": 2, "double": 2, "two": 2, "triple": 3, "tri": 3, "three": 3, "quad": 4, "four": 4,
    "five": 5, "six": 6, "hexa": 6, "hex": 6, "eight": 8, "octa": 8, "octo": 8, "octal": 8, "ten": 10, "twelve": 12,
    "dodeca": 12, "sixteen": 16,
}  # fmt: skip
# Words of shops, labels and sentences that say nothing of bandwidth. Makers' and lines' names have no end: see
# `as_product_name`.
_MODULE_WORDS = """
    memory ram module modules stick sticks dimm dimms udimm udimms rdimm rdimms lrdimm sodimm sodimms so cudimm cudimms
    csodimm nvdimm vlp lp low profile kit set pack buffered unbuffered registered unregistered reg ecc nonecc non ondie
    desktop laptop notebook server workstation pc gaming gamer heatsink heatspreader cooled chip chips chipset
    synchronous sgram bank banks die oem new
    xmp expo docp eocp jedec spd intel amd ready certified overclocked overclocking oc rgb argb led lighting black white
    red blue green silver grey gray gold orange yellow purple pink color colour matte dark
    samsung micron hynix sk skhynix kingston corsair crucial gskill adata teamgroup patriot lexar
"""
_SENTENCE_WORDS = """
    at of with in on over the a an and or is as to for from per each total all running runs run rated speed speeds clock
    clocked frequency data rate transfer effective bandwidth peak theoretical bus interface wide width organization
    latency cas timing timings voltage type version edition series model up max maximum configured supported supports
    revision rev w using
"""
_PORT_WORDS = """
    slot slots socket connector connection link links port card adapter controller device gpu nic ssd drive disk storage
    cable edge electrical mechanical express capable mode signaling signalling generation lnksta lnkcap lnkcap2 lnksta2
    downgraded ok current active aic addin add sfp sfp28 sfp+ qsfp qsfp28 osfp m.2 u.2 nvme oculink e1.s e1s
    e3.s e3s typea typec
"""
MEMORY_WORDS = frozenset(f"{_MODULE_WORDS} {_SENTENCE_WORDS}".split())
LINK_WORDS = frozenset(f"{_PORT_WORDS} {_SENTENCE_WORDS}".split())
# Graphics cards and processors stand beside memories of their own: a text that names one is no module's.
_NO_MODULE = re.compile(
    r"\b(?:geforce|radeon|quadro|tesla|[gr]tx|gt|rx|arc|ryzen|threadripper|epyc|xeon|core|celeron|pentium|"
    r"atom|athlon|i[3579]-?[0-9]*[a-z]*|apple|macbook|imac|snapdragon)\b",
    re.IGNORECASE | re.ASCII,
)
# A word that is not understood but has one of these in it is never passed over.
_SAYS_MORE = re.compile(r"chan|socket|lane|[0-9]bit|[MG]T/?s|[MG]Hz|[MG]b(?:/s|ps)", re.IGNORECASE | re.ASCII)
_SURE_KIT = 2  # modules, which fill as many channels on whatever platform
_LEAST_RATE, _MOST_RATE = 100, 20_000  # what a bare figure in a product's name may be taken for, in MT/s
NAMES = ("family", "module", "part number", "camm")
MODULES = ("kit", "kit_of", "pieces", "sum")

_COUNT = rf"(?:[0-9]{{1,6}}|{'|'.join(sorted(COUNT_WORDS, key=len, reverse=True))})"
_FEW = _COUNT.replace("1,6", "1,3")  # parts: "2933 x 64 bit" is a rate and a width
_WORD_ALONE = "|".join(sorted(set(COUNT_WORDS) - {"one", "five", "ten"}, key=len, reverse=True))
_SIZED = r"[0-9]{1,6}(?:\.[0-9]{1,3})?\s*-?\s*(?:[GTM]i?B|G|Gigs?)"
_SIZE = rf"{_SIZED}(?![a-z0-9/])"
_END = r"(?![a-z0-9])"
_RATE_UNIT = (
    r"(?:[MG]T/s(?:ec)?|[MG]Tp?s|[MG]T(?![a-z])|[MGT]bp?s(?![a-z])|[MGT]b(?:its?)?/s(?:ec)?|[MG]bits?(?![a-z/])|[MG]Hz)"
    r"(?:\s*/?\s*(?:per\s*)?pin(?![a-z]))?"
)
# What most notations are made of; the rest is compiled only for a text that needs it.
_PLAIN = re.compile(
    r"(?P<separator>[\s@-]+)|(?P<units>x\s*(?P<of_units>[0-9]{1,6}))(?=$)"
    r"|(?P<rate>(?P<of_rate>[0-9]{3,5}))(?=$|\s*x\s*[0-9]{1,3}$)",
    re.IGNORECASE | re.ASCII,
)
# One group a kind, in the order in which they are tried; `of_KIND` in it is the figure.
_WORDS = rf"""
      (?P<bracketed>\(\s*[0-9]{{1,3}}\s*x\s*[0-9]{{1,3}}\s*\))
    | (?P<alternative>\(\s*or\s[^()]*\))
    | (?P<separator>[\s,;:@|()\[\]{{}}=_-]+)
    | (?P<sum>{_SIZE}(?:\s*\+\s*{_SIZE}){{1,11}})
    | (?P<kit>(?P<of_kit>[0-9]{{1,3}}|two|four)\s*[x*]\s*(?:{_SIZE}|[1248]R{_END}))
    | (?P<pieces>{_SIZED}\s*[x*]\s*(?P<of_pieces>[0-9]{{1,3}})(?![a-z0-9.]))
    | (?P<kit_of>kit\s+of\s+(?P<of_kit_of>{_COUNT}){_END}
        |(?P<sticks>{_COUNT})\s*-?\s*(?:pack|pcs|sticks?|modules?|dimms?){_END})
    | (?P<parts>(?P<of_parts>{_FEW})(?:[\s-]*(?:channels?|ch))?\s*[x*]
        \s*(?P<part_bits>[0-9]{{1,4}})\s*-?\s*bits?(?![a-z/]))
    | (?P<width>(?:[x*]\s+)?(?P<of_width>[0-9]{{1,7}})\s*-?\s*bits?(?![a-z/]))
    | (?P<dropped>[1-8]s?[1-8]?d?s?R(?:x?(?:4|8|16))?{_END}|{_COUNT}[\s-]*ranks?(?:ed)?{_END}
        |(?:CL|C|CAS(?:\s*latency)?)\s*[=:-]?\s*[0-9]{{1,3}}(?:-[0-9]{{1,3}}){{0,4}}{_END}
        |[0-9]{{1,3}}(?:-[0-9]{{1,3}}){{2,4}}(?![a-z0-9-])
        |[0-9]{{1,2}}\s*-?\s*(?:Hi|H|high){_END}|[12]T{_END}|3DS{_END}|M\.?2[\s(-]*(?:22|30|32)[0-9]{{2,3}}{_END}|(?:XMP|EXPO)\s*[0-9](?:\.[0-9])?{_END}
        |[0-9]{{1,3}}(?:\.[0-9]{{1,3}})?\s*-?\s*(?:v|volts?|pins?|nm){_END})
    | (?P<dpc>(?P<of_dpc>[1-4])\s*DPC{_END})
    | (?P<per_socket>(?:per|a|each|/)[\s-]*(?:sockets?|cpus?|processors?){_END}|(?<=[0-9])/S{_END})
    | (?P<sockets>(?:[x*]\s*)?(?P<of_sockets>{_COUNT})(?:[\s-]*(?:sockets?|cpus?|processors?)|[SP]){_END})
    | (?P<count>(?:(?P<sets>[1-9])?\s*[x*]\s*)?(?P<of_count>{_COUNT})[\s-]*(?:memory[\s-]*)?
        (?P<unit>channel|chan|ch|stack|lane|link|port)(?:s|ed)?(?![a-z]))
    | (?P<named_count>(?P<of_named_count>{_WORD_ALONE}){_END})
    | (?P<times>(?P<of_times>[0-9]{{1,3}})\s*[x*](?:(?![a-z0-9.])|\s*(?=[a-z]|[0-9]{{4}})))
    | (?P<units>[x*]\s*(?P<of_units>[0-9]{{1,6}})(?![0-9.]))
    | (?P<generation>(?:gen(?:eration)?|v|g)[.\s-]*(?P<of_generation>[0-9](?:\.[0-9])?)(?![a-wyz0-9]))
    | (?P<capacity>{_SIZE})
    | (?P<rate>(?P<of_rate>[0-9]{{1,3}}(?:,[0-9]{{3}})+(?![0-9])|[0-9]{{1,5}},[0-9]{{1,9}}(?=\s*{_RATE_UNIT})
          |[0-9]{{1,9}}(?:\.[0-9]{{1,9}})?)
        (?:\s*(?P<rate_unit>{_RATE_UNIT})|(?<=[0-9]{{4}})(?:AA|AC|AN|[A-FJ-NPRT-WY])(?![a-z0-9]))?
        (?:(?![a-wyz0-9.])|(?=c[0-9]{{2}}{_END})))
    | (?P<slash>/)
    | (?P<unknown>[^\s,;:@|()\[\]{{}}/]+)
"""
# How a word of the kinds above begins that begins with a letter: other words need not be tried.
_MEANT = re.compile(rf"(?:{'|'.join(COUNT_WORDS)})|kit|per|a\b|each|c|xmp|expo|m|g|v|x", re.IGNORECASE | re.ASCII)
_UNKNOWN = re.compile(r"(?P<unknown>[^\s,;:@|()\[\]{}/]+)")
_NAME_WORD = re.compile(r"[a-z][a-z0-9.+'-]*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a notation: its kind, where it stands, its figures, and the entry that a name stands for.

    `kind` is a group of the pattern above, or what `name_at` calls it; `number` is what the word counts or states, in
    `unit` where it has one (a generation's is its text); `each` is the bits of each of `number` parts.
    """

    kind: str
    text: str
    start: int
    end: int
    number: Fraction = Fraction(0)
    unit: str = ""
    each: int = 0
    entry: object = None


NameAt = Callable[[str, int], Word | None]


def read_words(text: str, name_at: NameAt, says_nothing: frozenset[str]) -> list[Word]:
    """Return the words of a text. Separators are left out; nothing is refused here."""
    words, position = [], 0
    while position < len(text):
        word = name_at(text, position) or _word_at(text, position, says_nothing)
        position = word.end
        if word.kind not in ("separator", "slash"):
            words.append(word)
    return words


def _word_at(text: str, position: int, says_nothing: frozenset[str]) -> Word:
    match = _PLAIN.match(text, position)
    if match is None:
        is_plain_word = text[position].isalpha() and _MEANT.match(text, position) is None
        match = (_UNKNOWN if is_plain_word else _pattern()).match(text, position)
    assert match is not None  # noqa: S101 - the last kinds take any character
    word = _word(match)
    return (_dropped_word(text, position, says_nothing) or word) if word.kind == "unknown" else word


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    return re.compile(_WORDS, re.VERBOSE | re.IGNORECASE | re.ASCII)


def _dropped_word(text: str, position: int, says_nothing: frozenset[str]) -> Word | None:
    """Return the word there that says nothing of bandwidth: `SO-DIMM` whole, of `SODIMM-5200` its first part."""
    match = _NAME_WORD.match(text, position)
    if match is None:
        return None
    end = match.end()
    while end > position:
        key = text[position:end].lower()
        if key in says_nothing or key.replace("-", "").replace(".", "") in says_nothing:
            return Word("dropped", text[position:end], position, end)
        end = text.rfind("-", position, end)
    return None


def _word(match: re.Match[str]) -> Word:
    """Return the word of a match: the group that closes last is its kind."""
    kind, found = match.lastgroup or "", match.groupdict()
    number, unit, each = Fraction(0), "", 0
    figure = found.get(f"of_{kind}") or (found.get("sticks") if kind == "kit_of" else None)
    if kind == "rate":
        unit = found.get("rate_unit") or ""
        number = _decimal(str(figure), unit)
    elif kind == "generation":
        unit = str(figure)
    elif kind == "sum":
        number = Fraction(match[0].count("+") + 1)
    elif kind == "bracketed":
        # "(2x16)" and "(16x2)" are a shop's kits without the unit: the smaller number counts the modules.
        kind, number = "kit", Fraction(min(map(int, re.findall("[0-9]+", match[0]))))
    elif kind == "alternative":  # "(or 2933MHz)": what it runs at elsewhere
        kind = "dropped"
    elif figure is not None:
        number = _count(figure) * int(found.get("sets") or 1)  # "2 x 12 channels"
        unit = {"ch": "channel", "chan": "channel"}.get(unit := (found.get("unit") or "").lower(), unit)
        each = int(found.get("part_bits") or 0)
    return Word(kind, match[0].strip(), match.start(), match.end(), number, unit, each)


def _count(text: str) -> Fraction:
    return Fraction(COUNT_WORDS[text.lower()] if text.lower() in COUNT_WORDS else int(text))


def _decimal(text: str, unit: str) -> Fraction:
    """Return a figure whose comma sets thousands apart (`3,200 MT/s`) or is the decimal one (`14,5 Gbps`)."""
    whole, comma, rest = text.partition(",")
    if not comma:
        return Fraction(text)
    is_thousands = len(rest.replace(",", "")) % 3 == 0 and not (unit[:1] in "Gg" and unit)
    return Fraction(text.replace(",", "")) if is_thousands else Fraction(f"{whole}.{rest}")


def first_unknown(words: Iterable[Word]) -> Word | None:
    """Return the first word that is not understood, None where all are."""
    return next((word for word in words if word.kind == "unknown"), None)


def is_figure(word: Word) -> bool:
    """Return whether a word is a figure, with its unit or without, and no name that has digits ("5600G", "8575B")."""
    is_plain = word.kind not in ("rate", "capacity") or bool(word.unit) or word.text[-1].isdigit()
    is_plain = is_plain or (word.kind == "capacity" and word.text[-1] in "bB")
    return is_plain and word.kind in (*MODULES, "width", "count", "units", "times", "capacity", "rate", "parts")


def as_product_name(words: Sequence[Word], text: str) -> Sequence[Word]:
    """Return the words of a text with its product's name dropped, where it reads as a shop's: all words otherwise.

    What stands before the memory's name is the product's ("Flare X5", "Viper 3"), unless it has a unit, as is any word
    that is not understood.
    """
    if not _is_product_name(words, text):
        return words
    names = [index for index, word in enumerate(words) if word.kind in NAMES]
    rates = {word.number for word in words if word.kind == "rate" and word.unit}
    if names[0] + 1 < len(words) and words[names[0] + 1].kind == "rate":
        rates.add(words[names[0] + 1].number)
    has_rate = bool(rates) or any(word.kind in ("module", "part number") for word in words)
    # A kit makes it a shop's; with a capacity alone, its name ends where the memory's begins.
    is_kit = any(word.kind in (*MODULES, "part number") for word in words)
    if not is_kit and any(word.kind == "unknown" for word in words[names[-1] :]):
        return words
    return [
        replace(word, kind="dropped") if _is_of_name(words, index, names[0], has_rate) else word
        for index, word in enumerate(words)
    ]


def _is_product_name(words: Sequence[Word], text: str) -> bool:
    """Return whether a text reads as the name that a shop gives to a kit or a module: `Viper DDR4-3200 16GB (2x8GB)`.

    It begins with words, and states the memory, its rate, and a kit; or a capacity or a large kit, where it names no
    processor and no graphics card, which have memories of their own.
    """
    kinds = {word.kind for word in words}
    if first_unknown(words) is None or words[0].kind not in ("unknown", "dropped") or not words[0].text[0].isalpha():
        return False
    states_all = kinds & {"family", "module"} and kinds & {"rate", "module"} and kinds & {*MODULES, "capacity"}
    if not states_all and "part number" not in kinds:
        return False
    most = max((word.number for word in words if word.kind in MODULES), default=0)
    return 0 < most <= _SURE_KIT or _NO_MODULE.search(text) is None


def _is_of_name(words: Sequence[Word], index: int, name: int, has_rate: bool) -> bool:
    word = words[index]
    if word.kind == "unknown":
        return _SAYS_MORE.search(word.text) is None
    if word.kind == "rate" and not word.unit:
        is_factor = index + 1 < len(words) and words[index + 1].kind in ("units", "times")
        return has_rate and not is_factor and not _LEAST_RATE <= word.number <= _MOST_RATE
    is_named_so = word.kind == "units" and index > 0 and words[index - 1].kind in ("unknown", "dropped")
    return is_named_so and index < name and word.text[:1] == "X"
