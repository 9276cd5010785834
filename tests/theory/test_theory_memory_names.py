"""Names of modules: MB/s rounded in one way or another, or the MT/s of a server's label."""

from __future__ import annotations

import pytest

from bandwidth.catalog import current_catalog
from bandwidth.errors import BandwidthError
from bandwidth.theory import exact_bin_mt_s, peak

# SDR's modules have labels only.
DDR = [family for family in current_catalog().families if family.module_prefix and family.name != "SDR"]


@pytest.mark.parametrize(
    ("module", "name"),
    [
        # i2c-tools decode-dimms: DDR rounds to the nearest 100, the later ones round down.
        ("PC-1600", "DDR-200"), ("PC-2100", "DDR-266"), ("PC-2700", "DDR-333"), ("PC-3200", "DDR-400"),
        ("PC1600", "DDR-200"), ("PC2100", "DDR-266"), ("PC2700", "DDR-333"), ("PC3200", "DDR-400"),
        ("PC2-3200", "DDR2-400"), ("PC2-4200", "DDR2-533"), ("PC2-5300", "DDR2-667"), ("PC2-6400", "DDR2-800"),
        ("PC2-5400", "DDR2-667"), ("PC2-8500", "DDR2-1066"),
        ("PC3-6400", "DDR3-800"), ("PC3-8500", "DDR3-1066"), ("PC3-10600", "DDR3-1333"), ("PC3-10666", "DDR3-1333"),
        ("PC3-12800", "DDR3-1600"), ("PC3-14900", "DDR3-1866"), ("PC3-17000", "DDR3-2133"),
        ("PC3L-12800S", "DDR3-1600"), ("PC312800", "DDR3-1600"),
        ("PC4-12800", "DDR4-1600"), ("PC4-17000", "DDR4-2133"), ("PC4-19200", "DDR4-2400"), ("PC4-21300", "DDR4-2666"),
        ("PC4-21333", "DDR4-2666"), ("PC4-23400", "DDR4-2933"), ("PC4-23466", "DDR4-2933"), ("PC4-25600", "DDR4-3200"),
        ("pc4-23400u", "DDR4-2933"), ("PC4 23400", "DDR4-2933"), ("PC4-23400 x4", "DDR4-2933 x4"),
        ("PC5-38400", "DDR5-4800"), ("PC5-44800", "DDR5-5600"), ("PC5-51200", "DDR5-6400"),
        ("PC66", "SDR-66"), ("PC100", "SDR-100"), ("PC133", "SDR-133"), ("PC-133", "SDR-133"), ("pc-66", "SDR-66"),
        # The labels of server modules state MT/s.
        ("PC4-2133P", "DDR4-2133"), ("PC4-2400T", "DDR4-2400"), ("PC4-2666V", "DDR4-2666"), ("PC4-2933Y", "DDR4-2933"),
        ("PC4-3200AA", "DDR4-3200"), ("PC5-4800B", "DDR5-4800"), ("PC5-5600B", "DDR5-5600"),
    ],
)  # fmt: skip
def test_a_module_is_known_by_its_name(module, name):
    assert peak(module).name == name
    assert peak(module).bytes_per_s == peak(name).bytes_per_s


@pytest.mark.parametrize(
    ("family", "speed"),
    [pytest.param(family, speed, id=f"{family.name}-{speed}") for family in DDR for speed in family.speeds_mt_s],
)
def test_every_standard_speed_is_found_by_its_exact_and_its_rounded_down_name(family, speed):
    exact_mb_s = exact_bin_mt_s(speed) * 8
    for figure in (int(exact_mb_s), int(exact_mb_s) // 100 * 100):
        assert peak(f"{family.module_prefix}-{figure}").name == f"{family.name}-{speed}"


@pytest.mark.parametrize(
    ("module", "note"),
    [
        ("PC4-25600", "the module name PC4-25600 states MB/s, rounded"),
        ("PC4-3200AA", "the label PC4-3200 states MT/s"),
        ("PC3200", "the module name PC-3200 states MB/s, rounded"),
    ],
)
def test_the_reading_of_a_name_is_said(module, note):
    assert peak(module).notes[0] == note


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("PC6-51200", "PC6-... is not the name of a memory module; PC-, PC2-, PC3-, PC4- and PC5- are supported"),
        ("PC4-3500", "PC4-3500 does not match a speed of DDR4; write it as DDR4-SPEED, in MT/s"),
        ("PC4-999999", "PC4-999999 does not match a speed of DDR4; write it as DDR4-SPEED, in MT/s"),
        ("PC300", "PC-300 does not match a speed of DDR; write it as DDR-SPEED, in MT/s"),
        ("PC266", "PC-266 does not match a speed of DDR; write it as DDR-SPEED, in MT/s"),
        ("PC4-66", None),
        ("PC4-23400 3200", "'PC4-23400 3200' states two rates; the module name already states one"),
        ("PC4-1Y", None),
        ("PC4-", None),
        ("PC4-23400000", None),
    ],
)
def test_a_name_that_fits_nothing_is_refused(module, message):
    with pytest.raises(BandwidthError) as caught:
        peak(module)
    if message is None:
        message = f"'{module}' is not a known memory, link or device"
    assert str(caught.value).startswith(message)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("part_number", "name"),
    # Part numbers, speeds and numbers of modules as in buildcores-open-db (ODC-By 1.0); two channels at most.
    [
        ("CMK32GX5M2B5600C36", "DDR5-5600 x2"), ("CMSX16GX5M2A4800C40", "DDR5-4800 x2"),
        ("CMV32GX4M1A2666C18", "DDR4-2666"), ("CMD32GX3M4A2400C10", "DDR3-2400 x2"),
        ("CMA256GX5M8B5600Z40", "DDR5-5600 x2"), ("F5-6000J3038F16GX2-TZ5NR", "DDR5-6000 x2"),
        ("F4-4200C19Q2-64GTZSW", "DDR4-4200 x2"), ("F3-12800CL10D-16GBXL", "DDR3-1600 x2"),
        ("KVR32N22S8/16", "DDR4-3200"), ("KVR16N11S8", "DDR3-1600"), ("KVR1333D3N9/4G", "DDR3-1333"),
        ("KF556C40BBK2-32", "DDR5-5600 x2"), ("KF432C16BBAK2", "DDR4-3200 x2"), ("HX434C16PB3K2/16", "DDR4-3466 x2"),
        ("KSM48E40BD8KM-32HM", "DDR5-4800"), ("KSM32ED8/16HD", "DDR4-3200"),
        ("CT2K16G56C46U5", "DDR5-5600 x2"), ("BL2K16G36C16U4B", "DDR4-3600 x2"), ("CT8G4DFS8213", "DDR4-2133"),
        ("CT16G4DFRA266", "DDR4-2666"), ("CT2K16G4SFRA32A", "DDR4-3200 x2"), ("BLS8G4D240FSA", "DDR4-2400"),
        ("CT51264BD160B", "DDR3-1600"), ("Corsair CMK32GX5M2B5600C36", "DDR5-5600 x2"),
    ],
)  # fmt: skip
def test_a_part_number_is_read_by_its_makers_scheme(part_number, name):
    assert peak(part_number).name == name
    assert " is a part number of " in peak(part_number).warnings[0]


@pytest.mark.parametrize(
    "part_number",
    # Of other schemes, of none, and run together so that the number of modules cannot be told.
    ["M393A4K40DB3-CWE", "HMA81GU6DJR8N-XN", "KF432C16BB1AK232", "KF499C16BB", "CT9029050", "HX370"],
)
def test_a_part_number_that_is_not_settled_is_refused(part_number):
    with pytest.raises(BandwidthError):
        peak(part_number)


def test_a_part_number_beside_another_rate_is_refused():
    with pytest.raises(BandwidthError, match="states two rates"):
        peak("CMK32GX5M2B5600C36 DDR5-6000")
