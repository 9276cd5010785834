"""One way to read a product's name, whoever prints it: people, boxes, /proc/cpuinfo, lspci, drivers and their tools.

`bare_name` takes away what is not the product (marks, clocks, the bus, the driver); `read_name` splits what is left
into atoms: letters apart from digits, those that stand together kept as one chunk, because `A10` is not the `A` and
the `10` of two words. Two names are the same where their keys are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

LONGEST_NAME = 200
MOST_LISTED = 16  # products of one name, as drivers list those of one ID

# Who a word names; a name that states a maker is never another maker's product.
_MAKERS = (
    "nvidia amd intel apple qualcomm samsung mediatek google amazon ampere fujitsu marvell ibm sony microsoft nintendo",
    "valve loongson phytium hygon zhaoxin rockchip broadcom nec tenstorrent cerebras graphcore matrox xgi allwinner",
    "amlogic sophgo spacemit unisoc via lenovo nxp xilinx starfive alibaba habana groq huawei hpe 3dfx cambricon",
)
MAKERS = {name: name for line in _MAKERS for name in line.split()} | {
    "ati": "amd",
    "aws": "amazon",
    "annapurna": "amazon",
    "cavium": "marvell",
    "hisilicon": "huawei",
    "cray": "hpe",
}
_COMPANY = re.compile(
    r"nvidia corporation|advanced micro devices,? inc\.?|\[amd/ati\]|\bamd/ati\b|intel corporation"
    r"|\b(?:corporation|co\.,? ltd\.?)",
)
_MAKER_OF_COMPANY = {"n": "nvidia", "a": "amd", "[": "amd", "i": "intel"}

# --- what is not the product ----------------------------------------------------------------------------------------

_MARKS = re.compile(r"\((?:r|tm|c)\)|[®™©]", re.IGNORECASE)
_UNMARKED = str.maketrans({"®": "", "™": "", "©": "", "\u00a0": " ", "\u2010": "-", "\u2011": "-", "\u2013": "-"})
_CUDA_LINE = re.compile(r"gpu\s*[0-9]+:\s*(.*)")
_UUID = re.compile(r"\(uuid:[^)]*\)")
_PCI_ADDRESS = re.compile(r"(?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\s+")
_PCI_CLASS = re.compile(
    r"(?:vga compatible controller|3d controller|display controller|processing accelerators|co-processor)"
    r"\s*(?:\[[0-9a-f]{4}\])?\s*:\s*"
)
_PCI_TAIL = re.compile(r"\((?:rev|prog-if|secondary)\b[^)]*\)|\[[0-9a-f]{4}:[0-9a-f]{4}\]|\(rev\.? [0-9a-f]+\)")
_PCI_PRODUCT = re.compile(r"(?:nvidia|amd|intel|matrox) .*\[([^\[\]]+)\]\s*$")
# The card behind its chip where no company stands before it, as tools that read lspci print it.
_CHIPS_PRODUCT = re.compile(
    r"[a-z0-9][a-z0-9 /.+-]* "
    r"\[((?:geforce|radeon|quadro|tesla|nvs|titan|rtx|firepro|mobility|instinct|arc|iris|uhd)\b[^\[\]]*)\]"
)
_RENDERER = re.compile(r"/(?:pcie|agp|pci)(?:/sse2)?\b.*|/sse2\b.*|^mesa (?:dri )?|^angle \(|, ?opengl.*| d3d1[12].*")
# What drivers say in brackets of themselves and the chip, and people of its code name: never what tells parts apart.
_DRIVER_WORD = re.compile(
    r"\b(?:radv|radeonsi|llvm|drm|aco|nvgpu|nvk|dg[12]|bmg|(?:[a-z]{3})(?:-[a-z])? gt[0-9.]+|uuid|metal)\b"
    r"|^(?:g[tfkmpva][0-9]{2,3}|(?:tu|ad)[0-9]{3}|g[0-9]{2}|gh100|gb20[2-7]|(?:navi|vega|polaris) ?[0-9]{2})[a-z]{0,3}$"
)
_CODE_NAME = re.compile(r"[a-z]+(?:[ -][a-z]+)?")
_TELLING = frozenset(
    "laptop mobile notebook max q ti super xt xtx gre oem pro passive ultra sff mac oled lcd".split()  # noqa: SIM905
)
_BRACKETS = re.compile(r"\(([^()]*)\)")
_CLOCK = re.compile(r"@\s*(?:[0-9.]+\+?\s*(?:[gm](?:hz?)?\b)?)?|\b[0-9]+\.[0-9]+\s*[gm]hz\b")
_STEPPING = re.compile(r"\s+(?:0|v0)\s*(?=@)|\$?\b0{4}\b%?")
_CORES = re.compile(
    r"\b(?:[0-9]{1,3}|single|dual|triple|quad|six|eight|ten|twelve|sixteen|twenty-four|thirty-two)[- ]cores?\b"
    r"(?! (?:gpu|cpu))(?! e[0-9])"
)
_CARD = re.compile(r"\b(?:geforce|[gr]tx|radeon)\b")  # a card is told by them: "GTX 560 Ti 448 Cores"
_GRAPHICS = (
    r"intel|amd|ati|radeon|uhd|hd|iris|xe|plus|pro|vega|rx|wx|m|g[hl]|thermal|and|graphics?|mobile|gfx|gpu|series|wraith|near|r[2-9]e?|[0-9]{1,4}[a-z]?"
    r"|\(.*\)|\S*cooler|\S*spire|\S*prism|compute cores|[0-9]+c\+[0-9]+g|silent|solution"
)
# The graphics that a processor's name goes on with; "with Max-Q Design" is a part of its own.
_WITH_GRAPHICS = re.compile(
    rf"\s(?:[0-9]{{1,2}}w )?(?:w/|(?:apu )?with) ?(?:{_GRAPHICS})(?:,? (?:{_GRAPHICS}))*$"
    r"|(?: r[2-7])?,? ?[0-9]+ compute cores.*"
)
_AFTER_MODEL = re.compile(
    r"(?<=[0-9a-z]) radeon(?:$|,| (?:r[2-7]e?\b(?! m?[0-9])|hd graphics|graphics|vega|[0-9]{3}m|80[4-6]0s)(?![a-z0-9]))"
    rf"(?:(?:,|/| /)? ?(?:{_GRAPHICS}))*$"
)
_GENERATION = re.compile(r"\b[0-9]{1,2}(?:st|nd|rd|th) gen(?:eration)?\b(?! \()")
_EMPTY_PHRASES = re.compile(
    r"\b(?:extreme edition|x-series|developer kit|dev(?:elopment)? kit|lite hash rate|lhr|oem only|oem/tray|oam|vf"
    r"|microsoft surface edition|cpu|processor|graphics card|genuine|engineering sample|eng sample|boxed|tray)\b"
    r"|\brev [0-9]+\.[0-9]+\s*$|\brev\. a\s*$"
)
# A computer of Apple's is named for its chip.
_MAC = re.compile(
    r"\b(?:macbook(?: (?:air|pro|neo))?|mac mini|mac studio|mac pro|imac(?: pro)?|ipad(?: (?:air|pro))?)\b"
)
# The first Core processors print the letter apart and before the number: `i7 CPU Q 820` is the i7-820QM.
_LETTER_FIRST = re.compile(r"\b(core i[357])(?: cpu)?\s+([a-z]{1,2})\s+([0-9]{3})\b")

# --- atoms ----------------------------------------------------------------------------------------------------------

_CHUNK = re.compile(r"[a-z0-9.]+(?:\+(?![a-z0-9]))?")
_ATOM = re.compile(r"[a-z]+(?:\.(?=[0-9]))?|[0-9]+(?:\.[0-9]+)?|\+$")
_SIZE = re.compile(
    r"(?<![a-z0-9.])([0-9]+(?:\.[0-9]+)?) ?(?:([gm])i?|(t))b(?![a-z0-9])|(?<![a-z0-9.-])([0-9]{2,3})(g)(?![a-z0-9])"
)
_SIZE_NUMBER = re.compile(r"[0-9.]+")
_EMPTY = frozenset("processor coprocessor cpu gpu graphics apu soc gfx with design".split())  # noqa: SIM905
_SAME = {"laptop": "mobile", "notebook": "mobile"}
_MEMORY = re.compile(r"(?:lp|g)?ddr[0-9]?x?|hbm[0-9]?e?")


@dataclass(frozen=True)
class Name:
    """A name as it is compared: its chunks of atoms in lower case, and the makers that it states."""

    chunks: tuple[tuple[str, ...], ...]
    makers: frozenset[str]

    @cached_property
    def atoms(self) -> tuple[str, ...]:
        """Every atom in its order."""
        return tuple(atom for chunk in self.chunks for atom in chunk)

    @cached_property
    def edges(self) -> frozenset[int]:
        """The places between atoms at which a chunk begins or ends."""
        found, place = {0}, 0
        for chunk in self.chunks:
            place += len(chunk)
            found.add(place)
        return frozenset(found)

    @cached_property
    def key(self) -> str:
        """What two spellings of one name have in common: its atoms, two numbers kept apart."""
        text = ""
        for atom in self.atoms:
            text += f" {atom}" if text and text[-1].isdigit() and atom[0].isdigit() else atom
        return text

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """Its numbers without capacities, the longest first: that is the one that the fewest products have."""
        found = (atom for atom in self.atoms if atom[0].isdigit() and not is_size(atom))
        return tuple(sorted(found, key=lambda number: (-len(number), number)))

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The atoms that the text of every longer name of the product has, the one that the fewest have first."""
        own = [atoms for atoms in self.chunks if not is_size(atoms[0]) and not _MEMORY.fullmatch("".join(atoms))]
        words = dict.fromkeys(atom for atoms in own or self.chunks for atom in atoms if atom not in _SAME.values())
        plain = [_SIZE_NUMBER.match(word)[0] if is_size(word) else word for word in words]  # type: ignore[index]
        return tuple(sorted(plain, key=lambda word: (word[0].isdigit(), len(word)), reverse=True))

    @cached_property
    def without_sizes(self) -> Name:
        """The name without its capacities."""
        return Name(tuple(atoms for atoms in self.chunks if not is_size(atoms[0])), self.makers)

    @property
    def names_no_product(self) -> bool:
        """Whether it has nothing but sizes and families of memory: "80GB HBM3"."""
        return all(is_size(atoms[0]) or _MEMORY.fullmatch("".join(atoms)) for atoms in self.chunks)

    @property
    def begins_with_number(self) -> bool:
        """Whether it begins with a number although no maker is stated: "7600", "6800 XT", "9800X3D"."""
        return bool(self.chunks) and not self.makers and self.chunks[0][0][0].isdigit()

    @property
    def is_number(self) -> bool:
        """Whether it is no more than a number, its maker apart: "7600", "AMD 750"."""
        return len(self.atoms) == 1 == len(self.numbers)


def unmarked(text: str) -> str:
    """Return a text without the marks of trade, and with a plain hyphen and space for those that pages use."""
    return text.translate(_UNMARKED)


def is_size(atom: str) -> bool:
    """Return whether an atom is a capacity: `80gb`."""
    return atom[0].isdigit() and atom.endswith("b")


@lru_cache(maxsize=4096)
def read_name(text: str) -> Name:
    """Return the atoms of a name that has no more than the product in it."""
    chunks: list[tuple[str, ...]] = []
    makers: set[str] = set()
    for word in _CHUNK.findall(_SIZE.sub(_size, text.lower())):
        if word.isalpha():
            if word in MAKERS:
                makers.add(MAKERS[word])
            elif word not in _EMPTY:
                chunks.append((_SAME.get(word, word),))
        elif word.isdigit() or (word[-1] == "b" and word[0].isdigit() and _SIZE.fullmatch(word)):
            chunks.append((word,))
        elif atoms := _ATOM.findall(word):
            chunks.append(tuple(atoms))
    return Name(tuple(chunks), frozenset(makers))


def _size(match: re.Match[str]) -> str:
    """Return a capacity in one way: `80gb` for "80 GB", "80GiB" and "80G"."""
    number, unit = match[1] or match[4], match[2] or match[3] or match[5]
    return f" {float(number):g}{unit}b "


@lru_cache(maxsize=4096)
def bare_name(text: str) -> str:
    """Return a name as people, tools and the kernel print it without what is not the product, in lower case.

    `01:00.0 VGA compatible controller: NVIDIA Corporation AD102 [GeForce RTX 4090] (rev a1)` is the
    `nvidia geforce rtx 4090`, `AMD Ryzen 7 7840U w/ Radeon 780M Graphics` the `amd ryzen 7 7840u`.
    """
    plain = " ".join(_MARKS.sub("", unmarked(text[:LONGEST_NAME].lower())).split())
    plain = _of_tool(plain)
    plain = _MAC.sub("apple", plain)
    plain = _LETTER_FIRST.sub(_letter_last, plain)
    plain = _STEPPING.sub(" ", plain)
    plain = _CLOCK.sub(" ", plain)
    plain = _WITH_GRAPHICS.sub("", plain)
    plain = _without_graphics(plain)
    plain = _CORES.sub(lambda match: f" {match[0].split()[0]} " if _CARD.search(plain) else " ", plain)
    for pattern in (_GENERATION, _EMPTY_PHRASES):
        plain = pattern.sub(" ", plain)
    plain = " ".join(plain.split())
    # "Radeon X800 Series" is named by its number; "Xbox Series" is no Xbox.
    return plain.removesuffix(" series") if any(letter.isdigit() for letter in plain) else plain


def _of_tool(plain: str) -> str:
    """Return a line of nvidia-smi, lspci or a driver without the tool's part of it."""
    line = _CUDA_LINE.fullmatch(plain)
    plain = _UUID.sub("", line[1] if line else plain)
    plain = _PCI_CLASS.sub("", _PCI_ADDRESS.sub("", plain, count=1), count=1) if ":" in plain else plain
    plain = _PCI_TAIL.sub("", plain)
    plain = _COMPANY.sub(lambda match: f" {_MAKER_OF_COMPANY.get(match[0][0], '')} ", plain).strip()
    words = plain.split()
    plain = " ".join(words)
    product = _PCI_PRODUCT.match(plain) or _CHIPS_PRODUCT.fullmatch(plain)
    if product is not None:
        plain = f"{words[0]} {product[1]}" if words[0] in MAKERS else product[1]
    plain = _RENDERER.sub("", plain)
    return _BRACKETS.sub(_bracket, plain).strip()


def _bracket(match: re.Match[str]) -> str:
    """Return what stands in brackets, unless it is a driver's word or a code name."""
    inside = match[1].strip()
    is_name = _CODE_NAME.fullmatch(inside) and not _TELLING.intersection(re.split(r"[ -]", inside))
    return " " if is_name or _DRIVER_WORD.search(inside) else match[0]


def _letter_last(match: re.Match[str]) -> str:
    """Return a name of the first Core processors as they are sold: those of one letter but M, K and S are mobile."""
    line, letter, number = match.groups()
    is_mobile = letter in ("l", "q", "u") or (letter, number) in (("x", "920"), ("x", "940"))
    return f"{line}-{number}{letter}{'m' if is_mobile else ''}"


def _without_graphics(plain: str) -> str:
    """Return a processor's name without the graphics behind it; a card's name begins with them."""
    found = _AFTER_MODEL.search(plain)
    return plain[: found.start()] if found and any(letter.isdigit() for letter in plain[: found.start()]) else plain


def products_of(plain: str) -> tuple[tuple[str, ...], ...]:
    """Return the products of a bare name that lists several, each by the names that it may have, the likeliest first.

    `radeon rx 470/480` are the RX 470 and the RX 480, `geforce gtx 1650 mobile / max-q` two of one number, and
    `radeon hd 7950 / r9 280` goes on with another line. More than `MOST_LISTED` are no list of products.
    """
    parts = [part.strip() for part in plain.split("/") if part.strip()] or [plain]
    if not 1 < len(parts) <= MOST_LISTED:
        return ((plain,),)
    maker = next((word for word in parts[0].split()[:1] if word in MAKERS), "")
    line, product = _line_and_product(parts[0])
    found: list[tuple[str, ...]] = [(parts[0],)]
    for part in parts[1:]:
        own = f"{maker} {part}".strip()
        if not any(letter.isdigit() for letter in part):  # a suffix: "Max-Q", "XT"
            found.append((f"{product} {part}",))
        elif part[0].isalpha() and " " in part:  # another line: "R9 280"
            found.append((own, f"{line} {part}", f"{product} {part}"))
            line, product = _line_and_product(own)
        else:
            found.append((f"{line} {part}", f"{product} {part}", own))
    return tuple(found)


def _line_and_product(name: str) -> tuple[str, str]:
    """Return a name's line, and the product without its last suffix: "RX", "RX 7900" of "RX 7900 XT"."""
    words = name.split()
    has_suffix = len(words) > 1 and not any(letter.isdigit() for letter in words[-1])
    product = " ".join(words[:-1] if has_suffix else words)
    while len(words) > 1 and not any(letter.isdigit() for letter in words[-1]):
        words.pop()
    return " ".join(words[:-1]), product


def chunks_beside(asked: Name, has: Name, optional: frozenset[str] = frozenset()) -> tuple[str, ...] | None:
    """Return the chunks that a name has beside those asked for, None where it lacks one of these.

    What stands together in one of the two must stand together in the other: "X2" is no part of "295X2", nor "P12" of
    "P100 12GB". `optional` are chunks that may be asked for although the name does not have them.
    """
    used: set[int] = set()
    place = 0
    while place < len(asked.atoms):
        run = _run(asked, place, has, used)
        if run:
            used.update(run)
            place += len(run)
            continue
        end = min(edge for edge in asked.edges if edge > place)
        if "".join(asked.atoms[place:end]) not in optional:
            return None
        place = end
    beside, start = [], 0
    for chunk in has.chunks:
        if start not in used:
            beside.append("".join(chunk))
        start += len(chunk)
    return tuple(beside)


def _run(asked: Name, place: int, has: Name, used: set[int]) -> range | None:
    """Return the places in a name of the shortest run of whole chunks that both names have, from one of `asked` on."""
    ours, theirs = asked.atoms, has.atoms
    for start, atom in enumerate(theirs):
        if atom != ours[place] or start not in has.edges:
            continue
        for length in range(1, min(len(ours) - place, len(theirs) - start) + 1):
            if ours[place + length - 1] != theirs[start + length - 1] or start + length - 1 in used:
                break
            if place + length in asked.edges and start + length in has.edges:
                return range(start, start + length)
    return None
