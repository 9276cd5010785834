"""A name is the same however people, the kernel, lspci and drivers print it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.catalog.names import bare_name, chunks_beside, products_of, read_name


@pytest.mark.parametrize(
    ("printed", "product"),
    [
        ("11th Gen Intel(R) Core(TM) i5-1135G7 @ 2.40GHz", "Intel Core i5-1135G7"),
        ("Intel(R) Xeon(R) CPU E5-2620 v4 @ 2.10GHz", "Intel Xeon E5-2620 v4"),
        ("Intel(R) Xeon(R) CPU E5-2407 0 @ 2.20GHz", "Intel Xeon E5-2407"),
        ("Intel(R) Core(TM) i7 CPU         920  @ 2.67GHz", "Intel Core i7-920"),
        ("Intel(R) Core(TM) i7 CPU       M 620  @ 2.67GHz", "Intel Core i7-620M"),
        ("Intel(R) Core(TM) i7 CPU       Q 820  @ 1.73GHz", "Intel Core i7-820QM"),
        ("Intel(R) Core(TM) i7 CPU       X 980  @ 3.33GHz", "Intel Core i7-980X"),
        ("Intel® Core™ i9-10980XE Extreme Edition Processor", "Intel Core i9-10980XE"),
        ("Intel Core i9-10900X X-series Processor", "Intel Core i9-10900X"),
        ("AMD Ryzen 7 7840HS w/ Radeon 780M Graphics", "AMD Ryzen 7 7840HS"),
        ("AMD Ryzen 7 7840U w/ Radeon 780M Graphics (RADV PHOENIX)", "AMD Ryzen 7 7840U"),
        ("AMD Ryzen 5 2500U with Radeon Vega Mobile Gfx", "AMD Ryzen 5 2500U"),
        ("AMD E1-1200 APU with Radeon(tm) HD Graphics", "AMD E1-1200"),
        ("AMD A9-9425 RADEON R5, 5 COMPUTE CORES 2C+3G", "AMD A9-9425"),
        ("AMD FX(tm)-8350 Eight-Core Processor", "AMD FX-8350"),
        ("Six-Core AMD Opteron(tm) Processor 2431", "AMD Opteron 2431"),
        ("7th Gen AMD PRO A8-9600B APU", "AMD PRO A8-9600B"),
        ("AMD EPYC 9755 (Turin)", "AMD EPYC 9755"),
        ("Genuine Intel(R) CPU 0000 @ 2.20GHz", "Intel"),
        ("Intel Core i5+8400", "Intel Core i5-8400"),
        ("NVIDIA GeForce RTX 4060 Laptop GPU", "GeForce RTX 4060 Mobile"),
        ("Quadro RTX 5000 with Max-Q Design", "Quadro RTX 5000 Max-Q"),
        ("NVIDIA GeForce RTX 3080 Lite Hash Rate", "GeForce RTX 3080"),
        ("NVIDIA GeForce GTX 980/PCIe/SSE2", "GeForce GTX 980"),
        ("GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-1c2d)", "H100 80 GB HBM3"),
        (
            "01:00.0 VGA compatible controller: NVIDIA Corporation AD102 [GeForce RTX 4090] (rev a1)",
            "GeForce RTX 4090",
        ),
        ("NVIDIA Corporation GA100 [A100 SXM4 40GB] [10de:20b0] (rev a1)", "A100-SXM4-40GB"),
        ("Advanced Micro Devices, Inc. [AMD/ATI] Navi 21 [Radeon RX 6950 XT] (rev c0)", "Radeon RX 6950 XT"),
        ("AMD Radeon RX 7900 XTX (radeonsi, navi31, LLVM 17.0.6, DRM 3.57, 6.8.0)", "Radeon RX 7900 XTX"),
        ("AMD Radeon RX 6800 XT (RADV NAVI21)", "Radeon RX 6800 XT"),
        ("Mesa Intel(R) Arc(tm) A380 Graphics (DG2)", "Arc A380"),
        ("GeForce 8800 GTX (G80)", "GeForce 8800 GTX"),
        ("AMD Instinct MI300X VF", "Instinct MI300X"),
        ("AMD Instinct MI250X OAM", "Instinct MI250X"),
        ("Jetson AGX Orin Developer Kit", "Jetson AGX Orin"),
        ("MacBook Pro M3 Pro", "Apple M3 Pro"),
    ],
)
def test_a_printed_name_is_its_product_s(printed, product):
    assert read_name(bare_name(printed)).key == read_name(product).key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *[("Xeon E5-2650", "Xeon E5-2650 v2"), ("Xeon Platinum 8480+", "Xeon Platinum 8480")],
        *[("GeForce 9800 GTX+", "GeForce 9800 GTX"), ("Ryzen AI Max+ 395", "Ryzen AI Max 395")],
        *[("Xbox Series X (10 GB)", "Xbox Series X 10"), ("Radeon RX 580 2048SP", "Radeon RX 580")],
        *[("M4 Max (32-core GPU)", "M4 Max (40-core GPU)"), ("Radeon HD 7970 GHz Edition", "Radeon HD 7970")],
        *[("M.2", "M2"), ("Core i7-8809G", "Core i7-8809"), ("GeForce RTX 4060 (Laptop)", "GeForce RTX 4060")],
    ],
)
def test_what_tells_products_apart_is_kept(one, other):
    assert read_name(bare_name(one)).key != read_name(bare_name(other)).key


@pytest.mark.parametrize(
    ("asked", "has", "beside"),
    [
        ("RTX 5090", "GeForce RTX 5090", ("geforce",)),
        ("rtx5090", "GeForce RTX 5090", ("geforce",)),
        ("mi 300 x", "Instinct MI300X", ("instinct",)),
        ("4070 SUPER Ti", "4070 Ti SUPER", ()),
        ("RTX 3080 10GB", "RTX 3080", None),
        *[("X2", "Radeon R9 295X2", None), ("P12", "Tesla P100 PCIe 12GB", None), ("GTX1", "GTX 460 1GB", None)],
        *[("U7", "Ryzen 7 3700U", None), ("R280", "Radeon R9 280", None), ("Q30", "Altra Q80-30", None)],
        *[("5000M", "Quadro M5000", None), ("X10", "Xbox Series X (10 GB)", None), ("M4 M4", "M4", None)],
    ],
)
def test_letters_and_digits_stand_together_in_both(asked, has, beside):
    assert chunks_beside(read_name(asked), read_name(has)) == beside


def test_a_capacity_may_stand_beside_a_name():
    assert chunks_beside(read_name("RTX 3080 10 GiB"), read_name("RTX 3080"), frozenset({"10gb"})) == ()
    assert chunks_beside(read_name("RTX 3080 10"), read_name("RTX 3080"), frozenset({"10gb"})) is None


@pytest.mark.parametrize(
    ("listed", "products"),
    [
        ("radeon rx 470/480/580x", ["radeon rx 470", "radeon rx 480", "radeon rx 580x"]),
        ("radeon rx 7900 xt / 7900 xtx", ["radeon rx 7900 xt", "radeon rx 7900 xtx"]),
        ("nvidia geforce rtx 2070 super mobile / max-q", [None, "nvidia geforce rtx 2070 super max-q"]),
        ("amd radeon hd 7950/8950 oem / r9 280/380", [None, "amd radeon hd 8950 oem", "amd r9 280", "amd r9 380"]),
        ("geforce 6800 gt/gto/ultra", [None, "geforce 6800 gto", "geforce 6800 ultra"]),
        *[("h100", ["h100"]), ("/".join("123456789" * 2), None)],
    ],
)
def test_a_name_that_lists_several_is_all_of_them(listed, products):
    found = [names[0] for names in products_of(listed)]
    told = [listed] if products is None else [here or names for here, names in zip(products, found, strict=True)]
    assert found == told


def test_a_number_of_cores_tells_cards_apart_and_no_processors():
    assert bare_name("GeForce GTX 560 Ti 448 Cores") == "geforce gtx 560 ti 448"
    assert bare_name("AMD EPYC 9754 128-Core Processor") == "amd epyc 9754"


def test_a_card_stands_behind_its_chip_with_and_without_a_company():
    assert bare_name("TU106 [GeForce RTX 2060 SUPER]") == "geforce rtx 2060 super"
    assert bare_name("Samsung M1 [GeForce RTX 4090]") == "samsung geforce rtx 4090"


@pytest.mark.parametrize(
    "name",
    ["AMD Ryzen 7 7840U w/ Radeon 780M + RTX 4070", "i9-13900K @ 5.8GHz with RTX 4090", "A10-7850K Radeon R7 v2"],
)
def test_what_stands_behind_a_clock_or_graphics_is_not_lost(name):
    assert bare_name(name).split()[-1] == name.lower().split()[-1]


def test_a_series_is_left_out_behind_a_number_alone():
    assert bare_name("Radeon X800 Series") == "radeon x800"
    assert bare_name("Xbox Series") == "xbox series"


def test_a_stated_maker_is_apart_from_the_name():
    assert read_name("NVIDIA H200").makers == {"nvidia"}
    assert read_name("ATI Radeon HD 4870").makers == read_name("AMD Radeon").makers == {"amd"}
    assert read_name("NVIDIA H200").key == read_name("H200").key


@given(st.text(max_size=200))
def test_any_text_has_a_name(text):
    bare = bare_name(text)
    assert products_of(bare)
    assert read_name(bare).key == read_name(bare.upper()).key or not bare.isascii()
