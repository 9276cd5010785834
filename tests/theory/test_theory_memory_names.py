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
        ("PC6-51200", "no memory module is named PC6-...; PC-, PC2-, PC3-, PC4- and PC5- are known"),
        ("PC4-3500", "PC4-3500 fits no speed of DDR4; write it as DDR4-SPEED, in MT/s"),
        ("PC4-999999", "PC4-999999 fits no speed of DDR4; write it as DDR4-SPEED, in MT/s"),
        ("PC300", "PC-300 fits no speed of DDR; write it as DDR-SPEED, in MT/s"),
        ("PC266", "PC-266 fits no speed of DDR; write it as DDR-SPEED, in MT/s"),
        ("PC4-66", None),
        ("PC4-23400 3200", "'PC4-23400 3200' states two rates; the module's name is one already"),
        ("PC4-1Y", None),
        ("PC4-", None),
        ("PC4-23400000", None),
    ],
)
def test_a_name_that_fits_nothing_is_refused(module, message):
    with pytest.raises(BandwidthError) as caught:
        peak(module)
    if message is None:
        message = f"'{module}' is no memory, link or device that is known here"
    assert str(caught.value).startswith(message)
    assert caught.value.exit_code == 1
