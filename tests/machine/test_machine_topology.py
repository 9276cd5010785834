from __future__ import annotations

from bandwidth.machine.reader import CapturedReader
from bandwidth.machine.topology import Core, read_topology

CPU = "/sys/devices/system/cpu"
MIB = 1024**2


def epyc(build, **keywords):
    keywords.setdefault("allowed_cpus", tuple(range(64)))
    return read_topology(CapturedReader(build.epyc_sysfs(), logical_cpus=64, **keywords))


def test_two_sockets(build):
    topology = epyc(build)
    assert topology.physical_core_cpus() == tuple(range(32))
    assert topology.cores[16] == Core((16, 48), socket=1, node=1)
    assert (topology.sockets, topology.nodes, topology.cpus_present) == (2, (0, 1), 64)
    assert topology.can_pin
    assert topology.cache_bytes(1) == 32 * 32 * 1024  # the instruction caches are not counted
    assert topology.cache_bytes(2) == 32 * MIB


def test_the_last_level_caches_that_cpus_can_reach(build):
    topology = epyc(build)
    assert topology.last_level_cache_bytes([0]) == 32 * MIB
    assert topology.last_level_cache_bytes([0, 32, 7]) == 32 * MIB
    assert topology.last_level_cache_bytes([0, 8, 16]) == 96 * MIB
    assert topology.all_last_level_cache_bytes == 128 * MIB
    assert topology.last_level_cache_instances == 4
    assert topology.last_level_cache_bytes([0, 4711]) is None
    assert topology.sockets_of([0, 48]) == {0, 1}
    assert topology.nodes_of([47]) == {0}


def test_a_cpuset_keeps_only_its_cpus_but_the_whole_machine_is_counted(build):
    topology = epyc(build, allowed_cpus=(34, 3, 35, 50))
    assert topology.cpus_allowed == (3, 34, 35, 50)
    assert topology.physical_core_cpus() == (3, 34, 50)
    assert [core.cpus for core in topology.cores] == [(3, 35), (34,), (50,)]
    assert (topology.cpus_online, topology.cores_online, topology.sockets) == (64, 32, 2)
    assert topology.last_level_cache_bytes(topology.cpus_allowed) == 64 * MIB


def test_offline_cpus(build):
    files = build.sysfs(
        [{"cpus": "0", "socket": 0, "core_id": 0}, {"cpus": "2", "socket": 0, "core_id": 1}],
        {0: "0,2"},
        online="0,2",
        present="0-3",
        offline="1,3",
    )
    files[f"{CPU}/cpu1/uevent"] = files[f"{CPU}/cpu3/uevent"] = ""
    topology = read_topology(CapturedReader(files, allowed_cpus=(0, 2), logical_cpus=2))
    assert (topology.cpus_present, topology.cpus_online) == (4, 2)
    assert topology.physical_core_cpus() == (0, 2)
    assert topology.last_level_cache_bytes([0]) is None
    assert topology.all_last_level_cache_bytes is None


def test_a_hybrid_laptop(build):
    """Two P-cores with two threads, four E-cores that share an L2, two low-power cores outside the L3."""
    llc = (3, "Unified", "12288K", "0-7")
    cores = [
        {
            "cpus": f"{cpu},{cpu + 1}",
            "socket": 0,
            "core_id": cpu,
            "caches": [(2, "Unified", "2048K", f"{cpu}-{cpu + 1}"), llc],
        }
        for cpu in (0, 2)
    ]
    cores += [
        {"cpus": str(cpu), "socket": 0, "core_id": cpu, "caches": [(2, "Unified", "2048K", "4-7"), llc]}
        for cpu in range(4, 8)
    ]
    cores += [
        {"cpus": str(cpu), "socket": 0, "core_id": cpu, "caches": [(2, "Unified", "2048K", "8-9")]} for cpu in (8, 9)
    ]
    files = build.sysfs(cores, {0: "0-9"}, online="0-9", present="0-9")
    topology = read_topology(CapturedReader(files, allowed_cpus=tuple(range(10))))
    assert topology.physical_core_cpus() == (0, 2, 4, 5, 6, 7, 8, 9)
    assert topology.last_level_cache_bytes([0]) == 12 * MIB
    assert topology.last_level_cache_bytes([8]) == 2 * MIB
    assert topology.all_last_level_cache_bytes == 14 * MIB
    assert topology.cache_bytes(2) == 8 * MIB


def test_core_ids_repeat_in_each_socket_where_siblings_are_not_listed(build):
    cores = [{"cpus": str(cpu), "socket": cpu % 4 // 2, "core_id": cpu % 2} for cpu in range(8)]
    files = build.sysfs(cores, {0: "0-1,4-5", 1: "2-3,6-7"}, online="0-7")
    files = {path: text for path, text in files.items() if not path.endswith("core_cpus_list")}
    topology = read_topology(CapturedReader(files, allowed_cpus=tuple(range(8))))
    assert [core.cpus for core in topology.cores] == [(0, 4), (1, 5), (2, 6), (3, 7)]
    older = files | {f"{CPU}/cpu{cpu}/topology/thread_siblings_list": f"{cpu % 4},{cpu % 4 + 4}\n" for cpu in range(8)}
    assert read_topology(CapturedReader(older, allowed_cpus=tuple(range(8)))).cores == topology.cores


def test_memory_only_nodes_count(build):
    files = build.sysfs([{"cpus": "0", "socket": 0, "core_id": 0}], {0: "0", 1: ""}, online="0")
    assert read_topology(CapturedReader(files)).nodes == (0, 1)


def test_garbage_and_empty_files_do_no_harm(build):
    files = {path: "" if index % 2 else "garbage\0" for index, path in enumerate(build.epyc_sysfs())}
    topology = read_topology(CapturedReader(files, allowed_cpus=tuple(range(64))))
    assert len(topology.cores) == 64
    assert topology.caches == ()
    assert topology.sockets == 1


def test_hundreds_of_cpus(build):
    cores = [
        {"cpus": f"{cpu},{cpu + 384}", "socket": cpu // 192, "core_id": cpu, "caches": [(3, "Unified", "32M", "0-767")]}
        for cpu in range(384)
    ]
    files = build.sysfs(cores, {0: "0-767"}, online="0-767", present="0-767")
    topology = read_topology(CapturedReader(files, allowed_cpus=tuple(range(768))))
    assert len(topology.cores) == 384
    assert topology.all_last_level_cache_bytes == 32 * MIB


def test_linux_without_sysfs_counts():
    topology = read_topology(CapturedReader({}, allowed_cpus=(2, 3, 4, 5), logical_cpus=4, physical_cores=2))
    assert topology.physical_core_cpus() == (2, 4)
    assert topology.can_pin
    assert topology.caches == ()


def test_windows_numbers_p_cores_first():
    topology = read_topology(CapturedReader({}, system="Windows", logical_cpus=20, physical_cores=12))
    assert [len(core.cpus) for core in topology.cores] == [2] * 8 + [1] * 4
    assert not topology.can_pin
    assert topology.cpus_allowed == tuple(range(20))


def test_counts_that_contradict_each_other():
    topology = read_topology(CapturedReader({}, system="Windows", logical_cpus=2, physical_cores=8))
    assert [core.cpus for core in topology.cores] == [(0,), (1,)]


def sysctl(**values):
    return {("sysctl", "-n", name.replace("__", ".")): f"{value}\n" for name, value in values.items()}


def test_apple_silicon():
    commands = sysctl(
        hw__nperflevels=2,
        hw__packages=1,
        hw__perflevel0__logicalcpu=8,
        hw__perflevel0__l1dcachesize=131072,
        hw__perflevel0__l2cachesize=16 * MIB,
        hw__perflevel0__cpusperl2=4,
        hw__perflevel1__logicalcpu=2,
        hw__perflevel1__l1dcachesize=65536,
        hw__perflevel1__l2cachesize=4 * MIB,
        hw__perflevel1__cpusperl2=2,
    )
    topology = read_topology(CapturedReader({}, commands, "Darwin", "arm64", logical_cpus=10, physical_cores=10))
    assert topology.last_level_cache_instances == 3
    assert topology.all_last_level_cache_bytes == 36 * MIB
    assert topology.cache_bytes(1) == 8 * 131072 + 2 * 65536
    assert not topology.can_pin


def test_an_intel_mac():
    commands = sysctl(hw__l1dcachesize=32768, hw__l2cachesize=262144, hw__l3cachesize=12 * MIB)
    commands[("sysctl", "-n", "hw.cacheconfig")] = "12 2 2 12 0 0 0 0 0 0\n"
    topology = read_topology(CapturedReader({}, commands, "Darwin", "x86_64", logical_cpus=12, physical_cores=6))
    assert topology.all_last_level_cache_bytes == 12 * MIB
    assert topology.cache_bytes(2) == 6 * 262144
    assert topology.physical_core_cpus() == (0, 2, 4, 6, 8, 10)


def test_a_mac_that_answers_nothing():
    topology = read_topology(CapturedReader({}, system="Darwin", logical_cpus=4))
    assert topology.all_last_level_cache_bytes is None
    assert len(topology.cores) == 4
