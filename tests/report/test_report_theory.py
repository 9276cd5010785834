"""The table of `bandwidth theory`: whole tables of several SPECs, the working below them, and each added column."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bandwidth.catalog import current_catalog
from bandwidth.errors import AmbiguousName
from bandwidth.report import render
from bandwidth.report.theory import TheoryRow, TheoryView, theory_document
from bandwidth.theory import peak, peaks

SPECS = ("DDR4-2933 x4", "GDDR6 14Gbps 256-bit", "HBM3e 6.4Gbps 6144-bit", "PCIe 4.0 x16")
PEAKS = [peak(spec) for spec in SPECS]
GIGABYTE = 10**9
PLAIN = """\
                      memory or link             peak GB/s        quoted as
--------------------  -------------------------  ---------  ---------------
DDR4-2933 x4          2933.33 MT/s x 64 bit x 4      93.87
GDDR6 14Gbps 256-bit  14 Gbps x 256 bit             448.00
HBM3e 6.4Gbps x6      6.4 Gbps x 1024 bit x 6     4,915.20
PCIe 4.0 x16          16 GT/s x 16 lanes             31.51  63.02 both ways
"""
COLUMNS = """\
                      peak GB/s  of DDR4-2933 x4   1GB in  a second
--------------------  ---------  ---------------  -------  --------
DDR4-2933 x4              93.87            1.000  10.7 ms     93.87
GDDR6 14Gbps 256-bit     448.00            4.773  2.23 ms    448.00
HBM3e 6.4Gbps x6       4,915.20           52.364   203 us  4,915.20
PCIe 4.0 x16              31.51            0.336  31.7 ms     31.51
"""
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
EVERYTHING = f"{COLUMNS}\n{WORKING}"
IN_GIB = """\
|              |         rate | peak GiB/s |      MB/s |
|:-------------|-------------:|-----------:|----------:|
| DDR4-2933 x4 | 2933.33 MT/s |      87.42 | 93,866.67 |
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
    document = theory_document([TheoryRow(PEAKS[0])], TheoryView(unit="MB/s", with_mb_s=True))
    assert [column.header for column in document.blocks[0].columns] == ["", "rate", "peak MB/s"]


@pytest.mark.parametrize("spec", SPECS)
def test_a_column_that_would_be_empty_is_left_out(spec):
    document = theory_document([TheoryRow(peak(spec))], TheoryView())
    headers = [column.header for column in document.blocks[0].columns]
    assert headers == ["", "memory or link", "peak GB/s", *(["quoted as"] if "PCIe" in spec else [])]


def test_the_width_of_a_link_is_shown_where_it_is_more_than_a_lane_s_bit():
    specs = ("NVLink 4 x18", "PCI 32-bit 33MHz", "Thunderbolt 3")
    document = theory_document([TheoryRow(peak(spec)) for spec in specs], TheoryView())
    assert [(row[1], row[3]) for row in document.blocks[0].rows] == [
        ("100 GT/s x 2 bit x 18", "900.00 both ways"),
        ("33.33 MT/s x 32 bit", ""),
        ("20.625 GT/s x 2 lanes", "10.00 both ways"),
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


# --- devices ----------------------------------------------------------------------------------------------------------

H200 = """\
                 memory or link             peak GB/s          quoted as
---------------  -------------------------  ---------  -----------------
H200             6.402 Gbps x 1024 bit x 6   4,916.74  4,800.00 by maker
- PCIe 5.0 x16   32 GT/s x 16 lanes             63.02   126.03 both ways
Quadro RTX 5000  14 Gbps x 256 bit             448.00
- PCIe 3.0 x16   8 GT/s x 16 lanes              15.75    31.51 both ways

H200: 3201 MHz x 2 x 6144 bit is 4917 GB/s; 4.8 is that divided by 1.024, cause
  not established
"""
FITS = """\
                 peak GB/s  20GB in  a second  fits
---------------  ---------  -------  --------  ----
H200              4,916.74  4.07 ms    245.84   yes
- PCIe 5.0 x16       63.02   317 ms      3.15     -
Quadro RTX 5000     448.00  44.6 ms     22.40    no
- PCIe 3.0 x16       15.75   1.27 s      0.79     -
DDR4-3200 x2         51.20   391 ms      2.56     -
"""


def of_devices(*specs):
    return [each for spec in specs for each in peaks(spec)]


def test_a_device_s_link_stands_below_it_and_why_its_maker_prints_another_figure():
    rows = [TheoryRow(each) for each in of_devices("H200", "Quadro RTX 5000")]
    assert render(theory_document(rows, TheoryView()), "table") == H200


def test_whether_the_bytes_to_move_fit_the_memory_of_a_device():
    size = 20 * GIGABYTE
    rows = [
        TheoryRow(each, each.seconds_to_move(size)) for each in of_devices("H200", "Quadro RTX 5000", "DDR4-3200 x2")
    ]
    without_remarks = replace(theory_document(rows, TheoryView(move_bytes=size, move_text="20GB")), remarks=())
    assert render(without_remarks, "table") == FITS


def test_a_doubtful_figure_is_marked_and_the_mark_is_explained():
    text = render(theory_document([TheoryRow(each) for each in of_devices("GTX 970")], TheoryView()), "table")
    assert "GeForce GTX 970 ?" in text
    assert text.endswith("?: not every figure was found in a source\n")


@pytest.fixture(scope="module")
def every_peak():
    """Every peak of every device."""
    return of_devices(*(device.name for device in current_catalog().devices.all()))


@pytest.mark.parametrize("reference", [None, peak("GeForce GTX 285")])
@pytest.mark.parametrize("move", [None, 70 * GIGABYTE])
def test_no_table_of_any_device_is_wider_than_a_terminal(every_peak, reference, move):
    rows = [
        TheoryRow(each, move and each.seconds_to_move(move), reference and each.ratio_to(reference))
        for each in every_peak
    ]
    view = TheoryView(reference=reference, move_bytes=move, move_text="70GB" if move else "")
    assert max(map(len, render(theory_document(rows, view), "table").splitlines())) <= 80


def test_the_readings_of_a_name_stand_below_with_their_figures():
    rows = [TheoryRow(each) for each in of_devices("DDR4-2933 x4")]
    readings = {"M3 Max": [TheoryRow(each) for each in of_devices("M3 Max (30-core GPU)", "M3 Max (40-core GPU)")]}
    document = theory_document(rows, TheoryView(), readings)
    assert [result["name"] for result in document.data["results"]] == ["DDR4-2933 x4"]
    (unsettled,) = document.data["ambiguous"]
    assert [reading["peak_bytes_per_s"] for reading in unsettled["readings"]] == [307.2e9, 409.6e9]
    assert "\nM3 Max can be:\n" in render(document, "table")
    assert "more readings" not in render(document, "table")
    long = render(theory_document([], TheoryView(), {"M3 Max " * 20: readings["M3 Max"]}), "table")
    assert max(map(len, long.splitlines())) <= 80


def test_readings_that_are_not_listed_are_counted():
    with pytest.raises(AmbiguousName) as told:
        peaks("Ryzen 9")
    error = told.value
    assert error.unlisted > 20
    assert f"and {len(error.readings) - 8 + error.unlisted} more" in str(error)
    readings = {"Ryzen 9": [TheoryRow(each) for each in error.readings]}
    document = theory_document([], TheoryView(), readings, {"Ryzen 9": error.unlisted})
    assert f"Ryzen 9: {error.unlisted} more readings; write more of the name\n" in render(document, "table")
    assert document.data["ambiguous"][0]["unlisted"] == error.unlisted
