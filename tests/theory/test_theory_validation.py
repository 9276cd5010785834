"""Spec files are checked whole: one line a fault, naming file, entry and field; and ours have none."""

import pytest

from bandwidth.catalog import current_catalog, specs_folder
from bandwidth.theory.validation import faults

GOOD = '["Card 1"]\nmaker = "M"\nkind = "gpu"\nmemory = "GDDR6 14Gbps 256-bit"\nsource = "a sheet"\n'


def found(tmp_path, text, name="cards.toml"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return faults([path])


def test_good_file_has_none(tmp_path):
    assert found(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (GOOD.replace('"gpu"', '"toaster"'), "cards.toml: [Card 1]: kind: "),
        (GOOD.replace('maker = "M"\n', ""), "cards.toml: [Card 1]: maker: "),
        (GOOD.replace('source = "a sheet"\n', ""), "cards.toml: [Card 1]: source: "),
        (GOOD.replace('"a sheet"', '" "'), "cards.toml: [Card 1]: source: it is empty"),
        (GOOD + "maker_of = 1\n", "cards.toml: [Card 1]: unknown field 'maker_of'"),
        (GOOD + "pci_ids = 5\n", "cards.toml: [Card 1]: pci_ids: "),
        (GOOD.replace("14Gbps", "14GB"), "cards.toml: [Card 1]: memory: "),
        (GOOD + 'link = "PCIe 4.0 x0"\n', "cards.toml: [Card 1]: link: "),
        (GOOD + 'link = "DDR4-3200"\n', "cards.toml: [Card 1]: link: 'DDR4-3200' is not a link"),
        (
            GOOD.replace("GDDR6 14Gbps 256-bit", "PCIe 4.0 x16"),
            "cards.toml: [Card 1]: memory: 'PCIe 4.0 x16' is not a memory",
        ),
        (
            GOOD + GOOD.replace("Card 1", "Card 2") + 'aliases = ["card-1"]\n',
            "[Card 2]: the name 'card-1' is already in",
        ),
        (GOOD + 'capacity = "lots"\n', "[Card 1]: capacity: 'lots' is not a size"),
        (GOOD + "vendor_gb_s = inf\nvendor_text = 'inf'\n", "[Card 1]: vendor_gb_s: "),
        (GOOD + "vendor_gb_s = -1\nvendor_text = '-1'\n", "[Card 1]: vendor_gb_s: "),
        (GOOD.replace("Card 1", "DDR4-3200"), "the name 'DDR4-3200' is also a notation, which takes precedence"),
        (GOOD.replace("GDDR6 14Gbps 256-bit", "Card 1"), "[Card 1]: memory: 'Card 1' is not a memory or link"),
        ("x = " + "[" * 5000, "cards.toml is not TOML"),
        (GOOD + GOOD.replace("Card 1", "CARD1"), "cards.toml: [CARD1]: the name 'CARD1' is already in"),
        (GOOD + "vendor_gb_s = 448\n", "cards.toml: [Card 1]: vendor_gb_s and vendor_text go together"),
        (GOOD + 'vendor_gb_s = 400\nvendor_text = "400"\n', "cards.toml: [Card 1]: vendor_gb_s: 400 against 448.00"),
        ("", "cards.toml: contains no entry"),
        ("x = = 1", "cards.toml is not TOML: "),
        (b"\xff\xfe", "cards.toml cannot be read: it is not text"),
        ("name = 1", "cards.toml: 'name' is not a table"),
    ],
)
def test_fault_is_one_line_with_file_entry_and_field(tmp_path, text, fault):
    lines = found(tmp_path, text)
    assert any(fault in line for line in lines), lines
    assert all("\n" not in line for line in lines)


def test_one_bad_entry_leaves_the_others(tmp_path):
    text = GOOD + GOOD.replace("Card 1", "Card 2").replace('"gpu"', '"toaster"') + GOOD.replace("Card 1", "Card 3")
    assert len(found(tmp_path, text)) == 1


def test_folder_stands_for_its_files_and_an_empty_one_is_a_fault(tmp_path):
    assert faults([tmp_path]) == [f"{tmp_path}: contains no .toml file and no table of products"]
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "cards.toml").write_text(GOOD)
    assert faults([tmp_path]) == []


def test_missing_file_is_a_fault(tmp_path):
    (line,) = faults([tmp_path / "none.toml"])
    assert "none.toml does not exist" in line


def test_our_own_catalog_has_no_fault():
    assert (
        faults(
            [
                specs_folder() / "memory.toml",
                specs_folder() / "links.toml",
                *current_catalog().folders.own_device_files(),
            ]
        )
        == []
    )
