"""Reads what public sets hold of AMD's product pages, and completes them by the rules of AMD's series."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bandwidth.catalog import Catalog
from tests.maintenance.facts import Fact, Memory, in_notation, key_of

_NAME = ("Name", "Model")
_TYPES = ("System Memory Type",)
_SPEED = ("System Memory Specification",)
_CHANNELS = ("Memory Channels",)
_STATED = ("Per Socket Mem BW",)
_LAUNCH = ("Launch Date",)
_FORM = ("Form Factor", "Platform")
_SERIES = ("Series", "Line")
_FASTEST_DDR3 = 2133
_DESKTOP_DDR5 = "DDR5-5200 x2"
_RENOIR = "LPDDR4X-4267 128-bit; DDR4-3200 x2"
_PHOENIX = "LPDDR5X-7500 128-bit; DDR5-5600 x2"
_STRIX = "LPDDR5X-8000 128-bit; DDR5-5600 x2"


@dataclass(frozen=True)
class Rule:
    """The memory of a series, in our notation, the fastest first; `pattern` of its names after "AMD "."""

    pattern: str
    memory: str


# What the parts of a series take where the pages state types without a speed, or leave both out: AMD's pages and
# product briefs of the series. The first line that matches a name from "AMD " to its end holds.
_RULES: tuple[tuple[str, str], ...] = (
    # Ryzen and Athlon for laptops and handhelds
    (r"Ryzen AI Max PRO 380", "LPDDR5X-8000 128-bit"),  # its page states half the width of the others
    (r"Ryzen AI Max\+? (?:PRO )?\d+", "LPDDR5X-8000 256-bit"),
    (r"Ryzen AI [57] (?:PRO )?3[345]0", _STRIX),
    (r"Ryzen AI \d (?:HX )?(?:PRO )?\d+(?: HX)?", _STRIX),
    (r"Ryzen Z1(?: Extreme)?", "LPDDR5X-7500 128-bit; LPDDR5-6400 128-bit"),
    (r"Ryzen Z2 Go", "LPDDR5-6400 128-bit"),
    (r"Ryzen Z2 A", "LPDDR5-6400 128-bit"),
    (r"Ryzen Z2", "LPDDR5X-7500 128-bit"),
    (r"Ryzen (?:AI )?Z2 Extreme", "LPDDR5X-8000 128-bit"),
    (r"(?:Ryzen [35]|Athlon (?:Gold|Silver)) 7[1-5]20[UCe]|Ryzen \d 7[1-5]20[UC]", "LPDDR5-5500 64-bit"),
    (r"Ryzen \d 9\d{3}HX(?:3D)?", "DDR5-5600 x2"),
    (r"Ryzen \d (?:7\d4[05]|8\d[457][05])HX(?:3D)?", "DDR5-5200 x2"),
    (r"Ryzen \d (?:PRO )?(?:(?:7\d4[05]|8[3-9]4[05])(?:U|H|HS)|2[1-7]0)", _PHOENIX),
    (r"Ryzen \d (?:PRO )?(?:6\d{3}|7\d3[56])(?:U|H|HS|HX|C|Z)|Ryzen \d 1[0-9]0", "LPDDR5-6400 128-bit; DDR5-4800 x2"),
    (r"Ryzen \d (?:PRO )?(?:4\d{3}|5\d{3}|7\d30)(?:U|H|HS|HX|C)", _RENOIR),
    (r"Ryzen \d (?:PRO )?[23]\d{3}(?:U|H|C)|Athlon (?:Gold |Silver )?(?:PRO )?3\d{2,3}[UBC]", "DDR4-2400 x2"),
    # Ryzen for desktops
    (r"Ryzen \d (?:PRO )?1\d{3}X?", "DDR4-2666 x2"),
    (r"Ryzen \d (?:PRO )?(?:2\d{3}(?:X|G|GE)?|3[24]\d{2}GE?|3350GE?)", "DDR4-2933 x2"),
    (r"Ryzen \d (?:PRO )?[345]\d{3}(?:X|XT|X3D|T|G|GT|GE|F)?", "DDR4-3200 x2"),
    (r"Ryzen \d (?:PRO )?7\d{3}(?:X|X3D|F)?|Ryzen \d (?:PRO )?8\d{3}(?:G|GE|F)", _DESKTOP_DDR5),
    (r"Ryzen \d (?:PRO )?9\d{3}(?:X|X3D|X3D2|F)?", "DDR5-5600 x2"),
    # Threadripper and EPYC
    (r"Ryzen Threadripper 1\d{3}X", "DDR4-2666 x4"),
    (r"Ryzen Threadripper 2\d{3}W?X", "DDR4-2933 x4"),
    (r"Ryzen Threadripper 3\d{3}X", "DDR4-3200 x4"),
    (r"Ryzen Threadripper 7\d{3}X", "DDR5-5200 x4"),
    (r"Ryzen Threadripper 9\d{3}X", "DDR5-6400 x4"),
    (r"Ryzen Threadripper PRO [35]\d{3}WX", "DDR4-3200 x8"),
    (r"Ryzen Threadripper PRO 7\d{3}WX", "DDR5-5200 x8"),
    (r"Ryzen Threadripper PRO 9\d{3}WX", "DDR5-6400 x8"),
    (r"EPYC 7251", "DDR4-2400 x8"),
    (r"EPYC 7\w{2}1P?", "DDR4-2666 x8"),
    (r"EPYC 7\w{2}[23][PX]?", "DDR4-3200 x8"),
    (r"EPYC 4\d{2}4PX?", _DESKTOP_DDR5),
    (r"EPYC 4\d{2}5PX?", "DDR5-5600 x2"),
    (r"EPYC 8\d{2}4PN?", "DDR5-4800 x6"),
    (r"EPYC 9\w{2}4[PXFS]?", "DDR5-4800 x12"),
    (r"EPYC 9\w{2}5[PXF]?", "DDR5-6400 x12"),
    # Embedded
    (r"Ryzen Embedded V1\d{3}\w?", "DDR4-3200 x2"),
    (r"Ryzen Embedded R1102G", "DDR4-2400 x1"),
    (r"Ryzen Embedded R1\d{3}G", "DDR4-2400 x2"),
    (r"Ryzen Embedded V2\d{3}A?", "LPDDR4X-4267 128-bit; DDR4-3200 x2"),
    (r"Ryzen Embedded V3C\d\d\w?", "DDR5-4800 x2"),
    (r"EPYC (?:Embedded )?3[12]\d1", "DDR4-2666 x2"),
    (r"EPYC (?:Embedded )?3[34]\d1", "DDR4-2666 x4"),
    # A, E and FX series for laptops: Stoney Ridge, Bristol Ridge, Kaveri, Richland, Trinity, Llano
    (r"A[469]-9\d{3}[Ce]|E2-9\d{3}e?", "DDR4-1866 x1"),
    (r"A[469]-9[1-4]\d{2}", "DDR4-2133 x1"),
    (r"(?:PRO )?(?:A\d+|FX)-9[6-8][02]0[PB]", "DDR4-1866 x2"),
    (r"(?:PRO )?(?:A\d+|FX)-9[6-8]30[PB]", "DDR4-2400 x2"),
    (r"A6-7000|A10-7300|A8-7[01][05]0|A6-8500P", "DDR3-1600 x2"),
    (r"A10-57[56]0M", "DDR3-1866 x2"),
    (r"A\d+-(?:4\d55|5[1-7]45)M", "DDR3-1333 x2"),
    (r"A\d+-(?:4[3-6]00|5[1-7]5[07])M", "DDR3-1600 x2"),
    (r"A[468]-3\d{3}MX", "DDR3-1600 x2"),
    (r"A[468]-3\d{3}M|E2-3000M", "DDR3-1333 x2"),
    # ... and for desktops
    (r"A(?:4|6|8|10)-(?:38|36|35)\d0K?", "DDR3-1866 x2"),
    (r"A4-3[34][02]0|E2-3200", "DDR3-1600 x2"),
    (r"A4-40[02]0", "DDR3-1333 x2"),
    (r"A4-(?:53|63|73)\d0B?", "DDR3-1600 x2"),
    (r"(?:PRO )?A(?:6|8|10)-[56]\d{3}[KBT]?", "DDR3-1866 x2"),
    (r"(?:PRO )?A(?:8|10|12)-[78][5-8]\d0[KEB]?|Athlon X4 8[3-8]\dK?", "DDR3-2133 x2"),
    (r"(?:PRO )?A(?:6|8|10|12)-9[56789]\d0E?|Athlon X4 9[3-7]0", "DDR4-2400 x2"),
    (r"FX-[4689]\d{2}[0-9]E?", "DDR3-1866 x2"),
    (r"Athlon X4 7[3-6]0K?|Athlon X2 3[57]0K?", "DDR3-1866 x2"),
    (r"Athlon X2 340|Sempron X2 2[45]0", "DDR3-1600 x2"),
    (r"Athlon II X[234] (?:221|6(?:31|38|41|51)K?)", "DDR3-1866 x2"),
    # Bobcat, Jaguar, Puma: one channel
    (r"E-450|E2-(?:1800|2000)|G-T5[26][RNE]", "DDR3-1333 x1"),
    (r"E-[23][0-9]0D?|E-300|C-[3-7]0|Z-0?[16]0?|E1-1[25]00|G-T[24]\d\w", "DDR3-1066 x1"),
    (r"E1-[26]0?1\d|E1-2[125]00|E1-6010|E1-7010|E1-6015|A4-1[23]50|Sempron 2650", "DDR3-1333 x1"),
    (r"E1 Micro-6200T|A4-1200|A6-1450|GX-21[02]JA|GX-210UA", "DDR3-1066 x1"),
    (r"A6-5200M?|E2-(?:3[08]00|6110|7110)|A4-(?:5[01][05]0|6210|7210)|Sempron 3850|Athlon 5[1-3]\d0", "DDR3-1600 x1"),
    (r"A6-[67]310|A8-[67]410", "DDR3-1866 x1"),
    (r"GX-2(?:09|10)HA|GX-212JC|GX-412TC|GX-416RA", "DDR3-1333 x1"),
    (r"GX-217GA|GX-41[05]GA|GX-420CA|GX-41[12]HC|GX-222GC", "DDR3-1600 x1"),
    (r"GX-424CC", "DDR3-1866 x1"),
    (r"Opteron X2150", "DDR3-1866 x1"),
    # K10: one controller for two types (AM3), DDR2 alone before (AM2+)
    (r"Phenom II X4 (?:920|940)", "DDR2-1066 x2"),
    (r"Phenom II (?:X[2346] )?(?:B\d\d|\d{3,4}[TeZu]?)", "DDR3-1333 x2; DDR2-1066 x2"),
    (r"Athlon II (?:X[34] )\d{3}[eu]?", "DDR3-1333 x2; DDR2-1066 x2"),
    (
        r"Athlon II X2 (?:B\d\d|\d{3}[eu]?)|Athlon II (?:1[67]0u)|Sempron 1[3-9][05]|Athlon X2 2[2-7]0",
        "DDR3-1066 x2; DDR2-800 x2",
    ),
    (r"Phenom (?:X[34] )?[89]\d50[eB]?|Athlon (?:X2 )?7[4-8]50", "DDR2-1066 x2"),
    (r"Phenom (?:X[34] )?[89][1-9]00B?|Athlon (?:X2 )?6[45]00", "DDR2-800 x2"),
    (r"Phenom II [NX]\d{3}", "DDR3-1333 x2"),
    (r"(?:Phenom|Turion|Athlon) II (?:Neo )?(?:P\d{3}|N[35]\d\d|K\d{3}N?)|V1[0-9]0", "DDR3-1066 x2"),
    (r"(?:Turion|Athlon) II (?:Ultra )?M\d{3}", "DDR2-800 x2"),
    # Opteron: the pages state the clock of the northbridge where the speed should stand
    (r"Opteron (?:13[5-8]\d|[28]3[45]\d)(?: HE| SE)?", "DDR2-667 x2"),
    (r"Opteron (?:13[5-8]\d|2[34]\d\d|8[34]\d\d)(?: HE| SE| EE)?", "DDR2-800 x2"),
    (r"Opteron 61\w\w(?: HE| SE)?", "DDR3-1333 x4"),
    (r"Opteron 62\d\d(?: HE| SE| EE)?", "DDR3-1600 x4"),
    (r"Opteron 63\d\dP?(?: HE| SE)?", "DDR3-1866 x4"),
    (r"Opteron 41\w\w(?: HE| EE)?", "DDR3-1333 x2"),
    (r"Opteron 42\w\w(?: HE| EE)?", "DDR3-1600 x2"),
    (r"Opteron [34]3\w\w(?: HE| EE)?|Opteron 32\w\w(?: HE| EE)?", "DDR3-1866 x2"),
)
RULES = tuple((re.compile(rf"AMD (?:{pattern})$"), Rule(pattern, memory)) for pattern, memory in _RULES)
# Memory of single products as reports of AMD's announcements give it: golem.de 2022-01, voonze.com 2022-09,
# xtremehardware.com 2013-03, istorya.net 2012-05, pcbrain.it 2009-06, windowscentral.com 2025-09,
# sportskeeda.com 2024-06, purepc.pl 2025-03, channelpartner.de 2010, HP's paper on its 300-series G6 servers.
REPORTED = (
    ("AMD Ryzen 7 6800U", "LPDDR5-6400 128-bit"),
    ("AMD Ryzen 5 7520U", "LPDDR5-5500 64-bit"),
    ("AMD A10-5750M", "DDR3-1866 x2"),
    ("AMD A8-4500M", "DDR3-1600 x2"),
    ("AMD A10-4655M", "DDR3-1333 x2"),
    ("AMD Ryzen AI 7 350", "LPDDR5X-8000 128-bit"),
    ("AMD Opteron 2435", "DDR2-800 x2"),
    ("AMD Opteron 4170 HE", "DDR3-1333 x2"),
    ("AMD Opteron 6174", "DDR3-1333 x4"),
    ("AMD Athlon II X2 250", "DDR3-1066 x2"),
    ("AMD Ryzen Z2 Extreme", "LPDDR5X-8000 128-bit"),
    ("AMD Ryzen Z1 Extreme", "LPDDR5X-7500 128-bit"),
)
# Pages whose speed is not that of the memory, or whose channels are wrong: the rule holds.
_WRONG_PAGES = re.compile(r"AMD (?:Opteron [346]\d{3}|EPYC 7\w{2}1|E2-9010)")
_CORES = r"\b(?:Two|Dual|Triple|Quad|Six|Eight|Twelve|Sixteen|\d+)[- ]?Cores?\b|\bMobile AMD\b"
_GRAPHICS = (
    r",? R\d[A-Z]?,? \d+ Compute Cores.*|,? RADEON.*| w/ .*| with .*| Mobile Processor.*| \+ .*| and .*| Quad Core.*"
)
_EMPTY_WORDS = re.compile(
    rf"{_GRAPHICS}| Embedded G-Series| Creator Edition| Microsoft Surface.*| SOC\b.*"
    r"|[®™\u200b]|\(.*?\)| OEM ?/ ?Tray| APU\b.*|\bProcessor\b|\b[67]th Gen\b",
    re.IGNORECASE,
)
_CHANNELS_OF_CORE = {"Skylake-SP": "DDR4 x6", "Cascade Lake-SP": "DDR4 x6", "Ice Lake-SP": "DDR4 x8"}
_MOBILE = re.compile(
    r"\d(?:U|H|HS|HX|HX3D|C|P|M|MX|Z)$|AI|Micro-|Ryzen \d (?:PRO )?\d{3}$|7220|3[01][14]5B"
    r"|AMD [CEZV]\d?-?\d|II (?:Neo )?[MNPKVX]\d{3}|A\d-1\d"
)
_SERIES_WORDS = {
    "Athlon II X2": "Athlon II X2",
    "Athlon II X3": "Athlon II X3",
    "Athlon II X4": "Athlon II X4",
    "Athlon X4": "Athlon X4",
    "Phenom II X2": "Phenom II X2",
    "Phenom II X4": "Phenom II X4",
    "Phenom II X6": "Phenom II X6",
    "Phenom X2": "Phenom II X2",
    "Phenom X3": "Phenom II X3",
    "Phenom X4": "Phenom II X4",
    "Phenom II": "Phenom II",
    "Opteron": "Opteron",
}


def amd_facts(path: Path, source: str, catalog: Catalog) -> Iterator[Fact]:
    """Yield a fact for each processor of a set's CSV file; `memory` is empty where the page states no speed."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            name = amd_name(_cell(row, _NAME), _cell(row, _SERIES))
            if re.search(r"Turion 64|Sempron 2800", name):
                continue  # before K10
            memory = "" if _WRONG_PAGES.match(name) else in_notation(_memory(name, row, catalog))
            stated = re.findall(r"[\d.]+", _cell(row, _STATED))
            vendor = max(stated, key=float) if stated else ""
            kind, year = _class(name, _cell(row, _FORM)), _year(_cell(row, _LAUNCH))
            yield Fact(name, memory, year, kind, vendor, source, other_name(_cell(row, _NAME), name))


def shop_facts(folder: Path, source: str) -> Iterator[Fact]:
    """Yield a fact for each processor of buildcores' open database; it has types and channels, and no speeds."""
    for path in sorted(folder.glob("*.json")):
        entry = json.loads(path.read_text("utf-8"))
        meta, memory = entry["metadata"], entry["specifications"]["memory"]
        name = re.sub(r" [\d.]+ ?GHz.*| \d+-Core .*", "", meta["name"])
        name = amd_name(name, "") if name.startswith("AMD") else name
        types = "; ".join(f"{kind} x{memory.get('channels')}" for kind in memory.get("types") or [])
        yield Fact(name, types, str(meta.get("releaseYear") or ""), _class(name, ""), "", source)


def core_facts(path: Path, source: str) -> Iterator[Fact]:
    """Yield types and channels by the core of each Xeon that CPU-World lists and Intel does not; no speeds."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            name = re.sub(r" - .*|\(.*?\)", "", row["CpuName"]).strip()
            yield Fact(name, _CHANNELS_OF_CORE.get(row["Processor core"], ""), "", "server", "", source)


def printed_facts(path: Path, source: str) -> Iterator[Fact]:
    """Yield a fact without memory for each of AMD's names that processors print, a line each."""
    for line in sorted(path.read_text("utf-8").splitlines()):
        name = amd_name(line, "")
        if "AMD" in line and re.search(r"\d", name):
            yield Fact(name, "", "", _class(name, ""), "", source, other_name(line, name))


def other_name(page: str, name: str) -> str:
    """Return what a page or a processor calls a product besides its name here, empty where nothing else is left."""
    bare = re.sub(r"\((?:tm|R)\)|[®™\u200b]|\(.*?\)", "", page, flags=re.IGNORECASE)
    bare = re.sub(_GRAPHICS, "", bare, flags=re.IGNORECASE)
    bare = " ".join(re.sub(r"\b(?:APU|Processor|[67]th Gen)\b|\+AMD|OEM ?/ ?Tray", " ", bare).split())
    bare = bare if "AMD" in bare else f"AMD {bare}"
    told = re.search(r"[A-Z]\d?[- ]|Phenom|\d{3}K$", bare.replace("AMD ", ""))
    return bare if told and key_of(bare) != key_of(name) else ""  # a number alone ("Athlon 750") may be another's


def rule_of(name: str) -> Rule | None:
    """Return the rule of a name's series, None where no rule speaks of it."""
    return next((rule for pattern, rule in RULES if pattern.match(name)), None)


def amd_name(page: str, series: str) -> str:
    """Return the name on a page with its series and without marks and empty words: `AMD Athlon X4 880K`."""
    page = re.sub(r"\((?:tm|R)\)", "", page, flags=re.IGNORECASE)
    page = re.sub(_CORES, " ", page, flags=re.IGNORECASE)
    series = " ".join(re.sub(r"[®™]|\bAMD\b|Business Class -|Black|Edition", "", series).split())
    bare = " ".join(_EMPTY_WORDS.sub(" ", page).split()).removeprefix("AMD ")
    for words, prefix in _SERIES_WORDS.items():
        if series.startswith(words):
            bare = re.sub(r"^(?:Athlon|Phenom)(?: II)?(?: X\d)? ", "", bare)
            bare = f"{prefix} {bare.removeprefix('Opteron ')}"
            break
    bare = re.sub(r"^FX (?=\d{4})", "FX-", bare)
    bare = re.sub(r"\bAI (\d) HX PRO\b", r"AI \1 HX PRO", bare.removeprefix("AMD "))
    return f"AMD {bare}"


def _memory(name: str, row: dict[str, str], catalog: Catalog) -> list[Memory]:
    types, speed = _cell(row, _TYPES), _cell(row, _SPEED)
    rates = [int(rate) for rate in re.findall(r"\d{4}", speed)]
    kinds = re.findall(r"LPDDR\d[Xx]?|DDR\d", types) or ([_kind_by_page(row, rates)] if rates else [])
    family = catalog.processor_family(name)
    stated = re.match(r"\d", _cell(row, _CHANNELS))
    channels = family.channels if family and family.channels else int(stated[0]) if stated else None
    found = {}
    for kind in dict.fromkeys(kinds):
        written = re.search(rf"\b{kind} - Up to (\d{{4}})", types)
        rate = int(written[1]) if written else max(rates) if rates and len(set(kinds)) == 1 else None
        if rate and kind.startswith("LP") and family and family.lpddr_bits:
            # AMD's pages write LPDDR4 for the LPDDR4X of Renoir and Cezanne; only that reaches 4266.
            found[kind] = Memory("LPDDR4X" if rate == 4266 else kind.upper(), _bin(rate), bits=family.lpddr_bits)
        elif rate and channels and not kind.startswith("LP"):
            found[kind] = Memory(kind, _bin(rate), channels=channels)
    return sorted(found.values(), key=Memory.rank, reverse=True)


def _kind_by_page(row: dict[str, str], rates: list[int]) -> str:
    # Pages without a type are of Zen and of 7th Gen (Stoney Ridge), with DDR4, or of Kabini.
    return "DDR4" if max(rates) > _FASTEST_DDR3 or "7th Gen" in _cell(row, _NAME) else "DDR3"


def _bin(rate: int) -> int:
    return {2667: 2666, 1599: 1600, 1865: 1866, 4266: 4267}.get(rate, rate)


def _cell(row: dict[str, str], names: tuple[str, ...]) -> str:
    return next((row[name].strip() for name in names if row.get(name)), "")


def _year(launch: str) -> str:
    found = re.search(r"(20\d\d)$|^Q\d(\d\d)$|/(\d\d)$", launch)
    return "" if not found else found[1] or f"20{found[2] or found[3]}"


def _class(name: str, form: str) -> str:
    if re.search(r"EPYC|Opteron", name):
        return "server"
    if "Threadripper" in name:
        return "workstation"
    if re.search(r"AMD (?:GX|RX|G)-|Embedded", name):
        return "embedded"
    if "Handheld" in form:
        return "console"
    if form.startswith("Desktops"):
        return "desktop"
    if form == "Laptops" or form == "Laptop":
        return "laptop"
    return "laptop" if _MOBILE.search(name) else "desktop"
