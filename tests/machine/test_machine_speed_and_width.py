from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.catalog import current_catalog
from bandwidth.machine.modules.speed_and_width import configured_speed, ddr_width, lpddr_width, rated_speed
from bandwidth.machine.smbios import Module

JAGUAR = "AMD A6-5200 APU with Radeon(TM) HD Graphics"  # DDR3 up to 1600
BOBCAT = "AMD E-300 APU with Radeon(tm) HD Graphics"  # up to 1066
XEON_E5 = "Intel(R) Xeon(R) CPU E5-2620 0 @ 2.00GHz"  # runs DDR3-800 with three modules a channel


def speed(kind, configured, rated, cpu=""):
    modules = [Module(type=kind, rated_mt_s=one, configured_mt_s=configured) for one in rated]
    return configured_speed(modules, current_catalog().processor_family(cpu))


@pytest.mark.parametrize(
    ("kind", "configured", "rated", "cpu", "expected"),
    [
        ("DDR4", 933, [933], "", 1866),
        ("DDR4", 1200, [2666], "", 2400),
        ("DDR4", 1067, [1067, 1200], "", 2133),
        ("DDR3", 533, [800], BOBCAT, 1066),
        ("DDR3", 667, [1600, 1333], JAGUAR, 1333),
        ("DDR3", 800, [800], JAGUAR, 1600),
        ("DDR3", 800, [1866, 1600], JAGUAR, 1600),
        ("DDR3", 800, [1600], "", 1600),
        ("DDR4", 1600, [3200], "", 3200),
        ("DDR5", 2400, [4800], "", 4800),
        ("DDR5", 2800, [5600], "", 5600),
        ("DDR3", 3200, [1600], "", 1600),
        ("DDR2", 333, [333], "", 667),
        ("DDR4", 1400, [2800], "", 2800),  # overclocked: no bin, yet the rated speed
    ],
)
def test_a_clock_or_a_doubled_rate_becomes_the_rate_and_says_so(kind, configured, rated, cpu, expected):
    found = speed(kind, configured, rated, cpu)
    assert found.mt_s == expected, found.doubt
    assert str(configured) in found.note


@pytest.mark.parametrize(
    ("kind", "configured", "rated", "cpu"),
    [
        ("DDR4", 2133, [4266], ""),  # XMP off: half the rate, and real
        ("DDR5", 3600, [4800], ""),
        ("DDR3", 1066, [1600], "Intel(R) Core(TM) i5-6500 CPU @ 3.20GHz"),
        ("DDR3", 800, [1066], XEON_E5),
        ("DDR3", 800, [800], "Intel(R) Atom(TM) CPU N550   @ 1.50GHz"),
        ("DDR4", 5333, [3200], ""),
        ("LPDDR4", 800, [4266], ""),
    ],
)
def test_a_speed_that_is_sold_is_taken_as_it_stands(kind, configured, rated, cpu):
    found = speed(kind, configured, rated, cpu)
    assert (found.mt_s, found.note, found.doubt) == (configured, "", "")


@pytest.mark.parametrize(
    ("kind", "configured", "rated", "cpu", "doubt"),
    [
        ("DDR4", 700, [None], "", "not a standard speed"),
        ("DDR4", 1333, [2133], "", "above the rated 2133"),
        ("DDR3", 800, [800], BOBCAT, "above the processor's"),
        ("DDR3", 800, [1600], XEON_E5, "can be"),
        ("DDR3", 800, [800], "", "can be"),
        ("DDR3", 3200, [None], "", "no rated speed"),
    ],
)
def test_what_can_be_read_in_two_ways_is_a_doubt(kind, configured, rated, cpu, doubt):
    found = speed(kind, configured, rated, cpu)
    assert found.mt_s is None
    assert doubt in found.doubt


def test_a_rated_clock_is_taken_twice_and_may_exceed_the_processor():
    modules = [Module(type="DDR3", rated_mt_s=800)] * 2
    assert rated_speed(modules, current_catalog().processor_family(BOBCAT)).mt_s == 1600
    assert rated_speed(modules, None).mt_s == 800
    assert rated_speed([Module(type="DDR4", rated_mt_s=1200)], None).mt_s == 2400
    assert rated_speed([*modules, Module(type="DDR3", rated_mt_s=1333)], None).mt_s is None


@given(
    st.sampled_from(["DDR", "DDR2", "DDR3", "DDR4", "DDR5", "LPDDR5", "HBM2", None]),
    st.integers(100, 40_000),
    st.lists(st.none() | st.integers(100, 40_000), min_size=1, max_size=3),
    st.sampled_from([JAGUAR, BOBCAT, XEON_E5, ""]),
)
def test_a_speed_is_the_stated_one_twice_it_the_rated_one_or_a_doubt(kind, configured, rated, cpu):
    found = speed(kind, configured, rated, cpu)
    if found.mt_s is None:
        assert found.doubt
    else:
        candidates = [configured, 2 * configured, *[one for one in rated if one], *[2 * one for one in rated if one]]
        assert any(abs(found.mt_s - candidate) <= 2 for candidate in candidates)
        assert found.mt_s == configured or found.note


ICE_LAKE = "Intel(R) Core(TM) i7-1065G7 CPU @ 1.30GHz"
TIGER_LAKE = "11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz"
N100 = "Intel(R) N100"


def width(kind, widths, cpu="", form_factor="Row Of Chips"):
    modules = [Module(type=kind, data_width_bits=bits, form_factor=form_factor, populated=True) for bits in widths]
    return lpddr_width(modules, current_catalog().processor_family(cpu), 1)


@pytest.mark.parametrize(
    ("kind", "widths", "cpu", "bits"),
    [
        ("LPDDR4", [16] * 8, TIGER_LAKE, 128),
        ("LPDDR4", [32, 32], ICE_LAKE, 128),  # stated half as wide as they are
        ("LPDDR4", [32, 32], "AMD Ryzen 7 5800U with Radeon Graphics", 128),
        ("LPDDR3", [64, 64], "Intel(R) Core(TM) i7-8565U CPU @ 1.80GHz", 128),
        ("LPDDR5", [16] * 4, N100, 64),
        ("LPDDR5", [32, 32], "AMD Ryzen 5 7520U with Radeon Graphics", 64),
        ("LPDDR5", [32] * 8, "AMD RYZEN AI MAX+ 395 w/ Radeon 8060S", 256),
        ("LPDDR5", [16] * 8, "", 128),
    ],
)
def test_the_widths_add_up_to_the_processors(kind, widths, cpu, bits):
    assert width(kind, widths, cpu).bits == bits


@pytest.mark.parametrize(
    ("kind", "widths", "cpu", "doubt"),
    [
        ("LPDDR4", [16, 16], TIGER_LAKE, "add up to 32 bit, but the processor has 128"),
        ("LPDDR4", [32, 32], TIGER_LAKE, "add up to 64"),
        ("LPDDR4", [32], ICE_LAKE, "add up to 32"),
        ("LPDDR5", [64] * 4, TIGER_LAKE, "add up to 256"),
        ("LPDDR5", [32] * 4, N100, "the processor has 64"),
        ("LPDDR4", [32, 32], "", "unreliable"),  # beside an unknown processor it may be half
        ("LPDDR5", [64] * 4, "", "unreliable"),
        ("LPDDR5", [None, 32], TIGER_LAKE, "does not state the width"),
    ],
)
def test_widths_that_do_not_are_a_doubt(kind, widths, cpu, doubt):
    found = width(kind, widths, cpu)
    assert found.bits is None
    assert doubt in found.doubt


def test_what_was_taken_is_said():
    assert "half" in width("LPDDR4", [32, 32], ICE_LAKE).note
    assert width("LPDDR5", [64], form_factor="CAMM").bits == 128
    assert "CAMM" in width("LPDDR5", [64], form_factor="CAMM").note


def test_ddr_counts_channels_of_64_bits_with_and_without_ecc():
    assert ddr_width([Module(data_width_bits=72), Module(data_width_bits=64), Module()], 2).bits == 128
    odd = ddr_width([Module(data_width_bits=16)], 1)
    assert odd.bits is None
    assert "16 bit" in odd.doubt
