"""Finds a device by what people call it: a scan of the files' names, and only the table that is meant is parsed.

Letters are split from digits, every word asked for must stand in the name, and the shortest such name wins; where two
are equally short the candidates are listed. A name never answers for a longer one that is another product.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bandwidth.catalog.device import Device
from bandwidth.catalog.files import device_files, parse_entry, read_entries
from bandwidth.errors import BandwidthError

_HEADER = re.compile(r'^\[(?:"([^"\n]+)"|([A-Za-z0-9_-]+))\][ \t]*(?:#.*)?$', re.MULTILINE)
_ALIASES = re.compile(r"^aliases[ \t]*=[ \t]*\[([^\]]*)\]", re.MULTILINE)
_QUOTED = re.compile(r'"([^"]+)"')
_WORD = re.compile(r"[a-z]+|[0-9]+(?:\.[0-9]+)?|\+")
# Words that make another product of a name: they are never added to what was asked for.
_DISTINGUISHING = frozenset(
    {
        "laptop",
        "mobile",
        "notebook",
        "max",
        "q",
        "ti",
        "super",
        "xt",
        "xtx",
        "gre",
        "pro",
        "ultra",
        "plus",
        "oled",
        "ada",
    }
)
# Words that tell nothing apart: "NVIDIA H200" is the H200, "Intel Core i7-920 Processor" the Core i7-920.
_EMPTY_WORDS = frozenset({"nvidia", "amd", "ati", "intel", "apple", "processor", "cpu", "gpu", "graphics", "card"})
# The brands of processors, as a processor's own name states them.
_BRANDS = frozenset(
    {"xeon", "core", "atom", "pentium", "celeron", "epyc", "ryzen", "threadripper", "athlon", "opteron"}
)
MOST_CANDIDATES = 8


@dataclass(frozen=True)
class Place:
    """Where a device's table stands: its file and the part of its text, and the names that it answers to."""

    name: str
    names: tuple[str, ...]
    path: Path
    start: int
    end: int


def find_device(query: str) -> Device | None:
    """Return the device that a query names, None where no name has its words.

    Raises BandwidthError where several are meant, or the entry is not as it should be.
    """
    places = device_places()
    exact = places.get(_compact(query))
    if exact is not None:
        return read_device(exact)
    # A family's name alone ("EPYC", "GeForce") means none of its members, however few there are.
    names_a_model = any(character.isdigit() for character in query)
    matching = _matching(query, exclude_others=True) if names_a_model else []
    found = _shortest(matching)
    if len(found) > 1:
        candidates = [place.name for place, _ in sorted(matching, key=lambda match: (match[1], match[0].name))]
        names = ", ".join(candidates[:MOST_CANDIDATES])
        more = f" and {len(candidates) - MOST_CANDIDATES} more" if len(candidates) > MOST_CANDIDATES else ""
        raise BandwidthError(f"{query[:60]!a} may be several devices", f"choose one: {names}{more}")
    return read_device(found[0]) if found else None


def search_devices(query: str) -> list[str]:
    """Return the names of all devices that have every word of a query, the shortest first."""
    found = {place.name: place for place, _ in _matching(query, exclude_others=False)}
    return sorted(found, key=lambda name: (len(_words(name)), name))


def all_devices(paths: Sequence[Path] | None = None) -> list[Device]:
    """Return every device, a user's in the place of the same name, or those of some files, in the files' order.

    Raises BandwidthError for the first entry that is not as it should be.
    """
    by_name = {device.name: device for path in paths or device_files() for device in read_entries(path, Device)}
    return list(by_name.values())


def near_names(query: str) -> list[str]:
    """Return up to three names of devices that are written much like a query."""
    by_key = {key: place.name for key, place in device_places().items()}
    near = difflib.get_close_matches(_compact(query), by_key, n=3, cutoff=0.75)
    return list(dict.fromkeys(by_key[key] for key in near))


def find_processor(vendor: str, family: int, model: int, model_name: str) -> Device | None:
    """Return the processor's entry: by its exact name as /proc/cpuinfo prints it, else its generation's by its numbers.

    A brand in the name must be the entry's: "AMD EPYC" tells Naples from the Ryzen of the same numbers, and a virtual
    machine's "Intel(R) Xeon(R) Processor" with a Core's numbers is neither. None where the catalog has none, or where
    several generations share the numbers (Skylake-SP and Cascade Lake differ in their stepping alone).
    Raises BandwidthError for an entry that is not as it should be.
    """
    by_name = _places_with("model_names", model_name) if model_name else []
    by_numbers = [
        place for place in _places_with("cpuid", f"{vendor} {family} {model}") if _is_of_brand(place.name, model_name)
    ]
    found = by_name[-1:] or (by_numbers if len(by_numbers) == 1 else [])  # a user's file comes last and wins
    return read_device(found[0]) if found else None


def _is_of_brand(entry: str, model_name: str) -> bool:
    """Return whether an entry's name has a brand that the processor's name states; true where it states none."""
    stated = _BRANDS & _words(model_name)
    return not stated or bool(stated & _words(entry))


def _places_with(field: str, text: str) -> list[Place]:
    """Return the devices whose list `field` holds exactly `text`."""
    line = re.compile(rf"^{field}[ \t]*=[ \t]*\[([^\]]*)\]", re.MULTILINE)
    found = []
    for place in dict.fromkeys(device_places().values()):
        match = line.search(_text(place.path), place.start, place.end)
        if match is not None and text in _QUOTED.findall(match[1]):
            found.append(place)
    return found


@lru_cache(maxsize=4096)
def read_device(place: Place) -> Device:
    """Return the device of a table, parsed by itself. Raises BandwidthError naming file, entry and field."""
    text = _text(place.path)[place.start : place.end]
    return parse_entry(place.path, text, place.name, Device)


@lru_cache(maxsize=1)
def device_places() -> dict[str, Place]:
    """Return every device by each of its names without spaces and case; a later file overrides an earlier one."""
    places: dict[str, Place] = {}
    for path in device_files():
        for place in _places_of(path):
            places |= {_compact(name): place for name in place.names}
    return places


def forget_places() -> None:
    """Drop what was read from the files of devices, after a user's folder was added."""
    device_places.cache_clear()
    read_device.cache_clear()
    _text.cache_clear()


def _places_of(path: Path) -> Iterator[Place]:
    text = _text(path)
    headers = list(_HEADER.finditer(text))
    ends = [header.start() for header in headers[1:]] + [len(text)]
    for header, end in zip(headers, ends, strict=True):
        name = header[1] or header[2]
        aliases = _ALIASES.search(text, header.end(), end)
        names = (name, *(_QUOTED.findall(aliases[1]) if aliases else ()))
        yield Place(name, names, path, header.start(), end)


@lru_cache(maxsize=64)
def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BandwidthError(f"{path} cannot be read: {error}", "check the file") from error


def _matching(query: str, *, exclude_others: bool) -> list[tuple[Place, int]]:
    """Return the places one of whose names has every word of the query, with that name's number of words."""
    wanted = _words(query)
    if not wanted:
        return []
    found: dict[str, tuple[Place, int]] = {}
    for place in device_places().values():
        for name in place.names:
            words = _words(name)
            others = words - wanted
            if wanted <= words and not (exclude_others and others & _DISTINGUISHING):
                count = min(len(words), found[place.name][1]) if place.name in found else len(words)
                found[place.name] = (place, count)
    return list(found.values())


def _shortest(found: list[tuple[Place, int]]) -> list[Place]:
    fewest = min((count for _, count in found), default=0)
    return sorted((place for place, count in found if count == fewest), key=lambda place: place.name)


@lru_cache(maxsize=16384)
def _words(name: str) -> frozenset[str]:
    return frozenset(_telling_words(name))


def _compact(name: str) -> str:
    return "".join(_telling_words(name))


def _telling_words(name: str) -> list[str]:
    words = _WORD.findall(name.lower())
    return [word for word in words if word not in _EMPTY_WORDS] or words
