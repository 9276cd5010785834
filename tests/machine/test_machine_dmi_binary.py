from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandwidth.ceilings.memory import configured_memory
from bandwidth.errors import BandwidthError
from bandwidth.machine.dmi.facts import facts_of_dmi
from bandwidth.machine.dmi.file import dmi_of

GIB = 1024**3


def structure(kind, area, *strings):
    """A structure with its strings; `area` follows the header of four bytes."""
    texts = b"".join(text.encode() + b"\0" for text in strings) or b"\0"
    return bytes((kind, 4 + len(area), kind, 0)) + bytes(area) + texts + b"\0"


def processor(name, signature, family=0xC6, status=0x41, wide_family=0):
    area = bytearray(44)
    area[0x24:0x26] = wide_family.to_bytes(2, "little")
    area[0x00:0x04] = bytes((1, 3, family, 2))
    area[0x04:0x08] = signature.to_bytes(4, "little")
    area[0x0C], area[0x14], area[0x1F] = 3, status, 6
    return structure(4, area, "U3E1", "Intel(R) Corporation", name)


def table(build, *, end=True):
    """An i7-8700K with a module on each of its two channels."""
    slots = [
        build.Slot(f"Channel{channel}-DIMM{number}", size_bytes=0 if number else 16 * GIB, rated=2666, configured=2666)
        for channel in "AB"
        for number in (0, 1)
    ]
    devices = b"".join(build.memory_device(slot, handle=handle) for handle, slot in enumerate(slots, 1))
    parts = [
        structure(0, bytes((1, 2, 0, 0, 3)) + bytes(14), "Example BIOS", "1.0", "01/02/2018"),
        structure(1, bytes((1, 2)) + bytes(21), "Example Corp.", "Desktop"),
        structure(2, bytes((1, 2)) + bytes(9), "Example Corp.", "Z370"),
        processor("Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz", 0x906EA),
        devices,
        structure(20, bytes(14) + bytes((2,)) + bytes(2)),
    ]
    return b"".join(parts) + (bytes((127, 4, 0xFF, 0xFE, 0, 0)) if end else b"")


def dump(content, anchor):
    """What `dmidecode --dump-bin` writes: the entry point, and the table at offset 32."""
    entry = bytearray(32)
    entry[: len(anchor)] = anchor
    if anchor == b"_SM3_":
        entry[6] = 24
        entry[0x0C:0x10], entry[0x10:0x18] = len(content).to_bytes(4, "little"), (32).to_bytes(8, "little")
    elif anchor == b"_SM_":
        entry[5] = 31
        entry[0x16:0x18], entry[0x18:0x1C] = len(content).to_bytes(2, "little"), (32).to_bytes(4, "little")
    else:
        entry[0x06:0x08], entry[0x08:0x0C] = len(content).to_bytes(2, "little"), (32).to_bytes(4, "little")
    return bytes(entry) + content


@pytest.mark.parametrize("anchor", [b"", b"_SM_", b"_SM3_", b"_DMI_"])
def test_a_table_with_and_without_its_entry_point(build, anchor):
    content = table(build) if not anchor else dump(table(build), anchor)
    facts = facts_of_dmi(dmi_of(content, "dump"), "dump")
    expected = {
        "system_vendor": "Example Corp.", "product_name": "Desktop", "board_name": "Z370",
        "cpu_vendor": "GenuineIntel", "cpu_family": 6, "cpu_model_number": 158, "physical_cores": 6, "sockets": 1,
        "cpu_model": "Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz", "memory_slots": 4, "memory_interleave_depth": 2,
    }  # fmt: skip
    assert {name: facts.value(name) for name in expected} == expected
    assert configured_memory(facts).spec == "DDR4-2666 x2"
    assert "SECRET" not in repr(facts)


def test_the_table_follows_its_entry_point_where_the_address_is_the_memory_s(build):
    content = table(build)
    entry = bytearray(dump(content, b"_SM3_")[:24])
    entry[0x10:0x18] = (0xE0000).to_bytes(8, "little")
    assert configured_memory(facts_of_dmi(dmi_of(bytes(entry) + content, "x"), "x")).spec == "DDR4-2666 x2"


@pytest.mark.parametrize("anchor", [b"", b"_SM_", b"_SM3_"])
def test_a_table_that_is_cut_says_so_wherever_it_is_cut(build, anchor):
    content = table(build) if not anchor else dump(table(build), anchor)
    specs = set()
    for end in range(1, len(content), 7):
        try:
            specs.add(configured_memory(facts_of_dmi(dmi_of(content[:end], "x"), "x")).spec)
        except BandwidthError:
            specs.add(None)
    assert specs <= {None, "DDR4-2666 x2"}
    assert None in specs


def test_a_table_without_an_end_marker_is_whole_where_nothing_follows(build):
    assert dmi_of(table(build, end=False), "x").doubt == ""
    assert "truncated" in dmi_of(table(build, end=False) + b"\x11\x5c", "x").doubt


def test_an_arm_processor_and_the_bit_of_a_virtual_machine(build):
    area = bytes((1, 2, 0, 0, 3)) + bytes(10) + bytes((0x10,)) + bytes(4)
    content = structure(0, area, "Example", "1", "01/01/2024")
    content += processor("Not Specified", 0x413FD0C1, family=0xFE, wide_family=0x101)
    content += processor("Not Specified", 0, status=0)
    found = dmi_of(content + bytes((127, 4, 0xFF, 0xFE, 0, 0)), "x")
    assert found.says_virtual
    assert found.populated_sockets == 1
    assert (found.processor.implementer, found.processor.part, found.processor.family) == (0x41, 0xD0C, None)
    assert facts_of_dmi(found, "x").text("cpu_model") == "ARM Neoverse-N1"


@settings(max_examples=80, deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"_SM_", b"_SM3_", b"_DMI_", b"\x00\x1a\x00\x00", b"\x11\x15\x00\x00"]),
)
def test_any_bytes_are_answered_or_refused(content, start):
    try:
        found = dmi_of(start + content, "x")
    except BandwidthError:
        return
    assert not found.is_empty
    facts_of_dmi(found, "x")
