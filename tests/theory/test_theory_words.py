"""Words in any order: what boxes, labels, shops, lspci and people write, and that no word is passed over in silence."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandwidth.errors import AmbiguousName, BandwidthError
from bandwidth.theory import peak, peaks, words

NOTATIONS = Path(__file__).parents[3] / "shared" / "data" / "notations.csv"
NEAR = 0.016  # DATA.md: makers cut 21.33 to 21


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        # capacities, timings, ranks, kinds of module, profiles
        ("16GB 2Rx8 DDR4-3200 ECC CL22", "DDR4-3200"), ("DDR5-6000C30", "DDR5-6000"),
        ("DDR4-3200 16-18-18-38 1.35V 288-pin", "DDR4-3200"), ("DDR4 SO-DIMM-2666", "DDR4-2666"),
        ("DDR5 CU-DIMM 8400 EXPO x2", "DDR5-8400 x2"), ("Samsung single rank DDR3L 1600", "DDR3-1600"),
        ("DDR4 SDRAM: 3200 MT/s, unbuffered", "DDR4-3200"), ("HBM3 12-Hi 8 stacks 6.4 Gbps/pin", "HBM3 6.4Gbps x8"),
        ("DDR4_3200", "DDR4-3200"), ("DDR4(3200)", "DDR4-3200"), ("DDR 4 3200", "DDR4-3200"),
        ("DDR5-4800B 1Rx8", "DDR5-4800"), ("PC4-2400T-UA2-11", "DDR4-2400"), ("DDR4-3200 (PC4-25600)", "DDR4-3200"),
        ("PC3L-10600R-9-13-E1", "DDR3-1333"), ("PC2-6400S-666-12", "DDR2-800"),
        # counts before and behind, in words, with sockets
        ("12xDDR5-4800", "DDR5-4800 x12"), ("4 x DDR4-2400", "DDR4-2400 x4"), ("DDR5-6400 * 12", "DDR5-6400 x12"),
        ("DDR5-6400 \u00d7 12", "DDR5-6400 x12"), ("twelve-channel DDR5-4800", "DDR5-4800 x12"),
        ("octo channel DDR4 3200", "DDR4-3200 x8"), ("DDR3-1333 triple", "DDR3-1333 x3"),
        ("DDR5 12ch 4800", "DDR5-4800 x12"), ("2S DDR5-6400 x12", "DDR5-6400 x24"),
        ("2 sockets x 12 channels DDR5-6400", "DDR5-6400 x24"),
        ("12 memory channels DDR5-4800 per socket", "DDR5-4800 x12"),
        ("8xDDR5-4800/S", "DDR5-4800 x8"), ("DDR5-4800 x12 x2", "DDR5-4800 x24"),
        ("2x64-bit DDR5-5600", "DDR5-5600 x2"), ("DDR5-5600 dual-channel 128-bit", "DDR5-5600 x2"),
        ("four channels of 16-bit LPDDR4X 4267", "LPDDR4X-4267 64-bit"),
        ("LPDDR5X-8533 8 x 16 bits", "LPDDR5X-8533 128-bit"),
        ("LPDDR5X 7500MT/s quad channel 128bit", "LPDDR5X-7500 128-bit"), ("LPDDR4X 4266 x64", "LPDDR4X-4266 64-bit"),
        # kits: one channel a module, two at most where nothing says there are more
        ("2x16GB DDR5-6000 CL30", "DDR5-6000 x2"), ("DDR5-6000 16GBx2", "DDR5-6000 x2"),
        ("DDR4-3200 4 x 8 GB", "DDR4-3200 x2"), ("4x8GB DDR4-3200 quad channel", "DDR4-3200 x4"),
        ("DDR4-3200 8x32GB RDIMM", "DDR4-3200 x8"), ("12x64GB DDR5-4800 R-DIMM", "DDR5-4800 x12"),
        ("DDR4-4200 CL19 64GB (8x8GB)", "DDR4-4200 x2"), ("kit of 2 DDR4-3200", "DDR4-3200 x2"),
        ("4x16GB DDR4-2666 1DPC", "DDR4-2666 x4"), ("2x1R DDR5-5600", "DDR5-5600 x2"),
        # figures with commas, and clocks
        ("DDR5 6,400 MT/s", "DDR5-6400"), ("GDDR6 14,5 Gbps 192 Bit", "GDDR6 14.5Gbps 192-bit"),
        ("DDR4 3,2 GT/s", "DDR4-3200"), ("GDDR6 1750 MHz 256-bit", "GDDR6 14Gbps 256-bit"),
        ("24 GB GDDR6X @ 21 Gbps, 384 bit", "GDDR6X 21Gbps 384-bit"), ("GDDR6 18Gbps x 12", "GDDR6 18Gbps 384-bit"),
        # as a table of peaks prints it
        ("21 Gbps x 384 bit GDDR6X", "GDDR6X 21Gbps 384-bit"), ("DDR4 2933 MT/s x 64 bit x 4", "DDR4-2933 x4"),
        ("DDR4-2933 x 64 bit x 4", "DDR4-2933 x4"),
        ("GDDR6 16 Gbps over a 256-bit bus", "GDDR6 16Gbps 256-bit"),
        # makers' order
        ("DDR5-8800 MRDIMM x12", "MRDIMM-8800 x12"), ("12 x 64GB MRDIMM-8800", "MRDIMM-8800 x12"),
        ("LPCAMM2 LPDDR5X-7500", "LPDDR5X-7500 128-bit"), ("SOCAMM2 9600", "LPDDR5X-9600 128-bit"),
        ("DDR5-6400 CAMM2", "DDR5-6400 x2"), ("LPDDR5-8533 128-bit", "LPDDR5X-8533 128-bit"),
        # links
        ("x16 PCIe 5.0", "PCIe 5.0 x16"), ("PCIe x16 Gen3", "PCIe 3.0 x16"), ("gen4 x4", "PCIe 4.0 x4"),
        ("PCIe x4 4.0", "PCIe 4.0 x4"), ("16.0 GT/s PCIe x16", "PCIe 4.0 x16"), ("PCIe 8 GT/s x8", "PCIe 3.0 x8"),
        ("Speed 16GT/s, Width x16", "PCIe 4.0 x16"),
        ("\t\tLnkSta:\tSpeed 8GT/s (downgraded), Width x4 (ok)", "PCIe 3.0 x4"),
        ("LnkCap: Port #0, Speed 16GT/s, Width x16, ASPM L1, Exit Latency L1 <64us", "PCIe 4.0 x16"),
        ("x16 PCI Express 4 x16", "PCIe 4.0 x16"), ("M.2 2280 NVMe Gen4", "PCIe 4.0 x4"), ("OCuLink", "OCuLink"),
        ("OCuLink PCIe 3.0", "PCIe 3.0 x4"), ("2x PCIe 4.0 x16", "2 x PCIe 4.0 x16"), ("2x 100GbE", "100GbE x2"),
        ("dual 25GbE", "25GbE x2"), ("100 Gbps Ethernet", "100GbE"), ("HDR InfiniBand", "InfiniBand HDR"),
        ("18x NVLink 4", "NVLink 4 x18"), ("Thunderbolt 3 (40Gbps)", "Thunderbolt 3"),
        ("SATA III 6Gb/s SSD", "SATA III"),
    ],
)  # fmt: skip
def test_what_is_printed_and_pasted_is_read(spec, name):
    found = peak(spec)
    assert found.name == name
    assert peak(name.replace("2 x PCIe 4.0 x16", "PCIe 4.0 x32")).bytes_per_s == pytest.approx(found.bytes_per_s)


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("TEAMGROUP T-Create Master Registered Black DDR5-6400 CL32 128GB (8x16GB)", "DDR5-6400 x2"),
        ("G.Skill Flare X5 Black DDR5-5600 CL36 16GB (1x16GB)", "DDR5-5600"),
        ("Patriot Viper 3 Black / Silver DDR3-1600 CL9 16GB (2x8GB)", "DDR3-1600 x2"),
        ("Silicon Power DDR5 64GB (2x32GB) Zenith 6000MHz CL30 WHITE", "DDR5-6000 x2"),
        ("Crucial RAM 32GB Kit (2x16GB) DDR4 3200MHz CL22 (or 2933MHz or 2666MHz) Laptop Memory", "DDR4-3200 x2"),
        ("ADATA XPG ARMAX DDR5-6000 32(2x16GB) CL36 Black", "DDR5-6000 x2"),
        ("Crucial Pro Overclocking 32GB (2x16) DDR5 6400 CL32 Black", "DDR5-6400 x2"),
        ("Samsung 4GB 1Rx16 PC4-3200AA-SCO-11", "DDR4-3200"),
        ("Timetec 75TT133U2R8-8G Green / Black DDR3-1333 CL9 8GB (1x8GB)", "DDR3-1333"),
    ],
)
def test_the_name_of_a_product_may_stand_before_its_memory(name, spec):
    assert peak(name).name == spec


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ("DDR4-3200 banana", "banana"), ("banana DDR4-3200", "banana"), ("DDR4-3200 16GB banana", "banana"),
        ("Kingston banana DDR4-3200", "banana"), ("banana DDR4-3200 16GB peel", "banana"),
        ("banana manychannels DDR4-3200 16GB", "banana"), ("PCIe 4.0 x16 banana", "banana"),
        ("FB-DIMM DDR2-667", "FB-DIMM"), ("Radeon R7 240 2GB DDR3 1600", "Radeon"),
        ("Core i9-10980XE 4x16GB DDR4-2933", "Core"), ("DDR4-3200 3200!", "!"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_word_that_is_not_understood(spec, word):
    with pytest.raises(BandwidthError, match="is not understood; write it as ") as caught:
        peak(spec)
    assert f": {word!r} is not understood" in caught.value.message


@pytest.mark.parametrize(
    "spec", ["x2", "5600", "16GB", "2x16GB", "6400MHz", "dual channel", "ECC", "NVMe", "M.2", "1 TB"]
)
def test_what_says_how_much_but_not_of_what_is_no_spec(spec):
    with pytest.raises(BandwidthError) as caught:
        peak(spec)
    hint = 'write it with its memory or link, in quotes: "DDR4-2933 x4"'
    assert str(caught.value) == f"{spec!r} alone is not a SPEC; {hint}"


@pytest.mark.parametrize(
    "spec",
    [
        "DDR4-3200 PC4-23400", "DDR4 DDR5 3200", "DDR3 1333/1600", "DDR5-6400 x4 / x8", "DDR4-3200 dual channel x4",
        "PCIe 4.0 x16 x8", "PCIe 4.0 x16 32GT/s", "2x PCIe 4.0", "4x InfiniBand NDR", "Thunderbolt 4 PCIe 3.0 x4",
        "DDR5-6000 2x16GB 4x8GB", "12x96GB DDR5-6400 RDIMM 2 sockets", "LPDDR5X-8533 quad channel", "1 TB/s",
        "PCIe 4.0 x16 2x8GB", "USB 20Gbps", "DDR4-3200 0x16GB", "HBM3 3.35 TB/s", "LPDDR5-6400 x16",
    ],
)  # fmt: skip
def test_what_contradicts_itself_or_leaves_it_open_is_refused(spec):
    with pytest.raises(BandwidthError):
        peak(spec)


@pytest.mark.parametrize(
    ("spec", "readings"),
    [
        ("GDDR5 2000MHz 128-bit", {"GDDR5 2Gbps 128-bit": 32, "GDDR5 4Gbps 128-bit": 64, "GDDR5 8Gbps 128-bit": 128}),
        ("GDDR6 7001 MHz 256-bit", {"GDDR6 7.001Gbps 256-bit": 224.032, "GDDR6 14.002Gbps 256-bit": 448.064}),
        ("8 x 64GB DDR5-5600 RDIMM 2DPC", {"DDR5-5600 x4": 179.2, "DDR5-5600 x8": 358.4}),
        ("24x64GB DDR5-4800 RDIMM", {"DDR5-4800 x12": 460.8, "DDR5-4800 x24": 921.6}),
        ("Z8 384GB (12x32GB) DDR4-2933", {"DDR4-2933 x6": 140.8, "DDR4-2933 x12": 281.6}),
        ("16GB x4 DDR4-3200", {"DDR4-3200 x2": 51.2, "DDR4-3200 x4": 102.4}),
        ("LPDDR5-6400 dual channel 64-bit", {"LPDDR5-6400 64-bit": 51.2, "LPDDR5-6400 128-bit": 102.4}),
        ("24 channels DDR5-4800 2 sockets", {"DDR5-4800 x24": 921.6, "DDR5-4800 x48": 1843.2}),
    ],
)
def test_several_readings_are_listed_with_their_figures(spec, readings):
    with pytest.raises(AmbiguousName) as caught:
        peak(spec)
    found = {one.name: one.bytes_per_s / 1e9 for one in caught.value.readings}
    assert found == pytest.approx(readings)
    assert all(f"{name} {figure:,.2f} GB/s" in caught.value.hint for name, figure in readings.items())


@pytest.mark.parametrize(
    ("spec", "warning"),
    [
        ("DDR4 3200MHz", "3200 MHz is taken as MT/s, as on module labels; the clock is half of that"),
        ("2x16GB DDR5-6000", "2 modules are taken as 2 channels"),
        ("4x16GB DDR5-6000", "4 modules are taken as 2 channels, as on desktops: write x4 for 4"),
        ("LPDDR5-8533 64-bit", "8533 MT/s is a speed of LPDDR5X, not of LPDDR5: taken as LPDDR5X"),
        ("LPDDR5-6400 dual channel", "dual channel is taken as two channels of 64 bits"),
        ("GDDR6 1750 MHz 256-bit", "1750 MHz is taken as a clock with 8 transfers: 14 Gbps per pin"),
        ("GDDR6 18Gbps x12", "x12 is taken as 12 chips of 32 bits"),
        ("DDR5-4800 x12 x2", "x12 x2 is taken as 12 units in each of 2 sockets"),
        ("Gen4 x4", "a generation alone is taken as PCIe"),
        ("NVMe PCIe 4.0", "taken as x4, as for drives"),
        ("KVR32N22S8/16", "KVR32N22S8/16 is a part number of Kingston: DDR4-3200, 1 a kit"),
    ],
)
def test_what_was_taken_for_granted_is_a_warning_and_a_note(spec, warning):
    found = peak(spec)
    assert found.warnings == (warning,)
    assert warning in found.notes


def test_words_that_say_nothing_of_bandwidth_are_noted():
    found = peak("16GB 2Rx8 DDR4-3200 ECC CL22")
    assert found.warnings == ()
    assert found.notes == ("ignored, without effect on the bandwidth: 16GB, 2Rx8, ECC, CL22",)


@given(st.permutations(["DDR5", "6400MT/s", "12ch", "ECC", "2S", "64GB", "CL52", "(RDIMM)"]))
@settings(max_examples=200, deadline=None)
def test_the_order_of_words_does_not_matter(words):
    assert peak(" ".join(words)).name == "DDR5-6400 x24"


@given(st.permutations(["PCIe", "Gen4", "x16", "slot"]))
def test_nor_does_it_in_a_link(words):
    assert peak(" ".join(words)).name == "PCIe 4.0 x16"


@given(st.text(min_size=1, max_size=9) | st.text("x48 -/(,.GBDR5PCIeKF", min_size=1, max_size=9))
@settings(max_examples=300, deadline=None)
def test_200_characters_of_a_pattern_are_one_line(pattern):
    try:
        lines = [one.name for one in peaks((pattern * 200)[:200])]
    except BandwidthError as error:
        lines = [str(error)]
    assert all(line.isascii() and line.isprintable() for line in lines)


@pytest.mark.skipif(not NOTATIONS.exists(), reason="the shared list of notations does not lie beside this checkout")
def test_the_shared_list_has_no_wrong_figure_and_few_refusals():
    rows = list(csv.DictReader(NOTATIONS.read_text("utf-8").splitlines()))
    wrong, refused, right = [], [], 0
    for row in rows:
        allowed = f"{row['right_gbps']};{row['accepted_gbps']}".split(";")
        figures = [float(one) for one in allowed if one and one != "refuse"]
        try:
            found = peak(row["text"]).bytes_per_s / 1e9
        except BandwidthError:
            if figures and "refuse" not in allowed:
                refused.append(row["text"])
            continue
        right += 1
        if not any(abs(found / figure - 1) <= NEAR for figure in figures):
            wrong.append((row["text"], found))
    assert wrong == []
    assert len(refused) <= (len(refused) + right) * 0.03, refused


@pytest.mark.parametrize("spec", ["DDR4-2666", "DDR5-5600 x11", "DDR3 1333 x7"])
def test_what_most_notations_are_made_of_needs_no_pattern_of_every_word(spec, monkeypatch):
    monkeypatch.setattr(words, "_pattern", lambda: pytest.fail("it takes longer to compile than all else"))
    assert peak(spec).bytes_per_s > 0
