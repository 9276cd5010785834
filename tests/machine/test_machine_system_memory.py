from __future__ import annotations

import platform
import sys

import pytest

from bandwidth.machine.facts import Facts
from bandwidth.machine.reader import CapturedReader, SystemReader
from bandwidth.machine.system_memory import (
    cpu_quota_facts,
    memory_facts,
    page_facts,
    streaming_threshold_facts,
    usable_memory_bytes,
)

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


FOLDER = "/sys/kernel/mm/transparent_hugepage"


def pages(files, **keywords):
    return {name: fact.value for name, fact in page_facts(CapturedReader(files, **keywords)).items()}


def test_pages_of_a_linux_machine():
    files = {f"{FOLDER}/enabled": "always [madvise] never\n", f"{FOLDER}/hpage_pmd_size": "2097152\n"}
    assert pages(files, page_bytes=4096) == {
        "page_bytes": 4096,
        "transparent_huge_pages": "madvise",
        "transparent_huge_page_bytes": 2097152,
    }


def test_an_arm_kernel_with_large_pages():
    files = {f"{FOLDER}/enabled": "[always] madvise never\n", f"{FOLDER}/hpage_pmd_size": "536870912\n"}
    assert pages(files, page_bytes=65536)["transparent_huge_page_bytes"] == 512 * 1024**2


def test_a_mac_has_only_a_page_size():
    assert pages({}, system="Darwin", page_bytes=16384) == {"page_bytes": 16384}


@pytest.mark.parametrize("enabled", ["", "always madvise never", "[sometimes]", "[", "\0[]"])
@pytest.mark.parametrize("size", ["", "0", "-1", "2M", "9" * 30])
def test_pages_that_are_garbage_are_left_out(enabled, size):
    assert pages({f"{FOLDER}/enabled": enabled, f"{FOLDER}/hpage_pmd_size": size}) == {}


def test_this_machine_has_pages():
    size = SystemReader().page_bytes() or 0
    assert size >= 4096
    assert size & (size - 1) == 0


LOADER = "/lib64/ld-linux-x86-64.so.2"
NAME = "c_library_streaming_threshold_bytes"
TUNABLES = """\
glibc.rtld.nns: 0x4 (min: 0x1, max: 0x10)
glibc.elision.skip_lock_after_retries: 3 (min: 0, max: 2147483647)
glibc.cpu.x86_rep_movsb_threshold: 0x840 (min: 0x200, max: 0xffffffffffffffff)
glibc.cpu.x86_non_temporal_threshold: 0xb580000 (min: 0x4040, max: 0xfffffffffffffff)
glibc.cpu.x86_shstk:
"""


class Counting(CapturedReader):
    """A reader that notes the commands it is asked to run."""

    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self.ran = []

    def run(self, *command):
        self.ran.append(command)
        return super().run(*command)


def reader(output=TUNABLES, machine="x86_64", c_library="glibc 2.36", loader=LOADER, **keywords):
    return Counting({}, {(loader, "--list-tunables"): output}, machine=machine, c_library=c_library, **keywords)


def test_the_threshold_of_glibc():
    asked = reader()
    fact = streaming_threshold_facts(asked)[NAME]
    assert (fact.value, fact.source) == (0xB580000, f"{LOADER} --list-tunables")
    assert asked.ran == [(LOADER, "--list-tunables")]


def test_an_override_is_named_as_such():
    changed = TUNABLES.replace("0xb580000", "0x1000000")
    asked = reader(changed, environment={"GLIBC_TUNABLES": "glibc.cpu.x86_non_temporal_threshold=0x1000000"})
    fact = streaming_threshold_facts(asked)[NAME]
    assert (fact.value, fact.source) == (16 * 1024**2, f"{LOADER} --list-tunables with GLIBC_TUNABLES")


def test_32_bit_x86_has_another_loader():
    asked = reader(machine="i686", loader="/lib/ld-linux.so.2")
    assert streaming_threshold_facts(asked)[NAME].value == 0xB580000


@pytest.mark.parametrize(
    "keywords",
    [
        {"c_library": "musl 1.2.5"},
        {"c_library": None},
        {"c_library": "glibc"},
        {"c_library": "glibc 2.31"},
        {"machine": "aarch64"},
        {"machine": "ppc64le"},
        {"system": "Darwin"},
        {"system": "Windows", "machine": "AMD64"},
    ],
)
def test_nothing_runs_where_there_is_no_such_threshold(keywords):
    asked = reader(**keywords)
    assert streaming_threshold_facts(asked) == {}
    assert asked.ran == []


@pytest.mark.parametrize(
    "value", ["", "0x0 (min: 0x0)", "garbage", "0x", "0x" + "f" * 17, "0x1g", "12", "-0x1", "\0", "0x10,"]
)
def test_a_threshold_that_is_garbage_is_left_out(value):
    assert streaming_threshold_facts(reader(f"glibc.cpu.x86_non_temporal_threshold: {value}\n")) == {}


def test_a_loader_that_fails_or_is_missing():
    assert streaming_threshold_facts(Counting({}, c_library="glibc 2.36")) == {}


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc",
    reason="needs glibc on x86-64",
)
def test_the_real_loader_heeds_the_environment(monkeypatch):
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.cpu.x86_non_temporal_threshold=0x1000000")
    facts = streaming_threshold_facts(SystemReader())
    if not facts:
        pytest.skip("this glibc does not list its tunables")
    assert facts[NAME].value == 16 * 1024**2
