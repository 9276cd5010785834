from __future__ import annotations

import json
import subprocess
import sys

from bandwidth.ceilings.memory import configured_memory
from bandwidth.machine.facts import CONFIDENCES, Facts
from bandwidth.machine.modules.table import SMBIOS_TABLE
from bandwidth.machine.probe import collect
from bandwidth.machine.reader import CapturedReader, SystemReader, read_integer, whole_number

GIB = 1024**3


def values(reader):
    facts = collect(reader)
    assert Facts.from_json(json.loads(json.dumps(facts.to_json()))) == facts
    return {name: value for name, value in facts.to_json().items() if name != "sources"}


def test_a_two_socket_server(build):
    slots = [
        build.Slot(f"DIMM {c}", f"P{s} CHANNEL {chr(65 + c)}", 0x22, "DDR5", 32 * GIB, 5600, 4800)
        for s in range(2)
        for c in range(12)
    ]
    files = {
        **build.epyc_sysfs(),
        "/proc/cpuinfo": build.cpuinfo("AuthenticAMD", 25, 17, "AMD EPYC 9124 16-Core Processor"),
        "/proc/meminfo": "MemTotal: 805306368 kB\nMemAvailable: 800000000 kB\n",
        "/etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
        SMBIOS_TABLE: build.smbios(slots),
    }
    reader = CapturedReader(
        files, allowed_cpus=tuple(range(64)), logical_cpus=64, hostname="node1", kernel="6.1.0", c_library="glibc 2.36",
        packages={"numpy": "2.1.0"},
    )  # fmt: skip
    facts = values(reader)
    del facts["memory_modules"]
    assert facts == {
        "hostname": "node1",
        "operating_system": "Debian GNU/Linux 12 (bookworm)",
        "kernel": "6.1.0",
        "architecture": "x86_64",
        "python_version": "3.11.0",
        "numpy_version": "2.1.0",
        "c_library": "glibc 2.36",
        "cpu_vendor": "AuthenticAMD",
        "cpu_family": 25,
        "cpu_model_number": 17,
        "cpu_model": "AMD EPYC 9124 16-Core Processor",
        "sockets": 2,
        "physical_cores": 32,
        "logical_cpus": 64,
        "threads_per_core": 2,
        "cpus_allowed": "0-63",
        "numa_nodes": 2,
        "cache_l1d_bytes": 1024**2,
        "cache_l2_bytes": 32 * 1024**2,
        "cache_l3_bytes": 128 * 1024**2,
        "last_level_cache_bytes": 128 * 1024**2,
        "last_level_cache_instances": 4,
        "memory_total_bytes": 768 * GIB,
        "memory_available_bytes": 819200000000,
        "virtualization": "none",
        "container": "none",
        "memory_slots": 24,
        "memory_type": "DDR5",
        "memory_rated_mt_s": 5600,
        "memory_configured_mt_s": 4800,
        "memory_channels_possible": 24,
        "memory_channels": 24,
        "memory_channels_with_slots": 24,
        "memory_width_bits": 1536,
        "gpus": [],
    }
    assert configured_memory(collect(reader)).spec == "DDR5-4800 x24"


def test_a_kvm_guest_without_dmi_in_a_container(build):
    files = {
        **build.sysfs([{"cpus": "0,1", "socket": 0, "core_id": 0}], {0: "0-1"}, online="0-1", present="0-3"),
        "/proc/cpuinfo": build.cpuinfo("GenuineIntel", 6, 143, "Intel Xeon Processor", "fpu hypervisor"),
        "/.dockerenv": "",
        "/proc/self/cgroup": "0::/\n",
        "/sys/fs/cgroup/memory.max": f"{2 * GIB}\n",
        "/sys/fs/cgroup/cpu.max": "50000 100000\n",
    }
    facts = values(CapturedReader(files, allowed_cpus=(1,), logical_cpus=2))
    assert facts["cpus_allowed"] == "1"
    assert facts["cpus_offline"] == 2
    assert facts["cpu_quota"] == 0.5
    assert facts["memory_limit_bytes"] == 2 * GIB
    assert (facts["virtualization"], facts["container"]) == ("hypervisor", "docker")
    assert "virtual machine" in facts["memory_modules_reason"]
    assert "cache_l3_bytes" not in facts


def test_cpus_that_the_kernel_keeps_free(build):
    files = build.sysfs(
        [{"cpus": "0", "socket": 0, "core_id": 0}], {0: "0"}, online="0", isolated="2-3,8", nohz_full="2-3"
    )
    facts = values(CapturedReader(files, allowed_cpus=(0,)))
    assert (facts["cpus_isolated"], facts["cpus_nohz_full"]) == ("2-3,8", "2-3")


def test_no_cpus_are_kept_free(build):
    for isolated, nohz_full in (("", "  (null)"), ("\0", "x-y"), ("3-2", "")):
        files = build.sysfs(
            [{"cpus": "0", "socket": 0, "core_id": 0}], {0: "0"}, online="0", isolated=isolated, nohz_full=nohz_full
        )
        facts = values(CapturedReader(files, allowed_cpus=(0,)))
        assert not {"cpus_isolated", "cpus_nohz_full"} & set(facts)


def test_an_arm_server_with_device_tree(build):
    cores = [{"cpus": str(cpu), "socket": -1, "core_id": cpu, "caches": [(1, "Data", "64K", cpu)]} for cpu in range(4)]
    files = build.sysfs(cores, {}, online="0-3", present="0-3")
    files["/proc/cpuinfo"] = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n\n"
    facts = values(CapturedReader(files, machine="aarch64", allowed_cpus=(0, 1, 2, 3)))
    assert facts["cpu_model"] == "ARM Neoverse-N1"
    assert (facts["sockets"], facts["numa_nodes"], facts["physical_cores"]) == (1, 1, 4)
    assert facts["last_level_cache_bytes"] == 256 * 1024
    assert "no table" in facts["memory_modules_reason"]


def test_macos_and_windows():
    commands = {("sysctl", "-n", "machdep.cpu.brand_string"): "Apple M3\n"}
    mac = CapturedReader(
        {},
        commands,
        "Darwin",
        "arm64",
        logical_cpus=8,
        physical_cores=8,
        os_version="macOS 15.1",
        total_memory_bytes=GIB,
    )
    facts = values(mac)
    assert (facts["cpu_model"], facts["operating_system"], facts["physical_cores"]) == ("Apple M3", "macOS 15.1", 8)
    assert "gpus" not in facts
    windows = CapturedReader({}, system="Windows", machine="AMD64", logical_cpus=16, physical_cores=8)
    facts = values(windows)
    assert (facts["cpus_allowed"], facts["physical_cores"]) == ("0-15", 8)
    assert collect(windows)["cpus_allowed"].source == "all CPUs: affinity is not known"


def test_a_machine_that_says_nothing():
    facts = values(CapturedReader({}))
    assert facts["logical_cpus"] == 1
    assert "cpu_model" not in facts


def test_every_number_reader_is_bounded():
    assert whole_number("9" * 5000) is None
    assert whole_number(" -1\n") == -1
    assert [whole_number(text) for text in (None, "", "-", "1.5", "²", "0x1")] == [None] * 6
    assert read_integer(CapturedReader({"/a": b"\xff\xfe"}), "/a") is None


def test_captured_folders():
    reader = CapturedReader({"/a/b/c": "x", "/a/d": b"y"})
    assert reader.names("/a") == ("b", "d")
    assert reader.names("/a/b/") == ("c",)
    assert reader.names("/") == ("a",)
    assert reader.names("/none") == ()
    assert (reader.data("/a/b/c"), reader.text("/a/d"), reader.text("/a")) == (b"x", "y", None)


def test_the_real_machine_answers():
    facts = collect()
    assert facts.text("hostname")
    assert (facts.integer("physical_cores") or 0) >= 1
    assert all(fact.confidence in CONFIDENCES and fact.source for fact in facts.values())


def test_the_real_reader_never_raises(tmp_path):
    reader = SystemReader()
    assert reader.text(str(tmp_path / "none")) is None
    assert reader.data(str(tmp_path)) is None
    assert reader.text("a\0b") is None
    assert reader.names(str(tmp_path / "none")) == ()
    assert reader.run(str(tmp_path / "none")) is None
    assert reader.run(sys.executable, "-c", "raise SystemExit(3)") is None
    assert (reader.run(sys.executable, "-c", "print(42)") or "").strip() == "42"
    assert reader.package_version("no-such-distribution-at-all") is None
    assert reader.logical_cpus() >= 1
    assert (reader.total_memory_bytes() or 0) >= (reader.available_memory_bytes() or 0)


def test_the_room_needs_neither_numpy_nor_psutil_to_be_imported():
    heavy = ("numpy", "psutil", "cupy", "pynvml", "plistlib")
    code = f"import sys, bandwidth.machine.probe; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_who_made_the_machine_is_told_unless_nobody_filled_it_in():
    folder = "/sys/class/dmi/id"
    files = {f"{folder}/sys_vendor": "Amazon EC2\n", f"{folder}/product_name": "m7i.large\n"}
    files |= {f"{folder}/board_vendor": "To Be Filled By O.E.M.\n", f"{folder}/board_name": "Default string\n"}
    facts = collect(CapturedReader(files))
    assert (facts.text("system_vendor"), facts.text("product_name")) == ("Amazon EC2", "m7i.large")
    assert not {"board_vendor", "board_name"} & set(facts)
