"""The spec files: all load and state their source, and every kind of fault is named by file, entry and field."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from bandwidth.catalog import MemoryFamily, current_catalog, entries, specs_folder
from bandwidth.catalog.entries import read_entries
from bandwidth.catalog.model import LinkGeneration
from bandwidth.errors import BandwidthError

REPOSITORY = Path(__file__).parent.parent.parent
FAMILY = """\
[TESTRAM]
width_bits = 64
unit = "channel"
rate_unit = "MT/s"
lowest_mt_s = 100
highest_mt_s = 200
source = "a data sheet"
"""
CATALOG = current_catalog()
ENTRIES = (*CATALOG.families, *CATALOG.links)


def read(folder, content):
    path = folder / "memory.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_entries(path, MemoryFamily)


def test_the_specs_of_a_checkout_lie_beside_the_package():
    assert specs_folder() == REPOSITORY / "specs"


def test_a_missing_folder_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(entries, "__file__", str(tmp_path / "bandwidth" / "catalog" / "entries.py"))
    with pytest.raises(BandwidthError) as caught:
        entries.specs_folder.__wrapped__()
    assert str(caught.value) == "the specs of memories and links are missing; install membandwidth again"


def test_in_a_wheel_the_specs_lie_inside_the_package(monkeypatch, tmp_path):
    for folder in (tmp_path / "bandwidth" / "specs", tmp_path / "specs"):
        folder.mkdir(parents=True)
        (folder / "memory.toml").touch()
    monkeypatch.setattr(entries, "__file__", str(tmp_path / "bandwidth" / "catalog" / "entries.py"))
    assert entries.specs_folder.__wrapped__() == tmp_path / "bandwidth" / "specs"


def test_every_family_and_generation_that_is_promised_is_there():
    assert [family.name for family in CATALOG.families] == [
        *("SDR", "DDR", "DDR2", "DDR3", "DDR4", "DDR5", "MRDIMM"),
        *("LPDDR", "LPDDR2", "LPDDR3", "LPDDR4", "LPDDR4X", "LPDDR5", "LPDDR5X", "LPDDR5T", "LPDDR6"),
        *("GDDR2", "GDDR3", "GDDR4", "GDDR5", "GDDR5X", "GDDR6", "GDDR6X", "GDDR7"),
        *("HBM", "HBM2", "HBM2e", "HBM3", "HBM3e", "HBM4", "HBM4E"),
        *("RDRAM", "XDR"),
    ]
    promised = {
        *(f"PCIe {number}.0" for number in range(1, 9)),
        *("CXL 1.1", "CXL 2.0", "CXL 3.0"),
        *(f"NVLink {number}" for number in range(1, 7)),
        *("NVLink-C2C", "Infinity Fabric", "QPI", "UPI"),
        *(f"HyperTransport {number}" for number in ("1.0", "2.0", "3.0", "3.1")),
        *(f"Thunderbolt {number}" for number in range(1, 6)),
        *("USB 3.2 Gen 1", "USB 3.2 Gen 2", "USB4", "USB4 v2"),
        *("USB 2.0", "OCuLink", "SAS-3", "eMMC 5.1", "1.6TbE", "InfiniBand HDR100", "InfiniBand NDR200"),
        *("SATA I", "SATA II", "SATA III"),
        *(f"{speed}GbE" for speed in (10, 25, 40, 100, 200, 400, 800)),
        *(f"InfiniBand {speed}" for speed in ("SDR", "DDR", "QDR", "FDR", "EDR", "HDR", "NDR", "XDR")),
        *("PCI 32-bit 33MHz", "PCI 64-bit 66MHz", "PCI-X 133", "AGP 1x", "AGP 2x", "AGP 4x", "AGP 8x"),
    }
    assert promised <= {generation.name for generation in CATALOG.links}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_entry_states_its_source(entry):
    assert len(entry.source.strip()) > 10


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_coding_is_a_fraction_of_at_most_one(entry):
    most = Fraction(11, 7) if entry.coding == "11/7" else 1  # PAM3 has symbols of three levels: more than a bit each
    assert 0 < Fraction(entry.coding) <= most


@pytest.mark.parametrize("family", CATALOG.families, ids=lambda family: family.name)
def test_every_family_is_consistent_in_itself(family):
    assert 0 < family.lowest_mt_s < family.highest_mt_s
    assert family.width_bits > 0
    assert list(family.speeds_mt_s) == sorted(set(family.speeds_mt_s))
    assert all(family.lowest_mt_s <= speed <= family.highest_mt_s for speed in family.speeds_mt_s)
    assert bool(family.widths_bits) == (not family.unit), "widths are offered exactly where one must be given"


def test_no_name_stands_for_two_families():
    names = [name.lower() for family in CATALOG.families for name in (family.name, *family.aliases)]
    assert len(names) == len(set(names))
    written = [
        (name.lower(), number.lower())
        for generation in CATALOG.links
        for name in (generation.family, *generation.aliases)
        for number in generation.generations
    ]
    assert len(written) == len(set(written))


def test_a_right_entry_is_read(tmp_path):
    (family,) = read(tmp_path, FAMILY + 'aliases = ["TR"]\nspeeds_mt_s = [100, 150]\n')
    assert family == MemoryFamily(
        "TESTRAM", 64, "channel", "MT/s", 100, 200, "a data sheet", aliases=("TR",), speeds_mt_s=(100, 150)
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            FAMILY.replace("64", '"64"'),
            "memory.toml: [TESTRAM]: width_bits: Input should be a valid integer; correct that field",
        ),
        (
            FAMILY.replace("64", "64.0"),
            "memory.toml: [TESTRAM]: width_bits: Input should be a valid integer; correct that field",
        ),
        (
            FAMILY.replace("64", "true"),
            "memory.toml: [TESTRAM]: width_bits: Input should be a valid integer; correct that field",
        ),
        (
            FAMILY + 'aliases = ["TR", 1]\n',
            "memory.toml: [TESTRAM]: aliases.1: Input should be a valid string; correct that field",
        ),
        (
            FAMILY.replace('"channel"', '"bank"'),
            "memory.toml: [TESTRAM]: unit: Input should be 'channel', 'stack' or ''; correct that field",
        ),
        (FAMILY + "witdh = 1\n", "memory.toml: [TESTRAM]: unknown field 'witdh'; correct its name or remove it"),
        (FAMILY + 'name = "OTHER"\n', "memory.toml: [TESTRAM]: unknown field 'name'; correct its name or remove it"),
        (
            FAMILY.replace('source = "a data sheet"\n', ""),
            "memory.toml: [TESTRAM]: source: Field required; correct that field",
        ),
        ("TESTRAM = 1\n", "memory.toml: 'TESTRAM' is not a table; write it as [NAME] with its fields below"),
        (
            b"\xff\xfe",
            "memory.toml cannot be read: it is not text; check the file",
        ),
    ],
)
def test_a_fault_is_one_line_naming_file_entry_and_field(tmp_path, content, message):
    with pytest.raises(BandwidthError) as caught:
        read(tmp_path, content)
    assert str(caught.value).replace(f"{tmp_path}/", "") == message  # a user's file is named with its folder


@pytest.mark.parametrize("content", [FAMILY + FAMILY, "x = [", '[A]\ntext = "\n"'])
def test_what_is_not_toml_is_one_line_with_its_place(tmp_path, content):
    with pytest.raises(BandwidthError, match=r"memory\.toml is not TOML: .+ \(at .+\); correct the file at that line$"):
        read(tmp_path, content)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BandwidthError, match=r"gone\.toml does not exist; check the name$"):
        read_entries(tmp_path / "gone.toml", LinkGeneration)


LINK = """\
["PCIe 9.0"]
family = "PCIe"
generations = ["9"]
rates_mt_s = [1]
units = [1, 16]
coding = "128/130"
source = "x"
"""


@pytest.mark.parametrize(
    ("right", "wrong", "field"),
    [
        ("units = [1, 16]\n", "", "units: Field required"),
        ("units = [1, 16]", "units = []", "units: Tuple should have at least 1 item"),
        ("units = [1, 16]", "units = [0, 16]", "units.0: Input should be greater than 0"),
        ("rates_mt_s = [1]", "rates_mt_s = [0]", "rates_mt_s.0"),
        ("rates_mt_s = [1]", "rates_mt_s = [1.5]", "rates_mt_s.0"),
        ("rates_mt_s = [1]", "rates_mt_s = []", "rates_mt_s"),
        ("128/130", "128/0", "coding: String should match pattern"),
        ("128/130", "0/130", "coding: String should match pattern"),
        ("128/130", "1e300000000", "coding: String should match pattern"),
        ("128/130", "-1/2", "coding: String should match pattern"),
        ('source = "x"', 'source = "x"\nduplex = "full"', "duplex: Input should be 'each' or 'half'"),
        ('source = "x"', 'source = "x"\nwidth_bits = 0', "width_bits: Input should be greater than 0"),
    ],
)
def test_faults_of_links_are_named_too(tmp_path, right, wrong, field):
    path = tmp_path / "links.toml"
    assert right in LINK
    path.write_text(LINK.replace(right, wrong))
    with pytest.raises(BandwidthError) as caught:
        read_entries(path, LinkGeneration)
    assert f"links.toml: [PCIe 9.0]: {field}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rate", ["10312.5", "100/3", "25600"])
def test_an_exact_rate_is_text(tmp_path, rate):
    path = tmp_path / "links.toml"
    path.write_text(LINK.replace("[1]", f'["{rate}"]', 1))
    (entry,) = read_entries(path, LinkGeneration)
    assert entry.rates_mt_s == (rate,)


def test_a_bad_spec_file_ends_the_command_by_that_line(tmp_path):
    """A whole process, as the user runs it."""
    (tmp_path / "memory.toml").write_text(FAMILY.replace("64", '"64"'))
    program = (
        "import sys; from pathlib import Path; from bandwidth.catalog import Catalog, use_catalog; "
        "use_catalog(Catalog(own=Path(sys.argv[1]))); "
        "from bandwidth.cli.app import run; sys.exit(run(['theory', 'DDR4-2933']))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.replace(f"{tmp_path}/", "") == (
        "bandwidth: memory.toml: [TESTRAM]: width_bits: Input should be a valid integer; correct that field\n"
    )
