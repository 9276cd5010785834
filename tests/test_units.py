"""Text to units and back: every parser and formatter, what they refuse, and that no text makes them hang or crash."""

from __future__ import annotations

import re
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth import units
from bandwidth.errors import BandwidthError

PARSERS = (
    units.parse_size_bytes,
    units.parse_duration_s,
    units.parse_clock_mhz,
    units.parse_rate_mt_s,
    units.parse_rate_bytes_per_s,
    units.parse_flops,
    units.parse_share,
    units.parse_percentage,
    units.rate_unit_factor,
)
# What each unit's text is made of, so that hypothesis reaches behind the first character.
NUMBER_LIKE = st.lists(
    st.sampled_from(
        [
            *"0123456789.eE+- ",
            "MiB",
            "GB",
            "MHz",
            "GT/s",
            "Gbps",
            "GB/s",
            "TFLOP/s",
            "%",
            "ms",
            "1e99",
            "\u0663",
            "\uff12",
            "\n",
        ]
    ),
    max_size=12,
).map("".join)
LONG_OR_HUGE = ["9" * 100_000, "1e300000000", "1e-300000000", "0." + "0" * 100_000 + "1", "1e999999999999MHz"]
OTHER_DIGITS = ["\u0662\u0669\u0663\u0663", "\uff12\uff19\uff13\uff13", "\u0968", "\u00b2", "\u2167", "1\u0663"]
NO_NUMBERS = ["", " ", "-1", "+1", "1.", ".5", "1,000", "1e", "1e100", "0x10", "inf", "nan", "1_000", "1 2"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2933", Fraction(2933)),
        (" 1466.67 ", Fraction(146667, 100)),
        ("1e3", Fraction(1000)),
        ("2.5E-2", Fraction(1, 40)),
        ("9" * 20, Fraction(10**20 - 1)),
    ],
)
def test_numbers_are_read_exactly(text, value):
    assert units.parse_clock_mhz(f"{text}MHz") == value


@pytest.mark.parametrize("text", [*NO_NUMBERS, *OTHER_DIGITS, "9" * 21])
def test_what_is_no_number_is_refused_by_one_line(text):
    with pytest.raises(BandwidthError, match=r"is not a clock; write it with its unit") as caught:
        units.parse_clock_mhz(f"{text}MHz")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("4096", 4096),
        ("1B", 1),
        ("512MiB", 512 * 2**20),
        ("512M", 512 * 2**20),
        ("512m", 512 * 2**20),
        ("1GB", 10**9),
        ("2G", 2 * 2**30),
        ("1kB", 1000),
        ("1k", 1024),
        ("1.5KiB", 1536),
        (" 64 tib ", 64 * 2**40),
        ("1PB", 10**15),
        ("1e3", 1000),
    ],
)
def test_sizes_are_read_decimal_and_binary(text, size_bytes):
    assert units.parse_size_bytes(text) == size_bytes


@pytest.mark.parametrize("text", [*NO_NUMBERS, *OTHER_DIGITS, "512 MiB of RAM", "GB", "1XB", "1GB/s", "1EB"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(BandwidthError, match=r"is not a size; write it as 512MiB, 1GB or 4096"):
        units.parse_size_bytes(text)


@pytest.mark.parametrize("text", ["0", "0GiB", "0.5", "1.0001kB", "1e-3B"])
def test_a_size_is_a_whole_positive_number_of_bytes(text):
    with pytest.raises(BandwidthError, match=r"is not a whole number of bytes above zero"):
        units.parse_size_bytes(text)


@pytest.mark.parametrize(("text", "asked"), [("70B", "70GB?"), (" 1.5e2 b", "1.5e2GB?"), ("999B", "999GB?")])
def test_bytes_that_are_hardly_meant_are_asked_about(text, asked):
    with pytest.raises(BandwidthError, match=rf"bytes; did you mean {re.escape(asked)} Write [0-9]+ for bytes"):
        units.parse_moved_bytes(text)
    assert units.parse_moved_bytes("70") == 70
    assert units.parse_moved_bytes("1000B") == units.parse_moved_bytes("1kB") == 1000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("15", 15.0), ("15s", 15.0), ("500ms", 0.5), ("20us", 2e-5), ("7 ns", 7e-9), ("2min", 120.0), ("1.5H", 5400.0)],
)
def test_durations_are_read(text, seconds):
    assert units.parse_duration_s(text) == seconds


@pytest.mark.parametrize(
    ("text", "clock_mhz"),
    [
        ("1466.67MHz", Fraction(146667, 100)),
        ("1.2 GHz", Fraction(1200)),
        ("800000kHz", Fraction(800)),
        ("1hz", Fraction(1, 10**6)),
    ],
)
def test_clocks_are_read(text, clock_mhz):
    assert units.parse_clock_mhz(text) == clock_mhz


@pytest.mark.parametrize(
    ("text", "rate_mt_s"),
    [
        ("2933MT/s", 2933),
        ("2933 mts", 2933),
        ("16GT/s", 16000),
        ("16GTs", 16000),
        ("14Gbps", 14000),
        ("14Gbit/s", 14000),
        ("800Mbps", 800),
        ("800mbit/s", 800),
    ],
)
def test_rates_of_a_pin_are_read(text, rate_mt_s):
    assert units.parse_rate_mt_s(text) == rate_mt_s


@pytest.mark.parametrize(
    ("text", "bytes_per_s"),
    [("90GB/s", 90e9), (" 1.5 TiB/s ", 1.5 * 2**40), ("12e3MB/s", 12e9), ("5kB/s", 5000.0), ("0.5B/s", 0.5)],
)
def test_rates_of_bytes_are_read(text, bytes_per_s):
    assert units.parse_rate_bytes_per_s(text) == bytes_per_s


@pytest.mark.parametrize(
    ("text", "bytes_per_s"),
    [
        ("100Gb/s", 12.5e9),
        ("100Gbit/s", 12.5e9),
        ("200 Gbps", 25e9),
        ("8kb/s", 1000.0),
        ("1b/s", 0.125),
        ("2GBps", 2e9),
    ],
)
def test_rates_of_bits_are_an_eighth(text, bytes_per_s):
    assert units.parse_rate_bytes_per_s(text) == bytes_per_s


@pytest.mark.parametrize("text", ["90gb/s", "90mib/s", "90MBPS"])
def test_a_rate_that_may_be_bits_or_bytes_is_refused(text):
    with pytest.raises(
        BandwidthError, match=r"can mean bytes or bits per second; write [GM]i?B/s for bytes or [GM]i?b/s"
    ):
        units.parse_rate_bytes_per_s(text)


@pytest.mark.parametrize("text", [*NO_NUMBERS, "90", "90GB", "90Gb", "90GB/h", "90GT/s", "1.2.3GB/s"])
def test_bare_numbers_and_sizes_are_no_rates_of_bytes(text):
    with pytest.raises(BandwidthError, match="is not a rate; write it with its unit"):
        units.parse_rate_bytes_per_s(text)


@pytest.mark.parametrize("text", ["14GBps", "800MBps", "25.6GB/s"])
def test_bytes_are_no_rate_of_a_pin(text):
    with pytest.raises(BandwidthError, match="is in bytes, not a data rate; write it with its unit: 2933MT/s or"):
        units.parse_rate_mt_s(text)


@pytest.mark.parametrize("text", ["512Mb", "16Gb", "1Gib", "64Kb"])
def test_a_size_in_bits_is_refused(text):
    with pytest.raises(BandwidthError, match=f"'{text}' means bits; write {text[:-1]}B"):
        units.parse_size_bytes(text)
    assert units.parse_size_bytes(text.lower()) == units.parse_size_bytes(f"{text[:-1]}B")


@pytest.mark.parametrize(
    ("text", "flops"),
    [("500GFLOP/s", 5e11), ("2.5 TFLOPS", 2.5e12), ("1e12", 1e12), ("3tflop", 3e12), ("1P", 1e15), ("7flops/s", 7.0)],
)
def test_a_peak_of_arithmetic(text, flops):
    assert units.parse_flops(text) == flops


@pytest.mark.parametrize("text", ["", "fast", "-1G", "5GB/s", "1e999"])
def test_what_is_no_peak_of_arithmetic(text):
    with pytest.raises(BandwidthError, match="is not an arithmetic peak; write it as 500GFLOP/s"):
        units.parse_flops(text)


@pytest.mark.parametrize(("text", "share"), [("95%", 0.95), (" 99.5 % ", 0.995), ("0.95", 0.95), ("1", 1), ("100%", 1)])
def test_shares_are_read(text, share):
    assert units.parse_share(text) == share


@pytest.mark.parametrize("text", [*NO_NUMBERS, "0", "0%", "95", "1.01", "100.1%", "5%%", "much"])
def test_a_share_is_above_zero_and_at_most_the_whole(text):
    with pytest.raises(BandwidthError, match=r"is not a share above 0 and at most 100%; write it as 95% or 0\.95"):
        units.parse_share(text)


@pytest.mark.parametrize(("text", "share"), [("50%", 0.5), ("0 %", 0), ("200%", 2)])
def test_percentages_are_read(text, share):
    assert units.parse_percentage(text) == share


@pytest.mark.parametrize("text", ["0.5", "-1%", "all%", "%"])
def test_a_percentage_has_its_sign(text):
    with pytest.raises(BandwidthError, match="is not a percentage; write it as 50%"):
        units.parse_percentage(text)


@pytest.mark.parametrize(
    ("parse", "text", "what"),
    [
        (units.parse_duration_s, "15 parsecs", "a duration; write it as 15s, 500ms or 2min"),
        (units.parse_duration_s, "-1s", "a duration; write it as 15s, 500ms or 2min"),
        (units.parse_clock_mhz, "1466.67", "a clock; write it with its unit, such as 1466.67MHz"),
        (units.parse_clock_mhz, "2933MT/s", "a clock; write it with its unit, such as 1466.67MHz"),
        (units.parse_rate_mt_s, "2933", "a data rate; write it with its unit: 2933MT/s or 14Gbps"),
    ],
)
def test_a_unit_is_needed_where_a_bare_number_could_mean_two_things(parse, text, what):
    with pytest.raises(BandwidthError) as caught:
        parse(text)
    assert str(caught.value) == f"'{text}' is not {what}"


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (units.parse_duration_s, "0s"),
        (units.parse_clock_mhz, "0.0MHz"),
        (units.parse_rate_mt_s, "0Gbps"),
        (units.parse_rate_bytes_per_s, "0GB/s"),
        (units.parse_flops, "0"),
    ],
)
def test_zero_is_refused(parse, text):
    with pytest.raises(BandwidthError, match=r"is zero; use a number above zero"):
        parse(text)


def test_a_message_stays_one_short_line_of_ascii_whatever_the_text():
    with pytest.raises(BandwidthError) as caught:
        units.parse_size_bytes("\x1b[31m\n\u0663" + "x" * 10_000)
    message = str(caught.value)
    assert message.isascii()
    assert message.isprintable()
    assert "..." in message
    assert len(message) < 200


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("text", LONG_OR_HUGE, ids=["digits", "exponent", "small exponent", "decimals", "with unit"])
def test_long_and_huge_numbers_are_refused_at_once(parse, text):
    start = time.perf_counter()
    with pytest.raises(BandwidthError):
        parse(text)
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("text", OTHER_DIGITS)
def test_digits_of_other_alphabets_are_no_digits(parse, text):
    with pytest.raises(BandwidthError):
        parse(text)


@given(st.text(max_size=80) | NUMBER_LIKE)
def test_any_text_is_a_quantity_or_a_bandwidth_error(text):
    for parse in PARSERS:
        try:
            outcome = parse(text) >= 0
        except BandwidthError as error:
            outcome = str(error).isprintable()
        assert outcome


@given(st.integers(1, 10**12), st.sampled_from(sorted(units.BYTES_PER_SIZE_UNIT)))
def test_a_written_size_is_read_back(number, unit):
    assert units.parse_size_bytes(f"{number}{unit}") == number * units.BYTES_PER_SIZE_UNIT[unit]


@given(st.integers(1, 1023), st.sampled_from(["B", "KiB", "MiB", "GiB", "TiB", "PiB"]))
def test_a_formatted_size_is_read_back(number, unit):
    size_bytes = number * units.BYTES_PER_SIZE_UNIT[unit]
    assert units.parse_size_bytes(units.format_size(size_bytes)) == size_bytes


@given(st.floats(1e-9, 999))
def test_a_formatted_duration_is_read_back_to_three_digits(seconds):
    assert units.parse_duration_s(units.format_duration(seconds)) == pytest.approx(seconds, rel=6e-3)


@given(st.fractions(min_value=1, max_value=10**6, max_denominator=100))
def test_a_formatted_decimal_is_read_back_to_its_last_place(value):
    assert units.parse_clock_mhz(units.format_decimal(value) + "MHz") == pytest.approx(value, abs=0.0051)


@pytest.mark.parametrize(
    ("unit", "name", "factor"),
    [
        ("GB/s", "GB/s", 10**9),
        ("gB/s", "GB/s", 10**9),
        ("GIB/S", "GiB/s", 2**30),
        ("MBps", "MB/s", 10**6),
        ("kB/s", "kB/s", 1000),
        ("KB/s", "kB/s", 1000),
        ("KiB/s", "KiB/s", 1024),
        ("TB/s", "TB/s", 10**12),
        ("gbyte/s", "GB/s", 10**9),
        ("B/s", "B/s", 1),
        ("Gb/s", "Gb/s", 125_000_000),
        ("Gbit/s", "Gb/s", 125_000_000),
        ("gbits/s", "Gb/s", 125_000_000),
        ("GBIT/S", "Gb/s", 125_000_000),
        ("Gbps", "Gb/s", 125_000_000),
        ("mbps", "Mb/s", 125_000),
        ("kb/s", "kb/s", 125),
        ("Tb/s", "Tb/s", 125 * 10**9),
        ("Gib/s", "Gib/s", 2**27),
        ("b/s", "b/s", 0.125),
    ],
)
def test_units_of_bandwidth_are_known_of_bytes_and_of_bits(unit, name, factor):
    assert units.canonical_rate_unit(unit) == name
    assert units.rate_unit_factor(unit) == factor
    assert units.format_rate(factor * 1234, unit) == "1,234.00"


@pytest.mark.parametrize("unit", ["gb/s", "mb/s", "tb/s", "gib/s", "GBPS", "KBPS"])
def test_a_unit_whose_case_does_not_tell_bits_from_bytes_is_refused(unit):
    with pytest.raises(
        BandwidthError, match=r"can mean bytes or bits per second; write .*B/s for bytes or .*b/s for bits"
    ):
        units.canonical_rate_unit(unit)


@pytest.mark.parametrize("unit", ["", "GB", "Gb", "GB/h", "GB/s ", "GT/s", "Xb/s"])
def test_other_units_of_bandwidth_are_refused(unit):
    with pytest.raises(
        BandwidthError, match=r"is not a unit of bandwidth; choose from GB/s, GiB/s, MB/s, MiB/s, TB/s;"
    ):
        units.canonical_rate_unit(unit)


@given(
    st.one_of(st.floats(0, 1e30), st.integers(0, 10**30), st.fractions(0, 10**15)),
    st.sampled_from(sorted(units.BITS_PER_S_PER_RATE_UNIT)),
)
def test_a_rate_is_rounded_once(bytes_per_s, unit):
    exact = Fraction(bytes_per_s) * 8 / units.BITS_PER_S_PER_RATE_UNIT[unit]
    assert units.format_rate(bytes_per_s, unit) == f"{float(exact):,.2f}"


@pytest.mark.parametrize(
    ("bytes_per_s", "unit", "text"),
    [
        (Fraction(93_866_880_000), "MB/s", "93,866.88"),
        (93866666666.66667, "GB/s", "93.87"),
        (93866666666.66667, "GiB/s", "87.42"),
        (4.915e12, "TB/s", "4.92"),
        (0, "GB/s", "0.00"),
        (4.9152e12, "GB/s", "4,915.20"),
    ],
)
def test_rates_have_two_decimals_and_thousands_set_apart(bytes_per_s, unit, text):
    assert units.format_rate(bytes_per_s, unit) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (512 * 2**20, "512 MiB"),
        (10**9, "954 MiB"),
        (2**60, "1024 PiB"),
    ],
)
def test_sizes_are_shown_in_the_largest_binary_unit(size_bytes, text):
    assert units.format_size(size_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (1.4856, "1.49 s"),
        (0.02007, "20.1 ms"),
        (3.2e-5, "32 us"),
        (5e-9, "5 ns"),
        (1e-12, "0.001 ns"),
        (12345.6, "12,346 s"),
        (0.9999, "1 s"),  # never "1e+03 ms"
        (0.00099951, "1 ms"),
        (999.6, "1,000 s"),
        (0.9994, "999 ms"),
    ],
)
def test_durations_have_three_digits_and_a_fitting_unit(seconds, text):
    assert units.format_duration(seconds) == text


@given(st.floats(min_value=1e-12, max_value=1e12))
def test_a_duration_is_never_written_with_an_exponent(seconds):
    assert "e+" not in units.format_duration(seconds)


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [(Fraction(8800, 3), 2, "2933.33"), (3200, 2, "3200"), (1200, 0, "1200"), (2.50, 2, "2.5"), (0.001, 2, "0")],
)
def test_decimals_have_no_trailing_zeros(value, places, text):
    assert units.format_decimal(value, places) == text


@pytest.mark.parametrize(("share", "text"), [(0.762, "76.2 %"), (1, "100.0 %"), (0, "0.0 %"), (1.04349, "104.3 %")])
def test_percentages_have_one_decimal(share, text):
    assert units.format_percent(share) == text


def test_size_as_an_option_loses_nothing():
    assert units.size_option(2013265920) == "1920MiB"
    assert units.size_option(4097) == "4097"


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (1, "1 B"),
        (999, "999 B"),
        (47_040_000, "47.04 MB"),
        (140 * 10**9, "140 GB"),
        (999_999_999, "1 GB"),
        (2_411_234, "2.41 MB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_sizes_are_decimal_as_rates_are(size, words):
    assert units.format_decimal_size(size) == words
