"""Finds a device by what people, boxes and tools call it, and never another product.

A name is asked for as it stands, then without what is not the product (`names.bare_name`). It is answered where one
product has that name, or a longer one by no more than its line ("Core", "GeForce"); where it tells less, or several
products with different memory have it, they are listed (`AmbiguousName`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from bandwidth.catalog.folders import Folders
from bandwidth.catalog.model import Device
from bandwidth.catalog.names import MAKERS, Name, bare_name, chunks_beside, products_of, read_name
from bandwidth.catalog.places import Place, own_places, place_of_line, read_device, users_by_key
from bandwidth.catalog.products import WORD
from bandwidth.errors import AmbiguousName, BandwidthError, SharedMemoryError

# Lines of products that people leave out: the number behind them tells the product.
_LINES = frozenset(
    "geforce radeon instinct tesla arc jetson card core xeon celeron pentium atom".split()  # noqa: SIM905
    + "ryzen epyc athlon opteron phenom".split()  # noqa: SIM905
)
# Words by which the variants of one product differ: where all that have them have one memory, that is the answer.
_VARIANT = re.compile(
    r"[0-9.]+[gm]b|pcie|sxm[0-9]?|fhhl|(?:lp|g)?ddr[0-9]x?|hbm[0-9]?e?|quadro|ada|generation|blackwell|edition|workstation"
)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
# Graphics that have no memory of their own, as drivers and lspci call them.
_SHARED = re.compile(
    r"\b(?:iris(?: (?:xe(?! max| pod)|plus|pro))?(?! xe)|uhd|hd graphics|intel hd|intel graphics|gma|adreno|mali)\b"
    r"|\b(?:immortalis|powervr|videocore|xclipse)\b|\barc (?:pro )?(?:1[0-9]{2}[tv]|b3[79]0|graphics)\b"
    r"|\bradeon graphics$|\bintegrated (?:hd |iris pro )?graphics\b|\bintel\b.*\bgraphics (?:controller|device|& )"
    r"|\bradeon (?:[0-9]{3}m|80[4-6]0s|r[2-7]e?|(?:rx )?vega(?: (?:[0-9]|1[01]|mobile|series))?)(?: graphics)?(?:$| ?/)"
    r"|\bradeon hd (?:[678][0-9]{3}[dg]|62[59]0|63[12]0|7(?:29|31|34)0|8(?:180|2[1458]0|3[13]0|400)e?)(?:$| ?/)"
    r"|\bradeon (?:hd )?(?:2100|3[0-3]00|4100|42(?:00|25|50|90))(?:$| ?/)|\bradeon (?:xpress|igp)\b"
)
# What lspci and Mesa print of cards whose names are those of graphics in processors.
_CARD_CHIP = re.compile(r"\b(?:dg[12]|battlemage|bmg|navi ?[0-9]{2})\b")
_SLICE = re.compile(r"-[0-9]{1,3}[abcq]\b|\bmig\b")
MOST_CANDIDATES = 8
MOST_READINGS = 24
LONGEST_SLIP = 3
LARGEST_POOL = 60
MOST_NEAR = 3
_NEAR = 0.75
_QUESTIONS_BEFORE_INDEX = 8


@dataclass(frozen=True)
class Match:
    """A device that has every chunk of a query, and the chunks that it has beside them in the name that fits best."""

    place: Place
    beside: tuple[str, ...]

    @property
    def is_the_product(self) -> bool:
        """Whether nothing but the line of products was left out."""
        return _LINES.issuperset(self.beside)

    @property
    def is_variant(self) -> bool:
        """Whether it is the product or a variant of it."""
        return all(chunk in _LINES or _VARIANT.fullmatch(chunk) for chunk in self.beside)


class Devices:
    """The devices of some folders of specs, found by name, by a processor's numbers and by a GPU's PCI ID."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._asked = 0

    @cached_property
    def entries(self) -> tuple[Place, ...]:
        """The entries of the package's files that none of the user's overrides, then the user's entries and lines.

        Raises BandwidthError for a folder that is not there.
        """
        own = own_places(self._folders)
        users = self._users
        kept = (place for place in own if users.keys().isdisjoint(place.keys)) if users else own
        return (*kept, *dict.fromkeys(users.values()))

    @property
    def places(self) -> Iterator[Place]:
        """Every device's place: the entries, then those lines of the package's tables that no entry overrides."""
        yield from self.entries
        for table in self._folders.own_tables:
            for line in range(len(table.lines)):
                place = place_of_line(table, line)
                if not self._is_overridden(place):
                    yield place

    def find(self, query: str) -> Device | None:
        """Return the device that a query names, None where no product has that name.

        Raises AmbiguousName where several are meant, or the query says too little; BandwidthError for graphics that
        share the memory of their processor, a slice of a GPU, and an entry that is not as it should be.
        """
        if found := self._named(read_name(query)) or self._printed(query):
            return self._answer(query, found)
        plain = bare_name(query)
        if _SLICE.search(plain):
            raise BandwidthError(f"{query[:60]!a} is a slice of a GPU", "the slices share the memory: name the GPU")
        shares = _SHARED.search(plain) is not None and _CARD_CHIP.search(query.lower()) is None
        listed = products_of(plain)
        if len(listed) > 1 and not shares:
            return self._one_of_a_list(query, listed)
        if found := self._named(read_name(plain)):
            return self._answer(query, found)
        name = read_name(plain)
        if name.names_no_product and not shares:
            return None
        matches = [] if name.names_no_product else self._sorted(name)
        if name.begins_with_number or name.is_number:
            return self._answer(query, matches, decides=False)
        products = [match for match in matches if match.is_the_product]
        if products:
            return self._answer(query, products)
        if shares:
            raise SharedMemoryError(
                f"{query[:60]!a} uses the memory of its processor", "name the processor, such as Ryzen 7 7840U"
            )
        variants = [match for match in matches if match.is_variant]
        return self._answer(query, matches, decides=bool(variants if name.numbers else variants == matches))

    def has_name(self, query: str) -> bool:
        """Return whether a product has exactly this name; a number or a capacity alone is none."""
        return bool(self._named(read_name(query)))

    def where(self, device: Device) -> str:
        """Return where a user's device stands, its file and line; "" for one of the package's."""
        place = self._users.get(read_name(device.name).key)
        return place.shown if place is not None and place.name == device.name else ""

    def search(self, query: str) -> list[str]:
        """Return the names of all devices that have every word of a query, the shortest first."""
        matches = self._sorted(read_name(query)) or self._sorted(read_name(bare_name(query)))
        return [match.place.name for match in matches]

    def names_from(self, start: str) -> list[str]:
        """Return the names of all devices that begin with a text, their maker's and line's name left out or not."""
        wanted = start.lower()
        names = [(place.name, f"{place.maker} {place.name}".lower()) for place in self.entries]
        names += [(name, name.lower()) for table in self._folders.own_tables for name in table.names()]
        found = (name for name, full in names if wanted in full and _begins_with(full, name.lower(), wanted))
        return list(dict.fromkeys(found))

    def all(self) -> list[Device]:
        """Return every device that can be read, a user's in the place of the same name; a broken entry is noted."""
        devices = []
        for place in self.places:
            try:
                devices.append(read_device(place))
            except BandwidthError as error:
                self._folders.note_broken(error)
        return devices

    def near_names(self, query: str) -> tuple[str, ...]:
        """Return up to three names of devices that are written much like a query and have its numbers."""
        import difflib  # needed for a slip only, and not free to import

        name = read_name(bare_name(query))
        pool = [
            (has, place) for place in self._with_numbers(name) for has in place.names if has.numbers == name.numbers
        ]
        found: list[str] = []
        for key_of in (lambda name: name.key, _short_key):
            key = key_of(name)
            alike = {other: place.name for has, place in pool if _is_near(other := key_of(has), key)}
            if alike:
                near = difflib.get_close_matches(key, list(alike)[:LARGEST_POOL], n=MOST_NEAR, cutoff=_NEAR)
                found += [alike[other] for other in near]
        return tuple(dict.fromkeys(found))[:MOST_NEAR]

    def processor(self, vendor: str, family: int, model: int, model_name: str) -> Device | None:
        """Return a processor's entry: by its name as /proc/cpuinfo prints it, else by its numbers.

        A name that states a product which the catalog lacks is none of its neighbours. Without one ("AMD EPYC
        Processor" of a virtual machine) the numbers tell, where the catalog has one entry of them: several share none.
        Raises BandwidthError for an entry that is not as it should be.
        """
        named = self._by_model_name(model_name)
        if named:
            devices = {read_device(match.place) for match in named}
            return devices.pop() if len(devices) == 1 else None
        if _NUMBER.search(re.sub(r"\([^)]*\)", "", bare_name(model_name))):
            return None
        alike = [one for one in self.processors_of_numbers(vendor, family, model) if _is_of_brand(one.name, model_name)]
        return alike[0] if len(alike) == 1 else None

    def processors_of_numbers(self, vendor: str, family: int, model: int) -> tuple[Device, ...]:
        """Return what the catalog knows of the products that have these numbers of CPUID, generations among them.

        Raises BandwidthError for an entry that is not as it should be.
        """
        numbers = f"{vendor} {family} {model}"
        return tuple(read_device(place) for place in self.entries if numbers in place.cpuid)

    def by_pci_id(self, vendor_id: str, device_id: str, name: str) -> Device | None:
        """Return the entry of a GPU: by its PCI ID (`10de`, `2335`), else by its exact name as its driver prints it.

        Several cards may share an ID (one with more memory, one for another market): then the name decides, and
        where it does not, None. Raises BandwidthError for an entry that is not as it should be.
        """
        wanted = f"{vendor_id}:{device_id}".lower()
        alike = list(self._with_pci_id(wanted)) if vendor_id and device_id else []
        exact = [match.place for match in self._named(read_name(bare_name(name)))] if name else []
        fitting = [place for place in exact if place in alike] or alike or exact
        return read_device(fitting[0]) if len(fitting) == 1 else None

    # --- names ------------------------------------------------------------------------------------------------------

    def _answer(self, query: str, matches: Sequence[Match], *, decides: bool = True) -> Device | None:
        """Return the device of matches that have one memory; else raise what lists them, and None where there are none.

        `decides` is whether the query says enough to be answered at all.
        """
        if not matches:
            return None
        if decides and len({_memories(match.place) for match in matches}) == 1:
            return read_device(matches[0].place)
        raise _ambiguous(query, [match.place for match in matches])

    def _one_of_a_list(self, query: str, products: Sequence[Sequence[str]]) -> Device | None:
        """Return the device of a laptop card with and without Max-Q of one memory; raise what lists them otherwise.

        Each product is given by the names that it may have. None where no product is known, and only what is known is
        listed where another is not; pci.ids writes "Max-Q / Mobile" also where NVIDIA sells no Max-Q of its own.
        """
        found = {names[0]: next(filter(None, map(self._of_a_list, names)), []) for names in products}
        places = dict.fromkeys(match.place for matches in found.values() for match in matches)
        max_q = {names[0] for names in products if len(names) == 1 and names[0].endswith(" max-q")}
        decides = bool(max_q) and all(matches or name in max_q for name, matches in found.items())
        return self._answer(query, [Match(place, ()) for place in places], decides=decides)

    def _of_a_list(self, text: str) -> list[Match]:
        """Return the products of one name of a list, or the variants that have more in their names."""
        name = read_name(text)
        if not name.numbers or name.is_number:
            return self._named(name)
        matches = self._named(name) or self._sorted(name)
        return [one for one in matches if one.is_the_product] or [one for one in matches if one.is_variant]

    def _named(self, name: Name) -> list[Match]:
        """Return the products that have a name as it stands, of the maker that it states."""
        if not name.atoms or name.names_no_product:
            return []
        told_by = name.numbers or name.words  # its letters may be run together: "GTX1080TI"
        alike = (*self._entries_with(told_by), *self._lines_with(told_by))
        found = [place for place in alike if name.key in place.keys and _is_of_makers(place, name)]
        own = [place for place in found if place.keys[0] == name.key]
        if name.is_number:  # a product where it is the whole name of one, its maker apart: "Intel 300"
            found = own if name.makers else []
        elif not name.makers:  # "A10" is whose name it is, before what is called so beside its name: Apple's A10 Fusion
            found = own or found
        return [Match(place, ()) for place in found]

    def _printed(self, model_name: str) -> list[Match]:
        """Return the processor whose entry has a name as /proc/cpuinfo prints it."""
        found = [place for place in self.entries if model_name in place.model_names] if model_name else []
        return [Match(place, ()) for place in found[-1:]]  # a user's file comes last and wins

    def _by_model_name(self, model_name: str) -> list[Match]:
        """Return the products that have a name as /proc/cpuinfo prints it, its marks and the like aside."""
        name = read_name(bare_name(model_name))
        products = self._printed(model_name) or self._named(name)
        return products or [
            match for match in self._sorted(name) if match.is_the_product and not name.begins_with_number
        ]

    def _sorted(self, name: Name) -> list[Match]:
        found = self._matching(name)
        return sorted(found, key=lambda match: (len(match.beside), len(match.place.name), match.place.name))

    def _matching(self, name: Name) -> Iterator[Match]:
        """Yield the devices that have every chunk of a name in one of theirs."""
        for place in (*self._entries_with(name.words), *self._lines_with(name.words)):
            if not _is_of_makers(place, name):
                continue
            asked = name.without_sizes if place.is_sold_without_memory else name
            others = [chunks_beside(asked, has, place.optional) for has in place.names]
            best = min((found for found in others if found is not None), key=len, default=None)
            if best is not None:
                yield Match(place, best)

    def _entries_with(self, words: Sequence[str]) -> list[Place]:
        """Return the entries that have words in their names, and some that have them within others.

        The first questions look through all of the names' text; then an index of their words pays.
        """
        if not words:
            return []
        self._asked += 1
        pool = self.entries if self._asked <= _QUESTIONS_BEFORE_INDEX else self._by_word.get(words[0], ())
        return [place for place in pool if all(word in place.written for word in words)]

    @cached_property
    def _by_word(self) -> dict[str, list[Place]]:
        """The entries by each word of their names, in the catalog's order."""
        found: dict[str, list[Place]] = {}
        for place in self.entries:
            for word in dict.fromkeys(WORD.findall(place.written)):
                found.setdefault(word, []).append(place)
        return found

    def _lines_with(self, words: Sequence[str]) -> Iterator[Place]:
        """Yield the lines of the package's tables that have words in their names, and that no entry overrides."""
        for table in self._folders.own_tables if words else ():
            for line in table.lines_with(words):
                place = place_of_line(table, line)
                if not self._is_overridden(place):
                    yield place

    def _with_numbers(self, name: Name) -> Iterator[Place]:
        """Yield the devices of a name's makers that may have its numbers; of the entries, where it has none."""
        numbers = name.numbers
        found = (*self._entries_with(numbers), *self._lines_with(numbers)) if numbers else self._without_number
        yield from (place for place in found if _is_of_makers(place, name))

    def _with_pci_id(self, identity: str) -> Iterator[Place]:
        yield from (place for place in self.entries if identity in place.pci_ids)
        for table in self._folders.own_tables:
            places = (place_of_line(table, line) for line in table.lines_with_pci_id(identity))
            yield from (place for place in places if identity in place.pci_ids and not self._is_overridden(place))

    def _is_overridden(self, place: Place) -> bool:
        """Return whether an entry takes the place of a line: a user's by any of its names, ours by its maker's too."""
        known = self._overridden.get(place)
        if known is None:
            key, makers = place.keys[0], place.makers
            ours = (other for other in self._entries_with(place.names[0].words) if not makers.isdisjoint(other.makers))
            by_users = not self._users.keys().isdisjoint(place.keys)
            known = self._overridden[place] = by_users or any(key in other.keys for other in ours)
        return known

    @cached_property
    def _users(self) -> dict[str, Place]:
        return users_by_key(self._folders)

    @cached_property
    def _overridden(self) -> dict[Place, bool]:
        return {}

    @cached_property
    def _without_number(self) -> list[Place]:
        """The entries of which a name has no number."""
        return [place for place in self.entries if any(not name.numbers for name in place.names)]


def _begins_with(name: str, without_maker: str, start: str) -> bool:
    if without_maker.startswith(start):  # a user's file may have a maker that is not known here
        return True
    word, _, rest = name.partition(" ")
    while not name.startswith(start) and (word in MAKERS or (word in _LINES and not start.isdigit())):
        name = rest
        word, _, rest = name.partition(" ")
    return name.startswith(start)


def _is_of_makers(place: Place, name: Name) -> bool:
    """Return whether a device is of the makers that a name states; a maker that is not known here may be any."""
    return not name.makers or not place.makers or name.makers <= place.makers


def _is_of_brand(entry: str, model_name: str) -> bool:
    """Return whether an entry's name has a brand that the processor's name states; true where it states none."""
    stated = _LINES.intersection(read_name(bare_name(model_name)).atoms)
    return not stated or not stated.isdisjoint(read_name(entry).atoms)


def _memories(place: Place) -> str:
    """Return the memory that decides whether two products have one figure: the fastest that each takes."""
    return place.memory.split(";", 1)[0].strip().lower()


def _ambiguous(query: str, places: Sequence[Place]) -> AmbiguousName:
    names = ", ".join(place.name for place in places[:MOST_CANDIDATES])
    more = f" and {len(places) - MOST_CANDIDATES} more" if len(places) > MOST_CANDIDATES else ""
    devices = tuple(read_device(place) for place in places[:MOST_READINGS])
    says = "fits several devices" if len(places) > 1 else "alone does not name a device"
    unlisted = len(places) - len(devices)
    return AmbiguousName(f"{query[:60]!a} {says}", f"choose one: {names}{more}", candidates=devices, unlisted=unlisted)


def _is_near(key: str, other: str) -> bool:
    """Return whether two keys may differ by a slip: a letter or two. Most need no closer look."""
    return abs(len(other) - len(key)) <= LONGEST_SLIP and (other[:2] == key[:2] or other[-3:] == key[-3:])


def _short_key(name: Name) -> str:
    return "".join(atom for atom in name.atoms if atom not in _LINES)
