from __future__ import annotations

import pytest

from bandwidth.machine.modules.channels import count_channels
from bandwidth.machine.smbios import Module


def slots(*names, empty=(), form_factor="DIMM"):
    """Slots by "locator/bank"; those in `empty` hold nothing."""
    made = []
    for name in names:
        locator, _, bank = name.partition("/")
        made.append(Module(locator, bank or None, form_factor=form_factor, populated=name not in empty))
    return made


def counted(found):
    return found.used, found.with_slots


DELL_R440 = [f"A{number}" for number in range(1, 11)] + [f"B{number}" for number in range(1, 7)]
DELL_R630 = [f"{letter}{number}" for letter in "AB" for number in range(1, 13)]
HPE_GEN10 = [f"PROC {cpu} DIMM {number}" for cpu in (1, 2) for number in range(1, 13)]
HUAWEI = [f"DIMM{cpu}{channel}{slot}" for cpu in (0, 1) for channel in range(6) for slot in (0, 1)]
TWO_SOCKETS = [f"CPU{cpu}_DIMM_{letter}1" for cpu in (1, 2) for letter in "ABCD"]


@pytest.mark.parametrize(
    ("names", "empty", "per_socket", "sockets", "expected"),
    [
        (["Controller0-DIMM0", "Controller0-DIMM1", "Controller1-DIMM0", "Controller1-DIMM1"], [1, 3], 2, 1, (2, 2)),
        (["x/Controller0ChannelADimm0", "y/Controller1ChannelADimm0"], [], 2, 1, (2, 2)),
        (["Controller0-ChannelA", "Controller0-ChannelA", "Controller0-ChannelB"], [], 2, 1, (2, 2)),
        (["DDR4_A1", "DDR4_A2", "DDR4_B1", "DDR4_B2"], [0, 1, 3], 2, 1, (1, 2)),
        (["DIMM_1/CPU1_A0", "DIMM_3/CPU1_B0", "DIMM_2/CPU1_C0", "DIMM_4/CPU1_D0"], [3], 4, 1, (3, 4)),
        (["A1_DIMM0/x", "A1_DIMM1/x", "B1_DIMM0/y", "B1_DIMM1/y"], [1, 3], 2, 1, (2, 2)),
        (["CPU0_C0D0", "CPU0_C1D0", "CPU0_C2D0"], [1], 3, 1, (2, 3)),
        (["DIMM-1A", "DIMM-2A", "DIMM-1B", "DIMM-2B"], [1, 3], 2, 1, (2, 2)),
        (
            ["Slot 8 (Channel A / DIMM 1)", "Slot 7 (Channel A / DIMM 2)", "Slot 9 (Channel B / DIMM 1)"],
            [],
            2,
            1,
            (2, 2),
        ),
        (HUAWEI, list(range(1, 24, 2)), 6, 2, (12, 12)),
        (DELL_R630, [*range(4, 12), *range(16, 24)], 4, 2, (8, 8)),
        (DELL_R630, [*range(2, 24)], 4, 1, (2, 4)),
        (DELL_R440, [], 6, 2, (12, 12)),
        (["A1", "A2", "A3", "A4"], [2, 3], 2, 1, (2, 2)),
        (["A1", "A2", "B1", "B2"], [1, 3], 2, 1, (2, 2)),
        (HPE_GEN10, [number for number in range(24) if number not in (7, 19)], 6, 2, (2, 12)),
        (TWO_SOCKETS, [4, 5, 6, 7], 4, 1, (4, 4)),  # the second socket is empty
        (["DIMM A", "DIMM B", "DIMM C", "DIMM D"], [], 2, 1, (2, 2)),  # all filled: no matter which is which
        (["XMM1", "XMM3"], [], 2, 1, (2, 2)),
        (["DIMM_A1", "DIMM_B1", "DIMM_C1", "DIMM_D1"], [2], 8, 1, (3, 4)),  # the board has half of the channels
        (["DIMM A", "DIMM B"], [], 1, 1, (1, 1)),
        (["Bottom-Slot 1", "Bottom-Slot 2"], [0], 2, 1, (1, None)),
        (["Bottom-Slot 1", "Bottom-Slot 2"], [0], None, 1, (1, None)),
    ],
)
def test_channels_of_a_known_processor(names, empty, per_socket, sockets, expected):
    found = count_channels(slots(*names, empty={names[index] for index in empty}), per_socket, sockets)
    assert counted(found) == expected, found.doubt


@pytest.mark.parametrize(
    ("names", "empty", "per_socket", "doubt"),
    [
        (["DIMM1", "DIMM2", "DIMM3", "DIMM4"], [1, 3], 2, ""),
        (["DIMM_A1", "DIMM_B1", "DIMM_C1", "DIMM_D1"], [3], 2, "show 4 channels, but the processor has 2"),
        (["DIMM1/Channel 0 Slot 0", "DIMM2/Channel 0 Slot 0"], [], None, "the slot names put all slots on one channel"),
        ([f"DIMM_{letter}1" for letter in "ABCD"] * 2, [], None, ""),  # names that repeat
        ([f"DIMM_{letter}{slot}" for letter in "ABCD" for slot in (1, 2)], [], 8, ""),  # half the channels, or all
        (["A1", "A2", "A3"], [0], 2, ""),  # three slots on two channels, and which is the second?
        (["DIMM A", "DIMM B", "DIMM C", "DIMM D"], [2, 3], 2, "show 4 channels, but the processor has 2"),
        (["1", "2", "3", "4", "5", "6", "7", "8"], [], 2, ""),  # four modules on a channel: it is no such board
    ],
)
def test_what_the_processor_contradicts_is_no_count(names, empty, per_socket, doubt):
    found = count_channels(slots(*names, empty={names[index] for index in empty}), per_socket)
    assert found.used is None
    assert doubt in found.doubt


def test_what_is_taken_without_names_is_said():
    assert "every slot" in count_channels(slots("1", "2"), 2).note
    assert "one module" in count_channels(slots("1", "2", empty={"1"}), 2).note
    assert "one channel" in count_channels(slots("1", "2"), 1).note
    assert "Dell" in count_channels(slots("A1", "A2", "A3", "A4", empty={"A4"}), 4).note


def test_more_sockets_with_modules_than_the_machine_has_are_a_doubt():
    names = [f"CPU{cpu}-DIMM{number}" for cpu in (0, 1) for number in range(4)]
    assert counted(count_channels(slots(*names), 4, 2)) == (8, 8)
    assert "modules on 2 sockets, but the machine has 1" in count_channels(slots(*names), 4, 1).doubt


def test_full_slots_tell_nothing_where_empty_ones_are_not_listed():
    assert count_channels(slots("1", "2"), 2, lists_empty_slots=False).used is None


def test_a_camm_carries_both_channels():
    assert counted(count_channels(slots("DIMM A", form_factor="CAMM"), None)) == (2, None)
    assert counted(count_channels(slots("DIMM A", form_factor="CAMM"), 2)) == (2, 2)
    assert counted(count_channels(slots("DIMM A", form_factor="Proprietary Card"), 2)) == (2, 2)
    assert "does not state how many" in count_channels(slots("DIMM A", form_factor="Proprietary Card"), None).doubt
    assert "does not state how many" in count_channels(slots("A", "B", form_factor="CAMM"), 2).doubt


def test_one_soldered_entry_may_stand_for_several_channels():
    assert count_channels(slots("On board", form_factor="Row Of Chips"), 2, lists_empty_slots=False).used is None
