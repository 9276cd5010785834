"""The processor, whether it is a real one, and which CPUs of a hybrid one are of fast cores and which of frugal ones.

Hypervisors and containers hide what lies beneath.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bandwidth.cpu_list import numbers_of
from bandwidth.machine.cpuinfo import CPUINFO, facts_of_cpuinfo, flags_of_cpuinfo
from bandwidth.machine.facts import ASSUMED, DERIVED, Fact, known
from bandwidth.machine.reader import CPU_FOLDER, DMI_FOLDER, Reader, read_integer, read_line, whole_number
from bandwidth.machine.windows import TABLE_SOURCE

NO_VIRTUALIZATION = "none"
NO_CONTAINER = "none"


# What a hypervisor's firmware calls the machine (sys_vendor and product_name), in systemd's src/basic/virt.c too.
_VIRTUAL_PRODUCTS = (
    ("kvm", "KVM"),
    ("vmware", "VMware"),
    ("virtualbox", "VirtualBox"),
    ("innotek", "VirtualBox"),
    ("hvm domu", "Xen"),
    ("microsoft corporation virtual machine", "Hyper-V"),
    ("parallels", "Parallels"),
    ("qemu", "QEMU"),
    ("bochs", "Bochs"),
    ("bhyve", "bhyve"),
    ("apple virtualization", "Apple Virtualization"),
    ("openstack nova", "OpenStack"),
    ("kubevirt", "KubeVirt"),
    ("nutanix ahv", "Nutanix AHV"),
    ("ovirt", "oVirt"),
    ("rhev hypervisor", "RHEV"),
    ("digitalocean", "DigitalOcean"),
    ("hetzner vserver", "Hetzner"),
)
# These lend whole machines under the same names: they count unless the processor says that it is a real one.
_CLOUD_PRODUCTS = (
    ("openstack", "OpenStack"),
    ("google compute engine", "Google Compute Engine"),
    ("amazon ec2", "Amazon EC2"),
    ("alibaba cloud", "Alibaba Cloud"),
    ("tencent cloud", "Tencent Cloud"),
)
# Boards that exist in hypervisors only, by the device tree's compatible.
_VIRTUAL_BOARDS = {"linux,dummy-virt": "QEMU", "riscv-virtio": "QEMU", "qemu,pseries": "QEMU"}
_BIOS_KEY = r"HKLM\HARDWARE\DESCRIPTION\System\BIOS"
_DEVICE_TREES = ("/proc/device-tree", "/sys/firmware/devicetree/base")
# Names at the end of `compatible` that stand for a family and no chip.
_NO_CHIPS = frozenset({"apple,arm-platform", *_VIRTUAL_BOARDS})
_LONGEST_NAME = 100
# The kernel's Documentation/ABI/testing/sysfs-devices-system-cpu; "notimplemented" says nothing.
_SMT_SETTINGS = ("on", "off", "forceoff", "notsupported")
_CONTAINER_FILES = (("/.dockerenv", "docker"), ("/run/.containerenv", "podman"))
_CONTAINER_VARIABLES = (
    ("APPTAINER_CONTAINER", "apptainer"),
    ("SINGULARITY_CONTAINER", "singularity"),
    ("KUBERNETES_SERVICE_HOST", "kubernetes"),
)
_CONTAINER_CGROUPS = (
    ("kubepods", "kubernetes"),
    ("docker", "docker"),
    ("libpod", "podman"),
    ("containerd", "containerd"),
    ("lxc", "lxc"),
)


def processor_facts(reader: Reader) -> dict[str, Fact]:
    """Return `cpu_vendor`, `cpu_family`, `cpu_model_number` and `cpu_model`, as far as the system tells them."""
    if reader.system == "Darwin":
        return _from_sysctl(reader)
    if reader.system == "Windows":
        return _from_identifier(reader.environment("PROCESSOR_IDENTIFIER") or "")
    return facts_of_cpuinfo(reader.text(CPUINFO) or "")


def device_tree_facts(reader: Reader) -> dict[str, Fact]:
    """Return `chip` (`rockchip,rk3588`) and `board` (`Radxa ROCK 5B`) where the firmware hands over a device tree.

    The board's names stand first in `compatible` and the chip's after them, the general ones last.
    """
    for folder in _DEVICE_TREES:
        names = [
            name for name in (reader.text(f"{folder}/compatible") or "").split("\0") if name.isprintable() and name
        ]
        chips = [name for name in names if name not in _NO_CHIPS]
        board = (reader.text(f"{folder}/model") or "").strip("\0\n ")
        if names or board:
            chip = chips[-1][:_LONGEST_NAME] if chips else None
            return {
                **known("chip", chip, f"{folder}/compatible"),
                **known("board", board[:_LONGEST_NAME] if board.isprintable() else None, f"{folder}/model"),
            }
    return {}


def virtualization_facts(reader: Reader) -> dict[str, Fact]:
    """Return `virtualization`: the hypervisor, `hypervisor` where it is not known which, `none` on bare metal."""
    if reader.system == "Darwin":
        return _darwin_virtualization(reader)
    if reader.system == "Windows":
        return _windows_virtualization(reader)
    flags = flags_of_cpuinfo(reader.text(CPUINFO) or "")
    present = None if flags is None else "hypervisor" in flags
    for source, name in (
        *_hypervisor_by_file(reader),
        *_hypervisor_by_product(reader, may_be_cloud=present is not False),
        *_hypervisor_by_device_tree(reader),
    ):
        return known("virtualization", name, source)
    if present is None:  # Arm has no such flag: without DMI nothing tells
        return {}
    return known("virtualization", "hypervisor" if present else NO_VIRTUALIZATION, f"{CPUINFO} flags")


def container_facts(reader: Reader) -> dict[str, Fact]:
    """Return `container`: the container's kind, `none` where nothing points to one; nothing outside Linux."""
    if reader.system != "Linux":
        return {}
    for path, name in _CONTAINER_FILES:
        if reader.text(path) is not None:
            return known("container", name, path)
    for variable, name in _CONTAINER_VARIABLES:
        if reader.environment(variable):
            return known("container", name, f"environment variable {variable}")
    marker = read_line(reader, "/run/systemd/container")
    if marker is not None:
        return known("container", marker, "/run/systemd/container")
    cgroup = reader.text("/proc/self/cgroup") or ""
    for needle, name in _CONTAINER_CGROUPS:
        if needle in cgroup:
            return known("container", name, "/proc/self/cgroup", DERIVED)
    return known("container", NO_CONTAINER, "no trace of a container", ASSUMED)


def boost_facts(reader: Reader) -> dict[str, Fact]:
    """Return `boost`: whether the clock may rise above the processor's base clock (turbo); nothing if not told."""
    for path, on in (("cpufreq/boost", 1), ("intel_pstate/no_turbo", 0)):
        setting = read_integer(reader, f"{CPU_FOLDER}/{path}")
        if setting in (0, 1):
            return known("boost", setting == on, f"{CPU_FOLDER}/{path}")
    return {}


def smt_facts(reader: Reader) -> dict[str, Fact]:
    """Return `smt_control`: on, off, forceoff, notsupported, or a number of threads on POWER."""
    path = f"{CPU_FOLDER}/smt/control"
    setting = read_line(reader, path)
    told = setting is not None and (setting in _SMT_SETTINGS or re.fullmatch(r"[0-9]{1,2}", setting, re.ASCII))
    return known("smt_control", setting if told else None, path)


def _from_sysctl(reader: Reader) -> dict[str, Fact]:
    def answer(name: str) -> str | None:
        return (reader.run("sysctl", "-n", f"machdep.cpu.{name}") or "").strip() or None

    model = answer("brand_string")
    apple = "Apple" if (model or "").startswith("Apple") else None
    return {
        **known("cpu_vendor", answer("vendor") or apple, "sysctl machdep.cpu"),
        **known("cpu_family", whole_number(answer("family")), "sysctl machdep.cpu.family"),
        **known("cpu_model_number", whole_number(answer("model")), "sysctl machdep.cpu.model"),
        **known("cpu_model", model, "sysctl machdep.cpu.brand_string"),
    }


def _from_identifier(identifier: str) -> dict[str, Fact]:
    """Return the facts of Windows' `Intel64 Family 6 Model 158 Stepping 10, GenuineIntel`."""
    source = "environment variable PROCESSOR_IDENTIFIER"
    numbers = re.search(r"Family ([0-9]{1,6}) Model ([0-9]{1,6})", identifier, re.ASCII)
    vendor = identifier.rpartition(",")[2].strip() if "," in identifier else None
    return {
        **known("cpu_vendor", vendor or None, source),
        **known("cpu_family", int(numbers[1]) if numbers else None, source),
        **known("cpu_model_number", int(numbers[2]) if numbers else None, source),
        **known("cpu_model", identifier.strip() or None, source),
    }


def _darwin_virtualization(reader: Reader) -> dict[str, Fact]:
    present = whole_number(reader.run("sysctl", "-n", "kern.hv_vmm_present"))
    if present is None:
        return {}
    return known("virtualization", "hypervisor" if present else NO_VIRTUALIZATION, "sysctl kern.hv_vmm_present")


def _windows_virtualization(reader: Reader) -> dict[str, Fact]:
    """Return the hypervisor that the firmware's names stand for; that there is none nothing tells here."""
    listed = reader.run("reg", "query", _BIOS_KEY) or ""
    told = dict(re.findall(r"^\s+(\w+)\s+REG_SZ\s+(\S.*?)\s*$", listed, re.ASCII | re.MULTILINE))
    names = (told.get(name, "") for name in ("SystemManufacturer", "SystemProductName"))
    return known("virtualization", hypervisor_of(*names, may_be_cloud=True), f"registry, {_BIOS_KEY}")


def _hypervisor_by_file(reader: Reader) -> tuple[tuple[str, str], ...]:
    kind = read_line(reader, "/sys/hypervisor/type")
    return (("/sys/hypervisor/type", kind.capitalize()),) if kind else ()


def _hypervisor_by_product(reader: Reader, *, may_be_cloud: bool) -> tuple[tuple[str, str], ...]:
    names = [read_line(reader, f"{DMI_FOLDER}/{name}") or "" for name in ("sys_vendor", "product_name")]
    named = hypervisor_of(*names, may_be_cloud=may_be_cloud)
    return ((f"{DMI_FOLDER}/product_name", named),) if named else ()


def _hypervisor_by_device_tree(reader: Reader) -> tuple[tuple[str, str], ...]:
    for folder in _DEVICE_TREES:
        for name in (reader.text(f"{folder}/compatible") or "").split("\0"):
            if name in _VIRTUAL_BOARDS:
                return ((f"{folder}/compatible", _VIRTUAL_BOARDS[name]),)
    return ()


def hypervisor_of(vendor: str, product: str, *, may_be_cloud: bool) -> str | None:
    """Return the hypervisor that firmware with these names stands for, None where it is a real machine's.

    `may_be_cloud`: whether names that are lent to whole machines too count.
    """
    names = f"{vendor} {product}".lower()
    if names.endswith(".metal") or "-metal" in names:  # Amazon's m6i.metal is a whole machine
        return None
    table = (*_VIRTUAL_PRODUCTS, *_CLOUD_PRODUCTS) if may_be_cloud else _VIRTUAL_PRODUCTS
    return next((name for needle, name in table if needle in names), None)


# --- kinds of cores -------------------------------------------------------------------------------------------------

PERFORMANCE = "performance"
EFFICIENCY = "efficiency"
LOW_POWER_EFFICIENCY = "low power efficiency"
KINDS = (PERFORMANCE, EFFICIENCY, LOW_POWER_EFFICIENCY)  # the fastest first

# One performance monitor a kind of core: intel_hybrid_pmu_type_map in the kernel's arch/x86/events/intel/core.c.
# The last came with Arrow Lake H; Meteor Lake's low power cores stand with the other Atoms.
_INTEL_MONITORS = (
    ("/sys/devices/cpu_core/cpus", PERFORMANCE),
    ("/sys/devices/cpu_atom/cpus", EFFICIENCY),
    ("/sys/devices/cpu_lowpower/cpus", LOW_POWER_EFFICIENCY),
)
_CAPACITY = "/sys/devices/system/cpu/cpu{cpu}/cpu_capacity"
# Firmware grades cores of one kind a little apart. The scheduler's own margin, capacity_greater() in the kernel's
# kernel/sched/fair.c: about 5 % are no difference.
_MARGIN = 1078 / 1024
_MOST_LEVELS = 8


def read_core_kinds(reader: Reader, cpus: Sequence[int]) -> dict[int, str]:
    """Return the kind of core of each CPU; nothing where all are alike or the system does not tell them apart."""
    if reader.system == "Darwin":
        kinds = _by_performance_level(reader, cpus)
    else:
        kinds = _by_monitor(reader, cpus) or _by_capacity(reader, cpus)
    return kinds if len(set(kinds.values())) > 1 else {}


def core_kinds_source(reader: Reader) -> str:
    """Return where `read_core_kinds` has its answer from."""
    if reader.system == "Darwin":
        return "sysctl hw.perflevel"
    if reader.system == "Windows":
        return f"{TABLE_SOURCE}, efficiency classes"
    by_monitor = any(numbers_of(reader.text(path)) for path, _ in _INTEL_MONITORS)
    return "/sys/devices/cpu_*/cpus" if by_monitor else _CAPACITY.format(cpu="*")


def kind_rank(kind: str) -> int:
    """Return a number to sort kinds by: the fastest first, a core of no kind after all."""
    return KINDS.index(kind) if kind in KINDS else len(KINDS)


def count_kinds(kinds: Sequence[str]) -> dict[str, int]:
    """Return how often each kind occurs, the fastest first; a core of no kind is not counted."""
    return {kind: kinds.count(kind) for kind in KINDS if kind in kinds}


def _by_monitor(reader: Reader, cpus: Sequence[int]) -> dict[int, str]:
    listed: Mapping[int, str] = {cpu: kind for path, kind in _INTEL_MONITORS for cpu in numbers_of(reader.text(path))}
    return {cpu: listed[cpu] for cpu in cpus if cpu in listed}


def _by_capacity(reader: Reader, cpus: Sequence[int]) -> dict[int, str]:
    """Return the kinds by Arm's relative capacities, of which the fastest core's is 1024.

    Newer kernels write capacities on x86 too, where they differ by each core's highest clock: not a kind of core.
    """
    if not reader.machine.lower().startswith(("aarch64", "arm")):
        return {}
    read = {cpu: read_integer(reader, _CAPACITY.format(cpu=cpu)) for cpu in cpus}
    capacities = {cpu: capacity for cpu, capacity in read.items() if capacity is not None and capacity > 0}
    highest = max(capacities.values(), default=0)
    return {cpu: PERFORMANCE if capacity * _MARGIN >= highest else EFFICIENCY for cpu, capacity in capacities.items()}


def _by_performance_level(reader: Reader, cpus: Sequence[int]) -> dict[int, str]:
    """Return the kinds of Apple silicon, of which level 0 is the fastest and has the first CPUs."""
    levels = whole_number(reader.run("sysctl", "-n", "hw.nperflevels")) or 0
    kinds: list[str] = []
    for level in range(min(levels, _MOST_LEVELS) if levels > 1 else 0):
        count = whole_number(reader.run("sysctl", "-n", f"hw.perflevel{level}.logicalcpu")) or 0
        kinds += [EFFICIENCY if level else PERFORMANCE] * min(max(count, 0), len(cpus))
    return dict(zip(cpus, kinds, strict=False))
