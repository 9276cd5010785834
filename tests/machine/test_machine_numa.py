from __future__ import annotations

import pytest

from bandwidth.machine.numa import NumaNode, numa_facts, read_allowed_memory_nodes, read_numa_nodes
from bandwidth.machine.probe import collect
from bandwidth.machine.reader import CapturedReader
from bandwidth.machine.topology import read_topology
from bandwidth.planning.host import make_plan
from bandwidth.planning.options import MeasureOptions

NODE = "/sys/devices/system/node"
STATUS = "/proc/self/status"
GIB = 1024**3


def distance(one, other):
    if one == other:
        return 10
    if 8 in (one, other):
        return 24 if min(one, other) < 4 else 34
    return 12 if one // 4 == other // 4 else 32


def server(build, allowed="0-8", **changes):
    """Return 2 sockets of 4 nodes with 8 cores each, and a node 8 of CXL memory without CPUs."""
    cores = [{"cpus": str(cpu), "socket": cpu // 32, "core_id": cpu % 32} for cpu in range(64)]
    nodes = {node: f"{node * 8}-{node * 8 + 7}" for node in range(8)} | {8: ""}
    files = build.sysfs(cores, nodes, online="0-63", present="0-63")
    for node in range(9):
        size = 0 if node == 3 else 256 if node == 8 else 64
        files[f"{NODE}/node{node}/meminfo"] = f"Node {node} MemTotal:       {size * 1024**2} kB\n"
        files[f"{NODE}/node{node}/distance"] = " ".join(str(distance(node, other)) for other in range(9)) + "\n"
    files[f"{NODE}/has_memory"] = "0-2,4-8\n"
    files[STATUS] = f"Name:\tpython\nMems_allowed:\tff\nMems_allowed_list:\t{allowed}\nvoluntary_ctxt_switches:\t1\n"
    return CapturedReader(files | changes.get("files", {}), allowed_cpus=tuple(range(64)), logical_cpus=64)


def plain(facts):
    return {name: fact.value for name, fact in facts.items()}


def test_a_server_with_a_cxl_node_and_a_node_without_memory(build):
    topology = read_topology(server(build))
    assert topology.nodes == tuple(range(9))
    assert topology.numa_nodes[0] == NumaNode(0, tuple(range(8)), 64 * GIB, (10, 12, 12, 12, 32, 32, 32, 32, 24), True)
    assert topology.numa_nodes[8] == NumaNode(8, (), 256 * GIB, (24, 24, 24, 24, 34, 34, 34, 34, 10), True)
    assert (topology.memory_only_nodes, topology.processor_only_nodes) == ((8,), (3,))
    assert topology.memory_nodes_allowed == (0, 1, 2, 4, 5, 6, 7, 8)
    assert topology.cores[24].node == 3


def test_its_facts(build):
    facts = collect(server(build))
    assert facts["numa_nodes"].value == 9
    assert facts["numa_memory_only_nodes"].value == [8]
    assert facts["numa_processor_only_nodes"].value == [3]
    assert facts["numa_node_memory_bytes"].value["8"] == 256 * GIB
    assert facts["numa_distances"].value["4"] == [32, 32, 32, 32, 10, 12, 12, 12, 34]
    assert "memory_nodes_allowed" not in facts


def test_a_job_that_may_use_the_memory_of_two_nodes(build):
    topology = read_topology(server(build, allowed="3-4,8"))
    assert topology.memory_nodes_allowed == (4, 8)
    fact = collect(server(build, allowed="3-4,8"))["memory_nodes_allowed"]
    assert (fact.value, fact.source) == ([4, 8], "/proc/self/status Mems_allowed_list")


@pytest.mark.parametrize("allowed", ["0-63", "", "garbage", "9-7", "40"])
def test_all_nodes_are_allowed_where_nothing_usable_says_otherwise(build, allowed):
    topology = read_topology(server(build, allowed=allowed))
    assert topology.memory_nodes_allowed == (0, 1, 2, 4, 5, 6, 7, 8)
    assert "memory_nodes_allowed" not in collect(server(build, allowed=allowed))


def test_one_node_has_no_distances():
    reader = CapturedReader({f"{NODE}/node0/cpulist": "0-3\n", f"{NODE}/node0/distance": "10\n"})
    nodes = read_numa_nodes(reader)
    assert nodes == (NumaNode(0, (0, 1, 2, 3), None, (10,), True),)
    assert numa_facts(nodes, read_allowed_memory_nodes(reader, nodes)) == {}


def test_nodes_are_in_the_order_of_their_numbers_and_may_have_gaps():
    files = {f"{NODE}/node{node}/cpulist": f"{node}\n" for node in (10, 2, 0)}
    files |= {f"{NODE}/node{node}/distance": "10 20 30\n" for node in (10, 2, 0)}
    nodes = read_numa_nodes(CapturedReader({**files, f"{NODE}/nodes/cpulist": "0\n", f"{NODE}/power/async": "x"}))
    assert [node.number for node in nodes] == [0, 2, 10]
    assert nodes[0].distances == (10, 20, 30)


def test_where_sizes_cannot_be_read_the_list_of_nodes_with_memory_tells():
    files = {f"{NODE}/node{node}/cpulist": cpus for node, cpus in enumerate(("0-3\n", "4-7\n", "\n", "\n"))}
    nodes = read_numa_nodes(CapturedReader({**files, f"{NODE}/has_memory": "0,2\n"}))
    assert [(node.memory_bytes, node.has_memory) for node in nodes] == [
        (None, True), (0, False), (None, True), (0, False),
    ]  # fmt: skip
    unlisted = read_numa_nodes(CapturedReader(files))
    # A node without CPUs may be a device that has no memory either: nothing is claimed of it.
    assert [(node.memory_bytes, node.has_memory) for node in unlisted] == [(None, bool(node.cpus)) for node in nodes]


@pytest.mark.parametrize("text", ["", "x", "10 20", "10 -1 20", "10 999 20", "10 20 30 40", "\0", "1" * 5000])
def test_garbage_distances_are_unknown(build, text):
    reader = server(build, files={f"{NODE}/node0/distance": text})
    topology = read_topology(reader)
    assert topology.numa_nodes[0].distances == ()
    assert "0" not in collect(reader)["numa_distances"].value
    assert topology.numa_nodes[1].distances


def test_a_container_that_may_read_none_of_it(build):
    files = build.sysfs([{"cpus": "0", "socket": 0, "core_id": 0}], {}, online="0")
    topology = read_topology(CapturedReader({**files, STATUS: "Mems_allowed_list:\t0\n"}, allowed_cpus=(0,)))
    assert (topology.nodes, topology.numa_nodes, topology.memory_nodes_allowed) == ((0,), (), ())
    assert plain(numa_facts((), ())) == {}


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
    assert fact.source == "one socket assumed for a virtual machine; the kernel counts 32 packages"
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
