"""Every published figure that we could gather, against the formula and the catalog.

tests/data/published_figures.csv holds vendor-stated bandwidths with their sources: kind, name, memory type, rate,
width, the vendor's figure in GB/s, why the formula's may differ, source. For each device the catalog must answer with
the vendor's figure, and its formula must agree within 1 % or the entry must say why not; each module's notation must
give its figure. The rows of kind link are held in test_theory_links.py.
"""

import csv
from pathlib import Path

import pytest

from bandwidth.catalog import current_catalog
from bandwidth.theory import peak

FIGURES = Path(__file__).parent.parent / "data" / "published_figures.csv"
ROWS = list(csv.DictReader(FIGURES.read_text("utf-8").splitlines()))
DEVICES = [row for row in ROWS if row["kind"] in ("cpu", "gpu", "soc")]
# Rows whose name is not the device's name: what the device is called, or None for what is no device.
CALLED = {
    "DDR4-2933 quad channel": None,  # the worked example, held in test_theory_formula.py
    'Core i7 192-bit DDR3 "800 MHz effective"': None,  # a misreading that the row warns of
    "Intel Core i7-990X Processor Extreme Edition": "Core i7-990X",
    "Intel Core i7-3960X Processor Extreme Edition": "Core i7-3960X",
    "Intel Core i7-4960X Processor Extreme Edition": "Core i7-4960X",
    "Intel Core i7-5960X Processor Extreme Edition": "Core i7-5960X",
    "Intel Core i7-8809G Processor with Radeon RX Vega M GH graphics": "Core i7-8809G",
    "Intel Core i9-10980XE Extreme Edition Processor": "Core i9-10980XE",
    "Intel Core i9-10900X X-series Processor": "Core i9-10900X",
    "AMD EPYC 9755 (Turin)": "EPYC 9755",
    "AMD EPYC 9555 (per socket)": "EPYC 9555",
    "Xeon 6980P (MRDIMM)": "Xeon 6980P",
    "Xeon Max 9480 HBM2e": "Xeon Max 9480",
    "NVIDIA Grace raw (marketing alt.)": None,  # 546 is the formula's own figure for the memory of Grace
    "GeForce 8800 GTX (G80)": "GeForce 8800 GTX",
    "Tesla P100 SXM2/PCIe 16GB": "Tesla P100 SXM2 16GB",
    "Quadro RTX 6000 / 8000": "Quadro RTX 6000",
    "PlayStation 3 XDR": None,  # a part of a console that has two memories
}
# Where the vendor's figure in the row is another reading than the entry's, and why.
OTHER_READING: dict[str, str] = {}


def device_of(row):
    name = CALLED.get(row["name"], row["name"])
    return None if name is None else current_catalog().devices.find(name)


def test_the_file_is_whole():
    assert len(ROWS) == 201
    assert len(DEVICES) == 141


@pytest.mark.parametrize("row", DEVICES, ids=lambda row: row["name"])
def test_device_is_in_the_catalog_with_its_published_figure(row):
    if row["name"] in CALLED and CALLED[row["name"]] is None:
        pytest.skip("this row is no device: see CALLED")
    device = device_of(row)
    assert device is not None, "not in the catalog"
    formula_gb_s = peak(device.memory).bytes_per_s / 1e9
    if row["vendor_GBps"] and row["name"] not in OTHER_READING:
        assert device.vendor_gb_s == pytest.approx(float(row["vendor_GBps"]), rel=0.001)
        if abs(formula_gb_s / device.vendor_gb_s - 1) > 0.01:
            assert device.category, "formula and vendor differ by more than 1 % and no category says why"
            assert device.note
    if row["formula_GBps"] and not device.category:
        assert formula_gb_s == pytest.approx(float(row["formula_GBps"]), rel=0.01)


def module_notation(row):
    """Return the notation of a module's row: HBM by stacks, LPDDR by its width, the others by the channel."""
    family, rate, unit = row["memory_type"], row["data_rate"], row["data_rate_unit"]
    width = "" if family.startswith(("SDR", "DDR")) else f" {row['bus_width_bits']}-bit"
    return f"{family} {rate}Gbps{width}" if unit == "Gbps" else f"{family}-{rate}{width}"


@pytest.mark.parametrize("row", [row for row in ROWS if row["kind"] == "module"], ids=lambda row: row["name"])
def test_module_gives_its_figure(row):
    found_gb_s = peak(module_notation(row)).bytes_per_s / 1e9
    # The names of modules round to 100 MB/s or down, makers print 1.2 and 2 TB/s for a stack: as their rows say.
    assert found_gb_s == pytest.approx(
        float(row["vendor_GBps"]), rel=0.01 if row["agrees_within_1pct"] == "yes" else 0.03
    )
    if row["memory_type"] != "LPDDR6":  # the row's formula counts the raw bits, of which 8 in 9 are data
        assert found_gb_s == pytest.approx(float(row["formula_GBps"]), rel=0.01)
