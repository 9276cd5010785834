"""The bands of what is normal: each states its source, and the right one is found for a machine."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from bandwidth.catalog import Catalog, current_catalog
from bandwidth.catalog.entries import read_entries
from bandwidth.catalog.published import NormalBand, fault_of_range, host_bands
from bandwidth.errors import BandwidthError

BANDS = current_catalog().normal_bands
SHARED = Path(__file__).parents[2].parent / "shared" / "data"
BAND = """\
["a band"]
target = "host"
paths = ["read"]
low = 0.5
high = 0.9
denominator = "peak"
source = "a data sheet"
"""


def read(folder, content):
    path = folder / "normal.toml"
    path.write_text(content)
    return read_entries(path, NormalBand, fault_of_range)


@pytest.mark.parametrize("band", BANDS, ids=lambda band: band.name)
def test_every_band_states_its_source_and_is_one(band):
    assert len(band.source.strip()) > 10
    assert 0 <= band.low <= band.high
    assert band.high <= 1 or band.denominator == "GB/s"
    known = {"host": {"read", "copy", "triad"}, "device": {"read", "write", "copy", "triad", "dot"}}
    assert set(band.paths) <= known.get(band.target, {"h2d", "d2h"})


@pytest.mark.parametrize("band", BANDS, ids=lambda band: band.name)
def test_every_band_that_is_verified_gives_an_address(band):
    assert band.unverified or re.search(r"\b[\w-]+(\.[\w-]+)+/", band.source)


@pytest.mark.parametrize("name", sorted({name for band in BANDS for name in band.devices}))
def test_the_devices_of_a_band_are_in_the_catalog(name):
    device = current_catalog().devices.find(name)
    assert device is not None
    assert device.name == name


def test_there_is_a_band_for_every_path_that_is_promised():
    general = {(band.target, path) for band in BANDS if band.is_general for path in band.paths}
    assert {("host", "copy"), ("device", "triad"), ("device", "write"), ("pcie", "h2d"), ("pcie", "d2h")} <= general
    assert {band.host_memory for band in BANDS if band.target == "pcie"} == {"pinned", "pageable"}


@pytest.mark.parametrize(
    ("processor", "memory", "caches", "expected"),
    [
        ("GenuineIntel 6 63", "DDR4-2133 x4", 1, ["host memory"]),
        ("GenuineIntel 6 143", "DDR5-4800 x8", 1, ["Sapphire Rapids", "host memory"]),
        ("AuthenticAMD 25 1", "DDR4-3200 x8", 8, ["EPYC 7003", "host memory"]),
        ("AuthenticAMD 25 17", "DDR5-4800 x12", 12, ["EPYC 9004", "host memory"]),
        ("AuthenticAMD 25 97", "DDR5-6000 x2", 1, ["single-die Ryzen with DDR5", "host memory"]),
        ("AuthenticAMD 25 97", "DDR5-6000 x2", 2, ["host memory"]),
        ("AuthenticAMD 25 97", "DDR5-6000 x2", None, ["host memory"]),
        ("ARM Neoverse-V2", "LPDDR5X-8533 512-bit", 1, ["Grace", "host memory"]),
        ("ARM Neoverse-V2", "DDR5-5600 x12", 1, ["Graviton4", "host memory"]),
    ],
)
def test_a_processor_finds_its_own_band_first(processor, memory, caches, expected):
    found = host_bands(BANDS, "triad", ("its printed name", processor), memory, caches)
    assert [band.name for band in found] == expected


def test_a_part_with_few_chiplets_finds_its_band_before_its_familys():
    found = host_bands(BANDS, "read", ("AMD EPYC 9254 24-Core Processor", "AuthenticAMD 25 17"), "DDR5-4800 x12", 4)
    assert [band.name for band in found] == ["EPYC 9254", "EPYC 9004", "host memory"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the set of clouds' machines is not beside this checkout")
def test_bare_machines_of_clouds_are_normal():
    beside = []
    rows = list(csv.DictReader((SHARED / "cloud_metal.csv").read_text(encoding="utf-8").splitlines()))
    for row in rows:
        bands = host_bands(BANDS, "read", (row["cpu"], _numbers(row)), row["memory_type"], 1)
        rate, peak = float(row["read_GBs_bw_mem"]), float(row["theory_GBs"])
        low, high = _ends(bands[0], peak)
        if bands[0].denominator == "GB/s":  # a rate that slow memory need not reach
            low = min(low, _ends(bands[-1], peak)[0])
        if bands[0].is_general or not low <= rate <= high:
            beside.append(f"{row['instance']}, {bands[0].name}: {row['read_share']}")
    assert len(rows) == 125
    # One machine of its kind, and a fast one: of Broadwell-EP and Kaby Lake no band is kept.
    assert beside == ["i3.metal, host memory: 0.909", "vbm-4c-32gb, host memory: 0.829"]


def _numbers(row):
    """Return vendor, family and model number as records have them."""
    if row["cpu"].startswith("Neoverse"):
        return f"ARM {row['cpu']}"
    return f"{'AuthenticAMD' if 'AMD' in row['cpu'] else 'GenuineIntel'} {row['cpu_family_model']}"


def _ends(band, peak):
    return (band.low, band.high) if band.denominator == "GB/s" else (band.low * peak, band.high * peak)


def test_a_path_without_a_band_has_none():
    assert host_bands(BANDS, "latency", ("AuthenticAMD 25 1",), "DDR4-3200 x8", 8) == ()


def test_a_right_band_is_read(tmp_path):
    (band,) = read(tmp_path, BAND)
    assert band == NormalBand("a band", "host", ("read",), 0.5, 0.9, "peak", "a data sheet")
    assert band.is_general


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("low = 0.5", "low = 0.95", "[a band]: low is above high"),
        ("low = 0.5", "low = -0.1", "[a band]: low: Input should be greater than or equal to 0"),
        ('"peak"', '"best"', "[a band]: denominator: Input should be 'peak', 'vendor' or 'GB/s'"),
        (
            "low = 0.5",
            "low = 0.5\nlast_level_caches = 0",
            "[a band]: last_level_caches: Input should be greater than 0",
        ),
    ],
)
def test_a_fault_is_one_line_naming_file_entry_and_field(tmp_path, right, wrong, message):
    assert right in BAND
    with pytest.raises(BandwidthError) as caught:
        read(tmp_path, BAND.replace(right, wrong))
    assert f"normal.toml: {message}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_users_bands_come_first_in_a_new_catalog(user_specs):
    catalog = Catalog()
    assert catalog.normal_bands == BANDS
    (user_specs / "normal.toml").write_text(BAND)
    assert catalog.normal_bands == BANDS
    assert [band.name for band in Catalog().normal_bands] == ["a band", *(band.name for band in BANDS)]
