from __future__ import annotations

import csv
import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from bandwidth.catalog import current_catalog
from bandwidth.theory import peak

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "specs" / "processors.tsv"
# Intel's and AMD's pages by way of public data sets; not part of a checkout.
SHARED_PROCESSORS = ROOT.parent / "shared" / "data" / "cpus.csv"
COLUMNS = ("name", "aliases", "memory", "year", "class", "vendor_gb_s", "source")
CLASSES = {"server", "workstation", "desktop", "laptop", "embedded", "phone", "board", "console", "cloud"}
CUT = 0.016  # makers cut 21.33 to 21


@dataclass(frozen=True)
class Row:
    name: str
    aliases: list[str]
    memory: list[str]
    year: str
    kind: str
    vendor_gb_s: str
    source: str


def read_table(path: Path, columns: tuple[str, ...]) -> list[list[str]]:
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    assert tuple(lines[0].split("\t")) == columns
    return [line.split("\t") for line in lines[1:]]


def row_of(cells: list[str]) -> Row:
    name, aliases, memory, *rest = cells
    return Row(name, aliases.split("; ") if aliases != "-" else [], memory.split("; "), *rest)


@cache
def rows() -> tuple[Row, ...]:
    return tuple(map(row_of, read_table(TABLE, COLUMNS)))


@cache
def gb_s(spec: str) -> float:
    return peak(spec).bytes_per_s / 1e9


def key(name: str) -> str:
    """What two spellings of a name share: letters, digits and `+`, without marks and words that say nothing."""
    bare = re.sub(r"\((?:R|TM|OEM Only)\)| OEM/Tray| (?:with|w/) .*| ?@.*", "", name, flags=re.IGNORECASE)
    bare = re.sub(
        r"\b(?:\d+th Gen|CPU|Processor|APU|(?:\d+|Dual|Quad|Six|Eight)-Cores?(?! GPU))\b", "", bare, flags=re.IGNORECASE
    )
    return re.sub(r"[^a-z0-9+]", "", bare.lower())


def natural(name: str) -> list[tuple[int, str]]:
    return [(int(part) if part.isdigit() else -1, part.casefold()) for part in re.split(r"(\d+)", name) if part]


@cache
def entries() -> dict[str, str]:
    """The memory of every entry with a story by the keys of its names."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "specs" / "devices").glob("*.toml")):
        for name, entry in tomllib.loads(path.read_text("utf-8")).items():
            others = (f"{entry['maker']} {name}", *entry.get("aliases", ()), *entry.get("model_names", ()))
            found |= {key(other): entry["memory"] for other in (name, *others)}
    return found


def test_every_row_is_well_formed():
    head = TABLE.read_text("utf-8").split("\nname\t")[0]
    sources = {source.rstrip("?") for source in (row.source for row in rows())}
    assert len(rows()) > 3500
    assert [row.name for row in rows() if row.kind not in CLASSES] == []
    assert [row.name for row in rows() if not re.fullmatch(r"-|20[0-2]\d", row.year)] == []
    assert [row.name for row in rows() if not re.fullmatch(r"-|\d+(?:\.\d+)?", row.vendor_gb_s)] == []
    assert [source for source in sources if not re.search(rf"(?m)^# {{16}}(?:\w+, )?{source}\b", head)] == []


def test_rows_are_sorted_as_people_sort():
    names = [row.name for row in rows()]
    assert names == sorted(names, key=natural)


def test_every_memory_is_in_our_notation_and_the_fastest_is_first():
    figures = [(row.name, [gb_s(memory) for memory in row.memory]) for row in rows()]
    assert [name for name, speeds in figures if speeds != sorted(speeds, reverse=True)] == []
    assert [row.name for row in rows() if len({m.split("-")[0] for m in row.memory}) < len(row.memory)] == []


def test_no_type_is_faster_than_it_is_made():
    fastest = {"DDR2": 1066, "DDR3": 2133, "DDR4": 3200, "DDR5": 7200, "LPDDR3": 2133, "LPDDR4": 4267, "LPDDR4X": 4267}
    types = [
        (row.name, *re.match(r"([A-Z0-9]+)-(\d+)", m).groups())
        for row in rows()
        for m in row.memory
        if re.match(r"[A-Z0-9]+-\d", m)
    ]
    assert [(name, kind, rate) for name, kind, rate in types if int(rate) > fastest.get(kind, 11_000)] == []


def test_no_name_stands_for_two_rows_or_repeats_an_entry():
    keys = [key(name) for row in rows() for name in (row.name, *row.aliases)]
    assert [name for name, count in Counter(keys).items() if count > 1] == []
    assert sorted(set(keys) & set(entries())) == []


def test_channels_and_widths_are_those_of_the_family():
    catalog = current_catalog()
    wrong = []
    for row in rows():
        family = catalog.processor_family(row.name)
        for memory in row.memory if family else []:
            kind, _, count = memory.rpartition(" ")
            if kind.startswith("LPDDR"):
                agrees = family.lpddr_bits in (None, int(count.removesuffix("-bit")))
            elif kind.startswith("DDR") and count.endswith("-bit"):  # half a channel
                agrees = family.channels in (None, 1)
            else:
                agrees = not kind.startswith("DDR") or family.channels == int(count.removeprefix("x"))
            if not agrees:
                wrong.append((row.name, memory))
    assert wrong == []


def test_every_disagreement_of_two_sources_has_its_reason():
    path = ROOT / "tests" / "maintenance" / "disagreements.tsv"
    found = read_table(path, ("kind", "name", "ours", "other", "reason"))
    assert {cells[4] for cells in found} & {"", "-", "unexplained"} == set()
    assert {cells[1] for cells in found} <= {row.name for row in rows()}


def test_processors_on_sale_have_a_row_with_the_right_figure():
    if not SHARED_PROCESSORS.is_file():
        pytest.skip("the names and figures are not part of a checkout")
    known = {key(name): row.memory for row in rows() for name in (row.name, *row.aliases)}
    known |= {name: [memory] for name, memory in entries().items()}
    with SHARED_PROCESSORS.open(encoding="utf-8", newline="") as lines:
        asked = list(csv.DictReader(lines))
    right = [line["name"] for line in asked if _is_right(known.get(key(line["name"])), line)]
    assert len(asked) > 2000
    assert len(right) / len(asked) >= 0.95


def _is_right(memory: list[str] | None, line: dict[str, str]) -> bool:
    accepted = [
        float(figure) for figure in (line["right_gbps"], *line["accepted_gbps"].split(";")) if figure != "refuse"
    ]
    return bool(memory) and any(abs(gb_s(memory[0]) - figure) <= CUT * figure for figure in accepted)
