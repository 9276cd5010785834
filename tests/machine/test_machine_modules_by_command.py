from __future__ import annotations

import json
import plistlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.ceilings.memory import configured_memory
from bandwidth.machine.facts import Facts
from bandwidth.machine.modules.by_command import (
    PHYSICAL_MEMORY,
    SYSTEM_PROFILER,
    parse_physical_memory,
    parse_system_profiler,
)
from bandwidth.machine.modules.table import SMBIOS_TABLE, UDEV_DATABASE, module_facts
from bandwidth.machine.probe import collect
from bandwidth.machine.reader import CapturedReader

GIB = 1024**3


def facts_of(system, command, text):
    facts = Facts(module_facts(CapturedReader({}, {command: text}, system), Facts({})))
    assert Facts.from_json(facts.to_json()) == facts
    return facts


def mac(text):
    return facts_of("Darwin", SYSTEM_PROFILER, text)


def windows(text):
    return facts_of("Windows", PHYSICAL_MEMORY, text)


def profile(items):
    """Return the property list of one data type, which has its entries in `_items`."""
    return plistlib.dumps([{"_dataType": "SPMemoryDataType", "_detailLevel": "-1", "_items": items}]).decode()


def dimm(name, size="8 GB", speed="2667 MHz", kind="DDR4"):
    return {
        "_name": name,
        "dimm_manufacturer": "0x80AD",
        "dimm_part_number": "0x484D",
        "dimm_serial_number": "SECRET-SERIAL",
        "dimm_size": size,
        "dimm_speed": speed,
        "dimm_status": "empty" if size == "empty" else "ok",
        "dimm_type": kind,
    }


def empty(name):
    return dimm(name, "empty", "empty", "empty")


def test_an_intel_mac():
    slots = [
        dimm("BANK 0/ChannelA-DIMM0"),
        empty("BANK 1/ChannelA-DIMM1"),
        dimm("BANK 2/ChannelB-DIMM0"),
        empty("BANK 3/ChannelB-DIMM1"),
    ]
    facts = mac(profile([{"_name": "global_name", "global_ecc_state": "ecc_disabled", "_items": slots}]))
    assert facts.value("memory_modules")[1] == {
        "locator": "ChannelB-DIMM0",
        "bank_locator": "BANK 2",
        "type": "DDR4",
        "size_bytes": 8 * GIB,
        "rated_mt_s": 2667,
        "populated": True,
    }
    assert (facts.value("memory_slots"), facts.value("memory_channels_with_slots")) == (4, 2)
    assert facts["memory_modules"].source == "system_profiler SPMemoryDataType"
    memory = configured_memory(facts)
    assert (memory.spec, memory.confidence) == ("DDR4-2667 x2", "assumed")
    assert "SECRET" not in str(facts.to_json())


@pytest.mark.parametrize("kind", ["LPDDR4", "LPDDR4X", "LPDDR5", "LPDDR5X"])
def test_apple_silicon_gives_the_type_and_no_rate(kind):
    facts = mac(profile([{"dimm_manufacturer": "Hynix", "dimm_type": kind, "SPMemoryDataType": "16 GB"}]))
    assert {name: fact.value for name, fact in facts.items()} == {
        "memory_modules": [{"type": kind, "size_bytes": 16 * GIB, "populated": True}],
        "memory_type": kind,
    }
    assert configured_memory(facts).spec is None


@pytest.mark.parametrize(
    "text",
    ["", "x", "<plist>", profile([]), profile([empty("DIMM0")]), profile([dimm("DIMM0", size="lots")]),
     "<plist><date>never</date></plist>", "<plist>" + "<array>" * 3000, "bplist00garbage",
     profile([dimm("DIMM0")])[:-60]],
)  # fmt: skip
def test_a_mac_that_says_nothing(text):
    reason = mac(text).text("memory_modules_reason")
    assert reason == "system_profiler SPMemoryDataType lists no memory module on this Darwin machine"


def stick(locator="DIMM_A1", **changes):
    return {
        "SMBIOSMemoryType": 34,
        "Speed": 5600,
        "ConfiguredClockSpeed": 4800,
        "Capacity": 16 * GIB,
        "DeviceLocator": locator,
        "BankLabel": "BANK 0",
        "DataWidth": 64,
        **changes,
    }


def test_windows():
    facts = windows(json.dumps([stick(), stick("DIMM_B1", Capacity=str(16 * GIB))], indent=4))
    assert facts.value("memory_modules")[1] == {
        "locator": "DIMM_B1",
        "bank_locator": "BANK 0",
        "type": "DDR5",
        "size_bytes": 16 * GIB,
        "data_width_bits": 64,
        "rated_mt_s": 5600,
        "configured_mt_s": 4800,
        "populated": True,
    }
    assert facts["memory_modules"].source == "Win32_PhysicalMemory"
    assert "memory_slots" not in facts  # the empty ones are not listed
    assert "memory_channels_with_slots" not in facts
    memory = configured_memory(facts)
    assert (memory.spec, memory.confidence) == ("DDR5-4800 x2", "derived")


def test_windows_with_one_module_and_what_is_null():
    one = stick("Controller0-ChannelA-DIMM0", ConfiguredClockSpeed=None, BankLabel=None, DataWidth=0)
    facts = windows(json.dumps(one))
    assert facts.value("memory_modules") == [
        {
            "locator": "Controller0-ChannelA-DIMM0",
            "type": "DDR5",
            "size_bytes": 16 * GIB,
            "rated_mt_s": 5600,
            "populated": True,
        }
    ]
    assert configured_memory(facts).confidence == "assumed"


def test_the_command_of_windows_asks_for_no_serial_number():
    assert PHYSICAL_MEMORY[:3] == ("powershell", "-NoProfile", "-Command")
    assert "Serial" not in PHYSICAL_MEMORY[3]


def test_a_hypervisor_s_modules_on_windows_are_not_believed():
    assert "no valid memory type" in windows(json.dumps(stick(SMBIOSMemoryType=0))).value("memory_modules_reason")


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", "[" * 100_000, "9" * 5000, "{}", '{"Capacity": true}', '{"Capacity": 1e999}',
     json.dumps(stick(Capacity=2**70)), json.dumps(stick())[:-9]],
)  # fmt: skip
def test_windows_that_says_nothing(text):
    assert "lists no memory module" in windows(text).text("memory_modules_reason")


def test_a_system_that_nobody_reads():
    facts = module_facts(CapturedReader({}, system="FreeBSD"), Facts({}))
    assert "FreeBSD" in facts["memory_modules_reason"].value


PLAIN = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | st.text(max_size=12)


@given(st.lists(st.dictionaries(st.sampled_from(sorted(stick())), PLAIN), max_size=4))
def test_any_windows_answer_is_survived(entries):
    windows(json.dumps([{**stick(), **entry} for entry in entries]))


@given(st.lists(st.dictionaries(st.sampled_from(["_name", "dimm_size", "dimm_speed", "dimm_type"]), PLAIN), max_size=4))
def test_any_mac_answer_is_survived(entries):
    kept = [{name: value for name, value in entry.items() if value is not None} for entry in entries]
    try:
        text = profile([{**dimm("DIMM0"), **entry} for entry in kept])
    except ValueError:  # a control character that no property list holds
        return
    mac(text)


PIECES = ["<plist>", "<array>", "<dict>", "<key>a</key>", "<integer>x</integer>", "<real/>", "</dict>", "<data>="]


@given(st.text() | st.text(alphabet='<>/arydictkeysn0"& ') | st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_is_survived(text):
    parse_system_profiler(text)
    parse_physical_memory(text)


def test_any_cut_is_survived():
    whole = profile([dimm("BANK 0/DIMM0")])
    for cut in range(len(whole)):
        parse_system_profiler(whole[:cut])


# Two sources that disagree


def pair(build, **changes):
    slots = [build.Slot(f"DIMM_{letter}1", "", 0x22, "DDR5", 16 * GIB, 5600, 4800) for letter in "AB"]
    return slots, [replace(slot, **changes) for slot in slots]


def disagreement(build, raw, udev):
    files = {SMBIOS_TABLE: build.smbios(raw), UDEV_DATABASE: build.udev(udev)}
    facts = module_facts(CapturedReader(files), Facts({}))
    return facts.get("memory_modules_disagreement")


def test_sources_that_agree_or_say_nothing(build):
    raw, udev = pair(build)
    assert disagreement(build, raw, udev) is None
    assert disagreement(build, raw, []) is None
    assert disagreement(build, raw, pair(build, configured=0)[1]) is None
    assert disagreement(build, raw, pair(build, name="<OUT OF SPEC>")[1]) is None


def test_sources_that_differ(build):
    raw, udev = pair(build, configured=5200)
    fact = disagreement(build, raw, udev)
    assert (
        fact.value == "the SMBIOS table states configured to 4800 MT/s; udev's database states configured to 5200 MT/s"
    )
    assert fact.source == f"{SMBIOS_TABLE}, {UDEV_DATABASE}"
    assert fact.confidence == "derived"
    mixed = [udev[0], replace(udev[1], rated=6000)]
    assert disagreement(build, raw[:1], mixed).value == (
        "the SMBIOS table states 1 module, rated for 5600 MT/s, configured to 4800 MT/s; "
        "udev's database states 2 modules, rated for 5600 and 6000 MT/s, configured to 5200 MT/s"
    )


def test_a_virtual_machine_has_no_disagreement(build):
    raw, udev = pair(build, configured=5200)
    files = {SMBIOS_TABLE: build.smbios(raw), UDEV_DATABASE: build.udev(udev), "/sys/hypervisor/type": "xen\n"}
    assert "memory_modules_disagreement" not in collect(CapturedReader(files))
