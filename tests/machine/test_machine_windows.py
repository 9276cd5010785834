"""Windows' calls and its table of processors: structures as its headers have them, refusals, several groups."""

import ctypes
import platform
import sys

import pytest
import scripted_windows as scripted
from hypothesis import given
from hypothesis import strategies as st
from scripted_windows import DENIED, MIB, ScriptedWindows, affinity, cache, core, node, package

from bandwidth.machine import probe
from bandwidth.machine.numa import NumaNode
from bandwidth.machine.reader import CapturedReader, SystemReader
from bandwidth.machine.topology import Core, read_topology
from bandwidth.machine.windows import calls, processors
from bandwidth.machine.windows.processors import cpus_of, own_cpus, own_table, place_of, processors_of

TWO_GROUPS = tuple(range(128))
ALL = 2**64 - 1


@pytest.fixture
def on_windows(monkeypatch):
    """Let this process run on a scripted Windows."""

    def start(**machine):
        windows = ScriptedWindows(**machine)
        monkeypatch.setattr(platform, "system", lambda: "Windows")
        for module in (calls, processors):
            monkeypatch.setattr(module, "this_windows", lambda: windows.calls)
        return windows

    return start


def topology_of(table, allowed=None, **machine):
    return read_topology(CapturedReader({}, system="Windows", processor_table=table, allowed_cpus=allowed, **machine))


# --- structures


@pytest.mark.skipif(sys.maxsize < 2**32, reason="the sizes are those of 64 bits")
@pytest.mark.parametrize(
    ("structure", "size", "places"),
    [
        (calls.GroupAffinity, 16, {"mask": 0, "group": 8, "reserved": 10}),
        (calls.Luid, 8, {"low": 0, "high": 4}),
        (calls.TokenPrivileges, 16, {"count": 0, "luid": 4, "attributes": 12}),
        (calls.PageInformation, 16, {"address": 0, "flags": 8}),
        (processors.RecordHead, 8, {"relation": 0, "size": 4}),
        (processors.ProcessorRelation, 24, {"flags": 0, "efficiency_class": 1, "groups": 22}),
        (processors.NodeRelation, 24, {"number": 0, "groups": 22}),
        (processors.CacheRelation, 32, {"level": 0, "line_bytes": 2, "size_bytes": 4, "kind": 8, "groups": 30}),
    ],
)
def test_structures_are_as_winnt_h_has_them(structure, size, places):
    assert ctypes.sizeof(structure) == size
    assert {name: getattr(structure, name).offset for name in places} == places


def test_every_call_has_the_types_of_its_documentation():
    """The declared types are of the same widths as those of the scripted libraries, which are written out apart."""
    for declared, documented in ((calls.KERNEL32, scripted.KERNEL32), (calls.ADVAPI32, scripted.ADVAPI32)):
        widths = {name: [ctypes.sizeof(kind) for kind in types] for name, types in documented.items()}
        own = {name: [ctypes.sizeof(kind) for kind in (result, *types)] for name, (result, types) in declared.items()}
        assert own == widths


def test_there_are_no_such_libraries_elsewhere():
    if sys.platform != "win32":
        with pytest.raises(AttributeError):
            calls.this_windows()


# --- the table


def test_two_groups_of_64_are_128_cpus_with_the_numbers_of_their_groups():
    topology = topology_of(scripted.two_groups(), TWO_GROUPS)
    assert topology.cpus_allowed == TWO_GROUPS
    assert (topology.sockets, topology.nodes, topology.cores_online, topology.cpus_online) == (2, (0, 1), 64, 128)
    assert (topology.threads_per_core, topology.can_pin, topology.cpus_present) == (2, True, 128)
    assert topology.cores[0] == Core((0, 1), 0, 0)
    assert topology.cores[32] == Core((64, 65), 1, 1)
    assert topology.numa_nodes[1] == NumaNode(1, tuple(range(64, 128)), has_memory=True)
    assert topology.memory_nodes_allowed == (0, 1)
    assert topology.cache_bytes(1) == 64 * 32 * 1024  # the instruction caches are not counted
    assert topology.last_level_cache_bytes([0, 64]) == 64 * MIB
    assert topology.last_level_cache_instances == 8
    assert topology.sockets_of([127]) == {1}


def test_a_group_that_is_not_full_leaves_numbers_out():
    masks = [affinity(group, 1 << bit) for group in (0, 1) for bit in range(48)]
    topology = topology_of(b"".join(map(core, masks)), (*range(48), *range(64, 112)))
    assert topology.cpus_allowed == (*range(48), *range(64, 112))
    assert len(topology.cores) == 96
    assert (topology.sockets, topology.nodes) == (1, (0,))  # nothing was told of packages and nodes


def test_a_cpu_leads_back_to_its_group():
    assert place_of(64) == (1, 1)
    assert place_of(127) == (1, 1 << 63)
    assert cpus_of(2, 0b101) == (128, 130)
    for cpu in (0, 63, 64, 200):
        assert cpus_of(*place_of(cpu)) == (cpu,)


def test_kinds_of_cores_are_their_efficiency_classes():
    three = b"".join(core(affinity(0, 1 << cpu), efficiency=cpu // 2) for cpu in range(6))
    kinds = [core.kind for core in topology_of(three, tuple(range(6))).cores]
    assert kinds == ["performance"] * 2 + ["efficiency"] * 2 + ["low power efficiency"] * 2
    two = core(affinity(0, 0b11), efficiency=1) + core(affinity(0, 0b100), efficiency=0)
    topology = topology_of(two, (0, 1, 2))
    assert topology.cores == (Core((0, 1), 0, 0, "performance"), Core((2,), 0, 0, "efficiency"))
    assert topology.cores_by_kind == (("performance", 1), ("efficiency", 1))
    four = b"".join(core(affinity(0, 1 << cpu), efficiency=cpu) for cpu in range(4))
    assert topology_of(four, (0, 1, 2, 3)).core_kinds == ("performance", "efficiency")
    assert topology_of(core(affinity(0, 1), efficiency=1), (0,)).core_kinds == ()


def test_a_windows_that_does_not_count_groups_has_one():
    masks = affinity(0, 0b11)
    table = core(masks) + node(0, masks, is_old=True) + cache(3, MIB, masks, is_old=True)
    topology = topology_of(table, (0, 1))
    assert topology.numa_nodes[0].cpus == (0, 1)
    assert topology.last_level_cache_bytes([1]) == MIB


def test_a_node_in_several_groups_has_the_cpus_of_all():
    masks = [affinity(group, 0b1) for group in (0, 1)]
    table = b"".join([*map(core, masks), package(*masks), node(0, masks[0]), node(0, *masks, relation=6)])
    topology = topology_of(table, (0, 64))
    assert topology.numa_nodes == (NumaNode(0, (0, 64), has_memory=True),)
    assert topology.sockets == 1


def test_packages_of_a_virtual_machine_are_not_taken_for_sockets():
    table = scripted.one_group(4) + b"".join(package(affinity(0, 1 << cpu)) for cpu in range(4))
    listing = (
        "\nHKEY_LOCAL_MACHINE\\HARDWARE\\DESCRIPTION\\System\\BIOS\n    BiosMajorRelease    REG_DWORD    0x4\n"
        "    SystemManufacturer    REG_SZ    {}\n    SystemProductName    REG_SZ    {}\n\n"
    )
    command = ("reg", "query", r"HKLM\HARDWARE\DESCRIPTION\System\BIOS")
    for names, virtual, sockets in (
        (("Microsoft Corporation", "Virtual Machine"), "Hyper-V", 1),
        (("Dell Inc.", "PowerEdge R760"), None, 4),
    ):
        reader = CapturedReader(
            {},
            {command: listing.format(*names)},
            system="Windows",
            machine="AMD64",
            processor_table=table,
            allowed_cpus=(0, 1, 2, 3),
        )
        assert read_topology(reader).sockets == sockets
        assert probe.collect(reader).text("virtualization") == virtual


def test_cpus_that_may_not_be_used_take_no_part():
    topology = topology_of(scripted.two_groups(), (1, 64))
    assert [core.cpus for core in topology.cores] == [(1,), (64,)]
    assert (topology.cpus_allowed, topology.cores_online) == ((1, 64), 64)


def test_without_an_affinity_nothing_is_pinned_and_all_is_used():
    topology = topology_of(scripted.one_group(2))
    assert (topology.can_pin, topology.cpus_allowed) == (False, (0, 1))


def test_an_empty_table_leaves_it_to_the_counts():
    topology = topology_of(node(0, affinity(0, 1)), (0, 1), logical_cpus=2, physical_cores=2)
    assert [core.cpus for core in topology.cores] == [(0,), (1,)]
    assert not topology.can_pin


@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 255))
def test_no_table_is_an_error(noise, place, byte):
    processors_of(noise)
    table = bytearray(scripted.one_group(3))
    table[place % len(table)] = byte
    found = processors_of(bytes(table[: place + 1]) + noise)
    assert all(0 <= cpu < 64 * 2**16 for cpu in found.cpus)


def test_facts_name_the_calls_that_they_are_from():
    reader = CapturedReader({}, system="Windows", processor_table=scripted.two_groups(), allowed_cpus=TWO_GROUPS)
    facts = probe.collect(reader)
    assert facts["physical_cores"].source == "GetLogicalProcessorInformationEx"
    assert (facts["cpus_allowed"].value, facts["cpus_allowed"].source) == ("0-127", "GetProcessAffinityMask")
    assert facts["cache_l3_bytes"].value == 256 * MIB
    assert facts["sockets"].value == 2


# --- this process on a Windows


def test_the_table_is_asked_for_until_it_fits(on_windows):
    windows = on_windows(table=scripted.one_group(2), growth=3)
    assert own_table() == windows.table
    asked = windows.named("GetLogicalProcessorInformationEx")
    assert len([one for one in asked if one[1] == 0xFFFF]) == 5  # its length, three times too little, and the table
    assert own_cpus() == (0, 1, 63)


def test_a_table_that_grows_for_ever_is_given_up(on_windows):
    on_windows(table=scripted.one_group(2), growth=1000)
    assert own_table() is None
    assert own_cpus() is None


def test_nodes_with_all_their_groups_are_asked_for_where_windows_has_them(on_windows):
    masks = [affinity(group, 1) for group in (0, 1)]
    windows = on_windows(table=node(0, masks[0]), nodes_table=node(0, *masks, relation=6))
    assert processors_of(windows.calls.processor_table()).nodes == {0: (0, 64)}
    on_windows(table=scripted.one_group(1))
    assert processors_of(own_table()).nodes == {0: (0,)}


@pytest.mark.parametrize(
    ("machine", "cpus"),
    [
        ({"groups": (ALL, ALL)}, TWO_GROUPS),
        ({"groups": (ALL, ALL), "own": 0b1100, "own_group": 1}, (66, 67)),
        ({"groups": (ALL,), "own": ALL}, TWO_GROUPS),  # what the table has
        ({"groups": (ALL, ALL), "refused": {"GetProcessAffinityMask": DENIED}}, None),
        ({"groups": (ALL, ALL), "refused": {"GetLogicalProcessorInformationEx": DENIED}}, None),
    ],
)
def test_cpus_that_this_process_may_use(machine, cpus, on_windows):
    on_windows(table=scripted.two_groups(), **machine)
    assert SystemReader().allowed_cpus() == cpus


def test_the_reader_of_this_system_asks_windows(on_windows):
    on_windows(table=scripted.two_groups(), groups=(ALL, ALL))
    topology = read_topology(SystemReader())
    assert (len(topology.cores), topology.can_pin, topology.cpus_allowed) == (64, True, TWO_GROUPS)


def test_linux_is_not_asked_for_a_table():
    assert SystemReader().processor_table() is None


# --- calls


def test_a_refused_call_names_itself_and_windows_error():
    windows = ScriptedWindows(refused={"SetThreadGroupAffinity": DENIED, "QueryPerformanceFrequency": 50})
    with pytest.raises(OSError, match="SetThreadGroupAffinity") as error:
        windows.calls.bind_thread(0, 1)
    assert error.value.errno == DENIED
    with pytest.raises(OSError, match="QueryPerformanceFrequency"):
        windows.calls.ticks_per_s()


def test_memory_is_large_where_it_is_asked_for_and_given_back():
    windows = ScriptedWindows(highest_node=1)
    with pytest.raises(OSError, match="VirtualAlloc") as error:
        windows.calls.allocate(4 * MIB, large=True)
    assert error.value.errno == scripted.NOT_HELD
    assert windows.calls.enable_privilege("SeLockMemoryPrivilege")
    large, small = windows.calls.allocate(4 * MIB, large=True), windows.calls.allocate(5000, 1)
    assert large % (2 * MIB) == 0
    pages = windows.calls.pages([large, large + 3 * MIB, small, 4096])
    assert [(page.is_valid, page.is_large, page.node) for page in pages] == [
        (True, True, 0),
        (True, True, 0),
        (True, False, 1),
        (False, False, 0),
    ]
    for address in (large, small):
        windows.calls.release(address)
    assert windows.allocations == {}
    with pytest.raises(OSError, match="VirtualFree"):
        windows.calls.release(large)
    with pytest.raises(OSError, match="VirtualAllocExNuma"):
        windows.calls.allocate(5000, 2)


def test_a_privilege_that_the_account_lacks_is_no_error_and_leaves_no_handle():
    windows = ScriptedWindows(may_lock_memory=False)
    assert not windows.calls.enable_privilege("SeLockMemoryPrivilege")
    assert windows.open_tokens == 0
    for name in ("OpenProcessToken", "LookupPrivilegeValueW", "AdjustTokenPrivileges"):
        refusing = ScriptedWindows(refused={name: DENIED})
        with pytest.raises(OSError, match=name):
            refusing.calls.enable_privilege("SeLockMemoryPrivilege")
        assert refusing.open_tokens == 0
