"""Finds a device by what people call it.

Letters are split from digits, every word asked for must stand in the name, and the shortest such name wins; where
several are meant the candidates are listed. A name never answers for another product: not for one with a word that
makes another part of it (Laptop, Ti, SUPER), nor for one whose number has other letters on it (M5000 for 5000M).
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from bandwidth.catalog.device import Device
from bandwidth.catalog.folders import Folders
from bandwidth.catalog.places import Place, key_of, places_by_key, read_device, words_of
from bandwidth.errors import BandwidthError

# Words that make another product of a name: they are never added to what was asked for.
_DISTINGUISHING = frozenset(
    "laptop mobile notebook max q ti super xt xtx gre pro ultra plus oled ada passive ai".split()  # noqa: SIM905
)
# Words that tell variants of one product apart: where only these differ, none of the variants is the one that is meant.
_VARIANT = frozenset("gb pcie sxm nvl fhhl hbm".split())  # noqa: SIM905 - a list of words reads best as words
# The brands of processors, as a processor's own name states them.
_BRANDS = frozenset("xeon core atom pentium celeron epyc ryzen threadripper athlon opteron".split())  # noqa: SIM905
_GLUED = re.compile(r"([a-z]*)([0-9]+(?:\.[0-9]+)?)([a-z]*)")
_UNITS = frozenset({"gb", "g"})
MOST_CANDIDATES = 8
LONGEST_SLIP = 3


@dataclass(frozen=True)
class Match:
    """A device that has every word of a query, and the words that it has beside them in the name that matched best."""

    place: Place
    others: tuple[str, ...]

    @property
    def is_variant(self) -> bool:
        """Whether it is one variant of a product, by a word that was not asked for."""
        return any(_tells_variants_apart(word) for word in self.others)


class Devices:
    """The devices of some folders of specs, found by name, by a processor's numbers and by a GPU's PCI ID."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders

    @cached_property
    def by_key(self) -> dict[str, Place]:
        """Every device by the key of each of its names. Raises BandwidthError for a folder that is not there."""
        return places_by_key(self._folders)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Every device's place once, in the order of the files. Raises as `by_key`."""
        return tuple(dict.fromkeys(self.by_key.values()))

    def find(self, query: str) -> Device | None:
        """Return the device that a query names, None where no name has its words.

        A name is tried whole, then as /proc/cpuinfo prints a processor's, then by its words.
        Raises BandwidthError where several are meant, or the entry is not as it should be.
        """
        exact = self.by_key.get(key_of(query)) or self._processor_of_name(query)
        if exact is not None:
            return read_device(exact)
        # A family's name alone ("GeForce") means none of its members, so all of them are candidates.
        names_a_model = any(character.isdigit() for character in query)
        found = self._matching(query, strictly=names_a_model)
        matches = sorted(found, key=lambda match: (len(match.others), match.place.name))
        meant = _meant(matches) if names_a_model else matches
        if len(meant) > 1:
            names = ", ".join(match.place.name for match in matches[:MOST_CANDIDATES])
            more = f" and {len(matches) - MOST_CANDIDATES} more" if len(matches) > MOST_CANDIDATES else ""
            raise BandwidthError(f"{query[:60]!a} may be several devices", f"choose one: {names}{more}")
        return read_device(meant[0].place) if meant else None

    def search(self, query: str) -> list[str]:
        """Return the names of all devices that have every word of a query, the shortest first."""
        found = [match.place.name for match in self._matching(query, strictly=False)]
        return sorted(found, key=lambda name: (len(words_of(name)), name))

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
        """Return up to three names of devices that are written much like a query."""
        return _near_names(self, query)

    def processor(self, vendor: str, family: int, model: int, model_name: str) -> Device | None:
        """Return a processor's entry: by its exact name as /proc/cpuinfo prints it, else its generation's by numbers.

        A brand in the name must be the entry's: "AMD EPYC" tells Naples from the Ryzen of the same numbers, and a
        virtual machine's "Intel(R) Xeon(R) Processor" with a Core's numbers is neither. None where the catalog has
        none, or where several generations share the numbers (Skylake-SP and Cascade Lake differ in their stepping
        alone).
        Raises BandwidthError for an entry that is not as it should be.
        """
        by_name = self._processor_of_name(model_name)
        numbers = f"{vendor} {family} {model}"
        alike = [place for place in self.places if numbers in place.cpuid and _is_of_brand(place.name, model_name)]
        place = by_name or (alike[0] if len(alike) == 1 else None)
        return None if place is None else read_device(place)

    def by_pci_id(self, vendor_id: str, device_id: str, name: str) -> Device | None:
        """Return the entry of a GPU: by its PCI ID (`10de`, `2335`), else by its exact name as its driver prints it.

        Several cards may share an ID (one with more memory, one for another market): then the name decides, and
        where it does not, None. Raises BandwidthError for an entry that is not as it should be.
        """
        exact = self.by_key.get(key_of(name)) if name else None
        wanted = f"{vendor_id}:{device_id}".lower()
        alike = [place for place in self.places if wanted in place.pci_ids] if vendor_id and device_id else []
        place = exact if exact in alike or not alike else (alike[0] if len(alike) == 1 else None)
        return None if place is None else read_device(place)

    def _processor_of_name(self, model_name: str) -> Place | None:
        named = [place for place in self.places if model_name in place.model_names] if model_name else []
        return named[-1] if named else None  # a user's file comes last and wins

    def _matching(self, query: str, *, strictly: bool) -> Iterator[Match]:
        """Yield the devices that have every word of a query; `strictly`, those that are not another product by it."""
        wanted = words_of(query)
        if not wanted:
            return
        # Only the devices that have the rarest of the words need to be looked at.
        by_word = self._by_word
        for place in min((by_word.get(word, ()) for word in wanted), key=len):
            others = [_others(wanted, name, strictly=strictly) for name in place.names]
            best = min((found for found in others if found is not None), key=len, default=None)
            if best is not None:
                yield Match(place, best)

    @cached_property
    def _by_word(self) -> dict[str, list[Place]]:
        """Return the devices by each word of their names, in the catalog's order."""
        found: dict[str, list[Place]] = {}
        for place in self.places:
            for word in dict.fromkeys(word for name in place.names for word in words_of(name)):
                found.setdefault(word, []).append(place)
        return found


@lru_cache(maxsize=1024)
def _near_names(devices: Devices, query: str) -> tuple[str, ...]:
    key = key_of(query)
    # A slip changes a letter or two: names of another length are not near, and most names need no comparison.
    alike = {
        other: place.name
        for other, place in devices.by_key.items()
        if abs(len(other) - len(key)) <= LONGEST_SLIP and (other[:3] == key[:3] or other[-3:] == key[-3:])
    }
    near = difflib.get_close_matches(key, alike, n=3, cutoff=0.75)
    return tuple(dict.fromkeys(alike[other] for other in near))


def _is_of_brand(entry: str, model_name: str) -> bool:
    """Return whether an entry's name has a brand that the processor's name states; true where it states none."""
    stated = _BRANDS.intersection(words_of(model_name))
    return not stated or bool(stated.intersection(words_of(entry)))


def _meant(matches: Sequence[Match]) -> list[Match]:
    """Return the match that a model's name means, or all of those between which it does not decide."""
    if not matches:
        return []
    shortest = [match for match in matches if len(match.others) == len(matches[0].others)]
    if shortest[0].is_variant:  # "A100" is none of its variants, although one of them has the shortest name
        return [match for match in matches if _product(match) == _product(shortest[0])]
    return shortest


def _product(match: Match) -> tuple[str, ...]:
    return tuple(word for word in match.others if not _tells_variants_apart(word))


def _tells_variants_apart(word: str) -> bool:
    return word in _VARIANT or word[0].isdigit()


def _others(wanted: Sequence[str], name: str, *, strictly: bool) -> tuple[str, ...] | None:
    """Return the words of a name beside those wanted, None where it lacks one or is another product."""
    words = _counted(name)
    needed = Counter(wanted)
    if any(words[word] < count for word, count in needed.items()):
        return None
    others = tuple((words - needed).elements())
    if strictly and (_DISTINGUISHING.intersection(others) or not _letters_fit(wanted, name)):
        return None
    return others


@lru_cache(maxsize=16384)
def _counted(name: str) -> Counter[str]:
    return Counter(words_of(name))


def _letters_fit(wanted: Sequence[str], name: str) -> bool:
    """Return whether the letters that stand on each number of a name stand beside it in the query too."""
    for before, number, after in _glued(name):
        if number not in wanted:
            continue
        index = list(wanted).index(number)
        if before and (index == 0 or wanted[index - 1] != before):
            return False
        if after and after not in _UNITS and (index + 1 == len(wanted) or wanted[index + 1] != after):
            return False
    return True


@lru_cache(maxsize=16384)
def _glued(name: str) -> tuple[tuple[str, str, str], ...]:
    return tuple((match[1], match[2], match[3]) for match in _GLUED.finditer(name.lower()))
