from __future__ import annotations

import pytest

from bandwidth.catalog import current_catalog
from bandwidth.machine.modules.speed_and_width import ddr_width, lpddr_width
from bandwidth.machine.smbios import Module

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
        ("LPDDR4", [16, 16], TIGER_LAKE, "add up to 32 bit, and the processor has 128"),
        ("LPDDR4", [32, 32], TIGER_LAKE, "add up to 64"),
        ("LPDDR4", [32], ICE_LAKE, "add up to 32"),
        ("LPDDR5", [64] * 4, TIGER_LAKE, "add up to 256"),
        ("LPDDR5", [32] * 4, N100, "the processor has 64"),
        ("LPDDR4", [32, 32], "", "doubt"),  # beside an unknown processor it may be half
        ("LPDDR5", [64] * 4, "", "doubt"),
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
