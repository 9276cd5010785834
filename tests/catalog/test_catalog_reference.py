"""The published figures: each states its source and is possible, and the nearest ones are found for a machine."""

from __future__ import annotations

import re

import pytest

from bandwidth.catalog import Catalog, current_catalog
from bandwidth.catalog.entries import read_entries
from bandwidth.catalog.published import PublishedFigure, fault_of_figure, nearest_figures
from bandwidth.errors import BandwidthError
from bandwidth.theory import peak

pytestmark = pytest.mark.usefixtures("user_specs")  # a folder without any, whatever this machine has

FIGURE = """\
["a figure"]
target = "host"
paths = ["read"]
low = 10
high = 20
unit = "GB/s"
peak_gb_s = 25
source = "a data sheet"
"""


def read(folder):
    return read_entries(folder / "reference.toml", PublishedFigure, fault_of_figure)


def test_every_figure_states_its_source_and_is_possible():
    figures = current_catalog().published_figures
    assert len(figures) >= 20
    for figure in figures:
        assert len(figure.source.strip()) > 10, figure.name
        assert figure.low <= figure.high
        assert figure.shares is None or figure.shares[1] <= 1


def test_every_figure_gives_an_address_but_those_of_the_notes():
    without = {
        one.name for one in current_catalog().published_figures if not re.search(r"\b[\w-]+(\.[\w-]+)+/", one.source)
    }
    assert without == {"host memory, all cores", "EPYC 7003"}


def test_the_parts_are_in_the_catalog_and_the_makers_peaks_are_theirs():
    for figure in current_catalog().published_figures:
        for name in figure.parts:
            device = current_catalog().devices.find(name)
            assert device is not None
            assert device.name == name
            assert figure.peak == "vendor"
            vendor_gb_s = device.vendor_gb_s or peak(device.memory).bytes_per_s / 1e9
            assert figure.peak_gb_s == pytest.approx(vendor_gb_s, rel=0.01)


@pytest.mark.parametrize("generation", ["3.0", "4.0", "5.0"])
def test_the_peaks_of_links_are_the_formulas(generation):
    (figure,) = [one for one in current_catalog().published_figures if one.name == f"PCIe {generation} x16 pinned"]
    assert figure.peak_gb_s == pytest.approx(peak(f"PCIe {generation} x16").bytes_per_s / 1e9, rel=1e-6)


@pytest.mark.parametrize(
    ("target", "path", "more", "expected"),
    [
        ("host", "triad", {"parts": ["x"], "family": "AuthenticAMD 25 17"}, ("its family", ["EPYC 9004"])),
        ("host", "triad", {"parts": ["Grace"], "family": "ARM 1 2"}, ("this part", ["Grace"])),
        ("host", "triad", {"parts": ["x"], "family": ""}, ("any", ["host memory, all cores"])),
        ("host", "write", {"parts": ["x"]}, ("any", [])),
        ("device", "dot", {"parts": ["H200"]}, ("this part", ["H200 dot"])),
        ("device", "dot", {"parts": ["H100 PCIe 80GB"]}, ("any", [])),
        (
            "pcie",
            "h2d",
            {"parts": ["H200"], "host_memory": "pinned", "theory_bytes_per_s": 63.02e9},
            ("any", ["PCIe 5.0 x16 pinned"]),
        ),
        ("pcie", "h2d", {"parts": [], "host_memory": "pageable", "theory_bytes_per_s": 63.02e9}, ("any", [])),
        ("pcie", "h2d", {"parts": [], "host_memory": "pinned", "theory_bytes_per_s": 16e9}, ("any", [])),
        ("pcie", "h2d", {"parts": [], "host_memory": "pinned"}, ("any", [])),
    ],
)
def test_the_nearest_figures_are_found(target, path, more, expected):
    kin, figures = nearest_figures(target, path, figures=current_catalog().published_figures, **more)
    assert (kin, [figure.name for figure in figures]) == expected


def test_rates_and_shares_follow_from_each_other(user_specs):
    (user_specs / "reference.toml").write_text(FIGURE)
    (figure,) = read(user_specs)
    assert figure.bytes_per_s == (10e9, 20e9)
    assert figure.shares == (0.4, 0.8)
    share = FIGURE.replace("low = 10", "low = 0.5").replace("high = 20", "high = 0.6").replace('"GB/s"', '"share"')
    (user_specs / "reference.toml").write_text(share)
    (figure,) = read(user_specs)
    assert figure.bytes_per_s == (12.5e9, 15e9)
    (user_specs / "reference.toml").write_text(share.replace("peak_gb_s = 25\n", ""))
    (figure,) = read(user_specs)
    assert (figure.bytes_per_s, figure.shares) == (None, (0.5, 0.6))


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("low = 10", "low = 21", "[a figure]: low is above high"),
        ("low = 10", "low = 0", "[a figure]: low: Input should be greater than 0"),
        ("peak_gb_s = 25", "peak_gb_s = 19", "[a figure]: it is above its peak"),
        ('"GB/s"', '"percent"', "[a figure]: unit: Input should be 'share' or 'GB/s'"),
    ],
)
def test_a_fault_is_one_line_naming_file_entry_and_field(user_specs, right, wrong, message):
    (user_specs / "reference.toml").write_text(FIGURE.replace(right, wrong))
    with pytest.raises(BandwidthError) as caught:
        read(user_specs)
    assert f"reference.toml: {message}" in str(caught.value)
    # the same of a user's is noted, and ours stand
    assert "a figure" not in {figure.name for figure in current_catalog().published_figures}
    assert message in current_catalog().folders.broken[0]


def test_the_users_figures_come_first_in_a_new_catalog(user_specs):
    catalog = Catalog()
    ours = catalog.published_figures
    (user_specs / "reference.toml").write_text(FIGURE)
    assert catalog.published_figures is ours
    assert [figure.name for figure in Catalog().published_figures] == ["a figure", *(figure.name for figure in ours)]
