from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bandwidth.catalog import Catalog, current_catalog
from bandwidth.errors import BandwidthError

# Intel's and AMD's pages by way of public data sets; not part of a checkout.
SHARED_PROCESSORS = Path(__file__).parents[2].parent / "shared" / "data" / "cpus.csv"
# Where the pages count otherwise than in channels of 64 bits, or are wrong.
COUNTED_IN_32_BITS = ("Atom x6", "E3940", "E3950", "J6412", "N6210")
PLAIN_ERRORS = ("A10-9700E",)  # three channels


@pytest.mark.parametrize(
    ("name", "channels", "lpddr_bits"),
    [
        ("Intel(R) Core(TM) i7-3820 CPU @ 3.60GHz", 4, None),
        ("Intel(R) Core(TM) i7-3820QM CPU @ 2.70GHz", 2, None),
        ("Intel(R) Core(TM) i7 CPU         920  @ 2.67GHz", 3, None),
        ("Intel(R) Xeon(R) CPU E5-2407 0 @ 2.20GHz", 3, None),
        ("Intel(R) Xeon(R) CPU E5-2699 v3 @ 2.30GHz", 4, None),
        ("Intel(R) Xeon(R) Platinum 8380HL CPU @ 2.90GHz", 6, None),
        ("Intel(R) Xeon(R) Platinum 8488C", 8, None),
        ("Intel(R) N100", 1, 64),
        ("Intel(R) Core(TM) i3-N305", 1, 64),
        ("Intel(R) Core(TM) Ultra 7 155H", 2, 128),
        ("AMD EPYC 3251 8-Core Processor", 2, None),
        ("AMD EPYC 9R14", 12, None),
        ("AMD Ryzen Threadripper PRO 3995WX 64-Cores", 8, None),
        ("AMD Ryzen Threadripper 3970X 32-Core Processor", 4, None),
        ("AMD RYZEN AI MAX+ 395 w/ Radeon 8060S", None, 256),
        ("AMD Ryzen 5 7520U with Radeon Graphics", 1, 64),
        ("AMD A9-9425 RADEON R5, 5 COMPUTE CORES 2C+3G", 1, None),
        ("AMD A10-9700 RADEON R7, 10 COMPUTE CORES 4C+6G", 2, None),
        ("Ampere(R) Altra(R) Max Processor M128-30", 8, None),
    ],
)
def test_a_family_by_name(name, channels, lpddr_bits):
    family = current_catalog().processor_family(name)
    assert (family.channels, family.lpddr_bits) == (channels, lpddr_bits)


@pytest.mark.parametrize(
    "name",
    [
        *("", "pc-i440fx-2.1", "Intel(R) Core i7 processor", "AMD EPYC", "x" * 10_000),
        "Intel(R) Core(TM)2 Duo CPU     E8400  @ 3.00GHz",  # its memory hangs on the chipset
        "Intel(R) Xeon(R) CPU           E5430  @ 2.66GHz",
        "Intel(R) Xeon(R) CPU E7-4870 @ 2.40GHz",  # buffered: twice the channels that its pages count
        "Intel(R) N1000",
    ],
)
def test_no_family(name):
    assert current_catalog().processor_family(name) is None


def test_every_family_has_plausible_figures_and_a_source():
    families = current_catalog().processor_families
    assert len(families) > 100
    for family in families:
        assert family.source, family
        assert family.channels in (None, 1, 2, 3, 4, 6, 8, 12), family
        assert family.lpddr_bits in (None, 64, 128, 256), family
        assert family.lpddr_entry_bits is None or 2 * family.lpddr_entry_bits == family.lpddr_bits, family
        assert (family.slowest_ddr3_mt_s or 0) <= (family.fastest_ddr3_mt_s or 0), family


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pattern\tchannels\n", "its first line does not name the columns"),
        ("", "its first line does not name the columns"),
        ("{header}\nAMD (\t2\t-\t-\t-\tamd\n", "is not a family"),
        ("{header}\nAMD X\ttwo\t-\t-\t-\tamd\n", "is not a family"),
        ("{header}\nAMD X\t2\n", "is not a family"),
    ],
)
def test_a_broken_table_is_named(tmp_path, text, message):
    header = "pattern\tchannels\tlpddr_bits\tlpddr_entry_bits\tddr3_mt_s\tsource"
    (tmp_path / "processor_families.tsv").write_text(text.format(header=header))
    with pytest.raises(BandwidthError, match=message):
        Catalog(own=tmp_path).processor_family("AMD X")


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(BandwidthError, match="cannot be read"):
        Catalog(own=tmp_path).processor_family("AMD X")


@pytest.mark.skipif(not SHARED_PROCESSORS.is_file(), reason="the makers' pages do not lie beside the checkout")
def test_the_families_agree_with_the_makers_pages():
    known = differing = 0
    with SHARED_PROCESSORS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            family = current_catalog().processor_family(row["cpuinfo_name"] or row["name"])
            if family is None or family.channels is None or not row["channels"]:
                continue
            known += 1
            if family.channels != int(row["channels"]):
                differing += 1
                assert any(part in row["name"] for part in COUNTED_IN_32_BITS + PLAIN_ERRORS), row["name"]
    assert known > 2000
    assert differing < 20
