"""Sockets where the kernel's packages are none, through the real planner: what `--memory` is multiplied by."""

from __future__ import annotations

import pytest

from bandwidth.machine.probe import collect
from bandwidth.machine.reader import CapturedReader
from bandwidth.machine.topology import read_topology
from bandwidth.planning.host import make_plan
from bandwidth.planning.options import MeasureOptions

SPEC, SOCKET = "DDR5-4800 x8", 307_200_000_000
ARM = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n\n"


def machine(build, packages, nodes, *, architecture="x86_64", flags="fpu avx2", more=None):
    """A machine of one CPU for each of `packages` (its package's number), with these nodes."""
    cores = [{"cpus": str(cpu), "socket": package, "core_id": 0} for cpu, package in enumerate(packages)]
    files = build.sysfs(cores, nodes, online=f"0-{len(packages) - 1}", present=f"0-{len(packages) - 1}")
    for node in nodes:
        files[f"/sys/devices/system/node/node{node}/meminfo"] = f"Node {node} MemTotal: 16777216 kB\n"
    is_arm = architecture == "aarch64"
    files["/proc/cpuinfo"] = ARM if is_arm else build.cpuinfo("GenuineIntel", 6, 143, "Example", flags)
    files["/proc/meminfo"] = "MemTotal: 33554432 kB\nMemAvailable: 30000000 kB\n"
    allowed = tuple(range(len(packages)))
    return CapturedReader(files | (more or {}), machine=architecture, allowed_cpus=allowed, logical_cpus=len(packages))


def theories(reader, **options):
    """The theory of the case with all threads, by the planner, and the fact about the sockets."""
    facts, topology = collect(reader), read_topology(reader)
    options = {"memory": SPEC, "kernels": ("read",), "engines": ("numpy",), "threads": ("all",), **options}
    plan = make_plan(MeasureOptions(size_bytes=2**32, **options), facts, topology)
    found = {round(planned.theory_bytes_per_s) for planned in plan.cases if planned.theory_bytes_per_s is not None}
    return found, facts["sockets"]


VM = "fpu avx2 hypervisor"


@pytest.mark.parametrize(
    ("packages", "nodes", "keywords", "sockets"),
    [
        (range(32), {0: "0-31"}, {"flags": VM}, 1),  # QEMU's -smp 32: a socket for each CPU
        ([0, 0, 1, 1], {0: "0-3"}, {"flags": VM}, 1),
        ([0, 0, 1, 1], {0: "0-1", 1: "2-3"}, {"flags": VM}, 2),
        (range(8), {0: "0-3", 1: "4-7"}, {"flags": VM}, 2),
        ([0, 0, 0, 0], {0: "0-1", 1: "2-3"}, {"flags": VM}, 1),  # sub-NUMA clusters
        ([0, 0, 1, 1], {0: "0-3"}, {}, 2),  # a real machine whose nodes are interleaved
        ([0, 0, 0, 0, 1, 1, 2, 2], {0: "0-7"}, {"architecture": "aarch64"}, 1),  # RK3588's clusters
        ([0, 0, 0, 0, 1, 1, 2, 2], {}, {"architecture": "aarch64"}, 1),
        ([36, 36, 3180, 3180], {0: "0-1", 1: "2-3"}, {"architecture": "aarch64"}, 2),
        ([36, 36, 3180, 3180], {0: "0", 1: "1", 2: "2", 3: "3"}, {"architecture": "aarch64"}, 2),  # Kunpeng 920
    ],
)
def test_memory_is_multiplied_by_sockets_and_not_by_packages(build, packages, nodes, keywords, sockets):
    found, fact = theories(machine(build, packages, nodes, **keywords))
    assert found == {sockets * SOCKET}
    assert fact.value == sockets


def test_what_was_taken_is_said(build):
    _, fact = theories(machine(build, range(32), {0: "0-31"}, flags=VM))
    assert fact.source == "one socket for a virtual machine; the kernel counts 32 packages"
    assert fact.confidence == "assumed"
    _, fact = theories(machine(build, [0, 0, 1, 1], {0: "0-3"}))
    assert (fact.source, fact.confidence) == ("/sys/devices/system", "read")


def processors(*populated):
    """An SMBIOS table of central processors."""
    table = b""
    for number, is_there in enumerate(populated):
        area = bytearray(48)
        area[0:4] = bytes((4, 48, number, 0))
        area[0x05], area[0x18] = 3, 0x41 if is_there else 0
        table += bytes(area) + b"\0\0"
    return {"/sys/firmware/dmi/tables/DMI": table + bytes((127, 4, 0xFF, 0xFE, 0, 0))}


@pytest.mark.parametrize(
    ("populated", "architecture", "flags", "sockets"),
    [
        ((True, True), "aarch64", "", 2),
        ((True, False), "aarch64", "", 1),
        ((True,) * 9, "aarch64", "", 1),  # an entry for each core
        ((True,) * 4, "x86_64", VM, 1),  # a hypervisor's table repeats its packages
    ],
)
def test_the_firmware_lists_the_sockets_of_a_real_machine(build, populated, architecture, flags, sockets):
    reader = machine(
        build, [0, 0, 1, 1, 2, 2, 3, 3], {0: "0-7"}, architecture=architecture, flags=flags, more=processors(*populated)
    )
    found, fact = theories(reader)
    assert found == {sockets * SOCKET}
    assert fact.value == sockets


def test_the_user_says_otherwise(build):
    hidden = machine(build, range(32), {0: "0-31"}, flags=VM)
    assert theories(hidden, sockets=2)[0] == {2 * SOCKET}


def test_one_thread_of_a_made_up_package_has_its_node_s_socket(build):
    reader = machine(build, range(8), {0: "0-3", 1: "4-7"}, flags=VM)
    assert theories(reader, threads=("1",))[0] == {SOCKET}
    topology = read_topology(reader)
    assert topology.sockets_of(range(4)) == {0}
    assert topology.sockets_of(range(8)) == {0, 1}
    assert len(topology.cores) == 8  # core_id 0 in each package: not one core
