from __future__ import annotations

import pytest

from bandwidth.machine.processor import (
    boost_facts,
    container_facts,
    processor_facts,
    smt_facts,
    virtualization_facts,
)
from bandwidth.machine.reader import CapturedReader

CPU = "/sys/devices/system/cpu"
DMI = "/sys/class/dmi/id"
ARM = "processor\t: 0\nBogoMIPS\t: 2000.00\nFeatures\t: fp asimd sve\nCPU implementer\t: 0x41\nCPU part\t: 0xd4f\n\n"


def plain(facts):
    return {name: fact.value for name, fact in facts.items()}


def test_x86(build):
    text = build.cpuinfo("AuthenticAMD", 25, 17, "AMD EPYC 9354 32-Core Processor")
    assert plain(processor_facts(CapturedReader({"/proc/cpuinfo": text}))) == {
        "cpu_vendor": "AuthenticAMD",
        "cpu_family": 25,
        "cpu_model_number": 17,
        "cpu_model": "AMD EPYC 9354 32-Core Processor",
    }


def test_an_arm_server():
    reader = CapturedReader({"/proc/cpuinfo": ARM}, machine="aarch64")
    facts = processor_facts(reader)
    assert plain(facts) == {"cpu_vendor": "ARM", "cpu_model_number": 0xD4F, "cpu_model": "ARM Neoverse-V2"}
    assert facts["cpu_model"].confidence == "derived"
    assert virtualization_facts(reader) == {}


def test_power():
    text = "processor\t: 0\ncpu\t\t: POWER9, altivec supported\nclock\t\t: 3800.000000MHz\nrevision\t: 2.3\n\n"
    facts = plain(processor_facts(CapturedReader({"/proc/cpuinfo": text}, machine="ppc64le")))
    assert facts == {"cpu_vendor": "IBM", "cpu_model": "POWER9, altivec supported"}


def test_macos():
    commands = {
        ("sysctl", "-n", "machdep.cpu.brand_string"): "Apple M2 Max\n",
        ("sysctl", "-n", "kern.hv_vmm_present"): "0\n",
    }
    reader = CapturedReader({}, commands, "Darwin", "arm64")
    assert plain(processor_facts(reader)) == {"cpu_vendor": "Apple", "cpu_model": "Apple M2 Max"}
    assert virtualization_facts(reader)["virtualization"].value == "none"


def test_windows():
    text = "Intel64 Family 6 Model 158 Stepping 10, GenuineIntel"
    reader = CapturedReader({}, system="Windows", environment={"PROCESSOR_IDENTIFIER": text})
    assert plain(processor_facts(reader)) == {
        "cpu_vendor": "GenuineIntel",
        "cpu_family": 6,
        "cpu_model_number": 158,
        "cpu_model": text,
    }
    assert virtualization_facts(reader) == {}
    assert container_facts(reader) == {}


@pytest.mark.parametrize(
    "text", ["", "\n\n", "no colon", "CPU implementer\t: garbage\n", "cpu family : x\nvendor_id :\n"]
)
def test_garbage_says_nothing(text):
    assert processor_facts(CapturedReader({"/proc/cpuinfo": text})) == {}


@pytest.mark.parametrize(
    ("flags", "vendor", "product", "expected"),
    [
        ("fpu", "Dell Inc.", "PowerEdge R760", "none"),
        ("fpu hypervisor", "QEMU", "Standard PC (Q35 + ICH9, 2009)", "QEMU"),
        ("fpu hypervisor", "Red Hat", "KVM", "KVM"),
        ("fpu", "Red Hat", "KVM", "KVM"),  # the flag can be hidden from the guest
        ("fpu hypervisor", "VMware, Inc.", "VMware7,1", "VMware"),
        ("fpu hypervisor", "Microsoft Corporation", "Virtual Machine", "Hyper-V"),
        ("fpu", "Microsoft Corporation", "Surface Laptop 5", "none"),
        ("fpu hypervisor", "Amazon EC2", "m6i.large", "Amazon EC2"),
        ("fpu", "Amazon EC2", "m6i.metal", "none"),
        ("fpu", "Google", "Google Compute Engine", "none"),  # a bare-metal instance
        ("fpu hypervisor", "Google", "Google Compute Engine", "Google Compute Engine"),
        ("fpu hypervisor", "", "", "hypervisor"),
    ],
)
def test_hypervisors(build, flags, vendor, product, expected):
    files = {
        "/proc/cpuinfo": build.cpuinfo("GenuineIntel", 6, 143, "Xeon", flags),
        f"{DMI}/sys_vendor": f"{vendor}\n",
        f"{DMI}/product_name": f"{product}\n",
    }
    assert virtualization_facts(CapturedReader(files))["virtualization"].value == expected


def test_xen_says_so_itself():
    assert virtualization_facts(CapturedReader({"/sys/hypervisor/type": "xen\n"}))["virtualization"].value == "Xen"


def test_an_arm_guest_is_known_by_its_product():
    files = {"/proc/cpuinfo": ARM, f"{DMI}/sys_vendor": "Amazon EC2\n", f"{DMI}/product_name": "c7g.large\n"}
    assert virtualization_facts(CapturedReader(files, machine="aarch64"))["virtualization"].value == "Amazon EC2"
    files[f"{DMI}/product_name"] = "c7g.metal\n"
    assert virtualization_facts(CapturedReader(files, machine="aarch64")) == {}


@pytest.mark.parametrize(
    ("files", "environment", "expected"),
    [
        ({"/.dockerenv": ""}, {}, "docker"),
        ({"/run/.containerenv": ""}, {}, "podman"),
        ({}, {"APPTAINER_CONTAINER": "image.sif"}, "apptainer"),
        ({"/run/systemd/container": "lxc\n"}, {}, "lxc"),
        ({"/proc/self/cgroup": "0::/kubepods.slice/pod1\n"}, {}, "kubernetes"),
        ({"/proc/self/cgroup": "0::/user.slice\n"}, {}, "none"),
    ],
)
def test_containers(files, environment, expected):
    assert container_facts(CapturedReader(files, environment=environment))["container"].value == expected


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("cpufreq/boost", "1\n", {"boost": True}),
        ("cpufreq/boost", "0\n", {"boost": False}),
        ("intel_pstate/no_turbo", "0\n", {"boost": True}),
        ("intel_pstate/no_turbo", "1\n", {"boost": False}),
        ("cpufreq/boost", "2\n", {}),
        ("cpufreq/boost", "\0", {}),
        ("other", "1\n", {}),
    ],
)
def test_boost(file, text, expected):
    facts = boost_facts(CapturedReader({f"{CPU}/{file}": text}))
    assert plain(facts) == expected
    assert all(fact.source == f"{CPU}/{file}" for fact in facts.values())


@pytest.mark.parametrize("setting", ["on", "off", "forceoff", "notsupported", "4"])
def test_smt_control(setting):
    assert plain(smt_facts(CapturedReader({f"{CPU}/smt/control": f"{setting}\n"}))) == {"smt_control": setting}


@pytest.mark.parametrize("setting", ["", "notimplemented", "garbage", "\0", "1234"])
def test_smt_control_that_says_nothing(setting):
    assert smt_facts(CapturedReader({f"{CPU}/smt/control": setting})) == {}
