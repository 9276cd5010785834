from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.cpu_list import HIGHEST_CPU, format_cpu_list, parse_cpu_list
from bandwidth.errors import BandwidthError


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("0", (0,)),
        ("0-3,8,10-11", (0, 1, 2, 3, 8, 10, 11)),
        (" 5 , 1 - 2\n", (1, 2, 5)),
        ("1-3,2-4,2", (1, 2, 3, 4)),
    ],
)
def test_lists_are_read(text, cpus):
    assert parse_cpu_list(text) == cpus


@pytest.mark.parametrize(
    "text", ["", ",", "a", "1-", "-1", "3-1", "1,,2", "0-99999999999", "65536", "1.5", "²", "9" * 40]
)
def test_garbage_is_refused(text):
    with pytest.raises(BandwidthError):
        parse_cpu_list(text)


def test_a_long_list_of_wide_ranges_does_not_hang():
    start = time.perf_counter()
    assert len(parse_cpu_list(",".join(["0-65535"] * 20_000))) == HIGHEST_CPU + 1
    assert time.perf_counter() - start < 5


@given(st.text(alphabet="0123456789,- \n\tx", max_size=60) | st.text(max_size=60))
def test_any_text_gives_cpus_or_an_error(text):
    try:
        cpus = parse_cpu_list(text)
    except BandwidthError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert list(cpus) == sorted(set(cpus))


@given(st.sets(st.integers(0, HIGHEST_CPU), min_size=1, max_size=50))
def test_format_and_parse_agree(cpus):
    assert parse_cpu_list(format_cpu_list(cpus)) == tuple(sorted(cpus))


def test_format():
    assert format_cpu_list([3, 0, 1, 8]) == "0-1,3,8"
    assert format_cpu_list([]) == ""
