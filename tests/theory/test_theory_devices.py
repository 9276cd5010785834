"""Devices by name: memory first, then the link, with the maker's figure and what is to be said of it."""

import pytest

from bandwidth.catalog.device import Device
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.theory import Counts
from bandwidth.theory.device_notation import device_peaks
from bandwidth.theory.notation import notation_peak

CARD = {"name": "Card 1", "maker": "Maker", "kind": "gpu", "memory": "GDDR6 14Gbps 256-bit", "source": "a sheet"}


def peaks_of(counts=None, **fields):
    return device_peaks(Device(**{**CARD, **fields}), "card 1", counts or Counts(), notation_peak)


def test_memory_comes_first_then_the_link():
    memory, link = peaks_of(link="PCIe 3.0 x16", capacity="16GB")
    assert (memory.kind, memory.name, memory.query, memory.bytes_per_s) == ("memory", "Card 1", "card 1", 448e9)
    assert (memory.capacity_bytes, memory.source) == (16 * 10**9, "a sheet")
    assert (link.kind, link.name, link.query) == ("link", "Card 1, PCIe 3.0 x16", "card 1")
    assert link.capacity_bytes is None
    assert link.vendor_bytes_per_s is None


def test_device_without_a_link_is_its_memory_alone():
    assert len(peaks_of()) == 1


def test_makers_figure_stands_beside_the_formula():
    (memory,) = peaks_of(vendor_gb_s=448, vendor_text="448 GB/s")
    assert memory.vendor_bytes_per_s == 448e9
    assert "the maker prints 448 GB/s" in memory.notes


def test_difference_is_said_with_its_reason():
    (memory,) = peaks_of(
        vendor_gb_s=437.5, vendor_text="437.5 GB/s", category="mixed unit", note="divided by 1.024", ceiling="vendor"
    )
    assert memory.notes[1:] == (
        "the maker prints 437.5 GB/s, the formula gives 448.00 GB/s",
        "why they differ: mixed unit",
        "divided by 1.024",
        "the maker's figure is the real ceiling",
    )


def test_unverified_entry_is_marked_in_its_name():
    (memory,) = peaks_of(unverified=True)
    assert memory.name == "Card 1 (unverified)"
    assert memory.notes[-1].startswith("unverified")


def test_sockets_multiply_a_processor():
    (one,) = peaks_of(kind="cpu", memory="DDR5-4800 x12", vendor_gb_s=460.8, vendor_text="460.8 GB/s")
    (two,) = peaks_of(
        Counts(sockets=2), kind="cpu", memory="DDR5-4800 x12", vendor_gb_s=460.8, vendor_text="460.8 GB/s"
    )
    assert two.bytes_per_s == 2 * one.bytes_per_s
    assert two.vendor_bytes_per_s == 2 * one.vendor_bytes_per_s
    assert two.name == "Card 1, 2 sockets"


@pytest.mark.parametrize("counts", [Counts(channels=2), Counts(width_bits=64), Counts(sockets=2)])
def test_counts_that_do_not_fit_a_card_are_usage_errors(counts):
    with pytest.raises(UsageError):
        peaks_of(counts)


def test_entry_with_a_bad_notation_is_named():
    with pytest.raises(BandwidthError, match=r"the entry of Card 1: memory: 'GDDR6' has no rate"):
        peaks_of(memory="GDDR6")


@pytest.mark.parametrize("memory", ["Card 1", "H200", "PCIe 4.0 x16"])
def test_entry_that_names_a_device_or_a_link_as_its_memory_is_refused(memory):
    with pytest.raises(BandwidthError, match="the entry of Card 1: memory: "):
        peaks_of(memory=memory)


def test_capacity_that_is_no_size_is_named():
    with pytest.raises(BandwidthError, match="the entry of Card 1: capacity: 'lots' is not a size"):
        peaks_of(capacity="lots")
