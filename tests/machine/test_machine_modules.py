from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.ceilings.memory import configured_memory, with_saved_modules
from bandwidth.errors import BandwidthError
from bandwidth.machine.facts import Fact, Facts
from bandwidth.machine.modules.channels import count_channels
from bandwidth.machine.modules.table import (
    SMBIOS_TABLE,
    UDEV_DATABASE,
    facts_of_table,
    judged_table,
    module_facts,
    parse_udev,
)
from bandwidth.machine.probe import collect
from bandwidth.machine.reader import CapturedReader
from bandwidth.machine.smbios import Module, parse_memory_devices

GIB = 1024**3
BARE = Facts({"virtualization": Fact("none", "flags", "read"), "container": Fact("none", "", "assumed")})


def facts_of(files, machine=BARE):
    return Facts({**machine, **module_facts(CapturedReader(files), machine)})


def spec_of(files, machine=BARE):
    return configured_memory(facts_of(files, machine)).spec


def ddr5(build, locator, bank="", **changes):
    slot = build.Slot(locator, bank, 0x22, "DDR5", 64 * GIB, 4800, 4800)
    return replace(slot, **changes)


def epyc_slots(build):
    """Two sockets with twelve channels each, one module a channel."""
    return [
        ddr5(build, f"P{socket + 1}-DIMM{chr(65 + channel)}1", f"P{socket}_Node0_Channel{channel}_Dimm0")
        for socket in range(2)
        for channel in range(12)
    ]


def test_a_full_two_socket_epyc(build):
    facts = facts_of({SMBIOS_TABLE: build.smbios(epyc_slots(build))})
    assert facts.value("memory_channels") == 24
    assert facts.value("memory_slots") == 24
    assert facts.value("memory_width_bits") == 24 * 64
    assert facts.value("memory_modules")[0] == {
        "locator": "P1-DIMMA1",
        "bank_locator": "P0_Node0_Channel0_Dimm0",
        "type": "DDR5",
        "size_bytes": 64 * GIB,
        "data_width_bits": 64,
        "rated_mt_s": 4800,
        "configured_mt_s": 4800,
        "populated": True,
    }
    memory = configured_memory(facts)
    assert (memory.spec, memory.source, memory.confidence, memory.reason) == (
        "DDR5-4800 x24",
        SMBIOS_TABLE,
        "derived",
        "",
    )


def test_no_serial_number_leaves_the_table(build):
    slots = epyc_slots(build)
    for files in ({SMBIOS_TABLE: build.smbios(slots)}, {UDEV_DATABASE: build.udev(slots)}):
        assert "SECRET" not in str(facts_of(files).to_json())


def test_a_xeon_with_one_module_missing(build):
    slots = [
        build.Slot(
            f"CPU{socket + 1}_DIMM_{letter}{number}", "", 0x1A, "DDR4", 0 if number == 2 else 32 * GIB, 3200, 2933
        )
        for socket in range(2)
        for letter in "ABCDEFGH"
        for number in (1, 2)
    ]
    slots[0] = replace(slots[0], size_bytes=0)
    facts = facts_of({UDEV_DATABASE: build.udev(slots)})
    assert facts.value("memory_channels") == 15
    assert facts.value("memory_channels_with_slots") == 16
    assert facts.value("memory_slots") == 32
    assert configured_memory(facts).spec == "DDR4-2933 x15"


def test_an_intel_laptop_with_two_of_four_slots(build):
    slots = [
        build.Slot("ChannelA-DIMM0", "BANK 0", size_bytes=16 * GIB, rated=2667, configured=2667),
        build.Slot("ChannelA-DIMM1", "BANK 1"),
        build.Slot("ChannelB-DIMM0", "BANK 2", size_bytes=16 * GIB, rated=2667, configured=2667),
        build.Slot("ChannelB-DIMM1", "BANK 3"),
    ]
    assert spec_of({UDEV_DATABASE: build.udev(slots)}) == "DDR4-2667 x2"


def test_a_ryzen_with_one_channel_and_xmp_off(build):
    slots = [
        ddr5(build, "DIMM 0", "P0 CHANNEL A", size_bytes=0),
        ddr5(build, "DIMM 1", "P0 CHANNEL A", rated=6000, size_bytes=16 * GIB),
        ddr5(build, "DIMM 0", "P0 CHANNEL B", size_bytes=0),
        ddr5(build, "DIMM 1", "P0 CHANNEL B", size_bytes=0),
    ]
    facts = facts_of({SMBIOS_TABLE: build.smbios(slots)})
    assert (facts.value("memory_rated_mt_s"), facts.value("memory_configured_mt_s")) == (6000, 4800)
    assert facts.value("memory_channels_with_slots") == 2
    assert configured_memory(facts).spec == "DDR5-4800 x1"


def test_numbered_slots_give_a_range(build):
    slots = [ddr5(build, f"PROC {socket} DIMM {number}") for socket in (1, 2) for number in (1, 3, 8)]
    facts = facts_of({SMBIOS_TABLE: build.smbios(slots)})
    assert facts.value("memory_channels_range") == [1, 6]
    memory = configured_memory(facts)
    assert memory.spec is None
    assert memory.reason == "the slot names do not identify the channels: 1 to 6 for 6 modules"
    assert 'use --memory "DDR5-4800 xN"' in memory.hint


def test_soldered_lpddr_is_told_by_its_width(build):
    slots = [build.Slot("DIMM 0", f"P0 CHANNEL {letter}", 0x23, "LPDDR5", 4 * GIB, 7500, 7500, 32) for letter in "ABCD"]
    assert spec_of({SMBIOS_TABLE: build.smbios(slots)}) == "LPDDR5X-7500 128-bit"
    doubtful = [replace(slot, width=64, rated=6400, configured=6400) for slot in slots]
    memory = configured_memory(facts_of({SMBIOS_TABLE: build.smbios(doubtful)}))
    assert memory.spec is None
    assert "unreliable" in memory.reason
    assert "LPDDR5-6400 N-bit" in memory.hint


def test_hbm_is_not_guessed(build):
    slots = [build.Slot(f"CHANNEL {letter}", "", 0x21, "HBM2", 8 * GIB, 2000, 2000, 1024) for letter in "ABCD"]
    assert "HBM2" in configured_memory(facts_of({SMBIOS_TABLE: build.smbios(slots)})).reason


def test_the_clock_in_mhz_is_taken_twice(build):
    slots = [build.Slot(f"DIMM_{letter}1", size_bytes=8 * GIB, rated=3200, configured=1600) for letter in "AB"]
    facts = facts_of({UDEV_DATABASE: build.udev(slots)})
    assert facts.value("memory_configured_mt_s") == 3200
    assert facts["memory_configured_mt_s"].confidence == "derived"
    off = [replace(slot, rated=4266, configured=2133) for slot in slots]  # XMP off: half the rate, and real
    assert spec_of({UDEV_DATABASE: build.udev(off)}) == "DDR4-2133 x2"


def test_without_a_configured_speed_the_rated_one_is_assumed(build):
    slots = [build.Slot("ChannelA-DIMM0", code=0x18, name="DDR3", size_bytes=4 * GIB, rated=1600)]
    memory = configured_memory(facts_of({SMBIOS_TABLE: build.smbios(slots, length=0x1B)}))
    assert (memory.spec, memory.confidence) == ("DDR3-1600 x1", "assumed")
    assert "rated" in memory.reason


def test_modules_that_differ(build):
    slots = [ddr5(build, "DIMM_A1"), build.Slot("DIMM_B1", size_bytes=8 * GIB, rated=3200, configured=3200)]
    assert "several types" in configured_memory(facts_of({SMBIOS_TABLE: build.smbios(slots)})).reason
    slots = [ddr5(build, "DIMM_A1"), ddr5(build, "DIMM_B1", configured=4400)]
    assert "speed" in configured_memory(facts_of({SMBIOS_TABLE: build.smbios(slots)})).reason
    slots = [ddr5(build, "DIMM_A1", configured=0), ddr5(build, "DIMM_B1", rated=5600, configured=0)]
    assert "speed" in configured_memory(facts_of({SMBIOS_TABLE: build.smbios(slots)})).reason


def test_udev_of_an_older_systemd_does_not_know_ddr5(build):
    slots = [replace(slot, name="<OUT OF SPEC>") for slot in epyc_slots(build)]
    memory = configured_memory(facts_of({UDEV_DATABASE: build.udev(slots)}))
    assert memory.spec is None
    assert "needs root" in memory.reason
    both = {UDEV_DATABASE: build.udev(slots), SMBIOS_TABLE: build.smbios(slots)}
    assert spec_of(both) == "DDR5-4800 x24"


def test_persistent_memory_is_no_module(build):
    slots = [ddr5(build, "DIMM_A1"), build.Slot("DIMM_A2", "", 0x1F, "Logical non-volatile device", 128 * GIB)]
    facts = facts_of({SMBIOS_TABLE: build.smbios(slots)})
    assert len(facts.value("memory_modules")) == 1


@pytest.mark.parametrize("kind", ["QEMU", "Hyper-V", "hypervisor"])
def test_a_virtual_machine_never_has_modules(build, kind):
    machine = Facts({"virtualization": Fact(kind, "flags", "read")})
    memory = configured_memory(facts_of({SMBIOS_TABLE: build.smbios(epyc_slots(build))}, machine))
    assert memory.spec is None
    assert "virtual machine" in memory.reason
    assert "root" not in memory.hint
    assert ("(hypervisor)" in memory.reason) is False


EC2 = Facts({"virtualization": Fact("Amazon EC2", "product_name", "read")})


def test_ec2_tells_its_hosts_type_and_rated_speed_and_never_a_configured_memory(build):
    slots = [build.Slot("DIMM 0", "", 0x22, "DDR5", 64 * GIB, 4800, 0)] * 2
    for files in ({SMBIOS_TABLE: build.smbios(slots)}, {UDEV_DATABASE: build.udev(slots)}):
        facts = facts_of(files, EC2)
        assert (facts.value("memory_type"), facts.value("memory_rated_mt_s")) == ("DDR5", 4800)
        assert "host" in facts["memory_rated_mt_s"].source
        assert "memory_modules" not in facts
        memory = configured_memory(facts)
        assert memory.spec is None
        assert "its table states DDR5-4800 for the host's memory, but not the channels" in memory.reason
        assert "--memory" in memory.hint


def test_ec2_without_a_readable_table_says_what_reading_it_needs(build):
    unread = configured_memory(facts_of({"/sys/class/dmi/id/product_name": "m7i.large"}, EC2))
    assert "Amazon EC2" in unread.reason
    assert "needs root" in unread.reason
    xen = configured_memory(facts_of({SMBIOS_TABLE: build.smbios([build.Slot("DIMM 0", "", 7, "RAM", GIB)])}, EC2))
    assert "RAM" in xen.reason


def test_slots_named_like_channels_are_held_against_the_processor(build):
    """Dell's DIMM A to D on a processor with two channels, as the machine's own files tell it."""
    names = ("DIMM B", "DIMM C", "DIMM A", "DIMM D")
    slots = [build.Slot(name, "", 0x18, "DDR3", 8 * GIB, 1600, 1600) for name in names]
    cpuinfo = build.cpuinfo("GenuineIntel", 6, 60, "Intel(R) Core(TM) i7-4810MQ CPU @ 2.80GHz")
    files = {SMBIOS_TABLE: build.smbios(slots), "/proc/cpuinfo": cpuinfo}
    facts = collect(CapturedReader(files))
    assert configured_memory(facts).spec == "DDR3-1600 x2"
    assert facts.value("memory_channels_possible") == 2
    assert facts["memory_channels_possible"].confidence == "derived"
    half = [slots[0], replace(slots[1], size_bytes=0), slots[2], replace(slots[3], size_bytes=0)]
    doubtful = configured_memory(collect(CapturedReader({**files, SMBIOS_TABLE: build.smbios(half)})))
    assert doubtful.spec is None
    assert doubtful.reason == ("the slot names show 4 channels, but the processor has 2: 1 to 2 for 2 modules")


def test_a_table_without_its_processors_tells_the_sockets_by_its_slots():
    slots = [
        Module(f"CPU{cpu}-DIMM{number}", "", "DDR3", GIB, 64, 1600, 1600, "DIMM", 1, True)
        for cpu in (0, 1)
        for number in range(8)
    ]
    table, name = judged_table(slots, "a file"), Fact("Intel(R) Xeon(R) CPU E5-2690 0 @ 2.90GHz", "cpuinfo", "read")
    told = Facts(facts_of_table(table, Facts({"cpu_model": name})))
    assert configured_memory(told).spec == "DDR3-1600 x8"
    wrong = Facts({"cpu_model": name, "sockets": Fact(1, "sysfs", "read")})
    doubtful = Facts(facts_of_table(table, wrong))
    assert configured_memory(doubtful).spec is None
    assert doubtful.value("memory_channels_range") == [1, 8]


def test_what_was_taken_goes_along_with_saved_facts(build):
    slots = [build.Slot(f"DIMM_{letter}1", size_bytes=8 * GIB, rated=1200, configured=1200) for letter in "AB"]
    root = facts_of({SMBIOS_TABLE: build.smbios(slots)})
    memory = configured_memory(with_saved_modules(facts_of({"/sys/class/dmi/id/product_name": "x"}), root))
    assert (memory.spec, memory.confidence) == ("DDR4-2400 x2", "given")
    assert "taken as a clock in MHz, so doubled" in memory.reason


def test_ranks_and_forms_are_facts(build):
    area = bytearray(build.memory_device(ddr5(build, "DIMM_A1")))
    area[0x0E], area[0x1B] = 0x0D, 2
    facts = facts_of({SMBIOS_TABLE: bytes(area)})
    assert facts.value("memory_ranks") == 2
    assert facts.value("memory_modules")[0]["form_factor"] == "SODIMM"
    database = build.udev([ddr5(build, "DIMM_A1")])
    [module] = parse_udev(f"{database}E:MEMORY_DEVICE_0_FORM_FACTOR=Die\nE:MEMORY_DEVICE_0_RANK=1\n")
    assert (module.form_factor, module.ranks) == ("Die", 1)


def test_a_made_up_table_is_not_believed(build):
    slots = [build.Slot("DIMM 0", "", 0x07, "RAM", 8 * GIB)]
    for files in ({SMBIOS_TABLE: build.smbios(slots)}, {UDEV_DATABASE: build.udev(slots)}):
        facts = facts_of(files)
        assert "memory_modules" not in facts
        assert "RAM" in facts.value("memory_modules_reason")


@pytest.mark.parametrize(
    ("files", "machine", "reason"),
    [
        ({"/sys/class/dmi/id/product_name": "x"}, BARE, "needs root"),
        ({}, BARE, "provides no table"),
        ({SMBIOS_TABLE: b""}, BARE, "lists no memory module"),
        ({}, Facts({"container": Fact("docker", "", "read")}), "container (docker)"),
    ],
)
def test_why_there_are_none(files, machine, reason):
    memory = configured_memory(facts_of(files, machine))
    assert reason in memory.reason
    assert "--facts" in memory.hint
    assert "--memory" in memory.hint


def test_other_systems():
    facts = module_facts(CapturedReader({}, system="Darwin"), Facts({}))
    assert "Darwin" in facts["memory_modules_reason"].value


def test_facts_saved_as_root_serve_a_user(build):
    model = {"cpu_model": Fact("EPYC", "cpuinfo", "read")}
    root = Facts({**facts_of({SMBIOS_TABLE: build.smbios(epyc_slots(build))}), **model})
    user = Facts({**facts_of({"/sys/class/dmi/id/product_name": "x"}), **model})
    served = with_saved_modules(user, Facts.from_json(root.to_json()))
    memory = configured_memory(served)
    assert (memory.spec, memory.confidence) == ("DDR5-4800 x24", "given")
    assert "memory_modules_reason" not in served
    assert with_saved_modules(root, user) == root
    with pytest.raises(BandwidthError, match="another machine"):
        with_saved_modules(user, Facts({**root, "cpu_model": Fact("Xeon", "cpuinfo", "read")}))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["DIMM_A1", "DIMM_A2", "DIMM_B1", "DIMM_B2"], (2, 2)),
        (["DIMMA1", "DIMMB1"], (2, 2)),
        (["DIMM A", "DIMM B"], None),  # Dell's four slots A to D are two channels
        (["ChannelA-DIMM0", "ChannelA-DIMM1"], (1, 1)),
        (["Controller0-ChannelA-DIMM0", "Controller1-ChannelA-DIMM0"], (2, 2)),
        (["CPU1_DIMM_C2", "CPU2_DIMM_C2"], (2, 2)),
        (["CPU0_A0", "CPU0_A1", "CPU0_B0"], (2, 2)),
        (["DIMM_P0_A0", "DIMM_P1_A0"], (2, 2)),
        (["MC0_CH1_DIMM0", "MC1_CH1_DIMM0"], (2, 2)),
        (["Channel-0-DIMM-0", "Channel-0-DIMM-0"], None),  # coreboot: one name for all
        ([f"DIMM_{socket}{number}" for socket in "AB" for number in range(1, 13)], None),  # Dell: A is a socket
        (["A1", "A2", "B1", "B2"], None),
        (["PROC 1 DIMM 8", "PROC 2 DIMM 8"], None),
        (["DIMM 0", "DIMM 1"], None),
        (["DIMM_A1", "odd"], None),
        (["Bottom-Slot 1(left)", "Bottom-Slot 2(right)"], None),
        ([], None),
    ],
)
def test_channels_from_names(names, expected):
    counted = count_channels([Module(locator=name, populated=True) for name in names])
    assert (counted.used, counted.with_slots) == (expected or (None, None))


def test_channels_of_two_sockets_named_in_the_other_string():
    slots = [Module(f"CPU{cpu} DIMM {number}", "CHANNEL A", populated=True) for cpu in (1, 2) for number in (1, 2)]
    counted = count_channels(slots)
    assert (counted.used, counted.with_slots) == (2, 2)


def test_extended_size_and_speed(build):
    slot = ddr5(build, "DIMM_A1", size_bytes=256 * GIB)
    [module] = parse_memory_devices(build.smbios([slot]))
    assert module.size_bytes == 256 * GIB
    area = bytearray(build.memory_device(slot))
    area[0x15:0x17] = area[0x20:0x22] = b"\xff\xff"
    area[0x54:0x58], area[0x58:0x5C] = (17600).to_bytes(4, "little"), ((1 << 31) | 12800).to_bytes(4, "little")
    [module] = parse_memory_devices(bytes(area))
    assert (module.rated_mt_s, module.configured_mt_s) == (17600, 12800)
    [module] = parse_memory_devices(bytes((17, 0x54)) + bytes(area[2:0x54]) + b"x\0\0")  # too short for the fields
    assert module.rated_mt_s is None


def test_sizes_in_kib_and_unknown(build):
    area = bytearray(build.memory_device(ddr5(build, "DIMM_A1")))
    area[0x0C:0x0E] = (0x8000 | 512).to_bytes(2, "little")
    assert parse_memory_devices(bytes(area))[0].size_bytes == 512 * 1024
    area[0x0C:0x0E] = b"\xff\xff"
    [module] = parse_memory_devices(bytes(area))
    assert (module.size_bytes, module.populated) == (None, False)


def test_a_truncated_table_keeps_what_is_whole(build):
    table = build.smbios(epyc_slots(build))
    counts = [len(parse_memory_devices(table[:cut])) for cut in range(len(table))]
    assert counts == sorted(counts)
    assert counts[-1] == 24


@given(st.binary(max_size=2000))
def test_any_bytes_are_survived(table):
    start = time.perf_counter()
    parse_memory_devices(table)
    module_facts(CapturedReader({SMBIOS_TABLE: table}), BARE)
    assert time.perf_counter() - start < 5


@given(st.lists(st.tuples(st.integers(0, 0x60), st.binary(max_size=0x60)), max_size=20))
def test_any_memory_devices_are_survived(devices):
    table = b"".join(bytes((17, length)) + content + b"\0\0" for length, content in devices)
    facts = Facts(module_facts(CapturedReader({SMBIOS_TABLE: table}), BARE))
    configured_memory(Facts.from_json(facts.to_json()))


def test_a_large_hostile_table_ends_soon():
    start = time.perf_counter()
    for table in (bytes((17, 4, 0, 0, 0, 0)) * 200_000, b"\x11\x15" + b"\1" * 2_000_000, bytes(1_000_000)):
        parse_memory_devices(table)
    assert time.perf_counter() - start < 5


@given(st.text() | st.text(alphabet="E:MEMORY_DEVICE_0123456789_SIZE=\nTYPE"))
def test_any_udev_text_is_survived(text):
    parse_udev(text)


NAMES = st.text(max_size=20) | st.from_regex(r"(CPU[01]_)?(DIMM_?|Channel)[A-D][0-9]?", fullmatch=True)


@given(
    st.lists(st.builds(Module, NAMES, NAMES, populated=st.booleans()), max_size=12),
    st.none() | st.integers(1, 12),
    st.integers(1, 4),
)
def test_channels_never_exceed_the_modules_or_the_processors(slots, per_socket, sockets):
    counted = count_channels(slots, per_socket, sockets)
    if counted.used is not None:
        assert 1 <= counted.used <= sum(slot.populated for slot in slots)
        assert counted.with_slots is None or counted.used <= counted.with_slots
        assert per_socket is None or counted.used <= per_socket * sockets
