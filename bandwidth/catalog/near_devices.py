"""The devices that a query may have meant which names none: a slip in a model number, or in the letters around it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache, partial
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from bandwidth.catalog.names import LINES, MAKERS, Name, bare_name, read_name
from bandwidth.catalog.near import FEWEST_LETTERS, MOST_NEAR, NEAR, Slip, slip_between
from bandwidth.catalog.places import Place

if TYPE_CHECKING:
    from bandwidth.catalog.search import Devices

LONGEST_SLIP = 3
LARGEST_POOL = 60
# Of another number so many of its digits are the same, in their order: 4909 and 4090 of the RTX, not 4909 and 4000.
NEAR_NUMBER = 0.85
# Between the names of one product, where thousands of names are one text.
_BETWEEN = ";"
# What names of products have or lack as people like, and the memory that a card is sold with.
_LEFT_OUT = (*LINES, "processor", "graphics", "gpu", "cpu", "apu", "series")
_SAME = {"laptop": "mobile", "notebook": "mobile"}
_SIZE = re.compile(r"[ -][0-9]+(?:\.[0-9]+)? ?[gm]i?b\b")
_TELLING = f"abcdefghijklmnopqrstuvwxyz0123456789.+{_BETWEEN}\n"
_KEPT = {code: chr(code) if chr(code) in _TELLING else None for code in range(128)} | {ord("\t"): _BETWEEN}
_NUMBER = re.compile(r"[0-9]+")


def near_devices(devices: Devices, query: str) -> tuple[str, ...]:
    """Return up to three names of devices that a query may have meant.

    First those that it is one slip from, then those that have its numbers and are written much like it; where there is
    neither, those of its letters whose number is much like its own.
    """
    plain = bare_name(query)
    name, pools = read_name(plain), _pools(devices)
    slips = sorted((found for pool in pools for found in pool.slips(plain)), key=itemgetter(0))
    names = [place.name for _, place in slips if place.is_of_makers(name.makers)] + _alike(devices, name)
    if not names:
        alike = sorted((found for pool in pools for found in pool.of_near_number(plain)), key=lambda found: -found[0])
        names = [place.name for _, place in alike if place.is_of_makers(name.makers)]
    return tuple(dict.fromkeys(names))[:MOST_NEAR]


class _Pool:
    """The written names of products; `place_of` returns the place of one, None where an entry overrides it."""

    def __init__(self, written: Iterable[str], place_of: Callable[[int], Place | None]) -> None:
        self._text, self._place_of = "\n".join(written).lower(), place_of

    @cached_property
    def _short(self) -> _Names:
        return _names(_shortened(self._text))

    @cached_property
    def _whole(self) -> _Names:
        return _names(_squeezed(self._text))

    def slips(self, plain: str) -> Iterator[tuple[Slip, Place]]:
        """Yield the products that have a name one slip from a bare one, with or without its makers and lines."""
        for wanted, names in ((_shortened(plain), self._short), (_squeezed(plain), self._whole)):
            for slip, at in _slips_among(wanted, names):
                if (place := self._place_of(at)) is not None:
                    yield slip, place

    def of_near_number(self, plain: str) -> Iterator[tuple[float, Place]]:
        """Yield the products whose name differs from a bare one in its number alone, and by little, with how little."""
        wanted = _shortened(plain)
        letters = _NUMBER.split(wanted)
        pattern = re.compile("[0-9]+".join(map(re.escape, letters)))
        for at, names in enumerate(self._short.products if len(letters) > 1 and len(wanted) >= FEWEST_LETTERS else ()):
            if letters[0] in names:
                ratios = [_ratio(wanted, name) for name in names.split(_BETWEEN) if pattern.fullmatch(name)]
                nearest = max(ratios, default=0.0)
                if nearest >= NEAR_NUMBER and (place := self._place_of(at)) is not None:
                    yield nearest, place


@lru_cache(maxsize=1)  # who asks for one unknown name asks for a list of them
def _pools(devices: Devices) -> list[_Pool]:
    """Return the entries, and the lines of each of the package's tables."""
    entries = devices.entries
    pools = [_Pool((_BETWEEN.join((one.name, *one.aliases)) for one in entries), lambda at: entries[at])]
    return pools + [_Pool(table.written, partial(devices.place_in, table)) for table in devices.tables]


class _Names(NamedTuple):
    """Squeezed names as one text, and those of each product by themselves."""

    text: str
    products: Sequence[str]


def _names(text: str) -> _Names:
    return _Names(text, text.split("\n"))


def _slips_among(wanted: str, names: _Names) -> Iterator[tuple[Slip, int]]:
    """Yield the places of the products that have a name one slip from another, all of them squeezed.

    A slip leaves the first half of the name as it is, or the second: most products are passed over by that.
    """
    middle = len(wanted) // 2
    left, right = wanted[: max(middle - 1, 0)], wanted[middle:]
    if len(wanted) < FEWEST_LETTERS or (left not in names.text and right not in names.text):
        return
    for at in (at for at, own in enumerate(names.products) if left in own or right in own):
        slips = (slip_between(wanted, name) for name in names.products[at].split(_BETWEEN))
        best = min((slip for slip in slips if slip is not None), default=None)
        if best is not None:
            yield best, at


def _squeezed(text: str) -> str:
    """Return names without spaces and signs: a line each product, its names parted by `;`."""
    return text.translate(_KEPT)


def _shortened(text: str) -> str:
    """Return names with nothing in them but what tells products apart, as `_squeezed`: no makers, lines, capacities.

    It is done for thousands of names at once, as one by one takes long.
    """
    text = _SIZE.sub(" ", "\n".join(map(_without_maker, text.split("\n"))))
    for word, same in _SAME.items():
        text = text.replace(word, same)
    for word in _LEFT_OUT:
        text = text.replace(word, "")
    return _squeezed(text)


def _without_maker(text: str) -> str:
    """Return a text without its first word where that is a maker's; no expression, as its making takes longer."""
    first, _, rest = text.partition(" ")
    return rest if first in MAKERS else text


def _ratio(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()


# --- of the same numbers --------------------------------------------------------------------------------------------


def _alike(devices: Devices, name: Name) -> list[str]:
    """Return the names of devices that have a name's numbers and are written much like it."""
    pool = [(has, place) for place in devices.with_numbers(name) for has in place.names if has.numbers == name.numbers]
    found: list[str] = []
    for key_of in (lambda name: name.key, _short_key):
        key = key_of(name)
        alike = {other: place.name for has, place in pool if _is_near(other := key_of(has), key)}
        if alike:
            near = difflib.get_close_matches(key, list(alike)[:LARGEST_POOL], n=MOST_NEAR, cutoff=NEAR)
            found += [alike[other] for other in near]
    return found


def _is_near(key: str, other: str) -> bool:
    """Return whether two keys may differ by a slip: a letter or two. Most need no closer look."""
    return abs(len(other) - len(key)) <= LONGEST_SLIP and (other[:2] == key[:2] or other[-3:] == key[-3:])


def _short_key(name: Name) -> str:
    return "".join(atom for atom in name.atoms if atom not in LINES)
