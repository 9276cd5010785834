"""All facts about this machine, collected once at the start of a call."""

from __future__ import annotations

from bandwidth.cpu_list import format_cpu_list, numbers_of
from bandwidth.machine.facts import ASSUMED, DERIVED, READ, Fact, Facts, Json, known
from bandwidth.machine.gpu_attributes import gpu_facts
from bandwidth.machine.identity import firmware_facts, identity_facts
from bandwidth.machine.modules.table import module_facts
from bandwidth.machine.numa import numa_facts
from bandwidth.machine.nvml import Nvml, SystemNvml
from bandwidth.machine.processor import (
    boost_facts,
    container_facts,
    core_kinds_source,
    device_tree_facts,
    processor_facts,
    smt_facts,
    virtualization_facts,
)
from bandwidth.machine.reader import CPU_FOLDER, Reader, SystemReader
from bandwidth.machine.system_memory import (
    cpu_quota_facts,
    hmat_facts,
    memory_facts,
    page_facts,
    streaming_threshold_facts,
)
from bandwidth.machine.topology import Topology, read_topology
from bandwidth.machine.windows import TABLE_SOURCE


def collect(reader: Reader | None = None, nvml: Nvml | None = None) -> Facts:
    """Return every fact that can be had without measuring; what is unknown is left out.

    NVML is this machine's where the reader is; beside any other reader it is asked only where it is given too.
    """
    reader = reader or SystemReader()
    if nvml is None and isinstance(reader, SystemReader):
        nvml = SystemNvml()
    environment = {**virtualization_facts(reader), **container_facts(reader)}
    processor, layout = processor_facts(reader), _layout(reader)
    return Facts(
        {
            **_software(reader),
            **firmware_facts(reader),
            **processor,
            **device_tree_facts(reader),
            **boost_facts(reader),
            **smt_facts(reader),
            **layout,
            **cpu_quota_facts(reader),
            **memory_facts(reader),
            **page_facts(reader),
            **environment,
            **identity_facts(reader),
            **module_facts(reader, Facts({**environment, **processor, **layout})),
            **hmat_facts(reader),
            **gpu_facts(reader, nvml),
        }
    )


def _software(reader: Reader) -> dict[str, Fact]:
    return {
        **known("hostname", reader.hostname() or None, "uname"),
        **_operating_system(reader),
        **known("kernel", reader.kernel() or None, "uname"),
        **known("architecture", reader.machine or None, "uname"),
        **known("python_version", reader.python_version() or None, "this interpreter"),
        **known("numpy_version", reader.package_version("numpy"), "package metadata"),
        **known("c_library", reader.c_library(), "confstr"),
        **streaming_threshold_facts(reader),
    }


def _operating_system(reader: Reader) -> dict[str, Fact]:
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        for line in (reader.text(path) or "").splitlines():
            name, equals, value = line.partition("=")
            if equals and name == "PRETTY_NAME":
                return known("operating_system", value.strip().strip("\"'") or None, path)
    return known("operating_system", reader.os_version() or reader.system or None, "uname")


def _layout(reader: Reader) -> dict[str, Fact]:
    """Return the counts of the whole machine, but `cpus_allowed`, which is this process's."""
    topology = read_topology(reader)
    source, confidence = _layout_source(reader)
    facts = {
        **_sockets(topology, source, confidence),
        **known("physical_cores", topology.cores_online, source, confidence),
        **_core_kinds(reader, topology),
        **known("logical_cpus", topology.cpus_online, source),
        **known("threads_per_core", topology.threads_per_core, source, confidence),
        **known("cpus_allowed", format_cpu_list(topology.cpus_allowed), _affinity_source(reader, topology)),
        **_reserved_cpus(reader),
        **known("numa_nodes", len(topology.nodes), source, confidence),
        **numa_facts(topology.numa_nodes, topology.memory_nodes_allowed),
        **_caches(topology, "sysctl" if reader.system == "Darwin" else source),
    }
    if topology.cpus_present > topology.cpus_online:
        facts |= known("cpus_offline", topology.cpus_present - topology.cpus_online, source)
    return facts


def _sockets(topology: Topology, source: str, confidence: str) -> dict[str, Fact]:
    found = topology.sockets_taken
    if found is None:
        return known("sockets", topology.sockets, source, confidence)
    return known("sockets", found.count, found.source, found.confidence)


def _core_kinds(reader: Reader, topology: Topology) -> dict[str, Fact]:
    """Return `core_kinds`: how many cores of each kind a hybrid processor has, the fastest kind first."""
    counts: dict[str, Json] = dict(topology.cores_by_kind)
    return known("core_kinds", counts, core_kinds_source(reader), DERIVED) if counts else {}


def _reserved_cpus(reader: Reader) -> dict[str, Fact]:
    """Return the CPUs that the kernel was told to keep free: from other processes, from its timer's tick."""
    facts: dict[str, Fact] = {}
    for name, file in (("cpus_isolated", "isolated"), ("cpus_nohz_full", "nohz_full")):
        path = f"{CPU_FOLDER}/{file}"
        facts |= known(name, format_cpu_list(numbers_of(reader.text(path))) or None, path)
    return facts


def _layout_source(reader: Reader) -> tuple[str, str]:
    if reader.system == "Linux" and reader.names(CPU_FOLDER):
        return "/sys/devices/system", READ
    if reader.processor_table():
        return TABLE_SOURCE, READ
    return "psutil.cpu_count", ASSUMED


def _affinity_source(reader: Reader, topology: Topology) -> str:
    if not topology.can_pin:
        return "all CPUs: affinity is not known"
    return "GetProcessAffinityMask" if reader.system == "Windows" else "sched_getaffinity"


def _caches(topology: Topology, source: str) -> dict[str, Fact]:
    """Return the sizes of the caches, each level the sum of all its instances."""
    names = {1: "cache_l1d_bytes", 2: "cache_l2_bytes", 3: "cache_l3_bytes"}
    facts: dict[str, Fact] = {}
    for level, name in names.items():
        facts |= known(name, topology.cache_bytes(level), source, DERIVED)
    return {
        **facts,
        **known("last_level_cache_bytes", topology.all_last_level_cache_bytes, source, DERIVED),
        **known("last_level_cache_instances", topology.last_level_cache_instances or None, source, DERIVED),
    }
