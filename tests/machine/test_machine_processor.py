from __future__ import annotations

import pytest

from bandwidth.machine.probe import collect
from bandwidth.machine.processor import (
    EFFICIENCY,
    KINDS,
    LOW_POWER_EFFICIENCY,
    PERFORMANCE,
    boost_facts,
    container_facts,
    processor_facts,
    read_core_kinds,
    smt_facts,
    virtualization_facts,
)
from bandwidth.machine.reader import CapturedReader
from bandwidth.machine.topology import Core, read_topology

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


def intel_files(build, core="0-15", atom="16-31", lowpower=None):
    """Return 8 fast cores with two threads each and 16 frugal ones without."""
    cores = [{"cpus": f"{cpu},{cpu + 1}", "socket": 0, "core_id": cpu * 4} for cpu in range(0, 16, 2)]
    cores += [{"cpus": str(cpu), "socket": 0, "core_id": 64 + cpu} for cpu in range(16, 32)]
    files = build.sysfs(cores, {0: "0-31"}, online="0-31", present="0-31")
    for name, cpus in (("cpu_core", core), ("cpu_atom", atom), ("cpu_lowpower", lowpower)):
        if cpus is not None:
            files[f"/sys/devices/{name}/cpus"] = f"{cpus}\n"
    return files


def intel(build, allowed=range(32), **monitors):
    return CapturedReader(intel_files(build, **monitors), allowed_cpus=tuple(allowed), logical_cpus=32)


def arm(build, capacities, machine="aarch64"):
    cores = [{"cpus": str(cpu), "socket": 0, "core_id": cpu} for cpu in range(len(capacities))]
    files = build.sysfs(cores, {}, online=f"0-{len(capacities) - 1}")
    files |= {f"{CPU}/cpu{cpu}/cpu_capacity": f"{capacity}\n" for cpu, capacity in enumerate(capacities)}
    return CapturedReader(files, machine=machine, allowed_cpus=tuple(range(len(capacities))))


def test_a_hybrid_of_intel_with_8_fast_and_16_frugal_cores(build):
    topology = read_topology(intel(build))
    assert topology.core_kinds == (PERFORMANCE, EFFICIENCY)
    assert topology.cores[0] == Core((0, 1), 0, 0, PERFORMANCE)
    assert [core.cpus for core in topology.of_kind(EFFICIENCY)] == [(cpu,) for cpu in range(16, 32)]
    assert topology.of_kind(LOW_POWER_EFFICIENCY) == ()
    assert topology.threads_per_core == 2
    facts = collect(intel(build))
    assert facts["core_kinds"].value == {"performance": 8, "efficiency": 16}
    assert facts["core_kinds"].source == "/sys/devices/cpu_*/cpus"
    assert sum(facts["core_kinds"].value.values()) == facts.integer("physical_cores")


def test_the_facts_count_the_whole_machine_and_the_topology_what_is_allowed(build):
    reader = intel(build, allowed=(3, 16, 17))
    topology = read_topology(reader)
    assert [(core.cpus, core.kind) for core in topology.cores] == [
        ((3,), PERFORMANCE), ((16,), EFFICIENCY), ((17,), EFFICIENCY),
    ]  # fmt: skip
    assert collect(reader)["core_kinds"].value == {"performance": 8, "efficiency": 16}
    assert read_topology(intel(build, allowed=(20,))).core_kinds == (EFFICIENCY,)


def test_three_kinds_of_cores(build):
    topology = read_topology(intel(build, atom="16-29", lowpower="30-31"))
    assert topology.core_kinds == KINDS
    assert topology.cores_by_kind == ((PERFORMANCE, 8), (EFFICIENCY, 14), (LOW_POWER_EFFICIENCY, 2))
    overlapping = read_topology(intel(build, lowpower="30-31"))
    assert overlapping.cores_by_kind == topology.cores_by_kind


@pytest.mark.parametrize(("core", "atom"), [("0-31", None), (None, None), ("x", "0-"), ("", "\0"), ("0-31", "40-50")])
def test_cores_that_are_all_alike_have_no_kind(build, core, atom):
    reader = intel(build, core=core, atom=atom)
    topology = read_topology(reader)
    assert {core.kind for core in topology.cores} == {""}
    assert (topology.core_kinds, topology.cores_by_kind) == ((), ())
    assert "core_kinds" not in collect(reader)


def test_big_little_has_its_fast_cores_first(build):
    topology = read_topology(arm(build, [446, 446, 446, 446, 1024, 1024]))
    assert topology.physical_core_cpus() == (4, 5, 0, 1, 2, 3)
    assert topology.cores_by_kind == ((PERFORMANCE, 2), (EFFICIENCY, 4))
    facts = collect(arm(build, [446, 446, 446, 446, 1024, 1024]))
    assert facts["core_kinds"].value == {"performance": 2, "efficiency": 4}
    assert facts["core_kinds"].source == "/sys/devices/system/cpu/cpu*/cpu_capacity"


def test_only_the_fastest_of_three_clusters_is_fast(build):
    assert read_topology(arm(build, [280, 280, 870, 870, 1024])).cores_by_kind == ((PERFORMANCE, 1), (EFFICIENCY, 4))


@pytest.mark.parametrize("capacities", [[1024] * 4, [1024, 1009, 992, 1024], [0, 0], ["x", ""], [1024, "garbage"]])
def test_arm_cores_of_about_one_capacity_are_alike(build, capacities):
    assert read_topology(arm(build, capacities)).core_kinds == ()


def test_capacities_on_x86_are_clocks_not_kinds(build):
    assert read_topology(arm(build, [1024, 700], machine="x86_64")).core_kinds == ()


def apple(levels, *counts):
    commands = {("sysctl", "-n", "hw.nperflevels"): f"{levels}\n"}
    commands |= {("sysctl", "-n", f"hw.perflevel{n}.logicalcpu"): f"{count}\n" for n, count in enumerate(counts)}
    return CapturedReader({}, commands, "Darwin", "arm64", logical_cpus=10, physical_cores=10)


def test_apple_silicon_has_its_fast_cores_first():
    topology = read_topology(apple(2, 8, 2))
    assert [core.kind for core in topology.cores] == [PERFORMANCE] * 8 + [EFFICIENCY] * 2
    facts = collect(apple(2, 8, 2))
    assert facts["core_kinds"].value == {"performance": 8, "efficiency": 2}
    assert facts["core_kinds"].source == "sysctl hw.perflevel"


@pytest.mark.parametrize("answers", [(1, 10), (0,), ("x",), (2,), (2, -1, 10), (99999999, 10)])
def test_a_mac_with_one_level_or_odd_answers(answers):
    assert read_topology(apple(*answers)).core_kinds == ()


def test_answers_that_count_more_cores_than_there_are():
    assert read_core_kinds(apple(2, 4, 10**15), range(10)) == {
        cpu: PERFORMANCE if cpu < 4 else EFFICIENCY for cpu in range(10)
    }


def test_windows_does_not_tell():
    topology = read_topology(CapturedReader({}, system="Windows", logical_cpus=20, physical_cores=12))
    assert (topology.core_kinds, topology.threads_per_core) == ((), 2)
