"""Reads what public sets hold of Intel's product pages: a `Fact` for each processor, its memory in our notation."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from bandwidth.catalog import Catalog
from tests.maintenance.facts import Fact, Memory, generation, in_notation

# The names of one column in the three sets: JosuaCarl's, felixsteinke's and toUpperCase78's.
_NAME = ("CpuName", "Product")
_TYPES = ("Memory Types", "MemoryTypes")
_SPEED = ("Maximum Memory Speed", "MemoryMaxSpeedMhz", "Max Memory Speed(MHz)")
_CHANNELS = ("Max # of Memory Channels", "NumMemoryChannels", "Max Memory Channels")
_STATED = ("Max Memory Bandwidth", "MaxMemoryBandwidth")
_LAUNCH = ("Launch Date", "BornOnDate", "Release Date")
_SEGMENT = ("Vertical Segment", "MarketSegment")
_CODE = ("Code Name", "CodeNameText")
_CLASSES = {
    "Desktop": "desktop",
    "Mobile": "laptop",
    "Server": "server",
    "Embedded": "embedded",
    "Workstation": "workstation",
}
# Their memory hangs on a chipset (before Nehalem), or they take none of these kinds (Itanium); the Xeon Phi cards are
# written by hand.
_NOT_OURS = re.compile(
    r"Core ?2|Pentium (?:4|III?|M|D|Extreme|Dual)\b|Celeron (?:M|D)\b|FSB|Itanium|Coprocessor|i\d\+\d|Pentium [ET]\d"
)
_FAMILY = r"LPDDR\d(?:/\d)?(?:/?x\b)?|LPDDR|DDR2/3|DDR\d?L?(?:-RS)?|MRDIMM"
_TOKEN = re.compile(
    rf"(?P<family>{_FAMILY})|(?P<most>Max Speed)|(?P<rate>\d{{3,5}})(?! ?GB)",
    re.IGNORECASE,
)
# MT/s that a type is made for: a number that pages share among several types is only the rate of those that reach it.
_FASTEST = {"DDR2": 1066, "DDR3": 1866, "LPDDR2": 1066, "LPDDR3": 2133, "DDR4": 3200}
# Channels that the pages count are of 32 or 16 bits here (the stated figure shows it): all data bits together.
_NARROW = (
    (re.compile(r"Intel Atom (?:Z6\d\d|Z3735[EG]|Z3736G|x3-C3\d{3}(?:RK)?)$"), 32),
    (re.compile(r"Intel Atom (?:Z2\d{3}|Z3[45]\d\d)$"), 64),
    (re.compile(r"Intel Quark "), 16),
)
_BINS = (800, 1066, 1333, 1600, 1866, 2133, 2400, 2666, 2933, 3200)
_CUT = Fraction("0.016")  # makers cut 21.33 to 21


def intel_facts(path: Path, source: str, catalog: Catalog) -> Iterator[Fact]:
    """Yield a fact for each processor of a set's CSV file that has its own memory controller and states its memory."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            name = intel_name(_cell(row, _NAME))
            memory = _memory(name, row, catalog)
            if memory and not _NOT_OURS.search(name):
                yield Fact(
                    name, in_notation(memory), _year(_cell(row, _LAUNCH)), _class(name, row), _stated(row), source
                )


def intel_name(page: str) -> str:
    """Return the name on a page without marks and empty words: `Intel Core i5-14400F`."""
    bare = re.sub(r"[®™]|\(.*?\)", " ", page)
    bare = re.sub(r"\bwith (?:Radeon|Intel).*|\bincludes .*|\b[\d.]+ ?[GM]Hz.*|,.*", " ", bare)
    bare = re.sub(r"\b(?:Processor|X[- ]series|Extreme Edition|Series)\b", " ", bare, flags=re.IGNORECASE)
    bare = " ".join(bare.split())
    bare = bare if bare.startswith("Intel") else f"Intel {bare}"
    bare = re.sub(r"\b(i[3579]) (?=\d)", r"\1-", bare)
    return re.sub(r"\b(Xeon) E (?=-?2\d{3})", r"\1 E-", bare).replace("E--", "E-")


def _memory(name: str, row: dict[str, str], catalog: Catalog) -> list[Memory]:
    family = catalog.processor_family(name)
    counted = _number(_cell(row, _CHANNELS))
    channels = family.channels if family and family.channels else counted
    bits = next((bits for pattern, bits in _NARROW if pattern.match(name)), None)
    found: dict[str, Memory] = {}
    for kind, rate in rates_of(name, row, channels):
        lpddr = kind.startswith("LPDDR")
        if bits:
            memory = Memory(kind, rate, bits=bits)
        elif lpddr and family and family.lpddr_bits:
            memory = Memory(kind, rate, bits=family.lpddr_bits)
        elif lpddr and channels:
            memory = Memory(kind, rate, bits=64 * channels)
        elif channels:
            memory = Memory(kind, rate, channels=channels)
        else:
            continue
        if kind not in found or found[kind].mt_s < rate:
            found[kind] = memory
    return sorted(found.values(), key=Memory.rank, reverse=True)


def rates_of(name: str, row: dict[str, str], channels: int | None) -> list[tuple[str, int]]:
    """Return each type that a page names with its fastest MT/s; without one, that of its speed or its bandwidth."""
    text = _cell(row, _TYPES)
    speed = _number(_cell(row, _SPEED))
    kinds, rates = _read_types(text)
    if not kinds:
        kinds = _kinds_by_generation(name, row) if text or _stated(row) or speed else []
    if not rates:
        rate = speed or _rate_of_stated(row, channels)
        rates = [(kind, min(rate, _FASTEST.get(kind, rate))) for kind in kinds] if rate else []
        # One speed for several types is that of the newest; what the older ones reach is not stated.
        newest = max((generation(kind) for kind, _ in rates), default=0)
        rates = [pair for pair in rates if generation(pair[0]) == newest]
    return rates


def _read_types(text: str) -> tuple[list[str], list[tuple[str, int]]]:
    kinds: list[str] = []
    waiting: list[str] = []
    rates: dict[str, int] = {}
    spent, capped = False, False
    for token in _TOKEN.finditer(text):
        if token["family"]:
            waiting = [*([] if spent else waiting), *_kinds(token["family"])]
            kinds += _kinds(token["family"])
            spent, capped = False, False
        elif token["most"]:
            capped = True
        elif token["rate"]:
            spent = True
            rate = _bin(int(token["rate"]))
            for kind in waiting:
                if rate <= _FASTEST.get(kind, rate):
                    rates[kind] = rate if capped else max(rate, rates.get(kind, 0))
    return kinds, list(rates.items())


def _kinds(word: str) -> list[str]:
    word = word.upper().removesuffix("-RS")
    if word == "DDR2/3":
        return ["DDR2", "DDR3"]
    if word == "DDR":
        return ["DDR3"]  # "DDR 1333": the page leaves out the digit
    if word.startswith("DDR"):
        return [word.rstrip("L")]  # DDR3L is DDR3 at a lower voltage
    if word in ("LPDDR", "LPDDR1"):
        return ["LPDDR3"] if word == "LPDDR" else ["LPDDR"]  # the page leaves out the digit
    if word.startswith("LPDDR") and "/" in word:
        return [f"{word.split('/')[0]}X"] if word.endswith("X") else [f"LPDDR{word[-1]}"]
    return [word]


def _bin(rate: int) -> int:
    return {1067: 1066, 1867: 1866, 2667: 2666, 4266: 4267}.get(rate, rate)


def _kinds_by_generation(name: str, row: dict[str, str]) -> list[str]:
    code = _cell(row, _CODE)
    newer = ("Tiger Lake", "Kaby Lake", "Rocket Lake", "Ice Lake")
    return ["DDR4"] if any(word in code for word in newer) else []


def _rate_of_stated(row: dict[str, str], channels: int | None) -> int | None:
    stated = _stated(row)
    if not stated or not channels:
        return None
    for rate in _BINS:
        peak = Fraction(rate * 8 * channels, 1000)
        if any(abs(Fraction(stated) * scale - peak) <= _CUT * peak for scale in (1, Fraction("1.024"))):
            return rate
    return None


def _cell(row: dict[str, str], names: tuple[str, ...]) -> str:
    return next((row[name].strip() for name in names if row.get(name)), "")


def _number(cell: str) -> int | None:
    found = re.match(r"\d+", cell)
    return _bin(int(found[0])) if found else None


def _stated(row: dict[str, str]) -> str:
    found = re.match(r"[\d.]+", _cell(row, _STATED))
    return found[0] if found else ""


def _year(launch: str) -> str:
    found = re.search(r"'(\d\d)$|(\d{4})", launch)
    return "" if not found else found[2] or f"20{found[1]}"


def _class(name: str, row: dict[str, str]) -> str:
    if re.search(r"Atom (?:Z2|Z3[45]|x3-C3)", name):
        return "phone"
    if name.startswith("Intel Xeon W-") or re.match(r"Intel Xeon w\d", name):
        return "workstation"
    return _CLASSES.get(_cell(row, _SEGMENT), "server" if "Xeon" in name else "embedded")
