"""The tables of products: a line is a device, a fault is one line, and a user's table wins over ours."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import pytest
from counted_calls import calls_of

from bandwidth.catalog import Catalog
from bandwidth.catalog.products import COLUMNS, ProductTable
from bandwidth.errors import AmbiguousName, BandwidthError
from bandwidth.theory.validation import faults

PROCESSORS, GRAPHICS = (f"# head\n#   t  the test's list\n{chr(9).join(columns)}\n" for columns in COLUMNS.values())
CPU = "AMD Toy 7 9900X\tToy 9900X BOX\tDDR5-5600 x2; DDR4-3200 x2\t2024\tdesktop\t89.6\tt\n"
GPU = "NVIDIA Toy 4090\t-\tGDDR6X 21Gbps 384-bit\tPCIe 4.0 x16\t24GB\t10de:fff1\t2022\tdesktop\t-\tt?\n"


@pytest.fixture
def own(tmp_path):
    """Return the folder of a package with a line in each table, and no entries."""
    folder = tmp_path / "own"
    (folder / "devices").mkdir(parents=True)
    (folder / "processors.tsv").write_text(PROCESSORS + CPU, "utf-8")
    (folder / "graphics.tsv").write_text(GRAPHICS + GPU, "utf-8")
    return folder


@pytest.fixture
def users(tmp_path):
    folder = tmp_path / "users"
    folder.mkdir()
    return folder


def test_a_line_is_a_device(own):
    devices = Catalog(own=own).devices
    processor, card = devices.find("AMD Toy 7 9900X 12-Core Processor"), devices.find("NVIDIA Toy 4090 24GB")
    assert (processor.memory, processor.other_memories) == ("DDR5-5600 x2", ("DDR4-3200 x2",))
    assert (processor.maker, processor.kind, processor.vendor_gb_s) == ("AMD", "cpu", 89.6)
    assert (processor.source, processor.unverified) == ("the test's list", False)
    assert (card.maker, card.kind, card.link, card.capacity, card.unverified) == (
        *("NVIDIA", "gpu", "PCIe 4.0 x16", "24GB", True),
    )
    assert devices.find("Toy 9900X BOX").name == "AMD Toy 7 9900X"
    assert devices.by_pci_id("10DE", "FFF1", "").name == "NVIDIA Toy 4090"
    assert [device.name for device in devices.all()] == ["AMD Toy 7 9900X", "NVIDIA Toy 4090"]


@pytest.mark.parametrize("query", ["Intel Toy 7 9900X", "Toy 7 9900", "NVIDIA Toy 4090 Ti", "Toy 4090 12GB", "4090"])
def test_a_line_answers_for_nothing_else(own, query):
    with suppress(AmbiguousName):
        assert Catalog(own=own).devices.find(query) is None


# A cell, what stands in it, and what the line of the fault says.
FAULTS = [
    ("AMD Toy 7 9900X\t", "", "name: it is empty"),
    ("desktop", "box", "class: 'box' is not one of server, "),
    ("2024", "24", "year: '24' is not a year"),
    ("89.6", "-89", "vendor_gb_s: '-89' is not a positive number"),
    ("DDR5-5600 x2; DDR4-3200 x2", "-", "memory: it is required"),
    ("DDR5-5600 x2; DDR4-3200 x2", "DDR5-5600 x2 ", "memory: it begins or ends with a space"),
    ("\tt\n", "\t\n", "source: it is empty"),
    ("\t89.6", "", "the line: 6 cells instead of 7"),
    ("Toy 9900X BOX", "a\x07", "aliases: it contains control characters"),
]


@pytest.mark.parametrize(("cell", "instead", "says"), FAULTS)
def test_a_fault_is_one_line_with_file_line_and_field(own, users, cell, instead, says):
    instead = instead or ("\t" if cell.startswith("AMD") else "")
    broken = CPU.replace(cell, instead, 1)
    (users / "processors.tsv").write_text(PROCESSORS + CPU.replace("9900X", "9800X") + broken, "utf-8")
    catalog = Catalog([users], own)
    assert catalog.devices.find("Toy 7 9800X").name == "AMD Toy 7 9800X"
    (line,) = catalog.folders.broken
    assert f"{users / 'processors.tsv'}: line 5: {says}" in line
    assert [fault for fault in faults([users]) if f"processors.tsv: line 5: {says}" in fault]


@pytest.mark.parametrize(
    ("cell", "instead", "says"),
    [
        ("10de:fff1", "10DE-FFF1", "pci_ids: '10DE-FFF1' does not look like 10de:2684"),
        ("24GB", "lots", "capacity: 'lots' is not a size"),
        ("PCIe 4.0 x16", "DDR4-3200", "link: 'DDR4-3200' is not a link"),
        ("GDDR6X 21Gbps 384-bit", "PCIe 4.0 x16", "memory: 'PCIe 4.0 x16' is not a memory"),
        ("GDDR6X 21Gbps 384-bit", "DDR4-3200 x1; DDR4-3200 x2", "memory: list the fastest first"),
        ("NVIDIA Toy 4090", "DDR4-3200", "the name 'DDR4-3200' is also a notation"),
    ],
)
def test_validation_reads_every_line(users, cell, instead, says):
    (users / "graphics.tsv").write_text(GRAPHICS + GPU.replace(cell, instead), "utf-8")
    (line,) = faults([users])
    assert line.startswith(f"graphics.tsv: line 4: {says}")


def test_a_name_that_stands_twice_is_a_fault(users):
    (users / "graphics.tsv").write_text(GRAPHICS + GPU + GPU.replace("NVIDIA Toy 4090", "Nvidia TOY-4090"), "utf-8")
    assert [line for line in faults([users]) if "line 5: the name 'Nvidia TOY-4090' is already in" in line]


def test_entries_win_over_lines_and_users_lines_over_both(own, users):
    entry = '["Toy 4090"]\nmaker = "NVIDIA"\nkind = "gpu"\nmemory = "GDDR6 14Gbps 64-bit"\nsource = "x"\n'
    (own / "devices" / "cards.toml").write_text(entry, "utf-8")
    assert Catalog(own=own).devices.find("Toy 4090").memory == "GDDR6 14Gbps 64-bit"
    assert [device.name for device in Catalog(own=own).devices.all()] == ["Toy 4090", "AMD Toy 7 9900X"]
    (users / "graphics.tsv").write_text(GRAPHICS + GPU.replace("21Gbps", "23Gbps"), "utf-8")
    assert Catalog([users], own).devices.find("Toy 4090").memory == "GDDR6X 23Gbps 384-bit"


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"name\taliases\n", b"# only\n"])
def test_a_table_that_cannot_be_read_is_named_and_affects_nothing_else(own, users, content):
    (users / "processors.tsv").write_bytes(content)
    catalog = Catalog([users], own)
    assert catalog.devices.find("Toy 4090").name == "NVIDIA Toy 4090"
    assert len(catalog.folders.broken) == 1
    assert faults([users])
    (own / "processors.tsv").write_bytes(content)
    with pytest.raises(BandwidthError, match=r"processors\.tsv"):
        Catalog(own=own).devices.find("Toy 4090")


def many(own, count):
    lines = "".join(CPU.replace("9900X", f"{10_000 + number}X") for number in range(count))
    (own / "processors.tsv").write_text(PROCESSORS + lines, "utf-8")
    return Catalog(own=own)


def test_one_question_reads_few_lines_and_many_no_more_each(own):
    """The names are searched as text: what is read of a table does not grow with it."""
    few, lots = (calls_of(partial(many(own, count).devices.find, "Toy 7 10050X")) for count in (500, 4000))
    assert lots < 10 * few
    devices = many(own, 4000).devices
    for number in range(40):
        assert devices.find(f"Toy 7 {10_000 + 97 * number}X").name == f"AMD Toy 7 {10_000 + 97 * number}X"
    assert calls_of(partial(devices.find, "Toy 7 9999X")) < few


def test_an_index_finds_what_the_text_does(own):
    many(own, 700)
    words = ["10050", "toy", "x", "no", "9900"]
    table = ProductTable(own / "processors.tsv", "processors.tsv")
    before = [table.lines_with([word]) for word in words]
    for _ in range(10):
        table.lines_with(["toy"])
    assert [table.lines_with([word]) for word in words] == before
