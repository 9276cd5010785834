"""Devices by name: memory first, then the link, with the maker's figure and what is to be said of it."""

import pytest

from bandwidth.catalog import Catalog
from bandwidth.catalog.model import Device
from bandwidth.errors import AmbiguousName, BandwidthError, UsageError
from bandwidth.theory import Counts, peaks
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
        "reason for the difference: mixed unit",
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


def test_the_other_memories_of_a_processor_stand_in_its_notes():
    (memory,) = peaks_of(kind="cpu", memory="DDR5-5600 x2", other_memories=("DDR4-3200 x2",))
    assert memory.bytes_per_s == 89.6e9
    assert "with DDR4-3200 x2: 51.20 GB/s" in memory.notes


CARDS = """
["GeForce RTX 9999 12GB"]
maker = "NVIDIA"
kind = "gpu"
memory = "GDDR6 14Gbps 256-bit"
source = "a test"

["GeForce RTX 9999 24GB"]
maker = "NVIDIA"
kind = "gpu"
memory = "GDDR6 16Gbps 256-bit"
source = "a test"
"""


def test_a_name_of_several_products_lists_its_readings_with_figures(user_specs):
    (user_specs / "cards.toml").write_text(CARDS, "utf-8")
    with pytest.raises(AmbiguousName) as caught:
        peaks("RTX 9999")
    assert [reading.bytes_per_s for reading in caught.value.readings] == [448e9, 512e9]
    assert [device.name for device in caught.value.candidates] == ["GeForce RTX 9999 12GB", "GeForce RTX 9999 24GB"]
    assert str(caught.value) == (
        "'RTX 9999' fits several devices; choose one: "
        "GeForce RTX 9999 12GB 448.00 GB/s; GeForce RTX 9999 24GB 512.00 GB/s"
    )
    assert peaks("RTX 9999 24GB")[0].bytes_per_s == 512e9


def test_a_name_whose_readings_have_one_figure_is_answered(user_specs):
    (user_specs / "cards.toml").write_text(CARDS.replace("16Gbps", "14Gbps"), "utf-8")
    assert peaks("RTX 9999")[0].bytes_per_s == 448e9


@pytest.mark.parametrize(("cloud", "name"), [("7R13", "EPYC 7R13"), ("8575B", "8575B"), ("5600G", None)])
def test_a_cloud_s_short_name_is_no_rank_and_no_rate(cloud, name):
    if name is None:
        with pytest.raises(AmbiguousName):
            peaks(cloud)
    else:
        assert peaks(cloud)[0].name.endswith(name)


def test_so_little_of_a_name_is_listed_although_one_product_has_it(user_specs):
    (user_specs / "cards.toml").write_text(CARDS.replace(" 24GB", " SUPER"), "utf-8")
    with pytest.raises(AmbiguousName, match="alone does not name a device; choose one: GeForce RTX 9999 SUPER 512"):
        peaks("9999 SUPER")


@pytest.mark.parametrize(
    "graphics",
    [
        *("Radeon 780M", "Iris Xe", "Intel(R) Iris(R) Xe Graphics (TGL GT2)", "UHD Graphics 770", "Adreno 740"),
        *("Intel(R) UHD Graphics 630", "Arc 140V", "AMD Radeon Graphics (RADV RENOIR)", "Mali-G610 (Panfrost)"),
        *("AMD Radeon 780M (RADV PHOENIX)", "Mesa Intel(R) HD Graphics 4000 (IVB GT2)", "AMD Radeon(TM) Graphics"),
        *("Intel(R) Arc(TM) Graphics", "AMD Radeon(TM) Vega 8 Graphics"),
        "Intel Corporation Alder Lake-N [Intel Graphics] (rev a1)",
        "Intel Corporation Xeon E3-1200 v3/4th Gen Core Processor Integrated Graphics Controller (rev 06)",
        "Advanced Micro Devices, Inc. [AMD/ATI] Strix [Radeon 880M / 890M] (rev c1)",
        "Advanced Micro Devices, Inc. [AMD/ATI] Kabini [Radeon HD 8400 / R3 Series]",
        "Advanced Micro Devices, Inc. [AMD/ATI] Trinity 2 [Radeon HD 7480D]",
    ],
)
def test_graphics_without_memory_of_their_own_ask_for_the_processor(graphics):
    with pytest.raises(BandwidthError, match="uses the memory of its processor; name the processor"):
        peaks(graphics)


@pytest.mark.parametrize(
    "card", ["Intel Corporation DG1 [Iris Xe Graphics] (rev 01)", "Intel Xe MAX", "Radeon HD 7350"]
)
def test_graphics_with_memory_of_their_own_are_not_said_to_share_it(card):
    with pytest.raises(BandwidthError) as told:
        peaks(card)
    assert "shares" not in str(told.value)


@pytest.mark.parametrize(
    ("computer", "name"),
    [("Mac Studio M2 Ultra 192GB", "M2 Ultra"), ("Ryzen AI Max+ 395 128GB", "Ryzen AI Max+ 395"), ("M4 16 GB", "M4")],
)
def test_a_processor_may_stand_beside_the_capacity_of_its_computer(computer, name):
    assert peaks(computer)[0].name.removesuffix(" (unverified)") == name


def test_the_version_of_an_unknown_processor_is_no_generation_of_a_link():
    with pytest.raises(BandwidthError, match="is not a known memory, link or device"):
        peaks("Xeon E5-2690 v9")


LSPCI = "NVIDIA Corporation TU106M [GeForce RTX 2070 Mobile / Max-Q] (rev a1)"


def test_lspci_names_every_card_of_its_id():
    with pytest.raises(AmbiguousName) as told:
        peaks(LSPCI)
    assert [peak.bytes_per_s / 1e9 for peak in told.value.readings] == [448, 384]
    assert peaks(LSPCI.replace("RTX 2070", "RTX 5090"))[0].name.startswith("GeForce RTX 5090 Laptop GPU")


def test_a_list_of_several_products_is_listed_although_they_have_one_memory():
    with pytest.raises(AmbiguousName) as told:
        peaks("AMD/ATI Navi 21 [Radeon RX 6800/6800 XT / 6900 XT]")
    assert [peak.bytes_per_s for peak in told.value.readings] == [512e9] * 3
    with pytest.raises(AmbiguousName):
        peaks("AMD Instinct MI250X/MI250")


@pytest.mark.parametrize(
    "printed",
    [
        "AMD Ryzen 7 7840U w/ Radeon 780M Graphics",
        "AMD Ryzen\u2122 7 7840U w/ Radeon\u2122 780M Graphics (RADV PHOENIX)",
    ],
)
def test_a_processor_named_with_its_graphics_is_the_processor(printed):
    assert peaks(printed)[0].name.startswith("Ryzen 7 7840U")


@pytest.mark.parametrize("slice_", ["GRID A100-10C", "NVIDIA A100-SXM4-40GB MIG 1g.5gb", "MIG 1g.10gb"])
def test_a_slice_of_a_gpu_has_no_peak_of_its_own(slice_):
    with pytest.raises(BandwidthError, match="is a slice of a GPU; the slices share the memory"):
        peaks(slice_)


FAMILY = """
unit = "channel"
rate_unit = "MT/s"
lowest_mt_s = 1
highest_mt_s = 20000
source = "a test"
"""


def test_a_notation_is_read_once_by_each_catalog(user_specs):
    found = []
    for width_bits in (64, 32):
        (user_specs / "memory.toml").write_text(f"[TOYRAM]\nwidth_bits = {width_bits}{FAMILY}", "utf-8")
        catalog = Catalog()
        found.append(notation_peak("TOYRAM-1000", Counts(), catalog))
        assert notation_peak("TOYRAM-1000", Counts(), catalog) is found[-1]
    assert [peak.bytes_per_s for peak in found] == [8e9, 4e9]
