from __future__ import annotations

import pytest

from bandwidth.machine.probe import collect
from bandwidth.machine.processor import EFFICIENCY, KINDS, LOW_POWER_EFFICIENCY, PERFORMANCE, read_core_kinds
from bandwidth.machine.reader import CapturedReader
from bandwidth.machine.topology import Core, read_topology

CPU = "/sys/devices/system/cpu"


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
