from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandwidth.catalog import current_catalog
from bandwidth.machine.cpuinfo import facts_of_cpuinfo, facts_of_lscpu, is_lscpu, sockets_of_cpuinfo
from bandwidth.machine.probe import collect
from bandwidth.machine.reader import CapturedReader

GENERIC = "ARMv8 Processor rev 1 (v8l)"


def plain(text):
    return {name: fact.value for name, fact in facts_of_cpuinfo(text).items()}


def arm(*parts, implementer=0x41, name=""):
    """The text of an Arm machine with a CPU for each part."""
    named = f"model name\t: {name}\n" if name else ""
    return "".join(
        f"processor\t: {cpu}\n{named}CPU implementer\t: 0x{implementer:02x}\nCPU part\t: 0x{part:03x}\n\n"
        for cpu, part in enumerate(parts)
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (arm(*[0xD05] * 4, *[0xD0B] * 4), "4 x Cortex-A76 + 4 x Cortex-A55"),  # RK3588
        (arm(*[0xD08] * 2, *[0xD03] * 4, name=GENERIC), "2 x Cortex-A72 + 4 x Cortex-A53"),  # RK3399
        (arm(*[0xD87] * 5, *[0xD85] * 5, *[0xD87] * 5, *[0xD85] * 5), "10 x Cortex-X925 + 10 x Cortex-A725"),  # GB10
        (arm(*[0x22] * 4, *[0x23] * 4, implementer=0x61), "4 x Firestorm-M1 + 4 x Icestorm-M1"),
        (arm(*[0xD42] * 12, name=GENERIC), "ARM Cortex-A78AE"),  # Jetson AGX Orin
        (arm(0xD08, name="AArch64 Processor rev 3 (aarch64)"), "ARM Cortex-A72"),
        (arm(0x663, implementer=0x70, name="phytium FT2000/4"), "phytium FT2000/4"),
        (arm(0xD99), None),  # a part that is not listed
        (arm(0xD05, 0xD99), None),
        (arm(0xD0B, name="unknown"), "ARM Cortex-A76"),
        # Before Linux 3.8: the name and the numbers once, for all.
        (
            "Processor\t: ARMv7 Processor rev 10 (v7l)\nprocessor\t: 0\nBogoMIPS\t: 1\n\nprocessor\t: 1\n\n"
            "CPU implementer\t: 0x41\nCPU part\t: 0xc09\n\nHardware\t: Example\n",
            "ARM Cortex-A9",
        ),
        (
            "processor\t: 0\ncpu\t\t: POWER9, altivec supported\n\ntimebase\t: 512\nplatform\t: PowerNV\n",
            "POWER9, altivec supported",
        ),
        (
            "system type\t: generic-loongson-machine\n\nprocessor\t: 0\nModel Name\t: Loongson-3A6000\n",
            "Loongson-3A6000",
        ),
        ("processor\t: 0\nhart\t: 2\nisa\t: rv64imafdc\nuarch\t: sifive,u74-mc\n\n", "sifive,u74-mc"),
        ("processor\t: 0\nhart\t: 0\nisa\t: rv64imafdcv\nmodel name\t: Spacemit(R) X60\n\n", "Spacemit(R) X60"),
        ("processor\t: 0\nhart\t: 0\nisa\t: rv64imafdc\nmmu\t: sv39\n\n", None),
        (
            "vendor_id       : IBM/S390\n# processors    : 2\n"
            "processor 0: version = FF,  identification = 0133E8,  machine = 3906\n"
            "processor 1: version = FF,  identification = 0133E8,  machine = 3906\n",
            "IBM z14",
        ),
        ("vendor_id       : IBM/S390\nprocessor 0: version = FF, machine = 1234\n", None),
        ("processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t: 85\nmodel name\t: unknown\n", None),
    ],
)
def test_a_machine_is_named_by_what_its_blocks_say_or_not_at_all(text, name):
    assert plain(text).get("cpu_model") == name


def test_every_block_counts_whatever_its_order():
    blocks = [f"processor\t: {cpu}\nphysical id\t: {cpu % 2}\nmodel name\t: Example\n" for cpu in range(8)]
    assert sockets_of_cpuinfo("\n".join(blocks)) == 2
    assert sockets_of_cpuinfo("".join(blocks)) == 2  # the empty lines between them were lost
    assert sockets_of_cpuinfo(arm(0xD0C)) is None


def test_a_hybrid_has_no_part_of_its_own():
    assert "cpu_model_number" not in plain(arm(0xD05, 0xD0B))
    assert plain(arm(0xD0B, 0xD0B))["cpu_model_number"] == 0xD0B


@pytest.mark.parametrize("folder", ["/proc/device-tree", "/sys/firmware/devicetree/base"])
def test_the_device_tree_names_chip_and_board(folder):
    files = {
        f"{folder}/compatible": "radxa,rock-5b\0rockchip,rk3588\0",
        f"{folder}/model": "Radxa ROCK 5 Model B\0",
        "/proc/cpuinfo": arm(0xD05, 0xD0B),
    }
    facts = collect(CapturedReader(files, machine="aarch64"))
    assert (facts["chip"].value, facts["board"].value) == ("rockchip,rk3588", "Radxa ROCK 5 Model B")
    assert "virtualization" not in facts


@pytest.mark.parametrize(
    ("compatible", "chip", "hypervisor"),
    [
        ("apple,j314s\0apple,t6000\0apple,arm-platform\0", "apple,t6000", None),
        ("linux,dummy-virt\0", None, "QEMU"),
        ("\0\0", None, None),
        ("\x1b[31m\0", None, None),
    ],
)
def test_a_device_tree_s_general_names_are_no_chip(compatible, chip, hypervisor):
    facts = collect(CapturedReader({"/proc/device-tree/compatible": compatible}, machine="aarch64"))
    assert facts.text("chip") == chip
    assert facts.text("virtualization") == hypervisor


def test_lscpu_of_a_hybrid_and_of_a_guest():
    text = (
        "Architecture:        aarch64\nVendor ID:           ARM\n"
        "Model name:          Cortex-A55\nModel:               0\nCore(s) per socket:  4\nSocket(s):           1\n"
        "Model name:          Cortex-A76\nModel:               0\nCore(s) per socket:  2\nSocket(s):           2\n"
    )
    assert is_lscpu(text)
    assert facts_of_lscpu(text, "x")["cpu_model"].value == "4 x Cortex-A76 + 4 x Cortex-A55"
    guest = "> Model name: Intel Xeon Processor (Cascadelake)\n> Socket(s): 4\n> Hypervisor vendor: KVM\n"
    facts = {name: fact.value for name, fact in facts_of_lscpu(guest, "x").items()}
    assert facts == {"cpu_model": "Intel Xeon Processor (Cascadelake)", "sockets": 4, "virtualization": "KVM"}
    nested = (
        '{"lscpu": [{"field": "Model name:", "data": "Example X", "children": [{"field": "Socket(s):", "data": "2"}]}]}'
    )
    assert facts_of_lscpu(nested, "x")["sockets"].value == 2


WORDS = (
    "processor",
    "model name",
    "CPU implementer",
    "CPU part",
    "vendor_id",
    "cpu family",
    "model",
    "cpu",
    "physical id",
)
LINES = st.builds(
    "{}\t: {}".format, st.sampled_from(WORDS), st.text(max_size=12) | st.sampled_from(["0x41", "0xd0b", "6"])
)


@settings(deadline=None)
@given(st.lists(LINES | st.text(max_size=20), max_size=30))
def test_garbled_text_never_raises(lines):
    text = "\n".join(lines)
    for facts in (facts_of_cpuinfo(text), facts_of_lscpu(text, "x")):
        assert all(fact.value not in (None, "") for fact in facts.values())


def test_the_table_of_arm_s_cores_is_whole():
    cores = current_catalog().arm_cores
    assert cores[0x41, 0xD0C].name == "Neoverse-N1"
    assert len(cores) > 100
    assert all(core.name and core.vendor and core.source and 0 <= core.part < 0x1000 for core in cores.values())
