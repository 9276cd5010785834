"""The notation: how a SPEC may be written, what is refused with which words, and that any text is answered at once."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bandwidth.catalog import current_catalog
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.theory import MAX_SPEC_LENGTH, peak, peaks

DDR4_SPEEDS = "(its speeds: 1600, 1866, 2133, 2400, 2666, 2933, 3200)"
EXAMPLES = "write it as DDR4-2933 x4, GDDR6 14Gbps 256-bit, HBM3 6.4Gbps x5 or PCIe 4.0 x16"
FRAGMENTS = (
    *(name for family in current_catalog().families for name in (family.name, *family.aliases)),
    *(name for generation in current_catalog().links for name in (generation.name, *generation.aliases)),
    *("PC", "PC4-", "PC3L-", "NVLink", "x", "X", "-", " ", "@", ",", ":", ".", "/", "0", "1", "4", "16", "2933"),
    *("23400", "65536", "65537", "1048576", "999999999", "9999999999", "6.4", "1466.67", "0.000000001", "e9"),
    *("MT/s", "GT/s", "Gbps", "GB/s", "Gb/s", "MHz", "bit", "-bit", "bits", "channels", "stack", "lanes", "gen", "v"),
    *("\u0664", "\n", "\t", "\x00", "'", "\u00e9"),
)
NOTATION_LIKE = st.lists(st.sampled_from(FRAGMENTS), max_size=9).map("".join)
LIMIT_S = 1.0


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("DDR4-2933", "DDR4-2933"), ("DDR4-2933 x4", "DDR4-2933 x4"), ("ddr4-2933x4", "DDR4-2933 x4"),
        ("DDR4 2933 X4", "DDR4-2933 x4"), ("  DDR4-2933\t x 4\n", "DDR4-2933 x4"),
        ("DDR4-2933, 4 channels", "DDR4-2933 x4"),
        ("DDR4-2933 4-channel", "DDR4-2933 x4"), ("DDR4 x4 2933MT/s", "DDR4-2933 x4"),
        ("DDR4@2933", "DDR4-2933"), ("DDR4-2933MT/s", "DDR4-2933"), ("DDR4 2.933GT/s", "DDR4-2933"),
        ("DDR4-2933 256-bit", "DDR4-2933 x4"), ("DDR4-2933.33", "DDR4-2933.33"),
        ("DDR400", "DDR-400"), ("DDR-400", "DDR-400"),
        ("ddr4@2933MT/s", "DDR4-2933"), ("LPDDR5X 8533 128-bit", "LPDDR5X-8533 128-bit"),
        ("DDR4-2933 4x", "DDR4-2933 x4"),
        ("SDR-133", "SDR-133"), ("SDRAM 100 MT/s", "SDR-100"), ("SDR 133MHz", "SDR-133"), ("SDR-66.67", "SDR-66.67"),
        ("MRDIMM-8800 x12", "MRDIMM-8800 x12"), ("DDR5 MRDIMM 8800", "MRDIMM-8800"),
        ("DDR5 MRDIMM-8800 x12", "MRDIMM-8800 x12"), ("MCRDIMM 8800 12 channels", "MRDIMM-8800 x12"),
        ("XDR 3.2Gbps 64-bit", "XDR 3.2Gbps 64-bit"), ("RDRAM-800 x2", "RDRAM-800 x2"),
        ("LPDDR5X-8533 256-bit", "LPDDR5X-8533 256-bit"), ("LPDDR1-400 32bit", "LPDDR-400 32-bit"),
        ("GDDR6 14Gbps 256-bit", "GDDR6 14Gbps 256-bit"), ("GDDR6 256 bits 14 Gbit/s", "GDDR6 14Gbps 256-bit"),
        ("GDDR6 14000MT/s 256-bit", "GDDR6 14Gbps 256-bit"), ("GDDR6 14Gb/s 256-bit", "GDDR6 14Gbps 256-bit"),
        ("HBM3e 6.4Gbps 6144-bit", "HBM3e 6.4Gbps x6"), ("hbm3E 6.4gbps x6", "HBM3e 6.4Gbps x6"),
        ("HBM3 6.4Gbps 5 stacks", "HBM3 6.4Gbps x5"), ("HBM1 1Gbps", "HBM 1Gbps"),
        ("PCIe 4.0 x16", "PCIe 4.0 x16"), ("pcie4x16", "PCIe 4.0 x16"), ("PCIe gen4 x16", "PCIe 4.0 x16"),
        ("PCI Express 4.0 16 lanes", "PCIe 4.0 x16"), ("PCI-E 3.1 x8", "PCIe 3.0 x8"), ("PCIe v5.0 x4", "PCIe 5.0 x4"),
        ("PCIe 6.x x16", "PCIe 6.0 x16"), ("PCIe 1.0a x1", "PCIe 1.0 x1"),
    ],
)  # fmt: skip
def test_one_thing_may_be_written_in_many_ways(spec, name):
    assert peak(spec).name == name


def test_options_stand_for_what_the_spec_leaves_out():
    assert peak("DDR4-2933", channels=4).bytes_per_s == peak("DDR4-2933 x4").bytes_per_s
    assert peak("GDDR6 14Gbps", width_bits=256).bytes_per_s == peak("GDDR6 14Gbps 256-bit").bytes_per_s
    assert peak("LPDDR5-6400", width_bits=16, channels=8).bytes_per_s == 102_400_000_000
    assert peak("PCIe 4.0", channels=16).name == "PCIe 4.0 x16"
    assert peak("DDR4-2933 x4", sockets=2).bytes_per_s == peak("DDR4-2933 x8").bytes_per_s
    assert peak("DDR5-4800", width_bits=32).bytes_per_s == 19_200_000_000


def test_a_spec_has_one_peak_that_keeps_the_query():
    (only,) = peaks("  ddr4-2933   x4 ")
    assert (only.query, only.name, only.kind, only.family) == ("ddr4-2933 x4", "DDR4-2933 x4", "memory", "DDR4")
    assert (only.rate_mt_s, only.width_bits, only.units, only.unit) == (2933.3333333333335, 64, 4, "channel")


def test_a_wide_bus_that_is_no_whole_number_of_units_stands_as_one():
    assert peak("DDR4-2933 40-bit").name == "DDR4-2933 40-bit"
    assert peak("HBM2 2Gbps 512-bit").bytes_per_s == 128_000_000_000


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", f"an empty SPEC; {EXAMPLES}"),
        (" \t\n", f"an empty SPEC; {EXAMPLES}"),
        ("DDR6-100", f"'DDR6-100' is not a known memory, link or device; did you mean GDDR6? {EXAMPLES}"),
        ("DRD4-2933", f"'DRD4-2933' is not a known memory, link or device; did you mean DDR4? {EXAMPLES}"),
        ("bananas", f"'bananas' is not a known memory, link or device; {EXAMPLES}"),
        ("DDR45-2933", f"'DDR45-2933' is not a known memory, link or device; did you mean DDR5? {EXAMPLES}"),
        ("HBM3f 6.4Gbps",
         f"'HBM3f 6.4Gbps' is not a known memory, link or device; did you mean HBM3? {EXAMPLES}"),
        ("DDR4", f"'DDR4' has no rate; add one, such as DDR4-3200 {DDR4_SPEEDS}"),
        ("HBM3", "'HBM3' has no rate; add one, such as HBM3 6.4Gbps"),
        ("DDR4-0", f"DDR4 does not exist at 0 MT/s; it exists at 800 MT/s to 6400 MT/s {DDR4_SPEEDS}"),
        ("DDR4-1", f"DDR4 does not exist at 1 MT/s; it exists at 800 MT/s to 6400 MT/s {DDR4_SPEEDS}"),
        ("DDR4-799", f"DDR4 does not exist at 799 MT/s; if that is the clock, write DDR4-1598 {DDR4_SPEEDS}"),
        ("DDR4-99999", f"DDR4 does not exist at 99999 MT/s; it exists at 800 MT/s to 6400 MT/s {DDR4_SPEEDS}"),
        ("DDR4-9999999999", f"'DDR4-9999999999': '9999999999' is not understood; {EXAMPLES}"),
        ("GDDR6 100Gbps 256-bit", "GDDR6 does not exist at 100000 MT/s; it exists at 5000 MT/s to 26000 MT/s"),
        ("DDR4-2933 x0", "'DDR4-2933 x0': 0 units is out of range; use 1 to 65,536"),
        ("DDR4-2933 x65537", "'DDR4-2933 x65537': 65,537 units is out of range; use 1 to 65,536"),
        ("DDR4-2933 x-4", f"'DDR4-2933 x-4': 'x-4' is not understood; {EXAMPLES}"),
        ("DDR4-2933 x4.5", f"'DDR4-2933 x4.5': 'x4.5' is not understood; {EXAMPLES}"),
        ("GDDR6 14Gbps 0-bit", "'GDDR6 14Gbps 0-bit': 0 bits wide is out of range; use 1 to 1,048,576"),
        ("GDDR6 14Gbps 9999999-bit",
         "'GDDR6 14Gbps 9999999-bit': 9,999,999 bits wide is out of range; use 1 to 1,048,576"),
        ("DDR4-2933 x4 x4", "'DDR4-2933 x4 x4' states two numbers of units; state one"),
        ("DDR4-2933-3200", "'DDR4-2933-3200' states two rates; state one"),
        ("GDDR6 14Gbps 256-bit 128-bit", "'GDDR6 14Gbps 256-bit 128-bit' states two widths; state one"),
        ("GDDR6 14Gbps 256-bit x2",
         "'GDDR6 14Gbps 256-bit x2': the bus width already counts all units; omit the other figure"),
        ("HBM3 6.4Gbps 5 lanes", "'HBM3 6.4Gbps 5 lanes' has no lanes; its units are stacks"),
        ("GDDR6 14Gbps 2 stacks", "'GDDR6 14Gbps 2 stacks' has no stacks; add its bus width, such as 128-bit"),
        ("DDR4-2933 please", f"'DDR4-2933 please': 'please' is not understood; {EXAMPLES}"),
        ("HBM3 6.4GB/s", "'HBM3 6.4GB/s': '6.4GB/s' is a bandwidth, not a data rate per pin; write Gbps"),
        ("GDDR6 14 256-bit", "'GDDR6 14 256-bit': the rate 14 has no unit; write the unit of the rate, such as 14Gbps"),
        ("HBM2 1200MHz x4", "'HBM2 1200MHz x4': a clock in MHz does not give the data rate of HBM2; "
                            "state the rate in Gbps per pin, or use --clock F --transfers N"),
        ("PCIe 9.0 x16", "PCIe has no generation 9.0; "
                         "known: PCIe 1.0, PCIe 2.0, PCIe 3.0, PCIe 4.0, PCIe 5.0, PCIe 6.0, PCIe 7.0, PCIe 8.0"),
        ("PCIe 4.0 x3", "PCIe 4.0 has no x3; it exists as x1, x2, x4, x8, x12, x16, x32"),
        ("PCIe 4.0 x16 256-bit", "'PCIe 4.0 x16 256-bit': a link has lanes only; write it as PCIe 4.0 x16"),
        ("PCIe 4.0 16GT/s", "'PCIe 4.0 16GT/s': a link has lanes only; write it as PCIe 4.0 x16"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_one_line_with_what_to_do(spec, message):
    with pytest.raises(BandwidthError) as caught:
        peak(spec)
    assert str(caught.value) == message
    assert type(caught.value) is BandwidthError
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "GDDR6 14Gbps",
            "'GDDR6 14Gbps' does not state the width of the bus; add it: 64-bit 112.00 GB/s, 96-bit 168.00 GB/s, "
            "128-bit 224.00 GB/s, 192-bit 336.00 GB/s, 256-bit 448.00 GB/s, 320-bit 560.00 GB/s, 384-bit 672.00 GB/s",
        ),
        (
            "LPDDR5-6400",
            "'LPDDR5-6400' does not state the width of the bus; add it: 16-bit 12.80 GB/s, 32-bit 25.60 GB/s, "
            "64-bit 51.20 GB/s, 128-bit 102.40 GB/s, 256-bit 204.80 GB/s",
        ),
        (
            "LPDDR6-14400 x2",
            "'LPDDR6-14400 x2' does not state the width of the bus; add it: 24-bit 38.40 GB/s, 48-bit 76.80 GB/s, "
            "96-bit 153.60 GB/s, 192-bit 307.20 GB/s",
        ),
        (
            "PCIe 4.0",
            "'PCIe 4.0' does not state the number of lanes; add them: "
            "x1 1.97 GB/s, x4 7.88 GB/s, x8 15.75 GB/s, x16 31.51 GB/s",
        ),
    ],
)
def test_a_width_that_is_not_said_is_not_guessed_and_the_readings_are_listed(spec, message):
    with pytest.raises(BandwidthError) as caught:
        peak(spec)
    assert str(caught.value) == message
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        (
            "DDR4-2933 x4",
            {"channels": 4},
            "'DDR4-2933 x4' and --channels both state the number of units; use one of the two",
        ),
        (
            "PCIe 4.0 x16",
            {"channels": 16},
            "'PCIe 4.0 x16' and --channels both state the number of units; use one of the two",
        ),
        ("PCIe 4.0 x16", {"width_bits": 64}, "'PCIe 4.0 x16' is a link; --width and --sockets apply to memories only"),
        ("PCIe 4.0 x16", {"sockets": 2}, "'PCIe 4.0 x16' is a link; --width and --sockets apply to memories only"),
        ("DDR4-2933", {"channels": 0}, "--channels 0 is out of range; use 1 to 65,536"),
        ("DDR4-2933", {"channels": -1}, "--channels -1 is out of range; use 1 to 65,536"),
        ("DDR4-2933", {"width_bits": 2_000_000}, "--width 2000000 is out of range; use 1 to 1,048,576"),
    ],
)
def test_options_that_do_not_fit_are_usage_errors(spec, options, message):
    with pytest.raises(UsageError) as caught:
        peak(spec, **options)
    assert str(caught.value) == message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("spec", "clock", "speed"),
    [
        ("DDR4 1466.67MHz", "1466.67", "DDR4-2933"),
        ("DDR4-1466.67MHz", "1466.67", "DDR4-2933"),
        ("DDR4 1467MHz", "1467", "DDR4-2933"),
        ("DDR4 1466 MHz", "1466", "DDR4-2933"),
        ("DDR4 1333MHz", "1333", "DDR4-2666"),
        ("DDR3 667MHz", "667", "DDR3-1333"),
        ("DDR5 2400MHz", "2400", "DDR5-4800"),
    ],
)
def test_a_clock_is_not_taken_for_transfers(spec, clock, speed):
    with pytest.raises(BandwidthError) as caught:
        peak(spec)
    expected = f"'{spec}': {clock} MHz is a clock; if that is the clock, write {speed} (its speeds: "
    assert str(caught.value).startswith(expected)
    assert peak(speed).bytes_per_s > 0


@pytest.mark.parametrize("spec", ["DDR4 2933MHz", "DDR4-1600 MHz", "DDR2-667MHz", "DDR3 800 mhz"])
def test_a_speed_bin_in_mhz_is_taken_as_transfers_and_said_so(spec):
    in_mhz = peak(spec)
    assert in_mhz.bytes_per_s == peak(spec.lower().replace("mhz", "")).bytes_per_s
    assert "MHz is taken as MT/s, as on module labels; the clock is half of that" in in_mhz.notes[0]


def test_the_clock_of_sdr_is_its_speed_and_nothing_is_said_of_it():
    assert peak("SDR 133MHz").notes == peak("SDR-133").notes
    assert peak("SDR 67MHz").name == "SDR-67"


def test_an_mrdimm_says_whose_speed_it_states():
    assert peak("MRDIMM-8800").notes[-1].startswith("the marketed MT/s is the host side's")


def test_an_uncommon_speed_is_computed_and_said_so():
    assert peak("DDR4-4000").bytes_per_s == 32_000_000_000
    assert peak("DDR4-4000").notes == ("4000 MT/s is not one of DDR4's standard speeds",)


@pytest.mark.parametrize(
    "spec",
    ["DDR4-\uff12\uff19\uff13\uff13", "DDR4-\u0662\u0669", "DDR4-2933 x\u00b2", "\u00a0", "DDR4\x00-2933", "\u212a"],
)
def test_other_alphabets_and_control_characters_are_refused_and_shown_escaped(spec):
    with pytest.raises(BandwidthError) as caught:
        peak(spec)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


def test_digits_of_other_alphabets_are_named_as_such():
    with pytest.raises(BandwidthError) as caught:
        peak("DDR4-\uff12")
    assert str(caught.value) == "'DDR4-\\uff12' contains characters outside ASCII; write digits and letters in ASCII"


def test_the_longest_spec_is_read_and_one_character_more_is_not():
    spec = "DDR4-2933" + " " * (MAX_SPEC_LENGTH - 11) + "x4"
    assert len(spec) == MAX_SPEC_LENGTH == 200
    assert peak(spec).name == "DDR4-2933 x4"
    with pytest.raises(BandwidthError) as caught:
        peak(spec + " ")
    assert str(caught.value) == f"a SPEC of 201 characters; at most 200 are read; {EXAMPLES}"


@pytest.mark.parametrize("length", [201, 10_000_000])
def test_a_text_that_is_too_long_is_refused_at_once_and_not_shown(length):
    start = time.perf_counter()
    with pytest.raises(BandwidthError) as caught:
        peak("9" * length)
    assert time.perf_counter() - start < LIMIT_S
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("family", current_catalog().families, ids=lambda family: family.name)
def test_every_family_answers_at_its_lowest_and_highest_rate(family):
    for rate in (family.lowest_mt_s, family.highest_mt_s, *family.speeds_mt_s):
        one_unit = peak(f"{family.name} {rate}MT/s", width_bits=family.width_bits)
        assert one_unit.family == family.name
        assert one_unit.source == family.source
    for beyond in (family.lowest_mt_s - 1, family.highest_mt_s + 1):
        with pytest.raises(BandwidthError, match=f"^{family.name} does not exist at {beyond} MT/s; "):
            peak(f"{family.name} {beyond}MT/s", width_bits=family.width_bits)


@pytest.mark.parametrize("generation", current_catalog().links, ids=lambda generation: generation.name)
def test_every_generation_answers_in_every_way_it_is_written(generation):
    most = generation.units[-1]
    rate = f" {float(Fraction(generation.rates_mt_s[0]))}MT/s" if len(generation.rates_mt_s) > 1 else ""
    for family in (generation.family, *generation.aliases):
        for written in generation.generations:
            link = peak(f"{family} {written}{rate}", channels=most)
            assert link.name.startswith(generation.name)
            assert (link.family, link.units, link.source) == (generation.family, most, generation.source)
    each = [peak(f"{generation.name}{rate}", channels=units).bytes_per_s / units for units in generation.units]
    assert max(each) == pytest.approx(min(each), rel=1e-15)


@given(st.text(max_size=220) | NOTATION_LIKE | NOTATION_LIKE.map(str.lower))
@example("DDR4-" + "9" * 195)
@example("PC4-" + "9" * 196)
@example("DDR4" + " -" * 98)
@example("GDDR6 1e300000000Gbps 256-bit")
@example("PCIe" + " " * 100 + "4" * 90)
@example("x4" * 100)
@settings(max_examples=1000)
def test_any_text_is_answered_or_refused_in_bounded_time(text):
    start = time.perf_counter()
    try:
        found = peaks(text)
        rates, lines = [each.bytes_per_s for each in found], []
    except BandwidthError as error:
        rates, lines = [], [error.message, error.hint]
    assert time.perf_counter() - start < LIMIT_S
    assert all(0 < rate < 1e18 for rate in rates)
    assert all(line and line.isascii() and line.isprintable() for line in lines)
    assert rates or lines


@given(
    st.sampled_from([family.name for family in current_catalog().families]),
    st.text("0123456789. xXMGTbitps/s-", max_size=20),
)
@example("SDR", "ib")
@settings(max_examples=500)
def test_any_rest_behind_a_family_is_answered_or_refused(family, rest):
    try:
        found = peak(f"{family} {rest}")
    except BandwidthError:
        return
    # InfiniBand names its generations SDR and DDR too.
    assert found.family == family or (found.kind == "link" and "ib" in rest)


@pytest.mark.parametrize(
    ("spec", "channels"),
    [
        ("DDR5-6000 dual channel", 2),
        ("DDR4-2933 quad channel", 4),
        ("DDR5-5600 dual-channel", 2),
        ("DDR4-3200 octa channel", 8),
        ("DDR4-3200 4ch", 4),
        ("DDR3-1066 triple channel", 3),
    ],
)
def test_channels_in_words(spec, channels):
    assert peak(spec).units == channels


def test_channels_in_words_and_in_numbers_are_two_numbers():
    with pytest.raises(BandwidthError, match="states two numbers of units"):
        peak("DDR4-3200 dual channel x4")
