from __future__ import annotations

from bandwidth.machine.facts import Facts
from bandwidth.machine.reader import CapturedReader
from bandwidth.machine.system_memory import cpu_quota_facts, memory_facts, usable_memory_bytes

GIB = 1024**3
V2 = "/sys/fs/cgroup"
MEMINFO = {"/proc/meminfo": f"MemTotal:       {64 * 1024**2} kB\nMemFree: 1 kB\nMemAvailable:   {48 * 1024**2} kB\n"}


def plain(facts):
    return {name: fact.value for name, fact in facts.items()}


def facts_of(files, **keywords):
    return Facts(memory_facts(CapturedReader({**MEMINFO, **files}, **keywords)))


def test_sizes():
    facts = facts_of({})
    assert plain(facts) == {"memory_total_bytes": 64 * GIB, "memory_available_bytes": 48 * GIB}
    assert usable_memory_bytes(facts) == 48 * GIB


def test_systems_without_proc_are_asked():
    reader = CapturedReader({}, system="Darwin", total_memory_bytes=32 * GIB, available_memory_bytes=8 * GIB)
    facts = memory_facts(reader)
    assert plain(facts) == {"memory_total_bytes": 32 * GIB, "memory_available_bytes": 8 * GIB}
    assert facts["memory_total_bytes"].source == "psutil.virtual_memory"


def test_version_2_smallest_limit_up_to_the_root_wins():
    slice_, pod = f"{V2}/kubepods.slice", f"{V2}/kubepods.slice/pod1"
    facts = facts_of(
        {
            "/proc/self/cgroup": "0::/kubepods.slice/pod1/app\n",
            f"{pod}/app/memory.max": "max\n",
            f"{pod}/memory.max": f"{8 * GIB}\n",
            f"{pod}/memory.current": f"{3 * GIB}\n",
            f"{pod}/memory.stat": f"anon 5\ninactive_file {1 * GIB}\n",
            f"{slice_}/memory.max": f"{40 * GIB}\n",
            f"{slice_}/memory.current": f"{39 * GIB}\n",
        }
    )
    assert facts.value("memory_limit_bytes") == 8 * GIB
    assert facts["memory_limit_bytes"].source == f"{pod}/memory.max"
    assert facts.value("memory_used_bytes") == 2 * GIB  # page cache that can be dropped is not in the way
    assert usable_memory_bytes(facts) == 1 * GIB  # the slice has less left than the pod


def test_version_2_seen_from_inside_a_container():
    for path in ("/", "/../..", "/docker/0123"):
        facts = facts_of({"/proc/self/cgroup": f"0::{path}\n", f"{V2}/memory.max": f"{GIB}\n"})
        assert facts.value("memory_limit_bytes") == GIB


def test_version_1_and_its_huge_number():
    mount = "/sys/fs/cgroup/memory"
    files = {
        "/proc/self/cgroup": "4:memory:/slurm/job_7\n3:cpu,cpuacct:/slurm/job_7\n0::/\n",
        f"{mount}/memory.limit_in_bytes": "9223372036854771712\n",
        f"{mount}/slurm/job_7/memory.limit_in_bytes": f"{4 * GIB}\n",
        f"{mount}/slurm/job_7/memory.usage_in_bytes": f"{GIB}\n",
        "/sys/fs/cgroup/cpu,cpuacct/slurm/job_7/cpu.cfs_quota_us": "250000\n",
        "/sys/fs/cgroup/cpu,cpuacct/slurm/job_7/cpu.cfs_period_us": "100000\n",
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    }
    facts = facts_of(files)
    assert facts.value("memory_limit_bytes") == 4 * GIB
    assert usable_memory_bytes(facts) == 3 * GIB
    assert plain(cpu_quota_facts(CapturedReader(files))) == {"cpu_quota": 2.5}


def test_no_limit_is_no_fact():
    facts = facts_of({"/proc/self/cgroup": "0::/\n", f"{V2}/memory.max": "max\n"})
    assert "memory_limit_bytes" not in facts
    assert "memory_limit_left_bytes" not in facts


def test_cpu_quota_of_version_2():
    files = {
        "/proc/self/cgroup": "0::/a/b\n",
        f"{V2}/a/b/cpu.max": "max 100000\n",
        f"{V2}/a/cpu.max": "150000 100000\n",
    }
    facts = cpu_quota_facts(CapturedReader(files))
    assert facts["cpu_quota"].value == 1.5
    assert facts["cpu_quota"].source == f"{V2}/a/cpu.max"


def test_garbage_is_no_limit():
    for text in ("", "x", "0::", "0::/\0", "a:b"):
        files = {"/proc/self/cgroup": text, f"{V2}/memory.max": "lots\n", f"{V2}/cpu.max": "1 0\n"}
        assert "memory_limit_bytes" not in facts_of(files)
        assert cpu_quota_facts(CapturedReader(files)) == {}
    assert usable_memory_bytes(Facts({})) is None
