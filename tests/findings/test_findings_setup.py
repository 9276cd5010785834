"""What a machine's modules give away: said of every machine, inside the band of normal rates too."""

from __future__ import annotations

import pytest

from bandwidth.findings import examine
from bandwidth.findings.rules import examine_facts, examine_memory, in_short

GIB = 2**30
FULL = {"memory_type": "DDR5", "memory_configured_mt_s": 4800, "memory_rated_mt_s": 4800}


def texts(machine, code):
    return [(one.text, one.hint) for one in examine_facts(machine) if one.code == code]


@pytest.mark.parametrize(
    ("facts", "text", "hint"),
    [
        (
            {"memory_channels": 11, "memory_channels_possible": 12},
            "11 of 12 memory channels hold a module: 422.40 of 460.80 GB/s are possible",
            "put a module of the same kind",
        ),
        (
            {"memory_channels": 1, "memory_channels_with_slots": 2},
            "1 of 2 memory channels holds a module: 38.40 of 76.80",
            "",
        ),
        (
            {"memory_channels": 1, "memory_channels_with_slots": 1, "memory_channels_possible": 2},
            "1 of 2 memory channels holds a module",
            "the firmware lists no slots of the others",
        ),
        (
            {"memory_channels": 2, "memory_channels_possible": 4, "memory_type": "LPDDR5"},
            "2 of 4 memory channels hold a module",
            "put",
        ),
    ],
)
def test_bw050_empty_channels(facts, text, hint):
    ((found, what_to_do),) = texts(FULL | facts, "BW042")
    assert found.startswith(text)
    assert what_to_do.startswith(hint)


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"memory_channels": 2},
        {"memory_channels": 2, "memory_channels_with_slots": 2},
        {"memory_channels": 4, "memory_channels_possible": 2},
        {"memory_channels": "two", "memory_channels_possible": 8},
        {"memory_channels": True, "memory_channels_possible": 8},
    ],
)
def test_bw050_says_nothing_where_none_is_empty_or_nothing_is_known(facts):
    assert texts(FULL | facts, "BW042") == []


@pytest.mark.parametrize(
    ("configured", "rated", "expected"),
    [
        (4000, 4800, ["DDR5-4800 runs at 4000 MT/s: 83.3 % of what the modules are rated for"]),
        (4800, 4800, []),
        (6000, 4800, []),  # an overclock
        (2666, 2667, []),  # rounding
        (None, 4800, []),
        (4000, None, []),
    ],
)
def test_bw051_modules_below_their_rated_speed(configured, rated, expected):
    machine = {"memory_type": "DDR5", "memory_configured_mt_s": configured, "memory_rated_mt_s": rated}
    assert [text for text, _ in texts(machine, "BW043")] == expected


def modules(*sizes, **other):
    return [
        {"size_bytes": size * GIB, **{name: values[at] for name, values in other.items()}}
        for at, size in enumerate(sizes)
    ]


@pytest.mark.parametrize(
    ("listed", "channels", "expected"),
    [
        (modules(8, 16), 2, "the memory modules differ: 1 of 8 GiB, 1 of 16 GiB"),
        (modules(8, 8, ranks=(1, 2)), 2, "the memory modules differ: 1 of 1 rank, 1 of 2 ranks"),
        (modules(8, 8, rated_mt_s=(2400, 3200)), None, "the memory modules differ: 1 of 2400 MT/s, 1 of 3200 MT/s"),
        (modules(8, 16, 8, 16), 2, None),  # each channel has the same two
        (modules(8, 16, 16, 16), 2, "the memory modules differ: 1 of 8 GiB, 3 of 16 GiB"),
        (modules(8, 8), 2, None),
        (modules(8), 1, None),
        ([{"size_bytes": 8 * GIB}, {}], 2, None),
        ("odd", 2, None),
        (["odd", {"size_bytes": "much"}], 2, None),
    ],
)
def test_bw052_unlike_modules(listed, channels, expected):
    found = texts({"memory_modules": listed, "memory_channels": channels}, "BW044")
    assert [text for text, _ in found] == ([] if expected is None else [expected])


def test_they_are_said_of_a_record_whose_rates_are_normal(make_record, make_result):
    machine = FULL | {"memory_channels": 7, "memory_channels_possible": 8, "memory_configured_mt_s": 4400}
    codes = [one.code for one in examine(make_record(make_result(), machine=machine)).general]
    assert codes.count("BW042") == codes.count("BW043") == 1


def test_a_line_has_them_in_a_few_words():
    machine = FULL | {"memory_channels": 7, "memory_channels_possible": 8, "memory_configured_mt_s": 4400}
    assert in_short(machine) == {
        "BW042": "7 of 8 memory channels hold a module",
        "BW043": "DDR5-4800 runs at 4400 MT/s",
    }


def test_bw010_is_said_of_facts_alone():
    (finding,) = examine_memory({"bytes_per_s": None, "reason": "a reason", "hint": "do this"})
    assert (finding.code, finding.hint) == ("BW010", "do this")
    assert examine_memory({"bytes_per_s": 1.0}) == examine_memory({}) == ()
