"""Links: makers' published figures, the ways to write them, what is refused, and the range after PCIe's protocol."""

from __future__ import annotations

import subprocess
import sys
import time
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bandwidth.catalog import current_catalog
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.theory import peak
from bandwidth.theory.link_notation import _generations_by_name, _key, _stated_names, match_link
from bandwidth.theory.link_peak import payload_range

LIMIT_S = 1.0
PCIE = "pcie-bench/pcie-model model/pcie.py; Linux PCIE_SPEED2MBS_ENC"
NVLINK = "wikimili NVLink; NVIDIA papers"
ROCM = "ROCm docs gpu-arch (ROCm/ROCm repo)"
XRYAN = "xryan.net/p/295; HP DL370 G6 guide"
FRAME = "community.frame.work 15793 (lane rates, encodings); geeksynapse 2026-03"
CATALOG = current_catalog()
# Every row of kind link in tests/data/published_figures.csv: GB/s as stated, of which direction, and its source.
# Where the formula differs by more than 1 %, the words of the entry's note that say why.
PUBLISHED = [
    ("PCIe 1.0 x1", 0.25, "one", "", PCIE),
    ("PCIe 1.0 x16", 4, "one", "", PCIE),
    ("PCIe 2.0 x1", 0.5, "one", "", PCIE),
    ("PCIe 2.0 x16", 8, "one", "", PCIE),
    ("PCIe 3.0 x16", 15.75, "one", "", PCIE),
    ("PCIe 4.0 x1", 1.97, "one", "", PCIE),
    ("PCIe 4.0 x16", 31.5, "one", "", PCIE),
    ("PCIe 5.0 x1", 3.94, "one", "", PCIE),
    ("PCIe 5.0 x16", 63, "one", "", PCIE),
    ("PCIe 6.0 x16", 121, "one", "", PCIE),
    ("PCIe 7.0 x1", 15.13, "one", "", PCIE),
    ("NVLink 1 x4", 160, "both", "", NVLINK),
    ("NVLink 3 x12", 600, "both", "", NVLINK),
    ("NVLink 4 x18", 900, "both", "", NVLINK),
    ("NVLink 5 x18", 1800, "both", "", NVLINK),
    ("NVLink-C2C", 900, "both", "", NVLINK),
    ("Infinity Fabric 25GT/s", 50, "one", "", ROCM),
    ("Infinity Fabric 25GT/s x4", 400, "both", "", ROCM),
    ("Infinity Fabric 32GT/s x7", 896, "both", "", ROCM),
    ("Infinity Fabric 38.4GT/s", 153.6, "both", "", ROCM),
    ("xGMI 18GT/s", 72, "one", "one direction in one place and both together in another", XRYAN),
    ("UPI 2.0 16GT/s", 32, "one", "", XRYAN),
    ("HyperTransport 3.1 16-bit", 12.8, "one", "", XRYAN),
    ("CXL 2.0 x16", 64, "one", "quoted as 64 GB/s, before coding", "CXL on PCIe 5 PHY"),
    ("Thunderbolt 2", 2.5, "one", "", FRAME),
    ("Thunderbolt 3", 5, "one", "", FRAME),
    ("Thunderbolt 4", 5, "one", "40 Gb/s, before coding (38.8 after)", FRAME),
    ("Thunderbolt 5", 10, "one", "", FRAME),
    ("USB4 v2", 10, "one", "", FRAME),
    ("Thunderbolt 5 boost", 15, "one", "", FRAME),
    ("USB 3.2 Gen2x1", 1.25, "one", "10 Gb/s a lane, before coding", FRAME),
    ("PCI 32-bit 33 MHz", 0.133, "one", "", "PCI spec"),
    ("PCI-X 64-bit 133 MHz", 1.066, "one", "", "PCI-X"),
    ("SATA III", 0.6, "one", "", "SATA"),
    ("InfiniBand QDR 4x", 5, "one", "before coding: 32 of data", "IBTA"),
    ("InfiniBand FDR 4x", 7, "one", "before coding: 54.5 of data", "IBTA"),
]


@pytest.mark.parametrize(("spec", "published_gb_s", "direction", "why_not", "source"), PUBLISHED)
def test_a_published_figure_is_met_within_one_percent_or_the_note_says_why(
    spec, published_gb_s, direction, why_not, source
):
    link = peak(spec)
    figure = link.bytes_per_s if direction == "one" else link.bidirectional_bytes_per_s
    agrees = figure / 1e9 == pytest.approx(published_gb_s, rel=0.01)
    assert agrees == (not why_not), source
    assert not why_not or any(why_not in note for note in link.notes)


@pytest.mark.parametrize(
    ("spec", "bytes_per_s"),
    [
        # GB/s per link and direction of NVLink 1 to 5.
        ("NVLink 1", 20_000_000_000), ("NVLink 2", 25_000_000_000), ("NVLink 3", 25_000_000_000),
        ("NVLink 4", 25_000_000_000), ("NVLink 5", 50_000_000_000), ("NVLink-C2C", 450_000_000_000),
        ("Thunderbolt 1", 1_250_000_000), ("Thunderbolt 2", 2_500_000_000), ("Thunderbolt 3", 5_000_000_000),
        ("USB4", Fraction(40_000_000_000, 8) * Fraction(128, 132)),
        ("USB4 v2", Fraction(51_200_000_000, 8) * Fraction(11, 7)),
        ("USB 3.0", 500_000_000), ("QPI 6.4GT/s", 12_800_000_000), ("QPI 5.86GT/s", Fraction(35_200_000_000, 3)),
        ("UPI 10.4GT/s", 20_800_000_000), ("CXL 2.0 x16", 64_000_000_000 * Fraction(128, 130) * Fraction(64, 68)),
        ("100GbE", 12_500_000_000), ("InfiniBand NDR 4x", 50_000_000_000), ("InfiniBand EDR 4x", 12_500_000_000),
        ("PCI 32-bit 33MHz", Fraction(400_000_000, 3)), ("AGP 8x", Fraction(6_400_000_000, 3)),
        ("AGP 1x", Fraction(800_000_000, 3)), ("PCI-X 133", Fraction(3_200_000_000, 3)),
    ],
)  # fmt: skip
def test_the_peak_of_a_link_is_exact_until_it_becomes_a_float(spec, bytes_per_s):
    assert peak(spec).bytes_per_s == float(bytes_per_s)


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("nvlink4", "NVLink 4"), ("NVLink 4.0", "NVLink 4"), ("NVLink4 x18", "NVLink 4 x18"),
        ("NVLink 4 18 links", "NVLink 4 x18"), ("nvlink4x18", "NVLink 4 x18"), ("NVLink x2", None),
        ("NVLink C2C", "NVLink-C2C"), ("nvlink-c2c", "NVLink-C2C"),
        ("Thunderbolt 3", "Thunderbolt 3"), ("thunderbolt3", "Thunderbolt 3"), ("TB3", "Thunderbolt 3"),
        ("Thunderbolt 3 x1", "Thunderbolt 3 x1"), ("Thunderbolt 3 2 lanes", "Thunderbolt 3"),
        ("Thunderbolt-5 Boost", "Thunderbolt 5 boost"), ("USB4 v2 asymmetric", "Thunderbolt 5 boost"),
        ("USB4", "USB4"), ("USB 4", "USB4"), ("USB4 v1", "USB4"), ("USB4 40Gbps", "USB4"), ("USB4 Gen 3x2", "USB4"),
        ("USB4 v2", "USB4 v2"), ("USB4 2.0", "USB4 v2"), ("USB4 80Gbps", "USB4 v2"), ("USB4 Gen2x2", "USB4 Gen 2"),
        ("USB 3.0", "USB 3.2 Gen 1"), ("USB 3.1 Gen 2", "USB 3.2 Gen 2"), ("USB 3.2 Gen 2x2", "USB 3.2 Gen 2 x2"),
        ("usb3.2 gen2x1", "USB 3.2 Gen 2"), ("USB 3.2 Gen 1 x2", "USB 3.2 Gen 1 x2"),
        ("UPI 10.4GT/s", "UPI 10.4GT/s"), ("UPI 10.4", "UPI 10.4GT/s"), ("upi@10400MT/s x3", "UPI 10.4GT/s x3"),
        ("UPI 2.0 16 GT/s", "UPI 16GT/s"), ("QPI 5.86GT/s", "QPI 5.87GT/s"), ("xGMI 32Gbps", "Infinity Fabric 32GT/s"),
        ("AMD Infinity Fabric link 25GT/s x4", "Infinity Fabric 25GT/s x4"),
        ("HyperTransport 3.1", "HyperTransport 3.1"), ("HyperTransport 3.1 32-bit", "HyperTransport 3.1 x32"),
        ("InfiniBand NDR", "InfiniBand NDR"), ("InfiniBand NDR 4x", "InfiniBand NDR"), ("IB ndr x4", "InfiniBand NDR"),
        ("InfiniBand HDR 12x", "InfiniBand HDR x12"), ("InfiniBand FDR10 4x", "InfiniBand FDR10"),
        ("100GbE", "100GbE"), ("Ethernet 100G", "100GbE"), ("100G Ethernet", "100GbE"),
        ("100 Gigabit Ethernet", "100GbE"),
        ("Ethernet 2.5Gb/s", "2.5GbE"), ("Gigabit Ethernet", "1GbE"), ("400GbE x2", "400GbE x2"),
        ("CXL 2.0 x16", "CXL 2.0 x16"), ("cxl3x8", "CXL 3.0 x8"), ("Compute Express Link 1.1 x4", "CXL 1.1 x4"),
        ("PCI 32-bit 33MHz", "PCI 32-bit 33MHz"), ("PCI 33 MHz", "PCI 32-bit 33MHz"), ("pci 64bit/66MHz", None),
        ("PCI 64/66", "PCI 64-bit 66MHz"), ("PCI-X 133MHz", "PCI-X 133"), ("PCIX 64-bit 133 MHz", "PCI-X 133"),
        ("AGP 8x", "AGP 8x"), ("AGP8x", "AGP 8x"), ("AGP x8", "AGP 8x"),
        ("SATA III", "SATA III"), ("SATA 3", "SATA III"), ("SATA 6Gb/s", "SATA III"), ("SATA II", "SATA II"),
        ("PCIe Gen4 x16", "PCIe 4.0 x16"), ("pcie 4 x 16", "PCIe 4.0 x16"), ("PCIe 4 16 lanes", "PCIe 4.0 x16"),
        ("PCIe 4.0 16x", "PCIe 4.0 x16"),
    ],
)  # fmt: skip
def test_one_link_may_be_written_in_many_ways(spec, name):
    if name is None:
        with pytest.raises(BandwidthError):
            peak(spec)
    else:
        assert peak(spec).name == name
        assert peak(name).bytes_per_s == peak(spec).bytes_per_s


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("USB 3.2", "'USB 3.2' does not state the generation of USB; "
                    "known: USB 2.0, USB 3.2 Gen 1, USB 3.2 Gen 2, USB4 Gen 2, USB4, USB4 v2"),
        ("UPI 13GT/s", "UPI does not run at 13 GT/s; it runs at 9.6GT/s, 10.4GT/s, 11.2GT/s, 12.8GT/s, 14.4GT/s, "
                       "16GT/s, 20GT/s, 24GT/s"),
        ("QPI", "'QPI' does not state the speed; add it: 4.8GT/s 9.60 GB/s, 5.87GT/s 11.73 GB/s, "
                "6.4GT/s 12.80 GB/s, 7.2GT/s 14.40 GB/s, 8GT/s 16.00 GB/s, 9.6GT/s 19.20 GB/s"),
        ("Thunderbolt 9", "Thunderbolt has no generation 9; known: Thunderbolt 1, Thunderbolt 2, Thunderbolt 3, "
                          "Thunderbolt 4, Thunderbolt 5, Thunderbolt 5 boost"),
        ("CXL 2.0", "'CXL 2.0' does not state the number of lanes; "
                    "add them: x1 3.71 GB/s, x4 14.83 GB/s, x8 29.65 GB/s, x16 59.31 GB/s"),
        ("NVLink 1 x5", "NVLink 1 has no x5; it exists as x1, x2, x3, x4"),
        ("NVLink 4 18 lanes", "'NVLink 4 18 lanes' has no lanes; its units are links"),
        ("NVLink 4 25GT/s", "'NVLink 4 25GT/s': a link has links only; write it as NVLink 4 x16"),
        ("AGP 8x 64-bit", "'AGP 8x 64-bit': a link has one width and rate; write it as AGP 8x"),
        ("AGP 8x x2", "AGP 8x has no x2; it exists as x1"),
    ],
)  # fmt: skip
def test_a_link_that_cannot_be_read_is_refused_in_one_line(spec, message):
    with pytest.raises(BandwidthError) as caught:
        peak(spec)
    assert str(caught.value) == message


def test_options_count_the_units_of_a_link_and_nothing_else():
    assert peak("NVLink 4", channels=18).name == "NVLink 4 x18"
    assert peak("CXL 2.0", channels=8).name == "CXL 2.0 x8"
    with pytest.raises(UsageError):
        peak("NVLink 4 x18", channels=18)
    with pytest.raises(UsageError):
        peak("NVLink 4", width_bits=64)


@pytest.mark.parametrize(
    ("spec", "working"),
    [
        ("NVLink 4 x18", "100 GT/s x 2 bits x 18 links / 8 bits = 450,000.00 MB/s = 450.00 GB/s per direction"),
        ("Thunderbolt 3", "20.625 GT/s x 2 lanes x 64/66 / 8 bits = 5,000.00 MB/s = 5.00 GB/s per direction"),
        ("PCI 32-bit 33MHz",
         "33.33 MT/s x 32 bits x 1 bus / 8 bits = 133.33 MB/s = 0.13 GB/s for both directions together"),
    ],
)  # fmt: skip
def test_the_working_of_a_link_names_its_width_and_its_direction(spec, working):
    assert peak(spec).working == working


@pytest.mark.parametrize("spec", ["PCI 64-bit 66MHz", "PCI-X 266", "AGP 4x", "SATA III"])
def test_what_goes_one_way_at_a_time_has_no_figure_for_both(spec):
    assert (peak(spec).direction, peak(spec).bidirectional_bytes_per_s) == ("half", None)


def test_the_boost_takes_a_lane_from_the_other_direction():
    boost = peak("Thunderbolt 5 boost")
    assert boost.bidirectional_bytes_per_s == pytest.approx(boost.bytes_per_s * 4 / 3)
    assert boost.bidirectional_bytes_per_s == peak("Thunderbolt 5").bidirectional_bytes_per_s


@pytest.mark.parametrize(
    ("generation", "links", "both_gb_s"), [(1, 4, 160), (2, 6, 300), (3, 12, 600), (4, 18, 900), (5, 18, 1800)]
)
def test_a_bare_nvlink_is_one_link_and_says_how_many_a_gpu_has(generation, links, both_gb_s):
    one = peak(f"NVLink {generation}")
    assert one.units == 1
    assert f"has {links} links (x{links}), quoted in both directions together: {both_gb_s} GB/s" in one.notes[0]
    assert peak(f"NVLink {generation} x{links}").bidirectional_bytes_per_s == both_gb_s * 10**9


@pytest.mark.parametrize(
    ("generation", "write", "read", "most"),
    # THEORY.md, "PCIe payload", x16 with 256-byte payloads, GB/s (pcie-bench's model; Intel AN 456).
    [(3, 12.99, 13.18, 14.61), (4, 25.99, 26.37, 29.22), (5, 51.98, 52.73, 58.45)],
)
def test_the_range_after_protocol_is_that_of_the_table(generation, write, read, most):
    left = payload_range(Fraction(16 * 2**generation * 10**9, 8) * Fraction(128, 130), 256)
    figures = (left.write_bytes_per_s, left.read_bytes_per_s, left.most_bytes_per_s)
    assert [round(float(figure) / 1e9, 2) for figure in figures] == [write, read, most]
    assert (
        f"about {write:.2f} (writes) to {read:.2f} GB/s (reads), at most {most:.2f}"
        in (peak(f"PCIe {generation}.0 x16").notes[-1])
    )


@pytest.mark.parametrize("generation", [1, 2, 6, 7])
def test_the_range_is_shown_where_its_factors_hold_and_nowhere_else(generation):
    assert not any("after protocol" in note for note in peak(f"PCIe {generation}.0 x16").notes)


@given(st.integers(1, 10**12), st.integers(1, 4096))
def test_the_range_is_ordered_and_below_the_coded_rate(coded, payload_bytes):
    left = payload_range(Fraction(coded), payload_bytes)
    assert 0 < left.write_bytes_per_s < left.read_bytes_per_s < left.most_bytes_per_s < coded


def test_no_way_to_write_a_link_stands_for_two():
    keys = [(_key(name), entry.name) for entry in CATALOG.links for name in _stated_names(entry)]
    owners = dict(keys)
    assert {key: name for key, name in keys if owners[key] != name} == {}
    assert all(len(key) > 2 for key in _generations_by_name(CATALOG)[0])


@pytest.mark.parametrize("entry", CATALOG.links, ids=lambda entry: entry.name)
def test_every_entry_is_consistent_in_itself(entry):
    assert list(entry.units) == sorted(set(entry.units))
    assert entry.default_units is None or entry.default_units in entry.units
    assert all(Fraction(rate) > 0 for rate in entry.rates_mt_s)
    assert entry.unit != "bus" or entry.units == (1,)
    assert entry.payload_bytes is None or entry.coding == "128/130"


@pytest.mark.parametrize("entry", CATALOG.links, ids=lambda entry: entry.name)
def test_every_name_that_is_shown_may_be_written(entry):
    rates = (
        [f" {float(Fraction(rate)) / 1000:.4g}GT/s" for rate in entry.rates_mt_s] if len(entry.rates_mt_s) > 1 else [""]
    )
    for rate in rates:
        for units in entry.units:
            link = peak(f"{entry.name}{rate} x{units}" if entry.unit != "bus" else entry.name)
            again = peak(link.name)
            assert (again.name, again.bytes_per_s, again.units) == (link.name, link.bytes_per_s, units)


@pytest.mark.parametrize(
    "text", ["GeForce RTX 5090", "Radeon HD 5870", "PCIbus", "UPIX", "GbEx", "SDR-133", "", "NVLinked 4"]
)
def test_what_is_no_link_is_left_to_others(text):
    assert match_link(text, CATALOG) is None


def test_a_memory_is_answered_without_reading_the_links():
    program = (
        "from bandwidth.theory import peaks; from bandwidth.catalog import current_catalog; "
        "read = vars(current_catalog()); peaks('DDR4-2933 x4'); peaks('PC133'); assert 'links' not in read; "
        "peaks('USB4'); assert 'links' in read"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


NAMES = st.sampled_from([name for entry in CATALOG.links for name in _stated_names(entry)])


@given(NAMES, st.text("0123456789. xXMGTbitps/s-", max_size=20))
@example("PCIe 4.0", " " * 150)
@example("PCIe", "-1" * 90)
@settings(max_examples=500, deadline=None)  # the first look-up reads the catalog; LIMIT_S is held below
def test_any_rest_behind_a_link_is_answered_or_refused_in_bounded_time(name, rest):
    start = time.perf_counter()
    try:
        found = peak(f"{name}{rest}"[:200])
    except BandwidthError:
        found = None
    assert time.perf_counter() - start < LIMIT_S
    assert found is None or found.kind == "link"


@given(NAMES, st.data())
def test_case_spaces_and_hyphens_do_not_matter(name, data):
    other = "".join(data.draw(st.sampled_from((letter, letter.upper(), letter.lower()))) for letter in name)
    other = "".join(data.draw(st.sampled_from(" -")) if letter in " -" else letter for letter in other)
    assert match_link(other, CATALOG) == match_link(name, CATALOG)
