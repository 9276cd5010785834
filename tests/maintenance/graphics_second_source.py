"""Holds specs/graphics.tsv against others: `python -m tests.maintenance.graphics_second_source GPU.JSON README.MD`.

GPU.JSON is what the branch gpu-data of github.com/voidful/gpu-info-api holds (Wikipedia's tables, CC BY-SA 4.0: figures
are compared, none is copied into the table), README.MD that of github.com/ProjectPhysX/FluidX3D. Rows that agree with
none of the figures of their name are written to graphics_second_source.tsv beside this file, with what to make of them.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from bandwidth.theory import peak
from tests.maintenance.graphics import TABLE, Row, plain, read_table

WRITTEN = Path(__file__).with_name("graphics_second_source.tsv")
NAME_FIELDS = ("Model name", "Model", "Model (Codename)", "Model (Code name)")
LARGEST_DIFFERENCE = 0.02  # the lists round to whole GB/s
# Why a row stands although the list has another figure, where no row of its own says more: the first that fits.
SETTLED = {
    "NVIDIA Quadro P1000": "the maker's sheet, 82 GB/s, is 2.5 % above what CUDA reports",
    "NVIDIA Quadro RTX 3000 Mobile": "14 Gbps over 192 bit are 336 GB/s; the list has the RTX 5000's",
    "NVIDIA Quadro RTX 3000 with Max-Q Design": "192 bit; the list has the RTX 4000's",
    "NVIDIA GeForce RTX 2070 SUPER with Max-Q Design": "11 Gbps with Max-Q; the list has the card's without",
    "NVIDIA GeForce GTX 1650 Ti with Max-Q Design": "10 Gbps with Max-Q; the list has the card's without",
}
SLOW_MEMORY = re.compile(r"SDR-|DDR[23]?-|GDDR[23] ")
IF_SLOW = "board makers fitted several memories and clocks; TechPowerUp's reference card stands"
IF_LAPTOP = "the clock is the laptop maker's choice within a range; TechPowerUp's figure stands"
IF_UNVERIFIED = "written from memory of the maker's sheet, and marked so"
ELSE = "unsettled: TechPowerUp's figure stands until the maker's is read"


def wikipedia(path: Path) -> Iterator[tuple[str, float]]:
    """Yield each name of Wikipedia's tables with a bandwidth in GB/s that stands there."""
    for entry in json.loads(path.read_text("utf-8")).values():
        name = next((str(entry[field]) for field in NAME_FIELDS if str(entry.get(field, "nan")) != "nan"), "")
        for field, value in entry.items():
            if re.match(r"(?i)(?:memory )?bandwidth", field):
                scale = 1000 if "TB" in field else 1
                for text in re.findall(r"[0-9]+(?:\.[0-9]+)?", str(value)):
                    yield name, float(text) * scale


def fluidx3d(path: Path) -> Iterator[tuple[str, float]]:
    """Yield each device of FluidX3D's table with its bandwidth in GB/s, the fourth column."""
    for line in path.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.replace("&nbsp;", " ").split("|")]
        if len(cells) > 7 and re.fullmatch(r"[0-9]+", cells[4]) and "(1 " not in cells[1]:
            yield re.sub(r"[^\x00-\x7f]", "", cells[1]), float(cells[4])


def spelled(name: str) -> str:
    """Return a name's words without notes in brackets: what the lists and the table have in common."""
    return plain(re.sub(r"\[[^]]*\]|\([^)]*\)", "", name))


def reason_of(row: Row) -> str:
    """Return why a row stands against the list."""
    if row.name in SETTLED:
        return SETTLED[row.name]
    if SLOW_MEMORY.match(row.memory):
        return IF_SLOW
    if row.source.endswith("?"):
        return IF_UNVERIFIED
    return IF_LAPTOP if row.kind == "laptop" else ELSE


def main() -> int:
    """Write the rows that the lists contradict, and say how many they confirm."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wikipedia", type=Path, help="gpu.json")
    parser.add_argument("fluidx3d", type=Path, help="README.md")
    options = parser.parse_args()
    figures: dict[str, set[float]] = defaultdict(set)
    for name, gb_s in (*wikipedia(options.wikipedia), *fluidx3d(options.fluidx3d)):
        if gb_s:
            figures[spelled(name)].add(gb_s)
    known, lines = 0, ["name\tmemory\tours_gb_s\ttheirs_gb_s\treason"]
    for row in read_table(TABLE)[1]:
        theirs = sorted({figure for name in row.names for figure in figures.get(spelled(name), ())})
        ours = float(peak(row.memory).bytes_per_s) / 1e9
        known += bool(theirs)
        if theirs and not any(abs(ours / figure - 1) <= LARGEST_DIFFERENCE for figure in theirs):
            listed = "; ".join(f"{figure:g}" for figure in theirs)
            lines.append(f"{row.name}\t{row.memory}\t{ours:.4g}\t{listed}\t{reason_of(row)}")
    WRITTEN.write_text("\n".join(lines) + "\n", "utf-8")
    sys.stdout.write(f"{known} rows are in the lists, {known - len(lines) + 1} of them with the same figure\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
