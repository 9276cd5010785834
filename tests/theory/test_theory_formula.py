"""The one formula: exact bins, the worked example, makers' published figures, and how a peak scales."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bandwidth
from bandwidth.errors import UsageError
from bandwidth.theory import Counts, exact_bin_mt_s, peak, peak_bytes_per_s, plain_peak

# A third of a mega-transfer, so that 2933 1/3 stands here as it is meant.
THIRD = Fraction(1, 3)
COUNTS = Counts(channels=4, width_bits=64)


@pytest.mark.parametrize(
    ("nominal", "exact"),
    [
        (266, 266 + 2 * THIRD), (333, 333 + THIRD), (533, 533 + THIRD), (667, 666 + 2 * THIRD), (800, 800),
        (1066, 1066 + 2 * THIRD), (1333, 1333 + THIRD), (1600, 1600), (1866, 1866 + 2 * THIRD), (2133, 2133 + THIRD),
        (2400, 2400), (2666, 2666 + 2 * THIRD), (2933, 2933 + THIRD), (3200, 3200), (3733, 3733 + THIRD),
        (4266, 4266 + 2 * THIRD), (4800, 4800), (5600, 5600), (6400, 6400), (7467, 7466 + 2 * THIRD),
        (8533, 8533 + THIRD), (8800, 8800), (10667, 10666 + 2 * THIRD),
        (Fraction("2933.33"), 2933 + THIRD), (Fraction("2666.67"), 2666 + 2 * THIRD),
        (5500, 5500), (2950, 2950), (2932, 2932), (7500, 7500),
    ],
)  # fmt: skip
def test_a_marketed_speed_stands_for_its_exact_bin(nominal, exact):
    assert exact_bin_mt_s(Fraction(nominal)) == exact


@given(st.integers(1, 20_000))
def test_an_exact_bin_is_a_multiple_of_a_third_of_a_hundred_or_the_number_itself(nominal):
    exact = exact_bin_mt_s(Fraction(nominal))
    assert abs(exact - nominal) < 1
    assert exact == nominal or (exact * 3 / 100).denominator == 1


def test_the_worked_example_of_the_tutorial():
    """(1466.67 MHz x 2) x 8 bytes x 4 channels = 93,866.88 MB/s (a tutorial's, after Intel's "What is a GPU")."""
    example = plain_peak(clock_mhz=Fraction("1466.67"), transfers=2, counts=COUNTS)
    assert example.bytes_per_s == 93_866_880_000
    assert example.working == "(1466.67 MHz x 2) x 8 bytes x 4 channels = 93,866.88 MB/s = 93.87 GB/s"
    # The exact bin and the nominal speed of the same memory.
    assert peak("DDR4-2933 x4").bytes_per_s == 93866666666.66667
    assert plain_peak(rate_mt_s=Fraction(2933), counts=COUNTS).bytes_per_s == 93_856_000_000


def test_the_example_of_the_package_holds():
    assert bandwidth.peak("DDR4-2933 x4").bytes_per_s == 93866666666.66667


def test_the_formula_is_exact_to_the_end():
    assert peak_bytes_per_s(Fraction(8800, 3), 64, 4) == Fraction(281_600_000_000, 3)
    assert peak_bytes_per_s(Fraction(14400), 24, 1, Fraction(8, 9)) == 38_400_000_000


# GB/s as the makers print them; some round as they like (68 for 68.27), which 1 % allows and a wrong width does not.
PUBLISHED = [
    # Intel ARK, by felixsteinke/cpu-spec-dataset (2023-07)
    ("DDR4-2933 x4", 94.0, "Core i9-10900X"),
    ("DDR3-1066 x3", 25.6, "Core i7-920"),
    ("DDR3-1333 x3", 32.0, "Xeon X5690"),
    ("DDR3-1600 x4", 51.2, "Core i7-3960X"),
    ("DDR3-1866 x4", 59.7, "Core i7-4960X"),
    ("DDR4-2133 x4", 68.0, "Xeon E5-2699 v3"),
    ("DDR4-2133 x2", 34.1, "Core i7-6700K"),
    ("DDR4-2666 x4", 85.3, "Xeon W-2195"),
    ("DDR5-4800 x2", 76.8, "Core i9-12900KS"),
    ("GDDR5 5.5Gbps 512-bit", 352.0, "Xeon Phi 7120P"),
    ("LPDDR3-1066 128-bit", 17.1, "Atom Z3740"),
    ("LPDDR2-1066 64-bit", 8.5, "Atom Z2520"),
    ("LPDDR4-2400 128-bit", 38.4, "Atom x7-E3950"),
    ("LPDDR4X-3733 128-bit", 59.7, "Atom x6425E"),
    # AMD's specification export and its product pages
    ("DDR4-2400 x8", 153.6, "EPYC 7251"),
    ("DDR4-2666 x8", 170.6, "EPYC 7601"),
    ("DDR4-3200 x8", 204.8, "EPYC 7773X"),
    ("DDR5-6000 x12", 576.0, "EPYC 9755"),
    ("DDR5-6400 x12", 614.0, "EPYC 9555"),
    ("LPDDR5X-8000 256-bit", 256.0, "Ryzen AI Max+ 395"),
    ("HBM2 1.89Gbps 2048-bit", 483.8, "Radeon RX Vega 64"),
    ("GDDR6 20Gbps 256-bit", 640.0, "Radeon RX 9070 XT"),
    ("HBM3 5.2Gbps x8", 5300.0, "Instinct MI300X"),
    # NVIDIA's specification pages and data sheets
    ("GDDR3 1.8Gbps 384-bit", 86.4, "GeForce 8800 GTX"),
    ("GDDR3 2.484Gbps 512-bit", 159.0, "GeForce GTX 285"),
    ("GDDR5 3.696Gbps 384-bit", 177.4, "GeForce GTX 480"),
    ("GDDR5X 10Gbps 256-bit", 320.0, "GeForce GTX 1080"),
    ("GDDR6 14Gbps 256-bit", 448.0, "Quadro RTX 5000"),
    ("GDDR6X 19.5Gbps 384-bit", 936.2, "GeForce RTX 3090"),
    ("GDDR6X 21Gbps 384-bit", 1008.0, "GeForce RTX 4090"),
    ("GDDR7 28Gbps 512-bit", 1792.0, "RTX PRO 6000 Blackwell"),
    ("HBM2 1.752Gbps 4096-bit", 900.0, "Tesla V100 SXM2"),
    ("HBM2 2.43Gbps 5120-bit", 1555.0, "A100 40GB"),
    ("HBM2e 3.186Gbps x5", 2039.0, "A100 SXM 80GB"),
    ("HBM3 5.238Gbps 5120-bit", 3350.0, "H100 SXM5 80GB"),
    ("HBM3e 6.402Gbps 6144-bit", 4900.0, "GH200 144GB"),
    ("MRDIMM-8800 x12", 845.0, "Xeon 6980P"),
    ("XDR 3.2Gbps 64-bit", 25.6, "PlayStation 3"),
    # Intel's, Apple's, Google's and Sony's product pages
    ("HBM2e 3.2Gbps 8192-bit", 3276.8, "Data Center GPU Max 1550"),
    ("HBM2e 3.2Gbps x6", 2450.0, "Gaudi 2"),
    ("LPDDR5X-8533 512-bit", 546.0, "Apple M4 Max"),
    ("LPDDR5-6400 1024-bit", 819.0, "Apple M3 Ultra"),
    ("HBM2e 3.6Gbps x6", 2765.0, "Google TPU v5p"),
    ("GDDR5 5.5Gbps 256-bit", 176.0, "PlayStation 4"),
    # JEDEC, by i2c-tools decode-dimms and vendors' pages
    ("SDR-66", 0.533, "PC66"),
    ("SDR-133", 1.066, "PC133"),
    ("DDR-400", 3.2, "PC-3200"),
    ("DDR3-800", 6.4, "PC3-6400"),
    ("HBM 1Gbps", 128.0, "one stack"),
    ("HBM3 6.4Gbps", 819.0, "one stack"),
    ("LPDDR6-14400 24-bit", 38.4, "one channel, JESD209-6"),
    # PCI-SIG's figures a direction
    ("PCIe 1.0 x16", 4.0, "PCIe"),
    ("PCIe 2.0 x16", 8.0, "PCIe"),
    ("PCIe 3.0 x16", 15.75, "PCIe"),
    ("PCIe 4.0 x16", 31.5, "PCIe"),
    ("PCIe 5.0 x16", 63.0, "PCIe"),
    ("PCIe 6.0 x16", 121.0, "PCIe"),
    ("PCIe 7.0 x1", 15.13, "PCIe"),
]


@pytest.mark.parametrize(("spec", "published_gb_s", "part"), PUBLISHED)
def test_published_figures_are_met_within_one_percent(spec, published_gb_s, part):
    assert peak(spec).bytes_per_s / 1e9 == pytest.approx(published_gb_s, rel=0.01)


@pytest.mark.parametrize(
    ("spec", "bytes_per_s"),
    [
        ("SDR-66", Fraction(1_600_000_000, 3)),
        ("SDR-133", Fraction(3_200_000_000, 3)),
        ("DDR-400", Fraction(3_200_000_000)),
        ("DDR2-667", Fraction(16_000_000_000, 3)),
        ("DDR3-1866 x4", Fraction(179_200_000_000, 3)),
        ("DDR4-2666 x8", Fraction(512_000_000_000, 3)),
        ("DDR4-2933", Fraction(70_400_000_000, 3)),
        ("DDR5-4800 x12", Fraction(460_800_000_000)),
        ("LPDDR5X-8533 64-bit", Fraction(204_800_000_000, 3)),
        ("LPDDR6-14400 24-bit", Fraction(38_400_000_000)),
        ("GDDR3 2.484Gbps 512-bit", Fraction(158_976_000_000)),
        ("GDDR6 14Gbps 256-bit", Fraction(448_000_000_000)),
        ("HBM3e 6.4Gbps 6144-bit", Fraction(4_915_200_000_000)),
        ("HBM4 8Gbps", Fraction(2_048_000_000_000)),
        ("PCIe 1.0 x1", Fraction(250_000_000)),
        ("PCIe 3.0 x16", Fraction(16_000_000_000 * 128, 130)),
        ("PCIe 5.0 x16", Fraction(64_000_000_000 * 128, 130)),
        ("PCIe 6.0 x16", Fraction(121_000_000_000)),
        ("PCIe 7.0 x16", Fraction(242_000_000_000)),
    ],
)
def test_peaks_are_exact_until_they_become_a_float(spec, bytes_per_s):
    assert peak(spec).bytes_per_s == float(bytes_per_s)


def test_a_link_states_one_direction_and_both():
    link = peak("PCIe 4.0 x16")
    assert (link.kind, link.direction, link.coding, link.units, link.unit) == ("link", "each", "128/130", 16, "lane")
    assert link.bidirectional_bytes_per_s == 2 * link.bytes_per_s
    assert link.working == "16 GT/s x 16 lanes x 128/130 / 8 bits = 31,507.69 MB/s = 31.51 GB/s per direction"
    assert link.notes == (
        "x16 is also quoted as 64 GB/s: both directions, before coding",
        "after protocol, with 256-byte payloads: about 25.99 (writes) to 26.37 GB/s (reads), at most 29.22; "
        "an expectation, not a ceiling (pcie-bench's model and Intel AN 456)",
    )
    assert peak("DDR4-2933").bidirectional_bytes_per_s is None
    assert peak("DDR4-2933").direction is None


@pytest.mark.parametrize(
    ("spec", "options", "working"),
    [
        ("DDR4-2933 x4", {}, "(1466.67 MHz x 2) x 8 bytes x 4 channels = 93,866.67 MB/s = 93.87 GB/s"),
        ("DDR4-3200", {}, "(1600 MHz x 2) x 8 bytes = 25,600.00 MB/s = 25.60 GB/s"),
        (
            "DDR4-3200 x8",
            {"sockets": 2},
            "(1600 MHz x 2) x 8 bytes x 8 channels x 2 sockets = 409,600.00 MB/s = 409.60 GB/s",
        ),
        ("GDDR6 14Gbps 256-bit", {}, "14 Gbps x 256 bits / 8 = 448,000.00 MB/s = 448.00 GB/s"),
        ("HBM3 6.4Gbps x5", {}, "6.4 Gbps x 1024 bits / 8 x 5 stacks = 4,096,000.00 MB/s = 4,096.00 GB/s"),
        ("LPDDR5-6400 64-bit", {}, "6400 MT/s x 8 bytes = 51,200.00 MB/s = 51.20 GB/s"),
        ("LPDDR6-14400 24-bit", {}, "14400 MT/s x 3 bytes x 8/9 = 38,400.00 MB/s = 38.40 GB/s"),
        ("PCIe 1.0 x1", {}, "2.5 GT/s x 1 lane x 8/10 / 8 bits = 250.00 MB/s = 0.25 GB/s per direction"),
    ],
)
def test_the_working_is_written_out(spec, options, working):
    assert peak(spec, **options).working == working


def test_the_difference_between_the_exact_and_the_nominal_speed_is_said():
    assert peak("DDR4-2933 x4").notes == ("with the nominal 2933 MT/s it is 93,856.00 MB/s",)
    assert peak("DDR4-3200 x4").notes == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"clock_mhz": Fraction(1), "rate_mt_s": Fraction(1)},
            "the formula needs a clock or a rate, not both; use --clock F --transfers N, or --rate R",
        ),
        ({}, "the formula needs a clock or a rate, not both; use --clock F --transfers N, or --rate R"),
        (
            {"clock_mhz": Fraction(1)},
            "--clock needs --transfers N; use 2 for DDR: a clock alone does not give the transfers per cycle",
        ),
        (
            {"rate_mt_s": Fraction(1), "transfers": 2},
            "--transfers needs --clock; --rate already counts the transfers",
        ),
        ({"clock_mhz": Fraction(1), "transfers": 0}, "--transfers 0 is out of range; use 1 to 64"),
        ({"clock_mhz": Fraction(1), "transfers": -2}, "--transfers -2 is out of range; use 1 to 64"),
        ({"clock_mhz": Fraction(1), "transfers": 65}, "--transfers 65 is out of range; use 1 to 64"),
        (
            {"rate_mt_s": Fraction(1_000_001)},
            "1000001 MT/s is too high for a pin; use at most 1,000,000 MT/s (1 Tb/s per pin)",
        ),
        (
            {"rate_mt_s": Fraction(1), "counts": Counts()},
            "the formula needs a width; add --width BITS, the data bits of one channel (64 for a DIMM)",
        ),
    ],
)
def test_the_plain_formula_says_what_it_lacks(arguments, message):
    with pytest.raises(UsageError) as caught:
        plain_peak(**{"counts": COUNTS} | arguments)
    assert str(caught.value) == message


@pytest.mark.parametrize("number", [0, -1, -(10**30), 10**7, 10**300])
@pytest.mark.parametrize(
    ("option", "most"), [("channels", "65,536"), ("width_bits", "1,048,576"), ("sockets", "65,536")]
)
def test_zero_negative_and_absurd_counts_are_usage_errors(option, most, number):
    with pytest.raises(UsageError, match=rf"^--[a-z]+ {number} is out of range; use 1 to {most}$"):
        Counts(**{option: number})


@given(st.sampled_from(["DDR4-2933", "DDR5-4800", "HBM3 6.4Gbps", "DDR2-667"]), st.integers(1, 64), st.integers(1, 16))
def test_a_peak_is_linear_in_channels_and_sockets(spec, channels, sockets):
    one = peak(spec).bytes_per_s
    assert math.isclose(
        peak(spec, channels=channels, sockets=sockets).bytes_per_s, one * channels * sockets, rel_tol=1e-15
    )
    assert peak(f"{spec} x{channels}").bytes_per_s == peak(spec, channels=channels).bytes_per_s
    assert peak(spec, channels=channels, sockets=sockets).units == channels * sockets


@given(st.integers(1, 512), st.integers(1, 1000), st.integers(1, 1000))
def test_the_formula_is_linear_in_width_and_grows_with_the_rate(width_bits, rate, faster_by):
    counts = Counts(width_bits=width_bits)
    slow = plain_peak(rate_mt_s=Fraction(rate), counts=counts).bytes_per_s
    assert slow == rate * 1e6 * width_bits / 8
    assert plain_peak(rate_mt_s=Fraction(rate + faster_by), counts=counts).bytes_per_s > slow


@given(st.integers(1, 10**15))
def test_the_time_to_move_and_the_ratio_are_plain_divisions(size_bytes):
    memory = peak("DDR4-3200 x2")
    assert memory.seconds_to_move(size_bytes) == size_bytes / 51_200_000_000
    assert memory.ratio_to(peak("DDR4-3200")) == 2
    assert memory.ratio_to(memory) == 1
