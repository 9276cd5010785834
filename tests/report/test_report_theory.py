"""The table of `bandwidth theory`: whole tables of several SPECs, the working below them, and each added column."""

from __future__ import annotations

import pytest

from bandwidth.report import render
from bandwidth.report.theory import TheoryRow, TheoryView, theory_document
from bandwidth.theory import peak

SPECS = ("DDR4-2933 x4", "GDDR6 14Gbps 256-bit", "HBM3e 6.4Gbps 6144-bit", "PCIe 4.0 x16")
PEAKS = [peak(spec) for spec in SPECS]
GIGABYTE = 10**9
PLAIN = """\
                              rate     width       units  peak GB/s  both ways
--------------------  ------------  --------  ----------  ---------  ---------
DDR4-2933 x4          2933.33 MT/s    64 bit  4 channels      93.87          -
GDDR6 14Gbps 256-bit       14 Gbps   256 bit       1 bus     448.00          -
HBM3e 6.4Gbps x6          6.4 Gbps  1024 bit    6 stacks   4,915.20          -
PCIe 4.0 x16               16 GT/s         -    16 lanes      31.51      63.02
"""
# A row is wider than a line of code may be: the left and the right half of the table.
LEFT = (
    "                              rate     width       units  ",
    "--------------------  ------------  --------  ----------  ",
    "DDR4-2933 x4          2933.33 MT/s    64 bit  4 channels  ",
    "GDDR6 14Gbps 256-bit       14 Gbps   256 bit       1 bus  ",
    "HBM3e 6.4Gbps x6          6.4 Gbps  1024 bit    6 stacks  ",
    "PCIe 4.0 x16               16 GT/s         -    16 lanes  ",
)
RIGHT = (
    "peak GB/s          MB/s  both ways  of DDR4-2933 x4   1GB in  a second",
    "---------  ------------  ---------  ---------------  -------  --------",
    "    93.87     93,866.67          -            1.000  10.7 ms     93.87",
    "   448.00    448,000.00          -            4.773  2.23 ms    448.00",
    " 4,915.20  4,915,200.00          -           52.364   203 us  4,915.20",
    "    31.51     31,507.69      63.02            0.336  31.7 ms     31.51",
)
WORKING = """\
DDR4-2933 x4: (1466.67 MHz x 2) x 8 bytes x 4 channels = 93,866.67 MB/s =
  93.87 GB/s
  note: with the nominal 2933 MT/s it is 93,856.00 MB/s
  source: JEDEC JESD79-4 as tabulated in Wikipedia, DDR4 SDRAM; module naming as
    in i2c-tools decode-dimms
GDDR6 14Gbps 256-bit: 14 Gbps x 256 bits / 8 = 448,000.00 MB/s = 448.00 GB/s
  source: Wikipedia, GDDR6 SDRAM (JEDEC JESD250)
HBM3e 6.4Gbps x6: 6.4 Gbps x 1024 bits / 8 x 6 stacks = 4,915,200.00 MB/s =
  4,915.20 GB/s
  source: Wikipedia, High Bandwidth Memory (HBM3E: up to 9.8 Gbps a pin)
PCIe 4.0 x16: 16 GT/s x 16 lanes x 128/130 / 8 bits = 31,507.69 MB/s =
  31.51 GB/s per direction
  note: x16 is also quoted as 64 GB/s: both directions, before coding
  note: after protocol, with 256-byte payloads: about 25.99 (writes) to
    26.37 GB/s (reads), at most 29.22; an expectation, not a ceiling
    (pcie-bench's model and Intel AN 456)
  source: Linux PCIE_SPEED2MBS_ENC (drivers/pci/pci.h); pcie-bench/pcie-model
    model/pcie.py
"""
EVERYTHING = "".join(f"{left}{right}\n" for left, right in zip(LEFT, RIGHT, strict=True)) + f"\n{WORKING}"
IN_GIB = """\
|              |         rate |  width |      units | peak GiB/s |      MB/s |
|:-------------|-------------:|-------:|-----------:|-----------:|----------:|
| DDR4-2933 x4 | 2933.33 MT/s | 64 bit | 4 channels |      87.42 | 93,866.67 |
"""


def everything():
    reference = peak("DDR4-2933 x4")
    view = TheoryView(explain=True, move_bytes=GIGABYTE, move_text="1GB", reference=reference)
    rows = [TheoryRow(each, each.seconds_to_move(GIGABYTE), each.ratio_to(reference)) for each in PEAKS]
    return theory_document(rows, view)


def test_several_specs_side_by_side():
    assert render(theory_document([TheoryRow(each) for each in PEAKS], TheoryView()), "table") == PLAIN


def test_the_working_the_time_to_move_and_the_ratio_beside_them():
    assert render(everything(), "table") == EVERYTHING


def test_another_unit_keeps_mb_s_where_that_was_asked_for():
    document = theory_document([TheoryRow(PEAKS[0])], TheoryView(unit="GiB/s", with_mb_s=True))
    assert render(document, "markdown") == IN_GIB


def test_mb_s_is_not_said_twice():
    document = theory_document([TheoryRow(PEAKS[0])], TheoryView(unit="MB/s", explain=True))
    assert [column.header for column in document.blocks[0].columns] == ["", "rate", "width", "units", "peak MB/s"]


@pytest.mark.parametrize("spec", SPECS)
def test_a_column_that_would_be_empty_is_left_out(spec):
    document = theory_document([TheoryRow(peak(spec))], TheoryView())
    headers = [column.header for column in document.blocks[0].columns]
    assert headers == ["", "rate", "width", "units", "peak GB/s", *(["both ways"] if "PCIe" in spec else [])]


def test_the_width_of_a_link_is_shown_where_it_is_more_than_a_lane_s_bit():
    specs = ("NVLink 4 x18", "PCI 32-bit 33MHz", "Thunderbolt 3")
    document = theory_document([TheoryRow(peak(spec)) for spec in specs], TheoryView())
    assert [(row[2], row[3], row[5]) for row in document.blocks[0].rows] == [
        ("2 bit", "18 links", "900.00"),
        ("32 bit", "1 bus", "-"),
        ("-", "2 lanes", "10.00"),
    ]
    half = document.data["results"][1]
    assert (half["direction"], half["bidirectional_bytes_per_s"]) == ("half", None)


def test_json_and_csv_carry_full_numbers_whatever_the_unit():
    for unit in ("GB/s", "TB/s", "KiB/s"):
        document = theory_document([TheoryRow(PEAKS[0])], TheoryView(unit=unit))
        (result,) = document.data["results"]
        assert document.data["schema"] == "bandwidth/theory/1"
        assert result["peak_bytes_per_s"] == 93866666666.66667
        assert list(document.records) == [result]


def test_what_was_asked_for_stands_in_the_data_too():
    results = everything().data["results"]
    assert [result["reference"] for result in results] == ["DDR4-2933 x4"] * 4
    assert [result["ratio_to_reference"] for result in results] == pytest.approx(
        [1, 448 / 93.8667, 52.3636, 0.33566], rel=1e-4
    )
    assert [result["move_bytes"] for result in results] == [GIGABYTE] * 4
    assert [result["move_s"] * result["moves_per_s"] for result in results] == pytest.approx([1] * 4)
